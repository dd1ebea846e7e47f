//! Writing into the workspace: through handles of folders, so that no symlink leads out of the project.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cap_std::fs::Dir;
use rustix::fs::{AtFlags, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;

use super::store::reflink;
use super::{CacheError, LinkKind, ObjectStore, WorkTree};
use crate::fs::{FsError, is_absent};
use crate::index::Stat;
use crate::path::RepoPath;

/// How far in the past the time of a written file lies: more than the clock's granularity, see [`crate::index`].
const BACKDATED: Duration = Duration::from_millis(20);

/// What is on its way begins with this.
const ON_ITS_WAY: &str = ".dewar-";

/// Whether a file of the workspace may be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Executable {
    Yes,
    No,
}

/// A name in an open folder.
pub(super) struct Place {
    pub(super) folder: Dir,
    pub(super) name: String,
    /// For messages.
    pub(super) path: PathBuf,
}

impl WorkTree<'_> {
    /// The place of `path`; none when the folder that it is in does not exist.
    pub(super) fn place(&self, path: &RepoPath) -> Result<Option<Place>, CacheError> {
        let parent = path.parent().ok_or(CacheError::Root)?;
        let shown = path.under(self.root);
        let folder = if parent.is_root() { self.folder.try_clone() } else { self.folder.open_dir(parent.as_str()) };
        match folder {
            Ok(folder) => Ok(Some(Place { folder, name: path.file_name().to_owned(), path: shown })),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(outside(error, shown)),
        }
    }

    /// The place of `path`, whose folder is made.
    pub(super) fn make_place(&self, path: &RepoPath) -> Result<Place, CacheError> {
        if let Some(place) = self.place(path)? {
            return Ok(place);
        }
        let parent = path.parent().ok_or(CacheError::Root)?;
        let shown = parent.under(self.root);
        self.folder.create_dir_all(parent.as_str()).map_err(|error| outside(error, shown.clone()))?;
        self.place(path)?.ok_or(CacheError::Absent(shown))
    }
}

fn outside(error: io::Error, path: PathBuf) -> CacheError {
    let escapes = error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none();
    if escapes || error.raw_os_error() == Some(Errno::XDEV.raw_os_error()) {
        CacheError::Outside(path)
    } else {
        FsError::new("open", path)(error).into()
    }
}

impl Place {
    /// What stands there itself, symlinks not followed.
    pub(super) fn metadata(&self) -> Result<Option<cap_std::fs::Metadata>, CacheError> {
        match self.folder.symlink_metadata(&self.name) {
            Err(error) if is_absent(&error) => Ok(None),
            result => Ok(Some(result.map_err(FsError::new("look at", &self.path))?)),
        }
    }

    /// Removes what stands there: of a symlink the link.
    pub(super) fn remove(&self) -> Result<(), CacheError> {
        let Some(metadata) = self.metadata()? else { return Ok(()) };
        let removed = if metadata.is_dir() {
            self.folder.remove_dir_all(&self.name)
        } else {
            self.folder.remove_file(&self.name)
        };
        match removed {
            Err(error) if is_absent(&error) => Ok(()),
            result => Ok(result.map_err(FsError::new("remove", &self.path))?),
        }
    }

