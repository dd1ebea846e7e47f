//! Parameters in Python files: what DVC reads (literals assigned to one name at module level, in classes, and to `self` in
//! `__init__`; the last assignment of a name wins), and edits that DVC does silently not or wrongly: strings, `X=5`, attributes,
//! values inside dicts and lists, one statement of several on a line.
//!
//! [`nesting`] keeps hostile sources from the parser, [`read`] makes the tree, [`literal`] says what a literal means,
//! [`plan`] finds what an edit replaces, [`write`] writes values.

mod literal;
mod nesting;
mod plan;
mod read;
mod write;

use dewar_plugin::dewar_text::splice;
use dewar_plugin::{Diagnostic, Edit, Node, ParamFormat};

/// The format.
pub struct Python;

impl ParamFormat for Python {
    fn read(source: &[u8]) -> Result<Node, Vec<Diagnostic>> {
        read::read(source).map_err(|error| vec![error])
    }

    fn edit(source: &[u8], edits: &[Edit]) -> Result<Vec<u8>, Vec<Diagnostic>> {
        splice::edited(source, edits, read::read, plan::plan).map_err(|error| vec![error])
    }
}

dewar_plugin::export_param_format!(Python, manifest = "plugin.toml");

#[cfg(test)]
mod tests;
