//! [`Pipeline`]: all stages of a project and what their locks remember.

use std::collections::{BTreeMap, HashMap};

use dewar_text::Diagnostic;

use super::data_file::DataFile;
use super::definition::{Declared, PipelineFile};
use super::files::ProjectFiles;
use super::lock::{LockEntry, LockFile, LockedPath};
use super::memory;
use super::stage::{Stage, StageAddress};
use super::template::Templates;
use super::{PIPELINE_FILE, PipelineError};
use crate::digest::Algorithm;
use crate::path::RepoPath;
use crate::source::Source;

/// Dense number of a stage within one [`Pipeline`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StageId(pub u32);

/// All stages of a project, in order of file and of place in it.
#[derive(Debug, Clone, Default)]
pub struct Pipeline {
    stages: Vec<Stage>,
    by_address: HashMap<StageAddress, StageId>,
    files: BTreeMap<RepoPath, Declared>,
    /// By the path of their `dvc.yaml`.
    locks: BTreeMap<RepoPath, LockFile>,
    data_files: BTreeMap<RepoPath, DataFile>,
}

impl Pipeline {
    /// Loads every `dvc.yaml` and `.dvc` file of the project, with their locks; templates are resolved with `templates`.
    ///
    /// # Errors
    /// When one of them is invalid, or a file that its templates name.
    pub fn load(files: &dyn ProjectFiles, templates: Templates<'_>) -> Result<Self, PipelineError> {
        let pipeline = Self::load_files(files, templates, |_, error| Err(error))?;
        pipeline.refuse_outputs_around_files(files)?;
        Ok(pipeline)
    }

    /// The same without the files that are invalid, which are answered beside it: enough to list what there is, not to run it.
    ///
    /// # Errors
    /// When the project's files cannot be found.
    pub fn load_usable(
        files: &dyn ProjectFiles,
        templates: Templates<'_>,
    ) -> Result<(Self, BTreeMap<RepoPath, PipelineError>), PipelineError> {
        let mut unusable = BTreeMap::new();
        let pipeline = Self::load_files(files, templates, |file, error| {
            unusable.insert(file, error);
            Ok(())
        })?;
        Ok((pipeline, unusable))
    }

