//! Putting objects into the workspace.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cap_std::fs::Dir;
use rayon::prelude::*;

use super::place::{Executable, Place, sweep};
use super::walk::{FolderLinks, FoundKind, walk};
use super::{CacheError, ObjectStore, Scanned, Tree, WorkTree};
use crate::digest::{Algorithm, ObjectId};
use crate::fs::FsError;
use crate::ignore::FolderRules;
use crate::index::{Fingerprint, Remembered};
use crate::path::RepoPath;

/// What a check-out did to the workspace, each list sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Files that were not there.
    pub added: Vec<RepoPath>,
    /// Files that were other.
    pub modified: Vec<RepoPath>,
    /// Files that are gone.
    pub deleted: Vec<RepoPath>,
}

impl Changes {
    /// Whether nothing had to be done.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.deleted.is_empty()
    }
}

impl WorkTree<'_> {
    /// Makes the workspace hold at `path` what `wanted` names: what is right stays, what is missing or other is put there
    /// file by file by rename, and in a directory what is not in it is removed. Only of a file is the executable bit known.
    ///
    /// Every object that is needed is verified first; nothing is touched when one is missing or damaged.
    ///
    /// # Errors
    /// When an object is missing or damaged, a symlink on the way leads out of the project, or something cannot be written.
    pub fn check_out(&self, store: &ObjectStore, wanted: &Wanted<'_>, path: &RepoPath) -> Result<Changes, CacheError> {
        if wanted.id.is_directory() {
            self.check_out_directory(store, wanted.id, path)
        } else {
            self.check_out_file(store, wanted, path)
        }
    }

    fn check_out_file(&self, store: &ObjectStore, wanted: &Wanted<'_>, path: &RepoPath) -> Result<Changes, CacheError> {
        let full = path.under(self.root);
        let exists = match self.place(path)? {
            Some(place) => place.metadata()?.is_some(),
            None => false,
        };
        // What cannot be read is not what is wanted.
        if exists
            && let Ok(Some(Scanned::File { id, executable, .. })) = self.scan(&full, wanted.id.algorithm())
            && &id == wanted.id
            && executable == wanted.executable
        {
            return Ok(Changes::default());
        }
        let object = store.verified(wanted.id, self.index)?;
        let executable = if wanted.executable { Executable::Yes } else { Executable::No };
        let place = self.make_place(path)?;
        sweep(&place.folder);
        self.put(store, &place, &object, wanted.id, executable)?;
        let mut changes = Changes::default();
        if exists { &mut changes.modified } else { &mut changes.added }.push(path.clone());
        Ok(changes)
    }

    fn check_out_directory(&self, store: &ObjectStore, id: &ObjectId, path: &RepoPath) -> Result<Changes, CacheError> {
        if self.place(path)?.as_ref().map(Place::metadata).transpose()?.flatten().is_some()
            && let Ok(Some(scanned)) = self.scan(&path.under(self.root), id.algorithm())
            && scanned.id() == id
        {
            return Ok(Changes::default());
        }
        self.check_out_tree(store, &store.tree(id)?, path)
    }

    /// Makes the workspace hold the files of `tree` at `path`, and no others, as [`Self::check_out`].
    ///
    /// # Errors
    /// As there.
    pub fn check_out_tree(&self, store: &ObjectStore, tree: &Tree, path: &RepoPath) -> Result<Changes, CacheError> {
        let full = path.under(self.root);
        let there = self.place(path)?.as_ref().map(Place::metadata).transpose()?.flatten();
        let algorithm = tree.algorithm();
        let present = match &there {
            Some(metadata) if metadata.is_dir() => self.present(&full, path, algorithm)?,
            _ => BTreeMap::new(),
        };
        let needed: Vec<(&str, &ObjectId)> = tree
            .files()
            .filter(|(name, id)| present.get(*name).is_none_or(|there| there.as_ref() != Some(*id)))
            .collect();
        let objects: Vec<PathBuf> =
            needed.par_iter().map(|(_, id)| store.verified(id, self.index)).collect::<Result<_, _>>()?;

        let top = self.make_place(path)?.make_folder()?;
        let mut changes = remove_others(&top, path, &full, &present, tree)?;
        let mut folders: BTreeMap<&str, Vec<Job<'_>>> = BTreeMap::new();
        for ((relpath, id), object) in needed.into_iter().zip(&objects) {
            let (folder, name) = relpath.rsplit_once('/').unwrap_or(("", relpath));
            folders.entry(folder).or_default().push(Job { name, id, object });
            let list = if present.contains_key(relpath) { &mut changes.modified } else { &mut changes.added };
            list.push(path.join(relpath).map_err(|_| CacheError::Outside(full.join(relpath)))?);
        }
        folders.par_iter().try_for_each(|(folder, jobs)| {
            let opened = make_folders(&top, &full, folder)?;
            sweep(&opened);
            jobs.par_iter().with_min_len(16).try_for_each(|job| {
                let place = Place {
                    folder: opened.try_clone().map_err(FsError::new("open", &full))?,
                    name: job.name.to_owned(),
                    path: full.join(folder).join(job.name),
                };
                self.put(store, &place, job.object, job.id, Executable::No)
            })
        })?;
        // Another process may be at work in it; and this way the index knows it.
        let id = tree.id(&tree.to_bytes());
        match self.scan(&full, algorithm)? {
            Some(scanned) if scanned.id() == &id => Ok(changes),
            _ => Err(CacheError::Changed(full)),
        }
    }

    /// The files at `path` that a check-out of `goal` would replace or remove, and whose content `store` does not have.
    ///
    /// # Errors
    /// When what stands there cannot be read.
    pub fn would_lose(&self, store: &ObjectStore, goal: &Goal, path: &RepoPath) -> Result<Vec<RepoPath>, CacheError> {
        let full = path.under(self.root);
        let Some(metadata) = self.place(path)?.as_ref().map(Place::metadata).transpose()?.flatten() else {
            return Ok(Vec::new());
        };
        let is_lost = |there: &ObjectId, wanted: Option<&ObjectId>| wanted != Some(there) && !store.has(there);
        if !metadata.is_dir() {
            let wanted = if let Goal::File { id, .. } = goal { Some(id) } else { None };
            // Of a symlink to a folder only the link goes.
            let Some(Scanned::File { id, .. }) = self.scan(&full, goal.algorithm())? else { return Ok(Vec::new()) };
            return Ok(if is_lost(&id, wanted) { vec![path.clone()] } else { Vec::new() });
        }
        let wanted = |relpath: &str| if let Goal::Files(tree) = goal { tree.get(relpath) } else { None };
        let present = self.present(&full, path, goal.algorithm())?;
        let lost = present.iter().filter_map(|(relpath, id)| Some((relpath, id.as_ref()?)));
        let lost = lost.filter(|(relpath, id)| is_lost(id, wanted(relpath)));
        lost.map(|(relpath, _)| path.join(relpath).map_err(|_| CacheError::Outside(full.join(relpath)))).collect()
    }

    /// Links the files at `path` to their objects anew, as the store is configured; they must hold what `goal` names.
    ///
    /// # Errors
    /// When an object is missing or damaged, or a file cannot be written.
    pub fn link_anew(&self, store: &ObjectStore, goal: &Goal, path: &RepoPath) -> Result<(), CacheError> {
        let link = |path: &RepoPath, id: &ObjectId, executable: bool| {
            let executable = if executable { Executable::Yes } else { Executable::No };
            self.put(store, &self.make_place(path)?, &store.verified(id, self.index)?, id, executable)
        };
        match goal {
            Goal::File { id, executable } => link(path, id, *executable),
            Goal::Files(tree) => tree.files().collect::<Vec<_>>().into_par_iter().try_for_each(|(relpath, id)| {
                let outside = |_| CacheError::Outside(path.under(self.root).join(relpath));
                link(&path.join(relpath).map_err(outside)?, id, false)
            }),
        }
    }

    /// The files that are there, and what they hold; a symlink to a directory holds nothing.
    fn present(
        &self,
        full: &Path,
        path: &RepoPath,
        algorithm: Algorithm,
    ) -> Result<BTreeMap<String, Option<ObjectId>>, CacheError> {
        let rules = FolderRules::of(self.root, &path.parent().ok_or(CacheError::Root)?)?;
        let links = match FolderLinks::of(algorithm) {
            FolderLinks::Follow => FolderLinks::List,
            other => other,
        };
        let (links, files): (Vec<_>, Vec<_>) =
            walk(full, &rules, links)?.into_iter().partition(|found| found.kind == FoundKind::FolderLink);
        let ids = self.digests(full, &files, algorithm)?;
        let files = files.into_iter().zip(ids).map(|(found, id)| (found.relpath, Some(id)));
        Ok(files.chain(links.into_iter().map(|found| (found.relpath, None))).collect())
    }

    /// Puts an object at a place and remembers what stands there now.
    fn put(
        &self,
        store: &ObjectStore,
        place: &Place,
        object: &Path,
        id: &ObjectId,
        executable: Executable,
    ) -> Result<(), CacheError> {
        let stat = place.link(store, object, executable)?;
        let known = Remembered { id: id.clone(), size: stat.size, files: 1 };
        self.index.remember(&place.path, &Fingerprint::written(&stat), self.index.now(), &known);
        Ok(())
    }
}

