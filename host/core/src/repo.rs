//! [`Repo`]: the project a command works on.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, test_kill_process};

use crate::cache::Shared;
use crate::cache::hold::{self, CacheHold};
use crate::config::settings::OutsideFiles;
use crate::config::{Config, ConfigError};
use crate::fs::{self, FsError};
use crate::git::{Git, GitError};
use crate::lock::{Lock, Taken, pauses};
use crate::path::{PathError, RepoPath};
use crate::process::identity::holders;

/// The folder of a project's own files.
pub const PROJECT_DIR: &str = ".dvc";

/// Why there is no project to work on.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// Neither the folder nor one above it is a project.
    #[error("`{}` is not in a project: neither it nor a folder above it has `{PROJECT_DIR}`", .0.display())]
    NotFound(PathBuf),
    /// A path of the file system cannot be used.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FsError),
    /// The settings are invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Git cannot be asked.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A process that ran stages in the workspace was killed, and their commands go on.
    #[error("another run holds this workspace: {holder}, has ended, but a command that it started still runs")]
    Orphans {
        /// Who: process number and command.
        holder: String,
    },
    /// Another process runs stages in the workspace.
    #[error("another run holds this workspace: {holder}")]
    Busy {
        /// Who: process number and command.
        holder: String,
    },
}

/// The project a command works on.
pub struct Repo {
    root: PathBuf,
    /// The folder the user is in.
    from: RepoPath,
    /// Its settings.
    pub config: Config,
    /// The git repository that it is in, if it is in one.
    pub git: Option<Git>,
}

impl Repo {
    /// Finds the project that the folder `from` is in; settings in `outside` count where it has none.
    ///
    /// # Errors
    /// When there is none, or it cannot be used.
    pub fn discover(from: &Path, outside: &OutsideFiles) -> Result<Self, RepoError> {
        let from = std::fs::canonicalize(from).map_err(FsError::new("find", from))?;
        let root = find_root(&from).ok_or_else(|| RepoError::NotFound(from.clone()))?.to_owned();
        let config = Config::load(&root, outside)?;
        let git = if config.dvc("core", "no_scm").is_some_and(is_true) { None } else { Git::open(&root)? };
        Ok(Self { from: RepoPath::from_absolute(&root, &from)?, root, config, git })
    }

    /// The root, absolute and without links.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder the user is in.
    #[must_use]
    pub const fn from(&self) -> &RepoPath {
        &self.from
    }

    /// The folder of what may be thrown away.
    #[must_use]
    pub fn tmp(&self) -> PathBuf {
        self.root.join(PROJECT_DIR).join("tmp")
    }

    /// The same project in another work tree, whose project root is `git`'s, for a user in the folder `from`: the settings stay
    /// those of this one.
    #[must_use]
    pub fn relocated(&self, git: Git, from: RepoPath) -> Self {
        Self { root: git.root().to_owned(), from, config: self.config.clone(), git: Some(git) }
    }

    /// The git repository.
    ///
    /// # Errors
    /// When the project is not in one.
    pub fn git(&self) -> Result<&Git, NoGit> {
        self.git.as_ref().ok_or(NoGit)
    }

    /// Takes the workspace for a command, and holds the cache with others, until what is returned is dropped or the process
    /// ends. `waiting` is called when `gc` has to be waited for.
    ///
    /// # Errors
    /// When another process has the workspace, or the cache cannot be held.
    pub fn take_workspace(&self, command: &str, waiting: impl Fn()) -> Result<WorkspaceLock, RepoError> {
        let workspace = take_workspace(&self.root, command)?;
        Ok(WorkspaceLock { _cache: Some(self.hold_cache(command, waiting)?), ..workspace })
    }

    /// Who else writes to the cache.
    #[must_use]
    pub fn shared(&self) -> Shared {
        if self.config.dvc("cache", "shared") == Some("group") { Shared::Group } else { Shared::No }
    }

    /// Holds the cache with others, for a command that has a workspace of its own. `waiting` is called when `gc` has to be
    /// waited for.
    ///
    /// # Errors
    /// When the cache cannot be held.
    pub fn hold_cache(&self, command: &str, waiting: impl Fn()) -> Result<CacheHold, FsError> {
        let holder = format!("`{command}` in `{}`", self.root.display());
        hold::with_others(&self.config.cache_dir(&self.root), self.shared(), &holder, waiting)
    }
}

