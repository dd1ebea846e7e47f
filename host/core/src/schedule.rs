//! Runs the stages of a plan, several at once when allowed, and keeps the locks (walk, steps 6 and 8). One loop owns every
//! change of state; workers bring stages up to date and tell the loop how that ended.

mod foresight;
mod ignored;
mod locks;
mod queue;

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::Scope;
use std::time::{Duration, Instant};

use crate::digest::ObjectId;
use crate::event::Event;
use crate::fs::FsError;
use crate::graph::StageGraph;
use crate::path::RepoPath;
use crate::pipeline::load::{Pipeline, StageId};
use crate::pipeline::{LockEntry, PipelineError, Place, ProjectFiles, Stage, StageAddress};
use crate::plan::{Downstream, Force, Missing, Rules};
use crate::stage_run::{StageEnd, StageError, StageRunner};
use ignored::Ignored;
pub(crate) use locks::Locks;
use queue::Queue;

/// How often the sink hears what runs.
const TICK: Duration = Duration::from_millis(500);

/// Why a run did not do all that was asked. What was finished is in the locks.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Stages are not up to date: never none, in the order of the run.
    #[error("{}", .0.first().map(ToString::to_string).unwrap_or_default())]
    Stages(Vec<StageError>),
    /// A lock or a `.gitignore` cannot be written.
    #[error(transparent)]
    Lock(#[from] FsError),
    /// A `.dvc` file cannot be brought up to date.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

/// What a run did.
#[derive(Debug, Clone, Default)]
pub struct RunReport {
    /// The stages that ran or were restored, with what went into the lock, in the order of the run.
    pub changed: Vec<(StageAddress, LockEntry)>,
    /// How many stages ran commands.
    pub ran: usize,
}

/// What becomes of the other stages when one fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// None is started any more; those that run may end.
    Stop,
    /// Those that do not need it run (`--keep-going`).
    KeepGoing,
    /// All run, and the run does not fail (`--ignore-errors`).
    Ignore,
}

/// Whether missing data makes a stage stale: [`Missing`], as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingData {
    /// It does.
    Counts,
    /// It does not (`--allow-missing`).
    Allowed,
}

/// How a run goes.
#[derive(Debug, Clone, Copy)]
pub struct RunOptions {
    /// How many stages may run at once.
    pub jobs: NonZeroUsize,
    /// Whether fresh stages run.
    pub force: Force,
    /// Whether what follows a changed stage runs.
    pub downstream: Downstream,
    /// What a failure means for the others.
    pub on_failure: OnFailure,
    /// What missing data means.
    pub missing: MissingData,
}

impl Default for RunOptions {
    /// One after the other, what is stale, up to the first failure.
    fn default() -> Self {
        Self {
            jobs: NonZeroUsize::MIN,
            force: Force::No,
            downstream: Downstream::WhenStale,
            on_failure: OnFailure::Stop,
            missing: MissingData::Counts,
        }
    }
}

/// Brings the stages `order` up to date, in which each comes after those it needs. What is left behind is the same however
/// many run at once: the order of the run decides the order of entries and lines, not the order in which stages end.
///
/// # Errors
/// When a stage is not up to date after all, unless failures are to be ignored, or a lock cannot be written.
pub fn run(
    pipeline: &Pipeline,
    graph: Option<&StageGraph>,
    order: &[StageId],
    options: RunOptions,
    runner: &StageRunner<'_>,
) -> Result<RunReport, RunError> {
    let unable = foresight::unable(pipeline, graph, order, options, runner);
    if !unable.is_empty() {
        return Err(RunError::Stages(unable));
    }
    let mut scheduler = Scheduler {
        pipeline,
        graph,
        order,
        options,
        runner,
        queue: Queue::new(order, graph),
        locks: Locks::new(runner.workspace.root().to_owned(), pipeline, std::sync::Arc::clone(&runner.events)),
        ignored: Ignored::default(),
        forced: vec![options.force; order.len()],
        ended: Ended::default(),
    };
    match company_in(options.jobs, graph, &scheduler.queue) {
        Company::Alone => scheduler.run_in_turn(),
        Company::SideBySide => scheduler.run_side_by_side(),
    }
    scheduler.finish()
}

