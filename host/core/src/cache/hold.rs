//! Who uses a cache: a kernel lock that keeps apart `gc` and everything that counts on objects.
//!
//! A command that may keep an object, or write its name down, holds the lock with others from before it looks at the first
//! object until what names them is written. `gc` holds it alone from before it reads what is in use until the last object is
//! gone. So what somebody found in the cache stays there until the lock, `.dvc` file or commit that names it can be read, and
//! `gc` reads it. The lock lies in the cache itself, which several projects may share, and the kernel takes it back when a
//! process ends, however it ends: what stands in the cache's folder for temporary files while `gc` holds it belongs to nobody.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, retry_on_intr};
use tempfile::NamedTempFile;

use super::store::{Shared, TEMPORARY};
use crate::fs::{FsError, is_absent, list_optional};

/// The file that is locked, in the folder for temporary files.
const LOCK: &str = "use.lock";
/// The folder of the files in which holders say who they are.
const HOLDERS: &str = "users";

/// Why a cache cannot be held.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// Others use it.
    #[error("the cache is in use by {}", holders.join(" and by "))]
    InUse {
        /// Who, as far as they said.
        holders: Vec<String>,
    },
    /// The lock cannot be taken.
    #[error(transparent)]
    File(#[from] FsError),
}

/// The right to use a cache, or to remove from it. It is given back when this is dropped or the process ends.
#[derive(Debug)]
pub struct CacheHold {
    /// Goes before the lock does: `gc` finds no name of nobody.
    _name: Option<NamedTempFile>,
    /// None where the cache cannot be written, and so nothing can be kept there.
    _lock: Option<File>,
}

/// Holds the cache in `folder` with others, after waiting while `gc` removes from it: `waiting` is called before. `holder` says
/// who it is.
///
/// # Errors
/// When the lock cannot be taken.
pub fn with_others(folder: &Path, shared: Shared, holder: &str, waiting: impl Fn()) -> Result<CacheHold, FsError> {
    let lock = |file: &File| match flock(file, FlockOperation::NonBlockingLockShared) {
        Err(Errno::WOULDBLOCK) => {
            waiting();
            retry_on_intr(|| flock(file, FlockOperation::LockShared))
        }
        result => result,
    };
    let Some(lock) = take(folder, shared, lock)? else {
        return Ok(CacheHold { _name: None, _lock: None });
    };
    // Only for messages: without it, `gc` says that somebody uses the cache.
    Ok(CacheHold { _name: say(folder, shared, holder).ok(), _lock: Some(lock) })
}

/// Holds the cache in `folder` alone.
///
/// # Errors
/// [`HoldError::InUse`] when another process holds it, or when the lock cannot be taken.
pub fn alone(folder: &Path, shared: Shared) -> Result<CacheHold, HoldError> {
    let tmp = folder.join(TEMPORARY);
    match take(folder, shared, |file| flock(file, FlockOperation::NonBlockingLockExclusive)) {
        Ok(Some(lock)) => Ok(CacheHold { _name: None, _lock: Some(lock) }),
        Ok(None) => {
            let refused = io::Error::from(io::ErrorKind::PermissionDenied);
            Err(FsError::new("lock", tmp.join(LOCK))(refused).into())
        }
        Err(error) if error.source.raw_os_error() == Some(Errno::WOULDBLOCK.raw_os_error()) => {
            Err(HoldError::InUse { holders: holders(&tmp.join(HOLDERS)) })
        }
        Err(error) => Err(error.into()),
    }
}

