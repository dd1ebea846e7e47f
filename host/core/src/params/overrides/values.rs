//! [`Reader`]: a recursive-descent reader of the values that stand behind `=`.

use dewar_text::{Map, Value};

use super::fault::{Fault, Function};

/// A reader of a text, which gets shorter from its beginning.
pub(in crate::params) struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

/// How deep `[[…]]` may nest; far beyond any use, far below the stack.
const MAX_DEPTH: usize = 64;

/// The functions of Hydra's grammar that give no values to sweep over, or not the same on every run.
const UNSUPPORTED: [&str; 9] = ["bool", "float", "glob", "int", "interval", "shuffle", "sort", "str", "tag"];

impl<'a> Reader<'a> {
    pub(in crate::params) const fn new(text: &'a str) -> Self {
        Self { rest: text, depth: 0 }
    }

    /// Whether nothing but space is left.
    pub(in crate::params) fn at_end(&mut self) -> bool {
        self.space();
        self.rest.is_empty()
    }

    /// # Errors
    /// When something is left.
    pub(in crate::params) fn end(&mut self) -> Result<(), Fault> {
        self.space();
        self.rest.chars().next().map_or(Ok(()), |odd| Err(Fault::Behind(odd)))
    }

    /// Steps over space and `wanted`, if that is next.
    pub(in crate::params) fn take(&mut self, wanted: char) -> bool {
        self.space();
        let found = self.rest.strip_prefix(wanted);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    /// Steps over the name of a function and its `(`, if that is what is next.
    ///
    /// # Errors
    /// When the function gives no values.
    pub(in crate::params) fn call(&mut self) -> Result<Option<Function>, Fault> {
        self.name_before('(').map_or(Ok(None), |name| function(name).map(Some))
    }

    /// Steps over a name and the `sign` behind it, if that is what is next.
    pub(in crate::params) fn name_before(&mut self, sign: char) -> Option<&'a str> {
        let text = self.rest.trim_start();
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).unwrap_or(text.len());
        let (name, behind) = text.split_at_checked(end)?;
        if !is_name(name) {
            return None;
        }
        self.rest = behind.trim_start().strip_prefix(sign)?;
        Some(name)
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// The value directly behind `=`, or the first of several. Nothing at all is an empty string.
    pub(in crate::params) fn top(&mut self) -> Result<Value, Fault> {
        if self.at_end() { Ok(Value::Text(String::new())) } else { self.element("") }
    }

    /// One value; `stop` are the characters that end it beside the comma.
    pub(in crate::params) fn element(&mut self, stop: &str) -> Result<Value, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fault::TooDeep);
        }
        self.space();
        let value = match self.rest.chars().next() {
            Some('[') => self.list(),
            Some('{') => self.map(),
            Some(quote @ ('\'' | '"')) => self.quoted(quote).map(Value::Text),
            _ => self.unquoted(stop).map(|(text, escaped)| if escaped { Value::Text(text) } else { typed(&text) }),
        };
        self.depth -= 1;
        value
    }

    fn list(&mut self) -> Result<Value, Fault> {
        self.take('[');
        let mut items = Vec::new();
        loop {
            if items.is_empty() && self.take(']') {
                return Ok(Value::List(items));
            }
            items.push(self.element("]")?);
            if self.take(']') {
                return Ok(Value::List(items));
            }
            if !self.take(',') {
                return Err(Fault::Unclosed('['));
            }
        }
    }

    fn map(&mut self) -> Result<Value, Fault> {
        self.take('{');
        let mut map = Map::new();
        loop {
            self.space();
            if map.is_empty() && self.take('}') {
                return Ok(Value::Map(map));
            }
            let key = match self.rest.chars().next() {
                Some(quote @ ('\'' | '"')) => self.quoted(quote)?,
                _ => self.unquoted(":}")?.0,
            };
            if !self.take(':') {
                return Err(Fault::NoMapValue);
            }
            let value = self.element("}")?;
            map.insert(key, value);
            if self.take('}') {
                return Ok(Value::Map(map));
            }
            if !self.take(',') {
                return Err(Fault::Unclosed('{'));
            }
        }
    }

    /// A quoted string. A quote inside it is written with a backslash, and backslashes before a quote are written twice;
    /// other backslashes stand for themselves.
    fn quoted(&mut self, quote: char) -> Result<String, Fault> {
        self.take(quote);
        let mut text = String::new();
        while let Some(at) = self.rest.find(['\\', quote]) {
            let (plain, here) = self.rest.split_at_checked(at).unwrap_or((self.rest, ""));
            text.push_str(plain);
            let behind = here.trim_start_matches('\\');
            let backslashes = here.len() - behind.len();
            let Some(after) = behind.strip_prefix(quote) else {
                text.extend(std::iter::repeat_n('\\', backslashes));
                self.rest = behind;
                continue;
            };
            text.extend(std::iter::repeat_n('\\', backslashes / 2));
            self.rest = after;
            if backslashes % 2 == 0 {
                return Ok(text);
            }
            text.push(quote);
        }
        Err(Fault::Unclosed(quote))
    }

    /// Characters up to a comma or one of `stop`, trimmed; whether one of them was escaped.
    fn unquoted(&mut self, stop: &str) -> Result<(String, bool), Fault> {
        let mut text = String::new();
        // What is escaped is not trimmed.
        let mut escaped = 0;
        let mut chars = self.rest.chars();
        loop {
            let here = chars.as_str();
            let Some(c) = chars.next() else {
                self.rest = "";
                break;
            };
            if c == ',' || stop.contains(c) {
                self.rest = here;
                break;
            }
            match c {
                '\\' if chars.as_str().starts_with(|next: char| "\\()[]{}:=, \t".contains(next)) => {
                    text.extend(chars.next());
                    escaped = text.len();
                }
                '(' if escaped == 0 && is_name(text.trim_end()) => {
                    return Err(function(text.trim_end()).map_or_else(|fault| fault, Fault::NotAlone));
                }
                c if c.is_alphanumeric() || " \t_/-\\+.$%*@?|:".contains(c) => text.push(c),
                c => return Err(Fault::Unquoted(c)),
            }
        }
        text.truncate(text.trim_end().len().max(escaped));
        if text.is_empty() { Err(Fault::Missing) } else { Ok((text, escaped > 0)) }
    }
}

