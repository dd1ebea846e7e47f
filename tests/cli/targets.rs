//! Targets: which stages run for what is named, from which folder, and what is said of a name that means nothing.

use std::fs;

use dewar_tests::{CommandOutput, TestRepo};

use super::repo;

/// A stage that copies `dep` to `out` and leaves its name.
fn copy(name: &str, dep: &str, out: &str) -> String {
    format!("  {name}: {{cmd: cp {dep} {out} && echo {name} >> $LOG, deps: [{dep}], outs: [{out}]}}\n")
}

/// Pipelines at the root, in `sub` and in `sub/deep`; that of `sub` feeds that of the root.
fn project() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    let root = format!(
        "stages:\n{}{}{}  each:\n    foreach: [x, y]\n    do: {{cmd: 'echo each-${{item}} | tee ${{item}}.out >> $LOG', outs: ['${{item}}.out']}}\n",
        copy("first", "src", "a.out"),
        copy("second", "a.out", "b.out"),
        copy("joined", "sub/out", "j.out"),
    );
    repo.write("dvc.yaml", root).write("src", "1\n").write("sub/src", "1\n").write("sub/deep/src", "1\n");
    repo.write("sub/dvc.yaml", format!("stages:\n{}", copy("near", "src", "out")));
    let deep = "stages:\n  deepest: {cmd: mkdir d && cp src d/made && echo deepest >> $LOG, deps: [src], outs: [d]}\n";
    repo.write("sub/deep/dvc.yaml", deep);
    repo.commit("begin");
    repo
}

/// Runs dewar in a folder of the project, with a log of the stages that run.
fn dewar_in(repo: &TestRepo, folder: &str, args: &[&str]) -> CommandOutput {
    let mut command = repo.command(env!("CARGO_BIN_EXE_dewar"));
    repo.run(command.args(args).current_dir(repo.root().join(folder)).env("LOG", repo.outside("log")))
}

/// The stages that `repro` runs for these arguments, sorted.
#[track_caller]
fn ran(repo: &TestRepo, folder: &str, args: &[&str]) -> String {
    let log = repo.outside("log");
    fs::write(&log, "").unwrap();
    dewar_in(repo, folder, &[&["repro"], args].concat()).success();
    let log = fs::read_to_string(log).unwrap();
    let mut stages: Vec<&str> = log.lines().collect();
    stages.sort_unstable();
    stages.join(" ")
}

#[test]
fn each_way_to_name_stages() {
    let repo = project();
    for (args, expected) in [
        (&["first"][..], "first"),
        (&["second"], "first second"),
        (&["each"], "each-x each-y"),
        (&["each@y", "first"], "each-y first"),
        (&["dvc.yaml:each@x"], "each-x"),
        (&["--glob", "each@*"], "each-x each-y"),
        (&["--glob", "sub/dvc.yaml:n?ar"], "near"),
        (&["joined"], "joined near"),
        (&["-s", "joined"], "joined"),
        (&["--single-stage", "second"], "second"),
        (&["sub/dvc.yaml"], "near"),
        (&["-R", "sub"], "deepest near"),
        (&["-R", "sub/deep"], "deepest"),
        (&["b.out"], "first second"),
        (&["sub/deep/d"], "deepest"),
        (&["sub/deep/d/made"], "deepest"),
        (&["--downstream", "first"], "first second"),
        (&["--downstream", "sub/dvc.yaml:near"], "joined near"),
        (&["-p", "second"], "first second"),
        (&["-p", "sub/dvc.yaml:near"], "joined near"),
        (&[], "each-x each-y first joined near second"),
        (&["-P"], "deepest each-x each-y first joined near second"),
    ] {
        // Something to start from, so that each selection is seen alone.
        if args.iter().any(|arg| arg.starts_with("-s") || arg.starts_with("--single") || *arg == "--downstream") {
            ran(&repo, "", &["-P"]);
        }
        let args: Vec<&str> = [&["-f", "--no-run-cache"], args].concat();
        assert_eq!(ran(&repo, "", &args), expected, "{args:?}");
    }
}

