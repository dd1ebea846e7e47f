//! `completion` and `man`.

use std::io;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::env::Shells;
use dewar_core::fs::{self, FsError};

use crate::args::Cli;
use crate::args::shell::{CompletionArgs, ManArgs};
use crate::complete;
use crate::failure::{Failure, Kind};
use crate::ui::Ui;
use crate::ui::text::counted;

const PROGRAM: &str = "dewar";

/// Does what `completion` was told.
///
/// # Errors
/// When stdout takes nothing.
pub fn completion(args: &CompletionArgs, ui: &Ui) -> Result<ExitCode, Failure> {
    let unknown = || Failure::new(Kind::Usage, "which shell?".to_owned());
    let shells = Shells::builtins();
    let mut script = Vec::new();
    args.shell
        .or(args.flag)
        .and_then(|shell| shells.completer(shell.as_str()))
        .ok_or_else(unknown)?
        .write_registration(complete::VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)
        .map_err(|error| Failure::new(Kind::Internal, format!("cannot write the script: {error}")))?;
    ui.print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

/// Does what `man` was told.
///
/// # Errors
/// When a page cannot be written.
pub fn man(args: &ManArgs, ui: &Ui) -> Result<ExitCode, Failure> {
    std::fs::create_dir_all(&args.folder).map_err(FsError::new("make the folder", &args.folder))?;
    let mut command = Cli::command();
    command.build();
    let pages =
        pages(&command).map_err(|error| Failure::new(Kind::Internal, format!("cannot write a page: {error}")))?;
    for (name, page) in &pages {
        fs::write_atomic(&args.folder.join(format!("{name}.1")), page)?;
    }
    ui.tell(&format!("{} written to {}", counted(pages.len(), "manual page"), args.folder.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// The page of a command and of all below it, by their names such as `dewar-exp-run`.
fn pages(command: &clap::Command) -> io::Result<Vec<(String, Vec<u8>)>> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).title(name.to_uppercase()).render(&mut page)?;
    let mut pages = vec![(name, page)];
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help") {
        pages.extend(self::pages(below)?);
    }
    Ok(pages)
}
