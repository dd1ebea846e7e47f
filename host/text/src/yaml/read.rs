//! [`read()`]: YAML text to a tree with spans.
//!
//! The source of every file that users write: each refusal has a place. Nothing here recurses over the input, and depth, size
//! and what aliases may blow up to are bounded, since a `dvc.yaml` may come from anybody.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, StrInput, StructureStyle, Tag};
use indexmap::IndexMap;

use super::place;
use super::refusal;
use super::resolve::{self, Plain};
use crate::diagnostic::Diagnostic;
use crate::node::{Entry, Node, NodeKind, Span};
use crate::value::Value;

/// Bytes that a source may have.
pub const MAX_SIZE: usize = 64 << 20;
/// How deep collections may nest, aliases followed.
pub const MAX_DEPTH: usize = 256;
/// Bytes of memory that what aliases repeat may take.
pub const MAX_ALIASED: usize = 64 << 20;

/// Reads one YAML document. An empty source is a null. Mapping keys that are not strings are held as the text that the source
/// has. Keys that come in by a merge (`<<`) stand before the mapping's own, as in ruamel.yaml; their `key_span` is that of the
/// `<<`. What stands at an alias has the alias as its span, and below it the spans of what was anchored.
///
/// # Errors
/// Everything that ruamel.yaml refuses when DVC reads with it, and a few things that it lets pass: duplicate keys beside a
/// merge, collections as keys, and `%YAML 1.1`, under which `on` and `017` mean something else than everywhere else in a
/// project.
pub fn read(source: &[u8]) -> Result<Node, Diagnostic> {
    if source.len() > MAX_SIZE {
        return Err(Diagnostic::error("too-large", format!("the file has more than {} MiB", MAX_SIZE >> 20))
            .at(Span::new(0, 0))
            .help("keep data in a file of its own and name it as a dependency"));
    }
    let source = decode(source)?;
    Reader::new(source).run()
}

fn decode(source: &[u8]) -> Result<&str, Diagnostic> {
    let text = std::str::from_utf8(source).map_err(|error| {
        let at = error.valid_up_to();
        let message = if source.starts_with(b"\xff\xfe") || source.starts_with(b"\xfe\xff") {
            "the file is UTF-16, not UTF-8".to_owned()
        } else {
            format!("the byte 0x{:02x} at offset {at} is not UTF-8", source.get(at).copied().unwrap_or_default())
        };
        Diagnostic::error("not-utf8", message).at(Span::new(at, at + 1)).help("save the file as UTF-8")
    })?;
    let found = if text.is_ascii() {
        text.bytes()
            .position(|byte| !printable(char::from(byte)))
            .map(|at| (at, text.as_bytes().get(at)))
            .and_then(|(at, byte)| byte.map(|byte| (at, char::from(*byte))))
    } else {
        text.char_indices().find(|(_, c)| !printable(*c))
    };
    match found {
        None => Ok(text),
        Some((at, c)) => Err(Diagnostic::error(
            "control-character",
            format!("the character U+{:04X} at byte offset {at} is not allowed in YAML", u32::from(c)),
        )
        .at(Span::new(at, at + c.len_utf8()))
        .help("remove it, or write it as an escape such as `\"\\x1b\"` in a double-quoted string")),
    }
}

fn printable(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}

/// A collection whose end has not been reached.
struct Open {
    members: Members,
    start: usize,
    anchor: usize,
}

enum Members {
    List(Vec<Node>),
    Map(OpenMap),
}

#[derive(Default)]
struct OpenMap {
    entries: Vec<Entry>,
    /// The key whose value comes next.
    key: Option<(Key, Span)>,
    merge: Option<(Span, Node)>,
}

enum Key {
    Text(String),
    Merge,
}

/// What an alias may repeat.
struct Anchored {
    node: Node,
    /// Bytes of memory.
    weight: usize,
    height: usize,
}

struct Reader<'source> {
    source: &'source str,
    stack: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, Anchored>,
    /// Whether there can be aliases; anchors are not remembered for nothing.
    has_aliases: bool,
    aliased: usize,
    documents: usize,
    /// Where the last token ended that is a part of a value.
    last_end: usize,
}

impl<'source> Reader<'source> {
    fn new(source: &'source str) -> Self {
        Self {
            source,
            stack: Vec::new(),
            root: None,
            anchors: HashMap::new(),
            has_aliases: source.contains('*'),
            aliased: 0,
            documents: 0,
            last_end: 0,
        }
    }

