//! How the work tree differs from the index: one `lstat` a file, and a read only of those whose stamps moved.
//!
//! libgit2's own diff walks every folder of the work tree, also a cache of a million untracked files; here only tracked
//! paths are asked for, in the order of the index. The rules of when a stamp can be trusted are those of git
//! (`Documentation/technical/racy-git.txt`).

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use git2::{AttrCheckFlags, AttrValue, Index, IndexEntry, IndexTime, ObjectType, Oid, Repository};

use super::{CommitId, Git, GitError};
use crate::fs::{FsError, is_absent};
use crate::path::RepoPath;

pub(super) const FILE: u32 = 0o100_644;
pub(super) const EXECUTABLE: u32 = 0o100_755;
pub(super) const LINK: u32 = 0o120_000;
pub(super) const SUBMODULE: u32 = 0o160_000;

/// Flags of an index entry, as `gitformat-index(5)` has them.
const ASSUME_VALID: u16 = 0x8000;
const STAGE: u16 = 0x3000;
const SKIP_WORKTREE: u16 = 1 << 14;
const INTENT_TO_ADD: u16 = 1 << 13;

/// The empty blob's name.
const EMPTY_BLOB: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

/// What became of a tracked file.
#[derive(Debug)]
pub(super) enum Change {
    /// It is a file or a symlink with this mode, whose content may differ from the index.
    Written { mode: u32 },
    /// It is not there any more, or a folder stands in its place.
    Deleted,
}

/// The configuration that says how far stamps and modes of this file system can be trusted.
#[derive(Debug, Clone, Copy)]
pub(super) struct StatRules {
    /// `core.fileMode`: the executable bit means something.
    file_mode: bool,
    /// `core.symlinks`: symlinks are symlinks.
    symlinks: bool,
    /// `core.trustCtime`.
    ctime: bool,
    /// `core.checkStat = minimal`: whole seconds and sizes alone.
    minimal: bool,
}

impl StatRules {
    pub(super) fn of(repo: &Repository) -> Result<Self, GitError> {
        let config = repo.config().map_err(GitError::operation("read", "the git configuration"))?;
        let flag = |key, default| config.get_bool(key).unwrap_or(default);
        Ok(Self {
            file_mode: flag("core.filemode", true),
            symlinks: flag("core.symlinks", true),
            ctime: flag("core.trustctime", true),
            minimal: config.get_string("core.checkstat").is_ok_and(|value| value.eq_ignore_ascii_case("minimal")),
        })
    }
}

/// The user's index as it is on disk now, in memory only, and the stamp of its file.
pub(super) struct UserIndex {
    pub(super) index: Index,
    /// When the file was written; a file stamped not earlier may have changed since without showing it.
    pub(super) written: Option<IndexTime>,
}

impl UserIndex {
    pub(super) fn read(git: &Git) -> Result<Self, GitError> {
        let path = git.repo.path().join("index");
        // Before reading it: an older stamp distrusts more files.
        let written = std::fs::metadata(&path).ok().map(|meta| time(meta.mtime(), meta.mtime_nsec()));
        let index = Index::open(&path).map_err(GitError::operation("read the git index", path.display()))?;
        if index.has_conflicts() {
            let paths: BTreeSet<String> = index
                .iter()
                .filter(|entry| entry.flags & STAGE != 0)
                .map(|entry| String::from_utf8_lossy(&entry.path).into_owned())
                .collect();
            return Err(GitError::Conflicted { paths: paths.into_iter().collect() });
        }
        Ok(Self { index, written })
    }
}

/// A tracked file that is not, or may not be, what the index says.
#[derive(Debug)]
pub(super) struct Changed {
    /// Below the root of the work tree.
    pub(super) path: PathBuf,
    /// Its blob in the index.
    pub(super) known: Oid,
    pub(super) change: Change,
}

/// The tracked files that are not, or may not be, what the index says.
pub(super) fn changes(git: &Git, user: &UserIndex) -> Result<Vec<Changed>, GitError> {
    let rules = StatRules::of(&git.repo)?;
    let mut folders = Folders::new(&git.workdir);
    let mut changes = Vec::new();
    for entry in user.index.iter() {
        if !is_looked_at(&entry) {
            continue;
        }
        if let Some(change) = change(rules, user.written, &mut folders, &entry)? {
            let path = Path::new(OsStr::from_bytes(&entry.path)).to_owned();
            changes.push(Changed { path, known: entry.id, change });
        }
    }
    Ok(changes)
}

/// Whether git looks at the file. A submodule is the index's affair; the others that are not are files that the user told git
/// not to look at.
pub(super) const fn is_looked_at(entry: &IndexEntry) -> bool {
    entry.mode != SUBMODULE && entry.flags & ASSUME_VALID == 0 && entry.flags_extended & SKIP_WORKTREE == 0
}

