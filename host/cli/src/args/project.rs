//! `init`, `status` and `demo`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

/// Make a folder of a git repository a project
///
/// Creates `.dvc/` and `.dvcignore` and stages them in git. A project that DVC made needs no `init`.
///
/// Example: `git init && dewar init`
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct InitArgs {
    /// Work without git; experiments need git, pipelines do not
    #[arg(long)]
    pub no_scm: bool,

    /// Make this folder a project inside a larger repository
    #[arg(long)]
    pub subdir: bool,

    /// Start anew where there is a project already; its cache and settings are removed
    #[arg(short, long)]
    pub force: bool,
}

/// Say what changed since the stages ran
///
/// Prints each stage with something changed, and what. `--explain` prints what a run would do with each stage, and
/// why. `--cloud` prints instead which data only the cache has (`new`), only the remote (`deleted`), or neither
/// (`missing`). With `--quiet` nothing is printed and the exit code is 1 when something changed.
///
/// Examples:
///   dewar status
///   dewar status train --with-deps
///   dewar status --explain
///   dewar status --cloud --all-branches
///   dewar status --json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct StatusArgs {
    /// Stages, groups of generated stages, `dvc.yaml` and `.dvc` files, or outputs; without any, the whole project
    pub targets: Vec<String>,

    /// Take folders as targets: all stages whose file is in them
    #[arg(short = 'R', long, requires = "targets")]
    pub recursive: bool,

    /// And the stages that those named need
    #[arg(short = 'd', long, requires = "targets")]
    pub with_deps: bool,

    /// Compare the cache with a remote
    #[arg(short, long, conflicts_with = "explain")]
    pub cloud: bool,

    /// With `--cloud`: which remote; without it, that of the output, or the default one
    #[arg(short, long, value_name = "REMOTE", requires = "cloud")]
    pub remote: Option<String>,

    /// With `--cloud`: how much is asked at once
    #[arg(short, long, value_name = "N", requires = "cloud")]
    pub jobs: Option<NonZeroUsize>,

    /// With `--cloud`: and what the last commit of every branch records
    #[arg(short = 'a', long, requires = "cloud")]
    pub all_branches: bool,

    /// With `--cloud`: and what tagged commits record
    #[arg(short = 'T', long, requires = "cloud")]
    pub all_tags: bool,

    /// With `--cloud`: and what any commit records that a branch or a tag leads to
    #[arg(short = 'A', long, requires = "cloud")]
    pub all_commits: bool,

    /// Say for each stage, and those that it needs, whether it would run and why: old and new values, commands, the
    /// files of a directory
    #[arg(long)]
    pub explain: bool,

    /// Print JSON in the shape that DVC prints; with `--explain`, in that of `dewar repro --json`
    #[arg(long)]
    pub json: bool,
}

/// Write a small project, run it, and compare a few experiments
///
/// The project learns to tell two kinds of measurements apart; it needs a shell and awk, and nothing else.
///
/// Example: `dewar demo /tmp/demo`
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct DemoArgs {
    /// Where to write it; must not exist, or be empty
    #[arg(default_value = "dewar-demo")]
    pub dir: PathBuf,
}
