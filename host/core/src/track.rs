//! Data under the project's care, between the workspace and the cache, where no stage runs: [`add`] puts it there, [`commit`]
//! records outputs as they are, [`check_out`] brings them back.

mod add;
mod aside;
mod bring;
mod check_out;
mod commit;
mod matching;

use crate::cache::CacheError;
use crate::fs::FsError;
use crate::git::GitError;
use crate::observe::ObserveError;
use crate::path::{PathError, RepoPath};
use crate::pipeline::{PipelineError, StageAddress};
use crate::schedule::RunError;

pub use add::{Added, Addition, additions};
pub use aside::{Unrecorded, keep_outputs, remove_unrecorded};
pub use bring::bring;
pub use check_out::{Change, CheckOut, CheckedOut, Links, OutputChange, Unsaved, check_out, unsaved, would_lose};
pub use commit::{Uncommitted, commit, uncommitted};
pub use matching::{matching, matching_outputs};

/// Why data cannot be tracked or checked out.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    /// The content cannot be kept or restored.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FsError),
    /// A path is outside the project.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A pipeline file is invalid.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// Git cannot be asked.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The inputs of a stage cannot be looked at.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// A lock cannot be written.
    #[error(transparent)]
    Lock(#[from] RunError),
    /// Git has it.
    #[error("`{0}` is tracked by git")]
    TrackedByGit(RepoPath),
    /// Git ignores the file that would name it, so that nobody else would see it.
    #[error("git ignores `{0}`, which would name the data")]
    IgnoredByGit(RepoPath),
    /// A `.dvcignore` names it.
    #[error("`{0}` is ignored by a `.dvcignore`")]
    Ignored(RepoPath),
    /// A stage writes it, or something around it.
    #[error("`{path}` is an output of the stage `{stage}`")]
    IsOutput {
        /// What was to be tracked.
        path: RepoPath,
        /// The stage.
        stage: StageAddress,
    },
    /// Something inside it is kept already.
    #[error("`{path}` has in it `{inner}`, which `{stage}` keeps already")]
    HasOutput {
        /// What was to be tracked.
        path: RepoPath,
        /// What is inside it.
        inner: RepoPath,
        /// The stage or `.dvc` file.
        stage: StageAddress,
    },
    /// It is one of the files that hold the project together, or has one in it.
    #[error("`{path}` cannot be tracked: it {} `{file}`", if path == file { "is" } else { "holds" })]
    OwnFile {
        /// What was to be tracked.
        path: RepoPath,
        /// The file.
        file: RepoPath,
    },
    /// The `.dvc` file beside it names something else.
    #[error("`{file}` names `{other}`, not `{path}`")]
    OtherData {
        /// What was to be tracked.
        path: RepoPath,
        /// The `.dvc` file.
        file: RepoPath,
        /// What it names.
        other: RepoPath,
    },
    /// A symlink to a folder is on the way to it.
    #[error("`{path}` is reached through the symlink `{link}`")]
    BehindLink {
        /// What was to be tracked.
        path: RepoPath,
        /// The link.
        link: RepoPath,
    },
    /// Two targets of one command lie in each other.
    #[error("`{inner}` lies in `{outer}`, which is added, too")]
    Twice {
        /// The one.
        outer: RepoPath,
        /// The other.
        inner: RepoPath,
    },
    /// It is tracked as a file, and a path inside it was named.
    #[error("`{0}` is tracked as a file, and has no paths in it")]
    NotADirectory(RepoPath),
    /// The directory was recorded with another hash than the project's; a part of it cannot be.
    #[error("`{0}` is recorded with another kind of hash, so that a part of it cannot be added")]
    OtherHash(RepoPath),
    /// Nothing stands where an output should.
    #[error("the output `{path}` of the stage `{stage}` does not exist")]
    OutputMissing {
        /// The stage.
        stage: StageAddress,
        /// The output.
        path: RepoPath,
    },
    /// A pattern that is none.
    #[error("`{pattern}` is no pattern: {error}")]
    Pattern {
        /// What was typed.
        pattern: String,
        /// Why.
        #[source]
        error: globset::Error,
    },
    /// The directory that a path is in is recorded without it.
    #[error("`{path}` is not among what is recorded of `{out}`")]
    NotRecorded {
        /// What was named.
        path: RepoPath,
        /// The directory.
        out: RepoPath,
    },
    /// What is in the workspace is not in the cache, and would be lost.
    #[error("{} {} not in the cache and would be lost: {}", paths.len(), if paths.len() == 1 { "file is" } else { "files are" }, list(paths))]
    WouldLose {
        /// The files.
        paths: Vec<RepoPath>,
    },
}

fn list(paths: &[RepoPath]) -> String {
    paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ")
}

/// Whether contents go into the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// They do, and the files become links to them, as the cache is configured.
    Linked,
    /// They do, and the files stay as they are (`--no-relink`).
    Unlinked,
    /// They are only hashed (`--no-commit`).
    No,
}
