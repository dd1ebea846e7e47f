//! [`Table`]: the rows of `exp show` with columns, sorted and filtered, for people and for CSV.

use dewar_text::Value;
use regex::Regex;

use super::columns::{Leaves, Names, SortKey, cell, compare};
use super::row::{Place, Row, RowKind};
use super::{CommitRevision, Execution, ExperimentRow, Show};
use crate::exp::queue::task::State;
use crate::git::{CommitId, CommitTime};
use crate::metrics::RevisionData;
use crate::path::RepoPath;

/// For whom a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One column says which commit a row is.
    People,
    /// Name, revision, kind and parent have columns of their own, as in DVC's CSV.
    Programs,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Column {
    /// For people: what the row is about. For programs: the name of the experiment.
    Experiment,
    /// The branch, tag or first digits of the commit.
    Revision,
    /// What kind of row it is, in DVC's words.
    Kind,
    /// When it was committed.
    Created,
    /// Behind which commit of another experiment a row comes.
    Parent,
    /// Whether a task runs, waits, failed or succeeded.
    State,
    /// Who runs it.
    Executor,
    /// A metric.
    Metric {
        /// The file.
        file: RepoPath,
        /// The dotted name; empty when the file holds one value.
        name: String,
        /// The name, with the file before it where the name alone is ambiguous.
        title: String,
    },
    /// A parameter, as a metric.
    Param {
        /// The file.
        file: RepoPath,
        /// The dotted name; empty when the file holds one value.
        name: String,
        /// The name, with the file before it where the name alone is ambiguous.
        title: String,
    },
    /// The content of something that stages read.
    Dependency {
        /// Its path.
        path: String,
    },
}

impl Column {
    /// What stands at its head.
    #[must_use]
    pub fn title(&self) -> &str {
        match self {
            Self::Experiment => "Experiment",
            Self::Revision => "rev",
            Self::Kind => "typ",
            Self::Created => "Created",
            Self::Parent => "parent",
            Self::State => "State",
            Self::Executor => "Executor",
            Self::Metric { title, .. } | Self::Param { title, .. } => title,
            Self::Dependency { path } => path,
        }
    }
}

/// What stands in a column of a row.
#[derive(Debug, Clone)]
pub enum Cell {
    /// The row has nothing there.
    Missing,
    /// The file, or the whole revision, cannot be used.
    Error,
    /// A metric or parameter.
    Value(Value),
    /// A name, or the digest of a content.
    Text(String),
    /// A moment.
    Time(CommitTime),
}

impl Cell {
    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Missing, Self::Missing) | (Self::Error, Self::Error) => true,
            (Self::Value(a), Self::Value(b)) => a.same(b),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Time(a), Self::Time(b)) => a == b,
            _ => false,
        }
    }
}

/// Columns and rows.
#[derive(Debug, Clone)]
pub struct Table {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows: the work tree, then each baseline with its experiments below.
    pub rows: Vec<Row>,
}

/// In which direction rows are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The smallest first.
    Ascending,
    /// The largest first.
    Descending,
}

/// By what the experiments of each baseline are sorted. Those without a value come last in either order.
#[derive(Debug, Clone)]
pub struct SortBy {
    /// `name` or `file:name`.
    pub column: String,
    /// The direction.
    pub order: Order,
}

/// Which columns are shown. The patterns are regular expressions that a title must begin with.
#[derive(Debug, Clone, Default)]
pub struct Visible {
    /// Which columns are left out unasked.
    pub same: Same,
    /// Columns that are left out.
    pub drop: Vec<String>,
    /// Columns that stay, whatever else is said.
    pub keep: Vec<String>,
}

/// What becomes of columns whose cells are all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Same {
    /// They are shown.
    #[default]
    Shown,
    /// They are left out, but for the first, which says what the rows are.
    Hidden,
}

/// Why a table cannot be made as asked.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// There is no such metric or parameter.
    #[error("there is no metric or parameter `{column}` to sort by")]
    UnknownColumn {
        /// What was asked for.
        column: String,
        /// The one that looks most like it.
        similar: Option<String>,
    },
    /// Several files have it.
    #[error("`{column}` is in several files; write one of: {}", candidates.join(", "))]
    AmbiguousColumn {
        /// What was asked for.
        column: String,
        /// What it can mean, as it would be written.
        candidates: Vec<String>,
    },
    /// No regular expression.
    #[error("`{pattern}` is no regular expression: {source}")]
    Pattern {
        /// What was written.
        pattern: String,
        /// Why.
        source: Box<regex::Error>,
    },
}

