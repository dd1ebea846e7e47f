//! The table from the libraries' errors to what they mean to the user. One entry an error type, each a `match` without a
//! catch-all, so that a new variant has to be thought about here.

mod data;
mod experiments;
mod git_remotes;
mod pipeline;
mod settings;

use std::io;

use dewar_core::cache::CacheError;
use dewar_core::config::ConfigError;
use dewar_core::extension::ExtensionError;
use dewar_core::fs::FsError;
use dewar_core::git::GitError;
use dewar_core::path::PathError;
use dewar_core::repo::{NoGit, RepoError};
use dewar_core::source::SourceError;

use super::{Failure, IntoFailure, Kind};
use crate::ui::problem::{Place, Problem};

impl From<FsError> for Failure {
    fn from(error: FsError) -> Self {
        let hint = hint_of(&error.source);
        hint.into_iter().fold(error.into_failure(Kind::Repository), Self::hint)
    }
}

/// What would help where the system refused.
fn hint_of(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Some("look at who owns it and what its permissions are"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Some("make room on that disk and run the command again; nothing was left half-written")
        }
        io::ErrorKind::ReadOnlyFilesystem => Some("that disk is mounted read-only"),
        _ => None,
    }
}

impl From<PathError> for Failure {
    fn from(error: PathError) -> Self {
        match error {
            PathError::Outside(_) => {
                error.into_failure(Kind::Pipeline).hint("only paths inside the project can be tracked")
            }
            PathError::Nul(_) | PathError::NotUtf8(_) => error.into_failure(Kind::Pipeline),
        }
    }
}

impl From<ExtensionError> for Failure {
    fn from(error: ExtensionError) -> Self {
        match &error {
            ExtensionError::Refused { diagnostics, .. } => {
                let hints: Vec<String> = diagnostics.iter().filter_map(|diagnostic| diagnostic.help.clone()).collect();
                hints.into_iter().fold(error.into_failure(Kind::Pipeline), Self::hint)
            }
            ExtensionError::Unknown { .. } => {
                error.into_failure(Kind::Plugin).hint("`--plugin-dir DIR` adds a folder to look in")
            }
            ExtensionError::Denied { .. } => {
                error.into_failure(Kind::Plugin).hint("`dewar.toml` grants what plugins may do")
            }
            ExtensionError::Trapped { plugin, .. } | ExtensionError::BadAnswer { plugin, .. } => {
                let hint = format!("this is a bug of `{plugin}`; tell its authors");
                error.into_failure(Kind::Plugin).hint(hint)
            }
            ExtensionError::Rejected { .. } | ExtensionError::OverLimit { .. } => error.into_failure(Kind::Plugin),
        }
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        let file = error.file.to_string();
        let mut problems =
            error.diagnostics.iter().map(|diagnostic| Problem::of(diagnostic, &file, &error.text)).collect::<Vec<_>>();
        if problems.is_empty() {
            return error.into_failure(Kind::Pipeline).at(Place::file(file));
        }
        let problem = problems.remove(0);
        Self { kind: Kind::Pipeline, problem, further: problems }
    }
}

impl From<Box<SourceError>> for Failure {
    fn from(error: Box<SourceError>) -> Self {
        (*error).into()
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::File(error) => error.into(),
            ConfigError::Source(error) => error.into(),
            ConfigError::Outside(error) => {
                let problem = Problem::of(&error.diagnostic, &error.file.display().to_string(), &error.text);
                Self { kind: Kind::Pipeline, problem, further: Vec::new() }
            }
        }
    }
}

impl From<RepoError> for Failure {
    fn from(error: RepoError) -> Self {
        match error {
            RepoError::NotFound(_) => error.into_failure(Kind::Repository).hint("`dewar init` makes a project"),
            RepoError::Path(error) => error.into(),
            RepoError::File(error) => error.into(),
            RepoError::Config(error) => error.into(),
            RepoError::Git(error) => error.into(),
            RepoError::Busy { .. } | RepoError::Orphans { .. } => error
                .into_failure(Kind::Repository)
                .hint("wait until it ends, or end it: the lock goes with its last process"),
        }
    }
}

impl From<NoGit> for Failure {
    fn from(error: NoGit) -> Self {
        error.into_failure(Kind::Repository).hint("`git init` makes one; `dewar repro` needs none")
    }
}

impl From<GitError> for Failure {
    fn from(error: GitError) -> Self {
        match error {
            GitError::UnknownRevision { .. } | GitError::AmbiguousRevision { .. } | GitError::BadBranchName(_) => {
                error.into_failure(Kind::Usage)
            }
            GitError::Fs(error) => error.into(),
            GitError::Path(error) => error.into(),
            GitError::NotOwned { .. }
            | GitError::Bare { .. }
            | GitError::Unborn { .. }
            | GitError::Conflicted { .. }
            | GitError::NotRecorded { .. }
            | GitError::FilterDriver { .. }
            | GitError::BadRefName(_)
            | GitError::BranchExists { .. }
            | GitError::RefConflict(_)
            | GitError::RefLocked { .. }
            | GitError::Operation { .. } => error.into_failure(Kind::Repository),
        }
    }
}

impl From<CacheError> for Failure {
    fn from(error: CacheError) -> Self {
        match error {
            CacheError::Fs(error) => error.into(),
            CacheError::Missing { .. } | CacheError::Corrupt { .. } => {
                error.into_failure(Kind::Repository).hint("run the stage that makes it again, or get it from a remote")
            }
            CacheError::Outside(_) | CacheError::Root => error.into_failure(Kind::Pipeline),
            CacheError::Ignore(_)
            | CacheError::IgnoreFileInside(_)
            | CacheError::Special { .. }
            | CacheError::Loop(_)
            | CacheError::NotUtf8(_)
            | CacheError::Changed(_)
            | CacheError::Absent(_)
            | CacheError::BadTree { .. }
            | CacheError::Wrong { .. } => error.into_failure(Kind::Repository),
        }
    }
}
