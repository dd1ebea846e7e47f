//! [`Variable`]: a value that templates can name, and where it was written.

use std::fmt;
use std::rc::Rc;

use dewar_text::Value;
use indexmap::IndexMap;

use crate::path::RepoPath;

/// Variables by name, in the order of their sources.
pub(super) type Variables = IndexMap<String, Variable>;

/// What values were written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    /// A parameter file.
    File(RepoPath),
    /// `vars` of the `dvc.yaml`, such as `vars[0]` or `train.vars[1]`.
    Vars(String),
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => file.fmt(f),
            Self::Vars(place) => f.write_str(place),
        }
    }
}

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    /// In what.
    pub(super) written: Rc<Written>,
    /// Its dotted key there.
    pub(super) key: String,
}

impl Origin {
    fn below(&self, part: &str) -> Self {
        let key = if self.key.is_empty() { part.to_owned() } else { format!("{}.{part}", self.key) };
        Self { written: Rc::clone(&self.written), key }
    }
}

/// A value that templates can name. Cheap to copy.
#[derive(Debug, Clone)]
pub(super) enum Variable {
    /// A value as one source has it; without an origin it stands in what is iterated over.
    Whole {
        /// The value.
        value: Rc<Value>,
        /// Where it was written.
        origin: Option<Origin>,
    },
    /// A mapping whose entries come from several places.
    Map(Variables),
    /// A list whose items come from several places.
    List(Vec<Self>),
}

/// Why a path names nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotFound {
    /// How many of its parts do name something.
    pub(super) depth: usize,
    /// What is there.
    pub(super) there: There,
}

/// What a path came to when it could not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum There {
    /// A mapping with these keys.
    Keys(Vec<String>),
    /// A list of this length.
    Items(usize),
    /// Something that has no parts.
    Leaf(&'static str),
}

impl Variable {
    /// A value that was written here, in what is iterated over.
    pub(super) fn here(value: Value) -> Self {
        Self::Whole { value: Rc::new(value), origin: None }
    }

    /// A value that was written elsewhere.
    pub(super) fn written(value: Value, origin: Origin) -> Self {
        Self::Whole { value: Rc::new(value), origin: Some(origin) }
    }

    /// What `path` names below it; a negative index counts from the end of a list, as in Python.
    pub(super) fn select(&self, path: &[&str]) -> Result<Self, NotFound> {
        self.descend(path, 0)
    }

    fn descend(&self, path: &[&str], depth: usize) -> Result<Self, NotFound> {
        let Some((part, rest)) = path.split_first() else { return Ok(self.clone()) };
        match self {
            Self::Map(map) => match map.get(*part) {
                Some(below) => below.descend(rest, depth + 1),
                None => Err(NotFound { depth, there: There::Keys(map.keys().cloned().collect()) }),
            },
            Self::List(items) => match index(part, items.len()).and_then(|at| items.get(at)) {
                Some(below) => below.descend(rest, depth + 1),
                None => Err(NotFound { depth, there: There::Items(items.len()) }),
            },
            Self::Whole { value, origin } => {
                let (mut at, mut origin) = (value.as_ref(), origin.clone());
                for (further, part) in path.iter().enumerate() {
                    let depth = depth + further;
                    let (below, key) = match at {
                        Value::Map(map) => {
                            let keys = || There::Keys(map.keys().cloned().collect());
                            let below = map.get(*part).ok_or_else(|| NotFound { depth, there: keys() })?;
                            (below, (*part).to_owned())
                        }
                        Value::List(items) => {
                            let found = index(part, items.len()).and_then(|at| Some((items.get(at)?, at.to_string())));
                            found.ok_or(NotFound { depth, there: There::Items(items.len()) })?
                        }
                        leaf => return Err(NotFound { depth, there: There::Leaf(leaf.kind()) }),
                    };
                    at = below;
                    origin = origin.map(|origin| origin.below(&key));
                }
                Ok(Self::Whole { value: Rc::new(at.clone()), origin })
            }
        }
    }

    /// The entries of a mapping.
    pub(super) fn entries(&self) -> Option<Vec<(String, Self)>> {
        match self {
            Self::Map(map) => Some(map.iter().map(|(key, variable)| (key.clone(), variable.clone())).collect()),
            Self::Whole { value, origin } => {
                let below = |(key, value): (&String, &Value)| {
                    let origin = origin.as_ref().map(|origin| origin.below(key));
                    (key.clone(), Self::Whole { value: Rc::new(value.clone()), origin })
                };
                Some(value.as_map()?.iter().map(below).collect())
            }
            Self::List(_) => None,
        }
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Option<Vec<Self>> {
        match self {
            Self::List(items) => Some(items.clone()),
            Self::Whole { value, origin } => {
                let Value::List(items) = value.as_ref() else { return None };
                let below = |(at, value): (usize, &Value)| {
                    let origin = origin.as_ref().map(|origin| origin.below(&at.to_string()));
                    Self::Whole { value: Rc::new(value.clone()), origin }
                };
                Some(items.iter().enumerate().map(below).collect())
            }
            Self::Map(_) => None,
        }
    }

    /// The plain value.
    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Whole { value, .. } => value.as_ref().clone(),
            Self::Map(map) => Value::Map(map.iter().map(|(key, below)| (key.clone(), below.to_value())).collect()),
            Self::List(items) => Value::List(items.iter().map(Self::to_value).collect()),
        }
    }

    /// The value, when it is no list or mapping.
    pub(super) fn scalar(&self) -> Option<&Value> {
        match self {
            Self::Whole { value, .. } if !matches!(value.as_ref(), Value::List(_) | Value::Map(_)) => Some(value),
            _ => None,
        }
    }

    /// Whether it is a mapping.
    pub(super) fn is_mapping(&self) -> bool {
        match self {
            Self::Map(_) => true,
            Self::Whole { value, .. } => value.as_map().is_some(),
            Self::List(_) => false,
        }
    }

    /// What kind of value it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Whole { value, .. } => value.kind(),
            Self::Map(_) => "a mapping",
            Self::List(_) => "a list",
        }
    }

    /// Where it and what is below it was written.
    pub(super) fn origins(&self) -> Vec<&Origin> {
        match self {
            Self::Whole { origin, .. } => origin.iter().collect(),
            Self::Map(map) => map.values().flat_map(Self::origins).collect(),
            Self::List(items) => items.iter().flat_map(Self::origins).collect(),
        }
    }

    /// The entries, to be changed, of a mapping; from now on each has an origin of its own.
    pub(super) fn entries_mut(&mut self) -> Option<&mut Variables> {
        if let Self::Whole { .. } = self {
            *self = Self::Map(self.entries()?.into_iter().collect());
        }
        if let Self::Map(map) = self { Some(map) } else { None }
    }
}

fn index(part: &str, length: usize) -> Option<usize> {
    let at: i64 = part.parse().ok()?;
    match usize::try_from(at) {
        Ok(at) => Some(at),
        Err(_) => length.checked_sub(usize::try_from(at.unsigned_abs()).ok()?),
    }
}
