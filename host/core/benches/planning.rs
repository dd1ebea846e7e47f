//! Loading a pipeline, building its graph and planning a run in which nothing must run. `cargo bench -p dewar-core --bench
//! planning`.

#![allow(clippy::unwrap_used, reason = "a benchmark may fail loudly")]

use std::sync::Arc;
use std::time::SystemTime;

use dewar_core::cache::{ObjectStore, Shared, WorkTree};
use dewar_core::digest::Algorithm;
use dewar_core::extension::{CheckpointPolicy, ExtensionError, Extensions, ParamFormat, StageExecutor};
use dewar_core::graph::StageGraph;
use dewar_core::index::StatIndex;
use dewar_core::params::ParamFiles;
use dewar_core::path::RepoPath;
use dewar_core::pipeline::files::WorkFiles;
use dewar_core::pipeline::{FlagStyle, LockEntry, LockFile, LockedPath, Pipeline, Templates};
use dewar_core::plan::{Course, Downstream, Plan, Recall, Rules, inputs};
use dewar_core::workspace::Workspace;
use divan::Bencher;

fn main() {
    divan::main();
}

/// These pipelines have no parameters.
struct NoPlugins;

impl Extensions for NoPlugins {
    fn param_format(&self, file: &RepoPath) -> Result<Arc<dyn ParamFormat>, ExtensionError> {
        Err(ExtensionError::Unknown { kind: "format", name: file.to_string() })
    }

    fn claims(&self, _: &RepoPath) -> bool {
        false
    }

    fn executor(&self, name: &str) -> Result<Arc<dyn StageExecutor>, ExtensionError> {
        Err(ExtensionError::Unknown { kind: "executor", name: name.to_owned() })
    }

    fn policy(&self, name: &str) -> Result<Arc<dyn CheckpointPolicy>, ExtensionError> {
        Err(ExtensionError::Unknown { kind: "policy", name: name.to_owned() })
    }
}

/// A project of `count` stages in chains of ten, up to date.
fn project(count: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("o")).unwrap();
    std::fs::write(dir.path().join("in.txt"), "x\n").unwrap();
    let mut text = String::from("stages:\n");
    for number in 0..count {
        let dep = if number % 10 == 0 { "in.txt".to_owned() } else { format!("o/{}", number - 1) };
        text += &format!(
            "  s{number}:\n    cmd: cp {dep} o/{number}\n    deps:\n    - {dep}\n    outs:\n    - o/{number}\n"
        );
        std::fs::write(dir.path().join(format!("o/{number}")), "x\n").unwrap();
    }
    std::fs::write(dir.path().join("dvc.yaml"), text).unwrap();
    let setup = Setup::new(&dir);
    let pipeline = setup.load(&dir);
    let workspace = setup.workspace(&dir);
    let mut lock = LockFile::new(RepoPath::parse("dvc.lock").unwrap());
    for (_, stage) in pipeline.stages() {
        let out = stage.outs.first().unwrap();
        let kept = workspace.tree().ingest(workspace.store(), &out.path, Algorithm::Blake3).unwrap();
        let outs = vec![LockedPath { path: out.lock_path.clone(), id: Some(kept.id().clone()), ..Default::default() }];
        let entry = LockEntry { outs, ..inputs(stage, &workspace).unwrap() };
        lock.set(stage.address.name.as_deref().unwrap(), entry, []);
    }
    std::fs::write(dir.path().join("dvc.lock"), lock.to_text()).unwrap();
    setup.index.save().unwrap();
    dir
}

struct Setup {
    index: StatIndex,
    store: ObjectStore,
    params: ParamFiles,
}

impl Setup {
    fn new(dir: &tempfile::TempDir) -> Self {
        Self {
            index: StatIndex::open(dir.path().join(".dvc/tmp/stats"), SystemTime::now),
            store: ObjectStore::new(dir.path().join(".dvc/cache"), Shared::No, &[]),
            params: ParamFiles::new(Arc::new(NoPlugins), None),
        }
    }

    /// By parsing.
    fn load(&self, dir: &tempfile::TempDir) -> Pipeline {
        self.load_from(&WorkFiles::new(dir.path().to_owned()))
    }

    /// As commands do it: what was parsed before is remembered.
    fn recall(&self, dir: &tempfile::TempDir) -> Pipeline {
        let memory = dir.path().join(".dvc/tmp/dewar/pipeline");
        self.load_from(&WorkFiles::new(dir.path().to_owned()).remembered_in(memory))
    }

    fn load_from(&self, files: &WorkFiles) -> Pipeline {
        Pipeline::load(files, Templates { values: &self.params, flags: FlagStyle::default() }).unwrap()
    }

    fn workspace<'a>(&'a self, dir: &'a tempfile::TempDir) -> Workspace<'a> {
        let tree = WorkTree::open(dir.path(), &self.index).unwrap();
        Workspace::new(tree, &self.store, &self.params, Algorithm::Blake3)
    }
}

const SIZES: [usize; 3] = [10, 1000, 10_000];

#[divan::bench(args = SIZES, sample_count = 20)]
fn parse(bencher: Bencher<'_, '_>, stages: usize) {
    let dir = project(stages);
    let setup = Setup::new(&dir);
    bencher.bench_local(|| setup.load(&dir));
}

#[divan::bench(args = SIZES, sample_count = 20)]
fn recall(bencher: Bencher<'_, '_>, stages: usize) {
    let dir = project(stages);
    let setup = Setup::new(&dir);
    setup.recall(&dir);
    bencher.bench_local(|| setup.recall(&dir));
}

#[divan::bench(args = SIZES, sample_count = 20)]
fn graph(bencher: Bencher<'_, '_>, stages: usize) {
    let dir = project(stages);
    let setup = Setup::new(&dir);
    let pipeline = setup.load(&dir);
    bencher.bench_local(|| StageGraph::build(&pipeline).unwrap());
}

#[divan::bench(args = SIZES, sample_count = 20)]
fn plan_where_nothing_runs(bencher: Bencher<'_, '_>, stages: usize) {
    let dir = project(stages);
    let setup = Setup::new(&dir);
    let pipeline = setup.load(&dir);
    let graph = StageGraph::build(&pipeline).unwrap();
    let all: Vec<_> = pipeline.stages().map(|(id, _)| id).collect();
    let order = graph.upstream_first(&pipeline, &all);
    bencher.bench_local(|| {
        let setup = Setup::new(&dir);
        let workspace = setup.workspace(&dir);
        let recall = Recall { observe: &workspace, store: workspace.store(), run_cache: None, fetcher: None };
        let (rules, downstream) = (Rules::USUAL, Downstream::WhenStale);
        let plan = Plan::make(&pipeline, Some(&graph), &order, rules, downstream, &recall).unwrap();
        assert!(plan.steps.iter().all(|step| step.course == Course::Skip));
    });
}
