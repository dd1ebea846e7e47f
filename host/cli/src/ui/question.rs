//! Questions to the user: asked on a terminal alone.

use std::io::{self, BufRead, IsTerminal, Write};

use super::text;

/// What the user said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Yes,
    /// Anything else.
    No,
    /// There is no terminal to ask on.
    Nobody,
}

/// Asks a question that `y` or `yes` says yes to.
#[must_use]
pub fn ask(question: &str) -> Answer {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Answer::Nobody;
    }
    let mut line = String::new();
    let asked = write!(io::stderr(), "{} [y/N] ", text::visible(question)).and_then(|()| io::stderr().flush());
    match asked.and_then(|()| io::stdin().lock().read_line(&mut line)) {
        Ok(_) if matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes") => Answer::Yes,
        _ => Answer::No,
    }
}
