//! What the reader refuses, said so that the user knows what would fix it.

use granit_parser::{ErrorKind, ScanError, Tag};

use super::read::MAX_DEPTH;
use crate::diagnostic::Diagnostic;
use crate::node::{Node, Span};
use crate::position::Position;

/// What the parser refuses.
pub(super) fn scan(source: &str, error: &ScanError) -> Diagnostic {
    let at = error.marker().byte_offset().unwrap_or_default().min(source.len());
    let width = source.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    let span = Span::new(at, at + width);
    let (code, help) = match error.kind() {
        ErrorKind::RecursionLimitExceeded => return too_deep(span),
        ErrorKind::UnknownAnchor => {
            let name: String =
                source.get(at..).unwrap_or_default().chars().take_while(|c| !c.is_whitespace()).collect();
            let message = format!("nothing before this has the name of the alias `{name}`");
            return Diagnostic::error("unknown-anchor", message)
                .at(span)
                .help("name a value with `&name` first, or put quotes around a string that begins with `*`");
        }
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => ("tab", Some("indent with spaces")),
        ErrorKind::MappingValueNotAllowed | ErrorKind::MappingKeyNotAllowed => (
            "yaml-syntax",
            Some("put quotes around a value that holds `: `, and check that the line is indented as its siblings are"),
        ),
        ErrorKind::UnexpectedCharacter { .. } => {
            ("yaml-syntax", Some("put quotes around a string that begins with this character"))
        }
        ErrorKind::UnclosedQuotedScalar => ("yaml-syntax", Some("close the quote")),
        ErrorKind::UnknownQuotedScalarEscape => {
            ("yaml-syntax", Some("write `\\\\` for a backslash, or use single quotes, which have no escapes"))
        }
        ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::MismatchedFlowCollectionEnd { .. }
        | ErrorKind::MisplacedFlowCollectionEnd
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator => ("yaml-syntax", Some("check the brackets and commas")),
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            ("yaml-syntax", Some("write `key: value`, with a space behind the colon"))
        }
        ErrorKind::InvalidIndentation
        | ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::InvalidBlockScalarIndent
        | ErrorKind::InvalidQuotedScalarIndent => {
            ("yaml-syntax", Some("check that the line is indented as its siblings are"))
        }
        _ => ("yaml-syntax", None),
    };
    let diagnostic = Diagnostic::error(code, format!("this is not YAML: {}", error.kind())).at(span);
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// A key that stands twice; `first` is where it stood before.
pub(super) fn duplicate(source: &str, key: &str, span: Span, first: Option<Span>) -> Diagnostic {
    let error = Diagnostic::error("duplicate-key", format!("duplicate key `{key}` in this mapping")).at(span);
    match first {
        Some(first) => {
            let line = Position::of(source.as_bytes(), first.start).line;
            error.help(format!("the first is in line {line}: remove one, or give one another name"))
        }
        None => error.help("merge a list instead: `<<: [*a, *b]`"),
    }
}

pub(super) fn version(source: &str, major: u32, minor: u32) -> Diagnostic {
    let start = source.find("%YAML").unwrap_or_default();
    Diagnostic::error("yaml-version", format!("`%YAML {major}.{minor}` asks for rules other than those of YAML 1.2"))
        .at(Span::new(start, start + "%YAML".len()))
        .help("remove the line; values such as `on`, `yes` and `017` then mean what they mean in all other files")
}

pub(super) fn unknown_tag(tag: &Tag) -> Diagnostic {
    Diagnostic::error("unknown-tag", format!("the tag `{}` has no meaning here", tag.original()))
        .help("remove the tag; known are !!str, !!int, !!float, !!bool, !!null, !!timestamp, !!seq and !!map")
}

pub(super) fn complex_key(span: Span) -> Diagnostic {
    Diagnostic::error("complex-key", "a list or a mapping cannot be a key here")
        .at(span)
        .help("put quotes around it if it is meant as text, as in `\"${item.name}\": 1`")
}

pub(super) fn bad_merge(node: &Node) -> Diagnostic {
    Diagnostic::error("bad-merge", format!("`<<` takes in mappings, and this is {}", node.kind_name()))
        .at(node.span)
        .help("name a mapping with `&name` and write `<<: *name`, or put quotes around the key")
}

pub(super) fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::error("too-deep", format!("lists and mappings are nested more than {MAX_DEPTH} deep"))
        .at(span)
        .help("close the brackets, or nest less")
}
