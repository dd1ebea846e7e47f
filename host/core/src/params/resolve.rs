//! What overrides mean for the values of one file: from `-S` to the primitive [`Edit`]s that a format plugin applies.

use dewar_text::{Change, Edit, Map, Step, Value, edit};

use super::overrides::{Operation, Override};
use super::value::python_equal;

/// Why an override does not fit the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The key is not there and was to be changed.
    #[error("there is no parameter `{key}` to change")]
    Missing {
        /// The dotted key.
        key: String,
        /// A key that looks like it.
        similar: Option<String>,
    },
    /// The key is there and was to be added.
    #[error("the parameter `{key}` exists already")]
    Exists {
        /// The dotted key.
        key: String,
    },
    /// A part of the key names something that holds no keys.
    #[error("`{parent}` is {kind}, so there can be no `{key}`")]
    NotAContainer {
        /// The dotted key.
        key: String,
        /// The part that is no mapping.
        parent: String,
        /// What it is.
        kind: &'static str,
    },
    /// `~key=value` and the value is another.
    #[error("the parameter `{key}` has another value and is not deleted")]
    OtherValue {
        /// The dotted key.
        key: String,
    },
}

/// Turns the overrides of one file, in order, into edits of `tree`, its values.
///
/// # Errors
/// When one does not fit; nothing was changed then.
pub fn resolve(tree: &Value, overrides: &[&Override]) -> Result<Vec<Edit>, ResolveError> {
    let mut tree = if matches!(tree, Value::Null) { Value::Map(Map::new()) } else { tree.clone() };
    let mut edits = Vec::new();
    for one in overrides {
        let new = resolve_one(&tree, one)?;
        // Cannot fail: the edits were made for this tree. The next override sees their effect.
        drop(edit::apply(&mut tree, &new));
        edits.extend(new);
    }
    Ok(edits)
}

fn resolve_one(tree: &Value, one: &Override) -> Result<Vec<Edit>, ResolveError> {
    let found = walk(tree, one);
    match (&one.operation, found) {
        (Operation::Change(value) | Operation::AddOrChange(value), Ok((path, old))) => {
            let strict = matches!(one.operation, Operation::Change(_));
            let mut edits = Vec::new();
            put(path, old, value, strict, &mut edits)?;
            Ok(edits)
        }
        (Operation::Add(value) | Operation::AddOrChange(value), Err(missing)) => add(one, missing, value),
        (Operation::Add(_), Ok(_)) => Err(ResolveError::Exists { key: one.key_text() }),
        (Operation::Delete(wanted), Ok((path, old))) => match wanted {
            Some(wanted) if !python_equal(wanted, old) => Err(ResolveError::OtherValue { key: one.key_text() }),
            _ => Ok(vec![Edit { path, change: Change::Remove }]),
        },
        (Operation::Change(_) | Operation::Delete(_), Err(missing)) => Err(missing.error(one)),
    }
}

/// A mapping over a mapping is merged key by key, anything else replaces (OmegaConf's `update`, merge).
fn put(path: Vec<Step>, old: &Value, value: &Value, strict: bool, edits: &mut Vec<Edit>) -> Result<(), ResolveError> {
    let (Value::Map(old), Value::Map(new)) = (old, value) else {
        edits.push(Edit { path, change: Change::Put(value.clone()) });
        return Ok(());
    };
    for (key, value) in new {
        let mut path = path.clone();
        path.push(Step::Field(key.clone()));
        match old.get(key) {
            Some(old) => put(path, old, value, strict, edits)?,
            None if strict => return Err(ResolveError::Missing { key: edit::display(&path), similar: None }),
            None => edits.push(Edit { path, change: Change::Put(value.clone()) }),
        }
    }
    Ok(())
}

/// Where the walk along a key ended.
struct Missing<'a> {
    /// The part of the path that exists.
    path: Vec<Step>,
    /// What stands there.
    at: &'a Value,
}

