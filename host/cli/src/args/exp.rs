//! `exp show`, `exp diff`, `exp list` and what is done with finished experiments; `exp run` stands in [`super::run`], `exp save` and
//! `exp rename` in [`super::keep`], `exp push` and `exp pull` in [`super::share`].

use clap::{Args, Subcommand, ValueEnum};

use super::compare::DiffArgs;
use super::keep::{ExpCleanArgs, ExpRenameArgs, ExpSaveArgs};
use super::run::ExpRunArgs;
use super::share::{ExpPullArgs, ExpPushArgs};

/// Run, compare, apply and remove experiments
#[derive(Debug, Args)]
pub struct ExpArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ExpCommand,
}

/// What can be done with experiments.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the manual of a command is that of its arguments")]
pub enum ExpCommand {
    Run(ExpRunArgs),
    Show(Box<ExpShowArgs>),
    Diff(ExpDiffArgs),
    #[command(visible_alias = "ls")]
    List(ExpListArgs),
    Apply(ExpApplyArgs),
    Branch(ExpBranchArgs),
    Save(ExpSaveArgs),
    Rename(ExpRenameArgs),
    #[command(visible_alias = "rm")]
    Remove(ExpRemoveArgs),
    Push(ExpPushArgs),
    Pull(ExpPullArgs),
    Clean(ExpCleanArgs),
}

/// The commits whose experiments are meant.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Commits")]
pub struct BaselineArgs {
    /// Those of REV (may be given more than once); without any, those of HEAD
    #[arg(long, value_name = "REV")]
    pub rev: Vec<String>,

    /// And those of the N commits from there back, along first parents; a negative number means all
    #[arg(short, long, value_name = "N", allow_negative_numbers = true)]
    pub num: Option<i64>,

    /// Those of every commit
    #[arg(short = 'A', long)]
    pub all_commits: bool,
}

/// Show experiments with their parameters and metrics
///
/// Below each commit stand the experiments that were tried on it: those that run, with their
/// metrics so far, those that are finished, those that wait in the queue, and those that failed;
/// of each the newest first.
///
/// Below the last commit of an experiment stand its checkpoints, the newest first, without those
/// that a policy let go of. Digits in brackets say behind which checkpoint of another experiment
/// one branches off.
///
/// Examples:
///   dewar exp show
///   dewar exp show --sort-by accuracy --sort-order desc --only-changed
///   dewar exp show --watch
///   dewar exp show -A --csv > experiments.csv
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ExpShowArgs {
    /// Whose experiments.
    #[command(flatten)]
    pub baseline: BaselineArgs,

    /// Those of every branch
    #[arg(short = 'a', long, help_heading = "Commits")]
    pub all_branches: bool,

    /// Those of every tag
    #[arg(short = 'T', long, help_heading = "Commits")]
    pub all_tags: bool,

    /// Sort finished experiments by a metric or a parameter; a file name before a colon tells equal names apart
    #[arg(long, value_name = "[FILE:]NAME", help_heading = "Rows and columns")]
    pub sort_by: Option<String>,

    /// In which order
    #[arg(long, value_enum, default_value_t, help_heading = "Rows and columns")]
    pub sort_order: SortOrder,

    /// Leave out columns whose rows are all alike
    #[arg(long, help_heading = "Rows and columns")]
    pub only_changed: bool,

    /// Leave out columns whose name begins with what the regular expression matches
    #[arg(long, value_name = "REGEX", help_heading = "Rows and columns")]
    pub drop: Vec<String>,

    /// Keep such columns, whatever the other flags say
    #[arg(long, value_name = "REGEX", help_heading = "Rows and columns")]
    pub keep: Vec<String>,

    /// Only parameters that a stage reads
    #[arg(long, help_heading = "Rows and columns")]
    pub param_deps: bool,

    /// Leave out the workspace
    #[arg(long, help_heading = "Rows and columns")]
    pub hide_workspace: bool,

    /// Leave out experiments that failed
    #[arg(long, help_heading = "Rows and columns")]
    pub hide_failed: bool,

    /// Leave out experiments that wait
    #[arg(long, help_heading = "Rows and columns")]
    pub hide_queued: bool,

    /// Name commits by their hash, not by branch or tag
    #[arg(long, help_heading = "Rows and columns")]
    pub sha: bool,

    /// Print JSON, in the shape that DVC prints
    #[arg(long, group = "format", help_heading = "Form")]
    pub json: bool,

    /// Print CSV
    #[arg(long, group = "format", help_heading = "Form")]
    pub csv: bool,

    /// Print a Markdown table
    #[arg(long, group = "format", help_heading = "Form")]
    pub md: bool,

    /// How many significant digits numbers get [default: 5; JSON and CSV have all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=17), help_heading = "Form")]
    pub precision: Option<u8>,

    /// Show it again whenever something has changed, until Ctrl-C: on a terminal in place, else below, as JSON in one line
    #[arg(long, conflicts_with_all = ["csv", "md"], help_heading = "Form")]
    pub watch: bool,

    /// Print the table straight, not through a pager
    #[arg(long, help_heading = "Form")]
    pub no_pager: bool,

    /// Read everything anew, without what was remembered
    #[arg(short, long, help_heading = "Form")]
    pub force: bool,
}

