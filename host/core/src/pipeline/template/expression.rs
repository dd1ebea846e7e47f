//! What stands in a template: found in a text, and read into the path of a variable.
//!
//! DVC's grammar (`dvc/parsing/interpolate.py`): `word ('.' word | '[' word ']')*`, where a word is anything but `.`, `[` and
//! `]`; `a[0]` is `a.0`. There are no operators, no defaults, and no environment.

/// What a template begins with.
pub(super) const OPEN: &str = "${";
/// A `${` that is none.
pub(super) const ESCAPED: &str = "\\${";

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Text that stands for itself, but for escapes.
    Text(&'a str),
    /// What is between `${` and the next `}`.
    Template(&'a str),
}

/// The pieces of a text, none of them empty text. A `${` behind a backslash, or that nothing closes on its line, is text.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let push_text = |pieces: &mut Vec<_>, from: usize, to: usize| {
        pieces.extend(text.get(from..to).filter(|text| !text.is_empty()).map(Piece::Text));
    };
    let (mut from, mut at, mut unclosed_until) = (0, 0, 0);
    while let Some(open) = text.get(at..).and_then(|rest| rest.find(OPEN)).map(|found| at + found) {
        at = open + OPEN.len();
        if at < unclosed_until || text.get(..open).is_some_and(|before| before.ends_with('\\')) {
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        let end = rest.find(['}', '\n']).unwrap_or(rest.len());
        match rest.split_at_checked(end) {
            Some((inner, rest)) if rest.starts_with('}') => {
                push_text(&mut pieces, from, open);
                pieces.push(Piece::Template(inner));
                at += end + 1;
                from = at;
            }
            _ => unclosed_until = at + end,
        }
    }
    push_text(&mut pieces, from, text.len());
    pieces
}

/// Whether a text has a template, be it a valid one or not.
pub(super) fn has_template(text: &str) -> bool {
    text.contains(OPEN) && pieces(text).iter().any(|piece| matches!(piece, Piece::Template(_)))
}

/// Text without its escapes.
pub(super) fn unescaped(text: &str) -> String {
    text.replace(ESCAPED, OPEN)
}

/// Why something between `${` and `}` names no variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum SyntaxError {
    #[error("there is no name in it")]
    NoName,
    #[error("a name is missing behind `{0}`")]
    NoNameBehind(char),
    #[error("a `[` is not closed")]
    Unclosed,
    #[error("it cannot have `{0}` here")]
    Unexpected(char),
}

/// The parts of the path between `${` and `}`. Spaces around parts do not count.
pub(super) fn path(inner: &str) -> Result<Vec<&str>, SyntaxError> {
    let (first, mut rest) = word(inner);
    if first.is_empty() {
        return Err(if inner.trim().is_empty() { SyntaxError::NoName } else { unexpected(rest) });
    }
    let mut parts = vec![first];
    loop {
        rest = rest.trim_start();
        let mut after = rest.chars();
        let Some(mark) = after.next() else { return Ok(parts) };
        if !matches!(mark, '.' | '[') {
            return Err(SyntaxError::Unexpected(mark));
        }
        let (part, behind) = word(after.as_str());
        if part.is_empty() {
            return Err(SyntaxError::NoNameBehind(mark));
        }
        rest = match mark {
            '[' => behind.strip_prefix(']').ok_or(SyntaxError::Unclosed)?,
            _ => behind,
        };
        parts.push(part);
    }
}

fn unexpected(rest: &str) -> SyntaxError {
    rest.chars().next().map_or(SyntaxError::NoName, SyntaxError::Unexpected)
}

fn word(text: &str) -> (&str, &str) {
    let end = text.find(['.', '[', ']']).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    (word.trim(), rest)
}

#[cfg(test)]
mod tests {
    use super::Piece::{Template, Text};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn templates_are_found_as_dvc_finds_them() {
        let table: &[(&str, &[Piece<'_>])] = &[
            ("", &[]),
            ("plain $x {y}", &[Text("plain $x {y}")]),
            ("${a}", &[Template("a")]),
            ("x ${a.b} y", &[Text("x "), Template("a.b"), Text(" y")]),
            ("${a}${b}", &[Template("a"), Template("b")]),
            ("\\${a}", &[Text("\\${a}")]),
            ("\\\\${a}", &[Text("\\\\${a}")]),
            ("${a", &[Text("${a")]),
            ("${a ${b}", &[Template("a ${b")]),
            ("${a\n} ${b}", &[Text("${a\n} "), Template("b")]),
            ("$${n} ${n}} {${n}", &[Text("$"), Template("n"), Text(" "), Template("n"), Text("} {"), Template("n")]),
            ("${}", &[Template("")]),
            ("${é}ü", &[Template("é"), Text("ü")]),
        ];
        for (text, wanted) in table {
            assert_eq!(pieces(text), *wanted, "{text}");
        }
    }

    #[test]
    fn paths_have_names_and_indexes() {
        let table: &[(&str, Result<&[&str], SyntaxError>)] = &[
            ("a", Ok(&["a"])),
            ("a.b[0].c", Ok(&["a", "b", "0", "c"])),
            ("a[b][c]", Ok(&["a", "b", "c"])),
            (" a . b [ 0 ] ", Ok(&["a", "b", "0"])),
            ("a b", Ok(&["a b"])),
            ("a-b/c:d", Ok(&["a-b/c:d"])),
            ("a[-1]", Ok(&["a", "-1"])),
            ("", Err(SyntaxError::NoName)),
            ("  ", Err(SyntaxError::NoName)),
            (".a", Err(SyntaxError::Unexpected('.'))),
            ("a.", Err(SyntaxError::NoNameBehind('.'))),
            ("a..b", Err(SyntaxError::NoNameBehind('.'))),
            ("a[", Err(SyntaxError::NoNameBehind('['))),
            ("a[]", Err(SyntaxError::NoNameBehind('['))),
            ("a[0", Err(SyntaxError::Unclosed)),
            ("a[0.b]", Err(SyntaxError::Unclosed)),
            ("a[0]b", Err(SyntaxError::Unexpected('b'))),
            ("a]", Err(SyntaxError::Unexpected(']'))),
        ];
        for (inner, wanted) in table {
            assert_eq!(path(inner).as_deref().map_err(|error| *error), *wanted, "{inner}");
        }
    }

    #[test]
    fn many_unclosed_templates_are_read_in_one_pass() {
        let text = "${".repeat(500_000);
        assert_eq!(pieces(&text), [Text(&text)]);
    }

    proptest! {
        #[test]
        fn pieces_make_up_the_text(text in "[\\\\${}a\n.\\[\\]é]{0,40}") {
            let whole: String = pieces(&text)
                .iter()
                .map(|piece| match piece {
                    Text(text) => (*text).to_owned(),
                    Template(inner) => format!("${{{inner}}}"),
                })
                .collect();
            prop_assert_eq!(whole, text);
        }

        #[test]
        fn text_without_an_opening_is_one_piece(text in "[^$]{1,40}") {
            prop_assert!(!has_template(&text));
            prop_assert_eq!(unescaped(&text), text);
        }

        #[test]
        fn parts_of_a_path_have_no_marks(inner in ".{0,30}") {
            if let Ok(parts) = path(&inner) {
                prop_assert!(parts.iter().all(|part| !part.is_empty() && !part.contains(['.', '[', ']'])));
            }
        }
    }
}
