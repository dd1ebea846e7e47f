//! `exp save`: the workspace as an experiment, without a run.

use std::fs;

use dewar_tests::TestRepo;

use super::repo;

const PIPELINE: &str = "\
stages:
  prep:
    cmd: cp data.csv prep
    deps: [data.csv]
    outs: [prep]
  train:
    cmd: cat prep params.yaml > model && echo 1 > metrics.json
    deps: [prep]
    params: [lr]
    outs: [model]
    metrics:
    - metrics.json:
        cache: false
";

/// A project that ran, with that run committed.
fn project() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("dvc.yaml", PIPELINE).write("params.yaml", "lr: 0.5\n").write("data.csv", "1,2\n");
    repo.dewar(&["repro"]).success();
    repo.commit("begin");
    repo
}

/// The files in which an experiment differs from its baseline.
fn changed(repo: &TestRepo, commit: &str) -> String {
    repo.git(&["diff", "--name-only", &format!("{commit}~1"), commit]).success()
}

fn commit_of(repo: &TestRepo, name: &str) -> String {
    let refs = repo.git(&["for-each-ref", "--format=%(objectname) %(refname)", "refs/exps/"]).success();
    let found = refs.lines().find(|line| line.ends_with(&format!("/{name}"))).unwrap();
    found.split(' ').next().unwrap().to_owned()
}

