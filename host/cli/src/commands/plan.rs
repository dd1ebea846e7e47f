//! `--dry` and `status --explain`: what a run would do, and why, by the assessment that a run makes stage by stage.

use std::collections::HashMap;
use std::sync::Arc;

use dewar_core::path::RepoPath;
use dewar_core::plan::{Course, Missing, Plan, Recall, Rules};
use dewar_core::repro::Selection;
use dewar_core::run_cache::RunCache;
use dewar_core::schedule::{MissingData, RunOptions};
use dewar_core::workspace::Workspace;
use serde_json::Map;

use super::project::Project;
use crate::failure::Failure;
use crate::ui::Ui;
use crate::ui::explain::{self, Detail, Form, Telling};

/// How a plan is printed.
#[derive(Debug, Clone, Copy)]
pub struct Printing {
    /// For whom.
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
    options: RunOptions,
    run_cache: Option<&RunCache>,
    printing: Printing,
    ui: &Arc<Ui>,
) -> Result<Changed, Failure> {
    let recall = Recall { observe: workspace, store: workspace.store(), run_cache, fetcher: None };
    let recorded = match options.missing {
        MissingData::Counts => HashMap::new(),
        MissingData::Allowed => selection.pipeline.recorded(),
    };
    let remembered = |path: &RepoPath| recorded.get(path)?.id.clone();
    let missing = match options.missing {
        MissingData::Counts => Missing::Counts,
        MissingData::Allowed => Missing::Allowed(&remembered),
    };
    let rules = Rules { force: options.force, missing };
    let Selection { pipeline, graph, order } = selection;
    let plan = Plan::make(pipeline, graph.as_ref(), order, rules, options.downstream, &recall)?;
    project.save_index();
    let changed = if plan.steps.iter().all(|step| step.course == Course::Skip) { Changed::No } else { Changed::Yes };
    let from = project.repo.from();
    match printing.form {
        Form::Text => plan.steps.iter().try_for_each(|step| {
            ui.tell(&explain::step(&step.why, step.course, from, printing.telling, printing.detail))
        })?,
        Form::Json => {
            let steps: Vec<_> = plan.steps.into_iter().map(|step| (step.why, Some(step.course))).collect();
            ui.print(&explain::document(&steps, from, Map::new()))?;
        }
    }
    Ok(changed)
}
