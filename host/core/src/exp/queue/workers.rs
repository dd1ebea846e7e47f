//! The workers of a queue: processes that take one task after the other, until none waits or they are told to stop.
//!
//! A worker is a document, which says which process it is, and a lock, which the kernel takes back when that process ends.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Queue, QueueError, read, write};
use crate::fs::{self, FsError};
use crate::lock::{Lock, Taken};
use crate::process::identity::{Life, ProcessIdentity};

/// A worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// Its process.
    pub process: ProcessIdentity,
    /// Which tasks it takes.
    pub takes: Takes,
    /// Whether it was told to take no more tasks.
    #[serde(skip)]
    pub is_stopping: bool,
}

/// Which tasks a worker takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Takes {
    /// Whatever waits.
    All,
    /// Those it was started for.
    Some,
}

/// What a worker has while it works. It is no worker any more when this is dropped.
#[derive(Debug)]
pub struct Registration {
    document: PathBuf,
    _lock: Lock,
}

const DOCUMENT: &str = "json";
const LOCKED: &str = "lock";
const STOP: &str = "stop";

impl Queue {
    /// Makes this process a worker.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn register(&self, takes: Takes) -> Result<Registration, QueueError> {
        // With the right to change the queue nobody takes the new files for those of a worker that was killed.
        let _held = self.hold()?;
        self.forget_ended()?;
        let folder = self.folder.join("workers");
        fs::create_dir(&folder)?;
        let process = ProcessIdentity::current();
        let document = folder.join(format!("{}.{DOCUMENT}", process.pid()));
        // Told to one that had the number before.
        fs::remove_file(&document.with_extension(STOP))?;
        let path = document.with_extension(LOCKED);
        let Taken::Yes(lock) = Lock::try_take(&path)? else {
            return Err(FsError::new("lock", path)(std::io::ErrorKind::WouldBlock.into()).into());
        };
        write(&document, &Worker { process, takes, is_stopping: false })?;
        Ok(Registration { document, _lock: lock })
    }

    /// The workers that run, or may run on another machine.
    ///
    /// # Errors
    /// When their folder is there and cannot be listed.
    pub fn workers(&self) -> Result<Vec<Worker>, QueueError> {
        let mut workers = Vec::new();
        for document in self.documents()? {
            // One that ends meanwhile takes it away.
            let Some(worker) = read::<Worker>(&document)? else { continue };
            if worker.process.life() != Life::Ended {
                workers.push(Worker { is_stopping: document.with_extension(STOP).exists(), ..worker });
            }
        }
        Ok(workers)
    }

    /// The same, once it is settled which of them are left of workers that were killed: their locks are free. Beside a worker
    /// that is about to end there is then either no task that waits, or it sees the task.
    ///
    /// # Errors
    /// When they cannot be read, or what is left cannot be removed.
    pub fn live_workers(&self) -> Result<Vec<Worker>, QueueError> {
        let _held = self.hold()?;
        self.forget_ended()?;
        self.workers()
    }

    /// Tells all workers to take no more tasks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn stop_workers(&self) -> Result<(), QueueError> {
        for document in self.documents()? {
            fs::write_atomic(&document.with_extension(STOP), b"")?;
        }
        Ok(())
    }

    /// Removes what workers left that were killed; to be called with the right to change the queue.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn forget_ended(&self) -> Result<(), QueueError> {
        Ok(self.ended_workers()?.iter().try_for_each(|document| forget(document))?)
    }

    /// What workers that were killed said of themselves: their locks are free.
    ///
    /// # Errors
    /// When it cannot be looked for.
    pub fn ended_workers(&self) -> Result<Vec<PathBuf>, QueueError> {
        let mut ended = Vec::new();
        for document in self.documents()? {
            if let None | Some(Taken::Yes(_)) = Lock::try_take_existing(&document.with_extension(LOCKED))? {
                ended.push(document);
            }
        }
        Ok(ended)
    }

    fn documents(&self) -> Result<Vec<PathBuf>, QueueError> {
        let mut documents = fs::list_optional(&self.folder.join("workers"))?.unwrap_or_default();
        documents.retain(|path| path.extension().is_some_and(|kind| kind == DOCUMENT));
        Ok(documents)
    }
}

fn forget(document: &Path) -> Result<(), FsError> {
    fs::remove_file(document)?;
    fs::remove_file(&document.with_extension(STOP))?;
    fs::remove_file(&document.with_extension(LOCKED))
}

impl Registration {
    /// Whether it is to take no more tasks.
    #[must_use]
    pub fn is_to_stop(&self) -> bool {
        self.document.with_extension(STOP).exists()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // The next one that registers does it else.
        forget(&self.document).ok();
    }
}
