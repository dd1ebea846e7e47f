//! Experiments: what they are called, where they stand in git, how one is recorded, brought back and removed.
//!
//! An experiment is a commit on its baseline that a reference under `refs/exps/` names (step 9 of the walk). In reading order:
//! [`name`], [`refs`], [`run`], [`isolated`], [`copies`], [`escapes`], [`checkpoint`],
//! [`chains`], [`record`], [`apply`], [`outputs`], [`queue`], [`find`], [`show`].

pub mod apply;
pub mod chains;
pub mod checkpoint;
pub mod copies;
pub mod escapes;
pub mod find;
pub mod isolated;
pub mod name;
pub mod outputs;
pub mod queue;
pub mod record;
pub mod refs;
pub mod run;
pub mod share;
pub mod show;
