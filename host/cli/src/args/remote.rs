//! `push`, `pull`, `fetch` and `remote`.

use std::num::NonZeroUsize;

use clap::{Args, Subcommand};

use super::config::LevelArgs;

/// Send data to a remote
///
/// Sends what `dvc.lock` and `.dvc` files record, from the cache; what the remote has already is not sent again. Outputs
/// with `push: false` stay here. Each file is verified as it goes, and a directory counts as sent when all of it is.
/// What is missing or damaged is named at the end, and the rest is sent. What was interrupted is gone on with by the
/// next push.
///
/// Examples:
///   dewar push
///   dewar push --remote backup train data/images.dvc
///   dewar push --all-branches --all-tags
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct PushArgs {
    /// Which data.
    #[command(flatten)]
    pub which: WhichArgs,

    /// Take targets as patterns of stages and outputs: `*`, `?`, `[a-z]`, and `**` for any folders
    #[arg(long)]
    pub glob: bool,

    /// Print JSON: how many `objects`, `bytes` and `runs` went, the paths `missing` and `damaged`, and how many were `left`
    #[arg(long)]
    pub json: bool,
}

/// Get data from a remote into the cache
///
/// Gets what `dvc.lock` and `.dvc` files record and the cache lacks. Each file is verified as it comes. Files of the
/// workspace stay as they are: `dewar pull` changes them, too, and `dewar checkout` does only that.
///
/// Examples:
///   dewar fetch
///   dewar fetch --all-commits
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct FetchArgs {
    /// Which data.
    #[command(flatten)]
    pub which: WhichArgs,

    /// Print JSON: how many `objects`, `bytes` and `runs` came, the paths `missing` and `damaged`, and how many were `left`
    #[arg(long)]
    pub json: bool,
}

/// Get data from a remote into the workspace
///
/// What `dewar fetch` does and then `dewar checkout`. Nothing is changed in the workspace when a file would be lost whose
/// content the cache does not have; `--force` replaces it.
///
/// Examples:
///   git pull && dewar pull
///   dewar pull data/images/cats
///   dewar pull --run-cache && dewar repro
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct PullArgs {
    /// Which data.
    #[command(flatten)]
    pub which: WhichArgs,

    /// Replace files whose content would be lost
    #[arg(short, long)]
    pub force: bool,

    /// Go on when neither the cache nor the remote has something, and call it a success
    #[arg(long)]
    pub allow_missing: bool,

    /// Print JSON: what was `fetched`, as `dewar fetch` prints it, and `checked_out`, as `dewar checkout` does
    #[arg(long)]
    pub json: bool,
}

/// Which data goes or comes, and how.
#[derive(Debug, Args)]
pub struct WhichArgs {
    /// Stages, `dvc.yaml` and `.dvc` files, outputs or paths inside of them; without any, the whole project
    pub targets: Vec<String>,

    /// Which remote; without it, that of the output, or the default one
    #[arg(short, long, value_name = "REMOTE")]
    pub remote: Option<String>,

    /// How many files at once, at most 256; without it, what the remote's `jobs` says, or 4 a processor
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,

    /// And the stages that those named need
    #[arg(short = 'd', long)]
    pub with_deps: bool,

    /// Take folders as targets: all stages whose file is in them
    #[arg(short = 'R', long, requires = "targets")]
    pub recursive: bool,

    /// And what the last commit of every branch records
    #[arg(short = 'a', long)]
    pub all_branches: bool,

    /// And what tagged commits record
    #[arg(short = 'T', long)]
    pub all_tags: bool,

    /// And what any commit records that a branch or a tag leads to
    #[arg(short = 'A', long)]
    pub all_commits: bool,

    /// And remembered runs, so that a stage that ran there need not run here; a run goes when all that came out of it is there
    #[arg(long, overrides_with = "no_run_cache")]
    pub run_cache: bool,

    /// Without remembered runs, which is the default
    #[arg(long)]
    pub no_run_cache: bool,
}

/// Say where data is kept beside the cache
///
/// A remote is a folder, often on a disk that several machines mount: `dewar push` sends data there, `dewar pull` gets
/// it. It is a section of DVC's settings; see `dewar config` for the files. Other kinds that DVC knows can be named
/// here, and only DVC can use them.
///
/// Examples:
///   dewar remote add --default store /mnt/store
///   dewar remote list
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct RemoteArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: RemoteCommand,
}

/// What can be done to remotes.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the manual of a command is that of its arguments")]
pub enum RemoteCommand {
    Add(RemoteAddArgs),
    List(RemoteListArgs),
    Default(RemoteDefaultArgs),
    Modify(RemoteModifyArgs),
    #[command(visible_alias = "rm")]
    Remove(RemoteRemoveArgs),
    Rename(RemoteRenameArgs),
}

/// Add a remote
///
/// A relative folder is meant from where you are; in the file it is written as seen from there, so that it holds for
/// everybody who has the same folders beside the project. The folder is made by the first push.
///
/// Examples:
///   dewar remote add --default store ../store
///   dewar remote add --local mine /home/ada/store
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct RemoteAddArgs {
    /// Its name
    pub name: String,

    /// Its folder, or a URL
    pub url: String,

    /// Make it the default one
    #[arg(short, long)]
    pub default: bool,

    /// Replace one of the same name, with all its options
    #[arg(short, long)]
    pub force: bool,

    /// Where settings are changed.
    #[command(flatten)]
    pub level: LevelArgs,
}

/// List remotes
///
/// Example: `dewar remote list`
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct RemoteListArgs {
    /// Print JSON: a list of `{"name", "url", "default"}`
    #[arg(long)]
    pub json: bool,

    /// Where settings are read.
    #[command(flatten)]
    pub level: LevelArgs,
}

/// Print or name the default remote
///
/// Examples:
///   dewar remote default
///   dewar remote default store
///   dewar remote default --unset
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct RemoteDefaultArgs {
    /// The remote; without it, print which one it is
    #[arg(value_name = "REMOTE", conflicts_with = "unset")]
    pub name: Option<String>,

    /// Have none
    #[arg(short, long)]
    pub unset: bool,

    /// Where settings are read and changed.
    #[command(flatten)]
    pub level: LevelArgs,
}

/// Change an option of a remote
///
/// `url` is where it is, `jobs` how many files go at once, `shared group` lets the members of a group write to it.
///
/// Examples:
///   dewar remote modify store url /mnt/new
///   dewar remote modify --unset store jobs
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct RemoteModifyArgs {
    /// The remote
    #[arg(value_name = "REMOTE")]
    pub name: String,

    /// The option
    pub option: String,

    /// What to set it to
    #[arg(required_unless_present = "unset", conflicts_with = "unset")]
    pub value: Option<String>,

    /// Take the option away
    #[arg(short, long)]
    pub unset: bool,

    /// Where settings are changed.
    #[command(flatten)]
    pub level: LevelArgs,
}

/// Remove a remote from the settings
///
/// What is in it stays there. If it was the default one, there is none any more.
///
/// Example: `dewar remote remove store`
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct RemoteRemoveArgs {
    /// The remote
    #[arg(value_name = "REMOTE")]
    pub name: String,

    /// Where settings are changed.
    #[command(flatten)]
    pub level: LevelArgs,
}

/// Rename a remote, with its options
///
/// Example: `dewar remote rename store archive`
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct RemoteRenameArgs {
    /// What it is called
    #[arg(value_name = "REMOTE")]
    pub name: String,

    /// What it is to be called
    #[arg(value_name = "NAME")]
    pub new: String,

    /// Where settings are changed.
    #[command(flatten)]
    pub level: LevelArgs,
}
