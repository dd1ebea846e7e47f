//! [`Layout`]: how a file writes its values, so that new ones look like the old.

use std::fmt::Write as _;

use dewar_plugin::dewar_text::splice::{self, FlowStyle};
use dewar_plugin::{Diagnostic, Node, NodeKind, Value};

/// What the file shows of its author's habits.
pub(crate) struct Layout {
    eol: &'static str,
    /// What one level is indented by; none when no container is laid out over lines.
    unit: Option<String>,
    /// Whether mappings and lists within others are laid out over lines.
    expand: Expand,
    colon: String,
    pub(crate) comma: &'static str,
    /// Whether characters beyond ASCII are escaped.
    ascii: bool,
}

#[derive(Clone, Copy)]
struct Expand {
    maps: bool,
    lists: bool,
}

impl Layout {
    /// The habits of a source.
    pub(crate) fn of(source: &str, tree: &Node) -> Self {
        let mut seen = Seen::default();
        seen.look(source, tree, 0);
        let expand = Expand {
            maps: seen.expanded_map.unwrap_or(seen.unit.is_some()),
            lists: seen.expanded_list.unwrap_or_default(),
        };
        // A file without a member shows nothing; it gets what most tools write.
        let unit = if seen.member { seen.unit } else { Some("  ".to_owned()) };
        Self {
            eol: splice::line_ending(source),
            expand: Expand { maps: expand.maps || !seen.member, ..expand },
            unit,
            colon: seen.colon.unwrap_or_else(|| ": ".to_owned()),
            comma: if seen.tight_comma.unwrap_or_default() { "," } else { ", " },
            ascii: seen.beyond_ascii && source.is_ascii(),
        }
    }

    fn write(&self, out: &mut String, value: &Value, indent: &str, expand: Expand) {
        match value {
            Value::Null => out.push_str("null"),
            Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Value::Int(value) => out.push_str(&value.to_string()),
            Value::Float(value) => out.push_str(&float(*value)),
            Value::Text(text) => self.write_string(out, text),
            Value::Literal(text) => out.push_str(text),
            Value::List(items) => {
                let nested = items.iter().any(|item| matches!(item, Value::List(_) | Value::Map(_)));
                let expand_this = expand.lists || (expand.maps && nested);
                self.write_members(out, ('[', ']'), items, indent, expand_this, |out, item, indent| {
                    self.write(out, item, indent, expand);
                });
            }
            Value::Map(map) => {
                self.write_members(out, ('{', '}'), map, indent, expand.maps, |out, (key, item), indent| {
                    self.write_string(out, key);
                    out.push_str(&self.colon);
                    self.write(out, item, indent, expand);
                });
            }
        }
    }

    fn write_members<I>(
        &self,
        out: &mut String,
        (open, close): (char, char),
        members: I,
        indent: &str,
        expand: bool,
        member: impl Fn(&mut String, I::Item, &str),
    ) where
        I: IntoIterator<IntoIter: ExactSizeIterator>,
    {
        let members = members.into_iter();
        let inner = self.unit.as_ref().filter(|_| expand && members.len() > 0).map(|unit| format!("{indent}{unit}"));
        out.push(open);
        for (index, item) in members.enumerate() {
            match &inner {
                Some(inner) => {
                    out.push_str(if index > 0 { "," } else { "" });
                    out.push_str(self.eol);
                    out.push_str(inner);
                }
                None => out.push_str(if index > 0 { self.comma } else { "" }),
            }
            member(out, item, inner.as_deref().unwrap_or(indent));
        }
        if inner.is_some() {
            out.push_str(self.eol);
            out.push_str(indent);
        }
        out.push(close);
    }

    fn write_string(&self, out: &mut String, text: &str) {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                // Python escapes DEL nowhere; the C1 controls and line separators would be invisible in an editor.
                c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || (self.ascii && !c.is_ascii()) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        // Writing to a String cannot fail.
                        let _ = write!(out, "\\u{unit:04x}");
                    }
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }
}

impl FlowStyle for Layout {
    fn value(&self, value: &Value, replaced: Option<&str>, indent: &str) -> String {
        // A container that takes the place of one is laid out as that was.
        let expand = match replaced {
            Some(old) if old.len() > 2 && old.starts_with(['{', '[']) => {
                let over_lines = old.contains('\n');
                Expand { maps: over_lines && self.expand.maps, lists: over_lines && self.expand.lists }
            }
            _ => self.expand,
        };
        let mut out = String::new();
        self.write(&mut out, value, indent, expand);
        out
    }

    fn entry(&self, key: &str, value: &str) -> String {
        let mut out = String::new();
        self.write_string(&mut out, key);
        out.push_str(&self.colon);
        out.push_str(value);
        out
    }
}

/// The first sign of each habit.
#[derive(Default)]
struct Seen {
    member: bool,
    unit: Option<String>,
    expanded_map: Option<bool>,
    expanded_list: Option<bool>,
    colon: Option<String>,
    tight_comma: Option<bool>,
    beyond_ascii: bool,
}

impl Seen {
    fn look(&mut self, source: &str, node: &Node, depth: usize) {
        let members = splice::members(node);
        if let Some(first) = members.first() {
            self.member = true;
            let own_line = splice::begins_line(source, first.start) && first.start > node.span.start;
            if own_line && self.unit.is_none() {
                let outer = splice::indentation(source, node.span.start);
                let inner = splice::indentation(source, first.start);
                self.unit = Some(inner.strip_prefix(outer).unwrap_or(inner).to_owned());
            }
            // What the root does says nothing of what stands within it.
            let habit =
                if matches!(node.kind, NodeKind::List(_)) { &mut self.expanded_list } else { &mut self.expanded_map };
            if depth > 0 {
                habit.get_or_insert(own_line);
            }
            if let Some(second) = members.get(1) {
                let gap = splice::slice(source, first.end, second.start);
                if !gap.contains('\n') {
                    self.tight_comma.get_or_insert(gap == ",");
                }
            }
        }
        match &node.kind {
            NodeKind::Scalar(Value::Text(text)) => self.beyond_ascii |= !text.is_ascii(),
            NodeKind::Scalar(_) => {}
            NodeKind::List(items) => items.iter().for_each(|item| self.look(source, item, depth + 1)),
            NodeKind::Map(entries) => {
                for entry in entries {
                    let colon = splice::slice(source, entry.key_span.end, entry.value.span.start);
                    if self.colon.is_none() && !colon.contains('\n') {
                        self.colon = Some(colon.to_owned());
                    }
                    self.beyond_ascii |= !entry.key.is_ascii();
                    self.look(source, &entry.value, depth + 1);
                }
            }
        }
    }
}

/// The shortest decimal that reads back as `value`; what is not finite as Python's `json` writes it.
fn float(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        format!("{value:?}")
    }
}

/// Whether JSON can hold `value`.
///
/// # Errors
/// `no-such-value` for a literal that is no integer.
pub(crate) fn writable(value: &Value) -> Result<(), Diagnostic> {
    match value {
        Value::Literal(text) if !text.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(Diagnostic::error("no-such-value", format!("JSON has no value such as `{text}`"))
                .help("give it as a string, in quotes"))
        }
        Value::List(items) => items.iter().try_for_each(writable),
        Value::Map(map) => map.values().try_for_each(writable),
        _ => Ok(()),
    }
}
