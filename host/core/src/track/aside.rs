//! Before and after the workspace becomes another one (`exp apply`): outputs that only it has are kept, and those that are not of
//! the other one go.

use std::sync::Arc;

use super::TrackError;
use crate::event::EventSink;
use crate::observe::Observe;
use crate::path::RepoPath;
use crate::pipeline::{Pipeline, Place, ProjectFiles};
use crate::plan;
use crate::schedule::Locks;
use crate::workspace::Workspace;

/// Puts outputs into the cache, and what they are now into the locks and `.dvc` files. Nobody says that they are results: no run is
/// remembered, and the lock tells of no run of their stages.
///
/// # Errors
/// When one cannot be kept.
pub fn keep_outputs(
    workspace: &Workspace<'_>,
    pipeline: &Pipeline,
    paths: &[RepoPath],
    events: Arc<dyn EventSink>,
) -> Result<(), TrackError> {
    let mut locks = Locks::new(workspace.root().to_owned(), pipeline, events);
    for (place, (_, stage)) in pipeline.stages().enumerate() {
        let mut entry = pipeline.locked(stage).cloned().unwrap_or_default();
        let mut is_changed = false;
        for out in stage.outs.iter().filter(|out| paths.contains(&out.path)) {
            let kept = workspace.tree().ingest(&workspace.store().copying(), &out.path, workspace.algorithm())?;
            workspace.forget(&out.path);
            entry.outs.retain(|known| known.path != out.lock_path);
            entry.outs.push(plan::locked_path(&out.lock_path, &kept.into()));
            is_changed = true;
        }
        if is_changed {
            (entry.command, entry.deps, entry.params) = (None, Vec::new(), Default::default());
            entry.outs = plan::in_lock_order(entry.outs);
            locks.set(place, stage, &entry)?;
        }
    }
    Ok(locks.flush()?)
}

/// Outputs that are there, and of which nothing is recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unrecorded {
    /// Those that the cache has; they were removed.
    pub removed: Vec<RepoPath>,
    /// Those that only the workspace has; they stay.
    pub left: Vec<RepoPath>,
}

/// Removes the outputs of which nothing is recorded, where the cache has them: they are of another state of the project.
///
/// # Errors
/// When one cannot be looked at or removed.
pub fn remove_unrecorded(workspace: &Workspace<'_>, pipeline: &Pipeline) -> Result<Unrecorded, TrackError> {
    let mut found = Unrecorded::default();
    for (_, stage) in pipeline.stages() {
        let locked = pipeline.locked(stage);
        let is_recorded = |path: &str| locked.is_some_and(|locked| locked.out(path).is_some());
        for out in stage.outs.iter().filter(|out| out.cached && !is_recorded(&out.lock_path)) {
            let Some(there) = workspace.content(&Place::Inside(out.path.clone()), workspace.algorithm())? else {
                continue;
            };
            if workspace.store().contains(&there.id)? {
                workspace.tree().remove(&out.path)?;
                workspace.forget(&out.path);
                found.removed.push(out.path.clone());
            } else {
                found.left.push(out.path.clone());
            }
        }
    }
    Ok(found)
}
