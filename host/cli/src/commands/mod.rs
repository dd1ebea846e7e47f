//! What each command does, one file a command. Each reads from top to bottom: what is meant, one call of core, what is told.
//! Step 2 of the walk.

pub mod demo;

use std::process::ExitCode;

use crate::args::Command;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::Ui;

/// Does what was typed; answers the exit code of a command that did its work.
///
/// # Errors
/// What stopped the command.
pub fn run(command: &Command, _: &Session, _: &Ui) -> Result<ExitCode, Failure> {
    match *command {}
}
