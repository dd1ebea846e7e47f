//! `repro`: brings stages up to date.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::plan::Force;
use dewar_core::repro::{self, Reach, SelectError, Selection};
use dewar_core::schedule::{Downstream, MissingData, OnFailure, RunOptions};
use dewar_core::stage_run::Commit;

use super::plan;
use super::project::{Project, Results, StageRuns, files};
use crate::args::run::{ReproArgs, StageSelectionArgs};
use crate::failure::{Failure, Kind};
use crate::session::Session;
use crate::ui::Ui;

/// Does what `repro` was told.
///
/// # Errors
/// When a stage fails or cannot run.
pub fn run(args: &ReproArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let stages = &args.stages;
    if stages.dry {
        let selection = select(&project, stages)?;
        let workspace = project.workspace(&selection.pipeline)?;
        plan::print(&project, &selection, &workspace, stages, ui)?;
        return Ok(ExitCode::SUCCESS);
    }
    let _held = project.repo.take_workspace("repro")?;
    let selection = select(&project, stages)?;
    let commit = if args.no_commit { Commit::No } else { Commit::Yes };
    let results = Results { commit, remembered: !args.no_run_cache };
    let report = project.run(&selection, &how(stages, results, &project, ui)?, Vec::new())?;
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

/// How the stages are run.
///
/// # Errors
/// When the user is to be asked and cannot be.
pub fn how(
    stages: &StageSelectionArgs,
    results: Results,
    project: &Project<'_>,
    ui: &Arc<Ui>,
) -> Result<StageRuns, Failure> {
    if stages.interactive && !ui.can_ask() {
        return Err(Failure::new(Kind::Usage, "`--interactive` asks before each stage, and there is no terminal to ask on")
            .hint("leave it out, or name the stages that may run: `dewar repro --single-item STAGE`"));
    }
    let jobs = if stages.interactive { None } else { stages.jobs.or(project.repo.config.own.jobs) };
    let options = RunOptions {
        jobs: jobs.unwrap_or(NonZeroUsize::MIN),
        force: force(stages),
        downstream: if stages.force_downstream { Downstream::Forced } else { Downstream::WhenStale },
        on_failure: match (stages.keep_going, stages.ignore_errors) {
            (_, true) => OnFailure::Ignore,
            (true, false) => OnFailure::KeepGoing,
            (false, false) => OnFailure::Stop,
        },
        missing: if stages.allow_missing { MissingData::Allowed } else { MissingData::Counts },
    };
    Ok(StageRuns { options, results, ask: stages.interactive.then(|| Arc::clone(ui)) })
}

/// Which stages beside the named ones run.
pub fn reach(stages: &StageSelectionArgs) -> Reach {
    match (stages.single_item, stages.downstream) {
        (true, _) => Reach::Single,
        (false, true) => Reach::Downstream,
        (false, false) => Reach::Upstream,
    }
}
