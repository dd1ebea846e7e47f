//! Numbers and values as Python prints them, because users compare tables of dewar with those of DVC.

use dewar_core::python;
use dewar_text::Value;

/// `'%.{digits}g' % number`: that many significant digits, trailing zeros left out.
#[must_use]
pub fn general(number: f64, digits: u8) -> String {
    let digits = usize::from(digits.max(1));
    if !number.is_finite() {
        return python::float(number);
    }
    let scientific = format!("{number:.*e}", digits - 1);
    let (mantissa, exponent) = split(&scientific);
    let precision = i64::try_from(digits).unwrap_or(i64::MAX);
    if exponent < -4 || exponent >= precision {
        return format!("{}{}", without_zeros(mantissa), exponent_text(exponent));
    }
    let decimals = usize::try_from(precision - 1 - exponent).unwrap_or(0);
    without_zeros(&format!("{number:.decimals$}")).to_owned()
}

/// How many digits a number of a table gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digits {
    /// As many as it takes to read the same number back.
    All,
    /// That many significant ones.
    Significant(u8),
}

impl Default for Digits {
    /// What DVC's tables have.
    fn default() -> Self {
        Self::Significant(5)
    }
}

/// `str(value)` of Python, with numbers of `digits`.
#[must_use]
pub fn value(value: &Value, digits: Digits) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => nested(other, digits),
    }
}

fn nested(value: &Value, digits: Digits) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => match digits {
            Digits::All => python::float(*number),
            Digits::Significant(digits) => general(*number, digits),
        },
        Value::Text(text) => quoted(text),
        Value::Literal(text) => text.clone(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| nested(item, digits)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(map) => {
            let entries: Vec<String> =
                map.iter().map(|(key, item)| format!("{}: {}", quoted(key), nested(item, digits))).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

/// `repr` of a string: single quotes unless only double ones need no escape.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// Mantissa and exponent of Rust's `1.5e-7`.
fn split(scientific: &str) -> (&str, i64) {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    (mantissa, exponent.parse().unwrap_or(0))
}

/// C writes a sign and at least two digits.
fn exponent_text(exponent: i64) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("e{sign}{:02}", exponent.unsigned_abs())
}

fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// A number of bytes in the largest unit of 1,000 that leaves something before the point.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.iter().find(|(size, _)| count >= *size) {
        Some((size, unit)) => format!("{}.{} {unit}", count / size, count % size * 10 / size),
        None => format!("{count} B"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn bytes_have_a_unit() {
        let shown = [0, 999, 1_000, 3_450_000, 2_000_000_000].map(super::bytes);
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "3.4 MB", "2.0 GB"]);
    }

    use super::*;

    /// Expected texts come from CPython.
    #[test]
    fn significant_digits_as_python_has_them() {
        for (number, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (0.604_053_2, "0.60405"),
            (123_456.0, "1.2346e+05"),
            (99_999.4, "99999"),
            (99_999.6, "1e+05"),
            (0.000_123_456, "0.00012346"),
            (0.000_012_345_6, "1.2346e-05"),
            (1e100, "1e+100"),
            (-2.5, "-2.5"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(general(number, 5), expected);
        }
        assert_eq!(general(1234.0, 2), "1.2e+03");
    }

    #[test]
    fn values_as_python_has_them() {
        let list =
            Value::List(vec![Value::Float(0.123_456_78), Value::Text("it's".into()), Value::Bool(true), Value::Null]);
        assert_eq!(value(&list, Digits::default()), "[0.12346, \"it's\", True, None]");
        assert_eq!(value(&Value::Float(0.123_456_78), Digits::All), "0.12345678");
        assert_eq!(value(&Value::Text("plain".into()), Digits::All), "plain");
        let map = Value::Map([("a\n".to_owned(), Value::Int(1))].into_iter().collect());
        assert_eq!(value(&map, Digits::All), "{'a\\n': 1}");
    }
}
