//! Parameters: their values, the `-S` grammar, reading and editing parameter files through format plugins (walk, steps 2
//! and 4).
//!
//! In reading order: [`value`] (lookup and DVC's equality), [`overrides`] (what `-S` says), [`sweep`] (several values of it),
//! [`resolve`] (what it means for a file), [`files`] (parameter files read through plugins and remembered by content).

pub mod files;
pub mod overrides;
pub mod resolve;
pub mod sweep;
pub mod value;

pub use files::ParamFiles;
pub use overrides::{Operation, Override};
pub use sweep::{Sweep, SweepOverride};
pub use value::ParamValue;
