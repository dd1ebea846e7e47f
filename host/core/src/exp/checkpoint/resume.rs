//! What a run goes on from: which checkpoint, of which experiment, and whether that goes on itself or another one branches off
//! (walk, step 3).
//!
//! In the workspace that is where it stands ([`super::standing`]); beside it, what is named.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use super::standing::Checkpoint;
use crate::cache::{CacheError, Scanned, Wanted};
use crate::digest::ObjectId;
use crate::exp::find::{FindError, Found, find};
use crate::exp::name::ExperimentName;
use crate::exp::queue::Queue;
use crate::exp::refs::Resolved;
use crate::exp::run;
use crate::fs::{self, FsError};
use crate::git::{CommitId, Git, GitError};
use crate::observe::{Observe, ObserveError};
use crate::path::{PathError, RepoPath};
use crate::pipeline::files::Overlay;
use crate::pipeline::{LockEntry, LockFile, LockedPath, Output, Place, Stage};
use crate::plan;
use crate::repro::Selection;
use crate::source::SourceError;
use crate::workspace::Workspace;

/// Where files are made that are brought back.
pub(super) const STAGING: &str = ".dvc/tmp";

/// Why a run cannot go on from a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// What was named is no checkpoint.
    #[error(transparent)]
    Find(#[from] FindError),
    /// A task of the queue that has recorded none.
    #[error("`{task}` is a task of the queue that has recorded no checkpoint")]
    NoCheckpoint {
        /// The task.
        task: ExperimentName,
    },
    /// It belongs to another commit of the project.
    #[error("cannot go on from `{text}`: it is not derived from the commit that is checked out, {}", baseline.short())]
    NotDerived {
        /// As it was named.
        text: String,
        /// The commit that is checked out.
        baseline: CommitId,
    },
    /// A lock cannot be read: that of the workspace, or of the checkpoint.
    #[error(transparent)]
    Lock(#[from] Box<SourceError>),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FsError),
    /// The cache lacks outputs of it.
    #[error("cannot go on from the checkpoint {}: the cache lacks {}", commit.short(), quoted(paths))]
    Missing {
        /// The checkpoint.
        commit: CommitId,
        /// The outputs.
        paths: Vec<RepoPath>,
    },
    /// An output cannot be brought back.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// An output cannot be looked at.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// A path of the project.
    #[error(transparent)]
    Path(#[from] PathError),
}

fn quoted(paths: &[RepoPath]) -> String {
    paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ")
}

/// An output that was not as the checkpoint has it, and is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// Where it is.
    pub path: RepoPath,
    /// What was there, when the cache did not have it before; now it does.
    pub kept: Option<ObjectId>,
}

/// What stages with checkpoints begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// Whatever is in the workspace; the chain begins on the baseline.
    AsItIs,
    /// Nothing (`--reset`); likewise.
    Reset,
    /// The outputs of this checkpoint, on which the next one is put.
    Checkpoint(CommitId),
}

impl Beginning {
    /// The checkpoint, if it is one.
    #[must_use]
    pub const fn checkpoint(self) -> Option<CommitId> {
        if let Self::Checkpoint(commit) = self { Some(commit) } else { None }
    }

    /// Brings a workspace to it, whose repository is `git`. Answers what became of outputs that were others.
    ///
    /// # Errors
    /// When the cache lacks an output, or something cannot be read or written.
    pub fn prepare(
        self,
        workspace: &Workspace<'_>,
        git: &Git,
        selection: &Selection,
    ) -> Result<Vec<Replaced>, ResumeError> {
        match self {
            Self::AsItIs => Ok(Vec::new()),
            Self::Reset => reset(workspace, selection).map(|()| Vec::new()),
            Self::Checkpoint(commit) => restore(workspace, git, selection, commit),
        }
    }
}

/// The checkpoint that a user names (`--rev`), of an experiment on `baseline`.
///
/// # Errors
/// [`ResumeError::Find`], [`ResumeError::NoCheckpoint`] and [`ResumeError::NotDerived`].
pub fn named(git: &Git, queue: &Queue, baseline: CommitId, text: &str) -> Result<Checkpoint, ResumeError> {
    let not_derived = || ResumeError::NotDerived { text: text.to_owned(), baseline };
    let Resolved { commit, experiment } = match find(git, queue, text)? {
        Found::Commit(found) => found,
        Found::Task(task) => return Err(ResumeError::NoCheckpoint { task: task.name }),
    };
    let experiment = experiment.filter(|experiment| experiment.reference.baseline == baseline);
    Ok(Checkpoint::of(git, commit, experiment.ok_or_else(not_derived)?)?)
}

