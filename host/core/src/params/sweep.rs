//! Sweeps: several values behind one `-S`, in Hydra's basic grammar (hydra.cc, "Override grammar"; results as of Hydra 1.3),
//! and the points that several `-S` span.
//!
//! `a=1,2` and `a=choice(1,2)` give the values that stand there; `a=range(stop)`, `a=range(start,stop)` and
//! `a=range(start,stop,step)` those from `start` up to, and without, `stop`. Otherwise than in Hydra, a range of no values is an
//! error, `choice('1','2')` keeps its strings, and of several equal values of one list one remains.
//!
//! In reading order: this file, [`functions`] (what stands in the brackets), [`range`], [`decimal`] (its arithmetic).

mod decimal;
mod functions;
mod range;

use std::collections::HashSet;

use dewar_text::Value;

use super::overrides::{Fault, Head, Override, OverrideError, Verb, values::Reader, written};
use crate::pipeline::stage::DEFAULT_PARAMS;

/// How many points a sweep may have, and how many values a range.
pub const MAX_POINTS: usize = 100_000;

/// One `-S` that may give several values.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepOverride(Values);

#[derive(Debug, Clone, PartialEq)]
enum Values {
    /// As [`Override::parse`] takes it.
    One(Override),
    /// A list or a function; never empty, no two are written alike.
    Several { head: Head, values: Vec<Value> },
}

impl SweepOverride {
    /// Parses one `-S`. Of values that are equal (`a=1,1`) the first remains: to run one point twice is to run it for nothing.
    ///
    /// # Errors
    /// When it does not follow the grammar, deletes with several values, or is a range without values or with more than
    /// [`MAX_POINTS`].
    pub fn parse(text: &str) -> Result<Self, OverrideError> {
        Self::read(text).map_err(|fault| fault.of(text))
    }

    fn read(text: &str) -> Result<Self, Fault> {
        let (head, value) = Head::read(text)?;
        let Some(value) = value else {
            return head.without_value().map(|one| Self(Values::One(one)));
        };
        let mut reader = Reader::new(value);
        let values = if let Some(function) = reader.call()? {
            let values = functions::values(function, &mut reader)?;
            if reader.take(',') {
                return Err(Fault::NotAlone(function));
            }
            values
        } else {
            let mut values = vec![reader.top()?];
            while reader.take(',') {
                values.push(reader.element("")?);
            }
            if values.len() == 1 {
                reader.end()?;
                return Ok(Self(Values::One(head.with(values.remove(0)))));
            }
            values
        };
        reader.end()?;
        if head.verb == Verb::Delete {
            return Err(Fault::SeveralDeleted);
        }
        Ok(Self(Values::Several { head, values: distinct(values) }))
    }

    /// Whether it is written as a sweep: as a list or a function, be it of one value.
    #[must_use]
    pub const fn is_sweep(&self) -> bool {
        matches!(self.0, Values::Several { .. })
    }

    /// The override, when it is no sweep.
    #[must_use]
    pub fn single(self) -> Option<Override> {
        if let Values::One(one) = self.0 { Some(one) } else { None }
    }

    /// How many overrides it stands for; never 0.
    const fn count(&self) -> usize {
        match &self.0 {
            Values::One(_) => 1,
            Values::Several { values, .. } => values.len(),
        }
    }

    fn at(&self, index: usize) -> Option<Override> {
        match &self.0 {
            Values::One(one) => Some(one.clone()),
            Values::Several { head, values } => values.get(index).map(|value| head.clone().with(value.clone())),
        }
    }

    /// What Hydra knows an override by: a later one with the same takes its place.
    fn identity(&self) -> (&str, Verb, &[String]) {
        let (file, verb, key) = match &self.0 {
            Values::One(one) => (&one.file, one.verb(), &one.key),
            Values::Several { head, .. } => (&head.file, head.verb, &head.key),
        };
        (file.as_deref().unwrap_or(DEFAULT_PARAMS), verb, key)
    }
}

fn distinct(mut values: Vec<Value>) -> Vec<Value> {
    let mut seen = HashSet::with_capacity(values.len());
    values.retain(|value| seen.insert(written::value(value)));
    values
}

/// All `-S` of one command: the points are the product of their values, in the order in which nested loops give them, the
/// first `-S` being the outermost. An `-S` takes the place of an earlier one that says the same of the same key, as in Hydra.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    overrides: Vec<SweepOverride>,
    size: usize,
}

/// A sweep has more than [`MAX_POINTS`] points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sweep has {points} points; {MAX_POINTS} are the most")]
pub struct TooManyPoints {
    /// How many, if a number of 128 bits can say it.
    pub points: u128,
}

impl Sweep {
    /// The sweep over `overrides`: of one empty point when there are none.
    ///
    /// # Errors
    /// When it has more than [`MAX_POINTS`] points.
    pub fn new(overrides: Vec<SweepOverride>) -> Result<Self, TooManyPoints> {
        let mut kept: Vec<SweepOverride> = Vec::with_capacity(overrides.len());
        for one in overrides {
            match kept.iter_mut().find(|before| before.identity() == one.identity()) {
                Some(before) => *before = one,
                None => kept.push(one),
            }
        }
        let points = kept.iter().fold(1_u128, |points, one| points.saturating_mul(one.count() as u128));
        match usize::try_from(points) {
            Ok(size) if size <= MAX_POINTS => Ok(Self { overrides: kept, size }),
            _ => Err(TooManyPoints { points }),
        }
    }

    /// Whether it is written as a sweep: one of its overrides is.
    #[must_use]
    pub fn is_sweep(&self) -> bool {
        self.overrides.iter().any(SweepOverride::is_sweep)
    }

    /// The points, made as they are asked for.
    pub fn points(&self) -> impl ExactSizeIterator<Item = Vec<Override>> {
        (0..self.size).map(|index| self.point(index))
    }

    /// The point at `index`, read as a number whose last digit is the last `-S`.
    fn point(&self, mut index: usize) -> Vec<Override> {
        let mut point = Vec::with_capacity(self.overrides.len());
        for one in self.overrides.iter().rev() {
            point.extend(one.at(index % one.count()));
            index /= one.count();
        }
        point.reverse();
        point
    }
}

/// An `-S` of one value, for tests that need an override.
#[cfg(test)]
pub(super) fn one(text: &str) -> Result<Override, OverrideError> {
    Ok(SweepOverride::parse(text)?.single().unwrap())
}

#[cfg(test)]
mod tests;
