//! YAML as DVC's users write it: YAML 1.2 scalars by the rules of ruamel.yaml, which DVC reads and writes with.
//!
//! In reading order: `resolve` (what a plain scalar means), [`read`](mod@read), `scalar` (how one is written),
//! [`write`](mod@write), [`edit`](mod@edit).

mod place;
pub mod read;
mod resolve;
mod scalar;
pub mod write;

pub use read::read;
pub use scalar::{Context, write_scalar};
pub use write::write;
