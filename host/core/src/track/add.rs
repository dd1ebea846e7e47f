//! `add`: puts a file or folder under the project's care.

use std::collections::HashMap;
use std::path::Path;

use rayon::prelude::*;

use super::{Keep, TrackError};
use crate::cache::{CacheError, Tree};
use crate::digest::ObjectId;
use crate::fs;
use crate::git::Git;
use crate::gitignore;
use crate::ignore::{EntryKind, FolderRules};
use crate::observe::{Content, Observe};
use crate::path::RepoPath;
use crate::pipeline::data_file::{self, DataFile};
use crate::pipeline::stage::{DATA_SUFFIX, LOCK_FILE, PIPELINE_FILE};
use crate::pipeline::{LockedPath, Pipeline, PipelineError, ProjectFiles};
use crate::plan;
use crate::repo::PROJECT_DIR;
use crate::source::Source;
use crate::workspace::Workspace;

/// What is to be added, after it was found that it can be.
#[derive(Debug, Clone)]
pub struct Addition {
    /// The `.dvc` file that names it, or will.
    file: RepoPath,
    /// What that file tracks.
    out: RepoPath,
    /// What of it was named: all, or something inside.
    path: RepoPath,
}

/// What an `add` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The files that git should know of: the `.dvc` file, and a `.gitignore` that changed.
    pub touched: Vec<RepoPath>,
    /// Whether it has no content at all.
    pub is_empty: bool,
}

/// Looks at all that is to be added before any of it is. A path inside a directory that a `.dvc` file tracks is added to that.
///
/// # Errors
/// When one of them cannot be added; nothing was done then.
pub fn additions(
    workspace: &Workspace<'_>,
    pipeline: &Pipeline,
    git: Option<&Git>,
    paths: &[RepoPath],
) -> Result<Vec<Addition>, TrackError> {
    let mut additions: Vec<Addition> = Vec::with_capacity(paths.len());
    let mut named: HashMap<&str, &RepoPath> = HashMap::with_capacity(paths.len());
    // The folders around what is named, each with the first path that it is around.
    let mut around: HashMap<&str, &RepoPath> = HashMap::new();
    for path in paths {
        let addition = addition(workspace, pipeline, git, path)?;
        let inside = around.get(path.as_str()).map(|inner| (path, *inner));
        let nested = inside.or_else(|| path.folders().find_map(|folder| Some((*named.get(folder)?, path))));
        if let Some((outer, inner)) = nested {
            return Err(TrackError::Twice { outer: outer.clone(), inner: inner.clone() });
        }
        if named.insert(path.as_str(), path).is_none() {
            for folder in path.folders() {
                around.entry(folder).or_insert(path);
            }
            additions.push(addition);
        }
    }
    Ok(additions)
}

fn addition(
    workspace: &Workspace<'_>,
    pipeline: &Pipeline,
    git: Option<&Git>,
    path: &RepoPath,
) -> Result<Addition, TrackError> {
    let root = workspace.root();
    refuse_own(pipeline, path)?;
    let above = std::iter::successors(path.parent(), RepoPath::parent).take_while(|folder| !folder.is_root());
    if let Some(link) = above.into_iter().find(|folder| folder.under(root).is_symlink()) {
        return Err(TrackError::BehindLink { path: path.clone(), link });
    }
    let kind = if path.under(root).is_dir() { EntryKind::Folder } else { EntryKind::File };
    let rules = FolderRules::of(root, &path.parent().ok_or(CacheError::Root)?).map_err(CacheError::from)?;
    if rules.ignores(&path.under(root), kind) {
        return Err(TrackError::Ignored(path.clone()));
    }
    if let Some(git) = git
        && git.is_tracked(path)?
    {
        return Err(TrackError::TrackedByGit(path.clone()));
    }
    for (_, stage) in pipeline.stages() {
        let Some(out) = stage.outs.iter().find(|out| out.path.touches(path)) else { continue };
        if !path.is_within(&out.path) {
            let (path, inner) = (path.clone(), out.path.clone());
            return Err(TrackError::HasOutput { path, inner, stage: stage.address.clone() });
        }
        if !stage.is_data() {
            return Err(TrackError::IsOutput { path: path.clone(), stage: stage.address.clone() });
        }
        return Ok(Addition { file: stage.address.file.clone(), out: out.path.clone(), path: path.clone() });
    }
    if let Some((_, stage)) = pipeline.stages().find(|(_, stage)| stage.address.file.is_within(path)) {
        return Err(TrackError::OwnFile { path: path.clone(), file: stage.address.file.clone() });
    }
    let file = path.parent().unwrap_or_default().join(&format!("{}{DATA_SUFFIX}", path.file_name()))?;
    if let Some(git) = git
        && git.is_ignored(&file)?
    {
        return Err(TrackError::IgnoredByGit(file));
    }
    if let Some(other) = pipeline.data_file(&file).and_then(|data| data.stage.outs.first()) {
        return Err(TrackError::OtherData { path: path.clone(), file, other: other.path.clone() });
    }
    Ok(Addition { file, out: path.clone(), path: path.clone() })
}

