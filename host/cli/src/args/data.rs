//! `add` and `checkout`.

use clap::Args;

/// Put files or folders under the project's care
///
/// Moves the content to the cache, links it back, writes a `.dvc` file that names it, and tells git to ignore it.
///
/// Example: `dewar add data/images`
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct AddArgs {
    /// Files or folders
    #[arg(required = true)]
    pub targets: Vec<String>,
}

/// Bring files to what `dvc.lock` and `.dvc` files say
///
/// Files come from the cache. A file with content that the cache does not have is left alone unless `--force` is
/// given.
///
/// Examples:
///   git switch main && dewar checkout
///   dewar checkout model.txt
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct CheckoutArgs {
    /// Stages, `dvc.yaml` and `.dvc` files, or outputs; without any, the whole project
    pub targets: Vec<String>,

    /// Print counts in place of names
    #[arg(long)]
    pub summary: bool,

    /// Replace files whose content would be lost
    #[arg(short, long)]
    pub force: bool,

    /// Link the files anew, as `cache.type` says
    #[arg(long)]
    pub relink: bool,

    /// Go on when the cache lacks something
    #[arg(long)]
    pub allow_missing: bool,
}
