//! [`Transfer`]: many objects at once between a cache and a remote. What goes which way is in `push` and `fetch`.
//!
//! What is there already is not sent again, and each object is whole or not there: so a transfer that was cut short, however it
//! was, is gone on with by another one.

use std::num::NonZeroUsize;
use std::sync::Arc;

use rayon::prelude::*;

use super::progress::Progress;
use super::{Remote, RemoteError, option};
use crate::cache::ObjectStore;
use crate::config::Config;
use crate::digest::ObjectId;
use crate::event::{Direction, EventSink};
use crate::process::Cancellation;

/// How many objects a processor has on the way at once, where the settings do not say: most of the time they wait for disks
/// (DVC's number).
const A_PROCESSOR: usize = 4;
/// And how many there are at most, then.
const MOST: usize = 32;
/// And how many whoever says it: settings come with a clone, and each is a thread.
const LIMIT: usize = 256;

/// How many objects go at once to or from the remote `name`, where the user does not say: its `jobs`, else so many as the
/// processors are good for.
#[must_use]
pub fn default_jobs(config: &Config, name: &str) -> NonZeroUsize {
    let set = option(config, name, "jobs").and_then(|jobs| jobs.trim().parse().ok());
    let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    set.or_else(|| NonZeroUsize::new((cores() * A_PROCESSOR).min(MOST))).unwrap_or(NonZeroUsize::MIN)
}

/// A way between a cache and a remote.
pub struct Transfer<'a> {
    pub(super) remote: &'a dyn Remote,
    pub(super) store: &'a ObjectStore,
    pub(super) events: Arc<dyn EventSink>,
    pub(super) cancellation: Cancellation,
    pool: rayon::ThreadPool,
}

/// Whether remembered runs go, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// They stay where they are.
    Leave,
    /// All of them go.
    Take,
}

/// What went.
#[derive(Debug, Default)]
pub struct Transferred {
    /// How many objects; the listing of a directory is one.
    pub objects: usize,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many remembered runs.
    pub runs: usize,
    /// What neither side has, in order of path.
    pub missing: Vec<Absent>,
    /// What the side that it was to come from has damaged, in order of path. A cache has lost it now; a remote has it still.
    pub damaged: Vec<Absent>,
    /// What went wrong. After a few of these, nothing more was begun.
    pub errors: Vec<RemoteError>,
    /// How many objects and remembered runs were not begun, because of errors or since the user asked for the end.
    pub left: usize,
}

/// Content that is not there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Absent {
    /// Where the project has it: an output, or a path inside of one.
    pub path: String,
    /// Its name; of a path that is not in its directory, that of the directory.
    pub id: ObjectId,
}

impl Transferred {
    /// Whether all is where it should be now.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.damaged.is_empty() && self.errors.is_empty() && self.left == 0
    }

    /// Adds that all ended there, if it did; what went before is told all the same.
    pub(super) fn and(mut self, ended: Result<(), RemoteError>) -> Self {
        self.errors.extend(ended.err());
        self
    }

    /// Adds what went to or came from another remote.
    pub fn extend(&mut self, other: Self) {
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.runs += other.runs;
        self.missing.extend(other.missing);
        self.damaged.extend(other.damaged);
        self.errors.extend(other.errors);
        self.left += other.left;
    }
}

/// What became of one.
pub(super) enum Outcome {
    /// It went, and has so many bytes.
    Went(u64),
    /// So many remembered runs went.
    Remembered(usize),
    /// There is none.
    Missing,
    /// It is not what its name says.
    Damaged,
    Failed(RemoteError),
    /// It was not begun, or not finished since the user asked for the end.
    Left,
}

impl<'a> Transfer<'a> {
    /// Between `store` and `remote`, so many objects at once, though never more than 256. A Ctrl-C is to be told to `cancellation`.
    ///
    /// # Errors
    /// When threads cannot be started.
    pub fn new(
        remote: &'a dyn Remote,
        store: &'a ObjectStore,
        jobs: NonZeroUsize,
        cancellation: Cancellation,
        events: Arc<dyn EventSink>,
    ) -> Result<Self, RemoteError> {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(jobs.get().min(LIMIT)).build().map_err(RemoteError::Threads)?;
        Ok(Self { remote, store, events, cancellation, pool })
    }

    /// Runs `work` on the threads of the transfer. An end that the user asks for waits for it: it is told to `work`.
    pub(super) fn on_threads<T: Send>(&self, direction: Direction, work: impl FnOnce(&Progress<'_>) -> T + Send) -> T {
        let _keeping = self.cancellation.keep();
        let progress = Progress::new(direction, &*self.events, &self.cancellation);
        self.pool.install(|| work(&progress))
    }
}

/// Does `one` to each of a list, as long as nothing ends the transfer. What went and what did not is added to `done`.
///
/// Returns those that are missing, and those that are damaged.
pub(super) fn each<'i, T: Sync>(
    items: &[&'i T],
    progress: &Progress<'_>,
    done: &mut Transferred,
    one: impl Fn(&'i T) -> Outcome + Sync,
) -> Lost<'i, T> {
    progress.expect(items.len());
    let guarded = |item: &&'i T| {
        if progress.is_over() {
            return Outcome::Left;
        }
        let outcome = one(item);
        if matches!(outcome, Outcome::Failed(_)) {
            progress.one_failed();
        }
        progress.one_done();
        outcome
    };
    // One after the other from a single queue: a thread that has large files does not keep small ones waiting.
    let outcomes: Vec<Outcome> = items.par_iter().with_max_len(1).map(guarded).collect();
    let mut lost = Lost { missing: Vec::new(), damaged: Vec::new(), all: Vec::new() };
    for (&item, outcome) in items.iter().zip(outcomes) {
        match outcome {
            Outcome::Went(size) => {
                done.objects += 1;
                done.bytes += size;
                continue;
            }
            Outcome::Remembered(count) => {
                done.runs += count;
                continue;
            }
            Outcome::Missing => lost.missing.push(item),
            Outcome::Damaged => lost.damaged.push(item),
            Outcome::Failed(error) => done.errors.push(error),
            Outcome::Left => done.left += 1,
        }
        lost.all.push(item);
    }
    lost
}

/// What did not go.
pub(super) struct Lost<'i, T> {
    pub(super) missing: Vec<&'i T>,
    pub(super) damaged: Vec<&'i T>,
    /// These, and what failed or was left.
    pub(super) all: Vec<&'i T>,
}
