//! [`ChangesTable`] and [`changes_json`]: what changed between two revisions, for people and for programs.

use dewar_core::metrics::{Change, Changes};
use dewar_core::params::value::to_json;
use dewar_core::path::RepoPath;
use dewar_text::Value;
use serde_json::{Map, json};

use super::number::{self, Digits};
use super::table::{Column, Row, Table};

/// A column of a table of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeColumn {
    /// The file.
    Path,
    /// The dotted name in the file.
    Name,
    /// The value in the first revision.
    Old,
    /// The value in the second revision.
    New,
    /// The second less the first, of numbers.
    Change,
}

/// How changes are shown as a table.
#[derive(Debug, Clone)]
pub struct ChangesTable<'a> {
    title: &'a str,
    revisions: [&'a str; 2],
    digits: Digits,
    columns: Vec<ChangeColumn>,
}

impl<'a> ChangesTable<'a> {
    /// With all columns: `title` stands above the names, and what the revisions are called, the old one first, above their values,
    /// whose numbers get `digits`.
    #[must_use]
    pub fn new(title: &'a str, revisions: [&'a str; 2], digits: Digits) -> Self {
        use ChangeColumn::{Change, Name, New, Old, Path};
        Self { title, revisions, digits, columns: vec![Path, Name, Old, New, Change] }
    }

    /// The same but for one column.
    #[must_use]
    pub fn without(mut self, column: ChangeColumn) -> Self {
        self.columns.retain(|other| *other != column);
        self
    }

    /// A row for each change; files are written as seen from the folder `from`.
    #[must_use]
    pub fn of(&self, changes: &Changes, from: &RepoPath) -> Table {
        let columns = self.columns.iter().map(|column| Column::new(self.title(*column))).collect();
        let rows = changes.iter().flat_map(|(file, values)| {
            values.iter().map(|(name, change)| {
                let cells = self.columns.iter().map(|column| match column {
                    ChangeColumn::Path => Some(file.relative_to(from)),
                    ChangeColumn::Name => Some(name.clone()),
                    ChangeColumn::Old => self.value(change.old.as_ref()),
                    ChangeColumn::New => self.value(change.new.as_ref()),
                    ChangeColumn::Change => self.value(change.diff.as_ref()),
                });
                Row { cells: cells.collect(), ..Row::default() }
            })
        });
        Table { columns, rows: rows.collect() }
    }

    const fn title(&self, column: ChangeColumn) -> &str {
        let [old, new] = self.revisions;
        match column {
            ChangeColumn::Path => "Path",
            ChangeColumn::Name => self.title,
            ChangeColumn::Old => old,
            ChangeColumn::New => new,
            ChangeColumn::Change => "Change",
        }
    }

    fn value(&self, value: Option<&Value>) -> Option<String> {
        value.map(|value| number::value(value, self.digits))
    }
}

/// The shape that DVC prints: `{file: {name: {old, new[, diff]}}}`; files are written as seen from the folder `from`.
#[must_use]
pub fn changes_json(changes: &Changes, from: &RepoPath) -> serde_json::Value {
    let files = changes.iter().map(|(file, values)| {
        let values: Map<_, _> = values.iter().map(|(name, change)| (name.clone(), change_json(change))).collect();
        (file.relative_to(from), values.into())
    });
    serde_json::Value::Object(files.collect())
}

fn change_json(change: &Change) -> serde_json::Value {
    let value = |value: &Option<Value>| value.as_ref().map_or(serde_json::Value::Null, to_json);
    let mut entry = json!({ "old": value(&change.old), "new": value(&change.new) });
    if let (Some(diff), Some(entry)) = (&change.diff, entry.as_object_mut()) {
        entry.insert("diff".to_owned(), to_json(diff));
    }
    entry
}
