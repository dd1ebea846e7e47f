//! Taking outputs into the cache.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::place::{Executable, Place};
use super::scan::{Looked, fingerprint, side_by_side, tree, work};
use super::walk::{FolderLinks, Found, walk};
use super::{CacheError, ObjectStore, Part, Scanned, WorkTree, writing};
use crate::digest::{Algorithm, ObjectId};
use crate::fs::FsError;
use crate::index::{Fingerprint, Remembered, Stat};
use crate::path::RepoPath;

impl WorkTree<'_> {
    /// Makes what stands at the output `path` an object: the name is that of the bytes that were stored, also when the file
    /// changes meanwhile. Then the file becomes a link as the store is configured; with `reflink` or `copy` first it is left
    /// alone, private and writable.
    ///
    /// DVC 2's algorithm is not written: [`Algorithm::Md5`] is, in its place.
    ///
    /// # Errors
    /// When nothing stands there, or as [`Self::scan`], or when the cache cannot be written (nothing is half-written then).
    pub fn ingest(&self, store: &ObjectStore, path: &RepoPath, algorithm: Algorithm) -> Result<Scanned, CacheError> {
        let algorithm = writing(algorithm);
        // Refuses a place outside of the project before anything is read.
        let absent = || CacheError::Absent(path.under(self.root));
        let place = self.place(path)?.ok_or_else(absent)?;
        match self.look(Path::new(path.as_str()))?.ok_or_else(absent)? {
            Looked::File(full, stat) => {
                let (id, size) = self.keep(store, &full, &stat, algorithm)?;
                self.relink(store, &place, &id, &stat)?;
                Ok(Scanned::File { id, size, executable: stat.is_executable() })
            }
            Looked::Directory(full, rules) => {
                let files = walk(&full, &rules, FolderLinks::of(algorithm))?;
                let fingerprint = fingerprint(&files);
                if let Some(Remembered { id, size, files }) = self.index.find(&full, algorithm, &fingerprint)
                    && store.contains(&id)?
                {
                    return Ok(Scanned::Directory { id, size, files, tree: None });
                }
                self.index.settle(&fingerprint, work(&files));
                let read_at = self.index.now();
                let one = |found: &Found| self.keep(store, &full.join(&found.relpath), &found.stat, algorithm);
                let kept = side_by_side(&files, algorithm, one)?;
                let size = kept.iter().map(|(_, size)| size).sum();
                let ids = kept.into_iter().map(|(id, _)| id).collect();
                let tree = tree(algorithm, &full, &files, ids)?;
                let id = store.insert_tree(&tree)?;
                let known = Remembered { id: id.clone(), size, files: files.len() as u64 };
                self.index.remember(&full, &fingerprint, read_at, &known);
                self.relink_all(store, path, &files, &tree)?;
                Ok(Scanned::Directory { id, size, files: files.len() as u64, tree: Some(tree) })
            }
        }
    }

    /// What stands at `path`, a file or a folder inside a directory, as a part of its listing; none when nothing does. With a
    /// `store` it is made objects first, as by [`Self::ingest`].
    ///
    /// # Errors
    /// As there.
    pub fn part(
        &self,
        store: Option<&ObjectStore>,
        path: &RepoPath,
        algorithm: Algorithm,
    ) -> Result<Option<Part>, CacheError> {
        let algorithm = writing(algorithm);
        let Some(looked) = self.look(Path::new(path.as_str()))? else { return Ok(None) };
        if let Some(store) = store {
            return Ok(Some(match self.ingest(store, path, algorithm)? {
                Scanned::File { id, .. } => Part::File(id),
                Scanned::Directory { tree: Some(tree), .. } => Part::Folder(tree),
                Scanned::Directory { id, tree: None, .. } => Part::Folder(store.tree(&id)?),
            }));
        }
        Ok(Some(match looked {
            Looked::File(full, stat) => Part::File(self.digest(&full, &stat, algorithm)?),
            Looked::Directory(full, rules) => {
                let files = walk(&full, &rules, FolderLinks::of(algorithm))?;
                let ids = self.digests(&full, &files, algorithm)?;
                Part::Folder(tree(algorithm, &full, &files, ids)?)
            }
        }))
    }

    /// Stores one file, unless its content is known and there.
    fn keep(
        &self,
        store: &ObjectStore,
        path: &Path,
        stat: &Stat,
        algorithm: Algorithm,
    ) -> Result<(ObjectId, u64), CacheError> {
        let fingerprint = Fingerprint::file(stat);
        if let Some(known) = self.index.find(path, algorithm, &fingerprint)
            && !known.id.is_directory()
            && store.has(&known.id)
        {
            return Ok((known.id, stat.size));
        }
        self.index.settle(&fingerprint, stat.size);
        let read_at = self.index.now();
        let (id, size) = store.insert_file(path, stat.size, algorithm)?;
        self.index.remember(path, &fingerprint, read_at, &Remembered { id: id.clone(), size, files: 1 });
        Ok((id, size))
    }

    fn relink_all(
        &self,
        store: &ObjectStore,
        path: &RepoPath,
        files: &[Found],
        tree: &super::Tree,
    ) -> Result<(), CacheError> {
        if keeps_private(store) {
            return Ok(());
        }
        for (found, (_, id)) in files.iter().zip(tree.files()) {
            let Ok(inside) = path.join(&found.relpath) else { continue };
            if let Some(place) = self.place(&inside)? {
                self.relink(store, &place, id, &found.stat)?;
            }
        }
        Ok(())
    }

    /// Replaces a file by a link to its object, when links are configured and it is none yet.
    fn relink(&self, store: &ObjectStore, place: &Place, id: &ObjectId, stat: &Stat) -> Result<(), CacheError> {
        if keeps_private(store) {
            return Ok(());
        }
        let object = store.path(id);
        let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
        let of = |path: &Path| std::fs::metadata(path).map(identity).map_err(FsError::new("look at", path));
        if of(&object)? == of(&place.path)? {
            return Ok(());
        }
        // What was written since it was stored must not be replaced by what was stored.
        let now = Stat::from(&std::fs::metadata(&place.path).map_err(FsError::new("look at", &place.path))?);
        if now != *stat {
            return Err(CacheError::Changed(place.path.clone()));
        }
        let executable = if stat.is_executable() { Executable::Yes } else { Executable::No };
        place.link(store, &object, executable).map(|_| ())
    }
}

fn keeps_private(store: &ObjectStore) -> bool {
    store.links().first().is_none_or(|kind| kind.is_private())
}
