//! Single flight: of all who would run the same commands on the same inputs, one does, and the others find its result in the
//! run cache. Who runs holds a kernel lock in the cache itself, which isolated workspaces, other processes and other projects
//! share. It is gone with the process at the latest, and its file is one of those that `gc` finds left over.

use std::io;

use super::ObjectStore;
use super::hold::admit;
use super::store::TEMPORARY;
use crate::fs::{FsError, is_absent};
use crate::lock::{Lock, Taken};

/// The suffix of a lock, behind the key of the inputs.
const SUFFIX: &str = ".run";

/// What came of asking to be the one who runs.
#[derive(Debug)]
pub enum Flight {
    /// Nobody else does.
    Own(OwnFlight),
    /// Another does, and says who it is; empty in the moment before it did.
    Others(String),
    /// Nobody knows: the cache cannot be written, so that no result would come into it, either.
    Untold,
}

/// Being the one who runs, until this is dropped.
#[derive(Debug)]
pub struct OwnFlight(Option<Lock>);

impl Drop for OwnFlight {
    fn drop(&mut self) {
        // A file that stays is nobody's, and locks nobody out.
        self.0.take().map(Lock::remove);
    }
}

impl ObjectStore {
    /// Asks to be the one who runs what has this key in the run cache; `who` is told to others.
    ///
    /// # Errors
    /// When the lock cannot be taken although the cache can be written.
    pub fn fly(&self, key: &str, who: &str) -> Result<Flight, FsError> {
        let folder = self.folder().join(TEMPORARY);
        let path = folder.join(format!("{key}{SUFFIX}"));
        let taken = match Lock::try_take_passing(&path) {
            Err(error) if is_absent(&error.source) => {
                self.shared().create_folder(self.folder(), &folder).and_then(|()| Lock::try_take_passing(&path))
            }
            taken => taken,
        };
        match taken {
            Ok(Taken::Yes(mut lock)) => {
                admit(self.shared(), &path, 0o664);
                // Only for messages.
                drop(lock.write(who));
                Ok(Flight::Own(OwnFlight(Some(lock))))
            }
            Ok(Taken::No { text }) => Ok(Flight::Others(text)),
            Err(error) => match error.source.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Ok(Flight::Untold),
                _ => Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::Shared;
    use super::*;

    #[test]
    fn one_runs_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = |shared| ObjectStore::new(dir.path().join("cache"), shared, &[]);
        let own = store(Shared::Group).fly("ab", "process 1").unwrap();
        assert!(matches!(own, Flight::Own(_)));
        let mode = dir.path().join("cache/tmp/ab.run").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o664);
        assert!(matches!(store(Shared::No).fly("ab", "me").unwrap(), Flight::Others(who) if who == "process 1"));
        assert!(matches!(store(Shared::No).fly("cd", "me").unwrap(), Flight::Own(_)));
        drop(own);
        assert_eq!(std::fs::read_dir(dir.path().join("cache/tmp")).unwrap().count(), 0);
        assert!(matches!(store(Shared::No).fly("ab", "me").unwrap(), Flight::Own(_)));
    }

    #[test]
    fn what_a_killed_one_left_locks_nobody_out() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("tmp")).unwrap();
        std::fs::write(dir.path().join("tmp/ab.run"), "process 1").unwrap();
        let store = ObjectStore::new(dir.path(), Shared::No, &[]);
        assert_eq!(store.leftovers().unwrap(), [dir.path().join("tmp/ab.run")]);
        assert!(matches!(store.fly("ab", "me").unwrap(), Flight::Own(_)));
        assert_eq!(store.leftovers().unwrap().len(), 0);
    }

    #[test]
    fn where_nothing_can_be_written_nobody_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let store = ObjectStore::new(dir.path().join("file/cache"), Shared::No, &[]);
        std::fs::write(dir.path().join("file"), "").unwrap();
        assert!(store.fly("ab", "me").is_err());
        std::fs::create_dir(dir.path().join("closed")).unwrap();
        std::fs::set_permissions(dir.path().join("closed"), PermissionsExt::from_mode(0o555)).unwrap();
        let store = ObjectStore::new(dir.path().join("closed"), Shared::No, &[]);
        // The superuser may write everywhere.
        let root = rustix::process::geteuid().is_root();
        assert!(root || matches!(store.fly("ab", "me").unwrap(), Flight::Untold));
    }
}
