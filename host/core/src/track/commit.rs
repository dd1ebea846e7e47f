//! `commit`: records outputs as they are, without running anything.

use std::sync::Arc;

use super::{Keep, TrackError};
use crate::cache::{CacheError, ObjectStore};
use crate::event::EventSink;
use crate::git::Git;
use crate::gitignore;
use crate::observe::{Content, Observe};
use crate::path::RepoPath;
use crate::pipeline::load::Pipeline;
use crate::pipeline::{LockEntry, Output, Place, ProjectFiles, Stage};
use crate::plan::{self, Reason, Rules};
use crate::run_cache::RunCache;
use crate::schedule::Locks;
use crate::workspace::Workspace;

/// What of a stage is not as it is recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uncommitted {
    /// Its dependencies and parameter files.
    pub deps: Vec<String>,
    /// Its outputs.
    pub outs: Vec<String>,
    /// Whether its command is another, or nothing is recorded at all.
    pub stage: bool,
}

impl Uncommitted {
    /// Whether all is as it is recorded.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.deps.is_empty() && self.outs.is_empty() && !self.stage
    }
}

/// What of a stage is not as it is recorded.
///
/// # Errors
/// When a file cannot be looked at.
pub fn uncommitted(workspace: &Workspace<'_>, pipeline: &Pipeline, stage: &Stage) -> Result<Uncommitted, TrackError> {
    let mut found = Uncommitted::default();
    let add = |list: &mut Vec<String>, name: String| {
        if !list.contains(&name) {
            list.push(name);
        }
    };
    for reason in plan::assess(stage, pipeline.locked(stage), Rules::USUAL, workspace)? {
        match reason {
            Reason::DependencyChanged { path, .. } => add(&mut found.deps, path),
            Reason::ParamChanged { file, .. } => add(&mut found.deps, file),
            Reason::OutputChanged { path, .. } => add(&mut found.outs, path),
            Reason::NeverRun | Reason::CommandChanged { .. } => found.stage = true,
            // What the cache lacks is put there; nothing recorded changes by it.
            Reason::OutputNotCached { .. } | Reason::AlwaysChanged | Reason::Forced | Reason::UpstreamStale { .. } => {}
        }
    }
    Ok(found)
}

/// Records stages as they are: inputs and outputs are hashed, outputs go into the cache, the locks and `.dvc` files are written,
/// runs are remembered. With a path beside a stage only the output at or around that path goes into the cache.
///
/// # Errors
/// When an output or a dependency is missing, or cannot be kept. What was recorded before stays recorded.
pub fn commit(
    workspace: &Workspace<'_>,
    pipeline: &Pipeline,
    stages: &[(&Stage, Option<&RepoPath>)],
    git: Option<&Git>,
    keep: Keep,
    events: Arc<dyn EventSink>,
) -> Result<(), TrackError> {
    let mut locks = Locks::new(workspace.root().to_owned(), pipeline, events);
    let committed = stages.iter().enumerate().try_for_each(|(place, (stage, within))| {
        let entry = commit_one(workspace, pipeline, stage, *within, git, keep)?;
        Ok(locks.set(place, stage, &entry)?)
    });
    let flushed = locks.flush();
    committed.and_then(|()| Ok(flushed?))
}

fn commit_one(
    workspace: &Workspace<'_>,
    pipeline: &Pipeline,
    stage: &Stage,
    within: Option<&RepoPath>,
    git: Option<&Git>,
    keep: Keep,
) -> Result<LockEntry, TrackError> {
    let locked = pipeline.locked(stage);
    for out in stage.outs.iter().filter(|out| out.cached) {
        if let Some(git) = git
            && git.is_tracked(&out.path)?
        {
            return Err(TrackError::TrackedByGit(out.path.clone()));
        }
    }
    let mut entry = if stage.is_data() {
        locked.cloned().unwrap_or_default()
    } else {
        plan::inputs_or_locked(stage, locked, workspace)?
    };
    let mut outs = Vec::with_capacity(stage.outs.len());
    let mut all_kept = true;
    for out in &stage.outs {
        let is_named = within.is_none_or(|path| path.is_within(&out.path));
        all_kept &= is_named || !out.cached;
        let missing = || TrackError::OutputMissing { stage: stage.address.clone(), path: out.path.clone() };
        let found = if is_named && out.cached {
            let copying = workspace.store().copying();
            keep_output(workspace, out, if keep == Keep::Linked { workspace.store() } else { &copying })?
        } else {
            workspace.content(&Place::Inside(out.path.clone()), workspace.algorithm())?
        };
        outs.push(plan::locked_path(&out.lock_path, &found.ok_or_else(missing)?));
    }
    entry.outs = plan::in_lock_order(outs);
    if all_kept {
        RunCache::new(workspace.store().folder()).keep(stage, &entry, workspace)?;
    }
    if let Some(git) = git {
        let cached: Vec<RepoPath> = stage.outs.iter().filter(|out| out.cached).map(|out| out.path.clone()).collect();
        gitignore::add(workspace.root(), &cached, |path| git.is_ignored(path).unwrap_or(false))?;
    }
    Ok(entry)
}

fn keep_output(workspace: &Workspace<'_>, out: &Output, store: &ObjectStore) -> Result<Option<Content>, TrackError> {
    let kept = workspace.tree().ingest(store, &out.path, workspace.algorithm());
    workspace.forget(&out.path);
    match kept {
        Ok(kept) => Ok(Some(kept.into())),
        Err(CacheError::Absent(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
