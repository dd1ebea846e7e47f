//! What of a cache nobody uses, found by listing it once, and its removal.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{CacheError, ObjectStore, Tree, hold};
use crate::digest::{Algorithm, ObjectId};
use crate::fs::{self, FsError, is_absent, list_optional};

/// An object that nobody uses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unused {
    /// Its name.
    pub id: ObjectId,
    /// How many bytes it takes.
    pub size: u64,
}

impl ObjectStore {
    /// The objects that are not in `used`, listings of directories first: where a removal is cut short, no listing is left
    /// whose files are gone. What is no object by its name is passed by.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn unused(&self, used: &HashSet<ObjectId>) -> Result<Vec<Unused>, FsError> {
        let files = self.folder().join("files");
        let layouts = [
            (files.join(Algorithm::Blake3.key()), Algorithm::Blake3),
            (files.join(Algorithm::Md5.key()), Algorithm::Md5),
            (self.folder().to_owned(), Algorithm::Md5Dos2Unix),
        ];
        let mut folders = Vec::new();
        for (top, algorithm) in layouts {
            folders.extend(prefixes(&top)?.into_iter().map(|(prefix, path)| (prefix, path, algorithm)));
        }
        let lists: Result<Vec<Vec<Unused>>, FsError> =
            folders.par_iter().map(|(prefix, path, algorithm)| unused_in(prefix, path, *algorithm, used)).collect();
        let mut unused: Vec<Unused> = lists?.into_iter().flatten().collect();
        unused.sort_by(|a, b| b.id.is_directory().cmp(&a.id.is_directory()).then_with(|| a.cmp(b)));
        Ok(unused)
    }

    /// Removes objects; the cache must be held alone.
    ///
    /// # Errors
    /// At the first that cannot be removed.
    pub fn remove_all(&self, unused: &[Unused]) -> Result<(), FsError> {
        let (listings, files): (Vec<_>, Vec<_>) = unused.iter().partition(|unused| unused.id.is_directory());
        for part in [listings, files] {
            part.par_iter().try_for_each(|unused| fs::remove_file(&self.path(&unused.id)))?;
        }
        Ok(())
    }

    /// The files that the listing of a directory names; none when the listing is missing or damaged. Removes nothing.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn members(&self, id: &ObjectId) -> Result<Option<Vec<ObjectId>>, CacheError> {
        let Some(bytes) = fs::read_optional(&self.path(id))? else { return Ok(None) };
        let tree = Tree::parse(id.algorithm(), &bytes).ok().filter(|tree| &tree.id(&bytes) == id);
        Ok(tree.map(|tree| tree.files().map(|(_, id)| id.clone()).collect()))
    }

    /// Files that processes which were killed left on their way into the cache, which must be held alone.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn leftovers(&self) -> Result<Vec<PathBuf>, FsError> {
        hold::leftovers(self.folder())
    }
}

/// The folders of objects: those named by two digits.
fn prefixes(top: &Path) -> Result<Vec<(String, PathBuf)>, FsError> {
    let mut found = Vec::new();
    for path in list_optional(top)?.unwrap_or_default() {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) && path.is_dir() {
            found.push((name, path));
        }
    }
    Ok(found)
}

fn unused_in(
    prefix: &str,
    folder: &Path,
    algorithm: Algorithm,
    used: &HashSet<ObjectId>,
) -> Result<Vec<Unused>, FsError> {
    let mut unused = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(FsError::new("list", folder))? {
        let entry = entry.map_err(FsError::new("list", folder))?;
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| ObjectId::parse(algorithm, &format!("{prefix}{name}")).ok());
        let Some(id) = id.filter(|id| !used.contains(id)) else { continue };
        let metadata = match entry.metadata() {
            Err(error) if is_absent(&error) => continue,
            result => result.map_err(FsError::new("look at", entry.path()))?,
        };
        if metadata.is_file() {
            unused.push(Unused { id, size: metadata.len() });
        }
    }
    Ok(unused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Shared;
    use crate::digest::Hasher;

    #[test]
    fn all_layouts_are_listed_and_only_objects_are() {
        let dir = tempfile::tempdir().unwrap();
        let store = ObjectStore::new(dir.path(), Shared::No, &[]);
        assert_eq!(store.unused(&HashSet::new()).unwrap(), []);
        let id = |algorithm| Hasher::digest(algorithm, b"x");
        let ids = [
            id(Algorithm::Md5).into_directory(),
            id(Algorithm::Blake3),
            id(Algorithm::Md5),
            id(Algorithm::Md5Dos2Unix),
        ];
        for id in &ids {
            fs::write_atomic(&store.path(id), b"x").unwrap();
        }
        let others = ["runs/ab/x", "tmp/y", "files/md5/ab/short", "ab/not-one", "files/sha1/ab/cd", "zz/y"];
        for other in others {
            fs::write_atomic(&dir.path().join(other), b"mine").unwrap();
        }
        let unused = store.unused(&HashSet::new()).unwrap();
        assert_eq!(unused.iter().map(|unused| unused.id.clone()).collect::<Vec<_>>(), ids);
        assert!(unused.iter().all(|unused| unused.size == 1));
        let used = HashSet::from([id(Algorithm::Blake3)]);
        store.remove_all(&store.unused(&used).unwrap()).unwrap();
        assert_eq!(ids.iter().filter(|id| store.has(id)).collect::<Vec<_>>(), [&id(Algorithm::Blake3)]);
        assert!(others.iter().all(|other| dir.path().join(other).exists()));
    }
}
