//! `exp clean`: removes what killed processes left. No step of the walk.
//!
//! Nothing of it is in anybody's way: runs work beside it, and the next one sweeps most of it up. What is removed is known to be
//! nobody's: its lock is free, the right to write there is held here, or it is older than any write takes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::isolated;
use super::queue::{Queue, QueueError};
use crate::fs::{self, FsError};
use crate::git::{CommitId, Finder, Git, GitError};
use crate::path::{PathError, RepoPath};
use crate::pipeline::files::WorkFiles;
use crate::pipeline::{PipelineError, ProjectFiles};
use crate::repo::{PROJECT_DIR, Repo};

/// Longer than the write of a small file takes, or git's lock of a reference is held.
const UNTOUCHED: Duration = Duration::from_secs(3600);

/// How folders begin that hold files on their way into the work tree.
const STAGED: &str = "restore-";

/// Why it is not known what was left, or something stays.
#[derive(Debug, thiserror::Error)]
pub enum CleanError {
    /// A file or folder.
    #[error(transparent)]
    File(#[from] FsError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The queue.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The files of pipelines cannot be listed.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A path of the project.
    #[error(transparent)]
    Path(#[from] PathError),
}

/// Something that a killed process left.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Left {
    /// The workspace of an experiment, with its lock.
    Workspace(PathBuf),
    /// A task of the queue that was half made or half removed.
    Task(PathBuf),
    /// What a worker of the queue said of itself.
    Worker(PathBuf),
    /// The inputs of a task that is not in the queue.
    Inputs(CommitId),
    /// A file that was written half.
    HalfWritten(PathBuf),
    /// A folder of files on their way into the work tree.
    Staged(PathBuf),
    /// Git's lock of a reference of experiments.
    RefLock(PathBuf),
}

/// Whose the user's workspace is meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserWorkspace {
    /// The caller holds it.
    Held,
    /// Somebody runs stages in it.
    Busy,
}

/// What killed processes left in a project, as of `now`. Removing it again asks whether it is still nobody's.
///
/// # Errors
/// When something cannot be looked at.
pub fn left(repo: &Repo, git: &Git, user: UserWorkspace, now: SystemTime) -> Result<Vec<Left>, CleanError> {
    let queue = Queue::of(repo);
    let mut left: Vec<Left> = isolated::list_abandoned(repo)?.into_iter().map(Left::Workspace).collect();
    left.extend(queue.half_made()?.into_iter().map(Left::Task));
    left.extend(queue.ended_workers()?.into_iter().map(Left::Worker));
    if is_the_only_one(repo, git)? {
        left.extend(inputs_left(git, &queue)?.into_iter().map(Left::Inputs));
    }
    for folder in folders(repo)? {
        for path in fs::list_optional(&folder)?.unwrap_or_default() {
            let Some(name) = path.file_name().and_then(std::ffi::OsStr::to_str) else { continue };
            let is_own = folder.ends_with(Path::new(PROJECT_DIR).join("tmp"));
            if is_own && name.starts_with(STAGED) && user == UserWorkspace::Held && is_folder(&path) {
                left.push(Left::Staged(path));
            } else if is_half_written(repo, git, &path, now)? {
                left.push(Left::HalfWritten(path));
            }
        }
    }
    left.extend(git.locks_of_experiments()?.into_iter().filter(|lock| is_old(lock, now)).map(Left::RefLock));
    left.sort();
    Ok(left)
}

/// Removes what [`left`] found as of `now`. What is somebody's by now stays. Answers why some of it could not be removed.
///
/// # Errors
/// When the queue or git cannot be changed.
pub fn remove(repo: &Repo, git: &Git, left: &[Left], now: SystemTime) -> Result<Vec<FsError>, CleanError> {
    let queue = Queue::of(repo);
    let mut failed = isolated::remove_abandoned(repo);
    let inputs: BTreeSet<CommitId> =
        left.iter().filter_map(|left| if let Left::Inputs(commit) = left { Some(*commit) } else { None }).collect();
    if left.iter().any(|left| matches!(left, Left::Inputs(_) | Left::Task(_) | Left::Worker(_))) {
        queue.change()?.clean(git, &inputs)?;
    }
    for left in left {
        let removed = match left {
            Left::Staged(path) if is_folder(path) => {
                std::fs::remove_dir_all(path).map_err(FsError::new("remove", path))
            }
            Left::HalfWritten(path) if is_half_written(repo, git, path, now)? => fs::remove_file(path),
            Left::RefLock(path) if is_old(path, now) => fs::remove_file(path),
            _ => Ok(()),
        };
        failed.extend(removed.err());
    }
    Ok(failed)
}

/// The folders in which dewar replaces files.
fn folders(repo: &Repo) -> Result<BTreeSet<PathBuf>, CleanError> {
    let tmp = repo.tmp();
    let mut folders = BTreeSet::from([repo.root().to_owned(), repo.root().join(PROJECT_DIR), tmp.join("exps"), tmp]);
    let files = WorkFiles::new(repo.root().to_owned()).pipeline_files()?;
    folders.extend(files.iter().filter_map(RepoPath::parent).map(|folder| folder.under(repo.root())));
    Ok(folders)
}

