//! What is called up to date is up to date: edits during a run, undeclared writes, and files that others wrote.

use std::fs;

use dewar_tests::TestRepo;

use super::repo;

/// A project whose stages log their names outside of it.
fn project(pipeline: &str, files: &[(&str, &str)]) -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    for (path, text) in files {
        repo.write(path, text);
    }
    repo.write("dvc.yaml", pipeline).commit("begin");
    repo
}

/// Runs, and answers what ran.
#[track_caller]
fn repro(repo: &TestRepo) -> String {
    repo.dewar(&["repro"]).success();
    repo.ran()
}

#[test]
fn an_edit_before_a_stage_begins_is_what_it_is_recorded_with() {
    // `first` edits what `second` reads, as a user would meanwhile; both read the file.
    let repo = project(
        "stages:\n  first:\n    cmd: 'printf \"lr: 2\\np: 1\\n\" > params.yaml; echo first >> ../ran; echo > one'\n    params: [p]\n    \
         outs: [one]\n    deps: [go]\n  second:\n    cmd: cat params.yaml > two; echo second >> ../ran\n    deps: [one]\n    \
         params: [lr]\n    outs: [two]\n",
        &[("params.yaml", "lr: 1\np: 1\n"), ("go", "")],
    );
    assert_eq!(repro(&repo), "first second");
    assert_eq!(repo.read("two"), "lr: 2\np: 1\n");
    assert!(repo.read("dvc.lock").contains("lr: 2"), "{}", repo.read("dvc.lock"));
}

#[test]
fn an_edit_while_a_stage_runs_is_told_and_it_runs_again() {
    let repo = project(
        "stages:\n  a:\n    cmd: cat in > out; echo changed > in; echo a >> ../ran\n    deps: [in]\n    outs: [out]\n",
        &[("in", "first\n")],
    );
    let output = repo.dewar(&["repro"]);
    assert!(output.stderr.contains("`in` changed while the stage `a` ran"), "{output}");
    assert_eq!(repo.ran(), "a");
    assert!(!repo.exists("dvc.lock"));
    // Neither the old input nor the new one is taken for what the result was made of.
    repo.write("in", "first\n");
    assert_eq!(repro(&repo), "a");
}

#[test]
fn caches_that_an_interpreter_leaves_beside_sources_are_no_edit() {
    let repo = project(
        "stages:\n  a:\n    cmd: mkdir -p src/__cache__; echo > src/__cache__/x; cat src/a > out; echo a >> ../ran\n    \
         deps: [src]\n    outs: [out]\n",
        &[("src/a", "1\n")],
    );
    // The file clock must have gone on since the sources were written.
    std::thread::sleep(std::time::Duration::from_millis(30));
    assert_eq!(repro(&repo), "a");
    assert!(repo.exists("dvc.lock"));
    assert_eq!(repro(&repo), "");
}

#[test]
fn what_an_earlier_stage_writes_undeclared_is_seen() {
    let repo = project(
        "stages:\n  a:\n    cmd: echo new > shared; echo > one; echo a >> ../ran\n    deps: [go]\n    outs: [one]\n  b:\n    \
         cmd: cat shared > two; echo b >> ../ran\n    deps: [one, shared]\n    outs: [two]\n",
        &[("go", ""), ("shared", "old\n")],
    );
    assert_eq!(repro(&repo), "a b");
    repo.write("shared", "old\n");
    fs::remove_file(repo.root().join("two")).unwrap();
    assert_eq!(repro(&repo), "b");
    assert_eq!(repo.read("two"), "old\n");
}

#[test]
fn what_outlives_its_runs_is_not_put_back() {
    let repo = project(
        "stages:\n  a:\n    cmd: cat in >> log; echo a >> ../ran\n    deps: [in]\n    outs:\n    - log:\n        persist: true\n",
        &[("in", "1\n")],
    );
    assert_eq!(repro(&repo), "a");
    repo.write("log", "1\nmine\n");
    assert_eq!(repro(&repo), "a");
    assert_eq!(repo.read("log"), "1\nmine\n1\n");
}

#[test]
fn entries_that_others_put_into_the_lock_meanwhile_stay() {
    let repo = project(
        "stages:\n  a:\n    cmd: cat in > out; cat more >> dvc.lock; echo a >> ../ran\n    deps: [in]\n    \
         outs: [out]\n  b:\n    cmd: cat out > end; echo b >> ../ran\n    deps: [out]\n    outs: [end]\n",
        &[
            ("in", "1\n"),
            ("more", "  other:\n    cmd: x\n"),
            ("dvc.lock", "schema: '2.0'\nstages:\n  kept:\n    cmd: y\n"),
        ],
    );
    assert_eq!(repro(&repo), "a b");
    let lock = repo.read("dvc.lock");
    for stage in ["kept", "other", "a", "b"] {
        assert!(lock.contains(&format!("\n  {stage}:\n")), "{stage}: {lock}");
    }
}

#[test]
fn paths_are_written_as_the_pipeline_writes_them() {
    let repo = project(
        "stages:\n  a:\n    cmd: cat in data/x > out; echo a >> ../ran\n    deps: [./in, data/]\n    outs: [./out]\n",
        &[("in", "1\n"), ("data/x", "2\n")],
    );
    assert_eq!(repro(&repo), "a");
    let lock = repo.read("dvc.lock");
    for path in ["./in", "data/", "./out"] {
        assert!(lock.contains(&format!("- path: {path}\n")), "{path}: {lock}");
    }
    repo.write("dvc.yaml", repo.read("dvc.yaml").replace("./", "").replace("data/]", "data]"));
    assert_eq!(repro(&repo), "", "another way to write a path is no change");
}

#[test]
fn an_experiment_has_its_lock_even_when_git_ignores_it() {
    let repo = project(
        "stages:\n  a:\n    cmd: cat in > out\n    deps: [in]\n    outs: [out]\n",
        &[("in", "1\n"), (".gitignore", "*.lock\n")],
    );
    repo.dewar(&["exp", "run", "--name", "e"]).success();
    let reference = repo.git(&["for-each-ref", "--format=%(refname)", "refs/exps/"]).success();
    let files = repo.git(&["ls-tree", "--name-only", reference.trim()]).success();
    assert!(files.lines().any(|file| file == "dvc.lock"), "{files}");
}

#[test]
fn nothing_runs_beside_what_a_killed_run_left() {
    let slow = "stages:\n  a:\n    cmd: echo half > out; touch ../begun; sleep 1; echo old > out\n    outs: [out]\n";
    let repo = project(slow, &[]);
    let mut killed = repo.spawn(repo.command(env!("CARGO_BIN_EXE_dewar")).arg("repro"));
    while !repo.outside("begun").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    repo.write("dvc.yaml", slow.replace("sleep 1; echo old > out", "echo new > out"));
    let said = repo.dewar(&["repro"]).failure(4);
    assert!(said.contains("has ended, but a command that it started still runs"), "{said}");
    if cfg!(target_os = "linux") {
        assert!(said.contains("still runs: process ") && said.contains("sleep 1"), "{said}");
    }
    let begin = std::time::Instant::now();
    while repo.dewar(&["repro"]).code != Some(0) {
        assert!(begin.elapsed().as_secs() < 20, "the lock outlived its last process");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(repo.read("out"), "new\n");
}
