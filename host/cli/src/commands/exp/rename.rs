//! `exp rename`: gives an experiment another name.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::checkpoint::Note;
use dewar_core::exp::find::{self, unfinished};
use dewar_core::exp::name::ExperimentName;
use dewar_core::exp::queue::Queue;
use dewar_core::exp::queue::task::State;
use dewar_core::exp::record::{NameTaken, Settled};
use dewar_core::exp::rename;
use dewar_core::exp::share::{self, Diverged};
use dewar_core::git::{Expected, Purpose, Pushed, RefConflict};

use super::note_replaced;
use super::share::{There, chosen, refused};
use crate::args::exp::BaselineArgs;
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
    if let Some(remote) = &args.git_remote {
        return rename_there(remote, args, &name, &project, ui);
    }
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
    queue.check_free(experiment.reference.baseline, &name)?;
    let taken = if args.force { NameTaken::Replace } else { NameTaken::Refuse };
    let Settled { experiment: renamed, replaced } = rename::rename(git, &experiment, name, taken)?;
    drop(held);
    if let Some(old) = replaced {
        note_replaced(&renamed.reference.name, old, ui);
    }
    if renamed == experiment {
        ui.tell("No experiments to rename.")?;
    } else {
        ui.tell(&format!("Renamed experiments: '{}' is '{}' now.", experiment.reference.name, renamed.reference.name))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Renames an experiment of another git repository.
fn rename_there(
    remote: &str,
    args: &ExpRenameArgs,
    name: &ExperimentName,
    project: &Project<'_>,
    ui: &Ui,
) -> Result<ExitCode, Failure> {
    let git = project.repo.git()?;
    let there = There::named(remote, project)?;
    let theirs = share::of_remote(&there.connect(git, Purpose::Fetch)?.refs);
    let meant = chosen(git, &there, &theirs, std::slice::from_ref(&args.experiment), &BaselineArgs::default())?;
    let Some(experiment) = meant.first().filter(|experiment| experiment.reference.name != *name) else {
        ui.tell("No experiments to rename.")?;
        return Ok(ExitCode::SUCCESS);
    };
    let (old, remote) = (&experiment.reference.name, &there.remote.name);
    let taken = if args.force { Diverged::Replace } else { Diverged::Refuse };
    match there.rename(git, experiment, name, taken)? {
        Pushed::Done => ui.tell(&format!("Renamed experiments on Git remote '{remote}': '{old}' is '{name}' now."))?,
        Pushed::Moved(RefConflict { expected: Expected::Absent, .. }) => {
            let message = format!("the git remote `{remote}` has an experiment `{name}` already");
            return Err(Failure::new(Kind::Remote, message).hint("take another name, or replace it with `--force`"));
        }
        outcome => return refused(experiment, outcome, &there.remote).map_or(Ok(ExitCode::SUCCESS), Err),
    }
    Ok(ExitCode::SUCCESS)
}