    fn load_files(
        files: &dyn ProjectFiles,
        templates: Templates<'_>,
        mut failed: impl FnMut(RepoPath, PipelineError) -> Result<(), PipelineError>,
    ) -> Result<Self, PipelineError> {
        let mut pipeline = Self::default();
        for file in files.pipeline_files()? {
            let added = match files.read(&file) {
                Ok(Some(text)) => pipeline.add_file(files, templates, Source::new(file.clone(), text)),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            added.or_else(|error| failed(file, error))?;
        }
        Ok(pipeline)
    }

    /// An output is removed before its stage runs: a directory that holds stages must not be one.
    fn refuse_outputs_around_files(&self, files: &dyn ProjectFiles) -> Result<(), PipelineError> {
        let data_files = self.data_files.keys();
        let around =
            self.files.keys().chain(data_files).flat_map(|file| file.folders().map(move |folder| (folder, file)));
        let around: HashMap<&str, &RepoPath> = around.collect();
        let bad = |stage: &&Stage| stage.outs.iter().any(|out| around.contains_key(out.path.as_str()));
        let Some(stage) = (!around.is_empty()).then(|| self.stages.iter().find(bad)).flatten() else { return Ok(()) };
        let source = Source::new(stage.address.file.clone(), files.read(&stage.address.file)?.unwrap_or_default());
        let diagnostics = stage.outs.iter().filter_map(|out| {
            let message = format!("the output `{}` holds the file `{}`", out.path, around.get(out.path.as_str())?);
            let help = "list what the stage writes there, or keep that file somewhere else";
            Some(Diagnostic::error("own-file", message).at(stage.span).help(help))
        });
        Err(source.errors(diagnostics.collect()).into())
    }

    fn add_file(
        &mut self,
        files: &dyn ProjectFiles,
        templates: Templates<'_>,
        source: Source,
    ) -> Result<(), PipelineError> {
        let file = source.file.clone();
        if file.file_name() != PIPELINE_FILE {
            let data = DataFile::parse(source)?;
            self.add_stage(data.stage.clone());
            self.data_files.insert(file, data);
            return Ok(());
        }
        let PipelineFile { stages, declared } = memory::pipeline_file(&source, files, templates)?;
        let lock_path = LockFile::path_for(&file);
        let lock = match files.read(&lock_path)? {
            Some(text) => memory::lock_file(lock_path, text, files)?,
            None => LockFile::new(lock_path),
        };
        self.stages.reserve(stages.len());
        self.by_address.reserve(stages.len());
        stages.into_iter().for_each(|stage| self.add_stage(stage));
        self.locks.insert(file.clone(), lock);
        self.files.insert(file, declared);
        Ok(())
    }

    fn add_stage(&mut self, stage: Stage) {
        let id = StageId(u32::try_from(self.stages.len()).unwrap_or(u32::MAX));
        self.by_address.insert(stage.address.clone(), id);
        self.stages.push(stage);
    }

    /// All stages with their numbers.
    pub fn stages(&self) -> impl ExactSizeIterator<Item = (StageId, &Stage)> {
        self.stages.iter().enumerate().map(|(at, stage)| (StageId(u32::try_from(at).unwrap_or(u32::MAX)), stage))
    }

    /// A stage by its number.
    ///
    /// # Panics
    /// Never for a number that this pipeline gave.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "numbers are made by `add_stage` alone and stages never leave")]
    pub fn stage(&self, id: StageId) -> &Stage {
        &self.stages[id.0 as usize]
    }

    /// The number of the stage with this address.
    #[must_use]
    pub fn find(&self, address: &StageAddress) -> Option<StageId> {
        self.by_address.get(address).copied()
    }

    /// The `dvc.yaml` files, and what they say beside their stages.
    #[must_use]
    pub const fn files(&self) -> &BTreeMap<RepoPath, Declared> {
        &self.files
    }

    /// The `.dvc` file of this path.
    #[must_use]
    pub fn data_file(&self, file: &RepoPath) -> Option<&DataFile> {
        self.data_files.get(file)
    }

    /// The locks, by the path of their `dvc.yaml`.
    #[must_use]
    pub const fn locks(&self) -> &BTreeMap<RepoPath, LockFile> {
        &self.locks
    }

    /// What is remembered of a stage.
    #[must_use]
    pub fn locked(&self, stage: &Stage) -> Option<&LockEntry> {
        match &stage.address.name {
            Some(name) => self.locks.get(&stage.address.file)?.get(name),
            None => self.data_files.get(&stage.address.file).map(|data| &data.entry),
        }
    }

    /// What the locks remember of each output.
    #[must_use]
    pub fn recorded(&self) -> HashMap<&RepoPath, &LockedPath> {
        let stages = self.stages.iter().filter_map(|stage| Some((stage, self.locked(stage)?)));
        let outs = stages.flat_map(|(stage, locked)| stage.outs.iter().map(move |out| (out, locked)));
        outs.filter_map(|(out, locked)| Some((&out.path, locked.out(&out.lock_path)?))).collect()
    }

    /// The algorithm that names contents in the locks, if any does: the first that is found.
    #[must_use]
    pub fn algorithm_in_use(&self) -> Option<Algorithm> {
        let in_locks = self.locks.values().flat_map(LockFile::entries).map(|(_, entry)| entry);
        let entries = in_locks.chain(self.data_files.values().map(|data| &data.entry));
        entries
            .flat_map(|entry| entry.outs.iter().chain(&entry.deps))
            .find_map(|path| path.id.as_ref())
            .map(|id| if id.algorithm() == Algorithm::Blake3 { Algorithm::Blake3 } else { Algorithm::Md5 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::files::WorkFiles;

    fn load(files: &[(&str, &str)]) -> Result<Pipeline, PipelineError> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        load_dir(&dir)
    }

    fn load_dir(dir: &tempfile::TempDir) -> Result<Pipeline, PipelineError> {
        let values = crate::params::ParamFiles::new(crate::testing::YamlOnly::version("1"), None);
        let templates = Templates { values: &values, flags: super::super::FlagStyle::default() };
        Pipeline::load(&WorkFiles::new(dir.path().to_owned()), templates)
    }

    #[test]
    fn no_stage_writes_over_what_holds_the_project_together() {
        let with = |output: &str| format!("stages:\n  a:\n    cmd: x\n    outs:\n    - {output}\n");
        for own in ["dvc.yaml", "sub/dvc.lock", "data.csv.dvc", ".dvc/config", ".git", "sub/.git/x", "sub", "deep"] {
            let text = with(own);
            let loaded = load(&[("dvc.yaml", &text), ("sub/dvc.yaml", "stages: {}\n"), ("deep/er/dvc.yaml", "")]);
            let Err(PipelineError::Source(error)) = loaded else { panic!("{own} is allowed") };
            let codes: Vec<_> = error.diagnostics.iter().map(|diagnostic| diagnostic.code.as_str()).collect();
            assert_eq!(codes, ["own-file"], "{own}");
        }
        for other in ["gitignore", "sub/x", "dvc.yaml/x", ".dvcx", "deep/e"] {
            let text = with(other);
            assert!(load(&[("dvc.yaml", &text), ("sub/dvc.yaml", "stages: {}\n")]).is_ok(), "{other}");
        }
    }

    #[test]
    fn a_pipeline_may_be_a_link() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("real"), "stages:\n  a:\n    cmd: x\n").unwrap();
        std::os::unix::fs::symlink("real", dir.path().join("dvc.yaml")).unwrap();
        assert_eq!(load_dir(&dir).unwrap().stages().len(), 1);
    }
}
