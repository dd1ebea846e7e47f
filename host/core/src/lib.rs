//! The domain of dewar: what a pipeline is, when a stage is up to date, how results are kept and experiments recorded.
//!
//! Core prints nothing, reads no environment and knows no WebAssembly: clock, randomness, environment, plugins and the sink of
//! events reach it as values. The modules in reading order:
//!
//! 1. [`path`], [`fs`], [`lock`], [`digest`], [`event`], [`source`], [`python`], `url`: names of files, safe writes, what one process at
//!    a time may do, names of contents, what is told, texts and their errors.
//! 2. [`extension`]: what a plugin can be, in plain types.
//! 3. [`config`], [`repo`], [`git`]: the project, its settings, its repository.
//! 4. [`params`], [`pipeline`]: parameter files and the `-S` grammar; `dvc.yaml`, `dvc.lock`, `.dvc`.
//! 5. [`ignore`], [`index`], [`cache`], [`gitignore`]: what counts, what is known, what is kept, what git must not see.
//! 6. [`graph`], [`dag`], [`repro`], [`observe`], [`workspace`], [`plan`]: which stage needs which, which are asked for, what is there,
//!    what is stale and why.
//! 7. [`process`], [`resources`], [`stage_run`], [`run_cache`], [`schedule`]: stages brought up to date.
//! 8. [`track`]: data that is added and checked out. [`removal`]: stages that go. [`metrics`], [`why`]: what a revision holds, and why a stage is another there. [`exp`]: experiments.
//!    [`gc`]: what of the cache nobody needs any more. [`remote`]: where it is kept beside.

pub mod cache;
mod codec;
pub mod config;
pub mod dag;
pub mod digest;
pub mod event;
pub mod exp;
pub mod extension;
mod fnmatch;
pub mod fs;
pub mod gc;
pub mod git;
pub mod gitignore;
pub mod graph;
pub mod ignore;
pub mod index;
pub mod lock;
pub mod metrics;
pub mod observe;
pub mod params;
pub mod path;
pub mod pipeline;
pub mod plan;
pub mod process;
pub mod python;
pub mod remote;
pub mod removal;
pub mod repo;
pub mod repro;
pub mod resources;
pub mod run_cache;
pub mod schedule;
pub mod source;
pub mod stage_run;
#[cfg(test)]
mod testing;
pub mod track;
mod url;
pub mod why;
pub mod words;
pub mod workspace;
