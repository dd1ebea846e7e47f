//! `params diff` and `metrics show`.

use clap::{Args, Subcommand};

/// Compare parameters
#[derive(Debug, Args)]
pub struct ParamsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ParamsCommand,
}

/// What can be done with parameters.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the manual of a command is that of its arguments")]
pub enum ParamsCommand {
    Diff(ParamsDiffArgs),
}

/// Show the parameters that differ between two revisions
///
/// Examples:
///   dewar params diff
///   dewar params diff HEAD~1 fuzzy-otter --md
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ParamsDiffArgs {
    /// The old revision or experiment
    #[arg(value_name = "OLD", default_value = "HEAD")]
    pub old: String,

    /// The new one; without it, the workspace
    #[arg(value_name = "NEW")]
    pub new: Option<String>,

    /// Only these files
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub targets: Vec<String>,

    /// Also the parameters that are alike
    #[arg(long)]
    pub all: bool,

    /// Only parameters that a stage reads
    #[arg(long)]
    pub deps: bool,

    /// Print JSON, in the shape that DVC prints
    #[arg(long, conflicts_with = "md")]
    pub json: bool,

    /// Print a Markdown table
    #[arg(long)]
    pub md: bool,

    /// Leave out the column with the file
    #[arg(long)]
    pub no_path: bool,
}

/// Show metrics
#[derive(Debug, Args)]
pub struct MetricsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: MetricsCommand,
}

/// What can be done with metrics.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the manual of a command is that of its arguments")]
pub enum MetricsCommand {
    Show(MetricsShowArgs),
}

/// Show the metrics of the workspace and of commits
///
/// Examples:
///   dewar metrics show
///   dewar metrics show -a --md
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct MetricsShowArgs {
    /// Metrics files, or with `-R` folders; without any, those of `dvc.yaml`
    pub targets: Vec<String>,

    /// Also those of every branch
    #[arg(short = 'a', long)]
    pub all_branches: bool,

    /// Also those of every tag
    #[arg(short = 'T', long)]
    pub all_tags: bool,

    /// Also those of every commit
    #[arg(short = 'A', long)]
    pub all_commits: bool,

    /// Look into folders
    #[arg(short = 'R', long, requires = "targets")]
    pub recursive: bool,

    /// Print JSON, in the shape that DVC prints
    #[arg(long, conflicts_with = "md")]
    pub json: bool,

    /// Print a Markdown table
    #[arg(long)]
    pub md: bool,

    /// How many significant digits numbers get [default: 5; JSON has all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=17))]
    pub precision: Option<u8>,
}
