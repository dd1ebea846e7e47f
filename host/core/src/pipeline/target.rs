//! What the user names on the command line: stages, files of stages, folders, outputs.
//!
//! Every command that takes targets resolves them here, so that a text means the same to all of them.

mod error;

use std::collections::HashSet;
use std::path::Path;

use super::files::is_pipeline_file;
use super::load::{Pipeline, StageId};
use super::stage::{LOCK_FILE, PIPELINE_FILE, Stage, StageAddress};
use crate::fnmatch::Pattern;
use crate::path::{PathError, RepoPath};

pub use error::TargetError;

/// Which stages are meant.
#[derive(Debug, Clone, Copy)]
pub enum Targets<'a> {
    /// Those of the whole project.
    All,
    /// Those that were typed.
    Typed(Typed<'a>),
}

/// Targets as they were typed, and how they are to be read.
#[derive(Debug, Clone, Copy)]
pub struct Typed<'a> {
    /// The texts. None of them means the `dvc.yaml` of the folder.
    pub texts: &'a [String],
    /// The root of the project, which absolute paths must be below.
    pub root: &'a Path,
    /// The folder they were typed in.
    pub from: &'a RepoPath,
    /// What a folder means.
    pub folders: Folders,
    /// What the name of a stage may be.
    pub names: Names,
}

/// What a folder means as a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Folders {
    /// Nothing: it is refused.
    #[default]
    Refused,
    /// All stages whose file is in it, at any depth (`-R`).
    Searched,
}

/// How the names of stages are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Names {
    /// As they are.
    #[default]
    Exact,
    /// As patterns of Python's `fnmatch` (`--glob`): `*`, `?`, `[a-z]`, `[!a-z]`. Paths are no patterns.
    Patterns,
}

/// A stage that a target names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The stage.
    pub stage: StageId,
    /// Its output, or a path inside of it, when that is what was named.
    pub output: Option<RepoPath>,
}

/// Each stage that is meant, once, in the order in which it was named. Never none, unless nothing is there to be named.
///
/// # Errors
/// When a target names nothing.
pub fn stages(pipeline: &Pipeline, targets: &Targets<'_>) -> Result<Vec<StageId>, TargetError> {
    let mut seen = HashSet::new();
    let named = resolve(pipeline, targets)?.into_iter().map(|target| target.stage);
    Ok(named.filter(|stage| seen.insert(*stage)).collect())
}

/// What is meant, each once, in the order in which it was named. A text is read as the first of these that there is:
///
/// 1. a folder, where folders are searched: all stages whose `dvc.yaml` or `.dvc` file is in it;
/// 2. a file: `sub/dvc.yaml`, `data.dvc`;
/// 3. a stage of a file: `sub/dvc.yaml:train`, or a group of generated ones: `sub/dvc.yaml:train`, `train` being before the `@`;
/// 4. a stage or group of the `dvc.yaml` of the folder: `train`, `train@a`;
/// 5. an output, or a path inside of one: the stage that writes it.
///
/// # Errors
/// When a text is none of them.
pub fn resolve(pipeline: &Pipeline, targets: &Targets<'_>) -> Result<Vec<Target>, TargetError> {
    let typed = match targets {
        Targets::All => return Ok(pipeline.stages().map(|(id, _)| Target::stage(id)).collect()),
        Targets::Typed(typed) => typed,
    };
    let reader = Reader { pipeline, typed };
    if typed.texts.is_empty() {
        return reader.here().map(|ids| ids.into_iter().map(Target::stage).collect());
    }
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for text in typed.texts {
        found.extend(reader.read(text)?.into_iter().filter(|target| seen.insert(target.clone())));
    }
    Ok(found)
}

impl Target {
    const fn stage(stage: StageId) -> Self {
        Self { stage, output: None }
    }
}

struct Reader<'a> {
    pipeline: &'a Pipeline,
    typed: &'a Typed<'a>,
}

impl<'a> Reader<'a> {
    fn read(&self, text: &str) -> Result<Vec<Target>, TargetError> {
        let named = |ids: Vec<StageId>| ids.into_iter().map(Target::stage).collect();
        if self.typed.folders == Folders::Searched {
            let ids = self.path(text).map(|folder| self.within(&folder)).unwrap_or_default();
            if !ids.is_empty() {
                return Ok(named(ids));
            }
        }
        if is_file(text) {
            return self.file(text).map(named);
        }
        if let Some((file, name)) = text.rsplit_once(':')
            && !name.is_empty()
            && (file.is_empty() || is_file(file))
        {
            let file = self.path(if file.is_empty() { PIPELINE_FILE } else { file })?;
            let ids = self.called(&file, name)?;
            return if ids.is_empty() { Err(self.no_stage(file, name)) } else { Ok(named(ids)) };
        }
        let ids = self.here_file().map(|file| self.called(&file, text)).transpose()?.unwrap_or_default();
        if ids.is_empty() { self.output(text) } else { Ok(named(ids)) }
    }

