//! Sweeps: many experiments of one command, as one thing that can be gone on with.

use std::fs;

use dewar_tests::{CommandOutput, TestRepo};

use super::repo;

const PIPELINE: &str = "\
stages:
  prepare:
    cmd: echo prepare >> $TOLD; cat data.csv > prepared
    deps: [data.csv]
    outs: [prepared]
  train:
    cmd: echo ${lr}-${depth} >> $TOLD; test ${depth} != 9 && cp params.yaml model
    deps: [prepared]
    params: [lr, depth]
    outs: [model]
";

fn project() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("dvc.yaml", PIPELINE).write("params.yaml", "lr: 1\ndepth: 1\n").write("data.csv", "1\n").commit("begin");
    repo
}

fn dewar(repo: &TestRepo, args: &[&str]) -> CommandOutput {
    let mut command = repo.command(env!("CARGO_BIN_EXE_dewar"));
    repo.run(command.env("TOLD", repo.outside("told")).args(args))
}

fn told(repo: &TestRepo) -> Vec<String> {
    let text = fs::read_to_string(repo.outside("told")).unwrap_or_default();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn sweep(repo: &TestRepo) -> serde_json::Value {
    let all: serde_json::Value = serde_json::from_str(&dewar(repo, &["sweep", "list", "--json"]).success()).unwrap();
    all[0].clone()
}

fn counts(repo: &TestRepo) -> [u64; 4] {
    let sweep = sweep(repo);
    ["queued", "failed", "success", "missing"].map(|key| sweep[key].as_u64().unwrap())
}

#[test]
fn every_combination_is_an_experiment() {
    let repo = project();
    let args = ["exp", "run", "--queue", "-n", "grid", "-S", "lr=2,3", "-S", "depth=range(4,7,2)", "-S", "+new=x"];
    insta::assert_snapshot!(dewar(&repo, &args), @r"
    Queued experiment 'grid-1' for future execution. lr=2 depth=4 +new=x
    Queued experiment 'grid-2' for future execution. lr=2 depth=6 +new=x
    Queued experiment 'grid-3' for future execution. lr=3 depth=4 +new=x
    Queued experiment 'grid-4' for future execution. lr=3 depth=6 +new=x
    ");
    assert_eq!(told(&repo), [""; 0]);
    dewar(&repo, &["exp", "run", "--run-all", "-j", "2"]).success();
    assert_eq!(told(&repo), ["2-4", "2-6", "3-4", "3-6", "prepare"]);
    insta::assert_snapshot!(dewar(&repo, &["sweep", "show", "grid"]), @r"
     ───────────────────────────────────────────
      Experiment  State    Set
     ───────────────────────────────────────────
      grid-1      Success  lr=2 depth=4 +new=x
      grid-2      Success  lr=2 depth=6 +new=x
      grid-3      Success  lr=3 depth=4 +new=x
      grid-4      Success  lr=3 depth=6 +new=x
     ───────────────────────────────────────────
    ");
    assert_eq!(sweep(&repo)["state"], "success");
}

#[test]
fn it_is_gone_on_with_and_no_point_is_repeated() {
    let repo = project();
    dewar(&repo, &["exp", "run", "-n", "grid", "-S", "depth=2,9,3,4", "-j", "2"]).failure(1);
    assert_eq!(counts(&repo), [0, 1, 3, 0]);
    fs::remove_file(repo.outside("told")).unwrap();
    // As after an interruption of queueing, and of a user who tidied up; the workspace has moved on.
    dewar(&repo, &["queue", "remove", "grid-2", "grid-4"]).success();
    repo.git(&["update-ref", "-d", reference(&repo, "grid-4").as_str()]).success();
    repo.write("params.yaml", "other: 1\n").write("dvc.yaml", "stages: {}\n");
    assert_eq!(counts(&repo), [0, 0, 2, 2]);
    assert_eq!(sweep(&repo)["state"], "incomplete");
    dewar(&repo, &["sweep", "resume", "grid", "-j", "2"]).failure(1);
    assert_eq!(counts(&repo), [0, 1, 3, 0]);
    // The result of the point that was removed is remembered.
    assert_eq!(told(&repo), ["1-9"]);
    let output = dewar(&repo, &["sweep", "resume", "grid", "--failed", "--queue"]);
    assert!(output.stdout.contains("0 points were missing, 1 are queued again"), "{output}");
    dewar(&repo, &["sweep", "remove", "grid"]).success();
    dewar(&repo, &["sweep", "show", "grid"]).failure(2);
    assert!(repo.git(&["for-each-ref", "refs/exps/celery"]).success().is_empty());
    assert!(!reference(&repo, "grid-1").is_empty());
}

fn reference(repo: &TestRepo, name: &str) -> String {
    let references = repo.git(&["for-each-ref", "--format=%(refname)", "refs/exps/"]).success();
    references.lines().find(|reference| reference.ends_with(&format!("/{name}"))).unwrap().to_owned()
}

#[test]
fn what_does_not_fit_queues_nothing() {
    let repo = project();
    for (args, code) in [
        (&["-S", "lr=1,2"][..], 2),
        (&["--temp", "-S", "lr=1,2"], 2),
        (&["--dry", "-S", "lr=1,2"], 2),
        (&["--queue", "-S", "nothing=1,2"], 2),
        (&["--queue", "-S", "lr=1,2", "-S", "depth=range(1,1)"], 2),
        (&["--queue", "-S", "lr=range(1,1000)", "-S", "depth=range(1,1000)"], 2),
    ] {
        let args = [&["exp", "run"], args].concat();
        let output = dewar(&repo, &args);
        assert!(!output.stderr.contains("panicked"), "{output}");
        output.failure(code);
    }
    assert!(repo.git(&["for-each-ref", "refs/exps"]).success().is_empty());
    dewar(&repo, &["exp", "run", "-n", "grid-2", "-S", "lr=5"]).success();
    dewar(&repo, &["exp", "run", "--queue", "-n", "grid", "-S", "lr=6,7"]).failure(4);
    assert!(repo.git(&["for-each-ref", "refs/exps/celery"]).success().is_empty());
}

#[test]
fn what_is_copied_goes_with_every_point() {
    let repo = project();
    repo.write("dvc.yaml", "stages:\n  train:\n    cmd: cat secret.txt > model\n    params: [lr]\n    outs: [model]\n");
    repo.write(".gitignore", "/secret.txt\n/model\n").commit("secret");
    repo.write("secret.txt", "s\n");
    dewar(&repo, &["exp", "run", "-n", "grid", "-S", "lr=2,3", "-j", "2"]).failure(1);
    dewar(&repo, &["sweep", "remove", "grid"]).success();
    dewar(&repo, &["exp", "run", "-n", "with", "-C", "secret.txt", "-S", "lr=2,3", "-j", "2"]).success();
}
