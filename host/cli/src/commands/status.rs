//! `status`: what changed since the stages ran.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::pipeline::load::StageId;
use dewar_core::pipeline::{Pipeline, target};
use dewar_core::plan::{self, FileChange, Reason, Rules};
use serde_json::{Map, Value, json};

use super::project::{Project, files};
use crate::args::project::StatusArgs;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::{Ui, Verbosity, text};

/// Does what `status` was told.
///
/// # Errors
/// When the pipeline is invalid or a file cannot be looked at.
pub fn run(args: &StatusArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let pipeline = Pipeline::load(&files(&project), project.templates())?;
    let stages = selected(&pipeline, &project, &args.targets)?;
    let workspace = project.workspace(&pipeline)?;
    let mut changed = Map::new();
    for id in stages {
        let stage = pipeline.stage(id);
        let reasons = plan::assess(stage, pipeline.locked(stage), Rules::USUAL, &workspace)?;
        let changes = changes(&reasons);
        if !changes.is_empty() {
            changed.insert(stage.address.display_from(project.repo.from()), Value::Array(changes));
        }
    }
    project.save_index();
    if ui.verbosity() == Verbosity::Quiet {
        return Ok(if changed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if args.json {
        ui.print(&format!("{}\n", Value::Object(changed)))?;
    } else if changed.is_empty() {
        ui.tell("Data and pipelines are up to date.")?;
    } else {
        ui.print(&render(&changed))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn selected(pipeline: &Pipeline, project: &Project<'_>, targets: &[String]) -> Result<Vec<StageId>, Failure> {
    if targets.is_empty() {
        return Ok(pipeline.stages().map(|(id, _)| id).collect());
    }
    let mut stages = Vec::new();
    for text in targets {
        stages.extend(target::resolve(pipeline, project.repo.from(), text)?);
    }
    Ok(stages)
}

/// The reasons in the shape that DVC prints: `[{"changed deps": {...}}, {"changed outs": {...}}, "changed command"]`.
fn changes(reasons: &[Reason]) -> Vec<Value> {
    let word = |change: FileChange| match change {
        FileChange::Deleted => "deleted",
        FileChange::Modified => "modified",
    };
    let (mut deps, mut outs, mut rest) = (Map::new(), Map::new(), Vec::new());
    for reason in reasons {
        match reason {
            Reason::DependencyChanged { path, change } => {
                deps.insert(path.clone(), json!(word(*change)));
            }
            Reason::ParamChanged { file, key, .. } if key.is_empty() => {
                deps.insert(file.clone(), json!("deleted"));
            }
            Reason::ParamChanged { file, key, old, new } => {
                let word = match (old, new) {
                    (_, None) => "deleted",
                    (None, Some(_)) => "new",
                    (Some(_), Some(_)) => "modified",
                };
                if let Value::Object(keys) = deps.entry(file.clone()).or_insert_with(|| json!({})) {
                    keys.insert(key.clone(), json!(word));
                }
            }
            Reason::OutputChanged { path, change } => {
                outs.insert(path.clone(), json!(word(*change)));
            }
            Reason::OutputNotCached { path } => {
                outs.insert(path.clone(), json!("not in cache"));
            }
            Reason::CommandChanged { .. } => rest.push(json!("changed command")),
            Reason::AlwaysChanged => rest.push(json!("always changed")),
            // A stage that never ran shows by all it has; the others are no changes.
            Reason::NeverRun | Reason::Forced | Reason::UpstreamStale { .. } => {}
        }
    }
    let mut changes = Vec::new();
    if !deps.is_empty() {
        changes.push(json!({ "changed deps": deps }));
    }
    if !outs.is_empty() {
        changes.push(json!({ "changed outs": outs }));
    }
    changes.extend(rest);
    changes
}

/// DVC's layout: the stage, and under it what changed, indented by tabs.
fn render(changed: &Map<String, Value>) -> String {
    let mut out = String::new();
    for (stage, changes) in changed {
        out.push_str(&format!("{}:\n", text::visible(stage)));
        for change in changes.as_array().into_iter().flatten() {
            let Value::Object(groups) = change else {
                out.push_str(&format!("\t{}\n", change.as_str().unwrap_or_default()));
                continue;
            };
            for (group, entries) in groups {
                out.push_str(&format!("\t{group}:\n"));
                for (path, entry) in entries.as_object().into_iter().flatten() {
                    render_entry(&mut out, path, entry);
                }
            }
        }
    }
    out
}

fn render_entry(out: &mut String, path: &str, entry: &Value) {
    let path = text::visible(path);
    match entry {
        Value::Object(keys) => {
            out.push_str(&format!("\t\t{path}:\n"));
            for (key, word) in keys {
                let label = format!("{}:", word.as_str().unwrap_or_default());
                out.push_str(&format!("\t\t\t{label:<20}{}\n", text::visible(key)));
            }
        }
        word => {
            let label = format!("{}:", word.as_str().unwrap_or_default());
            out.push_str(&format!("\t\t{label:<20}{path}\n"));
        }
    }
}
