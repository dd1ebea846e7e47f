//! Brings an experiment's files back into the work tree, and removes experiments.
//!
//! [`apply`] never loses work: what it would overwrite is recorded as a commit first.

use super::name::ExperimentName;
pub use super::refs::KEPT;
use super::refs::{Experiment, ResolveError, resolve};
use crate::git::{CommitId, CommitTime, Expected, Git, GitError, Identity, NewCommit, RefName, RefUpdate, Restored};
use crate::path::RepoPath;

/// What happens to changes of the work tree that are not committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uncommitted {
    /// They are recorded at [`KEPT`] first.
    Keep,
    /// They are a reason to change nothing.
    Refuse,
}

/// Why an experiment was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// There are changes that are not committed.
    #[error("the workspace has changes that are not committed")]
    Uncommitted,
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// What an `apply` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The commit, at [`KEPT`], that has what the work tree was before; none when that was just `HEAD`. Applying it brings the
    /// files back.
    pub kept: Option<CommitId>,
    /// The files written and removed.
    pub restored: Restored,
}

/// Makes the work tree that of `commit`: its files are written, tracked files that it lacks are removed, other untracked files
/// stay. `HEAD` and the index are left alone, so the difference shows as uncommitted changes. `staging` is a folder of the
/// project for files on their way.
///
/// Tracked is what the index has; a file taken out of it by `git rm --cached` is the user's own.
///
/// # Errors
/// [`ApplyError::Uncommitted`] as asked for; or when anything cannot be read or written: what was in the work tree is then in
/// it or at [`KEPT`].
pub fn apply(
    git: &Git,
    commit: CommitId,
    uncommitted: Uncommitted,
    staging: &RepoPath,
    identity: &Identity,
    time: CommitTime,
) -> Result<Applied, ApplyError> {
    let target = git.commit_summary(commit)?.tree;
    let now = git.snapshot_for_restore(target)?;
    let head = git.head()?.commit;
    let differs = now != git.commit_summary(head)?.tree;
    if differs && uncommitted == Uncommitted::Refuse {
        return Err(ApplyError::Uncommitted);
    }
    let kept = if differs {
        let message = format!("dewar: the work tree before applying {}", commit.short());
        let parents = [head];
        let kept = git.commit(&NewCommit { tree: now, parents: &parents, message: &message, time, identity })?;
        let name = RefName::parse(KEPT)?;
        git.keep_log(&name)?;
        git.update_ref(&name, kept, Expected::Any, &message)?;
        Some(kept)
    } else {
        None
    };
    let restored = git.restore(now, target, staging)?;
    Ok(Applied { kept, restored })
}

/// Why something that the user names cannot be removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// It is no experiment.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// It is a part of one.
    #[error("`{text}` is a checkpoint of the experiment `{experiment}`, and goes only with it")]
    Checkpoint {
        /// What was asked for.
        text: String,
        /// Whose.
        experiment: ExperimentName,
    },
}

/// The experiments that the user names: all of them or, when one is not known, none.
///
/// # Errors
/// [`RemoveError`].
pub fn named(git: &Git, names: &[String]) -> Result<Vec<Experiment>, RemoveError> {
    let mut found: Vec<Experiment> = Vec::new();
    for name in names {
        let resolved = resolve(git, name)?;
        let unknown = || ResolveError::Unknown { text: name.clone(), suggestion: None };
        let experiment = resolved.experiment.ok_or_else(unknown)?;
        if experiment.commit != resolved.commit {
            return Err(RemoveError::Checkpoint { text: name.clone(), experiment: experiment.reference.name });
        }
        if !found.contains(&experiment) {
            found.push(experiment);
        }
    }
    Ok(found)
}

/// Removes these experiments, each only if it still stands where it was found. Their commits stay until git collects them.
///
/// # Errors
/// [`GitError::RefConflict`] when one was moved meanwhile; then none is removed.
pub fn remove_all(git: &Git, experiments: &[Experiment]) -> Result<(), GitError> {
    let updates = experiments
        .iter()
        .map(|experiment| {
            let name = experiment.reference.ref_name()?;
            Ok(RefUpdate { name, expected: Expected::At(experiment.commit), target: None })
        })
        .collect::<Result<Vec<_>, GitError>>()?;
    git.update_refs(&updates, "dewar: exp remove")
}

#[cfg(test)]
mod tests;
