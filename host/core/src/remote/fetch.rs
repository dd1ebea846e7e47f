//! Bringing objects and remembered runs from a remote into the cache.

use std::io::{Read, Seek};
use std::sync::Arc;

use rayon::prelude::*;

use super::{Remote, RemoteError};
use crate::cache::{CacheError, ObjectStore, key};
use crate::digest::{Algorithm, ObjectId};
use crate::event::{Event, EventSink};
use crate::pipeline::LockEntry;
use crate::run_cache::RunCache;

/// Brings what the cache lacks from a remote.
pub struct Fetcher<'a> {
    remote: Box<dyn Remote>,
    store: &'a ObjectStore,
    events: Arc<dyn EventSink>,
}

impl<'a> Fetcher<'a> {
    /// From `remote` into `store`.
    #[must_use]
    pub fn new(remote: Box<dyn Remote>, store: &'a ObjectStore, events: Arc<dyn EventSink>) -> Self {
        Self { remote, store, events }
    }

    /// Sees to it that the cache has an object, of a directory its listing and its files; false when neither it nor the remote
    /// has all of it. What the remote has damaged is as good as nothing, and is told.
    ///
    /// # Errors
    /// When the remote cannot be read, or what it has cannot be kept.
    pub fn object(&self, id: &ObjectId) -> Result<bool, RemoteError> {
        if !self.one(id)? {
            return Ok(false);
        }
        let Some(members) = self.store.members(id).map_err(RemoteError::Cache)?.filter(|_| id.is_directory()) else {
            return Ok(!id.is_directory());
        };
        let found: Vec<bool> = members.par_iter().map(|id| self.one(id)).collect::<Result<_, _>>()?;
        Ok(found.into_iter().all(|found| found))
    }

    /// Brings the runs that the remote remembers for the inputs of `entry`.
    ///
    /// # Errors
    /// As [`Self::object`].
    pub fn runs(&self, run_cache: &RunCache, entry: &LockEntry) -> Result<(), RemoteError> {
        let folder = RunCache::key_of(entry);
        for name in self.remote.list(&folder)? {
            if run_cache.has(entry, &name) {
                continue;
            }
            let mut file = tempfile::tempfile().map_err(|error| self.unwritable(error))?;
            if !self.remote.read(&format!("{folder}/{name}"), &mut file)? {
                continue;
            }
            let mut text = Vec::new();
            file.rewind().and_then(|()| file.read_to_end(&mut text)).map_err(|error| self.unwritable(error))?;
            run_cache.receive(entry, &name, &text).map_err(CacheError::from)?;
        }
        Ok(())
    }

    fn unwritable(&self, error: std::io::Error) -> RemoteError {
        CacheError::from(crate::fs::FsError::new("write a file from the remote", self.remote.name())(error)).into()
    }

    /// Brings one object.
    fn one(&self, id: &ObjectId) -> Result<bool, RemoteError> {
        if self.store.has(id) {
            return Ok(true);
        }
        let mut keys = vec![key(id)];
        if id.algorithm() == Algorithm::Md5 {
            // Where DVC 2 put it.
            keys.extend(ObjectId::parse(Algorithm::Md5Dos2Unix, id.as_str()).ok().as_ref().map(key));
        }
        for key in keys {
            let received = self.store.receive(id, |file| self.remote.read(&key, file));
            match received {
                Ok(false) => {}
                Err(RemoteError::Cache(error @ CacheError::Wrong { .. })) => {
                    let message = format!("the remote `{}`: {error}", self.remote.name());
                    self.events.event(Event::Warning { message });
                }
                other => return other,
            }
        }
        Ok(false)
    }
}
