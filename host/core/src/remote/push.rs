//! From the cache to a remote.
//!
//! The listing of a directory goes last, and only when all its files are there: so a listing in a remote means that all of the
//! directory is there. A remembered run goes after what came out of it, for the same reason.

use std::collections::HashSet;

use super::RemoteError;
use super::batch::{Batch, Listing, Objects};
use super::present::present;
use super::progress::{Progress, Sent};
use super::transfer::{Absent, Outcome, Runs, Transfer, Transferred, each};
use crate::cache::{CacheError, key};
use crate::digest::ObjectId;
use crate::event::Direction;
use crate::pipeline::LockEntry;
use crate::run_cache::{RunCache, RunFile};

impl Transfer<'_> {
    /// Sees to it that the remote has a batch, and with [`Runs::Take`] all remembered runs of which the remote has all that came
    /// out.
    /// What goes wrong is in the answer, beside what went.
    pub fn push(&self, batch: &Batch, runs: Runs) -> Transferred {
        self.on_threads(Direction::Push, |progress| {
            let mut done = Transferred::default();
            let ended = self.push_all(batch, runs, progress, &mut done);
            done.and(ended)
        })
    }

    fn push_all(
        &self,
        batch: &Batch,
        runs: Runs,
        progress: &Progress<'_>,
        done: &mut Transferred,
    ) -> Result<(), RemoteError> {
        let objects = batch.objects(self.store)?;
        done.missing.extend(objects.unknown.iter().cloned());
        self.push_objects(&objects, progress, done)?;
        match runs {
            Runs::Take => self.push_runs(progress, done),
            Runs::Leave => Ok(()),
        }
    }

    fn push_objects(
        &self,
        objects: &Objects,
        progress: &Progress<'_>,
        done: &mut Transferred,
    ) -> Result<(), RemoteError> {
        let there = present(self.remote, &objects.files)?;
        let there = self.push_absent(objects.files.iter(), there, objects, progress, done);
        // What else the directories have of which a part was pushed: it may be there.
        let others: Vec<ObjectId> = objects.others().filter(|id| !there.contains(id)).cloned().collect();
        let others = present(self.remote, &others)?;
        let has = |id: &ObjectId| there.contains(id) || others.contains(id);
        let is_ready = |listing: &&Listing| listing.tree.files().all(|(_, id)| has(id));
        let ready: Vec<ObjectId> = objects.listings.iter().filter(is_ready).map(|listing| listing.id.clone()).collect();
        let listed = present(self.remote, &ready)?;
        self.push_absent(ready.iter(), listed, objects, progress, done);
        // A listing that the cache lacks or had damaged is no loss where the remote has it.
        let lost = |absent: &&Absent| Ok((!self.remote.has(&key(&absent.id))?).then(|| (*absent).clone()));
        let lost = |absent: &[Absent]| absent.iter().filter_map(|absent| lost(&absent).transpose()).collect();
        let (missing, damaged): (Result<Vec<_>, _>, Result<Vec<_>, RemoteError>) =
            (lost(&objects.unlisted), lost(&objects.damaged));
        done.missing.extend(missing?);
        done.damaged.extend(damaged?);
        done.missing.sort();
        done.damaged.sort();
        Ok(())
    }

    /// Sends those of `ids` that are not `there`; answers what is there now.
    fn push_absent<'o>(
        &self,
        ids: impl Iterator<Item = &'o ObjectId>,
        mut there: HashSet<&'o ObjectId>,
        objects: &Objects,
        progress: &Progress<'_>,
        done: &mut Transferred,
    ) -> HashSet<&'o ObjectId> {
        let absent: Vec<&ObjectId> = ids.filter(|id| !there.contains(id)).collect();
        let lost = each(&absent, progress, done, |id| self.push_one(id, progress));
        let all: HashSet<&ObjectId> = lost.all.into_iter().collect();
        there.extend(absent.into_iter().filter(|id| !all.contains(id)));
        done.missing.extend(objects.places(&lost.missing));
        done.damaged.extend(objects.places(&lost.damaged));
        there
    }

    fn push_one(&self, id: &ObjectId, progress: &Progress<'_>) -> Outcome {
        let (file, size) = match self.store.open(id) {
            Ok(Some(found)) => found,
            Ok(None) => return Outcome::Missing,
            Err(error) => return Outcome::Failed(error.into()),
        };
        let mut sent = Sent::new(file, id, progress);
        match self.remote.write(&key(id), &mut sent, size) {
            Ok(()) => Outcome::Went(size),
            Err(_) if sent.is_damaged => match self.store.discard(id) {
                CacheError::Corrupt { .. } => Outcome::Damaged,
                error => Outcome::Failed(error.into()),
            },
            Err(_) if progress.is_cancelled() => Outcome::Left,
            Err(error) => Outcome::Failed(error),
        }
    }

    fn push_runs(&self, progress: &Progress<'_>, done: &mut Transferred) -> Result<(), RemoteError> {
        let runs = RunCache::new(self.store.folder()).all().map_err(CacheError::from)?;
        let results: HashSet<&ObjectId> = runs.iter().flat_map(|run| outs(&run.entry)).flatten().collect();
        let results: Vec<ObjectId> = results.into_iter().cloned().collect();
        let there = present(self.remote, &results)?;
        let is_whole = |run: &&RunFile| outs(&run.entry).all(|id| id.is_some_and(|id| there.contains(id)));
        let whole: Vec<&RunFile> = runs.iter().filter(is_whole).collect();
        let push = |run: &RunFile| match self.push_run(run) {
            Ok(count) => Outcome::Remembered(count),
            Err(error) => Outcome::Failed(error),
        };
        each(&whole, progress, done, push);
        Ok(())
    }

    /// Returns how many went: none when it was there.
    fn push_run(&self, run: &RunFile) -> Result<usize, RemoteError> {
        if self.remote.has(&run.place)? {
            return Ok(0);
        }
        self.remote.write(&run.place, &mut run.text.as_slice(), run.text.len() as u64)?;
        Ok(1)
    }
}

fn outs(entry: &LockEntry) -> impl Iterator<Item = Option<&ObjectId>> {
    entry.outs.iter().map(|out| out.id.as_ref())
}
