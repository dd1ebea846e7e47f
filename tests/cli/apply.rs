//! `exp apply`: what is a reason to change nothing, what is kept, and what goes.

use std::fs;

use dewar_tests::TestRepo;

use super::checkpoints::Training;
use super::repo;

const PIPELINE: &str = "\
stages:
  prep:
    cmd: cp data.csv prep
    deps: [data.csv]
    outs: [prep]
  train:
    cmd: cat prep params.yaml > model
    deps: [prep]
    params: [lr]
    outs: [model]
";

/// A project with experiments `a` and `b`, after `b` ran.
fn project() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("dvc.yaml", PIPELINE).write("params.yaml", "lr: 1\n").write("data.csv", "1,2\n").write("code.py", "1\n");
    repo.dewar(&["repro"]).success();
    repo.commit("begin");
    repo.dewar(&["exp", "run", "-n", "a", "-S", "lr=2"]).success();
    repo.dewar(&["exp", "run", "-n", "b", "-S", "lr=3"]).success();
    repo
}

fn lr(repo: &TestRepo) -> String {
    repo.read("params.yaml")
}

#[test]
fn from_one_experiment_to_the_next_nothing_is_in_the_way() {
    let repo = project();
    for (name, lr_then) in [("a", 2), ("b", 3), ("a", 2)] {
        repo.dewar(&["exp", "apply", name]).success();
        assert_eq!(lr(&repo), format!("lr: {lr_then}\n"));
    }
    // What is committed can be had back, too; and another file of the user's is in nobody's way.
    repo.git(&["checkout", "--quiet", "."]).success();
    repo.write("mine", "m\n");
    repo.dewar(&["exp", "apply", "b"]).success();
    assert_eq!((lr(&repo), repo.read("mine")), ("lr: 3\n".into(), "m\n".into()));
}