/// What became of one tracked file; none when it is what the index says.
pub(super) fn change(
    rules: StatRules,
    index_written: Option<IndexTime>,
    folders: &mut Folders,
    entry: &IndexEntry,
) -> Result<Option<Change>, GitError> {
    let relative = Path::new(OsStr::from_bytes(&entry.path));
    if !folders.leads_to(relative) {
        return Ok(Some(Change::Deleted));
    }
    let path = folders.workdir.join(relative);
    let meta = match std::fs::symlink_metadata(&path) {
        Ok(meta) => meta,
        Err(error) if is_absent(&error) => return Ok(Some(Change::Deleted)),
        Err(error) => return Err(FsError::new("read", path)(error).into()),
    };
    let Some(mode) = mode_of(rules, &meta, Some(entry.mode)) else { return Ok(Some(Change::Deleted)) };
    let unchanged = entry.flags_extended & INTENT_TO_ADD == 0
        && mode == entry.mode
        && stamps_match(rules, entry, &meta)
        && index_written.is_some_and(|written| !is_racy(entry.mtime, written, rules));
    Ok((!unchanged).then_some(Change::Written { mode }))
}

/// The mode with which git records what stands there; none for what it does not record (folders, sockets, devices).
/// `recorded` is believed where the file system cannot say.
pub(super) fn mode_of(rules: StatRules, meta: &std::fs::Metadata, recorded: Option<u32>) -> Option<u32> {
    let kind = meta.file_type();
    if kind.is_symlink() {
        return Some(LINK);
    }
    if !kind.is_file() {
        return None;
    }
    Some(match recorded {
        Some(LINK) if !rules.symlinks => LINK,
        Some(recorded @ (FILE | EXECUTABLE)) if !rules.file_mode => recorded,
        _ if rules.file_mode && meta.mode() & 0o100 != 0 => EXECUTABLE,
        _ => FILE,
    })
}

/// Whether the file's stamps are those that the index remembers.
fn stamps_match(rules: StatRules, entry: &IndexEntry, meta: &std::fs::Metadata) -> bool {
    let same = |recorded: IndexTime, now: IndexTime| {
        recorded.seconds() == now.seconds()
            // Many writers of the index leave the nanoseconds out.
            && (rules.minimal || recorded.nanoseconds() == 0 || recorded.nanoseconds() == now.nanoseconds())
    };
    #[expect(clippy::cast_possible_truncation, reason = "the index keeps the low 32 bits, for comparing only")]
    let low = |value: u64| value as u32;
    // A size of 0 is how git marks an entry whose stamps it does not trust itself.
    let size = entry.file_size == low(meta.size()) && (entry.file_size != 0 || entry.id.to_string() == EMPTY_BLOB);
    size && same(entry.mtime, time(meta.mtime(), meta.mtime_nsec()))
        && (rules.minimal || entry.ino == low(meta.ino()) && entry.uid == meta.uid() && entry.gid == meta.gid())
        && (rules.minimal || !rules.ctime || same(entry.ctime, time(meta.ctime(), meta.ctime_nsec())))
}

/// Whether the file may have been written after its entry, within what the clock of the file system can tell apart.
fn is_racy(modified: IndexTime, index_written: IndexTime, rules: StatRules) -> bool {
    let coarse = rules.minimal || modified.nanoseconds() == 0 || index_written.nanoseconds() == 0;
    match modified.seconds().cmp(&index_written.seconds()) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => coarse || modified.nanoseconds() >= index_written.nanoseconds(),
    }
}

pub(super) fn time(seconds: i64, nanoseconds: i64) -> IndexTime {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the index keeps the low 32 bits")]
    IndexTime::new(seconds as i32, nanoseconds as u32)
}

/// What the content of a file is in git, as `git add` would have it: through line-end conversion. Writes the blob unless it is
/// what `known` names already.
pub(super) fn store(git: &Git, relative: &Path, mode: u32, known: Option<Oid>) -> Result<Oid, GitError> {
    let path = git.workdir.join(relative);
    let error = || GitError::operation("record the content of", relative.display());
    if mode == LINK {
        let content = match std::fs::read_link(&path) {
            Ok(target) => target.into_os_string().into_vec(),
            // Without `core.symlinks` it is a file with the target in it.
            Err(_) => crate::fs::read(&path)?,
        };
        return git.repo.blob(&content).map_err(error());
    }
    let plain = Oid::hash_file(ObjectType::Blob, &path).map_err(error())?;
    if known == Some(plain) {
        return Ok(plain);
    }
    refuse_driver(&git.repo, relative, AttrCheckFlags::FILE_THEN_INDEX)?;
    git.repo.blob_path(&path).map_err(error())
}

