//! [`Override`]: what the user typed behind `-S`, in Hydra's basic grammar (hydra.cc, "Override grammar"; the table of values
//! is that of DVC 3.67).
//!
//! `[file:]key=value` changes, `+key=value` adds, `++key=value` adds or changes, `~key` deletes (`~key=value` only when it
//! has that value). Spaces around `=` are allowed, as DVC's documentation shows them.

use dewar_text::{Map, Value};

/// One `-S`.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// The file as typed; none for the default `params.yaml`.
    pub file: Option<String>,
    /// The parts of the dotted key; never empty.
    pub key: Vec<String>,
    /// What to do there.
    pub operation: Operation,
}

/// What to do at a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// `key=value`: it must exist.
    Change(Value),
    /// `+key=value`: it must not exist.
    Add(Value),
    /// `++key=value`.
    AddOrChange(Value),
    /// `~key` or `~key=value`: it must exist, and have the value when one is given.
    Delete(Option<Value>),
}

/// Why a text is no override.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// It does not follow the grammar.
    #[error("`{text}` is not a valid override: {reason}")]
    Grammar {
        /// What was typed.
        text: String,
        /// What is wrong.
        reason: String,
    },
    /// It gives several values.
    #[error("`{text}` gives several values; a sweep needs the queue")]
    Sweep {
        /// What was typed.
        text: String,
    },
}

impl Override {
    /// Parses one `-S`.
    ///
    /// # Errors
    /// When it does not follow the grammar, or is a sweep.
    pub fn parse(text: &str) -> Result<Self, OverrideError> {
        Self::read(text).map_err(|problem| match problem {
            Problem::Grammar(reason) => OverrideError::Grammar { text: text.to_owned(), reason },
            Problem::Sweep => OverrideError::Sweep { text: text.to_owned() },
        })
    }

    /// The dotted key.
    #[must_use]
    pub fn key_text(&self) -> String {
        self.key.join(".")
    }

    fn read(text: &str) -> Result<Self, Problem> {
        let (left, value) = match text.split_once('=') {
            Some((left, value)) => (left.trim_end(), Some(value)),
            None => (text.trim_end(), None),
        };
        let (file, key) = match left.split_once(':') {
            Some((file, key)) => (Some(file.trim().to_owned()), key.trim_start()),
            None => (None, left.trim_start()),
        };
        let parsed = value.map(Values::parse).transpose()?;
        let needed = || parsed.clone().ok_or_else(|| grammar("there is no `=value` behind the key"));
        let (key, operation) = if let Some(key) = key.strip_prefix("++") {
            (key, Operation::AddOrChange(needed()?))
        } else if let Some(key) = key.strip_prefix('+') {
            (key, Operation::Add(needed()?))
        } else if let Some(key) = key.strip_prefix('~') {
            (key, Operation::Delete(parsed))
        } else {
            (key, Operation::Change(needed()?))
        };
        Ok(Self { file, key: read_key(key)?, operation })
    }
}

#[derive(Debug, PartialEq)]
enum Problem {
    Grammar(String),
    Sweep,
}

fn grammar(reason: impl Into<String>) -> Problem {
    Problem::Grammar(reason.into())
}

fn read_key(key: &str) -> Result<Vec<String>, Problem> {
    if key.is_empty() {
        return Err(grammar("there is no key"));
    }
    if let Some(odd) = key.chars().find(|c| c.is_whitespace() || c.is_control() || "[](){},:'\"\\~+".contains(*c)) {
        let help = if odd == '[' { "; a list item is written `list.0`" } else { "" };
        return Err(grammar(format!("`{odd}` cannot stand in a key{help}")));
    }
    let parts: Vec<String> = key.split('.').map(str::to_owned).collect();
    if parts.iter().any(String::is_empty) {
        return Err(grammar("a part of the key is empty"));
    }
    Ok(parts)
}

/// A recursive-descent reader of what stands behind `=`.
struct Values<'a> {
    rest: &'a str,
    depth: usize,
}

