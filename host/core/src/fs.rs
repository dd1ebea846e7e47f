//! Reads and atomic writes whose errors name the path and the verb.
//!
//! Everything dewar keeps is written to a temporary file beside its place and renamed, so that a killed process or a full disk
//! leaves the old content or the new, never half of one. Nothing is synced: what a loss of power takes is computed again.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::path::RepoPath;

use rustix::fs::OFlags;
use tempfile::NamedTempFile;

/// What was being done to a path when it failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} `{}`: {}", path.display(), reason(source))]
pub struct FsError {
    /// Such as `read`, `write`, `create the folder`.
    pub verb: &'static str,
    /// The path.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl FsError {
    /// For `map_err`: wraps an I/O error with what was being done to `path`.
    pub fn new(verb: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self { verb, path, source }
    }
}

/// The system's reason without the ` (os error 2)` that nobody needs.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// Reads a whole file.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, FsError> {
    read_regular(path).map_err(FsError::new("read", path))
}

/// Reads a whole file; none when it does not exist.
///
/// # Errors
/// When it exists and cannot be read.
pub fn read_optional(path: &Path) -> Result<Option<Vec<u8>>, FsError> {
    match read_regular(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(FsError::new("read", path)(error)),
    }
}

/// The paths in a folder, in no order; none when it does not exist.
///
/// # Errors
/// When it exists and cannot be listed.
pub fn list_optional(folder: &Path) -> Result<Option<Vec<PathBuf>>, FsError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if is_absent(&error) => return Ok(None),
        entries => entries.map_err(FsError::new("list", folder))?,
    };
    entries.map(|entry| Ok(entry.map_err(FsError::new("list", folder))?.path())).collect::<Result<_, _>>().map(Some)
}

/// A pipe or a device is refused: reading one may wait for a writer, or never end.
fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    // Else opening a pipe waits already.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let kind = file.metadata()?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether the error says that there is no such file (a part of its path may be a file, too).
#[must_use]
pub fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Makes a folder and those above it.
///
/// # Errors
/// When it cannot be made.
pub fn create_dir(path: &Path) -> Result<(), FsError> {
    std::fs::create_dir_all(path).map_err(FsError::new("create the folder", path))
}

