//! The host side of what a guest may call: its log, and for executors child processes and progress.
//!
//! Plain types here; each track of the WIT package maps its own onto them.

use std::sync::Arc;

use dewar_core::event::{Event, EventSink, LogLevel};
use dewar_core::extension::{Captured, ChildProcess, Exit, PluginId, ProcessCommand, ProcessError, Processes};
use dewar_core::path::RepoPath;

use crate::limits::Limits;
use crate::text;

/// The log of one call: bounded lines, then silence and one word about it.
pub(crate) struct Log {
    plugin: String,
    events: Arc<dyn EventSink>,
    lines: usize,
    line: usize,
    dropped: u64,
}

impl Log {
    pub(crate) fn new(plugin: &PluginId, events: Arc<dyn EventSink>, limits: &Limits) -> Self {
        Self { plugin: plugin.name.clone(), events, lines: limits.log_lines, line: limits.log_line, dropped: 0 }
    }

    pub(crate) fn write(&mut self, level: LogLevel, message: &str) {
        if self.lines == 0 {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.lines -= 1;
        self.send(level, text::line(message, self.line));
    }

    /// Passes on what was written to standard output and error, and tells how much was dropped.
    pub(crate) fn close(&mut self, output: &str) {
        output.lines().for_each(|line| self.write(LogLevel::Debug, line));
        if self.dropped > 0 {
            self.send(LogLevel::Warn, format!("{} more lines were dropped", self.dropped));
        }
    }

    fn send(&self, level: LogLevel, message: String) {
        self.events.event(Event::PluginLog { plugin: self.plugin.clone(), level, message });
    }
}

/// What the executor of one job may do.
pub(crate) struct Job {
    processes: Arc<dyn Processes>,
    started: Arc<dyn Fn(usize) + Send + Sync>,
    commands: usize,
    children: usize,
    limit: usize,
}

/// A child in the table of a guest. Dropping it ends it.
#[expect(unreachable_pub, reason = "the generated bindings re-export it, which needs `pub`")]
pub struct Child(pub(crate) Box<dyn ChildProcess>);

/// Why a process could not be had, in the words of the WIT package.
pub(crate) enum Refusal {
    Denied(String),
    NotFound(String),
    Other(String),
}

impl From<ProcessError> for Refusal {
    fn from(error: ProcessError) -> Self {
        match error {
            ProcessError::Denied(what) => Self::Denied(what),
            ProcessError::NotFound(program) => Self::NotFound(program),
            error @ (ProcessError::NoWorkingDir(_) | ProcessError::System { .. }) => Self::Other(error.to_string()),
        }
    }
}

/// A command as every track has it.
pub(crate) struct Command {
    pub(crate) program: String,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) working_dir: String,
}

impl Job {
    pub(crate) fn new(
        processes: Arc<dyn Processes>,
        started: Arc<dyn Fn(usize) + Send + Sync>,
        commands: usize,
        limits: &Limits,
    ) -> Self {
        Self { processes, started, commands, children: 0, limit: limits.children }
    }

    /// Whether the job has a command of this index; then the rest of the host hears of it.
    pub(crate) fn command_started(&self, index: u32) -> bool {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let known = index < self.commands;
        if known {
            (self.started)(index);
        }
        known
    }

    pub(crate) fn spawn(&mut self, command: Command) -> Result<Child, Refusal> {
        if self.children >= self.limit {
            return Err(Refusal::Denied(format!("more than {} processes at a time", self.limit)));
        }
        let child = self.processes.spawn(&command.checked()?)?;
        self.children += 1;
        Ok(Child(child))
    }

    pub(crate) fn capture(&self, command: Command) -> Result<Captured, Refusal> {
        Ok(self.processes.capture(&command.checked()?)?)
    }

    /// A child's handle is gone.
    pub(crate) const fn dropped(&mut self) {
        self.children = self.children.saturating_sub(1);
    }
}

impl Child {
    pub(crate) fn wait(&mut self) -> Result<Exit, Refusal> {
        Ok(self.0.wait()?)
    }
}

impl Command {
    /// No NUL byte reaches the system, and no folder outside the workspace.
    fn checked(self) -> Result<ProcessCommand, Refusal> {
        let env = self.env.iter().flat_map(|(name, value)| [name, value]);
        if [&self.program].into_iter().chain(&self.args).chain(env).any(|text| text.contains('\0')) {
            return Err(Refusal::Other("a command has a NUL byte in it".to_owned()));
        }
        if let Some((name, _)) = self.env.iter().find(|(name, _)| name.is_empty() || name.contains('=')) {
            return Err(Refusal::Other(format!("`{name}` is no name of a variable")));
        }
        let working_dir =
            RepoPath::parse(&self.working_dir).map_err(|error| Refusal::Denied(format!("to run there: {error}")))?;
        Ok(ProcessCommand { program: self.program, args: self.args, env: self.env, working_dir })
    }
}
