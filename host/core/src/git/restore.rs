//! The files of a tree, back into the work tree.
//!
//! What changes is the difference of two trees. Every new content is first written beside the work tree, with line ends as
//! git would check them out; only then are files removed and the new ones renamed into their places. So a full disk changes
//! nothing, and a hard link to a cached object is replaced, never written through.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use git2::build::CheckoutBuilder;
use git2::{AttrCheckFlags, Delta, DiffOptions, Index};

use super::worktree::{Folders, SUBMODULE, refuse_driver};
use super::{Git, GitError, TreeId};
use crate::fs::{FsError, create_dir, is_absent};
use crate::path::RepoPath;

/// What a restore did, as git names the paths that are not UTF-8 lossily.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Files written, below the root of the work tree.
    pub written: Vec<String>,
    /// Files removed, below the root of the work tree.
    pub removed: Vec<String>,
}

/// The difference of two trees as work to do.
#[derive(Debug, Default)]
struct Work {
    write: Vec<PathBuf>,
    remove: Vec<PathBuf>,
}

impl Git {
    /// Makes the work tree, of which `from` is a snapshot, that of `to`. Only paths in which the two differ are touched;
    /// `HEAD` and the index are not. `staging` is a folder of the project (made when missing) for new contents, on the file
    /// system of the work tree.
    ///
    /// # Errors
    /// When something cannot be read or written. Before the first removal or rename, nothing has changed.
    pub fn restore(&self, from: TreeId, to: TreeId, staging: &RepoPath) -> Result<Restored, GitError> {
        let work = self.difference(from, to)?;
        let staging = staging.under(&self.root);
        create_dir(&staging)?;
        let staged = tempfile::Builder::new()
            .prefix("restore-")
            .tempdir_in(&staging)
            .map_err(FsError::new("create a folder in", &staging))?;
        if !work.write.is_empty() {
            self.check_out(to, &work.write, staged.path())?;
        }
        for path in &work.remove {
            self.remove(path)?;
        }
        for path in &work.write {
            self.make_folders(path)?;
            let target = self.workdir.join(path);
            std::fs::rename(staged.path().join(path), &target).map_err(FsError::new("write", target))?;
        }
        let names = |paths: &[PathBuf]| paths.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        Ok(Restored { written: names(&work.write), removed: names(&work.remove) })
    }

    /// Makes these paths of the work tree what they are in `to`; `base` is a tree of about what the work tree is beside them.
    ///
    /// # Errors
    /// As [`Git::restore`].
    pub fn restore_paths(
        &self,
        base: TreeId,
        to: TreeId,
        paths: &[RepoPath],
        staging: &RepoPath,
    ) -> Result<Restored, GitError> {
        let now = self.snapshot_onto(base, paths)?;
        self.restore(now, self.with_paths_of(now, to, paths)?, staging)
    }

    /// Records the work tree as [`Git::snapshot`] does, together with every untracked file that stands in the way of a file of
    /// `target`, and with the files `aside`, whether git ignores them or not: what [`Git::restore`] to that tree starts from.
    ///
    /// # Errors
    /// As [`Git::snapshot`]; [`GitError::NotRecorded`] for one of `aside` that git cannot have.
    pub fn snapshot_for_restore(&self, target: TreeId, aside: &[RepoPath]) -> Result<TreeId, GitError> {
        let (tracked, index) = self.record(&[], &[])?;
        let mut in_the_way: Vec<PathBuf> = self
            .difference(tracked, target)?
            .write
            .into_iter()
            .filter(|path| index.get_path(path, 0).is_none())
            .filter_map(|path| self.obstacle(&path))
            .collect();
        in_the_way.extend(aside.iter().map(|path| PathBuf::from(self.in_git(path))));
        if in_the_way.is_empty() {
            return Ok(tracked);
        }
        let (tree, index) = self.record(&[], &in_the_way)?;
        match aside.iter().find(|path| index.get_path(Path::new(&self.in_git(path)), 0).is_none()) {
            Some(path) => Err(GitError::NotRecorded { path: path.clone() }),
            None => Ok(tree),
        }
    }

    /// The files of `now`, a snapshot of the work tree, that a restore to `to` would overwrite or remove, and whose content none
    /// of the trees that `known` gives has at that path; as git names them. What git does not track is passed by where it ignores
    /// it, and within the paths `elsewhere`, whose contents somebody else keeps.
    ///
    /// # Errors
    /// When git cannot be read.
    pub fn only_in_work_tree(
        &self,
        now: TreeId,
        to: TreeId,
        elsewhere: &[RepoPath],
        known: impl Iterator<Item = Result<TreeId, GitError>>,
    ) -> Result<Vec<String>, GitError> {
        let error = || GitError::operation("compare the trees", format!("{now} and {to}"));
        let tree = |id: TreeId| self.repo.find_tree(id.0).map_err(error());
        let work = self.difference(now, to)?;
        let there = tree(now)?;
        let index = self.repo.index().map_err(GitError::operation("read", "the index"))?;
        let mut only = Vec::new();
        for path in work.write.into_iter().chain(work.remove) {
            let Ok(entry) = there.get_path(&path) else { continue };
            let is_tracked = index.get_path(&path, 0).is_some();
            let is_elsewhere = || elsewhere.iter().any(|kept| path.starts_with(self.in_git(kept)));
            if is_tracked || !is_elsewhere() && !self.repo.is_path_ignored(&path).map_err(error())? {
                only.push((path, entry.id()));
            }
        }
        for known in known {
            if only.is_empty() {
                break;
            }
            let known = tree(known?)?;
            only.retain(|(path, id)| !known.get_path(path).is_ok_and(|entry| entry.id() == *id));
        }
        let mut names: Vec<String> = only.iter().map(|(path, _)| path.to_string_lossy().into_owned()).collect();
        names.sort();
        Ok(names)
    }

