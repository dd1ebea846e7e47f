//! [`StageExecutor`]: what runs the commands of one stage, somewhere, and the [`Host`] it may ask for processes.

use std::marker::PhantomData;

use dewar_text::{Diagnostic, Value};

use crate::bindings::stage_executor::dewar::plugin::{process, progress};
use crate::bindings::stage_executor::exports::dewar::plugin::stage_executor as wit;
use crate::bindings::types;
use crate::document;

/// Runs the commands of one stage, somewhere. Its manifest says which capabilities it asks for.
pub trait StageExecutor {
    /// Runs the commands in order until one fails, and calls [`Host::command_started`] for each before it begins.
    ///
    /// A stage that failed is an [`Outcome`].
    ///
    /// # Errors
    /// When the executor could not do its job.
    fn run(job: &Job, host: &dyn Host) -> Result<Outcome, Vec<Diagnostic>>;
}

/// What the host does for an executor. A trait, so that the logic is tested natively with a host of the test's own.
pub trait Host {
    /// Tells that the command with this index of [`Job::commands`] begins.
    fn command_started(&self, index: u32);

    /// Starts a process; what it writes goes to the log of the stage. Needs the capability `process`.
    ///
    /// # Errors
    /// When it cannot be started.
    fn spawn(&self, command: &Command) -> Result<Box<dyn Child>, ProcessError>;

    /// Runs a process to its end and returns what it wrote, which the host bounds. Needs the capability `process`.
    ///
    /// # Errors
    /// When it cannot be started, or wrote too much.
    fn capture(&self, command: &Command) -> Result<Captured, ProcessError>;
}

/// A running process. Dropping it ends it and all that it started.
pub trait Child {
    /// Waits for its end. Time spent waiting is not the plugin's.
    ///
    /// # Errors
    /// When the system cannot tell.
    fn wait(&mut self) -> Result<Exit, ProcessError>;

    /// Ends it and all that it started.
    fn kill(&mut self);
}

/// What one stage asks of an executor.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Job {
    /// Address of the stage, such as `train` or `eval/dvc.yaml:score`.
    pub stage: String,
    /// Shell text, one entry a command, in order.
    pub commands: Vec<String>,
    /// Relative to the workspace, `/`-separated; empty for its root.
    pub working_dir: String,
    /// The whole environment of the commands.
    pub env: Vec<(String, String)>,
    /// Declared inputs, relative to the workspace; absolute where they lie outside it.
    pub dependencies: Vec<String>,
    /// Declared outputs, likewise.
    pub outputs: Vec<String>,
    /// What the user configured for this executor.
    pub options: Value,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every command did its work.
    Succeeded,
    /// A command failed.
    Failed {
        /// Index into [`Job::commands`].
        command: u32,
        /// Its exit code, when it exited.
        exit_code: Option<i32>,
        /// What there is to say beyond the code, such as the signal that ended it.
        message: Option<String>,
    },
    /// The user interrupted it, or a policy stopped it.
    Cancelled,
}

/// What to start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Command {
    /// A name to be found on the `PATH` of `env`, or an absolute path.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// The whole environment; nothing is inherited.
    pub env: Vec<(String, String)>,
    /// Relative to the workspace, `/`-separated; empty for its root. It cannot lead out of it.
    pub working_dir: String,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with a code.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// The user interrupted the run, or a policy stopped it.
    Cancelled,
}

/// What a finished process wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// How it ended.
    pub exit: Exit,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

/// Why a process could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessError {
    /// No grant covers the command; the text names the missing one.
    Denied(String),
    /// There is no such program.
    NotFound(String),
    /// Anything else, as the host says it.
    Other(String),
}

impl std::fmt::Display for ProcessError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Denied(what) => write!(f, "not granted: {what}"),
            Self::NotFound(program) => write!(f, "there is no program `{program}`"),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for ProcessError {}

/// The host of a component.
struct Imports;

impl Host for Imports {
    fn command_started(&self, index: u32) {
        progress::command_started(index);
    }

    fn spawn(&self, command: &Command) -> Result<Box<dyn Child>, ProcessError> {
        match process::spawn(&from_command(command)) {
            Ok(child) => Ok(Box::new(ChildHandle(child))),
            Err(error) => Err(to_error(error)),
        }
    }

    fn capture(&self, command: &Command) -> Result<Captured, ProcessError> {
        let captured = process::capture(&from_command(command)).map_err(to_error)?;
        Ok(Captured { exit: to_exit(captured.exit), stdout: captured.stdout, stderr: captured.stderr })
    }
}

/// A child that the host holds.
struct ChildHandle(process::Child);

impl Child for ChildHandle {
    fn wait(&mut self) -> Result<Exit, ProcessError> {
        self.0.wait().map(to_exit).map_err(to_error)
    }

    fn kill(&mut self) {
        self.0.kill();
    }
}

fn from_command(command: &Command) -> process::Command {
    process::Command {
        program: command.program.clone(),
        args: command.args.clone(),
        env: command.env.clone(),
        working_dir: command.working_dir.clone(),
    }
}

fn to_exit(exit: process::Exit) -> Exit {
    match exit {
        process::Exit::Code(code) => Exit::Code(code),
        process::Exit::Signal(signal) => Exit::Signal(signal),
        process::Exit::Cancelled => Exit::Cancelled,
    }
}

fn to_error(error: process::Error) -> ProcessError {
    match error {
        process::Error::Denied(what) => ProcessError::Denied(what),
        process::Error::NotFound(program) => ProcessError::NotFound(program),
        process::Error::Other(reason) => ProcessError::Other(reason),
    }
}

/// The component side of a [`StageExecutor`].
#[doc(hidden)]
pub struct Exported<T>(PhantomData<T>);

impl<T: StageExecutor + 'static> wit::Guest for Exported<T> {
    fn run(job: wit::Job) -> Result<wit::Outcome, Vec<types::Diagnostic>> {
        let job = Job {
            stage: job.stage,
            commands: job.commands,
            working_dir: job.working_dir,
            env: job.env,
            dependencies: job.dependencies,
            outputs: job.outputs,
            options: document::to_value(job.options),
        };
        match T::run(&job, &Imports) {
            Ok(Outcome::Succeeded) => Ok(wit::Outcome::Succeeded),
            Ok(Outcome::Cancelled) => Ok(wit::Outcome::Cancelled),
            Ok(Outcome::Failed { command, exit_code, message }) => {
                Ok(wit::Outcome::Failed(wit::Failure { command, exit_code, message }))
            }
            Err(diagnostics) => Err(document::from_diagnostics(diagnostics)),
        }
    }
}

/// Makes the component of a crate a stage executor, with a manifest that stands in the crate.
///
/// ```ignore
/// dewar_plugin::export_stage_executor!(Shell, manifest = "plugin.toml");
/// ```
#[macro_export]
macro_rules! export_stage_executor {
    ($plugin:ty, manifest = $manifest:literal) => {
        $crate::embed_manifest!($manifest);

        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exported = $crate::export::StageExecutor<$plugin>;
            $crate::bindings::stage_executor::export_stage_executor_component!(
                Exported with_types_in $crate::bindings::stage_executor
            );
        };

        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            const fn is_a_stage_executor<T: $crate::StageExecutor>() {}
            is_a_stage_executor::<$plugin>()
        };
    };
}
