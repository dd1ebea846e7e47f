//! `exp show`: experiments beside each other. What is shown is data ([`dewar_core::exp::show`]); this renders it.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::digest::ObjectId;
use dewar_core::exp::queue::Queue;
use dewar_core::exp::queue::task::State;
use dewar_core::exp::show::{
    BaselineRow, Cell, Column, CommitReader, CommitRevision, Count, Execution, ExperimentRow, Group, Layout, Naming,
    Order, Refresh, RowKind, Same, Selection, Show, SortBy, Table, Tasks, Visible, show,
};
use dewar_core::git::CommitTime;
use dewar_core::metrics::{ParamScope, RevisionData, RevisionReader};
use dewar_core::path::RepoPath;
use dewar_core::pipeline::{Pipeline, PipelineError};
use serde_json::{Map, Value, json};

use super::watch;
use crate::args::exp::{BaselineArgs, ExpShowArgs, SortOrder};
use crate::commands::compare::files_json;
use crate::commands::project::{Project, files};
use crate::commands::revision::object;
use crate::failure::Failure;
use crate::session::{Clock, Session};
use crate::ui::number::{self, Digits};
use crate::ui::table::{self, Align};
use crate::ui::{Ui, moment, style};

/// Does what `exp show` was told.
///
/// # Errors
/// When a revision does not exist, or a column that was named.
pub fn run(args: &ExpShowArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    if args.watch {
        return watch::run(&project, args, ui);
    }
    ui.print(&render(&project, args)?)?;
    Ok(ExitCode::SUCCESS)
}

/// What is shown, in the form that was asked for.
///
/// # Errors
/// As [`run`].
pub(super) fn render(project: &Project<'_>, args: &ExpShowArgs) -> Result<String, Failure> {
    let shown = read(project, args)?;
    if args.json {
        return Ok(format!("{}\n", to_json(&shown)));
    }
    let order = match args.sort_order {
        SortOrder::Asc => Order::Ascending,
        SortOrder::Desc => Order::Descending,
    };
    let sort = args.sort_by.clone().map(|column| SortBy { column, order });
    let layout = if args.csv { Layout::Programs } else { Layout::People };
    let mut table = Table::new(&shown, layout, sort.as_ref())?;
    let same = if args.only_changed { Same::Hidden } else { Same::Shown };
    table.select(&Visible { same, drop: args.drop.clone(), keep: args.keep.clone() })?;
    let digits = match (args.precision, args.csv) {
        (Some(digits), _) => Digits::Significant(digits),
        (None, true) => Digits::All,
        (None, false) => Digits::default(),
    };
    let rendered = Rendering { digits, clock: project.session().clock, layout }.table(&table);
    Ok(match (args.csv, args.md) {
        (true, _) => rendered.csv(),
        (false, true) => rendered.markdown(),
        (false, false) => rendered.human(),
    })
}

/// The commits that are meant.
pub fn selection(args: &BaselineArgs) -> Selection {
    let mut groups = BTreeSet::new();
    if args.all_commits {
        groups.insert(Group::Commits);
    }
    let count = args.num.map_or(Count::First(1), Count::from_number);
    Selection { revisions: args.rev.clone(), count, groups }
}

/// Reads what is to be shown.
fn read(project: &Project<'_>, args: &ExpShowArgs) -> Result<Show, Failure> {
    let git = project.repo.git()?;
    let mut selection = selection(&args.baseline);
    if args.all_branches {
        selection.groups.insert(Group::Branches);
    }
    if args.all_tags {
        selection.groups.insert(Group::Tags);
    }
    let scope = if args.param_deps { ParamScope::Declared } else { ParamScope::All };
    let store = project.store();
    let objects = |id: &ObjectId| object(store, id);
    let remembered = project.remembered("show");
    let reader = CommitReader {
        params: &project.params,
        flags: project.templates().flags,
        objects: &objects,
        remembered: Some(&remembered),
        refresh: if args.force { Refresh::Always } else { Refresh::Never },
        scope,
    };
    let workspace = (!args.hide_workspace).then(|| workspace(project, scope));
    let naming = if args.sha { Naming::Digits } else { Naming::Names };
    let hidden = [(args.hide_queued, State::Queued), (args.hide_failed, State::Failed)];
    let hidden: Vec<State> = hidden.into_iter().filter(|(hide, _)| *hide).map(|(_, state)| state).collect();
    let queue = Queue::of(&project.repo);
    let tasks = Tasks { queue: &queue, on_lost: project.repo.config.own.queue.lost, hidden: &hidden };
    Ok(show(git, &selection, naming, workspace, tasks, &reader)?)
}

