//! `queue` and its commands: experiments that wait, run, and have ended ([`dewar_core::exp::queue`]).
//!
//! [`start`] starts workers, [`worker`] is one, [`exec`] is one attempt of a task, in a process that a worker started.

mod exec;
mod follow;
mod logs;
mod start;
mod status;
mod worker;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use dewar_core::exp::queue::claim::Kill;
use dewar_core::exp::queue::task::{State, Task};
use dewar_core::exp::queue::{self, Queue, QueueError};

use crate::args::queue::{QueueArgs, QueueCommand, QueueKillArgs, QueueRemoveArgs, QueueRetryArgs, QueueStopArgs};
use crate::commands::project::Project;
use crate::failure::{Failure, Kind};
use crate::session::Session;
use crate::ui::Ui;

pub use start::{run_all, run_sweep};

/// How long an experiment that is interrupted, or killed, may take to end before the command does not wait for it any more.
const PATIENCE: Duration = Duration::from_secs(10);

/// Does what `queue` was told.
///
/// # Errors
/// What stopped the command.
pub fn run(args: &QueueArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    match &args.command {
        QueueCommand::Start(args) => start::start(&project, args.jobs, ui),
        QueueCommand::Run(args) => start::run(&project, args, ui),
        QueueCommand::Stop(args) => stop(&project, args, ui),
        QueueCommand::Status(args) => status::run(&project, args, ui),
        QueueCommand::Logs(args) => logs::run(&project, args, ui),
        QueueCommand::Kill(args) => kill(&project, args, ui),
        QueueCommand::Remove(args) => remove(&project, args, ui),
        QueueCommand::Retry(args) => retry(&project, args, ui),
        QueueCommand::Worker(args) => worker::run(&project, args, ui),
        QueueCommand::Exec(args) => exec::run(&project, args, ui),
    }
}

/// The moment, in seconds since 1970.
fn now(project: &Project<'_>) -> i64 {
    project.session().commit_time().seconds
}

/// The tasks that were named: all of them or, when one is not known, none.
fn named(tasks: &[Task], names: &[String]) -> Result<Vec<Task>, QueueError> {
    let mut found: Vec<Task> = Vec::new();
    for name in names {
        let task = queue::find(tasks, name)?;
        if found.iter().all(|known| known.id != task.id) {
            found.push(task.clone());
        }
    }
    Ok(found)
}

fn list(tasks: &[Task]) -> String {
    let names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
    names.join(", ")
}

fn stop(project: &Project<'_>, args: &QueueStopArgs, ui: &Ui) -> Result<ExitCode, Failure> {
    let queue = Queue::of(&project.repo);
    queue.stop_workers()?;
    if !args.kill {
        ui.tell("Queue workers will stop after running tasks finish.")?;
        return Ok(ExitCode::SUCCESS);
    }
    let on_lost = project.repo.config.own.queue.lost;
    let running: Vec<Task> = queue.tasks()?.into_iter().filter(|task| task.seen(on_lost) == State::Running).collect();
    end(project, &queue, &running, Kill::Now)?;
    ui.tell("All running tasks in the queue have been killed. Queue workers are stopping.")?;
    Ok(ExitCode::SUCCESS)
}

fn kill(project: &Project<'_>, args: &QueueKillArgs, ui: &Ui) -> Result<ExitCode, Failure> {
    let queue = Queue::of(&project.repo);
    let tasks = named(&queue.tasks()?, &args.tasks)?;
    if let Some(task) = tasks.iter().find(|task| task.state != State::Running) {
        return Err(QueueError::RunsNot(task.name.clone()).into());
    }
    end(project, &queue, &tasks, if args.force { Kill::Now } else { Kill::Interrupt })?;
    ui.tell(&format!("{} has been killed.", list(&tasks)))?;
    Ok(ExitCode::SUCCESS)
}

fn end(project: &Project<'_>, queue: &Queue, tasks: &[Task], how: Kill) -> Result<(), Failure> {
    let git = project.repo.git()?;
    let mut left = Vec::new();
    for task in tasks {
        match queue.kill(git, task, how, PATIENCE, now(project)) {
            // It ended by itself meanwhile.
            Ok(true) | Err(QueueError::RunsNot(_)) => {}
            Ok(false) => left.push(task.clone()),
            Err(error) => return Err(error.into()),
        }
    }
    if left.is_empty() {
        return Ok(());
    }
    let failure = Failure::new(Kind::Repository, format!("{} was told to end, and has not yet", list(&left)));
    Err(match how {
        Kill::Interrupt => failure.hint("`dewar queue kill --force` does not ask"),
        Kill::Now => failure.hint("it may run on another machine, whose worker will hear of it"),
    })
}

fn remove(project: &Project<'_>, args: &QueueRemoveArgs, ui: &Ui) -> Result<ExitCode, Failure> {
    let (queue, git) = (Queue::of(&project.repo), project.repo.git()?);
    let mut changing = queue.change()?;
    let on_lost = project.repo.config.own.queue.lost;
    changing.recover(git, on_lost, now(project))?;
    let is_meant = |task: &&Task| match task.seen(on_lost) {
        State::Running => false,
        State::Queued => args.all || args.queued,
        State::Failed => args.all || args.failed,
        State::Success => args.all || args.success,
    };
    let removed = if args.tasks.is_empty() {
        changing.tasks().iter().filter(is_meant).cloned().collect()
    } else {
        named(changing.tasks(), &args.tasks)?
    };
    changing.remove(git, &removed)?;
    ui.tell(&if removed.is_empty() {
        "No tasks to remove.".to_owned()
    } else {
        format!("Removed tasks in queue: {}", list(&removed))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Takes tasks out of the queue, for `exp remove`.
///
/// # Errors
/// When one runs, or the queue cannot be changed.
pub fn remove_tasks(project: &Project<'_>, tasks: Vec<String>, ui: &Ui) -> Result<ExitCode, Failure> {
    remove(project, &QueueRemoveArgs { tasks, all: false, queued: false, success: false, failed: false }, ui)
}

/// Takes what waits out of the queue, for `exp remove --queue`.
///
/// # Errors
/// When the queue cannot be changed.
pub fn remove_waiting(project: &Project<'_>, ui: &Ui) -> Result<ExitCode, Failure> {
    let waiting = QueueRemoveArgs { tasks: Vec::new(), all: false, queued: true, success: false, failed: false };
    remove(project, &waiting, ui)
}

fn retry(project: &Project<'_>, args: &QueueRetryArgs, ui: &Ui) -> Result<ExitCode, Failure> {
    let queue = Queue::of(&project.repo);
    let changing = queue.change()?;
    let again: Vec<Task> = if args.failed {
        changing.tasks().iter().filter(|task| task.state == State::Failed).cloned().collect()
    } else {
        named(changing.tasks(), &args.tasks)?
    };
    let git = project.repo.git()?;
    again.iter().try_for_each(|task| changing.retry(git, task, now(project)))?;
    ui.tell(&match again.as_slice() {
        [] => "No tasks to retry.".to_owned(),
        again => format!("Queued again: {}", list(again)),
    })?;
    Ok(ExitCode::SUCCESS)
}
