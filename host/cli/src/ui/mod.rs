//! [`Ui`]: how anything reaches a terminal. The only module that prints. Step 10 of the walk.
//!
//! What was asked for goes to stdout, what is said about it to stderr. Colours are taken out where they are not wanted.

pub mod changes;
pub mod dag;
pub mod explain;
pub mod live;
pub mod moment;
pub mod number;
pub mod page;
pub mod problem;
pub mod report;
pub mod style;
pub mod table;
pub mod text;

use std::io::{self, IsTerminal, Stderr, Stdout, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use dewar_core::event::Stream;
use dewar_text::Severity;

use crate::args::ColorWhen;
use crate::failure::Failure;
use problem::Problem;

/// So many bytes of lines wait at most to be written together, and so long.
const WAITING: usize = 8 << 10;
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// What was asked for alone: a shell asks, and nobody would see the rest where it belongs.
    Silent,
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

/// What stdout is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StdoutUse {
    /// What happens, what stages write, and what was asked for.
    Anything,
    /// A document alone.
    Document,
}

/// How much a terminal shows at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Cells in a line.
    pub columns: usize,
    /// Lines.
    pub rows: usize,
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
    /// Lines that are not written yet, and since when.
    waiting: String,
    since: Instant,
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
            waiting: String::new(),
            since: Instant::now(),
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

    /// How many columns a line of stdout has; none when it is no terminal, where lines may be of any length.
    #[must_use]
    pub fn columns(&self) -> Option<usize> {
        let stdout = io::stdout();
        stdout.is_terminal().then(|| width_of(&stdout))
    }

    /// The window of stdout, when that is a terminal; a classic one when it does not say.
    #[must_use]
    pub fn window(&self) -> Window {
        window_of(&io::stdout())
    }

    /// Draws lines on the terminal that stdout is: `start` brings the cursor to where they begin; what stood there is gone.
    ///
    /// # Errors
    /// When stdout does not take it.
    pub fn draw(&self, start: &str, lines: &[String]) -> Result<(), Failure> {
        let mut streams = self.streams();
        streams.begin();
        let is_plain = streams.out.current_choice() == ColorChoice::Never;
        let mut drawn = start.to_owned();
        for line in lines {
            // Where colours are not wanted the stream takes out all that steers a terminal, so that this is not for it.
            let line = if is_plain { strip_str(line).to_string() } else { line.clone() };
            drawn.push_str(&line);
            drawn.push_str("\x1b[K\n");
        }
        drawn.push_str("\x1b[J");
        let mut stdout = io::stdout();
        stdout.write_all(drawn.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::stdout)
    }

    /// Prints what was asked for, whatever the verbosity.
    ///
    /// # Errors
    /// When stdout does not take it.
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        let mut streams = self.streams();
        streams.begin();
        streams.out.write_all(text.as_bytes()).and_then(|()| streams.out.flush()).map_err(Failure::stdout)
    }

    /// A text as stdout would get it: with colours only where they are wanted.
    #[must_use]
    pub fn as_on_stdout(&self, text: &str) -> Vec<u8> {
        let choice = self.streams().out.current_choice();
        if choice == ColorChoice::Never { strip_str(text).to_string().into_bytes() } else { text.as_bytes().to_vec() }
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

    /// What stdout is for.
    #[must_use]
    pub fn stdout(&self) -> StdoutUse {
        if self.streams().document { StdoutUse::Document } else { StdoutUse::Anything }
    }

    /// Prints a line about what happens, as [`Self::tell`], but together with those that follow at once: each line of
    /// thousands would cost a system call. At the latest it stands before anything else that is printed.
    pub fn tell_soon(&self, line: &str) {
        if self.verbosity < Verbosity::Normal {
            return;
        }
        let mut streams = self.streams();
        if streams.waiting.is_empty() {
            streams.since = Instant::now();
        }
        streams.waiting.push_str(line);
        streams.waiting.push('\n');
        if streams.waiting.len() >= WAITING || streams.since.elapsed() >= LONGEST_WAIT {
            streams.begin();
        }
    }

    /// Prints a line that a stage wrote, behind the name of the stage. Not even a quiet run takes a stage's words away.
    ///
    /// # Errors
    /// When the stream does not take it.
    pub fn pass_on(&self, prefix: &str, stream: Stream, line: &str) -> Result<(), Failure> {
        let mut streams = self.streams();
        streams.begin();
        let text = format!("{prefix}{line}\n");
        let written = match stream {
            Stream::Out if !streams.document => {
                streams.out.write_all(text.as_bytes()).and_then(|()| streams.out.flush())
            }
            Stream::Out | Stream::Err => streams.err.write_all(text.as_bytes()).and_then(|()| streams.err.flush()),
        };
        written.map_err(Failure::stdout)
    }

    /// Whether the user can be asked: somebody reads what is said, and can answer.
    #[must_use]
    pub fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && self.audience == Audience::Terminal
    }

    /// Asks a question that is answered with yes or no, until it is. An end of input is a no.
    #[must_use]
    pub fn ask(&self, question: &str) -> bool {
        loop {
            self.complain(&format!("{} [y/n] ", text::visible(question)));
            let mut answer = String::new();
            match io::stdin().read_line(&mut answer) {
                Ok(0) | Err(_) => return false,
                Ok(_) => match answer.trim().to_ascii_lowercase().as_str() {
                    "y" | "yes" => return true,
                    "n" | "no" => return false,
                    _ => {}
                },
            }
        }
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

    /// Shows `line` in place of the progress shown before. Only for a terminal.
    pub fn progress(&self, line: &str) {
        let mut streams = self.streams();
        streams.begin();
        let width = width_of(&io::stderr());
        // A line that wraps could not be wiped.
        let line: String = text::visible(line).chars().take(width.saturating_sub(1)).collect();
        streams.progress = write!(streams.err, "{line}").and_then(|()| streams.err.flush()).is_ok();
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
        if self.verbosity == Verbosity::Silent {
            return;
        }
        let mut streams = self.streams();
        streams.begin();
        let _nobody_left = streams.err.write_all(text.as_bytes()).and_then(|()| streams.err.flush());
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        // A thread that panicked while printing left a half line at worst.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn width_of(terminal: &impl AsFd) -> usize {
    window_of(terminal).columns
}

/// The window of a terminal; a classic one when it does not say.
fn window_of(terminal: &impl AsFd) -> Window {
    let size = rustix::termios::tcgetwinsize(terminal);
    let or_classic = |said: u16, classic| if said == 0 { classic } else { usize::from(said) };
    let (columns, rows) = size.map_or((0, 0), |size| (size.ws_col, size.ws_row));
    Window { columns: or_classic(columns, 80), rows: or_classic(rows, 24) }
}

impl Drop for Ui {
    fn drop(&mut self) {
        self.streams().begin();
    }
}

impl Streams {
    /// What comes before anything else: progress is wiped, and lines that wait are written. Where stdout does not take them,
    /// what is printed next finds that out, too.
    fn begin(&mut self) {
        if std::mem::take(&mut self.progress) {
            let _nobody_left = write!(self.err, "\r\x1b[K");
        }
        if !self.waiting.is_empty() {
            let waiting = std::mem::take(&mut self.waiting);
            // Taking colours out hands the text on in pieces, each of which would be written by itself.
            let choice = if self.document { self.err.current_choice() } else { self.out.current_choice() };
            let mut shown = AutoStream::new(Vec::with_capacity(waiting.len()), choice);
            let _nobody_left = shown.write_all(waiting.as_bytes()).and_then(|()| {
                let bytes = shown.into_inner();
                if self.document { io::stderr().write_all(&bytes) } else { io::stdout().write_all(&bytes) }
            });
        }
    }
}
