//! `freeze` and `unfreeze`.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::fs::write_all_inside;
use dewar_core::path::RepoPath;
use dewar_core::pipeline::Pipeline;
use dewar_core::pipeline::entry::Entry;
use dewar_core::pipeline::freeze::{self, Frozen};
use dewar_core::pipeline::target::{self, Targets};

use super::project::{Project, files};
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::{Ui, text};

/// Does what `freeze` or `unfreeze` was told; when one target cannot be changed, none is.
///
/// # Errors
/// When a target is none, is one of a group, or its file cannot be edited safely.
pub fn run(targets: &[String], frozen: Frozen, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let from = project.repo.from();
    let _held = project.take_workspace(if frozen == Frozen::Yes { "freeze" } else { "unfreeze" })?;
    let files = files(&project);
    let pipeline = Pipeline::load(&files, project.templates())?;
    let stages = target::stages(&pipeline, &Targets::Typed(project.typed(targets)))?;
    let entries = Entry::of(&files, &pipeline, &stages)?;
    let texts = freeze::with_frozen(&entries, frozen)?;
    let all: Vec<(&RepoPath, &[u8])> = texts.iter().map(|(file, text)| (file, text.as_slice())).collect();
    write_all_inside(project.repo.root(), &all)?;
    let word = if frozen == Frozen::Yes { "frozen" } else { "not frozen" };
    for entry in entries {
        ui.tell(&format!("Stage '{}' is {word}", text::visible(&entry.address().display_from(from))))?;
    }
    project.suggest_git_add(ui, texts.keys())?;
    Ok(ExitCode::SUCCESS)
}
