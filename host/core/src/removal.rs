//! `remove`: stages taken out of the project, with what was remembered of them, and their outputs if asked for.

use std::collections::{BTreeMap, BTreeSet};

use crate::cache::CacheError;
use crate::fs::{FsError, Staged};
use crate::gitignore;
use crate::path::RepoPath;
use crate::pipeline::entry::Entry;
use crate::pipeline::remove::{self, FileChange};
use crate::pipeline::{Pipeline, PipelineError};
use crate::workspace::Workspace;

/// Why stages cannot be removed.
#[derive(Debug, thiserror::Error)]
pub enum RemovalError {
    /// A file of the pipeline cannot be edited.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// An output cannot be removed, or made the user's own.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A file cannot be written or removed.
    #[error(transparent)]
    File(#[from] FsError),
}

/// What happens to the outputs of stages that are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outputs {
    /// They stay, and belong to the user alone: links to the cache become files.
    Keep,
    /// They go, too.
    Remove,
}

/// Stages to be removed: all that will change, settled before anything does.
#[derive(Debug)]
pub struct Removal {
    files: BTreeMap<RepoPath, FileChange>,
    /// Every output, and those that git is told to ignore.
    outs: Vec<RepoPath>,
    ignored: Vec<RepoPath>,
}

impl Removal {
    /// The removal of `entries`.
    ///
    /// # Errors
    /// When a file of theirs cannot be edited safely.
    pub fn of(pipeline: &Pipeline, entries: &[Entry]) -> Result<Self, RemovalError> {
        let outs = || entries.iter().flat_map(|entry| &entry.stages).flat_map(|id| &pipeline.stage(*id).outs);
        Ok(Self {
            files: remove::without(pipeline, entries)?,
            outs: outs().map(|out| out.path.clone()).collect(),
            ignored: outs().filter(|out| out.cached).map(|out| out.path.clone()).collect(),
        })
    }

    /// Does it; answers the files that git should know of. All new texts are on the disk before anything changes, so that one
    /// without room keeps everything. What says that there is such a stage goes last, so that after a kill at any point the
    /// same removal can be asked for again.
    ///
    /// # Errors
    /// When something cannot be removed or written.
    pub fn carry_out(self, workspace: &Workspace<'_>, outputs: Outputs) -> Result<BTreeSet<RepoPath>, RemovalError> {
        let root = workspace.tree().root();
        let ignores = gitignore::without(root, &self.ignored)?.into_iter();
        // `dvc.lock` stands before `dvc.yaml` in the order of paths.
        let files = self.files.into_iter().map(|(file, change)| match change {
            FileChange::Text(text) => (file, Some(text)),
            FileChange::Gone => (file, None),
        });
        let staged = ignores.chain(files).map(|(file, text)| {
            let staged = text.map(|text| Staged::inside(root, &file, &text)).transpose()?;
            Ok((file, staged))
        });
        let staged: Vec<(RepoPath, Option<Staged>)> = staged.collect::<Result<_, FsError>>()?;
        for out in &self.outs {
            match outputs {
                Outputs::Keep => workspace.tree().unprotect(out)?,
                Outputs::Remove => workspace.tree().remove(out)?,
            }
            workspace.forget(out);
        }
        let mut touched = BTreeSet::new();
        for (file, text) in staged {
            match text {
                Some(text) => text.persist()?,
                None => workspace.tree().remove(&file)?,
            }
            touched.insert(file);
        }
        Ok(touched)
    }
}
