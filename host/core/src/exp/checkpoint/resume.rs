//! What a run goes on from: which checkpoint, of which experiment, and whether that goes on itself or another one branches off
//! (walk, step 3).
//!
//! The workspace stands at the checkpoint that was recorded in it last, or that was applied to it; two references say which
//! ([`follow`], [`stand_at`]).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use super::history::History;
use super::note::Note;
use crate::cache::{CacheError, Wanted};
use crate::exp::refs::{self, Experiment, ExperimentRef, ResolveError, Resolved};
use crate::exp::run;
use crate::fs::{self, FsError};
use crate::git::{CommitId, Expected, Git, GitError, RefName};
use crate::path::{PathError, RepoPath};
use crate::pipeline::files::Overlay;
use crate::pipeline::{LockEntry, LockFile, Stage};
use crate::repro::Selection;
use crate::source::{Source, SourceError};
use crate::workspace::Workspace;

/// Follows the experiment whose last checkpoint the user's workspace stands at, while there is one. These have DVC 2's names, so
/// that DVC takes them for no experiments.
const FOLLOWED: &str = "refs/exps/exec/EXEC_BRANCH";
/// Names the checkpoint that the workspace stands at else: what was applied, or what the last run began with.
pub const BEGUN: &str = "refs/exps/exec/EXEC_CHECKPOINT";

/// Why a run cannot go on from a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// What was named is no checkpoint.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
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
    /// A path of the project.
    #[error(transparent)]
    Path(#[from] PathError),
}

fn quoted(paths: &[RepoPath]) -> String {
    paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ")
}

/// A checkpoint to go on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its commit.
    pub commit: CommitId,
    /// The experiment that it is of.
    pub experiment: Experiment,
    /// Which moment of its stage it is, or which one was the last before it, when that is known.
    pub step: Option<u64>,
}

impl Checkpoint {
    fn of(git: &Git, commit: CommitId, experiment: Experiment) -> Result<Self, GitError> {
        // A wrap-up may be of no moment: then it is behind the last one.
        let mut next = Some(commit);
        let mut step = None;
        while let Some(commit) = next.filter(|commit| step.is_none() && *commit != experiment.reference.baseline) {
            let summary = git.commit_summary(commit)?;
            step = Note::of(&summary.message).and_then(|note| note.moment).map(|moment| moment.moment.step);
            next = summary.parents.first().copied();
        }
        Ok(Self { commit, experiment, step })
    }

    /// Whether it is the last one of its experiment.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.experiment.commit == self.commit
    }
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

    /// Brings a workspace to it, whose repository is `git`. Answers which outputs were others.
    ///
    /// # Errors
    /// When the cache lacks an output, or something cannot be read or written.
    pub fn prepare(
        self,
        workspace: &Workspace<'_>,
        git: &Git,
        selection: &Selection,
    ) -> Result<Vec<RepoPath>, ResumeError> {
        match self {
            Self::AsItIs => Ok(Vec::new()),
            Self::Reset => reset(workspace, selection).map(|()| Vec::new()),
            Self::Checkpoint(commit) => restore(workspace, git, selection, commit),
        }
    }
}

/// Where the user's workspace stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// No checkpoint was recorded in it or applied to it, or its experiment was removed.
    Nowhere,
    /// At a checkpoint of an experiment on another commit than the one that is checked out.
    Elsewhere(Checkpoint),
    /// At a checkpoint.
    At(Checkpoint),
}

/// Where the user's workspace stands, when `baseline` is checked out.
///
/// # Errors
/// When git cannot be read.
pub fn standing(git: &Git, baseline: CommitId) -> Result<Standing, GitError> {
    let begun = git.find_ref(&RefName::parse(BEGUN)?)?;
    if let Some(reference) = git.followed_by(&RefName::parse(FOLLOWED)?)?
        && let Some(tip) = git.find_ref(&reference)?
        && let Some(reference) = ExperimentRef::parse(reference.as_str())
    {
        return at(git, tip, Experiment { reference, commit: tip }, baseline);
    }
    let Some(commit) = begun else { return Ok(Standing::Nowhere) };
    match experiment_of(git, commit, baseline)? {
        Some(experiment) => at(git, commit, experiment, baseline),
        None => Ok(Standing::Nowhere),
    }
}

