//! Brings one stage up to date: leave it, restore its result, or run it and keep what came out (walk, steps 7 and 8).

mod checkpoint;
mod error;
mod execute;
mod pull;
mod restore;
mod turn;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::cache::{CacheError, ObjectStore};
use crate::event::{Event, EventSink};
use crate::extension::{Processes, StageExecutor, Trigger};
use crate::git::Git;
use crate::index::GRANULARITY;
use crate::observe::{Content, Observe};
use crate::path::RepoPath;
use crate::pipeline::{LockEntry, LockedPath, Output, Place, ProjectFiles, Stage, StageAddress};
use crate::plan::{self, Explanation, ExplanationSink, Force, Reason, Rules};
use crate::process::Cancellation;
use crate::resources::Ledger;
use crate::run_cache::RunCache;
use crate::workspace::Workspace;

pub use checkpoint::{Begun, CheckpointError, Checkpoints, Considered, Keep};
pub use error::StageError;
use execute::Executed;
pub use pull::Pull;
pub use turn::job_budget;

/// How a stage came to be up to date.
#[derive(Debug, Clone, PartialEq)]
pub enum StageEnd {
    /// It was. The lock stays as it is.
    Fresh,
    /// It is frozen and was left alone.
    Frozen,
    /// It ran, and what it read changed meanwhile: what came out belongs to no inputs that are known. The lock stays as it is.
    Unsettled,
    /// Its result was known and was checked out; this goes into the lock.
    Restored(LockEntry),
    /// It only tracks data, whose content is now remembered; this goes into the lock.
    Tracked(LockEntry),
    /// It ran; this goes into the lock.
    Ran(LockEntry),
}

/// Whether what came out is kept in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    /// It is.
    Yes,
    /// It is only hashed (`--no-commit`).
    No,
}

/// Where the processes of a stage come from; the other ends them alone.
pub type StageProcesses<'a> = Box<dyn Fn(&Stage, &Cancellation) -> Arc<dyn Processes> + Send + Sync + 'a>;
/// What asks the user whether a stage may run.
pub type Confirm<'a> = Box<dyn Fn(&StageAddress) -> Answer + Send + Sync + 'a>;

/// All that stages need to run.
pub struct StageRunner<'a> {
    /// Where they run.
    pub workspace: &'a Workspace<'a>,
    /// What runs their commands.
    pub executor: Arc<dyn StageExecutor>,
    /// Where the processes of a stage come from.
    pub processes: StageProcesses<'a>,
    /// The environment of their commands.
    pub env: Vec<(String, String)>,
    /// Remembered runs; none when they are not to be consulted (`--no-run-cache`).
    pub run_cache: Option<RunCache>,
    /// Where missing contents come from (`--pull`).
    pub pull: Option<Pull<'a>>,
    /// What of the machine stages may hold at once, and who holds it.
    pub resources: Ledger,
    /// How many stages run at once beside those of other processes ([`job_budget`]); none when that does not matter.
    pub budget: Option<Ledger>,
    /// Who may end the run.
    pub cancellation: Cancellation,
    /// The repository, if there is one.
    pub git: Option<Mutex<Git>>,
    /// Who is told.
    pub events: Arc<dyn EventSink>,
    /// Who is told why each stage runs or not, when anyone is.
    pub explanations: Option<Arc<dyn ExplanationSink>>,
    /// The folder that the user is in: events name stages as seen from there.
    pub from: RepoPath,
    /// Whether results are kept.
    pub commit: Commit,
    /// Who takes the checkpoints of stages that have some; none for a run that records nothing.
    pub checkpoints: Option<&'a dyn Checkpoints>,
    /// Held by the stage whose checkpoints are taken.
    pub watching: Mutex<()>,
    /// Asks the user before a stage runs or is restored (`--interactive`).
    pub confirm: Option<Confirm<'a>>,
}

/// What the user says of a stage that is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It may.
    Yes,
    /// The run ends.
    No,
}

