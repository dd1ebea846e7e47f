//! `params diff` and `metrics show`.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::metrics::{Changes, FileData, Files, ParamScope, RevisionReader, Unchanged, difference};
use dewar_core::params::ParamValue;
use dewar_core::params::value::to_json;
use dewar_core::path::RepoPath;
use serde_json::{Map, Value, json};

use super::project::Project;
use super::revision;
use crate::args::compare::{MetricsArgs, MetricsCommand, MetricsShowArgs, ParamsArgs, ParamsCommand, ParamsDiffArgs};
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::Ui;
use crate::ui::number::{self, Digits};
use crate::ui::problem::{Place, Problem};
use crate::ui::table::{Align, Column, Row, Table};

/// Does what `params` was told.
///
/// # Errors
/// When a revision does not exist or its pipeline is invalid.
pub fn params(args: &ParamsArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    match &args.command {
        ParamsCommand::Diff(args) => params_diff(args, session, ui),
    }
}

/// Does what `metrics` was told.
///
/// # Errors
/// When a revision does not exist or its pipeline is invalid.
pub fn metrics(args: &MetricsArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    match &args.command {
        MetricsCommand::Show(args) => metrics_show(args, session, ui),
    }
}

fn params_diff(args: &ParamsDiffArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let targets = paths(&project, &args.targets)?;
    let scope = if args.deps { ParamScope::Declared } else { ParamScope::All };
    let wanted = |reader: &RevisionReader<'_>| match targets.is_empty() {
        true => reader.params(scope),
        false => reader.params_of(&targets),
    };
    let old = revision::read(&project, Some(&args.old), wanted)?;
    let new = revision::read(&project, args.new.as_deref(), wanted)?;
    warn_of_broken(&old, ui);
    warn_of_broken(&new, ui);
    let unchanged = if args.all { Unchanged::Include } else { Unchanged::Omit };
    let changes = difference(&old, &new, unchanged);
    if args.json {
        ui.print(&format!("{}\n", changes_json(&changes)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let new_name = args.new.as_deref().unwrap_or("workspace");
    let mut titles = vec!["Path", "Param", &args.old, new_name];
    let mut rows: Vec<Vec<Option<String>>> = Vec::new();
    for (file, values) in &changes {
        for (name, change) in values {
            let value =
                |value: &Option<ParamValue>| value.as_ref().map(|value| number::value(value, Digits::default()));
            rows.push(vec![Some(file.to_string()), Some(name.clone()), value(&change.old), value(&change.new)]);
        }
    }
    if args.no_path {
        titles.remove(0);
        rows.iter_mut().for_each(|row| drop(row.remove(0)));
    }
    print_table(&titles, rows, args.md, ui)?;
    Ok(ExitCode::SUCCESS)
}

/// The shape that DVC prints: `{file: {name: {old, new[, diff]}}}`.
fn changes_json(changes: &Changes) -> Value {
    let value = |value: &Option<ParamValue>| value.as_ref().map_or(Value::Null, to_json);
    let mut files = Map::new();
    for (file, values) in changes {
        let mut names = Map::new();
        for (name, change) in values {
            let mut entry = json!({ "old": value(&change.old), "new": value(&change.new) });
            if let (Some(diff), Value::Object(entry)) = (&change.diff, &mut entry) {
                entry.insert("diff".into(), to_json(diff));
            }
            names.insert(name.clone(), entry);
        }
        if !names.is_empty() {
            files.insert(file.to_string(), Value::Object(names));
        }
    }
    Value::Object(files)
}

fn metrics_show(args: &MetricsShowArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let targets = paths(&project, &args.targets)?;
    let wanted = |reader: &RevisionReader<'_>| match targets.is_empty() {
        true => reader.metrics(),
        false => reader.metrics_of(&targets),
    };
    let mut shown: Vec<(String, Files)> = vec![(String::new(), revision::read(&project, None, wanted)?)];
    for name in revisions(args, &project)? {
        let files = revision::read(&project, Some(&name), wanted)?;
        shown.push((name, files));
    }
    if args.json {
        ui.print(&format!("{}\n", metrics_json(&shown)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let digits = args.precision.map_or_else(Digits::default, Digits::Significant);
    let mut names: Vec<String> = Vec::new();
    for data in shown.iter().flat_map(|(_, files)| files.values()) {
        for (name, _) in data.leaves() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let several = shown.len() > 1;
    let mut rows = Vec::new();
    for (revision, files) in &shown {
        warn_of_broken(files, ui);
        for (file, data) in files {
            let leaves = data.leaves();
            let cell = |name: &String| {
                let found = leaves.iter().find(|(leaf, _)| leaf == name);
                found.map(|(_, value)| number::value(value, digits))
            };
            let revision = if revision.is_empty() { "workspace" } else { revision };
            let lead = several.then(|| Some(revision.to_owned()));
            let cells = [Some(file.to_string())].into_iter().chain(names.iter().map(cell));
            rows.push(lead.into_iter().chain(cells).collect());
        }
    }
    let lead = if several { vec!["Revision", "Path"] } else { vec!["Path"] };
    let titles: Vec<&str> = lead.into_iter().chain(names.iter().map(String::as_str)).collect();
    print_table(&titles, rows, args.md, ui)?;
    Ok(ExitCode::SUCCESS)
}

/// Branches, tags and commits, as asked for.
fn revisions(args: &MetricsShowArgs, project: &Project<'_>) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    if args.all_branches {
        names.extend(project.repo.git()?.branches()?.into_keys());
    }
    if args.all_tags {
        names.extend(project.repo.git()?.tags()?.into_keys());
    }
    if args.all_commits {
        names.extend(project.repo.git()?.all_commits()?.into_iter().map(|commit| commit.to_string()));
    }
    Ok(names)
}

/// The shape that DVC prints: `{revision: {"data": {file: {"data": values} or {"error": ..}}}}`, the workspace as `""`.
fn metrics_json(shown: &[(String, Files)]) -> Value {
    let revision = |files: &Files| json!({ "data": files_json(files) });
    Value::Object(shown.iter().map(|(name, files)| (name.clone(), revision(files))).collect())
}

/// Files with their values or errors, in DVC's shape.
pub fn files_json(files: &Files) -> Value {
    let one = |data: &FileData| match data {
        FileData::Values(values) => json!({ "data": to_json(values) }),
        FileData::Broken(error) => json!({ "error": { "msg": error.to_string(), "type": error.kind() } }),
    };
    Value::Object(files.iter().map(|(file, data)| (file.to_string(), one(data))).collect())
}

fn paths(project: &Project<'_>, typed: &[String]) -> Result<Vec<RepoPath>, Failure> {
    Ok(typed.iter().map(|path| project.repo.from().join(path)).collect::<Result<_, _>>()?)
}

fn warn_of_broken(files: &Files, ui: &Ui) {
    for (file, data) in files {
        if let FileData::Broken(error) = data {
            ui.warn(&Problem {
                message: error.to_string(),
                place: Some(Place::file(file.to_string())),
                hints: Vec::new(),
            });
        }
    }
}

fn print_table(titles: &[&str], rows: Vec<Vec<Option<String>>>, markdown: bool, ui: &Ui) -> Result<(), Failure> {
    let columns = titles.iter().map(|title| Column { align: Align::Left, ..Column::new(*title) }).collect();
    let rows: Vec<Row> = rows.into_iter().map(|cells| Row { cells, ..Row::default() }).collect();
    if rows.is_empty() && !markdown {
        return Ok(());
    }
    let table = Table { columns, rows };
    ui.print(&if markdown { table.markdown() } else { table.human() })
}
