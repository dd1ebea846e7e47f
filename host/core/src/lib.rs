//! The domain of dewar: what a pipeline is, when a stage is up to date, how results are kept and experiments recorded.
//!
//! Core prints nothing, reads no environment and knows no WebAssembly: clock, randomness, environment, plugins and the sink of
//! events reach it as values. The modules in reading order:
//!
//! 1. [`path`], [`fs`], [`digest`], [`event`]: names of files, safe writes, names of contents, what is told.
//! 2. [`extension`]: what a plugin can be, in plain types.
//! 3. [`git`]: revisions, trees, commits through a private index, references with compare-and-swap.
//! 4. [`exp`]: what experiments are called and where they stand, recording, applying and removing them.

pub mod digest;
pub mod event;
pub mod exp;
pub mod extension;
pub mod fs;
pub mod git;
pub mod path;
