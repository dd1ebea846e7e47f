//! `exp run`: an experiment in the workspace, or with `--temp` in one of its own ([`super::temp`]). Step 2 of the walk;
//! [`dewar_core::exp::run`] has the parts.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::copies::CopyPath;
use dewar_core::exp::isolated;
use dewar_core::exp::name::ExperimentName;
use dewar_core::exp::record::NameTaken;
use dewar_core::exp::refs::Experiment;
use dewar_core::exp::run::{self, Identified, Recording};
use dewar_core::git::Git;
use dewar_core::params::Override;
use dewar_core::pipeline::files::{Overlaid, Overlay};
use dewar_core::repro::{self, Selection};
use serde_json::{Map, Value, json};

use super::temp;
use crate::args::run::{ExpRunArgs, StageSelectionArgs};
use crate::commands::plan;
use crate::commands::project::{Project, Results, StageRuns, files};
use crate::commands::repro::{explained, how, options, printing, reach, targets};
use crate::failure::{Failure, Kind};
use crate::session::Session;
use crate::ui::explain::Explainer;
use crate::ui::{Ui, style};

/// What is to be run, checked.
pub(super) struct Request<'a> {
    /// What was typed.
    pub args: &'a ExpRunArgs,
    /// The parameters to set.
    pub overrides: &'a [Override],
    /// What git does not have and the stages need; for an isolated workspace only.
    pub copies: &'a [CopyPath],
    /// Baseline and name.
    pub identified: &'a Identified,
    /// How the stages are run.
    pub how: &'a StageRuns,
    /// Who explains the run, when anyone does.
    pub explainer: Option<&'a Explainer>,
}

/// Does what `exp run` was told.
///
/// # Errors
/// When an override does not fit, a stage fails, or the experiment cannot be recorded.
pub fn run(args: &ExpRunArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    refuse_spaced(args)?;
    let overrides: Vec<Override> = args.set_param.iter().map(|text| Override::parse(text)).collect::<Result<_, _>>()?;
    let name = args.name.as_deref().map(ExperimentName::parse).transpose()?;
    let mut project = Project::open(session, ui)?;
    let stages = &args.stages;
    let results = Results { pull: stages.pull, ..Results::default() };
    let explainer = explained(stages).filter(|_| !stages.dry).map(|form| project.explain(form));
    let git = project.repo.git()?;
    let copies: Vec<CopyPath> = if args.temp {
        let copy = |text: &String| CopyPath::parse(project.repo.root(), project.repo.from(), text);
        args.copy_paths.iter().map(copy).collect::<Result<_, _>>()?
    } else {
        Vec::new()
    };
    if stages.dry {
        let (selection, overlay) = select(&project, stages, &overrides)?;
        let workspace = project.workspace_with(&selection.pipeline, overlay)?;
        let run_cache = project.run_cache(results);
        plan::print(
            &project,
            &selection,
            &workspace,
            options(stages, &project),
            run_cache.as_ref(),
            printing(stages),
            ui,
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    let how = how(stages, results, &project, ui)?;
    let _held = match args.temp {
        true => (None, Some(project.hold_cache("exp run --temp")?)),
        false => (Some(project.take_workspace("exp run")?), None),
    };
    for error in isolated::remove_abandoned(&project.repo) {
        project.warn(format!("{error}; a killed experiment left it, and it may be removed"));
    }
    let taken = if stages.force { NameTaken::Replace } else { NameTaken::Refuse };
    let identified = run::identify(git, name, taken, &mut session.draw())?;
    let request = Request {
        args,
        overrides: &overrides,
        copies: &copies,
        identified: &identified,
        how: &how,
        explainer: explainer.as_deref(),
    };
    if args.temp {
        return temp::run(&project, git, &request, ui);
    }
    // Before anything is written: the pipeline must be valid, and have the targets.
    let (selection, overlay) = select(&project, stages, &overrides)?;
    run::write_overrides(&files(&project), &overlay)?;
    reproduce(&project, git, &request, &selection, ui)?;
    ui.tell("Experiment results have been applied to your workspace.")?;
    Ok(ExitCode::SUCCESS)
}

/// The stages that are asked for, once the overrides are written, and what those would write.
pub(super) fn select(
    project: &Project<'_>,
    stages: &StageSelectionArgs,
    overrides: &[Override],
) -> Result<(Selection, Overlay), Failure> {
    let from = project.repo.from();
    let overlay = run::overridden(&files(project), &project.params, from, overrides)?;
    let seen = Overlaid::new(files(project), overlay.clone());
    Ok((repro::select(&seen, project.templates(), &targets(project, stages), reach(stages))?, overlay))
}

/// Runs the stages in the workspace of `project` and records what came out in the repository `git`.
pub(super) fn reproduce(
    project: &Project<'_>,
    git: &Git,
    request: &Request<'_>,
    selection: &Selection,
    ui: &Ui,
) -> Result<(), Failure> {
    let identified = request.identified;
    let mark = style::NAME;
    ui.tell(&format!("Reproducing experiment '{mark}{}{mark:#}'", identified.name))?;
    let env = vec![
        ("DVC_EXP_NAME".to_owned(), identified.name.to_string()),
        ("DVC_EXP_BASELINE_REV".to_owned(), identified.baseline.to_string()),
    ];
    let recorded = project.run(selection, request.how, env).and_then(|report| {
        let time = project.session().commit_time();
        let recording = Recording { message: request.args.message.as_deref(), identity: &project.identity(), time };
        Ok(run::record(git, project.repo.git()?, identified, selection, &report, &recording)?)
    });
    if let Some(explainer) = request.explainer {
        explainer.finish(selection, recorded.as_ref().map(in_json).unwrap_or_default())?;
    }
    let experiment = recorded?;
    ui.tell(&format!("\nRan experiment(s): {mark}{}{mark:#}", experiment.reference.name))?;
    Ok(())
}

/// What is left of `-S name = value` when it is not clear what belongs to it; no stage is called so.
fn refuse_spaced(args: &ExpRunArgs) -> Result<(), Failure> {
    let Some(odd) = args.stages.targets.iter().find(|target| target.starts_with('=')) else { return Ok(()) };
    let message = format!("`{odd}` names no stage, and it is not clear to which parameter it belongs");
    Err(Failure::new(Kind::Usage, message).hint("write `-S name=value`, or with quotes: `-S 'name = value'`"))
}

/// The experiment, beside the stages.
fn in_json(experiment: &Experiment) -> Map<String, Value> {
    let experiment = json!({ "name": experiment.reference.name.as_str(), "rev": experiment.commit.to_string() });
    [("experiment".to_owned(), experiment)].into_iter().collect()
}
