//! Runs the stages of a plan and keeps the locks (walk, steps 6 and 8). One loop owns every change of state.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::event::{Event, EventSink};
use crate::fs::{self, FsError};
use crate::path::RepoPath;
use crate::pipeline::load::{Pipeline, StageId};
use crate::pipeline::{LockEntry, LockFile, PipelineError, ProjectFiles, Stage, StageAddress};
use crate::plan::Force;
use crate::run_cache::RunCache;
use crate::source::Source;
use crate::stage_run::{StageEnd, StageError, StageRunner};

/// Why a run ended early. What was finished before is in the locks.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A stage is not up to date.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A lock cannot be written.
    #[error(transparent)]
    Lock(#[from] FsError),
    /// A `.dvc` file cannot be brought up to date.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

/// What a run did.
#[derive(Debug, Clone, Default)]
pub struct RunReport {
    /// The stages that ran or were restored, with what went into the lock, in order.
    pub changed: Vec<(StageAddress, LockEntry)>,
    /// How many stages ran commands.
    pub ran: usize,
}

/// Brings the stages `order` up to date, one after the other; each must come after those it needs.
///
/// # Errors
/// At the first stage that is not up to date after all.
pub fn run(
    pipeline: &Pipeline,
    order: &[StageId],
    force: Force,
    runner: &StageRunner<'_>,
) -> Result<RunReport, RunError> {
    let root = runner.workspace.root().to_owned();
    let mut locks = Locks::new(root, pipeline, Arc::clone(&runner.events));
    let mut report = RunReport::default();
    let result = order.iter().try_for_each(|id| {
        let stage = pipeline.stage(*id);
        if runner.cancellation.is_cancelled() {
            return Err(StageError::Cancelled { stage: stage.address.clone() }.into());
        }
        let end = runner.bring_up_to_date(stage, pipeline.locked(stage), force)?;
        let entry = match end {
            StageEnd::Fresh | StageEnd::Frozen => return Ok(()),
            StageEnd::Unsettled => {
                report.ran += 1;
                return Ok(());
            }
            StageEnd::Ran(entry) => {
                report.ran += 1;
                entry
            }
            StageEnd::Restored(entry) | StageEnd::Tracked(entry) => entry,
        };
        locks.set(stage, &entry)?;
        report.changed.push((stage.address.clone(), entry));
        Ok::<(), RunError>(())
    });
    let flushed = locks.flush();
    result?;
    flushed?;
    Ok(report)
}

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
    /// Which entries are of this run.
    changed: BTreeMap<RepoPath, Vec<String>>,
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

    pub(crate) fn set(&mut self, stage: &Stage, entry: &LockEntry) -> Result<(), RunError> {
        let address = &stage.address;
        let Some(name) = &address.name else { return self.set_data_file(address, entry) };
        let Some(read) = self.pipeline.locks().get(&address.file) else { return Ok(()) };
        let lock = self.locks.entry(address.file.clone()).or_insert_with(|| read.clone());
        if !lock.set(name, entry.clone()) {
            return Ok(());
        }
        self.changed.entry(address.file.clone()).or_default().push(name.clone());
        let since = *self.unwritten.entry(address.file.clone()).or_insert_with(Instant::now);
        let is_small = lock.text_len() < LARGE;
        if is_small || since.elapsed() >= LARGE_INTERVAL || !RunCache::remembers(stage) {
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
            && lock.existed()
            && self.known_text(pipeline_file).is_none_or(|known| known.as_bytes() != there)
        {
            let source = Source::new(lock.file().clone(), there);
            let mut parsed = LockFile::parse(&source).map_err(PipelineError::Source)?;
            for name in self.changed.get(pipeline_file).into_iter().flatten() {
                if let Some(entry) = lock.get(name) {
                    parsed.set(name, entry.clone());
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

    pub(crate) fn flush(&mut self) -> Result<(), RunError> {
        let unwritten: Vec<RepoPath> = self.unwritten.keys().cloned().collect();
        unwritten.iter().try_for_each(|file| self.write(file))
    }
}
