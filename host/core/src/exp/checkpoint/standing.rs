//! [`Standing`]: which checkpoint a workspace stands at, so that the next run in it goes on from there (walk, step 3).
//!
//! One small document in the workspace says which experiment it follows, and what the run began with. It is written once before a
//! run, by rename; from then on the experiment's reference alone moves, so that a kill at any instant leaves nothing half-said.
//! Another work tree of the repository, or another project in it, stands elsewhere.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::note::Note;
use super::resume::ResumeError;
use crate::exp::chains::Chains;
use crate::exp::refs::{self, Experiment, ExperimentRef};
use crate::fs;
use crate::git::{CommitId, Git, GitError, RefName};

/// The document, in `.dvc/tmp`.
const FILE: &str = ".dvc/tmp/exps/standing.json";

/// What it says.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Document {
    /// The reference of the experiment whose last checkpoint the workspace stands at, once the run has recorded one.
    followed: Option<String>,
    /// Where it stands else: what was applied, or what the run began with.
    begun: Option<CommitId>,
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
    /// Why a policy stopped the stage there, if one did.
    pub stopped: Option<String>,
}

impl Checkpoint {
    pub(super) fn of(git: &Git, commit: CommitId, experiment: Experiment) -> Result<Self, GitError> {
        // A wrap-up may be of no moment: then it is behind the last one.
        let mut next = Some(commit);
        let (mut step, mut stopped) = (None, None);
        while let Some(commit) = next.filter(|commit| step.is_none() && *commit != experiment.reference.baseline) {
            let summary = git.commit_summary(commit)?;
            if let Some(Note { moment: Some(moment), stop, .. }) = Note::of(&summary.message) {
                (step, stopped) = (Some(moment.moment.step), stop);
            }
            next = summary.parents.first().copied();
        }
        Ok(Self { commit, experiment, step, stopped })
    }

    /// Whether it is the last one of its experiment.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.experiment.commit == self.commit
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

/// Where the workspace of `git` stands, when `baseline` is checked out.
///
/// # Errors
/// When the document or git cannot be read.
pub fn standing(git: &Git, baseline: CommitId) -> Result<Standing, ResumeError> {
    let (commit, experiment) = match told(git)? {
        (_, Some(followed)) => (followed.commit, Some(followed)),
        (Some(begun), None) => (begun, experiment_of(git, begun, baseline)?),
        (None, None) => return Ok(Standing::Nowhere),
    };
    let Some(experiment) = experiment else { return Ok(Standing::Nowhere) };
    let is_here = experiment.reference.baseline == baseline;
    let checkpoint = Checkpoint::of(git, commit, experiment)?;
    Ok(if is_here { Standing::At(checkpoint) } else { Standing::Elsewhere(checkpoint) })
}

/// The commit that the workspace of `git` stands at, as far as git has it.
///
/// # Errors
/// When the document or git cannot be read.
pub fn commit(git: &Git) -> Result<Option<CommitId>, ResumeError> {
    let (begun, followed) = told(git)?;
    let commit = followed.map(|experiment| experiment.commit).or(begun);
    // Git may have forgotten what was begun with.
    Ok(commit.filter(|commit| git.commit_summary(*commit).is_ok()))
}

/// What the document says: what was begun with, and the experiment that is followed, as far as it goes before that.
fn told(git: &Git) -> Result<(Option<CommitId>, Option<Experiment>), ResumeError> {
    let Document { followed, begun } = read(git.root())?;
    Ok((begun, followed.map(|followed| last(git, &followed)).transpose()?.flatten()))
}

/// The experiment that is followed, when a run in a workspace recorded its last checkpoint: one that was made beside is another.
/// Its checkpoints know the name that it had, so that it is found when it was renamed.
fn last(git: &Git, followed: &str) -> Result<Option<Experiment>, GitError> {
    let Some(reference) = ExperimentRef::parse(followed) else { return Ok(None) };
    let is_own = |commit: CommitId| -> Result<bool, GitError> {
        let note = Note::at(git, commit)?;
        Ok(note.is_some_and(|note| note.task.is_none() && note.experiment == reference.name))
    };
    if let Some(commit) = git.find_ref(&RefName::parse(followed)?)?
        && is_own(commit)?
    {
        return Ok(Some(Experiment { reference, commit }));
    }
    let mut renamed = Vec::new();
    for experiment in refs::of_baseline(git, reference.baseline)? {
        if is_own(experiment.commit)? {
            renamed.push(experiment);
        }
    }
    // Of several, nobody knows which.
    Ok(if renamed.len() == 1 { renamed.pop() } else { None })
}

/// The experiment that a commit is of: the one that recorded it, else one on `baseline`, else any that has it.
fn experiment_of(git: &Git, commit: CommitId, baseline: CommitId) -> Result<Option<Experiment>, GitError> {
    let mut chains = Chains::new(git);
    let mut has = |experiment: &Experiment| -> Result<bool, GitError> {
        let history = chains.history(experiment.reference.baseline, experiment.commit)?;
        Ok(history.links().iter().any(|link| link.commit == commit))
    };
    let recorded_by = Note::at(git, commit)?.map(|note| note.experiment);
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

/// Says that the workspace of `git` stands at a checkpoint now, or at none.
///
/// # Errors
/// When the document cannot be written.
pub fn stand_at(git: &Git, checkpoint: Option<CommitId>) -> Result<(), ResumeError> {
    match checkpoint {
        Some(_) => write(git.root(), &Document { followed: None, begun: checkpoint }),
        None => Ok(fs::remove_file(&file(git.root()))?),
    }
}

/// Says that the workspace of `git` stands at whatever is the last checkpoint of an experiment from now on; at the one that it begins
/// with as long as there is none.
///
/// # Errors
/// When the document cannot be written.
pub fn follow(git: &Git, experiment: &ExperimentRef, begun: Option<CommitId>) -> Result<(), ResumeError> {
    write(git.root(), &Document { followed: Some(experiment.to_string()), begun })
}

fn file(root: &Path) -> PathBuf {
    root.join(FILE)
}

/// What the document says; one that is damaged says nothing, and there is nothing to go on from.
fn read(root: &Path) -> Result<Document, ResumeError> {
    let text = fs::read_optional(&file(root))?;
    Ok(text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default())
}

fn write(root: &Path, document: &Document) -> Result<(), ResumeError> {
    // Names and digits: there is nothing in it that cannot be written.
    let text = serde_json::to_vec(document).unwrap_or_default();
    let file = file(root);
    if let Some(folder) = file.parent() {
        fs::create_dir(folder)?;
    }
    Ok(fs::write_atomic(&file, &text)?)
}

/// The last checkpoint that a task of the queue recorded before its process was killed.
///
/// # Errors
/// When git cannot be read.
pub fn left_by(git: &Git, reference: &ExperimentRef, task: CommitId) -> Result<Option<CommitId>, GitError> {
    let Some(tip) = git.find_ref(&reference.ref_name()?)? else { return Ok(None) };
    Ok(Note::at(git, tip)?.is_some_and(|note| note.task == Some(task)).then_some(tip))
}
