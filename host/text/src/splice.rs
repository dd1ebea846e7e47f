//! [`Splice`]: a change to a text, and what the lossless editors of all formats share.
//!
//! An editor is three functions: a reader that makes a [`Node`] tree with spans, a plan that turns one [`Edit`] into splices
//! of the source, and [`edited`], which applies them, reads the result again and refuses it unless it says exactly the old
//! values plus the change. A format whose containers are all written in brackets (JSON, Python literals) gets its plan from
//! [`plan_flow`] and says only how a value is written ([`FlowStyle`]). YAML plans block containers itself and uses
//! [`add_member`] and [`remove_member`] in flow containers.

use crate::diagnostic::Diagnostic;
use crate::edit::{self, Change, Edit, Step};
use crate::node::{Node, NodeKind, Span};
use crate::value::Value;

/// Replaces the bytes of `span` by `text`; an empty span inserts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Splice {
    /// What goes.
    pub span: Span,
    /// What comes in its place.
    pub text: String,
}

impl Splice {
    /// Replaces `start..end`.
    #[must_use]
    pub fn replace(span: Span, text: impl Into<String>) -> Self {
        Self { span, text: text.into() }
    }

    /// Inserts at `at`.
    #[must_use]
    pub fn insert(at: usize, text: impl Into<String>) -> Self {
        Self { span: Span::new(at, at), text: text.into() }
    }

    /// Deletes `start..end`.
    #[must_use]
    pub const fn delete(start: usize, end: usize) -> Self {
        Self { span: Span::new(start, end), text: String::new() }
    }
}

/// The source with all splices made at once. Splices at one place are made in the order given.
///
/// # Errors
/// `edit-went-wrong` where splices overlap or cut a character: the planner is broken, and the text is left alone.
pub fn apply(source: &str, mut splices: Vec<Splice>) -> Result<String, Diagnostic> {
    splices.sort_by_key(|splice| (splice.span.start, splice.span.end));
    let mut text = String::with_capacity(source.len() + splices.iter().map(|splice| splice.text.len()).sum::<usize>());
    let mut at = 0;
    for Splice { span, text: new } in &splices {
        text.push_str(source.get(at..span.start).ok_or_else(|| gone_wrong("the changes would overlap").at(*span))?);
        text.push_str(new);
        at = span.end;
    }
    text.push_str(source.get(at..).ok_or_else(|| gone_wrong("a change would cut a character"))?);
    Ok(text)
}

/// Makes `edits` in order: `plan` says what each one splices, given the source and its tree as they then are. The outcome is
/// read again with `read` and held against [`edit::check`].
///
/// # Errors
/// What `read` or `plan` refuse; `edit-went-wrong` when the edited text would not read back as the old values plus the
/// changes. In each case the source stays as it was.
pub fn edited<R, P>(source: &[u8], edits: &[Edit], read: R, plan: P) -> Result<Vec<u8>, Diagnostic>
where
    R: Fn(&[u8]) -> Result<Node, Diagnostic>,
    P: Fn(&str, &Node, &Edit) -> Result<Vec<Splice>, Diagnostic>,
{
    let mut tree = read(source)?;
    let mut text = match std::str::from_utf8(source) {
        Ok(text) => text.to_owned(),
        Err(error) => {
            let at = error.valid_up_to();
            return Err(Diagnostic::error("not-utf8", "the file is not UTF-8").at(Span::new(at, at + 1)));
        }
    };
    let mut rest = edits;
    while !rest.is_empty() {
        // Edits that only replace scalars move nothing, so a run of them is planned on one tree and read back once.
        let run = independent(&tree, rest);
        let (now, later) = rest.split_at_checked(run).unwrap_or((rest, &[]));
        let mut splices = Vec::new();
        for edit in now {
            splices.extend(plan(&text, &tree, edit)?);
        }
        let next = apply(&text, splices)?;
        let at_place = |error: Diagnostic| match place(&tree, now) {
            Some(span) => error.at(span),
            None => error,
        };
        let read_back = read(next.as_bytes()).map_err(|error| {
            at_place(gone_wrong(format!("the edited text could not be read: {}", error.message)))
                .help("change the file by hand; it was left as it is")
        })?;
        edit::check(&tree.to_value(), now, &read_back.to_value()).map_err(at_place)?;
        (text, tree, rest) = (next, read_back, later);
    }
    Ok(text.into_bytes())
}

fn gone_wrong(message: impl Into<String>) -> Diagnostic {
    Diagnostic::error("edit-went-wrong", message)
}

/// How many of the first edits can be planned on one tree: one, or a run that puts scalars on scalars at distinct places.
fn independent(tree: &Node, edits: &[Edit]) -> usize {
    let mut seen = std::collections::HashSet::new();
    let simple = |edit: &&Edit| {
        matches!(&edit.change, Change::Put(value) if !matches!(value, Value::List(_) | Value::Map(_)))
            && find(tree, &edit.path)
                .is_some_and(|node| matches!(node.kind, NodeKind::Scalar(_)) && seen.insert(node.span))
    };
    edits.iter().take_while(simple).count().max(1)
}

