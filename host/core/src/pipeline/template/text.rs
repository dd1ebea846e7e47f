//! Values as text within text, as DVC writes them, and mappings as the flags of a command.

use dewar_text::{Map, Value};
use serde::Serialize;

use crate::params::value::flatten;
use crate::python;

/// How a mapping in a command becomes flags (`parsing` in `.dvc/config`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct FlagStyle {
    /// What becomes of booleans (`parsing.bool`).
    pub booleans: BooleanFlags,
    /// What becomes of lists (`parsing.list`).
    pub lists: ListFlags,
}

/// What becomes of booleans, in the words of Python's `argparse`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum BooleanFlags {
    /// `--flag` when it is true, nothing when it is false.
    #[default]
    StoreTrue,
    /// `--flag` when it is true, `--no-flag` when it is false.
    BooleanOptional,
}

/// What becomes of lists, in the words of Python's `argparse`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum ListFlags {
    /// `--flag a b`.
    #[default]
    Nargs,
    /// `--flag a --flag b`.
    Append,
}

/// A scalar as text; none for a list or a mapping.
pub(super) fn text(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => "None".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => python::float(*value),
        Value::Text(text) | Value::Literal(text) => text.clone(),
        Value::List(_) | Value::Map(_) => return None,
    })
}

/// A scalar as Python's `str` has it, where DVC forgets its own text of booleans.
pub(super) fn python_text(value: &Value) -> Option<String> {
    match value {
        Value::Bool(true) => Some("True".to_owned()),
        Value::Bool(false) => Some("False".to_owned()),
        value => text(value),
    }
}

/// A mapping as flags: `--lr 0.1 --layers 3 4 --opt.name 'a b'`.
///
/// # Errors
/// The key of a list with a list or a mapping in it.
pub(super) fn flags(map: &Map, style: FlagStyle) -> Result<String, String> {
    let mut words: Vec<String> = Vec::new();
    let map = Value::Map(map.clone());
    for (key, value) in flatten(&map) {
        match value {
            Value::Map(_) => {}
            Value::Bool(true) => words.push(format!("--{key}")),
            Value::Bool(false) if style.booleans == BooleanFlags::BooleanOptional => words.push(format!("--no-{key}")),
            Value::Bool(false) => {}
            Value::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    if at == 0 || style.lists == ListFlags::Append {
                        words.push(format!("--{key}"));
                    }
                    words.push(word(item).ok_or_else(|| key.clone())?);
                }
            }
            scalar => words.extend([Some(format!("--{key}")), word(scalar)].into_iter().flatten()),
        }
    }
    Ok(words.join(" "))
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) | Value::Literal(text) => Some(quoted(text)),
        value => python_text(value),
    }
}

/// One word for the shell, as Python's `shlex.quote` writes it.
fn quoted(text: &str) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !text.is_empty() && text.chars().all(is_safe) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(yaml: &str, style: FlagStyle) -> Result<String, String> {
        let value = dewar_text::yaml::read(yaml.as_bytes()).unwrap().to_value();
        flags(value.as_map().unwrap(), style)
    }

    /// What DVC 3.67 makes of the same.
    #[test]
    fn mappings_become_flags() {
        let append = FlagStyle { lists: ListFlags::Append, ..FlagStyle::default() };
        let optional = FlagStyle { booleans: BooleanFlags::BooleanOptional, ..FlagStyle::default() };
        let table = [
            (
                "{foo: foo, bar: 2, baz: true, l: [1, a b], n: {q: it's}, z: null}",
                FlagStyle::default(),
                "--foo foo --bar 2 --baz --l 1 'a b' --n.q 'it'\"'\"'s' --z None",
            ),
            ("{a: false, b: true}", FlagStyle::default(), "--b"),
            ("{a: false, b: true, n: {c: false}}", optional, "--no-a --b --no-n.c"),
            ("{l: [1, a b], e: [], m: {}}", append, "--l 1 --l 'a b'"),
            ("{k: 1, l: [true, 2.5, null, a b], e: {}}", FlagStyle::default(), "--k 1 --l True 2.5 None 'a b'"),
            (
                "{e: '', u: ä, f: 1e-5, s: 'a/b_c@d%e+f=g:h,i.j-k'}",
                FlagStyle::default(),
                "--e '' --u 'ä' --f 1e-05 --s a/b_c@d%e+f=g:h,i.j-k",
            ),
            ("{}", FlagStyle::default(), ""),
        ];
        for (yaml, style, wanted) in table {
            assert_eq!(unpacked(yaml, style).unwrap(), wanted, "{yaml}");
        }
        assert_eq!(unpacked("{n: {l: [1, [2]]}}", append), Err("n.l".to_owned()));
    }
}
