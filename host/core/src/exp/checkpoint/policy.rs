//! [`Policies`]: what the checkpoint policies of a stage come to together, also when one of them is broken. Step 7 of the walk.

use std::collections::HashSet;
use std::sync::Arc;

use crate::event::{Event, EventSink};
use crate::extension::{CheckpointPolicy, Decision, ExtensionError, Extensions, Moment, PastMoment, Trigger};
use crate::pipeline::PolicyUse;

/// A policy that does not answer so often is not asked again in the same run.
const FAILURES: u32 = 3;

/// The policies of a stage, in their order.
///
/// All are asked at each moment, and see the same history. Then
///
/// * the moment becomes a checkpoint when all of them say so; one at which the stage ends or is stopped always does;
/// * a kept checkpoint goes when every policy that has a say in what is kept lets go of it, and only at a moment that becomes a
///   checkpoint. So the last one always stays, and what one policy keeps no other takes away;
/// * the first that gives a reason to stop stops the stage;
/// * one that cannot be asked has said: record, let go of nothing, do not stop. The user is warned, and after the third time
///   it is not asked again.
///
/// Without policies every moment becomes a checkpoint, all are kept, and no plugin is looked for.
pub struct Policies {
    asked: Vec<Asked>,
    events: Arc<dyn EventSink>,
}

/// What becomes of a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it becomes a checkpoint.
    pub record: bool,
    /// The kept checkpoints of the history that go, oldest first. None when the moment becomes no checkpoint.
    pub discard: Vec<String>,
    /// Whether the stage is to stop.
    pub stop: Option<Stop>,
}

/// Who stops a stage, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The name of the policy.
    pub policy: String,
    /// One sentence for the user.
    pub reason: String,
}

/// A policy that cannot be used, found out before the stage begins.
#[derive(Debug, thiserror::Error)]
#[error("the checkpoint policy `{policy}` cannot be used: {source}")]
pub struct PolicyError {
    /// Its name, as the user wrote it.
    pub policy: String,
    /// There is none, or its options are wrong, or it is broken.
    pub source: ExtensionError,
}

/// A policy, and how it has done so far.
struct Asked {
    choice: PolicyUse,
    policy: Arc<dyn CheckpointPolicy>,
    failures: u32,
}

impl Policies {
    /// The chosen policies, none of which is run yet. Warnings go to `events`.
    ///
    /// # Errors
    /// When there is no policy of a name, or it may not be used.
    pub fn new(
        choices: impl IntoIterator<Item = PolicyUse>,
        extensions: &dyn Extensions,
        events: Arc<dyn EventSink>,
    ) -> Result<Self, PolicyError> {
        let find = |choice: PolicyUse| match extensions.policy(&choice.name) {
            Ok(policy) => Ok(Asked { choice, policy, failures: 0 }),
            Err(source) => Err(PolicyError { policy: choice.name, source }),
        };
        Ok(Self { asked: choices.into_iter().map(find).collect::<Result<_, _>>()?, events })
    }

    /// Asks each once, as the contract has it: with an empty history, and a moment of step 0 without metrics.
    ///
    /// # Errors
    /// When the options of one are wrong, or it is broken.
    pub fn check(&self) -> Result<(), PolicyError> {
        let nothing = Moment { trigger: Trigger::Signalled, step: 0, elapsed_ms: 0, metrics: Vec::new() };
        self.asked.iter().try_for_each(|asked| match asked.policy.decide(&asked.choice.options, &[], &nothing) {
            Ok(_) => Ok(()),
            Err(source) => Err(PolicyError { policy: asked.choice.name.clone(), source }),
        })
    }

    /// What becomes of the moment `now`; `history` has the moments of the same stage before it, oldest first.
    pub fn decide(&mut self, history: &[PastMoment], now: &Moment) -> Verdict {
        let mut verdict = Verdict { record: true, discard: Vec::new(), stop: None };
        // What all that had a say so far let go of; none while nobody had one.
        let mut released: Option<HashSet<String>> = None;
        for asked in &mut self.asked {
            let decision = asked.decide(history, now, &*self.events);
            verdict.record &= decision.record;
            if let Some(names) = decision.discard {
                let names = kept_of(names, history, &asked.choice.name, &*self.events);
                released = Some(match released {
                    None => names,
                    Some(released) => &released & &names,
                });
            }
            if let (Trigger::Signalled, None, Some(reason)) = (now.trigger, &verdict.stop, decision.stop) {
                verdict.stop = Some(Stop { policy: asked.choice.name.clone(), reason });
            }
        }
        verdict.record |= now.trigger == Trigger::Finished || verdict.stop.is_some();
        if let Some(released) = released.filter(|_| verdict.record) {
            let kept = history.iter().filter_map(|past| past.checkpoint.clone());
            verdict.discard = kept.filter(|checkpoint| released.contains(checkpoint)).collect();
        }
        verdict
    }
}

/// Those of `names` that are kept checkpoints; the user is told of others.
fn kept_of(names: Vec<String>, history: &[PastMoment], policy: &str, events: &dyn EventSink) -> HashSet<String> {
    let kept: HashSet<&str> = history.iter().filter_map(|past| past.checkpoint.as_deref()).collect();
    let (known, unknown): (HashSet<String>, HashSet<String>) =
        names.into_iter().partition(|name| kept.contains(name.as_str()));
    if let Some(name) = unknown.iter().min() {
        let more = match unknown.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let message =
            format!("the checkpoint policy `{policy}` lets go of `{name}`{more}, which is no kept checkpoint: ignored");
        events.event(Event::Warning { message });
    }
    known
}

impl Asked {
    /// What it decides; what is safe when it does not.
    fn decide(&mut self, history: &[PastMoment], now: &Moment, events: &dyn EventSink) -> Decision {
        let safe = Decision { record: true, discard: Some(Vec::new()), stop: None };
        if self.failures >= FAILURES {
            return safe;
        }
        let error = match self.policy.decide(&self.choice.options, history, now) {
            Ok(decision) => return decision,
            Err(error) => error,
        };
        self.failures += 1;
        let name = &self.choice.name;
        let mut message = format!(
            "the checkpoint policy `{name}` did not decide on step {}: {error}; it counts as a yes, and no checkpoint goes",
            now.step
        );
        if self.failures == FAILURES {
            message.push_str(". It is not asked again in this run, and lets go of nothing");
        }
        events.event(Event::Warning { message });
        safe
    }
}

#[cfg(test)]
pub(super) mod fakes;
#[cfg(test)]
mod tests;
