//! [`Recall`]: results that came out before, from the lock or the run cache (walk, step 7).

use super::{in_lock_order, is_as_locked};
use crate::cache::{CacheError, ObjectStore};
use crate::observe::{Observe, ObserveError};
use crate::params::value::python_equal;
use crate::pipeline::{LockEntry, LockedPath, Output, Place, Stage};
use crate::remote::Fetcher;
use crate::run_cache::RunCache;

/// Where results are looked for.
pub struct Recall<'a> {
    /// The workspace, which may have outputs that the cache lost.
    pub observe: &'a dyn Observe,
    /// The cache.
    pub store: &'a ObjectStore,
    /// Remembered runs; none when they are not to be consulted.
    pub run_cache: Option<&'a RunCache>,
    /// What brings them from a remote, when they may be fetched (`--pull`).
    pub fetcher: Option<&'a Fetcher<'a>>,
}

impl Recall<'_> {
    /// The outputs that came out of these inputs before, when all of them can be had: from the lock, else the run cache.
    ///
    /// # Errors
    /// When the workspace or the cache cannot be looked at.
    pub fn result(
        &self,
        stage: &Stage,
        locked: Option<&LockEntry>,
        inputs: &LockEntry,
    ) -> Result<Option<Vec<LockedPath>>, ObserveError> {
        // What outlives its runs, or has no inputs to tell runs apart by, is not to be had again.
        if !RunCache::remembers(stage) {
            return Ok(None);
        }
        let only_outs = |entry: &LockEntry| {
            let outs = stage.outs.iter().filter_map(|out| {
                Some(LockedPath { path: out.lock_path.clone(), ..entry.out(&out.lock_path)?.clone() })
            });
            in_lock_order(outs.collect())
        };
        if let Some(locked) = locked
            && same_inputs(stage, locked, inputs)
            && self.is_obtainable(stage, locked)?
        {
            return Ok(Some(only_outs(locked)));
        }
        let Some(run_cache) = self.run_cache else { return Ok(None) };
        let asked = Self::asked(stage, inputs);
        if let Some(fetcher) = self.fetcher {
            fetcher.runs(run_cache, &asked)?;
        }
        let mut failed = None;
        let usable = |entry: &LockEntry| {
            self.is_obtainable(stage, entry).unwrap_or_else(|error| {
                failed = Some(error);
                false
            })
        };
        let found = run_cache.find(&asked, usable).map_err(CacheError::Fs)?;
        match failed {
            Some(error) => Err(error),
            None => Ok(found.map(|found| only_outs(&found))),
        }
    }

    /// What the run cache is asked for: the inputs, with the paths of the stage's outputs.
    #[must_use]
    pub fn asked(stage: &Stage, inputs: &LockEntry) -> LockEntry {
        let wanted = |out: &Output| LockedPath { path: out.lock_path.clone(), ..LockedPath::default() };
        LockEntry { outs: stage.outs.iter().map(wanted).collect(), ..inputs.clone() }
    }

    /// Whether every output of the entry is in the workspace or in the cache, or was fetched.
    fn is_obtainable(&self, stage: &Stage, entry: &LockEntry) -> Result<bool, ObserveError> {
        for out in &stage.outs {
            let Some(known) = entry.out(&out.lock_path) else { return Ok(false) };
            let Some(id) = &known.id else { return Ok(false) };
            let place = Place::Inside(out.path.clone());
            if self.store.contains(id)? || is_as_locked(known, &place, self.observe)? {
                continue;
            }
            let Some(fetcher) = self.fetcher else { return Ok(false) };
            if !fetcher.object(id)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether the lock remembers a run with these inputs. Parameters are compared as plans compare them.
fn same_inputs(stage: &Stage, locked: &LockEntry, inputs: &LockEntry) -> bool {
    let same_dep =
        |dep: &LockedPath| locked.dep(&dep.path).is_some_and(|known| known.id.is_some() && known.id == dep.id);
    let same_params = inputs.params.iter().all(|(file, values)| {
        locked.params.get(file).is_some_and(|known| {
            values.iter().all(|(key, value)| known.get(key).is_some_and(|known| python_equal(known, value)))
        })
    });
    stage.command == locked.command && inputs.deps.iter().all(same_dep) && same_params
}
