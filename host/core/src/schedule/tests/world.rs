//! A project on disk whose stages run in this process, and what is asked of it.

use super::*;
use crate::event::EventSink;
use crate::resources::{Amounts, Ledger};
use crate::run_cache::RunCache;

/// What a project may have and what its stages do. Commands, parameters and files change; this does not.
#[derive(Debug, Clone)]
pub(super) struct Design {
    pub(super) stages: Vec<StageDesign>,
    pub(super) link: LinkKind,
}

#[derive(Debug, Clone)]
pub(super) struct StageDesign {
    pub(super) deps: Vec<String>,
    pub(super) params: Vec<&'static str>,
    pub(super) outs: Vec<OutDesign>,
    pub(super) always: bool,
    /// What comes out does not tell which command ran.
    pub(super) coarse: bool,
}

#[derive(Debug, Clone)]
pub(super) struct OutDesign {
    pub(super) path: String,
    pub(super) directory: bool,
    pub(super) kind: Kept,
}

/// How an output is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    Cached,
    Persisted,
    /// `cache: false`.
    Uncached,
    /// A metric with `cache: false`, which the run cache keeps all the same.
    Metric,
}

pub(super) const FOLDER: &str = "folder";
pub(super) const SOURCES: [&str; 3] = ["src0", "src1", "src2"];
pub(super) const PARAMS: [&str; 3] = ["p0", "p1", "p2"];

/// All files with their contents, by path.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// A file, or the files of a directory by their paths in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Content {
    File(Vec<u8>),
    Directory(Files),
}

/// What stands at a path.
pub(super) fn at(files: &Files, path: &str) -> Option<Content> {
    if let Some(bytes) = files.get(path) {
        return Some(Content::File(bytes.clone()));
    }
    let inside = |(name, bytes): (&String, &Vec<u8>)| {
        Some((name.strip_prefix(path)?.strip_prefix('/')?.to_owned(), bytes.clone()))
    };
    let inside: Files = files.iter().filter_map(inside).collect();
    (!inside.is_empty()).then_some(Content::Directory(inside))
}

/// The files that a stage writes, a pure function of what it read.
pub(super) fn written(
    stage: &StageDesign,
    command: &str,
    deps: &BTreeMap<String, Content>,
    params: &BTreeMap<String, i64>,
) -> Files {
    let command = if stage.coarse { "" } else { command };
    let digest = |of: &str| blake3::hash(of.as_bytes()).to_hex().as_bytes().to_vec();
    let mut files = Files::new();
    for out in &stage.outs {
        let all = digest(&format!("{} {command} {deps:?} {params:?}", out.path));
        if out.directory {
            // Half of it knows little, so that a change need not reach those who read that alone.
            files.insert(format!("{}/x", out.path), digest(&format!("{} {:?}", out.path, deps.first_key_value())));
            files.insert(format!("{}/y", out.path), all);
        } else {
            files.insert(out.path.clone(), all);
        }
    }
    files
}

/// A project on disk.
pub(super) struct World {
    dir: tempfile::TempDir,
    pub(super) design: Arc<Design>,
    pub(super) versions: Vec<u8>,
    pub(super) frozen: Vec<bool>,
    pub(super) params: BTreeMap<String, i64>,
    store: ObjectStore,
    index: StatIndex,
}

/// What a run is asked to do.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) targets: Vec<usize>,
    pub(super) reach: Reach,
    pub(super) force: Force,
}

/// What a run did.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Did {
    /// Stages in the order in which they were considered.
    pub(super) order: Vec<usize>,
    /// What the plan that was made before says of each.
    pub(super) planned: BTreeMap<usize, Course>,
    pub(super) ran: Vec<usize>,
    pub(super) restored: Vec<usize>,
    pub(super) failed: bool,
}

