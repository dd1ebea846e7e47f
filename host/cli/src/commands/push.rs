//! `push`: sends data to a remote.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::event::Direction;

use super::project::Project;
use super::transfer::{self, Globs, Move};
use crate::args::remote::PushArgs;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::Ui;
use crate::ui::explain::Form;

/// Does what `push` was told.
///
/// # Errors
/// When a remote cannot be written to, or something did not go.
pub fn run(args: &PushArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let _held = project.hold_cache("push")?;
    let globs = if args.glob { Globs::Patterns } else { Globs::None };
    let (_, outputs) = transfer::recorded(&project, &args.which, globs)?;
    let done = Move::new(Direction::Push, outputs, &args.which).run(&project)?;
    let form = if args.json { Form::Json } else { Form::Text };
    transfer::tell(done, Direction::Push, form, &project, ui)
}
