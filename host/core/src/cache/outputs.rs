//! What happens to outputs before a stage runs: removed, or made private when they persist.

use super::place::Executable;
use super::store::{LinkKind, ObjectStore, Shared};
use super::walk::{FolderLinks, FoundKind, walk};
use super::{CacheError, WorkTree};
use crate::fs::FsError;
use crate::ignore::FolderRules;
use crate::path::RepoPath;
use cap_std::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;

impl WorkTree<'_> {
    /// Removes the output at `path`, file or directory; of a symlink the link alone. Nothing there is no error.
    ///
    /// # Errors
    /// When a symlink on the way leads out of the project, or it cannot be removed.
    pub fn remove(&self, path: &RepoPath) -> Result<(), CacheError> {
        match self.place(path)? {
            Some(place) => place.remove(),
            None => Ok(()),
        }
    }

    /// Makes what stands at `path` private and writable: links to objects become copies. For outputs that persist over runs.
    /// Nothing there is no error.
    ///
    /// # Errors
    /// When a symlink on the way leads out of the project, or it cannot be copied.
    pub fn unprotect(&self, path: &RepoPath) -> Result<(), CacheError> {
        let Some(place) = self.place(path)? else { return Ok(()) };
        let Some(metadata) = place.metadata()? else { return Ok(()) };
        if !metadata.is_dir() {
            return self.unprotect_file(path);
        }
        let full = path.under(self.root);
        let rules = FolderRules::of(self.root, &path.parent().ok_or(CacheError::Root)?)?;
        for found in walk(&full, &rules, FolderLinks::Skip)? {
            if found.kind == FoundKind::Link || found.stat.links > 1 || found.stat.mode & 0o200 == 0 {
                let inside = path.join(&found.relpath).map_err(|_| CacheError::Outside(full.join(&found.relpath)))?;
                self.unprotect_file(&inside)?;
            }
        }
        Ok(())
    }

    fn unprotect_file(&self, path: &RepoPath) -> Result<(), CacheError> {
        let Some(place) = self.place(path)? else { return Ok(()) };
        let Some(metadata) = place.metadata()? else { return Ok(()) };
        let full = path.under(self.root);
        if metadata.is_symlink() && full.is_dir() {
            return Ok(());
        }
        let executable =
            if metadata.is_file() && metadata.mode() & 0o100 != 0 { Executable::Yes } else { Executable::No };
        if metadata.is_symlink() || metadata.nlink() > 1 {
            let copying = ObjectStore::new(self.root, Shared::No, &LinkKind::DEFAULT);
            place.link(&copying, &full, executable)?;
        } else if metadata.mode() & 0o200 == 0 {
            let permissions = std::fs::Permissions::from_mode(metadata.mode() & 0o7777 | 0o200);
            let permissions = cap_std::fs::Permissions::from_std(permissions);
            place.folder.set_permissions(&place.name, permissions).map_err(FsError::new("make writable", &full))?;
        }
        Ok(())
    }
}
