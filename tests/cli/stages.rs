//! `stage add` and `stage list`, `freeze` and `unfreeze`, `remove`: what they write, what they leave alone, what they refuse.

use std::os::unix::fs::symlink;

use dewar_tests::TestRepo;
use serde_json::Value;

use super::bad_input::refusal;
use super::repo;

const PIPELINE: &str = "\
# the project of Ada
vars: [{sizes: [1, 2]}]

stages:
  # raw data
  prepare:
    cmd: cp src prepared  # fast
    deps: [src]
    outs: [prepared]

  # one a size
  train:
    foreach: ${sizes}
    do:
      cmd: cp prepared model.${item}
      deps: [prepared]
      outs:
      - model.${item}
  # all of them
  join: {cmd: cat model.1 model.2 > joined, deps: [model.1, model.2], outs: [joined]}
";

fn project() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("src", "1\n").write("dvc.yaml", PIPELINE).commit("begin");
    repo
}

/// The same after a run.
fn ran() -> TestRepo {
    let repo = project();
    repo.dewar(&["repro"]).success();
    repo
}

fn names(repo: &TestRepo, args: &[&str]) -> Vec<String> {
    let args = [&["stage", "list", "--name-only"], args].concat();
    repo.dewar(&args).success().lines().map(str::to_owned).collect()
}

