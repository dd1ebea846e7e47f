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
//! In reading order: [`task`], this module, [`change`], [`claim`] (who runs one), [`sweep`], [`workers`], [`equal`].

pub mod change;
pub mod claim;
pub mod equal;
pub mod sweep;
pub mod task;
pub mod workers;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::change::{Changing, NewTask};
use self::task::{Attempt, End, Origin, Phase, Request, State, Task};
use super::copies::CopyError;
use super::name::ExperimentName;
use super::refs::ExperimentRef;
use crate::fs::{self, FsError};
use crate::git::{CommitId, CommitTime, Git, GitError, RefName};
use crate::lock::Lock;
use crate::repo::Repo;
use crate::words;

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
    #[error("no task of the queue is called `{text}`")]
    Unknown {
        /// What was asked for.
        text: String,
        /// The name that is most like it.
        similar: Option<String>,
    },
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
        let Some(folders) = fs::list_optional(&self.folder.join("tasks"))? else { return Ok(Vec::new()) };
        self.check_owner()?;
        let mut tasks = Vec::new();
        for folder in folders {
            let name = folder.file_name().and_then(OsStr::to_str);
            let Some(id) = name.and_then(CommitId::parse) else { continue };
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

    fn write(&self, task: &Task) -> Result<(), FsError> {
        write(&self.of_task(task.id).join(RECORD), task)
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

    /// Refuses a name that a task on the baseline has which may still become an experiment.
    ///
    /// # Errors
    /// [`QueueError::NameTaken`], and as [`Self::tasks`].
    pub fn check_free(&self, baseline: CommitId, name: &ExperimentName) -> Result<(), QueueError> {
        check_free(&self.tasks()?, baseline, name)
    }

    /// The tasks that there are, whether or not what is said of them can be read.
    ///
    /// # Errors
    /// When the folder is there and cannot be listed.
    pub fn folders(&self) -> Result<BTreeSet<CommitId>, FsError> {
        let folders = fs::list_optional(&self.folder.join("tasks"))?.unwrap_or_default();
        let id = |folder: &PathBuf| CommitId::parse(folder.file_name()?.to_str()?);
        Ok(folders.iter().filter_map(id).collect())
    }

    /// The folders of tasks that are being made or removed, or were when a process was killed.
    ///
    /// # Errors
    /// When the folder is there and cannot be listed.
    pub fn half_made(&self) -> Result<Vec<PathBuf>, FsError> {
        let mut found = fs::list_optional(&self.folder)?.unwrap_or_default();
        let is_one = |name: &str| name.starts_with("new-") || name.starts_with("old-");
        found.retain(|path| path.file_name().and_then(OsStr::to_str).is_some_and(is_one));
        Ok(found)
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

/// The task of a list that the user calls so: by its name, by the reference of its experiment, by the first digits of its commit
/// or of the one that it recorded.
///
/// # Errors
/// [`QueueError::Unknown`], [`QueueError::Ambiguous`].
pub fn find<'t>(tasks: &'t [Task], text: &str) -> Result<&'t Task, QueueError> {
    let reference = ExperimentRef::typed(text);
    let is_named = |task: &&Task| match &reference {
        Some(reference) => reference.baseline == task.baseline && reference.name == task.name,
        None => task.name.as_str() == text,
    };
    if let Some(named) = tasks.iter().rfind(is_named) {
        return Ok(named);
    }
    let digits = text.to_ascii_lowercase();
    let begins = |commit: CommitId| digits.len() >= 4 && commit.to_string().starts_with(&digits);
    let mut found: Vec<&Task> = tasks.iter().filter(|task| begins(task.id)).collect();
    if found.is_empty() {
        found = tasks.iter().filter(|task| task.result().is_some_and(begins)).collect();
    }
    match found.as_slice() {
        [] => {
            let similar = words::most_similar(text, tasks.iter().map(|task| task.name.as_str())).map(str::to_owned);
            Err(QueueError::Unknown { text: text.to_owned(), similar })
        }
        [one] => Ok(one),
        several => Err(QueueError::Ambiguous {
            text: text.to_owned(),
            names: several.iter().map(|task| format!("{} ({})", task.name, task.id.short())).collect(),
        }),
    }
}

fn check_free(tasks: &[Task], baseline: CommitId, name: &ExperimentName) -> Result<(), QueueError> {
    let is_it = |task: &Task| {
        task.name == *name && task.baseline == baseline && matches!(task.state, State::Queued | State::Running)
    };
    if tasks.iter().any(is_it) { Err(QueueError::NameTaken(name.clone())) } else { Ok(()) }
}

const RECORD: &str = "record.json";
const REQUEST: &str = "request.json";
const LOCK: &str = "lock";

fn stash() -> Result<RefName, GitError> {
    RefName::parse(STASH)
}

/// The states of the stash that are the inputs of none of the tasks `known`: another user's, DVC's, or those of tasks whose
/// folder was removed by hand.
///
/// # Errors
/// When git cannot be read.
pub fn inputs_without_task(git: &Git, known: impl Fn(CommitId) -> bool) -> Result<Vec<CommitId>, GitError> {
    let mut states = git.log(&stash()?)?;
    states.retain(|state| !known(*state));
    Ok(states)
}

/// Takes inputs out of the stash.
fn drop_inputs(git: &Git, is_dropped: impl Fn(CommitId) -> bool) -> Result<(), GitError> {
    git.drop_stashed(&stash()?, is_dropped)
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
    let end = Some(End::Failed { message: error.to_string() });
    let attempt = Attempt { ended: Some(0), phase: Phase::Run, end, ..Attempt::begun(0) };
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