    fn run(mut self) -> Result<Node, Diagnostic> {
        // As ruamel: the last line of a block scalar that ends without a line feed gets none.
        let mut options = granit_parser::options! { block_scalar_eof_without_line_feed: true };
        options.set_emit_comments(false);
        let mut parser: Parser<'_, StrInput<'_>> = Parser::new_from_str_with_options(self.source, options);
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| refusal::scan(self.source, &error))?;
            let range = span.byte_range().unwrap_or_default();
            self.event(event, Span::new(range.start, range.end))?;
        }
        let end = self.source.len();
        Ok(self.root.unwrap_or(Node { kind: NodeKind::Scalar(Value::Null), span: Span::new(end, end) }))
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Diagnostic> {
        match event {
            Event::DocumentStart(explicit, version) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Diagnostic::error("several-documents", "the file holds more than one YAML document")
                        .at(span)
                        .help("keep one document and remove the `---` before the next"));
                }
                if let Some(version) = version
                    && (version.major, version.minor) != (1, 2)
                {
                    return Err(refusal::version(self.source, version.major, version.minor));
                }
                // An implicit start has the place of the first token's end.
                if explicit {
                    self.last_end = span.end;
                }
            }
            Event::Scalar(text, style, anchor, tag) => self.scalar(text, style, anchor, tag.as_deref(), span)?,
            Event::SequenceStart(style, anchor, tag) => {
                let span = if style == StructureStyle::Block { self.first_dash(span) } else { span };
                self.open(Members::List(Vec::new()), span, anchor, tag.as_deref(), "seq")?;
            }
            Event::MappingStart(_, anchor, tag) => {
                self.open(Members::Map(OpenMap::default()), span, anchor, tag.as_deref(), "map")?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span)?,
            Event::Alias(id) => self.alias(id, span)?,
            _ => {}
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<(), Diagnostic> {
        let plain = style == ScalarStyle::Plain;
        let empty = plain && span.start == span.end;
        // The parser calls nothing at all `~`.
        let text = if empty { Cow::Borrowed("") } else { text };
        if let Some(map) = self.expects_key() {
            let merge = plain && tag.is_none() && text == "<<";
            map.key = Some((if merge { Key::Merge } else { Key::Text(text.clone().into_owned()) }, span));
            self.last_end = span.end;
            if let Some(tag) = tag {
                scalar_value(&text, plain, Some(tag)).map_err(|error| error.at(span))?;
            }
            if anchor > 0 && self.has_aliases {
                self.remember(anchor, &Node { kind: NodeKind::Scalar(Value::Text(text.into_owned())), span })?;
            }
            return Ok(());
        }
        let span = match style {
            _ if empty => {
                let at = self.empty_value();
                Span::new(at, at)
            }
            ScalarStyle::Literal | ScalarStyle::Folded => self.block_scalar(span),
            _ => span,
        };
        let value = scalar_value(&text, plain, tag).map_err(|error| error.at(span))?;
        self.last_end = span.end;
        self.finish(Node { kind: NodeKind::Scalar(value), span }, anchor)
    }

    /// The mapping that is open if what comes next is one of its keys.
    fn expects_key(&mut self) -> Option<&mut OpenMap> {
        match self.stack.last_mut() {
            Some(Open { members: Members::Map(map), .. }) if map.key.is_none() => Some(map),
            _ => None,
        }
    }

    /// Where the empty value stands that the parser has just met.
    fn empty_value(&self) -> usize {
        let in_list = matches!(self.stack.last(), Some(Open { members: Members::List(_), .. }));
        let lead = place::lead(self.source, self.last_end);
        let indicator = lead.indicator.and_then(|at| self.source.as_bytes().get(at));
        match indicator {
            Some(b'-') if in_list => lead.at,
            Some(b':') if !in_list => lead.at,
            None => lead.at,
            // `{a, b: 1}`: the key has no colon, and the comma is not its own.
            _ => self.last_end,
        }
    }

    /// Where a block list begins: the parser has those that are not indented below their key begin behind the first dash.
    fn first_dash(&self, span: Span) -> Span {
        let value = matches!(self.stack.last(), Some(Open { members: Members::Map(OpenMap { key: Some(_), .. }), .. }));
        if !value {
            return span;
        }
        let dash = place::lead(self.source, self.last_end).content;
        if self.source.as_bytes().get(dash) == Some(&b'-') { Span::new(dash, dash) } else { span }
    }

    /// The span of a block scalar from its `|` or `>` to the end of its last line, whose line break is not a part of it.
    fn block_scalar(&self, content: Span) -> Span {
        let start = place::lead(self.source, self.last_end).content;
        let header = self.source.get(start..content.start.max(start)).unwrap_or_default();
        let header = header.lines().next().unwrap_or_default();
        let header = header.split('#').next().unwrap_or_default();
        let body = self.source.get(content.start..content.end).unwrap_or_default();
        let trimmed = if header.contains('+') {
            let body = body.strip_suffix('\n').unwrap_or(body);
            body.strip_suffix('\r').unwrap_or(body)
        } else {
            body.trim_end_matches(['\n', '\r', ' ', '\t'])
        };
        let end = if trimmed.is_empty() { start + header.trim_end().len() } else { content.start + trimmed.len() };
        Span::new(start, end)
    }

    fn open(
        &mut self,
        members: Members,
        span: Span,
        anchor: usize,
        tag: Option<&Tag>,
        wanted: &str,
    ) -> Result<(), Diagnostic> {
        if self.expects_key().is_some() {
            return Err(refusal::complex_key(span));
        }
        if let Some(tag) = tag
            && !is_non_specific(tag)
            && tag.core_suffix() != Some(wanted)
        {
            return Err(refusal::unknown_tag(tag).at(span));
        }
        if self.stack.len() >= MAX_DEPTH {
            return Err(refusal::too_deep(span));
        }
        self.last_end = span.end;
        self.stack.push(Open { members, start: span.start, anchor });
        Ok(())
    }

    fn close(&mut self, span: Span) -> Result<(), Diagnostic> {
        let Some(Open { members, start, anchor }) = self.stack.pop() else { return Ok(()) };
        // Only a closing bracket has a width; a block collection ends where its last member does.
        if span.end > span.start {
            self.last_end = span.end;
        }
        let kind = match members {
            Members::List(items) => NodeKind::List(items),
            Members::Map(map) => NodeKind::Map(self.entries(map)?),
        };
        self.finish(Node { kind, span: Span::new(start, self.last_end.max(start)) }, anchor)
    }

    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), Diagnostic> {
        if anchor > 0 && self.has_aliases {
            self.remember(anchor, &node)?;
        }
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.members {
            Members::List(items) => items.push(node),
            Members::Map(map) => match map.key.take() {
                Some((Key::Text(key), key_span)) => map.entries.push(Entry { key, key_span, value: node }),
                Some((Key::Merge, key_span)) if map.merge.is_some() => {
                    return Err(refusal::duplicate(self.source, "<<", key_span, None));
                }
                Some((Key::Merge, key_span)) => map.merge = Some((key_span, node)),
                None => return Err(refusal::complex_key(node.span)),
            },
        }
        Ok(())
    }

    fn remember(&mut self, anchor: usize, node: &Node) -> Result<(), Diagnostic> {
        let (weight, height) = measure(node);
        self.charge(weight, node.span)?;
        self.anchors.insert(anchor, Anchored { node: node.clone(), weight, height });
        Ok(())
    }

    fn charge(&mut self, weight: usize, span: Span) -> Result<(), Diagnostic> {
        self.aliased = self.aliased.saturating_add(weight);
        if self.aliased <= MAX_ALIASED {
            return Ok(());
        }
        let message = format!("what the aliases repeat takes more than {} MiB", MAX_ALIASED >> 20);
        Err(Diagnostic::error("too-many-aliases", message).at(span).help("write the values out, or repeat less"))
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<(), Diagnostic> {
        let Some(anchored) = self.anchors.get(&id) else {
            return Err(Diagnostic::error("recursive-alias", "this alias stands inside of what it repeats")
                .at(span)
                .help("a value cannot contain itself; give the inner one a name of its own"));
        };
        self.last_end = span.end;
        if self.stack.len() + anchored.height > MAX_DEPTH {
            return Err(refusal::too_deep(span));
        }
        let weight = anchored.weight;
        let anchored_span = anchored.node.span;
        let kind = anchored.node.kind.clone();
        self.charge(weight, span)?;
        let source = self.source;
        if let Some(map) = self.expects_key() {
            let key = match kind {
                NodeKind::Scalar(Value::Text(text)) => text,
                NodeKind::Scalar(_) => {
                    source.get(anchored_span.start..anchored_span.end).unwrap_or_default().to_owned()
                }
                _ => return Err(refusal::complex_key(span)),
            };
            map.key = Some((Key::Text(key), span));
            return Ok(());
        }
        self.finish(Node { kind, span }, 0)
    }

    /// The entries of a mapping that has ended: no key twice, and what `<<` brings in.
    fn entries(&self, map: OpenMap) -> Result<Vec<Entry>, Diagnostic> {
        let OpenMap { entries, merge, .. } = map;
        if let Some((first, second)) = duplicates(&entries) {
            return Err(refusal::duplicate(self.source, &second.key, second.key_span, Some(first.key_span)));
        }
        let Some((merge_span, merged)) = merge else { return Ok(entries) };
        let mut all: IndexMap<String, Entry> = IndexMap::new();
        let sources = match merged.kind {
            NodeKind::Map(entries) => vec![entries],
            NodeKind::List(items) => {
                let mut sources = Vec::new();
                // The first of a list wins, so it is laid over the others.
                for item in items.into_iter().rev() {
                    match item.kind {
                        NodeKind::Map(entries) => sources.push(entries),
                        kind => return Err(refusal::bad_merge(&Node { kind, span: item.span })),
                    }
                }
                sources
            }
            kind => return Err(refusal::bad_merge(&Node { kind, span: merged.span })),
        };
        for mut entry in sources.into_iter().flatten() {
            entry.key_span = merge_span;
            all.insert(entry.key.clone(), entry);
        }
        for entry in entries {
            all.insert(entry.key.clone(), entry);
        }
        Ok(all.into_values().collect())
    }
}

