//! `dag`.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::dag::{Dag, DagNode, Extent};
use dewar_core::graph::StageGraph;
use dewar_core::path::RepoPath;
use dewar_core::pipeline::Pipeline;
use dewar_core::pipeline::target::{self, Target, Targets};

use super::project::{Project, files};
use crate::args::dag::DagArgs;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::{Ui, dag};

/// Does what `dag` was told.
///
/// # Errors
/// When the pipeline is invalid, or the target is nothing of it.
pub fn run(args: &DagArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let from = project.repo.from();
    let pipeline = Pipeline::load(&files(&project), project.templates())?;
    let graph = StageGraph::build(&pipeline)?;
    let mut shown = match args.outs {
        true => Dag::of_outputs(&pipeline, from)?,
        false => Dag::of_stages(&pipeline, &graph, from),
    };
    if let Some(text) = &args.target {
        let asked = target::resolve(&pipeline, &Targets::Typed(project.typed(std::slice::from_ref(text))))?;
        let extent = if args.full { Extent::Connected } else { Extent::Upstream };
        shown = shown.around(|node| asked.iter().any(|asked| is_asked(asked, node)), extent);
    }
    if args.collapse_foreach_matrix {
        shown = shown.collapsed(&pipeline, from);
    }
    ui.print(&match args {
        DagArgs { dot: true, .. } => dag::dot(&shown),
        DagArgs { md: true, .. } => dag::markdown(&shown),
        DagArgs { mermaid: true, .. } => dag::mermaid(&shown),
        _ => drawn(&shown, ui),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Boxes where they can be read: a line that a terminal breaks is none. A file takes lines of any length.
fn drawn(shown: &Dag, ui: &Ui) -> String {
    let boxes = dag::boxes(shown);
    let (wanted, has) = (boxes.as_deref().map(dag::width), ui.columns());
    match (boxes, wanted, has) {
        (Some(boxes), Some(wanted), has) if has.is_none_or(|has| wanted <= has) => boxes,
        (_, Some(wanted), Some(has)) => {
            ui.note(&format!(
                "the boxes are {wanted} columns wide and this terminal has {has}: `dewar dag | less -S` shows them, \
                 `--collapse-foreach-matrix` or a target makes them fewer"
            ));
            dag::list(shown)
        }
        _ => {
            ui.note("there is too much for boxes: a target shows a part");
            dag::list(shown)
        }
    }
}

/// Whether a node is what a target names: a stage, or one of its outputs where these are shown.
fn is_asked(asked: &Target, node: &DagNode) -> bool {
    let touches = |(asked, shown): (&RepoPath, &RepoPath)| asked.touches(shown);
    node.stage == asked.stage && asked.output.as_ref().zip(node.output.as_ref()).is_none_or(touches)
}
