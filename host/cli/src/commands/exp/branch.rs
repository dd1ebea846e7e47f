//! `exp branch`: makes a git branch of an experiment, or of a checkpoint.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::refs::{ResolveError, resolve};

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
    let found = resolve(git, &args.experiment)?;
    // A state that `apply` kept is none.
    let unknown = || ResolveError::Unknown { text: args.experiment.clone(), suggestion: None };
    let experiment = found.experiment.ok_or_else(unknown)?.reference.name;
    let branch = args.branch.clone().unwrap_or_else(|| format!("{experiment}-branch"));
    git.create_branch(&branch, found.commit, &format!("dewar: Created from experiment '{experiment}'"))?;
    ui.tell(&format!(
        "Git branch '{branch}' has been created from experiment '{experiment}'.\n\
         To switch to the new branch run:\n\n\tgit checkout {branch}"
    ))?;
    Ok(ExitCode::SUCCESS)
}
