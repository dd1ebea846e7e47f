//! Pipelines: what stands in `dvc.yaml`, `dvc.lock` and `.dvc` files (walk, step 5).
//!
//! In reading order: [`stage`] (the types), [`files`] (where the text comes from: the work tree or a commit), [`template`]
//! (`${...}`, `foreach`, `matrix`), [`build`] (a stage), `settings` (dewar's own of a stage), [`definition`] (a `dvc.yaml`), [`data_file`] (`.dvc` files), [`lock`],
//! `memory` (what large files said is remembered), [`load`] (the whole project), [`target`] (what the user names), [`add`]
//! (`stage add`), [`entry`] (what stands in a file for a stage), [`freeze`], [`remove`].

pub mod add;
pub mod build;
pub mod data_file;
pub mod definition;
mod discover;
pub mod entry;
mod error;
pub mod files;
pub mod freeze;
pub mod load;
pub mod lock;
mod memory;
pub mod recorded;
pub mod remove;
mod schema;
mod settings;
pub mod stage;
pub mod target;
pub mod template;

pub use error::PipelineError;
pub use files::ProjectFiles;
pub use load::Pipeline;
pub use lock::{LockEntry, LockFile, LockedPath};
pub use stage::{
    CheckpointSettings, Command, Dependency, Need, Output, OutputKind, PIPELINE_FILE, ParamDependency, ParamKeys,
    Place, PolicyUse, Signal, Stage, StageAddress,
};
pub use template::{FlagStyle, Templates};
