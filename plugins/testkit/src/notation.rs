//! How edits, trees and diagnostics are written in the files of a case.

use std::fmt::Write as _;

use dewar_text::{Change, Diagnostic, Edit, Map, Node, NodeKind, Span, Step, Value, edit};

/// What is wrong with a line of `edits.txt`.
#[derive(Debug, thiserror::Error)]
pub enum NotationError {
    /// Neither `put` nor `remove`, or something is missing behind it.
    #[error("line {line}: an edit is `put PATH VALUE` or `remove PATH`")]
    Edit {
        /// Counted from 1.
        line: usize,
    },
    /// PATH or VALUE is not JSON.
    #[error("line {line}: {error}")]
    Json {
        /// Counted from 1.
        line: usize,
        /// What the JSON reader said.
        error: serde_json::Error,
    },
}

/// Reads `edits.txt`. Empty lines and lines that begin with `#` say nothing.
///
/// # Errors
/// [`NotationError`] with the line.
pub fn edits(text: &str) -> Result<Vec<Edit>, NotationError> {
    let meant = |line: &&(usize, &str)| !line.1.is_empty() && !line.1.starts_with('#');
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    lines.collect::<Vec<_>>().iter().filter(meant).map(|(line, text)| one_edit(*line, text)).collect()
}

fn one_edit(line: usize, text: &str) -> Result<Edit, NotationError> {
    let bad = || NotationError::Edit { line };
    let json = |error| NotationError::Json { line, error };
    let (verb, rest) = text.split_once(' ').ok_or_else(bad)?;
    let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Vec<serde_json::Value>>();
    let steps = stream.next().ok_or_else(bad)?.map_err(json)?;
    let rest = rest.get(stream.byte_offset()..).unwrap_or_default().trim();
    let path = steps.into_iter().map(step).collect::<Option<Vec<Step>>>().ok_or_else(bad)?;
    let change = match verb {
        "remove" if rest.is_empty() => Change::Remove,
        "put" => Change::Put(match rest.split_once(' ') {
            Some(("literal", text)) => Value::Literal(serde_json::from_str(text).map_err(json)?),
            Some(("float", text)) => Value::Float(text.trim().parse().map_err(|_| bad())?),
            _ => value(serde_json::from_str(rest).map_err(json)?),
        }),
        _ => return Err(bad()),
    };
    Ok(Edit { path, change })
}

fn step(step: serde_json::Value) -> Option<Step> {
    match step {
        serde_json::Value::String(key) => Some(Step::Field(key)),
        serde_json::Value::Number(index) => {
            index.as_u64().and_then(|index| usize::try_from(index).ok()).map(Step::Index)
        }
        _ => None,
    }
}

fn value(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => Value::Int(value),
            (None, Some(value)) => Value::Float(value),
            (None, None) => Value::Literal(number.to_string()),
        },
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Array(items) => Value::List(items.into_iter().map(value).collect()),
        serde_json::Value::Object(entries) => {
            Value::Map(entries.into_iter().map(|(key, item)| (key, value(item))).collect::<Map>())
        }
    }
}

/// A tree, one node a line: `train.lr: 0.1 at 2:5 "0.1"`.
#[must_use]
pub fn tree(source: &[u8], tree: &Node) -> String {
    let mut out = String::new();
    write_node(&mut out, source, tree, &mut Vec::new());
    out
}

fn write_node(out: &mut String, source: &[u8], node: &Node, path: &mut Vec<Step>) {
    let what = match &node.kind {
        NodeKind::Scalar(Value::Text(text)) => format!("{text:?}"),
        NodeKind::Scalar(Value::Int(value)) => value.to_string(),
        NodeKind::Scalar(Value::Float(value)) => format!("{value:?}"),
        NodeKind::Scalar(Value::Bool(value)) => value.to_string(),
        NodeKind::Scalar(Value::Literal(text)) => format!("literal {text:?}"),
        NodeKind::Scalar(_) => "null".to_owned(),
        NodeKind::List(items) => format!("list of {}", items.len()),
        NodeKind::Map(entries) => format!("mapping of {}", entries.len()),
    };
    let name = if path.is_empty() { ".".to_owned() } else { edit::display(path) };
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{name}: {what} at {}", place(source, node.span));
    match &node.kind {
        NodeKind::Scalar(_) => {}
        NodeKind::List(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(Step::Index(index));
                write_node(out, source, item, path);
                path.pop();
            }
        }
        NodeKind::Map(entries) => {
            for entry in entries {
                path.push(Step::Field(entry.key.clone()));
                write_node(out, source, &entry.value, path);
                path.pop();
            }
        }
    }
}

/// Diagnostics as `error.txt` holds them: code, place and what stands there, then message and help.
#[must_use]
pub fn diagnostics(source: &[u8], diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        let place = diagnostic.span.map(|span| format!(" at {}", place(source, span))).unwrap_or_default();
        let _ = writeln!(out, "{}{place}\n{}", diagnostic.code, diagnostic.message);
        if let Some(help) = &diagnostic.help {
            let _ = writeln!(out, "help: {help}");
        }
    }
    out
}

/// `line:column "what stands there"`, both counted from 1, columns in bytes; a long text is cut in the middle.
fn place(source: &[u8], span: Span) -> String {
    let before = source.get(..span.start).unwrap_or(source);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    let text = String::from_utf8_lossy(source.get(span.start..span.end).unwrap_or_default()).into_owned();
    let length = text.chars().count();
    let shown = if length > 60 {
        let head: String = text.chars().take(28).collect();
        let tail: String = text.chars().skip(length - 28).collect();
        format!("{head}…{tail}")
    } else {
        text
    };
    format!("{line}:{column} {shown:?}")
}