fn workspace(project: &Project<'_>, scope: ParamScope) -> Result<RevisionData, PipelineError> {
    let files = files(project);
    let pipeline = Pipeline::load(&files, project.templates())?;
    let store = project.store();
    let objects = |id: &ObjectId| object(store, id);
    Ok(RevisionReader::new(&files, &pipeline, &project.params, &objects).data(scope))
}

/// How cells become text.
struct Rendering {
    digits: Digits,
    clock: Clock,
    layout: Layout,
}

impl Rendering {
    fn table(&self, shown: &Table) -> table::Table {
        let columns = shown.columns.iter().map(|column| {
            let (align, look) = match column {
                Column::Metric { .. } => (Align::Right, style::METRIC),
                Column::Param { .. } => (Align::Left, style::PARAM),
                Column::Dependency { .. } => (Align::Left, style::DEPENDENCY),
                _ => (Align::Left, anstyle::Style::new()),
            };
            table::Column { title: column.title().to_owned(), align, style: look }
        });
        let rows = shown.rows.iter().map(|row| {
            let cells = row.cells.iter().zip(&shown.columns).map(|(cell, column)| match (column, self.layout) {
                (Column::Experiment, Layout::People) => Some(lead(row.kind, cell)),
                _ => self.cell(cell),
            });
            let bold = matches!(row.kind, RowKind::Workspace | RowKind::Baseline);
            let style = if bold { anstyle::Style::new().bold() } else { anstyle::Style::new() };
            table::Row { cells: cells.collect(), style }
        });
        table::Table { columns: columns.collect(), rows: rows.collect() }
    }

    fn cell(&self, cell: &Cell) -> Option<String> {
        Some(match cell {
            Cell::Missing => return None,
            Cell::Error => "!".to_owned(),
            Cell::Value(value) => number::value(value, self.digits),
            // The whole digest is for programs.
            Cell::Text(text) if self.layout == Layout::People => text.chars().take(32).collect(),
            Cell::Text(text) => text.clone(),
            Cell::Time(time) => self.time(*time),
        })
    }

    /// The time of day when it was today, else the day; in full for programs.
    fn time(&self, time: CommitTime) -> String {
        match self.layout {
            Layout::People => moment::short(time, self.clock),
            Layout::Programs => moment::zoned(time).as_ref().map(in_full).unwrap_or_default(),
        }
    }
}

/// As DVC writes it for programs: local, without a zone.
fn in_full(time: &jiff::Zoned) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// The first cell: baselines by name, their experiments below them as branches of a tree, with checkpoints as DVC 2 drew them.
fn lead(kind: RowKind, cell: &Cell) -> String {
    let text = match cell {
        Cell::Text(text) => text.clone(),
        _ => String::new(),
    };
    match kind {
        RowKind::Workspace | RowKind::Baseline => text,
        RowKind::Experiment => format!("├── {text}"),
        RowKind::LastExperiment => format!("└── {text}"),
        RowKind::CheckpointTip => format!("│ ╓ {text}"),
        RowKind::Checkpoint => format!("│ ╟ {text}"),
        RowKind::CheckpointBase => format!("├─╨ {text}"),
        RowKind::LastCheckpointBase => format!("└─╨ {text}"),
    }
}

