//! [`edit()`]: changes to YAML text that leave every other byte alone.
//!
//! The tree says where each value stands; what kind of notation stands there is read off the source at its span (`[`, `*`,
//! `|`, …). What comes out is read again and refused unless it says exactly the old values plus the change, so that a layout
//! that was not thought of leads to a refusal, never to a damaged file.

use super::comments;
use super::layout::Layout;
use super::place::{self, Lead};
use super::scalar::{Context, Style, write_scalar, write_text};
use crate::diagnostic::Diagnostic;
use crate::edit::{Change, Edit, Step, display};
use crate::node::{Entry, Node, NodeKind, Span};
use crate::splice::{self, Splice, after_line, begins_line, line_before, line_end, line_start, nowhere, slice};
use crate::value::{Map, Value};

/// Makes `edits` in order. Comments, quotes, indentation, line endings, a byte-order mark and a missing last line feed stay.
/// A container that is put into block text is written in block style as the rest of the file is, into flow text in flow style.
///
/// # Errors
/// What [`read`](super::read()) refuses; `through-alias` and `merged-key` where a change would show in other places, too;
/// `no-such-path`; `edit-went-wrong` when no text could be found that reads back as the old values plus the changes.
pub fn edit(source: &[u8], edits: &[Edit]) -> Result<Vec<u8>, Diagnostic> {
    let edited = splice::edited(source, edits, super::read::read, |source, root, edit| {
        Editor { source, root, layout: Layout::of(source, root) }.plan(&edit.path, &edit.change)
    });
    edited.map_err(|error| match error.code.as_str() {
        "edit-went-wrong" if source.contains(&b'*') => error.help(
            "an alias (`*name`) may repeat what this changes: write the value out there, or change the file by hand",
        ),
        _ => error,
    })
}

struct Editor<'source> {
    source: &'source str,
    root: &'source Node,
    layout: Layout,
}

/// A container and how it is written.
struct Container<'source> {
    node: &'source Node,
    notation: Notation,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Notation {
    Block,
    /// In brackets of its own.
    Flow,
    /// `[a: 1]`: a mapping of one key in a flow list.
    Bare,
}

impl<'source> Editor<'source> {
    fn plan(&self, path: &[Step], change: &Change) -> Result<Vec<Splice>, Diagnostic> {
        let (last, parents) = path.split_last().ok_or_else(|| nowhere(path))?;
        let container = self.container(parents, path)?;
        let parent = container.node;
        let index = splice::member_index(parent, last);
        if let (NodeKind::Map(entries), Some(index)) = (&parent.kind, index)
            && let Some(entry) = entries.get(index)
        {
            self.refuse_merged(entry)?;
        }
        match (change, index, last) {
            (Change::Put(value), Some(index), _) => self.replace(&container, index, value, path),
            (Change::Put(value), None, Step::Field(key)) if parent.is_null() => {
                let map = Value::Map(std::iter::once((key.clone(), value.clone())).collect());
                if parents.is_empty() { Ok(self.fill_root(&map)) } else { self.plan(parents, &Change::Put(map)) }
            }
            (Change::Put(value), None, Step::Field(key)) if matches!(parent.kind, NodeKind::Map(_)) => {
                self.add(&container, key, value)
            }
            (Change::Remove, Some(index), _) => self.remove(&container, index, parents),
            _ => Err(nowhere(path)),
        }
    }

