//! [`RevisionReader`]: what the files of a revision say.

use std::path::Path;
use std::sync::Arc;

use dewar_text::{Map, Value};
use indexmap::IndexMap;

use super::files::RevisionFiles;
use super::project::project;
use super::{Content, FileData, FileError, Files, OutputContent, RevisionData, metrics_of};
use crate::cache::Tree;
use crate::digest::ObjectId;
use crate::params::ParamFiles;
use crate::path::RepoPath;
use crate::pipeline::stage::DEFAULT_PARAMS;
use crate::pipeline::{LockedPath, OutputKind, ParamKeys, Pipeline, Place};
use crate::source::Source;

/// Reads an object of the cache; none when the cache does not have it.
pub type ReadObject<'a> = dyn Fn(&ObjectId) -> Option<Vec<u8>> + Sync + 'a;

/// Which parameters are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParamScope {
    /// What stages declare and templates take, all of `params.yaml` at the root, and the files under `params` at the top of a `dvc.yaml`.
    All,
    /// Only what stages declare and templates take.
    Declared,
}

/// Reads parameters, metrics and contents of one revision.
pub struct RevisionReader<'a> {
    files: &'a dyn RevisionFiles,
    pipeline: &'a Pipeline,
    params: &'a ParamFiles,
    objects: &'a ReadObject<'a>,
}

impl<'a> RevisionReader<'a> {
    /// Reads `files`, whose pipeline is given, through `params`; outputs that are not among the files through `objects`.
    #[must_use]
    pub fn new(
        files: &'a dyn RevisionFiles,
        pipeline: &'a Pipeline,
        params: &'a ParamFiles,
        objects: &'a ReadObject<'a>,
    ) -> Self {
        Self { files, pipeline, params, objects }
    }

    /// Everything.
    #[must_use]
    pub fn data(&self, scope: ParamScope) -> RevisionData {
        RevisionData { metrics: self.metrics(), ..self.inputs(scope) }
    }

    /// Everything but the metrics.
    #[must_use]
    pub fn inputs(&self, scope: ParamScope) -> RevisionData {
        RevisionData { params: self.params(scope), metrics: Files::new(), deps: self.deps(), outs: self.outs() }
    }

    /// The parameters of the pipeline.
    #[must_use]
    pub fn params(&self, scope: ParamScope) -> Files {
        let mut wanted: IndexMap<RepoPath, ParamKeys> = IndexMap::new();
        for (_, stage) in self.pipeline.stages() {
            for dep in &stage.params {
                add_keys(&mut wanted, &dep.file, &dep.keys);
            }
        }
        for (file, keys) in self.pipeline.files().values().flat_map(|file| &file.taken) {
            add_keys(&mut wanted, file, &ParamKeys::Some(keys.iter().cloned().collect()));
        }
        if scope == ParamScope::All {
            let top = self.pipeline.files().values().flat_map(|file| &file.params);
            top.for_each(|file| add_keys(&mut wanted, file, &ParamKeys::All));
            let default = RepoPath::parse(DEFAULT_PARAMS).unwrap_or_default();
            if wanted.contains_key(&default) || matches!(self.files.read(&default), Ok(Some(_))) {
                add_keys(&mut wanted, &default, &ParamKeys::All);
            }
        }
        let mut read = Files::new();
        for (path, keys) in wanted {
            for file in self.expand(&path) {
                let data = match (self.values(&file), &keys) {
                    (Ok(values), ParamKeys::All) => FileData::Values(values),
                    (Ok(values), ParamKeys::Some(keys)) => FileData::Values(Arc::new(project(&values, keys))),
                    (Err(error), _) => FileData::Broken(error),
                };
                read.insert(file, data);
            }
        }
        read
    }

    /// The parameters of these files or folders alone, whatever the pipeline says of them.
    #[must_use]
    pub fn params_of(&self, targets: &[RepoPath]) -> Files {
        let read = |file: RepoPath| {
            let data = self.values(&file).map_or_else(FileData::Broken, FileData::Values);
            (file, data)
        };
        targets.iter().flat_map(|target| self.expand(target)).map(read).collect()
    }

    /// The metrics of the pipeline.
    #[must_use]
    pub fn metrics(&self) -> Files {
        let outs = self.pipeline.stages().flat_map(|(_, stage)| &stage.outs);
        let outs = outs.filter(|out| out.kind == OutputKind::Metric).map(|out| &out.path);
        let top = self.pipeline.files().values().flat_map(|file| &file.metrics);
        self.read_metrics(outs.chain(top))
    }

    /// The metrics of these files or folders alone, whatever the pipeline says of them.
    #[must_use]
    pub fn metrics_of(&self, targets: &[RepoPath]) -> Files {
        self.read_metrics(targets)
    }

