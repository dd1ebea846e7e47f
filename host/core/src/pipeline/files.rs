//! [`ProjectFiles`]: where the text of a project's files comes from, the work tree or a commit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::stage::{DATA_SUFFIX, PIPELINE_FILE};
use super::{PipelineError, discover};
use crate::fs;
use crate::path::RepoPath;

/// Where the files of a project are read from.
pub trait ProjectFiles {
    /// The folder on this machine that absolute paths in pipelines are compared with.
    fn root(&self) -> &Path;

    /// The folder where what large files say is remembered between commands; none where it is not. Disposable.
    fn memory(&self) -> Option<&Path> {
        None
    }

    /// The content of a file; none when it is not there.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    fn read(&self, file: &RepoPath) -> Result<Option<Vec<u8>>, PipelineError>;

    /// All `dvc.yaml` and `.dvc` files, in order of path.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    fn pipeline_files(&self) -> Result<Vec<RepoPath>, PipelineError>;
}

/// Texts that are seen in place of what is there.
pub type Overlay = BTreeMap<RepoPath, Arc<[u8]>>;

/// Files with some texts replaced or added: what a dry run or an edit would write.
#[derive(Debug, Clone)]
pub struct Overlaid<F> {
    files: F,
    overlay: Overlay,
}

impl<F: ProjectFiles> Overlaid<F> {
    /// `files` with the texts of `overlay` in their place.
    pub const fn new(files: F, overlay: Overlay) -> Self {
        Self { files, overlay }
    }

    /// The texts that are replaced or added.
    pub const fn overlay(&self) -> &Overlay {
        &self.overlay
    }
}

impl<F: ProjectFiles> ProjectFiles for Overlaid<F> {
    fn root(&self) -> &Path {
        self.files.root()
    }

    fn memory(&self) -> Option<&Path> {
        self.files.memory()
    }

    fn read(&self, file: &RepoPath) -> Result<Option<Vec<u8>>, PipelineError> {
        match self.overlay.get(file) {
            Some(text) => Ok(Some(text.to_vec())),
            None => self.files.read(file),
        }
    }

    fn pipeline_files(&self) -> Result<Vec<RepoPath>, PipelineError> {
        let mut found = self.files.pipeline_files()?;
        let added = self.overlay.keys().filter(|path| is_pipeline_file(path.file_name()));
        found.extend(added.cloned());
        found.sort();
        found.dedup();
        Ok(found)
    }
}

/// Whether a file of this name holds stages.
#[must_use]
pub fn is_pipeline_file(name: &str) -> bool {
    name == PIPELINE_FILE || (name.ends_with(DATA_SUFFIX) && name.len() > DATA_SUFFIX.len())
}

/// The work tree below a folder.
#[derive(Debug, Clone)]
pub struct WorkFiles {
    root: PathBuf,
    memory: Option<PathBuf>,
    unlisted: Unlisted,
}

/// What becomes of folders and links that are there and cannot be looked at, such as what a container left as another user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlisted {
    /// They hold nothing that could be run (DVC's rule).
    PassBy,
    /// They are an error: what they hold may be in use.
    Refuse,
}

impl WorkFiles {
    /// The files below `root`, an absolute path.
    #[must_use]
    pub const fn new(root: PathBuf) -> Self {
        Self { root, memory: None, unlisted: Unlisted::PassBy }
    }

    /// The same; what large ones say is remembered in the folder `memory`.
    #[must_use]
    pub fn remembered_in(self, memory: PathBuf) -> Self {
        Self { memory: Some(memory), ..self }
    }

    /// The same for one who must see all: what cannot be looked at is an error.
    #[must_use]
    pub fn complete(self) -> Self {
        Self { unlisted: Unlisted::Refuse, ..self }
    }
}

impl ProjectFiles for WorkFiles {
    fn root(&self) -> &Path {
        &self.root
    }

    fn memory(&self) -> Option<&Path> {
        self.memory.as_deref()
    }

    fn read(&self, file: &RepoPath) -> Result<Option<Vec<u8>>, PipelineError> {
        Ok(fs::read_optional(&file.under(&self.root))?)
    }

    fn pipeline_files(&self) -> Result<Vec<RepoPath>, PipelineError> {
        Ok(discover::pipeline_files(&self.root, self.unlisted)?)
    }
}
