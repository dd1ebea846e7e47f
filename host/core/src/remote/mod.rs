//! Remotes: where a project's objects and remembered runs are kept beside its cache (`[remote "name"]` in `.dvc/config`).
//!
//! A [`Remote`] gives files by their key, and knows nothing of what they are; `fetch` brings objects and runs from one into the
//! cache, and believes nothing that its name does not prove. The layout is that of a cache, as DVC has it. `directory` is the
//! kind that there is; another kind is another file beside it and a line in [`open`].

mod directory;
mod fetch;

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::cache::CacheError;
use crate::config::Config;
use crate::fs::FsError;
use crate::repo::PROJECT_DIR;

pub use fetch::Fetcher;

/// Why nothing comes from a remote.
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
    #[error("the remote `{name}` (`{url}`) is of the kind `{kind}`, which dewar cannot read yet")]
    Unsupported {
        /// Its name.
        name: String,
        /// Where it is.
        url: String,
        /// The scheme of its URL.
        kind: String,
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
    /// What came cannot be kept.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// A place that has files by key: `/`-separated, relative, as in a cache. Asked from several threads.
pub trait Remote: Send + Sync {
    /// How the settings call it.
    fn name(&self) -> &str;

    /// Writes what is at `key` into `file`, which is empty; false when nothing is there.
    ///
    /// # Errors
    /// When it is there and cannot be read, or `file` cannot be written.
    fn read(&self, key: &str, file: &mut File) -> Result<bool, RemoteError>;

    /// The names in the folder at `key`, sorted; none when nothing is there.
    ///
    /// # Errors
    /// When it is there and cannot be listed.
    fn list(&self, key: &str) -> Result<Vec<String>, RemoteError>;
}

/// The remote `name` of the project at `root`, or its default one (`core.remote`).
///
/// # Errors
/// When there is none, or it is of a kind that dewar cannot read.
pub fn open(config: &Config, root: &Path, name: Option<&str>) -> Result<Box<dyn Remote>, RemoteError> {
    let name = name.or_else(|| config.dvc("core", "remote")).ok_or(RemoteError::NoDefault)?;
    let place = locate(config, root, name)?;
    Ok(Box::new(directory::Directory::open(name, place)?))
}

/// The folder of a remote. A relative path is relative to the folder of the settings; `remote://other/sub` is inside another
/// remote (DVC's rules).
fn locate(config: &Config, root: &Path, name: &str) -> Result<PathBuf, RemoteError> {
    let mut names = vec![name.to_owned()];
    let mut below = PathBuf::new();
    loop {
        let current = names.last().cloned().unwrap_or_default();
        let url = url(config, &current)?;
        let Some((kind, rest)) = url.split_once("://") else {
            return Ok(inside(root.join(PROJECT_DIR).join(url), &below));
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
            "file" | "local" => return Ok(inside(Path::new("/").join(rest), &below)),
            kind => {
                return Err(RemoteError::Unsupported {
                    name: name.to_owned(),
                    url: url.to_owned(),
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

fn url<'a>(config: &'a Config, name: &str) -> Result<&'a str, RemoteError> {
    // Names of sections are in lower case, as DVC reads them.
    let Some(options) = config.dvc.get(&format!("remote \"{}\"", name.to_lowercase())) else {
        let names = config.dvc.keys().filter_map(|key| key.strip_prefix("remote \"")?.strip_suffix('"'));
        return Err(RemoteError::Unknown { name: name.to_owned(), known: names.map(str::to_owned).collect() });
    };
    options.get("url").map(String::as_str).ok_or_else(|| RemoteError::NoUrl { name: name.to_owned() })
}

#[cfg(test)]
mod tests;
