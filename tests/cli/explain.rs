//! Why stages run or not: `--explain`, `--dry` and `status`, in words and as JSON, before a run and during it.

use dewar_tests::TestRepo;

use super::repo;

const PIPELINE: &str = "\
stages:
  prepare:
    cmd: mkdir -p prepared && cp raw/* prepared
    deps: [raw]
    outs: [prepared]
  train:
    cmd: cat prepared/* params.yaml > model
    deps: [prepared]
    params: [lr]
    outs: [model]
  report:
    cmd: wc -l < model > report
    deps: [model]
    outs: [report]
";

/// A project of three stages in a row, up to date.
fn project() -> TestRepo {
    let repo = fresh();
    repo.dewar(&["repro"]).success();
    repo.commit("ran");
    repo
}

/// The same, never run.
fn fresh() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("dvc.yaml", PIPELINE).write("params.yaml", "lr: 1\n").write("raw/a", "1\n").write("raw/b", "2\n");
    repo.commit("begin");
    repo
}

/// What dewar prints, having changed nothing.
#[track_caller]
fn looks(repo: &TestRepo, args: &[&str]) -> String {
    let before = repo.everything();
    let said = repo.dewar(args).success();
    assert!(before == repo.everything(), "{said}");
    said
}

#[test]
fn a_fresh_pipeline_has_a_plan() {
    let repo = fresh();
    insta::assert_snapshot!(looks(&repo, &["repro", "--dry"]), @r"
    Running stage 'prepare':
      it has not run yet
    > mkdir -p prepared && cp raw/* prepared
    Running stage 'train':
      it has not run yet
      it needs `prepare`, which is not up to date
    > cat prepared/* params.yaml > model
    Running stage 'report':
      it has not run yet
      it needs `train`, which is not up to date
    > wc -l < model > report
    ");
    insta::assert_snapshot!(looks(&repo, &["status", "--explain"]), @r"
    prepare: would run
      it has not run yet
    train: would run
      it has not run yet
      it needs `prepare`, which is not up to date
    report: would run
      it has not run yet
      it needs `train`, which is not up to date
    ");
}

#[test]
fn what_did_not_change_says_so() {
    let repo = project();
    insta::assert_snapshot!(looks(&repo, &["repro", "--dry", "--explain"]), @r"
    Stage 'prepare' didn't change, skipping
      nothing changed: its command, 1 dependency, 1 output
    Stage 'train' didn't change, skipping
      nothing changed: its command, 1 dependency, 1 parameter, 1 output
    Stage 'report' didn't change, skipping
      nothing changed: its command, 1 dependency, 1 output
    ");
    assert_eq!(repo.dewar(&["repro", "--dry"]).success().lines().count(), 3);
}

#[test]
fn every_change_is_told_to_the_value() {
    let repo = project();
    repo.write("params.yaml", "lr: 2\n").write("raw/b", "changed\n").write("raw/c", "new\n");
    repo.write("dvc.yaml", PIPELINE.replace("wc -l < model", "wc -c < model"));
    insta::assert_snapshot!(looks(&repo, &["repro", "--dry", "--explain", "--no-run-cache"]), @r"
    Running stage 'prepare':
      the dependency `raw` changed
        added: `c`
        changed: `b`
    > mkdir -p prepared && cp raw/* prepared
    Running stage 'train':
      the parameter `lr` of `params.yaml` changed from 1 to 2
      it needs `prepare`, which is not up to date
    > cat prepared/* params.yaml > model
    Running stage 'report':
      its command changed
      - wc -l < model > report
      + wc -c < model > report
      it needs `train`, which is not up to date
    > wc -c < model > report
    ");
    // Without `--explain`, a line a reason.
    assert_eq!(looks(&repo, &["repro", "--dry"]).lines().count(), 11);
}

#[test]
fn a_run_tells_the_same_while_it_runs() {
    let repo = project();
    repo.write("params.yaml", "lr: 2\n");
    insta::assert_snapshot!(repo.dewar(&["repro", "--explain"]), @r"
    Stage 'prepare' didn't change, skipping
      nothing changed: its command, 1 dependency, 1 output
    Running stage 'train':
      the parameter `lr` of `params.yaml` changed from 1 to 2
    > cat prepared/* params.yaml > model
    Updating lock file 'dvc.lock'

    Running stage 'report':
      the dependency `model` changed
    > wc -l < model > report
    Updating lock file 'dvc.lock'
    ");
    repo.write("params.yaml", "lr: 1\n");
    insta::assert_snapshot!(repo.dewar(&["exp", "run", "-n", "back", "--explain", "train"]), @r"
    Reproducing experiment 'back'
    Stage 'prepare' didn't change, skipping
      nothing changed: its command, 1 dependency, 1 output
    Stage 'train' is cached - skipping run, checking out outputs
      the parameter `lr` of `params.yaml` changed from 2 to 1
    Updating lock file 'dvc.lock'

    Ran experiment(s): back
    Experiment results have been applied to your workspace.
    ");
}

/// What is known to come out of the run cache is told apart, and what follows is assessed with it.
#[test]
fn a_plan_knows_what_is_cached() {
    let repo = project();
    repo.write("params.yaml", "lr: 2\nextra: 1\n");
    repo.dewar(&["repro"]).success();
    repo.write("params.yaml", "lr: 1\n");
    insta::assert_snapshot!(looks(&repo, &["repro", "--dry"]), @r"
    Stage 'prepare' didn't change, skipping
    Stage 'train' is cached - skipping run, checking out outputs
      the parameter `lr` of `params.yaml` changed from 2 to 1
    Stage 'report' is cached - skipping run, checking out outputs
      the dependency `model` changed
    ");
    assert!(repo.dewar(&["repro"]).success().contains("Stage 'report' is cached"));
    std::fs::remove_file(repo.root().join("model")).unwrap();
    std::fs::remove_dir_all(repo.root().join("prepared")).unwrap();
    insta::assert_snapshot!(looks(&repo, &["status", "--explain"]), @r"
    prepare: would be restored from the cache
      the output `prepared` does not exist
    train: would be restored from the cache
      the output `model` does not exist
    report: up to date
      nothing changed: its command, 1 dependency, 1 output
    ");
    // Its denied twin: nobody is to remember.
    std::fs::remove_dir_all(repo.root().join(".dvc/cache")).unwrap();
    let said = looks(&repo, &["repro", "--dry"]);
    assert!(said.contains("Running stage 'prepare'") && !said.contains("is cached"), "{said}");
}

#[test]
fn a_plan_is_what_a_run_does() {
    let repo = project();
    let actions = |args: &[&str]| {
        let document: serde_json::Value = serde_json::from_str(&repo.dewar(args).success()).unwrap();
        let stages = document["stages"].as_array().unwrap().clone();
        stages.iter().map(|stage| format!("{} {}", stage["stage"], stage["action"])).collect::<Vec<_>>()
    };
    let edits: [(&str, &str); 5] = [
        ("params.yaml", "lr: 3\n"),
        ("raw/new", "x\n"),
        ("params.yaml", "lr: 1\n"),
        ("model", "mine\n"),
        ("report", ""),
    ];
    for (file, text) in edits {
        repo.write(file, text);
        let planned = actions(&["repro", "--dry", "--json"]);
        assert_eq!(actions(&["repro", "--json"]), planned, "after {file}: {text}");
        assert_eq!(
            actions(&["repro", "--json"]),
            ["\"prepare\" \"skip\"", "\"train\" \"skip\"", "\"report\" \"skip\""]
        );
    }
}

#[test]
fn what_follows_is_forced_when_asked() {
    let repo = project();
    repo.write(
        "dvc.yaml",
        PIPELINE.replace("wc -l < model", "wc -c < model").replace("cat prepared/*", "cat  prepared/*"),
    );
    insta::assert_snapshot!(looks(&repo, &["repro", "--dry", "--force-downstream", "--no-run-cache"]), @r"
    Stage 'prepare' didn't change, skipping
    Running stage 'train':
      its command changed
    > cat  prepared/* params.yaml > model
    Running stage 'report':
      it is forced
      its command changed
      it needs `train`, which is not up to date
    > wc -c < model > report
    ");
    let ran = repo.dewar(&["repro", "--force-downstream", "--json", "--no-run-cache"]).success();
    let document: serde_json::Value = serde_json::from_str(&ran).unwrap();
    assert_eq!(document["stages"][2]["reasons"][0]["kind"], "forced");
}

#[test]
fn json_is_one_document_alone_on_stdout() {
    let repo = project();
    repo.write("params.yaml", "lr: 2\n").write("raw/c", "new\n");
    let dry = looks(&repo, &["repro", "--dry", "--json"]);
    insta::assert_snapshot!(dry, @r#"{"stages":[{"stage":"prepare","state":"stale","action":"run","reasons":[{"kind":"dependency-changed","path":"raw","change":"modified","files":{"added":["c"],"changed":[],"removed":[]}}]},{"stage":"train","state":"stale","action":"run","reasons":[{"kind":"parameter-changed","file":"params.yaml","key":"lr","old":1,"new":2},{"kind":"upstream-stale","stage":"prepare"}]},{"stage":"report","state":"stale","action":"run","reasons":[{"kind":"upstream-stale","stage":"train"}]}]}"#);
    assert_eq!(looks(&repo, &["status", "--explain", "--json"]), dry);
    let ran = repo.dewar(&["exp", "run", "-n", "named", "--json"]);
    assert!(ran.stderr.contains("Running stage 'train':") && ran.stderr.contains("Ran experiment(s): named"), "{ran}");
    let document: serde_json::Value = serde_json::from_str(&ran.success()).unwrap();
    assert_eq!(document["experiment"]["name"], "named");
    assert_eq!(document["stages"][1]["reasons"][0]["kind"], "dependency-changed");
}

#[test]
fn a_run_that_fails_has_its_document() {
    let repo = project();
    repo.write("dvc.yaml", PIPELINE.replace("cat prepared/*", "false && cat prepared/*"));
    let failed = repo.dewar(&["repro", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&failed.stdout).unwrap();
    assert_eq!(document["stages"].as_array().unwrap().len(), 2);
    assert_eq!(document["stages"][1]["reasons"][0]["kind"], "command-changed");
    assert!(failed.failure(1).contains("the stage `train` failed"));
}

#[test]
fn status_is_that_of_dvc() {
    let repo = project();
    assert_eq!(looks(&repo, &["status"]), "Data and pipelines are up to date.\n");
    repo.write("params.yaml", "lr: 2\n").write("raw/c", "new\n").write("model", "mine\n");
    insta::assert_snapshot!(looks(&repo, &["status"]), @r"
    prepare:
    	changed deps:
    		modified:           raw
    train:
    	changed deps:
    		params.yaml:
    			modified:           lr
    	changed outs:
    		modified:           model
    report:
    	changed deps:
    		modified:           model
    ");
    insta::assert_snapshot!(looks(&repo, &["status", "--json", "train"]), @r#"{"train":[{"changed deps":{"params.yaml":{"lr":"modified"}}},{"changed outs":{"model":"modified"}}]}"#);
    let of = |args: &[&str]| looks(&repo, args).lines().filter(|line| !line.starts_with('\t')).count();
    assert_eq!((of(&["status", "report"]), of(&["status", "-d", "report"]), of(&["status", "-R", "."])), (1, 3, 3));
    assert_eq!(of(&["status", "model"]), 1);
    assert_eq!(repo.dewar(&["status", "-q"]).code, Some(1));
    repo.write("sub/x", "");
    insta::assert_snapshot!(looks(&repo, &["--cd", "sub", "status", "../dvc.yaml:train"]), @r"
    ../dvc.yaml:train:
    	changed deps:
    		../params.yaml:
    			modified:           lr
    	changed outs:
    		modified:           ../model
    ");
    repo.dewar(&["repro"]).success();
    assert_eq!(repo.dewar(&["status", "-q"]).code, Some(0));
}
