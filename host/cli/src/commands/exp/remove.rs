//! `exp remove`: takes experiments away.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::apply;
use dewar_core::exp::find::{self, NamedError, unfinished};
use dewar_core::exp::queue::Queue;
use dewar_core::exp::refs::{self, Experiment};
use dewar_core::git::Git;

use super::show::selection;
use crate::args::exp::ExpRemoveArgs;
use crate::commands::project::Project;
use crate::commands::queue::{remove_tasks, remove_waiting};
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::Ui;

/// Does what `exp remove` was told.
///
/// # Errors
/// When a name is unknown; then none is removed.
pub fn run(args: &ExpRemoveArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    if args.queue {
        return remove_waiting(&project, ui);
    }
    let git = project.repo.git()?;
    let queue = Queue::of(&project.repo);
    let (meant, mut tasks) = meant(git, &queue, args)?;
    let removed = if args.keep {
        refs::all(git)?.into_iter().filter(|experiment| !meant.contains(experiment)).collect()
    } else {
        meant
    };
    // What waits again or failed after some checkpoints is one thing for the user; what runs is refused.
    let known = queue.tasks()?;
    for experiment in &removed {
        tasks.extend(unfinished(git, &known, experiment)?.map(|task| task.id.to_string()));
    }
    if !tasks.is_empty() {
        remove_tasks(&project, tasks, ui)?;
        if removed.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
    }
    apply::remove_all(git, &removed)?;
    let names: Vec<String> = removed.iter().map(|experiment| experiment.reference.name.to_string()).collect();
    ui.tell(&match names.as_slice() {
        [] => "No experiments to remove.".to_owned(),
        names => format!("Removed experiments: {}", names.join(", ")),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The experiments that are named, or those of the commits that are; and the tasks of the queue that are named.
fn meant(git: &Git, queue: &Queue, args: &ExpRemoveArgs) -> Result<(Vec<Experiment>, Vec<String>), Failure> {
    let (mut meant, mut tasks) = (Vec::new(), Vec::new());
    if args.experiments.is_empty() {
        for baseline in selection(&args.baseline).baselines(git)? {
            meant.extend(refs::of_baseline(git, baseline)?);
        }
        return Ok((meant, tasks));
    }
    for name in &args.experiments {
        match find::experiment(git, queue, name) {
            Ok(experiment) if meant.contains(&experiment) => {}
            Ok(experiment) => meant.push(experiment),
            Err(NamedError::Task(task)) => tasks.push(task.id.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok((meant, tasks))
}
