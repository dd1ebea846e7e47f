//! [`PipelineFile`]: what a `dvc.yaml` says, with its templates resolved, checked against its schema at the top level.

use std::path::Path;

use dewar_text::{Diagnostic, Node, yaml};
use serde::{Deserialize, Serialize};

use super::template::{self, TemplateParams, Templates};
use super::{PipelineError, ProjectFiles, Stage, build, schema};
use crate::path::RepoPath;
use crate::source::Source;

/// What a `dvc.yaml` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PipelineFile {
    /// Its stages, in order.
    pub stages: Vec<Stage>,
    /// And the rest.
    pub declared: Declared,
}

/// What a `dvc.yaml` says beside its stages.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Declared {
    /// Extra parameter files.
    pub params: Vec<RepoPath>,
    /// Extra metrics files.
    pub metrics: Vec<RepoPath>,
    /// Data files of plots that are named without a stage.
    pub plots: Vec<RepoPath>,
    /// What its templates took of parameter files.
    pub taken: TemplateParams,
}

/// What may stand at the top of a `dvc.yaml` (DVC 3.67's schema).
const TOP: &[&str] = &["stages", "vars", "params", "metrics", "plots", "artifacts", "datasets"];

impl PipelineFile {
    /// Reads a `dvc.yaml`; its templates may name values of other `files`.
    ///
    /// # Errors
    /// When the text is no YAML, or not what a pipeline may hold, or a template cannot be resolved.
    pub fn parse(source: &Source, files: &dyn ProjectFiles, templates: Templates<'_>) -> Result<Self, PipelineError> {
        let error = |diagnostic| source.error(diagnostic);
        let node = yaml::read(&source.text).map_err(error)?;
        schema::only(schema::mapping(&node, "a pipeline").map_err(error)?, TOP, "a pipeline").map_err(error)?;
        let (node, taken) = template::resolve(source, node, files, templates)?;
        Ok(Self::from_node(&source.file, files.root(), &node, taken).map_err(error)?)
    }

    fn from_node(file: &RepoPath, root: &Path, node: &Node, taken: TemplateParams) -> Result<Self, Diagnostic> {
        let top = schema::mapping(node, "a pipeline")?;
        let folder = &file.parent().unwrap_or_default();
        let mut stages = Vec::new();
        if let Some(node) = schema::get(top, "stages") {
            for entry in schema::mapping(node, "`stages`")? {
                stages.push(build::stage(file, root, entry)?);
            }
        }
        let files = |key: &str| match schema::get(top, key) {
            Some(node) => files(node, key, folder),
            None => Ok(Vec::new()),
        };
        let declared =
            Declared { params: files("params")?, metrics: files("metrics")?, plots: plots(top, folder)?, taken };
        Ok(Self { stages, declared })
    }
}

fn files(node: &Node, key: &str, folder: &RepoPath) -> Result<Vec<RepoPath>, Diagnostic> {
    schema::list(node, &format!("`{key}`"))?
        .iter()
        .map(|item| {
            let text = schema::text(item, &format!("a file of `{key}`"))?;
            folder.join(text).map_err(|error| Diagnostic::error("outside", error.to_string()).at(item.span))
        })
        .collect()
}

/// The plots: `[file]`, `[{id: definition}]`, or the older `{file: definition}`. Only the files matter to dewar.
fn plots(top: &[dewar_text::Entry], folder: &RepoPath) -> Result<Vec<RepoPath>, Diagnostic> {
    use dewar_text::NodeKind;
    let Some(node) = schema::get(top, "plots") else { return Ok(Vec::new()) };
    let mut names: Vec<&str> = Vec::new();
    match &node.kind {
        NodeKind::Map(entries) => names.extend(entries.iter().map(|entry| entry.key.as_str())),
        _ => {
            for item in schema::list(node, "`plots`")? {
                match &item.kind {
                    NodeKind::Map(entries) => names.extend(entries.iter().map(|entry| entry.key.as_str())),
                    _ => names.push(schema::text(item, "a plot")?),
                }
            }
        }
    }
    // An identifier need not be a path; one that could be none names no file.
    Ok(names.into_iter().filter_map(|name| folder.join(name).ok()).collect())
}
