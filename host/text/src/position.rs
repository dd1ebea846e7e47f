//! [`Position`]: a place of a source as the user counts it, for messages such as `dvc.yaml:3:5`.

use std::fmt;

use crate::splice::{line_end, line_start, slice};

/// A place in a text, both counted from one; columns are characters, as editors show them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl Position {
    /// The position of the byte at `offset`, which may lie inside a character or past the end. A source that is not UTF-8
    /// counts each broken sequence as one character.
    #[must_use]
    pub fn of(source: &[u8], offset: usize) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let before = before.strip_prefix("\u{feff}".as_bytes()).unwrap_or(before);
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = String::from_utf8_lossy(before.get(line_start..).unwrap_or_default()).chars().count() + 1;
        Self { line, column }
    }
}

/// The line of `offset` as it can be shown: at most `width` characters around the place, control characters as `\u{1b}`,
/// tabs as one space, cuts marked with `…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// What to print.
    pub text: String,
    /// How many characters of `text` stand before the place, for a caret below it.
    pub caret: usize,
}

impl Excerpt {
    /// The excerpt for the byte at `offset`.
    #[must_use]
    pub fn of(source: &[u8], offset: usize, width: usize) -> Self {
        // Only the neighbourhood is looked at: a file may be one line of 60 MB.
        let reach = width.saturating_mul(4);
        let from = offset.min(source.len()).saturating_sub(reach);
        let window = source.get(from..source.len().min(offset.saturating_add(reach))).unwrap_or_default();
        let (before, after) = window.split_at_checked(offset.saturating_sub(from)).unwrap_or((window, &[]));
        let (before, after) = (String::from_utf8_lossy(before), String::from_utf8_lossy(after));
        let line_from = line_start(&before, before.len());
        let left: Vec<String> = slice(&before, line_from, before.len()).chars().map(visible).collect();
        let right: Vec<String> = slice(&after, 0, line_end(&after, 0)).chars().map(visible).collect();

        let kept_left = take(left.iter().rev(), width / 2);
        let kept_right = take(right.iter(), width - width / 2);
        let mut text = String::new();
        if kept_left < left.len() || (line_from == 0 && from > 0) {
            text.push('…');
        }
        text.extend(left.iter().skip(left.len() - kept_left).map(String::as_str));
        let caret = text.chars().count();
        text.extend(right.iter().take(kept_right).map(String::as_str));
        if kept_right < right.len() {
            text.push('…');
        }
        Self { text, caret }
    }
}

/// How many of `parts` fit in `width` characters.
fn take<'a>(parts: impl Iterator<Item = &'a String>, width: usize) -> usize {
    let mut room = width;
    parts
        .take_while(|part| {
            let length = part.chars().count();
            let fits = length <= room;
            room = room.saturating_sub(length);
            fits
        })
        .count()
}

fn visible(c: char) -> String {
    match c {
        '\t' => " ".to_owned(),
        // Marks that turn the direction of what follows would make a message lie.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {
            c.escape_unicode().to_string()
        }
        c if c.is_control() => c.escape_unicode().to_string(),
        c => c.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_characters_from_one() {
        let source = "a: 1\nü: é\r\nx".as_bytes();
        assert_eq!(Position::of(source, 0), Position { line: 1, column: 1 });
        assert_eq!(Position::of(source, 9), Position { line: 2, column: 4 });
        assert_eq!(Position::of(source, source.len()).to_string(), "3:2");
        assert_eq!(Position::of(source, 999).to_string(), "3:2");
    }

    #[test]
    fn a_byte_order_mark_is_not_counted() {
        assert_eq!(Position::of("\u{feff}a: b".as_bytes(), 6).to_string(), "1:4");
    }

    #[test]
    fn shows_the_line_and_makes_controls_visible() {
        let source = b"first\n\tkey: \x1b[31mred\nlast";
        assert_eq!(Excerpt::of(source, 12, 80), Excerpt { text: " key: \\u{1b}[31mred".into(), caret: 6 });
    }

    #[test]
    fn cuts_a_long_line_on_both_sides() {
        let source = format!("{}!{}", "a".repeat(500), "b".repeat(500));
        let excerpt = Excerpt::of(source.as_bytes(), 500, 20);
        assert_eq!(excerpt.text, "…aaaaaaaaaa!bbbbbbbbb…");
        assert_eq!(excerpt.caret, 11);
    }
}
