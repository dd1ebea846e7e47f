//! [`Queue`]: experiments that wait, run, and have ended (walk, beside step 3).
//!
//! A task is a folder, made elsewhere and put in its place by rename, and a commit in a stash, which holds its inputs. The record
//! in the folder says what became of it; the right to change the record is a kernel lock in the same folder, which passes to
//! whoever runs the task and to the commands of its stages. So nothing needs to be cleaned up after a process that was killed,
//! and there is neither a daemon nor a database: any process that can read the folder knows all that there is to know, and
//! reading needs no lock.
//!
//! ```text
//! .dvc/tmp/exps/queue/<user>/          the user's own, closed to others: whoever wrote here could have us run anything
//!   lock                               held by who adds or removes tasks
//!   tasks/<commit>/record.json         what became of it
//!   tasks/<commit>/request.json        what is to be done
//!   tasks/<commit>/lock                held by who runs it
//!   tasks/<commit>/log.1, log.2, ..    what each attempt wrote
//!   tasks/<commit>/kill                somebody wants it to end
//!   tasks/<commit>/files/..            what `--copy-paths` copied
//!   sweeps/<name>/..                   the sweeps ([`sweep`])
//!   workers/<number>.json, .lock       the workers ([`workers`])
//!   workers.log                        what workers have to say beside the logs of tasks
//!   jobs/                              who has one of the jobs that all workers share
//! ```
//!
//! In reading order: [`task`], this module, [`claim`] (who runs one), [`sweep`], [`workers`], [`equal`].

pub mod claim;
pub mod equal;
pub mod sweep;
pub mod task;
pub mod workers;

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::claim::Claim;
use self::task::{Attempt, End, Origin, Phase, Request, State, SweepPoint, Task};
use super::copies::{CopyError, CopyPath};
use super::name::ExperimentName;
use super::refs;
use crate::fs::{self, FsError};
use crate::git::{CommitId, CommitTime, Git, GitError, Identity, NewStashed, RefName, TreeId};
use crate::lock::{Lock, Taken};
use crate::process::identity::ProcessIdentity;
use crate::repo::Repo;

/// The stash with the inputs of tasks, the newest in the reference and the others in its reflog. It has DVC's name, so that DVC
/// takes it for no experiment.
pub const STASH: &str = "refs/exps/celery/stash";

/// Why the queue cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// A file.
    #[error(transparent)]
    File(#[from] FsError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// What was to be copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The folder of the queue is somebody else's.
    #[error("`{}` belongs to another user: what is queued there would run in your name", .0.display())]
    NotOwned(PathBuf),
    /// A document of a task is damaged.
    #[error("`{}` is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// No task is called so.
    #[error("no task of the queue is called `{0}`")]
    Unknown(String),
    /// Several tasks begin so.
    #[error("`{text}` can mean {} tasks of the queue: {}", names.len(), names.join(", "))]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// Their names.
        names: Vec<String>,
    },
    /// A task that has the name waits or runs.
    #[error("the experiment `{0}` is queued already")]
    NameTaken(ExperimentName),
    /// There is a sweep of the name.
    #[error("there is a sweep `{0}` already")]
    SweepNameTaken(ExperimentName),
    /// No sweep is called so.
    #[error("no sweep is called `{0}`")]
    UnknownSweep(String),
    /// It runs, and cannot be changed before it has ended.
    #[error("`{0}` runs")]
    Runs(ExperimentName),
    /// It is done.
    #[error("`{0}` succeeded")]
    Succeeded(ExperimentName),
    /// It does not run.
    #[error("`{0}` does not run")]
    RunsNot(ExperimentName),
}

/// The queue of this user in a project.
#[derive(Debug, Clone)]
pub struct Queue {
    folder: PathBuf,
}

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

impl Queue {
    /// That of the user who runs this process. Nothing is made or read.
    #[must_use]
    pub fn of(repo: &Repo) -> Self {
        let user = rustix::process::geteuid().as_raw();
        Self { folder: repo.tmp().join("exps/queue").join(user.to_string()) }
    }

