//! [`Changing`]: the right to add, take and remove tasks, and what is made and unmade with it.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;

use super::claim::Claim;
use super::task::{Attempt, Origin, Request, State, SweepPoint, Task};
use super::{Held, LOCK, Queue, QueueError, RECORD, REQUEST, check_free, drop_inputs, stash, write};
use crate::exp::copies::CopyPath;
use crate::exp::name::ExperimentName;
use crate::exp::refs;
use crate::fs::{self, FsError};
use crate::git::{CommitId, CommitTime, Git, GitError, Identity, NewStashed, TreeId};
use crate::lock::{Lock, Taken};

/// An experiment to be queued.
#[derive(Debug, Clone)]
pub struct NewTask<'a> {
    /// Its name.
    pub name: ExperimentName,
    /// The commit that it starts from.
    pub baseline: CommitId,
    /// The work tree.
    pub tree: TreeId,
    /// The index.
    pub index: TreeId,
    /// What was set.
    pub overrides: Vec<String>,
    /// Higher ones are taken first.
    pub priority: i32,
    /// The sweep that it is a point of.
    pub sweep: Option<SweepPoint>,
    /// What is to be done.
    pub request: &'a Request,
    /// What is copied beside what git tracks.
    pub copies: &'a [CopyPath],
    /// Whose.
    pub identity: &'a Identity,
    /// When.
    pub time: CommitTime,
}

/// The right to add, take and remove tasks; nobody else does meanwhile.
#[derive(Debug)]
pub struct Changing<'q> {
    pub(super) queue: &'q Queue,
    pub(super) known: Vec<Task>,
    pub(super) held: Held,
}