/// Removes a file; one that is gone already is no error.
///
/// # Errors
/// When it cannot be removed.
pub fn remove_file(path: &Path) -> Result<(), FsError> {
    match std::fs::remove_file(path) {
        Err(error) if !is_absent(&error) => Err(FsError::new("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Replaces the content of `path` by rename, keeping the permissions of a file that stood there. A symlink is followed, so
/// that a parameter file which is a link stays one. Makes the folder when it is missing.
///
/// # Errors
/// When anything fails; then the old content is untouched.
pub fn write_atomic(path: &Path, content: &[u8]) -> Result<(), FsError> {
    Staged::write(path, content)?.persist()
}

/// The same; a file that was not there is its owner's alone to read.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), FsError> {
    Staged::with_mode(path, content, 0o600)?.persist()
}

/// How the files begin that are to take another's place by a rename.
const STAGED: &str = ".dewar-";
/// How many letters and digits follow, drawn at random.
const STAGED_DRAWN: usize = 6;

/// Whether a file of this name may be what a killed process left of a [`write_atomic`].
#[must_use]
pub fn is_staged_name(name: &str) -> bool {
    let drawn = name.strip_prefix(STAGED).unwrap_or_default();
    drawn.len() == STAGED_DRAWN && drawn.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A new content beside the place that it is for, so that there is room for it. Gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Staged {
    /// As it was given, for messages.
    path: PathBuf,
    target: PathBuf,
    file: NamedTempFile,
}

impl Staged {
    /// The new content of a file of the project, where [`write_inside`] may write.
    pub(crate) fn inside(root: &Path, file: &RepoPath, content: &[u8]) -> Result<Self, FsError> {
        Self::write(&place_inside(root, file)?, content)
    }

    fn write(path: &Path, content: &[u8]) -> Result<Self, FsError> {
        // Less the process's mask, as any new file.
        Self::with_mode(path, content, 0o666)
    }

    fn with_mode(path: &Path, content: &[u8], mode: u32) -> Result<Self, FsError> {
        let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let folder = target.parent().unwrap_or_else(|| Path::new("."));
        create_dir(folder)?;
        let error = |source| FsError { verb: "write", path: path.to_owned(), source };
        let permissions = Permissions::from_mode(mode);
        let mut builder = tempfile::Builder::new();
        builder.prefix(STAGED).rand_bytes(STAGED_DRAWN).permissions(permissions);
        let mut file = builder.tempfile_in(folder).map_err(error)?;
        file.write_all(content).map_err(error)?;
        if let Ok(old) = std::fs::metadata(&target) {
            file.as_file().set_permissions(old.permissions()).map_err(error)?;
        }
        Ok(Self { path: path.to_owned(), target, file })
    }

    /// Replaces the file by rename.
    pub(crate) fn persist(self) -> Result<(), FsError> {
        let persisted = self.file.persist(&self.target);
        persisted.map(drop).map_err(|failed| FsError { verb: "write", path: self.path, source: failed.error })
    }
}

/// Replaces a file of the project by rename, as [`write_atomic`]; a symlink on the way must not lead out of the project, whose
/// root is given without symlinks.
///
/// # Errors
/// When it leads out, or anything fails; then nothing is changed.
pub fn write_inside(root: &Path, file: &RepoPath, content: &[u8]) -> Result<(), FsError> {
    Staged::inside(root, file, content)?.persist()
}

/// Replaces several files as [`write_inside`]: all of them or none. Only the end of the process or the machine between two
/// renames can leave some.
///
/// # Errors
/// As [`write_inside`]; then every file is what it was.
pub fn write_all_inside(root: &Path, files: &[(&RepoPath, &[u8])]) -> Result<(), FsError> {
    let mut new = Vec::with_capacity(files.len());
    let mut old = Vec::with_capacity(files.len());
    for (file, content) in files {
        let path = place_inside(root, file)?;
        old.push(match read_optional(&path)? {
            Some(content) => Some(Staged::write(&path, &content)?),
            None => None,
        });
        new.push(Staged::write(&path, content)?);
    }
    rename_all(new, old)
}

/// Puts the new contents in their places, or the old ones back; a file without an old content is removed.
fn rename_all(new: Vec<Staged>, old: Vec<Option<Staged>>) -> Result<(), FsError> {
    let mut written = Vec::with_capacity(new.len());
    for (new, old) in new.into_iter().zip(old) {
        let target = new.target.clone();
        if let Err(error) = new.persist() {
            for (target, old) in written {
                match old {
                    Some(old) => Staged::persist(old)?,
                    None => std::fs::remove_file(&target).map_err(FsError::new("remove", target))?,
                }
            }
            return Err(error);
        }
        written.push((target, old));
    }
    Ok(())
}

/// Where a file of the project is, if no symlink on the way leads out.
fn place_inside(root: &Path, file: &RepoPath) -> Result<PathBuf, FsError> {
    let path = file.under(root);
    let existing = path.ancestors().find_map(|path| std::fs::canonicalize(path).ok());
    let dangling = path.is_symlink() && !path.exists();
    if dangling || existing.is_none_or(|existing| !existing.starts_with(root)) {
        let outside = io::Error::other("a symlink leads out of the project");
        return Err(FsError::new("write", path)(outside));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_replaces_and_keeps_permissions() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/file");
        write_atomic(&path, b"one").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o600, 0o600);
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(dir.path().join("new")).unwrap().count(), 1);
    }

    #[test]
    fn what_a_write_leaves_is_known_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let staged = Staged::write(&dir.path().join("file"), b"half").unwrap();
        let name = staged.file.path().file_name().unwrap().to_str().unwrap();
        assert!(is_staged_name(name), "{name}");
        for other in
            ["file", ".dewar-", ".dewar-notes", ".dewar-ab12c", ".dewar-ab12cd3", ".dewar-ab.2cd", "dewar-ab12cd"]
        {
            assert!(!is_staged_name(other), "{other}");
        }
    }

    #[test]
    fn a_write_through_a_link_keeps_the_link() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        std::fs::write(&real, "1").unwrap();
        std::os::unix::fs::symlink("real", &link).unwrap();
        write_atomic(&link, b"2").unwrap();
        assert!(link.is_symlink());
        assert_eq!(read(&real).unwrap(), b"2");
    }

    #[test]
    fn nothing_is_written_outside_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(dir.path()).unwrap().join("project");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(dir.path().join("outside"), "mine").unwrap();
        std::os::unix::fs::symlink("../outside", root.join("lock")).unwrap();
        std::os::unix::fs::symlink("..", root.join("up")).unwrap();
        std::os::unix::fs::symlink("../nowhere", root.join("dangling")).unwrap();
        for out in ["lock", "up/outside", "up/new", "dangling"] {
            assert!(write_inside(&root, &RepoPath::parse(out).unwrap(), b"x").is_err(), "{out}");
        }
        assert_eq!(read(&dir.path().join("outside")).unwrap(), b"mine");
        write_inside(&root, &RepoPath::parse("new/file").unwrap(), b"x").unwrap();
        assert_eq!(read(&root.join("new/file")).unwrap(), b"x");
    }

    #[test]
    fn several_files_are_written_or_none() {
        let dir = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(dir.path()).unwrap();
        let path = |text: &str| RepoPath::parse(text).unwrap();
        let (a, b, new) = (path("a"), path("b"), path("new/c"));
        std::fs::write(root.join("a"), "1").unwrap();
        std::fs::create_dir_all(root.join("d/full")).unwrap();
        let all = |files: &[(&RepoPath, &[u8])]| write_all_inside(&root, files);
        assert!(all(&[(&a, b"2"), (&new, b"3"), (&path("d"), b"4")]).is_err());
        assert_eq!(read(&root.join("a")).unwrap(), b"1");
        assert!(!root.join("new/c").exists());
        all(&[(&a, b"2"), (&b, b"x"), (&new, b"3")]).unwrap();
        assert_eq!([read(&root.join("a")).unwrap(), read(&root.join("new/c")).unwrap()], [b"2", b"3"]);
        assert_eq!(std::fs::read_dir(&root).unwrap().count(), 4, "temporary files are left");
    }

    #[test]
    fn what_was_renamed_before_a_failure_is_put_back() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        std::fs::write(&one, "old").unwrap();
        let stage = |path: &Path, content: &[u8]| Staged::write(path, content).unwrap();
        let new = vec![stage(&one, b"new"), stage(&two, b"new")];
        let old = vec![Some(stage(&one, b"old")), None];
        // It appears after all was staged.
        std::fs::create_dir_all(two.join("full")).unwrap();
        assert!(rename_all(new, old).is_err());
        assert_eq!(read(&one).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn errors_name_the_path_and_the_verb() {
        let error = read(Path::new("/no/such/file")).unwrap_err();
        assert_eq!(error.to_string(), "cannot read `/no/such/file`: no such file or directory");
        assert!(read_optional(Path::new("/no/such/file")).unwrap().is_none());
    }

    #[test]
    fn what_might_never_end_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
        for path in [&pipe, Path::new("/dev/zero")] {
            let error = read_optional(path).unwrap_err();
            assert_eq!(error.to_string(), format!("cannot read `{}`: it is not a regular file", path.display()));
        }
        assert!(read(dir.path()).unwrap_err().to_string().ends_with(": is a directory"));
    }
}
