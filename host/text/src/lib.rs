//! Text formats as dewar sees them: a tree of values with byte spans, a YAML reader and writer, and edits that leave every
//! other byte alone.
//!
//! It depends on nothing of the host and compiles for `wasm32-wasip2`, so that core (which reads `dvc.yaml`, `dvc.lock` and
//! `.dvc` files) and the format plugins share one reader: a second one would disagree with the first.
//!
//! In reading order: [`value`], [`node`], [`diagnostic`], [`position`], [`edit`], then [`splice`] and [`yaml`].

pub mod diagnostic;
pub mod edit;
pub mod node;
pub mod number;
pub mod position;
pub mod splice;
pub mod value;
pub mod yaml;

pub use diagnostic::{Diagnostic, Severity};
pub use edit::{Change, Edit, Step};
pub use node::{Entry, Node, NodeKind, Span};
pub use position::{Excerpt, Position};
pub use value::{Map, Value};
