//! `choice(…)` and `range(…)`: their arguments, by position or by name.

use dewar_text::Value;

use super::range::{Number, Range};
use crate::params::overrides::fault::{Argument, ArgumentFault, Fault, Function};
use crate::params::overrides::values::Reader;

/// The values of the function whose `(` was just read, and what is behind its `)` left to be read. Never empty.
pub(super) fn values(function: Function, reader: &mut Reader<'_>) -> Result<Vec<Value>, Fault> {
    let arguments = arguments(reader)?;
    if arguments.is_empty() {
        return Err(Fault::NoArguments(function));
    }
    match function {
        Function::Choice => choice(arguments),
        Function::Range => range(arguments),
    }
}

/// An argument as it is written.
struct Written {
    name: Option<String>,
    value: Value,
}

fn arguments(reader: &mut Reader<'_>) -> Result<Vec<Written>, Fault> {
    let mut arguments = Vec::new();
    if reader.take(')') {
        return Ok(arguments);
    }
    loop {
        let name = reader.name_before('=').map(str::to_owned);
        arguments.push(Written { name, value: reader.element(")")? });
        if reader.take(')') {
            return Ok(arguments);
        }
        if !reader.take(',') {
            return Err(Fault::Unclosed('('));
        }
    }
}

fn choice(arguments: Vec<Written>) -> Result<Vec<Value>, Fault> {
    let values = arguments.into_iter().enumerate().map(|(index, Written { name, value })| match name {
        None => Ok(value),
        Some(name) => Err(Fault::Argument {
            function: Function::Choice,
            argument: Argument { position: Some(index + 1), name: Some(name) },
            fault: ArgumentFault::UnknownName,
        }),
    });
    values.collect()
}

/// The arguments of a range, by position.
const NAMES: [&str; 3] = ["start", "stop", "step"];

fn range(arguments: Vec<Written>) -> Result<Vec<Value>, Fault> {
    let mut given: [Option<Number>; 3] = [None; 3];
    let mut named = false;
    for (index, Written { name, value }) in arguments.into_iter().enumerate() {
        let fault = |name: Option<&str>, fault| Fault::Argument {
            function: Function::Range,
            argument: Argument { position: Some(index + 1), name: name.map(str::to_owned) },
            fault,
        };
        let slot = match &name {
            Some(name) => NAMES.iter().position(|known| known == name),
            None if named => return Err(fault(None, ArgumentFault::NeedsName)),
            None => Some(index),
        };
        named |= name.is_some();
        let known = slot.and_then(|slot| Some((*NAMES.get(slot)?, given.get_mut(slot)?)));
        let Some((known, slot)) = known else {
            let unknown = if name.is_some() { ArgumentFault::UnknownName } else { ArgumentFault::TooMany };
            return Err(fault(name.as_deref(), unknown));
        };
        if slot.is_some() {
            return Err(fault(Some(known), ArgumentFault::Twice));
        }
        let number = Number::of(&value).map_err(|problem| fault(Some(known), problem))?;
        if known == "step" && number.is_zero() {
            return Err(fault(Some(known), ArgumentFault::Zero));
        }
        *slot = Some(number);
    }
    let [start, stop, step] = given;
    let Some(start) = start else {
        return Err(Fault::Argument {
            function: Function::Range,
            argument: Argument { position: None, name: Some("start".to_owned()) },
            fault: ArgumentFault::Absent,
        });
    };
    // A single number is where the range stops.
    let (start, stop) = stop.map_or((Number::Int(0), start), |stop| (start, stop));
    Range { start, stop, step: step.unwrap_or(Number::Int(1)) }.values()
}
