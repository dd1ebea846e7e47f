//! [`Recorded`]: contents and parameters of a commit, as those of the workspace are seen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use dewar_text::Value;

use crate::cache::{ObjectStore, Part, Tree};
use crate::digest::{Algorithm, Hasher, ObjectId};
use crate::git::{CommitId, CommitTree, Git, GitError};
use crate::observe::{Content, Observe, ObserveError};
use crate::params::ParamFiles;
use crate::path::RepoPath;
use crate::pipeline::{LockedPath, Pipeline, PipelineError, Place};
use crate::source::Source;

/// What a commit says of contents: files have what git has; what git does not have, and folders, have what the locks and `.dvc`
/// files remember. A folder may have had more in it than git tracks when it was remembered.
pub struct Recorded<'a> {
    git: Mutex<Git>,
    commit: CommitId,
    pipeline: &'a Pipeline,
    params: &'a ParamFiles,
    store: &'a ObjectStore,
    outs: HashMap<RepoPath, &'a LockedPath>,
    algorithm: Algorithm,
}

impl<'a> Recorded<'a> {
    /// That of a commit, whose pipeline this is; `algorithm` names what nothing remembers.
    ///
    /// # Errors
    /// When the repository cannot be opened once more.
    pub fn new(
        git: &Git,
        commit: CommitId,
        pipeline: &'a Pipeline,
        params: &'a ParamFiles,
        store: &'a ObjectStore,
        algorithm: Algorithm,
    ) -> Result<Self, GitError> {
        let outs = pipeline.recorded().into_iter().map(|(path, out)| (path.clone(), out)).collect();
        Ok(Self { git: Mutex::new(git.reopen()?), commit, pipeline, params, store, outs, algorithm })
    }

    /// What git has at a path of the commit, as `look` sees it.
    fn look<T>(
        &self,
        path: &RepoPath,
        look: impl FnOnce(&CommitTree<'_>) -> Result<T, GitError>,
    ) -> Result<T, ObserveError> {
        let git = self.git.lock().unwrap_or_else(PoisonError::into_inner);
        let found = git.tree(self.commit).and_then(|tree| look(&tree));
        Ok(found.map_err(|error| PipelineError::Unreadable { file: path.clone(), source: Box::new(error) })?)
    }

    fn read(&self, file: &RepoPath) -> Result<Option<Vec<u8>>, ObserveError> {
        self.look(file, |tree| tree.read(file))
    }

    /// What is remembered of the content at a place.
    fn remembered(&self, place: &Place) -> Option<Content> {
        if let Some(path) = place.inside() {
            if let Some(out) = self.outs.get(path) {
                return content(out);
            }
            if let Some((out, rest)) = self.around(path) {
                let part = self.cached_listing(out)?.part(&rest)?;
                let id = match part {
                    Part::File(id) => id,
                    Part::Folder(tree) => tree.id(&tree.to_bytes()),
                };
                return Some(Content { id, size: 0, files: None, executable: false });
            }
        }
        self.pipeline.stages().find_map(|(_, stage)| {
            let dep = stage.deps.iter().find(|dep| dep.place == *place)?;
            content(self.pipeline.locked(stage)?.dep(&dep.path)?)
        })
    }

    /// The remembered output that a path lies in, and the way from there.
    fn around(&self, path: &RepoPath) -> Option<(&ObjectId, String)> {
        let (top, out) = path.ancestors().find_map(|above| self.outs.get_key_value(above))?;
        Some((out.id.as_ref()?, path.relative_to(top)))
    }

    /// The files of a folder that git has.
    fn folder(&self, path: &RepoPath, algorithm: Algorithm) -> Result<Option<Tree>, ObserveError> {
        let entries = self.look(path, |tree| {
            let Some(below) = tree.files_below(path)? else { return Ok(None) };
            let mut entries = Vec::with_capacity(below.len());
            for file in below {
                if let Some(text) = tree.read(&file)? {
                    entries.push((file.relative_to(path), Hasher::digest(algorithm, &text)));
                }
            }
            Ok(Some(entries))
        })?;
        // Names that no listing can have make none.
        Ok(entries.and_then(|entries| Tree::new(algorithm, entries).ok()))
    }
}

fn content(known: &LockedPath) -> Option<Content> {
    let id = known.id.clone()?;
    Some(Content { id, size: known.size.unwrap_or_default(), files: known.files, executable: known.executable })
}

impl Observe for Recorded<'_> {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    fn content(&self, place: &Place, algorithm: Algorithm) -> Result<Option<Content>, ObserveError> {
        if let Some(path) = place.inside()
            && let Some(text) = self.read(path)?
        {
            let id = Hasher::digest(algorithm, &text);
            return Ok(Some(Content { id, size: text.len() as u64, files: None, executable: false }));
        }
        if let Some(known) = self.remembered(place) {
            return Ok(Some(known));
        }
        let Some(path) = place.inside() else { return Ok(None) };
        let folder = self.folder(path, algorithm)?;
        Ok(folder.map(|tree| Content {
            id: tree.id(&tree.to_bytes()),
            size: 0,
            files: Some(tree.files().len() as u64),
            executable: false,
        }))
    }

    fn params(&self, file: &RepoPath) -> Result<Option<Arc<Value>>, ObserveError> {
        let text = match self.read(file)? {
            Some(text) => Some(text),
            // A stage writes it.
            None => self
                .remembered(&Place::Inside(file.clone()))
                .and_then(|known| std::fs::read(self.store.path(&known.id)).ok()),
        };
        Ok(text.map(|text| self.params.parse(&Source::new(file.clone(), text))).transpose()?)
    }

    /// What a commit remembers is what it is, whether or not it can be had.
    fn has_object(&self, _: &ObjectId) -> bool {
        true
    }

    fn listing(&self, place: &Place, algorithm: Algorithm) -> Result<Option<Tree>, ObserveError> {
        let Some(path) = place.inside() else { return Ok(None) };
        if let Some((out, rest)) = self.around(path) {
            let tree = self.cached_listing(out);
            return Ok(if rest == "." { tree } else { tree.and_then(|tree| tree.folder(&rest)) });
        }
        self.folder(path, algorithm)
    }

    fn cached_listing(&self, id: &ObjectId) -> Option<Tree> {
        // A listing that is missing or damaged is as good as none.
        id.is_directory().then(|| self.store.tree(id).ok()).flatten()
    }
}