/// Opens and locks the file of the cache in `folder`. None when it is not there and may not be made.
fn take(folder: &Path, shared: Shared, lock: impl Fn(&File) -> Result<(), Errno>) -> Result<Option<File>, FsError> {
    let path = folder.join(TEMPORARY).join(LOCK);
    let may_not = |error: &FsError| {
        matches!(error.source.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
    };
    loop {
        let file = match open(folder, shared, &path) {
            Err(error) if may_not(&error) => match File::open(&path) {
                Ok(file) => file,
                Err(_) => return Ok(None),
            },
            result => result?,
        };
        lock(&file).map_err(|error| FsError::new("lock", &path)(error.into()))?;
        // Somebody who removed the file by hand left us with a lock that nobody else looks at.
        let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let held = file.metadata().map(identity).map_err(FsError::new("look at", &path))?;
        match std::fs::metadata(&path).map(identity) {
            Ok(there) if there == held => return Ok(Some(file)),
            Ok(_) => {}
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(FsError::new("look at", path)(error)),
        }
    }
}

fn open(folder: &Path, shared: Shared, path: &Path) -> Result<File, FsError> {
    let tmp = folder.join(TEMPORARY);
    let open = || OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let file = match open() {
        Err(error) if is_absent(&error) => {
            shared.create_folder(folder, &tmp)?;
            open()
        }
        result => result,
    };
    admit(shared, &tmp, 0o2775);
    admit(shared, path, 0o664);
    file.map_err(FsError::new("open", path))
}

/// Gives the group its rights to what the user made, perhaps before the cache was shared. Others see to what is theirs.
pub(super) fn admit(shared: Shared, path: &Path, mode: u32) {
    if shared == Shared::Group && path.metadata().is_ok_and(|found| found.mode() & mode != mode) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).ok();
    }
}

/// Leaves a file that says who holds the cache; locked, so that one whose process has ended says nothing.
fn say(cache: &Path, shared: Shared, holder: &str) -> io::Result<NamedTempFile> {
    let folder = cache.join(TEMPORARY).join(HOLDERS);
    if !folder.is_dir() {
        shared.create_folder(cache, &folder).map_err(|error| error.source)?;
    }
    admit(shared, &folder, 0o2775);
    // Who removes may be another user.
    let readable = Permissions::from_mode(0o644);
    let mut file = tempfile::Builder::new().prefix("").suffix("").permissions(readable).tempfile_in(folder)?;
    flock(file.as_file(), FlockOperation::NonBlockingLockExclusive)?;
    writeln!(file, "process {}, {holder}", std::process::id())?;
    Ok(file)
}

/// What those who hold the cache said.
fn holders(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut holders: Vec<String> = files.filter_map(|entry| holder(&entry.path())).collect();
    holders.sort();
    if holders.is_empty() {
        holders.push("another process".to_owned());
    }
    holders
}

fn holder(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
        return None;
    }
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    let text = text.trim();
    Some(if text.is_empty() { "a process that has just begun".to_owned() } else { text.to_owned() })
}

