//! [`Repo`]: the project a command works on.

use std::fmt;
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
use crate::process::identity::{ProcessIdentity, holders};

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
    #[error("another run holds this workspace: {holder}, has ended, but a command that it started still runs{}", holder.left())]
    Orphans {
        /// Who.
        holder: KilledRun,
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
    fs::create_dir(&root.join(PROJECT_DIR).join("tmp"))?;
    let mut lock = take(&workspace_lock(root))?;
    // Commands of stages have it, too: nothing runs beside them.
    lock.share()?;
    lock.write(&format!("{HOLDER}{}, `{command}`\n", std::process::id()))?;
    Ok(WorkspaceLock { _lock: lock, _cache: None })
}

/// The file of the lock of the workspace.
fn workspace_lock(root: &Path) -> PathBuf {
    root.join(PROJECT_DIR).join("tmp/workspace.lock")
}

/// How the text of a lock begins, before the number of the process.
const HOLDER: &str = "process ";

fn take(path: &Path) -> Result<Lock, RepoError> {
    let since = Instant::now();
    let mut pauses = pauses();
    loop {
        let text = match Lock::try_take(path)? {
            Taken::Yes(lock) => return Ok(lock),
            Taken::No { text } => text.trim().to_owned(),
        };
        if !has_ended(&text) {
            return Err(RepoError::Busy { holder: described(text) });
        }
        let (commands, text) = left(path)?;
        if has_ended(&text) && (!commands.is_empty() || since.elapsed() > HANDOVER) {
            return Err(RepoError::Orphans { holder: KilledRun::of(text, &commands) });
        }
        // Nobody is seen who has it: the last command is about to be gone, or who took it next has not said so yet.
        std::thread::sleep(pauses.next().unwrap_or_default());
    }
}

/// How long at most a lock is on its way from one holder to the next.
const HANDOVER: Duration = Duration::from_secs(1);

/// The commands of stages that have a lock, and the text in it: when that names a process that has ended, they are what it, or
/// one before it, left. None is found on a system without `/proc`.
fn left(lock: &Path) -> Result<(Vec<ProcessIdentity>, String), FsError> {
    // In this order: a run says who it is before it starts commands, so that none of its own is taken for one that was left.
    // Others that have the file open only ask for the lock, or are a user's who looks at it.
    let commands = holders(lock).into_iter().filter(|process| process.has_variable(STAGE_VARIABLE)).collect();
    let text = fs::read_optional(lock)?.unwrap_or_default();
    Ok((commands, String::from_utf8_lossy(&text).trim().to_owned()))
}

/// By what a command of a stage is known.
pub(crate) const STAGE_VARIABLE: &str = "DVC_STAGE";

/// Ends the commands that a killed process left running in the workspace of `root`, and waits until they are gone: what they
/// would write is recorded by nobody.
///
/// # Errors
/// [`RepoError::Orphans`] when they stay, [`RepoError::Busy`] when another run has the workspace by now.
pub fn end_orphans(root: &Path) -> Result<(), RepoError> {
    let lock = workspace_lock(root);
    let since = Instant::now();
    let mut pauses = pauses();
    loop {
        let (commands, text) = left(&lock)?;
        if commands.is_empty() {
            return Ok(());
        }
        if !has_ended(&text) {
            return Err(RepoError::Busy { holder: described(text) });
        }
        if since.elapsed() > ORPHANS_END {
            return Err(RepoError::Orphans { holder: KilledRun::of(text, &commands) });
        }
        for command in commands {
            // One that cannot be ended stays, and is told above.
            command.signal(Signal::KILL).ok();
        }
        std::thread::sleep(pauses.next().unwrap_or_default());
    }
}

/// How long orphans have to go.
const ORPHANS_END: Duration = Duration::from_secs(5);

/// A run that was killed: shown as its process number and command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KilledRun {
    holder: String,
    /// The processes that it left, as the user is told of them.
    left: Vec<String>,
}

impl KilledRun {
    fn of(holder: String, commands: &[ProcessIdentity]) -> Self {
        let described = |command: &ProcessIdentity| format!("{HOLDER}{} (`{}`)", command.pid(), command.command_line());
        Self { holder, left: commands.iter().map(described).collect() }
    }

