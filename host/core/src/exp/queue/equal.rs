//! Whether an experiment that is to be queued equals one that exists: the same files but for results, and the same request.

use std::collections::{HashMap, HashSet};

use super::task::{Request, State, Task};
use super::{Queue, QueueError};
use crate::config::OnLost;
use crate::exp::name::ExperimentName;
use crate::exp::{find, refs};
use crate::git::{CommitId, Git, TreeId};
use crate::path::RepoPath;
use crate::pipeline::LockFile;
use crate::repro::Selection;

/// More experiments than this are not looked at: it is a courtesy, and must not take long.
const MOST_LOOKED_AT: usize = 200;

/// Variables that differ from one command to the next.
const PASSING: [&str; 7] = ["_", "PWD", "OLDPWD", "SHLVL", "COLUMNS", "GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"];

/// Whether two requests ask for the same, as far as stages can tell.
fn is_alike(one: &Request, other: &Request) -> bool {
    let env = |request: &Request| {
        let lasting = |(name, _): &&(String, String)| !PASSING.contains(&name.as_str()) && !name.starts_with("DEWAR_");
        let mut env: Vec<(String, String)> = request.env.iter().filter(lasting).cloned().collect();
        env.sort();
        env
    };
    one.typed == other.typed && one.copies.is_empty() && other.copies.is_empty() && env(one) == env(other)
}

/// What there is to be equal to.
#[derive(Debug)]
pub struct Known<'g> {
    git: &'g Git,
    /// The tasks by their files.
    tasks: HashMap<TreeId, Vec<Task>>,
    experiments: Vec<(ExperimentName, TreeId)>,
    /// Files that a run writes and git keeps.
    results: HashSet<RepoPath>,
}

/// One that has the same inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Equal {
    /// Its name.
    pub name: ExperimentName,
    /// Where it is.
    pub state: State,
}

impl<'g> Known<'g> {
    /// What there is on `baseline`: the tasks, and at most as many experiments as can be looked at for each of `new` ones.
    ///
    /// # Errors
    /// When git cannot be read.
    pub fn on(
        git: &'g Git,
        baseline: CommitId,
        tasks: &[Task],
        selection: &Selection,
        new: usize,
    ) -> Result<Self, QueueError> {
        let mut by_tree: HashMap<TreeId, Vec<Task>> = HashMap::new();
        for task in tasks.iter().filter(|task| task.baseline == baseline && task.state != State::Failed) {
            // That of one that succeeded may be collected already; the experiment is there.
            if let Ok(inputs) = git.commit_summary(task.id) {
                by_tree.entry(inputs.tree).or_default().push(task.clone());
            }
        }
        let mut experiments = Vec::new();
        let of_baseline = refs::of_baseline(git, baseline)?;
        if of_baseline.len().saturating_mul(new) <= MOST_LOOKED_AT {
            for experiment in of_baseline {
                // What failed after some checkpoints may well be queued again.
                if find::unfinished(git, tasks, &experiment)?.is_some() {
                    continue;
                }
                experiments.push((experiment.reference.name, git.commit_summary(experiment.commit)?.tree));
            }
        }
        let stages = selection.pipeline.stages().map(|(_, stage)| stage);
        let written = stages.flat_map(|stage| {
            let kept = stage.outs.iter().filter(|out| !out.cached).map(|out| out.path.clone());
            kept.chain([LockFile::path_for(&stage.address.file)])
        });
        Ok(Self { git, tasks: by_tree, experiments, results: written.collect() })
    }

    /// One that has the files of `tree`, and as a task also the same request; with the same files an experiment is taken to be
    /// the same, since what was typed for it is not known any more.
    ///
    /// # Errors
    /// When git or a request cannot be read.
    pub fn equal(&self, queue: &Queue, tree: TreeId, request: &Request) -> Result<Option<Equal>, QueueError> {
        for task in self.tasks.get(&tree).into_iter().flatten() {
            // It is a courtesy: a task that cannot be read equals none.
            if queue.request(task.id).is_ok_and(|known| is_alike(&known, request)) {
                return Ok(Some(Equal { name: task.name.clone(), state: task.seen(OnLost::Retry) }));
            }
        }
        // What was copied beside the files is not known of an experiment.
        for (name, other) in self.experiments.iter().filter(|_| request.copies.is_empty()) {
            let differing = self.git.differing(tree, *other)?;
            if differing.iter().all(|path| path.as_ref().is_some_and(|path| self.results.contains(path))) {
                return Ok(Some(Equal { name: name.clone(), state: State::Success }));
            }
        }
        Ok(None)
    }
}
