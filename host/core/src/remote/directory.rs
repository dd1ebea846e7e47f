//! A remote that is a folder of this machine or of a mounted disk.
//!
//! A file is written under a temporary name and renamed, so that what stands at a key is whole. What a killed process leaves is
//! in `tmp/` at the top, which no key begins with, or in a folder that is on another disk, and is removed by a later write once it is a day old: an hour-long copy from
//! another machine is not, whose locks cannot be seen on every network disk.

use std::collections::HashSet;
use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;
use tempfile::NamedTempFile;

use super::{Access, Listed, Remote, RemoteError};
use crate::cache::Shared;
use crate::fs::{FsError, is_absent};

/// The folder of files on their way into the remote.
const TEMPORARY: &str = "tmp";
/// How their names begin.
const PREFIX: &str = "dewar-";
/// When such a file is nobody's any more.
const ABANDONED: Duration = Duration::from_hours(24);
/// The permissions of a file of a remote: they are named by their content, and nobody is to change them (DVC's rule).
const PROTECTED: u32 = 0o444;
/// How often a folder is made again that another process removes.
const ATTEMPTS: usize = 5;
/// How much is copied at once.
const CHUNK: u64 = 1 << 20;

/// A folder.
#[derive(Debug)]
pub(super) struct Directory {
    name: String,
    folder: PathBuf,
    shared: Shared,
    /// Folders of files on their way, of which what was abandoned is gone.
    swept: Mutex<HashSet<PathBuf>>,
}

impl Directory {
    /// The remote `name` in `folder`.
    pub(super) fn open(name: &str, folder: PathBuf, shared: Shared, access: Access) -> Result<Self, RemoteError> {
        if access == Access::Read && !folder.is_dir() {
            return Err(RemoteError::Absent { name: name.to_owned(), path: folder });
        }
        Ok(Self { name: name.to_owned(), folder, shared, swept: Mutex::default() })
    }

    fn unreadable(&self, verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RemoteError {
        let (name, error) = (self.name.clone(), FsError::new(verb, path));
        move |source| RemoteError::Unreadable { name, error: error(source) }
    }

    fn unwritable(&self, error: FsError) -> RemoteError {
        RemoteError::Unwritable { name: self.name.clone(), error }
    }

    /// Removes what was abandoned in a folder of files on their way, the first time that one is to be there.
    fn sweep(&self, folder: &Path) {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if !swept.contains(folder) {
            swept.insert(folder.to_owned());
            drop(swept);
            sweep(folder);
        }
    }

    /// A new file that can be renamed into `folder`, which is made when it is missing. Gone when it is dropped.
    fn temporary(&self, folder: &Path) -> Result<NamedTempFile, FsError> {
        let tmp = self.folder.join(TEMPORARY);
        let device = |path: &Path| path.metadata().map(|metadata| metadata.dev()).ok();
        let attempt = || {
            for made in [&tmp, folder] {
                if device(made).is_none() {
                    self.shared.create_folder(&self.folder, made)?;
                }
            }
            // A folder of the remote may be a link to another disk.
            let beside = if device(&tmp) == device(folder) { &tmp } else { folder };
            self.sweep(&tmp);
            self.sweep(beside);
            let file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(beside);
            file.map_err(FsError::new("write to", beside))
        };
        // Whoever was ready with its own files may remove the folder for them at any instant.
        let is_gone = |error: &FsError| is_absent(&error.source) || error.source.kind() == io::ErrorKind::AlreadyExists;
        let mut file = attempt();
        for _ in 0..ATTEMPTS {
            match file {
                Err(error) if is_gone(&error) => file = attempt(),
                file => return file,
            }
        }
        file
    }
}

/// Removes what was abandoned in a folder. It only takes room: that it cannot be removed is nothing to stop for.
fn sweep(folder: &Path) {
    let now = SystemTime::now();
    for entry in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        if !entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)) {
            continue;
        }
        let written = entry.metadata().and_then(|metadata| metadata.modified()).ok();
        let age = written.and_then(|written| now.duration_since(written).ok());
        if age.is_some_and(|age| age > ABANDONED) {
            std::fs::remove_file(entry.path()).ok();
        }
    }
}

/// Copies all of `from` to `to`; `size` says how much that should be.
fn copy(from: &mut dyn Read, to: &mut dyn Write, size: u64) -> io::Result<()> {
    // One more than there is, so that the end of a small file is found by the read that takes it.
    let mut buffer = vec![0; usize::try_from(size.saturating_add(1).min(CHUNK)).unwrap_or_default()];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => to.write_all(buffer.get(..read).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl Remote for Directory {
    fn name(&self) -> &str {
        &self.name
    }

    fn has(&self, key: &str) -> Result<bool, RemoteError> {
        let path = self.folder.join(key);
        match path.metadata() {
            Err(error) if is_absent(&error) => Ok(false),
            metadata => Ok(metadata.map_err(self.unreadable("look at", &path))?.is_file()),
        }
    }

    fn list(&self, key: &str) -> Result<Vec<Listed>, RemoteError> {
        let path = self.folder.join(key);
        let entries = match std::fs::read_dir(&path) {
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            result => result.map_err(self.unreadable("list", &path))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(self.unreadable("list", &path))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let kind = entry.file_type().map_err(self.unreadable("look at", &path))?;
            let kind = if kind.is_symlink() {
                entry.path().metadata().ok().map(|found| found.file_type())
            } else {
                Some(kind)
            };
            match kind {
                Some(kind) if kind.is_file() => found.push(Listed::File(name)),
                Some(kind) if kind.is_dir() => found.push(Listed::Folder(name)),
                _ => {}
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    fn read(&self, key: &str, to: &mut dyn Write) -> Result<bool, RemoteError> {
        let path = self.folder.join(key);
        // Else opening a pipe waits.
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
        let mut source = match File::options().read(true).custom_flags(flags).open(&path) {
            Err(error) if is_absent(&error) => return Ok(false),
            result => result.map_err(self.unreadable("read", &path))?,
        };
        let metadata = source.metadata().map_err(self.unreadable("look at", &path))?;
        if !metadata.is_file() {
            return Err(self.unreadable("read", &path)(io::Error::other("it is not a regular file")));
        }
        copy(&mut source, to, metadata.len()).map_err(self.unreadable("copy", &path))?;
        Ok(true)
    }

    fn write(&self, key: &str, content: &mut dyn Read, size: u64) -> Result<(), RemoteError> {
        let path = self.folder.join(key);
        let mut write = || {
            let mut file = self.temporary(path.parent().unwrap_or(&self.folder))?;
            let error = || FsError::new("write", &path);
            copy(content, file.as_file_mut(), size).map_err(error())?;
            file.as_file().set_permissions(Permissions::from_mode(PROTECTED)).map_err(error())?;
            file.persist(&path).map_err(|failed| error()(failed.error))?;
            Ok(())
        };
        write().map_err(|error| self.unwritable(error))
    }
}

/// Leaves the folder of a remote as DVC does, when nobody writes.
impl Drop for Directory {
    fn drop(&mut self) {
        if !self.swept.get_mut().unwrap_or_else(PoisonError::into_inner).is_empty() {
            std::fs::remove_dir(self.folder.join(TEMPORARY)).ok();
        }
    }
}
