//! `exp show` as data: baselines, their experiments, finished or not, and what each of their commits holds. Reads only, takes
//! no lock; no step of the walk.
//!
//! In reading order: [`Selection`] (which baselines), [`CommitReader`] (what commits hold, remembered between commands),
//! [`show`] (the rows), [`Tasks`] (those of the queue), [`Table`] (columns and cells, for people and for CSV).

mod columns;
mod memory;
mod revisions;
mod selection;
mod table;
mod tasks;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

pub use revisions::{CommitReader, CommitRevision, Part, Refresh, RevisionError};
pub use selection::{Count, Group, Selection};
pub use table::{Cell, Column, Layout, Order, Row, RowKind, Same, SortBy, Table, TableError, Visible};
use tasks::KnownTasks;
pub use tasks::{Execution, Tasks};

use super::name::ExperimentName;
use super::queue::QueueError;
use super::queue::task::State;
use super::refs::{self, Experiment};
use crate::git::{CommitId, Git, GitError};
use crate::metrics::RevisionData;
use crate::pipeline::PipelineError;

/// Whether baselines are called by their branches and tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// By branch or tag where there is one.
    Names,
    /// Always by the digits of the commit.
    Digits,
}

/// What `exp show` shows.
#[derive(Debug)]
pub struct Show {
    /// The work tree; none when it was not asked for.
    pub workspace: Option<Result<RevisionData, PipelineError>>,
    /// The baselines, in the order of the selection.
    pub baselines: Vec<BaselineRow>,
}

/// A baseline and what was tried on it.
#[derive(Debug)]
pub struct BaselineRow {
    /// The branch or tag.
    pub name: Option<String>,
    /// What it holds.
    pub revision: Arc<CommitRevision>,
    /// Its experiments: those that run, that are finished, that wait and that failed; of each the newest first.
    pub experiments: Vec<ExperimentRow>,
}

/// An experiment.
#[derive(Debug)]
pub struct ExperimentRow {
    /// Its name.
    pub name: ExperimentName,
    /// Its last commit. Of one that is not finished, that of the task, without metrics; while it runs, what its workspace has.
    pub tip: Arc<CommitRevision>,
    /// The checkpoints on the way there, the newest first.
    pub earlier: Vec<Arc<CommitRevision>>,
    /// The task that it is or was; none when it was not queued.
    pub execution: Option<Execution>,
}

impl ExperimentRow {
    /// Where it is.
    #[must_use]
    pub fn state(&self) -> State {
        self.execution.as_ref().map_or(State::Success, |execution| execution.state)
    }

    /// All its commits, the newest first.
    pub fn revisions(&self) -> impl Iterator<Item = &CommitRevision> {
        std::iter::once(&self.tip).chain(&self.earlier).map(AsRef::as_ref)
    }
}

/// Why nothing can be shown.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The queue.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// The rows of the selected baselines; `workspace` is what the caller read of the work tree.
///
/// # Errors
/// When the selection names what is not there, or git or the queue cannot be read. What is wrong with one commit stands in its
/// row.
pub fn show(
    git: &Git,
    selection: &Selection,
    naming: Naming,
    workspace: Option<Result<RevisionData, PipelineError>>,
    tasks: Tasks<'_>,
    reader: &CommitReader<'_>,
) -> Result<Show, ShowError> {
    let baselines = selection.baselines(git)?;
    let names = match naming {
        Naming::Names => git.names()?,
        Naming::Digits => BTreeMap::new(),
    };
    let mut queued = tasks.queue.tasks()?;
    for task in queued.iter_mut().filter(|task| task.is_damaged()) {
        // Its commit says what its record does not.
        let parent = git.commit_summary(task.id).ok().and_then(|summary| summary.parents.first().copied());
        task.baseline = parent.unwrap_or(task.id);
    }
    let wanted: HashSet<&CommitId> = baselines.iter().collect();
    queued.retain(|task| wanted.contains(&task.baseline));
    let experiments = experiments_of(git, &baselines)?;
    let mut queued = KnownTasks::new(tasks, queued, &experiments)?;
    let known = read_chains(git, &baselines, &experiments, reader)?;
    let mut finished: HashMap<CommitId, Vec<ExperimentRow>> = HashMap::new();
    for experiment in &experiments {
        let execution = queued.of_result(&experiment.reference);
        finished.entry(experiment.reference.baseline).or_default().extend(row(experiment, execution, &known));
    }
    let mut others = queued.rows(git, reader)?;
    let rows = baselines.iter().filter_map(|baseline| {
        let mut rows = finished.remove(baseline).unwrap_or_default();
        rows.sort_by_key(|row| Reverse((row.tip.time, row.tip.commit)));
        rows.extend(others.remove(baseline).unwrap_or_default());
        rows.sort_by_key(|row| place(row.state()));
        Some(BaselineRow {
            name: names.get(baseline).cloned(),
            revision: Arc::clone(known.get(baseline)?),
            experiments: rows,
        })
    });
    Ok(Show { workspace, baselines: rows.collect() })
}

