//! `--dry`: what would run, and why, by the assessment that a run makes stage by stage. What a run would restore is shown as
//! running: whether it can be had is known when its inputs are.

use std::sync::Arc;

use dewar_core::params::ParamValue;
use dewar_core::pipeline::Command;
use dewar_core::path::RepoPath;
use dewar_core::plan::{FileChange, Missing, Plan, Reason, Rules};
use dewar_core::repro::Selection;
use dewar_core::workspace::Workspace;

use super::project::Project;
use super::repro::force;
use crate::args::run::StageSelectionArgs;
use crate::failure::Failure;
use crate::ui::number::{self, Digits};
use crate::ui::{Ui, style, text};

/// Prints the plan of the selected stages; nothing is changed.
///
/// # Errors
/// When a file cannot be looked at.
pub fn print(
    project: &Project<'_>,
    selection: &Selection,
    workspace: &Workspace<'_>,
    stages: &StageSelectionArgs,
    ui: &Arc<Ui>,
) -> Result<(), Failure> {
    let written = selection.pipeline.written();
    let remembered = |path: &RepoPath| written.get(path).map(|id| (*id).clone());
    let missing = if stages.allow_missing { Missing::Allowed(&remembered) } else { Missing::Counts };
    let rules = Rules { force: force(stages), missing };
    let plan = Plan::make(&selection.pipeline, selection.graph.as_ref(), &selection.order, rules, workspace)?;
    let (name, dim) = (style::NAME, style::DIM);
    for (id, staleness) in &plan.steps {
        let stage = selection.pipeline.stage(*id);
        let address = text::visible(&stage.address.display_from(project.repo.from())).into_owned();
        if staleness.is_fresh() {
            ui.tell(&format!("Stage '{name}{address}{name:#}' didn't change, skipping"))?;
            continue;
        }
        ui.tell(&format!("Running stage '{name}{address}{name:#}':"))?;
        for command in stage.command.iter().flat_map(Command::shell_texts) {
            for line in text::visible(&command).lines() {
                ui.tell(&format!("{dim}>{dim:#} {line}"))?;
            }
        }
        for reason in staleness.reasons() {
            ui.tell(&format!("  {dim}{}{dim:#}", describe(reason)))?;
        }
    }
    project.save_index();
    Ok(())
}

/// A reason in words.
pub fn describe(reason: &Reason) -> String {
    let changed = |change: FileChange| match change {
        FileChange::Deleted => "does not exist",
        FileChange::Modified => "changed",
    };
    let value = |value: &Option<ParamValue>| {
        value.as_ref().map_or_else(|| "nothing".to_owned(), |value| number::value(value, Digits::All))
    };
    let described = match reason {
        Reason::NeverRun => "it has not run yet".to_owned(),
        Reason::AlwaysChanged => "it runs every time".to_owned(),
        Reason::Forced => "it is forced".to_owned(),
        Reason::CommandChanged { .. } => "its command changed".to_owned(),
        Reason::DependencyChanged { path, change } => format!("the dependency `{path}` {}", changed(*change)),
        Reason::ParamChanged { file, key, old: None, .. } => format!("the parameter `{key}` of `{file}` is new"),
        Reason::ParamChanged { file, key, old, new } => {
            format!("the parameter `{key}` of `{file}` changed from {} to {}", value(old), value(new))
        }
        Reason::OutputChanged { path, change } => format!("the output `{path}` {}", changed(*change)),
        Reason::OutputNotCached { path } => format!("the cache lost the output `{path}`"),
        Reason::UpstreamStale { stage } => format!("it needs `{stage}`, which runs"),
    };
    text::visible(&described).into_owned()
}
