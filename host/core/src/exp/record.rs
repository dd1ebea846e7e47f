//! Records the result of a run: step 9 of the walk.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::kept::keep_replaced;
use super::name::ExperimentName;
use super::refs::{Experiment, ExperimentRef};
use crate::digest::hex;
use crate::fs::FsError;
use crate::git::{CommitId, CommitTime, Expected, Git, GitError, Identity, NewCommit, RefConflict, RefName, TreeId};

/// What to do with an experiment of the same name on the same baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameTaken {
    /// Record nothing.
    Refuse,
    /// Take its place. The old one is kept ([`super::kept`]).
    Replace,
    /// It goes on from its last commit, on which the new one is put.
    Extend,
}

/// An experiment to be recorded.
#[derive(Debug, Clone, Copy)]
pub struct NewExperiment<'a> {
    /// The commit that it started from.
    pub baseline: CommitId,
    /// The commit on which it is put: the baseline, or the last checkpoint.
    pub parent: CommitId,
    /// Its name.
    pub name: &'a ExperimentName,
    /// Its files.
    pub tree: TreeId,
    /// The message, such as [`default_message`].
    pub message: &'a str,
    /// Whose.
    pub identity: &'a Identity,
    /// When.
    pub time: CommitTime,
}

/// An experiment that now stands at its reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The experiment.
    pub experiment: Experiment,
    /// The last commit of the one whose place it took, if it does not go on from that; it is kept ([`super::kept`]).
    pub replaced: Option<CommitId>,
}

/// Why an experiment was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The baseline has one of that name.
    #[error("the experiment `{name}` exists already, at {}; take another name, or replace it with --force", commit.short())]
    NameTaken {
        /// The name.
        name: ExperimentName,
        /// Its commit.
        commit: CommitId,
    },
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// It cannot be said beforehand.
    #[error(transparent)]
    File(#[from] FsError),
}

/// Refuses a name that the baseline has already. To be asked before a long run; [`record`] asks again.
///
/// # Errors
/// [`RecordError::NameTaken`].
pub fn check_free(git: &Git, baseline: CommitId, name: &ExperimentName) -> Result<(), RecordError> {
    let reference = ExperimentRef { baseline, name: name.clone() };
    match git.find_ref(&reference.ref_name()?)? {
        None => Ok(()),
        Some(commit) => Err(RecordError::NameTaken { name: name.clone(), commit }),
    }
}

/// Builds the commit of an experiment and moves its reference there by compare-and-swap. `HEAD`, the index and the work tree
/// have no part in it. `settled` hears of the commit before its reference is made; when it fails, nothing is recorded.
///
/// # Errors
/// [`RecordError::NameTaken`], and a [`GitError::RefConflict`] when another process moved the reference meanwhile.
pub fn record(
    git: &Git,
    new: &NewExperiment<'_>,
    taken: NameTaken,
    settled: &mut dyn FnMut(CommitId) -> Result<(), FsError>,
) -> Result<Settled, RecordError> {
    let reference = ExperimentRef { baseline: new.baseline, name: new.name.clone() };
    let ref_name = reference.ref_name()?;
    let expected = expected(git, &ref_name, new.parent, taken)?;
    let commit = git.commit(&NewCommit {
        tree: new.tree,
        parents: &[new.parent],
        message: new.message,
        time: new.time,
        identity: new.identity,
    })?;
    settled(commit)?;
    let replaced = match expected {
        Expected::At(old) => keep_replaced(git, old, commit)?,
        Expected::Absent | Expected::Any => None,
    };
    match git.update_ref(&ref_name, commit, expected, new.message) {
        Ok(()) => Ok(Settled { experiment: Experiment { reference, commit }, replaced }),
        Err(GitError::RefConflict(RefConflict { found: Some(commit), .. })) if taken == NameTaken::Refuse => {
            Err(RecordError::NameTaken { name: new.name.clone(), commit })
        }
        Err(error) => Err(error.into()),
    }
}

/// Where the reference of an experiment must stand that is put on `parent`.
///
/// # Errors
/// When it cannot be read.
pub fn expected(git: &Git, name: &RefName, parent: CommitId, taken: NameTaken) -> Result<Expected, GitError> {
    Ok(match taken {
        NameTaken::Refuse => Expected::Absent,
        NameTaken::Replace => git.find_ref(name)?.map_or(Expected::Absent, Expected::At),
        NameTaken::Extend => Expected::At(parent),
    })
}

/// The message that DVC gives an experiment: with the SHA-256 of the lock entries of the stages that ran, as Python's
/// `json.dumps` writes them with sorted keys (`{}` when none ran).
#[must_use]
pub fn default_message(lock_entries: &str) -> String {
    format!("dvc: commit experiment {}", hex(&Sha256::digest(lock_entries)))
}

#[cfg(test)]
mod tests;
