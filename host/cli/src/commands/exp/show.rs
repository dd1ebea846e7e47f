//! `exp show`: experiments beside each other. What is shown is data ([`dewar_core::exp::show`]); this renders it.

mod json;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::digest::ObjectId;
use dewar_core::exp::queue::Queue;
use dewar_core::exp::queue::task::State;
use dewar_core::exp::show::{
    Cell, Column, CommitReader, Count, Group, Layout, Naming, Order, Refresh, RowKind, Same, Selection, Show, SortBy,
    Table, Tasks, Visible, show,
};
use dewar_core::git::CommitTime;
use dewar_core::metrics::{ParamScope, RevisionData, RevisionReader};
use dewar_core::pipeline::{Pipeline, PipelineError};

use super::watch;
use crate::args::exp::{BaselineArgs, ExpShowArgs, SortOrder};
use crate::commands::project::{Project, files};
use crate::failure::Failure;
use crate::session::{Clock, Session};
use crate::ui::number::{self, Digits};
use crate::ui::table::{self, Align};
use crate::ui::{Ui, moment, page, style};

/// Does what `exp show` was told.
///
/// # Errors
/// When a revision does not exist, or a column that was named.
pub fn run(args: &ExpShowArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    if args.watch {
        return watch::run(&project, args, ui);
    }
    let shown = read(&project, args)?;
    if is_for_programs(args) {
        ui.print(&render(&shown, &project, args)?)?;
    } else {
        let pager = if args.no_pager { None } else { session.pager() };
        page::show(&[table(&shown, &project, args)?], pager.as_ref(), ui)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is shown now, in the form that was asked for.
///
/// # Errors
/// As [`run`].
pub(super) fn look(project: &Project<'_>, args: &ExpShowArgs) -> Result<String, Failure> {
    render(&read(project, args)?, project, args)
}

/// Whether the form that was asked for is no table on a terminal.
const fn is_for_programs(args: &ExpShowArgs) -> bool {
    args.json || args.csv || args.md
}

fn render(shown: &Show, project: &Project<'_>, args: &ExpShowArgs) -> Result<String, Failure> {
    if args.json {
        return Ok(json::document(shown));
    }
    let table = table(shown, project, args)?;
    Ok(match (args.csv, args.md) {
        (true, _) => table.csv(),
        (false, true) => table.markdown(),
        (false, false) => table.human(),
    })
}

fn table(shown: &Show, project: &Project<'_>, args: &ExpShowArgs) -> Result<table::Table, Failure> {
    let order = match args.sort_order {
        SortOrder::Asc => Order::Ascending,
        SortOrder::Desc => Order::Descending,
    };
    let sort = args.sort_by.clone().map(|column| SortBy { column, order });
    let layout = if args.csv { Layout::Programs } else { Layout::People };
    let mut table = Table::new(shown, layout, sort.as_ref())?;
    let same = if args.only_changed { Same::Hidden } else { Same::Shown };
    table.select(&Visible { same, drop: args.drop.clone(), keep: args.keep.clone() })?;
    let digits = match (args.precision, args.csv) {
        (Some(digits), _) => Digits::Significant(digits),
        (None, true) => Digits::All,
        (None, false) => Digits::default(),
    };
    Ok(Rendering { digits, clock: project.session().clock, layout }.table(&table))
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
    let objects = |id: &ObjectId| store.content(id);
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
    let objects = |id: &ObjectId| store.content(id);
    Ok(RevisionReader::new(&files, &pipeline, &project.params, &objects).data(scope))
}

/// As many digits as git shows of a commit tell contents apart for people.
const ENOUGH_OF_A_DIGEST: usize = 7;

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
            let enough = matches!(column, Column::Dependency { .. }).then_some(ENOUGH_OF_A_DIGEST);
            table::Column { title: column.title().to_owned(), align, style: look, enough }
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
