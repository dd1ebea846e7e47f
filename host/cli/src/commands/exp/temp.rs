//! `exp run --temp`: the experiment has a workspace of its own, and the user's stays as it is.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::isolated::{self, IsolatedWorkspace};
use dewar_core::exp::run;
use dewar_core::git::{ExtraPaths, Git, Head};
use dewar_core::path::RepoPath;
use dewar_core::pipeline::Stage;
use dewar_core::repro::Selection;

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
    reproduce(&inside, git, request, &selection, ui)
        .map_err(|failure| lacking(project, &inside, &selection).into_iter().fold(failure, Failure::hint))?;
    ui.tell("To apply the results of an experiment to your workspace run:\n")?;
    ui.tell(&format!("\tdewar exp apply {}", request.identified.name))?;
    if let Err(error) = workspace.remove() {
        project.warn(format!("{error}; the next experiment removes it"));
    }
    Ok(ExitCode::SUCCESS)
}

/// What the stages read that is in the user's workspace, but not in theirs, because git does not have it.
fn lacking(project: &Project<'_>, inside: &Project<'_>, selection: &Selection) -> Vec<String> {
    let stages: Vec<&Stage> = selection.order.iter().map(|id| selection.pipeline.stage(*id)).collect();
    let is_output = |path: &RepoPath| {
        selection.pipeline.stages().any(|(_, stage)| stage.outs.iter().any(|out| path.is_within(&out.path)))
    };
    let deps = stages.iter().flat_map(|stage| &stage.deps).filter_map(|dep| dep.place.inside());
    let params = stages.iter().flat_map(|stage| &stage.params).map(|param| &param.file);
    let is_there = |project: &Project<'_>, path: &RepoPath| path.under(project.repo.root()).exists();
    let lacks = |path: &&RepoPath| is_there(project, path) && !is_there(inside, path) && !is_output(path);
    let lacking: BTreeSet<&RepoPath> = deps.chain(params).filter(lacks).collect();
    let from = project.repo.from();
    let hint = |path: &RepoPath| {
        let path = path.relative_to(from);
        format!("git does not have `{path}`, which is in your workspace: `git add` it, or copy it with `-C {path}`")
    };
    lacking.into_iter().map(hint).collect()
}
