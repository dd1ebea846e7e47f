//! [`write()`]: a value as ruamel.yaml's round-trip dumper writes it for DVC (`YAML()` with `default_flow_style = False`), byte
//! for byte, so that a `dvc.lock` written here and one written by DVC differ only where the values do.
//!
//! ruamel's emitter is a state machine with flags for what was written last; the shape is kept where the output depends on it.

use super::scalar::{Context, Style, analyze, escape, float, style};
use crate::value::Value;

/// Columns before a line is folded.
const WIDTH: usize = 80;
/// A key of as many characters gets a `? ` and a line of its own: 128 less the `!!str` that ruamel counts and does not write.
const LONG_KEY: usize = 123;
const STEP: usize = 2;

/// A document in block style: mappings in order, lists not indented below their key, nulls as nothing, long strings folded at
/// 80 columns, strings quoted only where needed. Ends with a line feed.
#[must_use]
pub fn write(value: &Value) -> String {
    let mut emitter =
        Emitter { out: String::new(), column: 0, indent: 0, whitespace: true, indention: true, root: false };
    match value {
        Value::Null => emitter.out.push_str("null"),
        _ => emitter.node(value, Parent::Root),
    }
    let open_ended = match value {
        Value::Text(text) => style(text, analyze(text), Context::Block) == Style::Plain,
        Value::List(_) | Value::Map(_) => false,
        _ => true,
    };
    if !emitter.out.ends_with('\n') {
        emitter.out.push('\n');
    }
    if open_ended {
        // A plain scalar by itself could go on; ruamel says that it does not.
        emitter.out.push_str("...\n");
    }
    emitter.out
}

/// Whether a scalar may be broken over lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fold {
    Allowed,
    Never,
}

/// What a node stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parent {
    Root,
    List,
    Map,
}

struct Emitter {
    out: String,
    column: usize,
    indent: usize,
    /// The last character was white space.
    whitespace: bool,
    /// The line so far is indentation: spaces, `-`, `?`, `:`.
    indention: bool,
    /// The document is a scalar, which has no indentation.
    root: bool,
}

impl Emitter {
    fn node(&mut self, value: &Value, parent: Parent) {
        match value {
            Value::List(items) if items.is_empty() => self.empty("[]"),
            Value::Map(map) if map.is_empty() => self.empty("{}"),
            Value::List(items) => {
                let outer = self.indent;
                // `key:\n- item`: a list is not indented below its key, but is behind `- ` and `: `.
                let inside = parent == Parent::List || (parent == Parent::Map && self.indention);
                self.indent += if inside { STEP } else { 0 };
                for item in items {
                    self.start_line();
                    self.indicator("-", true, true);
                    self.node(item, Parent::List);
                }
                self.indent = outer;
            }
            Value::Map(map) => {
                let outer = self.indent;
                self.indent += if parent == Parent::Root { 0 } else { STEP };
                for (key, value) in map {
                    self.start_line();
                    let analysis = analyze(key);
                    if key.chars().count() < LONG_KEY && !analysis.multiline {
                        self.indented(|emitter| emitter.text(key, Context::BlockKey));
                        self.indicator(":", false, false);
                    } else {
                        self.indicator("?", true, true);
                        self.indented(|emitter| emitter.text(key, Context::Block));
                        self.start_line();
                        self.indicator(":", true, true);
                    }
                    self.node(value, Parent::Map);
                }
                self.indent = outer;
            }
            scalar => {
                self.root = parent == Parent::Root;
                self.indented(|emitter| {
                    if parent == Parent::List {
                        emitter.start_line();
                    }
                    emitter.scalar(scalar);
                });
            }
        }
    }

    fn indented(&mut self, write: impl FnOnce(&mut Self)) {
        let step = if self.root { 0 } else { STEP };
        self.indent += step;
        write(self);
        self.indent -= step;
    }

    fn empty(&mut self, brackets: &str) {
        self.indicator(brackets, true, false);
        self.line_break();
    }

    fn scalar(&mut self, value: &Value) {
        match value {
            Value::Text(text) => self.text(text, Context::Block),
            Value::Float(value) => self.plain(&float(*value), Fold::Allowed),
            Value::Bool(value) => self.plain(if *value { "true" } else { "false" }, Fold::Allowed),
            Value::Int(value) => self.plain(&value.to_string(), Fold::Allowed),
            Value::Literal(text) => self.plain(text, Fold::Allowed),
            // Nothing at all is how ruamel writes a null.
            Value::Null | Value::List(_) | Value::Map(_) => {}
        }
    }

    fn text(&mut self, text: &str, context: Context) {
        let fold = if context == Context::BlockKey { Fold::Never } else { Fold::Allowed };
        match style(text, analyze(text), context) {
            Style::Plain => self.plain(text, fold),
            Style::Single => self.single(text, fold),
            Style::Double => self.double(text, fold),
        }
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn put_chars(&mut self, chars: &[char]) {
        self.out.extend(chars);
        self.column += chars.len();
    }

    fn indicator(&mut self, text: &str, needs_space: bool, indention: bool) {
        if needs_space && !self.whitespace {
            self.put(" ");
        }
        self.put(text);
        self.whitespace = false;
        self.indention &= indention;
    }

    fn line_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
        self.whitespace = true;
        self.indention = true;
    }

