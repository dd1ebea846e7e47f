//! A remote that is a folder of this machine or of a mounted disk.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::{Remote, RemoteError};
use crate::fs::{FsError, is_absent};

/// A folder.
#[derive(Debug)]
pub(super) struct Directory {
    name: String,
    folder: PathBuf,
}

impl Directory {
    /// The remote `name` in `folder`.
    ///
    /// A folder that is not there is most often one that is not mounted: what it has would be computed again for nothing.
    pub(super) fn open(name: &str, folder: PathBuf) -> Result<Self, RemoteError> {
        if !folder.is_dir() {
            return Err(RemoteError::Absent { name: name.to_owned(), path: folder });
        }
        Ok(Self { name: name.to_owned(), folder })
    }

    fn unreadable(&self, verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RemoteError {
        let (name, error) = (self.name.clone(), FsError::new(verb, path));
        move |source| RemoteError::Unreadable { name, error: error(source) }
    }
}

impl Remote for Directory {
    fn name(&self) -> &str {
        &self.name
    }

    fn read(&self, key: &str, file: &mut File) -> Result<bool, RemoteError> {
        let path = self.folder.join(key);
        let mut source = match File::open(&path) {
            Err(error) if is_absent(&error) => return Ok(false),
            result => result.map_err(self.unreadable("read", &path))?,
        };
        // On Linux the kernel copies, and shares blocks where it can.
        io::copy(&mut source, file).map_err(self.unreadable("copy", &path))?;
        Ok(true)
    }

    fn list(&self, key: &str) -> Result<Vec<String>, RemoteError> {
        let path = self.folder.join(key);
        let entries = match std::fs::read_dir(&path) {
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            result => result.map_err(self.unreadable("list", &path))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(self.unreadable("list", &path))?.file_name();
            names.extend(name.to_str().map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }
}