impl Missing<'_> {
    fn error(&self, one: &Override) -> ResolveError {
        match self.at {
            Value::Map(map) => {
                let wanted = one.key.get(self.path.len()).map_or("", String::as_str);
                let similar = crate::words::most_similar(wanted, map.keys().map(String::as_str));
                let similar = similar.map(|similar| {
                    let mut path = self.path.clone();
                    path.push(Step::Field(similar.to_owned()));
                    edit::display(&path)
                });
                ResolveError::Missing { key: one.key_text(), similar }
            }
            Value::List(_) => ResolveError::Missing { key: one.key_text(), similar: None },
            other => ResolveError::NotAContainer {
                key: one.key_text(),
                parent: edit::display(&self.path),
                kind: other.kind(),
            },
        }
    }
}

fn walk<'a>(tree: &'a Value, one: &Override) -> Result<(Vec<Step>, &'a Value), Missing<'a>> {
    let mut path = Vec::new();
    let mut at = tree;
    for part in &one.key {
        let next = match at {
            Value::Map(map) => map.get(part).map(|next| (next, Step::Field(part.clone()))),
            Value::List(list) => {
                part.parse().ok().and_then(|index: usize| list.get(index).map(|next| (next, Step::Index(index))))
            }
            _ => None,
        };
        let Some((next, step)) = next else { return Err(Missing { path, at }) };
        at = next;
        path.push(step);
    }
    Ok((path, at))
}

/// Adds the value in the last mapping that exists, inside new mappings for the parts in between.
fn add(one: &Override, missing: Missing<'_>, value: &Value) -> Result<Vec<Edit>, ResolveError> {
    if !matches!(missing.at, Value::Map(_)) {
        return Err(missing.error(one));
    }
    let mut rest = one.key.iter().skip(missing.path.len());
    let first = rest.next().cloned().unwrap_or_default();
    let nested =
        rest.rev().fold(value.clone(), |inner, part| Value::Map([(part.clone(), inner)].into_iter().collect()));
    let mut path = missing.path;
    path.push(Step::Field(first));
    Ok(vec![Edit { path, change: Change::Put(nested) }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::sweep::one;

    fn tree() -> Value {
        dewar_text::yaml::read(b"lr: 0.1\nnul:\nlst: [1, {a: 2}]\nnest: {a: 1, b: {c: q}}\n").unwrap().to_value()
    }

    fn after(overrides: &[&str]) -> Result<Value, ResolveError> {
        let parsed: Vec<Override> = overrides.iter().map(|text| one(text).unwrap()).collect();
        let edits = resolve(&tree(), &parsed.iter().collect::<Vec<_>>())?;
        let mut value = tree();
        edit::apply(&mut value, &edits).unwrap();
        Ok(value)
    }

    fn yaml(text: &str) -> Value {
        dewar_text::yaml::read(text.as_bytes()).unwrap().to_value()
    }

    #[test]
    fn changes_adds_and_deletes() {
        let changed = after(&["lr=5", "nest.b.c=z", "lst.1.a=7", "+new.deep.er=1", "~nul", "lr=6"]).unwrap();
        assert_eq!(changed, yaml("lr: 6\nlst: [1, {a: 7}]\nnest: {a: 1, b: {c: z}}\nnew: {deep: {er: 1}}\n"));
    }

    #[test]
    fn a_mapping_is_merged_and_a_scalar_replaces() {
        let merged = after(&["nest={a: 5}"]).unwrap();
        assert_eq!(super::super::value::lookup(&merged, "nest"), Some(&yaml("{a: 5, b: {c: q}}")));
        let replaced = after(&["nest=5"]).unwrap();
        assert_eq!(super::super::value::lookup(&replaced, "nest"), Some(&Value::Int(5)));
    }

    #[test]
    fn a_key_that_does_not_fit_is_refused() {
        assert_eq!(
            after(&["nest.aa=1"]),
            Err(ResolveError::Missing { key: "nest.aa".into(), similar: Some("nest.a".into()) })
        );
        assert_eq!(after(&["+lr=1"]), Err(ResolveError::Exists { key: "lr".into() }));
        assert_eq!(after(&["~lr=5"]), Err(ResolveError::OtherValue { key: "lr".into() }));
        for bad in ["zz=1", "lst.9=1", "lst.0.x=1", "nul.x=1", "nest.a.b=1", "~zz", "nest={zz: 1}", "+lr.x=1"] {
            assert!(after(&[bad]).is_err(), "{bad}");
        }
    }
}
