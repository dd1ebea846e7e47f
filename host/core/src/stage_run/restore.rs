//! Results that are known, checked out (walk, step 7).

use super::{Pull, StageEnd, StageError, StageRunner};
use crate::cache::{CacheError, ObjectStore, Wanted};
use crate::digest::ObjectId;
use crate::event::Event;
use crate::path::RepoPath;
use crate::pipeline::{LockEntry, LockedPath, Place, Stage};
use crate::plan::{self, Recall};

impl StageRunner<'_> {
    /// Brings the stage up to date with what came out of these inputs before, when all of it can be had; from a remote, too,
    /// if that is `asked`.
    pub(super) fn restore(
        &self,
        stage: &Stage,
        locked: Option<&LockEntry>,
        inputs: &LockEntry,
        asked: Option<&Pull<'_>>,
    ) -> Result<Option<StageEnd>, StageError> {
        let Some(outs) = self.known_result(stage, locked, inputs, asked)? else { return Ok(None) };
        if !self.check_out(stage, &outs)? {
            return Ok(None);
        }
        self.tell(stage, |stage| Event::StageRestored { stage });
        Ok(Some(StageEnd::Restored(LockEntry { outs, ..inputs.clone() })))
    }

    fn known_result(
        &self,
        stage: &Stage,
        locked: Option<&LockEntry>,
        inputs: &LockEntry,
        asked: Option<&Pull<'_>>,
    ) -> Result<Option<Vec<LockedPath>>, StageError> {
        let recall = Recall {
            observe: self.workspace,
            store: self.store(),
            run_cache: self.run_cache.as_ref(),
            fetcher: asked.map(Pull::fetcher),
        };
        Ok(recall.result(stage, locked, inputs)?)
    }

    /// Checks outputs out; false when the cache's objects turn out to be damaged, so that the stage has to run after all.
    fn check_out(&self, stage: &Stage, outs: &[LockedPath]) -> Result<bool, StageError> {
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
        Ok(plan::is_as_locked(locked, place, self.workspace)?)
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
