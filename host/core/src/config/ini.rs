//! The syntax of `.dvc/config`: reading it, and editing one option while every other byte stays. For `config`, and for the
//! settings of an isolated workspace (step 3 of the walk).
//!
//! DVC writes with Python's `configobj`: sections in brackets, in quotes when they have some inside (`['remote "r"']`),
//! `option = value`, `#` comments, also behind a value. As DVC does, names are read in lower case. Lists and values of several
//! lines are not read: a list stays its text.

use std::collections::BTreeMap;
use std::ops::Range;

use dewar_text::{Diagnostic, Span};

/// Options and their values, by section (`core`, `remote "name"`).
pub(super) type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// How an option is indented where no other shows how.
const INDENT: &str = "    ";
/// Kinds of sections of which there are several, each with a name in quotes.
pub(super) const NAMED: [&str; 3] = ["remote", "db", "machine"];

/// One line, with its end.
struct Line<'a> {
    text: &'a str,
    /// The section that it is in; of a header, its own.
    section: String,
    kind: Kind,
}

enum Kind {
    /// Nothing but blanks.
    Blank,
    Comment,
    Header,
    Option {
        name: String,
        value: String,
        /// Where the value stands in the line, with its quotes.
        at: Range<usize>,
    },
}

/// The options of a text; of one that is there several times, the last.
pub(super) fn read(text: &str) -> Result<Sections, Diagnostic> {
    let mut sections = Sections::new();
    for line in lines(text)? {
        if let Kind::Option { name, value, .. } = line.kind {
            sections.entry(line.section).or_default().insert(name, value);
        }
    }
    Ok(sections)
}

/// The text with an option set to a value as [`quoted`] writes it.
pub(super) fn with(text: &str, section: &str, option: &str, value: &str) -> Result<String, Diagnostic> {
    let lines = lines(text)?;
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    if let Some(at) = lines.iter().rposition(|line| line.is_option(section, option)) {
        let changed =
            lines.iter().enumerate().map(|(i, line)| if i == at { line.with_value(value) } else { line.text.into() });
        return Ok(changed.collect());
    }
    let is_of = |line: &&Line<'_>| line.section == section;
    let is_option = |line: &&Line<'_>| matches!(line.kind, Kind::Option { .. });
    let example = lines.iter().rfind(|line| is_of(line) && is_option(line)).or_else(|| lines.iter().rfind(is_option));
    let mut new = format!("{}{option} = {value}", example.map_or(INDENT, Line::indent));
    let anchor = lines.iter().rposition(|line| is_of(&line) && matches!(line.kind, Kind::Option { .. } | Kind::Header));
    if anchor.is_none() {
        let quote = if section.contains('"') { "'" } else { "" };
        new = format!("[{quote}{section}{quote}]{line_end}{new}");
    }
    let (before, behind) = lines.split_at(anchor.map_or(lines.len(), |anchor| anchor + 1));
    let texts = |lines: &[Line<'_>]| lines.iter().map(|line| line.text).collect::<String>();
    let before = texts(before);
    // Where the last line has no end, the new last one has none, too.
    let new = if before.is_empty() || before.ends_with('\n') { new + line_end } else { format!("{line_end}{new}") };
    Ok(before + &new + &texts(behind))
}

/// The text without an option; none when it is not there. The header of a section that is empty then goes, too, unless comments
/// stand below it; that of a named one even then, since DVC refuses a remote without a URL.
pub(super) fn without(text: &str, section: &str, option: &str) -> Result<Option<String>, Diagnostic> {
    let lines = lines(text)?;
    if !lines.iter().any(|line| line.is_option(section, option)) {
        return Ok(None);
    }
    let is_named = NAMED.iter().any(|kind| name_after(section, kind).is_some());
    let keeps_header = lines.iter().filter(|line| line.section == section).any(|line| match line.kind {
        Kind::Option { .. } => !line.is_option(section, option),
        Kind::Comment => !is_named,
        Kind::Blank | Kind::Header => false,
    });
    let goes = |line: &Line<'_>| {
        let is_header = line.section == section && matches!(line.kind, Kind::Header);
        line.is_option(section, option) || (is_header && !keeps_header)
    };
    let mut left: String = lines.iter().filter(|line| !goes(line)).map(|line| line.text).collect();
    if !text.ends_with('\n') && lines.last().is_some_and(goes) {
        let kept = left.strip_suffix('\n').map(|left| left.strip_suffix('\r').unwrap_or(left)).map(str::len);
        left.truncate(kept.unwrap_or(left.len()));
    }
    Ok(Some(left))
}

/// The text without a section, its comments among them; none when it is not there.
pub(super) fn without_section(text: &str, section: &str) -> Result<Option<String>, Diagnostic> {
    let lines = lines(text)?;
    if !lines.iter().any(|line| line.section == section) {
        return Ok(None);
    }
    Ok(Some(lines.iter().filter(|line| line.section != section).map(|line| line.text).collect()))
}

/// The text with a section called otherwise; none when it is not there.
pub(super) fn renamed(text: &str, section: &str, new: &str) -> Result<Option<String>, Diagnostic> {
    let lines = lines(text)?;
    let is_header = |line: &Line<'_>| line.section == section && matches!(line.kind, Kind::Header);
    if !lines.iter().any(is_header) {
        return Ok(None);
    }
    let renamed = |line: &Line<'_>| {
        let line_end = line.text.get(line.text.trim_end_matches(['\n', '\r']).len()..).unwrap_or_default();
        // What stands behind the header is a comment, if anything.
        let behind = line.text.trim_end().rsplit_once(']').map_or("", |(_, behind)| behind);
        if is_header(line) { format!("{}['{new}']{behind}{line_end}", line.indent()) } else { line.text.to_owned() }
    };
    Ok(Some(lines.iter().map(renamed).collect()))
}

