//! What a run of stages with checkpoints goes on from: decided, and told before anything is written.

use std::sync::Arc;

use dewar_core::exp::checkpoint::recorder::{self, Recorded, Recorder};
use dewar_core::exp::checkpoint::resume::{self, Beginning, Replaced};
use dewar_core::exp::checkpoint::standing::{self, Checkpoint, Standing};
use dewar_core::exp::isolated;
use dewar_core::exp::name::ExperimentName;
use dewar_core::exp::queue::Queue;
use dewar_core::exp::record::NameTaken;
use dewar_core::exp::refs::ExperimentRef;
use dewar_core::exp::run::{Identified, identify};
use dewar_core::extension::Extensions;
use dewar_core::git::{CommitId, Git};
use dewar_core::params::{Override, ParamFiles};
use dewar_core::path::RepoPath;
use dewar_core::pipeline::files::Overlay;
use dewar_core::repro::Selection;

use super::run::{ExperimentRun, select, taken};
use crate::args::run::ExpRunArgs;
use crate::commands::project::Project;
use crate::failure::{Failure, Kind};
use crate::ui::{Ui, style, text};

/// What a run begins with, and why.
pub(super) enum Decided {
    /// It has no stage with checkpoints.
    Plain,
    /// It starts over.
    Reset,
    /// There is nothing to go on from.
    Anew {
        /// A checkpoint that is on another commit.
        elsewhere: Option<Checkpoint>,
        /// The outputs that are in the workspace.
        there: Vec<RepoPath>,
    },
    /// The experiment goes on.
    Resume(Checkpoint),
    /// Another experiment goes on from its checkpoint.
    Branch(Checkpoint, Why),
}

/// Why an experiment does not simply go on.
pub(super) enum Why {
    /// The checkpoint is not its last one.
    NotLast,
    /// Something else than results differs from the checkpoint.
    Changed(Vec<RepoPath>),
    /// Another name was given.
    Named,
}

/// Decides what a run in the workspace begins with; `overlay` is what will be written.
///
/// # Errors
/// When git cannot be read, or the cache lacks what the checkpoint needs.
pub(super) fn decide(
    project: &Project<'_>,
    git: &Git,
    (selection, overlay): (&Selection, &Overlay),
    args: &ExpRunArgs,
) -> Result<Decided, Failure> {
    if !has_checkpoints(selection) {
        return Ok(Decided::Plain);
    }
    let project_wide = project.repo.config.own.checkpoint.policy.uses();
    for stage in resume::stages(selection) {
        recorder::policies(stage, &project_wide, &**project.extensions(), &project.events())?;
    }
    if args.reset {
        return Ok(Decided::Reset);
    }
    let baseline = git.head()?.commit;
    let checkpoint = match standing::standing(git, baseline)? {
        Standing::At(checkpoint) => checkpoint,
        standing => {
            let outs = resume::stages(selection).flat_map(|stage| &stage.outs).map(|out| &out.path);
            let there = outs.filter(|path| path.under(project.repo.root()).exists()).cloned().collect();
            let elsewhere = if let Standing::Elsewhere(checkpoint) = standing { Some(checkpoint) } else { None };
            return Ok(Decided::Anew { elsewhere, there });
        }
    };
    let workspace = project.workspace(&selection.pipeline)?;
    resume::check(&workspace, git, selection, checkpoint.commit)?;
    // Data that was not added again is found when its stage is looked at.
    let mut overlay = overlay.clone();
    overlay.extend(isolated::changed_data(&workspace, selection, &[])?);
    let changed = resume::changed_since(git, selection, &overlay, checkpoint.commit)?;
    let is_named = |name: &String| *name != checkpoint.experiment.reference.name.as_str();
    Ok(if !changed.is_empty() {
        Decided::Branch(checkpoint, Why::Changed(changed))
    } else if !checkpoint.is_last() {
        Decided::Branch(checkpoint, Why::NotLast)
    } else if args.name.as_ref().is_some_and(is_named) {
        Decided::Branch(checkpoint, Why::Named)
    } else {
        Decided::Resume(checkpoint)
    })
}

