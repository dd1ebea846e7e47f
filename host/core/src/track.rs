//! `add` and `checkout`: data under the project's care, between the workspace and the cache.

use crate::cache::{CacheError, Changes, Wanted};
use crate::digest::ObjectId;
use crate::fs::{self, FsError};
use crate::git::{Git, GitError};
use crate::gitignore;
use crate::observe::Observe;
use crate::path::{PathError, RepoPath};
use crate::pipeline::data_file::{self, DataFile};
use crate::pipeline::load::Pipeline;
use crate::pipeline::stage::DATA_SUFFIX;
use crate::pipeline::{LockedPath, Output, PipelineError, ProjectFiles, Stage, StageAddress};
use crate::plan;
use crate::source::Source;
use crate::workspace::Workspace;

/// Why data cannot be tracked or checked out.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    /// The content cannot be kept or restored.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FsError),
    /// A path is outside the project.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A pipeline file is invalid.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// Git cannot be asked.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Git has it.
    #[error("`{0}` is tracked by git")]
    TrackedByGit(RepoPath),
    /// A stage writes it, or something around or inside it.
    #[error("`{path}` is an output of the stage `{stage}`")]
    IsOutput {
        /// What was to be tracked.
        path: RepoPath,
        /// The stage.
        stage: StageAddress,
    },
    /// What is in the workspace is not in the cache, and would be lost.
    #[error("`{0}` has changes that are not in the cache and would be lost")]
    WouldLose(RepoPath),
    /// The cache does not have what should be checked out.
    #[error("{} of what should be checked out {} not in the cache: {}", paths.len(), if paths.len() == 1 { "is" } else { "are" }, list(paths))]
    Missing {
        /// What.
        paths: Vec<RepoPath>,
    },
}

fn list(paths: &[RepoPath]) -> String {
    paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ")
}

/// Puts a file or folder under the project's care: its content goes into the cache, a `.dvc` file names it, git ignores it.
/// Returns the files that git should know of.
///
/// # Errors
/// When git or a stage has it, or it cannot be kept.
pub fn add(
    workspace: &Workspace<'_>,
    pipeline: &Pipeline,
    git: Option<&Git>,
    path: &RepoPath,
) -> Result<Vec<RepoPath>, TrackError> {
    let file = path.parent().unwrap_or_default().join(&format!("{}{DATA_SUFFIX}", path.file_name()))?;
    if let Some(stage) = writer(pipeline, path, &file) {
        return Err(TrackError::IsOutput { path: path.clone(), stage: stage.address.clone() });
    }
    if let Some(git) = git
        && git.is_tracked(path)?
    {
        return Err(TrackError::TrackedByGit(path.clone()));
    }
    let kept = workspace.tree().ingest(workspace.store(), path, workspace.algorithm())?;
    let locked = plan::locked_path(path.file_name(), &kept.into());
    let text = match workspace.read(&file)? {
        Some(old) => DataFile::parse(Source::new(file.clone(), old))
            .and_then(|old| old.with_content(&locked))
            .map_err(PipelineError::Source)?,
        None => data_file::new_text(path.file_name(), &locked).into_bytes(),
    };
    fs::write_inside(workspace.root(), &file, &text)?;
    let mut touched = vec![file];
    if let Some(git) = git {
        let ignored = |path: &RepoPath| git.is_ignored(path).unwrap_or(false);
        touched.extend(gitignore::add(workspace.root(), std::slice::from_ref(path), ignored)?);
    }
    Ok(touched)
}

/// The stage that writes at or around `path`, other than the `.dvc` file `own`.
fn writer<'a>(pipeline: &'a Pipeline, path: &RepoPath, own: &RepoPath) -> Option<&'a Stage> {
    let touches = |out: &Output| out.path.is_within(path) || path.is_within(&out.path);
    let others = pipeline.stages().map(|(_, stage)| stage).filter(|stage| stage.address.file != *own);
    others.into_iter().find(|stage| stage.outs.iter().any(touches))
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

/// What happens to content of the workspace that the cache does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsaved {
    /// It stays, and checking out is an error.
    Refuse,
    /// It is replaced.
    Replace,
}

/// What happens when the cache lacks something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It is an error, after the rest was checked out.
    Refuse,
    /// It is left out.
    Allow,
}

/// Brings the outputs of `stages` to what is remembered of them. What git keeps is git's affair.
///
/// # Errors
/// When content would be lost, or the cache lacks something.
pub fn check_out<'a>(
    workspace: &Workspace<'_>,
    pipeline: &Pipeline,
    stages: impl IntoIterator<Item = &'a Stage>,
    unsaved: Unsaved,
    missing: Missing,
) -> Result<Changes, TrackError> {
    let mut all = Changes::default();
    let mut lacking = Vec::new();
    for stage in stages {
        let Some(locked) = pipeline.locked(stage) else { continue };
        for out in stage.outs.iter().filter(|out| out.cached) {
            let Some(known) = locked.out(&out.lock_path) else { continue };
            match check_out_one(workspace, out, known, unsaved) {
                Ok(changes) => {
                    all.added.extend(changes.added);
                    all.modified.extend(changes.modified);
                    all.deleted.extend(changes.deleted);
                }
                Err(TrackError::Cache(CacheError::Missing { .. })) => lacking.push(out.path.clone()),
                Err(error) => return Err(error),
            }
        }
    }
    if !lacking.is_empty() && missing == Missing::Refuse {
        return Err(TrackError::Missing { paths: lacking });
    }
    Ok(all)
}

fn check_out_one(
    workspace: &Workspace<'_>,
    out: &Output,
    known: &LockedPath,
    unsaved: Unsaved,
) -> Result<Changes, TrackError> {
    let Some(id) = &known.id else { return Ok(Changes::default()) };
    let full = out.path.under(workspace.root());
    let found = workspace.tree().scan(&full, id.algorithm())?;
    if found.as_ref().is_some_and(|found| found.id() == id) && !known.executable {
        return Ok(Changes::default());
    }
    if unsaved == Unsaved::Refuse
        && let Some(found) = &found
        && found.id() != id
        && !workspace.store().contains(found.id())?
    {
        return Err(TrackError::WouldLose(out.path.clone()));
    }
    let wanted = Wanted { id, executable: known.executable };
    let changes = workspace.tree().check_out(workspace.store(), &wanted, &out.path)?;
    workspace.forget(&out.path);
    Ok(changes)
}
