//! Text of a guest before it is shown: without control characters, so that it cannot move the cursor, clear the screen or forge
//! a line of dewar's, and of a bounded length.

/// One line: line ends and tabs become spaces, other control characters U+FFFD, and what is over `limit` bytes is cut.
pub(crate) fn line(text: &str, limit: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(limit));
    for char in text.trim_end().chars() {
        if shown.len() + char.len_utf8() > limit {
            shown.push('…');
            break;
        }
        shown.push(match char {
            '\n' | '\r' | '\t' => ' ',
            char if is_dangerous(char) => '\u{fffd}',
            char => char,
        });
    }
    shown
}

/// Control characters, and those that reorder or hide text around them.
fn is_dangerous(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(line("\u{1b}[2Jok\r\nnext\u{202e}x\u{9b}", 99), "\u{fffd}[2Jok  next\u{fffd}x\u{fffd}");
        assert_eq!(line("über", 99), "über");
    }

    #[test]
    fn is_cut_at_a_character() {
        assert_eq!(line("ééé", 3), "é…");
    }
}