/// How deep `[[…]]` may nest; far beyond any use, far below the stack.
const MAX_DEPTH: usize = 64;

impl Values<'_> {
    fn parse(text: &str) -> Result<Value, Problem> {
        let mut values = Values { rest: text.trim_start(), depth: 0 };
        if values.rest.trim_end().is_empty() {
            return Ok(Value::Text(String::new()));
        }
        let value = values.element("")?;
        values.space();
        match values.rest.chars().next() {
            None => Ok(value),
            Some(',') => Err(Problem::Sweep),
            Some(odd) => Err(grammar(format!("`{odd}` needs quotes around the value"))),
        }
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.rest.strip_prefix(wanted);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    /// One value; `stop` are the characters that end it beside the comma.
    fn element(&mut self, stop: &str) -> Result<Value, Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(grammar("it is nested too deep"));
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

    fn list(&mut self) -> Result<Value, Problem> {
        self.take('[');
        let mut items = Vec::new();
        loop {
            self.space();
            if items.is_empty() && self.take(']') {
                return Ok(Value::List(items));
            }
            items.push(self.element("]")?);
            self.space();
            if self.take(']') {
                return Ok(Value::List(items));
            }
            if !self.take(',') {
                return Err(grammar("a `[` is not closed"));
            }
        }
    }

    fn map(&mut self) -> Result<Value, Problem> {
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
            self.space();
            if !self.take(':') {
                return Err(grammar("a `{` is not closed, or a key in it has no `: value`"));
            }
            let value = self.element("}")?;
            map.insert(key, value);
            self.space();
            if self.take('}') {
                return Ok(Value::Map(map));
            }
            if !self.take(',') {
                return Err(grammar("a `{` is not closed"));
            }
        }
    }

    /// A quoted string: a quote inside it is written with a backslash, other backslashes stand for themselves.
    fn quoted(&mut self, quote: char) -> Result<String, Problem> {
        self.take(quote);
        let mut text = String::new();
        let mut chars = self.rest.chars();
        while let Some(c) = chars.next() {
            if c == quote {
                self.rest = chars.as_str();
                return Ok(text);
            }
            let escapes = c == '\\' && chars.as_str().starts_with([quote, '\\']);
            text.push(if escapes { chars.next().unwrap_or(c) } else { c });
        }
        Err(grammar(format!("a {quote} is not closed")))
    }

    /// Characters up to a comma or one of `stop`, trimmed; whether one of them was escaped.
    fn unquoted(&mut self, stop: &str) -> Result<(String, bool), Problem> {
        let (mut text, mut escaped) = (String::new(), false);
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
                    escaped = true;
                }
                '(' => return Err(function(text.trim())),
                c if c.is_alphanumeric() || " \t_/-\\+.$%*@?|:".contains(c) => text.push(c),
                c => return Err(grammar(format!("`{c}` must stand in quotes"))),
            }
        }
        let text = text.trim_end().to_owned();
        if text.is_empty() && !escaped {
            return Err(grammar("a value is missing"));
        }
        Ok((text, escaped))
    }
}

fn function(name: &str) -> Problem {
    match name {
        "choice" | "range" => Problem::Sweep,
        "glob" | "interval" => grammar(format!("`{name}()` is not supported")),
        _ => grammar("`(` must stand in quotes"),
    }
}