    /// ruamel's `write_indent`: a new line, unless this one is still only indentation.
    fn start_line(&mut self) {
        if !self.indention || self.column > self.indent || (self.column == self.indent && !self.whitespace) {
            self.line_break();
        }
        if self.column < self.indent {
            self.whitespace = true;
            self.put(&" ".repeat(self.indent - self.column));
        }
    }

    fn begin_scalar_part(&mut self) {
        self.whitespace = false;
        self.indention = false;
    }

    fn plain(&mut self, text: &str, fold: Fold) {
        if text.is_empty() {
            return;
        }
        if !self.whitespace {
            self.put(" ");
        }
        self.begin_scalar_part();
        // Runs of spaces and of other characters in turn; a plain scalar has no line breaks.
        let mut before = 1;
        for (run, spaces) in runs(text, |c| c == ' ') {
            let length = run.chars().count();
            if spaces {
                if length == 1 && self.column >= WIDTH && fold == Fold::Allowed {
                    self.start_line();
                    self.begin_scalar_part();
                } else {
                    self.put(run);
                }
                before = length;
            } else {
                // A word that is too long for the line gets one of its own, behind a space that stays. ruamel does so behind
                // several spaces, too, of which a reader then sees one, and in a key, which then cannot be read.
                let room = length + self.column <= WIDTH || self.column <= self.indent;
                if !room && !self.root && before == 1 && fold == Fold::Allowed {
                    self.start_line();
                }
                self.put(run);
            }
        }
    }

    fn single(&mut self, text: &str, fold: Fold) {
        self.indicator("'", true, false);
        let mut first = true;
        let mut rest = text.len();
        for (run, spaces) in runs(text, |c| c == ' ') {
            rest -= run.len();
            if spaces && run.len() == 1 && self.column > WIDTH && fold == Fold::Allowed && !first && rest > 0 {
                self.start_line();
            } else if spaces {
                self.put(run);
            } else {
                self.put(&run.replace('\'', "''"));
            }
            first = false;
        }
        self.indicator("'", false, false);
    }

    fn double(&mut self, text: &str, fold: Fold) {
        self.indicator("\"", true, false);
        let chars: Vec<char> = text.chars().collect();
        let at = |index: usize| chars.get(index).copied();
        let mut start = 0;
        for end in 0..=chars.len() {
            let c = at(end);
            let escaped = c.and_then(escape);
            if c.is_none() || escaped.is_some() {
                if start < end {
                    self.put_chars(chars.get(start..end).unwrap_or_default());
                    start = end;
                }
                if let Some(escaped) = escaped {
                    self.put(&escaped);
                    start = end + 1;
                }
            }
            let breakable = end > 0 && end + 1 < chars.len() && (c == Some(' ') || start >= end);
            if !breakable || self.column + end <= WIDTH + start || fold == Fold::Never {
                continue;
            }
            // ruamel breaks behind an escape without a backslash, too; where no space follows, that would read as one.
            let backslash = needs_backslash(&chars, start, end) || at(start.max(end)) != Some(' ');
            if start < end {
                self.put_chars(chars.get(start..end).unwrap_or_default());
                start = end;
            }
            if backslash {
                self.put("\\");
            }
            self.start_line();
            self.begin_scalar_part();
            if at(start) == Some(' ') {
                if backslash {
                    self.put("\\");
                } else {
                    // The line break reads as this space.
                    start += 1;
                }
            }
        }
        self.indicator("\"", false, false);
    }
}

/// Whether a break of a double-quoted string before `end` must be escaped, by ruamel's rule.
fn needs_backslash(chars: &[char], start: usize, end: usize) -> bool {
    let at = |index: usize| chars.get(index).copied();
    let find = |from: usize, to: usize, wanted: char| {
        chars.get(from..to).and_then(|part| part.iter().position(|c| *c == wanted)).map(|index| from + index)
    };
    let Some(space) = find(end, chars.len(), ' ') else { return true };
    let stop = find(end, space, '\n').unwrap_or(space);
    let Some(next) = at(stop + 1) else { return true };
    if at(stop) == Some('\n') && next != ' ' {
        return true;
    }
    let between = chars.get(end..stop).unwrap_or_default();
    let two_spaces = end > 0 && at(end - 1) == Some(' ') && at(end) == Some(' ');
    between.contains(&'"') || between.contains(&'\'') || next == ' ' || next == '\n' || two_spaces || start == end
}

/// Splits into maximal runs of characters that are `inside` and that are not, in turn.
fn runs(text: &str, inside: impl Fn(char) -> bool) -> impl Iterator<Item = (&str, bool)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = inside(rest.chars().next()?);
        let length = rest.find(|c| inside(c) != first).unwrap_or(rest.len());
        let (run, after) = rest.split_at_checked(length)?;
        rest = after;
        Some((run, first))
    })
}

#[cfg(test)]
mod tests;
