//! `exp rename`: gives an experiment another name.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::checkpoint::Note;
use dewar_core::exp::find::{self, unfinished};
use dewar_core::exp::name::ExperimentName;
use dewar_core::exp::queue::Queue;
use dewar_core::exp::queue::task::State;
use dewar_core::exp::record::NameTaken;
use dewar_core::exp::rename;

use crate::args::keep::ExpRenameArgs;
use crate::commands::project::Project;
use crate::failure::{Failure, Kind};
use crate::session::Session;
use crate::ui::Ui;

/// Does what `exp rename` was told.
///
/// # Errors
/// When there is no such experiment, it is not finished, or the name is taken.
pub fn run(args: &ExpRenameArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let name = ExperimentName::parse(&args.name)?;
    let project = Project::open(session, ui)?;
    let (git, queue) = (project.repo.git()?, Queue::of(&project.repo));
    let mut experiment = find::experiment(git, &queue, &args.experiment)?;
    let mut held = None;
    if Note::at(git, experiment.commit)?.is_some() {
        if let Some(task) = unfinished(git, &queue.tasks()?, &experiment)? {
            let called = &experiment.reference.name;
            let what = match task.seen(project.repo.config.own.queue.lost) {
                State::Running => format!("`{called}` runs, and its checkpoints are recorded under that name"),
                State::Queued => format!("`{called}` waits in the queue, to go on under that name"),
                State::Failed | State::Success => {
                    format!("`{called}` failed, and `queue retry` goes on under that name")
                }
            };
            return Err(Failure::new(Kind::Repository, what).hint("rename it once it is finished"));
        }
        // A run in this workspace may be about to record its next checkpoint under the old name.
        held = Some(project.take_workspace("exp rename")?);
        experiment = find::experiment(git, &queue, &args.experiment)?;
    }
    let taken = if args.force { NameTaken::Replace } else { NameTaken::Refuse };
    let renamed = rename::rename(git, &experiment, name, taken)?;
    drop(held);
    if renamed == experiment {
        ui.tell("No experiments to rename.")?;
    } else {
        ui.tell(&format!("Renamed experiments: '{}' is '{}' now.", experiment.reference.name, renamed.reference.name))?;
    }
    Ok(ExitCode::SUCCESS)
}
