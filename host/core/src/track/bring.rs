//! `add --out`: a file or folder from anywhere on this machine, copied into the workspace.

use std::path::Path;

use super::TrackError;
use crate::cache::{CacheError, ObjectStore, Scanned, Wanted, WorkTree};
use crate::fs::FsError;
use crate::observe::Observe;
use crate::path::{PathError, RepoPath};
use crate::workspace::Workspace;

/// Puts a copy of what is at the absolute path `source` at `path`, in place of whatever is there. It goes through the cache, so
/// that it is read once, and nothing is replaced before all of it has been read.
///
/// # Errors
/// When `source` cannot be read, or the copy cannot be written.
pub fn bring(workspace: &Workspace<'_>, source: &Path, path: &RepoPath) -> Result<(), TrackError> {
    let source = std::fs::canonicalize(source).map_err(FsError::new("find", source))?;
    let (Some(folder), Some(name)) = (source.parent(), source.file_name()) else {
        return Err(CacheError::Root.into());
    };
    let name = name.to_str().ok_or_else(|| PathError::NotUtf8(source.clone()))?;
    let tree = WorkTree::open(folder, workspace.tree().index())?;
    let copying: ObjectStore = workspace.store().copying();
    let taken = tree.ingest(&copying, &RepoPath::parse(name)?, workspace.algorithm())?;
    let executable = matches!(taken, Scanned::File { executable: true, .. });
    workspace.tree().check_out(&copying, &Wanted { id: taken.id(), executable }, path)?;
    workspace.forget(path);
    Ok(())
}
