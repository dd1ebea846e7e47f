//! `exp branch`: makes a git branch of an experiment, or of a checkpoint.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::find::{Found, NamedError, find};
use dewar_core::exp::queue::Queue;
use dewar_core::exp::refs::Resolved;

use crate::args::exp::ExpBranchArgs;
use crate::commands::project::Project;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::Ui;

/// Does what `exp branch` was told.
///
/// # Errors
/// When there is no such experiment, or there is such a branch.
pub fn run(args: &ExpBranchArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let git = project.repo.git()?;
    let (experiment, commit) = match find(git, &Queue::of(&project.repo), &args.experiment)? {
        Found::Commit(Resolved { commit, experiment: Some(experiment) }) => (experiment.reference.name, commit),
        Found::Commit(_) => return Err(NamedError::Kept { text: args.experiment.clone() }.into()),
        Found::Task(task) => return Err(NamedError::Task(task).into()),
    };
    let branch = args.branch.clone().unwrap_or_else(|| format!("{experiment}-branch"));
    git.create_branch(&branch, commit, &format!("dewar: Created from experiment '{experiment}'"))?;
    ui.tell(&format!(
        "Git branch '{branch}' has been created from experiment '{experiment}'.\n\
         To switch to the new branch run:\n\n\tgit checkout {branch}"
    ))?;
    Ok(ExitCode::SUCCESS)
}
