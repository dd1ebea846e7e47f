//! Hashing what stands at a path, with the ignore rules and what the index knows.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rayon::prelude::*;

use super::walk::{FolderLinks, Found, check_regular, walk};
use super::{CacheError, Tree, WorkTree, read};
use crate::digest::{Algorithm, ObjectId};
use crate::fs::{FsError, is_absent};
use crate::ignore::FolderRules;
use crate::index::{Fingerprint, Remembered, Stat};
use crate::path::RepoPath;

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scanned {
    /// A file, or a symlink to one.
    File {
        /// Its content.
        id: ObjectId,
        /// Bytes.
        size: u64,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A directory, or a symlink to one.
    Directory {
        /// The name of its listing.
        id: ObjectId,
        /// Sum of the bytes of its files.
        size: u64,
        /// Number of files.
        files: u64,
        /// The listing, unless all that the index had to tell was its name.
        tree: Option<Tree>,
    },
}

impl Scanned {
    /// The name of the content.
    #[must_use]
    pub const fn id(&self) -> &ObjectId {
        match self {
            Self::File { id, .. } | Self::Directory { id, .. } => id,
        }
    }

    /// Bytes, of a directory the sum over its files.
    #[must_use]
    pub const fn size(&self) -> u64 {
        match self {
            Self::File { size, .. } | Self::Directory { size, .. } => *size,
        }
    }
}

/// What a path is, before anything is read.
pub(super) enum Looked {
    File(PathBuf, Stat),
    Directory(PathBuf, Arc<FolderRules>),
}

impl WorkTree<'_> {
    /// Hashes what stands at `path`, relative to the project or absolute (dependencies may be anywhere). None when nothing
    /// does. Symlinks are followed. What the index knows is not read.
    ///
    /// # Errors
    /// When something cannot be read, is neither file nor directory, or is a symlink loop; when a directory holds a
    /// `.dvcignore`.
    pub fn scan(&self, path: &Path, algorithm: Algorithm) -> Result<Option<Scanned>, CacheError> {
        match self.look(path)? {
            None => Ok(None),
            Some(Looked::File(path, stat)) => {
                let id = self.digest(&path, &stat, algorithm)?;
                Ok(Some(Scanned::File { id, size: stat.size, executable: stat.is_executable() }))
            }
            Some(Looked::Directory(path, rules)) => {
                let files = walk(&path, &rules, FolderLinks::of(algorithm))?;
                let fingerprint = fingerprint(&files);
                if let Some(Remembered { id, size, files }) = self.index.find(&path, algorithm, &fingerprint) {
                    return Ok(Some(Scanned::Directory { id, size, files, tree: None }));
                }
                self.index.settle(&fingerprint, work(&files));
                let read_at = self.index.now();
                let ids = self.digests(&path, &files, algorithm)?;
                let tree = tree(algorithm, &path, &files, ids)?;
                let known = Remembered {
                    id: tree.id(&tree.to_bytes()),
                    size: files.iter().map(|found| found.stat.size).sum(),
                    files: files.len() as u64,
                };
                self.index.remember(&path, &fingerprint, read_at, &known);
                let Remembered { id, size, files } = known;
                Ok(Some(Scanned::Directory { id, size, files, tree: Some(tree) }))
            }
        }
    }

    /// The files of the directory at `path`, as [`Self::scan`] sees them; none when no directory is there.
    ///
    /// # Errors
    /// As [`Self::scan`].
    pub fn listing(&self, path: &Path, algorithm: Algorithm) -> Result<Option<Tree>, CacheError> {
        let Some(Looked::Directory(path, rules)) = self.look(path)? else { return Ok(None) };
        let files = walk(&path, &rules, FolderLinks::of(algorithm))?;
        let ids = self.digests(&path, &files, algorithm)?;
        tree(algorithm, &path, &files, ids).map(Some)
    }

    /// Whether the directory at `path`, which had `files` files of `size` bytes together, has since then only gained files:
    /// those that were there are there unchanged. When the file system does not tell when files were made, the answer is no.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn only_gained(&self, path: &Path, size: u64, files: u64, since: SystemTime) -> Result<bool, CacheError> {
        let Some(Looked::Directory(path, rules)) = self.look(path)? else { return Ok(false) };
        let (mut old_size, mut old_files) = (0, 0);
        for found in walk(&path, &rules, FolderLinks::Skip)? {
            let Ok(metadata) = std::fs::symlink_metadata(path.join(&found.relpath)) else { return Ok(false) };
            let (Ok(made), Ok(modified)) = (metadata.created(), metadata.modified()) else { return Ok(false) };
            if made >= since {
                continue;
            }
            if modified >= since {
                return Ok(false);
            }
            old_size += found.stat.size;
            old_files += 1;
        }
        Ok((old_size, old_files) == (size, files))
    }

    pub(super) fn look(&self, path: &Path) -> Result<Option<Looked>, CacheError> {
        let path = self.root.join(path);
        let metadata = match std::fs::metadata(&path) {
            Err(error) if is_absent(&error) => return Ok(None),
            result => result.map_err(FsError::new("look at", &path))?,
        };
        if metadata.is_dir() {
            let rules = match RepoPath::from_absolute(self.root, &path) {
                Ok(inside) => match inside.parent() {
                    Some(parent) => FolderRules::of(self.root, &parent)?,
                    None => Arc::default(),
                },
                // Outside of the project its rules say nothing.
                Err(_) => Arc::default(),
            };
            return Ok(Some(Looked::Directory(path, rules)));
        }
        check_regular(&path, metadata.file_type())?;
        let stat = Stat::from(&metadata);
        Ok(Some(Looked::File(path, stat)))
    }

    /// The digest of one file, by the index or by reading it.
    pub(super) fn digest(&self, path: &Path, stat: &Stat, algorithm: Algorithm) -> Result<ObjectId, CacheError> {
        let fingerprint = Fingerprint::file(stat);
        if let Some(known) = self.index.find(path, algorithm, &fingerprint).filter(|known| !known.id.is_directory()) {
            return Ok(known.id);
        }
        self.index.settle(&fingerprint, stat.size);
        let read_at = self.index.now();
        let id = read::digest(path, stat.size, algorithm)?;
        self.index.remember(path, &fingerprint, read_at, &Remembered { id: id.clone(), size: stat.size, files: 1 });
        Ok(id)
    }

    /// The digests of the files of a directory, in their order. Small files are hashed side by side; a large one is given all
    /// threads when the algorithm can use them.
    pub(super) fn digests(
        &self,
        top: &Path,
        files: &[Found],
        algorithm: Algorithm,
    ) -> Result<Vec<ObjectId>, CacheError> {
        let one = |found: &Found| self.digest(&top.join(&found.relpath), &found.stat, algorithm);
        side_by_side(files, algorithm, one)
    }
}

