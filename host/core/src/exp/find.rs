//! [`find`]: what a user calls an experiment, finished or not. No step of the walk.
//!
//! Finished experiments go first; a task of the queue is what is meant when none is called so.

use super::queue::task::{State, Task};
use super::queue::{self, Queue, QueueError};
use super::refs::{self, Experiment, ResolveError, Resolved};
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
/// that succeeded mean its experiment.
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
        Ok(task) => match result(task, &experiments) {
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

/// The experiment that a task recorded, if git still has it and the task is not to run again.
fn result(task: &Task, experiments: &[Experiment]) -> Option<Resolved> {
    let commit = task.result()?;
    let experiment = experiments.iter().find(|experiment| experiment.commit == commit)?;
    Some(Resolved { commit, experiment: Some(experiment.clone()) })
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
}
