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

    /// `base` with what stands at the paths now in place of what it had there; what git ignores is left out, unless `base` has
    /// it. As [`Git::snapshot`], but for these paths alone, so that it costs little beside a work tree of many files.
    ///
    /// # Errors
    /// As there.
    pub fn snapshot_onto(&self, base: TreeId, paths: &[RepoPath]) -> Result<TreeId, GitError> {
        let mut index = self.index_of(base)?;
        let mut adding = Adding { git: self, rules: StatRules::of(&self.repo)?, folders: Folders::new(&self.workdir) };
        for path in paths {
            let relative = PathBuf::from(self.in_git(path));
            let ignored = if take_out(&mut index, &relative)? { Ignored::Add } else { Ignored::LeaveOut };
            adding.add(&mut index, &relative, ignored)?;
        }
        self.write_tree(&mut index)
    }

    /// `base` with what `other` has at the paths in place of what it has there itself.
    ///
    /// # Errors
    /// When git cannot be read or written.
    pub fn with_paths_of(&self, base: TreeId, other: TreeId, paths: &[RepoPath]) -> Result<TreeId, GitError> {
        let (mut index, other) = (self.index_of(base)?, self.index_of(other)?);
        for path in paths {
            let name = self.in_git(path);
            take_out(&mut index, Path::new(&name))?;
            let folder = format!("{name}/");
            let is_there =
                |entry: &IndexEntry| entry.path == name.as_bytes() || entry.path.starts_with(folder.as_bytes());
            for entry in other.iter().filter(is_there) {
                index.add(&entry).map_err(error(Path::new(&name)))?;
            }
        }
        self.write_tree(&mut index)
    }

    /// `base` without what stands at the paths.
    ///
    /// # Errors
    /// When git cannot be read or written.
    pub fn without(&self, base: TreeId, paths: &[RepoPath]) -> Result<TreeId, GitError> {
        let mut index = self.index_of(base)?;
        for path in paths {
            take_out(&mut index, Path::new(&self.in_git(path)))?;
        }
        self.write_tree(&mut index)
    }

    fn index_of(&self, tree: TreeId) -> Result<Index, GitError> {
        let read = || GitError::operation("read the tree", tree);
        let mut index = Index::new().map_err(read())?;
        self.repo.find_tree(tree.0).and_then(|tree| index.read_tree(&tree)).map_err(read())?;
        Ok(index)
    }

    fn write_tree(&self, index: &mut Index) -> Result<TreeId, GitError> {
        let tree = index.write_tree_to(&self.repo).map_err(GitError::operation("write", "the tree of the files"))?;
        Ok(TreeId(tree))
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
        Ok((self.write_tree(&mut user.index)?, user.index))
    }
}

/// Takes a file, or a folder with all in it, out of an index. Answers whether there was any.
fn take_out(index: &mut Index, relative: &Path) -> Result<bool, GitError> {
    let before = index.len();
    if index.get_path(relative, 0).is_some() {
        index.remove(relative, 0).map_err(error(relative))?;
    }
    index.remove_dir(relative, 0).map_err(error(relative))?;
    Ok(index.len() < before)
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
        // The binding panics at an empty path, which is the root.
        let tracked = if relative.as_os_str().is_empty() { None } else { index.get_path(relative, 0) };
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
