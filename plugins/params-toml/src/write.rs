//! How values and keys are written in TOML.

use std::fmt::Write as _;

use dewar_plugin::{Diagnostic, Value};

/// A value on one line; `replaced` is the source of the one it takes the place of, whose quotes a string keeps.
pub(crate) fn value(value: &Value, replaced: Option<&str>) -> String {
    let mut out = String::new();
    write(&mut out, value, replaced);
    out
}

fn write(out: &mut String, value: &Value, replaced: Option<&str>) {
    match value {
        // `writable` has refused it.
        Value::Null => {}
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(value) => out.push_str(&value.to_string()),
        Value::Float(value) => out.push_str(&float(*value)),
        Value::Text(text) => match replaced {
            Some(old) if old.starts_with('\'') && literal_can_hold(text) => {
                out.push('\'');
                out.push_str(text);
                out.push('\'');
            }
            _ => basic_string(out, text),
        },
        Value::Literal(text) => out.push_str(text),
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write(out, item, None);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (index, (name, item)) in map.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { " " });
                out.push_str(&key(name));
                out.push_str(" = ");
                write(out, item, None);
            }
            out.push_str(if map.is_empty() { "}" } else { " }" });
        }
    }
}

/// A key, in quotes where it needs them.
pub(crate) fn key(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !name.is_empty() && name.bytes().all(bare) {
        return name.to_owned();
    }
    let mut out = String::new();
    basic_string(&mut out, name);
    out
}

fn literal_can_hold(text: &str) -> bool {
    !text.chars().any(|c| c == '\'' || c.is_control())
}

fn basic_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Writing to a String cannot fail.
            c if c.is_control() => drop(write!(out, "\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn float(value: f64) -> String {
    if value.is_nan() {
        "nan".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "inf" } else { "-inf" }.to_owned()
    } else {
        format!("{value:?}")
    }
}

/// Whether TOML can hold `value`.
///
/// # Errors
/// `no-null`, or `no-such-value` for a literal that is no date or time.
pub(crate) fn writable(value: &Value) -> Result<(), Diagnostic> {
    match value {
        Value::Null => Err(Diagnostic::error("no-null", "TOML has no null")
            .help("take the key away instead, or write a value that your code takes for none")),
        Value::Literal(text) if text.parse::<toml_edit::Datetime>().is_err() => {
            let message = if text.trim_start_matches(['-', '+']).bytes().all(|byte| byte.is_ascii_digit()) {
                format!("`{text}` does not fit the 64 bits of a TOML integer")
            } else {
                format!("TOML has no value such as `{text}`")
            };
            Err(Diagnostic::error("no-such-value", message).help("give it as a string, in quotes"))
        }
        Value::List(items) => items.iter().try_for_each(writable),
        Value::Map(map) => map.values().try_for_each(writable),
        _ => Ok(()),
    }
}
