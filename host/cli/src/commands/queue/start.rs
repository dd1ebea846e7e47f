//! Starting workers: `queue start`, and for those who wait for the end `queue run` and `exp run --run-all`.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::num::NonZeroUsize;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use dewar_core::exp::queue::Queue;
use dewar_core::exp::queue::sweep::SweepRecord;
use dewar_core::exp::queue::task::{State, Task};
use dewar_core::exp::queue::workers::{Takes, Worker};
use dewar_core::fs::FsError;

use super::follow::{Unworked, follow};
use super::worker::READY;
use super::{named, now};
use crate::args::queue::QueueRunArgs;
use crate::commands::project::Project;
use crate::failure::{Failure, Kind};
use crate::ui::Ui;

/// This very program, also when another was put in its place since it was started (`proc(5)`).
#[cfg(target_os = "linux")]
pub(super) const OWN_PROGRAM: &str = "/proc/self/exe";

/// Sees to it that as many workers run as were asked for.
pub(super) fn start(project: &Project<'_>, jobs: Option<NonZeroUsize>, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let (queue, jobs) = (Queue::of(&project.repo), jobs_of(project, jobs));
    let tasks = waiting(project, &queue)?;
    if tasks.is_empty() {
        ui.tell("No experiments are queued.")?;
        return Ok(ExitCode::SUCCESS);
    }
    let started = ensure(project, &queue, jobs, tasks.len())?;
    let s = if started == 1 { "" } else { "s" };
    ui.tell(&format!("Started '{started}' new experiments task queue worker{s}."))?;
    Ok(ExitCode::SUCCESS)
}

/// `exp run --run-all`: runs all that is queued, and waits for the end.
///
/// # Errors
/// When workers cannot be started, or an experiment failed.
pub fn run_all(project: &Project<'_>, jobs: Option<NonZeroUsize>, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let (queue, jobs) = (Queue::of(&project.repo), jobs_of(project, jobs));
    let tasks = waiting(project, &queue)?;
    if tasks.is_empty() {
        ui.tell("No experiments are queued.")?;
        return Ok(ExitCode::SUCCESS);
    }
    ensure(project, &queue, jobs, tasks.len())?;
    ui.tell(
        "Following logs for all queued experiments. Use Ctrl+C to stop following logs (experiment execution will continue).\n",
    )?;
    follow(project, &queue, &tasks, Unworked::Fail, ui)
}

/// Runs the points of a sweep that wait, and waits for the end.
///
/// # Errors
/// As [`run_all`].
pub fn run_sweep(
    project: &Project<'_>,
    sweep: &SweepRecord,
    jobs: Option<NonZeroUsize>,
    ui: &Arc<Ui>,
) -> Result<ExitCode, Failure> {
    let (queue, jobs) = (Queue::of(&project.repo), jobs_of(project, jobs));
    let mut tasks = waiting(project, &queue)?;
    tasks.retain(|task| task.point_of(&sweep.name).is_some());
    for _ in 0..jobs.get().min(tasks.len()) {
        start_one(project, jobs, &["--sweep".to_owned(), sweep.name.to_string()])?;
    }
    ui.note(&format!(
        "Ctrl-C stops following the sweep '{0}', which goes on; `dewar sweep show {0}` says how far it is",
        sweep.name
    ));
    follow(project, &queue, &tasks, Unworked::Fail, ui)
}

/// `queue run`: runs the named tasks, and waits for the end.
pub(super) fn run(project: &Project<'_>, args: &QueueRunArgs, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let (queue, jobs) = (Queue::of(&project.repo), jobs_of(project, args.jobs));
    let tasks = named(&queue.tasks()?, &args.tasks)?;
    for task in &tasks {
        match task.seen(project.repo.config.own.queue.lost) {
            State::Queued | State::Running => {}
            State::Failed | State::Success => {
                let message = format!("`{}` does not wait: it has ended", task.name);
                let hint = format!("`dewar queue retry {}` queues it again, when it failed", task.name);
                return Err(Failure::new(Kind::Usage, message).hint(hint));
            }
        }
    }
    let only: Vec<String> = tasks.iter().flat_map(|task| ["--only".to_owned(), task.id.to_string()]).collect();
    for _ in 0..jobs.get().min(tasks.len()) {
        start_one(project, jobs, &only)?;
    }
    follow(project, &queue, &tasks, Unworked::Fail, ui)
}

fn jobs_of(project: &Project<'_>, typed: Option<NonZeroUsize>) -> NonZeroUsize {
    typed.or(project.repo.config.own.jobs).unwrap_or(NonZeroUsize::MIN)
}

/// The tasks that wait, once it is settled what became of those whose processes were killed.
fn waiting(project: &Project<'_>, queue: &Queue) -> Result<Vec<Task>, Failure> {
    if queue.tasks()?.is_empty() {
        return Ok(Vec::new());
    }
    let on_lost = project.repo.config.own.queue.lost;
    let mut changing = queue.change()?;
    changing.recover(project.repo.git()?, on_lost, now(project))?;
    project.remove_abandoned();
    Ok(changing.tasks().iter().filter(|task| task.seen(on_lost) == State::Queued).cloned().collect())
}

/// Starts as many workers as are missing, and not more than `tasks`. Answers how many.
fn ensure(project: &Project<'_>, queue: &Queue, jobs: NonZeroUsize, tasks: usize) -> Result<usize, Failure> {
    let takes_all = |worker: &&Worker| !worker.is_stopping && worker.takes == Takes::All;
    let there = queue.live_workers()?.iter().filter(takes_all).count();
    let missing = jobs.get().saturating_sub(there).min(tasks);
    for _ in 0..missing {
        start_one(project, jobs, &[])?;
    }
    Ok(missing)
}

fn start_one(project: &Project<'_>, jobs: NonZeroUsize, only: &[String]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| FsError::new("start", "a worker of the queue")(error);
    let path = Queue::of(&project.repo).workers_log();
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
    let log = log.map_err(FsError::new("create", &path))?;
    let mut command = Command::new(OWN_PROGRAM);
    command.args(["queue", "worker", "--jobs", &jobs.to_string()]);
    command.args(only);
    command.current_dir(project.repo.root()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    let mut child = command.spawn().map_err(failed)?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        // An end without a word is seen below.
        BufReader::new(stdout).read_line(&mut line).map_err(failed)?;
    }
    if line.trim_end() == READY {
        return Ok(());
    }
    let message = "a worker of the queue ended before it could begin";
    Err(Failure::new(Kind::Repository, message).hint(format!("it wrote into `{}`", path.display())))
}
