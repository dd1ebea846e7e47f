//! `queue`: what can be done with queued experiments.

use std::num::NonZeroUsize;

use clap::{Args, Subcommand};

/// Run queued experiments in the background, watch and end them
///
/// `dewar exp run --queue` fills the queue. Workers are processes of their own: they go on when the terminal is closed, and
/// end when nothing waits any more.
///
/// Examples:
///   dewar exp run --queue -S lr=0.1
///   dewar queue start -j 4
///   dewar queue status
///   dewar queue logs --follow brave-otter
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct QueueArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: QueueCommand,
}

/// What can be done with the queue.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the manual of a command is that of its arguments")]
pub enum QueueCommand {
    Start(QueueStartArgs),
    Stop(QueueStopArgs),
    Status(QueueStatusArgs),
    Logs(QueueLogsArgs),
    Kill(QueueKillArgs),
    Remove(QueueRemoveArgs),
    Retry(QueueRetryArgs),
    Run(QueueRunArgs),
    #[command(hide = true)]
    Worker(QueueWorkerArgs),
    #[command(hide = true)]
    Exec(QueueExecArgs),
}

/// Start workers that run the queued experiments, and return at once
///
/// A worker takes one experiment after the other, those of the highest priority first, and ends when none waits. What a
/// worker leaves that is killed, the next one finds: the experiment runs again, or fails where `dewar.toml` says so:
///
///   [queue]
///   lost = "fail"     # default: "retry", up to three times
///
/// Example: `dewar queue start -j 4`
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct QueueStartArgs {
    /// How many experiments run at once; those that run already count [default: `jobs` of dewar.toml, else 1]
    ///
    /// It is also how many stages run at once, of all of them together.
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
}

/// Tell the workers to take no more experiments
///
/// What runs may end, what waits goes on waiting.
///
/// Example: `dewar queue stop`
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct QueueStopArgs {
    /// Kill what runs, too
    #[arg(long)]
    pub kill: bool,
}

/// List the experiments of the queue: what runs, waits, failed and why, and what is done
///
/// Example: `dewar queue status`
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct QueueStatusArgs {
    /// Print JSON
    ///
    /// It is `{"tasks": [TASK, ...], "workers": [{"pid", "state"}, ...]}`; a TASK has: task (the commit with its inputs),
    /// name, baseline, state ("running", "queued", "failed", "success"), created, priority, overrides, sweep, cause (why it
    /// failed, or waits again), attempts ({started, ended, phase, log}; times in seconds since 1970).
    #[arg(long)]
    pub json: bool,
}

/// Print what an experiment of the queue wrote
///
/// Example: `dewar queue logs --follow brave-otter`
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct QueueLogsArgs {
    /// Its name, or the first digits of its task
    #[arg(value_name = "TASK")]
    pub task: String,

    /// Go on until the experiment has ended
    #[arg(short, long)]
    pub follow: bool,

    /// Of which attempt, counted from 1 [default: the last]
    #[arg(long, value_name = "N", conflicts_with = "follow")]
    pub attempt: Option<usize>,

    /// Ignored: text is UTF-8, and what is not is replaced
    #[arg(short, long, hide = true)]
    pub encoding: Option<String>,
}

/// End experiments that run
///
/// Their stages are interrupted, as by Ctrl-C.
///
/// Example: `dewar queue kill --force brave-otter`
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct QueueKillArgs {
    /// Their names, or the first digits of their tasks
    #[arg(value_name = "TASK", required = true)]
    pub tasks: Vec<String>,

    /// Kill the stages at once
    #[arg(short, long)]
    pub force: bool,
}

/// Take experiments out of the queue, with their logs
///
/// Those that are done stay as experiments; `dewar exp remove` removes those. One that runs is not removed: kill it first.
///
/// Examples:
///   dewar queue remove brave-otter
///   dewar queue remove --failed
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, group = clap::ArgGroup::new("which").args(["tasks", "all", "queued", "success", "failed"]).required(true).multiple(true))]
pub struct QueueRemoveArgs {
    /// Their names, or the first digits of their tasks
    #[arg(value_name = "TASK", conflicts_with_all = ["all", "queued", "success", "failed"])]
    pub tasks: Vec<String>,

    /// All that do not run
    #[arg(long)]
    pub all: bool,

    /// Those that wait
    #[arg(long)]
    pub queued: bool,

    /// Those that are done
    #[arg(long)]
    pub success: bool,

    /// Those that failed
    #[arg(long)]
    pub failed: bool,
}

/// Queue experiments again that failed
///
/// They run again as they were queued; what their earlier attempts wrote stays.
///
/// Examples:
///   dewar queue retry brave-otter
///   dewar queue retry --failed
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, group = clap::ArgGroup::new("which").args(["tasks", "failed"]).required(true))]
pub struct QueueRetryArgs {
    /// Their names, or the first digits of their tasks
    #[arg(value_name = "TASK")]
    pub tasks: Vec<String>,

    /// All that failed
    #[arg(long)]
    pub failed: bool,
}

/// Run chosen experiments of the queue now, and follow what they write
///
/// Example: `dewar queue run brave-otter`
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct QueueRunArgs {
    /// Their names, or the first digits of their tasks
    #[arg(value_name = "TASK", required = true)]
    pub tasks: Vec<String>,

    /// How many at once [default: `jobs` of dewar.toml, else 1]
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
}

/// A worker; started by `queue start`
#[derive(Debug, Args)]
pub struct QueueWorkerArgs {
    /// How many stages run at once, of all workers together.
    #[arg(long)]
    pub jobs: NonZeroUsize,

    /// Takes these tasks alone.
    #[arg(long)]
    pub only: Vec<String>,

    /// Takes the points of this sweep alone.
    #[arg(long)]
    pub sweep: Option<String>,
}

/// One attempt of a task; started by a worker
#[derive(Debug, Args)]
pub struct QueueExecArgs {
    /// The task.
    pub task: String,

    /// How many stages run at once, of all workers together.
    #[arg(long)]
    pub jobs: NonZeroUsize,
}
