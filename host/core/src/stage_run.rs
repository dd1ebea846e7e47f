//! Brings one stage up to date: leave it, restore its result, or run it and keep what came out (walk, steps 7 and 8).

use std::sync::{Arc, Mutex, PoisonError};

use crate::cache::{CacheError, ObjectStore, Wanted};
use crate::digest::ObjectId;
use crate::event::{Event, EventSink};
use crate::extension::{ExtensionError, Job, Outcome, Processes, StageExecutor};
use crate::fs::FsError;
use crate::git::{Git, GitError};
use crate::gitignore;
use crate::observe::{Content, Observe, ObserveError};
use crate::path::RepoPath;
use crate::pipeline::{LockEntry, LockedPath, Output, OutputKind, Place, ProjectFiles, Stage, StageAddress};
use crate::plan::{self, Force, Reason};
use crate::run_cache::RunCache;
use crate::workspace::Workspace;

/// Why a stage is not up to date after all.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A command of it failed.
    #[error("the stage `{stage}` failed: `{command}` {}", how(*exit_code, message.as_deref()))]
    Failed {
        /// The stage.
        stage: StageAddress,
        /// The command.
        command: String,
        /// Its exit code, when it exited.
        exit_code: Option<i32>,
        /// What there is to say beyond that.
        message: Option<String>,
    },
    /// The user interrupted it.
    #[error("the stage `{stage}` was interrupted")]
    Cancelled {
        /// The stage.
        stage: StageAddress,
    },
    /// It ran and did not write what it declares.
    #[error("the stage `{stage}` ran, but its output `{path}` does not exist")]
    OutputMissing {
        /// The stage.
        stage: StageAddress,
        /// The output.
        path: RepoPath,
    },
    /// The data that a `.dvc` file tracks is neither in the workspace nor in the cache.
    #[error("the data `{path}` of `{stage}` is neither in the workspace nor in the cache")]
    DataMissing {
        /// The `.dvc` file.
        stage: StageAddress,
        /// The data.
        path: RepoPath,
    },
    /// An output is to be kept in the cache, and git has it too.
    #[error("the output `{path}` of the stage `{stage}` is tracked by git")]
    TrackedByGit {
        /// The stage.
        stage: StageAddress,
        /// The output.
        path: RepoPath,
    },
    /// Something cannot be looked at, or is missing.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// A content cannot be kept or restored.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FsError),
    /// The executor could not do its job.
    #[error(transparent)]
    Executor(#[from] ExtensionError),
    /// Git cannot be asked.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl StageError {
    /// The stage whose definition or command is to be looked at: it asks for what is not there, or does not keep its word.
    #[must_use]
    pub const fn stage(&self) -> Option<&StageAddress> {
        match self {
            Self::OutputMissing { stage, .. }
            | Self::TrackedByGit { stage, .. }
            | Self::Observe(
                ObserveError::MissingDependency { stage, .. }
                | ObserveError::MissingParams { stage, .. }
                | ObserveError::NoMapping { stage, .. },
            ) => Some(stage),
            Self::Failed { .. }
            | Self::Cancelled { .. }
            | Self::DataMissing { .. }
            | Self::Observe(ObserveError::Content(_) | ObserveError::Params(_) | ObserveError::Files(_))
            | Self::Cache(_)
            | Self::File(_)
            | Self::Executor(_)
            | Self::Git(_) => None,
        }
    }
}

fn how(exit_code: Option<i32>, message: Option<&str>) -> String {
    match (exit_code, message) {
        (Some(code), None) => format!("exited with {code}"),
        (Some(code), Some(message)) => format!("exited with {code}: {message}"),
        (None, Some(message)) => format!("was {message}"),
        (None, None) => "did not end well".to_owned(),
    }
}

