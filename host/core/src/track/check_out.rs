//! `checkout`: brings outputs to what is recorded of them.

use super::TrackError;
use crate::cache::{CacheError, Changes, Goal, ObjectStore, Part, Scanned, Wanted};
use crate::digest::ObjectId;
use crate::observe::Observe;
use crate::path::RepoPath;
use crate::pipeline::{LockedPath, Output, Pipeline, ProjectFiles, Stage};
use crate::workspace::Workspace;

/// What happens to content of the workspace that the cache does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsaved {
    /// It stays, and checking out is an error; nothing is changed then.
    Refuse,
    /// It is replaced.
    Replace,
}

/// How outputs are brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckOut {
    /// What happens to content that the cache does not have.
    pub unsaved: Unsaved,
    /// What happens to files that are right.
    pub links: Links,
}

/// What happens to files that are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// They stay.
    Leave,
    /// They are linked to their objects anew, as the cache is configured (`--relink`).
    Renew,
}

/// What a check-out did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckedOut {
    /// The outputs, or the parts of them that were named, which changed; in the order of the stages.
    pub outputs: Vec<OutputChange>,
    /// Every file that changed.
    pub files: Changes,
    /// What could not be brought back because the cache lacks it.
    pub missing: Vec<RepoPath>,
}

/// An output that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputChange {
    /// Where it is.
    pub path: RepoPath,
    /// How it changed.
    pub change: Change,
    /// Whether it is a directory.
    pub is_directory: bool,
}

/// How an output changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It was not there.
    Added,
    /// It was other.
    Modified,
}

/// Brings the outputs of `stages` to what is recorded of them; with a path beside a stage only what is at that path. What git
/// keeps is git's affair. What the cache lacks is left as it is, and named in the answer.
///
/// # Errors
/// [`TrackError::WouldLose`] before anything is changed; or when something cannot be read or written.
pub fn check_out<'a>(
    workspace: &Workspace<'_>,
    pipeline: &Pipeline,
    stages: impl IntoIterator<Item = (&'a Stage, Option<&'a RepoPath>)>,
    how: CheckOut,
) -> Result<CheckedOut, TrackError> {
    let (work, missing) = work(workspace, pipeline, stages, how.links)?;
    if how.unsaved == Unsaved::Refuse {
        let paths = lost(workspace, &work)?;
        if !paths.is_empty() {
            return Err(TrackError::WouldLose { paths });
        }
    }
    let mut done = CheckedOut { missing, ..CheckedOut::default() };
    for job in work {
        job.run(workspace, how, &mut done)?;
    }
    Ok(done)
}

/// The files that [`check_out`] of all outputs would replace or remove, and that the cache does not have.
///
/// # Errors
/// When what is there cannot be read.
pub fn would_lose(workspace: &Workspace<'_>, pipeline: &Pipeline) -> Result<Vec<RepoPath>, TrackError> {
    let stages = pipeline.stages().map(|(_, stage)| (stage, None));
    lost(workspace, &work(workspace, pipeline, stages, Links::Leave)?.0)
}

/// What is to be done, and what cannot be because the cache lacks it.
fn work<'a>(
    workspace: &Workspace<'_>,
    pipeline: &Pipeline,
    stages: impl IntoIterator<Item = (&'a Stage, Option<&'a RepoPath>)>,
    links: Links,
) -> Result<(Vec<Job>, Vec<RepoPath>), TrackError> {
    let (mut work, mut missing) = (Vec::new(), Vec::new());
    for (stage, within) in stages {
        let Some(locked) = pipeline.locked(stage) else { continue };
        for out in stage.outs.iter().filter(|out| out.cached) {
            let Some(known) = locked.out(&out.lock_path) else { continue };
            match look(workspace, out, known, within, links)? {
                Looked::Fresh => {}
                Looked::Missing(path) => missing.push(path),
                Looked::Stale(job) => work.push(job),
            }
        }
    }
    Ok((work, missing))
}

fn lost(workspace: &Workspace<'_>, work: &[Job]) -> Result<Vec<RepoPath>, TrackError> {
    let mut paths = Vec::new();
    for job in work {
        paths.extend(workspace.tree().would_lose(workspace.store(), &job.goal, &job.path)?);
    }
    Ok(paths)
}

enum Looked {
    /// It is as it is recorded, or nothing is.
    Fresh,
    /// The cache does not have the listing of the directory that it is, or is in.
    Missing(RepoPath),
    Stale(Job),
}

/// A path to be brought to a goal.
struct Job {
    path: RepoPath,
    goal: Goal,
}

