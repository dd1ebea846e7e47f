//! YAML as DVC's users write it: YAML 1.2 scalars by the rules of ruamel.yaml, which DVC reads and writes with.
//!
//! In reading order: [`resolve`] (what a plain scalar means), [`read`], [`write`](mod@write), [`edit`].

mod place;
pub mod read;
mod resolve;

pub use read::read;
