//! [`Claim`]: the right to run a task. A worker has it; the process that it starts for the task, and the commands of the
//! stages, share it, so that a task is free only when nothing of it runs any more.
//!
//! What a killed process left is settled by whoever takes the task next: the commands that still run are ended, a result that
//! was recorded counts, and else the task is queued again or failed, as the project wants it.

use std::cmp::Reverse;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::task::{Attempt, End, Origin, Phase, State, Task};
use super::{Changing, Held, LOCK, Queue, QueueError, drop_inputs};
use crate::config::OnLost;
use crate::exp::refs::ExperimentRef;
use crate::fs::{self, FsError};
use crate::git::{CommitId, Git};
use crate::lock::{Lock, Taken};
use crate::process::identity::{Life, ProcessIdentity, holders};

/// A task whose process was lost so often is not tried again: it may be what kills the process.
const MOST_LOST: usize = 3;
/// How long commands that were killed may take to be gone.
const UNTIL_GONE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(5);
/// What is known of an attempt whose processes told no end.
pub(super) const LOST: &str = "its process was killed, or the machine stopped";
/// The file of a wish to end.
const KILL: &str = "kill";

/// How a task is to be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// Its stages are interrupted.
    Interrupt,
    /// At once.
    Now,
}

/// The right to run a task.
#[derive(Debug)]
pub struct Claim {
    queue: Queue,
    task: Task,
    lock: Lock,
}

impl Changing<'_> {
    /// Takes the task that comes next of those that are `wanted`: of the highest priority, the one that was queued first. None
    /// when nothing waits that nobody else has. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// When the queue cannot be read or a record written.
    pub fn take(
        &self,
        git: &Git,
        wanted: impl Fn(&Task) -> bool,
        on_lost: OnLost,
        now: i64,
    ) -> Result<Option<Claim>, QueueError> {
        let may_run = |task: &&Task| wanted(task) && (task.state == State::Queued || is_abandoned(task));
        let mut tasks: Vec<&Task> = self.known.iter().filter(may_run).collect();
        tasks.sort_by_key(|task| (Reverse(task.priority), task.number));
        for task in tasks {
            // One that cannot be looked at keeps nobody from the others.
            let Ok(Some(mut claim)) = self.claim(task.id) else { continue };
            if claim.task.state == State::Running && claim.settle_within(&self.held, git, LOST, on_lost, now).is_err() {
                continue;
            }
            if claim.task.state == State::Queued {
                return Ok(Some(claim));
            }
        }
        Ok(None)
    }

    /// Settles what killed processes left, also on machines that nothing is known of: their locks are free.
    ///
    /// # Errors
    /// When the queue cannot be read.
    pub fn recover(&mut self, git: &Git, on_lost: OnLost, now: i64) -> Result<(), QueueError> {
        let left: Vec<CommitId> = self.known.iter().filter(|task| is_abandoned(task)).map(|task| task.id).collect();
        for id in &left {
            if let Ok(Some(mut claim)) = self.claim(*id) {
                // What cannot be settled now is found again.
                claim.settle_within(&self.held, git, LOST, on_lost, now).ok();
            }
        }
        if !left.is_empty() {
            self.known = self.queue.tasks()?;
        }
        Ok(())
    }

    /// The right to run a task, or to change its record; none when another has it or it was removed. What is left of a run whose
    /// processes were killed is ended first: nobody else can be about to take it, since that needs the right that this is.
    fn claim(&self, id: CommitId) -> Result<Option<Claim>, QueueError> {
        let path = self.queue.of_task(id).join(LOCK);
        let since = Instant::now();
        loop {
            match Lock::try_take_existing(&path)? {
                None => return Ok(None),
                Some(Taken::Yes(lock)) => {
                    let Some(task) = self.queue.read(id)? else { return Ok(None) };
                    return Ok(Some(Claim { queue: self.queue.clone(), task, lock }));
                }
                Some(Taken::No { .. }) if self.has_ended(id)? => {
                    // What a stage left running, such as a server, has the old lock; nobody looks at that one any more.
                    fs::remove_file(&path)?;
                    drop(Lock::wait(&path)?);
                }
                Some(Taken::No { .. }) => {
                    let is_left = self.queue.read(id)?.is_some_and(|task| task.is_lost());
                    if !is_left || since.elapsed() > UNTIL_GONE {
                        return Ok(None);
                    }
                    end_all(&path, None);
                    std::thread::sleep(PAUSE);
                }
            }
        }
    }

    /// Queues a task again that failed, for any worker. Its logs stay.
    ///
    /// # Errors
    /// [`QueueError::Runs`] and [`QueueError::Succeeded`]; when the record cannot be written.
    pub fn retry(&self, git: &Git, task: &Task, now: i64) -> Result<(), QueueError> {
        let Some(mut claim) = self.claim(task.id)? else { return Err(QueueError::Runs(task.name.clone())) };
        claim.settle_within(&self.held, git, LOST, OnLost::Fail, now)?;
        match claim.task.state {
            State::Failed => {
                (claim.task.state, claim.task.origin) = (State::Queued, Origin::Queue);
                Ok(claim.write()?)
            }
            State::Queued => Ok(()),
            State::Running => Err(QueueError::Runs(task.name.clone())),
            State::Success => Err(QueueError::Succeeded(task.name.clone())),
        }
    }
}

