//! `exp push`: experiments to another git repository, and their data to a remote.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::event::Direction;
use dewar_core::exp::find;
use dewar_core::exp::queue::Queue;
use dewar_core::exp::refs::Experiment;
use dewar_core::exp::share::{self, Compared, Diverged, Standing};
use dewar_core::git::{Connection, Git, Purpose, Pushed};

use super::share::{Data, NO_DATA_REMOTE, There, experiments, names, of_commits, refused};
use crate::args::share::ExpPushArgs;
use crate::commands::project::Project;
use crate::commands::transfer;
use crate::failure::{Failure, Kind};
use crate::session::Session;
use crate::ui::{Ui, text};

/// Does what `exp push` was told: the data goes first, so that who sees an experiment there finds its data, too.
///
/// # Errors
/// When the git remote or the one for data cannot be used, or an experiment does not go. The others do.
pub fn run(args: &ExpPushArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let git = project.repo.git()?;
    let there = There::named(&args.share.git_remote, &project)?;
    let meant = match args.share.experiments.as_slice() {
        [] => of_commits(git, &args.share.baseline)?,
        names => named(git, &Queue::of(&project.repo), names)?,
    };
    if meant.is_empty() {
        ui.tell("No experiments to push.")?;
        return Ok(ExitCode::SUCCESS);
    }
    let diverged = if args.force { Diverged::Replace } else { Diverged::Refuse };
    let mut connection = there.connect(git, Purpose::Push)?;
    let mut compared = share::compare(git, &meant, &connection.refs)?;
    let mut failures: Vec<Failure> =
        compared.iter().filter_map(|compared| stands_in_the_way(compared, diverged, &there)).collect();

    compared.retain(|compared| compared.standing == Standing::Same || compared.standing.goes(diverged));
    let data = if args.no_cache { None } else { Data::asked(&args.share, Direction::Push, &project) };
    let mut uploaded = None;
    match data {
        Some(data) if !compared.is_empty() => {
            // Who waits for much data would keep the other side waiting.
            drop(connection);
            let held = project.hold_cache("exp push")?;
            let going: Vec<Experiment> = compared.iter().map(|compared| compared.experiment.clone()).collect();
            let (done, left) = data.run(&going)?;
            drop(held);
            uploaded = transfer::counted(&done, "uploaded");
            compared.retain(|compared| left.iter().all(|(experiment, _)| *experiment != compared.experiment));
            failures.extend(left.into_iter().map(|(experiment, failure)| not_pushed(&experiment, failure)));
            connection = there.connect(git, Purpose::Push)?;
        }
        Some(_) => {}
        None if !args.no_cache => ui.note(NO_DATA_REMOTE),
        None => {}
    }
    if compared.iter().any(|compared| compared.standing.goes(diverged)) {
        tell_of_commits(git, &compared, diverged, &connection, &there, ui)?;
    }
    let pushed = share::push(&mut connection, &compared, diverged)?;
    drop(connection);

    let same = compared.iter().filter(|compared| compared.standing == Standing::Same);
    let same = names(same.map(|compared| &compared.experiment));
    let done = names(pushed.iter().filter(|(_, outcome)| *outcome == Pushed::Done).map(|(experiment, _)| experiment));
    if !same.is_empty() {
        let verb = if same.len() == 1 { "is" } else { "are" };
        let subject = experiments(&same).replacen('e', "E", usize::from(same.len() <= 10));
        ui.tell(&format!("{subject} {verb} up to date on Git remote '{}'.", there.remote.name))?;
    }
    if !done.is_empty() {
        ui.tell(&format!("Pushed {} to Git remote '{}'.", experiments(&done), there.remote.name))?;
    }
    if let Some(uploaded) = uploaded {
        ui.tell(&uploaded)?;
    }
    failures
        .extend(pushed.into_iter().filter_map(|(experiment, outcome)| refused(&experiment, outcome, &there.remote)));
    Failure::together(failures).map_or(Ok(ExitCode::SUCCESS), Err)
}

/// The experiments that are named, each once: all of them or, when one is not known, none.
fn named(git: &Git, queue: &Queue, names: &[String]) -> Result<Vec<Experiment>, Failure> {
    let mut found = Vec::new();
    for name in names {
        let experiment = find::experiment(git, queue, name)?;
        if !found.contains(&experiment) {
            found.push(experiment);
        }
    }
    Ok(found)
}

/// Why an experiment does not go: another one of its name is there.
fn stands_in_the_way(compared: &Compared, diverged: Diverged, there: &There) -> Option<Failure> {
    let Standing::Diverged(theirs) = compared.standing else { return None };
    if compared.standing.goes(diverged) {
        return None;
    }
    let (name, remote) = (&compared.experiment.reference.name, &there.remote.name);
    let (ours, theirs) = (compared.experiment.commit.short(), theirs.short());
    let message = format!("the git remote `{remote}` has another experiment `{name}`: {theirs} there, {ours} here");
    Some(
        Failure::new(Kind::Remote, message)
            .hint("`--force` replaces the one there; `dewar exp rename` gives yours another name"),
    )
}

/// Why an experiment does not go: what of its data does not.
fn not_pushed(experiment: &Experiment, failure: Failure) -> Failure {
    failure.hint(format!("`{}` was not pushed; `--no-cache` pushes it without its data", experiment.reference.name))
}

/// Commits that experiments start from go along when no branch there leads to them: others should know.
fn tell_of_commits(
    git: &Git,
    compared: &[Compared],
    diverged: Diverged,
    connection: &Connection<'_>,
    there: &There,
    ui: &Ui,
) -> Result<(), Failure> {
    let going = compared.iter().filter(|compared| compared.standing.goes(diverged));
    let baselines = going.map(|compared| compared.experiment.reference.baseline);
    match git.count_beyond(baselines, &connection.refs)? {
        0 => {}
        count => ui.note(&format!(
            "{} before the experiments that Git remote '{}' lacks go along; no branch there leads to them.",
            text::counted(count, "commit"),
            there.remote.name
        )),
    }
    Ok(())
}
