//! `pull`: gets data from a remote into the workspace.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::event::Direction;
use dewar_core::path::RepoPath;
use dewar_core::pipeline::Pipeline;
use dewar_core::remote::Transferred;
use dewar_core::track::{self, CheckOut, CheckedOut, Links, Unsaved};
use serde_json::json;

use super::checkout;
use super::project::Project;
use super::transfer::{self, Globs, Move};
use crate::args::remote::PullArgs;
use crate::failure::{Failure, Kind};
use crate::session::Session;
use crate::ui::{Ui, text};

/// Does what `pull` was told.
///
/// # Errors
/// When a remote cannot be read, something did not come, or content of the workspace would be lost.
pub fn run(args: &PullArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let _held = project.take_workspace("pull")?;
    let (pipeline, outputs) = transfer::recorded(&project, &args.which, Globs::None)?;
    let mut fetched = Move::new(Direction::Fetch, outputs, &args.which).run(&project)?;
    let which = &args.which;
    let selected = checkout::selected(&project, &pipeline, &which.targets, which.with_deps, which.recursive)?;
    let stages = selected.iter().map(|target| (pipeline.stage(target.stage), target.output.as_ref()));
    let unsaved = if args.force { Unsaved::Replace } else { Unsaved::Refuse };
    let workspace = project.workspace(&pipeline)?;
    // Also when something did not come: what did is of use.
    let checked_out = if fetched.left > 0 {
        Ok(CheckedOut::default())
    } else {
        track::check_out(&workspace, &pipeline, stages, CheckOut { unsaved, links: Links::Leave })
    };
    project.save_index();
    let mut failures = Vec::new();
    match &checked_out {
        Ok(done) => {
            let shown = |path: &RepoPath| path.relative_to(project.repo.from());
            if args.json {
                let (fetched, checked_out) = (transfer::as_json(&fetched), checkout::as_json(done, &shown));
                ui.print(&format!("{}\n", json!({ "fetched": fetched, "checked_out": checked_out })))?;
            } else {
                tell(&fetched, done, &project, ui)?;
            }
        }
        Err(_) => {
            if let Some(line) = transfer::counted(&fetched, "fetched") {
                ui.tell(&line)?;
            }
        }
    }
    // What is not for remotes is not missed there.
    let is_kept_here = |path: &RepoPath| is_kept_here(&pipeline, path);
    let lost = checked_out.as_ref().map(|done| done.missing.iter().any(|path| !is_kept_here(path))).unwrap_or_default();
    let is_told = !fetched.is_complete();
    if args.allow_missing {
        fetched.missing.clear();
    }
    failures.extend(transfer::failure(&mut fetched, Direction::Fetch, &project));
    match checked_out {
        Err(error) => failures.push(error.into()),
        Ok(_) if lost && !is_told && !args.allow_missing => {
            failures.push(Failure::new(Kind::Repository, "not all of what came could be checked out"));
        }
        Ok(_) => {}
    }
    Failure::together(failures).map_or(Ok(ExitCode::SUCCESS), Err)
}

/// Whether the output at a path is never in a remote.
fn is_kept_here(pipeline: &Pipeline, path: &RepoPath) -> bool {
    let mut outs = pipeline.stages().flat_map(|(_, stage)| &stage.outs);
    outs.any(|out| !out.pushed && (path.is_within(&out.path)))
}

/// The changes, and a line of counts: `2 files fetched and 1 file added`.
fn tell(fetched: &Transferred, done: &CheckedOut, project: &Project<'_>, ui: &Ui) -> Result<(), Failure> {
    let shown = |path: &RepoPath| text::visible(&path.relative_to(project.repo.from())).into_owned();
    let lines = checkout::lines(done, &shown);
    let counts: Vec<String> = transfer::counted(fetched, "fetched").into_iter().chain(checkout::counts(done)).collect();
    match text::joined(&counts) {
        Some(counts) => ui.tell(&format!("{lines}{counts}")),
        None if fetched.is_complete() => ui.tell("Everything is up to date."),
        // What is missing is told as what it is.
        None => Ok(()),
    }
}
