//! What a shell offers for a word that is being typed: stages, experiments, tasks, revisions, parameters, remotes. A shell that was set up
//! by `dewar completion` runs `dewar` with [`VARIABLE`] set; nothing is printed then but candidates.
//!
//! What may stand in a place is told by its placeholder in the help text, so that there is one table of them, here.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::sync::Arc;

use clap::{Arg, Command, CommandFactory};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter};
use dewar_core::config::settings::Settings;
use dewar_core::digest::ObjectId;
use dewar_core::exp::queue::Queue;
use dewar_core::exp::queue::task::State;
use dewar_core::exp::refs;
use dewar_core::git::Git;
use dewar_core::metrics::{Files, ParamScope, RevisionData, RevisionReader};
use dewar_core::path::RepoPath;
use dewar_core::pipeline::Pipeline;
use dewar_core::pipeline::stage::DEFAULT_PARAMS;

use crate::args::{Cli, ColorWhen, GlobalArgs};
use crate::commands::project::{Project, files};
use crate::commands::revision::WORKSPACE;
use crate::failure::Failure;
use crate::session::{Plugins, Session};
use crate::ui::number::{self, Digits};
use crate::ui::text::{shell_quoted, visible};
use crate::ui::{Ui, Verbosity};

/// The variable by which a shell asks for candidates.
pub const VARIABLE: &str = "DEWAR_COMPLETE";

/// Answers a shell that asks for candidates; false when none does.
///
/// # Errors
/// When the shell is unknown, or stdout takes nothing.
pub fn answer() -> Result<bool, clap::Error> {
    CompleteEnv::with_factory(|| with_completers(Cli::command()))
        .var(VARIABLE)
        .try_complete(std::env::args_os(), std::env::current_dir().ok().as_deref())
}

/// Something to choose, and what is said about it.
type Choice = (String, Option<String>);

/// What may stand in one place.
type Choices = fn(&Project<'_>) -> Result<Vec<Choice>, Failure>;

/// What may stand where the help text has this word.
fn choices(placeholder: &str) -> Option<(Choices, OrFiles)> {
    Some(match placeholder {
        "TARGET" | "TARGETS" => (stages, OrFiles::Yes),
        "STAGE" | "STAGES" => (stages, OrFiles::No),
        "EXPERIMENT" | "EXPERIMENTS" | "CHECKPOINT" => (experiments, OrFiles::No),
        "TASK" | "TASKS" => (tasks, OrFiles::No),
        "REV" | "COMMIT" | "OLD" | "NEW" => (revisions, OrFiles::No),
        "REMOTE" => (remotes, OrFiles::No),
        "GIT_REMOTE" => (git_remotes, OrFiles::Yes),
        "[FILE:]NAME=VALUE" => (overrides, OrFiles::No),
        "[FILE:]NAMES" => (parameters, OrFiles::No),
        "[FILE:]NAME" => (columns, OrFiles::No),
        "PATH" | "FILE" | "DIR" => (no_names, OrFiles::Yes),
        _ => return None,
    })
}

/// Whether a file may stand where no name fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OrFiles {
    Yes,
    No,
}

fn with_completers(command: Command) -> Command {
    let command = command.mut_args(with_completer);
    let names: Vec<String> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, with_completers))
}

fn with_completer(arg: Arg) -> Arg {
    let named = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    let placeholder = named.unwrap_or_else(|| arg.get_id().as_str().to_uppercase());
    match choices(&placeholder) {
        Some((choices, files)) => {
            arg.add(ArgValueCompleter::new(move |typed: &OsStr| candidates(typed, choices, files)))
        }
        None => arg,
    }
}

/// The choices that begin as what is typed. Where there is no project, or it cannot be read, there are none: to complain is for
/// the command. Nobody asked for anything yet, perhaps in a project of a stranger: so none of its plugins is called, and what a shell
/// would not take for one plain word is not offered, as the shell puts it on the command line as it is.
fn candidates(typed: &OsStr, choices: Choices, files: OrFiles) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    let found = || {
        let ui = Arc::new(Ui::new(ColorWhen::Never, Verbosity::Silent));
        let mut session = Session::of_process(&GlobalArgs::default())?;
        session.plugins = Plugins::Bundled;
        choices(&Project::open(&session, &ui)?)
    };
    let is_plain = |name: &str| matches!(shell_quoted(name), Cow::Borrowed(_));
    let candidate = |(name, about): Choice| {
        let about = about.map(|about| visible(&about.replace('\n', " ")).into_owned());
        (name.starts_with(typed) && is_plain(&name)).then(|| CompletionCandidate::new(name).help(about.map(Into::into)))
    };
    let mut seen = HashSet::new();
    let names = found().unwrap_or_default().into_iter().filter(|(name, _)| seen.insert(name.clone()));
    let fitting: Vec<_> = names.filter_map(candidate).collect();
    match fitting.is_empty() && files == OrFiles::Yes {
        true => PathCompleter::any().complete(OsStr::new(typed)),
        false => fitting,
    }
}

