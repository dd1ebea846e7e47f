//! What each command does, one file a command. Each reads from top to bottom: what is meant, one call of core, what is told.
//! Step 2 of the walk.

pub mod add;
pub mod checkout;
pub mod commit;
pub mod compare;
pub mod compared;
pub mod config;
pub mod dag;
pub mod demo;
pub mod exp;
pub mod freeze;
pub mod gc;
pub mod init;
pub mod plan;
pub mod policy;
pub mod project;
pub mod pull;
pub mod push;
pub mod queue;
pub mod remote;
pub mod remove;
pub mod repro;
pub mod revision;
pub mod shell;
pub mod stage;
pub mod status;
pub mod sweep;
pub mod transfer;
pub mod why;

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::pipeline::freeze::Frozen;

use crate::args::Command;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::Ui;

/// Does what was typed; answers the exit code of a command that did its work.
///
/// # Errors
/// What stopped the command.
pub fn run(command: &Command, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    match command {
        Command::Init(args) => init::run(args, session, ui),
        Command::Stage(args) => stage::run(args, session, ui),
        Command::Repro(args) => repro::run(args, session, ui),
        Command::Exp(args) => exp::run(args, session, ui),
        Command::Queue(args) => queue::run(args, session, ui),
        Command::Sweep(args) => sweep::run(args, session, ui),
        Command::Policy(args) => policy::run(args, session, ui),
        Command::Status(args) => status::run(args, session, ui),
        Command::Why(args) => why::run(args, session, ui),
        Command::Params(args) => compare::params(args, session, ui),
        Command::Metrics(args) => compare::metrics(args, session, ui),
        Command::Add(args) => add::run(args, session, ui),
        Command::Commit(args) => commit::run(args, session, ui),
        Command::Checkout(args) => checkout::run(args, session, ui),
        Command::Gc(args) => gc::run(args, session, ui),
        Command::Push(args) => push::push(args, session, ui),
        Command::Pull(args) => pull::run(args, session, ui),
        Command::Fetch(args) => push::fetch(args, session, ui),
        Command::Remote(args) => remote::run(args, session, ui),
        Command::Freeze(args) => freeze::run(&args.targets, Frozen::Yes, session, ui),
        Command::Unfreeze(args) => freeze::run(&args.targets, Frozen::No, session, ui),
        Command::Remove(args) => remove::run(args, session, ui),
        Command::Dag(args) => dag::run(args, session, ui),
        Command::Config(args) => config::run(args, session, ui),
        Command::Demo(args) => demo::run(args, session, ui),
        Command::Completion(args) => shell::completion(args, ui),
        Command::Man(args) => shell::man(args, ui),
    }
}