    fn read_metrics<'p>(&self, paths: impl IntoIterator<Item = &'p RepoPath>) -> Files {
        let read = |file: RepoPath| {
            let kept = |values: Arc<Value>| Arc::new(metrics_of(&values).unwrap_or_else(|| Value::Map(Map::new())));
            let data = self.values(&file).map_or_else(FileData::Broken, |values| FileData::Values(kept(values)));
            (file, data)
        };
        paths.into_iter().flat_map(|path| self.expand(path)).map(read).collect()
    }

    /// What stages read, with the content that the lock remembers. Without parameter files, and without what is not on this
    /// machine.
    #[must_use]
    pub fn deps(&self) -> IndexMap<String, Content> {
        let mut deps = IndexMap::new();
        for (_, stage) in self.pipeline.stages() {
            let entry = self.pipeline.locked(stage);
            for dep in &stage.deps {
                let path = match &dep.place {
                    Place::Inside(path) => path.as_str().to_owned(),
                    Place::Outside(path) => from_root(self.files.root(), path),
                    Place::Elsewhere(_) => continue,
                };
                deps.insert(path, content(entry.and_then(|entry| entry.dep(&dep.path))));
            }
        }
        deps
    }

    /// What stages write and `.dvc` files track, but metrics and plots, with the content that the lock remembers.
    #[must_use]
    pub fn outs(&self) -> IndexMap<RepoPath, OutputContent> {
        let mut outs = IndexMap::new();
        for (_, stage) in self.pipeline.stages() {
            let entry = self.pipeline.locked(stage);
            for out in stage.outs.iter().filter(|out| out.kind == OutputKind::Plain) {
                let content = content(entry.and_then(|entry| entry.out(&out.lock_path)));
                outs.insert(out.path.clone(), OutputContent { content, cached: out.cached, is_data: stage.is_data() });
            }
        }
        outs
    }

    /// The files that a path stands for: those below a folder, else itself.
    fn expand(&self, path: &RepoPath) -> Vec<RepoPath> {
        if let Ok(Some(files)) = self.files.files_below(path) {
            return files;
        }
        // A folder that only the cache has. Anything else is said when the path itself is read.
        let listed = match self.cached(path) {
            Some((folder, id))
                if folder == path && id.is_directory() && !matches!(self.files.read(path), Ok(Some(_))) =>
            {
                self.listing(id)
            }
            _ => None,
        };
        listed.map_or_else(
            || vec![path.clone()],
            |listed| listed.iter().filter_map(|(below, _)| path.join(below).ok()).collect(),
        )
    }

    fn values(&self, file: &RepoPath) -> Result<Arc<Value>, FileError> {
        let text = match self.files.read(file) {
            Ok(Some(text)) => text,
            Ok(None) => self.cached_text(file)?,
            Err(error) => return Err(FileError::Unreadable(Arc::new(error))),
        };
        self.params
            .parse(&Source::new(file.clone(), text))
            .map_err(|source| FileError::Invalid { file: file.clone(), source: Arc::new(source) })
    }

    /// The content of a file that is an output, or in one.
    fn cached_text(&self, file: &RepoPath) -> Result<Vec<u8>, FileError> {
        let (out, id) = self.cached(file).ok_or_else(|| FileError::Missing(file.clone()))?;
        let not_cached = |id: &ObjectId| FileError::NotCached { file: file.clone(), id: id.clone() };
        if !id.is_directory() {
            let wanted = if out == file { Some(id) } else { None };
            let id = wanted.ok_or_else(|| FileError::Missing(file.clone()))?;
            return (self.objects)(id).ok_or_else(|| not_cached(id));
        }
        let below = file.relative_to(out);
        let listed = self.listing(id).ok_or_else(|| not_cached(id))?;
        let (_, id) =
            listed.into_iter().find(|(path, _)| *path == below).ok_or_else(|| FileError::Missing(file.clone()))?;
        (self.objects)(&id).ok_or_else(|| not_cached(&id))
    }

    /// The cached output that a file is, or is in, and the content that the lock remembers of it.
    fn cached(&self, file: &RepoPath) -> Option<(&RepoPath, &ObjectId)> {
        self.pipeline.stages().find_map(|(_, stage)| {
            let out = stage.outs.iter().find(|out| out.cached && file.is_within(&out.path))?;
            let id = self.pipeline.locked(stage)?.out(&out.lock_path)?.id.as_ref()?;
            Some((&out.path, id))
        })
    }

    /// The files of a directory's listing.
    fn listing(&self, id: &ObjectId) -> Option<Vec<(String, ObjectId)>> {
        let tree = Tree::parse(id.algorithm(), &(self.objects)(id)?).ok()?;
        Some(tree.files().map(|(path, id)| (path.to_owned(), id.clone())).collect())
    }
}

/// A path outside the project as written from its root, with `..`, so that it reads the same in every clone beside it.
fn from_root(root: &Path, path: &Path) -> String {
    let top = Path::new("/");
    match (RepoPath::from_absolute(top, root), RepoPath::from_absolute(top, path)) {
        (Ok(root), Ok(path)) => path.relative_to(&root),
        _ => path.display().to_string(),
    }
}

/// All of a file wins over keys of it, whoever comes first.
fn add_keys(wanted: &mut IndexMap<RepoPath, ParamKeys>, file: &RepoPath, keys: &ParamKeys) {
    match (wanted.get_mut(file), keys) {
        (None, keys) => drop(wanted.insert(file.clone(), keys.clone())),
        (Some(ParamKeys::Some(known)), ParamKeys::Some(more)) => known.extend(more.iter().cloned()),
        (Some(known), ParamKeys::All) => *known = ParamKeys::All,
        (Some(ParamKeys::All), ParamKeys::Some(_)) => {}
    }
}

fn content(locked: Option<&LockedPath>) -> Content {
    locked.map_or_else(Content::default, |locked| Content {
        id: locked.id.clone(),
        size: locked.size,
        files: locked.files,
    })
}
