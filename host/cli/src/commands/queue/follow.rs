//! Following tasks: what they write, until all have ended.

use std::fs::File;
use std::io::Read;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dewar_core::event::Stream;
use dewar_core::exp::queue::Queue;
use dewar_core::exp::queue::task::{State, Task};
use dewar_core::fs::FsError;
use dewar_core::git::CommitId;

use crate::commands::project::Project;
use crate::failure::{Failure, Kind};
use crate::ui::{Ui, Verbosity, style};

/// How often tasks are looked at, at least and at most.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// The log of the task that is read.
struct Log {
    task: CommitId,
    name: String,
    attempt: usize,
    file: Option<File>,
    /// What has no line end yet.
    rest: Vec<u8>,
}

impl Log {
    /// From the attempt on that runs, or comes next.
    fn new(task: &Task) -> Self {
        let name = task.name.to_string();
        let attempt = task.attempts.len() - usize::from(task.state == State::Running);
        Self { task: task.id, name, attempt, file: None, rest: Vec::new() }
    }

    /// Prints what came since, each line behind `prefix`, of all attempts up to `attempts`.
    fn pass_on(&mut self, queue: &Queue, attempts: usize, prefix: &str, ui: &Ui) -> Result<(), Failure> {
        loop {
            if let Some(file) = &mut self.file {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).map_err(FsError::new("read the log of", self.name.clone()))?;
                self.rest.extend(bytes);
            }
            let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let rest = self.rest.split_off(whole);
            let lines = std::mem::replace(&mut self.rest, rest);
            for line in String::from_utf8_lossy(&lines).lines() {
                show(prefix, line, ui)?;
            }
            if self.attempt >= attempts {
                return Ok(());
            }
            self.finish(prefix, ui)?;
            self.attempt += 1;
            // One that could not be made has no log.
            self.file = File::open(queue.log(self.task, self.attempt)).ok();
        }
    }

    fn finish(&mut self, prefix: &str, ui: &Ui) -> Result<(), Failure> {
        if self.rest.is_empty() {
            return Ok(());
        }
        let rest = std::mem::take(&mut self.rest);
        show(prefix, &String::from_utf8_lossy(&rest), ui)
    }
}

/// Logs are kept, so that a quiet command need not show them.
fn show(prefix: &str, line: &str, ui: &Ui) -> Result<(), Failure> {
    if ui.verbosity() == Verbosity::Quiet { Ok(()) } else { ui.pass_on(prefix, Stream::Out, line) }
}

/// What it means that tasks wait and no worker is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unworked {
    /// One may come.
    Wait,
    /// Those that were started are gone.
    Fail,
}

/// Prints what the tasks write, until all have ended, and what became of them.
pub(super) fn follow(
    project: &Project<'_>,
    queue: &Queue,
    tasks: &[Task],
    unworked: Unworked,
    ui: &Arc<Ui>,
) -> Result<ExitCode, Failure> {
    let on_lost = project.repo.config.own.queue.lost;
    let width = tasks.iter().map(|task| task.name.as_str().len()).max().unwrap_or_default();
    let is_alone = tasks.len() == 1;
    let prefix = |name: &str| {
        let mark = style::NAME;
        if is_alone { String::new() } else { format!("{mark}{name:width$}{mark:#} | ") }
    };
    let mut left: Vec<Log> = tasks.iter().map(Log::new).collect();
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    while !left.is_empty() {
        let since = Instant::now();
        // Before the tasks are looked at: one that was queued again has either a worker, or is seen to wait.
        let is_worked = !queue.workers()?.is_empty();
        let now = queue.tasks()?;
        let mut ended = Vec::new();
        let mut waiting = 0;
        for log in &mut left {
            let Some(task) = now.iter().find(|task| task.id == log.task) else {
                ui.note(&format!("'{}' was removed from the queue", log.name));
                ended.push(log.task);
                continue;
            };
            let state = task.seen(on_lost);
            log.pass_on(queue, task.attempts.len(), &prefix(&log.name), ui)?;
            match state {
                State::Running => {}
                State::Queued => waiting += 1,
                State::Success | State::Failed => {
                    // What came between the first look and the end.
                    log.pass_on(queue, task.attempts.len(), &prefix(&log.name), ui)?;
                    log.finish(&prefix(&log.name), ui)?;
                    ended.push(log.task);
                    if state == State::Success { done.push(log.name.clone()) } else { failed.push(task.clone()) }
                }
            }
        }
        left.retain(|log| !ended.contains(&log.task));
        if unworked == Unworked::Fail && waiting == left.len() && waiting > 0 && !is_worked {
            let names: Vec<&str> = left.iter().map(|log| log.name.as_str()).collect();
            let message = format!("no worker is left, and these wait: {}", names.join(", "));
            let hint = format!(
                "`dewar queue start` starts one; what they had to say is in `{}`",
                queue.workers_log().display()
            );
            return Err(Failure::new(Kind::Repository, message).hint(hint));
        }
        if ended.is_empty() && !left.is_empty() {
            std::thread::sleep((since.elapsed() * 8).clamp(SHORTEST_PAUSE, LONGEST_PAUSE));
        }
    }
    // Of one its own log has said so.
    if !done.is_empty() && !is_alone {
        ui.tell(&format!("\nRan experiment(s): {}", done.join(", ")))?;
    }
    tell_failed(&failed).map_or_else(|| Ok(ExitCode::SUCCESS), Err)
}

fn tell_failed(failed: &[Task]) -> Option<Failure> {
    let first = failed.first()?;
    let names: Vec<String> = failed.iter().map(|task| format!("'{}'", task.name)).collect();
    let message = format!("Failed to reproduce experiment(s) {}", names.join(", "));
    let hint = format!("`dewar queue logs {}` shows what it wrote, `dewar queue retry {0}` runs it again", first.name);
    Some(Failure::new(Kind::Stage, message).hint(hint))
}
