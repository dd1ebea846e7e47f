//! How a problem looks: the message, the place with its source line and a caret, and what would help. The look is rustc's.

use std::fmt::Write as _;

use dewar_text::{Diagnostic, Excerpt, Position, Severity, Span};
use unicode_width::UnicodeWidthStr;

use super::style;
use super::text::visible;

/// One thing to tell the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong: one sentence without a full stop.
    pub message: String,
    /// Where, when it is about a text.
    pub place: Option<Place>,
    /// What would fix it.
    pub hints: Vec<String>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as the user would name it.
    pub file: String,
    /// The place in it, when one is known.
    pub mark: Option<Mark>,
}

/// A place in a text, with what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Line and column.
    pub position: Position,
    /// The line.
    pub excerpt: Excerpt,
    /// How many characters to underline, at least one.
    pub length: usize,
}

/// How much of a long line is shown.
const EXCERPT_WIDTH: usize = 100;

impl Place {
    /// A file as a whole.
    #[must_use]
    pub fn file(file: impl Into<String>) -> Self {
        Self { file: file.into(), mark: None }
    }

    /// `span` of `source`, which is the content of `file`.
    #[must_use]
    pub fn span(file: impl Into<String>, source: &[u8], span: Span) -> Self {
        let excerpt = Excerpt::of(source, span.start, EXCERPT_WIDTH);
        let marked = source.get(span.start..span.end.min(source.len())).unwrap_or_default();
        let line = String::from_utf8_lossy(marked.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned();
        let room = excerpt.text.chars().count().saturating_sub(excerpt.caret);
        let length = line.trim_end().width().min(room).max(1);
        Self { file: file.into(), mark: Some(Mark { position: Position::of(source, span.start), excerpt, length }) }
    }
}

impl Problem {
    /// A problem that is its message.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, hints: Vec::new() }
    }

    /// What a reader of `file`, whose content is `source`, had to say.
    #[must_use]
    pub fn of(diagnostic: &Diagnostic, file: &str, source: &[u8]) -> Self {
        let place = diagnostic.span.map_or_else(|| Place::file(file), |span| Place::span(file, source, span));
        Self {
            message: diagnostic.message.clone(),
            place: Some(place),
            hints: diagnostic.help.iter().cloned().collect(),
        }
    }

    /// The text for a terminal, styled. Ends with a line end.
    #[must_use]
    pub fn render(&self, severity: Severity) -> String {
        let (label, look) = match severity {
            Severity::Error => ("error", style::ERROR),
            Severity::Warning => ("warning", style::WARNING),
        };
        let mut out = String::new();
        let _infallible = writeln!(out, "{look}{label}:{look:#} {}", visible(&self.message));
        if let Some(place) = &self.place {
            place.render(&mut out, look);
        }
        let help = style::HELP;
        for hint in &self.hints {
            let _infallible = writeln!(out, "{help}help:{help:#} {}", visible(hint));
        }
        out
    }
}

impl Place {
    fn render(&self, out: &mut String, look: anstyle::Style) {
        let gutter = style::GUTTER;
        let file = visible(&self.file);
        let Some(Mark { position, excerpt, length }) = &self.mark else {
            let _infallible = writeln!(out, " {gutter}-->{gutter:#} {file}");
            return;
        };
        let number = position.line.to_string();
        let margin = " ".repeat(number.len());
        let before: String = excerpt.text.chars().take(excerpt.caret).collect();
        let (indent, carets) = (" ".repeat(before.width()), "^".repeat(*length));
        let _infallible = write!(
            out,
            "{margin}{gutter}-->{gutter:#} {file}:{position}\n\
             {margin} {gutter}|{gutter:#}\n\
             {gutter}{number} |{gutter:#} {}\n\
             {margin} {gutter}|{gutter:#} {indent}{look}{carets}{look:#}\n",
            excerpt.text
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(problem: &Problem) -> String {
        anstream::adapter::strip_str(&problem.render(Severity::Error)).to_string()
    }

    #[test]
    fn a_place_is_shown_with_its_line_and_a_caret() {
        let source = "stages:\n  train:\n    漢: cmb x\n";
        let start = source.find("cmb").unwrap();
        let diagnostic = Diagnostic::error("unknown-key", "there is no key `cmb`")
            .at(Span { start, end: start + 3 })
            .help("write `cmd`");
        insta::assert_snapshot!(plain(&Problem::of(&diagnostic, "dvc.yaml", source.as_bytes())), @r"
        error: there is no key `cmb`
         --> dvc.yaml:3:8
          |
        3 |     漢: cmb x
          |         ^^^
        help: write `cmd`
        ");
    }

    #[test]
    fn a_span_of_many_lines_is_underlined_on_the_first() {
        let source = b"a: [1,\n 2]\n";
        let place = Place::span("p.yaml", source, Span { start: 3, end: 10 });
        assert_eq!(place.mark.unwrap().length, 3);
    }

    #[test]
    fn the_end_of_a_text_and_a_whole_file_can_be_places() {
        let problem =
            Problem { place: Some(Place::span("f", b"a", Span { start: 1, end: 1 })), ..Problem::new("cut short") };
        assert_eq!(plain(&problem), "error: cut short\n --> f:1:2\n  |\n1 | a\n  |  ^\n");
        let problem = Problem { place: Some(Place::file("f")), ..Problem::new("too big") };
        assert_eq!(plain(&problem), "error: too big\n --> f\n");
    }

    #[test]
    fn nothing_of_others_reaches_the_terminal_raw() {
        let source = b"\x1b[2Jkey: 1";
        let place = Place::span("a\u{1b}b", source, Span { start: 4, end: 7 });
        let problem = Problem { message: "\u{7}".into(), place: Some(place), hints: vec!["\u{1b}".into()] };
        assert!(!plain(&problem).chars().any(|c| c.is_control() && c != '\n'));
    }
}
