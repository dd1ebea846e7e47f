//! Texts exactly as Python writes them: what DVC hashes and shows is made of them.

use std::fmt::Write as _;

use dewar_text::{Value, number};

/// `repr(value)` of a float: the shortest digits that read back, with an exponent below 1e-4 and from 1e16 on.
#[must_use]
pub fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    number::repr(value)
}

/// `json.dumps(value, sort_keys=True)`: separators `", "` and `": "`, non-ASCII as `\uXXXX`.
#[must_use]
pub fn json_sorted(value: &Value) -> String {
    let mut out = String::new();
    write_json(value, &mut out);
    out
}

fn write_json(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(value) => out.push_str(&value.to_string()),
        Value::Float(value) => out.push_str(&match float(*value).as_str() {
            "nan" => "NaN".to_owned(),
            "inf" => "Infinity".to_owned(),
            "-inf" => "-Infinity".to_owned(),
            finite => finite.to_owned(),
        }),
        Value::Text(text) => write_json_text(text, out),
        Value::Literal(text) if text.trim_start_matches(['-', '+']).bytes().all(|byte| byte.is_ascii_digit()) => {
            out.push_str(text);
        }
        Value::Literal(text) => write_json_text(text, out),
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                write_json(item, out);
            }
            out.push(']');
        }
        Value::Map(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (at, (key, value)) in entries.into_iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                write_json_text(key, out);
                out.push_str(": ");
                write_json(value, out);
            }
            out.push('}');
        }
    }
}

fn write_json_text(text: &str, out: &mut String) {
    out.push('"');
    escape_json(text, out);
    out.push('"');
}

/// What `json.dumps` writes between the quotes of a string: everything but printable ASCII escaped, as `\uXXXX` in UTF-16.
pub fn escape_json(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_those_of_repr() {
        let table = [
            (0.1, "0.1"),
            (1.0, "1.0"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.2345678901234568e17, "1.2345678901234568e+17"),
            (-2.5e-10, "-2.5e-10"),
            (1e100, "1e+100"),
            (-0.0, "-0.0"),
            (f64::INFINITY, "inf"),
        ];
        for (value, wanted) in table {
            assert_eq!(float(value), wanted);
        }
    }

    #[test]
    fn json_is_that_of_dumps() {
        let value = dewar_text::yaml::read("{b: [1, 2.0, 1e-5, null, true], a: \"é🙂\\\"\\n\"}".as_bytes()).unwrap();
        assert_eq!(
            json_sorted(&value.to_value()),
            r#"{"a": "\u00e9\ud83d\ude42\"\n", "b": [1, 2.0, 1e-05, null, true]}"#
        );
    }
}
