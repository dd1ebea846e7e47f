//! `exp push` and `exp pull`.

use std::num::NonZeroUsize;

use clap::Args;

use super::exp::BaselineArgs;

/// Push experiments, with their outputs, for others to pull
///
/// An experiment goes to a git remote, under the reference that it has here, with all its checkpoints; what the cache has of its
/// outputs goes to a remote for data before that. Without names, those of HEAD are meant. What the git remote has already is not
/// sent again. An experiment that is another one there stays as it is, and the others go.
///
/// Examples:
///   dewar exp push origin
///   dewar exp push origin fuzzy-otter calm-heron
///   dewar exp push git@example.org:team/project.git -A --no-cache
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ExpPushArgs {
    /// What goes, and how.
    #[command(flatten)]
    pub share: ShareArgs,

    /// Replace experiments of the git remote that have the same name and are other ones
    #[arg(short, long)]
    pub force: bool,

    /// Leave the outputs here: others get the experiment without them
    #[arg(long, conflicts_with_all = ["remote", "jobs", "run_cache"])]
    pub no_cache: bool,
}

/// Pull experiments that others pushed, with their outputs
///
/// An experiment comes from a git remote, with all its checkpoints; its outputs come from a remote for data into the cache. The
/// workspace does not change: `dewar exp apply` brings it to an experiment. Without names, those of HEAD are meant. An experiment
/// that is another one here stays as it is, and the others come.
///
/// Examples:
///   dewar exp pull origin
///   dewar exp pull origin fuzzy-otter
///   dewar exp pull https://example.org/team/project.git -A --no-cache
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ExpPullArgs {
    /// What comes, and how.
    #[command(flatten)]
    pub share: ShareArgs,

    /// Replace experiments here that have the same name and are other ones; the command says how to get them back
    #[arg(short, long)]
    pub force: bool,

    /// Leave the outputs where they are
    #[arg(long, conflicts_with_all = ["remote", "jobs", "run_cache"])]
    pub no_cache: bool,
}

/// Which experiments, and where their data is.
#[derive(Debug, Args)]
pub struct ShareArgs {
    /// The git remote: its name, its URL or its path
    #[arg(value_name = "GIT_REMOTE")]
    pub git_remote: String,

    /// Names or commits of experiments
    #[arg(value_name = "EXPERIMENT", conflicts_with_all = ["rev", "num", "all_commits"])]
    pub experiments: Vec<String>,

    /// Whose experiments.
    #[command(flatten)]
    pub baseline: BaselineArgs,

    /// The remote for data [default: `core.remote` of the settings]
    #[arg(short, long, value_name = "REMOTE", help_heading = "Data")]
    pub remote: Option<String>,

    /// How many files to move at once
    #[arg(short, long, value_name = "N", help_heading = "Data")]
    pub jobs: Option<NonZeroUsize>,

    /// Move what is remembered of runs, too
    #[arg(long, overrides_with = "no_run_cache", help_heading = "Data")]
    pub run_cache: bool,

    /// Do not (the default)
    #[arg(long, help_heading = "Data")]
    pub no_run_cache: bool,
}
