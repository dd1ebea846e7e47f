//! What must hold for every answer of every format.

use dewar_text::{Change, Diagnostic, Edit, Node, NodeKind, Span, Step, edit, splice};

use crate::Format;

/// Why an answer cannot be right, whatever the format.
#[derive(Debug, thiserror::Error)]
pub enum Unsound {
    /// The source of a case, or what an edit gave, cannot be read.
    #[error("cannot read {what}: {}", diagnostics.iter().map(|d| d.message.as_str()).collect::<Vec<_>>().join("; "))]
    Unreadable {
        /// Which text.
        what: &'static str,
        /// What the format said.
        diagnostics: Vec<Diagnostic>,
    },
    /// The result of an edit does not say what it should.
    #[error("{0}")]
    Values(Diagnostic),
    /// A span leaves its source or cuts a character.
    #[error("the span {}..{} is no range of the source", .0.start, .0.end)]
    Span(Span),
    /// An edit touched lines that it had no business with.
    #[error("`{path}` has {expected} lines at most to touch, but {got} are different:\n{before}\n=>\n{after}")]
    Lines {
        /// What was edited.
        path: String,
        /// How many lines may change.
        expected: usize,
        /// How many did.
        got: usize,
        /// The source.
        before: String,
        /// The result.
        after: String,
    },
}

/// `out` reads back as `source` plus `edits`, and its spans are sound.
///
/// # Errors
/// [`Unsound`] when not.
pub fn values(format: &Format<'_>, source: &[u8], edits: &[Edit], out: &[u8]) -> Result<(), Unsound> {
    let unreadable = |what| move |diagnostics| Unsound::Unreadable { what, diagnostics };
    let before = (format.read)(source).map_err(unreadable("the source"))?;
    let after = (format.read)(out).map_err(unreadable("the edited text"))?;
    spans(out, &after)?;
    edit::check(&before.to_value(), edits, &after.to_value()).map_err(Unsound::Values)
}

/// Every span is a range of the source between characters.
///
/// # Errors
/// The first that is not.
pub fn spans(source: &[u8], tree: &Node) -> Result<(), Unsound> {
    let text = String::from_utf8_lossy(source);
    let sound = |span: Span| if text.get(span.start..span.end).is_some() { Ok(()) } else { Err(Unsound::Span(span)) };
    sound(tree.span)?;
    match &tree.kind {
        NodeKind::Scalar(_) => Ok(()),
        NodeKind::List(items) => items.iter().try_for_each(|item| spans(source, item)),
        NodeKind::Map(entries) => entries.iter().try_for_each(|entry| {
            sound(entry.key_span)?;
            spans(source, &entry.value)
        }),
    }
}

/// One edit left all lines alone but those of its value and its neighbours' commas and brackets.
///
/// # Errors
/// [`Unsound::Lines`] with both texts.
pub fn lines(tree: &Node, source: &[u8], edit: &Edit, out: &[u8]) -> Result<(), Unsound> {
    let before = String::from_utf8_lossy(source);
    let after = String::from_utf8_lossy(out);
    let span_lines = |span: Span| splice::slice(&before, span.start, span.end).split('\n').count();
    let expected = match (&edit.change, splice::find(tree, &edit.path)) {
        (Change::Put(_), Some(node)) if matches!(node.kind, NodeKind::Scalar(_)) => span_lines(node.span),
        (_, Some(node)) => span_lines(reach(tree, &edit.path, node)) + 1,
        // The line that gets a comma, and the one with the bracket.
        (_, None) => 2,
    };
    let (old, new): (Vec<&str>, Vec<&str>) =
        (before.split_inclusive('\n').collect(), after.split_inclusive('\n').collect());
    let got = old.len() - common(&old, &new);
    if got <= expected {
        return Ok(());
    }
    let path = edit::display(&edit.path);
    Err(Unsound::Lines { path, expected, got, before: before.into_owned(), after: after.into_owned() })
}

/// The length of the longest sequence of lines that both have in this order.
fn common(old: &[&str], new: &[&str]) -> usize {
    let mut row = vec![0; new.len() + 1];
    for old in old {
        let mut before = 0;
        for (index, new) in new.iter().enumerate() {
            let above = row.get(index + 1).copied().unwrap_or_default();
            let left = row.get(index).copied().unwrap_or_default();
            let best = if old == new { before + 1 } else { above.max(left) };
            if let Some(cell) = row.get_mut(index + 1) {
                *cell = best;
            }
            before = above;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// What may be touched where a member goes or is laid out anew: from the member before to the member after, or to the brackets.
fn reach(tree: &Node, path: &[Step], node: &Node) -> Span {
    let Some((last, parents)) = path.split_last() else { return node.span };
    let Some(parent) = splice::find(tree, parents) else { return node.span };
    let members = splice::members(parent);
    let index = splice::member_index(parent, last).unwrap_or_default();
    let before = index.checked_sub(1).and_then(|index| members.get(index));
    let next = members.get(index + 1);
    let start = before.map_or(parent.span.start, |member| member.end).min(node.span.start);
    Span::new(start, next.map_or(parent.span.end, |member| member.start).max(node.span.end))
}
