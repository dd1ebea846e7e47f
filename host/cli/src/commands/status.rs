//! `status`: what changed since the stages ran.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::observe::Observe;
use dewar_core::path::RepoPath;
use dewar_core::pipeline::target::{Folders, Targets, Typed};
use dewar_core::pipeline::{LockEntry, Place, Stage};
use dewar_core::plan::{FileChange, Reason, Rules, assess, place};
use dewar_core::remote::Side;
use dewar_core::repro::{self, Reach, Selection};
use dewar_core::schedule::RunOptions;
use dewar_core::workspace::Workspace;
use serde_json::{Map, Value, json};

use super::plan::{self, Changed, Printing};
use super::project::{Project, Results, files};
use super::transfer;
use crate::args::project::StatusArgs;
use crate::args::remote::WhichArgs;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::explain::{Detail, Form, Telling};
use crate::ui::problem::Problem;
use crate::ui::{Ui, Verbosity, text};

/// Does what `status` was told.
///
/// # Errors
/// When the pipeline is invalid or a file cannot be looked at.
pub fn run(args: &StatusArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    if args.cloud {
        return cloud(&project, args, ui);
    }
    let reach = if args.with_deps || args.explain { Reach::Upstream } else { Reach::Single };
    let selection = repro::select(&files(&project), project.templates(), &targets(&project, args), reach)?;
    let workspace = project.workspace(&selection.pipeline)?;
    if args.explain {
        let form = if args.json { Form::Json } else { Form::Text };
        let printing = Printing { telling: Telling::State, detail: Detail::Thorough, form };
        let run_cache = project.run_cache(Results::default());
        let changed =
            plan::print(&project, &selection, &workspace, RunOptions::default(), run_cache.as_ref(), printing, ui)?;
        return Ok(exit_code(changed, args, ui));
    }
    let changed = changed(&project, &selection, &workspace, ui)?;
    project.save_index();
    let is_changed = if changed.is_empty() { Changed::No } else { Changed::Yes };
    if args.json {
        ui.print(&format!("{}\n", Value::Object(changed)))?;
    } else if ui.verbosity() > Verbosity::Quiet {
        ui.print(&render(&changed, &selection))?;
    }
    Ok(exit_code(is_changed, args, ui))
}

/// What the cache and the remote have, in DVC's words.
fn cloud(project: &Project<'_>, args: &StatusArgs, ui: &Ui) -> Result<ExitCode, Failure> {
    let which = WhichArgs {
        targets: args.targets.clone(),
        remote: args.remote.clone(),
        jobs: args.jobs,
        with_deps: args.with_deps,
        recursive: args.recursive,
        all_branches: args.all_branches,
        all_tags: args.all_tags,
        all_commits: args.all_commits,
        run_cache: false,
        no_run_cache: false,
    };
    let found = transfer::compare(project, &which)?;
    let word = |side: &Option<Side>| match side {
        Some(Side::Cache) => "new",
        Some(Side::Remote) => "deleted",
        None => "missing",
    };
    let shown = |path: &str| {
        RepoPath::parse(path).map_or_else(|_| path.to_owned(), |path| path.relative_to(project.repo.from()))
    };
    let changed: Map<String, Value> = found.iter().map(|(path, side)| (shown(path), json!(word(side)))).collect();
    let is_changed = if changed.is_empty() { Changed::No } else { Changed::Yes };
    if args.json {
        ui.print(&format!("{}\n", Value::Object(changed)))?;
    } else if changed.is_empty() {
        ui.tell("Cache and remote are in sync.")?;
    } else if ui.verbosity() > Verbosity::Quiet {
        let line = |(path, word): (&String, &Value)| {
            let label = format!("{}:", word.as_str().unwrap_or_default());
            format!("\t{label:<20}{}\n", text::visible(path))
        };
        ui.print(&changed.iter().map(line).collect::<String>())?;
    }
    Ok(exit_code(is_changed, args, ui))
}

