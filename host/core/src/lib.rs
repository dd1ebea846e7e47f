//! The domain of dewar: what a pipeline is, when a stage is up to date, how results are kept and experiments recorded.
//!
//! Core prints nothing, reads no environment and knows no WebAssembly: clock, randomness, environment, plugins and the sink of
//! events reach it as values. The modules in reading order:
//!
//! 1. [`path`], [`fs`], [`digest`], [`event`]: names of files, safe writes, names of contents, what is told.
//! 2. [`extension`]: what a plugin can be, in plain types.
//! 3. [`ignore`], [`index`], [`cache`], [`gitignore`]: what counts, what is known, what is kept, what git must not see.

pub mod cache;
pub mod digest;
pub mod event;
pub mod extension;
pub mod fs;
pub mod gitignore;
pub mod ignore;
pub mod index;
pub mod path;
