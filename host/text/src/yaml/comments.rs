//! Which comment lines are about a key of a block mapping: those right above it at its own indentation, and those below its
//! value that are indented deeper than it. A blank line ends what stands above; YAML itself does not say.

use super::edit::edit;
use super::read::read;
use crate::diagnostic::Diagnostic;
use crate::edit::{Change, Edit, Step};
use crate::node::{Node, NodeKind, Span};
use crate::splice::{self, Splice, after_line, begins_line, line_end, line_start, slice};

/// Takes the value at `path` away with its key and the comments that are about it, and with blank lines where two groups of
/// them would come together. Otherwise as [`edit`](edit()).
///
/// # Errors
/// As [`edit`](edit()); the source then stays as it was.
pub fn remove_with_comments(source: &[u8], path: &[Step]) -> Result<Vec<u8>, Diagnostic> {
    let tree = read(source)?;
    let removal = Edit { path: path.to_vec(), change: Change::Remove };
    let bare = std::str::from_utf8(source).ok().and_then(|text| {
        let splices = around(text, &tree, path)?.into_iter().map(|span| Splice::delete(span.start, span.end));
        splice::apply(text, splices.collect()).ok()
    });
    // A blank line may be a part of the value above; then all of them stay.
    let says_the_same = |bare: &String| read(bare.as_bytes()).is_ok_and(|bare| bare.to_value().same(&tree.to_value()));
    match bare.filter(says_the_same) {
        Some(bare) => edit(bare.as_bytes(), &[removal]),
        None => edit(source, &[removal]),
    }
}

/// The whole lines around the entry at `path` that go with it; none when it does not stand on lines of its own.
fn around(source: &str, tree: &Node, path: &[Step]) -> Option<Vec<Span>> {
    let (last, parents) = path.split_last()?;
    let NodeKind::Map(entries) = &splice::find(tree, parents)?.kind else { return None };
    let Step::Field(key) = last else { return None };
    let entry = entries.iter().find(|entry| entry.key == *key)?;
    let start = entry.key_span.start;
    if !begins_line(source, start) {
        return None;
    }
    let column = start - line_start(source, start);
    let key_line = line_start(source, start);
    let is_comment = |line: &str| line.trim_start().starts_with('#') && column_of(line) == column;
    let above = back_over(source, key_line, is_comment);
    let value_end = after_line(source, entry.value.span.end);
    let below = after_line(source, end_with_comments(source, entry.value.span.end, column));
    let blanks_end = forth_over_blanks(source, below);
    let is_first = entries.iter().map(|entry| entry.key_span.start).min() == Some(start);
    let is_last = slice(source, blanks_end, line_end(source, blanks_end)).is_empty()
        || column_of(slice(source, blanks_end, line_end(source, blanks_end))) < column;
    let (begin, end) = if is_first && !is_last {
        (above, blanks_end)
    } else if is_last || blanks_end > below {
        (back_over(source, above, |line| line.trim().is_empty()), below)
    } else {
        (above, below)
    };
    Some(vec![Span::new(begin, key_line), Span::new(value_end, end.max(value_end))])
}

/// The end of a member of a block mapping whose keys stand at `column` and whose value ends at `end`, behind the comment lines
/// below that are about it. Before the line ending.
#[must_use]
pub fn end_with_comments(source: &str, end: usize, column: usize) -> usize {
    let mut found = line_end(source, end);
    let mut at = found;
    loop {
        let start = after_line(source, at);
        if start >= source.len() {
            return found;
        }
        at = line_end(source, start);
        let line = slice(source, start, at);
        if line.trim_start().starts_with('#') && column_of(line) > column {
            found = at;
        } else if !line.trim().is_empty() {
            return found;
        }
    }
}

/// The start of the lines directly above the one that starts at `line` for which `wanted` holds.
fn back_over(source: &str, line: usize, wanted: impl Fn(&str) -> bool) -> usize {
    let mut start = line;
    while start > 0 {
        let before = line_start(source, start - 1);
        if before >= start || !wanted(slice(source, before, line_end(source, before))) {
            break;
        }
        start = before;
    }
    start
}

fn forth_over_blanks(source: &str, line: usize) -> usize {
    let mut start = line;
    while start < source.len() && slice(source, start, line_end(source, start)).trim().is_empty() {
        start = after_line(source, start);
    }
    start
}

/// How many columns a line is indented.
fn column_of(line: &str) -> usize {
    line.chars().take_while(|c| matches!(c, ' ' | '\t')).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(source: &str, key: &str) -> String {
        let path = [Step::Field("stages".into()), Step::Field(key.into())];
        String::from_utf8(remove_with_comments(source.as_bytes(), &path).unwrap()).unwrap()
    }

    const SOURCE: &str = "\
# head
stages:
  # about a
  # and more
  a:
    cmd: x # why
    # - left out

  # a section

  # about b
  b: {cmd: y}

  c:
    cmd: |
      # a shell's comment

  # the end of the section
plots: []
";

    #[test]
    fn comments_that_are_about_a_key_go_with_it() {
        let a = "  # about a\n  # and more\n  a:\n    cmd: x # why\n    # - left out\n\n";
        assert_eq!(without(SOURCE, "a"), SOURCE.replace(a, ""));
        assert_eq!(without(SOURCE, "b"), SOURCE.replace("\n  # about b\n  b: {cmd: y}\n", ""));
        // What stands at the indentation of the keys below the last of them is about no key.
        assert_eq!(without(SOURCE, "c"), SOURCE.replace("  c:\n    cmd: |\n      # a shell's comment\n\n", ""));
    }

    #[test]
    fn neighbours_and_ends_stay() {
        assert_eq!(without("stages:\n  a: 1\n\n  b: 2", "b"), "stages:\n  a: 1");
        assert_eq!(without("stages:\r\n  a: 1\r\n\r\n  b: 2\r\nx: y\r\n", "b"), "stages:\r\n  a: 1\r\nx: y\r\n");
        assert_eq!(without("stages:\n  a: 1\n  b: 2\n\n\n  c: 3\n", "b"), "stages:\n  a: 1\n\n\n  c: 3\n");
        assert_eq!(without("stages: {a: 1, b: 2} # why\n", "b"), "stages: {a: 1} # why\n");
        assert_eq!(without("\u{feff}stages:\n  # a\n  a: 1\n", "a"), "\u{feff}stages: {}\n");
    }

    #[test]
    fn a_blank_line_that_is_text_stays() {
        assert_eq!(without("stages:\n  a: |+\n    x\n\n  b: 1\n", "b"), "stages:\n  a: |+\n    x\n\n");
    }

    #[test]
    fn what_is_no_comment_stays() {
        // These lines are text of the value above.
        let source = "stages:\n  a: |\n    x\n\n    # y\n  b: 1\n";
        assert_eq!(without(source, "b"), source.replace("  b: 1\n", ""));
        assert!(remove_with_comments(source.as_bytes(), &[Step::Field("no".into())]).is_err());
    }
}
