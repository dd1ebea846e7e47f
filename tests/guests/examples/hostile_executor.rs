//! An executor that does what its first command says, all of it bad.

use dewar_guests::ExecutorMisdeed;
use dewar_plugin::{Command, Diagnostic, Exit, Host, Job, Outcome, ProcessError, StageExecutor};

struct Hostile;

impl StageExecutor for Hostile {
    fn run(job: &Job, host: &dyn Host) -> Result<Outcome, Vec<Diagnostic>> {
        let program = Command { program: "true".to_owned(), ..Command::default() };
        match job.commands.first().and_then(|command| ExecutorMisdeed::from_name(command)) {
            None => run_one(&program, host),
            Some(ExecutorMisdeed::Escape) => {
                run_one(&Command { working_dir: "data/../../..".to_owned(), ..program }, host)
            }
            Some(ExecutorMisdeed::Nul) => run_one(&Command { args: vec!["a\0b".to_owned()], ..program }, host),
            Some(ExecutorMisdeed::ForkBomb) => {
                let mut children = Vec::new();
                loop {
                    children.push(host.spawn(&program).map_err(|error| refused(&error))?);
                }
            }
            Some(ExecutorMisdeed::UnknownCommand) => {
                host.command_started(99);
                Ok(Outcome::Succeeded)
            }
            Some(ExecutorMisdeed::UnknownFailure) => {
                Ok(Outcome::Failed { command: 99, exit_code: Some(1), message: None })
            }
            Some(ExecutorMisdeed::LoopAfterChild) => {
                run_one(&program, host)?;
                loop {
                    std::hint::black_box(());
                }
            }
        }
    }
}

fn run_one(command: &Command, host: &dyn Host) -> Result<Outcome, Vec<Diagnostic>> {
    host.command_started(0);
    let mut child = host.spawn(command).map_err(|error| refused(&error))?;
    Ok(match child.wait().map_err(|error| refused(&error))? {
        Exit::Code(0) => Outcome::Succeeded,
        Exit::Code(code) => Outcome::Failed { command: 0, exit_code: Some(code), message: None },
        Exit::Signal(signal) => {
            Outcome::Failed { command: 0, exit_code: None, message: Some(format!("signal {signal}")) }
        }
        Exit::Cancelled => Outcome::Cancelled,
    })
}

fn refused(error: &ProcessError) -> Vec<Diagnostic> {
    vec![Diagnostic::error("no-process", error.to_string())]
}

dewar_plugin::export_stage_executor!(Hostile, manifest = "hostile-executor.toml");