    /// All tasks, in the order in which they were queued. One whose record cannot be read is shown as failed: what it was to do
    /// is in its commit.
    ///
    /// # Errors
    /// When the folder is there and cannot be listed, or is another user's.
    pub fn tasks(&self) -> Result<Vec<Task>, QueueError> {
        let folder = self.folder.join("tasks");
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if fs::is_absent(&error) => return Ok(Vec::new()),
            entries => entries.map_err(FsError::new("list", &folder))?,
        };
        self.check_owner()?;
        let mut tasks = Vec::new();
        for entry in entries {
            let name = entry.map_err(FsError::new("list", &folder))?.file_name();
            let Some(id) = name.to_str().and_then(CommitId::parse) else { continue };
            match self.read(id) {
                Ok(task) => tasks.extend(task),
                Err(error) => tasks.push(damaged(id, &error)),
            }
        }
        tasks.sort_by_key(|task| (task.number, task.id));
        Ok(tasks)
    }

    /// One task; none when it was removed.
    ///
    /// # Errors
    /// When its record is damaged or cannot be read.
    pub fn read(&self, id: CommitId) -> Result<Option<Task>, QueueError> {
        read(&self.of_task(id).join(RECORD))
    }

    /// What a task is to do.
    ///
    /// # Errors
    /// When it is damaged or cannot be read.
    pub fn request(&self, id: CommitId) -> Result<Request, QueueError> {
        self.check_owner()?;
        let path = self.of_task(id).join(REQUEST);
        let missing = |path: PathBuf| QueueError::Damaged { path, reason: "it is not there".to_owned() };
        read(&path)?.ok_or_else(|| missing(path))
    }

    /// The task that the user calls by its name or by the first digits, at least four, of its commit. Of several with one name
    /// the one that was queued last.
    ///
    /// # Errors
    /// [`QueueError::Unknown`], [`QueueError::Ambiguous`], and as [`Self::tasks`].
    pub fn find(&self, text: &str) -> Result<Task, QueueError> {
        find(&self.tasks()?, text).cloned()
    }

    /// Takes the right to add and remove tasks, after waiting for others who do.
    ///
    /// # Errors
    /// When the folder cannot be made, or is another user's.
    pub fn change(&self) -> Result<Changing<'_>, QueueError> {
        let held = self.hold()?;
        let known = self.tasks()?;
        Ok(Changing { queue: self, known, held })
    }

    /// The same, for who need not know the tasks.
    fn hold(&self) -> Result<Held, QueueError> {
        // Those above are for all users of the project.
        self.folder.parent().map_or(Ok(()), fs::create_dir)?;
        for folder in [&self.folder, &self.folder.join("tasks")] {
            match std::fs::DirBuilder::new().mode(0o700).create(folder) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                made => made.map_err(FsError::new("create the folder", folder))?,
            }
        }
        self.check_owner()?;
        Ok(Held { _lock: Lock::wait(&self.folder.join("lock"))? })
    }

    /// The log of an attempt, counted from 1.
    #[must_use]
    pub fn log(&self, id: CommitId, attempt: usize) -> PathBuf {
        self.of_task(id).join(format!("log.{attempt}"))
    }

    /// The states of the stash that belong to no task of this user: another user's, DVC's, or those of tasks whose folder was
    /// removed by hand.
    ///
    /// # Errors
    /// When git or the queue cannot be read.
    pub fn inputs_without_task(&self, git: &Git) -> Result<Vec<CommitId>, QueueError> {
        let known: HashSet<CommitId> = self.tasks()?.iter().map(|task| task.id).collect();
        let mut states = git.log(&stash()?)?;
        states.retain(|state| !known.contains(state));
        Ok(states)
    }

    /// What workers have to say beside the logs of tasks.
    #[must_use]
    pub fn workers_log(&self) -> PathBuf {
        self.folder.join("workers.log")
    }

    /// The folder of the jobs that all workers share.
    #[must_use]
    pub fn jobs(&self) -> PathBuf {
        self.folder.join("jobs")
    }

    /// Where the files are that `--copy-paths` copied for a task.
    #[must_use]
    pub fn copied(&self, id: CommitId) -> PathBuf {
        self.of_task(id).join("files")
    }

    fn of_task(&self, id: CommitId) -> PathBuf {
        self.folder.join("tasks").join(id.to_string())
    }

    /// Whoever can write here decides what runs in the name of the user.
    fn check_owner(&self) -> Result<(), QueueError> {
        let found = std::fs::symlink_metadata(&self.folder).map_err(FsError::new("look at", &self.folder))?;
        let open_to_others = found.mode() & 0o022 != 0;
        if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() || open_to_others {
            return Err(QueueError::NotOwned(self.folder.clone()));
        }
        Ok(())
    }
}

/// The right to open the locks of tasks; nobody else does meanwhile.
#[derive(Debug)]
struct Held {
    _lock: Lock,
}

