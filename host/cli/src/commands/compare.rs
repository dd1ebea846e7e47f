//! `params diff`, `metrics show` and `metrics diff`.

use std::collections::HashMap;
use std::iter;
use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::git::CommitId;
use dewar_core::metrics::{Changes, FileData, Files, ParamScope, RevisionReader};
use dewar_core::params::value::to_json;
use dewar_core::path::RepoPath;
use indexmap::IndexSet;
use serde_json::{Value, json};

use super::compared::{Compared, print_tables};
use super::project::Project;
use super::revision::Revision;
use crate::args::compare::{
    DiffArgs, MetricsArgs, MetricsCommand, MetricsDiffArgs, MetricsShowArgs, ParamsArgs, ParamsCommand, ParamsDiffArgs,
};
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::Ui;
use crate::ui::changes::{ChangeColumn, ChangesTable, changes_json};
use crate::ui::number::{self, Digits};
use crate::ui::problem::Problem;
use crate::ui::table::{Column, Row, Table};

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
        MetricsCommand::Diff(args) => metrics_diff(args, session, ui),
    }
}

fn params_diff(args: &ParamsDiffArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let targets = paths(&project, &args.targets)?;
    let scope = if args.deps { ParamScope::Declared } else { ParamScope::All };
    let compared = Compared::find(&project, &args.diff)?;
    let read = compared.read(&project, |_, reader| match targets.is_empty() {
        true => reader.params(scope),
        false => reader.params_of(&targets),
    })?;
    let table = compared.table("Param", Digits::All).without(ChangeColumn::Change);
    print_changes(&compared.changes(read.each_ref(), ui), &table, &args.diff, &project, ui)
}

fn metrics_diff(args: &MetricsDiffArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let targets = paths(&project, &args.targets)?;
    let compared = Compared::find(&project, &args.diff)?;
    let read = compared.read(&project, |revision, reader| revision.results(|| metrics_of(reader, &targets), ui))?;
    let table = compared.table("Metric", args.precision.map_or_else(Digits::default, Digits::Significant));
    print_changes(&compared.changes(read.each_ref(), ui), &table, &args.diff, &project, ui)
}

/// The metrics in `targets`; without any, those of the pipeline.
fn metrics_of(reader: &RevisionReader<'_>, targets: &[RepoPath]) -> Files {
    if targets.is_empty() { reader.metrics() } else { reader.metrics_of(targets) }
}

fn print_changes(
    changes: &Changes,
    table: &ChangesTable<'_>,
    args: &DiffArgs,
    project: &Project<'_>,
    ui: &Ui,
) -> Result<ExitCode, Failure> {
    let from = project.repo.from();
    if args.json {
        ui.print(&format!("{}\n", changes_json(changes, from)))?;
    } else {
        print_tables(vec![table.of(changes, from)], args.md, project.session(), ui)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn metrics_show(args: &MetricsShowArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let targets = paths(&project, &args.targets)?;
    let commits = commits(args, &project)?;
    let commits = commits.iter().map(|(name, commit)| Revision::commit(name, *commit));
    let mut shown: Vec<(Revision<'_>, Files)> = Vec::new();
    for revision in iter::once(Revision::workspace()).chain(commits) {
        match revision.read(&project, |reader| metrics_of(reader, &targets)) {
            Ok(files) => shown.push((revision, files)),
            Err(failure) if revision.is_workspace() => return Err(failure),
            // Of many commits some are broken; the others are shown.
            Err(failure) => ui.warn(&Problem::new(format!("in `{}`: {}", revision.name, failure.message()))),
        }
    }
    let from = project.repo.from();
    if args.json {
        ui.print(&format!("{}\n", metrics_json(&shown, from)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let digits = args.precision.map_or_else(Digits::default, Digits::Significant);
    let data = shown.iter().flat_map(|(_, files)| files.values());
    let names: IndexSet<String> = data.flat_map(|data| data.leaves()).map(|(name, _)| name).collect();
    let several = shown.len() > 1;
    let mut rows = Vec::new();
    for (revision, files) in &shown {
        revision.warn_of_broken(files, ui);
        for (file, data) in files {
            let leaves: HashMap<String, _> = data.leaves().into_iter().collect();
            let cell = |name: &String| leaves.get(name).map(|value| number::value(value, digits));
            let lead = several.then(|| Some(revision.name.to_owned()));
            let cells = [Some(file.relative_to(from))].into_iter().chain(names.iter().map(cell));
            rows.push(Row { cells: lead.into_iter().chain(cells).collect(), ..Row::default() });
        }
    }
    let lead = if several { vec!["Revision", "Path"] } else { vec!["Path"] };
    let titles = lead.into_iter().chain(names.iter().map(String::as_str));
    print_tables(vec![Table { columns: titles.map(Column::new).collect(), rows }], args.md, session, ui)?;
    Ok(ExitCode::SUCCESS)
}

/// Branches, tags and commits with their names, as asked for.
fn commits(args: &MetricsShowArgs, project: &Project<'_>) -> Result<Vec<(String, CommitId)>, Failure> {
    let mut commits = Vec::new();
    if args.all_branches {
        commits.extend(project.repo.git()?.branches()?);
    }
    if args.all_tags {
        commits.extend(project.repo.git()?.tags()?);
    }
    if args.all_commits {
        commits.extend(project.repo.git()?.all_commits()?.into_iter().map(|commit| (commit.to_string(), commit)));
    }
    Ok(commits)
}

/// The shape that DVC prints: `{revision: {"data": {file: {"data": values} or {"error": ..}}}}`, the workspace as `""`.
fn metrics_json(shown: &[(Revision<'_>, Files)], from: &RepoPath) -> Value {
    let revision = |(revision, files): &(Revision<'_>, Files)| {
        let name = if revision.is_workspace() { "" } else { revision.name };
        (name.to_owned(), json!({ "data": files_json(files, from) }))
    };
    Value::Object(shown.iter().map(revision).collect())
}

/// Files, as seen from the folder `from`, with their values or errors, in DVC's shape.
pub fn files_json(files: &Files, from: &RepoPath) -> Value {
    let one = |data: &FileData| match data {
        FileData::Values(values) => json!({ "data": to_json(values) }),
        FileData::Broken(error) => json!({ "error": { "msg": error.to_string(), "type": error.kind() } }),
    };
    Value::Object(files.iter().map(|(file, data)| (file.relative_to(from), one(data))).collect())
}

fn paths(project: &Project<'_>, typed: &[String]) -> Result<Vec<RepoPath>, Failure> {
    Ok(typed.iter().map(|path| project.repo.from().join(path)).collect::<Result<_, _>>()?)
}
