//! `why`.

use clap::Args;

/// Say what makes a stage differ: from its last run, or between two revisions
///
/// Without a revision, what changed since the stage ran, which is why it would run again. With one,
/// how the workspace differs from it. With two, how the second differs from the first: parameters
/// with their values, files, the members of a folder, the command, outputs, and which stage wrote
/// what differs.
///
/// A revision is a commit, a branch, a tag, an experiment, a checkpoint, a task of the queue, or
/// `workspace`.
///
/// Examples:
///   dewar why train
///   dewar why train HEAD~1
///   dewar why train calm-heron fuzzy-otter
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct WhyArgs {
    /// A stage, a group of generated ones, or an output of one
    #[arg(value_name = "STAGE")]
    pub stage: String,

    /// The old revision or experiment
    #[arg(value_name = "OLD")]
    pub old: Option<String>,

    /// The new one
    #[arg(value_name = "NEW", default_value = "workspace", requires = "old")]
    pub new: String,

    /// Print JSON, in the shape of `dewar status --explain --json`, with the revisions and what is upstream beside it
    #[arg(long)]
    pub json: bool,
}