/// The right to add, take and remove tasks; nobody else does meanwhile.
#[derive(Debug)]
pub struct Changing<'q> {
    queue: &'q Queue,
    known: Vec<Task>,
    held: Held,
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
        let is_it = |task: &Task| {
            task.name == *name && task.baseline == baseline && matches!(task.state, State::Queued | State::Running)
        };
        if self.known.iter().any(is_it) { Err(QueueError::NameTaken(name.clone())) } else { Ok(()) }
    }

    /// Queues an experiment. When this returns, it is there as a whole; after a crash it may be in the stash alone, where it does
    /// nothing.
    ///
    /// # Errors
    /// [`QueueError::NameTaken`]; when git or a file cannot be written.
    pub fn add(&mut self, git: &Git, new: &NewTask<'_>) -> Result<Task, QueueError> {
        Ok(self.make(git, new, Origin::Queue, State::Queued, Vec::new())?.0)
    }

    /// Makes a task that this process runs itself, and begins it.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn begin(&mut self, git: &Git, new: &NewTask<'_>, now: i64) -> Result<(Claim, File), QueueError> {
        // It is never seen to wait: nobody else may run it.
        let attempts = vec![Attempt::begun(now)];
        let (task, lock) = self.make(git, new, Origin::Temp, State::Running, attempts)?;
        let claim = Claim::new(self.queue.clone(), task, lock);
        let log = claim.open_log()?;
        Ok((claim, log))
    }

    /// A new task and its lock, which is held from before anybody else sees the task.
    fn make(
        &mut self,
        git: &Git,
        new: &NewTask<'_>,
        origin: Origin,
        state: State,
        attempts: Vec<Attempt>,
    ) -> Result<(Task, Lock), QueueError> {
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
        let stash = stash()?;
        let id = git.unlocked(&stash, || git.push_stash(&stash, &state_of_files))?;
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
            attempts,
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

    fn has_ended(&self, id: CommitId) -> Result<bool, QueueError> {
        let ended = |task: Task| matches!(task.state, State::Failed | State::Success);
        Ok(self.queue.read(id)?.is_some_and(ended))
    }

    /// Removes what processes that were killed left half made or half removed.
    fn sweep_up(&self) {
        for entry in std::fs::read_dir(&self.queue.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| name.starts_with("new-") || name.starts_with("old-")) {
                // The next one tries again.
                std::fs::remove_dir_all(entry.path()).ok();
            }
        }
    }
}

/// The task of a list that the user calls so.
///
/// # Errors
/// [`QueueError::Unknown`], [`QueueError::Ambiguous`].
pub fn find<'t>(tasks: &'t [Task], text: &str) -> Result<&'t Task, QueueError> {
    if let Some(named) = tasks.iter().rfind(|task| task.name.as_str() == text) {
        return Ok(named);
    }
    let digits = text.to_ascii_lowercase();
    let begins = |task: &&Task| digits.len() >= 4 && task.id.to_string().starts_with(&digits);
    let found: Vec<&Task> = tasks.iter().filter(begins).collect();
    match found.as_slice() {
        [] => Err(QueueError::Unknown(text.to_owned())),
        [one] => Ok(one),
        several => Err(QueueError::Ambiguous {
            text: text.to_owned(),
            names: several.iter().map(|task| task.name.to_string()).collect(),
        }),
    }
}

const RECORD: &str = "record.json";
const REQUEST: &str = "request.json";
const LOCK: &str = "lock";

fn stash() -> Result<RefName, GitError> {
    RefName::parse(STASH)
}

/// Takes inputs out of the stash.
fn drop_inputs(git: &Git, is_dropped: impl Fn(CommitId) -> bool) -> Result<(), GitError> {
    let stash = stash()?;
    git.unlocked(&stash, || git.drop_stashed(&stash, &is_dropped))
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, QueueError> {
    let Some(text) = fs::read_optional(path)? else { return Ok(None) };
    let damaged = |error: serde_json::Error| QueueError::Damaged { path: path.to_owned(), reason: error.to_string() };
    serde_json::from_slice(&text).map(Some).map_err(damaged)
}

fn write(path: &Path, document: &impl Serialize) -> Result<(), FsError> {
    let text = serde_json::to_vec_pretty(document).map_err(|error| FsError::new("write", path)(error.into()))?;
    fs::write_atomic(path, &text)
}

/// What is shown of a task whose record cannot be read.
fn damaged(id: CommitId, error: &QueueError) -> Task {
    let attempt = Attempt {
        worker: ProcessIdentity::current(),
        runner: None,
        started: 0,
        ended: Some(0),
        phase: Phase::Run,
        workspace: None,
        commit: None,
        end: Some(End::Failed { message: error.to_string() }),
    };
    let name = ExperimentName::parse(&id.short()).unwrap_or_else(|_| ExperimentName::random(&mut |_| 0));
    Task {
        id,
        number: 0,
        name,
        baseline: id,
        queued: CommitTime { seconds: 0, offset_minutes: 0 },
        priority: 0,
        overrides: Vec::new(),
        sweep: None,
        origin: Origin::Queue,
        state: State::Failed,
        attempts: vec![attempt],
    }
}

#[cfg(test)]
mod tests;
