//! [`PluginDirectory`]: the `.wasm` files of one plugin directory, looked at without compiling them.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::component::{Component, ComponentError};

/// A `.wasm` bigger than this is not read; a Python interpreter with a plugin in it has 20 MB.
const SIZE: u64 = 256 << 20;

/// What a plugin directory has.
#[derive(Debug, Default)]
pub struct PluginDirectory {
    /// The plugins, sorted by their files' names.
    pub plugins: Vec<LocatedPlugin>,
    /// What is no plugin. It stops only those who may have meant it.
    pub broken: Vec<BrokenPlugin>,
}

/// A plugin in a directory.
#[derive(Debug)]
pub struct LocatedPlugin {
    /// The file.
    pub path: PathBuf,
    /// What it says of itself.
    pub component: Component,
    /// BLAKE3 of the file, in hexadecimal.
    pub digest: String,
}

/// A file that is no plugin.
#[derive(Debug)]
pub struct BrokenPlugin {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub reason: LocateError,
}

/// Why a file in a plugin directory is no plugin.
#[derive(Debug, thiserror::Error)]
pub enum LocateError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// It is too big.
    #[error("it has {0} bytes; {SIZE} are allowed")]
    TooBig(u64),
    /// It is no component, or not one for this dewar.
    #[error(transparent)]
    Component(#[from] ComponentError),
}

impl PluginDirectory {
    /// Looks at a directory; one that is not there has nothing.
    #[must_use]
    pub fn open(folder: &Path) -> Self {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Self::default();
            }
            Err(error) => {
                let broken = BrokenPlugin { path: folder.to_owned(), reason: LocateError::Unreadable(error) };
                return Self { plugins: Vec::new(), broken: vec![broken] };
            }
        };
        let mut files: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
            .collect();
        files.sort_unstable();
        let mut found = Self::default();
        for path in files {
            match look(&path) {
                Ok((component, digest)) => found.plugins.push(LocatedPlugin { path, component, digest }),
                Err(reason) => found.broken.push(BrokenPlugin { path, reason }),
            }
        }
        found
    }
}

fn look(path: &Path) -> Result<(Component, String), LocateError> {
    let bytes = read(path)?;
    Ok((Component::inspect(&bytes)?, blake3::hash(&bytes).to_hex().to_string()))
}

/// Reads a plugin's file.
///
/// # Errors
/// When it cannot be read or is too big.
pub fn read(path: &Path) -> Result<Vec<u8>, LocateError> {
    // What is no regular file (a pipe, a device) could block for ever.
    let found = fs::metadata(path).map_err(LocateError::Unreadable)?;
    if !found.is_file() {
        return Err(LocateError::Unreadable(io::Error::other("it is no file")));
    }
    if found.len() > SIZE {
        return Err(LocateError::TooBig(found.len()));
    }
    fs::read(path).map_err(LocateError::Unreadable)
}
