//! `policy list` and `policy replay`. What would have been is data ([`dewar_core::exp::checkpoint::replay`]); this renders it.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::digest::ObjectId;
use dewar_core::exp::checkpoint::Policies;
use dewar_core::exp::checkpoint::replay::{BestValue, Better, Goal, KeptMoment, Replay, StageRecord};
use dewar_core::exp::find::{Found, NamedError, find};
use dewar_core::exp::queue::Queue;
use dewar_core::exp::queue::task::State;
use dewar_core::exp::refs::{Experiment, Resolved};
use dewar_core::exp::show::{CommitReader, Refresh};
use dewar_core::git::{CommitId, Git};
use dewar_core::metrics::ParamScope;
use dewar_core::params::ParamValue;
use dewar_core::params::overrides::Operation;
use dewar_core::params::sweep::SweepOverride;
use dewar_core::pipeline::PolicyUse;
use dewar_text::Map;
use dewar_wasm::Kind as PluginKind;
use serde_json::{Value, json};

use super::project::Project;
use crate::args::policy::{PolicyArgs, PolicyCommand, PolicyListArgs, PolicyReplayArgs, TypedPolicy};
use crate::failure::{Failure, Kind};
use crate::session::Session;
use crate::ui::number::{bytes, general};
use crate::ui::report::duration;
use crate::ui::table::{Align, Column, Row, Table};
use crate::ui::{Ui, Verbosity};

/// How many digits of a metric are shown, as in the other tables.
const DIGITS: u8 = 5;

/// Does what `policy` was told.
///
/// # Errors
/// What stopped the command.
pub fn run(args: &PolicyArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    match &args.command {
        PolicyCommand::List(args) => list(&project, args, ui),
        PolicyCommand::Replay(args) => replay(&project, args, ui),
    }
}

fn list(project: &Project<'_>, args: &PolicyListArgs, ui: &Ui) -> Result<ExitCode, Failure> {
    for error in project.extensions().broken() {
        project.warn(error.to_string());
    }
    let policies = project.extensions().list(PluginKind::CheckpointPolicy);
    if args.json {
        let policy = |policy: &dewar_wasm::Listed| {
            json!({
                "name": policy.name, "version": policy.version, "description": policy.description, "file": policy.file,
            })
        };
        ui.print(&format!("{}\n", Value::Array(policies.iter().map(policy).collect())))?;
        return Ok(ExitCode::SUCCESS);
    }
    let row = |policy: dewar_wasm::Listed| {
        let file = policy.file.map_or_else(|| "bundled".to_owned(), |file| file.display().to_string());
        Row { cells: [policy.name, policy.description, file].map(Some).into(), ..Row::default() }
    };
    let columns = ["Policy", "What it does", "File"].map(Column::new).into();
    ui.print(&Table { columns, rows: policies.into_iter().map(row).collect() }.human())?;
    Ok(ExitCode::SUCCESS)
}

/// What a policy sequence would have made of one stage of an experiment.
struct Replayed {
    experiment: Experiment,
    /// The commit up to which it was replayed.
    tip: CommitId,
    stage: Option<String>,
    replay: Replay,
}

