//! `stage add` and `stage list`.

mod add;
mod list;

use std::process::ExitCode;
use std::sync::Arc;

use crate::args::stage::{StageArgs, StageCommand};
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::Ui;

/// Does what `stage` was told.
///
/// # Errors
/// What stopped the command.
pub fn run(args: &StageArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    match &args.command {
        StageCommand::Add(args) => add::run(args, session, ui),
        StageCommand::List(args) => list::run(args, session, ui),
    }
}
