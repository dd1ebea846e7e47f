//! What plans are made of: contents and parameters as they are now.

use std::sync::Arc;

use dewar_text::Value;

use crate::cache::{CacheError, Scanned, Tree};
use crate::digest::{Algorithm, ObjectId};
use crate::params::files::ParamsError;
use crate::path::RepoPath;
use crate::pipeline::{PipelineError, Place, StageAddress};
use crate::remote::RemoteError;

/// The content of a file or directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Its name.
    pub id: ObjectId,
    /// Bytes, of all files of a directory together.
    pub size: u64,
    /// How many files a directory has; none for a file.
    pub files: Option<u64>,
    /// Whether the file is executable.
    pub executable: bool,
}

impl From<Scanned> for Content {
    fn from(scanned: Scanned) -> Self {
        match scanned {
            Scanned::File { id, size, executable } => Self { id, size, files: None, executable },
            Scanned::Directory { id, size, files, .. } => Self { id, size, files: Some(files), executable: false },
        }
    }
}

/// Why something cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// A file or directory cannot be read.
    #[error(transparent)]
    Content(#[from] CacheError),
    /// A parameter file cannot be read.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// The text of a file cannot be had.
    #[error(transparent)]
    Files(#[from] PipelineError),
    /// What is missing cannot be fetched.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// A dependency is not there when its stage is to run.
    #[error("the dependency `{path}` of the stage `{stage}` does not exist")]
    MissingDependency {
        /// The stage.
        stage: StageAddress,
        /// As the lock names it.
        path: String,
    },
    /// A stage depends on all parameters of a file that has none by name.
    #[error("`{file}` holds no mapping of names to values, as the stage `{stage}` expects of its parameters")]
    NoMapping {
        /// The stage.
        stage: StageAddress,
        /// The file.
        file: RepoPath,
    },
    /// Parameters are not in their file when their stage is to run.
    #[error("`{file}` lacks the parameter{} {} of the stage `{stage}`", if keys.len() == 1 { "" } else { "s" }, quoted(keys))]
    MissingParams {
        /// The stage.
        stage: StageAddress,
        /// The file.
        file: RepoPath,
        /// The dotted keys.
        keys: Vec<String>,
    },
}

fn quoted(keys: &[String]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}

/// Looks at contents and parameters.
pub trait Observe: Sync {
    /// What names new contents in this project.
    fn algorithm(&self) -> Algorithm;

    /// The content at a place of this machine; none when nothing is there.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    fn content(&self, place: &Place, algorithm: Algorithm) -> Result<Option<Content>, ObserveError>;

    /// The values of a parameter file; none when it is not there.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    fn params(&self, file: &RepoPath) -> Result<Option<Arc<Value>>, ObserveError>;

    /// Whether the cache has this object: of a directory its listing, and not that of every file in it, which would be to be
    /// asked of all outputs again and again. Not enough to remove what is in the workspace
    /// ([`ObjectStore::contains`](crate::cache::ObjectStore::contains) is).
    fn has_object(&self, id: &ObjectId) -> bool;

    /// The files of the directory at a place of this machine; none when no directory is there.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    fn listing(&self, place: &Place, algorithm: Algorithm) -> Result<Option<Tree>, ObserveError>;

    /// The files of the directory of that name, when the cache has its listing.
    fn cached_listing(&self, id: &ObjectId) -> Option<Tree>;
}
