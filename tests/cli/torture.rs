//! A queue that is worked off while its workers, its attempts and its stages are killed at random. At the end each task has
//! succeeded exactly once or is failed with a log, every object of the cache has the hash of its name, and nothing is left over.
//!
//! How many tasks and kills, and from which seed: `DEWAR_TORTURE=200,200,7 cargo test --test cli torture`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use dewar_core::digest::{Algorithm, Hasher};
use dewar_tests::TestRepo;

use super::repo;

const PIPELINE: &str = "\
stages:
  prepare:
    cmd: cp data.csv prepared
    deps: [data.csv]
    outs: [prepared]
  train:
    cmd: sleep 0.05; echo ${lr} > model; sleep 0.02; cp params.yaml metrics.yaml
    deps: [prepared]
    params: [lr]
    outs: [model]
    metrics: [{metrics.yaml: {cache: false}}]
";
const WORKERS: usize = 4;

struct Torture {
    repo: TestRepo,
    /// SplitMix64 (Steele, Lea and Flood 2014).
    state: u64,
}

impl Torture {
    fn dewar(&self, args: &[&str]) -> String {
        let mut command = self.repo.command(env!("CARGO_BIN_EXE_dewar"));
        self.repo.run(command.env("TORTURE", self.repo.root()).args(args)).success()
    }

    fn draw(&mut self, below: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % below as u64).unwrap()
    }

    fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.dewar(&["queue", "status", "--json"])).unwrap()
    }

    /// The processes of this queue: workers, attempts, and all that stages started.
    fn processes(&self) -> Vec<String> {
        let mark = format!("TORTURE={}", self.repo.root().display());
        let is_marked = |pid: &String| {
            let env = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            env.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes()) && !stat.contains(") Z ")
        };
        let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = numbers.filter_map(|entry| entry.file_name().into_string().ok());
        numbers.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).filter(is_marked).collect()
    }
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.flat_map(|entry| if entry.path().is_dir() { files_in(&entry.path()) } else { vec![entry.path()] }).collect()
}

fn numbers() -> (usize, usize, u64) {
    let text = std::env::var("DEWAR_TORTURE").unwrap_or_else(|_| "16,16,1".to_owned());
    let mut parts = text.split(',');
    let mut next = || parts.next().unwrap();
    (next().parse().unwrap(), next().parse().unwrap(), next().parse().unwrap())
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "its processes are found in /proc")]
fn a_queue_survives_whatever_is_killed() {
    let (tasks, kills, seed) = numbers();
    let mut torture = Torture { repo: repo(), state: seed };
    torture.dewar(&["init"]);
    torture.repo.write("dvc.yaml", PIPELINE).write("params.yaml", "lr: 0\n").write("data.csv", "1\n").commit("begin");
    let range = format!("lr=range(1,{})", tasks + 1);
    torture.dewar(&["exp", "run", "--queue", "-n", "t", "-S", &range]);
    let began = Instant::now();
    let mut killed = 0;
    loop {
        let status = torture.status();
        let is_open = |task: &serde_json::Value| task["state"] == "queued" || task["state"] == "running";
        if !status["tasks"].as_array().unwrap().iter().any(is_open) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20 + tasks as u64), "it hangs: {status}");
        if status["workers"].as_array().unwrap().len() < WORKERS {
            torture.dewar(&["queue", "start", "-j", &WORKERS.to_string()]);
        }
        let processes = torture.processes();
        if killed < kills && !processes.is_empty() {
            let pid = &processes[torture.draw(processes.len())];
            Command::new("kill").args(["-KILL", pid]).output().unwrap();
            killed += 1;
        }
        std::thread::sleep(Duration::from_millis(torture.draw(30) as u64));
    }
    // One that nobody kills, and after which everything is in order.
    torture.dewar(&["exp", "run", "--queue", "-n", "last"]);
    torture.dewar(&["exp", "run", "--run-all"]);
    while !torture.status()["workers"].as_array().unwrap().is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(torture.processes(), [""; 0]);
    check(&torture, tasks);
}

fn check(torture: &Torture, tasks: usize) {
    let repo = &torture.repo;
    let references = repo.git(&["for-each-ref", "--format=%(refname)", "refs/exps/"]).success();
    let of = |name: &str| references.lines().find(|reference| reference.ends_with(&format!("/{name}")));
    let status = torture.status();
    let all = status["tasks"].as_array().unwrap();
    assert_eq!(all.len(), tasks + 1);
    let mut waiting = BTreeSet::new();
    for task in all {
        let name = task["name"].as_str().unwrap();
        let reference = of(name);
        if task["state"] == "success" {
            let lr = name.strip_prefix("t-").unwrap_or("0");
            let metrics = repo.git(&["show", &format!("{}:metrics.yaml", reference.unwrap())]).success();
            assert_eq!(metrics, format!("lr: {lr}\n"));
        } else {
            assert!(task["state"] == "failed" && reference.is_none() && task["cause"].is_string(), "{task}");
            for attempt in task["attempts"].as_array().unwrap() {
                let log = attempt["log"].as_str().unwrap().replace("[ROOT]", &repo.root().display().to_string());
                assert!(Path::new(&log).is_file(), "{task}");
            }
            waiting.insert(task["task"].as_str().unwrap().to_owned());
        }
    }
    let stash = repo.git(&["log", "-g", "--format=%H", "refs/exps/celery/stash", "--"]).stdout;
    assert_eq!(stash.lines().map(str::to_owned).collect::<BTreeSet<_>>(), waiting);
    let exps = repo.root().join(".dvc/tmp/exps");
    assert_eq!(files_in(&exps.join("isolated")), [exps.join("isolated/lock")]);
    let queue = fs::read_dir(exps.join("queue")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(files_in(&queue.join("workers")), Vec::<PathBuf>::new());
    let mut names: Vec<_> = fs::read_dir(&queue).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["jobs", "lock", "sweeps", "tasks", "workers", "workers.log"]);
    let objects = files_in(&repo.root().join(".dvc/cache/files/blake3"));
    assert!(objects.len() > 1);
    for object in objects {
        let digest = Hasher::digest(Algorithm::Blake3, &fs::read(&object).unwrap());
        let path = object.display().to_string().replace('/', "");
        assert!(path.ends_with(digest.as_str()), "{} has another content", object.display());
    }
    repo.git(&["fsck", "--strict"]).success();
}
