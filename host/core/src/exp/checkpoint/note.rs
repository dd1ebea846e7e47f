//! [`Note`]: what the commit of a checkpoint says beside its files, as a trailer of its message.

use serde::{Deserialize, Serialize};

use crate::exp::name::ExperimentName;
use crate::extension::Moment;
use crate::git::{CommitId, Git, GitError};

/// How the line begins.
const TRAILER: &str = "Dewar-Checkpoint: ";

/// What was decided from the checkpoint before to this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// The experiment that was run.
    pub experiment: ExperimentName,
    /// The task of the queue that ran it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<CommitId>,
    /// The moment that this commit is; none for a wrap-up of stages that no moment told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moment: Option<StageMoment>,
    /// The moments since the commit before that became none, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed: Vec<StageMoment>,
    /// The checkpoints before it that may go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discarded: Vec<CommitId>,
    /// Why a policy stopped the stage here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<String>,
}

/// A moment of a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageMoment {
    /// The address of the stage.
    pub stage: String,
    /// The moment.
    #[serde(flatten)]
    pub moment: Moment,
}

impl Note {
    /// One that says nothing yet.
    #[must_use]
    pub const fn new(experiment: ExperimentName, task: Option<CommitId>) -> Self {
        Self { experiment, task, moment: None, passed: Vec::new(), discarded: Vec::new(), stop: None }
    }

    /// Reads the note of a commit; none when its message has none that can be read.
    #[must_use]
    pub fn of(message: &str) -> Option<Self> {
        let line = message.lines().rev().find_map(|line| line.strip_prefix(TRAILER))?;
        serde_json::from_str(line).ok()
    }

    /// The note of a commit of `git`.
    ///
    /// # Errors
    /// When the commit cannot be read.
    pub fn at(git: &Git, commit: CommitId) -> Result<Option<Self>, GitError> {
        Ok(Self::of(&git.commit_summary(commit)?.message))
    }

    /// `message` with this note behind it.
    #[must_use]
    pub fn under(&self, message: &str) -> String {
        // Texts, numbers and names: there is nothing in it that cannot be written.
        let note = serde_json::to_string(self).unwrap_or_default();
        format!("{}\n\n{TRAILER}{note}\n", message.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extension::Trigger;

    #[test]
    fn a_note_is_read_as_it_was_written() {
        let metrics = vec![("acc".to_owned(), 0.1), ("loss".to_owned(), f64::INFINITY)];
        let moment = Moment { trigger: Trigger::Signalled, step: 3, elapsed_ms: 1500, metrics };
        let moment = StageMoment { stage: "train".to_owned(), moment };
        let commit = CommitId::parse(&"a".repeat(40)).unwrap();
        let full = Note {
            moment: Some(moment.clone()),
            passed: vec![moment],
            discarded: vec![commit],
            stop: Some("no\nbetter".to_owned()),
            ..Note::new(ExperimentName::parse("e1").unwrap(), Some(commit))
        };
        for note in [full, Note::new(ExperimentName::parse("e2").unwrap(), None)] {
            let message = note.under("said by the user\n\nDewar-Checkpoint: {}\n");
            assert_eq!(Note::of(&message), Some(note));
        }
        for message in
            ["", "dvc: commit experiment 1", "Dewar-Checkpoint: {}", "Dewar-Checkpoint: {\"experiment\": \"a/b\"}"]
        {
            assert_eq!(Note::of(message), None, "{message}");
        }
    }
}
