//! DVC and DVCLive as clients of what dewar writes, and dewar as a client of what DVC writes: one repository with md5, both
//! programs. They need DVC 3 with DVCLive 3, which is not a part of the tests' world, and are run by
//!
//!     DEWAR_DVC=/path/to/dvc cargo test --workspace clients -- --ignored

use std::collections::BTreeSet;
use std::path::PathBuf;

use dewar_tests::{CommandOutput, TestRepo};
use serde_json::Value;

use super::repo;

const PIPELINE: &str = "\
stages:
  prepare:
    cmd: mkdir -p prepared && cp data/a data/b prepared
    deps: [data]
    outs: [prepared]
  train:
    cmd: cat prepared/a params.yaml > model && awk '/^  lr/ {printf \"{\\\"acc\\\"%s %s}\\n\", \":\", $2}' params.yaml > metrics.json
    deps: [prepared]
    params: [train.lr]
    outs: [model]
    metrics:
    - metrics.json:
        cache: false
";

/// DVC's program.
fn program() -> PathBuf {
    std::env::var_os("DEWAR_DVC").unwrap_or_else(|| panic!("DEWAR_DVC says where DVC is")).into()
}

fn dvc(repo: &TestRepo, args: &[&str]) -> CommandOutput {
    repo.run(repo.command(program()).env("DVC_NO_ANALYTICS", "1").args(args))
}

/// A project with data in the cache, a pipeline that is not run, and places to share: `origin` and the remote `store`.
fn project() -> TestRepo {
    let repo = repo();
    repo.write("data/a", "1\n")
        .write("data/b", "2\n")
        .write("params.yaml", "train:\n  lr: 0.5 # as always\n")
        .write("dvc.yaml", PIPELINE);
    let origin = repo.outside("origin.git");
    repo.git(&["init", "--quiet", "--bare", "--initial-branch=main", origin.to_str().unwrap()]).success();
    repo.git(&["remote", "add", "origin", origin.to_str().unwrap()]).success();
    repo
}

fn store(repo: &TestRepo) -> String {
    repo.outside("store").display().to_string()
}

/// A clone of `origin`, with its own cache.
fn clone(repo: &TestRepo) -> TestRepo {
    let clone = TestRepo::without_git(env!("CARGO_BIN_EXE_dewar"));
    clone.git(&["clone", "--quiet", repo.outside("origin.git").to_str().unwrap(), "."]).success();
    clone
}

/// Where two documents differ.
fn differences(at: &str, ours: &Value, theirs: &Value) -> Vec<String> {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            let of = |map: &serde_json::Map<String, Value>, key: &str| {
                map.get(key).cloned().unwrap_or_else(|| "<nothing>".into())
            };
            keys.iter().flat_map(|key| differences(&format!("{at}/{key}"), &of(a, key), &of(b, key))).collect()
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .flat_map(|(index, (a, b))| differences(&format!("{at}/{index}"), a, b))
            .collect(),
        (a, b) if a == b => Vec::new(),
        (a, b) => vec![format!("{at}: {a} here, {b} there")],
    }
}

/// What both say of all experiments; each would run nothing.
fn both_show_the_same(repo: &TestRepo) {
    let document = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    let ours = document(repo.dewar(&["exp", "show", "-A", "--json"]).success());
    let theirs = document(dvc(repo, &["exp", "show", "-A", "--json"]).success());
    assert_eq!(differences("", &ours, &theirs), [""; 0]);
    assert!(ours.as_array().is_some_and(|rows| rows.len() >= 2), "{ours:#}");
}

fn both_are_up_to_date(repo: &TestRepo) {
    assert_eq!(repo.dewar(&["status", "--json"]).success().trim(), "{}");
    assert_eq!(dvc(repo, &["status", "--json"]).success().trim(), "{}");
}

/// The files that runs write.
fn results(repo: &TestRepo) -> [String; 4] {
    ["prepared/b", "model", "metrics.json", "dvc.lock"].map(|file| repo.read(file))
}

