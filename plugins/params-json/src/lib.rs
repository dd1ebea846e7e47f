//! JSON parameter files, as Python's `json` reads them: `NaN` and the infinities are numbers, comments and trailing commas
//! are errors. Stricter than that in one point: a key that stands twice is an error, since an edit would have to guess.
//!
//! [`scan`] reads; [`layout`] writes values the way the file has them; what an edit replaces is `dewar_text::splice`.

mod layout;
mod scan;

use dewar_plugin::dewar_text::splice::{self, FlowStyle, Splice};
use dewar_plugin::{Change, Diagnostic, Edit, Map, Node, NodeKind, ParamFormat, Step, Value};

use crate::layout::Layout;

/// The format. An empty source is a file that is not there yet: an empty mapping.
pub struct Json;

impl ParamFormat for Json {
    fn read(source: &[u8]) -> Result<Node, Vec<Diagnostic>> {
        scan::scan(source).map_err(|error| vec![error])
    }

    fn edit(source: &[u8], edits: &[Edit]) -> Result<Vec<u8>, Vec<Diagnostic>> {
        splice::edited(source, edits, scan::scan, plan).map_err(|error| vec![error])
    }
}

dewar_plugin::export_param_format!(Json, manifest = "plugin.toml");

/// What one edit splices.
fn plan(source: &str, tree: &Node, edit: &Edit) -> Result<Vec<Splice>, Diagnostic> {
    let target = splice::find(tree, &edit.path);
    if let Change::Put(value) = &edit.change {
        if let Err(error) = layout::writable(value) {
            return Err(if let Some(node) = target { error.at(node.span) } else { error });
        }
        if target.is_some_and(|node| node.to_value().same(value)) {
            return Ok(Vec::new());
        }
        if target.is_none()
            && let Some((Step::Field(key), parents)) = edit.path.split_last()
            && let Some(parent) = splice::find(tree, parents)
            && let Some(splice) = add_to_short(source, tree, parent, key, value)
        {
            return Ok(vec![splice]);
        }
    }
    splice::plan_flow(source, tree, edit, &Layout::of(source, tree))
}

/// Adds a key to a mapping that is too short to show how its members are laid out; the rest of the file shows it.
fn add_to_short(source: &str, tree: &Node, parent: &Node, key: &str, value: &Value) -> Option<Splice> {
    let NodeKind::Map(entries) = &parent.kind else { return None };
    let layout = Layout::of(source, tree);
    match entries.as_slice() {
        [] => {
            let map = Value::Map(Map::from_iter([(key.to_owned(), value.clone())]));
            let text = layout.value(&map, None, splice::indentation(source, parent.span.start));
            let end = if source.is_empty() { "\n" } else { "" };
            Some(Splice::replace(parent.span, text + end))
        }
        [only] if !splice::begins_line(source, only.key_span.start) => {
            let text = layout.value(value, None, splice::indentation(source, only.key_span.start));
            Some(Splice::insert(only.value.span.end, format!("{}{}", layout.comma, layout.entry(key, &text))))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
