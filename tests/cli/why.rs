//! `why`: what makes a stage differ, from its last run or between two revisions.

use std::fs;

use dewar_tests::TestRepo;
use serde_json::{Value, json};

use super::repo;

const PIPELINE: &str = "\
stages:
  prep:
    cmd: rm -rf features && mkdir features && cp data/* features && sed -n s/^rows..//p params.yaml > features/rows
    deps: [data]
    params: [rows]
    outs: [features]
  train:
    foreach: [us, eu]
    do:
      cmd: cat features/* params.yaml > model-${item}
      deps: [features]
      params: [train.lr]
      outs: ['model-${item}']
";

/// A project that ran, with experiments that set a parameter of the first stage, or of the last one.
fn project() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("dvc.yaml", PIPELINE).write("params.yaml", "rows: 4\ntrain:\n  lr: 0.5\n");
    repo.write("data/a", "a\n").write("data/b", "b\n").commit("begin");
    repo.dewar(&["repro"]).success();
    repo.commit("ran");
    repo.dewar(&["exp", "run", "-n", "rows", "-S", "rows=8"]).success();
    repo.dewar(&["exp", "run", "-n", "fast", "-S", "rows=4", "-S", "train.lr=0.9"]).success();
    repo
}

fn why(repo: &TestRepo, args: &[&str]) -> String {
    repo.dewar(&[&["why"], args].concat()).success()
}

#[test]
fn of_a_group_of_parameters_it_is_told_which_differ() {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("dvc.yaml", "stages:\n  fit:\n    cmd: cp params.yaml model\n    params: [net]\n    outs: [model]\n");
    repo.write("params.yaml", "net: {lr: 0.5, size: {depth: 2, width: 8}, old: true}\n").commit("begin");
    repo.dewar(&["repro"]).success();
    repo.write("params.yaml", "net: {lr: 0.25, size: {depth: 2, width: 9}, new: [1]}\n");
    insta::assert_snapshot!(why(&repo, &["fit"]), @r"
    fit: not as in its last run
      the parameter `net` of `params.yaml` changed: `lr` from 0.5 to 0.25; `size.width` from 8 to 9; `new` is new, [1]; `old` is gone, it was True
    ");
}

#[test]
fn between_two_revisions_it_is_told_down_to_the_parameter_and_the_file() {
    let repo = project();
    insta::assert_snapshot!(why(&repo, &["train@us", "HEAD", "fast"]), @r"
    train@us: differs between `HEAD` and `fast`
      the parameter `train.lr` of `params.yaml` changed from 0.5 to 0.9
      the output `model-us` changed
    ");
    insta::assert_snapshot!(why(&repo, &["train@us", "fast", "rows"]), @r"
    train@us: differs between `fast` and `rows`
      the dependency `features` changed
        changed: `rows`
      the parameter `train.lr` of `params.yaml` changed from 0.9 to 0.5
      the output `model-us` changed
    `prep` writes what it reads: dewar why prep fast rows
    ");
    insta::assert_snapshot!(why(&repo, &["prep", "fast", "rows"]), @r"
    prep: differs between `fast` and `rows`
      the parameter `rows` of `params.yaml` changed from 4 to 8
      the output `features` changed
        changed: `rows`
    ");
    insta::assert_snapshot!(why(&repo, &["prep", "HEAD", "fast"]), @r"
    prep: the same in `HEAD` and `fast`
      nothing changed: its command, 1 dependency, 1 parameter, 1 output
    ");
    // A group is all of its stages; so is a path that one writes.
    assert_eq!(why(&repo, &["train", "HEAD", "fast"]).matches("differs between").count(), 2);
    assert!(why(&repo, &["model-eu", "HEAD", "fast"]).starts_with("train@eu: differs"));
}

#[test]
fn without_a_revision_it_is_why_it_would_run() {
    let repo = project();
    insta::assert_snapshot!(why(&repo, &["prep"]), @r"
    prep: as in its last run
      nothing changed: its command, 1 dependency, 1 parameter, 1 output
    ");
    repo.write("data/b", "other\n").write("data/c", "new\n");
    fs::remove_file(repo.root().join("data/a")).unwrap();
    insta::assert_snapshot!(why(&repo, &["prep"]), @r"
    prep: not as in its last run
      the dependency `data` changed
        added: `c`
        changed: `b`
        removed: `a`
    ");
    insta::assert_snapshot!(why(&repo, &["train@us"]), @r"
    train@us: not as in its last run
      it needs `prep`, which is not up to date
    `prep` writes what it reads: dewar why prep
    ");
    repo.write("dvc.yaml", format!("{PIPELINE}  fresh: {{cmd: 'true', deps: [params.yaml]}}\n"));
    assert_eq!(why(&repo, &["fresh"]), "fresh: not as in its last run\n  it has not run yet\n");
}

#[test]
fn with_one_revision_it_is_the_workspace_that_is_compared() {
    let repo = project();
    repo.write("dvc.yaml", PIPELINE.replace("cp data/*", "cp -r data/*")).write("params.yaml", "rows: 5\n");
    insta::assert_snapshot!(why(&repo, &["prep", "fast"]), @r"
    prep: differs between `fast` and `workspace`
      its command changed
      - …&& mkdir features && cp data/* features && sed -…
      + …&& mkdir features && cp -r data/* features && sed -…
      the parameter `rows` of `params.yaml` changed from 4 to 5
    ");
    assert_eq!(why(&repo, &["prep", "fast"]), why(&repo, &["prep", "fast", "workspace"]));
    // The other way round.
    assert!(why(&repo, &["prep", "workspace", "fast"]).contains("changed from 5 to 4"));
}

#[test]
fn what_is_declared_no_more_and_stages_that_came_and_went() {
    let repo = project();
    let other = PIPELINE.replace("    params: [rows]\n", "").replace("prep:", "prepare:");
    repo.write("dvc.yaml", other.replace("prepare:", "prep:"));
    let told = why(&repo, &["prep", "HEAD"]);
    assert!(told.contains("it does not declare the parameter `rows` of `params.yaml` any more"), "{told}");
    repo.write("dvc.yaml", &other);
    assert_eq!(why(&repo, &["prep", "HEAD"]), "prep: gone in `workspace`; `HEAD` has it\n");
    assert_eq!(why(&repo, &["prepare", "HEAD"]), "prepare: new in `workspace`; `HEAD` has no such stage\n");
    let said = repo.dewar(&["why", "trian", "HEAD"]).failure(2);
    assert!(said.contains("did you mean `train`?"), "{said}");
    let said = repo.dewar(&["why", "prepare", "fsat"]).failure(2);
    assert!(said.contains("did you mean `fast`?"), "{said}");
}

#[test]
fn results_are_compared_where_there_are_some() {
    let repo = project();
    let told = why(&repo, &["train@us", "HEAD~1", "HEAD"]);
    assert!(told.contains("`HEAD~1` has no result of it, so outputs are not compared"), "{told}");
    repo.dewar(&["exp", "run", "--queue", "-n", "waits", "-S", "train.lr=0.1"]).success();
    let told = why(&repo, &["train@us", "fast", "waits"]);
    assert!(told.contains("from 0.9 to 0.1") && told.contains("`waits` has no result of it"), "{told}");
    // The same inputs, and another output.
    repo.write("dvc.yaml", PIPELINE.replace("cat features/*", "date +%N; cat features/*")).commit("noise");
    repo.dewar(&["exp", "run", "-n", "one", "-f"]).success();
    repo.dewar(&["exp", "run", "-n", "other", "-f"]).success();
    repo.dewar(&["exp", "save", "-n", "same"]).success();
    assert!(why(&repo, &["train@us", "other", "same"]).contains("the same in"));
    fs::remove_file(repo.root().join("model-us")).unwrap();
    repo.write("model-us", "by hand\n");
    repo.dewar(&["exp", "save", "-n", "hand"]).success();
    let told = why(&repo, &["train@us", "other", "hand"]);
    assert!(told.contains("it reads something else, or its results vary"), "{told}");
}

#[test]
fn a_stage_of_another_folder_and_of_the_folder_that_the_user_is_in() {
    let repo = project();
    repo.write("sub/dvc.yaml", "stages: {t: {cmd: cp in out, deps: [in], outs: [out]}}\n").write("sub/in", "1\n");
    repo.dewar(&["repro", "sub/dvc.yaml:t"]).success();
    repo.commit("sub");
    repo.write("sub/in", "2\n");
    let told = why(&repo, &["sub/dvc.yaml:t", "HEAD"]);
    assert_eq!(told, "sub/dvc.yaml:t: differs between `HEAD` and `workspace`\n  the dependency `sub/in` changed\n");
    let told = repo.dewar(&["--cd", "sub", "why", "t", "HEAD"]).success();
    assert_eq!(told, "t: differs between `HEAD` and `workspace`\n  the dependency `in` changed\n");
}

#[test]
fn as_json() {
    let repo = project();
    let read = |args: &[&str]| -> Value { serde_json::from_str(&why(&repo, args)).unwrap() };
    let told = read(&["train@us", "HEAD", "rows", "--json"]);
    assert_eq!((&told["old"], &told["new"]), (&json!("HEAD"), &json!("rows")));
    assert_eq!(told["stages"][0]["reasons"][0]["kind"], "dependency-changed");
    assert_eq!(told["stages"][0]["reasons"][0]["files"]["changed"], json!(["rows"]));
    assert_eq!(told["compared"][0]["upstream"], json!(["prep"]));
    assert_eq!(told["compared"][0]["same"], json!(false));
    let told = read(&["prep", "HEAD", "fast", "--json"]);
    assert_eq!((&told["compared"][0]["same"], &told["stages"][0]["reasons"]), (&json!(true), &json!([])));
    assert_eq!(read(&["prep", "--json"])["old"], Value::Null);
}
