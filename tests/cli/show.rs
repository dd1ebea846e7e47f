//! What is shown of experiments, parameters and metrics, and what `exp apply` and `exp remove` do to them.

use std::fs;

use dewar_tests::TestRepo;

use super::repo;

const PIPELINE: &str = "\
stages:
  train:
    cmd: cat data.csv params.yaml > model && awk '/^lr/ {printf \"{\\\"acc\\\"%s %s}\\n\", \":\", $2}' params.yaml > metrics.json
    deps: [data.csv]
    params: [lr]
    outs: [model]
    metrics:
    - metrics.json:
        cache: false
";

/// A project that ran, with that run committed, and two experiments on top.
fn project() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("dvc.yaml", PIPELINE).write("params.yaml", "lr: 0.5\nlayers: [64, 32]\n").write("data.csv", "1,2\n");
    repo.dewar(&["repro"]).success();
    repo.commit("begin");
    repo.dewar(&["exp", "run", "-n", "low", "-S", "lr=0.25"]).success();
    repo.dewar(&["exp", "run", "-n", "high", "-S", "lr=0.75"]).success();
    repo
}

#[test]
fn the_table_of_experiments() {
    let repo = project();
    insta::assert_snapshot!(repo.dewar(&["exp", "show"]).success(), @r#"
    ───────────────────────────────────────────────────────────────────────────────────────
     Experiment          Created    acc  lr    layers    data.csv
    ───────────────────────────────────────────────────────────────────────────────────────
     workspace           -         0.75  0.75  [64, 32]  6c703dc4a0fba77a7fa9ee6cc2a992b8
     main                03:04 AM   0.5  0.5   [64, 32]  6c703dc4a0fba77a7fa9ee6cc2a992b8
     ├── ac5bff8 [high]  03:04 AM  0.75  0.75  [64, 32]  6c703dc4a0fba77a7fa9ee6cc2a992b8
     └── 9329f0a [low]   03:04 AM  0.25  0.25  [64, 32]  6c703dc4a0fba77a7fa9ee6cc2a992b8
    ───────────────────────────────────────────────────────────────────────────────────────
    "#);
    insta::assert_snapshot!(repo.dewar(&["exp", "show", "--only-changed", "--hide-workspace", "--sort-by", "acc"]).success(), @r#"
    ───────────────────────────────────────────
     Experiment          Created    acc  lr
    ───────────────────────────────────────────
     main                03:04 AM   0.5  0.5
     ├── 9329f0a [low]   03:04 AM  0.25  0.25
     └── ac5bff8 [high]  03:04 AM  0.75  0.75
    ───────────────────────────────────────────
    "#);
    insta::assert_snapshot!(repo.dewar(&["exp", "show", "--md", "--drop", "data.csv|layers"]).success(), @r#"
    | Experiment         | Created  | acc  | lr   |
    |--------------------|----------|------|------|
    | workspace          | -        | 0.75 | 0.75 |
    | main               | 03:04 AM | 0.5  | 0.5  |
    | ├── ac5bff8 [high] | 03:04 AM | 0.75 | 0.75 |
    | └── 9329f0a [low]  | 03:04 AM | 0.25 | 0.25 |
    "#);
    insta::assert_snapshot!(repo.dewar(&["exp", "show", "--csv", "--drop", "data.csv"]).success(), @r#"
    Experiment,rev,typ,Created,parent,acc,lr,layers
    ,workspace,baseline,,,0.75,0.75,"[64, 32]"
    ,main,baseline,2026-01-02T03:04:09,,0.5,0.5,"[64, 32]"
    high,ac5bff8,branch_commit,2026-01-02T03:04:11,,0.75,0.75,"[64, 32]"
    low,9329f0a,branch_base,2026-01-02T03:04:10,,0.25,0.25,"[64, 32]"
    "#);
    insta::assert_snapshot!(repo.dewar(&["exp", "show", "--sort-by", "ac"]).failure(2), @r#"
    error: there is no metric or parameter `ac` to sort by
    help: did you mean `acc`?
    "#);
    insta::assert_snapshot!(repo.dewar(&["exp", "show", "--rev", "nowhere"]).failure(2), @"error: `nowhere` is no commit, branch, tag or experiment of this repository");
}

#[test]
fn a_damaged_object_is_no_metric_and_is_not_remembered() {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("dvc.yaml", "stages:\n  train:\n    cmd: printf 'acc%s 1\\n' ':' > m.yaml\n    metrics: [m.yaml]\n");
    repo.dewar(&["repro"]).success();
    repo.commit("begin");
    let acc = || {
        let shown = repo.dewar(&["exp", "show", "--hide-workspace", "--json"]).success();
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        shown[0]["data"]["metrics"]["m.yaml"].clone()
    };
    let objects = repo.everything();
    let (object, content) = objects
        .iter()
        .find(|(path, _)| path.starts_with(".dvc/cache/files/") && repo.root().join(path).is_file())
        .unwrap();
    let replace = |content: &[u8]| {
        fs::remove_file(repo.root().join(object)).unwrap();
        repo.write(object, content);
    };
    replace(b"acc: 9\n");
    assert_eq!(acc()["error"]["type"], "FileMissingError");
    assert_eq!(acc()["error"]["type"], "FileMissingError");
    replace(content);
    assert_eq!(acc()["data"]["acc"], 1);
}

#[test]
fn the_table_for_programs() {
    let repo = project();
    let shown: serde_json::Value = serde_json::from_str(&repo.dewar(&["exp", "show", "--json"]).success()).unwrap();
    let at = |pointer: &str| shown.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {shown:#}")).clone();
    assert_eq!(at("/0/rev"), "workspace");
    assert_eq!(at("/1/name"), "main");
    assert_eq!(at("/1/rev"), repo.git(&["rev-parse", "HEAD"]).success().trim());
    assert_eq!(at("/1/data/params/params.yaml/data"), serde_json::json!({ "lr": 0.5, "layers": [64, 32] }));
    assert_eq!(at("/1/data/deps/data.csv/size"), 4);
    assert_eq!(at("/1/data/outs/model/use_cache"), true);
    let names: Vec<_> = (0..2).map(|row| at(&format!("/1/experiments/{row}/name"))).collect();
    assert_eq!(names, ["high", "low"]);
    assert_eq!(at("/1/experiments/0/revs/0/data/metrics/metrics.json/data/acc"), 0.75);
    assert_eq!(at("/1/experiments/1/executor"), serde_json::Value::Null);
}

#[test]
fn a_revision_that_cannot_be_read_hides_no_other() {
    let repo = project();
    repo.write("dvc.yaml", "stages: [\n");
    insta::assert_snapshot!(repo.dewar(&["exp", "show", "--drop", "data.csv|layers"]).success(), @r#"
    ───────────────────────────────────────────
     Experiment          Created    acc  lr
    ───────────────────────────────────────────
     workspace           -            !  !
     main                03:04 AM   0.5  0.5
     ├── ac5bff8 [high]  03:04 AM  0.75  0.75
     └── 9329f0a [low]   03:04 AM  0.25  0.25
    ───────────────────────────────────────────
    "#);
}

#[test]
fn the_list_of_experiments() {
    let repo = project();
    insta::assert_snapshot!(repo.dewar(&["exp", "list"]).success(), @r#"
    main:
    	ac5bff8 [high]
    	9329f0a [low]
    "#);
    insta::assert_snapshot!(repo.dewar(&["exp", "list", "--name-only"]).success(), @r#"
    high
    low
    "#);
    repo.commit("later");
    assert_eq!(repo.dewar(&["exp", "list"]).success(), "");
    assert_eq!(repo.dewar(&["exp", "list", "-A", "--name-only"]).success(), "high\nlow\n");
}

#[test]
fn an_experiment_is_applied() {
    let repo = project();
    insta::assert_snapshot!(repo.dewar(&["exp", "apply", "low"]), @r#"
    Changes for experiment 'low' have been applied to your current workspace.
    --- stderr
    What was in the workspace is kept: `dewar exp apply 9a756b4` brings it back.
    "#);
    assert_eq!(repo.read("params.yaml"), "lr: 0.25\nlayers: [64, 32]\n");
    assert_eq!(repo.read("metrics.json"), "{\"acc\": 0.25}\n");
    assert_eq!(repo.read("model"), "1,2\nlr: 0.25\nlayers: [64, 32]\n");
    assert!(repo.dewar(&["repro"]).success().ends_with("up to date.\n"));
    insta::assert_snapshot!(repo.dewar(&["exp", "apply", "lo"]).failure(2), @r#"
    error: `lo` is no experiment
    help: did you mean `low`?
    "#);
}

#[test]
fn what_applying_would_lose_is_kept() {
    let repo = project();
    repo.write("data.csv", "mine\n").write("notes", "untracked\n");
    let before = repo.everything();
    insta::assert_snapshot!(repo.dewar(&["exp", "apply", "low"]).failure(4), @r#"
    error: a file has changes that are recorded nowhere, and would be overwritten:
      data.csv
    help: `dewar exp save` makes an experiment of the workspace as it is; `git stash` puts the changes aside
    help: `--force` overwrites them; `dewar exp apply refs/exps/apply/stash` then brings back what was there
    "#);
    assert!(repo.everything() == before);
    let said = repo.dewar(&["exp", "apply", "--force", "low"]);
    assert_eq!(repo.read("data.csv"), "1,2\n");
    assert_eq!(repo.read("notes"), "untracked\n");
    let kept = said.stderr.split('`').find_map(|part| part.strip_prefix("dewar exp apply ")).unwrap().to_owned();
    repo.dewar(&["exp", "apply", &kept]).success();
    assert_eq!(repo.read("data.csv"), "mine\n");
    assert_eq!(repo.read("params.yaml"), "lr: 0.75\nlayers: [64, 32]\n");
}

#[test]
fn an_output_made_by_hand_is_kept_by_applying() {
    let repo = project();
    fs::remove_file(repo.root().join("model")).unwrap();
    repo.write("model", "made by hand\n");
    let before = repo.everything();
    insta::assert_snapshot!(repo.dewar(&["exp", "apply", "low"]).failure(4), @r#"
    error: 1 file is not in the cache and would be lost: `model`
    help: `dewar commit` or `dewar repro` keeps what is there; `--force` replaces it
    "#);
    assert!(repo.everything() == before);
    repo.dewar(&["exp", "apply", "--force", "low"]).success();
    assert_eq!(repo.read("model"), "1,2\nlr: 0.25\nlayers: [64, 32]\n");
    // It is kept with the rest of the workspace.
    repo.dewar(&["exp", "apply", "refs/exps/apply/stash"]).success();
    assert_eq!(
        (repo.read("model"), repo.read("params.yaml")),
        ("made by hand\n".into(), "lr: 0.75\nlayers: [64, 32]\n".into())
    );
    // Nobody takes it for a result.
    assert!(repo.dewar(&["status"]).success().contains("changed"));
    repo.dewar(&["exp", "run", "-n", "again"]).success();
    assert_eq!(repo.read("model"), "1,2\nlr: 0.75\nlayers: [64, 32]\n");
}

#[test]
fn experiments_are_removed() {
    let repo = project();
    insta::assert_snapshot!(repo.dewar(&["exp", "remove", "low", "lov"]).failure(2), @r#"
    error: `lov` is no experiment
    help: did you mean `low`?
    "#);
    assert_eq!(repo.dewar(&["exp", "list", "--name-only"]).success(), "high\nlow\n");
    insta::assert_snapshot!(repo.dewar(&["exp", "remove", "low"]).success(), @"Removed experiments: low");
    assert_eq!(repo.dewar(&["exp", "list", "--name-only"]).success(), "high\n");
    repo.dewar(&["exp", "remove", "--rev", "HEAD"]).success();
    assert_eq!(repo.git(&["for-each-ref", "refs/exps/"]).success(), "");
    assert!(repo.dewar(&["exp", "remove"]).failure(2).contains("required"));
}

#[test]
fn parameters_are_compared() {
    let repo = project();
    repo.write("params.yaml", "lr: 0.75\nlayers: [64, 16]\nnew: {deep: true}\n");
    insta::assert_snapshot!(repo.dewar(&["params", "diff"]).success(), @r#"
    ─────────────────────────────────────────────
     Path         Param     HEAD      workspace
    ─────────────────────────────────────────────
     params.yaml  layers    [64, 32]  [64, 16]
     params.yaml  lr        0.5       0.75
     params.yaml  new.deep  -         True
    ─────────────────────────────────────────────
    "#);
    insta::assert_snapshot!(repo.dewar(&["params", "diff", "low", "high", "--md"]).success(), @r#"
    | Path        | Param | low  | high |
    |-------------|-------|------|------|
    | params.yaml | lr    | 0.25 | 0.75 |
    "#);
    insta::assert_snapshot!(repo.dewar(&["params", "diff", "--json"]).success(), @r#"
    {"params.yaml":{"layers":{"old":[64,32],"new":[64,16]},"lr":{"old":0.5,"new":0.75,"diff":0.25},"new.deep":{"old":null,"new":true}}}
    "#);
    assert_eq!(repo.dewar(&["params", "diff", "high", "high"]).success(), "");
    insta::assert_snapshot!(repo.dewar(&["params", "diff", "nowhere"]).failure(2), @"error: `nowhere` is no commit, branch, tag or experiment of this repository");
}

#[test]
fn metrics_are_shown() {
    let repo = project();
    insta::assert_snapshot!(repo.dewar(&["metrics", "show"]).success(), @r#"
    ─────────────────────
     Path          acc
    ─────────────────────
     metrics.json  0.75
    ─────────────────────
    "#);
    insta::assert_snapshot!(repo.dewar(&["metrics", "show", "-a", "--md"]).success(), @r#"
    | Revision  | Path         | acc  |
    |-----------|--------------|------|
    | workspace | metrics.json | 0.75 |
    | main      | metrics.json | 0.5  |
    "#);
    insta::assert_snapshot!(repo.dewar(&["metrics", "show", "--json"]).success(), @r#"
    {"":{"data":{"metrics.json":{"data":{"acc":0.75}}}}}
    "#);
    repo.write("metrics.json", "{\"acc\": }\n");
    insta::assert_snapshot!(repo.dewar(&["metrics", "show"]), @r#"
     ───────────────
      Path
     ───────────────
      metrics.json
     ───────────────
    --- stderr
    warning: cannot read `metrics.json`: a value should stand here
     --> metrics.json
    "#);
}
