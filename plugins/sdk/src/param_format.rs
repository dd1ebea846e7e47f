//! [`ParamFormat`]: a format of parameter files.

use std::marker::PhantomData;

use dewar_text::{Diagnostic, Edit, Node};

use crate::bindings::param_format::exports::dewar::plugin::param_format as wit;
use crate::bindings::types;
use crate::document;

/// A format of parameter files. Pure: no files, clock, randomness or network, no state between calls.
pub trait ParamFormat {
    /// Reads a source: the values, and where each stands.
    ///
    /// # Errors
    /// What is wrong with the source, with a span wherever there is a place to point at.
    fn read(source: &[u8]) -> Result<Node, Vec<Diagnostic>>;

    /// Returns `source` with `edits` applied in order, everything else (comments, order, quoting, layout, line ends, byte
    /// order mark) byte for byte as it was. All steps of a path but the last lead to something that exists.
    ///
    /// The host reads the result again and rejects it unless it is exactly the old values plus the edits.
    ///
    /// # Errors
    /// What cannot be done without damage is refused.
    fn edit(source: &[u8], edits: &[Edit]) -> Result<Vec<u8>, Vec<Diagnostic>>;
}

/// The component side of a [`ParamFormat`].
#[doc(hidden)]
pub struct Exported<T>(PhantomData<T>);

impl<T: ParamFormat + 'static> wit::Guest for Exported<T> {
    fn read(source: Vec<u8>) -> Result<types::Document, Vec<types::Diagnostic>> {
        T::read(&source).map(|node| document::from_node(&node)).map_err(document::from_diagnostics)
    }

    fn apply(source: Vec<u8>, edits: Vec<wit::Edit>) -> Result<Vec<u8>, Vec<types::Diagnostic>> {
        let edits = edits
            .into_iter()
            .map(|edit| Edit {
                path: edit.path.into_iter().map(document::to_step).collect(),
                change: match edit.change {
                    wit::Change::Put(document) => dewar_text::Change::Put(document::to_value(document)),
                    wit::Change::Remove => dewar_text::Change::Remove,
                },
            })
            .collect::<Vec<_>>();
        T::edit(&source, &edits).map_err(document::from_diagnostics)
    }
}

/// Makes the component of a crate a format of parameter files, with a manifest that stands in the crate.
///
/// ```ignore
/// dewar_plugin::export_param_format!(Ini, manifest = "plugin.toml");
/// ```
#[macro_export]
macro_rules! export_param_format {
    ($plugin:ty, manifest = $manifest:literal) => {
        $crate::embed_manifest!($manifest);

        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exported = $crate::export::ParamFormat<$plugin>;
            $crate::bindings::param_format::export_param_format_component!(
                Exported with_types_in $crate::bindings::param_format
            );
        };

        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            const fn is_a_param_format<T: $crate::ParamFormat>() {}
            is_a_param_format::<$plugin>()
        };
    };
}
