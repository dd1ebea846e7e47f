//! `exp save`: the workspace as it is, as an experiment.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::name::ExperimentName;
use dewar_core::exp::queue::Queue;
use dewar_core::exp::record::{NameTaken, Settled};
use dewar_core::exp::refs::Experiment;
use dewar_core::exp::run::{self, Recording};
use dewar_core::exp::save::Included;
use dewar_core::git::Git;
use dewar_core::path::RepoPath;
use dewar_core::pipeline::target::Targets;
use dewar_core::pipeline::{LockEntry, Pipeline, Stage, StageAddress};
use dewar_core::repro::{self, Reach};
use dewar_core::track::{self, Keep, TrackError};
use serde_json::json;

use super::note_replaced;
use crate::args::keep::ExpSaveArgs;
use crate::commands::checkout::selected;
use crate::commands::project::{Project, files};
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::{Ui, style, text};

/// Does what `exp save` was told.
///
/// # Errors
/// When the name is taken, an output is missing, or the experiment cannot be recorded.
pub fn run(args: &ExpSaveArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let name = args.name.as_deref().map(ExperimentName::parse).transpose()?;
    let project = Project::open(session, ui)?;
    let git = project.repo.git()?;
    if args.json {
        ui.keep_stdout_for_a_document();
    }
    let _held = project.take_workspace("exp save")?;
    // Whatever git could not record, such as a merge with conflicts, is to be said before `dvc.lock` is written.
    git.index_tree()?;
    let taken = if args.force { NameTaken::Replace } else { NameTaken::Refuse };
    let identified = run::identify(git, name, taken, &mut session.draw())?;
    Queue::of(&project.repo).check_free(identified.baseline, &identified.name)?;
    // All of the project is in the experiment, whatever of it is recorded anew.
    let selection = repro::select(&files(&project), project.templates(), &Targets::All, Reach::Single)?;
    let pipeline = &selection.pipeline;
    let included = Included::parse(git, pipeline, project.repo.from(), &args.include_untracked)?;
    let targets = selected(&project, pipeline, &args.targets, false, args.recursive)?;
    let stages: Vec<(&Stage, Option<&RepoPath>)> =
        targets.iter().map(|target| (pipeline.stage(target.stage), target.output.as_ref())).collect();
    let workspace = project.workspace(pipeline)?;
    let committed = track::commit(&workspace, pipeline, &stages, Some(git), Keep::Unlinked, project.events());
    project.save_index();
    committed.map_err(|error| with_hint(error, &args.targets))?;
    let saved = saved(&Pipeline::load(&files(&project), project.templates())?, &stages);
    let mut recording = Recording {
        message: args.message.as_deref(),
        identity: &project.identity(),
        time: session.commit_time(),
        settled: &mut |_| Ok(()),
    };
    let Settled { experiment, replaced } =
        run::record(git, git, &identified, &selection, &saved, &included, &mut recording)?;
    if args.json {
        ui.print(&format!("{}\n", json!({ "ref": experiment.commit.to_string() })))?;
    } else {
        let mark = style::NAME;
        ui.tell(&format!("Experiment has been saved as: {mark}{}{mark:#}", experiment.reference.name))?;
    }
    if let Some(old) = replaced {
        note_replaced(&experiment.reference.name, old, ui);
    }
    note_left_out(git, &experiment, ui)?;
    Ok(ExitCode::SUCCESS)
}

/// New code that was not added to git is what is missed when the experiment is wanted back.
fn note_left_out(git: &Git, experiment: &Experiment, ui: &Ui) -> Result<(), Failure> {
    const SHOWN: usize = 5;
    let left_out = git.untracked_beside(experiment.commit)?;
    let named: Vec<String> = left_out.iter().take(SHOWN).map(|path| format!("`{}`", text::visible(path))).collect();
    let more = match left_out.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    if !named.is_empty() {
        ui.note(&format!(
            "Not in it, since git does not track them: {}{more}; `-I PATH` includes them.",
            named.join(", ")
        ));
    }
    Ok(())
}

/// What is recorded of the stages now.
fn saved(pipeline: &Pipeline, stages: &[(&Stage, Option<&RepoPath>)]) -> Vec<(StageAddress, LockEntry)> {
    let stages = stages.iter().map(|(stage, _)| *stage).filter(|stage| !stage.is_data());
    stages.filter_map(|stage| Some((stage.address.clone(), pipeline.locked(stage)?.clone()))).collect()
}

fn with_hint(error: TrackError, targets: &[String]) -> Failure {
    let is_missing = matches!(error, TrackError::OutputMissing { .. });
    let failure = Failure::from(error);
    if is_missing && targets.is_empty() {
        failure.hint("or name the stages that are to be recorded: `dewar exp save STAGE`")
    } else {
        failure
    }
}
