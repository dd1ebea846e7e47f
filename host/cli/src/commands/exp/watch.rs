//! `exp show --watch`: the table again whenever it has become another.
//!
//! Nothing says that something changed: git's references, records of tasks and metrics are files that others write, perhaps on
//! other machines. So what is shown is read anew every second, and printed when it differs. What commits hold is remembered
//! between two looks as it is between two commands, which leaves the references, the records, and the workspaces.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use dewar_text::Severity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::show::look;
use crate::args::exp::ExpShowArgs;
use crate::commands::project::Project;
use crate::failure::Failure;
use crate::ui::live::Live;
use crate::ui::{Ui, style};

/// How long nothing is looked at between two looks, in whole seconds.
const PAUSE: u32 = 1;

/// Shows what `args` ask for until the user interrupts it or nobody reads it any more. As nothing is half-written at any instant,
/// an interrupt simply ends the process, and leaves the last table on the terminal.
///
/// # Errors
/// When it cannot be shown the first time, or stdout does not take it.
pub(super) fn run(project: &Project<'_>, args: &ExpShowArgs, ui: &Ui) -> Result<ExitCode, Failure> {
    let mut live = Live::new(ui, if args.json { "" } else { "\n" });
    let is_in_place = !args.json && ui.columns().is_some();
    let mut text = look(project, args)?;
    loop {
        if is_in_place {
            let dim = style::DIM;
            live.draw(&format!("{text}{dim}  watching; Ctrl-C ends it{dim:#}\n"))?;
        } else {
            live.append(&text)?;
        }
        wait_while_read()?;
        text = match look(project, args) {
            Ok(text) => text,
            // What cannot be shown now could be a moment ago, and may be soon.
            Err(failure) if is_in_place => failure.problems().map(|problem| problem.render(Severity::Error)).collect(),
            Err(failure) => {
                live.complain(&failure);
                text
            }
        };
    }
}

/// Waits until it is time to look again.
///
/// # Errors
/// When nobody reads stdout any more.
fn wait_while_read() -> Result<(), Failure> {
    let stdout = io::stdout();
    let pause = Timespec { tv_sec: PAUSE.into(), tv_nsec: 0 };
    match poll(&mut [PollFd::new(&stdout, PollFlags::empty())], Some(&pause)) {
        // Nothing was asked for but what cannot be unasked: that the other end is gone.
        Ok(1..) => Err(Failure::stdout(io::ErrorKind::BrokenPipe.into())),
        Ok(0) => Ok(()),
        // Interrupted, or not to be known of this kind of file.
        Err(_) => {
            std::thread::sleep(Duration::from_secs(PAUSE.into()));
            Ok(())
        }
    }
}