impl StageRunner<'_> {
    /// Brings `stage` up to date with what is in the workspace now. All it needs must be up to date already.
    ///
    /// # Errors
    /// When it cannot run, fails, or what came out cannot be kept. The lock entry of a failed stage stays as it was.
    pub fn bring_up_to_date(
        &self,
        stage: &Stage,
        locked: Option<&LockEntry>,
        rules: Rules<'_>,
    ) -> Result<StageEnd, StageError> {
        self.pull_missing(stage, locked)?;
        let reasons = plan::assess(stage, locked, rules, self.workspace)?;
        if let Some(sink) = &self.explanations {
            sink.decided(Explanation::of(stage, locked, &reasons, self.workspace));
        }
        if reasons.is_empty() {
            self.tell(stage, |stage| Event::StageFresh { stage });
            return Ok(StageEnd::Fresh);
        }
        if stage.is_data() {
            return self.track(stage, locked);
        }
        if stage.frozen {
            return self.leave_frozen(stage, locked, &reasons);
        }
        if reasons.iter().all(|reason| matches!(reason, Reason::OutputNotCached { .. })) {
            // The results are here and right, only the cache lost them: keep them again instead of computing them again.
            let kept = self.keep_again(stage, locked)?;
            self.tell(stage, |stage| Event::StageFresh { stage });
            return Ok(kept);
        }
        if let Some(confirm) = &self.confirm
            && confirm(&stage.address) == Answer::No
        {
            return Err(StageError::Declined { stage: stage.address.clone() });
        }
        self.refuse_tracked(stage)?;
        let mut entry = self.inputs(stage, locked)?;
        let mut flight = None;
        if rules.force == Force::No && !stage.runs_always() {
            if let Some(restored) = self.restore(stage, locked, &entry, self.pull.as_ref())? {
                return Ok(restored);
            }
            let has_waited;
            (flight, has_waited) = self.fly(stage, &entry)?;
            if has_waited {
                // With other inputs than it waited for, it waited in vain and runs.
                self.workspace.forget_all();
                entry = self.inputs(stage, locked)?;
            }
            // Who ran it may have ended since the first look, also when it was not waited for.
            if flight.is_some()
                && let Some(restored) = self.restore(stage, locked, &entry, None)?
            {
                return Ok(restored);
            }
        }
        // Two that signal by one file could not be told apart; and what one recorded belongs to the checkpoints of the next.
        let turn = || self.watching.lock().unwrap_or_else(PoisonError::into_inner);
        let _turn = stage.has_checkpoints().then(turn);
        let claims = self.claim(stage)?;
        if claims.waited {
            self.workspace.forget_all();
            entry = self.inputs(stage, locked)?;
        }
        if self.cancellation.is_cancelled() {
            return Err(StageError::Cancelled { stage: stage.address.clone() });
        }
        // The file clock may be behind by a tick.
        let started = SystemTime::now() - GRANULARITY;
        let executed = self.execute(stage, &entry)?;
        drop(claims);
        let _keeping = self.cancellation.keep();
        let after = self.inputs(stage, locked)?;
        let changed = self.changed_meanwhile(stage, &entry, &after, started)?;
        if !changed.is_empty() {
            let names = changed.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let message = format!(
                "{names} changed while the stage `{}` ran: its result is not remembered, and it will run again",
                stage.address
            );
            self.events.event(Event::Warning { message });
            return Ok(StageEnd::Unsettled);
        }
        if let Executed::ToCheckpoint(checkpoint) = executed {
            return Ok(StageEnd::Ran(checkpoint));
        }
        entry = LockEntry { outs: self.collect(stage)?, ..after };
        if let Some(checkpoints) = self.checkpoints.filter(|_| stage.has_checkpoints()) {
            let end = checkpoints.consider(stage, Trigger::Finished, &|| Ok(entry.clone()));
            end.map_err(|error| StageError::checkpoint(stage, error))?;
        }
        self.remember(stage, &entry)?;
        // Now that its result can be found.
        drop(flight);
        Ok(StageEnd::Ran(entry))
    }

    /// What the stage reads now. Of what is not on this machine the lock's word is kept.
    fn inputs(&self, stage: &Stage, locked: Option<&LockEntry>) -> Result<LockEntry, StageError> {
        Ok(plan::inputs_or_locked(stage, locked, self.workspace)?)
    }

    /// Which inputs are not what they were before the stage ran. A directory that only gained files while it ran is taken as
    /// it is now: interpreters leave their caches beside the sources that they read.
    fn changed_meanwhile(
        &self,
        stage: &Stage,
        before: &LockEntry,
        after: &LockEntry,
        started: SystemTime,
    ) -> Result<Vec<String>, StageError> {
        let mut changed = Vec::new();
        for ((dep, old), new) in stage.deps.iter().zip(&before.deps).zip(&after.deps) {
            if old.id == new.id {
                continue;
            }
            let known = old.size.zip(old.files);
            let gained = match (dep.place.local(self.workspace.root()), known) {
                (Some(path), Some((size, files))) => self.workspace.tree().only_gained(&path, size, files, started)?,
                _ => false,
            };
            if !gained {
                changed.push(dep.path.clone());
            }
        }
        for (file, values) in &before.params {
            let same = after.params.get(file).is_some_and(|now| now == values);
            if !same {
                changed.push(file.clone());
            }
        }
        Ok(changed)
    }

    /// A frozen stage does not run; what changed of its outputs is taken as it is (DVC's "verifying outputs").
    fn leave_frozen(
        &self,
        stage: &Stage,
        locked: Option<&LockEntry>,
        reasons: &[Reason],
    ) -> Result<StageEnd, StageError> {
        self.tell(stage, |stage| Event::StageFrozen { stage });
        let is_output =
            |reason: &Reason| matches!(reason, Reason::OutputChanged { .. } | Reason::OutputNotCached { .. });
        if !reasons.iter().any(is_output) {
            return Ok(StageEnd::Frozen);
        }
        let mut entry = locked.cloned().unwrap_or_default();
        entry.outs = self.collect(stage).map_err(|error| match error {
            StageError::OutputMissing { stage, path } => StageError::FrozenMissing { stage, path },
            other => other,
        })?;
        Ok(StageEnd::Tracked(entry))
    }

    /// Keeps outputs that the cache lost. What DVC 2 named is named anew.
    fn keep_again(&self, stage: &Stage, locked: Option<&LockEntry>) -> Result<StageEnd, StageError> {
        if self.commit == Commit::No {
            return Ok(StageEnd::Fresh);
        }
        let outs = self.collect(stage)?;
        let Some(locked) = locked.filter(|locked| locked.outs != outs) else { return Ok(StageEnd::Fresh) };
        Ok(StageEnd::Tracked(LockEntry { outs, ..locked.clone() }))
    }

    fn tell(&self, stage: &Stage, event: impl FnOnce(String) -> Event) {
        self.events.event(event(stage.address.display_from(&self.from)));
    }

    fn store(&self) -> &ObjectStore {
        self.workspace.store()
    }

    /// A `.dvc` file: missing data is restored, changed data is kept and remembered (DVC's "verifying data sources").
    fn track(&self, stage: &Stage, locked: Option<&LockEntry>) -> Result<StageEnd, StageError> {
        let mut entry = locked.cloned().unwrap_or_default();
        let (mut changed, mut kept, mut restored) = (false, false, false);
        for out in &stage.outs {
            let place = Place::Inside(out.path.clone());
            let known = entry.outs.iter_mut().find(|known| known.path == out.lock_path);
            let Some(found) = self.workspace.content(&place, self.workspace.algorithm())? else {
                let missing = || StageError::DataMissing { stage: stage.address.clone(), path: out.path.clone() };
                let known = known.and_then(|known| Some((known.id.clone()?, known.executable)));
                let (id, executable) = known.ok_or_else(missing)?;
                if !self.store().contains(&id)? {
                    return Err(missing());
                }
                self.check_out_from(self.store(), &id, executable, &out.path)?;
                restored = true;
                continue;
            };
            let Some(known) = known else { continue };
            let is_kept = out.cached && self.commit == Commit::Yes;
            let is_lost = is_kept && known.id.as_ref().is_some_and(|id| !self.store().has(id));
            if is_lost || !self.is_as_locked(known, &place)? {
                let now = if is_kept { self.keep(out)? } else { found };
                let now = plan::locked_path(&out.lock_path, &now);
                changed |= *known != now;
                kept = true;
                *known = now;
            }
        }
        if restored {
            self.tell(stage, |stage| Event::StageRestored { stage });
        } else if kept {
            self.tell(stage, |stage| Event::StageVerified { stage });
        } else {
            // Its source is elsewhere or another file: fetching it again is not a run's affair.
            let message = format!("what `{}` was imported from changed; the data stays as it is", stage.address);
            self.events.event(Event::Warning { message });
        }
        Ok(if changed { StageEnd::Tracked(entry) } else { StageEnd::Fresh })
    }

    /// Looks at what came out and keeps it.
    fn collect(&self, stage: &Stage) -> Result<Vec<LockedPath>, StageError> {
        let missing = |out: &Output| StageError::OutputMissing { stage: stage.address.clone(), path: out.path.clone() };
        let mut outs = Vec::with_capacity(stage.outs.len());
        for out in &stage.outs {
            let found = if out.cached && self.commit == Commit::Yes {
                self.keep(out).map_err(|error| match error {
                    StageError::Cache(CacheError::Absent(_)) => missing(out),
                    other => other,
                })?
            } else {
                let place = Place::Inside(out.path.clone());
                self.workspace.content(&place, self.workspace.algorithm())?.ok_or_else(|| missing(out))?
            };
            outs.push(plan::locked_path(&out.lock_path, &found));
        }
        Ok(plan::in_lock_order(outs))
    }

    fn keep(&self, out: &Output) -> Result<Content, StageError> {
        let kept = self.workspace.tree().ingest(self.store(), &out.path, self.workspace.algorithm())?;
        self.workspace.forget(&out.path);
        Ok(kept.into())
    }

    fn remember(&self, stage: &Stage, entry: &LockEntry) -> Result<(), StageError> {
        let Some(run_cache) = self.run_cache.as_ref().filter(|_| self.commit == Commit::Yes) else { return Ok(()) };
        Ok(run_cache.keep(stage, entry, self.workspace)?)
    }

    fn refuse_tracked(&self, stage: &Stage) -> Result<(), StageError> {
        let Some(git) = &self.git else { return Ok(()) };
        let git = git.lock().unwrap_or_else(PoisonError::into_inner);
        for out in stage.outs.iter().filter(|out| out.cached) {
            if git.is_tracked(&out.path)? {
                return Err(StageError::TrackedByGit { stage: stage.address.clone(), path: out.path.clone() });
            }
        }
        Ok(())
    }
}