/// Whether it can only be what a killed process wrote half. In folders where users work, what they named so themselves is theirs.
fn is_half_written(repo: &Repo, git: &Git, path: &Path, now: SystemTime) -> Result<bool, CleanError> {
    let name = path.file_name().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
    let is_file = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file());
    if !fs::is_staged_name(name) || !is_file || !is_old(path, now) {
        return Ok(false);
    }
    let inside = path.strip_prefix(repo.root()).ok().and_then(Path::to_str);
    let Some(inside) = inside.map(RepoPath::parse).transpose()? else { return Ok(false) };
    Ok(!git.is_tracked(&inside)?)
}

/// Of a symlink to a folder, no.
fn is_folder(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir())
}

fn is_old(path: &Path, now: SystemTime) -> bool {
    let modified = std::fs::symlink_metadata(path).and_then(|meta| meta.modified());
    modified.is_ok_and(|modified| now.duration_since(modified).is_ok_and(|age| age > UNTOUCHED))
}

/// Whether no other queue keeps its inputs in the stash: that of another user, another work tree, or another project in it.
fn is_the_only_one(repo: &Repo, git: &Git) -> Result<bool, CleanError> {
    let queues = fs::list_optional(&repo.tmp().join("exps/queue"))?.unwrap_or_default();
    if queues.len() > 1 || !git.has_one_work_tree()? {
        return Ok(false);
    }
    let Ok(head) = git.head() else { return Ok(false) };
    let configs = git.tree(head.commit)?.files(&Finder::new(git, |name| name == "config"))?;
    let projects = configs.iter().filter_map(RepoPath::parent).filter(|folder| folder.file_name() == PROJECT_DIR);
    Ok(projects.filter_map(|folder| folder.parent()).all(|project| project.is_root()))
}

/// The states of the stash that no task began from. DVC's have its own document in them, and stay.
fn inputs_left(git: &Git, queue: &Queue) -> Result<Vec<CommitId>, CleanError> {
    let known = queue.folders()?;
    let of_dvc = RepoPath::parse(".dvc/tmp/repro.dat")?;
    let mut left = Vec::new();
    for state in super::queue::inputs_without_task(git, |state| known.contains(&state))? {
        if git.tree(state)?.content_id(&of_dvc)?.is_none() {
            left.push(state);
        }
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::OutsideFiles;
    use crate::testing::{Project, Waiting};

    #[test]
    fn what_is_in_use_stays() {
        let project = Project::new();
        project.write("dvc.yaml", "stages: {}\n");
        let baseline = project.commit(100);
        let waiting = Waiting::on(&project);
        let [waits, lost] = ["waits", "lost"].map(|name| waiting.add(name, &[("a", "2")]));
        let repo = Repo::discover(project.root(), &OutsideFiles::default()).unwrap();
        let git = project.git();
        let tasks = waiting.queue().log(lost.id, 1);
        let folder = tasks.parent().unwrap();
        let in_queue = |name: &str| folder.parent().unwrap().parent().unwrap().join(name);
        let look = |user, now| left(&repo, &git, user, now).unwrap();
        let later = SystemTime::now() + 2 * UNTOUCHED;
        assert_eq!(look(UserWorkspace::Held, later), []);

        std::fs::rename(folder, in_queue("old-x")).unwrap();
        project.write(".dewar-abc123", "half");
        // The user's own, by whatever name.
        let own = [
            ".dewar-notes.txt",
            ".dewar-cache/model",
            ".dewar-abc124/model",
            ".dvc/.dewar-abc125/x",
            ".dvc/.dewar-mine",
        ];
        own.iter().for_each(|path| project.write(path, "mine"));
        std::os::unix::fs::symlink(project.root().join("dvc.yaml"), project.root().join(".dewar-abc126")).unwrap();
        project.write(".dewar-abc127", "tracked");
        git.stage(&crate::testing::path(".dewar-abc127")).unwrap();
        project.write(".dvc/tmp/restore-abc/model", "half");
        let two = baseline.to_string();
        let (two, rest) = two.split_at(2);
        project.write(&format!(".git/refs/exps/{two}/{rest}/e.lock"), "");
        let young = look(UserWorkspace::Busy, SystemTime::now());
        assert_eq!(young, [Left::Task(in_queue("old-x")), Left::Inputs(lost.id)]);
        let all = look(UserWorkspace::Held, later);
        assert_eq!(all.len(), 5, "{all:?}");
        let there = |path: &str| project.root().join(path).symlink_metadata().is_ok();
        // What was written anew meanwhile, stays.
        assert!(remove(&repo, &git, &all, SystemTime::now()).unwrap().is_empty());
        assert!(there(".dewar-abc123"));
        assert!(remove(&repo, &git, &all, later).unwrap().is_empty());
        assert_eq!(look(UserWorkspace::Held, later), []);
        assert_eq!(waiting.queue().tasks().unwrap(), [waits]);
        assert!(!there(".dewar-abc123"));
        assert!(own.iter().chain(&[".dewar-abc126", ".dewar-abc127"]).all(|path| there(path)));

        // Another user's queue has its inputs in the same stash.
        std::fs::remove_dir_all(waiting.queue().log(waiting.queue().tasks().unwrap()[0].id, 1).parent().unwrap())
            .unwrap();
        assert_eq!(look(UserWorkspace::Held, later).len(), 1);
        project.write(".dvc/tmp/exps/queue/12345/lock", "");
        assert_eq!(look(UserWorkspace::Held, later), []);
    }
}
