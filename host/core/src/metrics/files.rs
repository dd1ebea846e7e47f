//! [`RevisionFiles`]: the files of a revision, be it the work tree or a commit.

use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use ignore::{Match, WalkBuilder};

use crate::git::{CommitId, CommitTree, Finder, Git, GitError};
use crate::path::RepoPath;
use crate::pipeline::files::{WorkFiles, is_pipeline_file};
use crate::pipeline::{PipelineError, ProjectFiles};

/// The name of the file that says what a project does not look at.
const IGNORE_FILE: &str = ".dvcignore";

/// The files of a revision. Beyond pipelines, folders of metrics are looked into.
pub trait RevisionFiles: ProjectFiles {
    /// All files below a folder, in order of path; none when it is no folder.
    ///
    /// # Errors
    /// When it cannot be listed.
    fn files_below(&self, folder: &RepoPath) -> Result<Option<Vec<RepoPath>>, PipelineError>;
}

impl RevisionFiles for WorkFiles {
    fn files_below(&self, folder: &RepoPath) -> Result<Option<Vec<RepoPath>>, PipelineError> {
        let path = folder.under(self.root());
        if !path.is_dir() {
            return Ok(None);
        }
        let mut files = Vec::new();
        // What git and dewar keep of their own is nobody's metric.
        let is_own = |name: &std::ffi::OsStr| name == ".git" || name == ".dvc";
        let mut walk = WalkBuilder::new(&path);
        walk.standard_filters(false).filter_entry(move |entry| entry.depth() == 0 || !is_own(entry.file_name()));
        for entry in walk.build() {
            let entry = entry.map_err(|source| unreadable(folder, source))?;
            if entry.file_type().is_some_and(|kind| !kind.is_dir())
                && let Ok(file) = RepoPath::from_absolute(self.root(), entry.path())
            {
                files.push(file);
            }
        }
        files.sort();
        Ok(Some(files))
    }
}

/// The files of a commit, so that a pipeline loads from any revision.
pub struct CommitFiles<'git> {
    tree: CommitTree<'git>,
    finder: &'git Finder<'git>,
    root: PathBuf,
}

/// Finds what says where pipelines are, in one commit or in many.
#[must_use]
pub fn pipeline_finder(git: &Git) -> Finder<'_> {
    Finder::new(git, |name| is_pipeline_file(name) || name == IGNORE_FILE || name == "config")
}

impl<'git> CommitFiles<'git> {
    /// The files of `commit`, among which `finder` finds pipelines (see [`pipeline_finder`]).
    ///
    /// # Errors
    /// When the commit cannot be read.
    pub fn new(git: &'git Git, commit: CommitId, finder: &'git Finder<'git>) -> Result<Self, GitError> {
        Ok(Self { tree: git.tree(commit)?, finder, root: git.root().to_owned() })
    }

    /// The `.dvcignore` files, the deepest first.
    fn ignore_rules(&self, files: &[RepoPath]) -> Result<Vec<(RepoPath, Gitignore)>, PipelineError> {
        let mut rules = Vec::new();
        for file in files.iter().rev() {
            let Some(text) = self.read(file)? else { continue };
            let folder = file.parent().unwrap_or_default();
            let mut builder = GitignoreBuilder::new(folder.under(&self.root));
            for line in String::from_utf8_lossy(&text).lines() {
                // A line that is no pattern hides nothing, as in the work tree.
                drop(builder.add_line(None, line));
            }
            rules.push((folder, builder.build().map_err(|source| unreadable(file, source))?));
        }
        rules.sort_by_key(|(folder, _)| std::cmp::Reverse(folder.parts().count()));
        Ok(rules)
    }
}

impl ProjectFiles for CommitFiles<'_> {
    fn root(&self) -> &Path {
        &self.root
    }

    fn read(&self, file: &RepoPath) -> Result<Option<Vec<u8>>, PipelineError> {
        self.tree.read(file).map_err(|source| unreadable(file, source))
    }

    /// Passes by what `.dvcignore` names and other DVC projects, as in the work tree.
    fn pipeline_files(&self) -> Result<Vec<RepoPath>, PipelineError> {
        let found = self.tree.files(self.finder).map_err(|source| unreadable(&RepoPath::root(), source))?;
        let (mut pipelines, mut ignores, mut projects) = (Vec::new(), Vec::new(), Vec::new());
        for file in found {
            let folder = file.parent().unwrap_or_default();
            match file.file_name() {
                IGNORE_FILE => ignores.push(file),
                "config" if folder.file_name() == ".dvc" => projects.extend(folder.parent()),
                "config" => {}
                _ if file.parts().any(|part| part == ".dvc") => {}
                _ => pipelines.push(file),
            }
        }
        projects.retain(|project| !project.is_root());
        let rules = self.ignore_rules(&ignores)?;
        pipelines.retain(|file| {
            !projects.iter().any(|project| file.is_within(project)) && !is_ignored(&rules, file, &self.root)
        });
        Ok(pipelines)
    }
}

impl RevisionFiles for CommitFiles<'_> {
    fn files_below(&self, folder: &RepoPath) -> Result<Option<Vec<RepoPath>>, PipelineError> {
        self.tree.files_below(folder).map_err(|source| unreadable(folder, source))
    }
}

/// Whether the nearest rule that has a say says so.
fn is_ignored(rules: &[(RepoPath, Gitignore)], file: &RepoPath, root: &Path) -> bool {
    // Asking a rule about a path that is not below its folder would panic.
    for (_, rule) in rules.iter().filter(|(folder, _)| file.is_within(folder)) {
        match rule.matched_path_or_any_parents(file.under(root), false) {
            Match::None => {}
            Match::Ignore(_) => return true,
            Match::Whitelist(_) => return false,
        }
    }
    false
}

fn unreadable(file: &RepoPath, source: impl std::error::Error + Send + Sync + 'static) -> PipelineError {
    PipelineError::Unreadable { file: file.clone(), source: Box::new(source) }
}
