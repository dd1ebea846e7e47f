//! The manifest of a plugin travels inside the component, in the custom section `dewar:manifest`.

/// Puts a file of the crate into the custom section `dewar:manifest`. Part of the `export_*!` macros.
#[doc(hidden)]
#[macro_export]
macro_rules! embed_manifest {
    ($path:literal) => {
        const _: () = {
            const TEXT: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path));

            #[cfg(target_family = "wasm")]
            #[used]
            #[unsafe(link_section = "dewar:manifest")]
            static MANIFEST: [u8; TEXT.len()] = {
                let mut bytes = [0; TEXT.len()];
                bytes.copy_from_slice(TEXT);
                bytes
            };
        };
    };
}
