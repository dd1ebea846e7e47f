//! From a remote to the cache. What arrives is kept when it is what its name says.

use std::io::{self, Write};
use std::sync::Arc;

use dewar_text::yaml::MAX_SIZE;
use rayon::prelude::*;

use super::batch::Batch;
use super::progress::{Arriving, Progress};
use super::transfer::{Outcome, Runs, Transfer, Transferred, each};
use super::{Listed, Remote, RemoteError};
use crate::cache::{CacheError, ObjectStore, key};
use crate::digest::{Algorithm, ObjectId};
use crate::event::{Direction, Event, EventSink};
use crate::pipeline::LockEntry;
use crate::process::Cancellation;
use crate::run_cache::{RUNS, RunCache, RunKey};

impl Transfer<'_> {
    /// Sees to it that the cache has a batch, and with [`Runs::Take`] all runs that the remote remembers; of these, not what came
    /// out.
    /// What goes wrong is in the answer, beside what came.
    pub fn fetch(&self, batch: &Batch, runs: Runs) -> Transferred {
        self.on_threads(Direction::Fetch, |progress| {
            let mut done = Transferred::default();
            let ended = self.fetch_all(batch, runs, progress, &mut done);
            done.and(ended)
        })
    }

    fn fetch_all(
        &self,
        batch: &Batch,
        runs: Runs,
        progress: &Progress<'_>,
        done: &mut Transferred,
    ) -> Result<(), RemoteError> {
        if runs == Runs::Take {
            self.fetch_runs(progress, done)?;
        }
        // First what says which files there are. One that the cache has damaged is found when it is read, and is fetched then.
        let mut objects = batch.objects(self.store)?;
        let unlisted = objects.unlisted.iter().chain(&objects.damaged).map(|absent| absent.id.clone());
        let unlisted: Vec<ObjectId> = unlisted.collect();
        if !unlisted.is_empty() {
            let ids: Vec<&ObjectId> = unlisted.iter().collect();
            let lost = each(&ids, progress, done, |id| self.fetch_one(id, progress));
            objects = batch.objects(self.store)?;
            let among = |ids: &[&ObjectId]| {
                objects.unlisted.iter().filter(|absent| ids.contains(&&absent.id)).cloned().collect::<Vec<_>>()
            };
            done.missing.extend(among(&lost.missing));
            done.damaged.extend(among(&lost.damaged));
            done.damaged.extend(objects.damaged.iter().cloned());
        }
        done.missing.extend(objects.unknown.iter().cloned());
        let absent: Vec<&ObjectId> = objects.files.par_iter().filter(|id| !self.store.has(id)).collect();
        let lost = each(&absent, progress, done, |id| self.fetch_one(id, progress));
        done.missing.extend(objects.places(&lost.missing));
        done.damaged.extend(objects.places(&lost.damaged));
        done.missing.sort();
        done.damaged.sort();
        Ok(())
    }

    fn fetch_one(&self, id: &ObjectId, progress: &Progress<'_>) -> Outcome {
        match bring(self.remote, self.store, id, progress) {
            Ok(Brought::Yes) => Outcome::Went(self.store.size(id).unwrap_or_default()),
            Ok(Brought::Missing) => Outcome::Missing,
            Ok(Brought::Damaged { .. }) => Outcome::Damaged,
            Err(_) if progress.is_cancelled() => Outcome::Left,
            Err(error) => Outcome::Failed(error),
        }
    }

    fn fetch_runs(&self, progress: &Progress<'_>, done: &mut Transferred) -> Result<(), RemoteError> {
        let folders = |key: &str| -> Result<Vec<String>, RemoteError> {
            let name = |listed| match listed {
                Listed::Folder(name) => Some(name),
                Listed::File(_) => None,
            };
            Ok(self.remote.list(key)?.into_iter().filter_map(name).collect())
        };
        let below = |start: &String| folders(&format!("{RUNS}/{start}"));
        let inputs = folders(RUNS)?.par_iter().map(below).collect::<Result<Vec<_>, _>>()?.concat();
        let inputs: Vec<RunKey> = inputs.iter().filter_map(|name| RunKey::parse(name)).collect();
        let run_cache = RunCache::new(self.store.folder());
        let fetch = |inputs: &RunKey| match bring_runs(self.remote, &run_cache, inputs, progress) {
            Ok(count) => Outcome::Remembered(count),
            Err(_) if progress.is_cancelled() => Outcome::Left,
            Err(error) => Outcome::Failed(error),
        };
        each(&inputs.iter().collect::<Vec<_>>(), progress, done, fetch);
        Ok(())
    }
}

/// Brings what the cache lacks from a remote, one after the other as it is needed.
pub struct Fetcher<'a> {
    remote: Box<dyn Remote>,
    store: &'a ObjectStore,
    never: Cancellation,
    events: Arc<dyn EventSink>,
}

