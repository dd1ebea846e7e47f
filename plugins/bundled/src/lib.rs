//! The plugins that come with dewar: components that the build script made of `plugins/{params,executor,policy}-*`.
//!
//! They are bytes here, not code: the plugin host loads them through the same door as a stranger's.

/// A plugin that comes with dewar.
#[derive(Debug, Clone, Copy)]
pub struct BundledPlugin {
    /// The name of its package, which is that of its manifest.
    pub name: &'static str,
    /// The component.
    pub bytes: &'static [u8],
    /// BLAKE3 of `bytes`, in hexadecimal, computed when it was built.
    pub blake3: &'static str,
}

/// All of them, sorted by name.
pub const BUNDLED: &[BundledPlugin] = include!(concat!(env!("OUT_DIR"), "/bundled.rs"));
