//! Stages side by side: what is left behind does not depend on how many run at once, and what a failure means.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::world::NoProcesses;
use super::*;
use crate::event::Silent;
use crate::resources::{Amounts, Ledger};
use crate::run_cache::RunCache;
use crate::testing::Project;

/// Writes into each output what the dependencies hold and the command says; a command `fail` fails. Takes a while that
/// depends on nothing, so that stages end in any order.
struct Mixer {
    id: PluginId,
    root: PathBuf,
    count: Arc<Count>,
}

/// How many run.
#[derive(Default)]
struct Count {
    running: AtomicUsize,
    most: AtomicUsize,
}

impl StageExecutor for Mixer {
    fn id(&self) -> &PluginId {
        &self.id
    }

    fn run(
        &self,
        job: &Job,
        _: Arc<dyn Processes>,
        _: Arc<dyn Fn(usize) + Send + Sync>,
    ) -> Result<Outcome, ExtensionError> {
        let running = self.count.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.count.most.fetch_max(running, Ordering::SeqCst);
        let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos();
        std::thread::sleep(Duration::from_micros(u64::from(nanos / 1000 % 7) * 300));
        let mut mixed = job.commands.join("\n");
        for dependency in &job.dependencies {
            mixed.push_str(&std::fs::read_to_string(self.root.join(dependency)).unwrap());
        }
        let failed = mixed.starts_with("fail");
        for output in job.outputs.iter().filter(|_| !failed) {
            std::fs::create_dir_all(self.root.join(output).parent().unwrap()).unwrap();
            std::fs::write(self.root.join(output), format!("{output}\n{mixed}")).unwrap();
        }
        self.count.running.fetch_sub(1, Ordering::SeqCst);
        Ok(if failed { Outcome::Failed { command: 0, exit_code: Some(1), message: None } } else { Outcome::Succeeded })
    }
}

/// Runs all stages of the project; tells how that ended, and how many ran at once at most.
fn run_all(project: &Project, options: RunOptions) -> (Result<RunReport, RunError>, usize) {
    let count = Arc::default();
    let result = run_counted(project, options, None, &count);
    (result, count.most.load(Ordering::SeqCst))
}

fn run_counted(
    project: &Project,
    options: RunOptions,
    budget: Option<Ledger>,
    count: &Arc<Count>,
) -> Result<RunReport, RunError> {
    let root = project.root();
    let index = StatIndex::open(root.join(".dvc/tmp/stats"), SystemTime::now);
    let store = ObjectStore::new(root.join(".dvc/cache"), Shared::No, &[]);
    let params = ParamFiles::new(YamlOnly::version("1"), None);
    let templates = Templates { values: &params, flags: FlagStyle::default() };
    let pipeline = Pipeline::load(&WorkFiles::new(root.to_owned()), templates).unwrap();
    let graph = StageGraph::build(&pipeline).unwrap();
    let all: Vec<StageId> = pipeline.stages().map(|(id, _)| id).collect();
    let order = graph.upstream_first(&pipeline, &all);
    let workspace = Workspace::new(WorkTree::open(root, &index).unwrap(), &store, &params, Algorithm::Blake3);
    let mixer = Arc::new(Mixer {
        id: PluginId { name: "mixer".into(), digest: String::new() },
        root: root.to_owned(),
        count: Arc::clone(count),
    });
    let runner = StageRunner {
        workspace: &workspace,
        executor: mixer,
        processes: Box::new(|_, _| Arc::new(NoProcesses)),
        env: Vec::new(),
        run_cache: Some(RunCache::new(store.folder())),
        pull: None,
        resources: Ledger::new(&root.join(".dvc/tmp/claims"), Amounts::default()),
        budget,
        cancellation: Cancellation::default(),
        git: Some(Mutex::new(project.git())),
        events: Arc::new(Silent),
        explanations: None,
        from: RepoPath::root(),
        commit: Commit::Yes,
        checkpoints: None,
        watching: Mutex::default(),
        confirm: None,
    };
    run(&pipeline, Some(&graph), &order, options, &runner)
}

fn jobs(count: usize) -> RunOptions {
    RunOptions { jobs: NonZeroUsize::new(count).unwrap(), ..RunOptions::default() }
}

