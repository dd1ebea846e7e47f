//! An experiment in a workspace of its own: that of `exp run --temp`, and those of the queue. The user's stays as it is.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::config::OnLost;
use dewar_core::exp::copies::CopyPath;
use dewar_core::exp::escapes;
use dewar_core::exp::isolated::{self, IsolatedWorkspace};
use dewar_core::exp::queue::task::End;
use dewar_core::exp::queue::{NewTask, Queue};
use dewar_core::exp::refs::Experiment;
use dewar_core::exp::run::files_overridden;
use dewar_core::fs::{FsError, write_atomic};
use dewar_core::git::{CommitId, Git, Head, TreeId};
use dewar_core::path::RepoPath;
use dewar_core::pipeline::Stage;
use dewar_core::repro::{self, Selection};

use super::queue;
use super::run::{ExperimentRun, Typed, reproduce};
use super::snapshot::Snapshot;
use crate::args::run::StageSelectionArgs;
use crate::commands::project::{Project, files};
use crate::commands::repro::{reach, targets};
use crate::failure::Failure;
use crate::ui::Ui;

/// What is run.
pub struct Inputs<'a> {
    /// What was kept of the workspace.
    pub commit: CommitId,
    /// Its files.
    pub tree: TreeId,
    /// What git says is checked out.
    pub head: Head,
    /// The folder in which the stages were named.
    pub from: RepoPath,
    /// What git does not have and the stages need.
    pub copies: &'a [CopyPath],
    /// The parameter files that were changed for the experiment.
    pub set: &'a [RepoPath],
    /// The stages.
    pub stages: &'a StageSelectionArgs,
}

/// Runs the experiment of `--temp`. It is a task of the queue as long as it runs, and for good when it fails.
///
/// # Errors
/// As [`run`], and when an override does not fit.
pub(super) fn run_temp(
    project: &Project<'_>,
    git: &Git,
    typed: &Typed<'_>,
    run_as: &ExperimentRun<'_>,
    ui: &Arc<Ui>,
) -> Result<ExitCode, Failure> {
    // From here on a signal ends the command in order, and what it made is removed.
    project.session().cancellation()?;
    let ExperimentRun { identified, message, how, explainer, .. } = *run_as;
    let (snapshot, _) = Snapshot::take(project, git, &typed.args.stages, typed.overrides, typed.copies)?;
    let from = project.repo.from();
    let tree = snapshot.with(project, git, from, typed.overrides)?;
    let request = queue::request(project, git, typed)?;
    let now = || project.session().commit_time();
    let tasks = Queue::of(&project.repo);
    let mut changing = tasks.change()?;
    let new = NewTask {
        name: identified.name.clone(),
        baseline: identified.baseline,
        tree,
        index: snapshot.index,
        overrides: typed.overrides.iter().map(ToString::to_string).collect(),
        priority: 0,
        sweep: None,
        request: &request,
        copies: typed.copies,
        identity: &git.identity(&project.identity())?,
        time: now(),
    };
    let (claim, mut log) = changing.begin(git, &new, now().seconds)?;
    let mut running = claim.running()?;
    claim.share()?;
    drop(changing);
    let set = files_overridden(from, typed.overrides)?;
    let inputs = Inputs {
        commit: claim.task().id,
        tree,
        head: Head { commit: identified.baseline, name: request.head.clone() },
        from: from.clone(),
        copies: typed.copies,
        set: &set,
        stages: &typed.args.stages,
    };
    let run_as = ExperimentRun { identified, message, how, explainer, task: Some(&mut running) };
    let ran = run(project, git, &inputs, run_as, ui);
    let end = match &ran {
        Ok(_) => End::Success,
        Err(failure) => End::Failed { message: failure.message() },
    };
    // The terminal has it all; here is what it came to.
    let written = match &end {
        End::Failed { message } => {
            writeln!(log, "What its stages wrote went where the command wrote.\nerror: {message}")
        }
        _ => Ok(()),
    };
    let task = claim.task().clone();
    running.end(end, OnLost::Fail, now().seconds)?;
    drop(claim);
    let told = written.map_err(FsError::new("write the log of", task.name.to_string()));
    if ran.is_ok() {
        tasks.change()?.remove(git, &[task])?;
    }
    ran?;
    told?;
    ui.tell("To apply the results of an experiment to your workspace run:\n")?;
    ui.tell(&format!("\tdewar exp apply {}", identified.name))?;
    Ok(ExitCode::SUCCESS)
}

