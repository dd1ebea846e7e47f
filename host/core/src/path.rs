//! [`RepoPath`]: how every module names a file of the project.

use std::borrow::Borrow;
use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, de};

/// A path inside the project: relative to its root, UTF-8, `/`-separated, without `.`, `..` or empty parts.
///
/// The root itself is the empty path. Ordering is that of the text, as DVC sorts its lock entries.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize)]
pub struct RepoPath(String);

/// Why a text is no path inside the project.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It climbs above the root, or is absolute.
    #[error("`{0}` is outside the project")]
    Outside(String),
    /// It has a NUL byte, which no file name can have.
    #[error("`{0}` has a NUL byte in it")]
    Nul(String),
    /// The file system gave a name that is not UTF-8.
    #[error("`{}` is not UTF-8", .0.display())]
    NotUtf8(PathBuf),
}

impl RepoPath {
    /// The root of the project.
    #[must_use]
    pub const fn root() -> Self {
        Self(String::new())
    }

    /// Reads a path written relative to the root.
    ///
    /// # Errors
    /// When it is absolute, leads above the root or has a NUL byte.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        Self::root().join(text)
    }

    /// Resolves `text`, written relative to the folder `self`, without asking the file system: `..` takes a part away.
    ///
    /// # Errors
    /// When it is absolute, leads above the root or has a NUL byte.
    pub fn join(&self, text: &str) -> Result<Self, PathError> {
        if text.contains('\0') {
            return Err(PathError::Nul(text.replace('\0', "\u{2400}")));
        }
        if text.starts_with('/') {
            return Err(PathError::Outside(text.to_owned()));
        }
        let mut parts: Vec<&str> = self.parts().collect();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop().ok_or_else(|| PathError::Outside(text.to_owned()))?;
                }
                part => parts.push(part),
            }
        }
        Ok(Self(parts.join("/")))
    }

    /// A path as a user types it in the folder `from` of the project at `root`: relative to the folder, or absolute.
    ///
    /// # Errors
    /// When it is outside the project or has a NUL byte.
    pub fn typed(root: &Path, from: &Self, text: &str) -> Result<Self, PathError> {
        if text.starts_with('/') { Self::from_absolute(root, Path::new(text)) } else { from.join(text) }
    }

    /// The path of `path` below `root`, both absolute and already resolved.
    ///
    /// # Errors
    /// When it is not below `root` or not UTF-8.
    pub fn from_absolute(root: &Path, path: &Path) -> Result<Self, PathError> {
        let below = path.strip_prefix(root).map_err(|_| PathError::Outside(path.display().to_string()))?;
        let text = below.to_str().ok_or_else(|| PathError::NotUtf8(path.to_owned()))?;
        Self::parse(text)
    }

    /// The text, such as `data/raw.csv`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The parts, none for the root.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// The last part, empty for the root.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The folder it is in; none for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(self.0.rsplit_once('/').map_or_else(Self::root, |(parent, _)| Self(parent.to_owned())))
    }

    /// The texts of the folders that it is in, the nearest first, without the root.
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        self.0.rmatch_indices('/').filter_map(|(at, _)| self.0.get(..at))
    }

    /// The texts of the path itself and of the folders that it is in, the nearest first, without the root.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.as_str()).chain(self.folders())
    }

    /// Whether `self` is `other` or lies below it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        other.is_root()
            || self.0.strip_prefix(other.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether one of the two is the other or lies below it, so that what is written at one is seen at the other.
    #[must_use]
    pub fn touches(&self, other: &Self) -> bool {
        self.is_within(other) || other.is_within(self)
    }

    /// How `self` is written from the folder `from`, with `..` where needed; `.` for `from` itself.
    #[must_use]
    pub fn relative_to(&self, from: &Self) -> String {
        let mine: Vec<&str> = self.parts().collect();
        let base: Vec<&str> = from.parts().collect();
        let common = mine.iter().zip(&base).take_while(|(a, b)| a == b).count();
        let up = std::iter::repeat_n("..", base.len() - common);
        let text = up.chain(mine.iter().skip(common).copied()).collect::<Vec<_>>().join("/");
        if text.is_empty() { ".".to_owned() } else { text }
    }

    /// The file-system path below `root`.
    #[must_use]
    pub fn under(&self, root: &Path) -> PathBuf {
        if self.is_root() { root.to_owned() } else { root.join(&self.0) }
    }
}

