//! Trees of dewar's text library to and from the flat documents of the WIT package.

use dewar_text::{Diagnostic, Node, NodeKind, Severity, Span, Step, Value};

use crate::bindings::types;

/// A node with its spans, parents before children.
pub(crate) fn from_node(root: &Node) -> types::Document {
    let mut nodes = Vec::new();
    flatten(root, &mut nodes);
    types::Document { nodes }
}

/// Appends `node` and all below it; returns its index.
fn flatten(node: &Node, nodes: &mut Vec<types::Node>) -> u32 {
    let index = nodes.len();
    nodes.push(types::Node { value: types::Value::Null, span: Some(from_span(node.span)) });
    let value = match &node.kind {
        NodeKind::Scalar(value) => from_scalar(value),
        NodeKind::List(items) => types::Value::Sequence(items.iter().map(|item| flatten(item, nodes)).collect()),
        NodeKind::Map(entries) => types::Value::Mapping(
            entries.iter().map(|entry| (entry.key.clone(), flatten(&entry.value, nodes))).collect(),
        ),
    };
    if let Some(node) = nodes.get_mut(index) {
        node.value = value;
    }
    narrow(index)
}

/// A scalar as it is; a container, which a reader has no business putting into a scalar node, as its text.
fn from_scalar(value: &Value) -> types::Value {
    match value {
        Value::Null => types::Value::Null,
        Value::Bool(value) => types::Value::Boolean(*value),
        Value::Int(value) => types::Value::Integer(*value),
        Value::Float(value) => types::Value::Float(*value),
        Value::Text(value) => types::Value::Text(value.clone()),
        Value::Literal(_) | Value::List(_) | Value::Map(_) => {
            types::Value::Literal(if let Value::Literal(text) = value { text.clone() } else { format!("{value:?}") })
        }
    }
}

/// A document of the host, which is a well-formed tree, as a value.
pub(crate) fn to_value(document: types::Document) -> Value {
    let mut nodes: Vec<Option<types::Value>> = document.nodes.into_iter().map(|node| Some(node.value)).collect();
    take(&mut nodes, 0)
}

fn take(nodes: &mut [Option<types::Value>], index: u32) -> Value {
    let found = usize::try_from(index).ok().and_then(|index| nodes.get_mut(index)).and_then(Option::take);
    match found {
        None | Some(types::Value::Null) => Value::Null,
        Some(types::Value::Boolean(value)) => Value::Bool(value),
        Some(types::Value::Integer(value)) => Value::Int(value),
        Some(types::Value::Float(value)) => Value::Float(value),
        Some(types::Value::Text(value)) => Value::Text(value),
        Some(types::Value::Literal(value)) => Value::Literal(value),
        Some(types::Value::Sequence(items)) => Value::List(items.into_iter().map(|item| take(nodes, item)).collect()),
        Some(types::Value::Mapping(entries)) => {
            Value::Map(entries.into_iter().map(|(key, item)| (key, take(nodes, item))).collect())
        }
    }
}

/// A step of a path.
pub(crate) fn to_step(key: types::Key) -> Step {
    match key {
        types::Key::Field(field) => Step::Field(field),
        types::Key::Index(index) => Step::Index(usize::try_from(index).unwrap_or(usize::MAX)),
    }
}

/// Diagnostics for the host.
pub(crate) fn from_diagnostics(diagnostics: Vec<Diagnostic>) -> Vec<types::Diagnostic> {
    diagnostics
        .into_iter()
        .map(|diagnostic| types::Diagnostic {
            severity: match diagnostic.severity {
                Severity::Error => types::Severity::Error,
                Severity::Warning => types::Severity::Warning,
            },
            code: diagnostic.code,
            message: diagnostic.message,
            span: diagnostic.span.map(from_span),
            help: diagnostic.help,
        })
        .collect()
}

fn from_span(span: Span) -> types::Span {
    types::Span { start: narrow(span.start), end: narrow(span.end) }
}

/// Sources and trees are far below 4 GiB: a component's whole memory is not more.
fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dewar_text::Entry;

    fn scalar(value: Value, start: usize) -> Node {
        Node { kind: NodeKind::Scalar(value), span: Span::new(start, start + 1) }
    }

    #[test]
    fn a_tree_survives_being_flat() {
        let entry = |key: &str, value| Entry { key: key.into(), key_span: Span::new(0, 0), value };
        let list = Node {
            kind: NodeKind::List(vec![scalar(Value::Int(1), 3), scalar(Value::Literal("1e999".into()), 5)]),
            span: Span::new(2, 7),
        };
        let root = Node {
            kind: NodeKind::Map(vec![entry("a", list), entry("b", scalar(Value::Text("x".into()), 9))]),
            span: Span::new(0, 10),
        };
        let flat = from_node(&root);
        assert_eq!(flat.nodes.len(), 5);
        assert_eq!(flat.nodes[1].span.unwrap().start, 2);
        assert_eq!(to_value(flat), root.to_value());
    }
}
