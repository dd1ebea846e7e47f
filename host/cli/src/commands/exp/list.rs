//! `exp list`: names of experiments.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::refs;

use super::show::selection;
use crate::args::exp::ExpListArgs;
use crate::commands::project::Project;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::{Ui, style};

/// Does what `exp list` was told.
///
/// # Errors
/// When a revision names nothing.
pub fn run(args: &ExpListArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let git = project.repo.git()?;
    let (name, dim) = (style::NAME, style::DIM);
    let mut out = String::new();
    for baseline in selection(&args.baseline).baselines(git)? {
        let experiments = refs::of_baseline(git, baseline)?;
        if experiments.is_empty() {
            continue;
        }
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
