//! `exp pull`: experiments from another git repository, and their data from a remote.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::event::Direction;
use dewar_core::exp::refs::Experiment;
use dewar_core::exp::share::{self, Diverged, Pulled};
use dewar_core::git::{CommitId, GitRemoteError, Purpose};

use super::note_replaced;
use super::share::{Data, NO_DATA_REMOTE, There, chosen, experiments, names};
use crate::args::share::ExpPullArgs;
use crate::commands::project::Project;
use crate::commands::transfer;
use crate::failure::{Failure, Kind};
use crate::session::Session;
use crate::ui::Ui;

/// Does what `exp pull` was told.
///
/// # Errors
/// When the git remote or the one for data cannot be used, or an experiment or its data does not come. The others do.
pub fn run(args: &ExpPullArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let git = project.repo.git()?;
    let there = There::named(&args.share.git_remote, &project)?;
    let mut connection = there.connect(git, Purpose::Fetch)?;
    let theirs = share::of_remote(&connection.refs);
    let meant = chosen(git, &there, &theirs, &args.share.experiments, &args.share.baseline)?;
    if meant.is_empty() {
        ui.tell("No experiments to pull.")?;
        return Ok(ExitCode::SUCCESS);
    }
    let diverged = if args.force { Diverged::Replace } else { Diverged::Refuse };
    let pulled = share::pull(git, &mut connection, &meant, diverged)?;
    drop(connection);

    let remote = &there.remote.name;
    let mut failures = Vec::new();
    let (mut same, mut done) = (Vec::new(), Vec::new());
    for (experiment, outcome) in pulled {
        match outcome {
            Pulled::Same => same.push(experiment),
            Pulled::Done => done.push(experiment),
            Pulled::Replaced(old) => {
                note_replaced(&experiment.reference.name, old, ui);
                done.push(experiment);
            }
            Pulled::Diverged(ours) => failures.push(stands_in_the_way(&experiment, ours, remote)),
            Pulled::Flawed(flaw) => {
                let left = format!("the experiment `{}` is left out", experiment.reference.name);
                failures.push(Failure::from(GitRemoteError::Flawed { name: remote.clone(), flaw }).hint(left));
            }
            Pulled::Moved(conflict) => {
                failures.push(Failure::new(Kind::Repository, conflict.to_string()).hint("run it again"));
            }
        }
    }
    if !same.is_empty() {
        ui.tell(&format!("Up to date with Git remote '{remote}': {}.", experiments(&names(&same))))?;
    }
    if !done.is_empty() {
        ui.tell(&format!("Pulled {} from Git remote '{remote}'.", experiments(&names(&done))))?;
    }
    if !args.no_cache {
        let here: Vec<Experiment> = same.into_iter().chain(done).collect();
        failures.extend(data(args, &project, &here, ui)?);
    }
    Failure::together(failures).map_or(Ok(ExitCode::SUCCESS), Err)
}

/// Brings the data of experiments into the cache; what of it does not come.
fn data(
    args: &ExpPullArgs,
    project: &Project<'_>,
    experiments: &[Experiment],
    ui: &Ui,
) -> Result<Vec<Failure>, Failure> {
    if experiments.is_empty() {
        return Ok(Vec::new());
    }
    let Some(data) = Data::asked(&args.share, Direction::Fetch, project) else {
        ui.note(NO_DATA_REMOTE);
        return Ok(Vec::new());
    };
    let _held = project.hold_cache("exp pull")?;
    let (done, lacking) = data.run(experiments)?;
    if let Some(told) = transfer::counted(&done, "downloaded") {
        ui.tell(&told)?;
    }
    let of = |(experiment, failure): (Experiment, Failure)| {
        failure.hint(format!("the experiment `{}` is here without it", experiment.reference.name))
    };
    Ok(lacking.into_iter().map(of).collect())
}

/// Why an experiment does not come: another one of its name is here.
fn stands_in_the_way(experiment: &Experiment, ours: CommitId, remote: &str) -> Failure {
    let name = &experiment.reference.name;
    let (ours, theirs) = (ours.short(), experiment.commit.short());
    let message =
        format!("there is another experiment `{name}` here: {ours}, and {theirs} on the git remote `{remote}`");
    let hint = "`--force` puts the one there into its place and keeps yours aside; `dewar exp rename` gives yours another name";
    Failure::new(Kind::Repository, message).hint(hint)
}
