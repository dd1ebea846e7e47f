//! Objects to remotes and from them, for `push`, `fetch`, `pull` and whatever else moves data.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::process::ExitCode;

use dewar_core::cache::key;
use dewar_core::event::Direction;
use dewar_core::exp::outputs::add_commits;
use dewar_core::exp::show::{Group, Selection};
use dewar_core::path::RepoPath;
use dewar_core::pipeline::Pipeline;
use dewar_core::pipeline::target::{self, Names, Targets, Typed};
use dewar_core::remote::{self, Absent, Access, Batch, Outputs, RemoteError, Runs, Side, Transfer, Transferred};
use dewar_core::track;
use serde_json::json;

use super::checkout;
use super::project::{Project, files};
use crate::args::remote::WhichArgs;
use crate::failure::{Failure, Kind};
use crate::ui::explain::Form;
use crate::ui::{Ui, text};

/// So many paths are told of those that are missing or damaged.
const TOLD: usize = 20;

/// What is to go, and how.
pub struct Move<'a> {
    /// Which way.
    pub direction: Direction,
    /// What.
    pub outputs: Outputs,
    /// Between the cache and which remote; none for the default one.
    pub remote: Option<&'a str>,
    /// How many objects at once.
    pub jobs: Option<NonZeroUsize>,
    /// Whether remembered runs go, too: between the cache and the remote that was named, or the default one.
    pub runs: Runs,
}

impl<'a> Move<'a> {
    /// What was asked for.
    pub fn new(direction: Direction, outputs: Outputs, which: &'a WhichArgs) -> Self {
        let runs = if which.run_cache { Runs::Take } else { Runs::Leave };
        Self { direction, outputs, remote: which.remote.as_deref(), jobs: which.jobs, runs }
    }

    /// Moves it. The cache has to be held.
    ///
    /// # Errors
    /// When a remote cannot be opened. That something did not go is no error yet: see [`failure`].
    pub fn run(self, project: &Project<'_>) -> Result<Transferred, Failure> {
        let access = match self.direction {
            Direction::Push => Access::Write,
            Direction::Fetch => Access::Read,
        };
        let mut done = Transferred::default();
        let Self { direction, mut outputs, remote, runs, .. } = self;
        if runs == Runs::Take {
            outputs.ask(remote);
        }
        each_remote(project, outputs, remote, self.jobs, access, |transfer, name, batch| {
            let runs = if name == remote { runs } else { Runs::Leave };
            done.extend(match direction {
                Direction::Push => transfer.push(batch, runs),
                Direction::Fetch => transfer.fetch(batch, runs),
            });
            Ok(())
        })?;
        Ok(done)
    }
}

/// Does `work` to each remote that outputs are for, given the name that it is asked by, and what is for it.
fn each_remote(
    project: &Project<'_>,
    outputs: Outputs,
    chosen: Option<&str>,
    jobs: Option<NonZeroUsize>,
    access: Access,
    mut work: impl FnMut(&Transfer<'_>, Option<&str>, &Batch) -> Result<(), RemoteError>,
) -> Result<(), Failure> {
    let (config, root) = (&project.repo.config, project.repo.root());
    let cancellation = project.session().cancellation()?;
    // Before anything goes: one that cannot be opened is told first.
    let open = |(name, batch): (Option<String>, Batch)| {
        remote::open(config, root, name.as_deref(), access).map(|remote| (name, remote, batch))
    };
    for (name, remote, batch) in outputs.batches(chosen).into_iter().map(open).collect::<Result<Vec<_>, _>>()? {
        let jobs = jobs.unwrap_or_else(|| remote::default_jobs(config, remote.name()));
        let transfer = Transfer::new(&*remote, project.store(), jobs, cancellation.clone(), project.events())?;
        work(&transfer, name.as_deref(), &batch)?;
    }
    Ok(())
}

/// The paths whose content is not both in the cache and in the remote that it is for, and where it is.
///
/// # Errors
/// When a remote cannot be asked, or it cannot be told what is recorded.
pub fn compare(project: &Project<'_>, which: &WhichArgs) -> Result<BTreeMap<String, Option<Side>>, Failure> {
    let (_, outputs) = recorded(project, which, Globs::None)?;
    let mut found = BTreeMap::new();
    // One that is not there is one that has nothing.
    each_remote(project, outputs, which.remote.as_deref(), which.jobs, Access::Write, |transfer, _, batch| {
        found.extend(transfer.compare(batch)?);
        Ok(())
    })?;
    Ok(found)
}

/// What is recorded, in the workspace and in the commits that are asked for; and the pipeline of the workspace.
///
/// # Errors
/// When the pipeline is invalid, a target names nothing, or git cannot be read.
pub fn recorded(project: &Project<'_>, which: &WhichArgs, globs: Globs) -> Result<(Pipeline, Outputs), Failure> {
    let pipeline = Pipeline::load(&files(project), project.templates())?;
    let select = |pipeline: &Pipeline| {
        let targets = match globs {
            Globs::None => which.targets.clone(),
            Globs::Patterns => matching(project, pipeline, &which.targets)?,
        };
        checkout::selected(project, pipeline, &targets, which.with_deps, which.recursive)
    };
    let mut outputs = Outputs::default();
    for target in select(&pipeline)? {
        outputs.add_stage(&pipeline, pipeline.stage(target.stage), target.output.as_ref());
    }
    let groups =
        [(which.all_branches, Group::Branches), (which.all_tags, Group::Tags), (which.all_commits, Group::Commits)];
    let groups: BTreeSet<Group> = groups.into_iter().filter(|(given, _)| *given).map(|(_, group)| group).collect();
    if !groups.is_empty() {
        let git = project.repo.git()?;
        let commits = Selection { groups, ..Selection::default() }.baselines(git)?;
        let select = |pipeline: &Pipeline| select(pipeline).unwrap_or_default();
        for (commit, error) in add_commits(&mut outputs, git, project.templates(), commits, select) {
            project.warn(format!("the commit {} is passed by: {error}", commit.short()));
        }
    }
    Ok((pipeline, outputs))
}

/// What targets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Globs {
    /// Names and paths.
    None,
    /// Patterns of these.
    Patterns,
}

