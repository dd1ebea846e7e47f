//! [`Event`]: how core tells the edge what happens. Core never prints; what becomes of an event is the sink's affair.

use std::time::Instant;

use crate::path::RepoPath;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A stage is up to date and was left alone.
    StageFresh {
        /// Its address.
        stage: String,
    },
    /// A stage begins to run.
    StageStarted {
        /// Its address.
        stage: String,
    },
    /// A command of the running stage begins.
    CommandStarted {
        /// Address of the stage.
        stage: String,
        /// The shell text.
        command: String,
    },
    /// The result of a stage was known; its outputs were checked out.
    StageRestored {
        /// Its address.
        stage: String,
    },
    /// A checkpoint of a running stage is recorded.
    Checkpoint {
        /// The stage.
        stage: String,
        /// The digits of its commit.
        commit: String,
        /// Which moment of the stage it is.
        step: u64,
        /// How many checkpoints before it a policy let go of.
        discarded: usize,
    },
    /// A policy stopped a stage, which is taken to be done.
    StageStopped {
        /// Its address.
        stage: String,
        /// Who, and why.
        reason: String,
    },
    /// The data that a stage tracks changed, and is remembered as it is now.
    StageVerified {
        /// Its address.
        stage: String,
    },
    /// A stage cannot begin to run yet. Told once of each thing that it waits for.
    StageWaits {
        /// Its address.
        stage: String,
        /// For what.
        waits_for: WaitsFor,
    },
    /// A frozen stage was not looked at further.
    StageFrozen {
        /// Its address.
        stage: String,
    },
    /// A stage failed and the run goes on, as asked.
    StageFailed {
        /// Its address.
        stage: String,
        /// Why.
        reason: String,
    },
    /// A stage is not run because one before it failed.
    StageSkipped {
        /// Its address.
        stage: String,
    },
    /// From now on several stages run at once.
    SideBySide {
        /// The addresses of all that may run.
        stages: Vec<String>,
    },
    /// A stage that runs beside others wrote a line.
    StageOutput {
        /// Its address.
        stage: String,
        /// Where it wrote to.
        stream: Stream,
        /// The line, without its end. What is not UTF-8 is replaced.
        line: String,
    },
    /// Stages run at once; told now and then.
    Running {
        /// How many stages need no more work.
        done: usize,
        /// Of how many.
        of: usize,
        /// How many run.
        running: usize,
        /// The address of the one that has run longest.
        longest: String,
        /// Since when.
        since: Instant,
    },
    /// Objects go to a remote or come from one; told now and then.
    Transferring {
        /// Where to.
        direction: Direction,
        /// How many objects need no more work.
        done: usize,
        /// Of how many.
        of: usize,
        /// How many bytes went.
        bytes: u64,
        /// Since when.
        since: Instant,
    },
    /// Nothing is started any more, and these stages have not ended.
    Stopping {
        /// Their addresses.
        stages: Vec<String>,
    },
    /// A lock file was written.
    LockWritten {
        /// Which one.
        file: RepoPath,
        /// Whether it is new.
        created: bool,
    },
    /// Something the user should know and that stops nothing.
    Warning {
        /// One sentence.
        message: String,
    },
    /// A plugin wrote to its log. The text is bounded and has no control characters.
    PluginLog {
        /// The name of the plugin.
        plugin: String,
        /// How much it matters.
        level: LogLevel,
        /// One line.
        message: String,
    },
    /// A plugin is being compiled for this machine, which takes a while and happens once.
    PluginCompiling {
        /// The name of the plugin.
        plugin: String,
    },
}

/// What a stage waits for before it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitsFor {
    /// The same stage runs on the same inputs; what comes out will be taken.
    SameRun {
        /// Who runs it.
        who: String,
    },
    /// Others have what it needs of the machine, or come first.
    Resources {
        /// What it needs, such as `gpu: 1`.
        wanted: String,
        /// Who.
        holders: Vec<String>,
    },
    /// As many stages run as may.
    Job {
        /// Whose.
        holders: Vec<String>,
    },
}

/// Which way objects go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the cache to a remote.
    Push,
    /// From a remote to the cache.
    Fetch,
}

/// Where a process writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Its standard output.
    Out,
    /// Its standard error.
    Err,
}

/// How much a line of a plugin's log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For finding a fault.
    Debug,
    /// For a curious user.
    Info,
    /// The user should know.
    Warn,
}

/// Where events go. Called from several threads.
pub trait EventSink: Send + Sync {
    /// Takes an event.
    fn event(&self, event: Event);
}

/// A sink for callers that want none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl EventSink for Silent {
    fn event(&self, _: Event) {}
}
