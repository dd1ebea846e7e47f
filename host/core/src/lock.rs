//! [`Lock`]: what one process at a time may do. The kernel takes a lock back when its holder ends, however it ends, so that
//! no file's being there ever means "locked".

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::{Errno, FdFlags, fcntl_setfd, retry_on_intr};

use crate::fs::{self, FsError};

/// A lock that is held until this is dropped, or the process ends and all that [`Lock::share`] shared it with.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

/// What came of asking for a lock.
#[derive(Debug)]
pub enum Taken {
    /// It is held now.
    Yes(Lock),
    /// Another process has it, and wrote this into it.
    No {
        /// What [`Lock::write`] wrote; empty in the moment before it did.
        text: String,
    },
}

impl Lock {
    /// Takes the lock that is the file `path`, which is made when missing, unless another process has it.
    ///
    /// # Errors
    /// When the file cannot be opened or locked.
    pub fn try_take(path: &Path) -> Result<Taken, FsError> {
        Self::try_lock(open(path)?, path)
    }

    /// The same of a file that goes with its holder ([`Lock::remove`]): a lock that is held is never one of a file that is gone.
    ///
    /// # Errors
    /// When the file cannot be opened or locked.
    pub fn try_take_passing(path: &Path) -> Result<Taken, FsError> {
        loop {
            match Self::try_take(path)? {
                // Who had it removed it after we had opened it. The name is free, or is that of another file by now.
                Taken::Yes(lock) if lock.is_gone()? => {}
                taken => return Ok(taken),
            }
        }
    }

    /// The same of a file that is there; none when it is not, or was removed meanwhile by who had the lock.
    ///
    /// # Errors
    /// When the file cannot be opened or locked.
    pub fn try_take_existing(path: &Path) -> Result<Option<Taken>, FsError> {
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Err(error) if fs::is_absent(&error) => return Ok(None),
            opened => opened.map_err(FsError::new("open", path))?,
        };
        let taken = Self::try_lock(file, path)?;
        if let Taken::Yes(lock) = &taken
            && lock.is_gone()?
        {
            return Ok(None);
        }
        Ok(Some(taken))
    }

    /// Whether its file was removed.
    fn is_gone(&self) -> Result<bool, FsError> {
        Ok(self.file.metadata().map_err(FsError::new("read", &self.path))?.nlink() == 0)
    }

    fn try_lock(mut file: File, path: &Path) -> Result<Taken, FsError> {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Taken::Yes(Self { file, path: path.to_owned() })),
            Err(Errno::WOULDBLOCK) => {
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(FsError::new("read", path))?;
                Ok(Taken::No { text })
            }
            Err(error) => Err(FsError::new("lock", path)(error.into())),
        }
    }

    /// The same, waiting until no other process has it. For what takes moments.
    ///
    /// # Errors
    /// When the file cannot be opened or locked.
    pub fn wait(path: &Path) -> Result<Self, FsError> {
        let file = open(path)?;
        match retry_on_intr(|| flock(&file, FlockOperation::LockExclusive)) {
            Ok(()) => Ok(Self { file, path: path.to_owned() }),
            Err(error) => Err(FsError::new("lock", path)(error.into())),
        }
    }

    /// Lets processes that are started from now on hold it, too: they may outlive one that is killed, and write on.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn share(&self) -> Result<(), FsError> {
        fcntl_setfd(&self.file, FdFlags::empty()).map_err(|error| FsError::new("lock", &self.path)(error.into()))
    }

    /// Says to those who ask in vain who has it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, text: &str) -> Result<(), FsError> {
        let file = &mut self.file;
        let mut write = || {
            file.rewind()?;
            file.write_all(text.as_bytes())?;
            // Not emptied before it is written: ext4 takes that for a file that is replaced, and closing it waits for the disk.
            let length = text.len() as u64;
            if file.metadata()?.len() > length { file.set_len(length) } else { Ok(()) }
        };
        write().map_err(FsError::new("write", &self.path))
    }

    /// Gives it back and removes its file, of which it must be the lock still.
    ///
    /// # Errors
    /// When the file cannot be removed. The lock is given back anyway.
    pub fn remove(self) -> Result<(), FsError> {
        fs::remove_file(&self.path)
    }
}

impl Drop for Lock {
    /// Gives it back for all that share it, too: what a stage left running, such as a server, must not keep everybody out when
    /// the run has ended in order.
    fn drop(&mut self) {
        // It goes with the last process at the latest.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// How long to wait between one look and the next at what another process has: a moment at first, since most take moments.
/// Never ends.
pub fn pauses() -> impl Iterator<Item = Duration> {
    const LONGEST: Duration = Duration::from_millis(100);
    std::iter::successors(Some(Duration::from_millis(5)), |pause| Some(LONGEST.min(*pause * 2)))
}

fn open(path: &Path) -> Result<File, FsError> {
    // What is written into it must not go where somebody else's link leads.
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(flags)
        .open(path)
        .map_err(FsError::new("open", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_who_says_who_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let Taken::Yes(mut held) = Lock::try_take(&path).unwrap() else { panic!("it is free") };
        held.write("me").unwrap();
        let Taken::No { text } = Lock::try_take(&path).unwrap() else { panic!("taken twice") };
        assert_eq!(text, "me");
        held.share().unwrap();
        let mut server = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        held.write("I").unwrap();
        assert!(matches!(Lock::try_take(&path).unwrap(), Taken::No { text } if text == "I"));
        drop(held);
        drop(Lock::wait(&path).unwrap());
        assert!(matches!(Lock::try_take(&path).unwrap(), Taken::Yes(_)));
        server.kill().unwrap();
        server.wait().unwrap();
    }

    #[test]
    fn a_lock_that_goes_with_its_holder_is_held_by_one_at_a_time() {
        use std::sync::atomic::{AtomicUsize, Ordering};

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let (inside, turns) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let run = || {
            while turns.load(Ordering::SeqCst) < 500 {
                let Taken::Yes(lock) = Lock::try_take_passing(&path).unwrap() else { continue };
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                turns.fetch_add(1, Ordering::SeqCst);
                inside.fetch_sub(1, Ordering::SeqCst);
                lock.remove().unwrap();
            }
        };
        std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(run))));
        assert!(!path.exists());
    }

    #[test]
    fn a_link_is_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("theirs"), "text").unwrap();
        std::os::unix::fs::symlink("theirs", dir.path().join("lock")).unwrap();
        assert!(Lock::try_take(&dir.path().join("lock")).is_err());
        assert!(Lock::wait(&dir.path().join("lock")).is_err());
    }

    #[test]
    fn looking_for_a_lock_makes_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert!(Lock::try_take_existing(&path).unwrap().is_none());
        assert!(Lock::try_take_existing(&path.join("below")).unwrap().is_none() && !path.exists());
        let held = Lock::wait(&path).unwrap();
        assert!(matches!(Lock::try_take_existing(&path).unwrap(), Some(Taken::No { .. })));
        drop(held);
        assert!(matches!(Lock::try_take_existing(&path).unwrap(), Some(Taken::Yes(_))));
        // Opened before it was removed, and taken after.
        let opened = File::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let through = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&opened));
        if Path::new(&through).exists() {
            assert!(Lock::try_take_existing(Path::new(&through)).unwrap().is_none());
        }
    }
}
