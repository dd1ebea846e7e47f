//! The edge of dewar: the only crate that reads the environment, prints and exits. Steps 1, 2 and 10 of the walk.
//!
//! In reading order: [`args`] is what can be typed, [`session`] what the surroundings say, [`commands`] what is done,
//! [`failure`] what an error means to the user, [`ui`] how anything reaches a terminal.

pub mod args;
pub mod commands;
pub mod complete;
pub mod failure;
pub mod session;
pub mod ui;
