//! `status`: what changed since the stages ran.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::observe::Observe;
use dewar_core::path::RepoPath;
use dewar_core::pipeline::load::StageId;
use dewar_core::pipeline::{LockEntry, Pipeline, Stage, target};
use dewar_core::plan::{self, FileChange, Force, Reason};
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
        let locked = pipeline.locked(stage);
        let reasons = plan::assess(stage, locked, Force::No, &workspace)?;
        let shown = Shown { stage, locked, observe: &workspace, from: project.repo.from() };
        let changes = shown.changes(&reasons)?;
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

/// A stage as DVC's `status` shows it. Its paths are relative to the folder that the user is in.
struct Shown<'a> {
    stage: &'a Stage,
    locked: Option<&'a LockEntry>,
    observe: &'a dyn Observe,
    from: &'a RepoPath,
}

impl Shown<'_> {
    /// The reasons in the shape that DVC prints: `[{"changed deps": {...}}, {"changed outs": {...}}, "changed command"]`.
    fn changes(&self, reasons: &[Reason]) -> Result<Vec<Value>, Failure> {
        let (mut deps, mut outs, mut rest) = (Map::new(), Map::new(), Vec::new());
        for reason in reasons {
            match reason {
                Reason::DependencyChanged { path, change } => {
                    deps.insert(self.dependency(path), json!(word(*change)));
                }
                Reason::ParamChanged { file, key, old, new } => {
                    let shown = self.param_file(file);
                    if let Some(word) = self.whole_file(file)? {
                        deps.insert(shown, json!(word));
                        continue;
                    }
                    let word = match (old, new) {
                        (_, None) => "deleted",
                        (None, Some(_)) => "new",
                        (Some(_), Some(_)) => "modified",
                    };
                    if let Value::Object(keys) = deps.entry(shown).or_insert_with(|| json!({})) {
                        keys.insert(key.clone(), json!(word));
                    }
                }
                Reason::OutputChanged { path, change } => {
                    outs.insert(self.output(path), json!(if self.is_lost(path) { NOT_IN_CACHE } else { word(*change) }));
                }
                Reason::OutputNotCached { path } => {
                    outs.insert(self.output(path), json!(NOT_IN_CACHE));
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
        Ok(changes)
    }

    fn dependency(&self, path: &str) -> String {
        let place = self.stage.deps.iter().find(|dep| dep.path == path).and_then(|dep| dep.place.inside());
        place.map_or_else(|| path.to_owned(), |place| place.relative_to(self.from))
    }

    fn output(&self, path: &str) -> String {
        let out = self.stage.outs.iter().find(|out| out.lock_path == path);
        out.map_or_else(|| path.to_owned(), |out| out.path.relative_to(self.from))
    }

    fn param_file(&self, path: &str) -> String {
        let param = self.stage.params.iter().find(|param| param.path == path);
        param.map_or_else(|| path.to_owned(), |param| param.file.relative_to(self.from))
    }

    /// What is to be said of a parameter file as a whole: that it is not there, or that nothing is remembered of it.
    fn whole_file(&self, path: &str) -> Result<Option<&'static str>, Failure> {
        let Some(param) = self.stage.params.iter().find(|param| param.path == path) else { return Ok(None) };
        if self.observe.params(&param.file)?.is_none() {
            return Ok(Some("deleted"));
        }
        let is_known = self.locked.and_then(|locked| locked.params.get(path)).is_some_and(|known| !known.is_empty());
        Ok((!is_known).then_some("new"))
    }

    /// Whether an output that is not as it was cannot be had again: DVC says that before it says how it changed.
    fn is_lost(&self, path: &str) -> bool {
        let is_cached = self.stage.outs.iter().any(|out| out.lock_path == path && out.cached);
        let known = self.locked.and_then(|locked| locked.out(path)).and_then(|known| known.id.as_ref());
        is_cached && known.is_some_and(|id| !self.observe.is_cached(id))
    }
}

const NOT_IN_CACHE: &str = "not in cache";

const fn word(change: FileChange) -> &'static str {
    match change {
        FileChange::Deleted => "deleted",
        FileChange::Modified => "modified",
    }
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
