//! `exp show` as data: baselines, their experiments, finished or not, and what each of their commits holds. Reads only, takes
//! no lock; no step of the walk.
//!
//! In reading order: [`Selection`] (which baselines), [`CommitReader`] (what commits hold, remembered between commands),
//! [`show`] (the rows; `checkpoints` says which commits of an experiment have some), [`Tasks`] (those of the queue), [`Table`]
//! (columns and cells, for people and for CSV).

mod checkpoints;
mod columns;
mod memory;
mod revisions;
mod row;
mod selection;
mod table;
mod tasks;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use checkpoints::Way;
pub use revisions::{CommitReader, CommitRevision, Part, Refresh, RevisionError};
pub use row::{Row, RowKind};
pub use selection::{Count, Group, Selection};
pub use table::{Cell, Column, Layout, Order, Same, SortBy, Table, TableError, Visible};
pub use tasks::{Execution, Executor, Tasks};
use tasks::{KnownTasks, place_running};

use super::name::ExperimentName;
use super::queue::QueueError;
use super::queue::task::State;
use super::refs::{self, Experiment, ResolveError};
use super::workspace_run::WorkspaceRun;
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
    /// Its last commit; while it is not finished, its last checkpoint. Of one that has none, the commit of its task, without
    /// metrics; while it runs, what its workspace has.
    pub tip: Arc<CommitRevision>,
    /// The checkpoints on the way there that no policy let go of, the newest first.
    pub earlier: Vec<Arc<CommitRevision>>,
    /// The task that it is or was; none when it was not queued.
    pub execution: Option<Execution>,
    elsewhere: HashSet<CommitId>,
    branches_off: HashMap<CommitId, CommitId>,
}

impl ExperimentRow {
    /// Where it is.
    #[must_use]
    pub fn state(&self) -> State {
        self.execution.as_ref().map_or(State::Success, |execution| execution.state)
    }

    /// All its commits that are kept, the newest first.
    pub fn revisions(&self) -> impl Iterator<Item = &CommitRevision> {
        std::iter::once(&self.tip).chain(&self.earlier).map(AsRef::as_ref)
    }

    /// Those of them that are not shown with another experiment, from which this one branches off.
    pub fn own(&self) -> impl Iterator<Item = &CommitRevision> {
        self.revisions().filter(|revision| !self.elsewhere.contains(&revision.commit))
    }

    /// The commit, shown with another experiment, behind which one of its own comes.
    #[must_use]
    pub fn branches_off(&self, commit: CommitId) -> Option<CommitId> {
        self.branches_off.get(&commit).copied()
    }
}

/// Why nothing can be shown.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// A revision is none, or several.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
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
    let mut experiments = experiments_of(git, &baselines)?;
    let mut known = Known::new();
    let tips = experiments.iter().map(|experiment| experiment.commit);
    read(git, baselines.iter().copied().chain(tips).collect(), reader, &mut known)?;
    let mut queued = KnownTasks::new(tasks, queued, &experiments, &known)?;
    experiments.retain(|experiment| !queued.hides(&experiment.reference));
    let ways = checkpoints::ways(git, &experiments, &known);
    read(git, ways.iter().flat_map(|way| way.kept.iter().copied()).collect(), reader, &mut known)?;
    let mut finished: HashMap<CommitId, Vec<ExperimentRow>> = HashMap::new();
    let mut begun: HashMap<CommitId, ExperimentRow> = HashMap::new();
    for (experiment, way) in experiments.into_iter().zip(ways) {
        let reference = &experiment.reference;
        let Some(row) = row(&experiment, way, queued.of_result(reference), &known) else { continue };
        match queued.begun(reference) {
            Some(task) => drop(begun.insert(task, row)),
            None => finished.entry(reference.baseline).or_default().push(row),
        }
    }
    if let Some(running) =
        WorkspaceRun::in_workspace(git.root()).filter(|running| baselines.contains(&running.baseline))
    {
        place_running(git, &running, finished.entry(running.baseline).or_default(), reader)?;
    }
    let mut others = queued.rows(git, reader, begun)?;
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

/// Reads those of these commits that are not known.
fn read(git: &Git, mut commits: Vec<CommitId>, reader: &CommitReader<'_>, known: &mut Known) -> Result<(), GitError> {
    commits.retain(|commit| !known.contains_key(commit));
    commits.sort_unstable();
    commits.dedup();
    known.extend(reader.read(git, &commits, Part::All)?.into_iter().map(|found| (found.commit, Arc::new(found))));
    Ok(())
}

fn row(experiment: &Experiment, way: Way, execution: Option<Execution>, known: &Known) -> Option<ExperimentRow> {
    Some(ExperimentRow {
        name: experiment.reference.name.clone(),
        tip: known.get(&experiment.commit).cloned()?,
        earlier: way.kept.iter().skip(1).filter_map(|commit| known.get(commit).cloned()).collect(),
        execution,
        elsewhere: way.elsewhere,
        branches_off: way.branches_off,
    })
}

#[cfg(test)]
mod tests;
