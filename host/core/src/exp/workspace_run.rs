//! [`WorkspaceRun`]: the experiment that runs in the user's workspace, told to those who look meanwhile (`exp show`). Step 3 of the walk.
//!
//! A document that is there as long as the experiment runs, and is believed only while its process lives: a kill leaves nothing that
//! seems to run. Nothing is decided by it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::name::ExperimentName;
use crate::fs;
use crate::git::{CommitId, CommitTime, Git, GitError, Identity, NewCommit};
use crate::process::identity::{Life, ProcessIdentity};

/// The document, in the folder of the project.
const FILE: &str = ".dvc/tmp/exps/running.json";

/// An experiment that runs in the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceRun {
    /// What it will be called.
    pub name: ExperimentName,
    /// The commit that it started from.
    pub baseline: CommitId,
    /// What stands for it until it has commits of its own: one on the baseline, with the files of that.
    pub commit: CommitId,
    runner: ProcessIdentity,
}

/// Takes the document away at the end.
#[derive(Debug)]
pub struct Announced {
    file: PathBuf,
}

impl WorkspaceRun {
    /// Tells of an experiment that runs in the workspace of `git` until what is returned is dropped. That it cannot be told, as on a
    /// full disk, stops no run.
    ///
    /// # Errors
    /// When git cannot write.
    pub fn announce(
        git: &Git,
        (baseline, name): (CommitId, &ExperimentName),
        identity: &Identity,
        time: CommitTime,
    ) -> Result<Announced, GitError> {
        let tree = git.commit_summary(baseline)?.tree;
        let message = format!("dewar: `{name}` runs in the workspace");
        let commit = git.commit(&NewCommit { tree, parents: &[baseline], message: &message, time, identity })?;
        let running = Self { name: name.clone(), baseline, commit, runner: ProcessIdentity::current() };
        let file = git.root().join(FILE);
        if let Ok(text) = serde_json::to_vec(&running) {
            drop(fs::write_atomic(&file, &text));
        }
        Ok(Announced { file })
    }

    /// The one that runs in the workspace at `root` now.
    #[must_use]
    pub fn in_workspace(root: &Path) -> Option<Self> {
        let running: Self = serde_json::from_slice(&std::fs::read(root.join(FILE)).ok()?).ok()?;
        (running.runner.life() != Life::Ended).then_some(running)
    }

    /// The number of its process.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.runner.pid()
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        // Whoever reads it then sees that the process has ended.
        drop(fs::remove_file(&self.file));
    }
}
