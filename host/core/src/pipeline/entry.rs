//! [`Entry`]: what stands in a file for a stage, or for all stages of a group: what commands that change stages edit.

use dewar_text::{Node, Step, yaml};

use super::load::{Pipeline, StageId};
use super::{PipelineError, schema};
use crate::path::RepoPath;
use crate::source::Source;

/// What stands in a file for stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The file.
    pub file: RepoPath,
    /// The key below `stages` of a `dvc.yaml`; none for a `.dvc` file, which is one stage as a whole.
    pub name: Option<String>,
    /// The stages that it makes: one, or those of its `foreach` or `matrix`.
    pub stages: Vec<StageId>,
}

impl Entry {
    /// The entries that make `stages`, in order of first mention.
    ///
    /// # Errors
    /// When some stages of a group are among them and others are not: these have no entry of their own.
    pub fn of(pipeline: &Pipeline, stages: &[StageId]) -> Result<Vec<Self>, PipelineError> {
        let mut entries: Vec<Self> = Vec::new();
        for id in stages {
            if entries.iter().any(|entry| entry.stages.contains(id)) {
                continue;
            }
            let entry = Self::around(pipeline, *id)?;
            if let (Some(group), Some(_)) = (&entry.name, entry.stages.iter().find(|member| !stages.contains(member))) {
                return Err(PipelineError::PartOfGroup {
                    member: pipeline.stage(*id).address.name.clone().unwrap_or_default(),
                    group: group.clone(),
                    file: entry.file,
                });
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    fn around(pipeline: &Pipeline, id: StageId) -> Result<Self, PipelineError> {
        let stage = pipeline.stage(id);
        let file = stage.address.file.clone();
        let Some(definitions) = pipeline.files().get(&file) else {
            return Ok(Self { file, name: None, stages: vec![id] });
        };
        // The stages of a group all stand where the group stands.
        let beside = |other: &super::Stage| other.address.file == file && other.span == stage.span;
        let stages = pipeline.stages().filter(|(_, other)| beside(other)).map(|(id, _)| id).collect();
        let source = &definitions.source;
        let node = read(source)?;
        let named = node.get("stages").and_then(|stages| {
            let entries = schema::mapping(stages, "`stages`").ok()?;
            entries.iter().find(|entry| entry.key_span == stage.span).map(|entry| entry.key.clone())
        });
        // A stage that came in by a merge (`<<`) stands where the key is in the mapping that was merged.
        let name = named.or_else(|| stage.address.name.clone());
        Ok(Self { file, name, stages })
    }

    /// The path of the mapping that holds the keys of its stages (`cmd`, `frozen`, ...) in the text `source` of its file.
    ///
    /// # Errors
    /// When that is no YAML.
    pub(super) fn keys_in(&self, source: &Source) -> Result<Vec<Step>, PipelineError> {
        let Some(mut path) = self.path() else { return Ok(Vec::new()) };
        let node = read(source)?;
        let body = node.get("stages").zip(self.name.as_ref()).and_then(|(stages, name)| stages.get(name));
        if body.is_some_and(|body| body.get("foreach").is_some()) {
            path.push(Step::Field("do".into()));
        }
        Ok(path)
    }

    /// The path of its key in a `dvc.yaml`.
    pub(super) fn path(&self) -> Option<Vec<Step>> {
        let name = self.name.clone()?;
        Some(vec![Step::Field("stages".into()), Step::Field(name)])
    }
}

pub(super) fn read(source: &Source) -> Result<Node, PipelineError> {
    Ok(yaml::read(&source.text).map_err(|diagnostic| source.error(diagnostic))?)
}

/// The text of the file of an entry, as it was loaded.
pub(super) fn text_of<'a>(pipeline: &'a Pipeline, file: &RepoPath) -> Option<&'a Source> {
    let pipeline_file = pipeline.files().get(file).map(|file| &file.source);
    pipeline_file.or_else(|| pipeline.data_file(file).map(|data| &data.source))
}
