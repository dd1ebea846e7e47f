//! `queue status`: the tasks of the queue and its workers.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::queue::task::{State, Task};
use dewar_core::exp::queue::workers::Worker;
use dewar_core::exp::queue::{Queue, STASH, inputs_without_task};
use serde_json::{Value, json};

use crate::args::queue::QueueStatusArgs;
use crate::commands::project::Project;
use crate::failure::Failure;
use crate::ui::table::{Column, Row, Table};
use crate::ui::{Ui, moment};

/// Does what `queue status` was told.
///
/// # Errors
/// When the queue cannot be read.
pub(super) fn run(project: &Project<'_>, args: &QueueStatusArgs, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let queue = Queue::of(&project.repo);
    let on_lost = project.repo.config.own.queue.lost;
    let tasks = queue.tasks()?;
    let lost = inputs_without_task(project.repo.git()?, |state| tasks.iter().any(|task| task.id == state))?;
    let mut tasks: Vec<(State, Task)> = tasks.into_iter().map(|task| (task.seen(on_lost), task)).collect();
    tasks.sort_by_key(|(state, task)| (*state, std::cmp::Reverse(task.priority), task.number));
    let workers = queue.workers()?;
    if args.json {
        ui.print(&format!("{}\n", to_json(&queue, &tasks, &workers)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let active = workers.iter().filter(|worker| is_active(worker, &tasks)).count();
    let mut out = if tasks.is_empty() {
        "No experiment tasks in the queue.\n".to_owned()
    } else {
        table(project, &tasks).human()
    };
    out.push_str(&format!("\nWorker status: {active} active, {} idle\n", workers.len() - active));
    ui.print(&out)?;
    if let Some(first) = lost.first() {
        ui.note(&format!(
            "{} states in `{STASH}` belong to no task of yours; `git log -g {STASH}` lists them, and `dewar exp apply {}` brings the newest \
             into the workspace",
            lost.len(),
            first.short()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn is_active(worker: &Worker, tasks: &[(State, Task)]) -> bool {
    let works = |task: &Task| task.attempt().is_some_and(|attempt| attempt.worker == worker.process);
    tasks.iter().any(|(state, task)| *state == State::Running && works(task))
}

fn table(project: &Project<'_>, tasks: &[(State, Task)]) -> Table {
    let has_causes = tasks.iter().any(|(_, task)| task.cause().is_some());
    let why = has_causes.then_some("Why");
    let columns = ["Task", "Name", "Created", "Status"].into_iter().chain(why).map(Column::new).collect();
    let rows = tasks.iter().map(|(state, task)| {
        let created = moment::short(task.queued, project.session().clock);
        let cells = [task.id.short(), task.name.to_string(), created, state.as_str().to_owned()];
        // A long one is for `queue logs`.
        let cause = task.cause().map(|cause| cause.lines().next().unwrap_or_default().chars().take(80).collect());
        let cells = cells.into_iter().map(Some).chain(has_causes.then_some(cause)).collect();
        Row { cells, ..Row::default() }
    });
    Table { columns, rows: rows.collect() }
}

fn to_json(queue: &Queue, tasks: &[(State, Task)], workers: &[Worker]) -> Value {
    let task = |(state, task): &(State, Task)| {
        let attempts = task.attempts.iter().enumerate().map(|(index, attempt)| {
            json!({
                "started": attempt.started, "ended": attempt.ended, "phase": attempt.phase,
                "log": queue.log(task.id, index + 1),
            })
        });
        json!({
            "task": task.id, "name": task.name, "baseline": task.baseline, "state": state,
            "created": task.queued.seconds, "priority": task.priority, "overrides": task.overrides,
            "sweep": task.sweep.as_ref().map(|point| &point.sweep), "cause": task.cause(),
            "attempts": attempts.collect::<Vec<_>>(),
        })
    };
    let worker = |worker: &Worker| {
        let state = match (worker.is_stopping, is_active(worker, tasks)) {
            (true, _) => "stopping",
            (false, true) => "active",
            (false, false) => "idle",
        };
        json!({ "pid": worker.process.pid(), "state": state })
    };
    json!({
        "tasks": tasks.iter().map(task).collect::<Vec<_>>(),
        "workers": workers.iter().map(worker).collect::<Vec<_>>(),
    })
}
