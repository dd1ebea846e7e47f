//! [`Row`]: what the rows of a [`Table`](super::Table) are about.

use super::table::Cell;
use crate::git::CommitId;

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// The work tree.
    Workspace,
    /// A baseline.
    Baseline,
    /// The only commit of an experiment of the baseline above.
    Experiment,
    /// Of the last experiment of the baseline above.
    LastExperiment,
    /// The last commit of an experiment with checkpoints.
    CheckpointTip,
    /// One between the last and the first that is shown.
    Checkpoint,
    /// The first that is shown.
    CheckpointBase,
    /// That of the last experiment of the baseline above.
    LastCheckpointBase,
}

impl RowKind {
    /// DVC's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Workspace | Self::Baseline => "baseline",
            Self::Experiment => "branch_commit",
            Self::LastExperiment => "branch_base",
            Self::CheckpointTip => "checkpoint_tip",
            Self::Checkpoint => "checkpoint_commit",
            Self::CheckpointBase | Self::LastCheckpointBase => "checkpoint_base",
        }
    }

    /// That of the commit `at` of the `count` that are shown of an experiment, the newest first.
    pub(super) const fn of(at: usize, count: usize, place: Place) -> Self {
        match (at, place) {
            (0, Place::Last) if count == 1 => Self::LastExperiment,
            (0, Place::Before) if count == 1 => Self::Experiment,
            (0, _) => Self::CheckpointTip,
            (_, Place::Last) if at + 1 == count => Self::LastCheckpointBase,
            (_, Place::Before) if at + 1 == count => Self::CheckpointBase,
            _ => Self::Checkpoint,
        }
    }
}

/// Where an experiment stands below its baseline.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// Others stand below it.
    Before,
    /// It is the last.
    Last,
}

/// A row; its cells are as many as the table has columns.
#[derive(Debug, Clone)]
pub struct Row {
    /// What it is about.
    pub kind: RowKind,
    /// The branch or tag of a baseline, the name of an experiment in the row of its last commit.
    pub name: Option<String>,
    /// The commit; none for the work tree.
    pub commit: Option<CommitId>,
    /// What stands in the columns.
    pub cells: Vec<Cell>,
}
