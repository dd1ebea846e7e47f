//! Checkpoints of a running stage: it signals, its outputs are kept, it is told to go on (walk, step 7).
//!
//! The stage waits while its outputs are kept, so they belong to one instant. Who decides on a checkpoint and records it is
//! behind [`Checkpoints`]: the experiment that is run. A stage of a run that records nothing has none.

mod signal;

use std::io::PipeReader;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use signal::{Heard, Signals};

use super::{StageError, StageRunner};
use crate::cache::CacheError;
use crate::event::Event;
use crate::extension::{ExtensionError, Job, Outcome, Trigger};
use crate::fs::FsError;
use crate::git::GitError;
use crate::observe::Observe as _;
use crate::pipeline::{LockEntry, Place, Signal, Stage};
use crate::plan;
use crate::process::Cancellation;
use crate::source::SourceError;

/// How long a stage that is stopped has to end by itself.
const GRACE: Duration = Duration::from_secs(10);

/// Who decides on the checkpoints of stages, and records them.
pub trait Checkpoints: Send + Sync {
    /// A stage with checkpoints is about to run on these inputs.
    ///
    /// # Errors
    /// When its checkpoints could not be recorded, or its policies are not to be had.
    fn begin(&self, stage: &Stage, inputs: &LockEntry) -> Result<Begun, CheckpointError>;

    /// Decides on this moment of the stage, and records it when it becomes a checkpoint: then what `keep` kept is safe, and so is
    /// all that belongs to it.
    ///
    /// # Errors
    /// When it cannot be recorded.
    fn consider(&self, stage: &Stage, trigger: Trigger, keep: Keep<'_>) -> Result<Considered, CheckpointError>;

    /// Makes what the stage writes and git keeps what it was at the last checkpoint.
    ///
    /// # Errors
    /// When it cannot be read or written.
    fn restore(&self, stage: &Stage) -> Result<(), CheckpointError>;
}

/// Keeps the outputs that are there, and answers what the lock would remember of the stage.
pub type Keep<'a> = &'a dyn Fn() -> Result<LockEntry, StageError>;

/// How a stage begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// From nothing, or from what is in the workspace.
    Anew,
    /// From a checkpoint.
    Resumed,
}

/// What came of a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Considered {
    /// What the lock would remember of the last checkpoint; none when there is none yet.
    pub checkpoint: Option<LockEntry>,
    /// Why the stage is to end here, if it is.
    pub stop: Option<String>,
}

/// Why a checkpoint was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The outputs cannot be kept.
    #[error(transparent)]
    Outputs(Box<StageError>),
    /// A file.
    #[error(transparent)]
    File(#[from] FsError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A policy that was chosen is not to be had, or its options are wrong.
    #[error("the checkpoint policy `{policy}` cannot be used: {source}")]
    Policy {
        /// Its name, as it was written.
        policy: String,
        /// Why.
        source: ExtensionError,
    },
    /// The lock of the stage cannot be read.
    #[error(transparent)]
    Lock(#[from] Box<SourceError>),
    /// The outputs change all the while.
    #[error("the outputs changed whenever they were kept: no checkpoint of them belongs to one instant")]
    Restless,
}

impl From<StageError> for CheckpointError {
    fn from(error: StageError) -> Self {
        Self::Outputs(Box::new(error))
    }
}

/// What a stage was told that signals checkpoints.
pub(super) struct Watched {
    /// How its commands ended.
    pub outcome: Result<Outcome, ExtensionError>,
    /// The last checkpoint, when it was to end there.
    pub stopped: Option<LockEntry>,
}

/// Ends a stage when who takes its checkpoints does so no more: it would wait for ever.
struct EndsStage<'a>(&'a Cancellation);

impl Drop for EndsStage<'_> {
    fn drop(&mut self) {
        // Asked to end and then killed; nothing when it has ended.
        self.0.stop();
        self.0.stop();
    }
}