    /// What stands where a file shall be written: itself, or a file or symlink in the place of one of its folders.
    fn obstacle(&self, relative: &Path) -> Option<PathBuf> {
        let mut here = PathBuf::new();
        for part in relative {
            here.push(part);
            let meta = std::fs::symlink_metadata(self.workdir.join(&here)).ok()?;
            if !meta.is_dir() || here == relative {
                return Some(here);
            }
        }
        None
    }

    fn difference(&self, from: TreeId, to: TreeId) -> Result<Work, GitError> {
        let error = || GitError::operation("compare the trees", format!("{from} and {to}"));
        let old = self.repo.find_tree(from.0).map_err(error())?;
        let new = self.repo.find_tree(to.0).map_err(error())?;
        let mut options = DiffOptions::new();
        options.include_typechange(true).skip_binary_check(true);
        let diff = self.repo.diff_tree_to_tree(Some(&old), Some(&new), Some(&mut options)).map_err(error())?;
        let mut work = Work::default();
        for delta in diff.deltas() {
            let (old, new) = (delta.old_file(), delta.new_file());
            let is_submodule = |file: &git2::DiffFile<'_>| u32::from(file.mode()) == SUBMODULE;
            if is_submodule(&old) || is_submodule(&new) {
                continue;
            }
            let Some(path) = new.path_bytes().or_else(|| old.path_bytes()) else { continue };
            let path = PathBuf::from(OsStr::from_bytes(path));
            if delta.status() == Delta::Deleted {
                work.remove.push(path);
            } else {
                work.write.push(path);
            }
        }
        Ok(work)
    }

    /// Removes a file, and the folders that it leaves empty.
    fn remove(&self, relative: &Path) -> Result<(), GitError> {
        if !Folders::new(&self.workdir).leads_to(relative) {
            return Ok(());
        }
        let path = self.workdir.join(relative);
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(FsError::new("remove", path)(error).into()),
        }
        for folder in path.ancestors().skip(1).take_while(|folder| *folder != self.workdir && *folder != self.root) {
            if std::fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Writes files of a tree into a folder that has none of them, as git would check them out.
    pub(super) fn check_out(&self, tree: TreeId, paths: &[PathBuf], folder: &Path) -> Result<(), GitError> {
        let error = || GitError::operation("check out files of the tree", tree);
        // `.gitattributes` is read from the index and the work tree, so in this handle both are the tree that is checked out.
        let git = self.reopen()?;
        let object = git.repo.find_tree(tree.0).map_err(error())?;
        let mut index = Index::new().map_err(error())?;
        index.read_tree(&object).map_err(error())?;
        git.repo.set_index(&mut index).map_err(error())?;
        git.repo.set_workdir(folder, false).map_err(error())?;
        for path in paths {
            refuse_driver(&git.repo, path, AttrCheckFlags::INDEX_THEN_FILE)?;
        }
        let write = |paths: &[&PathBuf]| {
            let mut options = CheckoutBuilder::new();
            options.force().update_index(false).refresh(false).disable_pathspec_match(true);
            for path in paths {
                options.path(path.as_os_str().as_bytes());
            }
            git.repo.checkout_tree(object.as_object(), Some(&mut options)).map_err(error())
        };
        write(&paths.iter().collect::<Vec<_>>())?;
        // libgit2 passes a file by where `HEAD` has a folder and the disk has nothing; where it has anything, it does not.
        let passed_by: Vec<&PathBuf> =
            paths.iter().filter(|path| std::fs::symlink_metadata(folder.join(path)).is_err()).collect();
        if passed_by.is_empty() {
            return Ok(());
        }
        for path in &passed_by {
            let path = folder.join(path);
            path.parent().map_or(Ok(()), create_dir)?;
            std::fs::File::create(&path).map_err(FsError::new("write", path))?;
        }
        write(&passed_by)
    }

    /// Makes the folders above a file; never through a symlink.
    fn make_folders(&self, relative: &Path) -> Result<(), GitError> {
        let mut here = self.workdir.clone();
        for part in relative.parent().into_iter().flatten() {
            here.push(part);
            match std::fs::symlink_metadata(&here) {
                Ok(meta) if meta.is_dir() => {}
                Ok(_) => {
                    let occupied = std::io::Error::from(std::io::ErrorKind::NotADirectory);
                    return Err(FsError::new("create the folder", here)(occupied).into());
                }
                Err(_) => create_dir(&here)?,
            }
        }
        Ok(())
    }
}