impl Changing<'_> {
    /// The tasks that there are.
    #[must_use]
    pub fn tasks(&self) -> &[Task] {
        &self.known
    }

    /// A name that neither an experiment of the baseline nor a task has.
    ///
    /// # Errors
    /// When git's references cannot be read.
    pub fn unused_name(
        &self,
        git: &Git,
        baseline: CommitId,
        draw: &mut dyn FnMut(usize) -> usize,
    ) -> Result<ExperimentName, GitError> {
        let taken = refs::of_baseline(git, baseline)?;
        let taken: Vec<&ExperimentName> = taken.iter().map(|experiment| &experiment.reference.name).collect();
        let is_free =
            |name: &ExperimentName| !taken.contains(&name) && self.known.iter().all(|task| task.name != *name);
        Ok(ExperimentName::unused(draw, is_free))
    }

    /// Refuses a name that a task on the baseline has which may still become an experiment.
    ///
    /// # Errors
    /// [`QueueError::NameTaken`].
    pub fn check_free(&self, baseline: CommitId, name: &ExperimentName) -> Result<(), QueueError> {
        check_free(&self.known, baseline, name)
    }

    /// Queues an experiment. When this returns, it is there as a whole; after a crash it may be in the stash alone, where it does
    /// nothing.
    ///
    /// # Errors
    /// [`QueueError::NameTaken`]; when git or a file cannot be written.
    pub fn add(&mut self, git: &Git, new: &NewTask<'_>) -> Result<Task, QueueError> {
        Ok(self.make(git, new, None)?.0)
    }

    /// Makes a task that this process runs itself, and begins it.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn begin(&mut self, git: &Git, new: &NewTask<'_>, now: i64) -> Result<(Claim, File), QueueError> {
        // It is never seen to wait: nobody else may run it.
        let (task, lock) = self.make(git, new, Some(Attempt::begun(now)))?;
        let claim = Claim::new(self.queue.clone(), task, lock);
        let log = claim.open_log()?;
        Ok((claim, log))
    }

    /// A new task, which waits unless this process has `begun` it itself, and its lock, which is held from before anybody else
    /// sees the task.
    fn make(&mut self, git: &Git, new: &NewTask<'_>, begun: Option<Attempt>) -> Result<(Task, Lock), QueueError> {
        self.check_free(new.baseline, &new.name)?;
        // DVC's form, with the branch left out (`ExpStash.MESSAGE_RE`).
        let message = format!("dvc-exp:{0}:{0}:{1}", new.baseline, new.name);
        let state_of_files = NewStashed {
            head: new.baseline,
            tree: new.tree,
            index: new.index,
            message: &message,
            identity: new.identity,
            time: new.time,
        };
        let id = git.push_stash(&stash()?, &state_of_files)?;
        let (origin, state) =
            if begun.is_some() { (Origin::Temp, State::Running) } else { (Origin::Queue, State::Queued) };
        let task = Task {
            id,
            number: self.known.last().map_or(1, |last| last.number + 1),
            name: new.name.clone(),
            baseline: new.baseline,
            queued: new.time,
            priority: new.priority,
            overrides: new.overrides.clone(),
            sweep: new.sweep.clone(),
            origin,
            state,
            attempts: begun.into_iter().collect(),
        };
        let made = tempfile::Builder::new().prefix("new-").tempdir_in(&self.queue.folder);
        let made = made.map_err(FsError::new("create a folder in", &self.queue.folder))?;
        write(&made.path().join(REQUEST), new.request)?;
        write(&made.path().join(RECORD), &task)?;
        let lock = Lock::wait(&made.path().join(LOCK))?;
        // Without symlinks: `.dvc/tmp` may be one.
        let files = std::fs::canonicalize(made.path()).map_err(FsError::new("resolve", made.path()))?.join("files");
        new.copies.iter().try_for_each(|copy| copy.copy_into(&files))?;
        let place = self.queue.of_task(id);
        std::fs::rename(made.path(), &place).map_err(FsError::new("create", place))?;
        // It is somewhere else now.
        drop(made.keep());
        self.known.push(task.clone());
        Ok((task, lock))
    }

    /// Removes tasks with their logs and inputs: all of them, or none when one of them runs. Experiments stay.
    ///
    /// # Errors
    /// [`QueueError::Runs`]; when something cannot be removed.
    pub fn remove(&mut self, git: &Git, tasks: &[Task]) -> Result<(), QueueError> {
        let mut held = Vec::new();
        for task in tasks {
            match Lock::try_take_existing(&self.queue.of_task(task.id).join(LOCK))? {
                Some(Taken::Yes(lock)) => held.push(lock),
                // What a stage of it left running has the lock.
                Some(Taken::No { .. }) if self.has_ended(task.id)? => {}
                Some(Taken::No { .. }) => return Err(QueueError::Runs(task.name.clone())),
                None => {}
            }
        }
        for task in tasks {
            // In one step for those who list tasks; what a kill leaves behind is swept up the next time.
            let gone = self.queue.folder.join(format!("old-{}", task.id));
            match std::fs::rename(self.queue.of_task(task.id), &gone) {
                Err(error) if !fs::is_absent(&error) => return Err(FsError::new("remove", gone)(error).into()),
                _ => {}
            }
        }
        let removed: HashSet<CommitId> = tasks.iter().map(|task| task.id).collect();
        self.known.retain(|known| !removed.contains(&known.id));
        // The others may be another user's.
        drop_inputs(git, |commit| removed.contains(&commit))?;
        self.sweep_up();
        Ok(())
    }

    /// Removes what killed processes left, and those of the `inputs` that are no task's.
    ///
    /// # Errors
    /// When something cannot be read or removed.
    pub fn clean(&mut self, git: &Git, inputs: &BTreeSet<CommitId>) -> Result<(), QueueError> {
        self.sweep_up();
        self.queue.forget_ended()?;
        // One that is made has its inputs in the stash first; nobody makes one now.
        let known = self.queue.folders()?;
        if inputs.is_empty() {
            Ok(())
        } else {
            Ok(drop_inputs(git, |state| inputs.contains(&state) && !known.contains(&state))?)
        }
    }

    pub(super) fn has_ended(&self, id: CommitId) -> Result<bool, QueueError> {
        let ended = |task: Task| matches!(task.state, State::Failed | State::Success);
        Ok(self.queue.read(id)?.is_some_and(ended))
    }

    /// Removes what processes that were killed left half made or half removed.
    pub(super) fn sweep_up(&self) {
        for folder in self.queue.half_made().into_iter().flatten() {
            // The next one tries again.
            std::fs::remove_dir_all(folder).ok();
        }
    }
}
