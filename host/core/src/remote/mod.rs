//! Remotes: where a project's objects and remembered runs are kept beside its cache (`[remote "name"]` in `.dvc/config`).
//!
//! A [`Remote`] gives and takes files by their key, and knows nothing of what they are. The layout is that of a cache, as DVC
//! has it. `directory` is the kind that there is; another kind is another file beside it and a line in [`open`]. All else is
//! above it, once:
//!
//! 1. `outputs`: what is to go, by the outputs that name it; `batch`: the objects of it that one remote is for.
//! 2. `present`: which of them a remote has.
//! 3. `compare`: which of them either side has.
//! 4. `transfer`: many at once, with `progress`; `push`, `fetch`: one way and the other. What arrives is verified by its name,
//!    and so is what is sent.

mod batch;
mod compare;
mod directory;
mod fetch;
mod outputs;
mod present;
mod progress;
mod push;
mod transfer;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::cache::{CacheError, Shared};
use crate::config::Config;
use crate::fs::FsError;
use crate::repo::PROJECT_DIR;
use crate::url::{self, FileUrlError};

pub use batch::Batch;
pub use fetch::Fetcher;
pub use outputs::Outputs;
pub use transfer::{Absent, Runs, Transfer, Transferred, default_jobs};

/// Why nothing goes to a remote or comes from one.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// None was named, and the settings name none.
    #[error("the project has no default remote")]
    NoDefault,
    /// There is none of this name.
    #[error("there is no remote `{name}` in `.dvc/config`")]
    Unknown {
        /// The name.
        name: String,
        /// What the settings have.
        known: Vec<String>,
    },
    /// The settings do not say where it is.
    #[error("the remote `{name}` has no `url` in `.dvc/config`")]
    NoUrl {
        /// Its name.
        name: String,
    },
    /// It is defined by itself.
    #[error("the remote `{name}` leads back to itself")]
    Circle {
        /// Its name.
        name: String,
    },
    /// A kind that dewar does not speak.
    #[error("the remote `{name}` (`{url}`) is of the kind `{kind}`, which dewar does not speak yet")]
    Unsupported {
        /// Its name.
        name: String,
        /// Where it is.
        url: String,
        /// The scheme of its URL.
        kind: String,
    },
    /// A URL of a file that leads to no path of this machine.
    #[error("the remote `{name}` (`{url}`) is no folder of this machine")]
    NoPath {
        /// Its name.
        name: String,
        /// Where it is.
        url: String,
    },
    /// It is not there: not mounted, or never made.
    #[error("the remote `{name}` is not there: no folder `{}`", path.display())]
    Absent {
        /// Its name.
        name: String,
        /// Where it should be.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("the remote `{name}` cannot be read: {error}")]
    Unreadable {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        error: FsError,
    },
    /// It cannot be written to.
    #[error("the remote `{name}` cannot be written to: {error}")]
    Unwritable {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        error: FsError,
    },
    /// It has something else than what its name says.
    #[error("the remote `{name}` has `{key}` damaged")]
    Damaged {
        /// Its name.
        name: String,
        /// What is damaged.
        key: String,
    },
    /// The cache cannot be read, or what came cannot be kept.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Threads cannot be started.
    #[error("cannot start threads: {0}")]
    Threads(#[source] rayon::ThreadPoolBuildError),
}

/// What a remote is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To read. One that is not there is most often one that is not mounted, and is refused.
    Read,
    /// To write, too. One that is not there is made by what is first written (DVC's rule).
    Write,
}

/// The one or the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The cache.
    Cache,
    /// The remote.
    Remote,
}

/// What stands in a folder of a remote.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listed {
    /// A file of this name.
    File(String),
    /// A folder of this name.
    Folder(String),
}

/// A place that has files by key: `/`-separated, relative, as in a cache. Asked from several threads.
pub trait Remote: Send + Sync {
    /// How the settings call it.
    fn name(&self) -> &str;

    /// Whether there is a file at `key`.
    ///
    /// # Errors
    /// When that cannot be told.
    fn has(&self, key: &str) -> Result<bool, RemoteError>;

