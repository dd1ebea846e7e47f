//! [`CheckpointPolicy`]: which moments of a running stage become checkpoints.

use std::marker::PhantomData;

use dewar_text::{Diagnostic, Value};

use crate::bindings::checkpoint_policy::exports::dewar::plugin::checkpoint_policy as wit;
use crate::bindings::types;
use crate::document;

/// Decides which moments of a running stage become checkpoints. Pure: no state between calls, so that a resume asks the same
/// question and a past run can be replayed under another policy.
///
/// A stage may have several policies, which all see the same history. A moment becomes a checkpoint when all say so, and always
/// when the stage ends or is stopped there; a checkpoint goes when every policy that has a say lets go of it, at a moment that
/// becomes a checkpoint; the first reason to stop stops the stage.
pub trait CheckpointPolicy {
    /// Decides on the moment `now`; `history` has the moments of the same stage before it, oldest first.
    ///
    /// # Errors
    /// When the options are wrong, whatever the moment: the host asks once before the stage begins, with an empty history and a
    /// moment of step 0 without metrics. A metric that the moment lacks is no error: see [`Metric::of`](crate::Metric::of).
    fn decide(options: &Value, history: &[PastMoment], now: &Moment) -> Result<Decision, Vec<Diagnostic>>;
}

/// A moment of a running stage that may become a checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// Why it is considered.
    pub trigger: Trigger,
    /// Counted from 1 over the whole chain, resumes included; 0 when the host only asks whether the options are right.
    pub step: u64,
    /// Milliseconds of running time over the whole chain.
    pub elapsed_ms: u64,
    /// The numbers in the metrics files, by dotted name.
    pub metrics: Vec<(String, f64)>,
}

/// Why a moment is considered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The stage asked for a checkpoint.
    Signalled,
    /// The stage ended.
    Finished,
}

/// A moment that was decided on.
#[derive(Debug, Clone, PartialEq)]
pub struct PastMoment {
    /// What it was.
    pub moment: Moment,
    /// The checkpoint it became, while that is kept.
    pub checkpoint: Option<String>,
}

/// What a policy decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether the moment becomes a checkpoint.
    pub record: bool,
    /// Which kept checkpoints of the history may go; none when what is kept is not for this policy to say.
    pub discard: Option<Vec<String>>,
    /// Why the stage should stop now, if it should; shown to the user.
    pub stop: Option<String>,
}

impl Decision {
    /// The moment becomes a checkpoint; nothing more is said.
    pub const RECORD: Self = Self { record: true, discard: None, stop: None };
}

/// The component side of a [`CheckpointPolicy`].
#[doc(hidden)]
pub struct Exported<T>(PhantomData<T>);

impl<T: CheckpointPolicy + 'static> wit::Guest for Exported<T> {
    fn decide(
        options: types::Document,
        history: Vec<wit::PastMoment>,
        now: wit::Moment,
    ) -> Result<wit::Decision, Vec<types::Diagnostic>> {
        let history = history
            .into_iter()
            .map(|past| PastMoment { moment: to_moment(past.moment), checkpoint: past.checkpoint })
            .collect::<Vec<_>>();
        T::decide(&document::to_value(options), &history, &to_moment(now))
            .map(|decision| wit::Decision {
                record_checkpoint: decision.record,
                discard: decision.discard,
                stop: decision.stop,
            })
            .map_err(document::from_diagnostics)
    }
}

fn to_moment(moment: wit::Moment) -> Moment {
    Moment {
        trigger: match moment.trigger {
            wit::Trigger::Signalled => Trigger::Signalled,
            wit::Trigger::Finished => Trigger::Finished,
        },
        step: moment.step,
        elapsed_ms: moment.elapsed_ms,
        metrics: moment.metrics,
    }
}

/// Makes the component of a crate a checkpoint policy, with a manifest that stands in the crate.
///
/// ```ignore
/// dewar_plugin::export_checkpoint_policy!(Every, manifest = "plugin.toml");
/// ```
#[macro_export]
macro_rules! export_checkpoint_policy {
    ($plugin:ty, manifest = $manifest:literal) => {
        $crate::embed_manifest!($manifest);

        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exported = $crate::export::CheckpointPolicy<$plugin>;
            $crate::bindings::checkpoint_policy::export_checkpoint_policy_component!(
                Exported with_types_in $crate::bindings::checkpoint_policy
            );
        };

        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            const fn is_a_checkpoint_policy<T: $crate::CheckpointPolicy>() {}
            is_a_checkpoint_policy::<$plugin>()
        };
    };
}
