//! The work tree as a tree object, through an index that exists in memory only.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use git2::{Index, IndexEntry, IndexTime, Oid};

use super::worktree::{Change, Changed, Folders, SUBMODULE, StatRules, UserIndex, changes, mode_of, store};
use super::{Git, GitError, TreeId};
use crate::fs::{FsError, is_absent};
use crate::path::RepoPath;

/// Files and folders that go into a snapshot though git does not track them. One that does not exist is passed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExtraPaths<'a> {
    /// Added unless git ignores them.
    pub unless_ignored: &'a [RepoPath],
    /// Added whatever git ignores.
    pub always: &'a [RepoPath],
}

/// The work tree, recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The tree.
    pub tree: TreeId,
    /// Those of [`ExtraPaths::unless_ignored`] that were left out because git ignores them.
    pub ignored: Vec<RepoPath>,
}

impl Git {
    /// Records the work tree: the user's index as it is on disk now (also what a stage added to it, with or without content),
    /// every change and deletion of a tracked file, and the extra paths. Neither the index file nor anything else but new
    /// objects is written; line ends are converted as `git add` does; submodules stay as the index has them.
    ///
    /// # Errors
    /// [`GitError::Conflicted`] while a merge is not finished, [`GitError::FilterDriver`], and what reading and writing say.
    pub fn snapshot(&self, extra: ExtraPaths<'_>) -> Result<Snapshot, GitError> {
        let mut ignored = Vec::new();
        let mut wanted: Vec<PathBuf> = Vec::new();
        for path in extra.unless_ignored {
            if self.is_ignored(path)? && !self.is_tracked(path)? {
                ignored.push(path.clone());
            } else {
                wanted.push(self.in_git(path).into());
            }
        }
        let always: Vec<PathBuf> = extra.always.iter().map(|path| self.in_git(path).into()).collect();
        let (tree, _) = self.record(&wanted, &always)?;
        Ok(Snapshot { tree, ignored })
    }

    /// As [`Git::snapshot`], with paths as git names them; also gives the private index.
    pub(super) fn record(&self, wanted: &[PathBuf], always: &[PathBuf]) -> Result<(TreeId, Index), GitError> {
        let mut user = UserIndex::read(self)?;
        for Changed { path, known, change } in changes(self, &user)? {
            match change {
                Change::Deleted => user.index.remove(&path, 0).map_err(error(&path))?,
                Change::Written { mode } => {
                    let id = store(self, &path, mode, Some(known))?;
                    add(&mut user.index, &path, mode, id)?;
                }
            }
        }
        let mut adding = Adding { git: self, rules: StatRules::of(&self.repo)?, folders: Folders::new(&self.workdir) };
        for path in wanted {
            adding.add(&mut user.index, path, Ignored::LeaveOut)?;
        }
        for path in always {
            adding.add(&mut user.index, path, Ignored::Add)?;
        }
        let tree =
            user.index.write_tree_to(&self.repo).map_err(GitError::operation("write", "the tree of the files"))?;
        Ok((TreeId(tree), user.index))
    }
}

/// What to do with files that git ignores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ignored {
    LeaveOut,
    Add,
}

/// Adds paths that the index may not have.
struct Adding<'git> {
    git: &'git Git,
    rules: StatRules,
    folders: Folders,
}

impl Adding<'_> {
    /// Adds a file, or a folder with all in it but other repositories.
    fn add(&mut self, index: &mut Index, relative: &Path, ignored: Ignored) -> Result<(), GitError> {
        // What lies behind a symlink is not in this repository.
        if !self.folders.leads_to(relative) || relative.file_name() == Some(OsStr::new(".git")) {
            return Ok(());
        }
        let path = self.git.workdir.join(relative);
        let meta = match std::fs::symlink_metadata(&path) {
            Ok(meta) => meta,
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(FsError::new("read", path)(error).into()),
        };
        let tracked = index.get_path(relative, 0);
        if let Some(tracked) = &tracked
            && (tracked.mode == SUBMODULE || !meta.is_dir())
        {
            // Its change is recorded already.
            return Ok(());
        }
        if ignored == Ignored::LeaveOut
            && !relative.as_os_str().is_empty()
            && self.git.repo.is_path_ignored(relative).map_err(error(relative))?
        {
            return Ok(());
        }
        if meta.is_dir() {
            if !relative.as_os_str().is_empty() && std::fs::symlink_metadata(path.join(".git")).is_ok() {
                return Ok(());
            }
            let children = std::fs::read_dir(&path).map_err(FsError::new("list", &path))?;
            let mut names = Vec::new();
            for child in children {
                names.push(child.map_err(FsError::new("list", &path))?.file_name());
            }
            names.sort();
            return names.iter().try_for_each(|name| self.add(index, &relative.join(name), ignored));
        }
        let Some(mode) = mode_of(self.rules, &meta, None) else { return Ok(()) };
        let id = store(self.git, relative, mode, None)?;
        add(index, relative, mode, id)
    }
}

/// Puts an entry into the private index; its stamps are never written anywhere.
fn add(index: &mut Index, relative: &Path, mode: u32, id: Oid) -> Result<(), GitError> {
    let zero = IndexTime::new(0, 0);
    let entry = IndexEntry {
        ctime: zero,
        mtime: zero,
        dev: 0,
        ino: 0,
        mode,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: relative.as_os_str().as_bytes().to_vec(),
    };
    index.add(&entry).map_err(error(relative))
}

fn error(relative: &Path) -> impl FnOnce(git2::Error) -> GitError {
    GitError::operation("record", relative.display())
}
