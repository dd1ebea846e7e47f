//! The executor that every stage has unless it names another: its commands in order, each in a shell of its own, as DVC runs
//! them. The shell is `$SHELL` of the job's environment, else `/bin/sh`; what a user's own start-up files say must not
//! change a result, so shells that have an option against reading them get it.

mod shell;

use dewar_plugin::{Command, Diagnostic, Exit, Host, Job, Outcome, ProcessError, StageExecutor, Value};

use crate::shell::Shell;

/// The executor.
pub struct ShellExecutor;

impl StageExecutor for ShellExecutor {
    fn run(job: &Job, host: &dyn Host) -> Result<Outcome, Vec<Diagnostic>> {
        refuse_options(&job.options).map_err(|error| vec![error])?;
        let shell = Shell::of(&job.env);
        for (command, text) in (0_u32..).zip(&job.commands) {
            host.command_started(command);
            let process = Command {
                program: shell.program.clone(),
                args: shell.arguments(text),
                env: job.env.clone(),
                working_dir: job.working_dir.clone(),
            };
            let exit = host
                .spawn(&process)
                .and_then(|mut child| child.wait())
                .map_err(|error| vec![cannot_run(&shell, error)])?;
            match exit {
                Exit::Code(0) => {}
                Exit::Code(code) => {
                    return Ok(Outcome::Failed { command, exit_code: Some(code), message: meaning(code) });
                }
                Exit::Signal(signal) => {
                    let message = Some(format!("killed by {}", signal_name(signal)));
                    return Ok(Outcome::Failed { command, exit_code: None, message });
                }
                Exit::Cancelled => return Ok(Outcome::Cancelled),
            }
        }
        Ok(Outcome::Succeeded)
    }
}

dewar_plugin::export_stage_executor!(ShellExecutor, manifest = "plugin.toml");

/// This executor has no options; one that is set was meant for something, and is not passed over in silence.
fn refuse_options(options: &Value) -> Result<(), Diagnostic> {
    let named = match options {
        Value::Null => return Ok(()),
        Value::Map(map) => match map.keys().next() {
            None => return Ok(()),
            Some(key) => format!("the shell executor has no option `{key}`"),
        },
        other => format!("the options of the shell executor cannot be {}", other.kind()),
    };
    Err(Diagnostic::error("unknown-option", named).help("take it away; the shell executor has no options"))
}

fn cannot_run(shell: &Shell, error: ProcessError) -> Diagnostic {
    match error {
        ProcessError::NotFound(_) => {
            let help = if shell.chosen {
                "set SHELL to a shell that is there, or unset it to use /bin/sh"
            } else {
                "install a POSIX shell, or set SHELL to the path of one"
            };
            Diagnostic::error("no-shell", format!("there is no shell `{}`", shell.program)).help(help)
        }
        ProcessError::Denied(what) => {
            Diagnostic::error("denied", format!("`{}` may not be started: {what}", shell.program))
                .help("grant the executor what it needs in `dewar.toml`")
        }
        ProcessError::Other(reason) => {
            Diagnostic::error("cannot-run", format!("`{}` cannot be run: {reason}", shell.program))
        }
    }
}

/// What the codes that a shell itself gives mean (POSIX.1-2024, Shell Command Language, 2.8.2).
fn meaning(code: i32) -> Option<String> {
    match code {
        126 => Some("the command was found but cannot be executed".to_owned()),
        127 => Some("the command was not found".to_owned()),
        // The shell outlived a child that a signal ended.
        129..=192 => Some(format!("a process of it was killed by {}", signal_name(code - 128))),
        _ => None,
    }
}

/// `signal 9 (SIGKILL)`. The numbers on which all systems that dewar builds for agree have a name.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        _ => return format!("signal {signal}"),
    };
    format!("signal {signal} ({name})")
}

#[cfg(test)]
mod tests;
