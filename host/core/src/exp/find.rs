//! [`find`]: what a user calls an experiment, finished or not. No step of the walk.
//!
//! Finished experiments go first; a task of the queue is what is meant when none is called so.

use super::checkpoint::Note;
use super::queue::task::{State, Task};
use super::queue::{self, Queue, QueueError};
use super::refs::{self, Experiment, ExperimentRef, ResolveError, Resolved};
use crate::git::{CommitId, Git, GitError};

/// What a user's word for an experiment came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A finished experiment, a checkpoint of one, or a state that `apply` kept.
    Commit(Resolved),
    /// A task that has no result, whose commit has what it begins with.
    Task(Box<Task>),
}

impl Found {
    /// The commit that has its files.
    #[must_use]
    pub const fn commit(&self) -> CommitId {
        match self {
            Self::Commit(resolved) => resolved.commit,
            Self::Task(task) => task.id,
        }
    }
}

/// Why a word means no experiment.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// None is called so, or several are.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The queue cannot be read, or several of its tasks are called so.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

impl From<GitError> for FindError {
    fn from(error: GitError) -> Self {
        ResolveError::Git(error).into()
    }
}

/// Finds an experiment as [`refs::resolve`] does, else a task by its name or the first digits of its commit. The digits of a task
/// that succeeded mean its experiment, those of another one its last checkpoint, if it has any.
///
/// # Errors
/// [`FindError`].
pub fn find(git: &Git, queue: &Queue, text: &str) -> Result<Found, FindError> {
    match refs::resolve(git, text) {
        Ok(found) => return Ok(Found::Commit(found)),
        Err(ResolveError::Unknown { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let tasks = queue.tasks()?;
    let experiments = refs::all(git)?;
    match queue::find(&tasks, text) {
        Ok(task) => match result(git, task, &experiments)? {
            Some(found) => return Ok(Found::Commit(found)),
            None if task.state != State::Success => return Ok(Found::Task(Box::new(task.clone()))),
            // Its experiment was removed, and its inputs with it.
            None => {}
        },
        Err(QueueError::Unknown(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let waiting = tasks.iter().filter(|task| task.state != State::Success).map(|task| &task.name);
    let names = experiments.iter().map(|experiment| &experiment.reference.name).chain(waiting);
    Err(ResolveError::Unknown { text: text.to_owned(), suggestion: refs::nearest(text, names).cloned() }.into())
}

/// The experiment that a task recorded, if git still has it and the task is not to run again; else what it has recorded so far.
fn result(git: &Git, task: &Task, experiments: &[Experiment]) -> Result<Option<Resolved>, GitError> {
    let resolved =
        |experiment: &Experiment| Resolved { commit: experiment.commit, experiment: Some(experiment.clone()) };
    let recorded = |experiment: &&Experiment| Some(experiment.commit) == task.result();
    if let Some(experiment) = experiments.iter().find(recorded) {
        return Ok(Some(resolved(experiment)));
    }
    for experiment in experiments {
        if is_of(git, task, experiment)? {
            return Ok(Some(resolved(experiment)));
        }
    }
    Ok(None)
}

/// The task that an experiment is, as long as it is not finished, but has checkpoints.
///
/// # Errors
/// When its last commit cannot be read.
pub fn unfinished<'t>(git: &Git, tasks: &'t [Task], experiment: &Experiment) -> Result<Option<&'t Task>, GitError> {
    for task in tasks.iter().filter(|task| task.state != State::Success) {
        if is_of(git, task, experiment)? {
            return Ok(Some(task));
        }
    }
    Ok(None)
}

/// Whether a task made the last checkpoint of an experiment.
fn is_of(git: &Git, task: &Task, experiment: &Experiment) -> Result<bool, GitError> {
    let ExperimentRef { baseline, name } = &experiment.reference;
    if (*baseline, name) != (task.baseline, &task.name) {
        return Ok(false);
    }
    let note = Note::of(&git.commit_summary(experiment.commit)?.message);
    Ok(note.is_some_and(|note| note.task == Some(task.id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Project, Waiting};

    #[test]
    fn finished_experiments_go_before_tasks() {
        let project = Project::new();
        project.write("a", "1");
        let baseline = project.commit(100);
        let waiting = Waiting::on(&project);
        let [queued, both] = ["queued", "both"].map(|name| waiting.add(name, &[("a", "2")]));
        let tip = project.commit_on(baseline, &[("a", "3")], 200);
        project.experiment(baseline, "both", tip);
        let (git, queue) = (project.git(), waiting.queue());
        let found = |text: &str| find(&git, queue, text);

        assert_eq!(found("both").unwrap().commit(), tip);
        assert_eq!(found(&both.id.short()).unwrap(), Found::Task(Box::new(both)));
        assert_eq!(found("queued").unwrap(), Found::Task(Box::new(queued.clone())));
        let error = |text: &str| found(text).unwrap_err().to_string();
        assert_eq!(error("quueed"), "`quueed` is no experiment; did you mean `queued`?");
        assert_eq!(error("boht"), "`boht` is no experiment; did you mean `both`?");

        // By its digits, a task that succeeded is its experiment, as long as there is one.
        waiting.settle(&queued, State::Success, Some(tip));
        let Found::Commit(resolved) = found(&queued.id.to_string()).unwrap() else { panic!("it is finished") };
        assert_eq!((resolved.commit, resolved.experiment.unwrap().reference.name.as_str()), (tip, "both"));
        waiting.settle(&queued, State::Success, Some(baseline));
        assert_eq!(error("queued"), "`queued` is no experiment");
    }

    #[test]
    fn a_task_that_failed_is_its_checkpoints() {
        let project = Project::new();
        project.write("a", "1");
        let baseline = project.commit(100);
        let waiting = Waiting::on(&project);
        let [failed, other] = ["e", "other"].map(|name| waiting.add(name, &[("a", "2")]));
        waiting.settle(&failed, State::Failed, None);
        let (git, queue) = (project.git(), waiting.queue());
        assert!(matches!(find(&git, queue, "e").unwrap(), Found::Task(_)));
        let note = |task: &Task| Note::new(task.name.clone(), Some(task.id));
        let checkpoint = project.checkpoint_on(baseline, &[("a", "3")], 200, &note(&failed));
        project.experiment(baseline, "e", checkpoint);
        // Another's, of the same task by mistake.
        project.experiment(baseline, "copy", project.checkpoint_on(baseline, &[("a", "4")], 200, &note(&failed)));
        for text in ["e", &failed.id.short()] {
            assert_eq!(find(&git, queue, text).unwrap().commit(), checkpoint);
        }
        assert!(matches!(find(&git, queue, &other.id.short()).unwrap(), Found::Task(_)));
        let tasks = queue.tasks().unwrap();
        let of = |name: &str| {
            let experiment = refs::resolve(&git, name).unwrap().experiment.unwrap();
            unfinished(&git, &tasks, &experiment).unwrap().map(|task| task.id)
        };
        assert_eq!((of("e"), of("copy")), (Some(failed.id), None));
        // Resumed by hand, it is finished, and the task is one that failed.
        let resumed = Note::new(failed.name.clone(), None);
        project.experiment(baseline, "e", project.checkpoint_on(checkpoint, &[("a", "5")], 300, &resumed));
        assert_eq!(of("e"), None);
        assert!(matches!(find(&git, queue, &failed.id.short()).unwrap(), Found::Task(_)));
    }
}
