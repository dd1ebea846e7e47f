//! [`scan`]: a strict JSON reader whose tree knows where everything stands.

use std::collections::HashSet;

use dewar_plugin::{Diagnostic, Entry, Node, NodeKind, Span, Value};

/// Deeper nesting is refused, so that no source can overflow the stack.
const MAX_DEPTH: usize = 256;

/// Reads a whole source.
pub(crate) fn scan(source: &[u8]) -> Result<Node, Diagnostic> {
    let text = std::str::from_utf8(source).map_err(|error| {
        let at = error.valid_up_to();
        Diagnostic::error("not-utf8", "the file is not UTF-8").at(Span::new(at, at + 1)).help("save it as UTF-8")
    })?;
    if source.is_empty() {
        return Ok(Node { kind: NodeKind::Map(Vec::new()), span: Span::new(0, 0) });
    }
    if text.starts_with('\u{feff}') {
        return Err(Diagnostic::error(
            "byte-order-mark",
            "the file begins with a byte order mark, which JSON does not have",
        )
        .at(Span::new(0, 3))
        .help("save it as UTF-8 without a byte order mark"));
    }
    let mut scanner = Scanner { text, at: 0 };
    scanner.space();
    let root = scanner.value(0)?;
    scanner.space();
    if scanner.peek().is_some() {
        let mut error = scanner.unexpected("nothing");
        if error.code == "syntax" {
            error = Diagnostic {
                code: "trailing-text".to_owned(),
                message: "text stands behind the value".to_owned(),
                ..error
            };
        }
        return Err(error);
    }
    Ok(root)
}

struct Scanner<'text> {
    text: &'text str,
    at: usize,
}

impl<'text> Scanner<'text> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'text str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn since(&self, start: usize) -> &'text str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Result<Node, Diagnostic> {
        let start = self.at;
        if depth > MAX_DEPTH {
            return Err(Diagnostic::error("too-deep", format!("nested deeper than {MAX_DEPTH} levels"))
                .at(Span::new(start, start + 1)));
        }
        let kind = match self.peek() {
            Some(b'{') => self.mapping(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => NodeKind::Scalar(Value::Text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => NodeKind::Scalar(self.number()?),
            _ => NodeKind::Scalar(self.word()?),
        };
        Ok(Node { kind, span: Span::new(start, self.at) })
    }

    fn mapping(&mut self, depth: usize) -> Result<NodeKind, Diagnostic> {
        self.at += 1;
        let mut entries = Vec::new();
        let mut keys = HashSet::new();
        self.space();
        if self.eat(b'}') {
            return Ok(NodeKind::Map(entries));
        }
        loop {
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a key in double quotes"));
            }
            let key = self.string()?;
            let key_span = Span::new(start, self.at);
            if !keys.insert(key.clone()) {
                return Err(Diagnostic::error("duplicate-key", format!("duplicate key `{key}` in this mapping"))
                    .at(key_span)
                    .help("take one of them away"));
            }
            self.space();
            if !self.eat(b':') {
                return Err(self.unexpected("`:`"));
            }
            self.space();
            let value = self.value(depth + 1)?;
            entries.push(Entry { key, key_span, value });
            if !self.more(b'}')? {
                return Ok(NodeKind::Map(entries));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<NodeKind, Diagnostic> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.eat(b']') {
            return Ok(NodeKind::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if !self.more(b']')? {
                return Ok(NodeKind::List(items));
            }
        }
    }

    /// After a member: goes over a comma to the next one, or over the closing bracket.
    fn more(&mut self, close: u8) -> Result<bool, Diagnostic> {
        self.space();
        if self.eat(close) {
            return Ok(false);
        }
        let comma = self.at;
        if !self.eat(b',') {
            return Err(self.unexpected(if close == b'}' { "`,` or `}`" } else { "`,` or `]`" }));
        }
        self.space();
        if self.peek() == Some(close) {
            return Err(Diagnostic::error("trailing-comma", "JSON has no comma behind the last member")
                .at(Span::new(comma, comma + 1))
                .help("take the comma away"));
        }
        Ok(true)
    }

    fn string(&mut self) -> Result<String, Diagnostic> {
        let open = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let start = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..=0x1f)) {
                self.at += 1;
            }
            text.push_str(self.since(start));
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(b'\n' | b'\r') | None => {
                    return Err(Diagnostic::error("unclosed-string", "the string does not end on its line")
                        .at(Span::new(open, self.at))
                        .help("close it with `\"`; a line break inside it is written `\\n`"));
                }
                Some(byte) => {
                    let written = if byte == b'\t' { "\\t".to_owned() } else { format!("\\u{byte:04x}") };
                    return Err(Diagnostic::error("control-character", "a control character stands in a string")
                        .at(Span::new(self.at, self.at + 1))
                        .help(format!("write it as `{written}`")));
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, Diagnostic> {
        let start = self.at;
        self.at += 1;
        let letter = self.peek();
        self.at += usize::from(letter.is_some_and(|byte| byte.is_ascii()));
        Ok(match letter {
            Some(letter @ (b'"' | b'\\' | b'/')) => char::from(letter),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let high = self.hex(start)?;
                let lone = |end| {
                    Diagnostic::error("lone-surrogate", "half of a surrogate pair is no character")
                        .at(Span::new(start, end))
                        .help("write both halves, or the character itself")
                };
                if !(0xd800..0xdc00).contains(&high) {
                    return char::from_u32(high).ok_or_else(|| lone(self.at));
                }
                let end = self.at;
                if !self.rest().starts_with("\\u") {
                    return Err(lone(end));
                }
                self.at += 2;
                let low = self.hex(end)?;
                if !(0xdc00..0xe000).contains(&low) {
                    return Err(lone(end));
                }
                char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)).ok_or_else(|| lone(self.at))?
            }
            _ => {
                return Err(Diagnostic::error("bad-escape", "JSON has no such escape")
                    .at(Span::new(start, self.at))
                    .help("a backslash is written `\\\\`"));
            }
        })
    }

