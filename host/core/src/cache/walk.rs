//! The files of a directory with their stats, in a fixed order.

use std::fs::{DirEntry, FileType, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::CacheError;
use super::place::was_on_its_way;
use crate::digest::Algorithm;
use crate::fs::FsError;
use crate::ignore::{DVCIGNORE, EntryKind, FolderRules};
use crate::index::Stat;

/// A file of a directory.
#[derive(Debug)]
pub(super) struct Found {
    /// Its path below the directory.
    pub(super) relpath: String,
    /// Its stat, that of the target for a symlink.
    pub(super) stat: Stat,
    /// What stands there.
    pub(super) kind: FoundKind,
}

/// What a [`Found`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FoundKind {
    /// A file.
    File,
    /// A symlink to a file.
    Link,
    /// A symlink to a directory, with [`FolderLinks::List`].
    FolderLink,
}

/// What becomes of symlinks to directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FolderLinks {
    /// Their files count.
    Follow,
    /// They are left out.
    Skip,
    /// They are listed themselves.
    List,
}

impl FolderLinks {
    /// DVC leaves symlinks to directories out without a word, so a change behind them goes unseen. Where names need not
    /// agree with DVC's, their files count.
    pub(super) const fn of(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Blake3 => Self::Follow,
            Algorithm::Md5 | Algorithm::Md5Dos2Unix => Self::Skip,
        }
    }
}

/// A folder that is still to be listed.
#[derive(Clone)]
struct Folder {
    path: PathBuf,
    /// Empty, or ends in `/`.
    prefix: String,
    /// Device and inode of the real folders that it is in, since the first symlink.
    above: Vec<(u64, u64)>,
}

enum Entry {
    File(Found),
    Folder(Folder),
    Nothing,
}

/// All files of `top`, sorted by path. `rules` are those for the entries of the folder that `top` is in, and so for all
/// below it, since it may hold no rules itself.
pub(super) fn walk(top: &Path, rules: &FolderRules, links: FolderLinks) -> Result<Vec<Found>, CacheError> {
    let mut files = Vec::new();
    let mut folders = vec![Folder { path: top.to_owned(), prefix: String::new(), above: Vec::new() }];
    while !folders.is_empty() {
        let levels: Result<Vec<_>, CacheError> = folders.par_iter().map(|folder| list(folder, rules, links)).collect();
        folders.clear();
        for (more_files, more_folders) in levels? {
            files.extend(more_files);
            folders.extend(more_folders);
        }
    }
    files.par_sort_unstable_by(|a, b| a.relpath.cmp(&b.relpath));
    Ok(files)
}

fn list(folder: &Folder, rules: &FolderRules, links: FolderLinks) -> Result<(Vec<Found>, Vec<Folder>), CacheError> {
    let error = || FsError::new("list", &folder.path);
    let entries: Vec<DirEntry> =
        std::fs::read_dir(&folder.path).map_err(error())?.collect::<Result<_, _>>().map_err(error())?;
    // Another project below this one is not part of it.
    let is_project = || std::fs::symlink_metadata(folder.path.join(".dvc")).is_ok_and(|of| of.is_dir());
    if !folder.prefix.is_empty() && is_project() {
        return Ok(Default::default());
    }
    let look = |entry: &DirEntry| look(folder, entry, rules, links);
    let looked: Vec<Entry> = entries.par_iter().with_min_len(512).map(look).collect::<Result<_, CacheError>>()?;
    let (mut files, mut folders) = (Vec::with_capacity(looked.len()), Vec::new());
    for entry in looked {
        match entry {
            Entry::File(found) => files.push(found),
            Entry::Folder(found) => folders.push(found),
            Entry::Nothing => {}
        }
    }
    Ok((files, folders))
}

fn look(folder: &Folder, entry: &DirEntry, rules: &FolderRules, links: FolderLinks) -> Result<Entry, CacheError> {
    let path = entry.path();
    let stat_error = || FsError::new("look at", &path);
    let kind = entry.file_type().map_err(stat_error())?;
    let (metadata, is_link) = if kind.is_symlink() {
        let target = std::fs::metadata(&path);
        if target.is_err() && rules.ignores(&path, EntryKind::File) {
            return Ok(Entry::Nothing);
        }
        (Some(target.map_err(stat_error())?), true)
    } else {
        (None, false)
    };
    let kind = metadata.as_ref().map_or(kind, Metadata::file_type);
    let entry_kind = if kind.is_dir() { EntryKind::Folder } else { EntryKind::File };
    if rules.ignores(&path, entry_kind) {
        return Ok(Entry::Nothing);
    }
    let name = entry.file_name();
    let Some(name) = name.to_str() else { return Err(CacheError::NotUtf8(path)) };
    if kind.is_dir() {
        if let (Some(metadata), true) = (&metadata, links != FolderLinks::Follow) {
            let relpath = format!("{}{name}", folder.prefix);
            let found = Found { relpath, stat: Stat::from(metadata), kind: FoundKind::FolderLink };
            return Ok(if links == FolderLinks::List { Entry::File(found) } else { Entry::Nothing });
        }
        let mut above = folder.above.clone();
        if is_link || !above.is_empty() {
            remember_real(&path, is_link, &mut above)?;
        }
        return Ok(Entry::Folder(Folder { prefix: format!("{}{name}/", folder.prefix), path, above }));
    }
    if was_on_its_way(name) {
        return Ok(Entry::Nothing);
    }
    if name == DVCIGNORE {
        return Err(CacheError::IgnoreFileInside(path));
    }
    check_regular(&path, kind)?;
    let metadata = match metadata {
        Some(metadata) => metadata,
        None => entry.metadata().map_err(stat_error())?,
    };
    let kind = if is_link { FoundKind::Link } else { FoundKind::File };
    Ok(Entry::File(Found { relpath: format!("{}{name}", folder.prefix), stat: Stat::from(&metadata), kind }))
}

/// Adds the real folder behind `path` to those above, and refuses one that is there already.
fn remember_real(path: &Path, is_link: bool, above: &mut Vec<(u64, u64)>) -> Result<(), CacheError> {
    let identity = |path: &Path| {
        let metadata = std::fs::metadata(path).map_err(FsError::new("look at", path))?;
        Ok::<_, CacheError>((metadata.dev(), metadata.ino()))
    };
    let this = identity(path)?;
    if above.is_empty() {
        // The first symlink on the way: all real folders above it count, too.
        let real = path.parent().unwrap_or(path);
        let real = std::fs::canonicalize(real).map_err(FsError::new("resolve", real))?;
        for folder in real.ancestors() {
            above.push(identity(folder)?);
        }
    }
    if above.contains(&this) {
        // Only a symlink can lead up.
        debug_assert!(is_link);
        return Err(CacheError::Loop(path.to_owned()));
    }
    above.push(this);
    Ok(())
}

/// Refuses what has no content.
pub(super) fn check_regular(path: &Path, kind: FileType) -> Result<(), CacheError> {
    let kind = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_fifo() => "named pipe",
        kind if kind.is_socket() => "socket",
        kind if kind.is_block_device() || kind.is_char_device() => "device",
        _ => "special file",
    };
    Err(CacheError::Special { path: path.to_owned(), kind })
}