/// A filter that git runs as a program is none that libgit2 runs.
pub(super) fn refuse_driver(repo: &Repository, relative: &Path, order: AttrCheckFlags) -> Result<(), GitError> {
    let error = || GitError::operation("read the git attributes of", relative.display());
    let value = repo.get_attr_bytes(relative, "filter", order).map_err(error())?;
    let (AttrValue::String(driver), config) = (AttrValue::from_bytes(value), repo.config().map_err(error())?) else {
        return Ok(());
    };
    // One that nothing configures does nothing in git, too.
    let configured = ["clean", "process"].iter().any(|key| config.get_entry(&format!("filter.{driver}.{key}")).is_ok());
    if configured {
        return Err(GitError::FilterDriver { path: relative.display().to_string(), driver: driver.to_owned() });
    }
    Ok(())
}

/// Which folders of the work tree are folders, so that no path is followed through a symlink. Each is asked for once.
pub(super) struct Folders {
    workdir: PathBuf,
    /// The folder last asked for, and whether it is one; the index is sorted, so the next path is mostly in it.
    last: Option<(PathBuf, bool)>,
    real: BTreeSet<PathBuf>,
}

impl Folders {
    pub(super) fn new(workdir: &Path) -> Self {
        Self { workdir: workdir.to_owned(), last: None, real: BTreeSet::new() }
    }

    /// Whether every folder above the path is a folder and no symlink.
    pub(super) fn leads_to(&mut self, relative: &Path) -> bool {
        let Some(folder) = relative.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return true };
        if let Some((last, real)) = &self.last
            && last == folder
        {
            return *real;
        }
        let real = self.is_real(folder);
        self.last = Some((folder.to_owned(), real));
        real
    }

    fn is_real(&mut self, folder: &Path) -> bool {
        if self.real.contains(folder) {
            return true;
        }
        let above = folder.parent().is_none_or(|above| above.as_os_str().is_empty() || self.is_real(above));
        let real = above && std::fs::symlink_metadata(self.workdir.join(folder)).is_ok_and(|meta| meta.is_dir());
        if real {
            self.real.insert(folder.to_owned());
        }
        real
    }
}

impl Git {
    /// Adds a file to the user's index, as `git add` does: only for commands that say they do.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub fn stage(&self, path: &RepoPath) -> Result<(), GitError> {
        let relative = self.in_git(path);
        let staged = self.repo.index().and_then(|mut index| {
            index.add_path(std::path::Path::new(&relative))?;
            index.write()
        });
        staged.map_err(GitError::operation("git add", path))
    }

    /// The files and folders that git neither tracks nor ignores, and that a commit does not have; as git names them.
    ///
    /// # Errors
    /// When they cannot be listed, or the commit cannot be read.
    pub fn untracked_beside(&self, commit: CommitId) -> Result<Vec<String>, GitError> {
        let error = || GitError::operation("list", "the files that git does not track");
        let mut options = git2::StatusOptions::new();
        options.include_untracked(true).recurse_untracked_dirs(false).exclude_submodules(true);
        let tree = self.repo.find_commit(commit.0).and_then(|commit| commit.tree()).map_err(error())?;
        let found = self.repo.statuses(Some(&mut options)).map_err(error())?;
        let untracked = found.iter().filter(|entry| entry.status() == git2::Status::WT_NEW);
        let paths = untracked.map(|entry| String::from_utf8_lossy(entry.path_bytes()).into_owned());
        Ok(paths.filter(|path| tree.get_path(Path::new(path.trim_end_matches('/'))).is_err()).collect())
    }

    /// Whether the index has this file, or any below this folder.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn is_tracked(&self, path: &RepoPath) -> Result<bool, GitError> {
        let name = self.in_git(path);
        let error = || GitError::operation("look up in the git index", path);
        // The repository's own copy is read again only when the file's stamp moved.
        let mut index = self.repo.index().map_err(error())?;
        index.read(false).map_err(error())?;
        if name.is_empty() {
            return Ok(!index.is_empty());
        }
        let file = (0..=3).any(|stage| index.get_path(Path::new(&name), stage).is_some());
        Ok(file || index.find_prefix(format!("{name}/")).is_ok())
    }

    /// Whether `.gitignore` or another list of git's has this path. Of a tracked one too: git goes on tracking it.
    ///
    /// # Errors
    /// When a list cannot be read.
    pub fn is_ignored(&self, path: &RepoPath) -> Result<bool, GitError> {
        let name = self.in_git(path);
        if name.is_empty() {
            return Ok(false);
        }
        self.repo.is_path_ignored(&name).map_err(GitError::operation("look up in the git ignore lists", path))
    }
}