impl Table {
    /// The table of what is shown, with all its columns.
    ///
    /// # Errors
    /// [`TableError::UnknownColumn`] and [`TableError::AmbiguousColumn`].
    pub fn new(show: &Show, layout: Layout, sort: Option<&SortBy>) -> Result<Self, TableError> {
        let names = Names::of(show);
        let mut columns = match layout {
            Layout::People => vec![Column::Experiment, Column::Created],
            Layout::Programs => {
                vec![Column::Experiment, Column::Revision, Column::Kind, Column::Created, Column::Parent]
            }
        };
        columns.extend([Column::State, Column::Executor]);
        columns.extend(names.columns());
        let sort = sort.map(|sort| Ok((names.find(&sort.column)?, sort.order))).transpose()?;
        let mut table = Self { columns, rows: Vec::new() };
        let row = |kind| Line { kind, name: None, revision: None, data: None, execution: None, branches_off: None };
        if let Some(workspace) = &show.workspace {
            table.push(layout, &Line { data: workspace.as_ref().ok(), ..row(RowKind::Workspace) });
        }
        for baseline in &show.baselines {
            let (name, revision) = (baseline.name.as_deref(), baseline.revision.as_ref());
            let data = revision.data.as_ref().ok();
            table.push(layout, &Line { name, revision: Some(revision), data, ..row(RowKind::Baseline) });
            let experiments = sorted(&baseline.experiments, sort.as_ref());
            let count = experiments.len();
            for (at, experiment) in experiments.into_iter().enumerate() {
                let place = if at + 1 == count { Place::Last } else { Place::Before };
                let count = experiment.own().count();
                for (at, revision) in experiment.own().enumerate() {
                    // What the experiment is called, and where it is, stands beside its last commit alone.
                    let of_tip = at == 0;
                    table.push(
                        layout,
                        &Line {
                            kind: RowKind::of(at, count, place),
                            name: of_tip.then(|| experiment.name.as_str()),
                            revision: Some(revision),
                            data: revision.data.as_ref().ok(),
                            execution: experiment.execution.as_ref().filter(|_| of_tip),
                            branches_off: experiment.branches_off(revision.commit),
                        },
                    );
                }
            }
        }
        table.retain(|table, at, column| !matches!(column, Column::State | Column::Executor) || !table.is_empty(at));
        Ok(table)
    }

    fn push(&mut self, layout: Layout, line: &Line<'_>) {
        let &Line { kind, name, revision, data, execution, branches_off } = line;
        let is_experiment = !matches!(kind, RowKind::Workspace | RowKind::Baseline);
        let called = match (name, revision) {
            (_, None) => "workspace".to_owned(),
            (Some(name), Some(_)) if !is_experiment => name.to_owned(),
            (_, Some(revision)) => revision.commit.short(),
        };
        let parent = branches_off.map(|commit| commit.short());
        let experiment = match (name.filter(|_| is_experiment), layout) {
            (name, Layout::Programs) => name.unwrap_or_default().to_owned(),
            (name, Layout::People) => {
                let name = name.map(|name| format!(" [{name}]"));
                let parent = parent.as_ref().map(|parent| format!(" ({parent})"));
                [Some(called.clone()), name, parent].into_iter().flatten().collect()
            }
        };
        let leaves = data.map(Leaves::of);
        let word = |word: &str| Cell::Text(word.to_owned());
        let cells = self.columns.iter().map(|column| match (column, &leaves, data) {
            (Column::Experiment, ..) => word(&experiment),
            (Column::Revision, ..) => word(&called),
            (Column::Kind, ..) => word(kind.as_str()),
            (Column::Created, ..) => revision.and_then(|revision| revision.time).map_or(Cell::Missing, Cell::Time),
            (Column::Parent, ..) => word(parent.as_deref().unwrap_or_default()),
            (Column::State, ..) => execution.map_or(Cell::Missing, |execution| word(execution.state.as_str())),
            (Column::Executor, ..) => {
                execution.and_then(Execution::executor).map_or(Cell::Missing, |executor| word(&capitalized(executor)))
            }
            (Column::Metric { file, name, .. }, Some(leaves), _) => cell(&leaves.metrics, file, name),
            (Column::Param { file, name, .. }, Some(leaves), _) => cell(&leaves.params, file, name),
            (Column::Dependency { path }, _, Some(data)) => {
                let id = data.deps.get(path).and_then(|content| content.id.as_ref());
                id.map_or(Cell::Missing, |id| Cell::Text(id.to_string()))
            }
            (_, None, _) | (_, _, None) => Cell::Error,
        });
        let cells = cells.collect();
        let commit = revision.map(|revision| revision.commit);
        self.rows.push(Row { kind, name: name.map(str::to_owned), commit, cells });
    }