fn replay(project: &Project<'_>, args: &PolicyReplayArgs, ui: &Ui) -> Result<ExitCode, Failure> {
    if args.json {
        ui.keep_stdout_for_a_document();
    }
    let uses = args.policies.0.iter().map(policy_use).collect::<Result<Vec<_>, _>>()?;
    let policies = || Policies::new(uses.iter().cloned(), &**project.extensions(), project.events());
    policies()?.check()?;
    let goals = Goal::of(&uses);
    let git = project.repo.git()?;
    let queue = Queue::of(&project.repo);
    let meant = args.experiments.iter().map(|text| experiment(git, &queue, text)).collect::<Result<Vec<_>, _>>()?;
    let store = project.store();
    let objects = |id: &ObjectId| store.content(id);
    let remembered = project.remembered("show");
    let reader = CommitReader {
        params: &project.params,
        flags: project.templates().flags,
        objects: &objects,
        remembered: Some(&remembered),
        refresh: Refresh::Never,
        scope: ParamScope::All,
    };
    let mut all = Vec::new();
    for (experiment, tip) in meant {
        for record in StageRecord::read(git, &reader, experiment.reference.baseline, tip)? {
            let replay = record.replay(&mut policies()?, &goals);
            all.push(Replayed { experiment: experiment.clone(), tip, stage: record.stage, replay });
        }
    }
    if args.json {
        ui.print(&format!("{}\n", Value::Array(all.iter().map(Replayed::to_json).collect())))?;
        return Ok(ExitCode::SUCCESS);
    }
    ui.print(&overview(&all, &goals).human())?;
    for replayed in &all {
        if let Some(stopped) = &replayed.replay.stopped {
            let stop = &stopped.stop;
            let label = replayed.label();
            ui.tell(&format!(
                "{label}: {} would have stopped it at step {}: {}",
                stop.policy, stopped.step, stop.reason
            ))?;
        }
    }
    if ui.verbosity() >= Verbosity::Verbose {
        ui.print(&kept(&all, &goals).human())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A policy and its options, of which each is written as behind `-S`.
fn policy_use(typed: &TypedPolicy) -> Result<PolicyUse, Failure> {
    let mut options = Map::new();
    for text in &typed.options {
        let refuse = |why: &str| {
            let failure = Failure::new(Kind::Usage, format!("`-o {text}`: {why}"));
            failure.hint("an option is written as in `-o keep=3`")
        };
        let read = SweepOverride::parse(text).map_err(|error| refuse(&error.fault.to_string()))?;
        let one = read.single().filter(|one| one.file.is_none());
        let Some((name, Operation::Change(value))) = one.map(|one| (one.key_text(), one.operation)) else {
            return Err(refuse("it does not give an option one value"));
        };
        if options.insert(name.clone(), value).is_some() {
            return Err(Failure::new(Kind::Usage, format!("`{name}` of `--policy {}` is given twice", typed.name)));
        }
    }
    let options = if options.is_empty() { ParamValue::Null } else { ParamValue::Map(options) };
    Ok(PolicyUse { name: typed.name.clone(), options })
}

/// The experiment that is meant, and the commit up to which.
fn experiment(git: &Git, queue: &Queue, text: &str) -> Result<(Experiment, CommitId), Failure> {
    match find(git, queue, text)? {
        Found::Commit(Resolved { commit, experiment: Some(experiment) }) => Ok((experiment, commit)),
        Found::Commit(Resolved { experiment: None, .. }) => Err(NamedError::Kept { text: text.to_owned() }.into()),
        Found::Task(task) => {
            let why = match task.state {
                State::Queued => "it waits in the queue",
                State::Running => "it began to run, and has recorded none yet",
                State::Failed => "it failed before it recorded one",
                State::Success => "its experiment was removed",
            };
            Err(Failure::new(Kind::Usage, format!("`{text}` has no checkpoints: {why}")))
        }
    }
}

/// A row an experiment, or a stage of one.
fn overview(all: &[Replayed], goals: &[Goal]) -> Table {
    let number = |title: &str| Column { align: Align::Right, ..Column::new(title) };
    let has_stages = all.iter().any(|replayed| replayed.stage.is_some());
    let mut columns = vec![Column::new("Experiment")];
    columns.extend(has_stages.then(|| Column::new("Stage")));
    columns.extend(["Moments", "Recorded", "Kept", "Stopped at", "Steps saved", "Time saved"].map(number));
    columns.push(Column::new("Size"));
    columns.extend(goals.iter().map(|goal| number(&goal.metric)));
    let row = |replayed: &Replayed| {
        let replay = &replayed.replay;
        let stopped = replay.stopped.as_ref();
        let mut cells = vec![Some(replayed.label())];
        if has_stages {
            cells.push(replayed.stage.clone());
        }
        cells.extend([replay.moments, replay.recorded, replay.kept.len()].map(|count| Some(count.to_string())));
        cells.push(stopped.map(|stopped| stopped.step.to_string()));
        cells.push(stopped.map(|stopped| stopped.steps.to_string()));
        cells.push(stopped.map(|stopped| duration(stopped.time)));
        cells.push(Some(size(replay)));
        cells.extend(goals.iter().map(|goal| replay.best.iter().find(|best| best.goal == *goal).map(best_cell)));
        Row { cells, ..Row::default() }
    };
    Table { columns, rows: all.iter().map(row).collect() }
}

/// `700 B of 1.1 kB`.
fn size(replay: &Replay) -> String {
    let sizes = replay.sizes;
    let at_least = if sizes.unknown > 0 { "at least " } else { "" };
    format!("{at_least}{} of {}", bytes(sizes.then), bytes(sizes.now))
}

/// The best value that is kept, and a better one that is not.
fn best_cell(best: &BestValue) -> String {
    let (seen, step) = best.seen;
    let seen = general(seen, DIGITS);
    match best.kept {
        Some(_) if !best.is_lost() => seen,
        Some((kept, _)) => format!("{} (lost: {seen} at step {step})", general(kept, DIGITS)),
        None => format!("lost: {seen} at step {step}"),
    }
}

/// The checkpoints that would be kept.
fn kept(all: &[Replayed], goals: &[Goal]) -> Table {
    let number = |title: &str| Column { align: Align::Right, ..Column::new(title) };
    let mut columns = vec![Column::new("Experiment"), number("Step"), Column::new("Checkpoint")];
    columns.extend(goals.iter().map(|goal| number(&goal.metric)));
    let row = |(replayed, kept): (&Replayed, &KeptMoment)| {
        let mut cells = vec![Some(replayed.label()), Some(kept.moment.step.to_string())];
        // What was passed by has no commit.
        cells.push(kept.commit.map(|commit| commit.short()));
        let value = |goal: &Goal| kept.moment.metrics.iter().find(|(name, _)| *name == goal.metric);
        cells.extend(goals.iter().map(|goal| value(goal).map(|(_, value)| general(*value, DIGITS))));
        Row { cells, ..Row::default() }
    };
    let rows = all.iter().flat_map(|replayed| replayed.replay.kept.iter().map(move |kept| (replayed, kept)));
    Table { columns, rows: rows.map(row).collect() }
}

impl Replayed {
    /// The name of the experiment, with the checkpoint when it is not the last.
    fn label(&self) -> String {
        let name = &self.experiment.reference.name;
        if self.tip == self.experiment.commit { name.to_string() } else { format!("{name} to {}", self.tip.short()) }
    }

    fn to_json(&self) -> Value {
        let replay = &self.replay;
        let kept = |kept: &KeptMoment| json!({ "commit": kept.commit.map(|commit| commit.to_string()), "moment": kept.moment });
        let stopped = replay.stopped.as_ref().map(|stopped| {
            json!({
                "step": stopped.step, "policy": stopped.stop.policy, "reason": stopped.stop.reason,
                "steps_saved": stopped.steps, "seconds_saved": stopped.time.as_secs_f64(),
            })
        });
        let best = |best: &BestValue| {
            let mode = match best.goal.better {
                Better::Lower => "min",
                Better::Higher => "max",
            };
            let at = |(value, step): (f64, u64)| json!({ "value": value, "step": step });
            json!({
                "metric": best.goal.metric, "mode": mode, "seen": at(best.seen), "kept": best.kept.map(at),
                "lost": best.is_lost(),
            })
        };
        json!({
            "experiment": self.experiment.reference.name.as_str(),
            "commit": self.tip.to_string(),
            "stage": self.stage,
            "moments": replay.moments,
            "recorded": replay.recorded,
            "kept": replay.kept.iter().map(kept).collect::<Vec<_>>(),
            "stopped": stopped,
            "bytes": { "now": replay.sizes.now, "then": replay.sizes.then, "unknown": replay.sizes.unknown },
            "best": replay.best.iter().map(best).collect::<Vec<_>>(),
        })
    }
}
