//! [`TestRepo`]: a git repository in a temporary folder, with a home, a clock and a randomness of its own.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::CommandOutput;

/// A git repository in a world of its own: nothing of the user's environment or settings reaches it, and its clock moves one
/// second a command, so that ids and names are the same on every machine.
#[derive(Debug)]
pub struct TestRepo {
    folder: tempfile::TempDir,
    root: PathBuf,
    program: PathBuf,
    commands: Cell<u64>,
}

/// What takes longer hangs: no test has a command that runs for seconds.
const BOUND: Duration = Duration::from_secs(60);

/// 2026-01-02 03:04:05 UTC, when the first command runs.
const FIRST_SECOND: u64 = 1_767_323_045;

impl TestRepo {
    /// An empty git repository with the branch `main`, for the program `dewar` at this path
    /// (`env!("CARGO_BIN_EXE_dewar")`).
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let repo = Self::without_git(program);
        repo.git(&["init", "--quiet", "--initial-branch=main"]).success();
        repo
    }

    /// An empty folder that is no git repository.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn without_git(program: impl Into<PathBuf>) -> Self {
        let folder = tempfile::Builder::new().prefix("dewar-test-").tempdir().unwrap();
        // macOS has its temporary folder behind a link, and programs print the real path.
        let base = folder.path().canonicalize().unwrap();
        let root = base.join("repo");
        fs::create_dir_all(&root).unwrap();
        fs::create_dir_all(base.join("home")).unwrap();
        Self { folder, root, program: program.into(), commands: Cell::new(0) }
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Writes a file, making the folders above it.
    ///
    /// # Panics
    /// When it cannot be written.
    #[track_caller]
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// Reads a text file.
    ///
    /// # Panics
    /// When it cannot be read.
    #[track_caller]
    #[must_use]
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
    }

    /// Whether there is anything of that name; a link counts, wherever it leads.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        self.root.join(path).symlink_metadata().is_ok()
    }

    /// Everything in the folder by name: the bytes of files, the targets of links. Without `.git`, and without `.dvc/tmp` and
    /// `.dvc/cache/tmp`, which hold only what may be thrown away.
    ///
    /// # Panics
    /// When it cannot be read.
    #[track_caller]
    #[must_use]
    pub fn everything(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut waiting = vec![self.root.clone()];
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&self.root).unwrap().to_str().unwrap().to_owned();
                let kind = path.symlink_metadata().unwrap().file_type();
                let content = if kind.is_symlink() {
                    fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
                } else if kind.is_file() {
                    fs::read(&path).unwrap()
                } else {
                    if kind.is_dir() && ![".git", ".dvc/tmp", ".dvc/cache/tmp"].contains(&name.as_str()) {
                        waiting.push(path);
                    }
                    Vec::new()
                };
                found.insert(name, content);
            }
        }
        found.remove(".dvc/tmp");
        found.remove(".dvc/cache/tmp");
        if !found.keys().any(|name| name.starts_with(".dvc/cache/")) && self.root.join(".dvc/cache").is_dir() {
            found.remove(".dvc/cache");
        }
        found
    }

    /// A path beside the repository, where nothing of it belongs.
    #[must_use]
    pub fn outside(&self, name: &str) -> PathBuf {
        self.root.with_file_name(name)
    }

    /// The stages that ran since this was asked last, of a pipeline whose commands append their names to `../ran`.
    ///
    /// # Panics
    /// When the file cannot be written.
    #[track_caller]
    pub fn ran(&self) -> String {
        let log = self.outside("ran");
        let stages = fs::read_to_string(&log).unwrap_or_default().lines().collect::<Vec<_>>().join(" ");
        fs::write(log, "").unwrap();
        stages
    }

    /// Runs dewar.
    pub fn dewar(&self, args: &[&str]) -> CommandOutput {
        self.run(self.command(&self.program).args(args))
    }

    /// Runs git.
    pub fn git(&self, args: &[&str]) -> CommandOutput {
        self.run(self.command("git").args(args))
    }

    /// Commits everything.
    ///
    /// # Panics
    /// When git does not.
    #[track_caller]
    pub fn commit(&self, message: &str) {
        self.git(&["add", "--all"]).success();
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]).success();
    }

    /// A program that is to run in this world; for tests that need more than [`Self::dewar`] takes.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let count = self.commands.get();
        self.commands.set(count + 1);
        let now = FIRST_SECOND + count;
        let date = format!("{now} +0000");
        let mut command = Command::new(program);
        command.current_dir(&self.root).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.root.with_file_name("home"));
        // Plugins are compiled once for all tests; what is kept is named by its content.
        command.env("XDG_CACHE_HOME", self.program.with_file_name("test-cache"));
        command.envs([("TZ", "UTC"), ("LC_ALL", "C"), ("COLUMNS", "100"), ("NO_COLOR", "1"), ("TERM", "dumb")]);
        command.envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_TERMINAL_PROMPT", "0")]);
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "Ada Test").env(format!("GIT_{role}_EMAIL"), "ada@example.com");
            command.env(format!("GIT_{role}_DATE"), &date);
        }
        command.env("DEWAR_TEST_CLOCK", now.to_string()).env("DEWAR_TEST_SEED", count.to_string());
        command.env("DVC_SYSTEM_CONFIG_DIR", self.root.with_file_name("system"));
        // A repository above the temporary folder is none of ours.
        command.env("GIT_CEILING_DIRECTORIES", self.folder.path());
        command
    }

    /// Runs a program made by [`Self::command`] to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn run(&self, command: &mut Command) -> CommandOutput {
        self.wait(self.spawn(command))
    }

    /// Starts a program made by [`Self::command`], its output kept for [`Self::wait`].
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    #[must_use]
    pub fn spawn(&self, command: &mut Command) -> Child {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"))
    }

    /// Waits until a program has ended. One that takes longer than [`BOUND`] hangs, and is killed.
    ///
    /// # Panics
    /// When it hangs, or cannot be waited for.
    #[track_caller]
    pub fn wait(&self, child: Child) -> CommandOutput {
        let pid = child.id().to_string();
        let (ended, watched) = mpsc::channel::<()>();
        let watch = thread::spawn(move || {
            let hangs = watched.recv_timeout(BOUND) == Err(mpsc::RecvTimeoutError::Timeout);
            if hangs {
                Command::new("kill").args(["-KILL", &pid]).status().unwrap();
            }
            hangs
        });
        let output = child.wait_with_output().unwrap();
        drop(ended);
        let output = CommandOutput::new(&output, &self.root);
        assert!(!watch.join().unwrap(), "it hangs: {output}");
        output
    }

    /// Keeps the folder after the test and says where it is: to look at a test that fails.
    #[must_use]
    pub fn eject(mut self) -> PathBuf {
        self.folder.disable_cleanup(true);
        self.root.clone()
    }
}