impl World {
    pub(super) fn new(design: Design) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("repo")).unwrap();
        let stages = design.stages.len();
        let world = Self {
            store: ObjectStore::new(dir.path().join("cache"), Shared::No, &[design.link]),
            index: StatIndex::open(dir.path().join("index"), SystemTime::now),
            dir,
            design: Arc::new(design),
            versions: vec![0; stages],
            frozen: vec![false; stages],
            params: PARAMS.map(|key| (key.to_owned(), 0)).into(),
        };
        for source in SOURCES {
            world.write(source, b"0");
        }
        world.write(&format!("{FOLDER}/keep"), b"");
        world
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("repo")
    }

    /// Writes a file as an editor does that never writes through a link.
    pub(super) fn write(&self, path: &str, bytes: &[u8]) {
        self.remove(path);
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub(super) fn remove(&self, path: &str) {
        let path = self.root().join(path);
        let Ok(metadata) = path.symlink_metadata() else { return };
        if metadata.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
    }

    pub(super) fn command(&self, stage: usize) -> String {
        format!("run s{stage} v{}", self.versions[stage])
    }

    fn pipeline_text(&self) -> String {
        let mut text = String::from("stages:\n");
        for (number, stage) in self.design.stages.iter().enumerate() {
            text += &format!("  s{number}:\n    cmd: {}\n", self.command(number));
            text += &format!("    deps: [{}]\n    params: [{}]\n", stage.deps.join(", "), stage.params.join(", "));
            let list = |metrics: bool| {
                let of_list = stage.outs.iter().filter(|out| (out.kind == Kept::Metric) == metrics);
                let item = |out: &OutDesign| match out.kind {
                    Kept::Cached => out.path.clone(),
                    Kept::Persisted => format!("{}: {{persist: true}}", out.path),
                    Kept::Uncached | Kept::Metric => format!("{}: {{cache: false}}", out.path),
                };
                of_list.map(item).collect::<Vec<_>>().join(", ")
            };
            text += &format!("    outs: [{}]\n    metrics: [{}]\n", list(false), list(true));
            text += &format!("    frozen: {}\n    always_changed: {}\n", self.frozen[number], stage.always);
        }
        text
    }

    /// What the project's folder holds beside the files that dewar keeps there.
    pub(super) fn files(&self) -> Files {
        let mut files = Files::new();
        read_folder(&self.root(), "", &mut files);
        files.retain(|path, _| !matches!(path.as_str(), "dvc.yaml" | "dvc.lock" | "params.yaml"));
        files
    }

    pub(super) fn run(&self, asked: &Asked) -> Did {
        self.write("dvc.yaml", self.pipeline_text().as_bytes());
        let params: Vec<String> = self.params.iter().map(|(key, value)| format!("{key}: {value}\n")).collect();
        self.write("params.yaml", params.concat().as_bytes());
        let root = self.root();
        let values = ParamFiles::new(YamlOnly::version("1"), None);
        let templates = Templates { values: &values, flags: FlagStyle::default() };
        let targets: Vec<String> = asked.targets.iter().map(|stage| format!("s{stage}")).collect();
        let files = WorkFiles::new(root.clone());
        let (folders, names, from) = (Folders::default(), Names::default(), RepoPath::root());
        let typed = Typed { texts: &targets, root: &root, from: &from, folders, names };
        let selection = repro::select(&files, templates, &Targets::Typed(typed), asked.reach).unwrap();
        let workspace = || {
            let tree = WorkTree::open(&root, &self.index).unwrap();
            Workspace::new(tree, &self.store, &values, Algorithm::Blake3)
        };
        let number = |id: &StageId| id.0 as usize;
        let run_cache = RunCache::new(self.store.folder());
        let planned = {
            let workspace = workspace();
            let recall = Recall { observe: &workspace, store: &self.store, run_cache: Some(&run_cache), fetcher: None };
            let graph = selection.graph.as_ref();
            let rules = Rules { force: asked.force, ..Rules::USUAL };
            let plan = Plan::make(&selection.pipeline, graph, &selection.order, rules, Downstream::WhenStale, &recall)
                .unwrap();
            plan.steps.iter().map(|step| (number(&step.stage), step.course)).collect()
        };
        let executor = Arc::new(Executor {
            id: PluginId { name: "inside".into(), digest: String::new() },
            root: root.clone(),
            design: Arc::clone(&self.design),
            params: self.params.clone(),
            ran: Mutex::default(),
        });
        let seen = Arc::new(Seen::default());
        let workspace = workspace();
        let runner = StageRunner {
            workspace: &workspace,
            executor: Arc::clone(&executor) as Arc<dyn StageExecutor>,
            processes: Box::new(|_, _| Arc::new(NoProcesses)),
            env: Vec::new(),
            run_cache: Some(run_cache),
            pull: None,
            resources: Ledger::new(&root.join(".dvc/tmp/claims"), Amounts::default()),
            budget: None,
            cancellation: Cancellation::default(),
            git: None,
            events: Arc::clone(&seen) as Arc<dyn EventSink>,
            explanations: None,
            from: RepoPath::root(),
            commit: Commit::Yes,
            checkpoints: None,
            watching: Mutex::default(),
            confirm: None,
        };
        // The one place that knows how a run is asked for.
        let options = RunOptions { force: asked.force, ..RunOptions::default() };
        let report = super::run(&selection.pipeline, selection.graph.as_ref(), &selection.order, options, &runner);
        self.index.save().unwrap();
        let did = Did {
            order: selection.order.iter().map(number).collect(),
            planned,
            ran: executor.ran.lock().unwrap().clone(),
            restored: seen.0.lock().unwrap().clone(),
            failed: report.is_err(),
        };
        if let Ok(report) = report {
            assert_eq!(report.ran, did.ran.len());
        }
        did
    }
}

