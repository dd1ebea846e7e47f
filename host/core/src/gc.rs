//! `gc`: what of the cache nobody needs, and its removal.
//!
//! It is done in three steps, and the cache is held alone ([`crate::cache::hold`]) from before the first to after the last:
//! what is in use is read from the workspace and from commits (`used`), the cache is listed once, the rest is removed. Nobody
//! can take an object in meanwhile, and whoever did before has written down what for.

mod used;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::cache::hold::{self, CacheHold, HoldError};
use crate::cache::{CacheError, ObjectStore, Unused};
use crate::digest::ObjectId;
use crate::exp::checkpoint::resume::ResumeError;
use crate::exp::queue::QueueError;
use crate::exp::refs::ResolveError;
use crate::fs::{self, FsError};
use crate::git::{CommitId, GitError};
use crate::lock::{Lock, Taken};
use crate::pipeline::{LockEntry, PipelineError};
use crate::repo::{NoGit, Repo, RepoError, WorkspaceLock, take_workspace};
use crate::run_cache::RunCache;
use crate::source::SourceError;

pub use used::{Experiments, Scope, Unreadable, Used};

/// Why nothing is removed, or not all.
#[derive(Debug, thiserror::Error)]
pub enum GcError {
    /// The workspace is not free.
    #[error(transparent)]
    Workspace(#[from] RepoError),
    /// The cache is not free.
    #[error(transparent)]
    Hold(#[from] HoldError),
    /// DVC works in a project.
    #[error("a DVC command works in `{}`", .0.display())]
    Dvc(PathBuf),
    /// Commits are asked for, and there are none.
    #[error(transparent)]
    NoGit(#[from] NoGit),
    /// Git cannot be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A revision is none, or several.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The queue cannot be read.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// A file cannot be read or removed.
    #[error(transparent)]
    File(#[from] FsError),
    /// The files of the workspace cannot be read.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// What the workspace stands at cannot be told.
    #[error(transparent)]
    Standing(#[from] ResumeError),
    /// The cache cannot be read.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Threads cannot be started.
    #[error("cannot start threads: {0}")]
    Threads(#[source] rayon::ThreadPoolBuildError),
    /// What a commit uses cannot be told.
    #[error("in the commit {}: `{}`: {error}", commit.short(), error.file)]
    Unreadable {
        /// The commit.
        commit: CommitId,
        /// What is wrong with a file of it.
        #[source]
        error: Box<SourceError>,
    },
}

/// Looks and removes on `count` threads. To be called before anything else is done.
///
/// # Errors
/// When threads cannot be started.
pub fn use_threads(count: NonZeroUsize) -> Result<(), GcError> {
    rayon::ThreadPoolBuilder::new().num_threads(count.get()).build_global().map_err(GcError::Threads)
}

/// The right to remove from the cache: nobody else uses it.
#[derive(Debug)]
pub struct Held {
    _workspace: WorkspaceLock,
    _cache: CacheHold,
    _dvc: Vec<Lock>,
}

/// Takes the workspace of `repo` and its cache; `others` are the projects that use the cache, too.
///
/// # Errors
/// When somebody has one of them, with a name where there is one.
pub fn hold(repo: &Repo, others: &[Repo]) -> Result<Held, GcError> {
    let workspace = take_workspace(repo.root(), "gc")?;
    let cache = hold::alone(&repo.config.cache_dir(repo.root()), repo.shared())?;
    let dvc = std::iter::once(repo).chain(others).map(hold_from_dvc).collect::<Result<_, _>>()?;
    Ok(Held { _workspace: workspace, _cache: cache, _dvc: dvc })
}

/// DVC holds a lock of its own (zc.lockfile: `flock` on `.dvc/tmp/lock`) while it takes objects in and writes what names them.
fn hold_from_dvc(repo: &Repo) -> Result<Lock, GcError> {
    fs::create_dir(&repo.tmp())?;
    match Lock::try_take(&repo.tmp().join("lock"))? {
        Taken::Yes(lock) => Ok(lock),
        Taken::No { .. } => Err(GcError::Dvc(repo.root().to_owned())),
    }
}

/// What nobody needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Objects, listings of directories first.
    pub objects: Vec<Unused>,
    /// Remembered runs whose results are gone, or go with `objects`.
    pub runs: Vec<PathBuf>,
    /// What processes that were killed left half-written.
    pub leftovers: Vec<PathBuf>,
}

impl Garbage {
    /// What of `store` is not in `used`. Without `held`, which is for looking only, what is half-written may be somebody's, and
    /// is left out.
    ///
    /// # Errors
    /// When the cache cannot be read.
    pub fn find(store: &ObjectStore, used: &Used, held: Option<&Held>) -> Result<Self, GcError> {
        let known: Mutex<HashMap<ObjectId, bool>> = Mutex::default();
        let is_kept = |id: &ObjectId| {
            if !used.has(id) {
                return false;
            }
            if let Some(known) = known.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
                return *known;
            }
            // What cannot be looked at is not gone.
            let kept = store.contains(id).unwrap_or(true);
            known.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), kept);
            kept
        };
        let can_be_restored = |entry: &LockEntry| entry.outs.iter().all(|out| out.id.as_ref().is_some_and(is_kept));
        Ok(Self {
            objects: store.unused(used.objects())?,
            runs: RunCache::new(store.folder()).useless(can_be_restored)?,
            leftovers: if held.is_some() { store.leftovers()? } else { Vec::new() },
        })
    }

    /// Whether there is nothing to remove.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.runs.is_empty() && self.leftovers.is_empty()
    }

    /// The bytes that the objects take.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.objects.iter().map(|unused| unused.size).sum()
    }

    /// Removes it. What remembers an object goes before the object does, so that a removal which is cut short leaves nothing
    /// that promises what is gone.
    ///
    /// # Errors
    /// At the first thing that cannot be removed.
    pub fn remove(&self, store: &ObjectStore, _held: &Held) -> Result<(), GcError> {
        for path in &self.runs {
            fs::remove_file(path)?;
            // The folder of a run's inputs; one that is not empty stays.
            path.parent().map(std::fs::remove_dir);
        }
        self.leftovers.iter().try_for_each(|path| fs::remove_file(path))?;
        Ok(store.remove_all(&self.objects)?)
    }
}
