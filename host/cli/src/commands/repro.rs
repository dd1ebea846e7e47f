//! `repro`: brings stages up to date.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::plan::Force;
use dewar_core::repro::{self, Reach, SelectError, Selection};
use dewar_core::stage_run::Commit;

use super::plan;
use super::project::{Project, Results, files};
use crate::args::run::{ReproArgs, StageSelectionArgs};
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::Ui;

/// Does what `repro` was told.
///
/// # Errors
/// When a stage fails or cannot run.
pub fn run(args: &ReproArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let stages = &args.stages;
    let force = force(stages);
    if stages.dry {
        let selection = select(&project, stages)?;
        let workspace = project.workspace(&selection.pipeline)?;
        plan::print(&project, &selection, &workspace, force, ui)?;
        return Ok(ExitCode::SUCCESS);
    }
    let _held = project.repo.take_workspace("repro")?;
    let selection = select(&project, stages)?;
    let commit = if args.no_commit { Commit::No } else { Commit::Yes };
    let results = Results { commit, remembered: !args.no_run_cache };
    let report = project.run(&selection, force, results, Vec::new())?;
    if report.changed.is_empty() {
        ui.tell("Data and pipelines are up to date.")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn select(project: &Project<'_>, stages: &StageSelectionArgs) -> Result<Selection, SelectError> {
    repro::select(&files(project), project.templates(), project.repo.from(), &stages.targets, reach(stages))
}

/// Whether fresh stages run.
pub fn force(stages: &StageSelectionArgs) -> Force {
    if stages.force { Force::Yes } else { Force::No }
}

/// Which stages beside the named ones run.
pub fn reach(stages: &StageSelectionArgs) -> Reach {
    match (stages.single_item, stages.downstream) {
        (true, _) => Reach::Single,
        (false, true) => Reach::Downstream,
        (false, false) => Reach::Upstream,
    }
}
