//! [`Locks`]: the lock files that a run changes, written so that a killed run loses nothing (walk, step 8).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::RunError;
use crate::event::{Event, EventSink};
use crate::fs;
use crate::path::RepoPath;
use crate::pipeline::load::Pipeline;
use crate::pipeline::{LockEntry, LockFile, PipelineError, Stage, StageAddress};
use crate::run_cache::RunCache;
use crate::source::Source;

/// A small lock is written after each stage. A large one at most so often, or writing it would cost more than the stages; but at
/// once after a stage whose result the run cache does not have: a crash takes nothing that cannot be restored.
const LARGE: usize = 256 << 10;
const LARGE_INTERVAL: Duration = Duration::from_millis(500);

/// The locks that a run changes, and which of them are not written yet. One that it does not change is not even copied.
pub(crate) struct Locks<'a> {
    root: PathBuf,
    pipeline: &'a Pipeline,
    locks: BTreeMap<RepoPath, LockFile>,
    unwritten: BTreeMap<RepoPath, Instant>,
    /// Which entries are of this run, by place in its order.
    changed: BTreeMap<RepoPath, BTreeMap<usize, String>>,
    /// The texts that this run wrote last.
    written: BTreeMap<RepoPath, String>,
    events: Arc<dyn EventSink>,
}

impl<'a> Locks<'a> {
    pub(crate) const fn new(root: PathBuf, pipeline: &'a Pipeline, events: Arc<dyn EventSink>) -> Self {
        Self {
            root,
            pipeline,
            locks: BTreeMap::new(),
            unwritten: BTreeMap::new(),
            changed: BTreeMap::new(),
            written: BTreeMap::new(),
            events,
        }
    }

    /// What is remembered of a stage now.
    pub(super) fn get(&self, stage: &Stage) -> Option<&LockEntry> {
        let now = stage.address.name.as_deref().and_then(|name| self.locks.get(&stage.address.file)?.get(name));
        now.or_else(|| self.pipeline.locked(stage))
    }

    /// Sets the entry of the stage that has this place in the order of the run. In the file, new entries stand in that order,
    /// in whichever order the stages end.
    pub(crate) fn set(&mut self, place: usize, stage: &Stage, entry: &LockEntry) -> Result<(), RunError> {
        let address = &stage.address;
        let Some(name) = &address.name else { return self.set_data_file(address, entry) };
        let Some(read) = self.pipeline.locks().get(&address.file) else { return Ok(()) };
        let lock = self.locks.entry(address.file.clone()).or_insert_with(|| read.clone());
        let changed = self.changed.entry(address.file.clone()).or_default();
        if !lock.set(name, entry.clone(), changed.range(place..).map(|(_, later)| later.as_str())) {
            return Ok(());
        }
        changed.insert(place, name.clone());
        let since = *self.unwritten.entry(address.file.clone()).or_insert_with(Instant::now);
        if !lock.is_longer_than(LARGE) || since.elapsed() >= LARGE_INTERVAL || !RunCache::remembers(stage) {
            self.write(&address.file)?;
        }
        Ok(())
    }

    fn set_data_file(&self, stage: &StageAddress, entry: &LockEntry) -> Result<(), RunError> {
        let (Some(data), Some(out)) = (self.pipeline.data_file(&stage.file), entry.outs.first()) else { return Ok(()) };
        let text = data.with_content(out).map_err(PipelineError::Source)?;
        fs::write_inside(&self.root, &stage.file, &text)?;
        self.events.event(Event::LockWritten { file: stage.file.clone(), created: false });
        Ok(())
    }

    /// Writes a lock. Where somebody else changed the file meanwhile, only the entries of this run are put into theirs.
    fn write(&mut self, pipeline_file: &RepoPath) -> Result<(), RunError> {
        self.unwritten.remove(pipeline_file);
        let Some(lock) = self.locks.get(pipeline_file) else { return Ok(()) };
        let mut theirs = None;
        if let Some(there) = fs::read_optional(&lock.file().under(&self.root))?
            && self.known_text(pipeline_file).is_none_or(|known| known.as_bytes() != there)
        {
            let source = Source::new(lock.file().clone(), there);
            let mut parsed = LockFile::parse(&source).map_err(PipelineError::Source)?;
            for name in self.changed.get(pipeline_file).into_iter().flat_map(BTreeMap::values) {
                if let Some(entry) = lock.get(name) {
                    parsed.set(name, entry.clone(), []);
                }
            }
            theirs = Some(parsed);
        }
        let Some(lock) = self.locks.get_mut(pipeline_file) else { return Ok(()) };
        if let Some(theirs) = theirs {
            *lock = theirs;
        }
        let text = lock.to_text();
        fs::write_inside(&self.root, lock.file(), text.as_bytes())?;
        self.events.event(Event::LockWritten { file: lock.file().clone(), created: !lock.existed() });
        lock.now_exists();
        self.written.insert(pipeline_file.clone(), text);
        Ok(())
    }

    /// What the file must hold if nobody else changed it: what this run wrote last, else what was read.
    fn known_text(&self, pipeline_file: &RepoPath) -> Option<Cow<'_, str>> {
        match self.written.get(pipeline_file) {
            Some(text) => Some(Cow::Borrowed(text)),
            None => self.pipeline.locks().get(pipeline_file).map(|lock| Cow::Owned(lock.to_text())),
        }
    }

    /// Writes what is not written yet.
    pub(crate) fn flush(&mut self) -> Result<(), RunError> {
        let unwritten: Vec<RepoPath> = self.unwritten.keys().cloned().collect();
        unwritten.iter().try_for_each(|file| self.write(file))
    }
}
