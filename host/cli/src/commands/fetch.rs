//! `fetch`: gets data from a remote into the cache.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::event::Direction;

use super::project::Project;
use super::transfer::{self, Globs, Move};
use crate::args::remote::FetchArgs;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::Ui;
use crate::ui::explain::Form;

/// Does what `fetch` was told.
///
/// # Errors
/// When a remote cannot be read, or something did not come.
pub fn run(args: &FetchArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let _held = project.hold_cache("fetch")?;
    let (_, outputs) = transfer::recorded(&project, &args.which, Globs::None)?;
    let done = Move::new(Direction::Fetch, outputs, &args.which).run(&project)?;
    let form = if args.json { Form::Json } else { Form::Text };
    transfer::tell(done, Direction::Fetch, form, &project, ui)
}
