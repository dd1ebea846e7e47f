//! `-S name = value`, as the documents of DVC write it: to a shell three arguments, the last two of which look like targets.

use std::ffi::{OsStr, OsString};

use clap::Parser;

use super::Cli;
use super::Command::Exp;
use super::exp::ExpCommand::Run;
use super::run::ExpRunArgs;

/// Parses a command line. An override of `exp run` in three arguments, `name`, `=` and `value`, becomes one: no stage is called
/// `=`, so that it can be nothing else. What is less clear than that is left as it was typed, and the command refuses it.
///
/// # Errors
/// When it is no command line of dewar, or help is asked for.
pub fn parse(line: Vec<OsString>) -> Result<Cli, clap::Error> {
    let parsed = Cli::try_parse_from(&line);
    // A negative value that stands alone was taken for a flag, so that the line as typed may be none.
    if parsed.as_ref().is_ok_and(|cli| run_of(cli).is_none_or(|run| !run.stages.targets.iter().any(|one| one == "="))) {
        return parsed;
    }
    let typed = line.len();
    let joined = joined(line);
    if joined.len() == typed {
        return parsed;
    }
    match Cli::try_parse_from(joined) {
        Ok(cli) if run_of(&cli).is_some() => Ok(cli),
        _ => parsed,
    }
}

fn run_of(cli: &Cli) -> Option<&ExpRunArgs> {
    match &cli.command {
        Exp(exp) => match &exp.command {
            Run(run) => Some(run),
            _ => None,
        },
        _ => None,
    }
}

fn joined(line: Vec<OsString>) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::with_capacity(line.len());
    let mut rest = line.into_iter().peekable();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            joined.push(argument);
            break;
        }
        let is_name = is_name_of_override(joined.last().map(OsString::as_os_str), &argument);
        joined.push(argument);
        if !is_name || rest.peek().is_none_or(|next| next != "=") {
            continue;
        }
        let Some(equals) = rest.next() else { continue };
        match rest.next_if(|value| !is_flag(value) && !value.as_encoded_bytes().starts_with(b"=")) {
            Some(value) => {
                if let Some(name) = joined.last_mut() {
                    name.push("=");
                    name.push(value);
                }
            }
            None => joined.push(equals),
        }
    }
    joined.extend(rest);
    joined
}

/// Whether the argument is, or ends with, what stands behind `-S`, and is only a name yet.
fn is_name_of_override(before: Option<&OsStr>, argument: &OsStr) -> bool {
    let Some(text) = argument.to_str() else { return false };
    let name = if before.is_some_and(|before| before == "-S" || before == "--set-param") {
        Some(text)
    } else {
        text.strip_prefix("--set-param=").or_else(|| text.strip_prefix("-S"))
    };
    name.is_some_and(|name| !name.is_empty() && !name.contains('='))
}

/// Whether it is for the command line and not a value; a negative number is a value.
fn is_flag(argument: &OsStr) -> bool {
    argument.to_str().is_some_and(|text| text.starts_with('-') && text.len() > 1 && text.parse::<f64>().is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The overrides and targets that a line comes to.
    fn parsed(line: &[&str]) -> (Vec<String>, Vec<String>) {
        let line = ["dewar", "exp", "run"].iter().chain(line).map(OsString::from).collect();
        let Exp(exp) = parse(line).unwrap().command else { panic!() };
        let Run(run) = exp.command else { panic!() };
        (run.set_param, run.stages.targets)
    }

    #[test]
    fn three_arguments_are_one_override() {
        for (line, overrides, targets) in [
            (&["-S", "my.toml:lr", "=", "0.1"][..], &["my.toml:lr=0.1"][..], &[][..]),
            (&["-S", "lr", "=", "-1e-5", "train"], &["lr=-1e-5"], &["train"]),
            (&["-S", "a", "=", "1", "-f", "--set-param", "b", "=", "2"], &["a=1", "b=2"], &[]),
            (&["--set-param=a", "=", "1", "-Sb", "=", "x y"], &["a=1", "b=x y"], &[]),
            (&["-S", "a=1", "-S", "b", "=", "2"], &["a=1", "b=2"], &[]),
            (&["train", "-S", "+a.b", "=", "[1, 2]"], &["+a.b=[1, 2]"], &["train"]),
            (&["-S", "a = 1"], &["a = 1"], &[]),
        ] {
            let wanted = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            assert_eq!(parsed(line), (wanted(overrides), wanted(targets)), "{line:?}");
        }
    }

    #[test]
    fn what_is_not_clear_stays_as_it_was_typed() {
        for (line, targets) in [
            (&["-S", "a=1", "=", "2"][..], &["=", "2"][..]),
            (&["-S", "a", "="], &["="]),
            (&["-S", "a", "=", "=", "1"], &["=", "=", "1"]),
            (&["-S", "a", "=", "-f"], &["="]),
            (&["-S", "a", "train", "=", "1"], &["train", "=", "1"]),
            (&["train", "=", "1"], &["train", "=", "1"]),
            (&["-S", "a", "--", "=", "1"], &["=", "1"]),
            (&["-S", "a", "=1"], &["=1"]),
        ] {
            assert_eq!(parsed(line).1, targets, "{line:?}");
        }
    }
}
