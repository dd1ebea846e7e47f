//! [`ProjectFiles`]: where the text of a project's files comes from, the work tree or a commit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::WalkBuilder;

use super::PipelineError;
use super::stage::{DATA_SUFFIX, PIPELINE_FILE};
use crate::fs;
use crate::path::RepoPath;

/// Where the files of a project are read from.
pub trait ProjectFiles {
    /// The folder on this machine that absolute paths in pipelines are compared with.
    fn root(&self) -> &Path;

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
}

impl WorkFiles {
    /// The files below `root`, an absolute path.
    #[must_use]
    pub const fn new(root: PathBuf) -> Self {
        Self { root }
    }
}

impl ProjectFiles for WorkFiles {
    fn root(&self) -> &Path {
        &self.root
    }

    fn read(&self, file: &RepoPath) -> Result<Option<Vec<u8>>, PipelineError> {
        Ok(fs::read_optional(&file.under(&self.root))?)
    }

    /// Does not go into ignored folders (`.gitignore`, `.dvcignore`), other DVC projects or through links, as DVC does not.
    fn pipeline_files(&self) -> Result<Vec<RepoPath>, PipelineError> {
        let root = self.root.clone();
        let walk = WalkBuilder::new(&self.root)
            .standard_filters(false)
            .git_ignore(true)
            .require_git(false)
            .parents(true)
            .add_custom_ignore_filename(".dvcignore")
            .filter_entry(move |entry| {
                let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
                !is_folder
                    || entry.path() == root
                    || (!matches!(entry.file_name().to_str(), Some(".git" | ".hg" | ".dvc"))
                        && !entry.path().join(".dvc").is_dir())
            })
            .build();
        let mut found = Vec::new();
        for entry in walk {
            // A folder that cannot be listed hides nothing that could be run from it.
            let Ok(entry) = entry else { continue };
            let Some(name) = entry.file_name().to_str() else { continue };
            // The file itself may be a link.
            if is_pipeline_file(name)
                && entry.path().is_file()
                && let Ok(path) = RepoPath::from_absolute(&self.root, entry.path())
            {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }
}
