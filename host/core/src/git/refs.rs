//! References, moved by compare-and-swap under git's own locks, so that two processes never overwrite each other unseen.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::{ErrorCode, Transaction};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::{CommitId, Git, GitError};
use crate::fs::{FsError, is_absent, read_optional};

/// How long a lock of another process is waited for: as often, and so long between. A lock is held for one file's write.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(10);
/// For how many such waits together, when one process after another has it.
const LOCK_HOLDERS: u32 = 10;

/// References that nobody but programs for experiments writes.
const OURS: &str = "refs/exps/";

/// By what a file is told from another of its name.
type Stamp = (u64, i64, i64);

fn stamp(file: &Path) -> Option<Stamp> {
    let meta = std::fs::symlink_metadata(file).ok()?;
    Some((meta.ino(), meta.ctime(), meta.ctime_nsec()))
}

/// What came of removing a lock that was left.
enum Removal {
    /// It is gone, or is another process's by now.
    Done,
    /// Another process is about to.
    Awaits,
    /// One at a time cannot be had here, so that it is the user's to remove.
    Unsafe,
}

/// The full name of a reference, such as `refs/heads/main`, by the rules of `git check-ref-format`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RefName(String);

impl RefName {
    /// Checks a full name.
    ///
    /// # Errors
    /// [`GitError::BadRefName`].
    pub fn parse(text: &str) -> Result<Self, GitError> {
        // A NUL would be a panic in the binding.
        if text.starts_with("refs/") && !text.contains('\0') && git2::Reference::is_valid_name(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(GitError::BadRefName(text.replace('\0', "\u{2400}")))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a reference must stand for a change to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// It must not exist.
    Absent,
    /// It must exist and stand there.
    At(CommitId),
    /// Wherever it stands, and whether or not it exists.
    Any,
}

/// A reference stands elsewhere than expected; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.describe())]
pub struct RefConflict {
    /// The reference.
    pub name: RefName,
    /// Where it should have stood.
    pub expected: Expected,
    /// Where it stands; none when it does not exist or names no commit itself.
    pub found: Option<CommitId>,
}

impl RefConflict {
    fn describe(&self) -> String {
        let name = &self.name;
        match (self.expected, self.found) {
            (Expected::At(expected), Some(found)) => {
                format!("`{name}` was moved from {} to {} meanwhile", expected.short(), found.short())
            }
            (Expected::At(_), None) => format!("`{name}` was removed meanwhile"),
            (_, Some(found)) => format!("`{name}` exists already, at {}", found.short()),
            (_, None) => format!("`{name}` exists already"),
        }
    }
}

/// A change of one reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefUpdate {
    /// The reference.
    pub name: RefName,
    /// Where it must stand before.
    pub expected: Expected,
    /// Where it shall stand; none to delete it.
    pub target: Option<CommitId>,
}

impl Git {
    /// Where a reference stands; none when it does not exist or is symbolic.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn find_ref(&self, name: &RefName) -> Result<Option<CommitId>, GitError> {
        match self.repo.find_reference(name.as_str()) {
            Ok(reference) => Ok(reference.target().map(CommitId)),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(source) => Err(GitError::operation("read the reference", name)(source)),
        }
    }

    /// Moves or makes a reference.
    ///
    /// # Errors
    /// [`GitError::RefConflict`] when it does not stand where expected, [`GitError::RefLocked`] when another process holds it.
    pub fn update_ref(
        &self,
        name: &RefName,
        target: CommitId,
        expected: Expected,
        message: &str,
    ) -> Result<(), GitError> {
        self.update_refs(&[RefUpdate { name: name.clone(), expected, target: Some(target) }], message)
    }

    /// Deletes a reference.
    ///
    /// # Errors
    /// As [`Git::update_ref`].
    pub fn delete_ref(&self, name: &RefName, expected: Expected) -> Result<(), GitError> {
        self.update_refs(&[RefUpdate { name: name.clone(), expected, target: None }], "")
    }

