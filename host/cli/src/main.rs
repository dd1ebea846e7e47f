//! The program `dewar`: parses what was typed, runs the command, and turns its end into an exit code. Steps 1 and 10 of the
//! walk.

use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::process::ExitCode;
use std::sync::Arc;

use clap::error::ErrorKind;
use dewar_cli::args::{GlobalArgs, spaced};
use dewar_cli::failure::{Failure, Kind};
use dewar_cli::session::Session;
use dewar_cli::ui::{Ui, Verbosity};
use dewar_cli::{commands, complete};

fn main() -> ExitCode {
    panic::set_hook(Box::new(report_bug));
    panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| ExitCode::from(Kind::Internal.exit_code()))
}

fn run() -> ExitCode {
    match complete::answer() {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => {}
        Err(stop) => return print_stop(&stop),
    }
    let cli = match spaced::parse(std::env::args_os().collect()) {
        Ok(cli) => cli,
        Err(stop) => return print_stop(&stop),
    };
    let ui = Arc::new(Ui::new(cli.global.color, verbosity(&cli.global)));
    let end = Session::of_process(&cli.global).and_then(|session| commands::run(&cli.command, &session, &ui));
    end.unwrap_or_else(|failure| {
        ui.fail(&failure);
        ExitCode::from(failure.kind().exit_code())
    })
}

/// Help and version are asked for and go to stdout; usage errors go to stderr.
fn print_stop(stop: &clap::Error) -> ExitCode {
    let code = match stop.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => 0,
        _ => Kind::Usage.exit_code(),
    };
    match stop.print().and_then(|()| io::stdout().flush()) {
        Ok(()) => ExitCode::from(code),
        Err(error) => ExitCode::from(Failure::stdout(error).kind().exit_code()),
    }
}

const fn verbosity(global: &GlobalArgs) -> Verbosity {
    match (global.quiet, global.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, true) => Verbosity::Verbose,
        (false, false) => Verbosity::Normal,
    }
}

/// Says that it is not the user's fault. Nothing can be done when stderr does not take it.
fn report_bug(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload_as_str().unwrap_or("no message");
    let version = env!("CARGO_PKG_VERSION");
    let _nobody_left = writeln!(
        io::stderr(),
        "error: this is a bug of dewar {version}, not of your project: {message}\n --> {place}\n\
         help: please report it with the command that you ran; your files and results are as the last finished step left them"
    );
}