impl<'a> Fetcher<'a> {
    /// From `remote` into `store`.
    #[must_use]
    pub fn new(remote: Box<dyn Remote>, store: &'a ObjectStore, events: Arc<dyn EventSink>) -> Self {
        // Nothing is lost when the process ends meanwhile.
        Self { remote, store, never: Cancellation::default(), events }
    }

    /// Sees to it that the cache has an object, of a directory its listing and its files; false when neither it nor the remote
    /// has all of it. What the remote has damaged is as good as nothing, and is told.
    ///
    /// # Errors
    /// When the remote cannot be read, or what it has cannot be kept.
    pub fn object(&self, id: &ObjectId) -> Result<bool, RemoteError> {
        let progress = Progress::new(Direction::Fetch, &*self.events, &self.never);
        if !self.one(id, &progress)? {
            return Ok(false);
        }
        let Some(members) = self.store.members(id).map_err(RemoteError::Cache)?.filter(|_| id.is_directory()) else {
            return Ok(!id.is_directory());
        };
        let absent: Vec<&ObjectId> = members.iter().filter(|id| !self.store.has(id)).collect();
        progress.expect(absent.len());
        let fetch = |id: &&ObjectId| {
            let found = self.one(id, &progress);
            progress.one_done();
            found
        };
        let found: Vec<bool> = absent.par_iter().map(fetch).collect::<Result<_, _>>()?;
        Ok(found.into_iter().all(|found| found))
    }

    /// Brings the runs that the remote remembers for the inputs of `entry`.
    ///
    /// # Errors
    /// As [`Self::object`].
    pub fn runs(&self, run_cache: &RunCache, entry: &LockEntry) -> Result<(), RemoteError> {
        let progress = Progress::new(Direction::Fetch, &*self.events, &self.never);
        bring_runs(&*self.remote, run_cache, &RunKey::of_inputs(entry), &progress).map(drop)
    }

    fn one(&self, id: &ObjectId, progress: &Progress<'_>) -> Result<bool, RemoteError> {
        if self.store.has(id) {
            return Ok(true);
        }
        Ok(match bring(&*self.remote, self.store, id, progress)? {
            Brought::Yes => true,
            Brought::Missing => false,
            Brought::Damaged { key } => {
                let error = RemoteError::Damaged { name: self.remote.name().to_owned(), key };
                self.events.event(Event::Warning { message: error.to_string() });
                false
            }
        })
    }
}

/// What became of an object that the cache lacked.
enum Brought {
    Yes,
    /// The remote has none.
    Missing,
    /// What the remote has at `key` is something else.
    Damaged {
        key: String,
    },
}

/// Brings one object.
fn bring(
    remote: &dyn Remote,
    store: &ObjectStore,
    id: &ObjectId,
    progress: &Progress<'_>,
) -> Result<Brought, RemoteError> {
    let mut keys = vec![key(id)];
    if id.algorithm() == Algorithm::Md5 {
        // Where DVC 2 put it.
        keys.extend(ObjectId::parse(Algorithm::Md5Dos2Unix, id.as_str()).ok().as_ref().map(key));
    }
    let mut brought = Brought::Missing;
    for key in keys {
        match store.receive(id, |to| remote.read(&key, &mut Arriving { to, progress })) {
            Ok(true) => return Ok(Brought::Yes),
            Ok(false) => {}
            Err(RemoteError::Cache(CacheError::Wrong { .. })) => brought = Brought::Damaged { key },
            Err(error) => return Err(error),
        }
    }
    Ok(brought)
}

/// Brings the runs with these inputs. What has another name than runs have, or is too large for one, is none. Returns how many.
fn bring_runs(
    remote: &dyn Remote,
    run_cache: &RunCache,
    inputs: &RunKey,
    progress: &Progress<'_>,
) -> Result<usize, RemoteError> {
    let mut count = 0;
    for listed in remote.list(&inputs.folder())? {
        let Listed::File(name) = listed else { continue };
        let Some(run) = RunKey::parse(&name).filter(|run| !run_cache.has(inputs, run)) else { continue };
        let mut text = Bounded { text: Vec::new(), is_full: false };
        match remote.read(&inputs.place_of(&run), &mut Arriving { to: &mut text, progress }) {
            Ok(true) => {
                count += usize::from(run_cache.receive(inputs, &run, &text.text).map_err(CacheError::from)?);
            }
            Ok(false) => {}
            Err(_) if text.is_full => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// The text of a run, which takes no more than one may have.
struct Bounded {
    text: Vec<u8>,
    /// Whether there was more.
    is_full: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() + bytes.len() > MAX_SIZE {
            self.is_full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
