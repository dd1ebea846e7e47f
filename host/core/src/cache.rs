//! The content-addressed cache (steps 7 and 8 of the walk): [`ObjectStore`] keeps contents, [`WorkTree`] takes them in from
//! the project's files and puts them back.
//!
//! 1. `tree`: the listing that names a directory.
//! 2. `read`: hashing and copying one file; `walk`: the files of a directory.
//! 3. `store`: objects on disk; `hold`: who uses them; `unused`: those that nobody does; `flight`: who makes them.
//! 4. `place`: folders that no symlink leads out of, and links from objects to files in them.
//! 5. `scan`, `ingest`, `check_out`, `outputs`: what a [`WorkTree`] does.

mod check_out;
mod flight;
pub mod hold;
mod ingest;
mod outputs;
mod place;
mod read;
mod scan;
mod store;
mod tree;
mod unused;
mod walk;

use std::path::{Path, PathBuf};

use crate::digest::{Algorithm, ObjectId};
use crate::fs::FsError;
use crate::ignore::IgnoreError;
use crate::index::StatIndex;

pub use check_out::{Changes, Goal, Wanted};
pub use flight::{Flight, OwnFlight};
pub use scan::Scanned;
pub use store::{LinkKind, ObjectStore, Shared, key};
pub use tree::{Part, Tree, TreeError};
pub use unused::Unused;

/// What goes wrong between the workspace and the cache.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The system refused.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A `.dvcignore` cannot be used.
    #[error(transparent)]
    Ignore(#[from] IgnoreError),
    /// A `.dvcignore` in a directory that is tracked as a whole: it would hide files of one content from its name.
    #[error("`{}`: a .dvcignore must not stand inside a tracked directory; move its lines to one above", .0.display())]
    IgnoreFileInside(PathBuf),
    /// Neither file nor directory.
    #[error("`{}` is a {kind}, which has no content to track", path.display())]
    Special {
        /// The path.
        path: PathBuf,
        /// Such as `socket`.
        kind: &'static str,
    },
    /// A symlink to a directory that it is itself in.
    #[error("`{}` is a symlink that leads back to a folder above it", .0.display())]
    Loop(PathBuf),
    /// A name that cannot be written in a listing.
    #[error("`{}` is not UTF-8, which names of tracked files must be", .0.display())]
    NotUtf8(PathBuf),
    /// Another process changed it meanwhile.
    #[error("`{}` was changed by another process meanwhile", .0.display())]
    Changed(PathBuf),
    /// A symlink on the way to an output leads out of the project.
    #[error("`{}` leads out of the project through a symlink", .0.display())]
    Outside(PathBuf),
    /// The place of an output is the project itself.
    #[error("the project's own folder cannot be an output")]
    Root,
    /// Nothing stands where something should.
    #[error("`{}` does not exist", .0.display())]
    Absent(PathBuf),
    /// The cache does not have it.
    #[error("the object {id} is not in the cache (`{}`)", path.display())]
    Missing {
        /// Its name.
        id: ObjectId,
        /// Where it should be.
        path: PathBuf,
    },
    /// The cache's object is not what its name says. It was removed.
    #[error("the object `{}` was damaged and has been removed from the cache", path.display())]
    Corrupt {
        /// Its name.
        id: ObjectId,
        /// Where it was.
        path: PathBuf,
    },
    /// What came from elsewhere is not what its name says. It was not kept.
    #[error("what should be the object {id} is damaged: it is {found}")]
    Wrong {
        /// What was asked for.
        id: ObjectId,
        /// What came.
        found: ObjectId,
    },
    /// The listing of a directory is none.
    #[error("the directory listing {id} is invalid: {reason}")]
    BadTree {
        /// Its name.
        id: ObjectId,
        /// Why.
        reason: TreeError,
    },
}

/// The files of a project, as the cache sees them.
#[derive(Debug)]
pub struct WorkTree<'a> {
    root: &'a Path,
    folder: cap_std::fs::Dir,
    index: &'a StatIndex,
}

impl<'a> WorkTree<'a> {
    /// The project at the absolute path `root`.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(root: &'a Path, index: &'a StatIndex) -> Result<Self, FsError> {
        let folder = cap_std::fs::Dir::open_ambient_dir(root, cap_std::ambient_authority());
        Ok(Self { root, folder: folder.map_err(FsError::new("open the folder", root))?, index })
    }

    /// What is known of its files.
    #[must_use]
    pub const fn index(&self) -> &'a StatIndex {
        self.index
    }

    /// The root of the project.
    #[must_use]
    pub const fn root(&self) -> &'a Path {
        self.root
    }
}

/// DVC 2's algorithm is only for verifying; what is new is named by plain MD5.
const fn writing(algorithm: Algorithm) -> Algorithm {
    match algorithm {
        Algorithm::Blake3 => Algorithm::Blake3,
        Algorithm::Md5 | Algorithm::Md5Dos2Unix => Algorithm::Md5,
    }
}

#[cfg(test)]
mod tests;
