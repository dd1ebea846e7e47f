//! YAML parameter files. The reader and the editor are those of `dewar_text::yaml`, which core reads `dvc.yaml` with too: a
//! second one would disagree with the first.

use dewar_plugin::dewar_text::yaml;
use dewar_plugin::{Diagnostic, Edit, Node, NodeKind, ParamFormat};

/// The format. A source without a value holds no parameters: an empty mapping, as DVC has it.
pub struct Yaml;

impl ParamFormat for Yaml {
    fn read(source: &[u8]) -> Result<Node, Vec<Diagnostic>> {
        let root = yaml::read(source).map_err(|error| vec![error])?;
        Ok(if root.is_null() { Node { kind: NodeKind::Map(Vec::new()), ..root } } else { root })
    }

    fn edit(source: &[u8], edits: &[Edit]) -> Result<Vec<u8>, Vec<Diagnostic>> {
        yaml::edit(source, edits).map_err(|error| vec![error])
    }
}

dewar_plugin::export_param_format!(Yaml, manifest = "plugin.toml");

#[cfg(test)]
mod tests;