#[test]
fn a_stage_is_added_and_nothing_else_changes() {
    let repo = project();
    let said =
        repo.dewar(&["stage", "add", "-n", "report", "-d", "joined", "-M", "r.json", "-o", "plot", "make", "it all"]);
    insta::assert_snapshot!(said, @"
    Added stage 'report' in 'dvc.yaml'
    To track the changes with git, run:

    	git add .gitignore dvc.yaml
    ");
    let stage = "  report:\n    cmd: make \"it all\"\n    deps:\n    - joined\n    outs:\n    - plot\n    metrics:\n    - r.json:\n        cache: false\n";
    assert_eq!(repo.read("dvc.yaml"), format!("{PIPELINE}{stage}"));
    assert_eq!(repo.read(".gitignore"), "/plot\n");
    assert!(!repo.exists("dvc.lock"));
}

#[test]
fn a_stage_in_a_folder_is_written_there() {
    let repo = project();
    repo.write("sub/w/src", "1\n");
    let root = repo.root().display().to_string();
    let own = format!("{root}/sub/w/own");
    let args =
        ["--cd", "sub", "stage", "add", "-n", "s", "-w", "./w/", "-d", &own, "-d", "../../joined", "-o", "out", "x"];
    repo.dewar(&args).success();
    let stage =
        "stages:\n  s:\n    cmd: x\n    wdir: w\n    deps:\n    - ../../joined\n    - own\n    outs:\n    - out\n";
    assert_eq!(repo.read("sub/dvc.yaml"), stage);
    assert_eq!(repo.read("sub/w/.gitignore"), "/out\n");
    assert_eq!(repo.read("dvc.yaml"), PIPELINE);
    repo.dewar(&["stage", "add", "-n", "here", "-w", ".", "true"]).success();
    assert!(repo.read("dvc.yaml").ends_with("  here:\n    cmd: 'true'\n"));
}

#[test]
fn a_stage_can_be_run_at_once() {
    let repo = project();
    let said = repo.dewar(&["stage", "add", "--run", "-n", "hi", "-o", "hi", "echo hi > hi"]).success();
    assert!(said.contains("Added stage 'hi'") && said.contains("Running stage 'hi'"), "{said}");
    assert_eq!(repo.read("hi"), "hi\n");
    let said = repo.dewar(&["stage", "add", "--run", "-n", "bad", "exit 3"]).failure(1);
    assert!(said.contains("bad"), "{said}");
    assert!(names(&repo, &[]).contains(&"bad".to_owned()), "it was written before it ran");
}

#[test]
fn a_replaced_stage_leaves_its_surroundings() {
    let repo = project();
    repo.dewar(&["stage", "add", "-f", "-n", "prepare", "-d", "src", "-o", "prepared", "cp -v src prepared"]).success();
    assert_eq!(repo.read("dvc.yaml"), PIPELINE.replace("cp src", "cp -v src"));
    repo.dewar(&["stage", "add", "-f", "-n", "train", "-d", "prepared", "-o", "model.1", "-o", "model.2", "train"])
        .success();
    assert_eq!(names(&repo, &[]), ["prepare", "train", "join"]);
}

#[test]
fn what_would_not_hold_is_not_written() {
    let repo = project();
    repo.write("tracked", "").write("dvc.yaml", PIPELINE).commit("more");
    for (args, code, said) in [
        (&["-n", "prepare", "x"][..], 2, "`prepare` exists already"),
        (&["-n", "a.b", "x"], 2, "cannot be the name of a stage"),
        (&["-n", "n", "-o", "prepared", "x"], 3, "written by two stages"),
        (&["-n", "n", "-o", "prepared/x", "x"], 3, "overlap"),
        (&["-n", "n", "-d", "joined", "-o", "src", "x"], 3, "circle"),
        (&["-n", "n", "-d", "o", "-o", "o", "x"], 2, "`o` is given more than once"),
        (&["-n", "n", "-d", "o", "-d", "./o", "x"], 2, "`./o` is given more than once"),
        (&["-n", "n", "-w", "nowhere", "x"], 3, "no folder `nowhere`"),
        (&["-n", "n", "-o", "../out", "x"], 3, "outside the project"),
        (&["-n", "n", "-o", "dvc.yaml", "x"], 3, "holds stages"),
        (&["-n", "n", "-o", "tracked", "x"], 4, "`tracked` is tracked by git"),
        (&["-n", "n", " "], 3, "empty"),
    ] {
        let message = refusal(&repo, &[&["stage", "add"], args].concat(), code);
        assert!(message.contains(said), "{args:?}: {message}");
    }
    repo.dewar(&["stage", "add", "-n", "n"]).failure(2);
    repo.write(".gitignore", "dvc.yaml\n").git(&["rm", "-q", "--cached", "dvc.yaml"]).success();
    assert!(refusal(&repo, &["stage", "add", "-n", "n", "x"], 4).contains("`dvc.yaml` is ignored by git"));
}

#[test]
fn no_link_leads_out_of_the_project() {
    let repo = project();
    std::fs::write(repo.outside("victim"), "stages: {}\n").unwrap();
    repo.write("sub/keep", "");
    symlink(repo.outside("victim"), repo.root().join("sub/dvc.yaml")).unwrap();
    for args in
        [&["--cd", "sub", "stage", "add", "-n", "n", "x"][..], &["remove", "sub/dvc.yaml"], &["freeze", "sub/dvc.yaml"]]
    {
        let _refused_or_nothing_to_do = repo.dewar(args);
        assert_eq!(std::fs::read_to_string(repo.outside("victim")).unwrap(), "stages: {}\n", "{args:?}");
    }
}

#[test]
fn stages_are_listed_in_dvcs_words() {
    let repo = project();
    let long = "o".repeat(90);
    repo.write(
        "sub/dvc.yaml",
        format!("stages:\n  s: {{cmd: x, desc: \"\\n first \\nsecond\"}}\n  l: {{cmd: x, outs: [{long}]}}\n"),
    );
    repo.write("raw.dvc", "outs:\n- path: raw\n");
    repo.write("more/dvc.yaml", "stages:\n  漢字: {cmd: x, deps: [a], params: [lr, f.json: ]}\n  n: {cmd: x}\n  m: {cmd: x, outs: [b, a], metrics: [m], plots: [p]}\n");
    insta::assert_snapshot!(repo.dewar(&["stage", "list", "--all"]), @"
    prepare             Outputs prepared
    train@1             Outputs model.1
    train@2             Outputs model.2
    join                Outputs joined
    more/dvc.yaml:漢字  Depends on a, params.yaml, f.json
    more/dvc.yaml:n     No outputs or dependencies
    more/dvc.yaml:m     Outputs b, a; Reports m, p
    raw.dvc             Outputs raw
    sub/dvc.yaml:s      first
    sub/dvc.yaml:l      Outputs ooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooo…
    ");
    assert_eq!(names(&repo, &[]), ["prepare", "train@1", "train@2", "join"]);
    assert_eq!(names(&repo, &["train", "raw.dvc", "train@1"]), ["train@1", "train@2", "raw.dvc"]);
    assert_eq!(
        names(&repo, &["-R", "sub", "more"]),
        ["more/dvc.yaml:漢字", "more/dvc.yaml:n", "more/dvc.yaml:m", "sub/dvc.yaml:s", "sub/dvc.yaml:l"]
    );
    assert_eq!(names(&repo, &["--cd", "sub"]), ["s", "l"]);
    repo.dewar(&["stage", "list", "nosuch"]).failure(2);
}

#[test]
fn stages_are_listed_for_scripts() {
    let repo = project();
    let list: Value = serde_json::from_str(&repo.dewar(&["stage", "list", "train@2", "--json"]).success()).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&list).unwrap(), @r#"
    [
      {
        "target": "train@2",
        "file": "dvc.yaml",
        "name": "train@2",
        "desc": null,
        "cmd": [
          "cp prepared model.2"
        ],
        "folder": ".",
        "deps": [
          "prepared"
        ],
        "params": {},
        "outs": [
          {
            "path": "model.2",
            "cache": true,
            "persist": false,
            "push": true
          }
        ],
        "metrics": [],
        "plots": [],
        "frozen": false,
        "always_changed": false
      }
    ]
    "#);
}

#[test]
fn a_broken_file_hides_only_itself() {
    let repo = project();
    repo.write("bad/dvc.yaml", "stages: [\n");
    let said = repo.dewar(&["stage", "list", "--all", "--name-only"]);
    assert!(said.stdout.ends_with("join\n") && said.stderr.contains("bad/dvc.yaml"), "{said}");
    assert_eq!(repo.dewar(&["stage", "list"]).stderr, "");
    let said = repo.dewar(&["stage", "list", "-R", "bad"]);
    assert!(said.stderr.contains("bad/dvc.yaml") && said.stdout.is_empty() && said.code == Some(0), "{said}");
    repo.dewar(&["stage", "list", "--all", "--fail"]).failure(3);
    repo.dewar(&["stage", "list", "bad/dvc.yaml"]).failure(3);
    repo.dewar(&["--cd", "bad", "stage", "list"]).failure(3);
}

#[test]
fn a_frozen_stage_is_left_as_it_is() {
    let repo = ran();
    insta::assert_snapshot!(repo.dewar(&["freeze", "prepare", "train"]), @"
    Stage 'prepare' is frozen
    Stage 'train' is frozen
    To track the changes with git, run:

    	git add dvc.yaml
    ");
    let frozen = PIPELINE
        .replace("    outs: [prepared]\n", "    outs: [prepared]\n    frozen: true\n")
        .replace("      - model.${item}\n", "      - model.${item}\n      frozen: true\n");
    assert_eq!(repo.read("dvc.yaml"), frozen);
    repo.write("src", "2\n");
    assert!(!repo.dewar(&["repro"]).success().contains("Running stage"));
    // Again is nothing new.
    assert_eq!(repo.dewar(&["freeze", "prepare"]).success(), "Stage 'prepare' is frozen\n");
    repo.dewar(&["unfreeze", "prepare", "train"]).success();
    assert_eq!(repo.read("dvc.yaml"), PIPELINE);
    repo.dewar(&["repro"]).success();
    assert_eq!(repo.read("joined"), "2\n2\n");
}

#[test]
fn what_cannot_be_frozen_alone_says_what_can() {
    let repo = project();
    insta::assert_snapshot!(refusal(&repo, &["freeze", "prepare", "train@1"], 2), @"
    error: the stage `train@1` is one of the group `train` and has no entry of its own in `dvc.yaml`
    help: name the group: what is done to `train` is done to all its stages
    ");
    assert!(refusal(&repo, &["freeze", "nosuch"], 2).contains("nosuch"));
    repo.dewar(&["freeze"]).failure(2);
}

#[test]
fn a_removed_stage_leaves_nothing_but_its_outputs() {
    let repo = ran();
    let lock = repo.read("dvc.lock");
    insta::assert_snapshot!(repo.dewar(&["remove", "join", "train"]), @"
    Removed 'join'
    Removed 'train'
    To track the changes with git, run:

    	git add .gitignore dvc.lock dvc.yaml
    ");
    let (kept, _) = PIPELINE.split_once("\n  # one a size").unwrap();
    assert_eq!(repo.read("dvc.yaml"), kept);
    assert!(lock.starts_with(&repo.read("dvc.lock")));
    assert!(!repo.read("dvc.lock").contains("train") && repo.read("dvc.lock").contains("prepare"));
    assert_eq!(repo.read(".gitignore"), "/prepared\n");
    assert!(repo.exists("joined") && repo.exists("model.1"));
    repo.dewar(&["remove", "--outs", "prepare"]).success();
    assert!(!repo.exists("prepared") && !repo.exists("dvc.lock") && !repo.exists(".gitignore"));
    assert_eq!(repo.read("dvc.yaml"), "# the project of Ada\nvars: [{sizes: [1, 2]}]\n");
}

#[test]
fn data_that_is_no_longer_tracked_is_the_users_own() {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write(".dvc/config", "[cache]\n    type = symlink\n").write("raw.csv", "1,2\n");
    repo.dewar(&["add", "raw.csv"]).success();
    assert!(repo.root().join("raw.csv").is_symlink());
    let said = refusal(&repo, &["remove", "raw.csv"], 2);
    assert!(said.contains("`dewar remove raw.csv.dvc`"), "{said}");
    repo.dewar(&["remove", "raw.csv.dvc"]).success();
    assert!(!repo.exists("raw.csv.dvc") && !repo.exists(".gitignore"));
    assert!(!repo.root().join("raw.csv").is_symlink() && repo.read("raw.csv") == "1,2\n");
}

#[test]
fn one_bad_target_keeps_all() {
    let repo = ran();
    for (bad, code) in [("nosuch", 2), ("train@1", 2), ("joined", 2), ("no/dvc.yaml", 3), ("src", 2)] {
        refusal(&repo, &["remove", "--outs", "join", bad], code);
    }
}

#[test]
fn a_file_without_stages_goes() {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.dewar(&["stage", "add", "-n", "a", "-o", "a", "echo > a"]).success();
    repo.dewar(&["stage", "add", "-n", "b", "-o", "b", "echo > b"]).success();
    repo.dewar(&["repro"]).success();
    repo.dewar(&["remove", "dvc.yaml"]).success();
    assert!(!repo.exists("dvc.yaml") && !repo.exists("dvc.lock") && !repo.exists(".gitignore"));
    assert!(repo.exists("a") && repo.exists("b"));
}
