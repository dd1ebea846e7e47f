//! Brings an experiment's files back into the work tree, and removes experiments.
//!
//! [`apply`] never loses work: what it would overwrite is recorded as a commit first.

use super::chains::Chains;
use super::kept::{self, KEPT};
use super::queue::STASH;
use super::refs::{self, Experiment};
use crate::git::{
    CommitId, CommitTime, Expected, Git, GitError, Identity, NewCommit, RefName, RefUpdate, Restored, TreeId,
};
use crate::path::RepoPath;

/// What happens to changes of the work tree that are not committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uncommitted {
    /// They are recorded at [`KEPT`] first.
    Keep,
    /// The same, unless one is recorded nowhere yet, neither in `HEAD`, nor in an experiment or a task of the queue, nor at [`KEPT`]: that is a reason to
    /// change nothing.
    KeepRecorded,
    /// They are a reason to change nothing.
    Refuse,
}

/// Why an experiment was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// There are changes that are not committed.
    #[error("the workspace has changes that are not committed")]
    Uncommitted,
    /// Files would be overwritten or removed whose content is recorded nowhere.
    #[error("{} changes that are recorded nowhere, and would be overwritten:{}", have(files), lines(files))]
    Conflicts {
        /// The files, as git names them.
        files: Vec<String>,
    },
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
}

fn have(files: &[String]) -> String {
    if files.len() == 1 { "a file has".to_owned() } else { format!("{} files have", files.len()) }
}

fn lines(files: &[String]) -> String {
    const SHOWN: usize = 10;
    let mut lines: String = files.iter().take(SHOWN).map(|file| format!("\n  {file}")).collect();
    if let Some(more @ 1..) = files.len().checked_sub(SHOWN) {
        lines.push_str(&format!("\n  and {more} more"));
    }
    lines
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

/// What of the workspace is the cache's affair, as far as git comes upon it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outputs {
    /// Untracked files where an output is to stand, which only the workspace has. They are recorded at [`KEPT`], whatever git makes
    /// of them, and removed.
    pub aside: Vec<RepoPath>,
    /// Outputs that the cache has: untracked files of theirs are no reason to change nothing.
    pub cached: Vec<RepoPath>,
}

/// Makes the work tree that of `commit`: its files are written, tracked files that it lacks are removed, other untracked files
/// stay but for those [`Outputs`] says. `HEAD` and the index are left alone, so the difference shows as uncommitted changes.
/// `staging` is a folder of the project for files on their way.
///
/// Tracked is what the index has; a file taken out of it by `git rm --cached` is the user's own.
///
/// # Errors
/// [`ApplyError::Uncommitted`] and [`ApplyError::Conflicts`] as asked for; or when anything cannot be read or written: what was in the work tree is then in
/// it or at [`KEPT`].
pub fn apply(
    git: &Git,
    commit: CommitId,
    uncommitted: Uncommitted,
    outputs: &Outputs,
    staging: &RepoPath,
    identity: &Identity,
    time: CommitTime,
) -> Result<Applied, ApplyError> {
    let target = git.commit_summary(commit)?.tree;
    let now = git.snapshot_for_restore(target, &outputs.aside)?;
    let head = git.head()?.commit;
    let differs = now != git.commit_summary(head)?.tree;
    if differs && uncommitted == Uncommitted::Refuse {
        return Err(ApplyError::Uncommitted);
    }
    if differs && uncommitted == Uncommitted::KeepRecorded {
        let files = git.only_in_work_tree(now, target, &outputs.cached, recorded(git, head)?)?;
        if !files.is_empty() {
            return Err(ApplyError::Conflicts { files });
        }
    }
    let kept = if differs {
        let message = format!("dewar: the work tree before applying {}", commit.short());
        let parents = [head];
        let kept = git.commit(&NewCommit { tree: now, parents: &parents, message: &message, time, identity })?;
        kept::keep(git, kept, &message)?;
        Some(kept)
    } else {
        None
    };
    let restored = git.restore(now, target, staging)?;
    Ok(Applied { kept, restored })
}

/// All states that are recorded, the likeliest first: `head`, what was kept, the experiments, those on `head` before others, what
/// is queued, and checkpoints.
fn recorded(git: &Git, head: CommitId) -> Result<impl Iterator<Item = Result<TreeId, GitError>>, GitError> {
    let kept = git.log(&RefName::parse(KEPT)?)?;
    // Those that `apply` brought from a task of the queue.
    let inputs = git.log(&RefName::parse(STASH)?)?;
    let mut experiments = refs::all(git)?;
    experiments.sort_by_key(|experiment| experiment.reference.baseline != head);
    let tips: Vec<CommitId> = experiments.iter().map(|experiment| experiment.commit).collect();
    let mut chains = Chains::new(git);
    let earlier = experiments.into_iter().flat_map(move |Experiment { reference, commit }| {
        // What cannot be read has nothing that could be had back.
        let (history, _) = chains.readable(reference.baseline, commit);
        history.links().iter().rev().skip(1).map(|link| link.commit).collect::<Vec<_>>()
    });
    let commits = std::iter::once(head).chain(kept).chain(tips).chain(inputs).chain(earlier);
    Ok(commits.filter_map(move |commit| git.commit_summary(commit).ok().map(|summary| Ok(summary.tree))))
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
