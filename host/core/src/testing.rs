//! What tests of several modules need: a project with a git repository in a folder of its own, a queue in it, and a format that
//! reads YAML.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dewar_text::{Edit, Value, yaml};

use crate::config::settings::OutsideFiles;
use crate::exp::checkpoint::Note;
use crate::exp::queue::task::{Attempt, End, Phase, Request, State, Task};
use crate::exp::queue::{NewTask, Queue};
use crate::exp::record::NameTaken;
use crate::extension::{CheckpointPolicy, ExtensionError, Extensions, ParamFormat, PluginId, StageExecutor};
use crate::git::testing::identity;
use crate::git::{CommitId, CommitTime, Git, HeadName};
use crate::params::ParamFiles;
use crate::path::RepoPath;
use crate::pipeline::files::{Overlaid, WorkFiles};
use crate::pipeline::load::StageId;
use crate::pipeline::target::{self, Folders, Names, Targets, Typed};
use crate::pipeline::{FlagStyle, Pipeline, PipelineError, Templates};
use crate::process::identity::ProcessIdentity;
use crate::repo::Repo;

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
        self.commit_saying(parent, files, second, "commit")
    }

    /// The same for a checkpoint.
    pub(crate) fn checkpoint_on(&self, parent: CommitId, files: &[(&str, &str)], second: i64, note: &Note) -> CommitId {
        self.commit_saying(parent, files, second, &note.under("commit"))
    }

    fn commit_saying(&self, parent: CommitId, files: &[(&str, &str)], second: i64, message: &str) -> CommitId {
        let parent = self.repo.find_commit(git2::Oid::from_str(&parent.to_string()).unwrap()).unwrap();
        let mut update = git2::build::TreeUpdateBuilder::new();
        for (file, text) in files {
            update.upsert(*file, self.repo.blob(text.as_bytes()).unwrap(), git2::FileMode::Blob);
        }
        let tree = update.create_updated(&self.repo, &parent.tree().unwrap()).unwrap();
        let tree = self.repo.find_tree(tree).unwrap();
        let by = signature(second);
        id(self.repo.commit(None, &by, &by, message, &tree, &[&parent]).unwrap())
    }

    /// The experiment `name` of `baseline` whose last commit is `tip`, wherever it stood before.
    pub(crate) fn experiment(&self, baseline: CommitId, name: &str, tip: CommitId) {
        let digits = baseline.to_string();
        let (two, rest) = digits.split_at(2);
        let tip = git2::Oid::from_str(&tip.to_string()).unwrap();
        self.repo.reference(&format!("refs/exps/{two}/{rest}/{name}"), tip, true, "").unwrap();
    }
}

/// The queue of a project, whose tasks are queued a second apart.
pub(crate) struct Waiting<'p> {
    project: &'p Project,
    queue: Queue,
}

impl<'p> Waiting<'p> {
    pub(crate) fn on(project: &'p Project) -> Self {
        project.write(".dvc/.gitignore", "/tmp\n");
        Self { project, queue: Queue::of(&Repo::discover(project.root(), &OutsideFiles::default()).unwrap()) }
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Queues an experiment on `HEAD` that begins with these files changed.
    pub(crate) fn add(&self, name: &str, files: &[(&str, &str)]) -> Task {
        let git = self.project.git();
        let baseline = git.head().unwrap().commit;
        let tree = git.commit_summary(self.project.commit_on(baseline, files, 0)).unwrap().tree;
        let mut changing = self.queue.change().unwrap();
        let seconds = 1000 + i64::try_from(changing.tasks().len()).unwrap();
        let request = request();
        let new = NewTask {
            name: name.to_owned().try_into().unwrap(),
            baseline,
            tree,
            index: tree,
            overrides: Vec::new(),
            priority: 0,
            sweep: None,
            request: &request,
            copies: &[],
            identity: &identity(),
            time: CommitTime { seconds, offset_minutes: 0 },
        };
        changing.add(&git, &new).unwrap()
    }

    /// Makes the record of a task say that an attempt of this process came to `state`, with this result.
    pub(crate) fn settle(&self, task: &Task, state: State, commit: Option<CommitId>) {
        self.change(task, |attempt| attempt.commit = commit, state);
    }

    /// Makes the record of a task say that this process runs it in `workspace`.
    pub(crate) fn run(&self, task: &Task, workspace: &Path) {
        self.change(task, |attempt| attempt.workspace = Some(workspace.to_owned()), State::Running);
    }

    /// Makes the record of a task say that a process runs it which is gone.
    pub(crate) fn lose(&self, task: &Task) {
        self.change(task, |_| {}, State::Running);
        let path = self.record(task);
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace(boot.trim(), "another boot")).unwrap();
    }

    fn change(&self, task: &Task, change: impl FnOnce(&mut Attempt), state: State) {
        let mut task = self.queue.read(task.id).unwrap().unwrap();
        let end = match state {
            State::Running | State::Queued => None,
            State::Failed => Some(End::Failed { message: "it broke".to_owned() }),
            State::Success => Some(End::Success),
        };
        let mut attempt = Attempt {
            worker: ProcessIdentity::current(),
            runner: Some(ProcessIdentity::current()),
            started: 1,
            ended: None,
            phase: Phase::Run,
            workspace: None,
            commit: None,
            end,
        };
        change(&mut attempt);
        task.attempts.push(attempt);
        task.state = state;
        std::fs::write(self.record(&task), serde_json::to_vec(&task).unwrap()).unwrap();
    }

    fn record(&self, task: &Task) -> PathBuf {
        self.queue.log(task.id, 1).with_file_name("record.json")
    }
}

/// What a task is to do that is never run.
pub(crate) fn request() -> Request {
    Request {
        head: HeadName::Detached,
        from: RepoPath::root(),
        typed: serde_json::Value::Null,
        message: None,
        taken: NameTaken::Refuse,
        rev: None,
        env: vec![("A".into(), "b".into())],
        copies: Vec::new(),
        plugin_dirs: Vec::new(),
    }
}

fn signature(second: i64) -> git2::Signature<'static> {
    git2::Signature::new("Ada", "ada@example.org", &git2::Time::new(second, 0)).unwrap()
}

fn id(oid: git2::Oid) -> CommitId {
    CommitId::parse(&oid.to_string()).unwrap()
}
