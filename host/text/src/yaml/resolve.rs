//! What a plain scalar means: the YAML 1.2 rules of ruamel.yaml (`resolver.py`, `constructor.py`), which differ from the core
//! schema: `017` is 17, `0b11` and `1_000` are integers, a date is a date.

use crate::value::Value;

/// What a plain scalar resolves to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plain {
    /// A value.
    Value(Value),
    /// `<<`: the merge key, an error anywhere but in key position.
    Merge,
    /// `=`: the default-value key of YAML 1.1, an error anywhere but in key position.
    Default,
}

/// Resolves a plain scalar without a tag.
pub(super) fn plain(text: &str) -> Plain {
    Plain::Value(match text.as_bytes().first() {
        None => Value::Null,
        Some(b'<') if text == "<<" => return Plain::Merge,
        Some(b'=') if text == "=" => return Plain::Default,
        Some(b'~' | b'n' | b'N') if matches!(text, "~" | "null" | "Null" | "NULL") => Value::Null,
        Some(b't' | b'T') if matches!(text, "true" | "True" | "TRUE") => Value::Bool(true),
        Some(b'f' | b'F') if matches!(text, "false" | "False" | "FALSE") => Value::Bool(false),
        Some(b'-' | b'+' | b'.' | b'0'..=b'9') => number(text)
            .unwrap_or_else(|| if is_timestamp(text) { literal(text) } else { Value::Text(text.to_owned()) }),
        _ => Value::Text(text.to_owned()),
    })
}

/// Whether ruamel would read the plain scalar `text` as anything but a string, and so quotes a string that says it. Wider than
/// [`plain`]: `-_` matches ruamel's integers although it is none.
pub(super) fn needs_quotes(text: &str) -> bool {
    match plain(text) {
        Plain::Value(Value::Text(_)) => is_int(text) || is_float(text),
        _ => true,
    }
}

fn literal(text: &str) -> Value {
    Value::Literal(text.to_owned())
}

fn number(text: &str) -> Option<Value> {
    // Floats first, as ruamel's resolver has them.
    if is_float(text) {
        float(text).map(Value::Float)
    } else if is_int(text) {
        int(text)
    } else {
        None
    }
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

fn all(text: &str, test: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(test)
}

fn is_int(text: &str) -> bool {
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+') {
        return false;
    }
    let digits = unsigned(text);
    let tail = |prefix: &str| digits.strip_prefix(prefix).unwrap_or_default();
    all(digits, |byte| byte.is_ascii_digit() || byte == b'_')
        || all(tail("0b"), |byte| matches!(byte, b'0' | b'1' | b'_'))
        || all(tail("0o"), |byte| matches!(byte, b'0'..=b'7' | b'_'))
        || all(tail("0x"), |byte| byte.is_ascii_hexdigit() || byte == b'_')
}

/// The value of an integer; one of more than 64 bits is a literal in decimal, as Python prints it.
pub(super) fn int(text: &str) -> Option<Value> {
    let digits: String = unsigned(text).chars().filter(|c| *c != '_').collect();
    let sign = if text.starts_with('-') { "-" } else { "" };
    let (radix, digits) = ["0b", "0o", "0x"]
        .into_iter()
        .zip([2, 8, 16])
        .find_map(|(prefix, radix)| digits.strip_prefix(prefix).map(|digits| (radix, digits)))
        .unwrap_or((10, &digits));
    if !all(digits, |byte| char::from(byte).is_digit(radix)) {
        return None;
    }
    let signed = format!("{sign}{digits}");
    if let Ok(value) = i64::from_str_radix(&signed, radix) {
        return Some(Value::Int(value));
    }
    if radix == 10 {
        return Some(Value::Literal(format!("{sign}{}", digits.trim_start_matches('0'))));
    }
    Some(i128::from_str_radix(&signed, radix).map_or_else(|_| literal(text), |value| Value::Literal(value.to_string())))
}

fn is_float(text: &str) -> bool {
    let number = unsigned(text);
    if matches!(number, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (number, None),
    };
    if exponent.is_some_and(|exponent| !all(unsigned(exponent), |byte| byte.is_ascii_digit())) {
        return false;
    }
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    match mantissa.split_once('.') {
        // `.5e3` lacks the sign that ruamel asks for here, and is a string.
        Some(("", fraction)) => {
            !fraction.is_empty() && digits(fraction) && exponent.is_none_or(|exponent| exponent.starts_with(['-', '+']))
        }
        Some((whole, fraction)) => whole.starts_with(|c: char| c.is_ascii_digit()) && digits(whole) && digits(fraction),
        None => exponent.is_some() && mantissa.starts_with(|c: char| c.is_ascii_digit()) && digits(mantissa),
    }
}

/// The value of a float, or of an integer that a tag makes one.
pub(super) fn float(text: &str) -> Option<f64> {
    let number: String = unsigned(text).chars().filter(|c| *c != '_').collect::<String>().to_ascii_lowercase();
    let value = match number.as_str() {
        ".inf" => f64::INFINITY,
        ".nan" => f64::NAN,
        // Rust would read `inf` and `nan`, too.
        _ if number.starts_with(|c: char| c.is_ascii_digit() || c == '.') => number.parse().ok()?,
        _ => return None,
    };
    Some(if text.starts_with('-') { -value } else { value })
}

/// The value of a boolean that a tag asks for.
pub(super) fn bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "y" | "true" | "on" => Some(true),
        "no" | "n" | "false" | "off" => Some(false),
        _ => None,
    }
}

/// `2024-01-02`, or a date with a time: `2024-1-2T3:04:05.6 +01:00`.
pub(super) fn is_timestamp(text: &str) -> bool {
    let mut rest = text;
    let digits = |rest: &mut &str, least: usize, most: usize| {
        let count = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        *rest = rest.get(count..).unwrap_or_default();
        count >= least
    };
    let sign = |rest: &mut &str, c: char| rest.strip_prefix(c).map(|after| *rest = after).is_some();
    if !(digits(&mut rest, 4, 4) && sign(&mut rest, '-')) {
        return false;
    }
    let date = rest;
    if digits(&mut rest, 2, 2) && sign(&mut rest, '-') && digits(&mut rest, 2, 2) && rest.is_empty() {
        return true;
    }
    rest = date;
    if !(digits(&mut rest, 1, 2) && sign(&mut rest, '-') && digits(&mut rest, 1, 2)) {
        return false;
    }
    let time = rest.trim_start_matches([' ', '\t']);
    if time.len() < rest.len() {
        rest = time;
    } else if !(sign(&mut rest, 'T') || sign(&mut rest, 't')) {
        return false;
    }
    let clock = digits(&mut rest, 1, 2)
        && sign(&mut rest, ':')
        && digits(&mut rest, 2, 2)
        && sign(&mut rest, ':')
        && digits(&mut rest, 2, 2);
    if !clock {
        return false;
    }
    if sign(&mut rest, '.') {
        digits(&mut rest, 0, usize::MAX);
    }
    if rest.is_empty() {
        return true;
    }
    rest = rest.trim_start_matches([' ', '\t']);
    if rest == "Z" {
        return true;
    }
    (sign(&mut rest, '-') || sign(&mut rest, '+'))
        && digits(&mut rest, 1, 2)
        && (rest.is_empty() || (sign(&mut rest, ':') && digits(&mut rest, 2, 2) && rest.is_empty()))
}

#[cfg(test)]
mod tests;
