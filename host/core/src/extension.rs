//! What a plugin can be, in plain types: [`ParamFormat`], [`StageExecutor`], [`CheckpointPolicy`], and [`Extensions`], where
//! the rest of core gets them. `dewar-wasm` implements these over components; core links no WebAssembly.
//!
//! They mirror the WIT package `dewar:plugin@0.1.0` (`wit/`), whose text is the specification.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

pub use dewar_text::{Change, Diagnostic, Edit, Step, Value};
use serde::{Deserialize, Serialize};

use crate::path::RepoPath;

/// The identity of a plugin: who answered, so that what was remembered of an answer is not taken for another's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PluginId {
    /// The name of its manifest, such as `params-yaml`.
    pub name: String,
    /// BLAKE3 of the component, in hexadecimal.
    pub digest: String,
}

impl fmt::Display for PluginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Where the rest of core gets plugins. Nothing is compiled or run until a method of what it returns is called.
pub trait Extensions: Send + Sync {
    /// The format of a parameter or metrics file, by its name; YAML for a suffix that no plugin claims.
    ///
    /// # Errors
    /// When the plugin that claims the suffix may not be used.
    fn param_format(&self, file: &RepoPath) -> Result<Arc<dyn ParamFormat>, ExtensionError>;

    /// Whether a plugin claims the suffix of this file; only then is it edited, never by the fallback.
    fn claims(&self, file: &RepoPath) -> bool;

    /// The executor of this name.
    ///
    /// # Errors
    /// When there is none, or it may not be used.
    fn executor(&self, name: &str) -> Result<Arc<dyn StageExecutor>, ExtensionError>;

    /// The checkpoint policy of this name.
    ///
    /// # Errors
    /// When there is none, or it may not be used.
    fn policy(&self, name: &str) -> Result<Arc<dyn CheckpointPolicy>, ExtensionError>;
}

/// A format of parameter files. Pure: the answer depends on the arguments alone.
pub trait ParamFormat: Send + Sync {
    /// Who this is.
    fn id(&self) -> &PluginId;

    /// Reads a source.
    ///
    /// # Errors
    /// [`ExtensionError::Refused`] with diagnostics on the source, or what went wrong with the plugin.
    fn read(&self, source: &[u8]) -> Result<Value, ExtensionError>;

    /// Returns `source` with `edits` applied in order and every other byte as it was. The caller verifies it.
    ///
    /// # Errors
    /// As [`Self::read`].
    fn edit(&self, source: &[u8], edits: &[Edit]) -> Result<Vec<u8>, ExtensionError>;
}

/// What runs the commands of a stage, somewhere.
pub trait StageExecutor: Send + Sync {
    /// Who this is.
    fn id(&self) -> &PluginId;

    /// Runs all commands of `job`, in order, until one fails; calls `started` with the index of each before it begins.
    ///
    /// A stage that failed is an [`Outcome`]; an executor that could not do its job is an error.
    ///
    /// # Errors
    /// [`ExtensionError::Refused`] when the executor could not do its job, or what went wrong with the plugin.
    fn run(
        &self,
        job: &Job,
        processes: Arc<dyn Processes>,
        started: Arc<dyn Fn(usize) + Send + Sync>,
    ) -> Result<Outcome, ExtensionError>;
}

/// What decides which moments of a running stage become checkpoints. Pure: asked again from the same history after a resume.
pub trait CheckpointPolicy: Send + Sync {
    /// Who this is.
    fn id(&self) -> &PluginId;

    /// Decides on the moment `now`; `history` has the moments of the same stage before it, oldest first.
    ///
    /// # Errors
    /// [`ExtensionError::Refused`] when the options are wrong, whatever the moment, or what went wrong with the plugin.
    fn decide(&self, options: &Value, history: &[PastMoment], now: &Moment) -> Result<Decision, ExtensionError>;
}

/// What one stage asks of an executor.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Address of the stage, such as `train` or `eval/dvc.yaml:score`.
    pub stage: String,
    /// Shell text, one entry a command.
    pub commands: Vec<String>,
    /// The folder to run in, inside the workspace.
    pub working_dir: RepoPath,
    /// The whole environment; nothing else is inherited.
    pub env: Vec<(String, String)>,
    /// Declared inputs, relative to the workspace; parameter files included.
    pub dependencies: Vec<String>,
    /// Declared outputs, relative to the workspace.
    pub outputs: Vec<String>,
    /// What the user configured for the executor.
    pub options: Value,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every command did.
    Succeeded,
    /// A command failed.
    Failed {
        /// Index into [`Job::commands`].
        command: usize,
        /// Its exit code, when it exited.
        exit_code: Option<i32>,
        /// What there is to say beyond the code, such as the signal that ended it.
        message: Option<String>,
    },
    /// The user interrupted it, or a policy stopped it.
    Cancelled,
}

/// The child processes that an executor may have. The host checks each one, and applies the confinement of the stage.
pub trait Processes: Send + Sync {
    /// Starts a process; what it writes goes where the output of the stage goes.
    ///
    /// # Errors
    /// When it cannot be started.
    fn spawn(&self, command: &ProcessCommand) -> Result<Box<dyn ChildProcess>, ProcessError>;

