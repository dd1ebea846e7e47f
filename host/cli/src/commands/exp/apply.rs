//! `exp apply`: brings the workspace to an experiment.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::apply::{self, Outputs, Uncommitted};
use dewar_core::exp::chains::Chains;
use dewar_core::exp::checkpoint::{Note, standing};
use dewar_core::exp::find::{Found, find};
use dewar_core::exp::queue::Queue;
use dewar_core::exp::queue::task::{State, Task};
use dewar_core::exp::refs::Resolved;
use dewar_core::git::Git;
use dewar_core::metrics::{CommitFiles, pipeline_finder};
use dewar_core::path::RepoPath;
use dewar_core::pipeline::Pipeline;
use dewar_core::track::{self, CheckOut, Links, TrackError, Unrecorded, Unsaved};

use crate::args::exp::ExpApplyArgs;
use crate::commands::project::{Project, files};
use crate::failure::{Failure, Kind};
use crate::session::Session;
use crate::ui::Ui;

/// Does what `exp apply` was told.
///
/// # Errors
/// When there is no such experiment, or it cannot be written.
pub fn run(args: &ExpApplyArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let _held = project.take_workspace("exp apply")?;
    let git = project.repo.git()?;
    let found = find(git, &Queue::of(&project.repo), &args.experiment)?;
    // As its commit has it, so that all that would be in the way is known before anything is written.
    let finder = pipeline_finder(git);
    let target = Pipeline::load(&CommitFiles::new(git, found.commit(), &finder)?, project.templates());
    let outputs = save_outputs(&project, target.as_ref().ok(), args)?;
    let identity = git.identity(&project.identity())?;
    let staging = RepoPath::parse(".dvc/tmp")?;
    let uncommitted = match (args.force, args.no_force) {
        (true, _) => Uncommitted::Keep,
        (false, true) => Uncommitted::Refuse,
        (false, false) => Uncommitted::KeepRecorded,
    };
    let applied = apply::apply(git, found.commit(), uncommitted, &outputs, &staging, &identity, session.commit_time())?;
    if let Some(kept) = applied.kept {
        ui.note(&format!("What was in the workspace is kept: `dewar exp apply {}` brings it back.", kept.short()));
    }
    if let Found::Task(task) = &found {
        ui.note(&format!("It has no result, so the files are those that it begins with: {}.", outcome(&project, task)));
    }
    let brought = bring_outputs(&project, target.ok(), ui);
    project.save_index();
    let missing = brought.map_err(|failure| failure.hint("what git has was applied, and not all of its outputs"))?;
    if !missing.is_empty() {
        let missing: Vec<String> = missing.iter().map(|path| format!("`{path}`")).collect();
        let message = format!("the cache lacks outputs of the experiment: {}", missing.join(", "));
        let hint = "what git has was applied, and the outputs that are there; `dewar exp run` makes the others anew";
        let failure = Failure::new(Kind::Repository, message).hint(hint);
        return Err(if is_discarded(git, &found)? {
            failure.hint("a policy let go of this checkpoint")
        } else {
            failure
        });
    }
    stand_at(git, &found)?;
    ui.tell(&format!("Changes for experiment '{}' have been applied to your current workspace.", args.experiment))?;
    Ok(ExitCode::SUCCESS)
}

/// The next run of stages with checkpoints goes on from what was applied.
fn stand_at(git: &Git, found: &Found) -> Result<(), Failure> {
    let checkpoint = match found {
        Found::Commit(Resolved { commit, experiment: Some(_) }) => Note::at(git, *commit)?.map(|_| *commit),
        _ => None,
    };
    Ok(standing::stand_at(git, checkpoint)?)
}

/// Whether what was found is a checkpoint that a policy let go of.
fn is_discarded(git: &Git, found: &Found) -> Result<bool, Failure> {
    let Found::Commit(Resolved { commit, experiment: Some(experiment) }) = found else { return Ok(false) };
    Ok(!Chains::new(git).history(experiment.reference.baseline, experiment.commit)?.keeps(*commit))
}

