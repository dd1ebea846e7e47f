//! The columns of a [`Table`](super::Table): all metrics and parameters of all rows, what they are called, and what a row has
//! there.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

use dewar_text::Value;
use indexmap::{IndexMap, IndexSet};

use super::table::{Cell, Column, Order, TableError};
use super::{ExperimentRow, Show};
use crate::metrics::{FileData, Files, RevisionData};
use crate::path::RepoPath;

/// Titles that no metric or parameter may have for its own.
const TAKEN: [&str; 7] = ["Experiment", "rev", "typ", "Created", "parent", "State", "Executor"];

/// Whether something is a metric or a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Metric,
    Param,
}

impl Side {
    const fn files(self, data: &RevisionData) -> &Files {
        match self {
            Self::Metric => &data.metrics,
            Self::Param => &data.params,
        }
    }
}

/// The names of all metrics and parameters over all rows, in order of appearance.
pub(super) struct Names {
    files: IndexMap<(Side, RepoPath), IndexSet<String>>,
    deps: BTreeSet<String>,
    /// In how many files a name is.
    counts: HashMap<String, usize>,
}

impl Names {
    pub(super) fn of(show: &Show) -> Self {
        let mut names = Self { files: IndexMap::new(), deps: BTreeSet::new(), counts: HashMap::new() };
        let workspace = show.workspace.iter().filter_map(|data| data.as_ref().ok());
        workspace.for_each(|data| names.add(data));
        for baseline in &show.baselines {
            baseline.revision.data.iter().for_each(|data| names.add(data));
            for experiment in &baseline.experiments {
                experiment.own().flat_map(|revision| &revision.data).for_each(|data| names.add(data));
            }
        }
        for known in names.files.values_mut() {
            // A file that is broken wherever it is must be seen, too.
            if known.is_empty() {
                known.insert(String::new());
            }
            known.iter().for_each(|name| *names.counts.entry(name.clone()).or_default() += 1);
        }
        TAKEN.iter().for_each(|title| *names.counts.entry((*title).to_owned()).or_default() += 1);
        names
    }

    fn add(&mut self, data: &RevisionData) {
        for side in [Side::Metric, Side::Param] {
            for (file, data) in side.files(data) {
                let leaves = data.leaves();
                if leaves.is_empty() && data.values().is_some() {
                    continue;
                }
                let known = self.files.entry((side, file.clone())).or_default();
                known.extend(leaves.into_iter().map(|(name, _)| name));
            }
        }
        for path in data.deps.keys() {
            if !self.deps.contains(path) {
                self.deps.insert(path.clone());
            }
        }
    }

    pub(super) fn columns(&self) -> impl Iterator<Item = Column> {
        let of = |wanted: Side| self.files.iter().filter(move |((side, _), _)| *side == wanted);
        let named = move |side| {
            of(side).flat_map(|((_, file), names)| names.iter().map(move |name| (file.clone(), name.clone())))
        };
        let metrics = named(Side::Metric).map(|(file, name)| {
            let title = self.title(&file, &name);
            Column::Metric { file, name, title }
        });
        let params = named(Side::Param).map(|(file, name)| {
            let title = self.title(&file, &name);
            Column::Param { file, name, title }
        });
        metrics.chain(params).chain(self.deps.iter().map(|path| Column::Dependency { path: path.clone() }))
    }

    fn title(&self, file: &RepoPath, name: &str) -> String {
        match self.counts.get(name) {
            _ if name.is_empty() => file.to_string(),
            Some(1) => name.to_owned(),
            _ => format!("{file}:{name}"),
        }
    }

    /// The column that `name` or `file:name` means. Names may have colons in them.
    pub(super) fn find(&self, column: &str) -> Result<SortKey, TableError> {
        let keys = || {
            self.files.iter().flat_map(|((side, file), names)| {
                names.iter().map(|name| SortKey { side: *side, file: file.clone(), name: name.clone() })
            })
        };
        let written = |key: &SortKey| format!("{}:{}", key.file, key.name);
        let mut found: Vec<SortKey> = keys().filter(|key| written(key) == column).collect();
        if found.is_empty() {
            let name = column.strip_prefix(':').unwrap_or(column);
            found = keys().filter(|key| key.name == name).collect();
        }
        match (found.pop(), found.is_empty()) {
            (Some(key), true) => Ok(key),
            (Some(last), false) => Err(TableError::AmbiguousColumn {
                column: column.to_owned(),
                candidates: found.iter().chain([&last]).map(written).collect(),
            }),
            (None, _) => {
                let titles: Vec<String> = keys().map(|key| self.title(&key.file, &key.name)).collect();
                let similar = crate::words::most_similar(column, titles.iter().map(String::as_str));
                Err(TableError::UnknownColumn { column: column.to_owned(), similar: similar.map(str::to_owned) })
            }
        }
    }
}

/// The value by which experiments are sorted.
pub(super) struct SortKey {
    side: Side,
    file: RepoPath,
    name: String,
}

impl SortKey {
    pub(super) fn value(&self, row: &ExperimentRow) -> Option<Value> {
        let file = self.side.files(row.tip.data.as_ref().ok()?).get(&self.file)?;
        let leaves = file.leaves().into_iter();
        leaves
            .filter(|(name, _)| *name == self.name)
            .map(|(_, value)| value.clone())
            .find(|value| *value != Value::Null)
    }
}

/// Numbers before texts before the rest; nothing last, whatever the order.
pub(super) fn compare(a: Option<&Value>, b: Option<&Value>, order: Order) -> Ordering {
    let (a, b) = match (a, b) {
        (Some(a), Some(b)) => (a, b),
        (a, b) => return b.is_some().cmp(&a.is_some()),
    };
    let by_kind = match (number(a), number(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a, b) if a.is_some() != b.is_some() => b.is_some().cmp(&a.is_some()),
        _ => match (a, b) {
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            (Value::Text(_), _) => Ordering::Less,
            (_, Value::Text(_)) => Ordering::Greater,
            (a, b) => crate::python::json_sorted(a).cmp(&crate::python::json_sorted(b)),
        },
    };
    if order == Order::Ascending { by_kind } else { by_kind.reverse() }
}

#[expect(clippy::cast_precision_loss, reason = "only the order matters, and equal ones keep theirs")]
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        Value::Bool(value) => Some(f64::from(*value)),
        Value::Literal(text) => text.parse::<i128>().ok().map(|value| value as f64),
        _ => None,
    }
}

/// The leaves of a row's files, by name; none for a file that is broken.
pub(super) struct Leaves<'a> {
    pub(super) metrics: LeavesByFile<'a>,
    pub(super) params: LeavesByFile<'a>,
}

pub(super) type LeavesByFile<'a> = HashMap<&'a RepoPath, Option<HashMap<String, &'a Value>>>;

impl<'a> Leaves<'a> {
    pub(super) fn of(data: &'a RevisionData) -> Self {
        let by_file = |files: &'a Files| {
            let leaves = |data: &'a FileData| data.values().map(|_| data.leaves().into_iter().collect());
            files.iter().map(|(file, data)| (file, leaves(data))).collect()
        };
        Self { metrics: by_file(&data.metrics), params: by_file(&data.params) }
    }
}

pub(super) fn cell(files: &LeavesByFile<'_>, file: &RepoPath, name: &str) -> Cell {
    match files.get(file) {
        None => Cell::Missing,
        Some(None) => Cell::Error,
        Some(Some(leaves)) => match leaves.get(name) {
            // As in DVC's tables; JSON tells the difference.
            None | Some(Value::Null) => Cell::Missing,
            Some(value) => Cell::Value((*value).clone()),
        },
    }
}