/// Whether a stage has others beside it when it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Company {
    /// It has the terminal for itself.
    Alone,
    /// It may have.
    SideBySide,
}

/// Whether stages of the run would run side by side: more than one may, and at some time more than one can.
#[must_use]
pub fn company_of(graph: Option<&StageGraph>, order: &[StageId], jobs: NonZeroUsize) -> Company {
    if jobs == NonZeroUsize::MIN { Company::Alone } else { company_in(jobs, graph, &Queue::new(order, graph)) }
}

fn company_in(jobs: NonZeroUsize, graph: Option<&StageGraph>, queue: &Queue) -> Company {
    // Without a graph nobody knows whether one needs the other.
    if jobs == NonZeroUsize::MIN || graph.is_none() || queue.is_chain() { Company::Alone } else { Company::SideBySide }
}

/// What has come of the run so far, by place in its order.
#[derive(Default)]
struct Ended {
    changed: BTreeMap<usize, LockEntry>,
    ran: usize,
    /// How many stages need no more work, whatever became of them.
    done: usize,
    failed: BTreeMap<usize, StageError>,
    /// Why nothing is started any more.
    stop: Option<Stop>,
}

/// Why nothing is started any more.
enum Stop {
    /// A stage failed or was interrupted.
    Stage,
    /// What came out cannot be written down.
    Broken(RunError),
}

struct Scheduler<'a> {
    pipeline: &'a Pipeline,
    graph: Option<&'a StageGraph>,
    order: &'a [StageId],
    options: RunOptions,
    runner: &'a StageRunner<'a>,
    queue: Queue,
    locks: Locks<'a>,
    ignored: Ignored,
    /// By place in the order.
    forced: Vec<Force>,
    ended: Ended,
}

/// A stage to bring up to date.
struct Task<'a> {
    place: usize,
    stage: &'a Stage,
    locked: Option<&'a LockEntry>,
    force: Force,
    /// What the stages before it remember of what it reads; none when missing data counts anyway.
    written: Option<HashMap<RepoPath, ObjectId>>,
}

impl Task<'_> {
    fn bring_up_to_date(&self, runner: &StageRunner<'_>) -> Result<StageEnd, StageError> {
        let remembered = |path: &RepoPath| self.written.as_ref()?.get(path).cloned();
        let missing = if self.written.is_some() { Missing::Allowed(&remembered) } else { Missing::Counts };
        runner.bring_up_to_date(self.stage, self.locked, Rules { force: self.force, missing })
    }
}

/// How a task ended; a panic is passed on.
type TaskEnd = Result<Result<StageEnd, StageError>, Box<dyn Any + Send>>;

impl<'a> Scheduler<'a> {
    /// One after the other, on this thread.
    fn run_in_turn(&mut self) {
        while let Some(task) = self.next() {
            let end = task.bring_up_to_date(self.runner);
            self.settle(task.place, end);
        }
    }

    /// Several at once. As many workers as there ever are stages that run at once.
    fn run_side_by_side(&mut self) {
        let names = (0..self.order.len()).filter_map(|place| self.name(place)).collect();
        self.runner.events.event(Event::SideBySide { stages: names });
        let (give, tasks) = channel::<Task<'a>>();
        let tasks = Mutex::new(tasks);
        let (tell, ends) = channel();
        std::thread::scope(|scope| {
            // Moved in here, so that the workers find an end of tasks also when this loop panics.
            let give = give;
            let mut workers = 0;
            let mut running: BTreeMap<usize, Instant> = BTreeMap::new();
            let mut has_told_stop = false;
            loop {
                while running.len() < self.options.jobs.get()
                    && let Some(task) = self.next()
                {
                    running.insert(task.place, Instant::now());
                    if workers < running.len() {
                        workers += 1;
                        start_worker(scope, self.runner, &tasks, tell.clone());
                    }
                    if give.send(task).is_err() {
                        return;
                    }
                }
                if running.is_empty() {
                    return;
                }
                match ends.recv_timeout(TICK) {
                    Ok((place, Ok(end))) => {
                        running.remove(&place);
                        self.settle(place, end);
                    }
                    Ok((_, Err(panicked))) => panic::resume_unwind(panicked),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
                }
                let is_stopping = self.ended.stop.is_some() || self.runner.cancellation.is_cancelled();
                if is_stopping && !has_told_stop && !running.is_empty() {
                    has_told_stop = true;
                    let stages = running.keys().filter_map(|place| self.name(*place)).collect();
                    self.runner.events.event(Event::Stopping { stages });
                }
                self.tell_progress(&running);
            }
        });
    }

