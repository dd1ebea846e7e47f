//! Results that are known: found in the lock or in the run cache, and checked out.

use super::{StageError, StageRunner, sorted};
use crate::cache::{CacheError, ObjectStore, Wanted};
use crate::digest::ObjectId;
use crate::event::Event;
use crate::observe::Observe;
use crate::path::RepoPath;
use crate::pipeline::{LockEntry, LockedPath, Output, Place, Stage};
use crate::run_cache::RunCache;

impl StageRunner<'_> {
    /// The outputs that came out of these inputs before, when all of them can be had: from the lock, else the run cache.
    pub(super) fn known_result(
        &self,
        stage: &Stage,
        locked: Option<&LockEntry>,
        inputs: &LockEntry,
    ) -> Result<Option<Vec<LockedPath>>, StageError> {
        // What outlives its runs, or has no inputs to tell runs apart by, is not to be had again.
        if !RunCache::remembers(stage) {
            return Ok(None);
        }
        let only_outs = |entry: &LockEntry| {
            let outs = stage.outs.iter().filter_map(|out| {
                Some(LockedPath { path: out.lock_path.clone(), ..entry.out(&out.lock_path)?.clone() })
            });
            sorted(outs.collect())
        };
        if let Some(locked) = locked
            && same_inputs(stage, locked, inputs)
            && (self.is_obtainable(stage, locked)? || self.pull_outputs(stage, locked)?)
        {
            return Ok(Some(only_outs(locked)));
        }
        let Some(run_cache) = &self.run_cache else { return Ok(None) };
        let wanted = |out: &Output| LockedPath { path: out.lock_path.clone(), ..LockedPath::default() };
        let asked = LockEntry { outs: stage.outs.iter().map(wanted).collect(), ..inputs.clone() };
        self.pull_runs(&asked)?;
        let mut failed = None;
        let usable = |entry: &LockEntry| {
            let obtainable = self.is_obtainable(stage, entry);
            let had = obtainable.and_then(|obtainable| Ok(obtainable || self.pull_outputs(stage, entry)?));
            had.unwrap_or_else(|error| {
                failed = Some(error);
                false
            })
        };
        let found = run_cache.find(&asked, usable)?;
        match failed {
            Some(error) => Err(error),
            None => Ok(found.map(|found| only_outs(&found))),
        }
    }

    /// Whether every output of the entry is in the workspace or in the cache.
    fn is_obtainable(&self, stage: &Stage, entry: &LockEntry) -> Result<bool, StageError> {
        for out in &stage.outs {
            let Some(known) = entry.out(&out.lock_path) else { return Ok(false) };
            let Some(id) = &known.id else { return Ok(false) };
            if !self.store().contains(id)? && !self.is_as_locked(known, &Place::Inside(out.path.clone()))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Checks outputs out; false when the cache's objects turn out to be damaged, so that the stage has to run after all.
    pub(super) fn check_out(&self, stage: &Stage, outs: &[LockedPath]) -> Result<bool, StageError> {
        let copying = self.store().copying();
        for out in &stage.outs {
            let Some(known) = outs.iter().find(|known| known.path == out.lock_path) else { continue };
            let Some(id) = &known.id else { continue };
            if self.is_as_locked(known, &Place::Inside(out.path.clone()))? {
                continue;
            }
            // What git keeps must not be a link into the cache.
            let store = if out.cached { self.store() } else { &copying };
            match self.check_out_from(store, id, known.executable, &out.path) {
                Ok(()) => {}
                Err(StageError::Cache(error @ (CacheError::Missing { .. } | CacheError::Corrupt { .. }))) => {
                    self.events.event(Event::Warning { message: format!("{error}; the stage runs again") });
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    pub(super) fn is_as_locked(&self, locked: &LockedPath, place: &Place) -> Result<bool, StageError> {
        let Some(id) = &locked.id else { return Ok(false) };
        let found = self.workspace.content(place, id.algorithm())?;
        Ok(found.is_some_and(|found| found.id == *id))
    }

    pub(super) fn check_out_from(
        &self,
        store: &ObjectStore,
        id: &ObjectId,
        executable: bool,
        path: &RepoPath,
    ) -> Result<(), StageError> {
        self.workspace.tree().check_out(store, &Wanted { id, executable }, path)?;
        self.workspace.forget(path);
        Ok(())
    }
}

/// Whether the lock remembers a run with these inputs. Parameters are compared as plans compare them.
fn same_inputs(stage: &Stage, locked: &LockEntry, inputs: &LockEntry) -> bool {
    let same_dep =
        |dep: &LockedPath| locked.dep(&dep.path).is_some_and(|known| known.id.is_some() && known.id == dep.id);
    let same_params = inputs.params.iter().all(|(file, values)| {
        locked.params.get(file).is_some_and(|known| {
            values.iter().all(|(key, value)| {
                known.get(key).is_some_and(|known| crate::params::value::python_equal(known, value))
            })
        })
    });
    stage.command == locked.command && inputs.deps.iter().all(same_dep) && same_params
}
