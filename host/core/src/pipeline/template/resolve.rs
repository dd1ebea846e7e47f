//! [`Resolver`]: the templates of a node give way to their values. Every node keeps its place in the `dvc.yaml`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use dewar_text::{Diagnostic, Entry, Node, NodeKind, Span, Value};

use super::context::Scope;
use super::expression::{OPEN, Piece, has_template, path, pieces, unescaped};
use super::text::{FlagStyle, flags, text};
use super::variable::{NotFound, There, Variable, Variables, Written};
use crate::path::RepoPath;
use crate::source::Source;
use crate::words::{did_you_mean, most_similar};

/// The dotted keys of parameter files that templates took values of.
pub type TemplateParams = BTreeMap<RepoPath, BTreeSet<String>>;

/// The code of the diagnostic that says that a variable is not there.
pub(super) const UNKNOWN_VARIABLE: &str = "unknown-variable";

/// Settings that DVC checks before it looks at templates.
const SWITCHES: &[&str] = &["frozen", "always_changed", "cache", "persist", "checkpoint", "push", "header"];

/// What may stand where a template stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// A command: text, in which a mapping becomes flags.
    Command,
    /// Text: numbers and booleans stand as their text.
    Text,
    /// A scalar of any type.
    Scalar,
    /// Anything.
    Any,
}

/// Resolves templates for one owner: a stage, or a part of the top of the file.
pub(super) struct Resolver<'a> {
    /// The `dvc.yaml`.
    pub(super) source: &'a Source,
    /// What templates see.
    pub(super) scope: Scope<'a>,
    /// Whose templates they are, for messages: ``the stage `train` ``.
    pub(super) owner: &'a str,
    /// How mappings become flags.
    pub(super) flags: FlagStyle,
    /// What was taken of parameter files.
    pub(super) taken: &'a RefCell<TemplateParams>,
}