impl Decided {
    /// Settles what the experiment is called and what it begins with.
    ///
    /// # Errors
    /// When the name is taken, or git cannot be read.
    pub(super) fn identify(
        &self,
        git: &Git,
        name: Option<ExperimentName>,
        args: &ExpRunArgs,
        draw: &mut dyn FnMut(usize) -> usize,
    ) -> Result<Identified, Failure> {
        if let Self::Resume(checkpoint) = self {
            let reference = &checkpoint.experiment.reference;
            return Ok(Identified {
                baseline: reference.baseline,
                name: reference.name.clone(),
                taken: NameTaken::Extend,
                beginning: Beginning::Checkpoint(checkpoint.commit),
            });
        }
        let beginning = match self {
            Self::Plain | Self::Anew { .. } => Beginning::AsItIs,
            Self::Reset => Beginning::Reset,
            Self::Resume(checkpoint) | Self::Branch(checkpoint, _) => Beginning::Checkpoint(checkpoint.commit),
        };
        Ok(Identified { beginning, ..identify(git, name, taken(&args.stages), draw)? })
    }

    /// Says it.
    ///
    /// # Errors
    /// When stdout does not take it.
    pub(super) fn tell(&self, ui: &Ui) -> Result<(), Failure> {
        let text = match self {
            Self::Plain => return Ok(()),
            Self::Reset => "Any existing checkpoints will be reset and re-run.".to_owned(),
            Self::Anew { elsewhere, there } => {
                if elsewhere.is_none() && there.is_empty() {
                    return Ok(());
                }
                let why = elsewhere.as_ref().map_or_else(
                    || "There is no checkpoint to go on from".to_owned(),
                    |checkpoint| format!("{} is on another commit", named(checkpoint)),
                );
                let with = match there.as_slice() {
                    [] => String::new(),
                    there => format!(", with {} as in the workspace (`--reset` begins without)", paths(there)),
                };
                format!("{why}: a new experiment begins{with}.")
            }
            Self::Resume(checkpoint) => {
                let name = &checkpoint.experiment.reference.name;
                let stopped = checkpoint.stopped.as_ref().map_or_else(String::new, |reason| {
                    format!(" It was stopped there by {reason}. `--reset` starts over.")
                });
                format!("Existing checkpoint experiment '{name}' will be resumed, from {}.{stopped}", short(checkpoint))
            }
            Self::Branch(checkpoint, why) => {
                let name = &checkpoint.experiment.reference.name;
                let why = match why {
                    Why::NotLast => "it is not the last one".to_owned(),
                    Why::Changed(changed) => format!("{} changed", paths(changed)),
                    Why::Named => "another name was given".to_owned(),
                };
                format!(
                    "Modified checkpoint experiment based on '{name}' will be created, from {}, because {why}.",
                    short(checkpoint)
                )
            }
        };
        ui.tell(&text)
    }
}

/// Brings the workspace of `project` to what the run begins with, and prepares to record its checkpoints; none when no stage has
/// any.
///
/// # Errors
/// When an output cannot be brought back or removed, or git cannot be read.
pub(super) fn begin<'a>(
    project: &'a Project<'_>,
    git: &Git,
    run_as: &ExperimentRun<'a>,
    selection: &'a Selection,
    ui: &Ui,
) -> Result<Option<Recorder<'a>>, Failure> {
    if !has_checkpoints(selection) {
        return Ok(None);
    }
    let session = project.session();
    let extensions = project.extensions();
    let recorded = Recorded {
        identified: run_as.identified,
        task: run_as.task.as_ref().map(|task| task.task().id),
        message: run_as.message,
        identity: git.identity(&project.identity())?,
        selection,
        policies: project.repo.config.own.checkpoint.policy.uses(),
        extensions: &**extensions,
        // Metrics change at each step: what they were is not worth remembering.
        metrics: ParamFiles::new(Arc::clone(extensions) as Arc<dyn Extensions>, None),
        clock: Box::new(|| session.commit_time()),
        events: project.events(),
    };
    let ran = project.repo.git()?;
    let recorder = Recorder::new(git, ran, recorded)?;
    let Identified { baseline, name, beginning, .. } = run_as.identified;
    let replaced = beginning.prepare(&project.workspace(&selection.pipeline)?, ran, selection)?;
    if !project.is_isolated() {
        replaced.iter().for_each(|replaced| note_replaced(project, replaced, ui));
        let reference = ExperimentRef { baseline: *baseline, name: name.clone() };
        standing::follow(ran, &reference, beginning.checkpoint())?;
    }
    Ok(Some(recorder))
}

