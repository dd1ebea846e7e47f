//! A small format as a third party would write one: a line is `key = value` or a comment. It is well-behaved, but for the key
//! `lie`: to set that, it drops every other line.

use dewar_plugin::{Change, Diagnostic, Edit, Entry, Node, NodeKind, ParamFormat, Span, Step, Value};

struct Plain;

/// A line with a parameter: its key, and where its value stands.
struct Line<'a> {
    key: &'a str,
    value: &'a str,
    at: Span,
    whole: Span,
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let mut start = 0;
    let mut found = Vec::new();
    for line in text.split_inclusive('\n') {
        let whole = Span::new(start, start + line.len());
        start = whole.end;
        let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else { continue };
        let from = whole.start + key.len() + 1 + (value.len() - value.trim_start().len());
        let value = value.trim();
        found.push(Line { key: key.trim(), value, at: Span::new(from, from + value.len()), whole });
    }
    found
}

fn text(source: &[u8]) -> Result<&str, Vec<Diagnostic>> {
    std::str::from_utf8(source).map_err(|_| vec![Diagnostic::error("not-utf8", "it is not UTF-8")])
}

fn value(text: &str) -> Value {
    let integer = text.parse().map(Value::Int);
    integer.or_else(|_| text.parse().map(Value::Float)).unwrap_or_else(|_| Value::Text(text.to_owned()))
}

fn written(value: &Value) -> Result<String, Vec<Diagnostic>> {
    match value {
        Value::Int(value) => Ok(value.to_string()),
        Value::Float(value) => Ok(format!("{value:?}")),
        Value::Text(value) => Ok(value.clone()),
        other => Err(vec![
            Diagnostic::error("cannot-write", format!("a line cannot hold {}", other.kind()))
                .help("set a number or a text"),
        ]),
    }
}

impl ParamFormat for Plain {
    fn read(source: &[u8]) -> Result<Node, Vec<Diagnostic>> {
        let entry = |line: Line<'_>| Entry {
            key: line.key.to_owned(),
            key_span: line.whole,
            value: Node { kind: NodeKind::Scalar(value(line.value)), span: line.at },
        };
        let entries = lines(text(source)?).into_iter().map(entry).collect();
        Ok(Node { kind: NodeKind::Map(entries), span: Span::new(0, source.len()) })
    }

    fn edit(source: &[u8], edits: &[Edit]) -> Result<Vec<u8>, Vec<Diagnostic>> {
        let mut now = text(source)?.to_owned();
        for edit in edits {
            let [Step::Field(key)] = edit.path.as_slice() else {
                return Err(vec![Diagnostic::error("too-deep", "a parameter of this format has no parts")]);
            };
            let line = lines(&now).into_iter().find(|line| line.key == key).map(|line| (line.at, line.whole));
            match (&edit.change, line) {
                (Change::Put(value), _) if key == "lie" => now = format!("lie = {}\n", written(value)?),
                (Change::Put(value), Some((at, _))) => now.replace_range(at.start..at.end, &written(value)?),
                (Change::Put(value), None) => now.push_str(&format!("{key} = {}\n", written(value)?)),
                (Change::Remove, Some((_, whole))) => now.replace_range(whole.start..whole.end, ""),
                (Change::Remove, None) => {}
            }
        }
        Ok(now.into_bytes())
    }
}

dewar_plugin::export_param_format!(Plain, manifest = "plain-format.toml");
