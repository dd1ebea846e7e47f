//! `exp rename`: another name, and what follows it.

use dewar_tests::TestRepo;

use super::checkpoints::Training;
use super::repo;

/// Two experiments on one commit, and one of an older one.
fn project() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("dvc.yaml", "stages: {t: {cmd: cp params.yaml out, params: [lr], outs: [out]}}\n");
    repo.write("params.yaml", "lr: 1\n").commit("begin");
    repo.dewar(&["exp", "run", "-n", "old"]).success();
    repo.commit("next");
    repo.dewar(&["exp", "run", "-n", "one", "-S", "lr=2"]).success();
    repo.dewar(&["exp", "run", "-n", "two", "-S", "lr=3"]).success();
    repo
}

fn refs(repo: &TestRepo) -> String {
    repo.git(&["for-each-ref", "--format=%(objectname) %(refname)", "refs/exps/"]).success()
}

fn names(repo: &TestRepo) -> String {
    repo.dewar(&["exp", "list", "-A", "--name-only"]).success()
}

#[test]
fn the_reference_alone_changes() {
    let repo = project();
    let before = refs(&repo);
    insta::assert_snapshot!(repo.dewar(&["exp", "rename", "one", "first"]).success(), @"Renamed experiments: 'one' is 'first' now.");
    assert_eq!(refs(&repo).replace("/first\n", "/one\n"), before);
    insta::assert_snapshot!(repo.dewar(&["exp", "rename", "first", "first"]).success(), @"No experiments to rename.");
    // By its digits, and on the commit that it is of.
    let line = refs(&repo).lines().find(|line| line.ends_with("/old")).unwrap().to_owned();
    repo.dewar(&["exp", "rename", line.get(..8).unwrap(), "two"]).success();
    assert_eq!(names(&repo).lines().filter(|name| *name == "two").count(), 2);
}

#[test]
fn a_name_that_is_taken_needs_force() {
    let repo = project();
    let before = refs(&repo);
    for (args, code, told) in [
        (&["one", "two"][..], 4, "the experiment `two` exists already"),
        (&["nosuch", "x"], 2, "`nosuch` is no experiment"),
        (&["onf", "x"], 2, "did you mean `one`?"),
        (&["one", "a/b"], 2, "cannot be the name"),
        (&["one", "HEAD"], 2, "cannot be the name"),
        (&["main", "x"], 2, "`main` is no experiment"),
    ] {
        let said = repo.dewar(&[&["exp", "rename"], args].concat()).failure(code);
        assert!(said.contains(told), "{said}");
        assert_eq!(refs(&repo), before);
    }
    repo.dewar(&["exp", "rename", "-f", "one", "two"]).success();
    assert_eq!(names(&repo), "two\nold\n");
}

#[test]
fn what_is_replaced_can_be_had_back() {
    let repo = project();
    let lr = || repo.read("params.yaml");
    for args in
        [&["rename", "-f", "one", "two"][..], &["save", "-f", "-n", "two"], &["run", "-f", "-n", "two", "-S", "lr=9"]]
    {
        repo.dewar(&["exp", "apply", "two"]).success();
        let before = lr();
        repo.write("params.yaml", format!("{before}# another\n"));
        let said = repo.dewar(&[&["exp"], args].concat());
        let note = said.stderr.lines().find(|line| line.contains("brings it back")).unwrap_or_default().to_owned();
        assert!(note.contains("`two` was "), "{said}");
        said.success();
        let digits = note.split("dewar exp apply ").nth(1).and_then(|rest| rest.split('`').next()).unwrap();
        repo.dewar(&["exp", "apply", "--force", digits]).success();
        assert_eq!(lr(), before);
    }
}

#[test]
fn tasks_of_the_queue_keep_their_names() {
    let repo = project();
    repo.dewar(&["exp", "run", "--queue", "-n", "waits", "-S", "lr=4"]).success();
    insta::assert_snapshot!(repo.dewar(&["exp", "rename", "waits", "x"]).failure(2), @r"
    error: `waits` is a task of the queue, and has no result
    help: it waits in the queue
    ");
    let said = repo.dewar(&["exp", "rename", "one", "waits"]).failure(4);
    assert!(said.contains("the experiment `waits` is queued already"), "{said}");
    let said = repo.dewar(&["exp", "save", "-n", "waits"]).failure(4);
    assert!(said.contains("the experiment `waits` is queued already"), "{said}");
}

#[test]
fn a_workspace_goes_on_from_an_experiment_that_was_renamed() {
    let training = Training::new();
    training.dewar(&["exp", "run", "-n", "e", "-S", "steps=2"]).success();
    let made = training.chain("e");
    training.dewar(&["exp", "rename", "e", "renamed"]).success();
    let said = training.dewar(&["exp", "run"]).success();
    assert!(said.contains("Existing checkpoint experiment 'renamed' will be resumed"), "{said}");
    let chain = training.chain("renamed");
    assert!(chain.len() > made.len() && chain.starts_with(&made), "{chain:?}");
    // And once more, when its checkpoints know both names.
    training.dewar(&["exp", "rename", "renamed", "again"]).success();
    let said = training.dewar(&["exp", "run"]).success();
    assert!(said.contains("Existing checkpoint experiment 'again' will be resumed"), "{said}");
    let said = training.dewar(&["exp", "rename", &made[0], "x"]).failure(2);
    assert!(said.contains("is a checkpoint of the experiment `again`"), "{said}");
    // What has the old name since is another one.
    training.dewar(&["exp", "run", "--temp", "-n", "again2", "-S", "steps=1"]).success();
    training.dewar(&["exp", "rename", "again", "kept"]).success();
    training.dewar(&["exp", "rename", "again2", "again"]).success();
    let said = training.dewar(&["exp", "run"]).success();
    assert!(said.contains("Existing checkpoint experiment 'kept' will be resumed"), "{said}");
}

#[test]
fn a_saved_workspace_is_no_checkpoint() {
    let training = Training::new();
    training.dewar(&["exp", "run", "-n", "e", "-S", "steps=2"]).success();
    training.dewar(&["exp", "save", "-n", "snapshot"]).success();
    let said = training.dewar(&["exp", "run"]).success();
    assert!(said.contains("Existing checkpoint experiment 'e' will be resumed"), "{said}");
    training.dewar(&["exp", "apply", "snapshot"]).success();
    let said = training.dewar(&["exp", "run", "-n", "other"]).success();
    assert!(said.contains("There is no checkpoint to go on from"), "{said}");
}
