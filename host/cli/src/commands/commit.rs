//! `commit`: records outputs as they are.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::path::RepoPath;
use dewar_core::pipeline::{Pipeline, Stage};
use dewar_core::track::{self, Keep, Uncommitted};

use super::checkout::selected;
use super::project::{Project, files};
use crate::args::data::CommitArgs;
use crate::failure::{Failure, Kind};
use crate::session::Session;
use crate::ui::Ui;

/// Does what `commit` was told.
///
/// # Errors
/// When something changed and nobody says yes, or it cannot be kept.
pub fn run(args: &CommitArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let _held = project.take_workspace("commit")?;
    let pipeline = Pipeline::load(&files(&project), project.templates())?;
    let workspace = project.workspace(&pipeline)?;
    let selected = selected(&project, &pipeline, &args.targets, args.with_deps, args.recursive)?;
    let stages: Vec<(&Stage, Option<&RepoPath>)> =
        selected.iter().map(|target| (pipeline.stage(target.stage), target.output.as_ref())).collect();
    if !args.force {
        let mut refused = Vec::new();
        for (stage, _) in &stages {
            let changed = track::uncommitted(&workspace, &pipeline, stage)?;
            if changed.is_empty() {
                continue;
            }
            let what = describe(stage, &changed, &project);
            if !ui.can_ask() {
                refused.push(what);
            } else if !ui.ask(&format!("{what}. Are you sure you want to commit it?")) {
                return Err(not_recorded(&[what]));
            }
        }
        if !refused.is_empty() {
            return Err(not_recorded(&refused));
        }
    }
    let keep = if args.no_relink { Keep::Unlinked } else { Keep::Linked };
    let git = project.repo.git.as_ref();
    let committed = track::commit(&workspace, &pipeline, &stages, git, keep, project.events());
    project.save_index();
    committed?;
    Ok(ExitCode::SUCCESS)
}

fn not_recorded(changed: &[String]) -> Failure {
    let message = format!("nothing was recorded: {}", changed.join("; "));
    Failure::new(Kind::Repository, message).hint("`--force` records what is there, whatever changed")
}

/// `dependencies a, b and the output c of the stage train changed`.
fn describe(stage: &Stage, changed: &Uncommitted, project: &Project<'_>) -> String {
    let name = stage.address.display_from(project.repo.from());
    let mut parts = Vec::new();
    for (noun, plural, paths) in [("dependency", "dependencies", &changed.deps), ("output", "outputs", &changed.outs)] {
        if !paths.is_empty() {
            let quoted: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
            parts.push(format!("the {} {}", if paths.len() == 1 { noun } else { plural }, quoted.join(", ")));
        }
    }
    if parts.is_empty() {
        return format!("`{name}` itself changed");
    }
    format!("{} of `{name}` changed", parts.join(" and "))
}
