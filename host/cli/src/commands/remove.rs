//! `remove`.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::path::RepoPath;
use dewar_core::pipeline::entry::Entry;
use dewar_core::pipeline::load::StageId;
use dewar_core::pipeline::{Pipeline, PipelineError, StageAddress, target};
use dewar_core::removal::{Outputs, Removal};

use super::project::{Project, files};
use crate::args::stage::RemoveArgs;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::{Ui, text};

/// Does what `remove` was told; when one target cannot be removed, none is.
///
/// # Errors
/// When a target is none, is one of a group, or its file cannot be edited safely.
pub fn run(args: &RemoveArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let from = project.repo.from();
    let _held = project.repo.take_workspace("remove")?;
    let pipeline = Pipeline::load(&files(&project), project.templates())?;
    let mut stages = Vec::new();
    for text in &args.targets {
        stages.extend(resolve(&pipeline, from, text)?);
    }
    let entries = Entry::of(&pipeline, &stages)?;
    let removal = Removal::of(&pipeline, &entries)?;
    let outputs = if args.outs { Outputs::Remove } else { Outputs::Keep };
    let touched = removal.carry_out(&project.workspace(&pipeline)?, outputs)?;
    project.save_index();
    for entry in entries {
        let address = StageAddress { file: entry.file, name: entry.name };
        ui.tell(&format!("Removed '{}'", text::visible(&address.display_from(from))))?;
    }
    project.suggest_git_add(ui, &touched)?;
    Ok(ExitCode::SUCCESS)
}

/// A tracked file is not the stage that tracks it: which of them is to go must be said.
fn resolve(pipeline: &Pipeline, from: &RepoPath, text: &str) -> Result<Vec<StageId>, Failure> {
    target::resolve(pipeline, from, text).map_err(|error| {
        let file = format!("{text}.dvc");
        let tracks = |error: &PipelineError| {
            matches!(error, PipelineError::NoStage { .. }) && from.join(&file).is_ok_and(|file| pipeline.data_file(&file).is_some())
        };
        let is_tracked = tracks(&error);
        let failure = Failure::from(error);
        if is_tracked { failure.hint(format!("`dewar remove {file}` stops tracking it")) } else { failure }
    })
}
