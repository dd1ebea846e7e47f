//! YAML as DVC's users write it: YAML 1.2 scalars by the rules of ruamel.yaml, which DVC reads and writes with.
//!
//! In reading order: `resolve` (what a plain scalar means), `read` (with `place` and `refusal`), `scalar` (how a scalar is
//! written), `write`, `edit` (with `layout`), `comments` (which of them belong to a key).

mod comments;
pub mod edit;
mod layout;
mod place;
pub mod read;
mod refusal;
mod resolve;
mod scalar;
pub mod write;

pub use comments::{end_with_comments, remove_with_comments};
pub use edit::edit;
pub use read::{MAX_SIZE, read};
pub use scalar::{Context, write_scalar};
pub use write::write;
