//! `params diff`, `metrics show` and `metrics diff`; `exp diff` stands in [`super::exp`].

use clap::{Args, Subcommand};

/// What is compared, and in which form that is printed.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The old revision or experiment
    #[arg(value_name = "OLD", default_value = "HEAD")]
    pub old: String,

    /// The new one
    #[arg(value_name = "NEW", default_value = "workspace")]
    pub new: String,

    /// Also what is alike
    #[arg(long)]
    pub all: bool,

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
/// A revision is a commit, a branch, a tag, an experiment, a checkpoint, a task of the queue, or
/// `workspace`.
///
/// Examples:
///   dewar params diff
///   dewar params diff HEAD~1 fuzzy-otter --md
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ParamsDiffArgs {
    /// What is compared.
    #[command(flatten)]
    pub diff: DiffArgs,

    /// Only these files
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub targets: Vec<String>,

    /// Only parameters that a stage reads
    #[arg(long)]
    pub deps: bool,
}

/// Show and compare metrics
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
    Diff(MetricsDiffArgs),
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

/// Show the metrics that differ between two revisions
///
/// A revision is a commit, a branch, a tag, an experiment, a checkpoint, or `workspace`.
///
/// Examples:
///   dewar metrics diff
///   dewar metrics diff main fuzzy-otter --md
///   dewar metrics diff 3e04c15 --targets metrics.json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct MetricsDiffArgs {
    /// What is compared.
    #[command(flatten)]
    pub diff: DiffArgs,

    /// Only these files, or with `-R` folders
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub targets: Vec<String>,

    /// Look into folders
    #[arg(short = 'R', long, requires = "targets")]
    pub recursive: bool,

    /// How many significant digits numbers get [default: 5; JSON has all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=17))]
    pub precision: Option<u8>,
}