    /// The processes that it left, as the end of a sentence; nothing where the system does not tell of them.
    fn left(&self) -> String {
        const SHOWN: usize = 5;
        let Some((last, first)) = self.left.split_last() else { return String::new() };
        let first: Vec<&str> = first.iter().map(String::as_str).take(SHOWN).collect();
        match (self.left.len() - first.len(), first.is_empty()) {
            (_, true) => format!(": {last}"),
            (1, false) => format!(": {} and {last}", first.join(", ")),
            (more, false) => format!(": {} and {more} more", first.join(", ")),
        }
    }
}

impl fmt::Display for KilledRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.holder)
    }
}

/// Who holds a lock, from the text in it.
fn described(text: String) -> String {
    // In the moment after it took it, it has not said yet who it is.
    if text.starts_with(HOLDER) { text } else { "a process that has just begun".to_owned() }
}

/// Whether the process that is told of in a lock has ended, and only commands that it started hold it.
fn has_ended(text: &str) -> bool {
    // Half a number is that of another process.
    let number = text.strip_prefix(HOLDER).and_then(|rest| rest.split_once(','));
    let number = number.and_then(|(number, _)| Pid::from_raw(number.parse().ok()?));
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

    #[cfg(target_os = "linux")]
    #[test]
    fn only_commands_that_a_killed_run_left_are_ended() {
        use std::process::{Child, Command, Stdio};
        let dir = tempfile::tempdir().unwrap();
        let (root, path) = (dir.path(), workspace_lock(dir.path()));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Its file alone is handed to the command: what is shared would go to the commands of other tests, too.
        let held = std::fs::File::create(&path).unwrap();
        rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let sleep = |file, stage: Option<&str>| {
            let mut command = Command::new("sleep");
            command.arg("60").stdin(Stdio::from(file)).env_remove(STAGE_VARIABLE);
            command.envs(stage.map(|stage| (STAGE_VARIABLE, stage))).spawn().unwrap()
        };
        let runs = |child: &mut Child| child.try_wait().unwrap().is_none();
        let mut stage = sleep(held.try_clone().unwrap(), Some("train"));
        let mut reader = sleep(std::fs::File::open(&path).unwrap(), None);
        let mut killed = Command::new("true").spawn().unwrap();
        killed.wait().unwrap();

        for text in
            [format!("{HOLDER}{}, `exp run`", std::process::id()), String::new(), format!("{HOLDER}{}", killed.id())]
        {
            std::fs::write(&path, &text).unwrap();
            assert!(matches!(end_orphans(root), Err(RepoError::Busy { .. })), "{text}");
            assert!(matches!(take_workspace(root, "repro"), Err(RepoError::Busy { .. })), "{text}");
        }
        assert!(runs(&mut stage));

        std::fs::write(&path, format!("{HOLDER}{}, `exp run`\n", killed.id())).unwrap();
        let Err(error) = take_workspace(root, "repro") else { panic!("taken twice") };
        let expected = format!(
            "process {}, `exp run`, has ended, but a command that it started still runs: process {} (`sleep 60`)",
            killed.id(),
            stage.id()
        );
        assert!(matches!(error, RepoError::Orphans { .. }) && error.to_string().ends_with(&expected), "{error}");
        end_orphans(root).unwrap();
        assert!(!runs(&mut stage) && runs(&mut reader));

        // It is given back in a moment, though nobody is seen who has it.
        std::thread::scope(|scope| {
            let taken = scope.spawn(|| take_workspace(root, "repro"));
            std::thread::sleep(Duration::from_millis(50));
            drop(held);
            assert!(taken.join().unwrap().is_ok());
        });
        reader.kill().unwrap();
        reader.wait().unwrap();
    }

    #[test]
    fn what_a_killed_run_left_is_told_in_one_line() {
        let left = |count: usize| {
            KilledRun { holder: String::new(), left: (0..count).map(|number| number.to_string()).collect() }.left()
        };
        assert_eq!([0, 1, 2, 6].map(left), ["", ": 0", ": 0 and 1", ": 0, 1, 2, 3, 4 and 5"]);
        assert_eq!(left(9), ": 0, 1, 2, 3, 4 and 4 more");
    }
}
