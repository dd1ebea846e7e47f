//! Reading a spanned tree against what a file may hold: each error is a place in the file and says what fits there.

use dewar_text::{Diagnostic, Entry, Node, NodeKind, Value};

use crate::words::{did_you_mean, most_similar};

/// The entries of a mapping; nothing counts as an empty one.
pub(super) fn mapping<'a>(node: &'a Node, what: &str) -> Result<&'a [Entry], Diagnostic> {
    match &node.kind {
        NodeKind::Map(entries) => Ok(entries),
        NodeKind::Scalar(Value::Null) => Ok(&[]),
        _ => Err(wrong_type(node, what, "a mapping")),
    }
}

/// The items of a list; nothing counts as an empty one.
pub(super) fn list<'a>(node: &'a Node, what: &str) -> Result<&'a [Node], Diagnostic> {
    match &node.kind {
        NodeKind::List(items) => Ok(items),
        NodeKind::Scalar(Value::Null) => Ok(&[]),
        _ => Err(wrong_type(node, what, "a list")),
    }
}

/// A string. Where a path or a name is meant, a number or a date is taken as its text would be a surprise: it is refused.
pub(super) fn text<'a>(node: &'a Node, what: &str) -> Result<&'a str, Diagnostic> {
    match &node.kind {
        NodeKind::Scalar(Value::Text(text)) => Ok(text),
        _ => Err(wrong_type(node, what, "a string").help("put quotes around it if a string is meant")),
    }
}

/// A boolean.
pub(super) fn boolean(node: &Node, what: &str) -> Result<bool, Diagnostic> {
    match &node.kind {
        NodeKind::Scalar(Value::Bool(value)) => Ok(*value),
        _ => Err(wrong_type(node, what, "`true` or `false`")),
    }
}

/// Refuses keys that are not in `known`, and says which one may have been meant.
pub(super) fn only(entries: &[Entry], known: &[&str], what: &str) -> Result<(), Diagnostic> {
    let Some(odd) = entries.iter().find(|entry| !known.contains(&entry.key.as_str())) else { return Ok(()) };
    let error = Diagnostic::error("unknown-key", format!("{what} has no key `{}`", odd.key)).at(odd.key_span);
    Err(match most_similar(&odd.key, known.iter().copied()) {
        Some(similar) => error.help(did_you_mean(similar)),
        None => error.help(format!("it may have {}", known.join(", "))),
    })
}

/// The value of a key.
pub(super) fn get<'a>(entries: &'a [Entry], key: &str) -> Option<&'a Node> {
    entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
}

pub(super) fn wrong_type(node: &Node, what: &str, wanted: &str) -> Diagnostic {
    Diagnostic::error("wrong-type", format!("{what} must be {wanted}, not {}", node.kind_name())).at(node.span)
}