/// Everything in the folder but git and what can be thrown away.
fn everything(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && name != ".git" && name != ".dvc/tmp" {
                waiting.push(path);
            } else if path.is_file() {
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

/// Stages that each read some of those before them, in folders, written in any order.
fn pipelines() -> impl Strategy<Value = (String, Vec<(String, Vec<String>)>)> {
    let stages = prop::collection::vec((prop::collection::vec(any::<prop::sample::Index>(), 0..4), 0..3_usize), 2..14);
    (stages, any::<u64>()).prop_map(|(stages, shuffle)| {
        let mut outs: Vec<String> = Vec::new();
        let mut texts = Vec::new();
        let mut list = Vec::new();
        for (at, (deps, folder)) in stages.iter().enumerate() {
            let out = format!("{}o{at}", ["", "x/", "x/y/"][*folder]);
            let mut needs: Vec<String> =
                if outs.is_empty() { Vec::new() } else { deps.iter().map(|dep| dep.get(&outs).clone()).collect() };
            needs.sort();
            needs.dedup();
            let deps: Vec<String> = needs.iter().cloned().chain(["source".to_owned()]).collect();
            texts.push(format!("  s{at}:\n    cmd: make s{at}\n    deps: [{}]\n    outs: [{out}]\n", deps.join(", ")));
            list.push((format!("s{at}"), needs));
            outs.push(out);
        }
        let seed = usize::try_from(shuffle % 1000).unwrap();
        let len = texts.len();
        texts.rotate_left(seed % len);
        (format!("stages:\n{}", texts.concat()), list)
    })
}

fn project(pipeline: &str) -> Project {
    let project = Project::new();
    project.write("dvc.yaml", pipeline);
    project.write("source", "1\n");
    project.write(".dvc/.gitignore", "/tmp\n/cache\n");
    project.commit(1);
    project
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn what_is_left_behind_does_not_depend_on_the_jobs((pipeline, stages) in pipelines()) {
        let (one, eight) = (project(&pipeline), project(&pipeline));
        let alone = run_all(&one, jobs(1)).0.unwrap();
        let together = run_all(&eight, jobs(8)).0.unwrap();
        prop_assert_eq!(&alone.changed, &together.changed);
        prop_assert_eq!(alone.ran, stages.len());
        prop_assert_eq!(everything(one.root()), everything(eight.root()));
        prop_assert_eq!(run_all(&eight, jobs(8)).0.unwrap().ran, 0);
        for project in [&one, &eight] {
            project.write("source", "2\n");
            run_all(project, jobs(if std::ptr::eq(project, &one) { 1 } else { 8 })).0.unwrap();
        }
        prop_assert_eq!(everything(one.root()), everything(eight.root()));
    }

    #[test]
    fn a_failure_leaves_out_exactly_what_needs_it((pipeline, stages) in pipelines(), failing in any::<prop::sample::Index>()) {
        let failing = failing.index(stages.len());
        let project = project(&pipeline.replace(&format!("cmd: make s{failing}\n"), "cmd: fail\n"));
        let options = RunOptions { on_failure: OnFailure::KeepGoing, ..jobs(3) };
        let RunError::Stages(failed) = run_all(&project, options).0.unwrap_err() else { panic!() };
        prop_assert_eq!(failed.len(), 1);
        let mut left_out: Vec<String> = vec![format!("s{failing}")];
        for (name, needs) in &stages {
            let is_out = |out: &String| needs.iter().any(|need| need.trim_start_matches(['x', 'y', '/']) == out.replace('s', "o"));
            if left_out.iter().any(is_out) {
                left_out.push(name.clone());
            }
        }
        let lock = std::fs::read_to_string(project.root().join("dvc.lock")).unwrap_or_default();
        for (name, _) in &stages {
            prop_assert_eq!(lock.contains(&format!("\n  {name}:\n")), !left_out.contains(name), "{} in {}", name, lock);
        }
    }
}

const WIDE: &str = "stages:\n  a:\n    cmd: a\n    outs: [a]\n  b:\n    cmd: fail\n    outs: [b]\n  c:\n    cmd: c\n    \
                    deps: [b]\n    outs: [c]\n  d:\n    cmd: d\n    outs: [d]\n";

#[test]
fn no_more_run_at_once_than_may() {
    let stages: String = (0..20).map(|at| format!("  s{at}:\n    cmd: s{at}\n    outs: [o{at}]\n")).collect();
    let project = project(&format!("stages:\n{stages}"));
    let (report, most) = run_all(&project, jobs(3));
    assert_eq!(report.unwrap().ran, 20);
    assert!((2..=3).contains(&most), "{most}");
}

#[test]
fn runs_that_share_a_budget_share_it() {
    let folder = tempfile::tempdir().unwrap();
    let budget = || Some(crate::stage_run::job_budget(folder.path(), NonZeroUsize::new(3).unwrap()));
    let count = Arc::default();
    std::thread::scope(|scope| {
        for name in ["x", "y"] {
            let count = &count;
            scope.spawn(move || {
                let stage = |at| format!("  s{at}:\n    cmd: {name}{at}\n    outs: [o{at}]\n");
                let project = project(&format!("stages:\n{}", (0..10).map(stage).collect::<String>()));
                assert_eq!(run_counted(&project, jobs(3), budget(), count).unwrap().ran, 10);
            });
        }
    });
    let most = count.most.load(Ordering::SeqCst);
    assert!((2..=3).contains(&most), "{most}");
}

#[test]
fn after_a_failure_nothing_is_started_unless_asked() {
    let ran = |on_failure| {
        let project = project(WIDE);
        let result = run_all(&project, RunOptions { on_failure, ..jobs(1) }).0;
        let lock = std::fs::read_to_string(project.root().join("dvc.lock")).unwrap();
        let stages = ["a", "b", "c", "d"].into_iter().filter(|stage| lock.contains(&format!("\n  {stage}:\n")));
        (result.is_ok(), stages.collect::<String>())
    };
    assert_eq!(ran(OnFailure::Stop), (false, "a".to_owned()));
    assert_eq!(ran(OnFailure::KeepGoing), (false, "ad".to_owned()));
    assert_eq!(ran(OnFailure::Ignore), (true, "ad".to_owned()));
}

#[test]
fn what_follows_a_change_runs_when_asked() {
    let text = "stages:\n  a:\n    cmd: a\n    deps: [source]\n    outs: [a]\n  b:\n    cmd: b\n    deps: [a]\n    \
                outs: [b]\n  c:\n    cmd: c\n    deps: [b]\n    outs: [c]\n  d:\n    cmd: d\n    outs: [d]\n";
    let project = project(text);
    let forced = RunOptions { downstream: Downstream::Forced, ..jobs(1) };
    assert_eq!(run_all(&project, forced).0.unwrap().ran, 4);
    assert_eq!(run_all(&project, forced).0.unwrap().ran, 0);
    project.write("dvc.yaml", &text.replace("cmd: a\n", "cmd: a2\n"));
    assert_eq!(run_all(&project, forced).0.unwrap().ran, 3);
}

#[test]
fn missing_data_is_no_change_when_allowed() {
    let text = "stages:\n  a:\n    cmd: a\n    deps: [source]\n    outs: [a]\n  b:\n    cmd: b\n    deps: [a]\n    outs: [b]\n";
    let project = project(text);
    run_all(&project, jobs(1)).0.unwrap();
    for gone in ["a", "b"] {
        std::fs::remove_file(project.root().join(gone)).unwrap();
    }
    std::fs::remove_dir_all(project.root().join(".dvc/cache")).unwrap();
    let allowed = RunOptions { missing: MissingData::Allowed, ..jobs(1) };
    assert_eq!(run_all(&project, allowed).0.unwrap().ran, 0);
    // Another content of `a` is remembered than the one `b` read.
    let lock = std::fs::read_to_string(project.root().join("dvc.lock")).unwrap();
    let (of_a, of_b) = lock.split_once("  b:\n").unwrap();
    let digest = of_a.split("blake3: ").nth(2).unwrap().lines().next().unwrap();
    project.write("dvc.lock", &format!("{}  b:\n{of_b}", of_a.replace(digest, &"f".repeat(digest.len()))));
    assert!(run_all(&project, allowed).0.is_err());
    assert!(run_all(&project, jobs(1)).0.is_ok());
}

#[test]
fn named_stages_without_a_graph_run_one_after_the_other() {
    let order = [StageId(0), StageId(1)];
    assert_eq!(company_of(None, &order, NonZeroUsize::new(4).unwrap()), Company::Alone);
}