    /// Runs a process to its end and returns what it wrote (bounded).
    ///
    /// # Errors
    /// When it cannot be started, or wrote more than the bound.
    fn capture(&self, command: &ProcessCommand) -> Result<Captured, ProcessError>;
}

/// A running child. Dropping it ends it.
pub trait ChildProcess: Send {
    /// Waits for its end.
    ///
    /// # Errors
    /// When the system cannot tell.
    fn wait(&mut self) -> Result<Exit, ProcessError>;

    /// Ends it and all that it started.
    fn kill(&mut self);
}

/// What to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessCommand {
    /// A name to be found on the `PATH` of `env`, or an absolute path.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// The folder to run in, inside the workspace.
    pub working_dir: RepoPath,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with a code.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// It was ended because the run was cancelled.
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
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProcessError {
    /// No grant covers the command.
    #[error("not granted: {0}")]
    Denied(String),
    /// There is no such program.
    #[error("there is no program `{0}`")]
    NotFound(String),
    /// The folder to run in is not there.
    #[error("there is no folder `{0}` to run in")]
    NoWorkingDir(RepoPath),
    /// The system refused.
    #[error("cannot {verb} `{program}`: {reason}")]
    System {
        /// Such as `start`.
        verb: &'static str,
        /// The program.
        program: String,
        /// What the system said.
        reason: String,
    },
}

/// A moment of a running stage that may become a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// Why it is considered.
    pub trigger: Trigger,
    /// Counted from 1 over the whole chain, resumes included.
    pub step: u64,
    /// Milliseconds of running time over the whole chain.
    pub elapsed_ms: u64,
    /// The numbers in the metrics files, by dotted name.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "numbers")]
    pub metrics: Vec<(String, f64)>,
}

/// Why a moment is considered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// The stage asked for a checkpoint.
    Signalled,
    /// The stage ended.
    Finished,
}

/// A moment that was decided on.
#[derive(Debug, Clone, PartialEq)]
pub struct PastMoment {
    /// What it was.
    pub moment: Moment,
    /// The checkpoint it became, while that is kept.
    pub checkpoint: Option<String>,
}

/// What a policy decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether the moment becomes a checkpoint.
    pub record: bool,
    /// Which kept checkpoints of the history may go; none when what is kept is not for this policy to say. Not verified.
    pub discard: Option<Vec<String>>,
    /// Why the stage should stop now, if it should.
    pub stop: Option<String>,
}

/// What went wrong with a plugin. The kinds are told apart because different people mend them.
#[derive(Debug, thiserror::Error)]
pub enum ExtensionError {
    /// The plugin did its work and says no: the user's text or options are at fault.
    #[error("{}", .diagnostics.first().map_or("refused without a reason", |first| first.message.as_str()))]
    Refused {
        /// Who says it.
        plugin: PluginId,
        /// What to tell the user, on the source that was given.
        diagnostics: Vec<Diagnostic>,
    },
    /// There is no plugin for it.
    #[error("there is no {kind} `{name}`")]
    Unknown {
        /// Such as `executor`.
        kind: &'static str,
        /// What was asked for.
        name: String,
    },
    /// The file is no plugin, or not one for this version of dewar.
    #[error("`{}` is no plugin that can be used: {reason}", path.display())]
    Rejected {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It asks for something that was not granted.
    #[error("the plugin `{plugin}` asks for {capability}, which is not granted")]
    Denied {
        /// Which one.
        plugin: PluginId,
        /// What it asks for.
        capability: String,
    },
    /// It crashed: a bug of the plugin.
    #[error("the plugin `{plugin}` crashed: {reason}")]
    Trapped {
        /// Which one.
        plugin: PluginId,
        /// Such as `unreachable executed`.
        reason: String,
    },
    /// It went over a limit.
    #[error("the plugin `{plugin}` went over its limit of {limit}")]
    OverLimit {
        /// Which one.
        plugin: PluginId,
        /// Such as `5 s of computing` or `256 MiB of memory`.
        limit: String,
    },
    /// What it answered is not what the interface allows.
    #[error("the plugin `{plugin}` gave an answer that cannot be right: {reason}")]
    BadAnswer {
        /// Which one.
        plugin: PluginId,
        /// What is wrong with it.
        reason: String,
    },
}

/// Numbers by name as a mapping. JSON has no word for what is no number, or is without bounds; a loss can become both.
mod numbers {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Number {
        Finite(f64),
        Word(String),
    }

    pub(super) fn serialize<S: Serializer>(numbers: &[(String, f64)], to: S) -> Result<S::Ok, S::Error> {
        let number =
            |number: f64| if number.is_finite() { Number::Finite(number) } else { Number::Word(number.to_string()) };
        to.collect_map(numbers.iter().map(|(name, value)| (name, number(*value))))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(String, f64)>, D::Error> {
        let numbers = BTreeMap::<String, Number>::deserialize(from)?;
        let number = |number| match number {
            Number::Finite(number) => number,
            Number::Word(word) => word.parse().unwrap_or(f64::NAN),
        };
        Ok(numbers.into_iter().map(|(name, value)| (name, number(value))).collect())
    }
}