/// How a stage came to be up to date.
#[derive(Debug, Clone, PartialEq)]
pub enum StageEnd {
    /// It was. The lock stays as it is.
    Fresh,
    /// It is frozen and was left alone.
    Frozen,
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

/// All that stages need to run.
pub struct StageRunner<'a> {
    /// Where they run.
    pub workspace: &'a Workspace<'a>,
    /// What runs their commands.
    pub executor: Arc<dyn StageExecutor>,
    /// Where their processes come from.
    pub processes: Arc<dyn Processes>,
    /// The environment of their commands.
    pub env: Vec<(String, String)>,
    /// Remembered runs; none when they are not to be consulted.
    pub run_cache: Option<RunCache>,
    /// The repository, if there is one.
    pub git: Option<Mutex<Git>>,
    /// Who is told.
    pub events: Arc<dyn EventSink>,
    /// Whether results are kept.
    pub commit: Commit,
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
        force: Force,
    ) -> Result<StageEnd, StageError> {
        let reasons = plan::assess(stage, locked, force, self.workspace)?;
        if reasons.is_empty() {
            self.tell(stage, |stage| Event::StageFresh { stage });
            return Ok(StageEnd::Fresh);
        }
        if stage.is_data() {
            return self.track(stage, locked);
        }
        if stage.frozen {
            self.tell(stage, |stage| Event::StageFrozen { stage });
            return Ok(StageEnd::Frozen);
        }
        if reasons.iter().all(|reason| matches!(reason, Reason::OutputNotCached { .. })) {
            // The results are here and right, only the cache lost them: keep them again instead of computing them again.
            if self.commit == Commit::Yes {
                stage.outs.iter().filter(|out| out.cached).try_for_each(|out| self.keep(out).map(drop))?;
            }
            self.tell(stage, |stage| Event::StageFresh { stage });
            return Ok(StageEnd::Fresh);
        }
        self.refuse_tracked(stage)?;
        let mut entry = plan::inputs(stage, self.workspace)?;
        if force == Force::No
            && !stage.runs_always()
            && let Some(outs) = self.known_result(stage, locked, &entry)?
        {
            self.check_out(stage, &outs)?;
            self.ignore_in_git(stage)?;
            entry.outs = outs;
            self.tell(stage, |stage| Event::StageRestored { stage });
            return Ok(StageEnd::Restored(entry));
        }
        self.execute(stage)?;
        entry.outs = self.collect(stage)?;
        self.ignore_in_git(stage)?;
        self.remember(stage, &entry)?;
        Ok(StageEnd::Ran(entry))
    }

    fn tell(&self, stage: &Stage, event: impl FnOnce(String) -> Event) {
        self.events.event(event(stage.address.to_string()));
    }

    fn store(&self) -> &ObjectStore {
        self.workspace.store()
    }

    fn check_out_one(&self, id: &ObjectId, executable: bool, path: &RepoPath) -> Result<(), StageError> {
        self.workspace.tree().check_out(self.store(), &Wanted { id, executable }, path)?;
        self.workspace.forget(path);
        Ok(())
    }

    /// A `.dvc` file: missing data is restored, changed data is kept and remembered (DVC's "verifying data sources").
    fn track(&self, stage: &Stage, locked: Option<&LockEntry>) -> Result<StageEnd, StageError> {
        let mut entry = locked.cloned().unwrap_or_default();
        let mut changed = false;
        for out in &stage.outs {
            let place = Place::Inside(out.path.clone());
            let known = entry.outs.iter_mut().find(|known| known.path == out.lock_path);
            let Some(found) = self.workspace.content(&place, self.workspace.algorithm())? else {
                let known = known.and_then(|known| Some((known.id.clone()?, known.executable)));
                let (id, executable) = known
                    .filter(|(id, _)| self.store().contains(id).unwrap_or(false))
                    .ok_or_else(|| StageError::DataMissing { stage: stage.address.clone(), path: out.path.clone() })?;
                self.check_out_one(&id, executable, &out.path)?;
                continue;
            };
            if let Some(known) = known
                && !self.is_as_locked(known, &place)?
            {
                let now = if out.cached && self.commit == Commit::Yes { self.keep(out)? } else { found };
                *known = plan::locked_path(&out.lock_path, &now);
                changed = true;
            }
        }
        if changed {
            return Ok(StageEnd::Tracked(entry));
        }
        self.tell(stage, |stage| Event::StageRestored { stage });
        Ok(StageEnd::Fresh)
    }

    fn is_as_locked(&self, locked: &LockedPath, place: &Place) -> Result<bool, StageError> {
        let Some(id) = &locked.id else { return Ok(false) };
        let found = self.workspace.content(place, id.algorithm())?;
        Ok(found.is_some_and(|found| found.id == *id))
    }

    /// The outputs that came out of these inputs before, when all of them can be had: from the lock, else the run cache.
    fn known_result(
        &self,
        stage: &Stage,
        locked: Option<&LockEntry>,
        inputs: &LockEntry,
    ) -> Result<Option<Vec<LockedPath>>, StageError> {
        let wanted =
            || stage.outs.iter().map(|out| LockedPath { path: out.lock_path.clone(), ..LockedPath::default() });
        let obtainable = |entry: &LockEntry| {
            stage.outs.iter().all(|out| entry.out(&out.lock_path).is_some_and(|known| self.is_obtainable(out, known)))
        };
        let only_outs = |entry: &LockEntry| {
            let outs = stage.outs.iter().filter_map(|out| entry.out(&out.lock_path).cloned());
            sorted(outs.collect())
        };
        if let Some(locked) = locked
            && !stage.outs.is_empty()
            && same_inputs(stage, locked, inputs)
            && obtainable(locked)
        {
            return Ok(Some(only_outs(locked)));
        }
        let Some(run_cache) = self.run_cache.as_ref().filter(|_| RunCache::remembers(stage)) else { return Ok(None) };
        let asked = LockEntry { outs: wanted().collect(), ..inputs.clone() };
        Ok(run_cache.find(&asked, obtainable)?.map(|found| only_outs(&found)))
    }

    fn is_obtainable(&self, out: &Output, known: &LockedPath) -> bool {
        let Some(id) = &known.id else { return false };
        self.store().contains(id).unwrap_or(false)
            || self.is_as_locked(known, &Place::Inside(out.path.clone())).unwrap_or(false)
    }

    fn check_out(&self, stage: &Stage, outs: &[LockedPath]) -> Result<(), StageError> {
        for out in &stage.outs {
            let Some(known) = outs.iter().find(|known| known.path == out.lock_path) else { continue };
            if let Some(id) = &known.id
                && !self.is_as_locked(known, &Place::Inside(out.path.clone()))?
            {
                self.check_out_one(id, known.executable, &out.path)?;
            }
        }
        Ok(())
    }

    fn execute(&self, stage: &Stage) -> Result<(), StageError> {
        for out in &stage.outs {
            if out.persists || out.checkpoint {
                self.workspace.tree().unprotect(&out.path)?;
            } else {
                self.workspace.tree().remove(&out.path)?;
            }
            self.workspace.forget(&out.path);
        }
        let commands = stage.command.as_ref().map(crate::pipeline::Command::shell_texts).unwrap_or_default();
        self.tell(stage, |stage| Event::StageStarted { stage });
        let (events, address, texts) = (Arc::clone(&self.events), stage.address.to_string(), commands.clone());
        let started = Arc::new(move |index: usize| {
            if let Some(command) = texts.get(index) {
                events.event(Event::CommandStarted { stage: address.clone(), command: command.clone() });
            }
        });
        let outcome = self.executor.run(&self.job(stage, commands.clone()), Arc::clone(&self.processes), started)?;
        for out in &stage.outs {
            self.workspace.forget(&out.path);
        }
        match outcome {
            Outcome::Succeeded => Ok(()),
            Outcome::Cancelled => Err(StageError::Cancelled { stage: stage.address.clone() }),
            Outcome::Failed { command, exit_code, message } => Err(StageError::Failed {
                stage: stage.address.clone(),
                command: commands.into_iter().nth(command).unwrap_or_default(),
                exit_code,
                message,
            }),
        }
    }

    fn job(&self, stage: &Stage, commands: Vec<String>) -> Job {
        let mut env = self.env.clone();
        env.push(("DVC_STAGE".to_owned(), stage.address.to_string()));
        let deps = stage.deps.iter().map(|dep| match &dep.place {
            Place::Inside(path) => path.to_string(),
            Place::Outside(path) => path.display().to_string(),
            Place::Elsewhere(url) => url.clone(),
        });
        Job {
            stage: stage.address.to_string(),
            commands,
            working_dir: stage.folder.clone(),
            env,
            dependencies: deps.chain(stage.params.iter().map(|param| param.file.to_string())).collect(),
            outputs: stage.outs.iter().map(|out| out.path.to_string()).collect(),
            options: dewar_text::Value::Null,
        }
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
        Ok(sorted(outs))
    }

    fn keep(&self, out: &Output) -> Result<Content, StageError> {
        let kept = self.workspace.tree().ingest(self.store(), &out.path, self.workspace.algorithm())?;
        self.workspace.forget(&out.path);
        Ok(kept.into())
    }

    /// Remembers the run, if its results can be had again: a plain output that git keeps cannot (DVC's rule). Metrics and
    /// plots that git keeps are put into the cache as well, so that they can.
    fn remember(&self, stage: &Stage, entry: &LockEntry) -> Result<(), StageError> {
        let lost = |out: &Output| !out.cached && out.kind == OutputKind::Plain;
        if self.commit == Commit::No || !RunCache::remembers(stage) || stage.outs.iter().any(lost) {
            return Ok(());
        }
        let Some(run_cache) = &self.run_cache else { return Ok(()) };
        for out in stage.outs.iter().filter(|out| !out.cached) {
            self.workspace.tree().ingest(&self.store().copying(), &out.path, self.workspace.algorithm())?;
        }
        Ok(run_cache.remember(entry)?)
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

    fn ignore_in_git(&self, stage: &Stage) -> Result<(), StageError> {
        let Some(git) = &self.git else { return Ok(()) };
        let git = git.lock().unwrap_or_else(PoisonError::into_inner);
        let outs: Vec<RepoPath> = stage.outs.iter().filter(|out| out.cached).map(|out| out.path.clone()).collect();
        gitignore::add(self.workspace.root(), &outs, |path| git.is_ignored(path).unwrap_or(false))?;
        Ok(())
    }
}

/// Whether the lock remembers a run with these inputs. Parameters are compared as plans compare them.
fn same_inputs(stage: &Stage, locked: &LockEntry, inputs: &LockEntry) -> bool {
    let same_dep =
        |dep: &LockedPath| locked.dep(&dep.path).is_some_and(|known| known.id.is_some() && known.id == dep.id);
    let same_params = inputs.params.iter().all(|(file, values)| {
        locked.params.get(file).is_some_and(|known| {
            values.iter().all(|(key, value)| {
                known.get(key).is_some_and(|known| crate::params::value::python_equal(known, value))
            })
        })
    });
    stage.command == locked.command && inputs.deps.iter().all(same_dep) && same_params
}

fn sorted(mut outs: Vec<LockedPath>) -> Vec<LockedPath> {
    outs.sort_by(|a, b| a.path.cmp(&b.path));
    outs
}
