//! [`SweepRecord`]: many experiments that differ in parameters, as one thing with a name.
//!
//! The record has all that its points are made of, and is there before the first of them: a sweep whose queueing was
//! interrupted is completed from it, whatever became of the workspace. How far it is, its tasks and experiments say.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::task::{Request, State, Task};
use super::{Changing, Queue, QueueError, RECORD, read, write};
use crate::config::OnLost;
use crate::exp::copies::CopyPath;
use crate::exp::name::{BadName, ExperimentName};
use crate::exp::refs;
use crate::fs::{self, FsError};
use crate::git::{CommitId, CommitTime, Git, GitError, NewStashed, RefName};

/// Under which the workspaces of sweeps are kept.
pub const SWEEPS: &str = "refs/exps/celery/sweeps/";

/// What the points of a sweep are made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepRecord {
    /// Its name; those of its points are this one and a number behind it, from 1.
    pub name: ExperimentName,
    /// When it was made.
    pub made: CommitTime,
    /// The commit that its points start from.
    pub baseline: CommitId,
    /// The workspace, as a state in a stash.
    pub base: CommitId,
    /// What was set, as it was typed.
    pub overrides: Vec<String>,
    /// How many points it has.
    pub points: usize,
    /// The priority of its tasks.
    pub priority: i32,
    /// What each point is to do.
    pub request: Request,
}

/// How far a sweep is: how many of its points are where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// They run.
    pub running: usize,
    /// They wait.
    pub queued: usize,
    /// They failed.
    pub failed: usize,
    /// Their experiments are recorded.
    pub success: usize,
    /// They are neither in the queue nor an experiment: queueing was interrupted, or they were removed.
    pub missing: usize,
}

impl Progress {
    /// One word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self { running: 1.., .. } => "Running",
            Self { missing: 1.., .. } => "Incomplete",
            Self { queued: 1.., .. } => "Queued",
            Self { failed: 1.., .. } => "Failed",
            _ => "Success",
        }
    }
}

impl SweepRecord {
    /// The name of a point, counted from 0.
    ///
    /// # Errors
    /// [`BadName`] when it becomes too long.
    pub fn name_of(&self, index: usize) -> Result<ExperimentName, BadName> {
        self.name.numbered(index + 1)
    }

    /// Where each of its points is; none when it is missing.
    ///
    /// # Errors
    /// When git's references cannot be read.
    pub fn points(&self, git: &Git, tasks: &[Task], on_lost: OnLost) -> Result<Vec<Option<State>>, GitError> {
        let mut points = vec![None; self.points];
        for task in tasks {
            if let Some(state) = task.point_of(&self.name).and_then(|index| points.get_mut(index)) {
                *state = Some(task.seen(on_lost));
            }
        }
        let prefix = format!("{}-", self.name);
        let mut recorded = vec![false; self.points];
        for experiment in refs::of_baseline(git, self.baseline)? {
            let number = experiment.reference.name.as_str().strip_prefix(&prefix).and_then(|text| text.parse().ok());
            let point = number.and_then(|number: usize| recorded.get_mut(number.checked_sub(1)?));
            point.into_iter().for_each(|is_recorded| *is_recorded = true);
        }
        for (state, is_recorded) in points.iter_mut().zip(recorded) {
            *state = match (*state, is_recorded) {
                // Its task was removed.
                (None, true) => Some(State::Success),
                // Its experiment was removed.
                (Some(State::Success), false) => None,
                (state, _) => state,
            };
        }
        Ok(points)
    }

    /// How far it is.
    ///
    /// # Errors
    /// As [`Self::points`].
    pub fn progress(&self, git: &Git, tasks: &[Task], on_lost: OnLost) -> Result<Progress, GitError> {
        let mut progress = Progress::default();
        for point in self.points(git, tasks, on_lost)? {
            *match point {
                Some(State::Running) => &mut progress.running,
                Some(State::Queued) => &mut progress.queued,
                Some(State::Failed) => &mut progress.failed,
                Some(State::Success) => &mut progress.success,
                None => &mut progress.missing,
            } += 1;
        }
        Ok(progress)
    }

