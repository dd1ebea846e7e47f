//! One file a track of `dewar:plugin`, each behind the same traits: the rest of the host does not know which one answers.
//!
//! A track that is frozen keeps its file for as long as it is supported; a new one is a new file, a variant of
//! [`Track`] and an arm in [`bind`].

mod v0_1;

use dewar_core::extension::{Decision, Edit, ExtensionError, Job, Moment, Outcome, PastMoment, Value};
use wasmtime::component::Component;

use crate::call::Caller;
use crate::component::{Kind, Track};
use crate::engine::Runtime;
use crate::imports;

/// A format of any track.
pub(crate) trait Format: Send + Sync {
    fn read(&self, caller: &Caller<'_>, source: &[u8]) -> Result<Value, ExtensionError>;
    fn edit(&self, caller: &Caller<'_>, source: &[u8], edits: &[Edit]) -> Result<Vec<u8>, ExtensionError>;
}

/// An executor of any track.
pub(crate) trait Executor: Send + Sync {
    fn run(&self, caller: &Caller<'_>, job: &Job, imports: imports::Job) -> Result<Outcome, ExtensionError>;
}

/// A policy of any track.
pub(crate) trait Policy: Send + Sync {
    fn decide(
        &self,
        caller: &Caller<'_>,
        options: &Value,
        history: &[PastMoment],
        now: &Moment,
    ) -> Result<Decision, ExtensionError>;
}

/// A component with its imports resolved, ready to be instantiated for a call.
pub(crate) enum Bound {
    Format(Box<dyn Format>),
    Executor(Box<dyn Executor>),
    Policy(Box<dyn Policy>),
}

/// Resolves the imports of a component.
///
/// # Errors
/// When its types are not those of its track.
pub(crate) fn bind(kind: Kind, track: Track, runtime: &Runtime, component: &Component) -> wasmtime::Result<Bound> {
    match track {
        Track::V0_1 => v0_1::bind(kind, runtime, component),
    }
}
