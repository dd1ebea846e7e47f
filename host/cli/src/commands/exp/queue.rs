//! `exp run --queue`: the workspace as it is now, kept for later; once, or for each point of a sweep.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::name::ExperimentName;
use dewar_core::exp::queue::equal::{Equal, Known};
use dewar_core::exp::queue::sweep::SweepRecord;
use dewar_core::exp::queue::task::{Request, State, SweepPoint, Task};
use dewar_core::exp::queue::{Changing, NewTask, Queue};
use dewar_core::exp::record::{self, NameTaken};
use dewar_core::exp::run::files_overridden;
use dewar_core::git::{Git, NewStashed};
use dewar_core::params::Override;
use dewar_core::params::sweep::{Sweep, SweepOverride};

use super::run::{Typed, taken};
use super::snapshot::Snapshot;
use crate::commands::project::Project;
use crate::failure::{Failure, Kind};
use crate::ui::{Ui, style, text};

/// Queues one experiment.
///
/// # Errors
/// When the stages cannot be selected, an override does not fit, the name is taken, or the queue cannot be written.
pub(super) fn run(
    project: &Project<'_>,
    git: &Git,
    typed: &Typed<'_>,
    name: Option<&ExperimentName>,
    ui: &Arc<Ui>,
) -> Result<ExitCode, Failure> {
    let request = request(project, git, typed)?;
    let (snapshot, selection) = Snapshot::take(project, git, &typed.args.stages, typed.overrides, typed.copies)?;
    let baseline = git.head()?.commit;
    let queue = Queue::of(&project.repo);
    let mut changing = queue.change()?;
    let known = Known::on(git, baseline, changing.tasks(), &selection, 1)?;
    let name = match name {
        Some(name) => {
            if request.taken == NameTaken::Refuse {
                record::check_free(git, baseline, name)?;
            }
            name.clone()
        }
        None => changing.unused_name(git, baseline, &mut project.session().draw())?,
    };
    let new = NewTask {
        name,
        baseline,
        tree: snapshot.with(project, git, &request.from, typed.overrides)?,
        index: snapshot.index,
        overrides: typed.overrides.iter().map(ToString::to_string).collect(),
        priority: typed.args.priority.unwrap_or_default(),
        sweep: None,
        request: &request,
        copies: typed.copies,
        identity: &git.identity(&project.identity())?,
        time: project.session().commit_time(),
    };
    // Where one begins makes it another.
    let equal = if request.rev.is_none() { known.equal(&queue, new.tree, &request)? } else { None };
    let task = changing.add(git, &new)?;
    tell_queued(&task, ui)?;
    equal.into_iter().for_each(|equal| note_equal(&task, &equal, ui));
    Ok(ExitCode::SUCCESS)
}

/// Queues every point of a sweep, and answers the sweep.
///
/// # Errors
/// As [`run`]; then nothing is queued. When it is interrupted, what is missing can be queued later: [`complete`].
pub(super) fn add_sweep(
    project: &Project<'_>,
    git: &Git,
    typed: &Typed<'_>,
    sweep: &Sweep,
    name: Option<&ExperimentName>,
    ui: &Arc<Ui>,
) -> Result<SweepRecord, Failure> {
    let request = request(project, git, typed)?;
    // Each value must fit before the first is queued.
    let first = sweep.points().next().unwrap_or_default();
    let (snapshot, selection) = Snapshot::take(project, git, &typed.args.stages, &first, typed.copies)?;
    let baseline = git.head()?.commit;
    let queue = Queue::of(&project.repo);
    let mut changing = queue.change()?;
    let name = match name {
        Some(name) => name.clone(),
        None => changing.unused_name(git, baseline, &mut project.session().draw())?,
    };
    let time = project.session().commit_time();
    let mut record = SweepRecord {
        name,
        made: time,
        baseline,
        base: baseline,
        overrides: typed.args.set_param.clone(),
        points: sweep.points().len(),
        priority: typed.args.priority.unwrap_or_default(),
        request,
    };
    for index in 0..record.points {
        let name = record.name_of(index)?;
        if record.request.taken == NameTaken::Refuse {
            record::check_free(git, baseline, &name)?;
        }
        changing.check_free(baseline, &name)?;
    }
    let message = format!("dewar: the workspace for the sweep {}", record.name);
    let state = NewStashed {
        head: baseline,
        tree: snapshot.tree,
        index: snapshot.index,
        message: &message,
        identity: &git.identity(&project.identity())?,
        time,
    };
    record = changing.add_sweep(git, record, &state, typed.copies)?;
    let known = Known::on(git, baseline, changing.tasks(), &selection, record.points)?;
    let all = 0..record.points;
    add_points(project, git, &mut changing, &record, (sweep, &snapshot, Some(&known)), all, ui)?;
    Ok(record)
}

