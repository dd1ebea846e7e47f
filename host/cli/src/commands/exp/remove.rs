//! `exp remove`: takes experiments away.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::apply;
use dewar_core::exp::find::{self, NamedError, unfinished};
use dewar_core::exp::queue::Queue;
use dewar_core::exp::refs::{self, Experiment};
use dewar_core::exp::share;
use dewar_core::git::{Git, Purpose, Pushed};

use super::share::{There, chosen, names, refused};
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
    if let Some(remote) = &args.git_remote {
        return remove_there(remote, args, &project, ui);
    }
    let queue = Queue::of(&project.repo);
    let (meant, mut tasks) = meant(git, &queue, args)?;
    let known = queue.tasks()?;
    // What waits again or failed after some checkpoints is one thing for the user; what runs is refused.
    let task_of = |experiment: &Experiment| unfinished(git, &known, experiment);
    let mut removed = Vec::new();
    if args.keep {
        // What is in the queue stays, with what it has recorded so far.
        tasks.clear();
        for experiment in refs::all(git)? {
            if !meant.contains(&experiment) && task_of(&experiment)?.is_none() {
                removed.push(experiment);
            }
        }
    } else {
        removed = meant;
        for experiment in &removed {
            tasks.extend(task_of(experiment)?.map(|task| task.id.to_string()));
        }
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

/// Removes experiments from another git repository.
fn remove_there(name: &str, args: &ExpRemoveArgs, project: &Project<'_>, ui: &Ui) -> Result<ExitCode, Failure> {
    let git = project.repo.git()?;
    let there = There::named(name, project)?;
    let mut connection = there.connect(git, Purpose::Push)?;
    let theirs = share::of_remote(&connection.refs);
    let meant = chosen(git, &there, &theirs, &args.experiments, &args.baseline)?;
    let leaves = |experiment: &Experiment| meant.contains(experiment) != args.keep;
    let leaving: Vec<Experiment> = theirs.into_iter().filter(leaves).collect();
    let (removed, kept): (Vec<_>, Vec<_>) =
        share::remove(&mut connection, &leaving)?.into_iter().partition(|(_, outcome)| *outcome == Pushed::Done);
    let removed = names(removed.iter().map(|(experiment, _)| experiment));
    if !removed.is_empty() {
        ui.tell(&format!("Removed experiments from Git remote '{}': {}", there.remote.name, removed.join(", ")))?;
    } else if kept.is_empty() {
        ui.tell("No experiments to remove.")?;
    }
    let failures = kept.into_iter().filter_map(|(experiment, outcome)| refused(&experiment, outcome, &there.remote));
    Failure::together(failures).map_or(Ok(ExitCode::SUCCESS), Err)
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
