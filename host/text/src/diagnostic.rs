//! [`Diagnostic`]: one thing to tell the user about a text, as data. Nothing here prints.

use crate::node::Span;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// What was asked for was not done.
    Error,
    /// It was done; the user should still know.
    Warning,
}

/// One thing to tell the user about a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Kebab-case and stable, such as `duplicate-key`.
    pub code: String,
    /// One sentence, without the place.
    pub message: String,
    /// The place in the source.
    pub span: Option<Span>,
    /// What would fix it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error with a code and a message; add the rest with [`Self::at`] and [`Self::help`].
    #[must_use]
    pub fn error(code: &str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, code: code.to_owned(), message: message.into(), span: None, help: None }
    }

    /// The same at a place.
    #[must_use]
    pub const fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    /// The same with what would fix it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
