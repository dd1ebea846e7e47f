//! `exp` and its commands.

pub mod apply;
pub mod branch;
pub mod clean;
pub mod diff;
pub mod isolated;
pub mod list;
pub mod pull;
pub mod push;
pub mod queue;
pub mod remove;
pub mod rename;
pub mod resume;
pub mod run;
pub mod save;
pub mod share;
pub mod show;
pub mod snapshot;
pub mod watch;

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::name::ExperimentName;
use dewar_core::git::CommitId;

use crate::args::exp::{ExpArgs, ExpCommand};
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::Ui;

/// How to have an experiment back whose place another one took.
fn note_replaced(name: &ExperimentName, old: CommitId, ui: &Ui) {
    ui.note(&format!("`{name}` was {} here: `dewar exp apply {0}` brings it back.", old.short()));
}

/// Does what `exp` was told.
///
/// # Errors
/// What stopped the command.
pub fn run(args: &ExpArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    match &args.command {
        ExpCommand::Run(args) => run::run(args, session, ui),
        ExpCommand::Show(args) => show::run(args, session, ui),
        ExpCommand::Diff(args) => diff::run(args, session, ui),
        ExpCommand::List(args) => list::run(args, session, ui),
        ExpCommand::Apply(args) => apply::run(args, session, ui),
        ExpCommand::Branch(args) => branch::run(args, session, ui),
        ExpCommand::Save(args) => save::run(args, session, ui),
        ExpCommand::Rename(args) => rename::run(args, session, ui),
        ExpCommand::Remove(args) => remove::run(args, session, ui),
        ExpCommand::Push(args) => push::run(args, session, ui),
        ExpCommand::Pull(args) => pull::run(args, session, ui),
        ExpCommand::Clean(args) => clean::run(args, session, ui),
    }
}
