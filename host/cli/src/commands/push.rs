//! `push` and `fetch`: sends data to a remote, gets data from one into the cache.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::event::Direction;

use super::project::Project;
use super::transfer::{self, Globs, Move};
use crate::args::remote::{FetchArgs, PushArgs, WhichArgs};
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::Ui;
use crate::ui::explain::Form;

/// Does what `push` was told.
///
/// # Errors
/// When a remote cannot be written to, or something did not go.
pub fn push(args: &PushArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let globs = if args.glob { Globs::Patterns } else { Globs::None };
    let form = if args.json { Form::Json } else { Form::Text };
    go(Direction::Push, &args.which, globs, form, &Project::open(session, ui)?, ui)
}

/// Does what `fetch` was told.
///
/// # Errors
/// When a remote cannot be read, or something did not come.
pub fn fetch(args: &FetchArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let form = if args.json { Form::Json } else { Form::Text };
    go(Direction::Fetch, &args.which, Globs::None, form, &Project::open(session, ui)?, ui)
}

fn go(
    direction: Direction,
    which: &WhichArgs,
    globs: Globs,
    form: Form,
    project: &Project<'_>,
    ui: &Ui,
) -> Result<ExitCode, Failure> {
    let _held = project.hold_cache(match direction {
        Direction::Push => "push",
        Direction::Fetch => "fetch",
    })?;
    let (_, outputs) = transfer::recorded(project, which, globs)?;
    let done = Move::new(direction, outputs, which).run(project)?;
    transfer::tell(done, direction, form, project, ui)
}
