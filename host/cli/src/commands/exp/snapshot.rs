//! [`Snapshot`]: the user's workspace as it is now, for experiments that run elsewhere or later.

use std::collections::BTreeSet;

use dewar_core::exp::copies::CopyPath;
use dewar_core::exp::{isolated, run};
use dewar_core::git::{CommitId, ExtraPaths, Git, TreeId};
use dewar_core::params::Override;
use dewar_core::path::RepoPath;
use dewar_core::pipeline::ProjectFiles;
use dewar_core::pipeline::files::{Overlaid, Overlay};
use dewar_core::repro::Selection;

use super::run::select;
use crate::args::run::StageSelectionArgs;
use crate::commands::project::{Project, files};
use crate::failure::{Failure, Kind};

/// The user's workspace at one moment: what git tracks with every change, what was `git add`ed, and data that changed since it
/// was `add`ed.
pub struct Snapshot {
    /// The work tree.
    pub tree: TreeId,
    /// The index.
    pub index: TreeId,
    /// The parameter files that are to be changed.
    params: Overlay,
}

impl Snapshot {
    /// Takes it, once it is known that stages can be selected with `overrides`. Returned beside it are the stages.
    ///
    /// # Errors
    /// When the pipeline is invalid or lacks a target, an override does not fit, or something cannot be read or kept.
    pub fn take(
        project: &Project<'_>,
        git: &Git,
        stages: &StageSelectionArgs,
        overrides: &[Override],
        copies: &[CopyPath],
    ) -> Result<(Self, Selection), Failure> {
        let (selection, _) = select(project, stages, overrides)?;
        let copied: Vec<RepoPath> = copies.iter().map(|copy| copy.inside().clone()).collect();
        refuse_unknown(project, git, &selection, &copied)?;
        let workspace = project.workspace(&selection.pipeline)?;
        let data = isolated::changed_data(&workspace, &selection, &copied)?;
        project.save_index();
        let mut params = Overlay::new();
        for file in run::files_overridden(project.repo.from(), overrides)? {
            if let Some(text) = files(project).read(&file)? {
                params.insert(file, text.into());
            }
        }
        let tree = git.snapshot(ExtraPaths::default())?.tree;
        let texts = data.iter().chain(&params).map(|(file, text)| (file, text.as_ref()));
        Ok((Self { tree: git.with_files(tree, texts)?, index: git.index_tree()?, params }, selection))
    }

    /// One that was kept for a sweep whose overrides are for these files.
    ///
    /// # Errors
    /// When git cannot be read.
    pub fn kept(git: &Git, state: CommitId, overridden: &[RepoPath]) -> Result<Self, Failure> {
        let (tree, index) = git.stashed(state)?;
        let mut params = Overlay::new();
        for file in overridden {
            if let Some(text) = git.read(state, file)? {
                params.insert(file.clone(), text.into());
            }
        }
        Ok(Self { tree, index, params })
    }

    /// Its files, with parameters set that are named from the folder `from`.
    ///
    /// # Errors
    /// When an override does not fit, or git cannot be written.
    pub fn with(
        &self,
        project: &Project<'_>,
        git: &Git,
        from: &RepoPath,
        overrides: &[Override],
    ) -> Result<TreeId, Failure> {
        let files = Overlaid::new(files(project), self.params.clone());
        let set = run::overridden(&files, &project.params, from, overrides)?;
        Ok(git.with_files(self.tree, set.iter().map(|(file, text)| (file, text.as_ref())))?)
    }
}

/// The workspace of the experiment has what git tracks: without the pipeline it could only fail, later.
fn refuse_unknown(project: &Project<'_>, git: &Git, selection: &Selection, copied: &[RepoPath]) -> Result<(), Failure> {
    let files = selection.order.iter().map(|id| &selection.pipeline.stage(*id).address.file);
    let files: BTreeSet<&RepoPath> = files.filter(|file| !copied.iter().any(|copy| copy.touches(file))).collect();
    for file in files {
        if !git.is_tracked(file)? {
            let shown = file.relative_to(project.repo.from());
            let message =
                format!("git does not know `{shown}`, and an experiment beside the workspace has what git knows");
            return Err(Failure::new(Kind::Repository, message).hint(format!("git add {shown}")));
        }
    }
    Ok(())
}