/// The value of a scalar.
fn scalar_value(text: &str, plain: bool, tag: Option<&Tag>) -> Result<Value, Diagnostic> {
    let Some(tag) = tag.filter(|tag| !is_non_specific(tag)) else {
        if !plain {
            return Ok(Value::Text(text.to_owned()));
        }
        return match resolve::plain(text) {
            Plain::Value(value) => Ok(value),
            Plain::Merge | Plain::Default => {
                Err(Diagnostic::error("reserved-scalar", format!("a plain `{text}` is reserved and has no value"))
                    .help(format!("write \"{text}\" for the string")))
            }
        };
    };
    let value = match tag.suffix_in_namespace("tag:yaml.org,2002:").as_deref() {
        Some("str") => Some(Value::Text(text.to_owned())),
        Some("null") => Some(Value::Null),
        Some("bool") => resolve::bool(text).map(Value::Bool),
        Some("int") => resolve::int(text),
        Some("float") => resolve::float(text).map(Value::Float),
        Some("timestamp") => resolve::is_timestamp(text).then(|| Value::Literal(text.to_owned())),
        _ => return Err(refusal::unknown_tag(tag)),
    };
    value.ok_or_else(|| {
        Diagnostic::error("bad-tag", format!("`{text}` is not what the tag `{}` says", tag.original()))
            .help("remove the tag or correct the value")
    })
}