/// Refuses the files that hold a project together, and folders that have one in them.
fn refuse_own(pipeline: &Pipeline, path: &RepoPath) -> Result<(), TrackError> {
    let refuse = |file: &RepoPath| Err(TrackError::OwnFile { path: path.clone(), file: file.clone() });
    let is_own = |part: &str| matches!(part, PROJECT_DIR | ".git" | ".hg");
    let name = path.file_name();
    if path.parts().any(is_own) || matches!(name, PIPELINE_FILE | LOCK_FILE | ".dvcignore" | ".gitignore") {
        return refuse(path);
    }
    match pipeline.files().keys().find(|file| file.is_within(path)) {
        Some(file) => refuse(file),
        None => Ok(()),
    }
}

impl Addition {
    /// What was named.
    #[must_use]
    pub const fn path(&self) -> &RepoPath {
        &self.path
    }

    /// Adds it: its content goes into the cache, the `.dvc` file names it, git ignores it.
    ///
    /// # Errors
    /// When nothing is there, or it cannot be kept.
    pub fn add(&self, workspace: &Workspace<'_>, git: Option<&Git>, keep: Keep) -> Result<Added, TrackError> {
        let old = match workspace.read(&self.file)? {
            Some(text) => Some(DataFile::parse(Source::new(self.file.clone(), text)).map_err(PipelineError::Source)?),
            None => None,
        };
        let known = old.as_ref().and_then(|old| old.entry.outs.first());
        let name = known.map_or_else(|| self.out.file_name(), |known| &known.path);
        let cached = old.as_ref().and_then(|old| old.stage.outs.first()).is_none_or(|out| out.cached);
        let keep = if cached { keep } else { Keep::No };
        let locked = if self.path == self.out {
            plan::locked_path(name, &self.whole(workspace, keep)?)
        } else {
            self.part(workspace, known, name, keep)?
        };
        workspace.forget(&self.out);
        let text = match &old {
            Some(old) => old.with_content(&locked).map_err(PipelineError::Source)?,
            None => data_file::new_text(name, &locked).into_bytes(),
        };
        let mut touched = Vec::new();
        if old.is_none_or(|old| *old.source.text != *text) {
            fs::write_inside(workspace.root(), &self.file, &text)?;
            touched.push(self.file.clone());
        }
        if let Some(git) = git.filter(|_| cached) {
            let ignored = |path: &RepoPath| git.is_ignored(path).unwrap_or(false);
            touched.extend(gitignore::add(workspace.root(), std::slice::from_ref(&self.out), ignored)?);
        }
        Ok(Added { touched, is_empty: locked.size == Some(0) })
    }

    fn whole(&self, workspace: &Workspace<'_>, keep: Keep) -> Result<Content, TrackError> {
        let (tree, algorithm) = (workspace.tree(), workspace.algorithm());
        let scanned = match keep {
            Keep::Linked => tree.ingest(workspace.store(), &self.out, algorithm)?,
            Keep::Unlinked => tree.ingest(&workspace.store().copying(), &self.out, algorithm)?,
            Keep::No => tree
                .scan(Path::new(self.out.as_str()), algorithm)?
                .ok_or_else(|| CacheError::Absent(self.out.under(workspace.root())))?,
        };
        Ok(scanned.into())
    }

    /// The record of the directory with what stands at the path inside it; the rest as it is recorded.
    fn part(
        &self,
        workspace: &Workspace<'_>,
        known: Option<&LockedPath>,
        name: &str,
        keep: Keep,
    ) -> Result<LockedPath, TrackError> {
        let (store, algorithm) = (workspace.store(), workspace.algorithm());
        let id =
            known.and_then(|known| known.id.as_ref()).ok_or_else(|| TrackError::NotADirectory(self.out.clone()))?;
        if !id.is_directory() {
            return Err(TrackError::NotADirectory(self.out.clone()));
        }
        let old = store.tree(id)?;
        if old.algorithm() != algorithm {
            return Err(TrackError::OtherHash(self.out.clone()));
        }
        let copying = store.copying();
        let kept_in = match keep {
            Keep::Linked => Some(store),
            Keep::Unlinked => Some(&copying),
            Keep::No => None,
        };
        let inner = self.path.relative_to(&self.out);
        let part = workspace.tree().part(kept_in, &self.path, algorithm)?;
        if part.is_none() && old.part(&inner).is_none() {
            return Err(CacheError::Absent(self.path.under(workspace.root())).into());
        }
        let bad = |reason| CacheError::BadTree { id: id.clone(), reason };
        let tree = old.with_part(&inner, part).map_err(bad)?;
        // DVC writes the listing also with `--no-commit`: without it, nothing could be added to it again.
        let id = store.insert_tree(&tree)?;
        let locked = LockedPath { path: name.to_owned(), id: Some(id), ..LockedPath::default() };
        Ok(LockedPath { size: self.size(workspace, &tree), files: Some(tree.files().len() as u64), ..locked })
    }

    /// The bytes of all files of a directory, if they can be told.
    fn size(&self, workspace: &Workspace<'_>, tree: &Tree) -> Option<u64> {
        let files: Vec<(&str, &ObjectId)> = tree.files().collect();
        let in_workspace = |relpath: &str| {
            let path = self.out.join(relpath).ok()?.under(workspace.root());
            path.metadata().ok().map(|metadata| metadata.len())
        };
        files.par_iter().map(|(path, id)| workspace.store().size(id).or_else(|| in_workspace(path))).sum()
    }
}