/// With `--quiet` the answer is the exit code (DVC's rule).
fn exit_code(changed: Changed, args: &StatusArgs, ui: &Ui) -> ExitCode {
    let asked = ui.verbosity() == Verbosity::Quiet && !args.json;
    if asked && changed == Changed::Yes { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// What changed of each stage, by its name as seen from the user's folder.
fn changed(
    project: &Project<'_>,
    selection: &Selection,
    workspace: &Workspace<'_>,
    ui: &Ui,
) -> Result<Map<String, Value>, Failure> {
    let from = project.repo.from();
    let mut changed = Map::new();
    for stage in selection.order.iter().map(|id| selection.pipeline.stage(*id)) {
        let name = stage.address.display_from(from);
        if stage.frozen && !stage.is_data() {
            ui.warn(&Problem::new(format!(
                "the stage `{name}` is frozen: what changed of its dependencies is not shown"
            )));
        }
        let locked = selection.pipeline.locked(stage);
        let reasons = assess(stage, locked, Rules::USUAL, workspace)?;
        let changes = Shown { stage, locked, observe: workspace, from }.changes(&reasons)?;
        if !changes.is_empty() {
            changed.insert(name, Value::Array(changes));
        }
    }
    Ok(changed)
}

fn targets<'a>(project: &'a Project<'_>, args: &'a StatusArgs) -> Targets<'a> {
    if args.targets.is_empty() {
        return Targets::All;
    }
    let folders = if args.recursive { Folders::Searched } else { Folders::Refused };
    Targets::Typed(Typed { folders, ..project.typed(&args.targets) })
}

/// A stage as DVC's `status` shows it.
struct Shown<'a> {
    stage: &'a Stage,
    locked: Option<&'a LockEntry>,
    observe: &'a dyn Observe,
    /// The user's folder, which paths are relative to.
    from: &'a RepoPath,
}

impl Shown<'_> {
    /// The reasons in the shape that DVC prints: `[{"changed deps": {...}}, {"changed outs": {...}}, "changed command"]`.
    fn changes(&self, reasons: &[Reason]) -> Result<Vec<Value>, Failure> {
        let word = |change: FileChange| match change {
            FileChange::Deleted => "deleted",
            FileChange::Modified | FileChange::New => "modified",
        };
        let (mut deps, mut outs, mut rest) = (Map::new(), Map::new(), Vec::new());
        for reason in reasons {
            let shown = |path: &str| match place(self.stage, reason) {
                Some(Place::Inside(path)) => path.relative_to(self.from),
                Some(Place::Outside(path)) => path.display().to_string(),
                Some(Place::Elsewhere(_)) | None => path.to_owned(),
            };
            match reason {
                Reason::DependencyChanged { path, change } => {
                    deps.insert(shown(path), json!(word(*change)));
                }
                Reason::ParamChanged { file, key, old, new } => {
                    if let Some(word) = self.whole_file(file)? {
                        deps.insert(shown(file), json!(word));
                        continue;
                    }
                    let word = match (old, new) {
                        (_, None) => "deleted",
                        (None, Some(_)) => "new",
                        (Some(_), Some(_)) => "modified",
                    };
                    if let Value::Object(keys) = deps.entry(shown(file)).or_insert_with(|| json!({})) {
                        keys.insert(key.clone(), json!(word));
                    }
                }
                // DVC says that an output cannot be had again before it says how it changed.
                Reason::OutputChanged { path, change } => {
                    outs.insert(shown(path), json!(if self.is_lost(path) { NOT_IN_CACHE } else { word(*change) }));
                }
                Reason::OutputNotCached { path } => {
                    outs.insert(shown(path), json!(NOT_IN_CACHE));
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

    /// What is said of a parameter file as a whole: that it is not there, or that nothing is remembered of it.
    fn whole_file(&self, path: &str) -> Result<Option<&'static str>, Failure> {
        let Some(param) = self.stage.params.iter().find(|param| param.path == path) else { return Ok(None) };
        if self.observe.params(&param.file)?.is_none() {
            return Ok(Some("deleted"));
        }
        let is_known = self.locked.and_then(|locked| locked.params.get(path)).is_some_and(|known| !known.is_empty());
        Ok((!is_known).then_some("new"))
    }

    /// Whether the cache lacks what the lock remembers of an output.
    fn is_lost(&self, path: &str) -> bool {
        let is_cached = self.stage.outs.iter().any(|out| out.lock_path == path && out.cached);
        let known = self.locked.and_then(|locked| locked.out(path)).and_then(|known| known.id.as_ref());
        is_cached && known.is_some_and(|id| !self.observe.has_object(id))
    }
}

const NOT_IN_CACHE: &str = "not in cache";

/// DVC's layout: the stage, and under it what changed, indented by tabs.
fn render(changed: &Map<String, Value>, selection: &Selection) -> String {
    if selection.pipeline.stages().len() == 0 {
        return "There are no data or pipelines tracked in this project yet.\n".to_owned();
    }
    if changed.is_empty() {
        return "Data and pipelines are up to date.\n".to_owned();
    }
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
