//! What came from a remote is looked at before it gets a name here: a commit has all that it needs, and no file that would be
//! written into git's own folder, or above the work tree.

use std::collections::HashSet;

use git2::{ObjectType, Oid};

use super::super::{CommitId, Git, GitError};

/// What is wrong with a commit that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Flaw {
    /// This repository lacks an object that it needs.
    Missing { commit: CommitId, object: Oid },
    /// It has a file whose name is no name of a file of a work tree.
    Forbidden { commit: CommitId, file: String },
}

/// The first flaw of these commits, and of those that they need and no reference of this repository leads to: what a reference
/// leads to is taken to be good, as git takes it.
pub(super) fn flaw(git: &Git, tips: &[CommitId]) -> Result<Option<Flaw>, GitError> {
    let error = || GitError::operation("follow", "the commits that were fetched");
    let odb = git.repo.odb().map_err(error())?;
    let mut walk = git.repo.revwalk().map_err(error())?;
    for (_, commit) in git.list_refs("refs/")? {
        // Such as a tag of a tree.
        let _no_commit = walk.hide(commit.0);
    }
    for commit in tips {
        if walk.push(commit.0).is_err() {
            return Ok(Some(Flaw::Missing { commit: *commit, object: commit.0 }));
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
            let Ok(tree) = git.repo.find_tree(id) else { return Ok(Some(Flaw::Missing { commit, object: id })) };
            for entry in &tree {
                if is_forbidden(entry.name_bytes()) {
                    let file = String::from_utf8_lossy(entry.name_bytes()).replace(char::is_control, "\u{fffd}");
                    return Ok(Some(Flaw::Forbidden { commit, file }));
                }
                match entry.kind() {
                    Some(ObjectType::Tree) => next.push(entry.id()),
                    Some(ObjectType::Blob) if seen.insert(entry.id()) && !odb.exists(entry.id()) => {
                        return Ok(Some(Flaw::Missing { commit, object: entry.id() }));
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
            return Some(Flaw::Missing { commit: CommitId(child), object: id });
        };
        next.extend(commit.parent_ids().map(|parent| (id, parent)));
    }
    None
}
