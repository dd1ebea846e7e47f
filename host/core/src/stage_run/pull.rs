//! `--pull`: what is neither in the workspace nor in the cache is fetched from a remote, when it is needed and not before.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::{StageError, StageRunner};
use crate::observe::Observe;
use crate::path::RepoPath;
use crate::pipeline::{LockEntry, LockedPath, Pipeline, Place, Stage};
use crate::remote::Fetcher;

/// Where missing contents come from.
pub struct Pull<'a> {
    fetcher: Fetcher<'a>,
    /// What is recorded of all outputs of the project.
    outputs: BTreeMap<RepoPath, Recorded>,
}

struct Recorded {
    known: LockedPath,
    /// Held by the stage that looks whether the output is there and brings it: another stage that needs it waits, and finds all
    /// of it.
    turn: Mutex<()>,
}

impl<'a> Pull<'a> {
    /// By `fetcher`, as the locks of `pipeline` say.
    #[must_use]
    pub fn new(fetcher: Fetcher<'a>, pipeline: &Pipeline) -> Self {
        let recorded = |known: &LockedPath| Recorded { known: known.clone(), turn: Mutex::default() };
        let outputs = pipeline.recorded().into_iter().map(|(path, known)| (path.clone(), recorded(known))).collect();
        Self { fetcher, outputs }
    }

    /// What brings them.
    pub(super) const fn fetcher(&self) -> &Fetcher<'a> {
        &self.fetcher
    }

    /// The output at or around a path.
    fn output(&self, path: &RepoPath) -> Option<(&RepoPath, &Recorded)> {
        path.ancestors().find_map(|path| self.outputs.get_key_value(path))
    }
}

impl StageRunner<'_> {
    /// Brings dependencies that are missing in the workspace, and missing data of what never runs: `.dvc` files and frozen
    /// stages. Outputs of other stages are fetched when it has turned out that their inputs are those of a recorded run.
    pub(super) fn pull_missing(&self, stage: &Stage, locked: Option<&LockEntry>) -> Result<(), StageError> {
        let Some(pull) = &self.pull else { return Ok(()) };
        if !stage.frozen {
            for dep in stage.deps.iter().filter_map(|dep| dep.place.inside()) {
                if let Some((path, recorded)) = pull.output(dep) {
                    let _turn = recorded.turn.lock().unwrap_or_else(PoisonError::into_inner);
                    self.pull_if_missing(pull, dep, path, &recorded.known)?;
                }
            }
        }
        if stage.is_data() || stage.frozen {
            for out in &stage.outs {
                if let Some(known) = locked.and_then(|locked| locked.out(&out.lock_path)) {
                    let recorded = pull.outputs.get(&out.path);
                    let _turn = recorded.map(|recorded| recorded.turn.lock().unwrap_or_else(PoisonError::into_inner));
                    self.pull_if_missing(pull, &out.path, &out.path, known)?;
                }
            }
        }
        Ok(())
    }

    /// Brings the output `path` when `needed`, which is it or in it, is missing.
    fn pull_if_missing(
        &self,
        pull: &Pull<'_>,
        needed: &RepoPath,
        path: &RepoPath,
        known: &LockedPath,
    ) -> Result<(), StageError> {
        let needed = self.workspace.content(&Place::Inside(needed.clone()), self.workspace.algorithm())?;
        if needed.is_none()
            && let Some(id) = &known.id
            && pull.fetcher.object(id)?
        {
            self.check_out_from(self.store(), id, known.executable, path)?;
        }
        Ok(())
    }
}