/// What a check-out is to make of a path.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The content.
    pub id: &'a ObjectId,
    /// Whether a file is executable (`isexec` of its lock entry).
    pub executable: bool,
}

/// What is to stand at a path, with all its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// A file.
    File {
        /// Its content.
        id: ObjectId,
        /// Whether it is executable.
        executable: bool,
    },
    /// A directory.
    Files(Tree),
}

impl Goal {
    const fn algorithm(&self) -> Algorithm {
        match self {
            Self::File { id, .. } => id.algorithm(),
            Self::Files(tree) => tree.algorithm(),
        }
    }
}

/// A file to be written into an open folder.
struct Job<'a> {
    name: &'a str,
    id: &'a ObjectId,
    object: &'a Path,
}

/// Removes the files that the tree does not have, and the folders that are empty then.
fn remove_others(
    top: &Dir,
    path: &RepoPath,
    full: &Path,
    present: &BTreeMap<String, Option<ObjectId>>,
    tree: &Tree,
) -> Result<Changes, CacheError> {
    let mut changes = Changes::default();
    for relpath in present.keys().filter(|relpath| tree.get(relpath).is_none()) {
        let (folder, name) = relpath.rsplit_once('/').unwrap_or(("", relpath));
        let opened = make_folders(top, full, folder)?;
        Place { folder: opened, name: name.to_owned(), path: full.join(relpath) }.remove()?;
        changes.deleted.push(path.join(relpath).map_err(|_| CacheError::Outside(full.join(relpath)))?);
        let mut empty = folder;
        while !empty.is_empty() {
            let (above, name) = empty.rsplit_once('/').unwrap_or(("", empty));
            // One that is not empty stays.
            if make_folders(top, full, above)?.remove_dir(name).is_err() {
                break;
            }
            empty = above;
        }
    }
    Ok(changes)
}

/// Opens a folder below `top`, making what is missing, never through a symlink.
fn make_folders(top: &Dir, full: &Path, folder: &str) -> Result<Dir, CacheError> {
    let mut path = full.to_owned();
    let mut open = top.try_clone().map_err(FsError::new("open", full))?;
    for part in folder.split('/').filter(|part| !part.is_empty()) {
        path.push(part);
        open = Place { folder: open, name: part.to_owned(), path: path.clone() }.make_folder()?;
    }
    Ok(open)
}