/// What a run in the workspace of `git` would begin with, other than results, that differs from the checkpoint; `overlay` is what
/// is about to be written.
///
/// # Errors
/// When git cannot be read or written.
pub fn changed_since(
    git: &Git,
    selection: &Selection,
    overlay: &Overlay,
    checkpoint: CommitId,
) -> Result<Vec<RepoPath>, GitError> {
    let now = run::snapshot(git, git, selection)?;
    let now = git.with_files(now, overlay.iter().map(|(file, text)| (file, text.as_ref())))?;
    let stages: Vec<&Stage> = selection.pipeline.stages().map(|(_, stage)| stage).collect();
    let locks: HashSet<RepoPath> = stages.iter().map(|stage| LockFile::path_for(&stage.address.file)).collect();
    let files = selection.pipeline.files().values();
    let results: Vec<&RepoPath> = stages
        .iter()
        .filter(|stage| !stage.is_data())
        .flat_map(|stage| stage.outs.iter().map(|out| &out.path))
        .chain(files.flat_map(|file| file.metrics.iter().chain(&file.plots)))
        .collect();
    let is_result = |path: &RepoPath| {
        // Runs add what they write to it.
        locks.contains(path) || path.file_name() == ".gitignore" || results.iter().any(|result| path.is_within(result))
    };
    let differing = git.differing(now, git.commit_summary(checkpoint)?.tree)?;
    let mut changed = Vec::new();
    // What is outside of the project is none of it.
    for path in differing.into_iter().flatten().filter(|path| !is_result(path)) {
        // Of what git does not track, only what belongs to the stages that were selected is in either.
        let is_there = || fs::read_optional(&path.under(git.root())).ok().flatten();
        let is_same =
            !overlay.contains_key(&path) && git.read(checkpoint, &path)?.is_some_and(|then| is_there() == Some(then));
        if !is_same {
            changed.push(path);
        }
    }
    Ok(changed)
}

/// The stages of a selection that have checkpoints.
pub fn stages(selection: &Selection) -> impl Iterator<Item = &Stage> {
    selection
        .order
        .iter()
        .map(|id| selection.pipeline.stage(*id))
        .filter(|stage| stage.has_checkpoints() && !stage.frozen)
}

/// A stage with checkpoints, and what a checkpoint remembers of it; none when it had not begun.
type Remembered<'a> = (&'a Stage, Option<LockEntry>);

/// What a checkpoint remembers of all stages with checkpoints, also of those that are not to run now: its lock is one.
fn remembered<'a>(git: &Git, selection: &'a Selection, commit: CommitId) -> Result<Vec<Remembered<'a>>, ResumeError> {
    let mut locks: BTreeMap<RepoPath, LockFile> = BTreeMap::new();
    let mut found = Vec::new();
    let all = selection.pipeline.stages().map(|(_, stage)| stage);
    for stage in all.filter(|stage| stage.has_checkpoints() && !stage.frozen) {
        let file = LockFile::path_for(&stage.address.file);
        if !locks.contains_key(&file) {
            let text = git.read(commit, &file)?;
            locks.insert(file.clone(), LockFile::of(file.clone(), text)?);
        }
        found.push((stage, locks.get(&file).and_then(|lock| entry(lock, stage))));
    }
    Ok(found)
}

/// What a lock remembers of a stage; should it have had another name, what is remembered of its outputs.
fn entry(lock: &LockFile, stage: &Stage) -> Option<LockEntry> {
    if let Some(entry) = stage.address.name.as_deref().and_then(|name| lock.get(name)) {
        return Some(entry.clone());
    }
    let has_output =
        |entry: &&LockEntry| stage.outs.iter().any(|out| out.checkpoint && entry.out(&out.lock_path).is_some());
    lock.entries().map(|(_, entry)| entry).find(has_output).cloned()
}

fn known<'a>(entry: Option<&'a LockEntry>, out: &Output) -> Option<(&'a LockedPath, &'a ObjectId)> {
    let known = entry?.out(&out.lock_path)?;
    Some((known, known.id.as_ref()?))
}

