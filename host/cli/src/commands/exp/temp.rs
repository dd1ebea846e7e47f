//! `exp run --temp`: the experiment has a workspace of its own, and the user's stays as it is.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::isolated::{self, IsolatedWorkspace};
use dewar_core::exp::run;
use dewar_core::git::{ExtraPaths, Git, Head};

use super::run::{Request, reproduce, select};
use crate::commands::project::{Project, files};
use crate::failure::Failure;
use crate::ui::Ui;

/// Runs the experiment beside the user's workspace.
///
/// # Errors
/// When the workspace cannot be made, an override does not fit, a stage fails, or the experiment cannot be recorded. The
/// workspace is removed in any case.
pub(super) fn run(project: &Project<'_>, git: &Git, request: &Request<'_>, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    // From here on a signal ends the command in order, and what it made is removed.
    let cancellation = project.session().cancellation()?;
    let overridden = run::files_overridden(project.repo.from(), request.overrides)?;
    let tree = git.snapshot(ExtraPaths { unless_ignored: &overridden, always: &[] })?.tree;
    let head = Head { commit: request.identified.baseline, ..git.head()? };
    let (workspace, repo) = IsolatedWorkspace::create(&project.repo, git, tree, &head)?;
    let inside = project.isolated(repo);
    request.copies.iter().try_for_each(|copy| copy.copy_into(inside.repo.root()))?;
    let (selection, overlay) = select(&inside, &request.args.stages, request.overrides)?;
    run::write_overrides(&files(&inside), &overlay)?;
    let pipeline = &selection.pipeline;
    let (isolated, users) = (inside.workspace(pipeline)?, project.workspace(pipeline)?);
    isolated::check_out_data(&isolated, &users, &selection, request.copies, &cancellation)?;
    project.save_index();
    reproduce(&inside, git, request, &selection, ui)?;
    ui.tell("To apply the results of an experiment to your workspace run:\n")?;
    ui.tell(&format!("\tdewar exp apply {}", request.identified.name))?;
    if let Err(error) = workspace.remove() {
        project.warn(format!("{error}; the next experiment removes it"));
    }
    Ok(ExitCode::SUCCESS)
}