#[test]
fn an_edit_is_a_reason_to_change_nothing() {
    let repo = project();
    repo.write("params.yaml", "lr: 7\n").write("code.py", "2\n");
    let before = repo.everything();
    insta::assert_snapshot!(repo.dewar(&["exp", "apply", "a"]).failure(4), @r"
    error: 2 files have changes that are recorded nowhere, and would be overwritten:
      code.py
      params.yaml
    help: `dewar exp save` makes an experiment of the workspace as it is; `git stash` puts the changes aside
    help: `--force` overwrites them; `dewar exp apply refs/exps/apply/stash` then brings back what was there
    ");
    assert!(repo.everything() == before);
    assert!(repo.dewar(&["exp", "apply", "a", "--no-force"]).failure(4).contains("not committed"));
    repo.dewar(&["exp", "apply", "a", "--force", "--no-force"]).failure(2);
    // Once it is saved, it is in nobody's way.
    repo.dewar(&["exp", "save", "-n", "mine"]).success();
    repo.dewar(&["exp", "apply", "a"]).success();
    assert_eq!((lr(&repo), repo.read("code.py")), ("lr: 2\n".into(), "1\n".into()));
    repo.dewar(&["exp", "apply", "mine"]).success();
    assert_eq!((lr(&repo), repo.read("code.py")), ("lr: 7\n".into(), "2\n".into()));
}

#[test]
fn what_force_overwrites_comes_back() {
    let repo = project();
    repo.write("params.yaml", "lr: 7\n").write("staged", "s\n");
    repo.git(&["add", "staged"]).success();
    repo.dewar(&["exp", "apply", "a", "--force"]).success();
    assert_eq!((lr(&repo), repo.exists("staged")), ("lr: 2\n".into(), false));
    repo.dewar(&["exp", "apply", "refs/exps/apply/stash"]).success();
    assert_eq!((lr(&repo), repo.read("staged")), ("lr: 7\n".into(), "s\n".into()));
    // It was kept, so nothing is in the way any more.
    repo.dewar(&["exp", "apply", "b"]).success();
}

#[test]
fn files_that_git_does_not_know_are_in_the_way_only_where_they_stand() {
    let repo = project();
    repo.write("new.py", "of c\n");
    repo.git(&["add", "-N", "new.py"]).success();
    repo.dewar(&["exp", "run", "-n", "c", "-S", "lr=4"]).success();
    repo.git(&["reset", "--quiet"]).success();
    repo.write("new.py", "my own\n");
    let said = repo.dewar(&["exp", "apply", "c"]).failure(4);
    assert!(said.contains("\n  new.py\n"), "{said}");
    repo.dewar(&["exp", "apply", "b"]).success();
    assert_eq!(repo.read("new.py"), "my own\n");
    // Of what git ignores, nobody expects to be asked; it is kept all the same.
    repo.write(".git/info/exclude", "new.py\n");
    repo.dewar(&["exp", "apply", "c"]).success();
    assert_eq!(repo.read("new.py"), "of c\n");
    repo.dewar(&["exp", "apply", "refs/exps/apply/stash"]).success();
    assert_eq!(repo.read("new.py"), "my own\n");
}

#[test]
fn outputs_that_the_experiment_does_not_have_go_when_they_can_be_had_back() {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("dvc.yaml", PIPELINE).write("params.yaml", "lr: 1\n").write("data.csv", "1,2\n").commit("begin");
    repo.dewar(&["exp", "run", "-n", "half", "prep"]).success();
    repo.dewar(&["exp", "run", "-n", "whole"]).success();
    let said = repo.dewar(&["exp", "apply", "half"]);
    assert!(said.stderr.contains("It has no `model`: removed from the workspace, and still in the cache."), "{said}");
    assert_eq!((repo.exists("model"), repo.exists("prep")), (false, true));
    assert!(repo.dewar(&["status"]).success().contains("train"));
    repo.dewar(&["exp", "apply", "whole"]).success();
    assert_eq!(repo.read("model"), "1,2\nlr: 1\n");
    repo.dewar(&["exp", "apply", "half"]).success();
    // One that only the workspace has is refused first, and kept with `--force`.
    repo.write("model", "mine\n");
    assert!(repo.dewar(&["exp", "apply", "half"]).failure(4).contains("not in the cache and would be lost: `model`"));
    repo.dewar(&["exp", "apply", "--force", "half"]).success();
    assert!(!repo.exists("model"));
    repo.dewar(&["exp", "apply", "refs/exps/apply/stash"]).success();
    assert_eq!(repo.read("model"), "mine\n");
}

#[test]
fn a_checkpoint_is_applied_without_what_came_after_it() {
    let training = Training::new();
    let repo = &training.repo;
    repo.write("dvc.yaml", super::checkpoints::PIPELINE.replace("score: {cache: false}", "score"));
    repo.commit("the score is kept in the cache");
    training.dewar(&["exp", "run", "-n", "e"]).success();
    assert!(repo.exists("score"));
    training.dewar(&["exp", "apply", &training.chain("e")[0]]).success();
    assert_eq!((repo.read("model"), repo.exists("score")), ("1\n".into(), false));
    training.dewar(&["exp", "apply", "e"]).success();
    assert_eq!(repo.read("score"), "score-3\n");
    assert!(
        fs::read_dir(repo.root().join(".dvc/tmp"))
            .unwrap()
            .flatten()
            .all(|entry| { !entry.file_name().to_string_lossy().starts_with("restore-") })
    );
}

#[test]
fn a_directory_goes_only_when_the_cache_has_all_of_it() {
    let repo = repo();
    repo.dewar(&["init"]).success();
    let one = "stages:\n  a: {cmd: echo a > a, outs: [a]}\n";
    repo.write("dvc.yaml", one).commit("begin");
    repo.write("dvc.yaml", format!("{one}  d: {{cmd: mkdir d && echo 1 > d/x, outs: [d]}}\n"));
    repo.dewar(&["exp", "run", "-n", "half", "a"]).success();
    repo.dewar(&["exp", "run", "-n", "whole"]).success();
    repo.git(&["checkout", "--quiet", "."]).success();
    // The listing stays, and what it lists is gone.
    let listing = |path: &std::path::Path| path.extension().is_some_and(|name| name == "dir");
    let content = fs::read(repo.root().join("d/x")).unwrap();
    for path in objects(&repo) {
        if !listing(&path) && fs::read(&path).unwrap() == content {
            fs::remove_file(path).unwrap();
        }
    }
    assert!(objects(&repo).iter().any(|path| listing(path)));
    let said = repo.dewar(&["exp", "apply", "half"]);
    assert!(said.stderr.contains("It has no `d`, which only the workspace has: left there."), "{said}");
    said.success();
    assert_eq!(repo.read("d/x"), "1\n");
}

fn objects(repo: &TestRepo) -> Vec<std::path::PathBuf> {
    let folders = fs::read_dir(repo.root().join(".dvc/cache/files/blake3")).unwrap().flatten();
    folders.flat_map(|folder| fs::read_dir(folder.path()).unwrap().flatten().map(|file| file.path())).collect()
}

#[test]
fn a_file_where_the_experiment_has_an_output_is_kept() {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("dvc.yaml", "stages: {}\n").commit("begin");
    repo.write("dvc.yaml", "stages: {t: {cmd: echo 1 > model.bin, outs: [model.bin]}}\n");
    repo.dewar(&["exp", "run", "-n", "e"]).success();
    repo.git(&["checkout", "--quiet", "."]).success();
    repo.git(&["clean", "-qfdx", "--exclude=.dvc"]).success();
    repo.write("model.bin", "my own\n");
    let before = repo.everything();
    let said = repo.dewar(&["exp", "apply", "e"]).failure(4);
    assert!(said.contains("not in the cache and would be lost: `model.bin`"), "{said}");
    assert!(repo.everything() == before, "it was refused before anything was written");

    repo.dewar(&["exp", "apply", "e", "--force"]).success();
    assert_eq!(repo.read("model.bin"), "1\n");
    repo.dewar(&["exp", "apply", "refs/exps/apply/stash"]).success();
    assert_eq!((repo.read("model.bin"), repo.read("dvc.yaml")), ("my own\n".into(), "stages: {}\n".into()));
    // It is in the way again.
    repo.dewar(&["exp", "apply", "e"]).failure(4);
}

#[test]
fn a_pipeline_that_cannot_be_read_hides_nothing_from_being_kept() {
    let repo = project();
    repo.write("dvc.yaml", "stages: [\n").write("model", "made by hand\n");
    let before = repo.everything();
    assert!(repo.dewar(&["exp", "apply", "a"]).failure(4).contains("would be lost: `model`"));
    assert!(repo.everything() == before);
    repo.dewar(&["exp", "apply", "a", "--force"]).success();
    assert_eq!(repo.read("model"), "1,2\nlr: 2\n");
    let said = repo.dewar(&["exp", "apply", "refs/exps/apply/stash"]).failure(3);
    assert!(said.contains("what git has was applied"), "{said}");
    assert_eq!((repo.read("dvc.yaml"), repo.read("model")), ("stages: [\n".into(), "made by hand\n".into()));
}

#[test]
fn a_check_out_that_cannot_be_is_refused_before_the_files_of_git_change() {
    let repo = project();
    // Another pipeline, which does not have the output, and is as recorded as the one before.
    repo.write("dvc.yaml", "stages: {}\n").write("model", "mine\n").commit("other");
    let before = repo.everything();
    let said = repo.dewar(&["exp", "apply", "a"]);
    assert!(repo.everything() == before, "{said}");
    said.failure(4);
}
