//! Where in the source a value stands or would stand: the part of the layout that parser events do not tell. A few lines of
//! lexing between two tokens that the parser has already accepted.

use crate::node::Span;
use crate::splice::line_end;

/// What stands between the token before a value and the value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lead {
    /// The `:`, `-`, `?` or `,` that announces the value.
    pub(super) indicator: Option<usize>,
    /// `&name`.
    pub(super) anchor: Option<Span>,
    /// `!tag`.
    pub(super) tag: Option<Span>,
    /// Behind the indicator and the properties: where an empty value stands.
    pub(super) at: usize,
    /// Behind white space and comments, too: where the content of a value that is not empty begins.
    pub(super) content: usize,
}

/// Lexes from `from`, the end of a key, of a list's previous item or of a document's start, up to the value.
pub(super) fn lead(source: &str, from: usize) -> Lead {
    let mut lead = Lead { at: from, ..Lead::default() };
    let bytes = source.as_bytes();
    let first = skip_space(source, from);
    if matches!(bytes.get(first), Some(b':' | b'-' | b'?' | b',' | b'[' | b'{')) {
        lead.indicator = Some(first);
        lead.at = first + 1;
    }
    loop {
        let start = skip_space(source, lead.at);
        let kind = match bytes.get(start) {
            Some(b'&') => &mut lead.anchor,
            Some(b'!') => &mut lead.tag,
            _ => {
                lead.content = start;
                return lead;
            }
        };
        // A verbatim tag may hold commas and brackets.
        let verbatim = source.get(start..).is_some_and(|rest| rest.starts_with("!<"));
        let stops = |byte: &u8| match byte {
            b' ' | b'\t' | b'\r' | b'\n' => true,
            b',' | b'[' | b']' | b'{' | b'}' => !verbatim,
            _ => false,
        };
        let length = bytes.iter().skip(start).take_while(|byte| !stops(byte)).count();
        *kind = Some(Span::new(start, start + length));
        lead.at = start + length;
    }
}

/// The first byte at or after `at` that is neither white space nor in a comment.
pub(super) fn skip_space(source: &str, at: usize) -> usize {
    let bytes = source.as_bytes();
    let mut at = at;
    loop {
        match bytes.get(at) {
            Some(b' ' | b'\t' | b'\r' | b'\n') => at += 1,
            Some(b'#') => at = line_end(source, at),
            _ => return at,
        }
    }
}
