//! `-S` over files and formats: what it writes, to the byte, and that a refusal anywhere leaves every file as it was.

use std::fs;
use std::os::unix::fs::symlink;

use dewar_guests::PLAIN_FORMAT;
use dewar_tests::TestRepo;

use super::repo;

/// A project with a parameter file of each format, and a stage that depends on all of each.
fn project() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    let files = "params.yaml: , p.json: , p.toml: , p.py: , p.plain: ";
    let keep = "cat params.yaml p.json p.toml p.py p.plain > all";
    repo.write("dvc.yaml", format!("stages:\n  a:\n    cmd: {keep}\n    params: [{files}]\n    outs: [all]\n"));
    repo.write("params.yaml", "# yaml\ntrain: {lr:  1}   # kept\n").write("p.json", "{\"a\": {\"b\":  [1, 2]}}");
    repo.write("p.toml", "[model]\nunits =  1 # kept\n").write("p.py", "class T:\n    lr  = 1  # kept\n");
    repo.write("p.plain", "# plain\nlr  =  1\nname = x\n").write(".dvc/plugins/theirs.wasm", PLAIN_FORMAT);
    repo.commit("begin");
    repo
}

/// The overrides, each behind `-S`, as arguments of `exp run`.
fn run(repo: &TestRepo, overrides: &[&str]) -> dewar_tests::CommandOutput {
    let flags = overrides.iter().flat_map(|one| ["-S", one]);
    repo.dewar(&["exp", "run"].into_iter().chain(flags).collect::<Vec<_>>())
}

#[test]
fn one_run_sets_parameters_of_every_format() {
    let repo = project();
    run(
        &repo,
        &["train.lr=2", "p.json:a.b.0=3", "p.toml:model.units=4", "p.py:T.lr=5", "p.plain:lr=6", "p.plain:+new=yes"],
    )
    .success();
    assert_eq!(repo.read("params.yaml"), "# yaml\ntrain: {lr:  2}   # kept\n");
    assert_eq!(repo.read("p.json"), "{\"a\": {\"b\":  [3, 2]}}");
    assert_eq!(repo.read("p.toml"), "[model]\nunits =  4 # kept\n");
    assert_eq!(repo.read("p.py"), "class T:\n    lr  = 5  # kept\n");
    assert_eq!(repo.read("p.plain"), "# plain\nlr  =  6\nname = x\nnew = yes\n");
    // What the plugin of a third party reads goes into the lock, and a change of it is seen.
    assert!(
        repo.read("dvc.lock").contains("p.plain:\n        lr: 6\n        name: x\n        new: yes\n"),
        "{}",
        repo.read("dvc.lock")
    );
    assert!(repo.dewar(&["status"]).success().contains("up to date"));
    run(&repo, &["p.plain:~new"]).success();
    assert_eq!(repo.read("p.plain"), "# plain\nlr  =  6\nname = x\n");
    let temp = repo.dewar(&["exp", "run", "--temp", "-n", "temp", "-S", "p.plain:name=z"]);
    temp.success();
    assert_eq!(repo.read("p.plain"), "# plain\nlr  =  6\nname = x\n");
    assert!(repo.dewar(&["exp", "show", "--csv"]).success().contains(",z,"));
}

#[test]
fn a_refusal_anywhere_leaves_every_file_alone() {
    let repo = project();
    let before = repo.everything();
    for (overrides, code) in [
        (&["train.lr=2", "p.json:a.x=3"][..], 2),
        (&["p.plain:lr=2", "p.toml:none=1"], 2),
        (&["train.lr=2", "p.py:T.lr.x=1"], 2),
        // The format refuses, and a format that lies is found out.
        (&["train.lr=2", "p.plain:lr=[1]"], 3),
        (&["train.lr=2", "p.plain:+lie=1"], 5),
        (&["train.lr=2", "../p.yaml:lr=1"], 2),
        (&["train.lr=2", "p.toml:model.units=1", "no.txt:lr=1"], 2),
    ] {
        let said = run(&repo, overrides);
        assert_eq!(said.code, Some(code), "{overrides:?}: {said}");
        assert!(repo.everything() == before, "{overrides:?}: {said}");
    }
    insta::assert_snapshot!(run(&repo, &["train.lr=2", "p.plain:lr=[1]"]), @r#"
    --- stderr
    error: a line cannot hold a list
     --> p.plain
    help: set a number or a text
    --- exit 3
    "#);
    insta::assert_snapshot!(run(&repo, &["train.lr=2", "p.plain:+lie=1"]), @r#"
    --- stderr
    error: the plugin `params-plain` gave an answer that cannot be right: the edited text would not read back as the old values plus the change
    help: this is a bug of `params-plain`; tell its authors
    --- exit 5
    "#);
}

#[test]
fn a_file_that_cannot_be_written_leaves_every_file_alone() {
    let repo = project();
    // Found out only when it is to be written: `params.yaml` stands before it.
    fs::write(repo.outside("z.yaml"), "a: 1\n").unwrap();
    symlink("../z.yaml", repo.root().join("z.yaml")).unwrap();
    let before = repo.everything();
    let said = run(&repo, &["train.lr=2", "z.yaml:a=2"]).failure(4);
    assert!(said.contains("cannot write") && said.contains("z.yaml"), "{said}");
    assert!(repo.everything() == before);
    assert_eq!(fs::read_to_string(repo.outside("z.yaml")).unwrap(), "a: 1\n");
}

#[test]
fn the_form_with_spaces() {
    let repo = project();
    repo.dewar(&["exp", "run", "-S", "p.toml:model.units", "=", "0.0001"]).success();
    assert_eq!(repo.read("p.toml"), "[model]\nunits =  0.0001 # kept\n");
    repo.dewar(&["exp", "run", "-S", "train.lr", "=", "-1e-5", "-S", "p.plain:lr = 7", "a"]).success();
    assert_eq!(
        (repo.read("params.yaml").as_str(), repo.read("p.plain").as_str()),
        ("# yaml\ntrain: {lr:  -1e-05}   # kept\n", "# plain\nlr  =  7\nname = x\n")
    );
    let before = repo.everything();
    for unclear in
        [&["-S", "train.lr", "="][..], &["-S", "train.lr=1", "=", "2"], &["-S", "train.lr", "=2"], &["a", "=", "2"]]
    {
        let said = repo.dewar(&["exp", "run"].iter().chain(unclear).copied().collect::<Vec<_>>()).failure(2);
        assert!(said.contains("-S 'name = value'") || said.contains("no `=value`"), "{unclear:?}: {said}");
    }
    assert!(repo.everything() == before);
    insta::assert_snapshot!(repo.dewar(&["exp", "run", "-S", "a=1", "=", "2"]).failure(2), @r#"
    error: `=` names no stage, and it is not clear to which parameter it belongs
    help: write `-S name=value`, or with quotes: `-S 'name = value'`
    "#);
}
