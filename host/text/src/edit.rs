//! [`Edit`]: one change to a tree, and what it means for the values: the model that every textual edit is held against.

use crate::diagnostic::Diagnostic;
use crate::value::Value;

/// One step into a tree.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Into a mapping.
    Field(String),
    /// Into a list.
    Index(usize),
}

/// What to do at a path.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Replace the value there; where the last step is a key that its mapping lacks, add it at the end. A null takes a key
    /// and becomes a mapping.
    Put(Value),
    /// Take the value away, with its key. It must be there.
    Remove,
}

/// One change to a tree. All but the last step of the path lead to something that exists.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// Where. Never empty.
    pub path: Vec<Step>,
    /// What.
    pub change: Change,
}

/// Applies `edits` in order to `value`: what the edited text must read as.
///
/// # Errors
/// `no-such-path` where a step leads nowhere.
pub fn apply(value: &mut Value, edits: &[Edit]) -> Result<(), Diagnostic> {
    edits.iter().try_for_each(|edit| apply_one(value, &edit.path, &edit.change))
}

fn apply_one(value: &mut Value, path: &[Step], change: &Change) -> Result<(), Diagnostic> {
    let nowhere = || Diagnostic::error("no-such-path", format!("there is no `{}` to change", display(path)));
    let (last, parents) = path.split_last().ok_or_else(nowhere)?;
    let mut at = value;
    for step in parents {
        at = match (at, step) {
            (Value::Map(map), Step::Field(key)) => map.get_mut(key),
            (Value::List(list), Step::Index(index)) => list.get_mut(*index),
            _ => None,
        }
        .ok_or_else(nowhere)?;
    }
    match (at, last, change) {
        // `train:` with nothing behind it, and an empty file, take keys.
        (at @ Value::Null, Step::Field(key), Change::Put(new)) => {
            *at = Value::Map(std::iter::once((key.clone(), new.clone())).collect());
        }
        (Value::Map(map), Step::Field(key), Change::Put(new)) => {
            map.insert(key.clone(), new.clone());
        }
        (Value::Map(map), Step::Field(key), Change::Remove) => {
            map.shift_remove(key).ok_or_else(nowhere)?;
        }
        (Value::List(list), Step::Index(index), Change::Put(new)) => {
            *list.get_mut(*index).ok_or_else(nowhere)? = new.clone();
        }
        (Value::List(list), Step::Index(index), Change::Remove) if *index < list.len() => {
            list.remove(*index);
        }
        _ => return Err(nowhere()),
    }
    Ok(())
}

/// Whether `after` is what `edits` make of `before`: the check that keeps an edit from damaging a file.
///
/// # Errors
/// `edit-went-wrong` when the texts differ in anything but the edits, `no-such-path` when an edit has no place.
pub fn check(before: &Value, edits: &[Edit], after: &Value) -> Result<(), Diagnostic> {
    let mut wanted = before.clone();
    apply(&mut wanted, edits)?;
    if wanted.same(after) {
        return Ok(());
    }
    Err(Diagnostic::error("edit-went-wrong", "the edited text would not read back as the old values plus the change")
        .help("change the file by hand; it was left as it is"))
}

/// A path as the user writes it: `train.layers.0`.
#[must_use]
pub fn display(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        if !text.is_empty() {
            text.push('.');
        }
        match step {
            Step::Field(key) => text.push_str(key),
            Step::Index(index) => text.push_str(&index.to_string()),
        }
    }
    text
}