/// `! value`: ruamel resolves it as if the tag were not there.
fn is_non_specific(tag: &Tag) -> bool {
    tag.original() == "!"
}

/// The first entry, in the order of the source, whose key stood before, with the one before.
fn duplicates(entries: &[Entry]) -> Option<(&Entry, &Entry)> {
    if entries.len() <= 8 {
        return entries.iter().enumerate().find_map(|(index, second)| {
            entries.iter().take(index).find(|first| first.key == second.key).map(|first| (first, second))
        });
    }
    // Sorting needs no copies of the keys and, unlike hashing, no randomness to be safe from collisions made on purpose.
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by(|a, b| a.key.cmp(&b.key));
    sorted
        .iter()
        .zip(sorted.iter().skip(1))
        .filter(|(a, b)| a.key == b.key)
        .map(|(a, b)| (*a, *b))
        .min_by_key(|(_, second)| second.key_span.start)
}

/// The bytes of memory and the levels of a node.
fn measure(node: &Node) -> (usize, usize) {
    let own = size_of::<Node>();
    match &node.kind {
        NodeKind::Scalar(Value::Text(text) | Value::Literal(text)) => (own + text.len(), 0),
        NodeKind::Scalar(_) => (own, 0),
        NodeKind::List(items) => items
            .iter()
            .map(measure)
            .fold((own, 1), |(weight, height), (below, levels)| (weight + below, height.max(levels + 1))),
        NodeKind::Map(entries) => entries.iter().fold((own, 1), |(weight, height), entry| {
            let (below, levels) = measure(&entry.value);
            (weight + size_of::<Entry>() + entry.key.len() + below, height.max(levels + 1))
        }),
    }
}

#[cfg(test)]
mod tests;
