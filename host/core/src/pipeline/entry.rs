//! [`Entry`]: what stands in a file for a stage, or for all stages of a group: what commands that change stages edit.

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeMap, HashMap, HashSet};

use dewar_text::{Node, Span, Step, splice, yaml};
use indexmap::IndexMap;

use super::load::{Pipeline, StageId};
use super::{PipelineError, ProjectFiles, Stage, StageAddress, schema};
use crate::path::RepoPath;
use crate::source::Source;

/// What stands in a file for stages.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The file, and what stands in it.
    pub source: Source,
    /// The key below `stages` of a `dvc.yaml`; none for a `.dvc` file, which is one stage as a whole.
    pub name: Option<String>,
    /// The stages that it makes: one, or those of its `foreach` or `matrix`.
    pub stages: Vec<StageId>,
}

impl Entry {
    /// The entries of `files` that make `stages`, in order of first mention.
    ///
    /// # Errors
    /// When a file cannot be read, or when some stages of a group are among them and others are not: these have no entry of
    /// their own.
    pub fn of(files: &dyn ProjectFiles, pipeline: &Pipeline, stages: &[StageId]) -> Result<Vec<Self>, PipelineError> {
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
        let mut texts: HashMap<RepoPath, Text> = HashMap::new();
        let mut entries = Vec::with_capacity(members.len());
        for ((file, span), members) in members {
            let text = match texts.entry(file) {
                Slot::Occupied(text) => text.into_mut(),
                Slot::Vacant(slot) => {
                    let text = Text::read(files, slot.key())?;
                    slot.insert(text)
                }
            };
            // A stage that came in by a merge (`<<`) stands where its key is in the mapping that was merged.
            let own = members.first().and_then(|id| pipeline.stage(*id).address.name.clone());
            let name = own.map(|own| text.keys.get(&span).cloned().unwrap_or(own));
            let entry = Self { source: text.source.clone(), name, stages: members };
            if entry.stages.iter().any(|member| !asked.contains(member)) {
                return Err(entry.only_in_part(pipeline, &asked));
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    /// How users name it: as a stage, a group, or a `.dvc` file.
    #[must_use]
    pub fn address(&self) -> StageAddress {
        StageAddress { file: self.source.file.clone(), name: self.name.clone() }
    }

    fn only_in_part(self, pipeline: &Pipeline, asked: &HashSet<&StageId>) -> PipelineError {
        let member = self.stages.iter().find(|member| asked.contains(member));
        let member = member.and_then(|id| pipeline.stage(*id).address.name.clone()).unwrap_or_default();
        PipelineError::PartOfGroup { member, group: self.name.unwrap_or_default(), file: self.source.file }
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

/// A file of stages.
struct Text {
    source: Source,
    /// The keys below `stages`, by where they stand; none in a `.dvc` file.
    keys: HashMap<Span, String>,
}

impl Text {
    fn read(files: &dyn ProjectFiles, file: &RepoPath) -> Result<Self, PipelineError> {
        let source = Source::new(file.clone(), files.read(file)?.unwrap_or_default());
        let tree = read(&source)?;
        let stages = tree.get("stages").map(|stages| schema::mapping(stages, "`stages`"));
        let entries = stages.transpose().map_err(|diagnostic| source.error(diagnostic))?.unwrap_or_default();
        let keys = entries.iter().map(|entry| (entry.key_span, entry.key.clone())).collect();
        Ok(Self { source, keys })
    }
}

pub(super) fn read(source: &Source) -> Result<Node, PipelineError> {
    Ok(yaml::read(&source.text).map_err(|diagnostic| source.error(diagnostic))?)
}

/// The entries, file by file.
pub(super) fn by_file(entries: &[Entry]) -> BTreeMap<&RepoPath, (&Source, Vec<&Entry>)> {
    let mut files: BTreeMap<&RepoPath, (&Source, Vec<&Entry>)> = BTreeMap::new();
    for entry in entries {
        files.entry(&entry.source.file).or_insert((&entry.source, Vec::new())).1.push(entry);
    }
    files
}