    /// Changes several references: every one is locked and compared before the first is changed. `message` goes to the
    /// reflogs of those that have one.
    ///
    /// # Errors
    /// As [`Git::update_ref`]; on a conflict nothing is changed.
    pub fn update_refs(&self, updates: &[RefUpdate], message: &str) -> Result<(), GitError> {
        let mut transaction = self.repo.transaction().map_err(GitError::operation("change", "references"))?;
        // In one order everywhere, so that two processes cannot wait for each other.
        let mut updates: Vec<&RefUpdate> = updates.iter().collect();
        updates.sort_by(|a, b| a.name.cmp(&b.name));
        updates.dedup_by(|a, b| a.name == b.name);
        let message = message.replace(['\0', '\n', '\r'], " ");
        let mut present = Vec::with_capacity(updates.len());
        for update in &updates {
            self.lock(&mut transaction, &update.name)?;
            present.push(self.compare(update)?);
        }
        for (update, present) in updates.iter().zip(present) {
            let error = || GitError::operation("change the reference", &update.name);
            match update.target {
                Some(target) => {
                    transaction.set_target(update.name.as_str(), target.0, None, &message).map_err(error())?;
                }
                None if present => transaction.remove(update.name.as_str()).map_err(error())?,
                None => {}
            }
        }
        transaction.commit().map_err(GitError::operation("change", "references"))
    }

    /// Takes git's own lock of a reference. That is a file, so a process that is killed leaves it: one of an experiment that
    /// stays the same for as long as others are waited for is removed, since nobody holds it for longer than a moment.
    pub(super) fn lock(&self, transaction: &mut Transaction<'_>, name: &RefName) -> Result<(), GitError> {
        let lock = self.repo.commondir().join(format!("{}.lock", name.as_str()));
        let ours = name.as_str().starts_with(OURS);
        let (mut known, mut tries) = (stamp(&lock), 0);
        for _ in 0..LOCK_TRIES * LOCK_HOLDERS {
            match transaction.lock_ref(name.as_str()) {
                Ok(()) => return Ok(()),
                // The folder of a reference vanishes when its last one is deleted; then it is made anew.
                Err(error) if matches!(error.code(), ErrorCode::Locked | ErrorCode::NotFound) => {}
                Err(source) => return Err(GitError::operation("lock the reference", name)(source)),
            }
            let found = stamp(&lock);
            // Another process has it now, and may have it as long.
            tries = if ours && found != known { 1 } else { tries + 1 };
            known = found;
            match known {
                _ if tries < LOCK_TRIES => std::thread::sleep(LOCK_PAUSE),
                Some(left) if ours => match self.remove_left(&lock, left)? {
                    Removal::Done => {}
                    Removal::Awaits => std::thread::sleep(LOCK_PAUSE),
                    Removal::Unsafe => break,
                },
                _ => break,
            }
        }
        Err(GitError::RefLocked { name: name.to_string(), lock })
    }