    /// What was copied for its points beside what git tracks.
    #[must_use]
    pub fn copies(&self, queue: &Queue) -> Vec<CopyPath> {
        self.request.copies_in(&queue.of_sweep(&self.name).join("files"))
    }
}

impl Queue {
    /// All sweeps, by name.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn sweeps(&self) -> Result<Vec<SweepRecord>, QueueError> {
        let Some(folders) = fs::list_optional(&self.folder.join("sweeps"))? else { return Ok(Vec::new()) };
        self.check_owner()?;
        // A damaged one hides no other; its experiments and tasks are shown by themselves.
        let record = |folder: &PathBuf| read(&folder.join(RECORD)).ok().flatten();
        let mut sweeps: Vec<SweepRecord> = folders.iter().filter_map(record).collect();
        sweeps.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(sweeps)
    }

    /// The sweep of that name.
    ///
    /// # Errors
    /// [`QueueError::UnknownSweep`], or when it cannot be read.
    pub fn sweep(&self, name: &str) -> Result<SweepRecord, QueueError> {
        let found = self.sweeps()?.into_iter().find(|sweep| sweep.name.as_str() == name);
        found.ok_or_else(|| QueueError::UnknownSweep(name.to_owned()))
    }

    fn of_sweep(&self, name: &ExperimentName) -> PathBuf {
        self.folder.join("sweeps").join(name.as_str())
    }
}

/// The stash that keeps the base of a sweep of this user.
fn stash_of(name: &ExperimentName) -> Result<RefName, GitError> {
    RefName::parse(&format!("{SWEEPS}{}/{name}", rustix::process::geteuid().as_raw()))
}

impl Changing<'_> {
    /// Keeps a sweep, of which no point is queued yet. `state` is the workspace that the points are made of.
    ///
    /// # Errors
    /// [`QueueError::NameTaken`]; when it cannot be written.
    pub fn add_sweep(
        &mut self,
        git: &Git,
        mut sweep: SweepRecord,
        state: &NewStashed<'_>,
        copies: &[CopyPath],
    ) -> Result<SweepRecord, QueueError> {
        let folder = self.queue.of_sweep(&sweep.name);
        if folder.exists() {
            return Err(QueueError::SweepNameTaken(sweep.name));
        }
        let stash = stash_of(&sweep.name)?;
        // Left by one that was killed here.
        git.drop_stashed(&stash, |_| true)?;
        sweep.base = git.push_stash(&stash, state)?;
        let made = self.queue.folder.join(format!("new-sweep-{}", sweep.name));
        match std::fs::remove_dir_all(&made) {
            Err(error) if !fs::is_absent(&error) => return Err(FsError::new("remove", made)(error).into()),
            _ => {}
        }
        write(&made.join(RECORD), &sweep)?;
        let files = std::fs::canonicalize(&made).map_err(FsError::new("resolve", &made))?.join("files");
        copies.iter().try_for_each(|copy| copy.copy_into(&files))?;
        fs::create_dir(&self.queue.folder.join("sweeps"))?;
        std::fs::rename(&made, &folder).map_err(FsError::new("create", folder))?;
        Ok(sweep)
    }

    /// Forgets a sweep. Its tasks and experiments stay.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_sweep(&mut self, git: &Git, sweep: &SweepRecord) -> Result<(), QueueError> {
        let gone = self.queue.folder.join(format!("old-sweep-{}", sweep.name));
        let place = self.queue.of_sweep(&sweep.name);
        std::fs::rename(&place, &gone).map_err(FsError::new("remove", place))?;
        let stash = stash_of(&sweep.name)?;
        git.drop_stashed(&stash, |_| true)?;
        self.sweep_up();
        Ok(())
    }
}
