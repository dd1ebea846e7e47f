//! Values in a compact binary form, for what is remembered between commands. Disposable: anything unexpected reads as nothing.

use dewar_text::{Map, Value};

/// Raised when the form changes, so that an older file reads as nothing.
const VERSION: u8 = 1;
/// As deep as the readers of text go.
const MAX_DEPTH: usize = 512;

/// Where something stands, for `#[serde(with)]`.
pub(crate) mod span {
    use dewar_text::Span;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(span: &Span, to: S) -> Result<S::Ok, S::Error> {
        (span.start, span.end).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Span, D::Error> {
        <(usize, usize)>::deserialize(from).map(|(start, end)| Span::new(start, end))
    }
}

/// A value, for `#[serde(with)]`: in the form below, whose depth is bounded. Null, which nearly all are, takes no bytes.
pub(crate) mod value {
    use dewar_text::Value;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(value: &Value, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Value::Null => to.serialize_bytes(&[]),
            value => to.serialize_bytes(&super::encode(value)),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
        match <&[u8]>::deserialize(from)? {
            [] => Ok(Value::Null),
            bytes => super::decode(bytes).ok_or_else(|| de::Error::custom("not a value")),
        }
    }
}

/// A mapping, for `#[serde(with)]`. An empty one takes no bytes.
pub(crate) mod map {
    use dewar_text::{Map, Value};
    use serde::{Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(map: &Map, to: S) -> Result<S::Ok, S::Error> {
        let value = if map.is_empty() { Value::Null } else { Value::Map(map.clone()) };
        super::value::serialize(&value, to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Map, D::Error> {
        match super::value::deserialize(from)? {
            Value::Null => Ok(Map::new()),
            Value::Map(map) => Ok(map),
            _ => Err(de::Error::custom("not a mapping")),
        }
    }
}

/// Mappings by name, for `#[serde(with)]`.
pub(crate) mod maps {
    use dewar_text::{Map, Value};
    use indexmap::IndexMap;
    use serde::{Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(maps: &IndexMap<String, Map>, to: S) -> Result<S::Ok, S::Error> {
        let maps = maps.iter().map(|(name, map)| (name.clone(), Value::Map(map.clone())));
        super::map::serialize(&maps.collect(), to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<IndexMap<String, Map>, D::Error> {
        let named = |(name, value)| match value {
            Value::Map(map) => Ok((name, map)),
            _ => Err(de::Error::custom("not a mapping")),
        };
        super::map::deserialize(from)?.into_iter().map(named).collect()
    }
}

/// The binary form of `value`.
pub(crate) fn encode(value: &Value) -> Vec<u8> {
    let mut out = vec![VERSION];
    write(value, &mut out);
    out
}

/// The value that `bytes` are the form of; none when they are not.
pub(crate) fn decode(bytes: &[u8]) -> Option<Value> {
    let (version, mut rest) = bytes.split_first()?;
    let value = (*version == VERSION).then(|| read(&mut rest, 0))??;
    rest.is_empty().then_some(value)
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(b'n'),
        Value::Bool(false) => out.push(b'f'),
        Value::Bool(true) => out.push(b't'),
        Value::Int(value) => {
            out.push(b'i');
            out.extend(value.to_le_bytes());
        }
        Value::Float(value) => {
            out.push(b'd');
            out.extend(value.to_le_bytes());
        }
        Value::Text(text) => {
            out.push(b's');
            write_text(text, out);
        }
        Value::Literal(text) => {
            out.push(b'l');
            write_text(text, out);
        }
        Value::List(items) => {
            out.push(b'[');
            write_length(items.len(), out);
            items.iter().for_each(|item| write(item, out));
        }
        Value::Map(map) => {
            out.push(b'{');
            write_length(map.len(), out);
            for (key, value) in map {
                write_text(key, out);
                write(value, out);
            }
        }
    }
}

fn write_length(length: usize, out: &mut Vec<u8>) {
    out.extend((length as u64).to_le_bytes());
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    write_length(text.len(), out);
    out.extend(text.as_bytes());
}

fn read(rest: &mut &[u8], depth: usize) -> Option<Value> {
    if depth > MAX_DEPTH {
        return None;
    }
    Some(match take(rest, 1)?.first()? {
        b'n' => Value::Null,
        b'f' => Value::Bool(false),
        b't' => Value::Bool(true),
        b'i' => Value::Int(i64::from_le_bytes(take(rest, 8)?.try_into().ok()?)),
        b'd' => Value::Float(f64::from_le_bytes(take(rest, 8)?.try_into().ok()?)),
        b's' => Value::Text(read_text(rest)?),
        b'l' => Value::Literal(read_text(rest)?),
        b'[' => Value::List((0..read_length(rest)?).map(|_| read(rest, depth + 1)).collect::<Option<_>>()?),
        b'{' => Value::Map(
            (0..read_length(rest)?)
                .map(|_| Some((read_text(rest)?, read(rest, depth + 1)?)))
                .collect::<Option<Map>>()?,
        ),
        _ => return None,
    })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

/// A length; one that is beyond what is left cannot be right, whatever it counts.
fn read_length(rest: &mut &[u8]) -> Option<usize> {
    let length = usize::try_from(u64::from_le_bytes(take(rest, 8)?.try_into().ok()?)).ok()?;
    (length <= rest.len()).then_some(length)
}

fn read_text(rest: &mut &[u8]) -> Option<String> {
    let length = read_length(rest)?;
    String::from_utf8(take(rest, length)?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            (-1e300..1e300f64).prop_map(Value::Float),
            ".{0,8}".prop_map(Value::Text),
            ".{0,8}".prop_map(Value::Literal),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
                prop::collection::vec((".{0,5}", inner), 0..5)
                    .prop_map(|entries| Value::Map(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn decodes_what_it_encoded(value in values()) {
            prop_assert_eq!(decode(&encode(&value)), Some(value));
        }

        #[test]
        fn damage_reads_as_nothing_or_a_value(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            drop(decode(&bytes));
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let mut bytes = vec![VERSION];
        for _ in 0..10_000 {
            bytes.push(b'[');
            bytes.extend(1u64.to_le_bytes());
        }
        assert_eq!(decode(&bytes), None);
    }
}
