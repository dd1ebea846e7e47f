//! TOML parameter files. [`read`] makes the tree with `toml_edit`; [`plan`] finds what an edit replaces in the source itself,
//! since a printer would touch line ends, byte order marks and lines that nobody asked about; [`write`] writes values.

mod plan;
mod read;
mod write;

use dewar_plugin::dewar_text::splice;
use dewar_plugin::{Diagnostic, Edit, Node, ParamFormat};

/// The format.
pub struct Toml;

impl ParamFormat for Toml {
    fn read(source: &[u8]) -> Result<Node, Vec<Diagnostic>> {
        read::read(source).map_err(|error| vec![error])
    }

    fn edit(source: &[u8], edits: &[Edit]) -> Result<Vec<u8>, Vec<Diagnostic>> {
        splice::edited(source, edits, read::read, plan::plan).map_err(|error| vec![error])
    }
}

dewar_plugin::export_param_format!(Toml, manifest = "plugin.toml");

#[cfg(test)]
mod tests;
