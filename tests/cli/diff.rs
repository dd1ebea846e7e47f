//! `exp diff`, `metrics diff` and `params diff`: what differs between any two revisions.

use std::fs;

use dewar_tests::TestRepo;

use super::chains::{branched, restore, short};
use super::queue;
use super::repo;

const PIPELINE: &str = "\
stages:
  train:
    cmd: cp params.yaml metrics.yaml
    params: [lr]
    metrics: [metrics.yaml]
metrics: [top.json]
";

/// A project that ran, with that run committed. The cache alone has `metrics.yaml`.
fn project() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("dvc.yaml", PIPELINE).write("params.yaml", "lr: 0.123456789\nname: a\nsame: [1, 2]\n");
    repo.write("top.json", r#"{"deep": {"acc": 0.5, "loss": 3}, "gone": true}"#);
    repo.dewar(&["repro"]).success();
    repo.commit("begin");
    repo
}

/// The same with other parameters and metrics in the workspace.
fn changed() -> TestRepo {
    let repo = project();
    repo.write("params.yaml", "lr: 2\nname: b\nsame: [1, 2]\n");
    repo.write("top.json", r#"{"deep": {"acc": 0.75, "loss": 3}, "big": 1234567.891}"#);
    repo.dewar(&["repro"]).success();
    repo
}

#[test]
fn an_experiment_is_compared_in_metrics_and_parameters() {
    let repo = changed();
    insta::assert_snapshot!(repo.dewar(&["exp", "diff"]).success(), @r#"
    ──────────────────────────────────────────────────────
     Path          Metric    HEAD     workspace   Change
    ──────────────────────────────────────────────────────
     metrics.yaml  lr        0.12346  2           1.8765
     metrics.yaml  name      a        b           -
     top.json      big       -        1.2346e+06  -
     top.json      deep.acc  0.5      0.75        0.25
     top.json      gone      True     -           -
    ──────────────────────────────────────────────────────

    ──────────────────────────────────────────────────────────
     Path         Param  HEAD         workspace  Change
    ──────────────────────────────────────────────────────────
     params.yaml  lr     0.123456789  2          1.876543211
     params.yaml  name   a            b          -
    ──────────────────────────────────────────────────────────
    "#);
    insta::assert_snapshot!(repo.dewar(&["exp", "diff", "--md", "--no-path", "--precision", "2"]).success(), @r#"
    | Metric   | HEAD | workspace | Change |
    |----------|------|-----------|--------|
    | lr       | 0.12 | 2         | 1.9    |
    | name     | a    | b         | -      |
    | big      | -    | 1.2e+06   | -      |
    | deep.acc | 0.5  | 0.75      | 0.25   |
    | gone     | True | -         | -      |

    | Param | HEAD        | workspace | Change      |
    |-------|-------------|-----------|-------------|
    | lr    | 0.123456789 | 2         | 1.876543211 |
    | name  | a           | b         | -           |
    "#);
    insta::assert_snapshot!(repo.dewar(&["exp", "diff", "--json"]).success(), @r#"
    {"metrics":{"metrics.yaml":{"lr":{"old":0.123456789,"new":2,"diff":1.876543211},"name":{"old":"a","new":"b"}},"top.json":{"big":{"old":null,"new":1234567.891},"deep.acc":{"old":0.5,"new":0.75,"diff":0.25},"gone":{"old":true,"new":null}}},"params":{"params.yaml":{"lr":{"old":0.123456789,"new":2,"diff":1.876543211},"name":{"old":"a","new":"b"}}}}
    "#);
    let told = repo.dewar(&["exp", "diff", "--json", "--all", "--param-deps"]).success();
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["metrics"]["top.json"]["deep.loss"], serde_json::json!({ "old": 3, "new": 3, "diff": 0 }));
    assert_eq!(told["params"]["params.yaml"].as_object().unwrap().len(), 1);
    // What is alike is no table, but for Markdown.
    assert_eq!(repo.dewar(&["exp", "diff", "HEAD", "main"]).success(), "");
    assert_eq!(repo.dewar(&["exp", "diff", "HEAD", "main", "--md"]).success().lines().count(), 5);
    assert_eq!(repo.dewar(&["exp", "diff", "HEAD", "main", "--json"]).success(), "{\"metrics\":{},\"params\":{}}\n");
}

#[test]
fn metrics_are_compared() {
    let repo = changed();
    insta::assert_snapshot!(repo.dewar(&["metrics", "diff"]).success(), @r#"
    ──────────────────────────────────────────────────────
     Path          Metric    HEAD     workspace   Change
    ──────────────────────────────────────────────────────
     metrics.yaml  lr        0.12346  2           1.8765
     metrics.yaml  name      a        b           -
     top.json      big       -        1.2346e+06  -
     top.json      deep.acc  0.5      0.75        0.25
     top.json      gone      True     -           -
    ──────────────────────────────────────────────────────
    "#);
    // The other way round, from another folder, and only where it was asked for.
    fs::create_dir(repo.root().join("sub")).unwrap();
    let args = ["--cd", "sub", "metrics", "diff", "workspace", "HEAD", "--targets", "../top.json", "--json"];
    insta::assert_snapshot!(repo.dewar(&args).success(), @r#"
    {"../top.json":{"big":{"old":1234567.891,"new":null},"deep.acc":{"old":0.75,"new":0.5,"diff":-0.25},"gone":{"old":null,"new":true}}}
    "#);
    // Any file can be asked for, a metrics file or not.
    let args = ["metrics", "diff", "-R", "--targets", "params.yaml", "--md", "--precision", "3"];
    insta::assert_snapshot!(repo.dewar(&args).success(), @r#"
    | Path        | Metric | HEAD  | workspace | Change |
    |-------------|--------|-------|-----------|--------|
    | params.yaml | lr     | 0.123 | 2         | 1.88   |
    | params.yaml | name   | a     | b         | -      |
    "#);
    assert!(repo.dewar(&["metrics", "diff", "-R"]).failure(2).contains("--targets"));
    assert!(repo.dewar(&["metrics", "diff", "--json", "--md"]).failure(2).contains("cannot be used with"));
}

#[test]
fn a_broken_file_is_an_error_of_that_file_alone() {
    let repo = changed();
    repo.write("top.json", "{\"deep\": }\n");
    insta::assert_snapshot!(repo.dewar(&["metrics", "diff", "--md"]), @r#"
    | Path         | Metric    | HEAD    | workspace | Change |
    |--------------|-----------|---------|-----------|--------|
    | metrics.yaml | lr        | 0.12346 | 2         | 1.8765 |
    | metrics.yaml | name      | a       | b         | -      |
    | top.json     | deep.acc  | 0.5     | -         | -      |
    | top.json     | deep.loss | 3       | -         | -      |
    | top.json     | gone      | True    | -         | -      |
    --- stderr
    warning: cannot read `top.json`: a value should stand here
     --> top.json
    "#);
    let told = repo.dewar(&["exp", "diff", "--json"]);
    assert!(told.stderr.contains("cannot read `top.json`"), "{}", told.stderr);
    let told: serde_json::Value = serde_json::from_str(&told.success()).unwrap();
    assert_eq!(told["metrics"]["top.json"]["deep.acc"], serde_json::json!({ "old": 0.5, "new": null }));
    assert_eq!(told["metrics"]["metrics.yaml"]["lr"]["new"], 2);
    // In a commit, it is said in which.
    repo.commit("break");
    repo.write("top.json", "{\"deep\": 1}\n");
    let told = repo.dewar(&["metrics", "diff", "HEAD"]);
    assert!(told.stderr.contains("in `HEAD`: cannot read `top.json`"), "{}", told.stderr);
    assert!(told.success().contains("deep"));
}

#[test]
fn metrics_that_the_cache_lost_are_missed_where_they_are() {
    let repo = changed();
    fs::remove_dir_all(repo.root().join(".dvc/cache")).unwrap();
    let told = repo.dewar(&["metrics", "diff"]);
    assert!(told.stderr.contains("in `HEAD`: `metrics.yaml` is not in git and its content"), "{}", told.stderr);
    assert_eq!(told.stderr.matches("warning").count(), 1, "{}", told.stderr);
    assert!(told.success().contains("deep.acc"));
}

#[test]
fn two_checkpoints_of_an_experiment_are_compared() {
    let (repo, first, side) = branched();
    let digits: Vec<&str> = first.iter().map(|commit| short(commit)).collect();
    let told = repo.dewar(&["exp", "diff", digits[0], digits[2], "--md"]).success();
    let told = told.replace(digits[0], "[ONE]  ").replace(digits[2], "[THREE]");
    insta::assert_snapshot!(told, @r#"
    | Path         | Metric | [ONE]   | [THREE] | Change |
    |--------------|--------|---------|---------|--------|
    | metrics.yaml | lr     | 1       | 3       | 2      |

    | Path        | Param | [ONE]   | [THREE] | Change |
    |-------------|-------|---------|---------|--------|
    | params.yaml | lr    | 1       | 3       | 2      |
    "#);
    let told = repo.dewar(&["metrics", "diff", &side[0], "first", "--json"]).success();
    assert_eq!(told, "{\"metrics.yaml\":{\"lr\":{\"old\":12,\"new\":3,\"diff\":-9}}}\n");
    // A checkpoint against the workspace, which is at the baseline.
    for new in [&["workspace"][..], &[]] {
        let told = repo.dewar(&[&["metrics", "diff", digits[1]], new, &["--json"]].concat()).success();
        assert_eq!(told, "{\"metrics.yaml\":{\"lr\":{\"old\":2,\"new\":0,\"diff\":-2}}}\n");
    }
    assert_eq!(repo.dewar(&["exp", "diff", digits[2], "first"]).success(), "");
    repo.dewar(&["exp", "apply", digits[1]]).success();
    assert_eq!(repo.dewar(&["exp", "diff", digits[1]]).success(), "");
    restore(&repo);
}

#[test]
fn a_task_of_the_queue_has_parameters_and_no_metrics() {
    let repo = queue::project();
    queue::dewar(&repo, &["exp", "run", "--queue", "-n", "one", "-S", "lr=5"]).success();
    let task = repo.git(&["rev-parse", "--short", "refs/exps/celery/stash"]).success();
    for name in ["one", task.trim()] {
        let told = queue::dewar(&repo, &["exp", "diff", "HEAD", name, "--json"]);
        assert_eq!(told.stderr, format!("`{name}` has no result, and so no metrics.\n"));
        assert_eq!(
            told.success(),
            "{\"metrics\":{\"metrics.yaml\":{\"lr\":{\"old\":1,\"new\":null}}},\
             \"params\":{\"params.yaml\":{\"lr\":{\"old\":1,\"new\":5,\"diff\":4}}}}\n"
        );
        let told = queue::dewar(&repo, &["params", "diff", name, "--json"]);
        assert_eq!(told.stderr, "");
        assert_eq!(told.success(), "{\"params.yaml\":{\"lr\":{\"old\":5,\"new\":1,\"diff\":-4}}}\n");
    }
    // Once it has run, both mean the experiment.
    queue::dewar(&repo, &["exp", "run", "--run-all"]).success();
    for name in ["one", task.trim()] {
        let told = queue::dewar(&repo, &["metrics", "diff", "HEAD", name, "--json"]);
        assert_eq!(told.success(), "{\"metrics.yaml\":{\"lr\":{\"old\":1,\"new\":5,\"diff\":4}}}\n");
    }
}

#[test]
fn a_revision_is_named_as_in_git() {
    let repo = changed();
    repo.git(&["tag", "v1"]).success();
    repo.dewar(&["exp", "run", "-n", "tuned", "-S", "lr=3"]).success();
    repo.commit("next");
    let lr = |old: &str, new: &str| {
        let told = repo.dewar(&["params", "diff", old, new, "--all", "--json"]).success();
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        (told["params.yaml"]["lr"]["old"].clone(), told["params.yaml"]["lr"]["new"].clone())
    };
    let first = serde_json::json!(0.123_456_789);
    for old in ["v1", "HEAD~1", "main^", repo.git(&["rev-parse", "--short", "v1"]).success().trim()] {
        assert_eq!(lr(old, "tuned"), (first.clone(), serde_json::json!(3)), "{old}");
    }
    // A name that both have is git's, as in DVC.
    repo.git(&["branch", "tuned", "v1"]).success();
    assert_eq!(lr("tuned", "HEAD"), (first, serde_json::json!(3)));
    insta::assert_snapshot!(repo.dewar(&["exp", "diff", "tunde"]).failure(2), @r#"
    error: `tunde` is no commit, branch, tag or experiment of this repository
    help: did you mean `tuned`?
    "#);
}

#[test]
fn there_is_nothing_to_compare_with_before_the_first_commit() {
    let repo = repo();
    repo.dewar(&["init"]).success();
    insta::assert_snapshot!(repo.dewar(&["metrics", "diff"]).failure(4), @r#"
    error: the branch `main` has no commit yet; make a first one: git add -A && git commit
    "#);
}
