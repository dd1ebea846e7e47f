//! `exp list`: names of experiments.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::refs::Experiment;
use dewar_core::exp::share;
use dewar_core::git::{CommitId, Purpose};

use super::share::{There, chosen, of_commits};
use super::show::selection;
use crate::args::exp::ExpListArgs;
use crate::commands::project::Project;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::{Ui, style};

/// Does what `exp list` was told.
///
/// # Errors
/// When a revision names nothing, or a git remote cannot be reached.
pub fn run(args: &ExpListArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let git = project.repo.git()?;
    let (name, dim) = (style::NAME, style::DIM);
    let mut out = String::new();
    for (baseline, experiments) in experiments(args, &project)? {
        if !args.name_only && !args.sha_only {
            let called = git.name_of(baseline)?.unwrap_or_else(|| baseline.short());
            let _infallible = writeln!(out, "{called}:");
        }
        for experiment in experiments {
            let (called, commit) = (&experiment.reference.name, experiment.commit);
            // Writing to a string cannot fail.
            let _infallible = if args.name_only {
                writeln!(out, "{called}")
            } else if args.sha_only {
                writeln!(out, "{commit}")
            } else {
                writeln!(out, "\t{dim}{}{dim:#} [{name}{called}{name:#}]", commit.short())
            };
        }
    }
    ui.print(&out)?;
    Ok(ExitCode::SUCCESS)
}

/// The experiments that are meant, by their baselines.
fn experiments(args: &ExpListArgs, project: &Project<'_>) -> Result<Vec<(CommitId, Vec<Experiment>)>, Failure> {
    let git = project.repo.git()?;
    let meant = match &args.git_remote {
        None => of_commits(git, &args.baseline)?,
        Some(remote) => {
            let there = There::named(remote, project)?;
            let connection = there.connect(git, Purpose::Fetch)?;
            chosen(git, &there, &share::of_remote(&connection.refs), &[], &args.baseline)?
        }
    };
    // Commits that only another repository has come last.
    let mut order = selection(&args.baseline).baselines(git)?;
    order.extend(meant.iter().map(|experiment| experiment.reference.baseline));
    let mut by_baseline: HashMap<CommitId, Vec<Experiment>> = HashMap::new();
    for experiment in meant {
        by_baseline.entry(experiment.reference.baseline).or_default().push(experiment);
    }
    Ok(order.into_iter().filter_map(|baseline| Some((baseline, by_baseline.remove(&baseline)?))).collect())
}