    /// All stages of the `dvc.yaml` of the folder.
    fn here(&self) -> Result<Vec<StageId>, TargetError> {
        let file = self.path(PIPELINE_FILE)?;
        if self.pipeline.files().contains_key(&file) {
            return Ok(self.in_file(&file).map(|(id, _)| id).collect());
        }
        let mut files: Vec<&RepoPath> = self.pipeline.files().keys().collect();
        // The nearest first: those above, then those below, each with few folders between.
        files.sort_by_key(|file| {
            let typed = file.relative_to(self.typed.from);
            (typed.matches("..").count(), typed.matches('/').count())
        });
        let others = files.into_iter().map(|file| file.relative_to(self.typed.from)).collect();
        Err(TargetError::NoPipelineHere { file, others })
    }

    fn file(&self, text: &str) -> Result<Vec<StageId>, TargetError> {
        let file = self.path(text)?;
        if !self.pipeline.files().contains_key(&file) && self.pipeline.data_file(&file).is_none() {
            return Err(self.no_file(file));
        }
        Ok(self.in_file(&file).map(|(id, _)| id).collect())
    }

    /// The stages of `file` that `name` is the name, the group or a pattern of.
    fn called(&self, file: &RepoPath, name: &str) -> Result<Vec<StageId>, TargetError> {
        if !self.pipeline.files().contains_key(file) {
            return Err(self.no_file(file.clone()));
        }
        if let Some(id) = self.pipeline.find(&StageAddress { file: file.clone(), name: Some(name.to_owned()) }) {
            return Ok(vec![id]);
        }
        let in_group = |stage: &str| stage.strip_prefix(name).is_some_and(|rest| rest.starts_with('@'));
        let group: Vec<StageId> = self.in_file(file).filter(|(_, stage)| in_group(stage)).map(|(id, _)| id).collect();
        if !group.is_empty() || self.typed.names == Names::Exact {
            return Ok(group);
        }
        let pattern = Pattern::new(name);
        Ok(self.in_file(file).filter(|(_, stage)| pattern.matches(stage)).map(|(id, _)| id).collect())
    }

    /// The stage that writes the path, or a directory around it.
    fn output(&self, text: &str) -> Result<Vec<Target>, TargetError> {
        let path = self.path(text)?;
        let writes = |stage: &Stage| stage.outs.iter().any(|out| path.is_within(&out.path));
        let writers = self.pipeline.stages().filter(|(_, stage)| writes(stage));
        let found: Vec<Target> = writers.map(|(stage, _)| Target { stage, output: Some(path.clone()) }).collect();
        if found.is_empty() { Err(self.unknown(text, path)) } else { Ok(found) }
    }

    fn here_file(&self) -> Option<RepoPath> {
        self.path(PIPELINE_FILE).ok().filter(|file| self.pipeline.files().contains_key(file))
    }

    fn within(&self, folder: &RepoPath) -> Vec<StageId> {
        let is_inside = |stage: &Stage| stage.address.file.parent().is_some_and(|parent| parent.is_within(folder));
        self.pipeline.stages().filter(|(_, stage)| is_inside(stage)).map(|(id, _)| id).collect()
    }

    /// The stages of a file with their names; that of a `.dvc` file has none.
    fn in_file(&self, file: &'a RepoPath) -> impl Iterator<Item = (StageId, &'a str)> {
        let of_file = self.pipeline.stages().filter(move |(_, stage)| stage.address.file == *file);
        of_file.map(|(id, stage)| (id, stage.address.name.as_deref().unwrap_or_default()))
    }

    fn path(&self, text: &str) -> Result<RepoPath, PathError> {
        RepoPath::typed(self.typed.root, self.typed.from, text)
    }
}

fn is_file(text: &str) -> bool {
    let name = text.rsplit('/').next().unwrap_or(text);
    is_pipeline_file(name) || name == LOCK_FILE
}

#[cfg(test)]
mod tests;
