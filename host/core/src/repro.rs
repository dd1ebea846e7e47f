//! What is to be run for what the user named: the stages, in order (walk, step 5). Shared by `repro` and `exp run`.

use dewar_text::Span;

use crate::graph::{GraphError, StageGraph};
use crate::pipeline::load::{Pipeline, StageId};
use crate::pipeline::target::{self, TargetError, Targets};
use crate::pipeline::{PipelineError, ProjectFiles, Stage, Templates};
use crate::source::Source;

/// Why nothing can be run.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// The pipeline is invalid.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A target names nothing.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Its stages make no graph.
    #[error("{error}")]
    Graph {
        /// Why.
        #[source]
        error: GraphError,
        /// The stage to look at first: its file, and where it stands there.
        place: Option<(Source, Span)>,
    },
}

/// Which stages beside the named ones are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// All that they need.
    Upstream,
    /// None: only the named ones, in the order they were named.
    Single,
    /// Those that need them, and nothing that they need.
    Downstream,
    /// All that is connected with them: whole pipelines.
    Connected,
}

/// The stages to run.
#[derive(Debug, Clone)]
pub struct Selection {
    /// All stages of the project.
    pub pipeline: Pipeline,
    /// Their graph; none when only single stages were asked for, since these run whatever the graph is.
    pub graph: Option<StageGraph>,
    /// Those to run, each after those it needs.
    pub order: Vec<StageId>,
}

/// Loads the project and selects what `targets` ask for.
///
/// # Errors
/// When the pipeline is invalid or a target names nothing.
pub fn select(
    files: &dyn ProjectFiles,
    templates: Templates<'_>,
    targets: &Targets<'_>,
    reach: Reach,
) -> Result<Selection, SelectError> {
    let pipeline = Pipeline::load(files, templates)?;
    let named = target::stages(&pipeline, targets)?;
    if reach == Reach::Single {
        return Ok(Selection { pipeline, graph: None, order: named });
    }
    let graph = graph(&pipeline, files)?;
    let order = match reach {
        Reach::Downstream => graph.downstream(&named),
        Reach::Connected => graph.connected(&pipeline, &named),
        Reach::Upstream | Reach::Single => graph.upstream_first(&pipeline, &named),
    };
    Ok(Selection { pipeline, graph: Some(graph), order })
}

/// The graph of all stages.
///
/// # Errors
/// When they make none; with the place of the stage to look at first.
pub fn graph(pipeline: &Pipeline, files: &dyn ProjectFiles) -> Result<StageGraph, SelectError> {
    StageGraph::build(pipeline).or_else(|error| {
        let stage = error.stage().and_then(|stage| pipeline.find(stage)).map(|id| pipeline.stage(id));
        let place = stage.map(|stage| place(stage, files)).transpose()?;
        Err(SelectError::Graph { error, place })
    })
}

/// The file of a stage, and where the stage stands in it.
///
/// # Errors
/// When the file cannot be read.
pub fn place(stage: &Stage, files: &dyn ProjectFiles) -> Result<(Source, Span), PipelineError> {
    let file = stage.address.file.clone();
    let text = files.read(&file)?.unwrap_or_default();
    Ok((Source::new(file, text), stage.span))
}
