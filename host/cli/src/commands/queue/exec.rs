//! One attempt of a task: what its worker started this process for. All it prints is the log of the attempt.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::checkpoint::standing;
use dewar_core::exp::queue::claim::Running;
use dewar_core::exp::queue::task::{End, Request};
use dewar_core::exp::queue::{Queue, STASH};
use dewar_core::exp::record::{self, NameTaken};
use dewar_core::exp::refs::ExperimentRef;
use dewar_core::exp::run::{Identified, files_overridden};
use dewar_core::git::{CommitId, Head};
use dewar_core::process::Asked;

use super::now;
use crate::args::queue::QueueExecArgs;
use crate::args::run::StageSelectionArgs;
use crate::commands::exp::isolated::{self, Inputs};
use crate::commands::exp::queue::sweep_of;
use crate::commands::exp::resume::beside;
use crate::commands::exp::run::ExperimentRun;
use crate::commands::project::{JobBudget, Project, Results};
use crate::commands::repro::how;
use crate::failure::{Failure, Kind};
use crate::ui::Ui;

/// Runs a task.
///
/// # Errors
/// Why the task failed; it is in its record, too.
pub(super) fn run(project: &Project<'_>, args: &QueueExecArgs, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let queue = Queue::of(&project.repo);
    let unknown = || Failure::new(Kind::Usage, format!("`{}` is no task", args.task));
    let id = CommitId::parse(&args.task).ok_or_else(unknown)?;
    let mut running = queue.attempt(id)?;
    let ran = queue
        .request(id)
        .map_err(Failure::from)
        .and_then(|request| run_task(project, &queue, &request, &mut running, args, ui));
    let end = match &ran {
        Ok(()) => End::Success,
        Err(failure) if failure.kind() == Kind::Interrupted => End::Lost { reason: "it was interrupted".to_owned() },
        Err(failure) => End::Failed { message: failure.message() },
    };
    if end == End::Success {
        // Before it is said, so that it is not left for ever when this process is killed here. That the experiment succeeded is
        // not made to fail by what cannot be tidied up.
        if let Err(error) = queue.forget_inputs(project.repo.git()?, id) {
            project.warn(format!("{error}; the inputs of the experiment stay in `{STASH}`"));
        }
    }
    // The log has all of it before it is said that nothing more comes.
    let code = match &ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            ui.fail(failure);
            ExitCode::from(failure.kind().exit_code())
        }
    };
    running.end(end, project.repo.config.own.queue.lost, now(project))?;
    Ok(code)
}

fn run_task(
    project: &Project<'_>,
    queue: &Queue,
    request: &Request,
    running: &mut Running,
    args: &QueueExecArgs,
    ui: &Arc<Ui>,
) -> Result<(), Failure> {
    let cancellation = project.session().cancellation()?;
    if running.is_to_end() {
        cancellation.cancel(Asked::BySignal);
    }
    let git = project.repo.git()?;
    let task = running.task().clone();
    let typed: Result<StageSelectionArgs, _> = serde_json::from_value(request.typed.clone());
    let mut stages = typed.map_err(|error| Failure::new(Kind::Internal, format!("cannot read the task: {error}")))?;
    stages.jobs = stages.jobs.or(Some(args.jobs));
    let _held = project.hold_cache("queue exec")?;
    let reference = ExperimentRef { baseline: task.baseline, name: task.name.clone() };
    // An attempt before this one got so far.
    let left = standing::left_by(git, &reference, task.id)?;
    if left.is_none() && request.taken == NameTaken::Refuse {
        record::check_free(git, task.baseline, &task.name)?;
    }
    if let Some(left) = left {
        ui.note(&format!("goes on from the checkpoint {}, which the attempt before recorded last", left.short()));
    }
    let mut how = how(&stages, Results { pull: stages.pull, ..Results::default() }, project, ui)?;
    how.budget = Some(JobBudget { folder: queue.jobs().join(args.jobs.to_string()), jobs: args.jobs });
    let copies = request.copies_in(&queue.copied(task.id));
    let overrides = sweep_of(&task.overrides)?.points().next().unwrap_or_default();
    let set = files_overridden(&request.from, &overrides)?;
    let inputs = Inputs {
        commit: task.id,
        tree: git.commit_summary(task.id)?.tree,
        head: Head { commit: task.baseline, name: request.head.clone() },
        from: request.from.clone(),
        copies: &copies,
        set: &set,
        stages: &stages,
    };
    let identified = Identified {
        baseline: task.baseline,
        name: task.name.clone(),
        taken: if left.is_some() { NameTaken::Extend } else { request.taken },
        beginning: beside(left.or(request.rev)),
    };
    let message = request.message.as_deref();
    let run_as = ExperimentRun { identified: &identified, message, how: &how, explainer: None, task: Some(running) };
    isolated::run(project, git, &inputs, run_as, ui)?;
    Ok(())
}
