//! What the author of a dewar plugin writes against: one trait and one macro a kind.
//!
//! | kind | trait | exported with |
//! |---|---|---|
//! | format of parameter files | [`ParamFormat`] | [`export_param_format!`] |
//! | what runs the commands of a stage | [`StageExecutor`] | [`export_stage_executor!`] |
//! | which moments become checkpoints | [`CheckpointPolicy`] | [`export_checkpoint_policy!`] |
//!
//! ```
//! use dewar_plugin::{Diagnostic, Edit, Node, ParamFormat};
//!
//! struct Empty;
//!
//! impl ParamFormat for Empty {
//!     fn read(source: &[u8]) -> Result<Node, Vec<Diagnostic>> {
//!         Err(vec![Diagnostic::error("not-empty", format!("{} bytes too many", source.len()))])
//!     }
//!     fn edit(_: &[u8], _: &[Edit]) -> Result<Vec<u8>, Vec<Diagnostic>> {
//!         Err(vec![Diagnostic::error("cannot-edit", "there is nothing to edit")])
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! A plugin crate is a `cdylib` and an `rlib`: the component is built for `wasm32-wasip2`, and the logic is unit-tested
//! natively, where the export macros leave nothing but a check that the manifest is there. The WIT package itself stays
//! hidden: its Rust bindings may change with their generator, these traits do not.
//!
//! What a user configured is read with [`Options`], which finds all that is wrong with it at once; a policy that goes by a metric
//! says which with [`Metric`] and [`Mode`].
//!
//! A plugin never prints: it answers, refuses with [`Diagnostic`]s, or writes to [`log`].

#[doc(hidden)]
pub mod bindings;
mod checkpoint_policy;
mod document;
pub mod log;
mod manifest;
mod metric;
mod options;
mod param_format;
mod stage_executor;

pub use checkpoint_policy::{CheckpointPolicy, Decision, Moment, PastMoment, Trigger};
pub use dewar_text;
pub use dewar_text::{Change, Diagnostic, Edit, Entry, Map, Node, NodeKind, Severity, Span, Step, Value};
pub use metric::{Metric, Mode};
pub use options::Options;
pub use param_format::ParamFormat;
pub use stage_executor::{Captured, Child, Command, Exit, Host, Job, Outcome, ProcessError, StageExecutor};

/// What the export macros name.
#[doc(hidden)]
pub mod export {
    pub use crate::checkpoint_policy::Exported as CheckpointPolicy;
    pub use crate::param_format::Exported as ParamFormat;
    pub use crate::stage_executor::Exported as StageExecutor;
}