    fn tell_progress(&self, running: &BTreeMap<usize, Instant>) {
        let longest = running.iter().min_by_key(|(_, since)| **since);
        let Some((stage, since)) = longest.and_then(|(place, since)| Some((self.name(*place)?, *since))) else {
            return;
        };
        self.runner.events.event(Event::Running {
            done: self.ended.done,
            of: self.order.len(),
            running: running.len(),
            longest: stage,
            since,
        });
    }

    /// The next stage that may start now.
    fn next(&mut self) -> Option<Task<'a>> {
        if self.ended.stop.is_some() || self.runner.cancellation.is_cancelled() {
            return None;
        }
        let place = self.queue.take()?;
        let id = *self.order.get(place)?;
        let stage = self.pipeline.stage(id);
        // Its checkpoints have the files as they are on disk, and git is not to see its outputs when it is interrupted.
        if stage.has_checkpoints()
            && let Err(error) = self.locks.flush().and_then(|()| Ok(self.ignore_in_git(place, stage)?))
        {
            self.ended.stop = Some(Stop::Broken(error));
            return None;
        }
        let written = (self.options.missing == MissingData::Allowed).then(|| self.written_for(id, stage));
        let force = self.forced.get(place).copied().unwrap_or(self.options.force);
        Some(Task { place, stage, locked: self.pipeline.locked(stage), force, written })
    }

    /// What the stages that `stage` needs remember of what it reads.
    fn written_for(&self, id: StageId, stage: &Stage) -> HashMap<RepoPath, ObjectId> {
        let reads =
            |path: &RepoPath| stage.deps.iter().any(|dep| matches!(&dep.place, Place::Inside(dep) if dep == path));
        let needs = self.graph.map(|graph| graph.needs(id)).unwrap_or_default();
        let writers = needs.into_iter().map(|needed| self.pipeline.stage(needed));
        let outs = writers.flat_map(|writer| writer.outs.iter().map(move |out| (writer, out)));
        outs.filter(|(_, out)| reads(&out.path))
            .filter_map(|(writer, out)| {
                Some((out.path.clone(), self.locks.get(writer)?.out(&out.lock_path)?.id.clone()?))
            })
            .collect()
    }

    /// What events call a stage.
    fn name(&self, place: usize) -> Option<String> {
        Some(self.pipeline.stage(*self.order.get(place)?).address.display_from(&self.runner.from))
    }

    /// Takes note of how a stage ended.
    fn settle(&mut self, place: usize, end: Result<StageEnd, StageError>) {
        self.ended.done += 1;
        match end {
            Ok(end) => {
                if let Err(error) = self.settle_end(place, end) {
                    self.ended.stop = Some(Stop::Broken(error));
                }
            }
            Err(error @ (StageError::Cancelled { .. } | StageError::Declined { .. })) => self.fail(place, error),
            Err(error) => match self.options.on_failure {
                OnFailure::Stop => self.fail(place, error),
                OnFailure::KeepGoing => {
                    self.tell_failure(place, &error);
                    self.ended.failed.insert(place, error);
                    for skipped in self.queue.fail(place) {
                        self.ended.done += 1;
                        let name = self.name(skipped);
                        name.into_iter().for_each(|stage| self.runner.events.event(Event::StageSkipped { stage }));
                    }
                }
                OnFailure::Ignore => {
                    self.tell_failure(place, &error);
                    self.queue.end(place);
                }
            },
        }
    }

    fn fail(&mut self, place: usize, error: StageError) {
        self.ended.failed.insert(place, error);
        self.ended.stop.get_or_insert(Stop::Stage);
    }

    fn tell_failure(&self, place: usize, error: &StageError) {
        let Some(stage) = self.name(place) else { return };
        self.runner.events.event(Event::StageFailed { stage, reason: error.to_string() });
    }

    fn settle_end(&mut self, place: usize, end: StageEnd) -> Result<(), RunError> {
        let Some(id) = self.order.get(place) else { return Ok(()) };
        let stage = self.pipeline.stage(*id);
        let has_changed = !matches!(end, StageEnd::Fresh | StageEnd::Frozen);
        if matches!(end, StageEnd::Ran(_) | StageEnd::Unsettled) {
            self.ended.ran += 1;
        }
        match end {
            StageEnd::Fresh | StageEnd::Frozen | StageEnd::Unsettled => {}
            StageEnd::Ran(entry) | StageEnd::Restored(entry) | StageEnd::Tracked(entry) => {
                self.locks.set(place, stage, &entry)?;
                self.ended.changed.insert(place, entry);
                if !stage.is_data() {
                    self.ignore_in_git(place, stage)?;
                }
            }
        }
        let is_forced = self.forced.get(place) == Some(&Force::Yes);
        if self.options.downstream == Downstream::Forced && (has_changed || is_forced) {
            for dependent in self.queue.needed_by(place) {
                if let Some(force) = self.forced.get_mut(*dependent) {
                    *force = Force::Yes;
                }
            }
        }
        self.queue.end(place);
        Ok(())
    }

    fn ignore_in_git(&mut self, place: usize, stage: &Stage) -> Result<(), FsError> {
        let Some(git) = &self.runner.git else { return Ok(()) };
        let git = git.lock().unwrap_or_else(PoisonError::into_inner);
        self.ignored.add(self.runner.workspace.root(), place, stage, |path| git.is_ignored(path).unwrap_or(false))
    }

    fn finish(mut self) -> Result<RunReport, RunError> {
        let flushed = self.locks.flush();
        let written = if let Some(Stop::Broken(error)) = self.ended.stop { Err(error) } else { flushed };
        let mut failed: Vec<StageError> = self.ended.failed.into_values().collect();
        if self.runner.cancellation.is_cancelled()
            && let Some(left) = self.queue.first_left().and_then(|place| self.order.get(place))
            && !failed.iter().any(|error| matches!(error, StageError::Cancelled { .. }))
        {
            failed.push(StageError::Cancelled { stage: self.pipeline.stage(*left).address.clone() });
        }
        if failed.is_empty() {
            written?;
        } else {
            if let Err(error) = written {
                let message = format!("{error}; what was finished last will be brought up to date again");
                self.runner.events.event(Event::Warning { message });
            }
            return Err(RunError::Stages(failed));
        }
        let named = |(place, entry): (usize, LockEntry)| {
            Some((self.pipeline.stage(*self.order.get(place)?).address.clone(), entry))
        };
        Ok(RunReport { changed: self.ended.changed.into_iter().filter_map(named).collect(), ran: self.ended.ran })
    }
}

fn start_worker<'scope, 'a: 'scope>(
    scope: &'scope Scope<'scope, '_>,
    runner: &'a StageRunner<'a>,
    tasks: &'scope Mutex<Receiver<Task<'a>>>,
    tell: Sender<(usize, TaskEnd)>,
) {
    scope.spawn(move || {
        loop {
            let task = tasks.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(task) = task else { return };
            let end = panic::catch_unwind(AssertUnwindSafe(|| task.bring_up_to_date(runner)));
            if tell.send((task.place, end)).is_err() {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests;