/// Stages and what `.dvc` files track, as they are named from the folder that the user is in.
fn stages(project: &Project<'_>) -> Result<Vec<Choice>, Failure> {
    let pipeline = Pipeline::load(&files(project), project.templates())?;
    let from = project.repo.from();
    let named = pipeline.stages().map(|(_, stage)| (stage.address.display_from(from), stage.desc.clone()));
    Ok(named.collect())
}

/// Nothing but files, which [`candidates`] offers where no name fits.
const fn no_names(_: &Project<'_>) -> Result<Vec<Choice>, Failure> {
    Ok(Vec::new())
}

fn experiments(project: &Project<'_>) -> Result<Vec<Choice>, Failure> {
    let mut found = finished(project.repo.git()?)?;
    // Those that succeeded are among them, or were removed.
    found.extend(tasks_in(project, |state| state != State::Success)?);
    Ok(found)
}

fn finished(git: &Git) -> Result<Vec<Choice>, Failure> {
    let named = |experiment: refs::Experiment| (experiment.reference.name.to_string(), Some(experiment.commit.short()));
    Ok(refs::all(git)?.into_iter().map(named).collect())
}

fn tasks(project: &Project<'_>) -> Result<Vec<Choice>, Failure> {
    tasks_in(project, |_| true)
}

fn tasks_in(project: &Project<'_>, meant: impl Fn(State) -> bool) -> Result<Vec<Choice>, Failure> {
    let tasks = Queue::of(&project.repo).tasks()?.into_iter().filter(|task| meant(task.state));
    Ok(tasks.map(|task| (task.name.to_string(), Some(task.state.as_str().to_lowercase()))).collect())
}

fn revisions(project: &Project<'_>) -> Result<Vec<Choice>, Failure> {
    let git = project.repo.git()?;
    let mut found: Vec<Choice> = vec![("HEAD".into(), None), (WORKSPACE.into(), None)];
    found.extend(git.branches()?.into_keys().map(|branch| (branch, Some("branch".into()))));
    found.extend(git.tags()?.into_keys().map(|tag| (tag, Some("tag".into()))));
    found.extend(finished(git)?);
    Ok(found)
}

fn git_remotes(project: &Project<'_>) -> Result<Vec<Choice>, Failure> {
    Ok(project.repo.git()?.remotes()?.into_iter().map(|name| (name, None)).collect())
}

/// Remotes of data, and where they are.
fn remotes(project: &Project<'_>) -> Result<Vec<Choice>, Failure> {
    let settings = Settings::new(Some(project.repo.root().to_owned()), project.session().outside_files.clone());
    Ok(settings.remotes(None)?.into_iter().map(|remote| (remote.name, Some(remote.url))).collect())
}

/// Parameters with a `=` behind, and what they are now.
fn overrides(project: &Project<'_>) -> Result<Vec<Choice>, Failure> {
    let named = parameters(project)?.into_iter();
    Ok(named.map(|(name, value)| (format!("{name}="), value)).collect())
}

/// Parameters, behind their file where it is not the one that is meant without.
fn parameters(project: &Project<'_>) -> Result<Vec<Choice>, Failure> {
    let from = project.repo.from();
    let meant = from.join(DEFAULT_PARAMS)?;
    Ok(leaves(&read(project)?.params, |file, name| match *file == meant {
        true => name,
        false => format!("{}:{name}", file.relative_to(from)),
    }))
}

/// Metrics and parameters, which are columns of `exp show`.
fn columns(project: &Project<'_>) -> Result<Vec<Choice>, Failure> {
    let data = read(project)?;
    let bare = |_: &RepoPath, name| name;
    let mut found = leaves(&data.metrics, bare);
    found.extend(leaves(&data.params, bare));
    Ok(found)
}

/// What the work tree holds.
fn read(project: &Project<'_>) -> Result<RevisionData, Failure> {
    let files = files(project);
    let pipeline = Pipeline::load(&files, project.templates())?;
    let store = project.store();
    let objects = |id: &ObjectId| store.content(id);
    Ok(RevisionReader::new(&files, &pipeline, &project.params, &objects).data(ParamScope::All))
}

fn leaves(files: &Files, called: impl Fn(&RepoPath, String) -> String) -> Vec<Choice> {
    let mut found = Vec::new();
    for (file, data) in files {
        let shown = |value| Some(number::value(value, Digits::default()));
        found.extend(data.leaves().into_iter().map(|(name, value)| (called(file, name), shown(value))));
    }
    found
}
