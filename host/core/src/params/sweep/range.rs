//! [`Range`]: the numbers of `range(start,stop,step)`.
//!
//! Of integers only, they are integers, as of Python's `range`. Else they are floats, which Hydra (`FloatRange`) sums up as
//! decimal numbers of 28 digits from the exact values of the floats: not what a loop over floats gives, nor a
//! multiplication. `range(0.1,0.5,0.1)` is 0.1, 0.2, 0.30000000000000004, 0.4.

use std::iter::successors;

use dewar_text::{Value, number};

use super::MAX_POINTS;
use super::decimal::Decimal;
use crate::params::overrides::fault::{ArgumentFault, Fault};

/// Ten to this are more steps than [`MAX_POINTS`], however sums are rounded.
const FAR_TOO_MANY: i64 = 6;

/// An argument of a range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Int(i128),
    /// A finite one.
    Float(f64),
}

impl Number {
    pub(super) fn of(value: &Value) -> Result<Self, ArgumentFault> {
        match value {
            Value::Int(value) => Ok(Self::Int(i128::from(*value))),
            // What an override gives as a literal is an integer of more than 64 bits.
            Value::Literal(text) => text.parse().map(Self::Int).map_err(|_| ArgumentFault::TooLarge),
            Value::Float(value) if value.is_finite() => Ok(Self::Float(*value)),
            Value::Float(_) => Err(ArgumentFault::NotFinite),
            other => Err(ArgumentFault::NotANumber(other.kind())),
        }
    }

    pub(super) fn is_zero(self) -> bool {
        match self {
            Self::Int(value) => value == 0,
            Self::Float(value) => value == 0.0,
        }
    }

    fn decimal(self) -> Decimal {
        match self {
            Self::Int(value) => Decimal::from(value),
            Self::Float(value) => Decimal::from(value),
        }
    }

    fn text(self) -> String {
        match self {
            Self::Int(value) => value.to_string(),
            Self::Float(value) => number::repr(value),
        }
    }
}

/// What stands in the brackets; the step is not zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub(super) start: Number,
    pub(super) stop: Number,
    pub(super) step: Number,
}

impl Range {
    /// At least one value, at most [`MAX_POINTS`].
    pub(super) fn values(self) -> Result<Vec<Value>, Fault> {
        let values = match (self.start, self.stop, self.step) {
            (Number::Int(start), Number::Int(stop), Number::Int(step)) => integers(start, stop, step),
            (start, stop, step) => floats(&start.decimal(), &stop.decimal(), &step.decimal())?,
        };
        match values.len() {
            0 => Err(Fault::EmptyRange { start: self.start.text(), stop: self.stop.text(), step: self.step.text() }),
            1..=MAX_POINTS => Ok(values),
            _ => Err(Fault::LongRange),
        }
    }
}

/// One more than may be, at most.
fn integers(start: i128, stop: i128, step: i128) -> Vec<Value> {
    // A number that does not fit is beyond every stop.
    successors(Some(start), |at| at.checked_add(step))
        .take_while(|at| if step > 0 { *at < stop } else { *at > stop })
        .take(MAX_POINTS + 1)
        .map(|at| i64::try_from(at).map_or_else(|_| Value::Literal(at.to_string()), Value::Int))
        .collect()
}

/// One more than may be, at most: also where a step is too small to change a sum of 28 digits.
fn floats(start: &Decimal, stop: &Decimal, step: &Decimal) -> Result<Vec<Value>, Fault> {
    let before_stop = |at: &Decimal| if step.is_negative() { stop.is_below(at) } else { at.is_below(stop) };
    // Sums of numbers of very different sizes are slow, so that what is much too long is not tried.
    let (far, distance) = (step.times_ten_to(FAR_TOO_MANY), stop.minus(start));
    let beyond = if step.is_negative() { distance.is_below(&far) } else { far.is_below(&distance) };
    if beyond {
        return Err(Fault::LongRange);
    }
    let values = successors(Some(start.clone()), |at| Some(at.plus(step))).take_while(before_stop);
    Ok(values.take(MAX_POINTS + 1).map(|at| Value::Float(at.to_f64())).collect())
}
