//! The part of a parameter file that dotted keys name, nested as in the file (DVC's `dpath.search` and `merge`).

use dewar_text::{Map, Value};

use crate::params::value::lookup;

/// What `keys` name in `values`; keys that are not there name nothing.
pub(super) fn project(values: &Value, keys: &[String]) -> Value {
    let mut kept = Value::Map(Map::new());
    for key in keys.iter().filter(|key| lookup(values, key).is_some()) {
        let parts: Vec<&str> = key.split('.').collect();
        copy(values, &parts, &mut kept);
    }
    kept
}

fn copy(from: &Value, parts: &[&str], into: &mut Value) {
    let Some((part, rest)) = parts.split_first() else {
        return merge(from, into);
    };
    match from {
        Value::Map(map) => {
            if let Some(value) = map.get(*part) {
                copy(value, rest, slot(into, part));
            }
        }
        Value::List(items) => {
            let Some((at, value)) = part.parse::<usize>().ok().and_then(|at| Some((at, items.get(at)?))) else {
                return;
            };
            if !matches!(into, Value::List(_)) {
                *into = Value::List(Vec::new());
            }
            if let Value::List(kept) = into {
                // Items before it that are not wanted leave their places empty.
                if kept.len() <= at {
                    kept.resize(at + 1, Value::Null);
                }
                if let Some(slot) = kept.get_mut(at) {
                    copy(value, rest, slot);
                }
            }
        }
        _ => {}
    }
}

fn merge(from: &Value, into: &mut Value) {
    match (from, &mut *into) {
        (Value::Map(from), Value::Map(_)) => from.iter().for_each(|(key, value)| merge(value, slot(into, key))),
        _ => from.clone_into(into),
    }
}

/// The place of a key in what is a mapping from now on.
fn slot<'a>(into: &'a mut Value, key: &str) -> &'a mut Value {
    if !matches!(into, Value::Map(_)) {
        *into = Value::Map(Map::new());
    }
    match into {
        Value::Map(map) => map.entry(key.to_owned()).or_default(),
        // It was made a mapping above.
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_nesting() {
        let read = |text: &str| dewar_text::yaml::read(text.as_bytes()).unwrap().to_value();
        let values = read("{a: {b: 1, c: {d: 2, e: 3}}, l: [5, {x: 6}], z: null}");
        let kept = |keys: &[&str]| project(&values, &keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
        assert_eq!(kept(&["a.c.e", "a.b"]), read("{a: {c: {e: 3}, b: 1}}"));
        assert_eq!(kept(&["a.c", "a.c.d"]), read("{a: {c: {d: 2, e: 3}}}"));
        assert_eq!(kept(&["a.c.d", "a.c"]), read("{a: {c: {d: 2, e: 3}}}"));
        assert_eq!(kept(&["l.1.x", "z", "no", "a.b.c"]), read("{l: [null, {x: 6}], z: null}"));
    }
}
