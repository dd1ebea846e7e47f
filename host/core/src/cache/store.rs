//! [`ObjectStore`]: objects on disk, in DVC's layout.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rayon::prelude::*;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, statat};
use tempfile::NamedTempFile;

use super::{CacheError, Tree, read, writing};
use crate::digest::{Algorithm, Hasher, ObjectId};
use crate::fs::{self, FsError, is_absent};
use crate::index::{Fingerprint, Remembered, Stat, StatIndex};

/// The folder of files on their way into the cache.
pub(super) const TEMPORARY: &str = "tmp";
/// The permissions of an object; one that has them was verified when it was written.
const PROTECTED: u32 = 0o444;

/// How an object becomes a file of the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// A copy that shares its blocks until it is written to.
    Reflink,
    /// The same file under a second name, read-only.
    Hardlink,
    /// A symlink to the object, read-only.
    Symlink,
    /// A copy.
    Copy,
}

impl LinkKind {
    /// How settings name them (`cache.type`).
    pub const NAMES: [(&'static str, Self); 4] =
        [("reflink", Self::Reflink), ("hardlink", Self::Hardlink), ("symlink", Self::Symlink), ("copy", Self::Copy)];
    /// What is tried in turn when nothing is configured.
    pub const DEFAULT: [Self; 2] = [Self::Reflink, Self::Copy];
    /// What is tried in turn where nobody works but stages, whose outputs are removed or made private before they write.
    const DISPOSABLE: [Self; 3] = [Self::Reflink, Self::Hardlink, Self::Copy];

    /// The kind that settings name so.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    /// Whether the file in the workspace is its owner's to write to.
    #[must_use]
    pub const fn is_private(self) -> bool {
        matches!(self, Self::Reflink | Self::Copy)
    }
}

/// Who else writes to the cache (`cache.shared`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shared {
    /// Nobody.
    #[default]
    No,
    /// The members of its group: folders are `02775`.
    Group,
}

impl Shared {
    /// Makes a folder of the cache in `cache`, and those above it.
    pub(crate) fn create_folder(self, cache: &Path, folder: &Path) -> Result<(), FsError> {
        fs::create_dir(folder)?;
        if self == Self::Group {
            for made in folder.ancestors().take_while(|made| made.starts_with(cache)) {
                // Those of another member are as they should be.
                std::fs::set_permissions(made, Permissions::from_mode(0o2775)).ok();
            }
        }
        Ok(())
    }
}

/// Contents by their names: `files/<algorithm>/<2 digits>/<rest>`, and `<2 digits>/<rest>` for those of DVC 2.
#[derive(Debug)]
pub struct ObjectStore {
    folder: PathBuf,
    /// The folder, when it was there and something was looked for.
    opened: OnceLock<OwnedFd>,
    shared: Shared,
    links: Vec<LinkKind>,
}

impl ObjectStore {
    /// The store in `folder` (`.dvc/cache`, or `cache.dir`), which need not exist. `links` are tried in turn; a copy is
    /// always possible.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, shared: Shared, links: &[LinkKind]) -> Self {
        let links = if links.is_empty() { &LinkKind::DEFAULT } else { links };
        Self { folder: folder.into(), opened: OnceLock::new(), shared, links: links.to_vec() }
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The same store, which leaves what it takes in alone: for contents that git keeps.
    #[must_use]
    pub fn copying(&self) -> Self {
        Self::new(&self.folder, self.shared, &LinkKind::DEFAULT)
    }

    /// The same store for a workspace that is thrown away: with nothing configured, contents that cannot share blocks are
    /// linked instead of copied, if their being read-only holds. It does not hold for the superuser.
    #[must_use]
    pub fn for_disposable(&self) -> Self {
        let plain = self.links == LinkKind::DEFAULT && !rustix::process::geteuid().is_root();
        Self::new(&self.folder, self.shared, if plain { &LinkKind::DISPOSABLE } else { &self.links })
    }

    pub(super) const fn shared(&self) -> Shared {
        self.shared
    }

    pub(super) fn links(&self) -> &[LinkKind] {
        &self.links
    }

    /// Where the object is, or would be.
    #[must_use]
    pub fn path(&self, id: &ObjectId) -> PathBuf {
        self.folder.join(key(id))
    }

    /// Whether the object is there; of a directory, its listing.
    #[must_use]
    pub fn has(&self, id: &ObjectId) -> bool {
        // From the folder itself: the path to it need not be walked again for each of thousands.
        let opened = self.opened.get().or_else(|| {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let folder = rustix::fs::open(&self.folder, flags, Mode::empty()).ok()?;
            Some(self.opened.get_or_init(|| folder))
        });
        let is_file = |stat: rustix::fs::Stat| FileType::from_raw_mode(stat.st_mode).is_file();
        match opened {
            Some(folder) => statat(folder, key(id), AtFlags::empty()).is_ok_and(is_file),
            None => self.path(id).is_file(),
        }
    }

