//! `exp save`, `exp rename` and `exp clean`.

use clap::Args;

/// Save the workspace as an experiment, without running anything
///
/// What is there is recorded as it is: outputs go into the cache, `dvc.lock` tells of them, and the
/// experiment has every change of a file that git tracks, the files of the pipeline, and what is
/// named behind `-I`. The workspace stays as it is.
///
/// Examples:
///   dewar exp save
///   dewar exp save -n by-hand -m "tuned in a notebook" -I notebook.ipynb
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ExpSaveArgs {
    /// Stages or `.dvc` files whose outputs are recorded; without any, all of the project
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,

    /// What the experiment is called; by default two words
    #[arg(short, long, value_name = "NAME")]
    pub name: Option<String>,

    /// Take the place of an experiment of that name; that one is kept, and can be brought back
    #[arg(short, long)]
    pub force: bool,

    /// What the commit of the experiment says
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,

    /// A file or folder that git does not track and the experiment is to have (may be given more than once)
    #[arg(short = 'I', long, value_name = "PATH")]
    pub include_untracked: Vec<String>,

    /// A target that is a folder means the stages of all `dvc.yaml` and `.dvc` files below it
    #[arg(short = 'R', long)]
    pub recursive: bool,

    /// Print JSON: `{"ref": COMMIT}`, as DVC does
    #[arg(long)]
    pub json: bool,
}

/// Rename an experiment
///
/// Its commits stay as they are. A workspace that goes on from its last checkpoint still does.
///
/// Examples:
///   dewar exp rename fuzzy-otter wide-layers
///   dewar exp rename --git-remote origin fuzzy-otter wide-layers
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ExpRenameArgs {
    /// Its name or its commit
    #[arg(value_name = "EXPERIMENT")]
    pub experiment: String,

    /// The new name
    #[arg(value_name = "NAME")]
    pub name: String,

    /// Rename it on a git remote (its name, its URL or its path); an experiment that is here keeps its name
    #[arg(short, long, value_name = "GIT_REMOTE")]
    pub git_remote: Option<String>,

    /// Take the place of an experiment of that name; here that one is kept, and can be brought back
    #[arg(short, long)]
    pub force: bool,
}

/// Remove what killed runs left
///
/// Removes the workspaces of experiments whose process was killed, inputs of tasks that are in the
/// queue no more, and files that were written half. What runs, waits, or has a result is not
/// touched.
///
/// Examples:
///   dewar exp clean --dry
///   dewar exp clean
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ExpCleanArgs {
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub dry: bool,
}
