//! `--dry` and `status --explain`: what a run would do, and why, by the assessment that a run makes stage by stage.

use std::sync::Arc;

use dewar_core::path::RepoPath;
use dewar_core::plan::{Course, Missing, Plan, Recall, Rules};
use dewar_core::repro::Selection;
use dewar_core::schedule::{MissingData, RunOptions};
use dewar_core::workspace::Workspace;
use serde_json::Map;

use super::project::{Project, Results};
use crate::failure::Failure;
use crate::ui::Ui;
use crate::ui::explain::{self, Detail, Form, Telling};

/// A plan, as it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// How the run would go.
    pub options: RunOptions,
    /// Which results it would know.
    pub results: Results,
    /// Who is told.
    pub telling: Telling,
    /// How much of it.
    pub detail: Detail,
    /// In words or as JSON.
    pub form: Form,
}

/// Whether a run would do anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// Some stage is stale.
    Yes,
    /// All are fresh.
    No,
}

/// Prints the plan of the selected stages; nothing is changed.
///
/// # Errors
/// When a file cannot be looked at.
pub fn print(
    project: &Project<'_>,
    selection: &Selection,
    workspace: &Workspace<'_>,
    asked: Asked,
    ui: &Arc<Ui>,
) -> Result<Changed, Failure> {
    let run_cache = project.run_cache(asked.results);
    let recall = Recall { observe: workspace, store: workspace.store(), run_cache: run_cache.as_ref() };
    let written = selection.pipeline.written();
    let remembered = |path: &RepoPath| written.get(path).map(|id| (*id).clone());
    let missing = match asked.options.missing {
        MissingData::Allowed => Missing::Allowed(&remembered),
        MissingData::Counts => Missing::Counts,
    };
    let rules = Rules { force: asked.options.force, missing };
    let Selection { pipeline, graph, order } = selection;
    let plan = Plan::make(pipeline, graph.as_ref(), order, rules, asked.options.downstream, &recall)?;
    project.save_index();
    let changed = if plan.steps.iter().all(|step| step.course == Course::Skip) { Changed::No } else { Changed::Yes };
    let from = project.repo.from();
    match asked.form {
        Form::Text => plan.steps.iter().try_for_each(|step| {
            ui.tell(&explain::step(&step.why, step.course, from, asked.telling, asked.detail))
        })?,
        Form::Json => {
            let steps: Vec<_> = plan.steps.into_iter().map(|step| (step.why, Some(step.course))).collect();
            ui.print(&explain::document(&steps, from, Map::new()))?;
        }
    }
    Ok(changed)
}