#[test]
#[ignore = "needs DVC 3: DEWAR_DVC says where"]
fn dvc_reads_what_dewar_writes() {
    let repo = project();
    repo.write("dewar.toml", "hash = \"md5\"\n");
    repo.dewar(&["init"]).success();
    repo.dewar(&["add", "data"]).success();
    repo.dewar(&["remote", "add", "--default", "store", &store(&repo)]).success();
    repo.dewar(&["repro"]).success();
    repo.commit("begin");
    repo.git(&["push", "--quiet", "--set-upstream", "origin", "main"]).success();
    repo.dewar(&["exp", "run", "-n", "low", "-S", "train.lr=0.25"]).success();
    let low = results(&repo);
    repo.dewar(&["exp", "run", "-n", "beside", "--temp", "-S", "train.lr=0.75"]).success();
    repo.write("params.yaml", "train:\n  lr: 0.25 # by hand\n");
    repo.dewar(&["exp", "save", "-n", "saved"]).success();
    both_are_up_to_date(&repo);
    both_show_the_same(&repo);
    for command in [
        &["exp", "diff", "low", "beside", "--json"][..],
        &["params", "diff", "main", "low", "--json"],
        &["metrics", "diff", "low", "beside", "--json"],
    ] {
        let ours: Value = serde_json::from_str(&repo.dewar(command).success()).unwrap();
        assert_eq!(ours, serde_json::from_str::<Value>(&dvc(&repo, command).success()).unwrap(), "{command:?}");
    }

    dvc(&repo, &["exp", "apply", "beside"]).success();
    assert_eq!(repo.read("metrics.json"), "{\"acc\": 0.75}\n");
    both_are_up_to_date(&repo);
    dvc(&repo, &["exp", "apply", "low"]).success();
    assert_eq!(results(&repo), low);
    both_are_up_to_date(&repo);

    repo.dewar(&["push", "--all-branches"]).success();
    repo.dewar(&["exp", "push", "origin", "low", "beside"]).success();
    let clone = clone(&repo);
    dvc(&clone, &["pull"]).success();
    assert_eq!(clone.read("metrics.json"), "{\"acc\": 0.5}\n");
    assert_eq!(clone.read("data/a"), "1\n");
    both_are_up_to_date(&clone);
    dvc(&clone, &["exp", "pull", "origin", "low"]).success();
    dvc(&clone, &["exp", "apply", "low"]).success();
    assert_eq!(results(&clone), low);
    both_are_up_to_date(&clone);
    both_show_the_same(&clone);
    let sorted = |text: String| {
        let mut names: Vec<String> = text.lines().map(str::to_owned).collect();
        names.sort();
        names
    };
    let listed = dvc(&clone, &["exp", "list", "origin", "--name-only"]).success();
    assert_eq!(sorted(listed), ["beside", "low"]);
    assert_eq!(dvc(&clone, &["status", "--cloud", "--json"]).success().trim(), "{}");
}

