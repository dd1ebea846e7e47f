//! [`GitError`]: what can go wrong with the repository.

use std::fmt;
use std::path::PathBuf;

use super::CommitId;
use super::refs::RefConflict;
use crate::fs::FsError;
use crate::path::{PathError, RepoPath};

/// What went wrong with the repository, with the verb and what it was about.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// Git refuses repositories of other users, since their configuration can run programs.
    #[error(
        "the git repository of `{path}` belongs to another user; if you trust it: git config --global --add safe.directory <its folder>",
        path = path.display()
    )]
    NotOwned {
        /// Where the search began.
        path: PathBuf,
    },
    /// The repository has no work tree.
    #[error("`{path}` is a bare git repository; experiments need a work tree", path = path.display())]
    Bare {
        /// Its folder.
        path: PathBuf,
    },
    /// There is no commit yet that an experiment could start from.
    #[error("the branch `{branch}` has no commit yet; make a first one: git add -A && git commit")]
    Unborn {
        /// The branch that `HEAD` names.
        branch: String,
    },
    /// The text names no commit.
    #[error("`{revision}` is no commit, branch or tag of this repository")]
    UnknownRevision {
        /// What was asked for.
        revision: String,
    },
    /// More than one object begins with these digits.
    #[error("`{revision}` is the beginning of more than one object; write more digits")]
    AmbiguousRevision {
        /// What was asked for.
        revision: String,
    },
    /// A merge is not finished.
    #[error("the git index has unmerged paths ({}); resolve them and `git add` them first", list(paths))]
    Conflicted {
        /// The paths, as git names them.
        paths: Vec<String>,
    },
    /// A file whose content goes through a program that git calls, such as `git lfs`. libgit2 does not call it, and the
    /// content would be wrong without it. Unchanged files are not concerned, nor are those that were `git add`ed.
    #[error(
        "`{path}` goes through the git filter `{driver}`, which only git itself runs; use `git add` (or `git checkout`) for it first"
    )]
    FilterDriver {
        /// The file, as git names it.
        path: String,
        /// The name of the filter in `.gitattributes`.
        driver: String,
    },
    /// A file that git is to keep, and cannot: a symlink to a folder is on the way to it, or it is no file.
    #[error("git cannot keep `{path}`, which is reached through a symlink or is no file; move it away first")]
    NotRecorded {
        /// The file.
        path: RepoPath,
    },
    /// A text that cannot be the name of a reference.
    #[error("`{0}` cannot be the name of a git reference")]
    BadRefName(String),
    /// A text that cannot be the name of a branch.
    #[error("`{0}` cannot be the name of a git branch")]
    BadBranchName(String),
    /// There is such a branch.
    #[error("the git branch `{name}` exists already, at {}", commit.short())]
    BranchExists {
        /// Its name.
        name: String,
        /// Where it stands.
        commit: CommitId,
    },
    /// A reference does not stand where it was expected to; nothing was changed.
    #[error(transparent)]
    RefConflict(#[from] RefConflict),
    /// Another process holds a reference, or died holding it.
    #[error(
        "`{name}` is locked by another git process; if none is running, remove `{lock}`",
        lock = lock.display()
    )]
    RefLocked {
        /// The reference.
        name: String,
        /// The file that is the lock.
        lock: PathBuf,
    },
    /// The file system.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A path that is none of the project.
    #[error(transparent)]
    Path(#[from] PathError),
    /// What libgit2 could not do.
    #[error("cannot {verb} `{subject}`: {}", source.message())]
    Operation {
        /// Such as `read the tree of`.
        verb: &'static str,
        /// What it was about.
        subject: String,
        /// What libgit2 said.
        source: git2::Error,
    },
}

impl GitError {
    /// For `map_err`: wraps an error of libgit2 with what was being done.
    pub(super) fn operation(verb: &'static str, subject: impl fmt::Display) -> impl FnOnce(git2::Error) -> Self {
        move |source| Self::Operation { verb, subject: subject.to_string(), source }
    }
}

/// The first few of a list, for one line.
fn list(paths: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = paths.iter().take(SHOWN).map(|path| format!("`{path}`")).collect();
    match paths.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