/// Why a task has no result.
fn outcome(project: &Project<'_>, task: &Task) -> String {
    match task.seen(project.repo.config.own.queue.lost) {
        State::Running => "it runs".to_owned(),
        State::Queued => "it waits in the queue".to_owned(),
        State::Failed | State::Success => {
            task.cause().map_or_else(|| "it failed".to_owned(), |cause| format!("it failed, {cause}"))
        }
    }
}

/// Before anything is written: git keeps aside what it knows. Outputs that only the workspace has would be gone, and so would
/// other files where the experiment has outputs; with `--force` they are kept with it, or else a reason to change nothing. The other
/// files are kept by git: no pipeline names them.
fn save_outputs(project: &Project<'_>, target: Option<&Pipeline>, args: &ExpApplyArgs) -> Result<Outputs, Failure> {
    // A pipeline that cannot be read names no outputs; applying an experiment may be the way to mend it.
    let current = Pipeline::load(&files(project), project.templates()).ok();
    let mut unsaved = Vec::new();
    if let Some(pipeline) = &current {
        let workspace = project.workspace(pipeline)?;
        unsaved = track::unsaved(&workspace, pipeline)?;
        if args.force && !unsaved.is_empty() {
            track::keep_outputs(&workspace, pipeline, &unsaved, project.events())?;
        }
    }
    let mut others = match target {
        Some(pipeline) => track::would_lose(&project.workspace(pipeline)?, pipeline)?,
        None => Vec::new(),
    };
    let git = project.repo.git()?;
    let mut tracked = Vec::with_capacity(others.len());
    for path in &others {
        tracked.push(git.is_tracked(path)?);
    }
    let mut is_tracked = tracked.into_iter();
    others.retain(|_| is_tracked.next() == Some(false));
    if args.force || unsaved.is_empty() && others.is_empty() {
        let outs = current.iter().flat_map(Pipeline::stages).flat_map(|(_, stage)| &stage.outs);
        let cached = outs.filter(|out| out.cached).map(|out| out.path.clone()).collect();
        return Ok(Outputs { aside: others, cached });
    }
    others.retain(|path| !unsaved.iter().any(|out| path.is_within(out)));
    let paths = unsaved.into_iter().chain(others).collect();
    let failure = Failure::new(Kind::Repository, TrackError::WouldLose { paths }.to_string());
    Err(failure.hint(
        "`--force` goes on and keeps them; `dewar exp apply refs/exps/apply/stash` then brings back what was there",
    ))
}

/// Makes the outputs what the experiment records of them: nothing is in their way any more, so what came there meanwhile is a
/// reason to stop. What the pipeline of its commit cannot say, the one in the workspace may: it can lean on files that git does not
/// have. Answers what the cache lacks.
fn bring_outputs(project: &Project<'_>, target: Option<Pipeline>, ui: &Ui) -> Result<Vec<RepoPath>, Failure> {
    let pipeline = target.map_or_else(|| Pipeline::load(&files(project), project.templates()), Ok)?;
    let workspace = project.workspace(&pipeline)?;
    let stages = pipeline.stages().map(|(_, stage)| (stage, None));
    let how = CheckOut { unsaved: Unsaved::Refuse, links: Links::Leave };
    let checked_out = track::check_out(&workspace, &pipeline, stages, how)?;
    tell_unrecorded(&track::remove_unrecorded(&workspace, &pipeline)?, ui);
    Ok(checked_out.missing)
}

fn tell_unrecorded(unrecorded: &Unrecorded, ui: &Ui) {
    let quoted = |paths: &[RepoPath]| paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
    if !unrecorded.removed.is_empty() {
        let paths = quoted(&unrecorded.removed);
        ui.note(&format!("It has no {paths}: removed from the workspace, and still in the cache."));
    }
    if !unrecorded.left.is_empty() {
        ui.note(&format!("It has no {}, which only the workspace has: left there.", quoted(&unrecorded.left)));
    }
}