    /// What stands in the folder at `key`, sorted; nothing when it is not there.
    ///
    /// # Errors
    /// When it is there and cannot be listed.
    fn list(&self, key: &str) -> Result<Vec<Listed>, RemoteError>;

    /// Writes what is at `key` to `to`; false when nothing is there.
    ///
    /// # Errors
    /// When it is there and cannot be read, or `to` does not take it.
    fn read(&self, key: &str, to: &mut dyn Write) -> Result<bool, RemoteError>;

    /// Puts `content`, which is `size` bytes long, at `key`: all of it, or nothing when it gives an error before its end.
    /// Replaces what is there. Whoever is killed meanwhile leaves nothing at `key`.
    ///
    /// # Errors
    /// When it cannot be written or `content` gives an error; then nothing is at `key` that was not there before.
    fn write(&self, key: &str, content: &mut dyn Read, size: u64) -> Result<(), RemoteError>;
}

/// The remote `name` of the project at `root`, or its default one (`core.remote`).
///
/// # Errors
/// When there is none, or it is of a kind that dewar does not speak.
pub fn open(config: &Config, root: &Path, name: Option<&str>, access: Access) -> Result<Box<dyn Remote>, RemoteError> {
    let name = name.or_else(|| config.dvc("core", "remote")).ok_or(RemoteError::NoDefault)?;
    let place = locate(config, root, name)?;
    let shared = match option(config, name, "shared") {
        Some("group") => Shared::Group,
        _ => Shared::No,
    };
    Ok(Box::new(directory::Directory::open(name, place, shared, access)?))
}

/// An option of the remote `name`.
fn option<'a>(config: &'a Config, name: &str, option: &str) -> Option<&'a str> {
    // Names of sections are in lower case, as DVC reads them.
    config.dvc(&format!("remote \"{}\"", name.to_lowercase()), option)
}

/// The folder of a remote. A relative path is relative to the folder of the settings; `remote://other/sub` is inside another
/// remote (DVC's rules).
fn locate(config: &Config, root: &Path, name: &str) -> Result<PathBuf, RemoteError> {
    let mut names = vec![name.to_owned()];
    let mut below = PathBuf::new();
    loop {
        let current = names.last().cloned().unwrap_or_default();
        let address = address(config, &current)?;
        let Some((kind, rest)) = address.split_once("://") else {
            return Ok(inside(root.join(PROJECT_DIR).join(address), &below));
        };
        match kind {
            "remote" => {
                let (other, inner) = rest.split_once('/').unwrap_or((rest, ""));
                below = Path::new(inner).join(below);
                if names.iter().any(|name| name == other) {
                    return Err(RemoteError::Circle { name: name.to_owned() });
                }
                names.push(other.to_owned());
            }
            "file" | "local" => match url::file_path(rest) {
                Ok(path) => return Ok(inside(path, &below)),
                Err(FileUrlError::Elsewhere { .. } | FileUrlError::Malformed) => {
                    return Err(RemoteError::NoPath { name: name.to_owned(), url: address.to_owned() });
                }
            },
            kind => {
                return Err(RemoteError::Unsupported {
                    name: name.to_owned(),
                    url: address.to_owned(),
                    kind: kind.to_owned(),
                });
            }
        }
    }
}

/// A path inside a folder; the folder itself when there is none.
fn inside(folder: PathBuf, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() { folder } else { folder.join(below) }
}

fn address<'a>(config: &'a Config, name: &str) -> Result<&'a str, RemoteError> {
    // Names of sections are in lower case, as DVC reads them.
    let Some(options) = config.dvc.get(&format!("remote \"{}\"", name.to_lowercase())) else {
        let names = config.dvc.keys().filter_map(|key| key.strip_prefix("remote \"")?.strip_suffix('"'));
        return Err(RemoteError::Unknown { name: name.to_owned(), known: names.map(str::to_owned).collect() });
    };
    options.get("url").map(String::as_str).ok_or_else(|| RemoteError::NoUrl { name: name.to_owned() })
}

#[cfg(test)]
mod tests;