/// Makes the locks of a workspace remember these of stages with checkpoints, so that what is in it and what is remembered of it
/// belong together.
fn remember(root: &Path, stages: &[Remembered<'_>]) -> Result<(), ResumeError> {
    let files: BTreeSet<&RepoPath> = stages.iter().map(|(stage, _)| &stage.address.file).collect();
    for pipeline in files {
        let file = LockFile::path_for(pipeline);
        let mut lock = LockFile::of(file.clone(), fs::read_optional(&file.under(root))?)?;
        let mut has_changed = false;
        for (stage, entry) in stages.iter().filter(|(stage, _)| stage.address.file == *pipeline) {
            let Some(name) = &stage.address.name else { continue };
            has_changed |= match entry {
                Some(entry) => lock.set(name, entry.clone(), []),
                None => lock.remove(|known| known == name),
            };
        }
        match (has_changed, lock.is_empty()) {
            (false, _) => {}
            (true, true) => fs::remove_file(&file.under(root))?,
            (true, false) => fs::write_inside(root, &file, lock.to_text().as_bytes())?,
        }
    }
    Ok(())
}

/// Refuses a checkpoint whose outputs are neither in the cache nor in the workspace; to be asked before anything is changed.
///
/// # Errors
/// [`ResumeError::Missing`].
pub fn check(workspace: &Workspace<'_>, git: &Git, selection: &Selection, commit: CommitId) -> Result<(), ResumeError> {
    let mut paths = Vec::new();
    for (stage, entry) in remembered(git, selection, commit)? {
        for out in stage.outs.iter().filter(|out| out.cached) {
            if let Some((known, id)) = known(entry.as_ref(), out)
                && !workspace.store().contains(id)?
                && !plan::is_as_locked(known, &Place::Inside(out.path.clone()), workspace)?
            {
                paths.push(out.path.clone());
            }
        }
    }
    if paths.is_empty() { Ok(()) } else { Err(ResumeError::Missing { commit, paths }) }
}

fn restore(
    workspace: &Workspace<'_>,
    git: &Git,
    selection: &Selection,
    commit: CommitId,
) -> Result<Vec<Replaced>, ResumeError> {
    check(workspace, git, selection, commit)?;
    let remembered = remembered(git, selection, commit)?;
    let mut replaced = Vec::new();
    let mut of_git = Vec::new();
    for (out, entry) in remembered.iter().flat_map(|(stage, entry)| stage.outs.iter().map(move |out| (out, entry))) {
        if out.cached {
            replaced.extend(restore_output(workspace, out, known(entry.as_ref(), out))?);
            workspace.forget(&out.path);
        } else {
            of_git.push(out.path.clone());
        }
    }
    if !of_git.is_empty() {
        let (base, then) = (run::snapshot(git, git, selection)?, git.commit_summary(commit)?.tree);
        git.restore_paths(base, then, &of_git, &RepoPath::parse(STAGING)?)?;
        for path in &of_git {
            workspace.forget(path);
        }
    }
    remember(workspace.tree().root(), &remembered)?;
    Ok(replaced)
}

/// Makes an output what a checkpoint has of it. What the cache has not is kept there first; what the checkpoint does not know
/// goes only when the cache has it.
fn restore_output(
    workspace: &Workspace<'_>,
    out: &Output,
    known: Option<(&LockedPath, &ObjectId)>,
) -> Result<Option<Replaced>, ResumeError> {
    let place = Place::Inside(out.path.clone());
    let algorithm = known.map_or_else(|| workspace.algorithm(), |(_, id)| id.algorithm());
    let there = workspace.content(&place, algorithm)?;
    let tree = workspace.tree();
    let Some((known, id)) = known else {
        let Some(there) = there else { return Ok(None) };
        if !workspace.store().contains(&there.id)? {
            return Ok(None);
        }
        tree.remove(&out.path)?;
        return Ok(Some(Replaced { path: out.path.clone(), kept: None }));
    };
    if there.as_ref().is_some_and(|there| there.id == *id) {
        return Ok(None);
    }
    let kept = match there {
        Some(there) if !workspace.store().contains(&there.id)? => {
            let (Scanned::File { id, .. } | Scanned::Directory { id, .. }) =
                tree.ingest(&workspace.store().copying(), &out.path, workspace.algorithm())?;
            Some(id)
        }
        _ => None,
    };
    tree.check_out(workspace.store(), &Wanted { id, executable: known.executable }, &out.path)?;
    Ok(Some(Replaced { path: out.path.clone(), kept }))
}

fn reset(workspace: &Workspace<'_>, selection: &Selection) -> Result<(), ResumeError> {
    for out in stages(selection).flat_map(|stage| &stage.outs) {
        workspace.tree().remove(&out.path)?;
        workspace.forget(&out.path);
    }
    let nothing: Vec<Remembered<'_>> = stages(selection).map(|stage| (stage, None)).collect();
    remember(workspace.tree().root(), &nothing)
}
