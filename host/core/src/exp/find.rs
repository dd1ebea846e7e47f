//! What a user's word means, for every command alike: [`find`] an experiment, finished or not; a [`revision`] of whatever kind.
//! No step of the walk.
//!
//! Finished experiments go first; a task of the queue is what is meant when none is called so. Where a revision is asked for,
//! names of git go before both.

use super::checkpoint::Note;
use super::name::ExperimentName;
use super::queue::task::{State, Task};
use super::queue::{self, Queue, QueueError};
use super::refs::{self, Experiment, ExperimentRef, PREFIX, ResolveError, Resolved};
use crate::git::{CommitId, Git, GitError};
use crate::words;

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
        Err(QueueError::Unknown { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let waiting = tasks.iter().filter(|task| task.state != State::Success).map(|task| task.name.as_str());
    let names = experiments.iter().map(|experiment| experiment.reference.name.as_str()).chain(waiting);
    let similar = words::most_similar(text, names).map(str::to_owned);
    Err(ResolveError::Unknown { text: text.to_owned(), similar }.into())
}

/// Why a word names no experiment that can be removed or renamed.
#[derive(Debug, thiserror::Error)]
pub enum NamedError {
    /// It names nothing, or several things.
    #[error(transparent)]
    Find(#[from] FindError),
    /// It is a part of one.
    #[error("`{text}` is a checkpoint of the experiment `{experiment}`, which has it as long as it exists")]
    Checkpoint {
        /// What was asked for.
        text: String,
        /// Whose.
        experiment: ExperimentName,
    },
    /// It is what the workspace was.
    #[error("`{text}` is a state of the workspace that `exp apply` kept, and no experiment")]
    Kept {
        /// What was asked for.
        text: String,
    },
    /// It is a task of the queue that has recorded nothing.
    #[error("`{}` is a task of the queue, and has no result", .0.name)]
    Task(Box<Task>),
}

/// The experiment that a word names, all of it.
///
/// # Errors
/// [`NamedError`].
pub fn experiment(git: &Git, queue: &Queue, text: &str) -> Result<Experiment, NamedError> {
    let Resolved { commit, experiment } = match find(git, queue, text)? {
        Found::Commit(resolved) => resolved,
        Found::Task(task) => return Err(NamedError::Task(task)),
    };
    let text = text.to_owned();
    match experiment {
        None => Err(NamedError::Kept { text }),
        Some(Experiment { reference, commit: tip }) if tip != commit => {
            Err(NamedError::Checkpoint { text, experiment: reference.name })
        }
        Some(experiment) => Ok(experiment),
    }
}

/// Finds what git knows by name, an experiment as [`find`] does, or a commit by its digits.
///
/// # Errors
/// [`FindError`].
pub fn revision(git: &Git, queue: &Queue, text: &str) -> Result<Found, FindError> {
    revision_by(git, text, |text| find(git, queue, text))
}

/// The same without the tasks of the queue, which are no commits of their own.
///
/// # Errors
/// [`ResolveError`].
pub fn commit(git: &Git, text: &str) -> Result<CommitId, ResolveError> {
    match revision_by(git, text, |text| Ok(Found::Commit(refs::resolve(git, text)?))) {
        Ok(found) => Ok(found.commit()),
        Err(FindError::Resolve(error)) => Err(error),
        // Nobody asked the queue.
        Err(FindError::Queue(_)) => Err(ResolveError::UnknownRevision { text: text.to_owned(), similar: None }),
    }
}

fn revision_by(git: &Git, text: &str, find: impl FnOnce(&str) -> Result<Found, FindError>) -> Result<Found, FindError> {
    let is = |commit| Ok(Found::Commit(Resolved { commit, experiment: None }));
    if text == "HEAD" {
        // Says how to make a first commit where there is none.
        return is(git.head()?.commit);
    }
    // Names of git go first, as in DVC. Digits that are no name do not: those of an experiment or a task are a commit for git.
    let names = if text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        ["refs/tags/", "refs/heads/", "refs/remotes/"].map(|folder| format!("{folder}{text}")).to_vec()
    } else {
        vec![text.to_owned()]
    };
    for name in names {
        match git.resolve(&name) {
            // The full reference of an experiment, or a word such as `refs/exps/apply/stash`: below, it is known whose it is.
            Ok(_) if text.starts_with("exps/") || text.starts_with(PREFIX) => {}
            Ok(commit) => return is(commit),
            Err(GitError::UnknownRevision { .. } | GitError::AmbiguousRevision { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let similar = match find(text) {
        Err(FindError::Resolve(ResolveError::Unknown { similar, .. })) => similar,
        found => return found,
    };
    match git.resolve(text) {
        Ok(commit) => is(commit),
        Err(GitError::UnknownRevision { .. }) => {
            let (branches, tags) = (git.branches()?, git.tags()?);
            let names = branches.keys().chain(tags.keys()).chain(similar.as_ref()).map(String::as_str);
            let similar = words::most_similar(text, names).map(str::to_owned);
            Err(ResolveError::UnknownRevision { text: text.to_owned(), similar }.into())
        }
        Err(error) => Err(error.into()),
    }
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
        let similar = |text: &str| match found(text).unwrap_err() {
            FindError::Resolve(ResolveError::Unknown { similar, .. }) => similar,
            other => panic!("{other}"),
        };
        assert_eq!(similar("quueed").as_deref(), Some("queued"));
        assert_eq!(similar("boht").as_deref(), Some("both"));

        // By its digits, a task that succeeded is its experiment, as long as there is one.
        waiting.settle(&queued, State::Success, Some(tip));
        let Found::Commit(resolved) = found(&queued.id.to_string()).unwrap() else { panic!("it is finished") };
        assert_eq!((resolved.commit, resolved.experiment.unwrap().reference.name.as_str()), (tip, "both"));
        waiting.settle(&queued, State::Success, Some(baseline));
        assert_eq!(found("queued").unwrap_err().to_string(), "`queued` is no experiment");
    }

    #[test]
    fn a_revision_is_what_git_knows_and_what_experiments_are() {
        let project = Project::new();
        project.write("a", "1");
        let baseline = project.commit(100);
        let waiting = Waiting::on(&project);
        let task = waiting.add("queued", &[("a", "2")]);
        let tip = project.commit_on(baseline, &[("a", "3")], 200);
        project.experiment(baseline, "tuned", tip);
        let (git, queue) = (project.git(), waiting.queue());
        git.create_branch("queued", baseline, "").unwrap();
        let experiment = refs::all(&git).unwrap().remove(0).reference;
        let found = |text: &str| revision(&git, queue, text).map(|found| found.commit());
        for text in ["HEAD", "main", "queued", &baseline.to_string(), &baseline.short()] {
            assert_eq!(found(text).unwrap(), baseline, "{text}");
            assert_eq!(commit(&git, text).unwrap(), baseline, "{text}");
        }
        let full = experiment.to_string();
        for text in ["tuned", &full, full.trim_start_matches("refs/"), &tip.short(), "tuned"] {
            assert_eq!(found(text).unwrap(), tip, "{text}");
            assert_eq!(commit(&git, text).unwrap(), tip, "{text}");
        }
        assert!(matches!(revision(&git, queue, &full).unwrap(), Found::Commit(Resolved { experiment: Some(_), .. })));
        // Also a name that could be the digits of a commit, and is the name of an experiment, too.
        project.experiment(baseline, "beef", tip);
        assert_eq!(found("beef").unwrap(), tip);
        for name in ["beef", &tip.short()] {
            git.create_branch(name, baseline, "").unwrap();
            assert_eq!(found(name).unwrap(), baseline, "{name}");
            assert_eq!(commit(&git, name).unwrap(), baseline, "{name}");
        }
        // A name of git goes first; by its digits, the task is one.
        assert_eq!(revision(&git, queue, &task.id.short()).unwrap(), Found::Task(Box::new(task)));
        for (text, similar) in [("mian", Some("main")), ("tunde", Some("tuned")), ("zzz", None), ("abcd", None)] {
            let error = revision(&git, queue, text).unwrap_err();
            let FindError::Resolve(ResolveError::UnknownRevision { similar: found, .. }) = error else {
                panic!("{text}")
            };
            assert_eq!(found.as_deref(), similar, "{text}");
        }
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