/// Where the first edit leads, as far as its path exists: for messages.
fn place(tree: &Node, edits: &[Edit]) -> Option<Span> {
    let path = &edits.first()?.path;
    (0..=path.len()).rev().find_map(|length| find(tree, path.get(..length)?)).map(|node| node.span)
}

/// The node at `path`.
#[must_use]
pub fn find<'tree>(tree: &'tree Node, path: &[Step]) -> Option<&'tree Node> {
    path.iter().try_fold(tree, |node, step| match (&node.kind, step) {
        (_, Step::Field(key)) => node.get(key),
        (NodeKind::List(items), Step::Index(index)) => items.get(*index),
        _ => None,
    })
}

/// The error for a path that leads nowhere.
#[must_use]
pub fn nowhere(path: &[Step]) -> Diagnostic {
    Diagnostic::error("no-such-path", format!("there is no `{}` to change", edit::display(path)))
}

/// How a format writes values inside brackets. `indent` is the white space that begins the line on which the text will
/// start, for formats that lay containers out over lines.
pub trait FlowStyle {
    /// A value; `replaced` is the source of the value that it takes the place of, if any, whose quotes it may follow.
    fn value(&self, value: &Value, replaced: Option<&str>, indent: &str) -> String;
    /// A key and its value, already written: `"a": 1`.
    fn entry(&self, key: &str, value: &str) -> String;
}

/// The splices of `edit` in a tree whose containers are all written in brackets.
///
/// # Errors
/// `no-such-path` where the path leads nowhere.
pub fn plan_flow(source: &str, root: &Node, edit: &Edit, style: &impl FlowStyle) -> Result<Vec<Splice>, Diagnostic> {
    let missing = || nowhere(&edit.path);
    let (last, parents) = edit.path.split_last().ok_or_else(missing)?;
    let parent = find(root, parents).ok_or_else(missing)?;
    let target = find(parent, std::slice::from_ref(last));
    match (&edit.change, target, last) {
        (Change::Put(value), Some(node), _) => {
            let old = source.get(node.span.start..node.span.end);
            Ok(vec![Splice::replace(node.span, style.value(value, old, indentation(source, node.span.start)))])
        }
        (Change::Put(value), None, Step::Field(key)) if matches!(parent.kind, NodeKind::Map(_)) => {
            let members = members(parent);
            let near = members.last().map_or(parent.span.start, |member| member.start);
            let text = style.entry(key, &style.value(value, None, indentation(source, near)));
            Ok(add_member(source, parent.span, &members, &text))
        }
        (Change::Put(value), None, Step::Field(key)) if parent.is_null() => {
            let indent = indentation(source, parent.span.start);
            let map = Value::Map(std::iter::once((key.clone(), value.clone())).collect());
            Ok(vec![Splice::replace(parent.span, style.value(&map, None, indent))])
        }
        (Change::Remove, Some(_), _) => {
            let index = member_index(parent, last).ok_or_else(missing)?;
            Ok(remove_member(source, parent.span, &members(parent), index))
        }
        _ => Err(missing()),
    }
}

/// The spans of the members of a container: a list's items, a mapping's entries from key to value.
#[must_use]
pub fn members(container: &Node) -> Vec<Span> {
    match &container.kind {
        NodeKind::List(items) => items.iter().map(|item| item.span).collect(),
        NodeKind::Map(entries) => {
            entries.iter().map(|entry| Span::new(entry.key_span.start, entry.value.span.end)).collect()
        }
        NodeKind::Scalar(_) => Vec::new(),
    }
}

/// Where among its container's members `step` leads.
#[must_use]
pub fn member_index(container: &Node, step: &Step) -> Option<usize> {
    match (&container.kind, step) {
        (NodeKind::Map(entries), Step::Field(key)) => entries.iter().position(|entry| entry.key == *key),
        (NodeKind::List(items), Step::Index(index)) => (*index < items.len()).then_some(*index),
        _ => None,
    }
}

/// Adds `text` as the last member of a bracketed container, laid out as the last member is: on a line of its own when that
/// one has one, with a comma behind it when that one has one. `container` covers the brackets; `#` begins a comment.
#[must_use]
pub fn add_member(source: &str, container: Span, members: &[Span], text: &str) -> Vec<Splice> {
    let (open, close) = (container.start + 1, container.end.saturating_sub(1));
    let Some(last) = members.last() else {
        let inside = slice(source, open, close);
        if inside.trim().is_empty() {
            return vec![Splice::replace(Span::new(open, close), text)];
        }
        // Only comments stand there: the member goes on a line of its own above the bracket.
        let indent = indentation(source, close);
        let eol = line_ending(source);
        let at = open + inside.trim_end().len();
        return vec![Splice::replace(Span::new(at, close), format!("{eol}{indent}  {text}{eol}{indent}"))];
    };
    let comma = comma_after(source, last.end, close);
    let end = comma.map_or(last.end, |comma| comma + 1);
    if begins_line(source, last.start) {
        let start = format!("{}{}", line_ending(source), indentation(source, last.start));
        let line_end = line_end(source, end);
        let mut splices = Vec::new();
        if comma.is_none() {
            splices.push(Splice::insert(last.end, ","));
        }
        // The bracket may stand on the last member's line; a comment behind the member stays with it.
        let at = if close < line_end { end } else { line_end };
        splices.push(Splice::insert(at, format!("{start}{text}{}", if comma.is_some() { "," } else { "" })));
        return splices;
    }
    let before = members.len().checked_sub(2).and_then(|index| members.get(index));
    let tight = before.is_some_and(|before| slice(source, before.end, last.start) == ",");
    let gap = if tight { "" } else { " " };
    match comma {
        Some(_) => vec![Splice::insert(end, format!("{gap}{text},"))],
        None => vec![Splice::insert(end, format!(",{gap}{text}"))],
    }
}

