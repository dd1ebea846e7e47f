//! `sweep`: what can be done with sweeps. They are made by `exp run`.

use std::num::NonZeroUsize;

use clap::{Args, Subcommand};

/// See and go on with sweeps: many experiments that differ in parameters
///
/// A sweep is made by several values behind `-S` of `dewar exp run`: `-S lr=0.1,0.01`, `-S 'depth=range(2,10,2)'`,
/// `-S 'kind=choice(a,b)'`. Several of them give every combination. Its experiments are called as the sweep is, with a number
/// behind the name.
///
/// Examples:
///   dewar exp run -S lr=0.1,0.01 -S depth=2,4,8 -n grid -j 4
///   dewar sweep list
///   dewar sweep resume grid
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct SweepArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: SweepCommand,
}

/// What can be done with sweeps.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the manual of a command is that of its arguments")]
pub enum SweepCommand {
    List(SweepListArgs),
    Show(SweepShowArgs),
    Resume(SweepResumeArgs),
    Remove(SweepRemoveArgs),
}

/// List the sweeps and how far they are
///
/// Example: `dewar sweep list`
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct SweepListArgs {
    /// Print JSON: a list of {name, state, points, running, queued, failed, success, missing, overrides, baseline}
    #[arg(long)]
    pub json: bool,
}

/// Show the points of a sweep
///
/// Example: `dewar sweep show grid`
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct SweepShowArgs {
    /// Its name
    #[arg(value_name = "SWEEP")]
    pub sweep: String,

    /// Print JSON: a list of {name, state, overrides}
    #[arg(long)]
    pub json: bool,
}

/// Go on with a sweep that was interrupted
///
/// Points that are neither queued nor done are queued, from the workspace as it was when the sweep was made. No point that is
/// done runs again. Then what waits is run and followed.
///
/// Example: `dewar sweep resume grid -j 4`
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct SweepResumeArgs {
    /// Its name
    #[arg(value_name = "SWEEP")]
    pub sweep: String,

    /// Queue points again that failed
    #[arg(long)]
    pub failed: bool,

    /// Queue only, and run nothing yet
    #[arg(long, conflicts_with = "jobs")]
    pub queue: bool,

    /// How many at once [default: `jobs` of dewar.toml, else 1]
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
}

/// Forget a sweep
///
/// Takes its points that wait or failed out of the queue. Its experiments stay.
///
/// Example: `dewar sweep remove grid`
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct SweepRemoveArgs {
    /// Its name
    #[arg(value_name = "SWEEP")]
    pub sweep: String,
}
