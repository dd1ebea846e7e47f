//! How values are written in Python.

use std::fmt::Write as _;

use dewar_plugin::dewar_text::splice::FlowStyle;
use dewar_plugin::{Diagnostic, Node, NodeKind, Value};

use crate::read;

/// The quote that the file prefers.
pub(crate) struct Style {
    quote: char,
}

impl Style {
    /// The quote of the first string in the tree; `"` when there is none.
    pub(crate) fn of(source: &str, tree: &Node) -> Self {
        Self { quote: first_quote(source, tree).unwrap_or('"') }
    }

    fn write(&self, out: &mut String, value: &Value, replaced: Option<&str>) {
        match value {
            Value::Null => out.push_str("None"),
            Value::Bool(value) => out.push_str(if *value { "True" } else { "False" }),
            Value::Int(value) => out.push_str(&value.to_string()),
            Value::Float(value) => out.push_str(&float(*value)),
            Value::Text(text) => string(out, text, replaced.and_then(quote_of).unwrap_or(self.quote)),
            Value::Literal(text) => out.push_str(text),
            Value::List(items) => {
                let (open, close) = match replaced.and_then(|old| old.chars().next()) {
                    Some('(') => ("(", if items.len() == 1 { ",)" } else { ")" }),
                    Some('{') if can_be_set(items) && replaced.is_some_and(is_set) => ("{", "}"),
                    _ => ("[", "]"),
                };
                out.push_str(open);
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { ", " } else { "" });
                    self.write(out, item, None);
                }
                out.push_str(close);
            }
            Value::Map(map) => {
                out.push('{');
                for (index, (key, item)) in map.iter().enumerate() {
                    out.push_str(if index > 0 { ", " } else { "" });
                    string(out, key, self.quote);
                    out.push_str(": ");
                    self.write(out, item, None);
                }
                out.push('}');
            }
        }
    }
}

impl FlowStyle for Style {
    fn value(&self, value: &Value, replaced: Option<&str>, _indent: &str) -> String {
        let mut out = String::new();
        self.write(&mut out, value, replaced);
        out
    }

    fn entry(&self, key: &str, value: &str) -> String {
        let mut out = String::new();
        string(&mut out, key, self.quote);
        out.push_str(": ");
        out.push_str(value);
        out
    }
}

/// Whether a set can hold `items`: `{}` is a dict, containers have no hash, and of two equal items one would go.
fn can_be_set(items: &[Value]) -> bool {
    let scalar = |item: &Value| !matches!(item, Value::List(_) | Value::Map(_));
    let once = |item: &Value| items.iter().filter(|other| item.same(other)).count() == 1;
    !items.is_empty() && items.iter().all(|item| scalar(item) && once(item))
}

/// Whether a literal in braces is a set, not a dict.
fn is_set(literal: &str) -> bool {
    let tree = read::read(format!("value = {literal}\n").as_bytes());
    tree.is_ok_and(|tree| tree.get("value").is_some_and(|node| matches!(node.kind, NodeKind::List(_))))
}

fn first_quote(source: &str, node: &Node) -> Option<char> {
    match &node.kind {
        NodeKind::Scalar(Value::Text(_)) => quote_of(source.get(node.span.start..node.span.end)?),
        NodeKind::Scalar(_) => None,
        NodeKind::List(items) => items.iter().find_map(|item| first_quote(source, item)),
        NodeKind::Map(entries) => entries.iter().find_map(|entry| first_quote(source, &entry.value)),
    }
}

/// The quote of a string literal, behind its prefix.
fn quote_of(literal: &str) -> Option<char> {
    literal.trim_start_matches(|c: char| c.is_ascii_alphabetic()).chars().next().filter(|c| matches!(c, '"' | '\''))
}

fn string(out: &mut String, text: &str, quote: char) {
    out.push(quote);
    for c in text.chars() {
        match c {
            c if c == quote || c == '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Writing to a String cannot fail.
            c if c.is_control() => drop(write!(out, "\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push(quote);
}

/// Python has no literal for an infinity, but a number too large for a float is one.
fn float(value: f64) -> String {
    if value.is_infinite() { if value > 0.0 { "1e999" } else { "-1e999" }.to_owned() } else { format!("{value:?}") }
}

/// Whether a Python literal can hold `value`.
///
/// # Errors
/// `no-such-value` for NaN and for a literal of another format.
pub(crate) fn writable(value: &Value) -> Result<(), Diagnostic> {
    match value {
        Value::Float(number) if number.is_nan() => {
            Err(Diagnostic::error("no-such-value", "Python has no literal for NaN")
                .help("write `float(\"nan\")` by hand; it is then no parameter that dewar can read"))
        }
        Value::Literal(text) => {
            let source = format!("value = {text}\n");
            let sound = read::read(source.as_bytes())
                .is_ok_and(|tree| tree.get("value").is_some_and(|node| node.to_value() == *value));
            let message = format!("Python has no literal such as `{text}`");
            if sound {
                Ok(())
            } else {
                Err(Diagnostic::error("no-such-value", message).help("give it as a string, in quotes"))
            }
        }
        Value::List(items) => items.iter().try_for_each(writable),
        Value::Map(map) => map.values().try_for_each(writable),
        _ => Ok(()),
    }
}
