//! The domain of dewar: what a pipeline is, when a stage is up to date, how results are kept and experiments recorded.
//!
//! Core prints nothing, reads no environment and knows no WebAssembly: clock, randomness, environment, plugins and the sink of
//! events reach it as values. The modules in reading order:
//!
//! 1. [`path`], [`fs`], [`digest`], [`event`], [`source`]: names of files, safe writes, names of contents, what is told.
//! 2. [`extension`]: what a plugin can be, in plain types.
//! 3. [`params`], [`pipeline`]: parameter files and the `-S` grammar; `dvc.yaml`, `dvc.lock`, `.dvc`.
//! 4. [`graph`]: which stage needs which.
//! 5. [`git`], [`metrics`], [`exp`]: the repository; what a revision holds; experiments as references.

mod codec;
pub mod config;
pub mod digest;
pub mod event;
pub mod exp;
pub mod extension;
pub mod fs;
pub mod git;
pub mod graph;
pub mod metrics;
pub mod params;
pub mod path;
pub mod pipeline;
pub mod process;
pub mod python;
pub mod run_cache;
pub mod source;
#[cfg(test)]
mod testing;
mod words;