    /// Four hexadecimal digits of the escape that begins at `start`.
    fn hex(&mut self, start: usize) -> Result<u32, Diagnostic> {
        let digits = self.rest().get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let value = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).ok_or_else(|| {
            Diagnostic::error("bad-escape", "`\\u` wants four hexadecimal digits").at(Span::new(start, self.at))
        })?;
        self.at += 4;
        Ok(value)
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<Value, Diagnostic> {
        let start = self.at;
        let negative = self.eat(b'-');
        if negative && self.rest().starts_with("Infinity") {
            self.at += "Infinity".len();
            return Ok(Value::Float(f64::NEG_INFINITY));
        }
        let leading_zero = self.peek() == Some(b'0');
        let digits = self.digits();
        let mut whole = true;
        let mut sound = digits > 0 && !(leading_zero && digits > 1);
        if self.eat(b'.') {
            whole = false;
            sound &= self.digits() > 0;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            whole = false;
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            sound &= self.digits() > 0;
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')) {
            self.at += 1;
            sound = false;
        }
        let written = self.since(start);
        let value = if whole {
            written.parse().map(Value::Int).unwrap_or_else(|_| Value::Literal(written.to_owned()))
        } else {
            Value::Float(written.parse().unwrap_or(f64::NAN))
        };
        if sound {
            return Ok(value);
        }
        Err(Diagnostic::error("bad-number", format!("`{written}` is no number of JSON"))
            .at(Span::new(start, self.at))
            .help("write it in decimal without leading zeros, or as a string in double quotes"))
    }

    fn word(&mut self) -> Result<Value, Diagnostic> {
        let words = [
            ("null", Value::Null),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("NaN", Value::Float(f64::NAN)),
            ("Infinity", Value::Float(f64::INFINITY)),
        ];
        let length = self.rest().bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        let word = self.rest().get(..length).unwrap_or_default();
        for (name, value) in words {
            if word == name {
                self.at += length;
                return Ok(value);
            }
        }
        Err(self.unexpected("a value"))
    }

    /// The error for what stands here, where something else should.
    fn unexpected(&self, wanted: &str) -> Diagnostic {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Diagnostic::error("unexpected-end", format!("the file ends where {wanted} should stand"))
                .at(Span::new(self.at, self.at));
        };
        let word = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        let span = Span::new(self.at, self.at + word.max(first.len_utf8()));
        if rest.starts_with("//") || rest.starts_with("/*") || first == '#' {
            return Diagnostic::error("comment", "JSON has no comments")
                .at(span)
                .help("take it away, or keep the parameters in YAML or TOML");
        }
        let error = Diagnostic::error("syntax", format!("{wanted} should stand here")).at(span);
        match (first, rest.get(..word)) {
            ('\'', _) => error.help("strings stand in double quotes"),
            (_, Some("True" | "False" | "None")) => error.help("JSON writes `true`, `false` and `null`"),
            (_, Some(word)) if !word.is_empty() => error.help("strings stand in double quotes"),
            _ => error,
        }
    }
}