/// The shape that DVC's `exp show --json` has and its clients read.
fn to_json(shown: &Show) -> Value {
    let mut rows = Vec::new();
    if let Some(workspace) = &shown.workspace {
        let (data, error) = match workspace {
            Ok(data) => (data_json("workspace", None, data), Value::Null),
            Err(error) => (Value::Null, error_json(error, "PipelineError")),
        };
        rows.push(json!({ "rev": "workspace", "name": null, "data": data, "error": error, "experiments": null }));
    }
    rows.extend(shown.baselines.iter().map(baseline_json));
    Value::Array(rows)
}

fn baseline_json(baseline: &BaselineRow) -> Value {
    let experiments: Vec<Value> = baseline.experiments.iter().map(experiment_json).collect();
    let mut row = revision_json(&baseline.revision, baseline.name.as_deref());
    if let Value::Object(row) = &mut row {
        let experiments = if experiments.is_empty() { Value::Null } else { Value::Array(experiments) };
        row.insert("experiments".into(), experiments);
    }
    row
}

fn experiment_json(experiment: &ExperimentRow) -> Value {
    let name = experiment.name.as_str();
    // The last commit alone has the name, as in DVC.
    let names = std::iter::once(Some(name)).chain(std::iter::repeat(None));
    let mut revisions: Vec<Value> =
        experiment.revisions().zip(names).map(|(revision, name)| revision_json(revision, name)).collect();
    if let (State::Failed, Some(execution), Some(Value::Object(tip))) =
        (experiment.state(), &experiment.execution, revisions.first_mut())
    {
        let cause = execution.cause.as_deref().unwrap_or("Experiment run failed");
        tip.insert("error".into(), error_json(&cause, ""));
    }
    let executor = experiment.execution.as_ref().map_or(Value::Null, executor_json);
    json!({ "revs": revisions, "executor": executor, "name": name })
}

fn executor_json(execution: &Execution) -> Value {
    let returned = match execution.state {
        State::Running | State::Queued => Value::Null,
        State::Success => json!(0),
        State::Failed => json!(1),
    };
    json!({
        "state": execution.state.as_str().to_ascii_lowercase(),
        "name": execution.executor(),
        "local": {
            "root": execution.workspace, "log": execution.log, "pid": execution.pid, "returncode": returned,
            "task_id": execution.task.to_string(),
        },
    })
}

fn revision_json(revision: &CommitRevision, name: Option<&str>) -> Value {
    let commit = revision.commit.to_string();
    let (data, error) = match &revision.data {
        Ok(data) => (data_json(&commit, revision.time, data), Value::Null),
        Err(error) => (Value::Null, error_json(error, "PipelineError")),
    };
    json!({ "rev": commit, "name": name, "data": data, "error": error, "experiments": null })
}

fn error_json(error: &dyn std::fmt::Display, kind: &str) -> Value {
    json!({ "msg": error.to_string(), "type": kind })
}

fn data_json(revision: &str, time: Option<CommitTime>, data: &RevisionData) -> Value {
    let hash = |id: &Option<ObjectId>| id.as_ref().map_or(Value::Null, |id| json!(id.as_str()));
    let deps: Map<String, Value> = data
        .deps
        .iter()
        .map(|(path, content)| {
            (path.clone(), json!({ "hash": hash(&content.id), "size": content.size, "nfiles": content.files }))
        })
        .collect();
    let outs: Map<String, Value> = data
        .outs
        .iter()
        .map(|(path, out)| {
            let content = &out.content;
            let value = json!({
                "hash": hash(&content.id), "size": content.size, "nfiles": content.files,
                "use_cache": out.cached, "is_data_source": out.is_data,
            });
            (path.to_string(), value)
        })
        .collect();
    let root = RepoPath::root();
    let timestamp = time.and_then(moment::zoned).as_ref().map(in_full);
    json!({
        "rev": revision, "timestamp": timestamp,
        "params": files_json(&data.params, &root), "metrics": files_json(&data.metrics, &root),
        "deps": deps, "outs": outs, "meta": {},
    })
}