impl Resolver<'_> {
    /// The node with its templates resolved, keys of mappings included.
    ///
    /// # Errors
    /// At the template that cannot be.
    pub(super) fn node(&self, node: Node, slot: Slot) -> Result<Node, Diagnostic> {
        let Node { kind, span } = node;
        let kind = match kind {
            NodeKind::Scalar(Value::Text(text)) if text.contains(OPEN) => {
                return self.text(&text, span, slot).map(|value| spanned(value, span));
            }
            NodeKind::Scalar(value) => NodeKind::Scalar(value),
            NodeKind::List(items) => {
                NodeKind::List(items.into_iter().map(|item| self.node(item, slot)).collect::<Result<_, _>>()?)
            }
            NodeKind::Map(entries) => {
                let mut resolved: Vec<Entry> = Vec::with_capacity(entries.len());
                for entry in entries {
                    let key = self.key(&entry.key, entry.key_span)?;
                    let value = self.setting(&key, entry.value, slot)?;
                    resolved.push(Entry { key, value, ..entry });
                }
                let mut keys = HashSet::with_capacity(resolved.len());
                if let Some(twice) = resolved.iter().find(|entry| !keys.insert(entry.key.as_str())) {
                    let message = format!("{}: the key `{}` is there twice", self.owner, twice.key);
                    return Err(Diagnostic::error("duplicate-key", message).at(twice.key_span));
                }
                NodeKind::Map(resolved)
            }
        };
        Ok(Node { kind, span })
    }

    /// The value behind a key. One that switches something on or off cannot be a template.
    ///
    /// # Errors
    /// At the template that cannot be.
    pub(super) fn setting(&self, key: &str, node: Node, slot: Slot) -> Result<Node, Diagnostic> {
        match &node.kind {
            NodeKind::Scalar(Value::Text(text))
                if slot == Slot::Text && SWITCHES.contains(&key) && has_template(text) =>
            {
                let message = format!("`{key}` of {} must be `true` or `false`, not a template", self.owner);
                Err(Diagnostic::error("template-not-allowed", message)
                    .at(node.span)
                    .help("write the value itself; no template may stand here"))
            }
            _ => self.node(node, slot),
        }
    }

    /// What is iterated over: values keep where they were written, and lists and mappings may stand anywhere.
    ///
    /// # Errors
    /// At the template that cannot be.
    pub(super) fn variable(&self, node: &Node) -> Result<Variable, Diagnostic> {
        Ok(match &node.kind {
            NodeKind::Scalar(Value::Text(text)) => match pieces(text)[..] {
                [Piece::Template(inner)] => self.select(inner, node.span)?,
                _ => Variable::here(self.text(text, node.span, Slot::Scalar)?),
            },
            NodeKind::Scalar(value) => Variable::here(value.clone()),
            NodeKind::List(items) => {
                Variable::List(items.iter().map(|item| self.variable(item)).collect::<Result<_, _>>()?)
            }
            NodeKind::Map(entries) => {
                let resolved =
                    |entry: &Entry| Ok((self.key(&entry.key, entry.key_span)?, self.variable(&entry.value)?));
                Variable::Map(entries.iter().map(resolved).collect::<Result<Variables, Diagnostic>>()?)
            }
        })
    }

    fn key(&self, key: &str, span: Span) -> Result<String, Diagnostic> {
        if !key.contains(OPEN) {
            return Ok(key.to_owned());
        }
        let value = self.text(key, span, Slot::Text)?;
        Ok(text(&value).unwrap_or_default())
    }

    fn text(&self, source: &str, span: Span, slot: Slot) -> Result<Value, Diagnostic> {
        let pieces = pieces(source);
        if let [Piece::Template(inner)] = pieces[..] {
            let variable = self.take(inner, span)?;
            return match (variable.scalar(), slot) {
                (_, Slot::Any) => Ok(variable.to_value()),
                // Nothing is no text; whether it may stand here is for the schema to say.
                (Some(value @ Value::Null), _) | (Some(value), Slot::Scalar) => Ok(value.clone()),
                (Some(value), _) => Ok(text(value).map(Value::Text).unwrap_or_default()),
                (None, _) => Err(self.not_a_scalar(inner, span, &variable, slot)),
            };
        }
        let mut out = String::with_capacity(source.len());
        for piece in pieces {
            match piece {
                Piece::Text(text) => out.push_str(&unescaped(text)),
                Piece::Template(inner) => out.push_str(&self.within_text(inner, span, slot)?),
            }
        }
        Ok(Value::Text(out))
    }

    fn within_text(&self, inner: &str, span: Span, slot: Slot) -> Result<String, Diagnostic> {
        let variable = self.take(inner, span)?;
        if let Some(text) = variable.scalar().and_then(text) {
            return Ok(text);
        }
        match variable.to_value() {
            Value::Map(map) if slot == Slot::Command => flags(&map, self.flags).map_err(|key| {
                let message = format!("`{key}` of `{OPEN}{inner}}}` is a list with lists or mappings in it");
                Diagnostic::error("nested-list", format!("{}: {message}", self.owner))
                    .at(self.place(inner, span))
                    .help("only lists of text, numbers and booleans can become flags")
            }),
            _ => Err(self.not_a_scalar(inner, span, &variable, slot)),
        }
    }

    /// What a template names, remembered as taken.
    fn take(&self, inner: &str, span: Span) -> Result<Variable, Diagnostic> {
        let variable = self.select(inner, span)?;
        for origin in variable.origins() {
            if let Written::File(file) = origin.written.as_ref() {
                let mut taken = self.taken.borrow_mut();
                let keys = match taken.get_mut(file) {
                    Some(keys) => keys,
                    None => taken.entry(file.clone()).or_default(),
                };
                if !keys.contains(&origin.key) {
                    keys.insert(origin.key.clone());
                }
            }
        }
        Ok(variable)
    }

    fn select(&self, inner: &str, span: Span) -> Result<Variable, Diagnostic> {
        let path = path(inner).map_err(|error| {
            Diagnostic::error("bad-template", format!("{}: `{OPEN}{inner}}}` is no template: {error}", self.owner))
                .at(self.place(inner, span))
                .help(format!("a template is `{OPEN}name}}`, `{OPEN}map.key}}` or `{OPEN}list[0]}}`; the shell's own is written `\\{OPEN}NAME}}`"))
        })?;
        self.scope.select(&path).map_err(|error| {
            let (reason, help) = explain(&path, &error);
            let message = format!("{}: there is no `{}`{reason}", self.owner, path.join("."));
            Diagnostic::error(UNKNOWN_VARIABLE, message).at(self.place(inner, span)).help(help)
        })
    }

    fn not_a_scalar(&self, inner: &str, span: Span, variable: &Variable, slot: Slot) -> Diagnostic {
        let message = format!("{}: `{OPEN}{inner}}}` is {}, which cannot stand here", self.owner, variable.kind());
        let help = match slot {
            Slot::Command if variable.is_mapping() => "write the command before it; the mapping becomes its flags",
            Slot::Command => "name an item of it, or take the mapping that it is in: that becomes flags",
            _ => "name something in it that is text, a number or a boolean",
        };
        Diagnostic::error("not-a-scalar", message).at(self.place(inner, span)).help(help)
    }

    /// The place of a template: exact where the text stands as it is read, else that of the whole text.
    fn place(&self, inner: &str, span: Span) -> Span {
        let template = format!("{OPEN}{inner}}}");
        let written = self.source.text.get(span.start..span.end).unwrap_or_default();
        let mut found =
            written.windows(template.len()).enumerate().filter(|(_, window)| *window == template.as_bytes());
        let is_escaped = |at: usize| at.checked_sub(1).and_then(|before| written.get(before)) == Some(&b'\\');
        match found.find(|(at, _)| !is_escaped(*at)) {
            Some((at, _)) => Span::new(span.start + at, span.start + at + template.len()),
            None => span,
        }
    }
}