/// The type of an unquoted value, by Hydra's lexer.
fn typed(text: &str) -> Value {
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

#[cfg(test)]
mod tests {
    use super::*;
    use Value::{Bool, Float, Int, List, Literal, Null};

    fn value(text: &str) -> Value {
        match Override::parse(&format!("k={text}")).unwrap().operation {
            Operation::Change(value) => value,
            other => panic!("{other:?}"),
        }
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn values_have_the_types_of_hydra() {
        let table = [
            ("0.2", Float(0.2)),
            ("1", Int(1)),
            ("-3", Int(-3)),
            ("+1", Int(1)),
            (".5", Float(0.5)),
            ("1.", Float(1.0)),
            ("1e-4", Float(1e-4)),
            ("1E5", Float(1e5)),
            ("-1.5e-3", Float(-1.5e-3)),
            ("00012", text("00012")),
            ("0x10", text("0x10")),
            ("1_000", Int(1000)),
            ("9223372036854775808", Literal("9223372036854775808".into())),
            ("inf", Float(f64::INFINITY)),
            ("-inf", Float(f64::NEG_INFINITY)),
            ("null", Null),
            ("None", text("None")),
            ("true", Bool(true)),
            ("False", Bool(false)),
            ("yes", text("yes")),
            ("'1'", text("1")),
            ("\"0.5\"", text("0.5")),
            ("'null'", text("null")),
            ("a b", text("a b")),
            ("'a,b'", text("a,b")),
            ("a\\,b", text("a,b")),
            ("'a=b'", text("a=b")),
            ("'#c: {x}'", text("#c: {x}")),
            ("\"it's\"", text("it's")),
            ("'it\\'s'", text("it's")),
            ("/tmp/x-1.2_y", text("/tmp/x-1.2_y")),
            ("a:b", text("a:b")),
            ("50%", text("50%")),
            ("2020-01-01", text("2020-01-01")),
            ("", text("")),
            (" 5", Int(5)),
            ("[]", List(vec![])),
            ("[1,x,2.5,null]", List(vec![Int(1), text("x"), Float(2.5), Null])),
        ];
        for (source, wanted) in table {
            assert_eq!(value(source), wanted, "{source}");
        }
        let nested = value("{a: 1, b: [x], 'c d': {}}");
        assert_eq!(nested.as_map().unwrap().keys().collect::<Vec<_>>(), ["a", "b", "c d"]);
    }

    #[test]
    fn the_operation_and_the_file_come_first() {
        let parsed = Override::parse("sub/p.toml:++a.b=1").unwrap();
        assert_eq!(parsed.file.as_deref(), Some("sub/p.toml"));
        assert_eq!((parsed.key_text(), parsed.operation), ("a.b".into(), Operation::AddOrChange(Int(1))));
        assert_eq!(Override::parse("+a=1").unwrap().operation, Operation::Add(Int(1)));
        assert_eq!(Override::parse("~a").unwrap().operation, Operation::Delete(None));
        assert_eq!(Override::parse("~a=0.1").unwrap().operation, Operation::Delete(Some(Float(0.1))));
        assert_eq!(Override::parse("name=a:b").unwrap().file, None);
    }

    #[test]
    fn spaces_around_the_equals_sign_are_understood() {
        let parsed = Override::parse("my.toml:learning_rate = 0.0001").unwrap();
        assert_eq!(parsed.file.as_deref(), Some("my.toml"));
        assert_eq!((parsed.key_text(), parsed.operation), ("learning_rate".into(), Operation::Change(Float(1e-4))));
    }

    #[test]
    fn what_is_not_in_the_grammar_is_refused() {
        for bad in
            ["lr", "=1", "lr==1", "lr=a=b", "lr=[1,", "lr={a", "lr=a#b", "lr=1 # c", "+", "~", "lst[0]=1", "a..b=1"]
        {
            assert!(matches!(Override::parse(bad), Err(OverrideError::Grammar { .. })), "{bad}");
        }
        for sweep in ["lr=1,2", "lr=choice(1,2)", "lr=range(1,5)"] {
            assert!(matches!(Override::parse(sweep), Err(OverrideError::Sweep { .. })), "{sweep}");
        }
        assert!(Override::parse("lr=glob(*)").is_err());
        assert!(Override::parse(&format!("lr={}", "[".repeat(100_000))).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in ".{0,40}") {
            drop(Override::parse(&text));
        }

        #[test]
        fn any_quoted_text_is_itself(inner in "[^'\\\\]{0,20}") {
            proptest::prop_assert_eq!(value(&format!("'{inner}'")), Value::Text(inner));
        }
    }
}
