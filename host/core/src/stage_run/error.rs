//! [`StageError`]: why a stage is not up to date after all.

use dewar_text::Span;

use super::checkpoint::CheckpointError;
use crate::cache::CacheError;
use crate::extension::ExtensionError;
use crate::fs::FsError;
use crate::git::GitError;
use crate::observe::ObserveError;
use crate::path::RepoPath;
use crate::pipeline::{Stage, StageAddress};
use crate::remote::RemoteError;
use crate::resources::ClaimError;

/// Why a stage is not up to date after all.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A command of it failed.
    #[error("the stage `{stage}` failed: `{command}` {}", how(*exit_code, message.as_deref()))]
    Failed {
        /// The stage.
        stage: StageAddress,
        /// The command.
        command: String,
        /// Its exit code, when it exited.
        exit_code: Option<i32>,
        /// What there is to say beyond that.
        message: Option<String>,
    },
    /// The user interrupted it.
    #[error("the stage `{stage}` was interrupted")]
    Cancelled {
        /// The stage.
        stage: StageAddress,
    },
    /// The user was asked, and does not want it to run.
    #[error("the stage `{stage}` was not to run: the run ends here")]
    Declined {
        /// The stage.
        stage: StageAddress,
    },
    /// It ran and did not write what it declares.
    #[error("the stage `{stage}` ran, but its output `{path}` does not exist")]
    OutputMissing {
        /// The stage.
        stage: StageAddress,
        /// The output.
        path: RepoPath,
    },
    /// It is frozen, and what it declares is not there.
    #[error("the stage `{stage}` is frozen, and its output `{path}` does not exist")]
    FrozenMissing {
        /// The stage.
        stage: StageAddress,
        /// The output.
        path: RepoPath,
    },
    /// The data that a `.dvc` file tracks is neither in the workspace nor in the cache.
    #[error("the data `{path}` of `{stage}` is neither in the workspace nor in the cache")]
    DataMissing {
        /// The `.dvc` file.
        stage: StageAddress,
        /// The data.
        path: RepoPath,
    },
    /// An output is to be kept in the cache, and git has it too.
    #[error("the output `{path}` of the stage `{stage}` is tracked by git")]
    TrackedByGit {
        /// The stage.
        stage: StageAddress,
        /// The output.
        path: RepoPath,
    },
    /// The folder that it runs in is not there.
    #[error("there is no folder `{folder}` for the stage `{stage}` to run in")]
    NoFolder {
        /// The stage.
        stage: StageAddress,
        /// The folder.
        folder: RepoPath,
    },
    /// It needs what this machine does not have.
    #[error("the stage `{stage}` cannot run here: {error}")]
    Resources {
        /// The stage.
        stage: StageAddress,
        /// Where its file says so.
        span: Span,
        /// What it lacks.
        #[source]
        error: ClaimError,
    },
    /// Something cannot be looked at, or is missing.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// A content cannot be kept or restored.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A remote did not do its part.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FsError),
    /// The executor could not do its job.
    #[error(transparent)]
    Executor(#[from] ExtensionError),
    /// Git cannot be asked.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A checkpoint of it cannot be recorded: it was ended, those before are kept.
    #[error("the stage `{stage}` was ended, because a checkpoint of it cannot be recorded: {source}")]
    Checkpoint {
        /// The stage.
        stage: StageAddress,
        /// Why.
        source: Box<CheckpointError>,
    },
}

impl StageError {
    pub(super) fn checkpoint(stage: &Stage, source: CheckpointError) -> Self {
        Self::Checkpoint { stage: stage.address.clone(), source: Box::new(source) }
    }

    /// The stage whose definition or command is to be looked at: it asks for what is not there, or does not keep its word.
    #[must_use]
    pub const fn stage(&self) -> Option<&StageAddress> {
        match self {
            Self::OutputMissing { stage, .. }
            | Self::FrozenMissing { stage, .. }
            | Self::TrackedByGit { stage, .. }
            | Self::NoFolder { stage, .. }
            | Self::Resources { stage, .. }
            | Self::Observe(
                ObserveError::MissingDependency { stage, .. }
                | ObserveError::MissingParams { stage, .. }
                | ObserveError::NoMapping { stage, .. },
            ) => Some(stage),
            Self::Failed { .. }
            | Self::Cancelled { .. }
            | Self::Declined { .. }
            | Self::DataMissing { .. }
            | Self::Observe(
                ObserveError::Content(_) | ObserveError::Remote(_) | ObserveError::Params(_) | ObserveError::Files(_),
            )
            | Self::Cache(_)
            | Self::Remote(_)
            | Self::File(_)
            | Self::Executor(_)
            | Self::Git(_)
            | Self::Checkpoint { .. } => None,
        }
    }

    /// The place in the file of [`Self::stage`] to look at, when it is another than that of its name.
    #[must_use]
    pub const fn span(&self) -> Option<Span> {
        if let Self::Resources { span, .. } = self { Some(*span) } else { None }
    }
}

fn how(exit_code: Option<i32>, message: Option<&str>) -> String {
    match (exit_code, message) {
        (Some(code), None) => format!("exited with {code}"),
        (Some(code), Some(message)) => format!("exited with {code}: {message}"),
        (None, Some(message)) => format!("was {message}"),
        (None, None) => "did not end well".to_owned(),
    }
}
