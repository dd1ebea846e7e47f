//! [`Execution`]: what a row knows of the task that it is of, and the rows of tasks that are no experiments yet, or never become
//! some.
//!
//! The records of tasks are read before git's references. So an experiment that is recorded meanwhile would be there twice, as
//! what runs and as what has ended; [`KnownTasks`] looks at its record once more. One that records checkpoints has a reference
//! from the first on: it is what its task is, whether that runs, waits to run again, or failed.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::revisions::{CommitReader, CommitRevision, Part};
use super::{ExperimentRow, Known, ShowError};
use crate::config::OnLost;
use crate::exp::name::ExperimentName;
use crate::exp::queue::task::{Origin, State, Task};
use crate::exp::queue::{Queue, QueueError};
use crate::exp::refs::{Experiment, ExperimentRef};
use crate::exp::workspace_run::WorkspaceRun;
use crate::git::{CommitId, Git, GitError};
use crate::metrics::{FileData, FileError, RevisionData};
use crate::process::identity::ProcessIdentity;

/// The queue, as far as it is shown.
#[derive(Debug, Clone, Copy)]
pub struct Tasks<'a> {
    /// The queue.
    pub queue: &'a Queue,
    /// What becomes of tasks whose processes were killed.
    pub on_lost: OnLost,
    /// Tasks in these states are left out.
    pub hidden: &'a [State],
}

/// Who runs an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executor {
    /// `exp run`, in the user's workspace.
    Workspace,
    /// `exp run --temp`.
    Temp,
    /// A worker of the queue.
    Worker,
}

/// What is known of an experiment that runs, or of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// The task; what stands for it when it is none.
    pub task: CommitId,
    /// Who runs it.
    pub by: Executor,
    /// Where it is.
    pub state: State,
    /// Where it runs, while it does.
    pub workspace: Option<PathBuf>,
    /// What its last attempt wrote.
    pub log: Option<PathBuf>,
    /// The process that runs it, or ran it last.
    pub pid: Option<u32>,
    /// Why it failed, or why it is queued again.
    pub cause: Option<String>,
}

impl Execution {
    /// Who runs it, in DVC's word, which has none for what failed.
    #[must_use]
    pub fn executor(&self) -> Option<&'static str> {
        let word = match self.by {
            Executor::Workspace => "workspace",
            Executor::Temp => "tempdir",
            Executor::Worker => "dvc-task",
        };
        (self.state != State::Failed).then_some(word)
    }
}

/// The tasks of some baselines: those that are experiments, and the others.
pub(super) struct KnownTasks {
    finished: HashMap<ExperimentRef, Execution>,
    /// Experiments that are not finished, and have checkpoints.
    begun: HashMap<ExperimentRef, CommitId>,
    hidden: HashSet<ExperimentRef>,
    others: Vec<(Task, Execution)>,
}

impl KnownTasks {
    /// Sorts `tasks`, which were read before `experiments`, whose last commits are `known`.
    pub(super) fn new(
        shown: Tasks<'_>,
        tasks: Vec<Task>,
        experiments: &[Experiment],
        known: &Known,
    ) -> Result<Self, QueueError> {
        let commits: HashMap<CommitId, &ExperimentRef> =
            experiments.iter().map(|experiment| (experiment.commit, &experiment.reference)).collect();
        // By which task the last commit of each was made.
        let made_by = |experiment: &Experiment| known.get(&experiment.commit)?.note.as_ref()?.task;
        let references: HashMap<&ExperimentRef, Option<CommitId>> =
            experiments.iter().map(|experiment| (&experiment.reference, made_by(experiment))).collect();
        let recorded = |task: &Task| task.result().and_then(|commit| commits.get(&commit));
        let mut sorted =
            Self { finished: HashMap::new(), begun: HashMap::new(), hidden: HashSet::new(), others: Vec::new() };
        for mut task in tasks {
            let reference = ExperimentRef { baseline: task.baseline, name: task.name.clone() };
            if recorded(&task).is_none() && references.contains_key(&reference) {
                match shown.queue.read(task.id) {
                    Ok(Some(now)) => task = now,
                    Ok(None) => continue,
                    // What was read before is not wrong.
                    Err(_) => {}
                }
            }
            let has_begun = references.get(&reference).copied().flatten() == Some(task.id);
            let state = task.seen(shown.on_lost);
            if let Some(renamed) = recorded(&task) {
                // Equal results at the same second are one commit: by name first.
                let reference = if references.contains_key(&reference) { reference } else { (*renamed).clone() };
                sorted.finished.insert(reference, execution(shown, &task, State::Success));
            } else if state == State::Success {
                // Its last commit was recorded after the reference was read; else its experiment was removed since.
                if has_begun {
                    sorted.finished.insert(reference, execution(shown, &task, state));
                }
            } else if shown.hidden.contains(&state) {
                sorted.hidden.extend(has_begun.then_some(reference));
            } else {
                if has_begun {
                    sorted.begun.insert(reference, task.id);
                }
                let execution = execution(shown, &task, state);
                sorted.others.push((task, execution));
            }
        }
        sorted.others.sort_by_key(|(task, _)| Reverse((task.number, task.id)));
        Ok(sorted)
    }

