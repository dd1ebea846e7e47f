//! What would be at no reference any more is kept at [`KEPT`], from where `exp apply` brings it back: the workspace before an
//! `apply`, and experiments whose place another one takes. No step of the walk.

pub use super::refs::KEPT;
use crate::git::{CommitId, Expected, Git, GitError, RefName};

/// Keeps a commit; `why` is for the reflog, which has those before.
///
/// # Errors
/// When the reference cannot be written.
pub fn keep(git: &Git, commit: CommitId, why: &str) -> Result<(), GitError> {
    let name = RefName::parse(KEPT)?;
    git.keep_log(&name)?;
    git.update_ref(&name, commit, Expected::Any, why)
}

/// Keeps the last commit of an experiment, `old`, in whose place `new` is about to come, and answers it; not one that `new` goes
/// on from, with which it stays. To be done before the reference moves: a process that is killed in between has kept too much.
///
/// # Errors
/// When a commit cannot be read, or the reference cannot be written.
pub fn keep_replaced(git: &Git, old: CommitId, new: CommitId) -> Result<Option<CommitId>, GitError> {
    if old == new || git.goes_on_from(new, old)? {
        return Ok(None);
    }
    keep(git, old, "dewar: an experiment that another one replaced")?;
    Ok(Some(old))
}
