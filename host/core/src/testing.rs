//! What tests of several modules need: a project with a git repository in a folder of its own, and a format that reads YAML.

use std::path::Path;
use std::sync::Arc;

use dewar_text::{Edit, Value, yaml};

use crate::extension::{CheckpointPolicy, ExtensionError, Extensions, ParamFormat, PluginId, StageExecutor};
use crate::git::{CommitId, Git};
use crate::params::ParamFiles;
use crate::path::RepoPath;
use crate::pipeline::files::{Overlaid, WorkFiles};
use crate::pipeline::load::StageId;
use crate::pipeline::target::{self, Folders, Names, Targets, Typed};
use crate::pipeline::{FlagStyle, Pipeline, PipelineError, Templates};

/// A path of the project.
pub(crate) fn path(text: &str) -> RepoPath {
    RepoPath::parse(text).unwrap()
}

/// A pipeline of these files alone; templates may name values of YAML files.
pub(crate) fn load_texts(files: &[(&str, &str)]) -> Result<(Overlaid<WorkFiles>, Pipeline), PipelineError> {
    let values = ParamFiles::new(YamlOnly::version("1"), None);
    let folder = tempfile::tempdir().unwrap();
    let texts = files.iter().map(|(file, text)| (path(file), text.as_bytes().into())).collect();
    let files = Overlaid::new(WorkFiles::new(folder.path().to_owned()), texts);
    let pipeline = Pipeline::load(&files, Templates { values: &values, flags: FlagStyle::default() })?;
    Ok((files, pipeline))
}

/// The stages that these targets name in the root of the project.
pub(crate) fn named(pipeline: &Pipeline, targets: &[&str]) -> Vec<StageId> {
    let texts: Vec<String> = targets.iter().map(|target| (*target).to_owned()).collect();
    let (root, from) = (Path::new("/project"), &RepoPath::root());
    let typed = Typed { texts: &texts, root, from, folders: Folders::Refused, names: Names::Exact };
    target::stages(pipeline, &Targets::Typed(typed)).unwrap()
}

/// Extensions whose one format reads YAML, and JSON since that is YAML, too.
pub(crate) struct YamlOnly {
    format: Arc<Yaml>,
}

impl YamlOnly {
    /// Its digest tells it from one of another version.
    pub(crate) fn version(digest: &str) -> Arc<Self> {
        Arc::new(Self { format: Arc::new(Yaml(PluginId { name: "yaml".into(), digest: digest.into() })) })
    }
}

struct Yaml(PluginId);

impl ParamFormat for Yaml {
    fn id(&self) -> &PluginId {
        &self.0
    }

    fn read(&self, source: &[u8]) -> Result<Value, ExtensionError> {
        yaml::read(source).map(|node| node.to_value()).map_err(|diagnostic| self.refuse(diagnostic))
    }

    fn edit(&self, source: &[u8], edits: &[Edit]) -> Result<Vec<u8>, ExtensionError> {
        yaml::edit(source, edits).map_err(|diagnostic| self.refuse(diagnostic))
    }
}

impl Yaml {
    fn refuse(&self, diagnostic: dewar_text::Diagnostic) -> ExtensionError {
        ExtensionError::Refused { plugin: self.0.clone(), diagnostics: vec![diagnostic] }
    }
}

impl Extensions for YamlOnly {
    fn param_format(&self, _: &RepoPath) -> Result<Arc<dyn ParamFormat>, ExtensionError> {
        Ok(Arc::clone(&self.format) as Arc<dyn ParamFormat>)
    }

    fn claims(&self, _: &RepoPath) -> bool {
        true
    }

    fn executor(&self, name: &str) -> Result<Arc<dyn StageExecutor>, ExtensionError> {
        Err(ExtensionError::Unknown { kind: "executor", name: name.into() })
    }

    fn policy(&self, name: &str) -> Result<Arc<dyn CheckpointPolicy>, ExtensionError> {
        Err(ExtensionError::Unknown { kind: "policy", name: name.into() })
    }
}

/// A project that is a git repository, on the branch `main`.
pub(crate) struct Project {
    folder: tempfile::TempDir,
    repo: git2::Repository,
}

impl Project {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = git2::RepositoryInitOptions::new();
        let repo = git2::Repository::init_opts(folder.path(), options.initial_head("main")).unwrap();
        Self { folder, repo }
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn git(&self) -> Git {
        Git::open(self.root()).unwrap().unwrap()
    }

    pub(crate) fn repo(&self) -> &git2::Repository {
        &self.repo
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let place = self.root().join(file);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, text).unwrap();
    }

    /// Commits the whole work tree to the branch, at a second of 1970.
    pub(crate) fn commit(&self, second: i64) -> CommitId {
        let mut index = self.repo.index().unwrap();
        index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).unwrap();
        index.update_all(["*"], None).unwrap();
        index.write().unwrap();
        let tree = self.repo.find_tree(index.write_tree().unwrap()).unwrap();
        let parent = self.repo.head().ok().map(|head| head.peel_to_commit().unwrap());
        let parents: Vec<_> = parent.iter().collect();
        let by = signature(second);
        id(self.repo.commit(Some("HEAD"), &by, &by, "commit", &tree, &parents).unwrap())
    }

    /// A commit on `parent` with these files changed, at a second of 1970, which nothing names.
    pub(crate) fn commit_on(&self, parent: CommitId, files: &[(&str, &str)], second: i64) -> CommitId {
        let parent = self.repo.find_commit(git2::Oid::from_str(&parent.to_string()).unwrap()).unwrap();
        let mut update = git2::build::TreeUpdateBuilder::new();
        for (file, text) in files {
            update.upsert(*file, self.repo.blob(text.as_bytes()).unwrap(), git2::FileMode::Blob);
        }
        let tree = update.create_updated(&self.repo, &parent.tree().unwrap()).unwrap();
        let tree = self.repo.find_tree(tree).unwrap();
        let by = signature(second);
        id(self.repo.commit(None, &by, &by, "commit", &tree, &[&parent]).unwrap())
    }

    /// The experiment `name` of `baseline` whose last commit is `tip`.
    pub(crate) fn experiment(&self, baseline: CommitId, name: &str, tip: CommitId) {
        let digits = baseline.to_string();
        let (two, rest) = digits.split_at(2);
        let tip = git2::Oid::from_str(&tip.to_string()).unwrap();
        self.repo.reference(&format!("refs/exps/{two}/{rest}/{name}"), tip, false, "").unwrap();
    }
}

fn signature(second: i64) -> git2::Signature<'static> {
    git2::Signature::new("Ada", "ada@example.org", &git2::Time::new(second, 0)).unwrap()
}

fn id(oid: git2::Oid) -> CommitId {
    CommitId::parse(&oid.to_string()).unwrap()
}
