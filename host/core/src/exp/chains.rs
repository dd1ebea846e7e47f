//! [`Chains`]: the commits of experiments, of which each is read once, however many experiments branch off behind it. No step of
//! the walk.

use std::collections::HashMap;

use super::checkpoint::history::Link;
use super::checkpoint::{History, Note};
use crate::git::{CommitId, Git, GitError};

/// The chains of several experiments.
pub struct Chains<'git> {
    git: &'git Git,
    read: HashMap<CommitId, Read>,
}

/// What is known of a commit.
struct Read {
    parent: Option<CommitId>,
    note: Option<Note>,
}

impl<'git> Chains<'git> {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(git: &'git Git) -> Self {
        Self { git, read: HashMap::new() }
    }

    /// Tells of a commit that the caller has read.
    pub fn know(&mut self, commit: CommitId, parent: Option<CommitId>, note: Option<Note>) {
        self.read.insert(commit, Read { parent, note });
    }

    /// The commits that lead from `baseline`, which is none of them, to `tip`.
    ///
    /// # Errors
    /// When a commit cannot be read.
    pub fn history(&mut self, baseline: CommitId, tip: CommitId) -> Result<History, GitError> {
        match self.readable(baseline, tip) {
            (history, None) => Ok(history),
            (_, Some(error)) => Err(error),
        }
    }

    /// The same as far as it can be read, and why it ends there. What cannot be read is its first commit.
    pub fn readable(&mut self, baseline: CommitId, tip: CommitId) -> (History, Option<GitError>) {
        let mut links = Vec::new();
        let mut broken = None;
        let mut next = Some(tip);
        while let Some(commit) = next.filter(|commit| *commit != baseline) {
            let note;
            (next, note) = match self.read(commit) {
                Ok(read) => (read.parent, read.note.clone()),
                Err(error) => {
                    broken = Some(error);
                    (None, None)
                }
            };
            links.push(Link { commit, note });
        }
        links.reverse();
        (History::of(links), broken)
    }

    fn read(&mut self, commit: CommitId) -> Result<&Read, GitError> {
        use std::collections::hash_map::Entry;
        match self.read.entry(commit) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => {
                let summary = self.git.commit_summary(commit)?;
                let parent = summary.parents.first().copied();
                Ok(place.insert(Read { parent, note: Note::of(&summary.message) }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Project;

    fn commits(history: &History) -> Vec<CommitId> {
        history.links().iter().map(|link| link.commit).collect()
    }

    #[test]
    fn what_was_read_is_not_read_again() {
        let project = Project::new();
        project.write("a", "1");
        let baseline = project.commit(100);
        let on = |parent: CommitId, second: i64| project.commit_on(parent, &[("a", &second.to_string())], second);
        let one = on(baseline, 101);
        let (two, other) = (on(one, 102), on(one, 103));
        let git = project.git();
        let mut chains = Chains::new(&git);
        assert_eq!(commits(&chains.history(baseline, two).unwrap()), [one, two]);
        assert_eq!(chains.history(baseline, baseline).unwrap(), History::default());
        // Nobody looks at git for what is known.
        chains.know(one, None, None);
        assert_eq!(commits(&chains.history(baseline, other).unwrap()), [one, other]);
    }

    #[test]
    fn a_commit_that_cannot_be_read_ends_a_chain() {
        let project = Project::new();
        project.write("a", "1");
        let baseline = project.commit(100);
        let tip = project.commit_on(baseline, &[("a", "2")], 101);
        let git = project.git();
        let mut chains = Chains::new(&git);
        let gone = CommitId::parse(&"7".repeat(40)).unwrap();
        chains.know(tip, Some(gone), None);
        let (history, broken) = chains.readable(baseline, tip);
        assert_eq!((commits(&history), broken.is_some()), (vec![gone, tip], true));
        assert!(chains.history(baseline, tip).unwrap_err().to_string().contains(&gone.to_string()));
    }
}
