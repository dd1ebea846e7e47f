//! `exp run`: an experiment in the workspace, with `--temp` in one of its own ([`super::isolated`]), or with `--queue` later
//! ([`super::queue`]). Step 2 of the walk; [`dewar_core::exp::run`] has the parts.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::checkpoint::recorder::Recorder;
use dewar_core::exp::copies::CopyPath;
use dewar_core::exp::name::ExperimentName;
use dewar_core::exp::queue::claim::Running;
use dewar_core::exp::record::{NameTaken, Settled};
use dewar_core::exp::refs::Experiment;
use dewar_core::exp::run::{self, Identified, Recording};
use dewar_core::exp::save::Included;
use dewar_core::exp::workspace_run::WorkspaceRun;
use dewar_core::git::{CommitId, Git};
use dewar_core::params::Override;
use dewar_core::pipeline::files::{Overlaid, Overlay};
use dewar_core::repo::{RepoError, WorkspaceLock, end_orphans};
use dewar_core::repro::{self, Selection};
use dewar_core::stage_run::Checkpoints;
use serde_json::{Map, Value, json};

use super::{isolated, note_replaced, queue, resume};
use crate::args::run::{ExpRunArgs, StageSelectionArgs};
use crate::commands::project::{Project, Results, StageRuns, files};
use crate::commands::queue::{run_all, run_sweep};
use crate::commands::repro::{dry_run, explained, how, reach, targets};
use crate::failure::{Failure, Kind};
use crate::session::Session;
use crate::ui::explain::Explainer;
use crate::ui::{Ui, style};

/// What was typed, read.
pub(super) struct Typed<'a> {
    /// As it was typed.
    pub args: &'a ExpRunArgs,
    /// The parameters to set.
    pub overrides: &'a [Override],
    /// What git does not have and the stages need; for an isolated workspace only.
    pub copies: &'a [CopyPath],
    /// The checkpoint to go on from.
    pub rev: Option<CommitId>,
}

/// How an experiment is run and recorded.
pub struct ExperimentRun<'a> {
    /// Baseline and name.
    pub identified: &'a Identified,
    /// What the user says of it.
    pub message: Option<&'a str>,
    /// How the stages are run.
    pub how: &'a StageRuns,
    /// Who explains the run, when anyone does.
    pub explainer: Option<&'a Explainer>,
    /// The task of the queue that it is.
    pub task: Option<&'a mut Running>,
}

