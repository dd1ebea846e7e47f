//! `remove`.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::pipeline::Pipeline;
use dewar_core::pipeline::entry::Entry;
use dewar_core::pipeline::load::StageId;
use dewar_core::pipeline::target::{self, Targets};
use dewar_core::removal::{Outputs, Removal};

use super::project::{Project, files};
use crate::args::stage::RemoveArgs;
use crate::failure::{Failure, Kind};
use crate::session::Session;
use crate::ui::{Ui, text};

/// Does what `remove` was told; when one target cannot be removed, none is.
///
/// # Errors
/// When a target is none, is one of a group, or its file cannot be edited safely.
pub fn run(args: &RemoveArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let from = project.repo.from();
    let _held = project.take_workspace("remove")?;
    let files = files(&project);
    let pipeline = Pipeline::load(&files, project.templates())?;
    let stages = resolve(&project, &pipeline, &args.targets)?;
    let entries = Entry::of(&files, &pipeline, &stages)?;
    let removal = Removal::of(&pipeline, &entries)?;
    let outputs = if args.outs { Outputs::Remove } else { Outputs::Keep };
    let touched = removal.carry_out(&project.workspace(&pipeline)?, outputs)?;
    project.save_index();
    for entry in entries {
        ui.tell(&format!("Removed '{}'", text::visible(&entry.address().display_from(from))))?;
    }
    project.suggest_git_add(ui, &touched)?;
    Ok(ExitCode::SUCCESS)
}

/// A path is not the stage that writes it: which of them is to go must be said.
fn resolve(project: &Project<'_>, pipeline: &Pipeline, targets: &[String]) -> Result<Vec<StageId>, Failure> {
    let named = target::resolve(pipeline, &Targets::Typed(project.typed(targets)))?;
    if let Some((stage, path)) = named.iter().find_map(|target| Some((target.stage, target.output.as_ref()?))) {
        let shown = |text: &str| text::visible(text).into_owned();
        let stage = shown(&pipeline.stage(stage).address.display_from(project.repo.from()));
        let path = shown(&path.relative_to(project.repo.from()));
        let message = format!("`{path}` is an output, not the stage that it belongs to");
        return Err(Failure::new(Kind::Usage, message).hint(format!("`dewar remove {stage}` removes the stage")));
    }
    Ok(named.into_iter().map(|target| target.stage).collect())
}