impl Queue {
    /// Asks for the end of a task that runs, and waits for it, at most `patience`. Whether it has ended.
    ///
    /// # Errors
    /// [`QueueError::RunsNot`]; when something cannot be read or written.
    pub fn kill(&self, git: &Git, task: &Task, how: Kill, patience: Duration, now: i64) -> Result<bool, QueueError> {
        let runs_not = || QueueError::RunsNot(task.name.clone());
        let attempt = task.attempt().filter(|_| task.state == State::Running).ok_or_else(runs_not)?;
        let text = if how == Kill::Now { "now" } else { "interrupt" };
        fs::write_atomic(&self.of_task(task.id).join(KILL), text.as_bytes())?;
        let since = Instant::now();
        let mut is_told = false;
        loop {
            let found = self.read(task.id)?;
            if found.is_none_or(|found| found.state != State::Running || found.attempts.len() != task.attempts.len()) {
                return Ok(true);
            }
            let is_alone = attempt.worker.life() == Life::Ended;
            if is_alone || task.origin == Origin::Temp {
                // No worker does it. Interrupted twice, stages are killed.
                let how = if is_told && how == Kill::Interrupt { None } else { Some(how) };
                self.end_without_worker(git, task, how, now)?;
                is_told = true;
            }
            if since.elapsed() > patience {
                return Ok(false);
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn end_without_worker(&self, git: &Git, task: &Task, how: Option<Kill>, now: i64) -> Result<(), QueueError> {
        let changing = self.change()?;
        let runner = task.attempt().and_then(|attempt| attempt.runner.as_ref());
        match (how, runner) {
            (Some(Kill::Interrupt), Some(runner)) => signal(runner, Signal::TERM, task)?,
            (Some(Kill::Interrupt), None) | (None, _) => {}
            (Some(Kill::Now), _) => end_all(&self.of_task(task.id).join(LOCK), None),
        }
        match changing.claim(task.id)? {
            Some(mut claim) => claim.settle_within(&changing.held, git, "its process was killed", OnLost::Fail, now),
            None => Ok(()),
        }
    }

    /// Takes the inputs of a task that succeeded out of the stash: the experiment has them.
    ///
    /// # Errors
    /// When git cannot be written.
    pub fn forget_inputs(&self, git: &Git, id: CommitId) -> Result<(), QueueError> {
        let _held = self.hold()?;
        Ok(drop_inputs(git, |commit| commit == id)?)
    }

    /// What the process that a worker started for a task says of its attempt.
    ///
    /// # Errors
    /// [`QueueError::RunsNot`] when no worker started this process for it.
    pub fn attempt(&self, id: CommitId) -> Result<Running, QueueError> {
        let task = self.read(id)?.ok_or_else(|| QueueError::Unknown { text: id.short(), similar: None })?;
        let is_ours = |attempt: &Attempt| attempt.end.is_none() && attempt.worker == ProcessIdentity::parent();
        if task.state != State::Running || !task.attempt().is_some_and(is_ours) {
            return Err(QueueError::RunsNot(task.name));
        }
        Ok(Running::begin(self.clone(), task)?)
    }
}

impl Task {
    /// Where it is, told without its lock: where the record says, unless its processes are gone; then where whoever takes it
    /// next will find it. What runs on another machine is taken at its word.
    #[must_use]
    pub fn seen(&self, on_lost: OnLost) -> State {
        if self.is_lost() { state_after_loss(self, on_lost) } else { self.state }
    }

    /// Whether it says that it runs, and its processes have ended without a word.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        is_left_by(self, |process| process.life() == Life::Ended)
    }
}

/// Whether a task looks as if its processes had been killed. Its lock has the last word.
fn is_abandoned(task: &Task) -> bool {
    is_left_by(task, |process| process.life() != Life::Running)
}

fn is_left_by(task: &Task, ended: impl Fn(&ProcessIdentity) -> bool) -> bool {
    task.state == State::Running
        && task.attempt().is_some_and(|last| ended(&last.worker) && last.runner.as_ref().is_none_or(ended))
}

/// Kills what holds a lock, but `spared`.
fn end_all(lock: &Path, spared: Option<&ProcessIdentity>) {
    for holder in holders(lock).iter().filter(|holder| Some(*holder) != spared) {
        // Of another user, or gone: the lock shows whether it mattered.
        holder.signal(Signal::KILL).ok();
    }
}

fn signal(process: &ProcessIdentity, signal: Signal, task: &Task) -> Result<(), QueueError> {
    let failed = FsError::new("signal the process of", task.name.to_string());
    Ok(process.signal(signal).map_err(failed)?)
}

impl Claim {
    pub(super) const fn new(queue: Queue, task: Task, lock: Lock) -> Self {
        Self { queue, task, lock }
    }

    /// What this process says of the attempt that it has begun and makes itself.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn running(&self) -> Result<Running, FsError> {
        Running::begin(self.queue.clone(), self.task.clone())
    }

    /// The task.
    #[must_use]
    pub const fn task(&self) -> &Task {
        &self.task
    }

    /// From now on processes that are started share the right.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn share(&self) -> Result<(), FsError> {
        self.lock.share()
    }