/// A value as it is to be written: in quotes where it would be read otherwise without. None when it cannot be written on a line.
pub(super) fn quoted(value: &str) -> Option<String> {
    let is_edge = |c: char| c.is_whitespace() || c == '\'' || c == '"';
    let needs =
        value.is_empty() || value.contains(['#', ',']) || value.starts_with(is_edge) || value.ends_with(is_edge);
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return None;
    }
    if !needs {
        return Some(value.to_owned());
    }
    let fits = |quote: &&&str| {
        !value.contains(**quote) && (quote.len() == 1 || !value.ends_with(quote.get(..1).unwrap_or_default()))
    };
    ["\"", "'", "\"\"\"", "'''"].iter().find(fits).map(|quote| format!("{quote}{value}{quote}"))
}

/// The name in `remote "name"`, for the kind `remote`.
pub(super) fn name_after<'a>(section: &'a str, kind: &str) -> Option<&'a str> {
    section.strip_prefix(kind)?.trim_start().strip_prefix('"')?.strip_suffix('"')
}

impl<'a> Line<'a> {
    fn is_option(&self, section: &str, option: &str) -> bool {
        self.section == section && matches!(&self.kind, Kind::Option { name, .. } if name == option)
    }

    /// The blanks that it begins with.
    fn indent(&self) -> &'a str {
        let text = self.text.trim_start_matches(BYTE_ORDER_MARK);
        text.get(..text.len() - text.trim_start().len()).unwrap_or_default()
    }

    fn with_value(&self, value: &str) -> String {
        let Kind::Option { at, .. } = &self.kind else { return self.text.to_owned() };
        let before = self.text.get(..at.start).unwrap_or_default();
        let behind = self.text.get(at.end..).unwrap_or_default();
        let blank = |is_needed: bool| if is_needed { " " } else { "" };
        format!("{before}{}{value}{}{behind}", blank(before.ends_with('=')), blank(behind.starts_with('#')))
    }
}

const BYTE_ORDER_MARK: char = '\u{feff}';

fn lines(text: &str) -> Result<Vec<Line<'_>>, Diagnostic> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut section = String::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let kind = kind(line, &mut section).map_err(|message| {
            Diagnostic::error("bad-setting", message).at(Span::new(at, at + line.trim_end().len()))
        })?;
        lines.push(Line { text: line, section: section.clone(), kind });
        at += line.len();
    }
    Ok(lines)
}

/// What a line is; a header begins a section.
fn kind(line: &str, section: &mut String) -> Result<Kind, &'static str> {
    let content = line.trim_end_matches(['\n', '\r']);
    let trimmed = content.trim_start_matches(BYTE_ORDER_MARK).trim();
    if trimmed.is_empty() {
        return Ok(Kind::Blank);
    }
    if trimmed.starts_with(['#', ';']) {
        return Ok(Kind::Comment);
    }
    if let Some(name) = section_name(trimmed) {
        *section = name;
        return Ok(Kind::Header);
    }
    let (option, right) = trimmed.split_once('=').ok_or("a setting is written `option = value`")?;
    // It is the same in `content`, where what was trimmed stands before it.
    let behind = content.split_once('=').map(|(_, behind)| behind.trim_start()).unwrap_or_default();
    let start = content.len() - behind.len();
    let (value, length) = value(right.trim())?;
    Ok(Kind::Option { name: unquoted(option).to_lowercase(), value, at: start..start + length })
}

/// A value, and how many bytes it takes of the text, which a comment may follow.
fn value(text: &str) -> Result<(String, usize), &'static str> {
    for quote in ["'''", "\"\"\"", "'", "\""] {
        let Some(rest) = text.strip_prefix(quote) else { continue };
        // As `configobj`: it ends where nothing but a comment follows, whatever is in it before.
        let ends =
            rest.char_indices().filter_map(|(at, _)| Some((rest.get(..at)?, rest.get(at..)?.strip_prefix(quote)?)));
        let mut ends = ends.map(|(inside, behind)| (inside, behind.trim_start()));
        if let Some((inside, _)) = ends.find(|(_, behind)| behind.is_empty() || behind.starts_with('#')) {
            return Ok((inside.to_owned(), inside.len() + 2 * quote.len()));
        }
        if quote.len() == 3 && !rest.contains(quote) {
            return Err("a value of several lines is not read: write it on one");
        }
    }
    let bare = text.split('#').next().unwrap_or_default().trim_end();
    Ok((bare.to_owned(), bare.len()))
}

fn section_name(line: &str) -> Option<String> {
    let rest = line.strip_prefix('[')?.trim_start();
    let within = |quote: &str| {
        let inside = rest.strip_prefix(quote)?;
        let mut ends = inside.match_indices(quote).filter_map(|(at, _)| inside.split_at_checked(at));
        ends.find(|(_, end)| end.trim_start_matches(quote).trim_start().starts_with(']')).map(|(name, _)| name)
    };
    let name = within("'").or_else(|| within("\"")).or_else(|| rest.split_once(']').map(|(name, _)| unquoted(name)))?;
    let name = name.trim().to_lowercase();
    let named = NAMED.iter().find_map(|kind| Some(format!("{kind} \"{}\"", name_after(&name, kind)?)));
    Some(named.unwrap_or(name))
}

fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let within = |quote| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    within('\'').or_else(|| within('"')).unwrap_or(text)
}

#[cfg(test)]
mod tests;
