//! The plugin host: components on wasmtime behind the traits of [`dewar_core::extension`]. The only crate that names wasmtime.
//!
//! It is steps 4 and 7 of the walk: the format plugin that edits `params.yaml`, the executor that runs a stage. In reading order:
//!
//! 1. [`manifest`], [`component`]: what a `.wasm` says of itself, read without compiling it.
//! 2. [`locate`], [`registry`]: which plugin serves a file or a name. [`PluginRegistry`] is what the rest of dewar sees.
//! 3. [`capability`]: what a plugin asks for and what it was granted.
//! 4. `plugin`: one plugin that was found; `engine`, `compiled`: compiled once, on its first call.
//! 5. `call`, [`limits`], `sandbox`: one guarded call in a store of its own.
//! 6. `abi`: one file a track of `dewar:plugin`; `document`, `text`, `imports`: what crosses the boundary, and is believed
//!    only after a check.
//!
//! Nothing here reads the environment, and no engine exists until the first call.

mod abi;
mod call;
pub mod capability;
mod compiled;
pub mod component;
mod document;
mod engine;
mod imports;
pub mod limits;
pub mod locate;
pub mod manifest;
mod plugin;
pub mod registry;
mod sandbox;
mod text;

pub use capability::{Capability, Grant};
pub use component::Kind;
pub use limits::Limits;
pub use registry::{Bundled, Listed, PluginRegistry, Setup};