fn look(
    workspace: &Workspace<'_>,
    out: &Output,
    known: &LockedPath,
    within: Option<&RepoPath>,
    links: Links,
) -> Result<Looked, TrackError> {
    let Some(id) = &known.id else { return Ok(Looked::Fresh) };
    let path = match within {
        None => &out.path,
        Some(path) if out.path.is_within(path) => &out.path,
        Some(path) if path.is_within(&out.path) => path,
        // Another output of the stage was named.
        Some(_) => return Ok(Looked::Fresh),
    };
    if path == &out.path && links == Links::Leave && is_there(workspace, path, id, known.executable)? {
        return Ok(Looked::Fresh);
    }
    if !id.is_directory() {
        let goal = Goal::File { id: id.clone(), executable: known.executable };
        return Ok(Looked::Stale(Job { path: path.clone(), goal }));
    }
    let tree = match workspace.store().tree(id) {
        Err(CacheError::Missing { .. } | CacheError::Corrupt { .. }) => return Ok(Looked::Missing(path.clone())),
        tree => tree?,
    };
    let goal = if path == &out.path {
        Goal::Files(tree)
    } else {
        match tree.part(&path.relative_to(&out.path)) {
            Some(Part::File(id)) => Goal::File { id, executable: false },
            Some(Part::Folder(tree)) => Goal::Files(tree),
            None => return Err(TrackError::NotRecorded { path: path.clone(), out: out.path.clone() }),
        }
    };
    Ok(Looked::Stale(Job { path: path.clone(), goal }))
}

fn is_there(workspace: &Workspace<'_>, path: &RepoPath, id: &ObjectId, executable: bool) -> Result<bool, TrackError> {
    let found = workspace.tree().scan(&path.under(workspace.root()), id.algorithm())?;
    Ok(match found {
        Some(Scanned::File { id: found, executable: is_executable, .. }) => &found == id && executable == is_executable,
        Some(Scanned::Directory { id: found, .. }) => &found == id,
        None => false,
    })
}

impl Job {
    fn run(&self, workspace: &Workspace<'_>, how: CheckOut, done: &mut CheckedOut) -> Result<(), TrackError> {
        let (tree, store) = (workspace.tree(), workspace.store());
        let was_there = self.path.under(workspace.root()).symlink_metadata().is_ok();
        let brought = match &self.goal {
            Goal::File { id, executable } => tree.check_out(store, &Wanted { id, executable: *executable }, &self.path),
            Goal::Files(files) => tree.check_out_tree(store, files, &self.path),
        };
        workspace.forget(&self.path);
        let changes = match brought {
            Err(CacheError::Missing { .. } | CacheError::Corrupt { .. }) => {
                done.missing.push(self.path.clone());
                return Ok(());
            }
            changes => changes?,
        };
        if how.links == Links::Renew {
            self.link_anew(workspace, store, done)?;
        }
        if !changes.is_empty() || !was_there {
            let change = if was_there { Change::Modified } else { Change::Added };
            let is_directory = matches!(self.goal, Goal::Files(_));
            done.outputs.push(OutputChange { path: self.path.clone(), change, is_directory });
        }
        done.files.added.extend(changes.added);
        done.files.modified.extend(changes.modified);
        done.files.deleted.extend(changes.deleted);
        Ok(())
    }

    fn link_anew(
        &self,
        workspace: &Workspace<'_>,
        store: &ObjectStore,
        done: &mut CheckedOut,
    ) -> Result<(), TrackError> {
        match workspace.tree().link_anew(store, &self.goal, &self.path) {
            Err(CacheError::Missing { .. } | CacheError::Corrupt { .. }) => done.missing.push(self.path.clone()),
            linked => linked?,
        }
        workspace.forget(&self.path);
        Ok(())
    }
}

/// The outputs whose content in the workspace is not in the cache.
///
/// # Errors
/// When one cannot be looked at.
pub fn unsaved(workspace: &Workspace<'_>, pipeline: &Pipeline) -> Result<Vec<RepoPath>, TrackError> {
    let mut unsaved = Vec::new();
    for (_, stage) in pipeline.stages() {
        for out in stage.outs.iter().filter(|out| out.cached) {
            let known = pipeline.locked(stage).and_then(|locked| locked.out(&out.lock_path)?.id.clone());
            let algorithm = known.as_ref().map_or_else(|| workspace.algorithm(), ObjectId::algorithm);
            let Some(found) = workspace.tree().scan(&out.path.under(workspace.root()), algorithm)? else { continue };
            if !workspace.store().contains(found.id())? {
                unsaved.push(out.path.clone());
            }
        }
    }
    Ok(unsaved)
}
