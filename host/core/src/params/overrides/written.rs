//! A value as it is typed behind `=`.

use dewar_text::{Value, number};

use super::values::{is_plain, typed};

/// A text that reads as `value`: without quotes where it can be. (A scalar that only a format can write, as a date, comes
/// back as a string; no override gives one.)
pub(in crate::params) fn value(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) if value.is_nan() => "nan".to_owned(),
        Value::Float(value) if value.is_infinite() => if *value > 0.0 { "inf" } else { "-inf" }.to_owned(),
        Value::Float(value) => number::repr(*value),
        Value::Text(text) => string(text),
        Value::Literal(text) => text.clone(),
        Value::List(items) => format!("[{}]", items.iter().map(self::value).collect::<Vec<_>>().join(",")),
        Value::Map(map) => {
            let entries: Vec<_> =
                map.iter().map(|(key, item)| format!("{}: {}", map_key(key), self::value(item))).collect();
            format!("{{{}}}", entries.join(","))
        }
    }
}

fn string(text: &str) -> String {
    let plain = is_plain(text, "") && matches!(typed(text), Value::Text(_));
    if plain { text.to_owned() } else { quoted(text) }
}

/// A key of a map is a string also when it looks like a number; what ends it is a colon.
fn map_key(text: &str) -> String {
    if is_plain(text, ":}") { text.to_owned() } else { quoted(text) }
}

/// In single quotes: a quote gets a backslash, and the backslashes before a quote are doubled.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    let mut backslashes = 0;
    for c in text.chars() {
        if c == '\'' {
            out.extend(std::iter::repeat_n('\\', backslashes + 1));
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
        out.push(c);
    }
    out.extend(std::iter::repeat_n('\\', backslashes));
    out.push('\'');
    out
}