impl StageRunner<'_> {
    /// Runs the commands of a stage and takes its checkpoints meanwhile.
    pub(super) fn run_watched(
        &self,
        stage: &Stage,
        inputs: &LockEntry,
        job: &Job,
        started: Arc<dyn Fn(usize) + Send + Sync>,
        checkpoints: &dyn Checkpoints,
    ) -> Result<Watched, StageError> {
        let failed = |error: CheckpointError| StageError::checkpoint(stage, error);
        let mut job = job.clone();
        // Where its signals are looked for, also in an isolated workspace.
        let root = self.workspace.tree().root().display().to_string();
        let mut set = |name: &str, value: &str| {
            job.env.retain(|(known, _)| known != name);
            job.env.push((name.to_owned(), value.to_owned()));
        };
        set("DVC_ROOT", &root);
        if stage.signal() == Signal::File {
            set("DVC_CHECKPOINT", "1");
        }
        if checkpoints.begin(stage, inputs).map_err(failed)? == Begun::Resumed {
            set("DVCLIVE_RESUME", "1");
        }
        let signals = Signals::listen(self.workspace.tree().root(), stage.signal());
        let signals = signals.map_err(|error| failed(error.into()))?;
        let stop = Cancellation::default();
        let processes = (self.processes)(stage, &stop);
        let (ended, running) = std::io::pipe().map_err(|error| failed(FsError::new("make", "a pipe")(error).into()))?;
        let (outcome, taken) = thread::scope(|scope| {
            let taker = scope.spawn(|| {
                let _ends = EndsStage(&stop);
                self.take_checkpoints(stage, inputs, signals, &ended, &stop, checkpoints)
            });
            let outcome = self.executor.run(&job, Arc::clone(&processes), started);
            drop(running);
            (outcome, taker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        self.workspace.forget_all();
        Ok(Watched { outcome, stopped: taken.map_err(failed)? })
    }

    /// Answers signals until the stage has ended. Returns the last checkpoint when it was to end there.
    fn take_checkpoints(
        &self,
        stage: &Stage,
        inputs: &LockEntry,
        mut signals: Signals,
        ended: &PipeReader,
        stop: &Cancellation,
        checkpoints: &dyn Checkpoints,
    ) -> Result<Option<LockEntry>, CheckpointError> {
        let keep = || self.keep_what_is_there(stage, inputs);
        loop {
            // One that it still waited for when it was ended is a checkpoint like the others.
            if signals.wait(ended)? == Heard::End && !signals.is_raised()? {
                return Ok(None);
            }
            let considered = {
                let _keeping = self.cancellation.keep();
                checkpoints.consider(stage, Trigger::Signalled, &keep)
            };
            let end = match considered {
                Ok(Considered { stop: None, .. }) => None,
                Ok(Considered { checkpoint, stop: Some(_) }) => Some(Ok(checkpoint)),
                Err(CheckpointError::Restless) => {
                    self.warn_of_restless(stage);
                    None
                }
                Err(error) => Some(Err(error)),
            };
            let Some(end) = end else {
                signals.answer()?;
                continue;
            };
            // It ends while it waits for the answer, so that nothing comes after the checkpoint.
            stop.stop();
            if signals.wait_for_end(ended, GRACE)? == Heard::Signal {
                stop.stop();
            }
            signals.answer()?;
            return end;
        }
    }

    fn warn_of_restless(&self, stage: &Stage) {
        let message = format!(
            "the stage `{}` wrote its outputs while they were kept, so that they belong to no one instant: this moment is no checkpoint",
            stage.address
        );
        self.events.event(Event::Warning { message });
    }

    /// The stage's lock entry with the outputs that are there. The files stay as they are, whatever links are configured: the
    /// stage goes on writing them.
    fn keep_what_is_there(&self, stage: &Stage, inputs: &LockEntry) -> Result<LockEntry, StageError> {
        let (tree, algorithm) = (self.workspace.tree(), self.workspace.algorithm());
        let store = self.store().copying();
        let mut outs = Vec::with_capacity(stage.outs.len());
        for out in &stage.outs {
            self.workspace.forget(&out.path);
            let found = if out.cached {
                match tree.ingest(&store, &out.path, algorithm) {
                    Err(CacheError::Absent(_)) => None,
                    found => Some(found?.into()),
                }
            } else {
                self.workspace.content(&Place::Inside(out.path.clone()), algorithm)?
            };
            outs.extend(found.map(|found| plan::locked_path(&out.lock_path, &found)));
        }
        Ok(LockEntry { outs: plan::in_lock_order(outs), ..inputs.clone() })
    }

    /// The outputs are those of the checkpoint again, should the stage have written on while it was ended.
    pub(super) fn back_to(
        &self,
        stage: &Stage,
        checkpoint: &LockEntry,
        checkpoints: &dyn Checkpoints,
    ) -> Result<(), StageError> {
        let mut missing = Vec::new();
        for out in &stage.outs {
            let Some(known) = checkpoint.out(&out.lock_path) else {
                self.workspace.tree().remove(&out.path)?;
                missing.push(format!("`{}`", out.path));
                continue;
            };
            if !out.cached {
                continue;
            }
            let place = Place::Inside(out.path.clone());
            if !self.is_as_locked(known, &place)?
                && let Some(id) = &known.id
            {
                self.check_out_from(self.store(), id, known.executable, &out.path)?;
            }
        }
        checkpoints.restore(stage).map_err(|error| StageError::checkpoint(stage, error))?;
        self.workspace.forget_all();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            let message = format!("the stage `{}` was stopped before it wrote {missing}", stage.address);
            self.events.event(Event::Warning { message });
        }
        Ok(())
    }
}