fn at(git: &Git, commit: CommitId, experiment: Experiment, baseline: CommitId) -> Result<Standing, GitError> {
    let is_here = experiment.reference.baseline == baseline;
    let checkpoint = Checkpoint::of(git, commit, experiment)?;
    Ok(if is_here { Standing::At(checkpoint) } else { Standing::Elsewhere(checkpoint) })
}

/// The experiment that a commit is of: the one that recorded it, else one on `baseline`, else any that has it.
fn experiment_of(git: &Git, commit: CommitId, baseline: CommitId) -> Result<Option<Experiment>, GitError> {
    let has =
        |experiment: &Experiment| -> Result<bool, GitError> { Ok(refs::commits(git, experiment)?.contains(&commit)) };
    let recorded_by = Note::of(&git.commit_summary(commit)?.message).map(|note| note.experiment);
    let by_name = recorded_by.map(|name| ExperimentRef { baseline, name });
    if let Some(reference) = by_name
        && let Some(tip) = git.find_ref(&reference.ref_name()?)?
    {
        let experiment = Experiment { reference, commit: tip };
        if has(&experiment)? {
            return Ok(Some(experiment));
        }
    }
    let mut experiments = refs::all(git)?;
    experiments.sort_by_key(|experiment| (experiment.reference.baseline != baseline, experiment.commit != commit));
    for experiment in experiments {
        if has(&experiment)? {
            return Ok(Some(experiment));
        }
    }
    Ok(None)
}

/// Says that the user's workspace stands at a checkpoint now, or at none.
///
/// # Errors
/// When the references cannot be written.
pub fn stand_at(git: &Git, checkpoint: Option<CommitId>) -> Result<(), GitError> {
    begin_at(git, checkpoint)?;
    git.follow_ref(&RefName::parse(FOLLOWED)?, None)
}

fn begin_at(git: &Git, checkpoint: Option<CommitId>) -> Result<(), GitError> {
    let begun = RefName::parse(BEGUN)?;
    match checkpoint {
        Some(commit) => git.update_ref(&begun, commit, Expected::Any, "dewar: checkpoint"),
        None => git.delete_ref(&begun, Expected::Any),
    }
}

/// Says that the user's workspace stands at whatever is the last checkpoint of an experiment from now on; at the one that it begins
/// with as long as there is none. Said once before a run: a kill between two checkpoints then leaves nothing half-said.
///
/// # Errors
/// When the references cannot be written.
pub fn follow(git: &Git, experiment: &ExperimentRef, begun: Option<CommitId>) -> Result<(), GitError> {
    // In this order: until the second is done, what was followed before is.
    begin_at(git, begun)?;
    git.follow_ref(&RefName::parse(FOLLOWED)?, Some(&experiment.ref_name()?))
}

/// The checkpoint that a user names (`--rev`), of an experiment on `baseline`.
///
/// # Errors
/// [`ResumeError::Resolve`] and [`ResumeError::NotDerived`].
pub fn named(git: &Git, baseline: CommitId, text: &str) -> Result<Checkpoint, ResumeError> {
    let not_derived = || ResumeError::NotDerived { text: text.to_owned(), baseline };
    let Resolved { commit, experiment } = refs::resolve(git, text)?;
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
    // What is outside of the project is none of it.
    Ok(differing.into_iter().flatten().filter(|path| !is_result(path)).collect())
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

fn remembered<'a>(git: &Git, selection: &'a Selection, commit: CommitId) -> Result<Vec<Remembered<'a>>, ResumeError> {
    let mut locks: BTreeMap<RepoPath, LockFile> = BTreeMap::new();
    let mut found = Vec::new();
    for stage in stages(selection) {
        let file = LockFile::path_for(&stage.address.file);
        if !locks.contains_key(&file) {
            let lock = match git.read(commit, &file)? {
                Some(text) => LockFile::parse(&Source::new(file.clone(), text))?,
                None => LockFile::new(file.clone()),
            };
            locks.insert(file.clone(), lock);
        }
        let entry = locks.get(&file).and_then(|lock| lock.get(stage.address.name.as_deref()?));
        found.push((stage, entry.cloned()));
    }
    Ok(found)
}