/// The root of the project that a folder is in, if it is in one.
#[must_use]
pub fn find_root(from: &Path) -> Option<&Path> {
    from.ancestors().find(|folder| folder.join(PROJECT_DIR).is_dir())
}

/// Takes the workspace of the project at `root` and leaves the cache to others; for what keeps nothing in it.
///
/// # Errors
/// When another process has it.
pub fn take_workspace(root: &Path, command: &str) -> Result<WorkspaceLock, RepoError> {
    let tmp = root.join(PROJECT_DIR).join("tmp");
    fs::create_dir(&tmp)?;
    let mut lock = match Lock::try_take(&tmp.join(WORKSPACE_LOCK))? {
        Taken::Yes(lock) => lock,
        Taken::No { text } => {
            let holder = text.trim().to_owned();
            return Err(if has_ended(&holder) {
                RepoError::Orphans { holder }
            } else {
                RepoError::Busy { holder: described(holder) }
            });
        }
    };
    // Commands of stages have it, too: nothing runs beside them.
    lock.share()?;
    lock.write(&format!("{HOLDER}{}, `{command}`\n", std::process::id()))?;
    Ok(WorkspaceLock { _lock: lock, _cache: None })
}

/// The lock of the workspace, in `.dvc/tmp`.
const WORKSPACE_LOCK: &str = "workspace.lock";

/// How the text of a lock begins, before the number of the process.
const HOLDER: &str = "process ";

/// Ends the commands that a killed process left running in the workspace of `root`, and waits until they are gone: what they
/// would write is recorded by nobody. None is found on a system without `/proc`.
///
/// # Errors
/// [`RepoError::Orphans`] when they stay.
pub fn end_orphans(root: &Path) -> Result<(), RepoError> {
    let lock = root.join(PROJECT_DIR).join("tmp").join(WORKSPACE_LOCK);
    let holder =
        fs::read_optional(&lock)?.map(|text| String::from_utf8_lossy(&text).trim().to_owned()).unwrap_or_default();
    let since = Instant::now();
    for pause in pauses() {
        let left = holders(&lock);
        if left.is_empty() {
            return Ok(());
        }
        if since.elapsed() > ORPHANS_END {
            break;
        }
        for process in left {
            // Another user's stays, and is told below.
            process.signal(Signal::KILL).ok();
        }
        std::thread::sleep(pause);
    }
    Err(RepoError::Orphans { holder })
}

/// How long orphans have to go.
const ORPHANS_END: Duration = Duration::from_secs(5);

/// Who holds a lock, from the text in it.
fn described(text: String) -> String {
    // In the moment after it took it, it has not said yet who it is.
    if text.starts_with(HOLDER) { text } else { "a process that has just begun".to_owned() }
}

/// Whether the process that is told of in a lock has ended, and only commands that it started hold it.
fn has_ended(text: &str) -> bool {
    let number =
        text.strip_prefix(HOLDER).and_then(|rest| rest.split(',').next()?.parse().ok()).and_then(Pid::from_raw);
    number.is_some_and(|number| test_kill_process(number) == Err(rustix::io::Errno::SRCH))
}

/// The project is not in a git repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("experiments are kept in git, and this project is not in a git repository")]
pub struct NoGit;

/// The right to run stages in the workspace. The kernel takes it back when the process and the commands that it started have
/// ended, however they end.
#[derive(Debug)]
pub struct WorkspaceLock {
    _lock: Lock,
    /// Not shared with commands of stages, which have nothing to do with the cache.
    _cache: Option<CacheHold>,
}

fn is_true(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "on" | "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_found_from_below_and_held_by_one_run() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Repo::discover(dir.path(), &OutsideFiles::default()), Err(RepoError::NotFound(_))));
        std::fs::create_dir_all(dir.path().join(".dvc")).unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        let repo = Repo::discover(&dir.path().join("a/b"), &OutsideFiles::default()).unwrap();
        assert_eq!(repo.from().as_str(), "a/b");
        let held = repo.take_workspace("exp run", || ()).unwrap();
        let Err(RepoError::Busy { holder }) = repo.take_workspace("repro", || ()) else { panic!("taken twice") };
        assert!(holder.contains("`exp run`") && holder.contains(&std::process::id().to_string()), "{holder}");
        drop(held);
        assert!(repo.take_workspace("repro", || ()).is_ok());
    }
}