    /// Begins an attempt; what is written to the file that is returned is its log.
    ///
    /// # Errors
    /// When the record or the log cannot be written.
    pub fn begin(&mut self, now: i64) -> Result<File, QueueError> {
        fs::remove_file(&self.queue.of_task(self.task.id).join(KILL))?;
        self.task.attempts.push(Attempt::begun(now));
        self.task.state = State::Running;
        let log = self.open_log()?;
        self.write()?;
        Ok(log)
    }

    pub(super) fn open_log(&self) -> Result<File, FsError> {
        let path = self.queue.log(self.task.id, self.task.attempts.len());
        let log = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        log.map_err(FsError::new("create", path))
    }

    /// How the user wants the task to end, if so.
    #[must_use]
    pub fn is_to_end(&self) -> Option<Kill> {
        wish(&self.queue.of_task(self.task.id))
    }

    /// Does what [`Claim::is_to_end`] said to the process that runs the task.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn deliver(&self, kill: Kill) -> Result<(), QueueError> {
        let Some(task) = self.queue.read(self.task.id)? else { return Ok(()) };
        match (kill, task.attempt().and_then(|attempt| attempt.runner.as_ref())) {
            (Kill::Interrupt, Some(runner)) => signal(runner, Signal::TERM, &task),
            // It looks for the wish when it begins.
            (Kill::Interrupt, None) => Ok(()),
            (Kill::Now, _) => {
                // Who only looks at the lock has this right, and is not hit.
                let _held = self.queue.hold()?;
                end_all(&self.queue.of_task(self.task.id).join(LOCK), Some(&ProcessIdentity::current()));
                Ok(())
            }
        }
    }

    /// Sees to it that an attempt whose process has ended has an end; `lost` says what is known when it told none. Answers the
    /// task as it is now.
    ///
    /// # Errors
    /// When something cannot be read or written.
    pub fn settle(&mut self, git: &Git, lost: &str, on_lost: OnLost, now: i64) -> Result<&Task, QueueError> {
        if let Some(task) = self.queue.read(self.task.id)? {
            self.task = task;
        }
        if self.task.attempt().is_some_and(|attempt| attempt.end.is_none()) {
            let queue = self.queue.clone();
            self.settle_within(&queue.hold()?, git, lost, on_lost, now)?;
        }
        Ok(&self.task)
    }

    fn settle_within(
        &mut self,
        _held: &Held,
        git: &Git,
        lost: &str,
        on_lost: OnLost,
        now: i64,
    ) -> Result<(), QueueError> {
        let Some(attempt) = self.task.attempts.last_mut().filter(|attempt| attempt.end.is_none()) else {
            return Ok(());
        };
        end_all(&self.queue.of_task(self.task.id).join(LOCK), Some(&ProcessIdentity::current()));
        let reference = ExperimentRef { baseline: self.task.baseline, name: self.task.name.clone() };
        let is_recorded = attempt.commit.is_some() && git.find_ref(&reference.ref_name()?)? == attempt.commit;
        attempt.end = Some(match wish(&self.queue.of_task(self.task.id)) {
            _ if is_recorded => End::Success,
            Some(_) => End::Killed,
            None => End::Lost { reason: lost.to_owned() },
        });
        attempt.ended = Some(now);
        attempt.workspace = None;
        self.task.state = state_after(&self.task, on_lost);
        if self.task.state == State::Success {
            // Before it is said, so that it is not left for ever when this process is killed here. The experiment has them: that
            // it succeeded is not made to fail by what cannot be tidied up.
            drop_inputs(git, |commit| commit == self.task.id).ok();
        }
        Ok(self.write()?)
    }

    /// Ends an attempt that could not be begun, for a reason that is the task's.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn fail(&mut self, message: String, now: i64) -> Result<(), FsError> {
        if let Some(attempt) = self.task.attempts.last_mut() {
            (attempt.end, attempt.ended) = (Some(End::Failed { message }), Some(now));
        }
        self.task.state = State::Failed;
        self.write()
    }

    /// Takes an attempt back that could not be begun, for a reason that is not the task's.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn give_back(&mut self) -> Result<(), FsError> {
        self.task.attempts.pop();
        self.task.state = State::Queued;
        self.write()
    }

    fn write(&self) -> Result<(), FsError> {
        self.queue.write(&self.task)
    }
}