/// Queues the points of a sweep that are missing. Answers how many.
///
/// # Errors
/// When the queue cannot be written.
pub fn complete(project: &Project<'_>, git: &Git, record: &SweepRecord, ui: &Arc<Ui>) -> Result<usize, Failure> {
    let sweep = sweep_of(&record.overrides)?;
    let first = sweep.points().next().unwrap_or_default();
    let snapshot = Snapshot::kept(git, record.base, &files_overridden(&record.request.from, &first)?)?;
    let queue = Queue::of(&project.repo);
    let mut changing = queue.change()?;
    let points = record.points(git, changing.tasks(), project.repo.config.own.queue.lost)?;
    let missing: Vec<usize> = (0..).zip(points).filter(|(_, point)| point.is_none()).map(|(index, _)| index).collect();
    let count = missing.len();
    add_points(project, git, &mut changing, record, (&sweep, &snapshot, None), missing, ui)?;
    Ok(count)
}

/// What was typed behind `-S`, as a sweep.
///
/// # Errors
/// When it is none.
pub fn sweep_of(texts: &[String]) -> Result<Sweep, Failure> {
    let overrides = texts.iter().map(|text| SweepOverride::parse(text)).collect::<Result<Vec<_>, _>>()?;
    Sweep::new(overrides).map_err(|error| Failure::new(Kind::Usage, error.to_string()))
}

fn add_points(
    project: &Project<'_>,
    git: &Git,
    changing: &mut Changing<'_>,
    record: &SweepRecord,
    (sweep, snapshot, known): (&Sweep, &Snapshot, Option<&Known<'_>>),
    indices: impl IntoIterator<Item = usize>,
    ui: &Ui,
) -> Result<(), Failure> {
    let queue = Queue::of(&project.repo);
    let copies = record.copies(&queue);
    let (identity, time) = (git.identity(&project.identity())?, project.session().commit_time());
    let all: Vec<Vec<Override>> = sweep.points().collect();
    let mut points = Vec::new();
    // Each must fit before the first is queued.
    for index in indices {
        let overrides = all.get(index).map(Vec::as_slice).unwrap_or_default();
        points.push((index, snapshot.with(project, git, &record.request.from, overrides)?, overrides));
    }
    for (index, tree, overrides) in points {
        let new = NewTask {
            name: record.name_of(index)?,
            baseline: record.baseline,
            tree,
            index: snapshot.index,
            overrides: overrides.iter().map(ToString::to_string).collect(),
            priority: record.priority,
            sweep: Some(SweepPoint { sweep: record.name.clone(), index }),
            request: &record.request,
            copies: &copies,
            identity: &identity,
            time,
        };
        let equal = known.map(|known| known.equal(&queue, tree, &record.request)).transpose()?.flatten();
        let task = changing.add(git, &new)?;
        tell_queued(&task, ui)?;
        equal.into_iter().for_each(|equal| note_equal(&task, &equal, ui));
    }
    Ok(())
}

/// What was typed, to be done later.
///
/// # Errors
/// When git cannot be read.
pub(super) fn request(project: &Project<'_>, git: &Git, typed: &Typed<'_>) -> Result<Request, Failure> {
    let stages = &typed.args.stages;
    let written = serde_json::to_value(stages)
        .map_err(|error| Failure::new(Kind::Internal, format!("cannot write down what was typed: {error}")))?;
    Ok(Request {
        head: git.head()?.name,
        from: project.repo.from().clone(),
        typed: written,
        message: typed.args.message.clone(),
        taken: taken(stages),
        rev: typed.rev,
        env: project.environment(),
        copies: typed.copies.iter().map(|copy| copy.inside().clone()).collect(),
        plugin_dirs: project.session().plugin_dirs.clone(),
    })
}

fn tell_queued(task: &Task, ui: &Ui) -> Result<(), Failure> {
    let (mark, dim) = (style::NAME, style::DIM);
    let set =
        if task.overrides.is_empty() { String::new() } else { format!(" {dim}{}{dim:#}", task.overrides.join(" ")) };
    ui.tell(&format!("Queued experiment '{mark}{}{mark:#}' for future execution.{set}", task.name))
}

fn note_equal(task: &Task, equal: &Equal, ui: &Ui) {
    let state = match equal.state {
        State::Running => "runs",
        State::Queued => "is queued",
        State::Failed => "failed",
        State::Success => "is done",
    };
    let (task, equal) = (&task.name, &equal.name);
    let typed = text::shell_quoted(task.as_str());
    ui.note(&format!("'{task}' has the inputs of '{equal}', which {state}; `dewar queue remove {typed}` takes it out"));
}
