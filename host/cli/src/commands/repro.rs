//! `repro`: brings stages up to date.

use std::mem::ManuallyDrop;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::checkpoint::resume;
use dewar_core::pipeline::target::{Folders, Names, Targets, Typed};
use dewar_core::plan::{Downstream, Force};
use dewar_core::repro::{self, Reach, SelectError, Selection};
use dewar_core::schedule::{MissingData, OnFailure, RunOptions};
use dewar_core::stage_run::Commit;
use dewar_core::workspace::Workspace;

use serde_json::Map;

use super::plan::{self, Printing};
use super::project::{Project, Results, StageRuns, files};
use crate::args::run::{ReproArgs, StageSelectionArgs};
use crate::failure::{Failure, Kind};
use crate::session::Session;
use crate::ui::Ui;
use crate::ui::explain::{Detail, Form, Telling};

/// Does what `repro` was told.
///
/// # Errors
/// When a stage fails or cannot run.
pub fn run(args: &ReproArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let mut project = Project::open(session, ui)?;
    let stages = &args.stages;
    let commit = if args.no_commit { Commit::No } else { Commit::Yes };
    let results = Results { commit, remembered: !args.no_run_cache, pull: stages.pull };
    if stages.dry {
        let selection = select(&project, stages)?;
        let workspace = project.workspace(&selection.pipeline)?;
        return dry_run(&project, stages, &selection, &workspace, results, ui);
    }
    let how = how(stages, results, &project, ui)?;
    let _held = project.take_workspace("repro")?;
    let selection = select(&project, stages)?;
    refuse_checkpoints(&selection)?;
    let explainer = explained(stages).map(|form| project.explain(form));
    let report = project.run(&selection, &how, Vec::new(), None);
    if let Some(explainer) = explainer {
        explainer.finish(&selection, Map::new())?;
    }
    let report = report?;
    if report.changed.is_empty() {
        ui.tell("Data and pipelines are up to date.")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What was asked for. It is not taken apart again: the process ends with the command, and of thousands of stages that takes
/// longer than many other steps.
fn select(project: &Project<'_>, stages: &StageSelectionArgs) -> Result<ManuallyDrop<Selection>, SelectError> {
    repro::select(&files(project), project.templates(), &targets(project, stages), reach(stages)).map(ManuallyDrop::new)
}

/// A checkpoint is a commit of an experiment, and `repro` records none (DVC's rule).
///
/// # Errors
/// When a stage has checkpoints.
pub fn refuse_checkpoints(selection: &Selection) -> Result<(), Failure> {
    let Some(stage) = resume::stages(selection).next() else { return Ok(()) };
    let message = format!("the stage `{}` has checkpoints, which are recorded by experiments alone", stage.address);
    Err(Failure::new(Kind::Usage, message).hint("run it with `dewar exp run`"))
}

/// Tells what a run of the selected stages would do.
///
/// # Errors
/// When a file cannot be looked at.
pub fn dry_run(
    project: &Project<'_>,
    stages: &StageSelectionArgs,
    selection: &Selection,
    workspace: &Workspace<'_>,
    results: Results,
    ui: &Arc<Ui>,
) -> Result<ExitCode, Failure> {
    let run_cache = project.run_cache(results);
    plan::print(project, selection, workspace, options(stages, project), run_cache.as_ref(), printing(stages), ui)?;
    Ok(ExitCode::SUCCESS)
}

/// What was named.
pub fn targets<'a>(project: &'a Project<'_>, stages: &'a StageSelectionArgs) -> Targets<'a> {
    if stages.all_pipelines {
        return Targets::All;
    }
    let folders = if stages.recursive { Folders::Searched } else { Folders::Refused };
    let names = if stages.glob { Names::Patterns } else { Names::Exact };
    Targets::Typed(Typed { folders, names, ..project.typed(&stages.targets) })
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
        return Err(Failure::new(
            Kind::Usage,
            "`--interactive` asks before each stage, and there is no terminal to ask on",
        )
        .hint("leave it out, or name the stages that may run: `dewar repro --single-item STAGE`"));
    }
    let ask = stages.interactive.then(|| Arc::clone(ui));
    Ok(StageRuns { options: options(stages, project), results, ask, budget: None })
}

/// How a run goes, or would go.
fn options(stages: &StageSelectionArgs, project: &Project<'_>) -> RunOptions {
    let jobs = if stages.interactive { None } else { stages.jobs.or(project.repo.config.own.jobs) };
    RunOptions {
        jobs: jobs.unwrap_or(NonZeroUsize::MIN),
        force: if stages.force { Force::Yes } else { Force::No },
        downstream: if stages.force_downstream { Downstream::Forced } else { Downstream::WhenStale },
        on_failure: match (stages.keep_going, stages.ignore_errors) {
            (_, true) => OnFailure::Ignore,
            (true, false) => OnFailure::KeepGoing,
            (false, false) => OnFailure::Stop,
        },
        missing: if stages.allow_missing { MissingData::Allowed } else { MissingData::Counts },
    }
}

/// How a plan is printed.
fn printing(stages: &StageSelectionArgs) -> Printing {
    Printing {
        telling: Telling::Run,
        detail: if stages.explain { Detail::Thorough } else { Detail::Terse },
        form: if stages.json { Form::Json } else { Form::Text },
    }
}

/// How a run is explained, if it is.
pub fn explained(stages: &StageSelectionArgs) -> Option<Form> {
    match (stages.json, stages.explain) {
        (true, _) => Some(Form::Json),
        (false, true) => Some(Form::Text),
        (false, false) => None,
    }
}

/// Which stages beside the named ones run.
pub fn reach(stages: &StageSelectionArgs) -> Reach {
    if stages.pipeline {
        Reach::Connected
    } else if stages.single_item {
        Reach::Single
    } else if stages.downstream {
        Reach::Downstream
    } else {
        Reach::Upstream
    }
}