#[test]
fn the_workspace_is_recorded_as_it_is() {
    let repo = project();
    repo.write("params.yaml", "lr: 0.25\n").write("metrics.json", "2\n").write("notes", "mine\n");
    fs::remove_file(repo.root().join("model")).unwrap();
    repo.write("model", "made by hand\n");
    insta::assert_snapshot!(repo.dewar(&["exp", "save", "-n", "hand"]), @r#"
    Updating lock file 'dvc.lock'
    Experiment has been saved as: hand
    --- stderr
    Not in it, since git does not track them: `notes`; `-I PATH` includes them.
    "#);
    assert_eq!(repo.read("model"), "made by hand\n");
    assert_eq!(repo.ran(), "");
    assert_eq!(changed(&repo, &commit_of(&repo, "hand")), "dvc.lock\nmetrics.json\nparams.yaml\n");
    assert_eq!(repo.dewar(&["status", "--json"]).success(), "{}\n");
    // It comes back, with the output, from wherever the workspace goes.
    repo.dewar(&["exp", "run", "-S", "lr=0.75"]).success();
    assert_ne!(repo.read("model"), "made by hand\n");
    repo.dewar(&["exp", "apply", "hand"]).success();
    assert_eq!(
        [repo.read("model"), repo.read("params.yaml"), repo.read("metrics.json"), repo.read("notes")],
        ["made by hand\n", "lr: 0.25\n", "2\n", "mine\n"]
    );
}

#[test]
fn nothing_of_the_users_is_touched() {
    let repo = project();
    repo.write("staged", "1\n").write("params.yaml", "lr: 0.25\n");
    repo.git(&["add", "staged"]).success();
    let of = |name: &str| fs::read(repo.root().join(".git").join(name)).unwrap();
    let before = [of("HEAD"), of("index"), of("logs/HEAD")];
    repo.dewar(&["exp", "save", "-n", "one"]).success();
    assert_eq!([of("HEAD"), of("index"), of("logs/HEAD")], before);
    assert!(changed(&repo, &commit_of(&repo, "one")).contains("staged\n"));
}

#[test]
fn names_are_settled_before_the_work() {
    let repo = project();
    repo.dewar(&["exp", "save", "-n", "one"]).success();
    repo.write("params.yaml", "lr: 0.25\n");
    let before = repo.everything();
    for (name, code) in [("one", 4), ("a/b", 2), ("HEAD", 2), ("", 2), ("-x", 2), ("a b", 2)] {
        repo.dewar(&["exp", "save", &format!("--name={name}")]).failure(code);
        assert!(repo.everything() == before, "{name}");
    }
    let json = repo.dewar(&["exp", "save", "-n", "one", "-f", "-m", "said\nso", "--json"]).success();
    let commit = commit_of(&repo, "one");
    assert_eq!(json, format!("{{\"ref\":\"{commit}\"}}\n"));
    assert_eq!(repo.git(&["log", "-1", "--format=%B", &commit]).success(), "said\nso\n");
    // An empty message is none.
    repo.dewar(&["exp", "save", "-n", "two", "-m", ""]).success();
    let said = repo.git(&["log", "-1", "--format=%s", &commit_of(&repo, "two")]).success();
    assert!(said.starts_with("dvc: commit experiment "), "{said}");
}

#[test]
fn what_git_does_not_track_comes_in_when_it_is_named() {
    let repo = project();
    repo.write(".gitignore", "/prep\n/model\n/secret\n*.pyc\n")
        .write("secret", "s")
        .write("new.py", "n")
        .write("sub/a", "a");
    repo.write("sub/b.pyc", "b").write("left", "l");
    let saved = repo.dewar(&["exp", "save", "-n", "one", "-I", "secret", "-I", "new.py", "-I", "sub"]);
    assert!(saved.stderr.contains("git does not track them: `left`;"), "{saved}");
    let files = changed(&repo, &commit_of(&repo, "one"));
    assert_eq!(files, ".gitignore\nnew.py\nsecret\nsub/a\n");
    assert!(repo.git(&["status", "--porcelain"]).success().contains("?? new.py"));
    // From the folder that the user is in.
    let saved = repo.dewar(&["--cd", "sub", "exp", "save", "-n", "all", "-I", ".."]);
    assert_eq!(saved.stderr, "");
    assert_eq!(changed(&repo, &commit_of(&repo, "all")), ".gitignore\nleft\nnew.py\nsub/a\n");
}

#[test]
fn what_cannot_come_in_is_named_before_anything_is_written() {
    let repo = project();
    repo.write("params.yaml", "lr: 0.25\n").write("real/a", "a");
    std::os::unix::fs::symlink("real", repo.root().join("link")).unwrap();
    let before = repo.everything();
    for (path, told) in [
        ("nosuch", "there is no `nosuch` to include"),
        ("", "there is no `` to include"),
        ("../x", "`../x` is outside the project"),
        ("/etc/hostname", "`/etc/hostname` is outside the project"),
        ("model", "`model` is an output of the stage `train`, which the cache keeps"),
        (".git/config", "is one of git's files"),
        (".dvc/tmp", "or of the project's own"),
        ("link/a", "`link/a` is reached through the symlink `link`"),
    ] {
        let said = repo.dewar(&["exp", "save", "-n", "one", "-I", path]).failure(2);
        assert!(said.contains(told), "{path}: {said}");
        assert!(repo.everything() == before, "{path}");
    }
    // The symlink itself is a file for git.
    repo.dewar(&["exp", "save", "-n", "one", "-I", "link"]).success();
    assert!(changed(&repo, &commit_of(&repo, "one")).contains("link\n"));
}

#[test]
fn an_output_that_is_missing_is_named() {
    let repo = project();
    fs::remove_file(repo.root().join("model")).unwrap();
    repo.write("prep", "by hand\n");
    insta::assert_snapshot!(repo.dewar(&["exp", "save", "-n", "one"]).failure(4), @r#"
    error: the output `model` of the stage `train` does not exist
    help: run the stage, or bring the file back with `dewar checkout`
    help: or name the stages that are to be recorded: `dewar exp save STAGE`
    "#);
    assert_eq!(repo.git(&["for-each-ref", "refs/exps/"]).success(), "");
    repo.dewar(&["exp", "save", "-n", "one", "prep"]).success();
    let lock = repo.git(&["show", &format!("{}:dvc.lock", commit_of(&repo, "one"))]).success();
    assert!(lock.contains("train:"), "what is not recorded anew stays as it was: {lock}");
    assert!(repo.dewar(&["exp", "save", "trian"]).failure(2).contains("did you mean `train`?"));
}

#[test]
fn a_run_keeps_the_workspace_to_itself() {
    let repo = project();
    repo.write("dvc.yaml", PIPELINE.replace("cp data.csv prep", "$DEWAR exp save 2>&1; cp data.csv prep"));
    let program = env!("CARGO_BIN_EXE_dewar");
    let said = repo.run(repo.command(program).args(["exp", "run", "-n", "run"]).env("DEWAR", program)).success();
    assert!(said.contains("another run holds this workspace"), "{said}");
}

#[test]
fn a_merge_with_conflicts_is_refused_before_anything_is_written() {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("dvc.yaml", "stages:\n  fit:\n    cmd: cp code model\n    deps: [code]\n    outs: [model]\n")
        .write("code", "1\n");
    repo.dewar(&["repro"]).success();
    repo.commit("begin");
    repo.git(&["checkout", "--quiet", "-b", "side"]).success();
    repo.write("code", "2\n").commit("side");
    repo.git(&["checkout", "--quiet", "main"]).success();
    repo.write("code", "3\n").commit("main");
    repo.git(&["merge", "side"]).failure(1);
    let lock = repo.read("dvc.lock");
    let refused = repo.dewar(&["exp", "save"]).failure(4);
    assert!(refused.contains("unmerged"), "{refused}");
    assert_eq!(repo.read("dvc.lock"), lock);
}
