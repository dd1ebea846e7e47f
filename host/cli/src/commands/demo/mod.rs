//! `demo`: a small project to see experiments run.

pub mod project;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use clap::Parser;

use crate::args::Cli;
use crate::args::project::DemoArgs;
use crate::failure::{Failure, Kind};
use crate::session::Session;
use crate::ui::{Ui, style};

/// Does what `demo` was told: each step is a command that the user could have typed, and is shown as one.
///
/// # Errors
/// When the folder is in use, git is not there, or a step fails.
pub fn run(args: &DemoArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let dir = session.cwd.join(&args.dir);
    project::write(&dir)?;
    let demo = Demo { dir, session, ui };
    let (bold, shown) = (anstyle::Style::new().bold(), demo.dir.display().to_string());
    ui.tell(&format!("{bold}A small project is in {shown}{bold:#}: which of 400 machines will fail?\n"))?;
    demo.git(&["init", "--quiet"])?;
    demo.dewar(&["init", "--quiet"])?;
    ui.tell(&format!("\n{bold}Its three stages run, and the result is committed.{bold:#}"))?;
    demo.dewar(&["repro"])?;
    demo.git(&["add", "--all"])?;
    demo.commit("A first guess")?;
    ui.tell(&format!("\n{bold}Experiments: only the stages that read a changed parameter run again.{bold:#}"))?;
    for (number, assignment) in (1..).zip(project::SWEEP) {
        demo.dewar(&["exp", "run", "--name", &format!("guess-{number}"), "-S", assignment])?;
        ui.tell("")?;
    }
    ui.tell(&format!("{bold}What came out, the best first.{bold:#}"))?;
    let columns = ["--only-changed", "--drop", "Created|src|data|prepared|model"];
    demo.dewar(&[&["exp", "show", "--sort-by", "accuracy", "--sort-order", "desc"], &columns[..]].concat())?;
    ui.tell(&format!(
        "\n{bold}Go on there:{bold:#}\n\n    cd {shown}\n    dewar exp run -S train.l2=0.001       one more experiment\n    dewar exp show\n    \
         dewar exp apply guess-3       its files, back in the workspace\n    dewar status                  what changed since\n\n\
         README.md there tells what there is to find."
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The project, and how its steps are taken.
struct Demo<'a> {
    dir: PathBuf,
    session: &'a Session,
    ui: &'a Arc<Ui>,
}

impl Demo<'_> {
    fn show(&self, program: &str, words: &[&str]) -> Result<(), Failure> {
        let plain = |word: &&str| word.chars().all(|c| c.is_ascii_alphanumeric() || "-_=.,/:".contains(c));
        let quoted = words.iter().map(|word| if plain(word) { (*word).to_owned() } else { format!("'{word}'") });
        let (dim, line) = (style::DIM, quoted.collect::<Vec<_>>().join(" "));
        self.ui.tell(&format!("{dim}$ {program} {line}{dim:#}"))
    }

    fn git(&self, words: &[&str]) -> Result<(), Failure> {
        self.show("git", words)?;
        let output = Command::new("git").args(words).current_dir(&self.dir).output().map_err(|error| {
            Failure::new(Kind::Repository, format!("cannot run `git`: {error}")).hint("the demo needs git")
        })?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Failure::new(Kind::Repository, format!("`git {}` failed: {said}", words.join(" "))))
    }

    /// A commit by the user, or by a name of ours where git knows none: a demo must not end there.
    fn commit(&self, message: &str) -> Result<(), Failure> {
        let known = Command::new("git").args(["config", "user.email"]).current_dir(&self.dir).output();
        if known.is_ok_and(|output| output.status.success()) {
            return self.git(&["commit", "--quiet", "--no-gpg-sign", "--message", message]);
        }
        let identity = ["-c", "user.name=dewar", "-c", "user.email=dewar@localhost"];
        self.git(&[&identity[..], &["commit", "--quiet", "--no-gpg-sign", "--message", message]].concat())
    }

    fn dewar(&self, words: &[&str]) -> Result<(), Failure> {
        self.show("dewar", words)?;
        let parsed = Cli::try_parse_from(std::iter::once(&"dewar").chain(words));
        let cli = parsed.map_err(|error| Failure::new(Kind::Internal, error.to_string()))?;
        let quiet;
        let ui = if cli.global.quiet {
            quiet = Arc::new(Ui::new(cli.global.color, crate::ui::Verbosity::Quiet));
            &quiet
        } else {
            self.ui
        };
        super::run(&cli.command, &self.session.within(self.dir.clone()), ui)?;
        Ok(())
    }
}
