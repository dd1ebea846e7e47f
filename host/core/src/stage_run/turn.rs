//! When a stage may run: nobody else runs it on the same inputs, and what it needs of the machine is free (walk, step 7).
//!
//! First the flight, then resources, the job last: who waits holds nothing that others could use meanwhile.

use std::num::NonZeroUsize;
use std::path::Path;

use super::{Commit, StageError, StageRunner};
use crate::cache::{Flight, OwnFlight};
use crate::event::{Event, WaitsFor};
use crate::lock::pauses;
use crate::pipeline::{LockEntry, ProjectFiles, Stage};
use crate::plan::Recall;
use crate::resources::{Amount, Amounts, Claim, ClaimError, Ledger};
use crate::run_cache::{RunCache, RunKey};

/// What the jobs of a budget are called.
const JOBS: &str = "jobs";

/// What a stage holds while its commands run.
pub(super) struct Claims {
    _resources: Claim,
    _job: Option<Claim>,
    /// Whether it took a while, in which files may have changed.
    pub waited: bool,
}

/// How many stages of all processes that name the folder run at once.
#[must_use]
pub fn job_budget(folder: &Path, jobs: NonZeroUsize) -> Ledger {
    Ledger::new(folder, [(JOBS, Amount::Count(jobs.get() as u64))].into_iter().collect())
}

impl StageRunner<'_> {
    /// Becomes the one who runs the stage on the inputs of `entry`, after waiting for another who does. None where no result
    /// would be remembered for others. The flag is whether it waited: then the result may be known now, and files may have
    /// changed.
    pub(super) fn fly(&self, stage: &Stage, entry: &LockEntry) -> Result<(Option<OwnFlight>, bool), StageError> {
        let is_kept = self.run_cache.is_some() && self.commit == Commit::Yes && RunCache::keeps(stage);
        if !is_kept {
            return Ok((None, false));
        }
        let key = RunKey::of_inputs(&Recall::asked(stage, entry));
        let mut has_waited = false;
        for pause in pauses() {
            match self.store().fly(key.as_str(), &self.who(stage)) {
                Ok(Flight::Own(flight)) => return Ok((Some(flight), has_waited)),
                Ok(Flight::Untold) => return Ok((None, has_waited)),
                Ok(Flight::Others(who)) => {
                    if !std::mem::replace(&mut has_waited, true) {
                        let who = if who.is_empty() { "a process that has just begun".to_owned() } else { who };
                        self.tell_wait(stage, WaitsFor::SameRun { who });
                    }
                }
                Err(error) => {
                    let message = format!("{error}; the same stage may run elsewhere at the same time");
                    self.events.event(Event::Warning { message });
                    return Ok((None, has_waited));
                }
            }
            if self.cancellation.is_cancelled() {
                break;
            }
            std::thread::sleep(pause);
        }
        Err(StageError::Cancelled { stage: stage.address.clone() })
    }

    /// Why the stage can never run on this machine, if it cannot.
    pub(crate) fn unable(&self, stage: &Stage) -> Option<StageError> {
        self.resources.check(&needs(stage)).err().map(|error| not_claimed(stage, error))
    }

    /// Takes what the stage needs of the machine, and a job, after waiting until they are free.
    pub(super) fn claim(&self, stage: &Stage) -> Result<Claims, StageError> {
        let mut waited = false;
        let wanted = needs(stage);
        let resources = self.resources.claim(&wanted, &self.who(stage), &self.cancellation, |holders| {
            waited = true;
            self.tell_wait(stage, WaitsFor::Resources { wanted: wanted.to_string(), holders });
        });
        let resources = resources.map_err(|error| not_claimed(stage, error))?;
        let one = [(JOBS, Amount::Count(1))].into_iter().collect();
        let claim_job = |budget: &Ledger| {
            budget.claim(&one, &self.who(stage), &self.cancellation, |holders| {
                waited = true;
                self.tell_wait(stage, WaitsFor::Job { holders });
            })
        };
        let job = self.budget.as_ref().map(claim_job).transpose().map_err(|error| not_claimed(stage, error))?;
        Ok(Claims { _resources: resources, _job: job, waited })
    }

    fn tell_wait(&self, stage: &Stage, waits_for: WaitsFor) {
        self.tell(stage, |stage| Event::StageWaits { stage, waits_for });
    }

    /// What others are told of who runs a stage.
    fn who(&self, stage: &Stage) -> String {
        let root = self.workspace.root();
        format!("process {}, stage `{}` in `{}`", std::process::id(), stage.address, root.display())
    }
}

fn needs(stage: &Stage) -> Amounts {
    stage.needs.iter().map(|need| (need.name.as_str(), need.amount)).collect()
}

fn not_claimed(stage: &Stage, error: ClaimError) -> StageError {
    let address = stage.address.clone();
    match error {
        ClaimError::Cancelled => StageError::Cancelled { stage: address },
        ClaimError::File(error) => StageError::File(error),
        error => {
            let need = stage.needs.iter().find(|need| error.name() == Some(&need.name));
            StageError::Resources { stage: address, span: need.map_or(stage.span, |need| need.span), error }
        }
    }
}
