//! [`SourceError`]: what is wrong with a file the user wrote, with the text at hand so that the edge can show the place.

use std::sync::Arc;

use dewar_text::{Diagnostic, Span};

use crate::path::RepoPath;

/// A file that cannot be used as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .diagnostics.first().map_or("it is invalid", |first| first.message.as_str()))]
pub struct SourceError {
    /// The file.
    pub file: RepoPath,
    /// Its text when it was read.
    pub text: Arc<[u8]>,
    /// What is wrong with it; at least one.
    pub diagnostics: Vec<Diagnostic>,
}

/// A text and the file it came from.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file.
    pub file: RepoPath,
    /// What stands in it.
    pub text: Arc<[u8]>,
}

impl Source {
    /// A text that was read from `file`.
    #[must_use]
    pub fn new(file: RepoPath, text: impl Into<Arc<[u8]>>) -> Self {
        Self { file, text: text.into() }
    }

    /// The error of one diagnostic on this source. Boxed, since it carries the text along.
    #[must_use]
    pub fn error(&self, diagnostic: Diagnostic) -> Box<SourceError> {
        self.errors(vec![diagnostic])
    }

    /// The error of several diagnostics on this source.
    #[must_use]
    pub fn errors(&self, diagnostics: Vec<Diagnostic>) -> Box<SourceError> {
        Box::new(SourceError { file: self.file.clone(), text: Arc::clone(&self.text), diagnostics })
    }

    /// The error of a message at a place.
    #[must_use]
    pub fn error_at(&self, code: &str, message: impl Into<String>, span: Span) -> Box<SourceError> {
        self.error(Diagnostic::error(code, message).at(span))
    }
}