/// Nobody runs again what a command ran for itself.
const fn on_lost_of(task: &Task, on_lost: OnLost) -> OnLost {
    match task.origin {
        Origin::Queue => on_lost,
        Origin::Temp => OnLost::Fail,
    }
}

fn wish(task: &Path) -> Option<Kill> {
    let text = std::fs::read(task.join(KILL)).ok()?;
    Some(if text == b"now" { Kill::Now } else { Kill::Interrupt })
}

fn state_after(task: &Task, on_lost: OnLost) -> State {
    match task.attempt().and_then(|attempt| attempt.end.as_ref()) {
        Some(End::Success) => State::Success,
        Some(End::Lost { .. }) => state_after_loss(task, on_lost),
        _ => State::Failed,
    }
}

/// Where a task is whose last attempt was lost.
fn state_after_loss(task: &Task, on_lost: OnLost) -> State {
    let is_lost = |attempt: &&Attempt| matches!(attempt.end, None | Some(End::Lost { .. }));
    let lost = task.attempts.iter().filter(is_lost).count();
    if on_lost_of(task, on_lost) == OnLost::Retry && lost < MOST_LOST { State::Queued } else { State::Failed }
}

/// An attempt, told of by the process that makes it.
#[derive(Debug)]
pub struct Running {
    queue: Queue,
    task: Task,
}

impl Running {
    /// Says that this process makes the last attempt.
    fn begin(queue: Queue, task: Task) -> Result<Self, FsError> {
        let mut running = Self { queue, task };
        running.change(|attempt| attempt.runner = Some(ProcessIdentity::current()))?;
        Ok(running)
    }

    /// The task.
    #[must_use]
    pub const fn task(&self) -> &Task {
        &self.task
    }

    /// Whether the user wants it to end, and said so before this process could be told.
    #[must_use]
    pub fn is_to_end(&self) -> bool {
        wish(&self.queue.of_task(self.task.id)).is_some()
    }

    /// Says that the stages run, in this workspace.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn runs_in(&mut self, workspace: PathBuf) -> Result<(), FsError> {
        self.change(|attempt| (attempt.phase, attempt.workspace) = (Phase::Run, Some(workspace)))
    }

    /// Says that the result is this commit; to be called before its reference is made.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn collects(&mut self, commit: CommitId) -> Result<(), FsError> {
        self.change(|attempt| (attempt.phase, attempt.commit) = (Phase::Collect, Some(commit)))
    }

    /// Says how it ended.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn end(mut self, end: End, on_lost: OnLost, now: i64) -> Result<(), FsError> {
        let end = if end != End::Success && self.is_to_end() { End::Killed } else { end };
        if let Some(attempt) = self.task.attempts.last_mut() {
            (attempt.end, attempt.ended, attempt.workspace) = (Some(end), Some(now), None);
        }
        self.task.state = state_after(&self.task, on_lost);
        self.write()
    }

    fn change(&mut self, change: impl FnOnce(&mut Attempt)) -> Result<(), FsError> {
        self.task.attempts.last_mut().map(change);
        self.write()
    }

    fn write(&self) -> Result<(), FsError> {
        self.queue.write(&self.task)
    }
}