/// Does what `exp run` was told.
///
/// # Errors
/// When an override does not fit, a stage fails, or the experiment cannot be recorded.
pub fn run(args: &ExpRunArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    refuse_spaced(args)?;
    resume::refuse_rev(args)?;
    if args.run_all {
        return run_all(&Project::open(session, ui)?, args.stages.jobs, ui);
    }
    let sweep = queue::sweep_of(&args.set_param)?;
    let overrides: Vec<Override> = sweep.points().next().unwrap_or_default();
    let name = args.name.as_deref().map(ExperimentName::parse).transpose()?;
    let mut project = Project::open(session, ui)?;
    let stages = &args.stages;
    let explainer = explained(stages).filter(|_| !stages.dry).map(|form| project.explain(form));
    let git = project.repo.git()?;
    let copies: Vec<CopyPath> = if args.temp || args.queue || sweep.is_sweep() {
        let copy = |text: &String| CopyPath::parse(project.repo.root(), project.repo.from(), text);
        args.copy_paths.iter().map(copy).collect::<Result<_, _>>()?
    } else {
        Vec::new()
    };
    if sweep.is_sweep() {
        refuse_sweep(args)?;
    }
    let rev = if args.temp || args.queue || sweep.is_sweep() {
        resume::named_rev(&project, git, &overrides, args, ui)?
    } else {
        None
    };
    let typed = Typed { args, overrides: &overrides, copies: &copies, rev };
    let results = Results { pull: stages.pull, ..Results::default() };
    if stages.dry {
        let (selection, overlay) = select(&project, stages, &overrides)?;
        if !args.temp && !stages.json {
            resume::decide(&project, git, (&selection, &overlay), args)?.tell(ui)?;
        }
        let workspace = project.workspace_with(&selection.pipeline, overlay)?;
        return dry_run(&project, stages, &selection, &workspace, results, ui);
    }
    if sweep.is_sweep() {
        let held = project.hold_cache("exp run")?;
        let record = queue::add_sweep(&project, git, &typed, &sweep, name.as_ref(), ui)?;
        drop(held);
        return if args.queue { Ok(ExitCode::SUCCESS) } else { run_sweep(&project, &record, stages.jobs, ui) };
    }
    if args.queue {
        let _held = project.hold_cache("exp run --queue")?;
        return queue::run(&project, git, &typed, name.as_ref(), ui);
    }
    let how = how(stages, results, &project, ui)?;
    let _held = match args.temp {
        true => (None, Some(project.hold_cache("exp run --temp")?)),
        false => (Some(take_workspace(&project, stages, &overrides)?), None),
    };
    project.remove_abandoned();
    let message = args.message.as_deref();
    let explainer = explainer.as_deref();
    if args.temp {
        let beginning = resume::beside(rev);
        let identified = Identified { beginning, ..run::identify(git, name, taken(stages), &mut session.draw())? };
        let run_as = ExperimentRun { identified: &identified, message, how: &how, explainer, task: None };
        return isolated::run_temp(&project, git, &typed, &run_as, ui);
    }
    // Before anything is written: the pipeline must be valid, and have the targets.
    let (selection, overlay) = select(&project, stages, &overrides)?;
    let decided = resume::decide(&project, git, (&selection, &overlay), args)?;
    let identified = decided.identify(git, name, args, &mut session.draw())?;
    decided.tell(ui)?;
    let run_as = ExperimentRun { identified: &identified, message, how: &how, explainer, task: None };
    run::write_overrides(&files(&project), &overlay)?;
    let who = git.identity(&project.identity())?;
    let _told = WorkspaceRun::announce(git, (identified.baseline, &identified.name), &who, session.commit_time())?;
    reproduce(&project, git, run_as, &selection, ui)?;
    ui.tell("Experiment results have been applied to your workspace.")?;
    Ok(ExitCode::SUCCESS)
}

/// Takes the workspace. What a killed run of stages with checkpoints left there waits for an answer that nobody gives, and is
/// ended; other commands may come to their end.
fn take_workspace(
    project: &Project<'_>,
    stages: &StageSelectionArgs,
    overrides: &[Override],
) -> Result<WorkspaceLock, Failure> {
    const COMMAND: &str = "exp run";
    let taken = project.take_workspace(COMMAND);
    if let Err(RepoError::Orphans { holder }) = &taken
        && resume::has_checkpoints(&select(project, stages, overrides)?.0)
    {
        project.warn(format!("{holder}, was killed: the commands that it left running are ended"));
        end_orphans(project.repo.root())?;
        return Ok(project.take_workspace(COMMAND)?);
    }
    Ok(taken?)
}

/// What happens when there is an experiment of the name.
pub(super) const fn taken(stages: &StageSelectionArgs) -> NameTaken {
    if stages.force { NameTaken::Replace } else { NameTaken::Refuse }
}

/// The stages that are asked for, once the overrides are written, and what those would write.
pub(super) fn select(
    project: &Project<'_>,
    stages: &StageSelectionArgs,
    overrides: &[Override],
) -> Result<(Selection, Overlay), Failure> {
    let from = project.repo.from();
    let overlay = run::overridden(&files(project), &project.params, from, overrides)?;
    let seen = Overlaid::new(files(project), overlay.clone());
    Ok((repro::select(&seen, project.templates(), &targets(project, stages), reach(stages))?, overlay))
}