/// In which order experiments stand, as in DVC.
const fn place(state: State) -> u8 {
    match state {
        State::Running => 0,
        State::Success => 1,
        State::Queued => 2,
        State::Failed => 3,
    }
}

/// The experiments of these baselines.
fn experiments_of(git: &Git, baselines: &[CommitId]) -> Result<Vec<Experiment>, GitError> {
    // One folder of references, the usual case, is listed faster than all of them.
    if let [baseline] = baselines {
        return refs::of_baseline(git, *baseline);
    }
    let mut experiments = refs::all(git)?;
    let wanted: HashSet<&CommitId> = baselines.iter().collect();
    experiments.retain(|experiment| wanted.contains(&experiment.reference.baseline));
    Ok(experiments)
}

type Known = HashMap<CommitId, Arc<CommitRevision>>;

/// Reads the baselines, the experiments' last commits, and what lies between: of all experiments at once, one commit further
/// back in each round.
fn read_chains(
    git: &Git,
    baselines: &[CommitId],
    experiments: &[Experiment],
    reader: &CommitReader<'_>,
) -> Result<Known, GitError> {
    let mut known = Known::new();
    let mut wanted: Vec<CommitId> = baselines.to_vec();
    let mut ends: Vec<(CommitId, CommitId)> =
        experiments.iter().map(|experiment| (experiment.commit, experiment.reference.baseline)).collect();
    loop {
        wanted.extend(ends.iter().map(|(commit, _)| *commit));
        wanted.retain(|commit| !known.contains_key(commit));
        wanted.sort_unstable();
        wanted.dedup();
        known.extend(reader.read(git, &wanted, Part::All)?.into_iter().map(|found| (found.commit, Arc::new(found))));
        wanted.clear();
        ends = ends
            .iter()
            .filter_map(|(commit, baseline)| Some((before(*commit, *baseline, &known)?, *baseline)))
            .collect();
        if ends.is_empty() {
            return Ok(known);
        }
    }
}

/// The commit before one of an experiment; none when that is the baseline.
fn before(commit: CommitId, baseline: CommitId, known: &Known) -> Option<CommitId> {
    known.get(&commit)?.parent.filter(|parent| *parent != baseline && commit != baseline)
}

fn row(experiment: &Experiment, execution: Option<Execution>, known: &Known) -> Option<ExperimentRow> {
    let baseline = experiment.reference.baseline;
    let tip = known.get(&experiment.commit)?;
    let earlier = std::iter::successors(before(tip.commit, baseline, known), |at| before(*at, baseline, known));
    Some(ExperimentRow {
        name: experiment.reference.name.clone(),
        tip: Arc::clone(tip),
        earlier: earlier.filter_map(|commit| known.get(&commit).cloned()).collect(),
        execution,
    })
}

#[cfg(test)]
mod tests;
