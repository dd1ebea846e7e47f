//! [`History`]: the checkpoints of a chain, and all moments that were decided on.

use std::collections::HashSet;

use super::note::{Note, StageMoment};
use crate::extension::PastMoment;
use crate::git::CommitId;

/// A commit of a chain and what it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// The commit.
    pub commit: CommitId,
    /// Its note; none for what another program recorded.
    pub note: Option<Note>,
}

/// A chain, oldest commit first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    links: Vec<Link>,
    discarded: HashSet<CommitId>,
}

impl History {
    /// The chain of these commits, oldest first.
    #[must_use]
    pub fn of(links: Vec<Link>) -> Self {
        let notes = links.iter().filter_map(|link| link.note.as_ref());
        let discarded = notes.flat_map(|note| note.discarded.iter().copied()).collect();
        let mut history = Self { links, discarded };
        // What a run begins from, or ends with, stays, whatever its own note says.
        if let Some(last) = history.links.last() {
            history.discarded.remove(&last.commit);
        }
        history
    }

    /// Adds the next commit.
    pub fn push(&mut self, commit: CommitId, note: Note) {
        self.discarded.extend(note.discarded.iter().copied());
        self.links.push(Link { commit, note: Some(note) });
    }

    /// The commits, oldest first.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Whether a checkpoint is kept: a policy let go of it nowhere in this chain.
    #[must_use]
    pub fn keeps(&self, commit: CommitId) -> bool {
        !self.discarded.contains(&commit)
    }

    /// The moments of a stage as a policy sees them, oldest first.
    #[must_use]
    pub fn moments(&self, stage: &str) -> Vec<PastMoment> {
        let mut moments = Vec::new();
        for link in &self.links {
            let Some(note) = &link.note else { continue };
            let of_stage = |moment: &&StageMoment| moment.stage == stage;
            let passed = note.passed.iter().filter(of_stage);
            moments.extend(passed.map(|passed| PastMoment { moment: passed.moment.clone(), checkpoint: None }));
            moments.extend(note.moment.iter().filter(of_stage).map(|moment| PastMoment {
                moment: moment.moment.clone(),
                checkpoint: self.keeps(link.commit).then(|| link.commit.to_string()),
            }));
        }
        moments
    }

    /// The stages that moments are told of, in the order of their first ones.
    #[must_use]
    pub fn stages(&self) -> Vec<&str> {
        let notes = self.links.iter().filter_map(|link| link.note.as_ref());
        let mut stages = Vec::new();
        for moment in notes.flat_map(|note| note.passed.iter().chain(&note.moment)) {
            if !stages.contains(&moment.stage.as_str()) {
                stages.push(&moment.stage);
            }
        }
        stages
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exp::name::ExperimentName;
    use crate::extension::{Moment, Trigger};

    fn id(digit: char) -> CommitId {
        CommitId::parse(&digit.to_string().repeat(40)).unwrap()
    }

    fn moment(stage: &str, step: u64) -> StageMoment {
        let moment = Moment { trigger: Trigger::Signalled, step, elapsed_ms: step * 10, metrics: Vec::new() };
        StageMoment { stage: stage.to_owned(), moment }
    }

    fn note() -> Note {
        Note::new(ExperimentName::parse("e").unwrap(), None)
    }

    #[test]
    fn moments_are_told_of_one_stage_with_the_checkpoints_that_are_kept() {
        let mut history = History::of(vec![
            Link { commit: id('1'), note: Some(Note { moment: Some(moment("a", 1)), ..note() }) },
            // Another program's.
            Link { commit: id('2'), note: None },
            Link { commit: id('3'), note: Some(Note { moment: Some(moment("b", 1)), ..note() }) },
        ]);
        let passed = vec![moment("a", 2), moment("b", 2)];
        history.push(id('4'), Note { moment: Some(moment("a", 3)), passed, discarded: vec![id('1')], ..note() });
        let told = |stage: &str| -> Vec<(u64, Option<String>)> {
            history.moments(stage).into_iter().map(|past| (past.moment.step, past.checkpoint)).collect()
        };
        assert_eq!(told("a"), [(1, None), (2, None), (3, Some("4".repeat(40)))]);
        assert_eq!(told("b"), [(1, Some("3".repeat(40))), (2, None)]);
        assert_eq!(history.stages(), ["a", "b"]);
        assert_eq!((history.keeps(id('1')), history.keeps(id('3'))), (false, true));
        assert_eq!(history.links().last().unwrap().commit, id('4'));
    }

    #[test]
    fn the_last_commit_is_kept_whatever_it_says() {
        let history =
            History::of(vec![Link { commit: id('1'), note: Some(Note { discarded: vec![id('1')], ..note() }) }]);
        assert!(history.keeps(id('1')));
    }
}
