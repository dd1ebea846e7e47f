//! [`Table`]: the rows of `exp show` with columns, sorted and filtered, for people and for CSV.

use dewar_text::Value;
use regex::Regex;

use super::columns::{Leaves, Names, SortKey, cell, compare};
use super::{ExperimentRow, Show};
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
    /// Where a row branches off; always empty, as in DVC since version 3.
    Parent,
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

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// The work tree.
    Workspace,
    /// A baseline.
    Baseline,
    /// An experiment of the baseline above.
    Experiment,
    /// The last experiment of the baseline above.
    LastExperiment,
}

impl RowKind {
    /// DVC's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Workspace | Self::Baseline => "baseline",
            Self::Experiment => "branch_commit",
            Self::LastExperiment => "branch_base",
        }
    }
}

/// A row; its cells are as many as the table has columns.
#[derive(Debug, Clone)]
pub struct Row {
    /// What it is about.
    pub kind: RowKind,
    /// The branch or tag of a baseline, the name of an experiment.
    pub name: Option<String>,
    /// The commit; none for the work tree.
    pub commit: Option<CommitId>,
    /// What stands in the columns.
    pub cells: Vec<Cell>,
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
        columns.extend(names.columns());
        let sort = sort.map(|sort| Ok((names.find(&sort.column)?, sort.order))).transpose()?;
        let mut table = Self { columns, rows: Vec::new() };
        if let Some(workspace) = &show.workspace {
            table.push(layout, RowKind::Workspace, None, None, None, workspace.as_ref().ok());
        }
        for baseline in &show.baselines {
            let revision = &baseline.revision;
            let name = baseline.name.clone();
            table.push(
                layout,
                RowKind::Baseline,
                name,
                Some(revision.commit),
                revision.time,
                revision.data.as_ref().ok(),
            );
            let experiments = sorted(&baseline.experiments, sort.as_ref());
            let count = experiments.len();
            for (at, experiment) in experiments.into_iter().enumerate() {
                let kind = if at + 1 == count { RowKind::LastExperiment } else { RowKind::Experiment };
                let name = Some(experiment.name.to_string());
                let tip = &experiment.tip;
                table.push(layout, kind, name, Some(tip.commit), tip.time, tip.data.as_ref().ok());
            }
        }
        Ok(table)
    }

    fn push(
        &mut self,
        layout: Layout,
        kind: RowKind,
        name: Option<String>,
        commit: Option<CommitId>,
        time: Option<CommitTime>,
        data: Option<&RevisionData>,
    ) {
        let is_experiment = matches!(kind, RowKind::Experiment | RowKind::LastExperiment);
        let digits = commit.map(|commit| commit.short());
        let revision = match (&name, digits) {
            (_, None) => "workspace".to_owned(),
            (Some(name), Some(_)) if !is_experiment => name.clone(),
            (_, Some(digits)) => digits,
        };
        let experiment = match (&name, layout, is_experiment) {
            (Some(name), Layout::People, true) => format!("{revision} [{name}]"),
            (None, Layout::People, _) | (Some(_), Layout::People, false) => revision.clone(),
            (Some(name), Layout::Programs, true) => name.clone(),
            (_, Layout::Programs, _) => String::new(),
        };
        let leaves = data.map(Leaves::of);
        let cells = self.columns.iter().map(|column| match (column, &leaves, data) {
            (Column::Experiment, ..) => Cell::Text(experiment.clone()),
            (Column::Revision, ..) => Cell::Text(revision.clone()),
            (Column::Kind, ..) => Cell::Text(kind.as_str().to_owned()),
            (Column::Created, ..) => time.map_or(Cell::Missing, Cell::Time),
            (Column::Parent, ..) => Cell::Text(String::new()),
            (Column::Metric { file, name, .. }, Some(leaves), _) => cell(&leaves.metrics, file, name),
            (Column::Param { file, name, .. }, Some(leaves), _) => cell(&leaves.params, file, name),
            (Column::Dependency { path }, _, Some(data)) => {
                let id = data.deps.get(path).and_then(|content| content.id.as_ref());
                id.map_or(Cell::Missing, |id| Cell::Text(id.to_string()))
            }
            (_, None, _) | (_, _, None) => Cell::Error,
        });
        let cells = cells.collect();
        self.rows.push(Row { kind, name, commit, cells });
    }

    /// Leaves out the columns that are not wanted.
    ///
    /// # Errors
    /// [`TableError::Pattern`].
    pub fn select(&mut self, visible: &Visible) -> Result<(), TableError> {
        let (drop, keep) = (patterns(&visible.drop)?, patterns(&visible.keep)?);
        let matches = |patterns: &[Regex], title: &str| patterns.iter().any(|pattern| pattern.is_match(title));
        let stays: Vec<bool> = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| {
                let hidden = visible.same == Same::Hidden && *column != Column::Experiment && self.is_same(at);
                matches(&keep, column.title()) || !(hidden || matches(&drop, column.title()))
            })
            .collect();
        retain(&mut self.columns, &stays);
        self.rows.iter_mut().for_each(|row| retain(&mut row.cells, &stays));
        Ok(())
    }

    /// Whether all rows have the same in a column.
    fn is_same(&self, column: usize) -> bool {
        let mut cells = self.rows.iter().filter_map(|row| row.cells.get(column));
        cells.next().is_none_or(|first| cells.all(|cell| cell.same(first)))
    }
}

/// The experiments of one baseline in the order asked for; as they are when none is. Equal ones keep their order.
fn sorted<'a>(experiments: &'a [ExperimentRow], sort: Option<&(SortKey, Order)>) -> Vec<&'a ExperimentRow> {
    let Some((key, order)) = sort else { return experiments.iter().collect() };
    let mut keyed: Vec<_> = experiments.iter().map(|experiment| (key.value(experiment), experiment)).collect();
    keyed.sort_by(|(a, _), (b, _)| compare(a.as_ref(), b.as_ref(), *order));
    keyed.into_iter().map(|(_, experiment)| experiment).collect()
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
