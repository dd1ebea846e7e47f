//! How a scalar may be written: ruamel's analysis of a string (`emitter.py`, `analyze_scalar`, `choose_scalar_style`), and
//! [`write_scalar`], which writes one on one line.

use super::resolve;
use crate::number;
use crate::value::Value;

/// Where a scalar is to be written; it decides what needs quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// A value of a block mapping or an item of a block list.
    Block,
    /// Inside `[…]` or `{…}`.
    Flow,
    /// A key of a block mapping.
    BlockKey,
    /// A key inside `{…}`.
    FlowKey,
}

/// The notation of a scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
}

/// What a string allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Analysis {
    pub(super) multiline: bool,
    flow_plain: bool,
    block_plain: bool,
    single: bool,
}

/// The line breaks that ruamel knows.
pub(super) const fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What ruamel writes without an escape.
pub(super) const fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
}

pub(super) fn analyze(text: &str) -> Analysis {
    let (mut flow, mut block) = (false, false);
    let (mut multiline, mut special) = (false, false);
    let (mut space_break, mut break_space) = (false, false);
    let blank = |c: Option<char>| c.is_none_or(|c| is_break(c) || matches!(c, '\0' | ' ' | '\t' | '\r'));
    if text.starts_with("---") || text.starts_with("...") {
        (flow, block) = (true, true);
    }
    let mut before: Option<char> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let after = chars.peek().copied();
        match (before, c) {
            (None, '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`') => {
                (flow, block) = (true, true);
            }
            (None, '?' | ':') => {
                // In flow style ruamel would write `?x` plain, and read it as a key.
                flow = true;
                block |= blank(after);
            }
            (None, '-') if blank(after) => (flow, block) = (true, true),
            (Some(_), ',' | '[' | ']' | '{' | '}') => flow = true,
            (Some(_), ':') if blank(after) => (flow, block) = (true, true),
            (Some(_), '#') if blank(before) => (flow, block) = (true, true),
            _ => {}
        }
        multiline |= is_break(c);
        special |= !(c == '\n' || c == '\u{85}' || is_printable(c));
        space_break |= before == Some(' ') && is_break(c);
        break_space |= before.is_some_and(is_break) && c == ' ';
        before = Some(c);
    }
    let edge = |c: Option<char>| c.is_some_and(|c| c == ' ' || is_break(c));
    let outer_space = edge(text.chars().next()) || edge(before);
    let plain = !(text.is_empty() || outer_space || space_break || break_space || special || multiline);
    Analysis {
        multiline,
        flow_plain: plain && !flow,
        block_plain: (plain && !block) || text.is_empty(),
        single: !(special || space_break || break_space),
    }
}

/// The notation that ruamel chooses for a string.
pub(super) fn style(text: &str, analysis: Analysis, context: Context) -> Style {
    let (key, flow) = match context {
        Context::Block => (false, false),
        Context::Flow => (false, true),
        Context::BlockKey => (true, false),
        Context::FlowKey => (true, true),
    };
    let allowed = if flow { analysis.flow_plain } else { analysis.block_plain };
    if !resolve::needs_quotes(text) && allowed && !(key && analysis.multiline) {
        Style::Plain
    } else if text.contains('\'') || analysis.multiline || !analysis.single {
        // ruamel writes U+0085, U+2028 and U+2029 as line breaks in single quotes, which YAML 1.2 does not read so.
        Style::Double
    } else {
        Style::Single
    }
}

/// A scalar on one line. A string has no quotes unless it needs them; a float reads back as one. A list or a mapping is no
/// scalar and is written in flow style.
#[must_use]
pub fn write_scalar(value: &Value, context: Context) -> String {
    match value {
        Value::Text(text) => write_text(text, context, None),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| write_scalar(item, Context::Flow)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(map) => {
            let entry = |(key, value): (&String, &Value)| {
                format!("{}: {}", write_text(key, Context::FlowKey, None), write_scalar(value, Context::Flow))
            };
            format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => float(*value),
        Value::Literal(text) => text.clone(),
    }
}

/// A string on one line, in the quotes `like` where they can hold it.
pub(super) fn write_text(text: &str, context: Context, like: Option<Style>) -> String {
    let analysis = analyze(text);
    let style = match like {
        Some(Style::Double) => Style::Double,
        Some(Style::Single) if analysis.single && !analysis.multiline => Style::Single,
        _ => style(text, analysis, context),
    };
    match style {
        Style::Plain => text.to_owned(),
        Style::Single => format!("'{}'", text.replace('\'', "''")),
        Style::Double => {
            let mut quoted = String::from("\"");
            for c in text.chars() {
                match escape(c) {
                    Some(escape) => quoted.push_str(&escape),
                    None => quoted.push(c),
                }
            }
            quoted.push('"');
            quoted
        }
    }
}

/// How `c` stands in double quotes, unless as itself.
pub(super) fn escape(c: char) -> Option<String> {
    let short = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        c if is_printable(c) => return None,
        c if u32::from(c) <= 0xff => return Some(format!("\\x{:02X}", u32::from(c))),
        c if u32::from(c) <= 0xffff => return Some(format!("\\u{:04X}", u32::from(c))),
        c => return Some(format!("\\U{:08X}", u32::from(c))),
    };
    Some(format!("\\{short}"))
}

/// A float as ruamel writes it.
pub(super) fn float(value: f64) -> String {
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf".to_owned() } else { "-.inf".to_owned() };
    }
    number::repr(value)
}
