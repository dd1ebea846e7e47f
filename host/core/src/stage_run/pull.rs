//! `--pull`: what is neither in the workspace nor in the cache is fetched from a remote, when it is needed and not before.

use std::collections::BTreeMap;

use super::{StageError, StageRunner};
use crate::cache::ObjectStore;
use crate::digest::ObjectId;
use crate::event::Event;
use crate::observe::Observe;
use crate::path::RepoPath;
use crate::pipeline::{LockEntry, LockedPath, Pipeline, Place, Stage};
use crate::remote::{Fetcher, Remote, RemoteError};

/// Where missing contents come from.
pub struct Pull<'a> {
    fetcher: Fetcher<'a>,
    /// What is recorded of all outputs of the project.
    outputs: BTreeMap<RepoPath, LockedPath>,
}

impl<'a> Pull<'a> {
    /// From `remote` into `store`, as the locks of `pipeline` say.
    #[must_use]
    pub fn new(remote: Box<dyn Remote>, store: &'a ObjectStore, pipeline: &Pipeline) -> Self {
        let mut outputs = BTreeMap::new();
        for (_, stage) in pipeline.stages() {
            let Some(locked) = pipeline.locked(stage) else { continue };
            let recorded = stage.outs.iter().filter_map(|out| Some((out.path.clone(), locked.out(&out.lock_path)?)));
            outputs.extend(recorded.map(|(path, known)| (path, known.clone())));
        }
        Self { fetcher: Fetcher::new(remote, store), outputs }
    }

    /// The output at or around a path.
    fn output(&self, path: &RepoPath) -> Option<(&RepoPath, &LockedPath)> {
        let mut above = std::iter::successors(Some(path.clone()), RepoPath::parent);
        above.find_map(|path| self.outputs.get_key_value(&path))
    }
}

impl StageRunner<'_> {
    /// Brings dependencies that are missing in the workspace, and missing data of what never runs: `.dvc` files and frozen
    /// stages. Outputs of other stages are only fetched when their inputs are those of the recorded run.
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

    /// Fetches the outputs of a recorded run that are neither in the workspace nor in the cache; whether all can be had then.
    pub(super) fn pull_outputs(&self, stage: &Stage, entry: &LockEntry) -> Result<bool, StageError> {
        let Some(pull) = &self.pull else { return Ok(false) };
        for out in &stage.outs {
            let Some(known) = entry.out(&out.lock_path) else { return Ok(false) };
            let Some(id) = &known.id else { return Ok(false) };
            if !self.is_as_locked(known, &Place::Inside(out.path.clone()))? && !self.fetch(pull, id)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Fetches the runs that the remote remembers for these inputs.
    pub(super) fn pull_runs(&self, asked: &LockEntry) -> Result<(), StageError> {
        match (&self.pull, &self.run_cache) {
            (Some(pull), Some(run_cache)) => Ok(pull.fetcher.runs(run_cache, asked)?),
            _ => Ok(()),
        }
    }

    fn is_missing(&self, path: &RepoPath) -> Result<bool, StageError> {
        Ok(self.workspace.content(&Place::Inside(path.clone()), self.workspace.algorithm())?.is_none())
    }

    fn pull_into_workspace(&self, pull: &Pull<'_>, path: &RepoPath, known: &LockedPath) -> Result<(), StageError> {
        let Some(id) = &known.id else { return Ok(()) };
        if self.fetch(pull, id)? {
            self.check_out_from(self.store(), id, known.executable, path)?;
        }
        Ok(())
    }

    /// Whether the cache has the object now. One that the remote has damaged is as good as none, and is told.
    fn fetch(&self, pull: &Pull<'_>, id: &ObjectId) -> Result<bool, StageError> {
        if self.store().contains(id)? {
            return Ok(true);
        }
        match pull.fetcher.object(id) {
            Err(error @ RemoteError::Damaged { .. }) => {
                self.events.event(Event::Warning { message: error.to_string() });
                Ok(false)
            }
            fetched => Ok(fetched?),
        }
    }
}
