//! Experiments: what they are called, where they stand in git, how one is recorded, brought back and removed.
//!
//! An experiment is a commit on its baseline that a reference under `refs/exps/` names (step 9 of the walk). In reading order:
//! [`name`], [`refs`], [`run`], [`workspace_run`], [`save`], [`isolated`], [`copies`], [`escapes`], [`checkpoint`], [`chains`],
//! [`kept`], [`record`], [`apply`], [`rename`], [`outputs`], [`share`], [`queue`], [`find`], [`show`], [`clean`].

pub mod apply;
pub mod chains;
pub mod checkpoint;
pub mod clean;
pub mod copies;
pub mod escapes;
pub mod find;
pub mod isolated;
pub mod kept;
pub mod name;
pub mod outputs;
pub mod queue;
pub mod record;
pub mod refs;
pub mod rename;
pub mod run;
pub mod save;
pub mod share;
pub mod show;
pub mod workspace_run;
