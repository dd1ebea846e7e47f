//! [`Ui`]: how anything reaches a terminal. The only module that prints. Step 10 of the walk.
//!
//! What was asked for goes to stdout, what is said about it to stderr. Colours are taken out where they are not wanted.

pub mod explain;
pub mod number;
pub mod problem;
pub mod question;
pub mod report;
pub mod style;
pub mod table;
pub mod text;

use std::io::{self, IsTerminal, Stderr, Stdout, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anstream::{AutoStream, ColorChoice};
use dewar_text::Severity;

use crate::args::ColorWhen;
use crate::failure::Failure;
use problem::Problem;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Errors, warnings, and what was asked for.
    Quiet,
    /// And what happens.
    #[default]
    Normal,
    /// And why.
    Verbose,
}

/// Whether someone is looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// A terminal.
    Terminal,
    /// A file or a pipe.
    File,
}

/// Stdout and stderr. Shared by threads; a call prints its text in one piece.
pub struct Ui {
    verbosity: Verbosity,
    audience: Audience,
    streams: Mutex<Streams>,
}

struct Streams {
    out: AutoStream<Stdout>,
    err: AutoStream<Stderr>,
    /// Whether a line of progress stands on the terminal, to be wiped before anything else.
    progress: bool,
    /// Whether stdout is for a document alone.
    document: bool,
}

impl Ui {
    /// The streams of this process.
    #[must_use]
    pub fn new(color: ColorWhen, verbosity: Verbosity) -> Self {
        let choice = match color {
            ColorWhen::Auto => ColorChoice::Auto,
            ColorWhen::Always => ColorChoice::Always,
            ColorWhen::Never => ColorChoice::Never,
        };
        let audience = if io::stderr().is_terminal() { Audience::Terminal } else { Audience::File };
        let streams = Streams {
            out: AutoStream::new(io::stdout(), choice),
            err: AutoStream::new(io::stderr(), choice),
            progress: false,
            document: false,
        };
        Self { verbosity, audience, streams: Mutex::new(streams) }
    }

    /// How much is said.
    #[must_use]
    pub const fn verbosity(&self) -> Verbosity {
        self.verbosity
    }

    /// Who reads stderr.
    #[must_use]
    pub const fn audience(&self) -> Audience {
        self.audience
    }

    /// Prints what was asked for, whatever the verbosity.
    ///
    /// # Errors
    /// When stdout does not take it.
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        let mut streams = self.streams();
        streams.wipe();
        streams.out.write_all(text.as_bytes()).and_then(|()| streams.out.flush()).map_err(Failure::stdout)
    }

    /// Prints a line about what happens, unless quiet.
    ///
    /// # Errors
    /// When stdout does not take it.
    pub fn tell(&self, line: &str) -> Result<(), Failure> {
        if self.verbosity < Verbosity::Normal {
            return Ok(());
        }
        let line = format!("{line}\n");
        if self.streams().document {
            self.complain(&line);
            return Ok(());
        }
        self.print(&line)
    }

    /// From now on stdout takes only what is printed as a document, and stderr what is told.
    pub fn keep_stdout_for_a_document(&self) {
        self.streams().document = true;
    }

    /// Says a problem that stops nothing.
    pub fn warn(&self, problem: &Problem) {
        self.complain(&problem.render(Severity::Warning));
    }

    /// Says what stopped the command. Says nothing of a reader who went away: they know.
    pub fn fail(&self, failure: &Failure) {
        if failure.is_said() {
            for problem in failure.problems() {
                self.complain(&problem.render(Severity::Error));
            }
        }
    }

    /// Shows `line` in place of the progress shown before; none wipes it. Only for a terminal.
    pub fn progress(&self, line: Option<&str>) {
        let mut streams = self.streams();
        streams.wipe();
        if let Some(line) = line {
            let width = rustix::termios::tcgetwinsize(io::stderr()).map_or(80, |size| usize::from(size.ws_col));
            // A line that wraps could not be wiped.
            let line: String = text::visible(line).chars().take(width.saturating_sub(1)).collect();
            streams.progress = write!(streams.err, "{line}").and_then(|()| streams.err.flush()).is_ok();
        }
    }

    /// Says a line on stderr that is no problem, unless quiet.
    pub fn note(&self, line: &str) {
        if self.verbosity >= Verbosity::Normal {
            self.complain(&format!("{}\n", text::visible(line)));
        }
    }

    /// Says a line on stderr that only a verbose run has.
    pub fn detail(&self, line: &str) {
        if self.verbosity == Verbosity::Verbose {
            self.note(line);
        }
    }

    /// Nobody is left to tell when stderr does not take it.
    fn complain(&self, text: &str) {
        let mut streams = self.streams();
        streams.wipe();
        let _nobody_left = streams.err.write_all(text.as_bytes()).and_then(|()| streams.err.flush());
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        // A thread that panicked while printing left a half line at worst.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Streams {
    fn wipe(&mut self) {
        if std::mem::take(&mut self.progress) {
            let _nobody_left = write!(self.err, "\r\x1b[K");
        }
    }
}