#[test]
fn targets_are_seen_from_the_folder() {
    let repo = project();
    assert_eq!(ran(&repo, "sub", &[]), "near");
    assert_eq!(ran(&repo, "sub", &["-f", "near"]), "near");
    assert_eq!(ran(&repo, "sub", &["../dvc.yaml:first"]), "first");
    assert_eq!(ran(&repo, "sub", &["../b.out"]), "second");
    assert_eq!(ran(&repo, "sub/deep", &["-R", "."]), "deepest");
    assert_eq!(ran(&repo, "sub", &["-P"]), "each-x each-y joined");
    insta::assert_snapshot!(dewar_in(&repo, "sub", &["repro", "../dvc.yaml:second"]), @r"
    Stage '../dvc.yaml:first' didn't change, skipping
    Stage '../dvc.yaml:second' didn't change, skipping
    Data and pipelines are up to date.
    ");
    insta::assert_snapshot!(dewar_in(&repo, "sub", &["stage", "list", "--all", "--name-only"]), @r"
    ../dvc.yaml:first
    ../dvc.yaml:second
    ../dvc.yaml:joined
    ../dvc.yaml:each@x
    ../dvc.yaml:each@y
    deep/dvc.yaml:deepest
    near
    ");
    repo.write("sub/src", "2\n");
    insta::assert_snapshot!(dewar_in(&repo, "sub", &["repro"]), @r"
    Running stage 'near':
    > cp src out && echo near >> $LOG
    Updating lock file 'dvc.lock'
    ");
}

#[test]
fn a_project_in_a_folder_of_the_repository() {
    let repo = repo();
    repo.write("README", "x\n").write("proj/keep", "").commit("begin");
    repo.dewar(&["--cd", "proj", "init", "--subdir"]).success();
    repo.write("proj/dvc.yaml", "stages:\n  a: {cmd: cp src out, wdir: w, deps: [src], outs: [out]}\n");
    repo.write("proj/w/src", "1\n").commit("project");
    repo.dewar(&["--cd", "proj/w", "exp", "run", "../dvc.yaml:a"]).success();
    assert_eq!(repo.read("proj/w/out"), "1\n");
    insta::assert_snapshot!(repo.dewar(&["--cd", "proj/w", "repro", "out"]), @r"
    Stage '../dvc.yaml:a' didn't change, skipping
    Data and pipelines are up to date.
    ");
    let outside = repo.dewar(&["--cd", "proj", "repro", "../README"]).failure(2);
    assert!(outside.contains("`../README` is outside the project"), "{outside}");
}

/// What is said of arguments that name nothing; nothing runs.
#[track_caller]
fn refusal(repo: &TestRepo, folder: &str, args: &[&str], code: i32) -> String {
    let before = repo.everything();
    let said = dewar_in(repo, folder, args).failure(code);
    assert!(before == repo.everything(), "{said}");
    said
}

#[test]
fn what_names_nothing_is_refused_and_says_what_is_near() {
    let repo = project();
    repo.write("sub/deep/er/x", "").write("data/x", "1\n");
    insta::assert_snapshot!(refusal(&repo, "", &["repro", "frist"], 2), @r"
    error: `frist` is neither a stage of `dvc.yaml` nor an output of any stage
    help: did you mean `first`?
    ");
    insta::assert_snapshot!(refusal(&repo, "", &["repro", "sub/dvc.yaml:naer"], 2), @r"
    error: there is no stage `naer` in `sub/dvc.yaml`
    help: did you mean `sub/dvc.yaml:near`?
    ");
    insta::assert_snapshot!(refusal(&repo, "", &["repro", "near"], 2), @r"
    error: `near` is neither a stage of `dvc.yaml` nor an output of any stage
    help: did you mean `sub/dvc.yaml:near`?
    ");
    insta::assert_snapshot!(refusal(&repo, "", &["repro", "src"], 2), @r"
    error: `src` is no stage, and no stage writes it: it is read by `first`
    help: to bring up to date what is made of it, name `first`
    ");
    insta::assert_snapshot!(refusal(&repo, "", &["repro", "sub"], 2), @r"
    error: `sub` is a folder, not a stage
    help: `-R` means the stages of all files in it
    ");
    insta::assert_snapshot!(refusal(&repo, "", &["exp", "run", "--glob", "z*"], 2), @r"
    error: no stage of `dvc.yaml` matches `z*`
    help: `dewar stage list --all` lists the stages
    ");
    insta::assert_snapshot!(refusal(&repo, "", &["repro", "dvc.lock"], 3), @r"
    error: there is no `dvc.lock`
    help: did you mean `dvc.yaml`?
    ");
    insta::assert_snapshot!(refusal(&repo, "", &["status", "first", "nosuch"], 2), @r"
    error: `nosuch` is neither a stage of `dvc.yaml` nor an output of any stage
    help: `dewar stage list --all` lists the stages
    ");
}

#[test]
fn a_folder_without_a_pipeline_says_where_there_are_some() {
    let repo = project();
    repo.write("data/x", "1\n");
    insta::assert_snapshot!(refusal(&repo, "data", &["repro"], 3), @r"
    error: there is no `data/dvc.yaml`
    help: name a target, such as `../dvc.yaml`, `../sub/dvc.yaml`, `../sub/deep/dvc.yaml`; `-P` means all pipelines
    ");
    insta::assert_snapshot!(refusal(&repo, "data", &["exp", "run", "first"], 2), @r"
    error: `first` is neither a stage of `data/dvc.yaml` nor an output of any stage
    help: did you mean `../dvc.yaml:first`?
    ");
}
