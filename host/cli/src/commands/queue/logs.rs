//! `queue logs`: what an attempt wrote, and why it ended.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::queue::Queue;
use dewar_core::exp::queue::task::{Origin, State};
use dewar_core::fs::read_optional;

use super::follow::{Unworked, follow};
use crate::args::queue::QueueLogsArgs;
use crate::commands::project::Project;
use crate::failure::{Failure, Kind};
use crate::ui::Ui;

/// Does what `queue logs` was told.
///
/// # Errors
/// When there is no such task or attempt.
pub(super) fn run(project: &Project<'_>, args: &QueueLogsArgs, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let queue = Queue::of(&project.repo);
    let task = queue.find(&args.task)?;
    let state = task.seen(project.repo.config.own.queue.lost);
    let name = &task.name;
    if args.follow && matches!(state, State::Running | State::Queued) {
        return follow(project, &queue, &[task], Unworked::Wait, ui);
    }
    let attempt = args.attempt.unwrap_or(task.attempts.len());
    if attempt == 0 {
        ui.tell(&format!("Experiment '{name}' is in queue but has not been started"))?;
        return Ok(ExitCode::SUCCESS);
    }
    if attempt > task.attempts.len() {
        let message = format!("`{name}` has had {} attempts, and not {attempt}", task.attempts.len());
        return Err(Failure::new(Kind::Usage, message));
    }
    let log = read_optional(&queue.log(task.id, attempt))?.unwrap_or_default();
    ui.print(&String::from_utf8_lossy(&log))?;
    if attempt == task.attempts.len() && state != State::Running {
        let told = match (task.cause(), state) {
            (Some(cause), _) => Some(format!("'{name}' failed: {cause}")),
            (None, _) if log.is_empty() => Some(format!("'{name}' wrote nothing")),
            (None, _) => None,
        };
        told.into_iter().for_each(|told| ui.note(&told));
    } else if log.is_empty() {
        ui.note(&match task.origin {
            Origin::Queue => format!("'{name}' has written nothing yet"),
            Origin::Temp => format!("what '{name}' writes goes where the command does that runs it"),
        });
    }
    Ok(ExitCode::SUCCESS)
}