/// Why a path names nothing, behind "there is no `path`", and what would fix it.
fn explain(path: &[&str], error: &NotFound) -> (String, String) {
    let above = path.get(..error.depth).unwrap_or_default().join(".");
    let part = path.get(error.depth).copied().unwrap_or_default();
    match &error.there {
        There::Keys(keys) => {
            let dotted = |key: &str| if above.is_empty() { key.to_owned() } else { format!("{above}.{key}") };
            let help = match most_similar(part, keys.iter().map(String::as_str)) {
                Some(similar) => did_you_mean(&format!("{OPEN}{}}}", dotted(similar))),
                None if above.is_empty() => format!(
                    "variables come from `params.yaml` beside the `dvc.yaml` and from `vars`; the shell's own is \
                     written `\\{OPEN}{part}}}`"
                ),
                None if keys.is_empty() => format!("`{above}` is empty"),
                None => format!("`{above}` has {}", listed(keys)),
            };
            (String::new(), help)
        }
        There::Items(length) => {
            let items = if *length == 1 { "item" } else { "items" };
            (String::new(), format!("`{above}` is a list of {length} {items}, counted from 0"))
        }
        There::Leaf(kind) => (format!(": `{above}` is {kind}"), format!("write `{OPEN}{above}}}`")),
    }
}

/// The first of the keys.
fn listed(keys: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<&str> = keys.iter().take(SHOWN).map(String::as_str).collect();
    let more = if keys.len() > SHOWN { ", .." } else { "" };
    format!("{}{more}", shown.join(", "))
}

fn spanned(value: Value, span: Span) -> Node {
    let kind = match value {
        Value::List(items) => NodeKind::List(items.into_iter().map(|item| spanned(item, span)).collect()),
        Value::Map(map) => {
            let entry = |(key, value)| Entry { key, key_span: span, value: spanned(value, span) };
            NodeKind::Map(map.into_iter().map(entry).collect())
        }
        scalar => NodeKind::Scalar(scalar),
    };
    Node { kind, span }
}
