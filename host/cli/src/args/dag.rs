//! `dag`.

use clap::Args;

/// Draw which stage needs which
///
/// Boxes, from what is needed down to what needs it; in a terminal that is too narrow for them, a list. A target is drawn
/// with all that it needs.
///
/// Examples:
///   dewar dag
///   dewar dag train --outs
///   dewar dag --md >> README.md
///   dewar dag --dot | dot -Tsvg > dag.svg
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct DagArgs {
    /// A stage, a `dvc.yaml` or `.dvc` file, or an output; without it, the whole project
    pub target: Option<String>,

    /// Draw all that the target is connected with, not only what it needs
    #[arg(long)]
    pub full: bool,

    /// Draw outputs in place of stages
    #[arg(short, long, conflicts_with = "collapse_foreach_matrix")]
    pub outs: bool,

    /// Draw the stages of each `foreach` or `matrix` as one
    #[arg(long)]
    pub collapse_foreach_matrix: bool,

    /// Print it for Graphviz
    #[arg(long, conflicts_with_all = ["mermaid", "md"], help_heading = "Formats")]
    pub dot: bool,

    /// Print it for Mermaid
    #[arg(long, help_heading = "Formats")]
    pub mermaid: bool,

    /// Print it for Mermaid in a fence, to paste into Markdown
    #[arg(long, help_heading = "Formats")]
    pub md: bool,
}