    /// Walks to the container at `parents`.
    fn container(&self, parents: &[Step], path: &[Step]) -> Result<Container<'source>, Diagnostic> {
        let mut node = self.root;
        let mut notation = self.notation(node, Notation::Block);
        for step in parents {
            if let Step::Field(key) = step
                && let Some(entry) = node.entry(key)
            {
                self.refuse_merged(entry)?;
            }
            node = splice::find(node, std::slice::from_ref(step)).ok_or_else(|| nowhere(path))?;
            if self.starts_with(node, '*') {
                return Err(Diagnostic::error(
                    "through-alias",
                    format!(
                        "`{}` repeats a value by an alias, and a change would show at its other places",
                        display(parents)
                    ),
                )
                .at(node.span)
                .help("change the value that has the `&` name, or write the value out here instead of the alias"));
            }
            notation = self.notation(node, notation);
        }
        Ok(Container { node, notation })
    }

    fn notation(&self, node: &Node, outer: Notation) -> Notation {
        if self.starts_with(node, '{') || self.starts_with(node, '[') {
            Notation::Flow
        } else if outer == Notation::Block {
            Notation::Block
        } else {
            Notation::Bare
        }
    }

    fn starts_with(&self, node: &Node, c: char) -> bool {
        slice(self.source, node.span.start, node.span.end).starts_with(c)
    }

    fn is_merged(&self, entry: &Entry) -> bool {
        entry.key != "<<" && slice(self.source, entry.key_span.start, entry.key_span.end) == "<<"
    }

    fn refuse_merged(&self, entry: &Entry) -> Result<(), Diagnostic> {
        if !self.is_merged(entry) {
            return Ok(());
        }
        Err(Diagnostic::error(
            "merged-key",
            format!("`{}` comes in by the merge `<<`, and a change would show elsewhere", entry.key),
        )
        .at(entry.key_span)
        .help(format!("change it where it is defined, or add a `{}:` of its own to this mapping", entry.key)))
    }

    /// What stands between the value at `index` and the token before it.
    fn lead(&self, container: &Node, index: usize) -> Lead {
        let from = match &container.kind {
            NodeKind::Map(entries) => entries.get(index).map(|entry| entry.key_span.end),
            NodeKind::List(items) => {
                index.checked_sub(1).and_then(|before| items.get(before)).map(|before| before.span.end)
            }
            NodeKind::Scalar(_) => None,
        };
        place::lead(self.source, from.unwrap_or(container.span.start))
    }

    /// The parts of the members of `container` that stand in it, with their properties, in the order of the source.
    fn members(&self, container: &Node) -> Vec<Span> {
        match &container.kind {
            NodeKind::Map(entries) => {
                let own = entries.iter().filter(|entry| !self.is_merged(entry));
                let mut spans: Vec<Span> =
                    own.map(|entry| Span::new(entry.key_span.start, entry.value.span.end)).collect();
                spans.sort_by_key(|span| span.start);
                spans
            }
            NodeKind::List(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    let lead = self.lead(container, index);
                    let starts = [lead.anchor, lead.tag].into_iter().flatten().map(|span| span.start);
                    Span::new(starts.fold(item.span.start, usize::min), item.span.end)
                })
                .collect(),
            NodeKind::Scalar(_) => Vec::new(),
        }
    }

    /// Puts `value` where another stands.
    fn replace(
        &self,
        container: &Container<'_>,
        index: usize,
        value: &Value,
        path: &[Step],
    ) -> Result<Vec<Splice>, Diagnostic> {
        let parent = container.node;
        let (old, in_list) = match &parent.kind {
            NodeKind::Map(entries) => (entries.get(index).map(|entry| &entry.value), false),
            NodeKind::List(items) => (items.get(index), true),
            NodeKind::Scalar(_) => (None, false),
        };
        let old = old.ok_or_else(|| nowhere(path))?;
        let lead = self.lead(parent, index);
        let flow = container.notation != Notation::Block;
        let indicator = lead.indicator.and_then(|at| self.source.as_bytes().get(at)).copied();
        let mut splices = Vec::new();
        if let Some(tag) = lead.tag {
            // A tag was about the old value; the new one is written so that it needs none.
            let before = slice(self.source, 0, tag.start).trim_end_matches([' ', '\t']).len();
            splices.push(Splice::delete(before, tag.end));
        }
        if !in_list && indicator != Some(b':') {
            // `{a}` or `? a`: a key without a colon.
            if !flow {
                return Err(unsupported(old.span, "a key that is written with `?` and has no value"));
            }
            let at = old.span.end;
            splices.push(Splice::insert(at, format!(": {}", self.inline(value, old, Context::Flow))));
            return Ok(splices);
        }
        let container_value = matches!(value, Value::List(list) if !list.is_empty())
            || matches!(value, Value::Map(map) if !map.is_empty());
        let below = !old_is_empty(old) && slice(self.source, lead.at, old.span.start).contains('\n');
        let eol = self.layout.eol;

        if flow || !container_value {
            let context = if flow { Context::Flow } else { Context::Block };
            let text = self.inline(value, old, context);
            if below && !flow {
                // The value moves up to its key; a comment behind the key stays, those among the old lines go.
                let end = line_end(self.source, lead.at);
                splices.extend(self.after_lead(lead.at, end, &format!(" {text}")));
                splices.push(Splice::delete(end, old.span.end));
            } else if old_is_empty(old) {
                splices.push(Splice::insert(lead.at, format!(" {text}")));
            } else {
                splices.push(Splice::replace(old.span, text));
            }
            return Ok(splices);
        }

        if in_list {
            // `- ` and the first line of the container; behind an anchor it begins a line, or the anchor would be its first
            // key's.
            let dash = lead.indicator.unwrap_or(lead.at);
            if lead.anchor.is_none() && lead.tag.is_none() && !old_is_empty(old) {
                return Ok(vec![Splice::replace(old.span, self.layout.block(value, self.column(old.span.start)))]);
            }
            let column = self.column(dash) + 2;
            let gap = match lead.anchor {
                Some(anchor) => {
                    format!(" {}{eol}{}", slice(self.source, anchor.start, anchor.end), " ".repeat(column))
                }
                None => " ".to_owned(),
            };
            let text = format!("{gap}{}", self.layout.block(value, column));
            return Ok(vec![Splice::replace(Span::new(dash + 1, old.span.end.max(lead.at)), text)]);
        }
        let same_kind =
            matches!((&old.kind, value), (NodeKind::Map(_), Value::Map(_)) | (NodeKind::List(_), Value::List(_)));
        let column = if below && same_kind && !self.starts_with(old, '{') && !self.starts_with(old, '[') {
            self.column(old.span.start)
        } else {
            self.layout.inside(value, self.column(parent.span.start))
        };
        let text = format!("{eol}{}{}", " ".repeat(column), self.layout.block(value, column));
        if below {
            let end = line_end(self.source, lead.at);
            splices.push(Splice::replace(Span::new(end, old.span.end), text));
        } else {
            // A comment behind the old value stays behind the key.
            let old_end = old.span.end.max(lead.at);
            let end = line_end(self.source, old_end);
            splices.extend(self.after_lead(lead.at, old_end, ""));
            splices.push(Splice::insert(end, text));
        }
        Ok(splices)
    }

    /// Replaces the rest of a line behind an indicator, but for its comment: `at..end` when that is all there is, otherwise
    /// the part before the comment.
    fn after_lead(&self, at: usize, end: usize, text: &str) -> Option<Splice> {
        let rest = slice(self.source, at, end);
        let keep = rest.trim_start_matches([' ', '\t']).starts_with('#');
        Some(Splice::replace(Span::new(at, if keep { at } else { end }), text))
            .filter(|splice| splice.span.start < splice.span.end || !text.is_empty())
    }

    /// A value on one line, in the quotes of the string that it takes the place of.
    fn inline(&self, value: &Value, old: &Node, context: Context) -> String {
        let like = if self.starts_with(old, '\'') {
            Some(Style::Single)
        } else if self.starts_with(old, '"') {
            Some(Style::Double)
        } else {
            None
        };
        match value {
            Value::Text(text) => write_text(text, context, like),
            other => write_scalar(other, context),
        }
    }

    /// Adds a key at the end of a mapping.
    fn add(&self, container: &Container<'_>, key: &str, value: &Value) -> Result<Vec<Splice>, Diagnostic> {
        let parent = container.node;
        match container.notation {
            Notation::Bare => Err(unsupported(parent.span, "a mapping in a flow list that has no `{}` of its own")),
            Notation::Flow => {
                let members = self.members(parent);
                let quoted =
                    members.last().is_some_and(|last| slice(self.source, last.start, last.end).starts_with('"'));
                let key = write_text(key, Context::FlowKey, quoted.then_some(Style::Double));
                let text = format!("{key}: {}", write_scalar(value, Context::Flow));
                Ok(splice::add_member(self.source, parent.span, &members, &text))
            }
            Notation::Block => {
                let column = self.column(parent.span.start);
                let entry = self.layout.entry(key, value, column);
                let text = format!("{}{}{entry}", self.layout.eol, " ".repeat(column));
                Ok(vec![Splice::insert(comments::end_with_comments(self.source, parent.span.end, column), text)])
            }
        }
    }

    /// Writes a document into a source that has none, below its comments.
    fn fill_root(&self, map: &Value) -> Vec<Splice> {
        let text = self.layout.block(map, 0);
        if !old_is_empty(self.root) {
            return vec![Splice::replace(self.root.span, text)];
        }
        let eol = self.layout.eol;
        let end = self.source.len();
        let open = !matches!(self.source, "" | "\u{feff}") && !self.source.ends_with('\n');
        vec![Splice::insert(end, if open { format!("{eol}{text}") } else { format!("{text}{eol}") })]
    }

    /// Takes a member out, with its line. What is left of a block container that had no other is `{}` or `[]`.
    fn remove(&self, container: &Container<'_>, index: usize, parents: &[Step]) -> Result<Vec<Splice>, Diagnostic> {
        let parent = container.node;
        let (count, empty) = match &parent.kind {
            NodeKind::Map(entries) => (entries.len(), Value::Map(Map::new())),
            NodeKind::List(items) => (items.len(), Value::List(Vec::new())),
            NodeKind::Scalar(_) => (0, Value::Null),
        };
        match container.notation {
            Notation::Bare => {
                return Err(unsupported(parent.span, "a mapping in a flow list that has no `{}` of its own"));
            }
            Notation::Flow => {
                let members = self.members(parent);
                // The spans are in the order of the source, entries may not be.
                let start = match &parent.kind {
                    NodeKind::Map(entries) => entries.get(index).map(|entry| entry.key_span.start),
                    _ => members.get(index).map(|span| span.start),
                };
                let index = members.iter().position(|span| Some(span.start) == start).unwrap_or(index);
                return Ok(splice::remove_member(self.source, parent.span, &members, index));
            }
            Notation::Block if count == 1 => {
                return if parents.is_empty() {
                    Ok(vec![Splice::replace(parent.span, write_scalar(&empty, Context::Block))])
                } else {
                    self.plan(parents, &Change::Put(empty))
                };
            }
            Notation::Block => {}
        }
        let (start, end, next) = match &parent.kind {
            NodeKind::Map(entries) => {
                let Some(entry) = entries.get(index) else { return Ok(Vec::new()) };
                let start = entry.key_span.start;
                let next = entries.iter().map(|entry| entry.key_span.start).filter(|other| *other > start).min();
                (start, entry.value.span.end, next)
            }
            NodeKind::List(items) => {
                let dash = |index| self.lead(parent, index).indicator;
                let Some((item, start)) = items.get(index).zip(dash(index)) else { return Ok(Vec::new()) };
                (start, item.span.end, if index + 1 < count { dash(index + 1) } else { None })
            }
            NodeKind::Scalar(_) => return Ok(Vec::new()),
        };
        if !begins_line(self.source, start) {
            // The first member stands behind a `- `.
            return Ok(next.map(|next| Splice::delete(start, next)).into_iter().collect());
        }
        let stop = after_line(self.source, end);
        let at_end = stop == self.source.len() && !self.source.ends_with('\n');
        let begin = if at_end { line_before(self.source, start) } else { line_start(self.source, start) };
        Ok(vec![Splice::delete(begin, stop)])
    }

    /// How many characters stand before `at` on its line.
    fn column(&self, at: usize) -> usize {
        slice(self.source, line_start(self.source, at), at).chars().count()
    }
}

const fn old_is_empty(node: &Node) -> bool {
    node.span.start == node.span.end
}

fn unsupported(span: Span, what: &str) -> Diagnostic {
    Diagnostic::error("edit-unsupported", format!("dewar does not edit {what}"))
        .at(span)
        .help("change the file by hand")
}

#[cfg(test)]
mod tests;
