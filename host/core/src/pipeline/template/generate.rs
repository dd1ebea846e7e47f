//! `foreach` and `matrix`: what each of the generated stages is named and sees.

use dewar_text::{Diagnostic, Node, Value};
use indexmap::IndexMap;

use super::text::{python_text, text};
use super::variable::{Variable, Variables};
use crate::pipeline::schema;

/// More stages than anybody means to have; a matrix grows fast.
const MAX_STAGES: usize = 100_000;

/// What generated stages see, by what stands behind the `@` of their names.
pub(super) type Generated = IndexMap<String, Vec<(&'static str, Variable)>>;

/// The stages of a `foreach`: a mapping gives `${item}` and `${key}`, a list `${item}`. Items of one name are one stage, the
/// last.
///
/// # Errors
/// When it is neither.
pub(super) fn foreach(node: &Node, data: &Variable) -> Result<Generated, Diagnostic> {
    if let Some(entries) = data.entries() {
        let bound = |(key, item): (String, Variable)| {
            let bound = vec![("item", item), ("key", Variable::here(Value::Text(key.clone())))];
            (key, bound)
        };
        return Ok(entries.into_iter().map(bound).collect());
    }
    let Some(items) = data.items() else {
        let message = format!("`foreach` must be a list or a mapping, not {}", data.kind());
        return Err(Diagnostic::error("wrong-type", message)
            .at(node.span)
            .help("write what to iterate over, or the template of a list or a mapping"));
    };
    let numbered = items.iter().any(|item| item.scalar().is_none());
    let name = |at: usize, item: &Variable| if numbered { at.to_string() } else { scalar_name(item) };
    Ok(items.into_iter().enumerate().map(|(at, item)| (name(at, &item), vec![("item", item)])).collect())
}

/// The stages of a `matrix`: each combination of the values of its axes, the last axis changing fastest.
///
/// # Errors
/// When an axis is no list, or the combinations are too many.
pub(super) fn matrix(node: &Node, data: &Variable) -> Result<Generated, Diagnostic> {
    let mut axes: Vec<(String, Vec<(String, Variable)>)> = Vec::new();
    for (name, axis) in data.entries().unwrap_or_default() {
        // DVC goes through the keys of a mapping.
        let keys = || Some(axis.entries()?.into_iter().map(|(key, _)| Variable::here(Value::Text(key))).collect());
        let Some(values) = axis.items().or_else(keys) else {
            let span = node.get(&name).map_or(node.span, |axis| axis.span);
            let message = format!("the axis `{name}` of `matrix` must be a list, not {}", axis.kind());
            return Err(Diagnostic::error("wrong-type", message).at(span).help(format!("write `{name}: [..]`")));
        };
        let fragment = |(at, value): (usize, Variable)| {
            let fragment = if value.scalar().is_some() { scalar_name(&value) } else { format!("{name}{at}") };
            (fragment, value)
        };
        let values = values.into_iter().enumerate().map(fragment).collect();
        axes.push((name, values));
    }
    if axes.is_empty() {
        return Err(schema::wrong_type(node, "`matrix`", "a mapping of axes to lists")
            .help("write `matrix: {name: [value, ..]}`"));
    }
    let count = axes.iter().try_fold(1_usize, |count, (_, values)| count.checked_mul(values.len()));
    if count.is_none_or(|count| count > MAX_STAGES) {
        let message = format!("`matrix` would make more than {MAX_STAGES} stages");
        return Err(Diagnostic::error("too-many-stages", message).at(node.span).help("leave out axes or values"));
    }
    let mut combined: Vec<(Vec<&str>, Variables)> = vec![Default::default()];
    for (name, values) in &axes {
        let mut longer = Vec::with_capacity(combined.len() * values.len());
        for (fragments, chosen) in &combined {
            for (fragment, value) in values {
                let (mut fragments, mut chosen) = (fragments.clone(), chosen.clone());
                fragments.push(fragment);
                chosen.insert(name.clone(), value.clone());
                longer.push((fragments, chosen));
            }
        }
        combined = longer;
    }
    let bound = |(fragments, chosen): (Vec<&str>, Variables)| {
        let key = fragments.join("-");
        let bound = vec![("item", Variable::Map(chosen)), ("key", Variable::here(Value::Text(key.clone())))];
        (key, bound)
    };
    Ok(combined.into_iter().map(bound).collect())
}

/// A scalar in a stage's name. DVC writes a boolean that comes from elsewhere as Python does, `True`, and one that stands here
/// as YAML does; names are kept in `dvc.lock`, so that this must be the same.
fn scalar_name(variable: &Variable) -> String {
    let is_here = matches!(variable, Variable::Whole { origin: None, .. });
    let name = variable.scalar().and_then(if is_here { text } else { python_text });
    name.unwrap_or_default()
}
