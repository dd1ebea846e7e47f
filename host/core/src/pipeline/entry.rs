//! [`Entry`]: what stands in a file for a stage, or for all stages of a group: what commands that change stages edit.

use std::collections::{HashMap, HashSet};

use dewar_text::{Node, Span, Step, splice, yaml};
use indexmap::IndexMap;

use super::load::{Pipeline, StageId};
use super::{PipelineError, Stage, schema};
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
        // The stages of a group all stand where the group stands.
        let place = |stage: &Stage| (stage.address.file.clone(), stage.span);
        let mut members: IndexMap<(RepoPath, Span), Vec<StageId>> =
            stages.iter().map(|id| (place(pipeline.stage(*id)), Vec::new())).collect();
        for (id, stage) in pipeline.stages() {
            if let Some(members) = members.get_mut(&place(stage)) {
                members.push(id);
            }
        }
        let asked: HashSet<&StageId> = stages.iter().collect();
        let mut keys: HashMap<RepoPath, HashMap<Span, String>> = HashMap::new();
        let mut entries = Vec::with_capacity(members.len());
        for ((file, span), members) in members {
            if let Some(definitions) = pipeline.files().get(&file).filter(|_| !keys.contains_key(&file)) {
                keys.insert(file.clone(), keys_of(&definitions.source)?);
            }
            let named = keys.get(&file).and_then(|keys| keys.get(&span)).cloned();
            // A stage that came in by a merge (`<<`) stands where its key is in the mapping that was merged.
            let first = members.first().and_then(|id| pipeline.stage(*id).address.name.clone());
            let entry = Self { name: first.and_then(|own| named.or(Some(own))), file, stages: members };
            if entry.stages.iter().any(|member| !asked.contains(member)) {
                return Err(entry.only_in_part(pipeline, &asked));
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    fn only_in_part(self, pipeline: &Pipeline, asked: &HashSet<&StageId>) -> PipelineError {
        let member = self.stages.iter().find(|member| asked.contains(member));
        let member = member.and_then(|id| pipeline.stage(*id).address.name.clone()).unwrap_or_default();
        PipelineError::PartOfGroup { member, group: self.name.unwrap_or_default(), file: self.file }
    }

    /// The path of the mapping that holds the keys of its stages (`cmd`, `frozen`, ...) in the tree of its file.
    pub(super) fn keys_in(&self, tree: &Node) -> Vec<Step> {
        let mut path = self.path().unwrap_or_default();
        if splice::find(tree, &path).is_some_and(|body| self.name.is_some() && body.get("foreach").is_some()) {
            path.push(Step::Field("do".into()));
        }
        path
    }

    /// The path of its key in a `dvc.yaml`.
    pub(super) fn path(&self) -> Option<Vec<Step>> {
        let name = self.name.clone()?;
        Some(vec![Step::Field("stages".into()), Step::Field(name)])
    }
}

/// The keys below `stages`, by where they stand.
fn keys_of(source: &Source) -> Result<HashMap<Span, String>, PipelineError> {
    let tree = read(source)?;
    let stages = tree.get("stages").map(|stages| schema::mapping(stages, "`stages`"));
    let entries = stages.transpose().map_err(|diagnostic| source.error(diagnostic))?.unwrap_or_default();
    Ok(entries.iter().map(|entry| (entry.key_span, entry.key.clone())).collect())
}

pub(super) fn read(source: &Source) -> Result<Node, PipelineError> {
    Ok(yaml::read(&source.text).map_err(|diagnostic| source.error(diagnostic))?)
}

/// The text of the file of an entry, as it was loaded.
pub(super) fn text_of<'a>(pipeline: &'a Pipeline, file: &RepoPath) -> Option<&'a Source> {
    let pipeline_file = pipeline.files().get(file).map(|file| &file.source);
    pipeline_file.or_else(|| pipeline.data_file(file).map(|data| &data.source))
}
