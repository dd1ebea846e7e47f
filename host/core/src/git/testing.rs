//! A real repository in a temporary folder, driven by the git command line with a configuration of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use super::{CommitTime, Git, Identity, Person};
use crate::path::RepoPath;

pub(crate) const TIME: CommitTime = CommitTime { seconds: 1_700_000_000, offset_minutes: 60 };

pub(crate) struct TestRepo {
    dir: tempfile::TempDir,
}

impl TestRepo {
    /// An empty repository on the branch `main`.
    pub(crate) fn empty() -> Self {
        static HERMETIC: Once = Once::new();
        HERMETIC.call_once(|| {
            use git2::ConfigLevel::{Global, ProgramData, System, XDG};
            for level in [Global, ProgramData, System, XDG] {
                // SAFETY: the only place in the tests that sets it, once, before any repository is opened.
                #[expect(unsafe_code, reason = "no safe way to keep the user's configuration out of tests")]
                unsafe { git2::opts::set_search_path(level, "/nonexistent") }.unwrap();
            }
        });
        let repo = Self { dir: tempfile::tempdir().unwrap() };
        repo.git(&["init", "-q", "-b", "main"]);
        repo.git(&["config", "user.name", "Ada"]);
        repo.git(&["config", "user.email", "ada@example.org"]);
        repo
    }

    /// A repository with one commit of these files.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let repo = Self::empty();
        for (path, content) in files {
            repo.write(path, content);
        }
        repo.commit_all("first");
        repo
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        std::fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        std::fs::write(self.at(path), content).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.at(path)).ok()
    }

    pub(crate) fn commit_all(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    pub(crate) fn open(&self) -> Git {
        Git::open(self.root()).unwrap().unwrap()
    }

    /// What git says, without the last line end; it must succeed.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git_in(self.root(), arguments)
    }

    /// The files of a tree or commit, one a line, as `<mode> <path>`.
    pub(crate) fn files(&self, tree: &impl ToString) -> Vec<String> {
        let listing = self.git(&["-c", "core.quotePath=false", "ls-tree", "-r", &tree.to_string()]);
        let line = |line: &str| {
            let (head, path) = line.split_once('\t').unwrap();
            format!("{} {path}", head.split(' ').next().unwrap())
        };
        listing.lines().map(line).collect()
    }

    pub(crate) fn show(&self, tree: &impl ToString, path: &str) -> String {
        self.git(&["cat-file", "blob", &format!("{}:{path}", tree.to_string())])
    }

    /// The bytes of all that belongs to the user: `HEAD`, the index, reflogs, branches.
    pub(crate) fn of_the_user(&self) -> Vec<Option<Vec<u8>>> {
        [".git/HEAD", ".git/index", ".git/logs/HEAD", ".git/refs/heads/main", ".git/logs/refs/heads/main"]
            .iter()
            .map(|path| std::fs::read(self.at(path)).ok())
            .collect()
    }

    pub(crate) fn assert_sound(&self) {
        self.git(&["fsck", "--strict"]);
    }
}

pub(crate) fn git_in(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("HOME", "/nonexistent")
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {error}");
    String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned()
}

pub(crate) fn path(text: &str) -> RepoPath {
    RepoPath::parse(text).unwrap()
}

pub(crate) fn identity() -> Identity {
    let person = Person { name: "Ada".into(), email: "ada@example.org".into() };
    Identity { author: person.clone(), committer: person }
}
