//! `--pull`: what is neither in the workspace nor in the cache is fetched from a remote, when it is needed and not before.

use std::collections::BTreeMap;

use super::{StageError, StageRunner};
use crate::observe::Observe;
use crate::path::RepoPath;
use crate::pipeline::{LockEntry, LockedPath, Pipeline, Place, Stage};
use crate::remote::Fetcher;

/// Where missing contents come from.
pub struct Pull<'a> {
    fetcher: Fetcher<'a>,
    /// What is recorded of all outputs of the project.
    outputs: BTreeMap<RepoPath, LockedPath>,
}

impl<'a> Pull<'a> {
    /// By `fetcher`, as the locks of `pipeline` say.
    #[must_use]
    pub fn new(fetcher: Fetcher<'a>, pipeline: &Pipeline) -> Self {
        let mut outputs = BTreeMap::new();
        for (_, stage) in pipeline.stages() {
            let Some(locked) = pipeline.locked(stage) else { continue };
            let recorded = stage.outs.iter().filter_map(|out| Some((out.path.clone(), locked.out(&out.lock_path)?)));
            outputs.extend(recorded.map(|(path, known)| (path, known.clone())));
        }
        Self { fetcher, outputs }
    }

    /// What brings them.
    pub(super) const fn fetcher(&self) -> &Fetcher<'a> {
        &self.fetcher
    }

    /// The output at or around a path.
    fn output(&self, path: &RepoPath) -> Option<(&RepoPath, &LockedPath)> {
        let mut above = std::iter::successors(Some(path.clone()), RepoPath::parent);
        above.find_map(|path| self.outputs.get_key_value(&path))
    }
}

impl StageRunner<'_> {
    /// Brings dependencies that are missing in the workspace, and missing data of what never runs: `.dvc` files and frozen
    /// stages. Outputs of other stages are fetched when it has turned out that their inputs are those of a recorded run.
    pub(super) fn pull_missing(&self, stage: &Stage, locked: Option<&LockEntry>) -> Result<(), StageError> {
        let Some(pull) = &self.pull else { return Ok(()) };
        if !stage.frozen {
            for dep in stage.deps.iter().filter_map(|dep| dep.place.inside()) {
                if let Some((path, known)) = pull.output(dep)
                    && self.is_missing(dep)?
                {
                    self.pull_into_workspace(pull, path, known)?;
                }
            }
        }
        if stage.is_data() || stage.frozen {
            for out in &stage.outs {
                if let Some(known) = locked.and_then(|locked| locked.out(&out.lock_path))
                    && self.is_missing(&out.path)?
                {
                    self.pull_into_workspace(pull, &out.path, known)?;
                }
            }
        }
        Ok(())
    }

    fn is_missing(&self, path: &RepoPath) -> Result<bool, StageError> {
        Ok(self.workspace.content(&Place::Inside(path.clone()), self.workspace.algorithm())?.is_none())
    }

    fn pull_into_workspace(&self, pull: &Pull<'_>, path: &RepoPath, known: &LockedPath) -> Result<(), StageError> {
        let Some(id) = &known.id else { return Ok(()) };
        if pull.fetcher.object(id)? {
            self.check_out_from(self.store(), id, known.executable, path)?;
        }
        Ok(())
    }
}
