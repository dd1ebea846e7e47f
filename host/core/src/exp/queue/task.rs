//! [`Task`]: an experiment that was queued, and what became of it.
//!
//! Two documents a task: the request, which never changes, and the record of what became of it, which is replaced by rename.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::claim::LOST;
use crate::exp::copies::CopyPath;
use crate::exp::name::ExperimentName;
use crate::exp::record::NameTaken;
use crate::git::{CommitId, CommitTime, HeadName};
use crate::path::RepoPath;
use crate::process::identity::ProcessIdentity;

/// What is to be done, as it was when it was queued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Through which name the baseline was checked out.
    pub head: HeadName,
    /// The folder of the project that the user was in.
    pub from: RepoPath,
    /// What was typed of stages and how they run; only the edge knows what can be typed.
    pub typed: serde_json::Value,
    /// The message of the experiment's commit, when one was given.
    pub message: Option<String>,
    /// What happens when the baseline has an experiment of the name.
    pub taken: NameTaken,
    /// The checkpoint that it goes on from (`--rev`).
    #[serde(default)]
    pub rev: Option<CommitId>,
    /// The environment.
    pub env: Vec<(String, String)>,
    /// What was copied beside what git tracks.
    pub copies: Vec<RepoPath>,
    /// Where plugins are looked for first.
    pub plugin_dirs: Vec<PathBuf>,
}

impl Request {
    /// What was copied into the folder `copied`, to be copied on.
    #[must_use]
    pub fn copies_in(&self, copied: &Path) -> Vec<CopyPath> {
        self.copies.iter().map(|path| CopyPath::again(copied, path.clone())).collect()
    }
}

/// A queued experiment and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its inputs: a commit in the stash of the queue, whose digits are what the task is known by.
    pub id: CommitId,
    /// In which order tasks were queued.
    pub number: u64,
    /// The name of the experiment.
    pub name: ExperimentName,
    /// The commit that it starts from.
    pub baseline: CommitId,
    /// When it was queued.
    pub queued: CommitTime,
    /// Higher ones are taken first.
    pub priority: i32,
    /// What was set, as it was typed, each a `[file:]key=value`.
    pub overrides: Vec<String>,
    /// The sweep that it is a point of.
    pub sweep: Option<SweepPoint>,
    /// Who runs it.
    pub origin: Origin,
    /// Where it is.
    pub state: State,
    /// How often it was tried, the last one last.
    pub attempts: Vec<Attempt>,
}

/// Who runs a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A worker.
    Queue,
    /// The command that made it (`exp run --temp`): it is a task so that others see it, and that what failed is kept.
    Temp,
}

/// A place in a sweep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepPoint {
    /// The name of the sweep.
    pub sweep: ExperimentName,
    /// Which of its points, from 0.
    pub index: usize,
}

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Its last attempt has begun and has not told an end. Whether it goes on is known by its processes and its lock.
    Running,
    /// It waits.
    Queued,
    /// It was ended without a result.
    Failed,
    /// The experiment is recorded.
    Success,
}

impl State {
    /// DVC's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Queued => "Queued",
            Self::Failed => "Failed",
            Self::Success => "Success",
        }
    }
}

/// One try to run a task. Its log is a file of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Who takes care of it.
    pub worker: ProcessIdentity,
    /// Who runs it, once that has begun.
    pub runner: Option<ProcessIdentity>,
    /// When it began, in seconds since 1970.
    pub started: i64,
    /// When it ended, likewise.
    pub ended: Option<i64>,
    /// How far it came.
    pub phase: Phase,
    /// The isolated workspace, while there is one.
    pub workspace: Option<PathBuf>,
    /// The experiment's commit, from the moment before its reference is made.
    pub commit: Option<CommitId>,
    /// How it ended.
    pub end: Option<End>,
}

impl Attempt {
    /// One that this process begins at `now`, in seconds since 1970.
    #[must_use]
    pub fn begun(now: i64) -> Self {
        Self {
            worker: ProcessIdentity::current(),
            runner: None,
            started: now,
            ended: None,
            phase: Phase::Prepare,
            workspace: None,
            commit: None,
            end: None,
        }
    }
}

/// How far an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Its workspace is made.
    Prepare,
    /// Its stages run.
    Run,
    /// The result is recorded.
    Collect,
}

impl Phase {
    /// For a sentence: it ended while ..
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prepare => "preparing",
            Self::Run => "running",
            Self::Collect => "recording the result",
        }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The experiment is recorded.
    Success,
    /// Something went wrong, which the message says.
    Failed {
        /// As the user is told.
        message: String,
    },
    /// The user ended it.
    Killed,
    /// Its process ended without a word: it was killed, or the machine stopped.
    Lost {
        /// What is known of it.
        reason: String,
    },
}

impl Task {
    /// The last attempt.
    #[must_use]
    pub fn attempt(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// Which point of a sweep it is, from 0, when it is one of that sweep.
    #[must_use]
    pub fn point_of(&self, sweep: &ExperimentName) -> Option<usize> {
        self.sweep.as_ref().filter(|point| point.sweep == *sweep).map(|point| point.index)
    }

    /// Whether its record cannot be read: what is said of it is that alone, and it is called by its commit.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.baseline == self.id
    }

    /// The experiment's commit, when it has come so far; its reference may be made a moment later. Of one that is to run again
    /// there is none, whatever it was before.
    #[must_use]
    pub fn result(&self) -> Option<CommitId> {
        self.attempt().filter(|_| self.state != State::Queued)?.commit
    }

    /// Why it failed, or why it is queued again.
    #[must_use]
    pub fn cause(&self) -> Option<String> {
        let attempt = self.attempt()?;
        let phase = attempt.phase.as_str();
        let Some(end) = &attempt.end else {
            return self.is_lost().then(|| format!("while {phase}: {LOST}"));
        };
        Some(match end {
            End::Success => return None,
            End::Failed { message } if attempt.phase == Phase::Run => message.clone(),
            End::Failed { message } => format!("while {phase}: {message}"),
            End::Killed => "killed".to_owned(),
            End::Lost { reason } => format!("while {phase}: {reason}"),
        })
    }
}
