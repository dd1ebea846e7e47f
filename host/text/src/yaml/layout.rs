//! [`Layout`]: how a file indents, and block text laid out the same way.

use super::scalar::{Context, write_scalar};
use crate::node::{Node, NodeKind};
use crate::splice::{line_ending, line_start, slice};
use crate::value::Value;

/// How a file indents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Columns from a mapping to one inside it.
    step: usize,
    /// Columns from a mapping to the dashes of a list inside it.
    dash: usize,
    /// What ends a line.
    pub(super) eol: &'static str,
}

impl Layout {
    /// The layout of a source, as its first nested mapping and its first nested list have it; as DVC's own where it has none.
    pub(super) fn of(source: &str, root: &Node) -> Self {
        let (mut step, mut dash) = (None, None);
        look(source, root, &mut step, &mut dash);
        Self { step: step.unwrap_or(2), dash: dash.unwrap_or(0), eol: line_ending(source) }
    }

    /// The column of the members of `value` below a mapping at `column`.
    pub(super) fn inside(&self, value: &Value, column: usize) -> usize {
        column + if matches!(value, Value::List(_)) { self.dash } else { self.step }
    }

    /// A value in block style whose first line already stands at `column`.
    pub(super) fn block(&self, value: &Value, column: usize) -> String {
        let gap = format!("{}{}", self.eol, " ".repeat(column));
        match value {
            Value::Map(map) if !map.is_empty() => {
                let entries: Vec<String> = map.iter().map(|(key, value)| self.entry(key, value, column)).collect();
                entries.join(&gap)
            }
            Value::List(items) if !items.is_empty() => {
                let items: Vec<String> =
                    items.iter().map(|item| format!("- {}", self.block(item, column + 2))).collect();
                items.join(&gap)
            }
            scalar => write_scalar(scalar, Context::Block),
        }
    }

    /// A key at `column` and its value.
    pub(super) fn entry(&self, key: &str, value: &Value, column: usize) -> String {
        let key = write_scalar(&Value::Text(key.to_owned()), Context::BlockKey);
        let below = match value {
            Value::Map(map) => !map.is_empty(),
            Value::List(items) => !items.is_empty(),
            _ => false,
        };
        let inner = self.inside(value, column);
        let text = self.block(value, inner);
        if below { format!("{key}:{}{}{text}", self.eol, " ".repeat(inner)) } else { format!("{key}: {text}") }
    }
}

fn look(source: &str, node: &Node, step: &mut Option<usize>, dash: &mut Option<usize>) {
    if step.is_some() && dash.is_some() {
        return;
    }
    let first = |node: &Node| slice(source, node.span.start, node.span.end).chars().next();
    if matches!(first(node), Some('[' | '{' | '*')) {
        return;
    }
    let column = |at: usize| slice(source, line_start(source, at), at).chars().count();
    match &node.kind {
        NodeKind::Map(entries) => {
            let own = column(node.span.start);
            for entry in entries {
                let found = match &entry.value.kind {
                    NodeKind::Map(_) => &mut *step,
                    NodeKind::List(_) => &mut *dash,
                    NodeKind::Scalar(_) => continue,
                };
                let block = !matches!(first(&entry.value), Some('[' | '{' | '*'));
                let inner = column(entry.value.span.start);
                let deeper = inner > own || (matches!(entry.value.kind, NodeKind::List(_)) && inner == own);
                if found.is_none() && block && deeper {
                    *found = Some(inner - own);
                }
                look(source, &entry.value, step, dash);
            }
        }
        NodeKind::List(items) => items.iter().for_each(|item| look(source, item, step, dash)),
        NodeKind::Scalar(_) => {}
    }
}