/// Runs the stages in the workspace of `project` and records what came out in the repository `git`.
pub(super) fn reproduce(
    project: &Project<'_>,
    git: &Git,
    mut run_as: ExperimentRun<'_>,
    selection: &Selection,
    ui: &Ui,
) -> Result<Experiment, Failure> {
    let identified = run_as.identified;
    let mark = style::NAME;
    ui.tell(&format!("Reproducing experiment '{mark}{}{mark:#}'", identified.name))?;
    if let Some(task) = &mut run_as.task {
        task.runs_in(project.repo.root().to_owned())?;
    }
    let ran = project.repo.git()?;
    let recorder = resume::begin(project, git, &run_as, selection, ui)?;
    let env = vec![
        ("DVC_EXP_NAME".to_owned(), identified.name.to_string()),
        ("DVC_EXP_BASELINE_REV".to_owned(), identified.baseline.to_string()),
    ];
    let checkpoints = recorder.as_ref().map(|recorder| recorder as &dyn Checkpoints);
    let recorded = project.run(selection, run_as.how, env, checkpoints).and_then(|report| {
        let mut recording = Recording {
            message: run_as.message,
            identity: &project.identity(),
            time: project.session().commit_time(),
            settled: &mut |commit| run_as.task.as_mut().map_or(Ok(()), |task| task.collects(commit)),
        };
        Ok(match &recorder {
            Some(recorder) => recorder.finish(&report, &mut recording)?,
            None => {
                let (changed, include) = (&report.changed, &Included::default());
                run::record(git, ran, identified, selection, changed, include, &mut recording)?
            }
        })
    });
    let made = recorder.as_ref().and_then(Recorder::made);
    let recorded = recorded.map_err(|failure| match made {
        Some((count, last)) => failure.hint(resume::kept(project, &identified.name, count, last)),
        None => failure,
    });
    if let Some(explainer) = run_as.explainer {
        explainer
            .finish(selection, recorded.as_ref().map(|settled| in_json(&settled.experiment)).unwrap_or_default())?;
    }
    let Settled { experiment, replaced } = recorded?;
    ui.tell(&format!("\nRan experiment(s): {mark}{}{mark:#}", experiment.reference.name))?;
    if let Some(old) = replaced {
        note_replaced(&experiment.reference.name, old, ui);
    }
    let let_go = recorder.as_ref().map_or(0, Recorder::let_go);
    if let_go > 0 {
        ui.note(&format!(
            "Policies let go of {let_go} checkpoints; `dewar gc --all-commits --all-experiments` removes what only these have."
        ));
    }
    Ok(experiment)
}

/// A sweep is many experiments, and one workspace is not enough for them.
fn refuse_sweep(args: &ExpRunArgs) -> Result<(), Failure> {
    let stages = &args.stages;
    let message = if args.temp || stages.dry || stages.interactive || stages.explain || stages.json {
        "several values behind `-S` are a sweep, which goes with `--queue` or `-j N` alone"
    } else if !args.queue && stages.jobs.is_none() {
        "several values behind `-S` are a sweep, which does not run in the workspace"
    } else {
        return Ok(());
    };
    let failure = Failure::new(Kind::Usage, message);
    let failure = failure.hint("`--queue` keeps its experiments for later, `-j N` runs them now, N at once");
    Err(failure.hint("put quotes around one value with a comma in it: `-S \"name='a,b'\"`"))
}

/// What is left of `-S name = value` when it is not clear what belongs to it; no stage is called so.
fn refuse_spaced(args: &ExpRunArgs) -> Result<(), Failure> {
    let Some(odd) = args.stages.targets.iter().find(|target| target.starts_with('=')) else { return Ok(()) };
    let message = format!("`{odd}` names no stage, and it is not clear to which parameter it belongs");
    Err(Failure::new(Kind::Usage, message).hint("write `-S name=value`, or with quotes: `-S 'name = value'`"))
}

/// The experiment, beside the stages.
fn in_json(experiment: &Experiment) -> Map<String, Value> {
    let experiment = json!({ "name": experiment.reference.name.as_str(), "rev": experiment.commit.to_string() });
    [("experiment".to_owned(), experiment)].into_iter().collect()
}