fn note_replaced(project: &Project<'_>, replaced: &Replaced, ui: &Ui) {
    let path = &replaced.path;
    ui.note(&match &replaced.kept {
        None => format!("`{path}` brought back to the checkpoint"),
        Some(id) => {
            let object = project.store().path(id);
            let object = object.strip_prefix(project.repo.root()).unwrap_or(&object).display().to_string();
            format!("`{path}` brought back to the checkpoint; what was there is kept as `{object}` until `dewar gc`")
        }
    });
}

/// What is kept of a run of `project` that did not come to its end.
pub(super) fn kept(project: &Project<'_>, name: &ExperimentName, count: usize, last: CommitId) -> String {
    let (kept, from) = if count == 1 { ("checkpoint is", "it") } else { ("checkpoints are", "the last") };
    let how = if project.is_isolated() {
        format!(
            "`dewar exp apply {}`, and then `dewar exp run`, goes on from {from}",
            text::shell_quoted(name.as_str())
        )
    } else {
        format!("`dewar exp run` goes on from {from}")
    };
    format!("{count} {kept} kept in '{name}', up to {}; {how}", last.short())
}

/// The checkpoint that was named behind `--rev`, whose outputs the cache has. It is told what a run beside the workspace begins
/// with.
///
/// # Errors
/// When there is none, it belongs to another commit, or no stage has checkpoints.
pub(super) fn named_rev(
    project: &Project<'_>,
    git: &Git,
    overrides: &[Override],
    args: &ExpRunArgs,
    ui: &Ui,
) -> Result<Option<CommitId>, Failure> {
    // Most projects have no checkpoints: nothing is selected twice for their sake.
    if args.rev.is_none() && standing::commit(git)?.is_none() {
        return Ok(None);
    }
    let (selection, _) = select(project, &args.stages, overrides)?;
    let has_checkpoints = has_checkpoints(&selection);
    let Some(text) = &args.rev else {
        if has_checkpoints && matches!(standing::standing(git, git.head()?.commit)?, Standing::At(_)) {
            ui.note("stages with checkpoints start over beside the workspace; `--rev CHECKPOINT` goes on from one");
        }
        return Ok(None);
    };
    if !has_checkpoints {
        let message = "`--rev` names a checkpoint to go on from, and no stage that is to run has checkpoints";
        return Err(Failure::new(Kind::Usage, message).hint("an output is registered as one by `checkpoint: true`"));
    }
    let checkpoint = resume::named(git, &Queue::of(&project.repo), git.head()?.commit, text)?;
    resume::check(&project.workspace(&selection.pipeline)?, git, &selection, checkpoint.commit)?;
    let name = &checkpoint.experiment.reference.name;
    ui.tell(&format!("A new experiment will go on from {} of '{name}'.", short(&checkpoint)))?;
    Ok(Some(checkpoint.commit))
}

/// Whether a stage of a selection has checkpoints.
pub(super) fn has_checkpoints(selection: &Selection) -> bool {
    resume::stages(selection).next().is_some()
}

/// What a run beside the workspace begins with.
pub fn beside(rev: Option<CommitId>) -> Beginning {
    rev.map_or(Beginning::Reset, Beginning::Checkpoint)
}

/// `--rev` is for runs beside the workspace.
pub(super) fn refuse_rev(args: &ExpRunArgs) -> Result<(), Failure> {
    let Some(rev) = args.rev.as_ref().filter(|_| !args.queue && !args.temp) else { return Ok(()) };
    let message = "--rev can only be used in conjunction with --queue or --temp";
    Err(Failure::new(Kind::Usage, message).hint(format!("`dewar exp apply {rev}`, and then `dewar exp run`")))
}

fn named(checkpoint: &Checkpoint) -> String {
    format!("The checkpoint {} of '{}'", checkpoint.commit.short(), checkpoint.experiment.reference.name)
}

fn short(checkpoint: &Checkpoint) -> String {
    let mark = style::NAME;
    let step = checkpoint.step.map(|step| format!(" (step {step})")).unwrap_or_default();
    format!("checkpoint {mark}{}{mark:#}{step}", checkpoint.commit.short())
}

/// The first few.
fn paths(paths: &[RepoPath]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = paths.iter().take(SHOWN).map(|path| format!("`{path}`")).collect();
    let more = paths.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}
