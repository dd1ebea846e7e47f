//! [`Value`]: what a text format says, without where or how it says it.

use indexmap::IndexMap;

/// A mapping in the order of the source. Equality ignores the order, as that of Python's `dict` does.
pub type Map = IndexMap<String, Value>;

/// A tree of plain values, the common ground of YAML, JSON, TOML and Python literals.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// `null`, `~`, `None`, or nothing at all.
    #[default]
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer that fits 64 bits; larger ones are a [`Value::Literal`].
    Int(i64),
    /// A floating-point number, infinities and NaN included.
    Float(f64),
    /// A string.
    Text(String),
    /// A scalar with no counterpart above (a date, a big integer), written the way its format writes it.
    Literal(String),
    /// A sequence.
    List(Vec<Self>),
    /// A mapping. Keys that are not strings in the source are held as their text.
    Map(Map),
}

impl Value {
    /// Equality of values for checking an edit: as `==`, but NaN equals NaN.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Float(a), Self::Float(b)) => a == b || (a.is_nan() && b.is_nan()),
            (Self::List(a), Self::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b)),
            (Self::Map(a), Self::Map(b)) => {
                a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| a.same(b)))
            }
            _ => self == other,
        }
    }

    /// What kind of value this is, for messages: `a string`, `a mapping`, …
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Text(_) => "a string",
            Self::Literal(_) => "a literal",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }

    /// The mapping, if this is one.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        if let Self::Map(map) = self { Some(map) } else { None }
    }

    /// The text, if this is a string.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}