    /// Makes a folder there, in place of whatever else stands there, and opens it.
    pub(super) fn make_folder(&self) -> Result<Dir, CacheError> {
        let error = || FsError::new("create the folder", &self.path);
        // Several threads may be at it.
        for _ in 0..8 {
            match open_folder(&self.folder, &self.name) {
                Ok(folder) => return Ok(folder),
                Err(Errno::NOENT) => match rustix::fs::mkdirat(&self.folder, &*self.name, Mode::from_raw_mode(0o777)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(errno) => return Err(error()(errno.into()).into()),
                },
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    match rustix::fs::unlinkat(&self.folder, &*self.name, AtFlags::empty()) {
                        Ok(()) | Err(Errno::NOENT | Errno::ISDIR | Errno::PERM) => {}
                        Err(errno) => return Err(error()(errno.into()).into()),
                    }
                }
                Err(errno) => return Err(error()(errno.into()).into()),
            }
        }
        Err(CacheError::Changed(self.path.clone()))
    }

    /// Puts the content of `object` there, in one step, as the first of the store's kinds that works. Returns the new
    /// file's stat.
    pub(super) fn link(&self, store: &ObjectStore, object: &Path, executable: Executable) -> Result<Stat, CacheError> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let name = format!("{}{}", of_this_process(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let linked = self.link_as(store, object, executable, &name).and_then(|inode| {
            let to = |name: &str| rustix::fs::renameat(&self.folder, name, &self.folder, &*self.name);
            match to(&name) {
                Err(Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST) => {
                    self.folder.remove_dir_all(&self.name)?;
                    to(&name)?;
                }
                result => result?,
            }
            Ok(inode)
        });
        // After a failure it is in the way; and renaming one name of a file onto another name of it does nothing.
        if !matches!(linked, Ok(Some(_))) {
            self.folder.remove_file(&name).ok();
        }
        let inode = linked.map_err(FsError::new("write", &self.path))?;
        let metadata = std::fs::metadata(&self.path).map_err(FsError::new("look at", &self.path))?;
        let stat = Stat::from(&metadata);
        match inode {
            Some(inode) if inode != metadata.ino() => Err(CacheError::Changed(self.path.clone())),
            _ => Ok(stat),
        }
    }

    /// Makes the file under a temporary name. Returns its inode when it is a new one.
    fn link_as(
        &self,
        store: &ObjectStore,
        object: &Path,
        executable: Executable,
        name: &str,
    ) -> io::Result<Option<u64>> {
        for kind in store.links() {
            let made = match kind {
                // The object itself must not become executable.
                LinkKind::Hardlink | LinkKind::Symlink if executable == Executable::Yes => continue,
                LinkKind::Hardlink => {
                    let at = rustix::fs::CWD;
                    rustix::fs::linkat(at, object, &self.folder, name, AtFlags::empty()).map(|()| None)
                }
                LinkKind::Symlink => {
                    let target = std::path::absolute(object)?;
                    rustix::fs::symlinkat(&target, &self.folder, name).map(|()| None)
                }
                LinkKind::Reflink => match self.copy_as(object, executable, name, reflink) {
                    Ok(inode) => return Ok(Some(inode)),
                    Err(_) => continue,
                },
                LinkKind::Copy => break,
            };
            if let Ok(made) = made {
                return Ok(made);
            }
        }
        let copy = |mut new: &File, mut old: &File| io::copy(&mut old, &mut new).map(|_| ());
        self.copy_as(object, executable, name, copy).map(Some)
    }

    fn copy_as(
        &self,
        object: &Path,
        executable: Executable,
        name: &str,
        copy: impl FnOnce(&File, &File) -> io::Result<()>,
    ) -> io::Result<u64> {
        let mode = if executable == Executable::Yes { 0o777 } else { 0o666 };
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
        let old = File::open(object)?;
        let new = File::from(rustix::fs::openat(&self.folder, name, flags, Mode::from_raw_mode(mode))?);
        if let Err(error) = copy(&new, &old) {
            self.folder.remove_file(name)?;
            return Err(error);
        }
        backdate(&new)?;
        Ok(new.metadata()?.ino())
    }
}

/// With what the names of files begin that this process has on their way. They stand beside their place until they are renamed
/// there; a number of a process may come again, its beginning does not.
fn of_this_process() -> &'static str {
    static BEGIN: OnceLock<String> = OnceLock::new();
    BEGIN.get_or_init(|| {
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        format!("{ON_ITS_WAY}{}-{}-", std::process::id(), began.as_nanos())
    })
}

/// Whether a file of this name was on its way, and is nobody's content: a process that is killed leaves it.
pub(super) fn was_on_its_way(name: &str) -> bool {
    let Some(numbers) = name.strip_prefix(ON_ITS_WAY) else { return false };
    let numbers: Vec<&str> = numbers.split('-').collect();
    numbers.len() == 3 && numbers.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Removes what other processes left on its way in a folder; who writes here has the workspace, so that they are dead. That it
/// fails only leaves it.
pub(super) fn sweep(folder: &Dir) {
    let Ok(entries) = folder.entries() else { return };
    for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        if was_on_its_way(&name) && !name.starts_with(of_this_process()) {
            folder.remove_file(&name).ok();
        }
    }
}

/// Opens a folder by its name in another, not through a symlink.
fn open_folder(folder: &Dir, name: &str) -> Result<Dir, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(folder, name, flags, Mode::empty())?;
    Ok(Dir::from_std_file(File::from(opened)))
}

fn backdate(file: &File) -> io::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let then = now.saturating_sub(BACKDATED);
    let stamp =
        Timespec { tv_sec: i64::try_from(then.as_secs()).unwrap_or_default(), tv_nsec: i64::from(then.subsec_nanos()) };
    Ok(rustix::fs::futimens(file, &Timestamps { last_access: stamp, last_modification: stamp })?)
}
