//! [`TargetError`]: why a target names nothing, and what is near.

use super::{Folders, Names, Reader};
use crate::path::{PathError, RepoPath};
use crate::pipeline::stage::{DATA_SUFFIX, LOCK_FILE, PIPELINE_FILE, Stage, StageAddress};
use crate::words::most_similar;

/// Why a target names nothing. What is near is written as the user could type it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is no path of the project.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Nothing was named, and the folder has no pipeline of its own.
    #[error("there is no `{file}`")]
    NoPipelineHere {
        /// The file that there would be.
        file: RepoPath,
        /// Those that there are, the nearest first.
        others: Vec<String>,
    },
    /// The file is not there, or holds no stages.
    #[error("there is no `{file}`")]
    NoFile {
        /// Which file.
        file: RepoPath,
        /// One that looks like it.
        similar: Option<String>,
    },
    /// The file has no such stage.
    #[error("there is no stage `{name}` in `{file}`")]
    NoStage {
        /// What was named.
        name: String,
        /// Where it was looked for.
        file: RepoPath,
        /// What looks like it.
        similar: Option<String>,
    },
    /// No stage of the file has a name that the pattern matches.
    #[error("no stage of `{file}` matches `{pattern}`")]
    NoMatch {
        /// The pattern.
        pattern: String,
        /// Where it was looked for.
        file: RepoPath,
    },
    /// It is a folder, and folders are not searched.
    #[error("`{folder}` is a folder, not a stage")]
    Folder {
        /// The folder.
        folder: RepoPath,
    },
    /// Stages read it, and none writes it.
    #[error("`{path}` is no stage, and no stage writes it: it is read by {}", quoted(readers))]
    NotWritten {
        /// The path.
        path: RepoPath,
        /// Who reads it.
        readers: Vec<String>,
    },
    /// Nothing is known by that name.
    #[error("`{target}` is neither a stage of `{file}` nor an output of any stage")]
    Unknown {
        /// What was named.
        target: String,
        /// Where stages were looked for.
        file: RepoPath,
        /// What looks like it, or has its name elsewhere.
        similar: Option<String>,
    },
}

fn quoted(stages: &[String]) -> String {
    const SHOWN: usize = 3;
    let names: Vec<String> = stages.iter().take(SHOWN).map(|stage| format!("`{stage}`")).collect();
    let more = stages.len().saturating_sub(SHOWN);
    if more == 0 { names.join(", ") } else { format!("{} and {more} more", names.join(", ")) }
}

impl Reader<'_> {
    pub(super) fn no_file(&self, file: RepoPath) -> TargetError {
        if file.file_name() == LOCK_FILE {
            let meant = file.parent().unwrap_or_default().join(PIPELINE_FILE).unwrap_or_default();
            return TargetError::NoFile { file, similar: Some(self.as_typed(&meant)) };
        }
        let data_files = self.pipeline.stages().map(|(_, stage)| &stage.address.file);
        let data_files = data_files.filter(|file| file.file_name().ends_with(DATA_SUFFIX));
        let known: Vec<String> =
            self.pipeline.files().keys().chain(data_files).map(|file| self.as_typed(file)).collect();
        let similar = most_similar(&self.as_typed(&file), known.iter().map(String::as_str)).map(str::to_owned);
        TargetError::NoFile { file, similar }
    }

    pub(super) fn no_stage(&self, file: RepoPath, name: &str) -> TargetError {
        if self.typed.names == Names::Patterns {
            return TargetError::NoMatch { pattern: name.to_owned(), file };
        }
        let similar = self.similar_in(&file, name);
        TargetError::NoStage { name: name.to_owned(), file, similar }
    }

    /// Why `text`, which would be `path`, is nothing that there is.
    pub(super) fn unknown(&self, text: &str, path: RepoPath) -> TargetError {
        if self.typed.folders == Folders::Refused && !self.within(&path).is_empty() {
            return TargetError::Folder { folder: path };
        }
        let stages = || self.pipeline.stages().map(|(_, stage)| stage);
        let as_typed = |stage: &Stage| stage.address.display_from(self.typed.from);
        let file = self.typed.from.join(PIPELINE_FILE).unwrap_or_default();
        let unknown = |similar, file| TargetError::Unknown { target: text.to_owned(), file, similar };
        if let Some(elsewhere) = stages().find(|stage| stage.address.name.as_deref() == Some(text)) {
            return unknown(Some(as_typed(elsewhere)), file);
        }
        let reads = |stage: &&Stage| stage.inputs().any(|input| input.touches(&path));
        let readers: Vec<String> = stages().filter(reads).map(as_typed).collect();
        if !readers.is_empty() {
            return TargetError::NotWritten { path, readers };
        }
        if self.typed.names == Names::Patterns && self.pipeline.files().contains_key(&file) {
            return TargetError::NoMatch { pattern: text.to_owned(), file };
        }
        let output = || {
            let outs: Vec<String> =
                stages().flat_map(|stage| &stage.outs).map(|out| self.as_typed(&out.path)).collect();
            most_similar(&self.as_typed(&path), outs.iter().map(String::as_str)).map(str::to_owned)
        };
        let elsewhere = || {
            let name = most_similar(text, stages().filter_map(|stage| stage.address.name.as_deref()))?;
            stages().find(|stage| stage.address.name.as_deref() == Some(name)).map(as_typed)
        };
        unknown(self.similar_in(&file, text).or_else(output).or_else(elsewhere), file)
    }

    /// The stage or group of `file` whose name looks like `name`.
    fn similar_in(&self, file: &RepoPath, name: &str) -> Option<String> {
        let names = self.pipeline.stages().filter(|(_, stage)| stage.address.file == *file);
        let names = names.filter_map(|(_, stage)| stage.address.name.as_deref());
        let with_groups = names.flat_map(|name| [Some(name), name.split_once('@').map(|(group, _)| group)]);
        let similar = most_similar(name, with_groups.flatten())?;
        let address = StageAddress { file: file.clone(), name: Some(similar.to_owned()) };
        Some(address.display_from(self.typed.from))
    }

    fn as_typed(&self, path: &RepoPath) -> String {
        path.relative_to(self.typed.from)
    }
}
