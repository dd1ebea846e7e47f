//! The flat tree of the WIT package to and from [`Value`], believed only after a check: each node but the first is the child of
//! exactly one node before it, keys are unique, spans lie in the source.

use std::collections::HashSet;

use dewar_core::extension::{Diagnostic, Value};
use dewar_text::{Map, Severity, Span};

use crate::limits::DEPTH;
use crate::text;

/// A node as every track has it.
pub(crate) struct FlatNode {
    pub(crate) value: FlatValue,
    pub(crate) span: Option<(u32, u32)>,
}

/// The value of a [`FlatNode`]; children are indices.
pub(crate) enum FlatValue {
    Scalar(Value),
    Sequence(Vec<u32>),
    Mapping(Vec<(String, u32)>),
}

/// What is wrong with a document.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DocumentError {
    #[error("a document without nodes")]
    Empty,
    #[error("node {parent} names the child {child}, and there are {nodes} nodes")]
    OutOfRange { parent: usize, child: u32, nodes: usize },
    #[error("node {parent} names the child {child}, which does not come after it")]
    Backwards { parent: usize, child: u32 },
    #[error("node {child} has more than one parent")]
    Shared { child: u32 },
    #[error("node {0} is nobody's child")]
    Orphan(usize),
    #[error("node {parent} has the key `{key}` twice")]
    DuplicateKey { parent: usize, key: String },
    #[error("node {0} is nested deeper than {DEPTH}")]
    TooDeep(usize),
    #[error("the span {start}..{end} does not lie in the source, which has {length} bytes")]
    Span { start: u32, end: u32, length: usize },
}

/// Builds the value of a document that a plugin gave for a source of `length` bytes.
pub(crate) fn to_value(nodes: Vec<FlatNode>, length: usize) -> Result<Value, DocumentError> {
    check(&nodes, length)?;
    // Children come after their parents, so going backwards finds all children of a node built; nothing here recurses.
    let mut built: Vec<Option<Value>> = Vec::new();
    built.resize_with(nodes.len(), || None);
    let take = |built: &mut Vec<Option<Value>>, child: u32| {
        usize::try_from(child).ok().and_then(|child| built.get_mut(child)).and_then(Option::take).unwrap_or_default()
    };
    for (index, node) in nodes.into_iter().enumerate().rev() {
        let value = match node.value {
            FlatValue::Scalar(value) => value,
            FlatValue::Sequence(items) => Value::List(items.into_iter().map(|child| take(&mut built, child)).collect()),
            FlatValue::Mapping(entries) => {
                Value::Map(entries.into_iter().map(|(key, child)| (key, take(&mut built, child))).collect::<Map>())
            }
        };
        if let Some(place) = built.get_mut(index) {
            *place = Some(value);
        }
    }
    built.into_iter().next().flatten().ok_or(DocumentError::Empty)
}

fn check(nodes: &[FlatNode], length: usize) -> Result<(), DocumentError> {
    // The depth of each node, once its parent was seen; the root has one.
    let mut depths: Vec<Option<u32>> = vec![None; nodes.len()];
    *depths.first_mut().ok_or(DocumentError::Empty)? = Some(0);
    for (parent, node) in nodes.iter().enumerate() {
        if let Some((start, end)) = node.span {
            to_span(start, end, length)?;
        }
        let Some(depth) = depths.get(parent).copied().flatten() else { return Err(DocumentError::Orphan(parent)) };
        if depth > DEPTH {
            return Err(DocumentError::TooDeep(parent));
        }
        let mut adopt = |child: u32| {
            let index = usize::try_from(child).unwrap_or(usize::MAX);
            let place = depths.get_mut(index).ok_or(DocumentError::OutOfRange { parent, child, nodes: nodes.len() })?;
            if index <= parent {
                return Err(DocumentError::Backwards { parent, child });
            }
            match place.replace(depth + 1) {
                None => Ok(()),
                Some(_) => Err(DocumentError::Shared { child }),
            }
        };
        match &node.value {
            FlatValue::Scalar(_) => {}
            FlatValue::Sequence(items) => items.iter().try_for_each(|child| adopt(*child))?,
            FlatValue::Mapping(entries) => {
                let mut keys = HashSet::with_capacity(entries.len());
                for (key, child) in entries {
                    if !keys.insert(key.as_str()) {
                        return Err(DocumentError::DuplicateKey { parent, key: text::line(key, 100) });
                    }
                    adopt(*child)?;
                }
            }
        }
    }
    Ok(())
}

