//! [`PipelineError`]: why the files of a pipeline cannot be used.

use crate::fs::FsError;
use crate::params::files::ParamsError;
use crate::path::RepoPath;
use crate::source::SourceError;

/// Why the files of a pipeline cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// A file of the work tree cannot be read or written.
    #[error(transparent)]
    File(#[from] FsError),
    /// What was written in a file is wrong.
    #[error(transparent)]
    Source(#[from] Box<SourceError>),
    /// A parameter file whose values templates name cannot be read.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// A file of a commit cannot be read.
    #[error("cannot read `{file}`: {source}")]
    Unreadable {
        /// The file.
        file: RepoPath,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The stage exists and was not to be replaced.
    #[error("the stage `{name}` exists already in `{file}`")]
    StageExists {
        /// Its name.
        name: String,
        /// The file.
        file: RepoPath,
    },
    /// A name that cannot be a stage's.
    #[error("`{0}` cannot be the name of a stage: no punctuation but `_` and `-`")]
    BadStageName(String),
    /// A stage of a group was to be changed by itself.
    #[error("the stage `{member}` is one of the group `{group}` and has no entry of its own in `{file}`")]
    PartOfGroup {
        /// The stage.
        member: String,
        /// Its group.
        group: String,
        /// The file.
        file: RepoPath,
    },
    /// A stage was to be written with a path twice.
    #[error("`{0}` is given more than once")]
    GivenTwice(String),
    /// A stage was to be written where git does not look, so that other clones would lack it.
    #[error("`{0}` is ignored by git")]
    Ignored(RepoPath),
    /// The folder to run in is not there.
    #[error("there is no folder `{0}` for the stage to run in")]
    NoFolder(RepoPath),
}