fn read_folder(folder: &Path, prefix: &str, files: &mut Files) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        match std::fs::metadata(entry.path()).unwrap().is_dir() {
            true => read_folder(&entry.path(), &format!("{name}/"), files),
            false => drop(files.insert(name, std::fs::read(entry.path()).unwrap())),
        }
    }
}

/// Does what [`written`] says, and checks what a stage may count on.
struct Executor {
    id: PluginId,
    root: PathBuf,
    design: Arc<Design>,
    params: BTreeMap<String, i64>,
    ran: Mutex<Vec<usize>>,
}

impl StageExecutor for Executor {
    fn id(&self) -> &PluginId {
        &self.id
    }

    fn run(
        &self,
        job: &Job,
        _: Arc<dyn Processes>,
        _: Arc<dyn Fn(usize) + Send + Sync>,
    ) -> Result<Outcome, ExtensionError> {
        let number: usize = job.stage.strip_prefix('s').unwrap().parse().unwrap();
        let stage = &self.design.stages[number];
        let mut files = Files::new();
        read_folder(&self.root, "", &mut files);
        for out in stage.outs.iter().filter(|out| out.kind != Kept::Persisted) {
            assert_eq!(at(&files, &out.path), None, "the last result is still there");
        }
        let deps = stage.deps.iter().map(|dep| (dep.clone(), at(&files, dep).unwrap())).collect();
        let params = stage.params.iter().map(|key| ((*key).to_owned(), self.params[*key])).collect();
        for (path, bytes) in written(stage, &job.commands[0], &deps, &params) {
            let path = self.root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        self.ran.lock().unwrap().push(number);
        Ok(Outcome::Succeeded)
    }
}

/// The stages that were restored, in order.
#[derive(Default)]
struct Seen(Mutex<Vec<usize>>);

impl EventSink for Seen {
    fn event(&self, event: Event) {
        match event {
            Event::StageRestored { stage } => {
                self.0.lock().unwrap().push(stage.trim_start_matches('s').parse().unwrap());
            }
            Event::Warning { message } => panic!("{message}"),
            _ => {}
        }
    }
}

pub(super) struct NoProcesses;

impl Processes for NoProcesses {
    fn spawn(&self, command: &ProcessCommand) -> Result<Box<dyn ChildProcess>, ProcessError> {
        Err(ProcessError::NotFound(command.program.clone()))
    }

    fn capture(&self, command: &ProcessCommand) -> Result<Captured, ProcessError> {
        Err(ProcessError::NotFound(command.program.clone()))
    }
}