    /// Whether an experiment is that of a task which is left out.
    pub(super) fn hides(&self, experiment: &ExperimentRef) -> bool {
        self.hidden.contains(experiment)
    }

    /// The task that an experiment is which is not finished.
    pub(super) fn begun(&self, experiment: &ExperimentRef) -> Option<CommitId> {
        self.begun.get(experiment).copied()
    }

    /// What is known of the task whose result an experiment is.
    pub(super) fn of_result(&mut self, experiment: &ExperimentRef) -> Option<Execution> {
        self.finished.remove(experiment)
    }

    /// The rows of the others by baseline, the newest first; `begun` are those of tasks that have checkpoints.
    pub(super) fn rows(
        self,
        git: &Git,
        reader: &CommitReader<'_>,
        mut begun: HashMap<CommitId, ExperimentRow>,
    ) -> Result<HashMap<CommitId, Vec<ExperimentRow>>, ShowError> {
        let ids = self.others.iter().map(|(task, _)| task.id);
        let commits: Vec<CommitId> = ids.filter(|task| !begun.contains_key(task)).collect();
        let mut inputs = reader.read(git, &commits, Part::Inputs)?.into_iter();
        let mut on: HashMap<CommitId, Vec<ExperimentRow>> = HashMap::new();
        for (task, execution) in self.others {
            let row = match begun.remove(&task.id) {
                // Its last checkpoint is consistent; what its workspace has by now may be half of the next.
                Some(row) => Some(ExperimentRow { execution: Some(execution), ..row }),
                None => inputs.next().map(|revision| without_checkpoints(task.name, revision, execution, reader)),
            };
            on.entry(task.baseline).or_default().extend(row);
        }
        Ok(on)
    }
}

/// Puts what runs in the workspace among the rows of its baseline: as one that has checkpoints already, or for itself.
pub(super) fn place_running(
    git: &Git,
    running: &WorkspaceRun,
    rows: &mut Vec<ExperimentRow>,
    reader: &CommitReader<'_>,
) -> Result<(), GitError> {
    let execution = Execution {
        task: running.commit,
        by: Executor::Workspace,
        state: State::Running,
        workspace: Some(git.root().to_owned()),
        log: None,
        pid: Some(running.pid()),
        cause: None,
    };
    match rows.iter_mut().find(|row| row.name == running.name && row.execution.is_none()) {
        Some(row) => row.execution = Some(execution),
        None => {
            // Not to be remembered: it is gone in a moment.
            let reader = CommitReader { remembered: None, ..*reader };
            let begun = reader.read(git, &[running.commit], Part::Inputs)?.into_iter();
            rows.extend(
                begun.map(|begun| without_checkpoints(running.name.clone(), begun, execution.clone(), &reader)),
            );
        }
    }
    Ok(())
}

fn without_checkpoints(
    name: ExperimentName,
    mut revision: CommitRevision,
    execution: Execution,
    reader: &CommitReader<'_>,
) -> ExperimentRow {
    if let Some(now) = execution.workspace.as_ref().and_then(|root| reader.read_running(root)) {
        revision.data = Ok(match revision.data {
            Ok(begun) => so_far(begun, now),
            Err(_) => now,
        });
    }
    ExperimentRow {
        name,
        tip: Arc::new(revision),
        earlier: Vec::new(),
        execution: Some(execution),
        elsewhere: HashSet::new(),
        branches_off: HashMap::new(),
    }
}

fn execution(shown: Tasks<'_>, task: &Task, state: State) -> Execution {
    let attempt = task.attempt();
    Execution {
        task: task.id,
        by: match task.origin {
            Origin::Queue => Executor::Worker,
            Origin::Temp => Executor::Temp,
        },
        state,
        workspace: attempt.filter(|_| state == State::Running).and_then(|attempt| attempt.workspace.clone()),
        log: attempt.map(|_| shown.queue.log(task.id, task.attempts.len())),
        pid: attempt
            .filter(|_| state != State::Queued)
            .and_then(|attempt| attempt.runner.as_ref())
            .map(ProcessIdentity::pid),
        cause: if state == State::Success { None } else { task.cause() },
    }
}

/// What a task began with, and what its workspace has beyond that. Either may be in the middle of being written or removed.
fn so_far(begun: RevisionData, mut now: RevisionData) -> RevisionData {
    let is_absent =
        |data: &FileData| matches!(data, FileData::Broken(FileError::Missing(_) | FileError::NotCached { .. }));
    now.metrics.retain(|_, data| !is_absent(data));
    now.params.retain(|_, data| !is_absent(data));
    for (file, data) in begun.params {
        now.params.entry(file).or_insert(data);
    }
    for (path, content) in begun.deps {
        let known = now.deps.entry(path).or_default();
        if known.id.is_none() {
            *known = content;
        }
    }
    now
}