/// Takes the member at `index` out of a bracketed container, with its comma and, where it has its own, its line.
#[must_use]
pub fn remove_member(source: &str, container: Span, members: &[Span], index: usize) -> Vec<Splice> {
    let (open, close) = (container.start + 1, container.end.saturating_sub(1));
    let Some(member) = members.get(index) else { return Vec::new() };
    let comma = comma_after(source, member.end, close);
    let end = comma.map_or(member.end, |comma| comma + 1);
    let before = index.checked_sub(1).and_then(|index| members.get(index));
    let next = members.get(index + 1);
    let own_line = begins_line(source, member.start);
    match (before, next) {
        (None, None) => {
            let around = [slice(source, open, member.start), slice(source, end, close)];
            if around.iter().all(|text| text.trim().is_empty()) {
                vec![Splice::delete(open, close)]
            } else {
                vec![Splice::delete(member.start, end)]
            }
        }
        (_, Some(next)) if own_line && line_end(source, end) < next.start => {
            vec![Splice::delete(line_start(source, member.start), after_line(source, end))]
        }
        (_, Some(next)) => vec![Splice::delete(member.start, next.start)],
        (Some(before), None) if own_line => {
            let mut splices = Vec::new();
            if comma.is_none()
                && let Some(comma) = comma_after(source, before.end, close)
            {
                splices.push(Splice::delete(comma, comma + 1));
            }
            let stop = line_end(source, end);
            let (start, stop) = match (line_before(source, member.start), close < stop) {
                // The bracket on the member's line must not come to stand behind a comment.
                (start, true) if slice(source, before.end, start).contains('#') => (member.start, end),
                (start, true) => (start, end),
                (start, false) => (start, stop),
            };
            splices.push(Splice::delete(start, stop));
            splices
        }
        (Some(before), None) => vec![Splice::delete(before.end, member.end)],
    }
}

/// The first comma at or after `at`, over white space and comments.
fn comma_after(source: &str, at: usize, stop: usize) -> Option<usize> {
    let mut at = at;
    while at < stop {
        match source.as_bytes().get(at)? {
            b',' => return Some(at),
            b' ' | b'\t' | b'\r' | b'\n' => at += 1,
            b'#' => at = line_end(source, at),
            _ => return None,
        }
    }
    None
}

/// `"\r\n"` when the first line ends so, else `"\n"`.
#[must_use]
pub fn line_ending(source: &str) -> &'static str {
    match source.find('\n') {
        Some(at) if slice(source, 0, at).ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// Where the line of `at` begins. A byte-order mark is no part of the first line.
#[must_use]
pub fn line_start(source: &str, at: usize) -> usize {
    let before = slice(source, 0, at);
    match before.rfind('\n') {
        Some(newline) => newline + 1,
        None if before.starts_with('\u{feff}') => '\u{feff}'.len_utf8(),
        None => 0,
    }
}

/// Where the line of `at` ends, before its line ending.
#[must_use]
pub fn line_end(source: &str, at: usize) -> usize {
    let rest = slice(source, at, source.len());
    let length = rest.find('\n').unwrap_or(rest.len());
    at + slice(rest, 0, length).trim_end_matches('\r').len()
}

/// Where the line after that of `at` begins, or the end of the source.
#[must_use]
pub fn after_line(source: &str, at: usize) -> usize {
    slice(source, at, source.len()).find('\n').map_or(source.len(), |length| at + length + 1)
}

/// The end of the line before that of `at`, before its line ending.
#[must_use]
pub fn line_before(source: &str, at: usize) -> usize {
    let start = line_start(source, at);
    let before = slice(source, 0, start);
    let before = before.strip_suffix('\n').unwrap_or(before);
    before.strip_suffix('\r').unwrap_or(before).len()
}

/// The white space that the line of `at` begins with, up to `at`.
#[must_use]
pub fn indentation(source: &str, at: usize) -> &str {
    let line = slice(source, line_start(source, at), at);
    slice(line, 0, line.len() - line.trim_start_matches([' ', '\t']).len())
}

/// Whether only white space stands before `at` on its line.
#[must_use]
pub fn begins_line(source: &str, at: usize) -> bool {
    slice(source, line_start(source, at), at).chars().all(|c| c == ' ' || c == '\t')
}

/// `source[start..end]`, empty where that is no range of it.
#[must_use]
pub fn slice(source: &str, start: usize, end: usize) -> &str {
    source.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests;