/// A span that lies in a source of `length` bytes.
fn to_span(start: u32, end: u32, length: usize) -> Result<Span, DocumentError> {
    let span = Span::new(usize::try_from(start).unwrap_or(usize::MAX), usize::try_from(end).unwrap_or(usize::MAX));
    if span.start <= span.end && span.end <= length {
        return Ok(span);
    }
    Err(DocumentError::Span { start, end, length })
}

/// A value as a flat tree without spans: what the host hands to a plugin.
pub(crate) fn from_value(root: &Value) -> Vec<FlatNode> {
    let mut nodes = Vec::new();
    flatten(root, &mut nodes);
    nodes
}

/// Appends `value` and all below it; returns its index. Values of the host are nested no deeper than its readers allow.
fn flatten(value: &Value, nodes: &mut Vec<FlatNode>) -> u32 {
    let index = nodes.len();
    nodes.push(FlatNode { value: FlatValue::Scalar(Value::Null), span: None });
    let flat = match value {
        Value::List(items) => FlatValue::Sequence(items.iter().map(|item| flatten(item, nodes)).collect()),
        Value::Map(map) => {
            FlatValue::Mapping(map.iter().map(|(key, item)| (key.clone(), flatten(item, nodes))).collect())
        }
        scalar => FlatValue::Scalar(scalar.clone()),
    };
    if let Some(node) = nodes.get_mut(index) {
        node.value = flat;
    }
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// Diagnostics of a plugin, made fit to be shown; those over a hundred are dropped.
pub(crate) fn to_diagnostics(
    found: impl IntoIterator<Item = (Severity, String, String, Option<(u32, u32)>, Option<String>)>,
    length: usize,
) -> Result<Vec<Diagnostic>, DocumentError> {
    found
        .into_iter()
        .take(100)
        .map(|(severity, code, message, span, help)| {
            Ok(Diagnostic {
                severity,
                code: text::line(&code, 64),
                message: text::line(&message, 2_000),
                span: span.map(|(start, end)| to_span(start, end, length)).transpose()?,
                help: help.map(|help| text::line(&help, 2_000)),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(value: FlatValue) -> FlatNode {
        FlatNode { value, span: None }
    }

    fn leaf() -> FlatNode {
        node(FlatValue::Scalar(Value::Int(1)))
    }

    fn list(children: &[u32]) -> FlatNode {
        node(FlatValue::Sequence(children.to_vec()))
    }

    #[test]
    fn a_value_survives_being_flat() {
        let inner = Value::List(vec![Value::Int(1), Value::Map(Map::default()), Value::Text("x".into())]);
        let value = Value::Map([("a".to_owned(), inner), ("b".to_owned(), Value::Null)].into_iter().collect());
        assert_eq!(to_value(from_value(&value), 0), Ok(value));
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        assert_eq!(to_value(vec![], 0), Err(DocumentError::Empty));
        let refused = |nodes| to_value(nodes, 0).unwrap_err();
        assert_eq!(refused(vec![list(&[0])]), DocumentError::Backwards { parent: 0, child: 0 });
        assert_eq!(refused(vec![list(&[1]), list(&[0])]), DocumentError::Backwards { parent: 1, child: 0 });
        assert_eq!(refused(vec![list(&[1, 1]), leaf()]), DocumentError::Shared { child: 1 });
        assert_eq!(refused(vec![list(&[1, 2]), list(&[2]), leaf()]), DocumentError::Shared { child: 2 });
        assert_eq!(refused(vec![list(&[2]), leaf(), leaf()]), DocumentError::Orphan(1));
        assert_eq!(refused(vec![list(&[7])]), DocumentError::OutOfRange { parent: 0, child: 7, nodes: 1 });
        let twice = node(FlatValue::Mapping(vec![("k".into(), 1), ("k".into(), 2)]));
        assert_eq!(refused(vec![twice, leaf(), leaf()]), DocumentError::DuplicateKey { parent: 0, key: "k".into() });
    }

    #[test]
    fn a_deep_chain_is_refused_and_overflows_nothing() {
        let mut chain: Vec<FlatNode> = (1..100_000).map(|child| list(&[child])).collect();
        chain.push(leaf());
        assert_eq!(to_value(chain, 0), Err(DocumentError::TooDeep(257)));
    }

    #[test]
    fn spans_lie_in_the_source() {
        let at = |start, end| FlatNode { span: Some((start, end)), ..leaf() };
        assert!(to_value(vec![at(0, 3)], 3).is_ok());
        for (start, end) in [(0, 4), (2, 1), (9, 9)] {
            assert_eq!(to_value(vec![at(start, end)], 3), Err(DocumentError::Span { start, end, length: 3 }));
        }
    }
}