/// Which comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum SortOrder {
    /// The smallest
    #[default]
    Asc,
    /// The largest
    Desc,
}

/// Show the metrics and parameters that differ between two experiments
///
/// Each is an experiment, one of its checkpoints, a task of the queue, a commit, a branch, a tag, or
/// `workspace`. What has no result has no metrics.
///
/// Examples:
///   dewar exp diff
///   dewar exp diff fuzzy-otter calm-heron
///   dewar exp diff 3e04c15 fuzzy-otter --param-deps --md
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ExpDiffArgs {
    /// What is compared.
    #[command(flatten)]
    pub diff: DiffArgs,

    /// Only parameters that a stage reads
    #[arg(long)]
    pub param_deps: bool,

    /// How many significant digits metrics get [default: 5; parameters and JSON have all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=17))]
    pub precision: Option<u8>,
}

/// List experiments, here or in another git repository
///
/// Examples:
///   dewar exp list
///   dewar exp list -A --name-only
///   dewar exp list origin
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ExpListArgs {
    /// List those of a git remote: its name, its URL or its path
    #[arg(value_name = "GIT_REMOTE")]
    pub git_remote: Option<String>,

    /// Whose experiments.
    #[command(flatten)]
    pub baseline: BaselineArgs,

    /// Print names alone
    #[arg(long, visible_alias = "names-only", conflicts_with = "sha_only")]
    pub name_only: bool,

    /// Print commit hashes alone
    #[arg(long, visible_alias = "shas-only")]
    pub sha_only: bool,
}

/// Bring the workspace to an experiment
///
/// Files become what they were when the experiment ended. Of one that waits, runs or failed, they
/// become what it begins with. Outputs come from the cache; those that the experiment does not have
/// are removed when the cache has them.
///
/// Nothing is lost: a change that neither a commit nor an experiment has is a reason to change
/// nothing. With `--force` it is overwritten. What was there is kept, and the command says where.
///
/// Examples:
///   dewar exp apply fuzzy-otter
///   dewar exp apply --force fuzzy-otter
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ExpApplyArgs {
    /// Its name or its commit, or that of a checkpoint; or those of a task of the queue
    #[arg(value_name = "EXPERIMENT")]
    pub experiment: String,

    /// Change nothing when there is any change that is not committed
    #[arg(long, conflicts_with = "force")]
    pub no_force: bool,

    /// Overwrite changes that are recorded nowhere; they are kept, and can be brought back
    #[arg(short, long)]
    pub force: bool,
}

/// Make a git branch of an experiment
///
/// The branch has the commits of the experiment, up to the checkpoint that is named. Neither the
/// workspace nor the branch that you are on changes.
///
/// Examples:
///   dewar exp branch fuzzy-otter
///   dewar exp branch 3e04c15 half-trained
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ExpBranchArgs {
    /// Its name or its commit, or that of a checkpoint
    #[arg(value_name = "EXPERIMENT")]
    pub experiment: String,

    /// The name of the branch [default: that of the experiment with `-branch` behind it]
    #[arg(value_name = "BRANCH")]
    pub branch: Option<String>,
}

/// Remove experiments
///
/// Removes the git refs, with all checkpoints; the cache keeps the outputs. Nothing is removed when one of the names is unknown.
///
/// Examples:
///   dewar exp remove fuzzy-otter calm-heron
///   dewar exp remove --rev main
///   dewar exp remove --keep fuzzy-otter
///   dewar exp remove --queue
///   dewar exp remove --git-remote origin fuzzy-otter
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, group = clap::ArgGroup::new("which").args(["experiments", "rev", "all_commits", "queue"]).required(true).multiple(true))]
pub struct ExpRemoveArgs {
    /// Names or commits of experiments, also of those that wait in the queue or failed
    #[arg(value_name = "EXPERIMENT", conflicts_with_all = ["rev", "all_commits"])]
    pub experiments: Vec<String>,

    /// Whose experiments.
    #[command(flatten)]
    pub baseline: BaselineArgs,

    /// Keep the experiments that are meant, and remove all others of the repository; tasks of the queue stay, with the checkpoints that they have recorded
    #[arg(long)]
    pub keep: bool,

    /// Remove them from a git remote (its name, its URL or its path), and keep those that are here
    #[arg(short, long, value_name = "GIT_REMOTE", conflicts_with = "queue")]
    pub git_remote: Option<String>,

    /// Remove those that wait in the queue, and no experiment
    #[arg(long, conflicts_with_all = ["experiments", "rev", "num", "all_commits", "keep"])]
    pub queue: bool,
}
