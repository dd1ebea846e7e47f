//! [`Override`]: what the user typed behind `-S`, in Hydra's basic grammar (hydra.cc, "Override grammar"; the table of values
//! is that of DVC 3.67).
//!
//! `[file:]key=value` changes, `+key=value` adds, `++key=value` adds or changes, `~key` deletes (`~key=value` only when it
//! has that value). Spaces around `=` are allowed, as DVC's documentation shows them. Several values at once are a sweep:
//! [`super::sweep`].
//!
//! In reading order: this file (what stands before the value), [`values`] (the value), [`written`] (back to text), [`fault`]
//! (what can be wrong).

pub mod fault;
pub(super) mod values;
pub(super) mod written;

use std::fmt;

use dewar_text::Value;

pub use fault::{Fault, OverrideError};

/// One `-S`. Its [`Display`](fmt::Display) is a text that [`Override::parse`] reads as the same override.
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

impl Override {
    /// The dotted key.
    #[must_use]
    pub fn key_text(&self) -> String {
        self.key.join(".")
    }

    pub(super) const fn verb(&self) -> Verb {
        match self.operation {
            Operation::Change(_) => Verb::Change,
            Operation::Add(_) => Verb::Add,
            Operation::AddOrChange(_) => Verb::AddOrChange,
            Operation::Delete(_) => Verb::Delete,
        }
    }
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
        }
        write!(f, "{}{}", self.verb().sign(), self.key_text())?;
        self.operation.value().map_or(Ok(()), |value| write!(f, "={}", written::value(value)))
    }
}

impl Operation {
    const fn value(&self) -> Option<&Value> {
        match self {
            Self::Change(value) | Self::Add(value) | Self::AddOrChange(value) => Some(value),
            Self::Delete(value) => value.as_ref(),
        }
    }
}

/// The operation without its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Change,
    Add,
    AddOrChange,
    Delete,
}

impl Verb {
    const fn sign(self) -> &'static str {
        match self {
            Self::Change => "",
            Self::Add => "+",
            Self::AddOrChange => "++",
            Self::Delete => "~",
        }
    }
}

/// What stands before the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) file: Option<String>,
    pub(super) key: Vec<String>,
    pub(super) verb: Verb,
}

impl Head {
    /// The head, and the text behind the first `=`, if there is one.
    pub(super) fn read(text: &str) -> Result<(Self, Option<&str>), Fault> {
        let (left, value) = match text.split_once('=') {
            Some((left, value)) => (left.trim_end(), Some(value)),
            None => (text.trim_end(), None),
        };
        let (file, key) = match left.split_once(':') {
            Some((file, key)) => (Some(file.trim().to_owned()), key.trim_start()),
            None => (None, left.trim_start()),
        };
        // `++` before `+`; the empty sign of a change fits everything, so it comes last.
        let (verb, key) = [Verb::AddOrChange, Verb::Add, Verb::Delete]
            .into_iter()
            .find_map(|verb| Some((verb, key.strip_prefix(verb.sign())?)))
            .unwrap_or((Verb::Change, key));
        Ok((Self { file, key: read_key(key)?, verb }, value))
    }

    /// The override of a text without `=`.
    pub(super) fn without_value(self) -> Result<Override, Fault> {
        match self.verb {
            Verb::Delete => Ok(Override { file: self.file, key: self.key, operation: Operation::Delete(None) }),
            Verb::Change | Verb::Add | Verb::AddOrChange => Err(Fault::NoValue),
        }
    }

    /// The override that gives `value`.
    pub(super) fn with(self, value: Value) -> Override {
        let operation = match self.verb {
            Verb::Change => Operation::Change(value),
            Verb::Add => Operation::Add(value),
            Verb::AddOrChange => Operation::AddOrChange(value),
            Verb::Delete => Operation::Delete(Some(value)),
        };
        Override { file: self.file, key: self.key, operation }
    }
}

fn read_key(key: &str) -> Result<Vec<String>, Fault> {
    if key.is_empty() {
        return Err(Fault::NoKey);
    }
    if let Some(odd) = key.chars().find(|c| c.is_whitespace() || c.is_control() || "[](){},:'\"\\~+".contains(*c)) {
        return Err(if odd == '[' { Fault::KeyBracket } else { Fault::KeyCharacter(odd) });
    }
    let parts: Vec<String> = key.split('.').map(str::to_owned).collect();
    if parts.iter().any(String::is_empty) { Err(Fault::EmptyKeyPart) } else { Ok(parts) }
}

#[cfg(test)]
mod tests;
