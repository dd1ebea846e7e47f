//! [`Workspace`]: the folder that stages run in, and what is in it now.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dewar_text::Value;

use crate::cache::{ObjectStore, Tree, WorkTree};
use crate::digest::{Algorithm, Hasher, ObjectId};
use crate::observe::{Content, Observe, ObserveError};
use crate::params::ParamFiles;
use crate::path::RepoPath;
use crate::pipeline::files::{Overlaid, Overlay, WorkFiles};
use crate::pipeline::{PipelineError, Place, ProjectFiles};
use crate::source::Source;

/// The folder that stages run in. What was looked at is remembered until a stage writes there, so that no file is looked at
/// twice.
pub struct Workspace<'a> {
    files: Overlaid<WorkFiles>,
    tree: WorkTree<'a>,
    store: &'a ObjectStore,
    params: &'a ParamFiles,
    algorithm: Algorithm,
    seen: Mutex<Seen>,
}

/// When more was seen than this, all of it is forgotten instead of what touches one path: searching it after each of
/// thousands of stages would cost more than looking again.
const WORTH_SEARCHING: usize = 512;

/// What was looked at.
#[derive(Default)]
struct Seen {
    contents: HashMap<(Place, Algorithm), Option<Content>>,
    values: HashMap<RepoPath, Option<Arc<Value>>>,
    /// How often something was forgotten. What was looked at before that and is known only after it, is not remembered:
    /// another stage may have written there in between.
    forgotten: u64,
}

impl<'a> Workspace<'a> {
    /// The workspace whose files are `tree`; new contents are named by `algorithm`.
    #[must_use]
    pub fn new(tree: WorkTree<'a>, store: &'a ObjectStore, params: &'a ParamFiles, algorithm: Algorithm) -> Self {
        Self {
            files: Overlaid::new(WorkFiles::new(tree.root().to_owned()), Overlay::new()),
            tree,
            store,
            params,
            algorithm,
            seen: Mutex::default(),
        }
    }

    /// The same, with these texts in place of what is there.
    #[must_use]
    pub fn with_overlay(self, overlay: Overlay) -> Self {
        Self { files: Overlaid::new(WorkFiles::new(self.tree.root().to_owned()), overlay), ..self }
    }

    /// Its files, as the cache sees them.
    #[must_use]
    pub const fn tree(&self) -> &WorkTree<'a> {
        &self.tree
    }

    /// Where contents are kept.
    #[must_use]
    pub const fn store(&self) -> &'a ObjectStore {
        self.store
    }

    /// How its parameter files are read.
    #[must_use]
    pub const fn param_files(&self) -> &'a ParamFiles {
        self.params
    }

    /// Forgets all that was seen, because a command ran, which may have written anywhere.
    pub fn forget_all(&self) {
        let mut seen = self.seen();
        *seen = Seen { forgotten: seen.forgotten + 1, ..Seen::default() };
    }

    /// Forgets what was seen at and around a path, because something was put there.
    pub fn forget(&self, written: &RepoPath) {
        let elsewhere = |place: &Place| !place.inside().is_some_and(|path| path.touches(written));
        let mut seen = self.seen();
        seen.forgotten += 1;
        if seen.contents.len() > WORTH_SEARCHING {
            seen.contents.clear();
        }
        seen.contents.retain(|(place, _), _| elsewhere(place));
        seen.values.retain(|path, _| !path.touches(written));
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // What a thread that panicked had seen is as good as what others saw.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, place: &Place, algorithm: Algorithm) -> Result<Option<Content>, ObserveError> {
        if let Some(text) = place.inside().and_then(|path| self.files.overlay().get(path)) {
            let id = Hasher::digest(algorithm, text);
            return Ok(Some(Content { id, size: text.len() as u64, files: None, executable: false }));
        }
        let Some(path) = place.local(self.root()) else { return Ok(None) };
        Ok(self.tree.scan(&path, algorithm)?.map(Content::from))
    }
}

impl ProjectFiles for Workspace<'_> {
    fn root(&self) -> &Path {
        self.files.root()
    }

    fn read(&self, file: &RepoPath) -> Result<Option<Vec<u8>>, PipelineError> {
        self.files.read(file)
    }

    fn pipeline_files(&self) -> Result<Vec<RepoPath>, PipelineError> {
        self.files.pipeline_files()
    }
}

impl Observe for Workspace<'_> {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    fn content(&self, place: &Place, algorithm: Algorithm) -> Result<Option<Content>, ObserveError> {
        let key = (place.clone(), algorithm);
        let before = {
            let seen = self.seen();
            if let Some(known) = seen.contents.get(&key) {
                return Ok(known.clone());
            }
            seen.forgotten
        };
        let content = self.look(place, algorithm)?;
        let mut seen = self.seen();
        if seen.forgotten == before {
            seen.contents.insert(key, content.clone());
        }
        Ok(content)
    }

    fn params(&self, file: &RepoPath) -> Result<Option<Arc<Value>>, ObserveError> {
        let before = {
            let seen = self.seen();
            if let Some(known) = seen.values.get(file) {
                return Ok(known.clone());
            }
            seen.forgotten
        };
        let value = match self.read(file)? {
            Some(text) => Some(self.params.parse(&Source::new(file.clone(), text))?),
            None => None,
        };
        let mut seen = self.seen();
        if seen.forgotten == before {
            seen.values.insert(file.clone(), value.clone());
        }
        Ok(value)
    }

    fn has_object(&self, id: &ObjectId) -> bool {
        self.store.has(id)
    }

    fn listing(&self, place: &Place, algorithm: Algorithm) -> Result<Option<Tree>, ObserveError> {
        let Some(path) = place.local(self.root()) else { return Ok(None) };
        Ok(self.tree.listing(&path, algorithm)?)
    }

    fn cached_listing(&self, id: &ObjectId) -> Option<Tree> {
        // A listing that is missing or damaged is as good as none.
        id.is_directory().then(|| self.store.tree(id).ok()).flatten()
    }
}
