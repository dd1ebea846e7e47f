//! `sweep` and its commands: sweeps, how far they are, and going on with one.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::queue::Queue;
use dewar_core::exp::queue::sweep::{Progress, SweepRecord};
use dewar_core::exp::queue::task::{State, Task};
use serde_json::{Value, json};

use super::exp::queue::{complete, sweep_of};
use super::project::Project;
use super::queue::run_sweep;
use crate::args::sweep::{SweepArgs, SweepCommand, SweepListArgs, SweepRemoveArgs, SweepResumeArgs, SweepShowArgs};
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::Ui;
use crate::ui::table::{Align, Column, Row, Table};

/// Does what `sweep` was told.
///
/// # Errors
/// What stopped the command.
pub fn run(args: &SweepArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    match &args.command {
        SweepCommand::List(args) => list(&project, args, ui),
        SweepCommand::Show(args) => show(&project, args, ui),
        SweepCommand::Resume(args) => resume(&project, args, ui),
        SweepCommand::Remove(args) => remove(&project, args, ui),
    }
}

fn list(project: &Project<'_>, args: &SweepListArgs, ui: &Ui) -> Result<ExitCode, Failure> {
    let (queue, git) = (Queue::of(&project.repo), project.repo.git()?);
    let (sweeps, tasks) = (queue.sweeps()?, queue.tasks()?);
    let mut all: Vec<(SweepRecord, Progress)> = Vec::with_capacity(sweeps.len());
    for sweep in sweeps {
        let progress = sweep.progress(git, &tasks, project.repo.config.own.queue.lost)?;
        all.push((sweep, progress));
    }
    if args.json {
        ui.print(&format!("{}\n", Value::Array(all.iter().map(to_json).collect())))?;
        return Ok(ExitCode::SUCCESS);
    }
    if all.is_empty() {
        ui.tell("No sweeps.")?;
        return Ok(ExitCode::SUCCESS);
    }
    let number = |title: &str| Column { align: Align::Right, ..Column::new(title) };
    let columns = vec![
        Column::new("Sweep"),
        Column::new("State"),
        number("Points"),
        number("Done"),
        number("Running"),
        number("Queued"),
        number("Failed"),
        number("Missing"),
        Column::new("Set"),
    ];
    let rows = all.iter().map(|(sweep, progress)| {
        let Progress { running, queued, failed, success, missing } = *progress;
        let counts = [sweep.points, success, running, queued, failed, missing].map(|count| count.to_string());
        let named = [sweep.name.to_string(), progress.as_str().to_owned()];
        let cells = named.into_iter().chain(counts).chain([sweep.overrides.join(" ")]).map(Some).collect();
        Row { cells, ..Row::default() }
    });
    ui.print(&Table { columns, rows: rows.collect() }.human())?;
    Ok(ExitCode::SUCCESS)
}

fn to_json((sweep, progress): &(SweepRecord, Progress)) -> Value {
    let Progress { running, queued, failed, success, missing } = *progress;
    json!({
        "name": sweep.name, "state": progress.as_str().to_lowercase(), "points": sweep.points,
        "running": running, "queued": queued, "failed": failed, "success": success, "missing": missing,
        "overrides": sweep.overrides, "baseline": sweep.baseline,
    })
}

fn show(project: &Project<'_>, args: &SweepShowArgs, ui: &Ui) -> Result<ExitCode, Failure> {
    let queue = Queue::of(&project.repo);
    let sweep = queue.sweep(&args.sweep)?;
    let states = sweep.points(project.repo.git()?, &queue.tasks()?, project.repo.config.own.queue.lost)?;
    let mut points = Vec::with_capacity(states.len());
    for ((index, overrides), state) in (0..).zip(sweep_of(&sweep.overrides)?.points()).zip(states) {
        let overrides: Vec<String> = overrides.iter().map(ToString::to_string).collect();
        points.push((sweep.name_of(index)?, state.map_or("Missing", State::as_str), overrides));
    }
    if args.json {
        let points = points.iter().map(
            |(name, state, overrides)| json!({ "name": name, "state": state.to_lowercase(), "overrides": overrides }),
        );
        ui.print(&format!("{}\n", Value::Array(points.collect())))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = points.into_iter().map(|(name, state, overrides)| {
        let cells = [name.to_string(), state.to_owned(), overrides.join(" ")].map(Some).into();
        Row { cells, ..Row::default() }
    });
    let columns = ["Experiment", "State", "Set"].map(Column::new).into();
    ui.print(&Table { columns, rows: rows.collect() }.human())?;
    Ok(ExitCode::SUCCESS)
}

fn resume(project: &Project<'_>, args: &SweepResumeArgs, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let (queue, git) = (Queue::of(&project.repo), project.repo.git()?);
    let sweep = queue.sweep(&args.sweep)?;
    let completed = complete(project, git, &sweep, ui)?;
    let failed: Vec<Task> = points(&queue, &sweep)?.into_iter().filter(|task| task.state == State::Failed).collect();
    let again = if args.failed { failed.as_slice() } else { &[] };
    let changing = queue.change()?;
    let now = project.session().commit_time().seconds;
    again.iter().try_for_each(|task| changing.retry(git, task, now))?;
    drop(changing);
    ui.tell(&format!("Sweep '{}': {completed} points were missing, {} are queued again.", sweep.name, again.len()))?;
    if !args.failed && !failed.is_empty() {
        ui.note(&format!("{} points failed; `--failed` queues them again", failed.len()));
    }
    if args.queue { Ok(ExitCode::SUCCESS) } else { run_sweep(project, &sweep, args.jobs, ui) }
}

fn remove(project: &Project<'_>, args: &SweepRemoveArgs, ui: &Ui) -> Result<ExitCode, Failure> {
    let (queue, git) = (Queue::of(&project.repo), project.repo.git()?);
    let sweep = queue.sweep(&args.sweep)?;
    let mut changing = queue.change()?;
    changing.remove(git, &points(&queue, &sweep)?)?;
    changing.remove_sweep(git, &sweep)?;
    ui.tell(&format!("Removed sweep '{}'; its experiments stay.", sweep.name))?;
    Ok(ExitCode::SUCCESS)
}

/// The tasks of a sweep.
fn points(queue: &Queue, sweep: &SweepRecord) -> Result<Vec<Task>, Failure> {
    let mut tasks = queue.tasks()?;
    tasks.retain(|task| task.point_of(&sweep.name).is_some());
    Ok(tasks)
}