/// Whether `text` needs no quotes to be read as itself, where the characters `stop` end it.
pub(super) fn is_plain(text: &str, stop: &str) -> bool {
    let mut reader = Reader::new(text);
    let as_itself = reader.unquoted(stop).is_ok_and(|(read, escaped)| !escaped && read == text);
    // A backslash at the end would escape what follows.
    as_itself && reader.rest.is_empty() && !text.starts_with(char::is_whitespace) && !text.ends_with('\\')
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn function(name: &str) -> Result<Function, Fault> {
    match name {
        "choice" => Ok(Function::Choice),
        "range" => Ok(Function::Range),
        name if UNSUPPORTED.contains(&name) => Err(Fault::Unsupported(name.to_owned())),
        name => Err(Fault::UnknownFunction(name.to_owned())),
    }
}

/// The type of an unquoted value, by Hydra's lexer.
pub(super) fn typed(text: &str) -> Value {
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "null" => return Value::Null,
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    let (negative, digits) = match lower.as_bytes().first() {
        Some(b'-') => (true, lower.get(1..).unwrap_or_default()),
        Some(b'+') => (false, lower.get(1..).unwrap_or_default()),
        _ => (false, lower.as_str()),
    };
    let signed = |value: f64| Value::Float(if negative { -value } else { value });
    match digits {
        "inf" => return signed(f64::INFINITY),
        "nan" => return Value::Float(f64::NAN),
        _ => {}
    }
    if is_integer(digits) {
        let plain: String = digits.chars().filter(|c| *c != '_').collect();
        let text = if negative { format!("-{plain}") } else { plain };
        return text.parse().map_or_else(|_| Value::Literal(text), Value::Int);
    }
    if is_float(digits) {
        let plain: String = digits.chars().filter(|c| *c != '_').collect();
        if let Ok(value) = plain.parse() {
            return signed(value);
        }
    }
    Value::Text(text.to_owned())
}

/// `0`, or digits that do not begin with 0, with single `_` between them.
fn is_integer(text: &str) -> bool {
    text == "0" || (!text.starts_with('0') && is_digits(text))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.split('_').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `1.`, `.5`, `1.5`, each with an exponent or not, or `1e5`.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let exponent_fits =
        exponent.is_none_or(|exponent| is_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)));
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => is_digits(fraction),
        Some((whole, "")) => is_integer(whole),
        Some((whole, fraction)) => is_integer(whole) && is_digits(fraction),
        None => exponent.is_some() && is_integer(mantissa),
    };
    exponent_fits && mantissa_fits
}