/// What processes that were killed left in the folder for temporary files of the cache in `folder`, which must be held alone.
pub(super) fn leftovers(folder: &Path) -> Result<Vec<PathBuf>, FsError> {
    let tmp = folder.join(TEMPORARY);
    let mut found = Vec::new();
    for folder in [tmp.join(HOLDERS), tmp] {
        for path in list_optional(&folder)?.unwrap_or_default() {
            let is_lock = path.file_name().is_some_and(|name| name == LOCK);
            if !is_lock && path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(folder: &Path, holder: &str) -> Result<CacheHold, FsError> {
        with_others(folder, Shared::No, holder, || panic!("nobody removes"))
    }

    #[test]
    fn many_use_it_and_one_removes() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("cache");
        let first = hold(&cache, "`repro` in `/a`").unwrap();
        let second = hold(&cache, "`exp run` in `/b`").unwrap();
        let Err(HoldError::InUse { holders }) = alone(&cache, Shared::No) else { panic!("it is in use") };
        assert_eq!(holders.len(), 2, "{holders:?}");
        assert!(holders.iter().any(|holder| holder.ends_with("`exp run` in `/b`")), "{holders:?}");
        drop(second);
        let Err(HoldError::InUse { holders }) = alone(&cache, Shared::No) else { panic!("it is in use") };
        assert_eq!(holders, [format!("process {}, `repro` in `/a`", std::process::id())]);
        drop(first);
        let removing = alone(&cache, Shared::No).unwrap();
        assert!(matches!(alone(&cache, Shared::No), Err(HoldError::InUse { .. })));
        drop(removing);
        drop(hold(&cache, "again").unwrap());
        assert_eq!(leftovers(&cache).unwrap(), [] as [PathBuf; 0]);
    }

    #[test]
    fn what_the_dead_left_names_nobody_and_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path();
        let held = hold(cache, "`repro`").unwrap();
        std::fs::write(cache.join("tmp/users/dead"), "process 1, `long ago`\n").unwrap();
        std::fs::write(cache.join("tmp/dewar-half"), "half").unwrap();
        let Err(HoldError::InUse { holders }) = alone(cache, Shared::No) else { panic!("it is in use") };
        assert_eq!(holders.len(), 1, "{holders:?}");
        drop(held);
        let _held = alone(cache, Shared::No).unwrap();
        assert_eq!(leftovers(cache).unwrap(), ["tmp/dewar-half", "tmp/users/dead"].map(|name| cache.join(name)));
    }

    #[test]
    fn one_who_waits_gets_it_when_the_other_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().to_owned();
        let removing = alone(&cache, Shared::No).unwrap();
        let (told, wait) = std::sync::mpsc::channel();
        let waiting = std::thread::spawn({
            let cache = cache.clone();
            let tell = move || told.send(()).unwrap();
            move || with_others(&cache, Shared::No, "`repro`", tell).map(drop)
        });
        wait.recv().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(30));
        assert!(!waiting.is_finished());
        drop(removing);
        waiting.join().unwrap().unwrap();
    }

    #[test]
    fn a_lock_that_was_removed_by_hand_is_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        let before = hold(dir.path(), "`repro`").unwrap();
        std::fs::remove_file(dir.path().join("tmp").join(LOCK)).unwrap();
        // The new file is another one; whoever comes now agrees on it.
        let after = hold(dir.path(), "`repro`").unwrap();
        assert!(matches!(alone(dir.path(), Shared::No), Err(HoldError::InUse { .. })));
        drop((before, after));
        alone(dir.path(), Shared::No).unwrap();
    }

    #[test]
    fn what_a_shared_cache_is_held_by_belongs_to_its_group() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("cache");
        let mode = |name: &str| cache.join(name).metadata().unwrap().mode() & 0o7777;
        let modes = || ["", "tmp", "tmp/users", "tmp/use.lock"].map(mode);
        let held = with_others(&cache, Shared::Group, "`repro`", || ()).unwrap();
        assert_eq!(modes(), [0o2775, 0o2775, 0o2775, 0o664]);
        let name = std::fs::read_dir(cache.join("tmp/users")).unwrap().next().unwrap().unwrap();
        assert_eq!(name.metadata().unwrap().mode() & 0o444, 0o444);
        drop(held);
        // What was made before it was shared becomes the group's; what is not shared stays its owner's.
        for (name, mode) in [("tmp", 0o755), ("tmp/users", 0o755), ("tmp/use.lock", 0o644)] {
            std::fs::set_permissions(cache.join(name), Permissions::from_mode(mode)).unwrap();
        }
        drop(hold(&cache, "`repro`").unwrap());
        assert_eq!(modes(), [0o2775, 0o755, 0o755, 0o644]);
        drop(with_others(&cache, Shared::Group, "`repro`", || ()).unwrap());
        assert_eq!(modes(), [0o2775, 0o2775, 0o2775, 0o664]);
        std::fs::remove_dir_all(&cache).unwrap();
        drop(alone(&cache, Shared::Group).unwrap());
        assert_eq!((mode("tmp"), mode("tmp/use.lock")), (0o2775, 0o664));
    }
}
