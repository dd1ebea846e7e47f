//! [`CopyPath`]: what `--copy-paths` brings into an isolated workspace, which has only what git tracks.

use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::fs::{FsError, create_dir};
use crate::path::{PathError, RepoPath};
use crate::repo::PROJECT_DIR;

/// Why a path is not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// It is no path of the project.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Nothing is there.
    #[error("there is no `{0}` to copy into the isolated workspace")]
    Missing(String),
    /// A symlink leads elsewhere.
    #[error("`{0}` leads out of the project through a symlink, and is not copied into the isolated workspace")]
    Outside(String),
    /// Git's files and the project's own are not copied.
    #[error("`{0}` is not copied: the isolated workspace has its own `.git` and `{PROJECT_DIR}`")]
    Own(String),
    /// The system refused.
    #[error(transparent)]
    File(#[from] FsError),
}

/// A file or folder of the project to be copied, known to be there and inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyPath {
    inside: RepoPath,
    /// Without symlinks.
    source: PathBuf,
}

impl CopyPath {
    /// Reads a path as typed in the folder `from` of the project at `root`, which is given without symlinks.
    ///
    /// # Errors
    /// When it is outside of the project, also through a symlink, or nothing is there, or it is not for copying.
    pub fn parse(root: &Path, from: &RepoPath, text: &str) -> Result<Self, CopyError> {
        let inside = RepoPath::typed(root, from, text)?;
        let source = inside.under(root);
        let source = match std::fs::canonicalize(&source) {
            Err(error) if crate::fs::is_absent(&error) => return Err(CopyError::Missing(text.to_owned())),
            result => result.map_err(FsError::new("copy", source))?,
        };
        let Ok(real) = RepoPath::from_absolute(root, &source) else { return Err(CopyError::Outside(text.to_owned())) };
        // The folder of all isolated workspaces is in there, too: it would be copied into itself.
        let is_own = |path: &RepoPath| matches!(path.parts().next(), None | Some(".git" | PROJECT_DIR));
        if is_own(&inside) || is_own(&real) {
            return Err(CopyError::Own(text.to_owned()));
        }
        Ok(Self { inside, source })
    }

    /// What was copied into the folder `copied`, which is laid out as a project, to be copied on.
    #[must_use]
    pub fn again(copied: &Path, inside: RepoPath) -> Self {
        let source = inside.under(copied);
        Self { inside, source }
    }

    /// Where it is in the project.
    #[must_use]
    pub const fn inside(&self) -> &RepoPath {
        &self.inside
    }

    /// Copies it to its place in the project at `root`. Symlinks in a folder are copied as they are and not followed; what is
    /// in the way of a file is replaced.
    ///
    /// # Errors
    /// When something cannot be read or written, or is neither file, folder nor symlink.
    pub fn copy_into(&self, root: &Path) -> Result<(), CopyError> {
        let target = self.inside.under(root);
        let folder = target.parent().unwrap_or(root);
        create_dir(folder)?;
        // The tree that the workspace was made of may have a symlink there.
        let real = std::fs::canonicalize(folder).map_err(FsError::new("resolve", folder))?;
        if !real.starts_with(root) {
            return Err(CopyError::Outside(self.inside.to_string()));
        }
        Ok(copy(&self.source, &target)?)
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), FsError> {
    let kind = std::fs::symlink_metadata(from).map_err(FsError::new("copy", from))?.file_type();
    let is_folder = std::fs::symlink_metadata(to).is_ok_and(|there| there.is_dir());
    if kind.is_dir() {
        if !is_folder {
            clear(to)?;
            create_dir(to)?;
        }
        let children = std::fs::read_dir(from).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let children = children.map_err(FsError::new("list", from))?;
        return children.par_iter().try_for_each(|child| copy(&child.path(), &to.join(child.file_name())));
    }
    // Never written through a link, or into another name of an object.
    clear(to)?;
    let copied = if kind.is_symlink() {
        std::fs::read_link(from).and_then(|target| std::os::unix::fs::symlink(target, to))
    } else if kind.is_file() {
        std::fs::copy(from, to).map(drop)
    } else {
        Err(io::Error::other("it is not a regular file"))
    };
    copied.map_err(FsError::new("copy", from))
}

fn clear(path: &Path) -> Result<(), FsError> {
    match std::fs::remove_file(path) {
        Err(error) if !crate::fs::is_absent(&error) => Err(FsError::new("replace", path)(error)),
        _ => Ok(()),
    }
}