    /// Leaves out the columns that are not wanted.
    ///
    /// # Errors
    /// [`TableError::Pattern`].
    pub fn select(&mut self, visible: &Visible) -> Result<(), TableError> {
        let (drop, keep) = (patterns(&visible.drop)?, patterns(&visible.keep)?);
        let matches = |patterns: &[Regex], title: &str| patterns.iter().any(|pattern| pattern.is_match(title));
        self.retain(|table, at, column| {
            let hidden = visible.same == Same::Hidden && *column != Column::Experiment && table.is_same(at);
            matches(&keep, column.title()) || !(hidden || matches(&drop, column.title()))
        });
        Ok(())
    }

    fn retain(&mut self, stays: impl Fn(&Self, usize, &Column) -> bool) {
        let stays: Vec<bool> = self.columns.iter().enumerate().map(|(at, column)| stays(self, at, column)).collect();
        retain(&mut self.columns, &stays);
        self.rows.iter_mut().for_each(|row| retain(&mut row.cells, &stays));
    }

    /// Whether no row has anything in a column.
    fn is_empty(&self, column: usize) -> bool {
        self.rows.iter().all(|row| matches!(row.cells.get(column), None | Some(Cell::Missing)))
    }

    /// Whether all rows have the same in a column.
    fn is_same(&self, column: usize) -> bool {
        let mut cells = self.rows.iter().filter_map(|row| row.cells.get(column));
        cells.next().is_none_or(|first| cells.all(|cell| cell.same(first)))
    }
}

/// What a row is made of.
struct Line<'a> {
    kind: RowKind,
    name: Option<&'a str>,
    revision: Option<&'a CommitRevision>,
    data: Option<&'a RevisionData>,
    execution: Option<&'a Execution>,
    branches_off: Option<CommitId>,
}

/// The experiments of one baseline in the order asked for; as they are when none is. Equal ones keep their order, and so do
/// those that are not finished: they have no results, and the order of the queue says what comes next.
fn sorted<'a>(experiments: &'a [ExperimentRow], sort: Option<&(SortKey, Order)>) -> Vec<&'a ExperimentRow> {
    let Some((key, order)) = sort else { return experiments.iter().collect() };
    let is_finished = |row: &ExperimentRow| row.state() == State::Success;
    let mut keyed: Vec<_> = experiments.iter().map(|experiment| (key.value(experiment), experiment)).collect();
    for group in keyed.chunk_by_mut(|(_, a), (_, b)| is_finished(a) == is_finished(b)) {
        if group.first().is_some_and(|(_, row)| is_finished(row)) {
            group.sort_by(|(a, _), (b, _)| compare(a.as_ref(), b.as_ref(), *order));
        }
    }
    keyed.into_iter().map(|(_, experiment)| experiment).collect()
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

fn retain<T>(items: &mut Vec<T>, stays: &[bool]) {
    let mut stays = stays.iter();
    items.retain(|_| stays.next().copied().unwrap_or_default());
}

/// Python's `re.match`: a title must begin with the pattern, and may go on.
fn patterns(texts: &[String]) -> Result<Vec<Regex>, TableError> {
    let compile = |text: &String| {
        Regex::new(text)
            .and_then(|_| Regex::new(&format!(r"\A(?:{text})")))
            .map_err(|source| TableError::Pattern { pattern: text.clone(), source: Box::new(source) })
    };
    texts.iter().map(compile).collect()
}
