//! Tests a parameter format: against folders of files ([`run_cases`]) and against random documents ([`random`], [`check`]).
//!
//! It knows a format only as the two functions of its interface, so a format can be tested natively or as the component
//! that it becomes. `README.md` says how a case is written.
//!
//! In reading order: [`case`], [`notation`], [`check`], [`random`].

pub mod case;
pub mod check;
pub mod notation;
pub mod random;

use dewar_text::{Diagnostic, Edit, Node};

pub use case::{Failures, run_cases};

/// What a function of a format answers.
pub type Answer<T> = Result<T, Vec<Diagnostic>>;

/// Edits a source.
pub type EditFn<'f> = dyn Fn(&[u8], &[Edit]) -> Answer<Vec<u8>> + 'f;

/// A format under test.
pub struct Format<'f> {
    /// The suffix of its files, without the dot.
    pub suffix: &'f str,
    /// Reads a source.
    pub read: &'f dyn Fn(&[u8]) -> Answer<Node>,
    /// Edits a source.
    pub edit: &'f EditFn<'f>,
}
