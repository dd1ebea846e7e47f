//! `checkout`: brings files to what is recorded of them.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::path::RepoPath;
use dewar_core::pipeline::Pipeline;
use dewar_core::pipeline::target::{self, Folders, Target, Targets, Typed};
use dewar_core::repro;
use dewar_core::track::{self, Change, CheckOut, CheckedOut, Links, Unsaved};
use serde_json::json;

use super::project::{Project, files};
use crate::args::data::CheckoutArgs;
use crate::failure::{Failure, Kind};
use crate::session::Session;
use crate::ui::{Ui, text};

/// Does what `checkout` was told.
///
/// # Errors
/// When content would be lost or the cache lacks something.
pub fn run(args: &CheckoutArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let _held = project.take_workspace("checkout")?;
    let pipeline = Pipeline::load(&files(&project), project.templates())?;
    let workspace = project.workspace(&pipeline)?;
    let selected = selected(&project, &pipeline, &args.targets, args.with_deps, args.recursive)?;
    let stages = selected.iter().map(|target| (pipeline.stage(target.stage), target.output.as_ref()));
    let how = CheckOut {
        unsaved: if args.force { Unsaved::Replace } else { Unsaved::Refuse },
        links: if args.relink { Links::Renew } else { Links::Leave },
    };
    let done = track::check_out(&workspace, &pipeline, stages, how);
    project.save_index();
    let done = done?;
    let shown = |path: &RepoPath| text::visible(&path.relative_to(project.repo.from())).into_owned();
    if args.json {
        ui.print(&format!("{}\n", as_json(&done, &|path| path.relative_to(project.repo.from()))))?;
    } else if args.summary {
        ui.tell(&summary(&done))?;
    } else {
        let lines = lines(&done, &shown);
        if !lines.is_empty() {
            ui.tell(lines.trim_end())?;
        } else if done.missing.is_empty() {
            ui.tell("Everything is as the project says.")?;
        }
    }
    if done.missing.is_empty() || args.allow_missing {
        return Ok(ExitCode::SUCCESS);
    }
    let missing: Vec<String> = done.missing.iter().map(|path| format!("`{}`", shown(path))).collect();
    let are = if missing.len() == 1 { "is" } else { "are" };
    let message = format!("what is recorded of {} {are} not in the cache", missing.join(", "));
    Err(Failure::new(Kind::Repository, message).hint("run the stages that make it, or `dewar pull` it from a remote"))
}

/// The stages that were named, each with the path inside of it where one was.
///
/// # Errors
/// When a target names nothing, or the stages make no graph and what they need is asked for.
pub fn selected(
    project: &Project<'_>,
    pipeline: &Pipeline,
    targets: &[String],
    with_deps: bool,
    recursive: bool,
) -> Result<Vec<Target>, Failure> {
    let folders = if recursive { Folders::Searched } else { Folders::Refused };
    let typed =
        if targets.is_empty() { Targets::All } else { Targets::Typed(Typed { folders, ..project.typed(targets) }) };
    let mut selected = target::resolve(pipeline, &typed)?;
    if with_deps && !targets.is_empty() {
        let graph = repro::graph(pipeline, &files(project))?;
        let named: Vec<_> = selected.iter().map(|target| target.stage).collect();
        let needed = graph.upstream_first(pipeline, &named).into_iter().filter(|id| !named.contains(id));
        let needed: Vec<Target> = needed.map(|stage| Target { stage, output: None }).collect();
        selected.splice(0..0, needed);
    }
    Ok(selected)
}

/// A line for each output that changed.
pub fn lines(done: &CheckedOut, shown: &dyn Fn(&RepoPath) -> String) -> String {
    let mut out = String::new();
    for (letter, kind) in [('M', Change::Modified), ('A', Change::Added)] {
        let mut changes: Vec<_> = done.outputs.iter().filter(|output| output.change == kind).collect();
        // Directories first, as DVC has it.
        changes.sort_by_key(|output| (!output.is_directory, &output.path));
        for output in changes {
            let slash = if output.is_directory { "/" } else { "" };
            let _infallible = writeln!(out, "{letter}\t{}{slash}", shown(&output.path));
        }
    }
    out
}

fn summary(done: &CheckedOut) -> String {
    text::joined(&counts(done)).unwrap_or_else(|| "No changes.".to_owned())
}

/// `3 files modified`, and so on.
pub fn counts(done: &CheckedOut) -> Vec<String> {
    let files = &done.files;
    let counts = [(files.modified.len(), "modified"), (files.added.len(), "added"), (files.deleted.len(), "deleted")];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    counts.map(|(count, word)| format!("{} {word}", text::counted(count, "file"))).collect()
}

/// As `checkout --json` prints it.
pub fn as_json(done: &CheckedOut, shown: &dyn Fn(&RepoPath) -> String) -> serde_json::Value {
    let list = |paths: &[RepoPath]| paths.iter().map(shown).collect::<Vec<_>>();
    json!({
        "added": list(&done.files.added),
        "modified": list(&done.files.modified),
        "deleted": list(&done.files.deleted),
        "missing": list(&done.missing),
    })
}