    /// Removes the file of a lock that was left, unless it is another one by now. Of those who want to, one at a time looks and
    /// removes, or the second would remove what the third has taken meanwhile.
    fn remove_left(&self, lock: &Path, left: Stamp) -> Result<Removal, FsError> {
        let folder = self.repo.commondir();
        let turn = File::open(folder).map_err(FsError::new("open", folder))?;
        match flock(&turn, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK | Errno::INTR) => return Ok(Removal::Awaits),
            // Such as a network's file system, which locks no folders.
            Err(_) => return Ok(Removal::Unsafe),
        }
        if stamp(lock) == Some(left) {
            crate::fs::remove_file(lock)?;
        }
        Ok(Removal::Done)
    }

    /// Compares a locked reference; whether it exists.
    fn compare(&self, update: &RefUpdate) -> Result<bool, GitError> {
        let (present, found) = match self.repo.find_reference(update.name.as_str()) {
            Ok(reference) => (true, reference.target().map(CommitId)),
            Err(error) if error.code() == ErrorCode::NotFound => (false, None),
            Err(source) => return Err(GitError::operation("read the reference", &update.name)(source)),
        };
        let as_expected = match update.expected {
            Expected::Any => true,
            Expected::Absent => !present,
            Expected::At(commit) => found == Some(commit),
        };
        if as_expected {
            return Ok(present);
        }
        Err(RefConflict { name: update.name.clone(), expected: update.expected, found }.into())
    }

    /// The references in the folder `prefix` (which ends with `/`) and below, by name. Symbolic ones are passed by, and those
    /// that belong to one work tree alone (`refs/worktree/`, `refs/bisect/`).
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn list_refs(&self, prefix: &str) -> Result<Vec<(RefName, CommitId)>, GitError> {
        // libgit2 reads each loose one several times and all packed ones for any question; with ten thousand experiments that
        // is half a second. Loose ones first: one that is packed meanwhile is then found there.
        let mut found = BTreeMap::new();
        let common = self.repo.commondir();
        list_loose(&common.join(prefix), prefix, &mut found)?;
        list_packed(&common.join("packed-refs"), prefix, &mut found)?;
        Ok(found.into_iter().filter_map(|(name, at)| Some((name, at?))).collect())
    }

    /// The locks of references of experiments that are there now: taken, or left by a process that was killed.
    ///
    /// # Errors
    /// When they cannot be looked for.
    pub fn locks_of_experiments(&self) -> Result<Vec<PathBuf>, FsError> {
        let mut folders = vec![self.repo.commondir().join(OURS)];
        let mut locks = Vec::new();
        while let Some(folder) = folders.pop() {
            for path in crate::fs::list_optional(&folder)?.unwrap_or_default() {
                let is_dir = path.symlink_metadata().is_ok_and(|meta| meta.is_dir());
                if is_dir {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "lock") {
                    locks.push(path);
                }
            }
        }
        Ok(locks)
    }

    /// Makes sure that a reference has a reflog, so that where it stood before is kept.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn keep_log(&self, name: &RefName) -> Result<(), GitError> {
        self.repo.reference_ensure_log(name.as_str()).map_err(GitError::operation("make the reflog of", name))
    }

    /// Where a reference stood, by its reflog, the last first; nowhere without one.
    ///
    /// # Errors
    /// When the reflog cannot be read.
    pub fn log(&self, name: &RefName) -> Result<Vec<CommitId>, GitError> {
        let log = self.repo.reflog(name.as_str()).map_err(GitError::operation("read the reflog of", name))?;
        Ok(log.iter().map(|entry| CommitId(entry.id_new())).collect())
    }
}

/// References by name; none stands for a symbolic one, which hides a packed one of its name.
type Found = BTreeMap<RefName, Option<CommitId>>;

/// A file a reference: 40 digits, or `ref: ` and another name (`gitrepository-layout(5)`).
fn list_loose(folder: &Path, prefix: &str, found: &mut Found) -> Result<(), GitError> {
    let children = match std::fs::read_dir(folder) {
        Ok(children) => children,
        Err(error) if is_absent(&error) => return Ok(()),
        Err(error) => return Err(FsError::new("list", folder)(error).into()),
    };
    for child in children {
        let child = child.map_err(FsError::new("list", folder))?;
        let name = child.file_name();
        let Some(name) = name.to_str() else { continue };
        let name = format!("{prefix}{name}");
        if child.file_type().map_err(FsError::new("read", child.path()))?.is_dir() {
            list_loose(&child.path(), &format!("{name}/"), found)?;
            continue;
        }
        // Locks, and whatever else does not belong there.
        let Ok(name) = RefName::parse(&name) else { continue };
        let Some(content) = read_optional(&child.path())? else { continue };
        let content = String::from_utf8_lossy(&content);
        let content = content.trim_end();
        match CommitId::parse(content) {
            Some(commit) => drop(found.insert(name, Some(commit))),
            None if content.starts_with("ref:") => drop(found.insert(name, None)),
            // A crash of the machine leaves an empty file; git falls back to nothing either, but must not stop all others.
            None => {}
        }
    }
    Ok(())
}

/// One file for many: `<40 digits> <name>` a line, besides `# ..` and `^<what a tag names>` (`git-pack-refs(1)`).
fn list_packed(file: &Path, prefix: &str, found: &mut Found) -> Result<(), GitError> {
    let Some(content) = read_optional(file)? else { return Ok(()) };
    for line in content.split(|byte| *byte == b'\n') {
        let Some((digits, rest)) = line.split_at_checked(40) else { continue };
        let Some(name) = rest.strip_prefix(b" ").filter(|name| name.starts_with(prefix.as_bytes())) else { continue };
        let (Ok(name), Ok(digits)) = (std::str::from_utf8(name), std::str::from_utf8(digits)) else { continue };
        if let (Ok(name), Some(commit)) = (RefName::parse(name.trim_end()), CommitId::parse(digits)) {
            found.entry(name).or_insert(Some(commit));
        }
    }
    Ok(())
}