#[test]
#[ignore = "needs DVC 3: DEWAR_DVC says where"]
fn dewar_reads_what_dvc_writes() {
    let repo = project();
    dvc(&repo, &["init", "--quiet"]).success();
    dvc(&repo, &["add", "--quiet", "data"]).success();
    dvc(&repo, &["remote", "add", "--default", "store", &store(&repo)]).success();
    dvc(&repo, &["repro"]).success();
    repo.commit("begin");
    repo.git(&["push", "--quiet", "--set-upstream", "origin", "main"]).success();
    both_are_up_to_date(&repo);
    dvc(&repo, &["exp", "run", "-n", "low", "-S", "train.lr=0.25"]).success();
    let low = results(&repo);
    dvc(&repo, &["exp", "run", "-n", "beside", "--temp", "-S", "train.lr=0.75"]).success();
    repo.write("params.yaml", "train:\n  lr: 0.25 # by hand\n");
    dvc(&repo, &["exp", "save", "-n", "saved"]).success();
    both_are_up_to_date(&repo);
    both_show_the_same(&repo);
    assert!(
        repo.dewar(&["repro", "--dry", "--json"]).success().contains("\"fresh\"")
            || repo.dewar(&["repro"]).success().contains("up to date")
    );

    repo.git(&["checkout", "--quiet", "--force", "main"]).success();
    repo.dewar(&["exp", "apply", "beside"]).success();
    assert_eq!(repo.read("metrics.json"), "{\"acc\": 0.75}\n");
    repo.dewar(&["exp", "apply", "low"]).success();
    assert_eq!(results(&repo), low);
    both_are_up_to_date(&repo);

    dvc(&repo, &["push", "--all-branches", "--run-cache"]).success();
    dvc(&repo, &["exp", "push", "origin", "low", "beside"]).success();
    let clone = clone(&repo);
    clone.dewar(&["pull"]).success();
    assert_eq!(clone.read("metrics.json"), "{\"acc\": 0.5}\n");
    assert_eq!(clone.read("data/a"), "1\n");
    both_are_up_to_date(&clone);
    clone.dewar(&["exp", "pull", "origin", "low"]).success();
    clone.dewar(&["exp", "apply", "low"]).success();
    assert_eq!(results(&clone), low);
    both_are_up_to_date(&clone);
    both_show_the_same(&clone);
    assert!(clone.dewar(&["exp", "list", "origin", "--name-only"]).success().contains("beside"));
    // What DVC remembers of runs is believed.
    clone.git(&["checkout", "--quiet", "--force", "main"]).success();
    clone.dewar(&["fetch", "--run-cache"]).success();
    let again = clone.dewar(&["repro", "--pull", "--force"]);
    assert!(again.code == Some(0), "{again}");
}

const TRAINING: &str = "\
from dvclive import Live
with Live() as live:
    live.log_param('lr', 0.5)
    for step in range(3):
        live.log_metric('acc', step / 4)
        live.next_step()
    live.summary['best'] = 0.5
";

/// What an experiment has, but for times: of each file, its path and text.
fn files_of(repo: &TestRepo, experiment: &str) -> Vec<(String, String)> {
    let listed = repo.git(&["for-each-ref", "--format=%(refname)", "refs/exps/"]).success();
    let name = listed.lines().find(|name| name.ends_with(&format!("/{experiment}"))).unwrap().to_owned();
    let paths = repo.git(&["ls-tree", "-r", "--name-only", &name]).success();
    let text = |path: &str| (path.to_owned(), repo.git(&["show", &format!("{name}:{path}")]).success());
    paths.lines().filter(|path| !path.starts_with(".dvc")).map(text).collect()
}

#[test]
#[ignore = "needs DVC 3 with DVCLive 3: DEWAR_DVC says where"]
fn dvclive_records_the_same_inside_both() {
    let repo = repo();
    let python = program().with_file_name("python");
    dvc(&repo, &["init", "--quiet"]).success();
    repo.write("dewar.toml", "hash = \"md5\"\n").write("train.py", TRAINING);
    repo.write("dvc.yaml", format!("stages:\n  train:\n    cmd: {} train.py\n    deps: [train.py]\n    outs:\n    - dvclive:\n        cache: false\n", python.display()));
    repo.commit("begin");
    let run = |name: &str, how: &[&str]| {
        let args = [&["exp", "run", "--force", "-n", name][..], how].concat();
        repo.git(&["checkout", "--quiet", "--force", "main"]).success();
        repo.git(&["clean", "--quiet", "-fd"]).success();
        if name.starts_with("dvc") {
            dvc(&repo, &args).success()
        } else {
            repo.run(repo.command(env!("CARGO_BIN_EXE_dewar")).env("DVC_NO_ANALYTICS", "1").args(&args)).success()
        };
        files_of(&repo, name)
    };
    for how in [&[][..], &["--temp"]] {
        let theirs = run(&format!("dvc{}", how.len()), how);
        assert!(theirs.iter().any(|(path, _)| path == "dvclive/metrics.json"), "{theirs:#?}");
        assert_eq!(run(&format!("dewar{}", how.len()), how), theirs, "{how:?}");
    }
    both_show_the_same(&repo);
}