/// Makes the locks of a workspace remember these of stages with checkpoints, so that what is in it and what is remembered of it
/// belong together.
fn remember(root: &Path, stages: &[Remembered<'_>]) -> Result<(), ResumeError> {
    let files: BTreeSet<&RepoPath> = stages.iter().map(|(stage, _)| &stage.address.file).collect();
    for pipeline in files {
        let file = LockFile::path_for(pipeline);
        let mut lock = match fs::read_optional(&file.under(root))? {
            Some(text) => LockFile::parse(&Source::new(file.clone(), text))?,
            None => LockFile::new(file.clone()),
        };
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

/// Refuses a checkpoint whose outputs the cache lacks; to be asked before anything is changed.
///
/// # Errors
/// [`ResumeError::Missing`].
pub fn check(workspace: &Workspace<'_>, git: &Git, selection: &Selection, commit: CommitId) -> Result<(), ResumeError> {
    let mut paths = Vec::new();
    for (stage, entry) in remembered(git, selection, commit)? {
        for out in stage.outs.iter().filter(|out| out.cached) {
            let known = entry.as_ref().and_then(|entry| entry.out(&out.lock_path)?.id.as_ref());
            if let Some(id) = known
                && !workspace.store().contains(id)?
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
) -> Result<Vec<RepoPath>, ResumeError> {
    check(workspace, git, selection, commit)?;
    let mut restored = Vec::new();
    let mut of_git = Vec::new();
    let remembered = remembered(git, selection, commit)?;
    let outs = remembered.iter().flat_map(|(stage, entry)| stage.outs.iter().map(move |out| (out, entry)));
    for (out, entry) in outs {
        if !out.cached {
            of_git.push(out.path.clone());
            continue;
        }
        let known = entry.as_ref().and_then(|entry| entry.out(&out.lock_path));
        let wanted = known.and_then(|known| Some(Wanted { id: known.id.as_ref()?, executable: known.executable }));
        let has_changed = match wanted {
            Some(wanted) => !workspace.tree().check_out(workspace.store(), &wanted, &out.path)?.is_empty(),
            // It was not there yet.
            None => {
                workspace.tree().remove(&out.path)?;
                false
            }
        };
        workspace.forget(&out.path);
        if has_changed {
            restored.push(out.path.clone());
        }
    }
    if !of_git.is_empty() {
        let now = git.snapshot_onto(run::snapshot(git, git, selection)?, &of_git)?;
        let then = git.with_paths_of(now, git.commit_summary(commit)?.tree, &of_git)?;
        git.restore(now, then, &RepoPath::parse(".dvc/tmp")?)?;
        for path in &of_git {
            workspace.forget(path);
        }
    }
    remember(workspace.tree().root(), &remembered)?;
    Ok(restored)
}

fn reset(workspace: &Workspace<'_>, selection: &Selection) -> Result<(), ResumeError> {
    for out in stages(selection).flat_map(|stage| &stage.outs) {
        workspace.tree().remove(&out.path)?;
        workspace.forget(&out.path);
    }
    let nothing: Vec<Remembered<'_>> = stages(selection).map(|stage| (stage, None)).collect();
    remember(workspace.tree().root(), &nothing)
}

/// The last checkpoint that a task of the queue recorded before its process was killed, with its history's end.
///
/// # Errors
/// When git cannot be read.
pub fn left_by(git: &Git, reference: &ExperimentRef, task: CommitId) -> Result<Option<CommitId>, GitError> {
    let Some(tip) = git.find_ref(&reference.ref_name()?)? else { return Ok(None) };
    let history = History::read(git, reference.baseline, tip)?;
    let is_own = |note: &Note| note.task == Some(task);
    Ok(history.tip().and_then(|link| link.note.as_ref()).is_some_and(is_own).then_some(tip))
}
