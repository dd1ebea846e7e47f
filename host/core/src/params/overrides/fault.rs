//! [`OverrideError`]: why a text is no override, with the function and the argument that it is about.

use std::fmt;

use crate::params::sweep::MAX_POINTS;

/// Why a text is no override: it does not follow the grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid override: {fault}")]
pub struct OverrideError {
    /// What was typed.
    pub text: String,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with the text of an override.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is no `=`, and it is no deletion.
    #[error("there is no `=value` behind the key")]
    NoValue,
    /// Nothing stands before the `=`.
    #[error("there is no key")]
    NoKey,
    /// `list[0]`.
    #[error("`[` cannot stand in a key; a list item is written `list.0`")]
    KeyBracket,
    /// A character that no key has.
    #[error("`{0}` cannot stand in a key")]
    KeyCharacter(char),
    /// `a..b`.
    #[error("a part of the key is empty")]
    EmptyKeyPart,
    /// A character that no unquoted value has.
    #[error("`{0}` must stand in quotes")]
    Unquoted(char),
    /// Something stands behind a complete value.
    #[error("`{0}` needs quotes around the value")]
    Behind(char),
    /// A quote or a bracket is not closed.
    #[error("a {} is not closed", if matches!(.0, '\'' | '"') { .0.to_string() } else { format!("`{}`", .0) })]
    Unclosed(char),
    /// An entry of a map has no `:`.
    #[error("a `{{` is not closed, or a key in it has no `: value`")]
    NoMapValue,
    /// Nothing stands where a value belongs: `1,,2`.
    #[error("a value is missing")]
    Missing,
    /// Lists in lists in lists.
    #[error("it is nested too deep")]
    TooDeep,
    /// A deletion of several values.
    #[error("a deletion has one value")]
    SeveralDeleted,
    /// A function of Hydra's grammar that has no meaning here.
    #[error("`{0}()` is not supported; `choice()` and `range()` are")]
    Unsupported(String),
    /// No function of the grammar.
    #[error("there is no function `{0}()`, and a value with `(` in it stands in quotes")]
    UnknownFunction(String),
    /// A function within a list, a map, another function, or beside other values.
    #[error("`{0}()` stands alone behind `=`, not inside or beside other values")]
    NotAlone(Function),
    /// `choice()`, `range()`.
    #[error("`{0}()` has no arguments")]
    NoArguments(Function),
    /// An argument of a function.
    #[error("{argument} of `{function}()` {fault}")]
    Argument {
        /// Of which function.
        function: Function,
        /// Which one.
        argument: Argument,
        /// What is wrong with it.
        fault: ArgumentFault,
    },
    /// A range whose start is not before its stop.
    #[error("`range()` gives no values: it starts at {start}, goes on by {step} and stops before {stop}")]
    EmptyRange {
        /// The first value, if there were one.
        start: String,
        /// The first that is not among the values.
        stop: String,
        /// From one value to the next.
        step: String,
    },
    /// More values than a sweep may have.
    #[error("`range()` gives more than {MAX_POINTS} values")]
    LongRange,
}

impl Fault {
    pub(in crate::params) fn of(self, text: &str) -> OverrideError {
        OverrideError { text: text.to_owned(), fault: self }
    }
}

/// A function that gives several values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// `choice(1,2)`.
    Choice,
    /// `range(1,3)`.
    Range,
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Choice => "choice",
            Self::Range => "range",
        })
    }
}

/// Which argument of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Counted from 1; none for one that is not there.
    pub position: Option<usize>,
    /// Its name, typed or known from its position.
    pub name: Option<String>,
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.position, &self.name) {
            (Some(position), Some(name)) => write!(f, "argument {position} (`{name}`)"),
            (Some(position), None) => write!(f, "argument {position}"),
            (None, Some(name)) => write!(f, "argument `{name}`"),
            (None, None) => f.write_str("an argument"),
        }
    }
}

/// What is wrong with an argument of a function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentFault {
    /// One too many.
    #[error("is one too many")]
    TooMany,
    /// The function has no argument of this name.
    #[error("has no meaning")]
    UnknownName,
    /// It was given before.
    #[error("is given twice")]
    Twice,
    /// It has no name, and one before it has.
    #[error("needs a name, as one before it has a name")]
    NeedsName,
    /// It is not there.
    #[error("is missing")]
    Absent,
    /// It is something else than a number.
    #[error("is {0}, not a number")]
    NotANumber(&'static str),
    /// It is infinite or NaN.
    #[error("is not a finite number")]
    NotFinite,
    /// It does not fit 127 bits.
    #[error("is too large")]
    TooLarge,
    /// A step of zero.
    #[error("is zero: it would never end")]
    Zero,
}