/// Runs an experiment beside the user's workspace.
///
/// # Errors
/// When the workspace cannot be made, a stage fails, or the experiment cannot be recorded. The workspace is removed in any
/// case.
pub fn run(
    project: &Project<'_>,
    git: &Git,
    inputs: &Inputs<'_>,
    run_as: ExperimentRun<'_>,
    ui: &Arc<Ui>,
) -> Result<Experiment, Failure> {
    let cancellation = project.session().cancellation()?;
    let from = inputs.from.clone();
    let (workspace, repo) = IsolatedWorkspace::create(&project.repo, git, inputs.tree, &inputs.head, from)?;
    let inside = project.isolated(repo);
    inputs.copies.iter().try_for_each(|copy| copy.copy_into(inside.repo.root()))?;
    // A copy is of the file before `-S`.
    for file in inputs.set {
        if let Some(text) = git.read(inputs.commit, file)? {
            write_atomic(&file.under(inside.repo.root()), &text)?;
        }
    }
    let stages = inputs.stages;
    let selection = repro::select(&files(&inside), inside.templates(), &targets(&inside, stages), reach(stages))?;
    warn_of_escapes(project, &inside, &selection);
    let copied: Vec<RepoPath> = inputs.copies.iter().map(|copy| copy.inside().clone()).collect();
    isolated::check_out_data(&inside.workspace(&selection.pipeline)?, &selection, &copied, &cancellation)?;
    let experiment = reproduce(&inside, git, run_as, &selection, ui)
        .map_err(|failure| lacking(project, &inside, &selection).into_iter().fold(failure, Failure::hint))?;
    if let Err(error) = workspace.remove() {
        project.warn(format!("{error}; the next experiment removes it"));
    }
    Ok(experiment)
}

/// What a stage reads or writes in the user's workspace is not what was queued.
fn warn_of_escapes(project: &Project<'_>, inside: &Project<'_>, selection: &Selection) {
    let env = inside.environment();
    let env = env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let read = |file: &RepoPath| std::fs::read(file.under(inside.repo.root())).ok();
    for escape in escapes::find(project.repo.root(), selection, env, read) {
        project.warn(escape.to_string());
    }
}

/// What the stages read that is in the user's workspace, but not in theirs, because git does not have it.
fn lacking(project: &Project<'_>, inside: &Project<'_>, selection: &Selection) -> Vec<String> {
    let stages: Vec<&Stage> = selection.order.iter().map(|id| selection.pipeline.stage(*id)).collect();
    let is_output = |path: &RepoPath| {
        selection.pipeline.stages().any(|(_, stage)| stage.outs.iter().any(|out| path.is_within(&out.path)))
    };
    let deps = stages.iter().flat_map(|stage| &stage.deps).filter_map(|dep| dep.place.inside());
    let params = stages.iter().flat_map(|stage| &stage.params).map(|param| &param.file);
    let is_there = |project: &Project<'_>, path: &RepoPath| path.under(project.repo.root()).exists();
    let lacks = |path: &&RepoPath| is_there(project, path) && !is_there(inside, path) && !is_output(path);
    let lacking: BTreeSet<&RepoPath> = deps.chain(params).filter(lacks).collect();
    let from = project.repo.from();
    let hint = |path: &RepoPath| {
        let path = path.relative_to(from);
        format!("git does not have `{path}`, which is in your workspace: `git add` it, or copy it with `-C {path}`")
    };
    lacking.into_iter().map(hint).collect()
}
