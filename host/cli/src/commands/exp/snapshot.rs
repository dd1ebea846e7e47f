//! [`Snapshot`]: the user's workspace as it is now, for an experiment that runs elsewhere or later.

use dewar_core::exp::copies::CopyPath;
use dewar_core::exp::{isolated, run};
use dewar_core::git::{ExtraPaths, Git, TreeId};
use dewar_core::params::Override;
use dewar_core::path::RepoPath;
use dewar_core::pipeline::files::Overlay;

use super::run::select;
use crate::args::run::StageSelectionArgs;
use crate::commands::project::{Project, files};
use crate::failure::Failure;

/// The user's workspace at one moment: what git tracks with every change, what was `git add`ed, and data that changed since it
/// was `add`ed.
pub struct Snapshot {
    /// The work tree.
    tree: TreeId,
    /// The index.
    pub index: TreeId,
    /// The `.dvc` files as they would be written for the data.
    data: Overlay,
}

impl Snapshot {
    /// Takes it, once it is known that the stages can be selected with `overrides`.
    ///
    /// # Errors
    /// When the pipeline is invalid or lacks a target, an override does not fit, or something cannot be read or kept.
    pub fn take(
        project: &Project<'_>,
        git: &Git,
        stages: &StageSelectionArgs,
        overrides: &[Override],
        copies: &[CopyPath],
    ) -> Result<Self, Failure> {
        let (selection, _) = select(project, stages, overrides)?;
        let copied: Vec<RepoPath> = copies.iter().map(|copy| copy.inside().clone()).collect();
        let workspace = project.workspace(&selection.pipeline)?;
        let data = isolated::changed_data(&workspace, &selection, &copied)?;
        project.save_index();
        let overridden = run::files_overridden(project.repo.from(), overrides)?;
        let tree = git.snapshot(ExtraPaths { unless_ignored: &overridden, always: &[] })?.tree;
        Ok(Self { tree, index: git.index_tree()?, data })
    }

    /// Its files, with parameters set.
    ///
    /// # Errors
    /// When an override does not fit, or git cannot be written.
    pub fn with(&self, project: &Project<'_>, git: &Git, overrides: &[Override]) -> Result<TreeId, Failure> {
        let set = run::overridden(&files(project), &project.params, project.repo.from(), overrides)?;
        let texts = self.data.iter().chain(&set).map(|(file, text)| (file, text.as_ref()));
        Ok(git.with_files(self.tree, texts)?)
    }
}