    /// How many bytes the object has; none when it is not there.
    #[must_use]
    pub fn size(&self, id: &ObjectId) -> Option<u64> {
        self.path(id).metadata().ok().map(|metadata| metadata.len())
    }

    /// Whether all that is needed to check `id` out is there: of a directory, the listing and every file.
    ///
    /// # Errors
    /// When the listing cannot be read.
    pub fn contains(&self, id: &ObjectId) -> Result<bool, CacheError> {
        if !id.is_directory() || !self.has(id) {
            return Ok(self.has(id));
        }
        match self.tree(id) {
            Ok(tree) => Ok(tree.files().map(|(_, id)| id).collect::<Vec<_>>().into_par_iter().all(|id| self.has(id))),
            Err(CacheError::Missing { .. } | CacheError::Corrupt { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The listing of a directory.
    ///
    /// # Errors
    /// When it is missing, damaged or no listing.
    pub fn tree(&self, id: &ObjectId) -> Result<Tree, CacheError> {
        let path = self.path(id);
        let missing = || CacheError::Missing { id: id.clone(), path: path.clone() };
        let bytes = fs::read_optional(&path)?.ok_or_else(missing)?;
        if &Hasher::digest(id.algorithm(), &bytes).into_directory() != id {
            return Err(self.discard(id));
        }
        Tree::parse(id.algorithm(), &bytes).map_err(|reason| CacheError::BadTree { id: id.clone(), reason })
    }

    /// The bytes of an object that is small enough for the memory; none when the cache does not have them, or has others in
    /// their place.
    #[must_use]
    pub fn content(&self, id: &ObjectId) -> Option<Vec<u8>> {
        let bytes = fs::read_optional(&self.path(id)).ok()??;
        let digest = Hasher::digest(id.algorithm(), &bytes);
        let found = if id.is_directory() { digest.into_directory() } else { digest };
        (found == *id).then_some(bytes)
    }

    /// Keeps a listing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn insert_tree(&self, tree: &Tree) -> Result<ObjectId, CacheError> {
        let bytes = tree.to_bytes();
        let id = tree.id(&bytes);
        self.insert_bytes(&id, &bytes)?;
        Ok(id)
    }

    /// The path of an object whose content is what its name says: it is read-only, as nothing but a finished write leaves
    /// it, or it is known, or it is hashed now, as DVC does.
    ///
    /// # Errors
    /// When it is missing, or damaged (then it is removed).
    pub fn verified(&self, id: &ObjectId, index: &StatIndex) -> Result<PathBuf, CacheError> {
        let path = self.path(id);
        let metadata = match std::fs::metadata(&path) {
            Err(error) if is_absent(&error) => return Err(CacheError::Missing { id: id.clone(), path }),
            result => result.map_err(FsError::new("look at", &path))?,
        };
        if metadata.permissions().mode() & 0o7777 == PROTECTED {
            return Ok(path);
        }
        let stat = Stat::from(&metadata);
        let fingerprint = Fingerprint::file(&stat);
        if index.find(&path, id.algorithm(), &fingerprint).is_some_and(|known| &known.id == id) {
            return Ok(path);
        }
        let read_at = index.now();
        let found = read::digest(&path, stat.size, id.algorithm())?;
        if &found != id {
            return Err(self.discard(id));
        }
        // A foreign or read-only cache cannot be protected; then it is remembered instead.
        if std::fs::set_permissions(&path, Permissions::from_mode(PROTECTED)).is_err() {
            index.remember(&path, &fingerprint, read_at, &Remembered { id: found, size: stat.size, files: 1 });
        }
        Ok(path)
    }

    /// Removes an object that was found to be damaged, and says so.
    pub fn discard(&self, id: &ObjectId) -> CacheError {
        let path = self.path(id);
        match std::fs::remove_file(&path) {
            Ok(()) => CacheError::Corrupt { id: id.clone(), path },
            Err(error) => FsError::new("remove the damaged object", path)(error).into(),
        }
    }

    pub(super) fn insert_bytes(&self, id: &ObjectId, bytes: &[u8]) -> Result<(), CacheError> {
        if self.has(id) {
            return Ok(());
        }
        let mut file = self.temporary()?;
        file.write_all(bytes).map_err(FsError::new("write the object", self.path(id)))?;
        self.keep(file, id)
    }

    /// Keeps what the file at `path` holds, which had `size` bytes when it was looked at, and returns the name and size of
    /// what was kept.
    pub(super) fn insert_file(
        &self,
        path: &Path,
        size: u64,
        algorithm: Algorithm,
    ) -> Result<(ObjectId, u64), CacheError> {
        let algorithm = writing(algorithm);
        let mut file = read::open(path)?;
        if size <= read::SMALL {
            let bytes = read::small(&mut file, size).map_err(FsError::new("read", path))?;
            let id = Hasher::digest(algorithm, &bytes);
            self.insert_bytes(&id, &bytes)?;
            return Ok((id, bytes.len() as u64));
        }
        let mut kept = self.temporary()?;
        let id = if self.links.contains(&LinkKind::Reflink) && reflink(kept.as_file(), &file).is_ok() {
            read::digest(kept.path(), size, algorithm)?
        } else {
            let error = FsError::new("copy into the cache", path);
            read::stream(&mut file, algorithm, &mut kept).map_err(error)?
        };
        let size = kept.as_file().metadata().map_err(FsError::new("look at", kept.path()))?.len();
        self.keep(kept, &id)?;
        Ok((id, size))
    }

    /// The object's file, to be read, and its size; none when there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn open(&self, id: &ObjectId) -> Result<Option<(File, u64)>, CacheError> {
        let path = self.path(id);
        match read::open(&path) {
            Err(CacheError::Fs(error)) if is_absent(&error.source) => Ok(None),
            file => {
                let file = file?;
                let size = file.metadata().map_err(FsError::new("look at", &path))?.len();
                Ok(Some((file, size)))
            }
        }
    }

    /// Keeps what `fill` writes, if that is what `id` names; false when `fill` says that there is nothing.
    ///
    /// # Errors
    /// [`CacheError::Wrong`] when it is something else, which is not kept; what `fill` says; or when it cannot be written.
    pub fn receive<E: From<CacheError>>(
        &self,
        id: &ObjectId,
        fill: impl FnOnce(&mut dyn Write) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let mut receiving = Receiving { file: self.temporary()?, hasher: Hasher::new(id.algorithm()), failed: None };
        let filled = fill(&mut receiving);
        if let Some(error) = receiving.failed {
            return Err(CacheError::from(FsError::new("write the object", self.path(id))(error)).into());
        }
        if !filled? {
            return Ok(false);
        }
        let found = receiving.hasher.finish();
        let found = if id.is_directory() { found.into_directory() } else { found };
        if &found != id {
            return Err(CacheError::Wrong { id: id.clone(), found }.into());
        }
        self.keep(receiving.file, id)?;
        Ok(true)
    }

    /// A new file in the cache that is gone when it is dropped.
    fn temporary(&self) -> Result<NamedTempFile, CacheError> {
        let folder = self.folder.join(TEMPORARY);
        let new = || tempfile::Builder::new().prefix("dewar-").tempfile_in(&folder);
        let file = match new() {
            Err(error) if is_absent(&error) => {
                self.shared.create_folder(&self.folder, &folder)?;
                new()
            }
            result => result,
        };
        Ok(file.map_err(FsError::new("write to the cache", &folder))?)
    }

    fn keep(&self, file: NamedTempFile, id: &ObjectId) -> Result<(), CacheError> {
        let path = self.path(id);
        let error = || FsError::new("write the object", &path);
        file.as_file().set_permissions(Permissions::from_mode(PROTECTED)).map_err(error())?;
        if self.has(id) {
            return Ok(());
        }
        match file.persist(&path) {
            Ok(_) => Ok(()),
            Err(failed) if is_absent(&failed.error) => {
                self.shared.create_folder(&self.folder, path.parent().unwrap_or(&self.folder))?;
                failed.file.persist(&path).map_err(|failed| error()(failed.error))?;
                Ok(())
            }
            Err(failed) => Err(error()(failed.error).into()),
        }
    }
}

/// What is written, hashed on its way into a file of the cache.
struct Receiving {
    file: NamedTempFile,
    hasher: Hasher,
    /// Why the file did not take it.
    failed: Option<io::Error>,
}

impl Write for Receiving {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.update_parallel(bytes);
        self.file.write_all(bytes).map_err(|error| {
            let told = io::Error::from(error.kind());
            self.failed = Some(error);
            told
        })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The place of an object in a store, be it the cache or a remote.
#[must_use]
pub fn key(id: &ObjectId) -> String {
    let (start, rest) = id.as_str().split_at_checked(2).unwrap_or_default();
    match id.algorithm() {
        Algorithm::Md5Dos2Unix => format!("{start}/{rest}"),
        algorithm => format!("files/{}/{start}/{rest}", algorithm.key()),
    }
}

/// Makes `new` share the blocks of `old`.
#[cfg(target_os = "linux")]
pub(super) fn reflink(new: &File, old: &File) -> io::Result<()> {
    Ok(rustix::fs::ioctl_ficlone(new, old)?)
}

/// Makes `new` share the blocks of `old`.
#[cfg(not(target_os = "linux"))]
pub(super) fn reflink(_: &File, _: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
