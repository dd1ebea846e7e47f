//! `stage add` and `stage list`.

use clap::{Args, Subcommand};

/// Write and list the stages of `dvc.yaml`
#[derive(Debug, Args)]
pub struct StageArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: StageCommand,
}

/// What can be done with stages.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the manual of a command is that of its arguments")]
pub enum StageCommand {
    Add(Box<StageAddArgs>),
    #[command(visible_alias = "ls")]
    List(StageListArgs),
}

/// Write a stage to `dvc.yaml`
///
/// The rest of the file stays as it is, comments included. Everything after the first word of the command belongs
/// to the command.
///
/// Examples:
///   dewar stage add -n prepare -d data.csv -o prepared sh prepare.sh
///   dewar stage add -n train -d prepared -p train.lr,train.epochs -o model.txt -M metrics.json python train.py --fast
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct StageAddArgs {
    /// The name of the stage
    #[arg(short, long)]
    pub name: String,

    /// A file or folder that it reads
    #[arg(short, long, value_name = "PATH")]
    pub deps: Vec<String>,

    /// Parameters that it reads: `a,b.c` of `params.yaml`, `file:a,b.c`, or `file:` for a whole file
    #[arg(short, long, value_name = "[FILE:]NAMES")]
    pub params: Vec<String>,

    /// A file or folder that it writes, kept in the cache
    #[arg(short, long, value_name = "PATH", help_heading = "Outputs")]
    pub outs: Vec<String>,

    /// The same, kept in git and not in the cache
    #[arg(short = 'O', long, value_name = "PATH", help_heading = "Outputs")]
    pub outs_no_cache: Vec<String>,

    /// An output that is not removed before the stage runs
    #[arg(long, value_name = "PATH", help_heading = "Outputs")]
    pub outs_persist: Vec<String>,

    /// The same, kept in git and not in the cache
    #[arg(long, value_name = "PATH", help_heading = "Outputs")]
    pub outs_persist_no_cache: Vec<String>,

    /// A file of metrics that it writes
    #[arg(short, long, value_name = "PATH", help_heading = "Outputs")]
    pub metrics: Vec<String>,

    /// The same, kept in git and not in the cache
    #[arg(short = 'M', long, value_name = "PATH", help_heading = "Outputs")]
    pub metrics_no_cache: Vec<String>,

    /// A file or folder of plots that it writes
    #[arg(long, value_name = "PATH", help_heading = "Outputs")]
    pub plots: Vec<String>,

    /// The same, kept in git and not in the cache
    #[arg(long, value_name = "PATH", help_heading = "Outputs")]
    pub plots_no_cache: Vec<String>,

    /// The folder to run in, relative to `dvc.yaml`
    #[arg(short, long, value_name = "DIR")]
    pub wdir: Option<String>,

    /// Run it every time
    #[arg(long)]
    pub always_changed: bool,

    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub desc: Option<String>,

    /// Run it at once
    #[arg(long)]
    pub run: bool,

    /// Replace a stage of the same name
    #[arg(short, long)]
    pub force: bool,

    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// List stages and what they write
///
/// Files that cannot be read are left out with a warning, unless they are asked for by name.
///
/// Examples:
///   dewar stage list
///   dewar stage list --all --name-only
///   dewar stage list -R models --json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct StageListArgs {
    /// Stages, `dvc.yaml` and `.dvc` files or, with `-R`, folders; without any, `dvc.yaml` of this folder
    pub targets: Vec<String>,

    /// Those of every `dvc.yaml` and `.dvc` file of the project
    #[arg(long, conflicts_with = "targets")]
    pub all: bool,

    /// Look into folders
    #[arg(short = 'R', long, requires = "targets")]
    pub recursive: bool,

    /// Print names alone
    #[arg(long, visible_alias = "names-only", conflicts_with = "json")]
    pub name_only: bool,

    /// Print JSON: a list with the file, name, command, dependencies and outputs of each stage
    #[arg(long)]
    pub json: bool,

    /// Stop at the first file that cannot be read
    #[arg(long)]
    pub fail: bool,
}

/// Leave stages as they are, whatever changes before them
///
/// Writes `frozen: true` to the stage in `dvc.yaml`, or to the `.dvc` file; the rest of the file stays as it is. A group
/// (`foreach`, `matrix`) is frozen as a whole.
///
/// Examples:
///   dewar freeze prepare
///   dewar freeze sub/dvc.yaml:train data.csv.dvc
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct FreezeArgs {
    /// Stages, groups of stages, and `.dvc` files
    #[arg(required = true)]
    pub targets: Vec<String>,
}

/// Bring frozen stages up to date again, as others are
///
/// Example: `dewar unfreeze prepare`
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct UnfreezeArgs {
    /// Stages, groups of stages, and `.dvc` files
    #[arg(required = true)]
    pub targets: Vec<String>,
}

/// Take stages out of the project, or stop tracking data
///
/// Removes the stage from `dvc.yaml` with the comments that are about it, what `dvc.lock` remembers of it, and its lines in
/// `.gitignore`; or the `.dvc` file. When one target cannot be removed, none is. The outputs stay, unless `--outs` is
/// given; what the cache has of them stays there.
///
/// Examples:
///   dewar remove train
///   dewar remove data.csv.dvc --outs
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct RemoveArgs {
    /// Stages, groups of stages, `dvc.yaml` and `.dvc` files
    #[arg(required = true)]
    pub targets: Vec<String>,

    /// Remove their outputs, too
    #[arg(long)]
    pub outs: bool,
}
