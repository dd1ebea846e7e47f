//! [`Way`]: which commits of an experiment are shown, and which of them with it.
//!
//! What a policy let go of is not shown, unless it is the last commit. An experiment that branches off behind a checkpoint of
//! another one has that one's commits in its chain; they are shown where they were made, as long as they are shown there.

use std::collections::{HashMap, HashSet};

use super::Known;
use crate::exp::chains::Chains;
use crate::exp::checkpoint::History;
use crate::exp::refs::{Experiment, ExperimentRef};
use crate::git::{CommitId, Git};

/// How an experiment came from its baseline to its last commit.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// The commits that are kept, the newest first.
    pub(super) kept: Vec<CommitId>,
    /// Those of them that are shown with the experiment that made them.
    pub(super) elsewhere: HashSet<CommitId>,
    /// Behind which commit, shown elsewhere, a commit comes that is shown here.
    pub(super) branches_off: HashMap<CommitId, CommitId>,
}

/// The ways of experiments whose last commits are `known`, in their order. A commit that cannot be read is the first of its way.
pub(super) fn ways(git: &Git, experiments: &[Experiment], known: &Known) -> Vec<Way> {
    let mut chains = Chains::new(git);
    for tip in experiments.iter().filter_map(|experiment| known.get(&experiment.commit)) {
        chains.know(tip.commit, tip.parent, tip.note.clone());
    }
    let histories: Vec<History> = experiments
        .iter()
        .map(|experiment| chains.readable(experiment.reference.baseline, experiment.commit).0)
        .collect();
    let mut homes: HashMap<CommitId, &ExperimentRef> = HashMap::new();
    for (Experiment { reference, .. }, history) in experiments.iter().zip(&histories) {
        for link in history.links().iter().filter(|link| history.keeps(link.commit)) {
            if link.note.as_ref().is_some_and(|note| note.experiment == reference.name) {
                homes.insert(link.commit, reference);
            }
        }
    }
    let way = |(experiment, history): (&Experiment, &History)| {
        let is_elsewhere = |commit: CommitId| {
            commit != experiment.commit && homes.get(&commit).is_some_and(|home| **home != experiment.reference)
        };
        way(history, is_elsewhere)
    };
    experiments.iter().zip(&histories).map(way).collect()
}

fn way(history: &History, is_elsewhere: impl Fn(CommitId) -> bool) -> Way {
    let mut way = Way::default();
    let mut oldest_here = None;
    for commit in history.links().iter().rev().map(|link| link.commit) {
        let is_kept = history.keeps(commit);
        if is_kept {
            way.kept.push(commit);
        }
        if is_elsewhere(commit) {
            way.elsewhere.extend(is_kept.then_some(commit));
            // What this experiment let go of and the other one has is where it branches off all the same.
            way.branches_off.extend(oldest_here.take().map(|here| (here, commit)));
        } else if is_kept {
            oldest_here = Some(commit);
        }
    }
    way
}
