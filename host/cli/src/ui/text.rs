//! Text of others (names, messages, file contents) made safe to print.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

/// `text` with control characters, and marks that turn the direction of writing, made visible. Line ends and tabs stay.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_hidden(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => true,
        c => c.is_control(),
    }
}

/// `1 stage`, `2 stages`: for nouns with a regular plural.
#[must_use]
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A word as a shell reads it back: in quotes where it needs some.
#[must_use]
pub fn shell_quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./@%+=:,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

/// The beginning of a line that has room in so many columns, with its styles, which end there at the latest.
#[must_use]
pub fn cut(line: &str, columns: usize) -> String {
    let mut out = String::with_capacity(line.len());
    let (mut used, mut styled) = (0, false);
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            // Of all that steers a terminal, lines have styles alone: `ESC [ numbers m`.
            styled = true;
            out.push(c);
            out.extend(rest.by_ref().take_while(|c| *c != 'm'));
            out.push('m');
            continue;
        }
        let c = if c == '\t' { ' ' } else { c };
        used += c.width().unwrap_or(0);
        if used > columns {
            break;
        }
        out.push(c);
    }
    if styled {
        out.push_str("\u{1b}[0m");
    }
    out
}

/// `a`, `a and b`, `a, b and c`; none of nothing.
#[must_use]
pub fn joined(parts: &[String]) -> Option<String> {
    let (last, rest) = parts.split_last()?;
    Some(if rest.is_empty() { last.clone() } else { format!("{} and {last}", rest.join(", ")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_by_what_is_seen_of_them() {
        assert_eq!(cut("a\tb漢c", 5), "a b漢");
        assert_eq!(cut("a\tb漢c", 4), "a b");
        assert_eq!(cut("\u{1b}[1;33mabc\u{1b}[0md", 2), "\u{1b}[1;33mab\u{1b}[0m");
        assert_eq!(cut("\u{1b}[1mabc\u{1b}[0md", 9), "\u{1b}[1mabc\u{1b}[0md\u{1b}[0m");
    }

    #[test]
    fn what_steers_a_terminal_is_shown() {
        assert_eq!(visible("a\u{1b}[2Jb\rc\u{202e}d"), "a\\u{1b}[2Jb\\u{d}c\\u{202e}d");
        assert!(matches!(visible("tab\tline\nü漢"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_shell_reads_words_back() {
        assert_eq!(shell_quoted("data/ünï.csv"), "data/ünï.csv");
        assert_eq!(shell_quoted("it's $x"), r"'it'\''s $x'");
        assert_eq!(shell_quoted(""), "''");
    }

    #[test]
    fn counts_agree_with_their_noun() {
        assert_eq!((counted(1, "stage"), counted(0, "stage")), ("1 stage".into(), "0 stages".into()));
    }
}
