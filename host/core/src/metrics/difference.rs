//! [`difference`]: what changed between the parameters or metrics of two revisions.

use std::collections::BTreeMap;

use dewar_text::Value;

use super::{FileData, Files};
use crate::params::value::python_equal;
use crate::path::RepoPath;

/// One value in two revisions.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// In the first; none when it is not there.
    pub old: Option<Value>,
    /// In the second; none when it is not there.
    pub new: Option<Value>,
    /// The second less the first, when both are numbers.
    pub diff: Option<Value>,
}

/// What changed: by file, then by dotted name.
pub type Changes = BTreeMap<RepoPath, BTreeMap<String, Change>>;

/// Whether values that are equal in both are listed, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unchanged {
    /// Only what differs.
    Omit,
    /// All.
    Include,
}

/// Compares two sets of files name by name. A file that cannot be used has no values; its error stands in the set.
#[must_use]
pub fn difference(old: &Files, new: &Files, unchanged: Unchanged) -> Changes {
    let mut changes = Changes::new();
    for file in old.keys().chain(new.keys()) {
        if changes.contains_key(file) {
            continue;
        }
        let mut names: BTreeMap<String, (Option<&Value>, Option<&Value>)> = BTreeMap::new();
        for (name, value) in old.get(file).map(FileData::leaves).unwrap_or_default() {
            names.entry(name).or_default().0 = Some(value);
        }
        for (name, value) in new.get(file).map(FileData::leaves).unwrap_or_default() {
            names.entry(name).or_default().1 = Some(value);
        }
        let differs = |old: Option<&Value>, new: Option<&Value>| match (old, new) {
            (Some(old), Some(new)) => !python_equal(old, new),
            _ => true,
        };
        let changed: BTreeMap<String, Change> = names
            .into_iter()
            .filter(|(_, (old, new))| unchanged == Unchanged::Include || differs(*old, *new))
            .map(|(name, (old, new))| {
                let diff = old.zip(new).and_then(|(old, new)| minus(new, old));
                (name, Change { old: old.cloned(), new: new.cloned(), diff })
            })
            .collect();
        if !changed.is_empty() {
            changes.insert(file.clone(), changed);
        }
    }
    changes
}

/// `a - b` as Python has it: exact for whole numbers, else of floats; booleans are 0 and 1.
fn minus(a: &Value, b: &Value) -> Option<Value> {
    if let (Some(a), Some(b)) = (whole(a), whole(b)) {
        let difference = a.checked_sub(b)?;
        return Some(i64::try_from(difference).map_or_else(|_| Value::Literal(difference.to_string()), Value::Int));
    }
    Some(Value::Float(float(a)? - float(b)?))
}

/// A whole number; beyond 64 bits it is a literal of digits.
fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Int(value) => Some(i128::from(*value)),
        Value::Bool(value) => Some(i128::from(*value)),
        Value::Literal(text) => text.parse().ok(),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "Python rounds, too, when it subtracts a float from a whole number")]
fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Float(value) => Some(*value),
        other => whole(other).map(|value| value as f64),
    }
}
