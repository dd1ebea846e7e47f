//! [`ParamValue`] and what DVC means by a dotted key and by "unchanged".

pub use dewar_text::{Map, Value as ParamValue};

use crate::fnmatch::Pattern;

/// The value that a dotted key names: `train.layers.0`. Parts go into mappings by key and into lists by index. A part may be
/// a pattern, as in `data.moons*`, when exactly one value fits the key (DVC's rule).
#[must_use]
pub fn lookup<'a>(value: &'a ParamValue, key: &str) -> Option<&'a ParamValue> {
    let exact = key.split('.').try_fold(value, |at, part| match at {
        ParamValue::Map(map) => map.get(part),
        ParamValue::List(list) => list.get(part.parse::<usize>().ok()?),
        _ => None,
    });
    exact.or_else(|| if key.contains(['*', '?', '[']) { only_match(value, key) } else { None })
}

fn only_match<'a>(value: &'a ParamValue, key: &str) -> Option<&'a ParamValue> {
    let mut found = vec![value];
    for part in key.split('.').map(Pattern::new) {
        let inside = |at: &'a ParamValue| -> Vec<&'a ParamValue> {
            match at {
                ParamValue::Map(map) => {
                    map.iter().filter(|(key, _)| part.matches(key)).map(|(_, value)| value).collect()
                }
                ParamValue::List(list) => {
                    let fits = |(index, _): &(usize, &ParamValue)| part.matches(&index.to_string());
                    list.iter().enumerate().filter(fits).map(|(_, value)| value).collect()
                }
                _ => Vec::new(),
            }
        };
        found = found.into_iter().flat_map(inside).collect();
    }
    match found.as_slice() {
        [only] => Some(only),
        _ => None,
    }
}

/// Whether two values are equal as Python has it, which decides for DVC whether a parameter changed: `3 == 3.0`,
/// `True == 1`; mappings in any order. NaN equals NaN here, or it would change on every run.
#[must_use]
pub fn python_equal(a: &ParamValue, b: &ParamValue) -> bool {
    use ParamValue::{Float, List, Map};
    match (a, b) {
        (List(a), List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| python_equal(a, b)),
        (Map(a), Map(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| python_equal(a, b)))
        }
        (Float(a), Float(b)) => a == b || (a.is_nan() && b.is_nan()),
        _ => match (integer(a), integer(b)) {
            (Some(a), Some(b)) => a == b,
            (Some(whole), None) => float(b).is_some_and(|b| whole_equals(whole, b)),
            (None, Some(whole)) => float(a).is_some_and(|a| whole_equals(whole, a)),
            (None, None) => a == b,
        },
    }
}

const fn integer(value: &ParamValue) -> Option<i64> {
    match value {
        ParamValue::Int(value) => Some(*value),
        ParamValue::Bool(value) => Some(*value as i64),
        _ => None,
    }
}

const fn float(value: &ParamValue) -> Option<f64> {
    if let ParamValue::Float(value) = value { Some(*value) } else { None }
}

#[expect(clippy::cast_possible_truncation, reason = "a float outside the range of i64 saturates, and then differs")]
fn whole_equals(whole: i64, value: f64) -> bool {
    value.fract() == 0.0 && value.abs() < 9.3e18 && value as i64 == whole
}

/// The value as JSON: what `--json` prints and what is hashed. NaN and infinities, which JSON lacks, are given as text.
#[must_use]
pub fn to_json(value: &ParamValue) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        ParamValue::Null => Json::Null,
        ParamValue::Bool(value) => Json::Bool(*value),
        ParamValue::Int(value) => Json::from(*value),
        ParamValue::Float(value) => {
            serde_json::Number::from_f64(*value).map_or_else(|| Json::String(value.to_string()), Json::Number)
        }
        ParamValue::Text(text) | ParamValue::Literal(text) => Json::String(text.clone()),
        ParamValue::List(items) => Json::Array(items.iter().map(to_json).collect()),
        ParamValue::Map(map) => Json::Object(map.iter().map(|(key, value)| (key.clone(), to_json(value))).collect()),
    }
}

/// All leaves with their dotted keys, in order: what a table has a column for. A list is a leaf.
#[must_use]
pub fn flatten(value: &ParamValue) -> Vec<(String, &ParamValue)> {
    fn walk<'a>(prefix: &str, value: &'a ParamValue, out: &mut Vec<(String, &'a ParamValue)>) {
        match value {
            ParamValue::Map(map) if !map.is_empty() || prefix.is_empty() => {
                for (key, value) in map {
                    let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                    walk(&name, value, out);
                }
            }
            leaf => out.push((prefix.to_owned(), leaf)),
        }
    }
    let mut out = Vec::new();
    walk("", value, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_the_one_value_that_fits() {
        let leaf = ParamValue::Int;
        let map = |entries: &[(&str, ParamValue)]| {
            ParamValue::Map(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
        };
        let value = map(&[
            ("data", map(&[("moons_1", leaf(1)), ("sun", ParamValue::List(vec![leaf(2), leaf(3)]))])),
            ("*", leaf(4)),
        ]);
        assert_eq!(lookup(&value, "data.moons*"), Some(&leaf(1)));
        assert_eq!(lookup(&value, "d*.sun.[!0]"), Some(&leaf(3)));
        assert_eq!(lookup(&value, "*"), Some(&leaf(4)));
        for none_or_several in ["data.*", "data.m?", "*.*.*", "data.sun.*", "[z].x"] {
            assert_eq!(lookup(&value, none_or_several), None, "{none_or_several}");
        }
    }
    use ParamValue::{Bool, Float, Int, List, Null, Text};

    #[test]
    fn equality_is_pythons() {
        assert!(python_equal(&Int(3), &Float(3.0)));
        assert!(python_equal(&Bool(true), &Int(1)));
        assert!(python_equal(&Bool(true), &Float(1.0)));
        assert!(python_equal(&Float(f64::NAN), &Float(f64::NAN)));
        assert!(!python_equal(&Int(3), &Text("3".into())));
        assert!(!python_equal(&Int(0), &Null));
        assert!(!python_equal(&Int(i64::MAX), &Float(9.3e18)));
        assert!(python_equal(&List(vec![Int(1)]), &List(vec![Float(1.0)])));
    }

    #[test]
    fn a_dotted_key_goes_into_mappings_and_lists() {
        let inner: Map = [("b".to_owned(), List(vec![Int(7)]))].into_iter().collect();
        let value = ParamValue::Map([("a".to_owned(), ParamValue::Map(inner))].into_iter().collect());
        assert_eq!(lookup(&value, "a.b.0"), Some(&Int(7)));
        assert_eq!(lookup(&value, "a.b.1"), None);
        assert_eq!(lookup(&value, "a.x"), None);
        assert_eq!(flatten(&value).len(), 1);
    }
}
