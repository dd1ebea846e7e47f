//! [`Selection`]: which baselines a command is about.

use std::collections::{BTreeSet, HashSet};

use crate::exp::find;
use crate::exp::refs::{self, ResolveError};
use crate::git::{CommitId, Git, GitError};

/// How many commits, each the first parent of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// At most so many.
    First(usize),
    /// To the beginning.
    All,
}

impl Count {
    /// What `-n` says: a negative number means all (DVC's rule).
    #[must_use]
    pub fn from_number(number: i64) -> Self {
        usize::try_from(number).map_or(Self::All, Self::First)
    }
}

/// Commits that are selected together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// `-a`: where the branches stand, and so many before as the count says.
    Branches,
    /// `-T`: where the tags stand.
    Tags,
    /// `-A`: every commit that `HEAD`, a branch or a tag leads to, and every baseline that has experiments, reachable or not.
    Commits,
}

/// Which baselines a command is about; `HEAD` when nothing is said.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Revisions as the user wrote them (`--rev`).
    pub revisions: Vec<String>,
    /// How many commits of each revision and branch (`-n`).
    pub count: Count,
    /// What is selected beyond.
    pub groups: BTreeSet<Group>,
}

impl Default for Selection {
    /// `HEAD` alone.
    fn default() -> Self {
        Self { revisions: Vec::new(), count: Count::First(1), groups: BTreeSet::new() }
    }
}

impl Selection {
    /// The commits, each once, in the order in which they are named; none for a repository without a commit.
    ///
    /// # Errors
    /// When a revision is none, or several, or git cannot be read.
    pub fn baselines(&self, git: &Git) -> Result<Vec<CommitId>, ResolveError> {
        let mut found = Vec::new();
        if self.revisions.is_empty() && self.groups.is_empty() {
            match git.head() {
                Ok(head) => found.extend(self.line(git, head.commit)?),
                Err(GitError::Unborn { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        for revision in &self.revisions {
            found.extend(self.line(git, find::commit(git, revision)?)?);
        }
        if self.groups.contains(&Group::Commits) {
            found.extend(git.all_commits()?);
            found.extend(refs::all(git)?.into_iter().map(|experiment| experiment.reference.baseline));
        } else {
            if self.groups.contains(&Group::Branches) {
                for commit in git.branches()?.into_values() {
                    found.extend(self.line(git, commit)?);
                }
            }
            if self.groups.contains(&Group::Tags) {
                found.extend(git.tags()?.into_values());
            }
        }
        let mut seen = HashSet::new();
        found.retain(|commit| seen.insert(*commit));
        Ok(found)
    }

    fn line(&self, git: &Git, commit: CommitId) -> Result<Vec<CommitId>, GitError> {
        git.first_parents(
            commit,
            match self.count {
                Count::First(count) => count,
                Count::All => usize::MAX,
            },
        )
    }
}