/// A map or a set of paths is asked by text: equality, order and hash are those of the text.
impl Borrow<str> for RepoPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Refuses a text that is no such path.
impl<'de> Deserialize<'de> for RepoPath {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let is_part = |part: &str| !matches!(part, "" | "." | "..");
        let is_path = text.is_empty() || (!text.contains('\0') && text.split('/').all(is_part));
        is_path.then_some(Self(text)).ok_or_else(|| de::Error::custom("not a path inside the project"))
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "." } else { &self.0 })
    }
}

/// The path without `.` and `..`, not asking the file system.
pub(crate) fn normalised(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

/// How `path` is written from the folder `from`, with `..` where needed; both absolute and [`normalised`].
pub(crate) fn relative(path: &Path, from: &Path) -> PathBuf {
    let common = path.components().zip(from.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(common).map(|_| Component::ParentDir);
    let relative: PathBuf = up.chain(path.components().skip(common)).collect();
    if relative.as_os_str().is_empty() { PathBuf::from(".") } else { relative }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_as_a_shell_would_and_never_leaves() {
        let dir = RepoPath::parse("a/b").unwrap();
        assert_eq!(dir.join("../c//d/./e").unwrap().as_str(), "a/c/d/e");
        assert_eq!(dir.join("../..").unwrap(), RepoPath::root());
        assert_eq!(dir.join("../../.."), Err(PathError::Outside("../../..".into())));
        assert_eq!(dir.join("/etc"), Err(PathError::Outside("/etc".into())));
        assert!(matches!(dir.join("x\0y"), Err(PathError::Nul(_))));
        let typed = |text| RepoPath::typed(Path::new("/project"), &dir, text).map(|path| path.as_str().to_owned());
        assert_eq!((typed("../x"), typed("/project/x/")), (Ok("a/x".into()), Ok("x".into())));
        assert!(matches!(typed("/projects"), Err(PathError::Outside(_))));
    }

    #[test]
    fn within_compares_whole_parts() {
        let path = |text| RepoPath::parse(text).unwrap();
        assert!(path("data/x").is_within(&path("data")));
        assert!(path("data").is_within(&path("data")));
        assert!(!path("database").is_within(&path("data")));
        assert!(path("x").is_within(&RepoPath::root()));
        assert!(path("data").touches(&path("data/x")) && path("data/x").touches(&path("data")));
        assert!(!path("data/x").touches(&path("data/y")) && !path("data").touches(&path("database")));
    }

    #[test]
    fn what_is_around_is_told_the_nearest_first() {
        let path = RepoPath::parse("a/b/c").unwrap();
        assert_eq!(path.ancestors().collect::<Vec<_>>(), ["a/b/c", "a/b", "a"]);
        assert_eq!(path.folders().collect::<Vec<_>>(), ["a/b", "a"]);
        let set = std::collections::HashSet::from([RepoPath::parse("a/b").unwrap()]);
        assert!(path.folders().any(|folder| set.contains(folder)) && !set.contains("a"));
    }

    #[test]
    fn is_written_relative_to_a_folder() {
        let path = |text| RepoPath::parse(text).unwrap();
        assert_eq!(path("a/b/c").relative_to(&path("a")), "b/c");
        assert_eq!(path("out").relative_to(&path("sub/deep")), "../../out");
        assert_eq!(path("a").relative_to(&path("a")), ".");
    }
}
