//! A worker: takes one task after the other, each in a process of its own, whose output is the log of the attempt.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dewar_core::config::OnLost;
use dewar_core::exp::queue::Queue;
use dewar_core::exp::queue::claim::{Claim, Kill};
use dewar_core::exp::queue::task::{Request, State, Task};
use dewar_core::exp::queue::workers::Takes;
use dewar_core::fs::FsError;
use dewar_core::git::Git;

use super::now;
use super::start::OWN_PROGRAM;
use crate::args::queue::QueueWorkerArgs;
use crate::commands::project::Project;
use crate::failure::Failure;
use crate::ui::Ui;

/// What a worker says once it is one.
pub(super) const READY: &str = "ready";
/// The shortest and the longest time between two looks at a process that runs.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Works until no task waits, or it is told to stop.
///
/// # Errors
/// When the queue cannot be read or written.
pub(super) fn run(project: &Project<'_>, args: &QueueWorkerArgs, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    // A session of its own: a closed terminal, or Ctrl-C there, does not end it.
    rustix::process::setsid().ok();
    let (queue, git) = (Queue::of(&project.repo), project.repo.git()?);
    let takes = if args.only.is_empty() && args.sweep.is_none() { Takes::All } else { Takes::Some };
    let registration = queue.register(takes)?;
    ui.print(&format!("{READY}\n"))?;
    let worker = Worker { project, git, on_lost: project.repo.config.own.queue.lost, args };
    while !registration.is_to_stop() {
        // The right to change the queue goes with this statement: others take and queue tasks while this one runs.
        let taken = queue.change()?.take(git, |task| worker.wants(task), worker.on_lost, now(project))?;
        if let Some(mut claim) = taken {
            worker.run(&queue, &mut claim)?;
            continue;
        }
        project.remove_abandoned();
        // Whoever queues a task and counts workers sees either that this one is none any more, or that it takes the task.
        let changing = queue.change()?;
        let waits = |task: &Task| worker.wants(task) && task.seen(OnLost::Retry) == State::Queued;
        if !changing.tasks().iter().any(waits) {
            drop(registration);
            queue.forget_ended()?;
            return Ok(ExitCode::SUCCESS);
        }
        drop(changing);
        // Another worker is at it, or the lock of a killed one is not free yet.
        std::thread::sleep(LONGEST_PAUSE);
    }
    project.remove_abandoned();
    Ok(ExitCode::SUCCESS)
}

struct Worker<'a> {
    project: &'a Project<'a>,
    git: &'a Git,
    on_lost: OnLost,
    args: &'a QueueWorkerArgs,
}

impl Worker<'_> {
    fn wants(&self, task: &Task) -> bool {
        let is_named = self.args.only.is_empty() || self.args.only.contains(&task.id.to_string());
        let is_point = |sweep: &String| task.sweep.as_ref().is_some_and(|point| point.sweep.as_str() == sweep);
        is_named && self.args.sweep.as_ref().is_none_or(is_point)
    }

    fn run(&self, queue: &Queue, claim: &mut Claim) -> Result<(), Failure> {
        let log = claim.begin(now(self.project))?;
        claim.share()?;
        let request = match queue.request(claim.task().id) {
            Ok(request) => request,
            Err(error) => return Ok(claim.fail(error.to_string(), now(self.project))?),
        };
        let mut child = match self.start(request, claim, log) {
            Ok(child) => child,
            Err(error) => {
                // The task is not at fault, and the next one would fare no better.
                claim.give_back()?;
                return Err(error.into());
            }
        };
        let status = wait(&mut child, claim)?;
        claim.settle(self.git, &end_of(status), self.on_lost, now(self.project))?;
        Ok(())
    }

    /// Starts the process of an attempt.
    fn start(&self, request: Request, claim: &Claim, log: File) -> Result<Child, FsError> {
        let failed = |error| FsError::new("start", "the process of an experiment")(error);
        let mut command = Command::new(OWN_PROGRAM);
        let folder = request.from.under(self.project.repo.root());
        let folder = if folder.is_dir() { folder } else { self.project.repo.root().to_owned() };
        command.args(["queue", "exec", "--jobs", &self.args.jobs.to_string(), &claim.task().id.to_string()]);
        for dir in request.plugin_dirs {
            command.arg("--plugin-dir").arg(dir);
        }
        command.current_dir(folder).env_clear().envs(request.env).stdin(Stdio::null());
        command.stdout(log.try_clone().map_err(failed)?).stderr(log).spawn().map_err(failed)
    }
}

/// Waits for the process of an attempt, and passes on when the user wants it to end.
fn wait(child: &mut Child, claim: &Claim) -> Result<ExitStatus, Failure> {
    let since = Instant::now();
    let mut delivered = None;
    loop {
        let failed = FsError::new("wait for", "the process of the experiment");
        if let Some(status) = child.try_wait().map_err(failed)? {
            return Ok(status);
        }
        let wish = claim.is_to_end();
        if wish != delivered {
            // Until it is gone: what the stages start meanwhile has to go, too.
            delivered = wish.filter(|wish| *wish == Kill::Interrupt);
            wish.map_or(Ok(()), |kill| claim.deliver(kill))?;
        }
        std::thread::sleep((since.elapsed() / 16).clamp(SHORTEST_PAUSE, LONGEST_PAUSE));
    }
}

fn end_of(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (_, Some(signal)) => format!("its process was ended by signal {signal}"),
        (Some(code), _) => format!("its process ended with exit code {code}, and told no reason"),
        _ => "its process ended, and told no reason".to_owned(),
    }
}