/// Does `one` for every file, in parallel as far as it is not parallel itself, and returns the results in order.
pub(super) fn side_by_side<T: Send>(
    files: &[Found],
    algorithm: Algorithm,
    one: impl Fn(&Found) -> Result<T, CacheError> + Sync,
) -> Result<Vec<T>, CacheError> {
    let alone = |found: &Found| algorithm == Algorithm::Blake3 && found.stat.size > read::SMALL;
    let done = files.par_iter().map(|found| if alone(found) { Ok(None) } else { one(found).map(Some) });
    let done: Vec<Option<T>> = done.collect::<Result<_, CacheError>>()?;
    done.into_iter().zip(files).map(|(done, found)| done.map_or_else(|| one(found), Ok)).collect()
}

/// How much reading these files costs, in bytes of one large file: opening a small one costs as much as reading some pages.
pub(super) fn work(files: &[Found]) -> u64 {
    const OPENING: u64 = 16 << 10;
    files.iter().map(|found| found.stat.size + OPENING).sum()
}

pub(super) fn fingerprint(files: &[Found]) -> Fingerprint {
    Fingerprint::directory(files.iter().map(|found| (found.relpath.as_str(), &found.stat)))
}

pub(super) fn tree(algorithm: Algorithm, top: &Path, files: &[Found], ids: Vec<ObjectId>) -> Result<Tree, CacheError> {
    let entries = files.iter().map(|found| found.relpath.clone()).zip(ids);
    // Names from a file system cannot be refused, unless it changed its mind half-way.
    Tree::new(algorithm, entries)
        .map_err(|error| FsError::new("list", top)(io::Error::new(io::ErrorKind::InvalidData, error)).into())
}
