//! What came from a remote is looked at before it gets a name here: a commit has all that it needs, and no file that would be
//! written into git's own folder, or above the work tree.

use std::collections::{BTreeMap, HashSet};

use git2::{ObjectType, Oid};

use super::super::{CommitId, Git, GitError};
use crate::words::visible;

/// What is wrong with a commit that came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// This repository lacks an object that it needs.
    #[error("the commit {}, but not all that it needs: {object} is missing", commit.short())]
    Missing {
        /// The commit, or one that it was built on.
        commit: CommitId,
        /// The first object missing.
        object: String,
    },
    /// It has a file that would be written where none may be.
    #[error("the commit {}, in which a file is called `{file}`", commit.short())]
    Forbidden {
        /// The commit, or one that it was built on.
        commit: CommitId,
        /// What no file of a work tree may be called.
        file: String,
    },
}

/// Which of these commits are flawed, or need one that is: in ever smaller halves, since most often none is.
pub(super) fn flaws(git: &Git, tips: &[CommitId]) -> Result<BTreeMap<CommitId, Flaw>, GitError> {
    let mut flaws = BTreeMap::new();
    let mut next = vec![tips];
    while let Some(tips) = next.pop() {
        match (flaw(git, tips)?, tips) {
            (None, _) => {}
            (Some(flaw), [tip]) => drop(flaws.insert(*tip, flaw)),
            (Some(_), tips) => {
                let (one, other) = tips.split_at(tips.len() / 2);
                next.extend([one, other]);
            }
        }
    }
    Ok(flaws)
}

/// The first flaw of these commits, and of those that they need and no reference of this repository leads to: what a reference
/// leads to is taken to be good, as git takes it.
fn flaw(git: &Git, tips: &[CommitId]) -> Result<Option<Flaw>, GitError> {
    let error = || GitError::operation("follow", "the commits that were fetched");
    let odb = git.repo.odb().map_err(error())?;
    let mut walk = git.repo.revwalk().map_err(error())?;
    for (_, commit) in git.list_refs("refs/")? {
        // Such as a tag of a tree.
        let _no_commit = walk.hide(commit.0);
    }
    for commit in tips {
        if walk.push(commit.0).is_err() {
            return Ok(Some(Flaw::Missing { commit: *commit, object: commit.to_string() }));
        }
    }
    let mut seen = HashSet::new();
    let mut next = Vec::new();
    for id in walk {
        let Ok(commit) = id.and_then(|id| git.repo.find_commit(id)) else { return Ok(first_lost(git, tips)) };
        next.push(commit.tree_id());
        let commit = CommitId(commit.id());
        while let Some(id) = next.pop() {
            if !seen.insert(id) {
                continue;
            }
            let Ok(tree) = git.repo.find_tree(id) else {
                return Ok(Some(Flaw::Missing { commit, object: id.to_string() }));
            };
            for entry in &tree {
                if is_forbidden(entry.name_bytes()) {
                    let file = visible(&String::from_utf8_lossy(entry.name_bytes()));
                    return Ok(Some(Flaw::Forbidden { commit, file }));
                }
                match entry.kind() {
                    Some(ObjectType::Tree) => next.push(entry.id()),
                    Some(ObjectType::Blob) if seen.insert(entry.id()) && !odb.exists(entry.id()) => {
                        return Ok(Some(Flaw::Missing { commit, object: entry.id().to_string() }));
                    }
                    // The commit of a submodule is in another repository.
                    _ => {}
                }
            }
        }
    }
    Ok(None)
}

/// Whether no file of a work tree may be called so, as `git fsck` has it. Names that only other systems take for `.git` are refused
/// when files are written.
fn is_forbidden(name: &[u8]) -> bool {
    name.is_empty() || name.contains(&b'/') || matches!(name, b"." | b"..") || name.eq_ignore_ascii_case(b".git")
}

/// A commit whose parent is missing.
fn first_lost(git: &Git, tips: &[CommitId]) -> Option<Flaw> {
    let mut next: Vec<(Oid, Oid)> = tips.iter().map(|tip| (tip.0, tip.0)).collect();
    let mut seen = HashSet::new();
    while let Some((child, id)) = next.pop() {
        if !seen.insert(id) {
            continue;
        }
        let Ok(commit) = git.repo.find_commit(id) else {
            return Some(Flaw::Missing { commit: CommitId(child), object: id.to_string() });
        };
        next.extend(commit.parent_ids().map(|parent| (id, parent)));
    }
    None
}
