//! What a literal means, by the rules of `ast.literal_eval`.

use std::collections::HashMap;

use dewar_plugin::dewar_text::splice;
use dewar_plugin::{Entry, Node, NodeKind, Span, Value};
use ruff_python_ast::{Expr, Number, Operator, UnaryOp};
use ruff_text_size::Ranged;

/// The range of an expression or statement as our span; `offset` is where the parsed text begins in the source.
pub(crate) fn span(ranged: &impl Ranged, offset: usize) -> Span {
    let range = ranged.range();
    Span::new(range.start().to_usize() + offset, range.end().to_usize() + offset)
}

/// The entries of a mapping while it is read. As in Python, the last of several with one key wins.
#[derive(Default)]
pub(crate) struct Entries {
    pub(crate) list: Vec<Entry>,
    index: HashMap<String, usize>,
}

impl Entries {
    pub(crate) fn put(&mut self, entry: Entry) {
        match self.index.get(&entry.key).and_then(|index| self.list.get_mut(*index)) {
            Some(earlier) => *earlier = entry,
            None => {
                self.index.insert(entry.key.clone(), self.list.len());
                self.list.push(entry);
            }
        }
    }
}

/// The node of an expression, or the expression in it that is no literal.
pub(crate) fn node<'e>(source: &str, offset: usize, expr: &'e Expr) -> Result<Node, &'e Expr> {
    let place = span(expr, offset);
    let written = || splice::slice(source, place.start, place.end);
    let items = |elements: &'e [Expr]| {
        elements.iter().map(|item| node(source, offset, item)).collect::<Result<Vec<_>, _>>().map(NodeKind::List)
    };
    let kind = match expr {
        Expr::Dict(dict) => {
            let mut entries = Entries::default();
            for item in &dict.items {
                // `**other` has no key.
                let key = item.key.as_ref().ok_or(expr)?;
                let name = match node(source, offset, key)?.kind {
                    NodeKind::Scalar(Value::Text(text)) => text,
                    _ => written_at(source, offset, key).to_owned(),
                };
                let value = node(source, offset, &item.value)?;
                entries.put(Entry { key: name, key_span: span(key, offset), value });
            }
            NodeKind::Map(entries.list)
        }
        Expr::List(list) => items(&list.elts)?,
        Expr::Tuple(tuple) => items(&tuple.elts)?,
        Expr::Set(set) => items(&set.elts)?,
        // The one way to write an empty set.
        Expr::Call(call) if is_name(&call.func, "set") && call.arguments.is_empty() => NodeKind::List(Vec::new()),
        _ => NodeKind::Scalar(scalar(written(), expr).ok_or(expr)?),
    };
    Ok(Node { kind, span: place })
}

fn written_at<'s>(source: &'s str, offset: usize, expr: &Expr) -> &'s str {
    let place = span(expr, offset);
    splice::slice(source, place.start, place.end)
}

/// Whether `expr` is the name `name`.
pub(crate) fn is_name(expr: &Expr, name: &str) -> bool {
    matches!(expr, Expr::Name(found) if found.id == name)
}

fn scalar(written: &str, expr: &Expr) -> Option<Value> {
    Some(match expr {
        Expr::NoneLiteral(_) => Value::Null,
        Expr::BooleanLiteral(literal) => Value::Bool(literal.value),
        Expr::StringLiteral(literal) => Value::Text(literal.value.to_str().to_owned()),
        Expr::BytesLiteral(_) | Expr::EllipsisLiteral(_) => Value::Literal(written.to_owned()),
        Expr::NumberLiteral(literal) => match &literal.value {
            Number::Int(int) => int.as_i64().map_or_else(|| Value::Literal(written.to_owned()), Value::Int),
            Number::Float(float) => Value::Float(*float),
            Number::Complex { .. } => Value::Literal(written.to_owned()),
        },
        Expr::UnaryOp(unary) => {
            let Expr::NumberLiteral(literal) = &*unary.operand else { return None };
            match (unary.op, &literal.value) {
                (UnaryOp::UAdd, _) => return scalar(written, &unary.operand),
                (UnaryOp::USub, Number::Float(float)) => Value::Float(-float),
                (UnaryOp::USub, Number::Int(int)) => match int.as_u64().and_then(|int| 0_i64.checked_sub_unsigned(int))
                {
                    Some(int) => Value::Int(int),
                    None => Value::Literal(written.to_owned()),
                },
                (UnaryOp::USub, Number::Complex { .. }) => Value::Literal(written.to_owned()),
                _ => return None,
            }
        }
        // A complex number with two parts.
        Expr::BinOp(sum) if matches!(sum.op, Operator::Add | Operator::Sub) => {
            let real = match &*sum.left {
                Expr::UnaryOp(unary) if matches!(unary.op, UnaryOp::UAdd | UnaryOp::USub) => &*unary.operand,
                left => left,
            };
            let is_number = |expr: &Expr, complex: bool| match expr {
                Expr::NumberLiteral(literal) => matches!(literal.value, Number::Complex { .. }) == complex,
                _ => false,
            };
            if !(is_number(real, false) && is_number(&sum.right, true)) {
                return None;
            }
            Value::Literal(written.to_owned())
        }
        _ => return None,
    })
}