/// The stages and outputs of a pipeline that patterns match, as they would be typed.
fn matching(project: &Project<'_>, pipeline: &Pipeline, patterns: &[String]) -> Result<Vec<String>, Failure> {
    let (root, from) = (project.repo.root(), project.repo.from());
    let mut found = Vec::new();
    for pattern in patterns {
        let paths = track::matching_outputs(pipeline, root, from, pattern)?;
        if paths.is_empty() {
            let typed = Typed { names: Names::Patterns, ..project.typed(std::slice::from_ref(pattern)) };
            let stages = target::stages(pipeline, &Targets::Typed(typed))?;
            found.extend(stages.into_iter().map(|id| pipeline.stage(id).address.display_from(from)));
        }
        found.extend(paths.into_iter().map(|path| path.relative_to(from)));
    }
    Ok(found)
}

/// `3 files pushed`; none when there was nothing to do.
pub fn counted(done: &Transferred, verb: &str) -> Option<String> {
    match done.objects + done.runs {
        0 => None,
        count => Some(format!("{} {verb}", text::counted(count, "file"))),
    }
}

/// What went, for programs.
pub fn as_json(done: &Transferred) -> serde_json::Value {
    let paths = |absent: &[Absent]| absent.iter().map(|absent| absent.path.clone()).collect::<Vec<_>>();
    json!({
        "objects": done.objects,
        "bytes": done.bytes,
        "runs": done.runs,
        "missing": paths(&done.missing),
        "damaged": paths(&done.damaged),
        "left": done.left + done.errors.len(),
    })
}

/// Says what went, and what did not.
///
/// # Errors
/// When something did not go.
pub fn tell(
    mut done: Transferred,
    direction: Direction,
    form: Form,
    project: &Project<'_>,
    ui: &Ui,
) -> Result<ExitCode, Failure> {
    let verb = match direction {
        Direction::Push => "pushed",
        Direction::Fetch => "fetched",
    };
    if form == Form::Json {
        ui.print(&format!("{}\n", as_json(&done)))?;
    } else {
        match counted(&done, verb) {
            Some(line) => ui.tell(&line)?,
            None if done.is_complete() => ui.tell("Everything is up to date.")?,
            None => {}
        }
    }
    failure(&mut done, direction, project).map_or(Ok(ExitCode::SUCCESS), Err)
}

/// What did not go, as the failure of a command; none when all went.
pub fn failure(done: &mut Transferred, direction: Direction, project: &Project<'_>) -> Option<Failure> {
    let mut failures: Vec<Failure> = Vec::new();
    let (verb, from, to) = match direction {
        Direction::Push => ("pushed", "the cache", "the remote"),
        Direction::Fetch => ("fetched", "the remote", "the cache"),
    };
    let has_errors = !done.errors.is_empty();
    if done.left > 0 && !has_errors {
        let went = text::counted(done.objects + done.runs, "file");
        let message = format!("interrupted: {went} {verb}, {} left", done.left);
        failures.push(Failure::new(Kind::Interrupted, message).hint("run it again: it goes on from there"));
    }
    failures.extend(std::mem::take(&mut done.errors).into_iter().map(Failure::from));
    if done.left > 0 && has_errors {
        let message = format!("{} {verb}, {} not tried", text::counted(done.objects + done.runs, "file"), done.left);
        let hint = "when what is said here is mended, run it again: it goes on from there";
        failures.push(Failure::new(Kind::Remote, message).hint(hint));
    }
    if !done.missing.is_empty() {
        let message = format!("neither {from} nor {to} has the content of {}", list(&done.missing, project));
        let hint = match direction {
            Direction::Push => "run the stages that make it, or push from where the cache has it",
            Direction::Fetch => "push it from where the cache has it, or run the stages that make it",
        };
        failures.push(Failure::new(Kind::Remote, message).hint(hint));
    }
    if !done.damaged.is_empty() {
        failures.push(match direction {
            Direction::Push => {
                let message =
                    format!("the cache had the content of {} damaged: it was not pushed", list(&done.damaged, project));
                let hint = "it was removed from the cache; `dewar repro` or `dewar commit` puts it there again";
                Failure::new(Kind::Remote, message).hint(hint)
            }
            Direction::Fetch => {
                let message =
                    format!("the remote has the content of {} damaged: it was not kept", list(&done.damaged, project));
                let places: Vec<String> = done.damaged.iter().take(TOLD).map(|absent| key(&absent.id)).collect();
                let hint =
                    format!("remove it from the remote and push it again from a good cache: {}", places.join(", "));
                Failure::new(Kind::Remote, message).hint(hint)
            }
        });
    }
    Failure::together(failures)
}

fn list(absent: &[Absent], project: &Project<'_>) -> String {
    let shown = |absent: &Absent| {
        let path = RepoPath::parse(&absent.path).map(|path| path.relative_to(project.repo.from()));
        format!("`{}`", text::visible(&path.unwrap_or_else(|_| absent.path.clone())))
    };
    let mut names: Vec<String> = absent.iter().take(TOLD).map(shown).collect();
    if absent.len() > TOLD {
        names.push(format!("{} more", absent.len() - TOLD));
    }
    names.join(", ")
}
