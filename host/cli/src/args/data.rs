//! `add`, `commit`, `checkout` and `gc`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{ArgGroup, Args};

/// Put files or folders under the project's care
///
/// Moves the content to the cache, links it back, writes a `.dvc` file that names it, and tells git to ignore it. What
/// is added again is recorded as it is now. A file inside a folder that was added is recorded in that folder's `.dvc`
/// file.
///
/// Examples:
///   dewar add data/images
///   dewar add --glob 'data/*.csv'
///   dewar add /mnt/archive/raw --out data/raw
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct AddArgs {
    /// Files or folders
    #[arg(required = true)]
    pub targets: Vec<String>,

    /// Take targets as patterns: `*`, `?`, `[a-z]`, and `**` for any folders
    #[arg(long, conflicts_with = "out")]
    pub glob: bool,

    /// Copy the one target, which may be anywhere on this machine, to PATH and add it there
    #[arg(short, long, value_name = "PATH")]
    pub out: Option<String>,

    /// With `--out`: replace what is at PATH
    #[arg(short, long)]
    pub force: bool,

    /// Only record the content, and keep nothing of it in the cache; `dewar commit` does that later
    #[arg(long, conflicts_with = "out")]
    pub no_commit: bool,

    /// Leave the files as they are, and do not link them to the cache
    #[arg(long)]
    pub no_relink: bool,

    /// Not there yet: send the content to a remote in place of the cache
    #[arg(long)]
    pub to_remote: bool,

    /// Not there yet: which remote `--to-remote` sends to
    #[arg(short, long, value_name = "NAME", requires = "to_remote")]
    pub remote: Option<String>,

    /// Not there yet: how much `--to-remote` sends at once
    #[arg(short, long, visible_alias = "remote-jobs", value_name = "N", requires = "to_remote")]
    pub jobs: Option<usize>,
}

/// Record outputs as they are, without running anything
///
/// Hashes the outputs and what they were made of, puts the outputs into the cache and writes `dvc.lock` and `.dvc`
/// files: for what was run with `--no-commit`, edited by hand, or changed in a way that needs no new run. Where
/// something is not as it was recorded, you are asked; without a terminal, `--force` says yes.
///
/// Examples:
///   dewar repro --no-commit && dewar commit
///   dewar commit --force train
///   dewar commit data/images.dvc
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct CommitArgs {
    /// Stages, `dvc.yaml` and `.dvc` files, or outputs; without any, the whole project
    pub targets: Vec<String>,

    /// Record what changed without asking
    #[arg(short, long)]
    pub force: bool,

    /// And the stages that those named need
    #[arg(short = 'd', long)]
    pub with_deps: bool,

    /// Take folders as targets: all stages whose file is in them
    #[arg(short = 'R', long, requires = "targets")]
    pub recursive: bool,

    /// Leave the files as they are, and do not link them to the cache
    #[arg(long)]
    pub no_relink: bool,
}

/// Bring files to what `dvc.lock` and `.dvc` files say
///
/// Files come from the cache. Nothing is changed when a file would be lost whose content the cache does not have: all
/// of them are listed, and `--force` replaces them. What the cache lacks is named, and the rest is brought.
///
/// Examples:
///   git switch main && dewar checkout
///   dewar checkout model.txt data/images/cats
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct CheckoutArgs {
    /// Stages, `dvc.yaml` and `.dvc` files, outputs or paths inside of them; without any, the whole project
    pub targets: Vec<String>,

    /// Print counts in place of names
    #[arg(long)]
    pub summary: bool,

    /// And the stages that those named need
    #[arg(short = 'd', long)]
    pub with_deps: bool,

    /// Take folders as targets: all stages whose file is in them
    #[arg(short = 'R', long, requires = "targets")]
    pub recursive: bool,

    /// Replace files whose content would be lost
    #[arg(short, long)]
    pub force: bool,

    /// Link the files anew, as `cache.type` says
    #[arg(long)]
    pub relink: bool,

    /// Go on when the cache lacks something, and call it a success
    #[arg(long)]
    pub allow_missing: bool,

    /// Print JSON: the paths that were `added`, `modified` and `deleted`, and those `missing` in the cache
    #[arg(long, conflicts_with = "summary")]
    pub json: bool,
}

/// Remove from the cache what nobody needs
///
/// What the workspace uses always stays; the flags say what else does. Remembered runs whose results go are forgotten,
/// and what killed processes left half-written is removed. Nothing is removed while another command uses the cache.
/// You are asked first; without a terminal, `--force` says yes.
///
/// Examples:
///   dewar gc --workspace --dry
///   dewar gc --all-branches --all-tags --all-experiments
///   dewar gc --all-commits --projects ../other-project
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[command(group = ArgGroup::new("scope").required(true).multiple(true)
    .args(["workspace", "rev", "all_branches", "all_tags", "all_commits", "date", "all_experiments"]))]
pub struct GcArgs {
    /// Keep only what the workspace uses
    #[arg(short, long, help_heading = "What stays")]
    pub workspace: bool,

    /// Keep what a commit uses (may be given more than once)
    #[arg(long, value_name = "COMMIT", help_heading = "What stays")]
    pub rev: Vec<String>,

    /// With `--rev` or `--all-branches`: and the commits before, N of each together; a negative number for all
    #[arg(short, long, value_name = "N", allow_negative_numbers = true, help_heading = "What stays")]
    pub num: Option<i64>,

    /// Keep what the last commit of every branch uses
    #[arg(short = 'a', long, help_heading = "What stays")]
    pub all_branches: bool,

    /// Keep what tagged commits use
    #[arg(short = 'T', long, help_heading = "What stays")]
    pub all_tags: bool,

    /// Keep what any commit uses that a branch, a tag or a stash leads to
    #[arg(short = 'A', long, help_heading = "What stays")]
    pub all_commits: bool,

    /// Keep what commits use that were made on this day or later
    #[arg(long, value_name = "YYYY-MM-DD", help_heading = "What stays")]
    pub date: Option<String>,

    /// Keep what experiments use
    #[arg(long, help_heading = "What stays")]
    pub all_experiments: bool,

    /// Keep what other projects use that share the cache; by the flags above, for each of them
    #[arg(short, long, value_name = "DIR", num_args = 1.., help_heading = "What stays")]
    pub projects: Vec<PathBuf>,

    /// Not there yet: keep what no remote has
    #[arg(long)]
    pub not_in_remote: bool,

    /// Not there yet: remove from a remote, too
    #[arg(short, long)]
    pub cloud: bool,

    /// Not there yet: which remote
    #[arg(short, long, value_name = "NAME")]
    pub remote: Option<String>,

    /// Pass by commits that cannot be read; what only they use is removed
    #[arg(long)]
    pub skip_failed: bool,

    /// Remove without asking
    #[arg(short, long)]
    pub force: bool,

    /// How many threads to use
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,

    /// Print what would be removed, and remove nothing
    #[arg(long)]
    pub dry: bool,
}
