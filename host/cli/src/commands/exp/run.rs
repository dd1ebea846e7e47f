//! `exp run`: an experiment in the workspace. Step 2 of the walk; [`dewar_core::exp::run`] has the parts.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::name::ExperimentName;
use dewar_core::exp::record::NameTaken;
use dewar_core::exp::refs::Experiment;
use dewar_core::exp::run::{self, Recording};
use dewar_core::params::Override;
use dewar_core::pipeline::files::Overlaid;
use dewar_core::repro;
use serde_json::{Map, Value, json};

use crate::args::run::ExpRunArgs;
use crate::commands::plan;
use crate::commands::project::{Project, Results, files};
use crate::commands::repro::{explained, force, printing, reach, targets};
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::{Ui, style};

/// Does what `exp run` was told.
///
/// # Errors
/// When an override does not fit, a stage fails, or the experiment cannot be recorded.
pub fn run(args: &ExpRunArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let overrides: Vec<Override> = args.set_param.iter().map(|text| Override::parse(text)).collect::<Result<_, _>>()?;
    let name = args.name.as_deref().map(ExperimentName::parse).transpose()?;
    let mut project = Project::open(session, ui)?;
    let stages = &args.stages;
    let results = Results { pull: stages.pull, ..Results::default() };
    let explainer = explained(stages).filter(|_| !stages.dry).map(|form| project.explain(form));
    let from = project.repo.from();
    let git = project.repo.git()?;
    if stages.dry {
        let overlay = run::overridden(&files(&project), &project.params, from, &overrides)?;
        let seen = Overlaid::new(files(&project), overlay.clone());
        let selection = repro::select(&seen, project.templates(), &targets(&project, stages), reach(stages))?;
        let workspace = project.workspace_with(&selection.pipeline, overlay)?;
        let run_cache = project.run_cache(results);
        plan::print(&project, &selection, &workspace, force(stages), run_cache.as_ref(), printing(stages), ui)?;
        return Ok(ExitCode::SUCCESS);
    }
    let _held = project.repo.take_workspace("exp run")?;
    let taken = if stages.force { NameTaken::Replace } else { NameTaken::Refuse };
    let identified = run::identify(git, name, taken, &mut session.draw())?;
    let overlay = run::overridden(&files(&project), &project.params, from, &overrides)?;
    // Before anything is written: the pipeline must be valid, and have the targets.
    let seen = Overlaid::new(files(&project), overlay.clone());
    let selection = repro::select(&seen, project.templates(), &targets(&project, stages), reach(stages))?;
    run::write_overrides(&files(&project), &overlay)?;
    let mark = style::NAME;
    ui.tell(&format!("Reproducing experiment '{mark}{}{mark:#}'", identified.name))?;
    let env = vec![
        ("DVC_EXP_NAME".to_owned(), identified.name.to_string()),
        ("DVC_EXP_BASELINE_REV".to_owned(), identified.baseline.to_string()),
    ];
    let recorded = project.run(&selection, force(stages), results, env).and_then(|report| {
        let recording =
            Recording { message: args.message.as_deref(), identity: &project.identity(), time: session.commit_time() };
        Ok(run::record(git, &identified, &selection, &report, &recording)?)
    });
    if let Some(explainer) = explainer {
        explainer.finish(recorded.as_ref().map(in_json).unwrap_or_default())?;
    }
    let experiment = recorded?;
    ui.tell(&format!("\nRan experiment(s): {mark}{}{mark:#}", experiment.reference.name))?;
    ui.tell("Experiment results have been applied to your workspace.")?;
    Ok(ExitCode::SUCCESS)
}

/// The experiment, beside the stages.
fn in_json(experiment: &Experiment) -> Map<String, Value> {
    let experiment = json!({ "name": experiment.reference.name.as_str(), "rev": experiment.commit.to_string() });
    [("experiment".to_owned(), experiment)].into_iter().collect()
}
