//! [`read`]: a source as a tree with spans.

use dewar_plugin::{Diagnostic, Entry, Node, NodeKind, Span, Value};
use toml_edit::{Document, Item, Key, TableLike};

/// The byte order mark, which TOML allows and `toml_edit` does not count.
const BOM: &str = "\u{feff}";

/// A source that `toml_edit` has read, with the way from its offsets to ours.
pub(crate) struct Source<'s> {
    text: &'s str,
    offset: usize,
    pub(crate) document: Document<&'s str>,
}

impl<'s> Source<'s> {
    /// Reads `text`.
    pub(crate) fn parse(text: &'s str) -> Result<Self, Diagnostic> {
        let body = text.strip_prefix(BOM).unwrap_or(text);
        let offset = text.len() - body.len();
        let document = Document::parse(body).map_err(|error| {
            let place = error.span().map(|span| Span::new(span.start + offset, span.end + offset));
            let found = place.and_then(|place| text.get(place.start..place.end)).unwrap_or_default();
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            let diagnostic = if message.contains("duplicate key") {
                Diagnostic::error("duplicate-key", format!("duplicate key `{found}` in this table"))
                    .help("take one of them away")
            } else if matches!(found, "null" | "nil" | "None") {
                Diagnostic::error("no-null", "TOML has no null").help("take the key away")
            } else {
                Diagnostic::error("syntax", message)
            };
            if let Some(place) = place { diagnostic.at(place) } else { diagnostic }
        })?;
        Ok(Self { text, offset, document })
    }

    /// A range of `toml_edit` in the whole source.
    pub(crate) fn span(&self, range: Option<std::ops::Range<usize>>) -> Option<Span> {
        range.map(|range| Span::new(range.start + self.offset, range.end + self.offset))
    }

    /// Where `key` stands.
    pub(crate) fn key_span(&self, key: &Key) -> Span {
        self.span(key.span()).unwrap_or_default()
    }

    fn item(&self, item: &Item) -> Option<Node> {
        match item {
            Item::None => None,
            Item::Value(value) => Some(self.value(value)),
            Item::Table(table) => Some(self.table(table, self.span(table.span()))),
            Item::ArrayOfTables(array) => {
                let items: Vec<Node> = array.iter().map(|table| self.table(table, self.span(table.span()))).collect();
                let span = hull(items.iter().map(|item| item.span)).unwrap_or_default();
                Some(Node { kind: NodeKind::List(items), span })
            }
        }
    }

    /// A table, however it is written. Its own span, where it has one, is that of its header; the tree's covers its values.
    fn table(&self, table: &dyn TableLike, own: Option<Span>) -> Node {
        let mut entries = Vec::new();
        for (name, item) in table.iter() {
            let Some(key) = table.key(name) else { continue };
            if let Some(value) = self.item(item) {
                entries.push(Entry { key: name.to_owned(), key_span: self.key_span(key), value });
            }
        }
        let within = entries.iter().flat_map(|entry| [entry.key_span, entry.value.span]);
        let span = hull(own.into_iter().chain(within)).unwrap_or_default();
        Node { kind: NodeKind::Map(entries), span }
    }

    fn value(&self, value: &toml_edit::Value) -> Node {
        use toml_edit::Value as Toml;
        let span = self.span(value.span());
        let scalar = match value {
            Toml::InlineTable(table) => {
                // A dotted one has no brackets of its own.
                return self.table(table, if table.is_dotted() { None } else { span });
            }
            Toml::Array(array) => {
                let items = array.iter().map(|item| self.value(item)).collect();
                return Node { kind: NodeKind::List(items), span: span.unwrap_or_default() };
            }
            Toml::String(text) => Value::Text(text.value().clone()),
            Toml::Integer(number) => Value::Int(*number.value()),
            Toml::Float(number) => Value::Float(*number.value()),
            Toml::Boolean(value) => Value::Bool(*value.value()),
            Toml::Datetime(_) => {
                let written = span.and_then(|span| self.text.get(span.start..span.end)).unwrap_or_default();
                Value::Literal(written.to_owned())
            }
        };
        Node { kind: NodeKind::Scalar(scalar), span: span.unwrap_or_default() }
    }
}

/// Reads a whole source.
pub(crate) fn read(source: &[u8]) -> Result<Node, Diagnostic> {
    let text = std::str::from_utf8(source).map_err(|error| {
        let at = error.valid_up_to();
        Diagnostic::error("not-utf8", "the file is not UTF-8").at(Span::new(at, at + 1)).help("save it as UTF-8")
    })?;
    let source = Source::parse(text)?;
    Ok(source.table(source.document.as_table(), Some(Span::new(source.offset, text.len()))))
}

/// The smallest span that covers all.
pub(crate) fn hull(spans: impl Iterator<Item = Span>) -> Option<Span> {
    spans.reduce(|a, b| Span::new(a.start.min(b.start), a.end.max(b.end)))
}
