//! What a shell completes, and the manual.

use std::fs;

use dewar_tests::TestRepo;

use super::repo;

fn project() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write(
        "dvc.yaml",
        "stages:\n  train:\n    cmd: cp params.yaml m.json\n    params: [lr, net]\n    metrics: [m.json]\n",
    );
    repo.write("params.yaml", "lr: 0.5\nnet: {depth: 3}\n");
    repo.commit("begin");
    repo.dewar(&["exp", "run", "-n", "low", "-S", "lr=0.25"]).success();
    repo.dewar(&["exp", "run", "-n", "later", "--queue", "-S", "lr=0.75"]).success();
    repo
}

/// What fish is offered for the last word: a candidate a line, what is said about it behind a tab.
fn offered(repo: &TestRepo, words: &[&str]) -> Vec<String> {
    let mut command = repo.command(env!("CARGO_BIN_EXE_dewar"));
    command.env("DEWAR_COMPLETE", "fish").args(["--", "dewar"]).args(words);
    let output = repo.run(&mut command);
    assert_eq!(output.stderr, "", "nobody reads it");
    output.success().lines().map(str::to_owned).collect()
}

#[test]
fn names_of_the_users_own_are_completed() {
    let repo = project();
    assert_eq!(offered(&repo, &["repro", "t"]), ["train"]);
    assert_eq!(offered(&repo, &["exp", "run", "-S", "n"]), ["net.depth=\t3"]);
    let [low, later] = &offered(&repo, &["exp", "apply", "l"])[..] else { panic!("two experiments") };
    assert!(low.starts_with("low\t") && later == "later\tqueued", "{low} {later}");
    assert_eq!(offered(&repo, &["queue", "logs", "la"]), ["later\tqueued"]);
    assert_eq!(offered(&repo, &["exp", "show", "--sort-by", "lr"]), ["lr\t0.25"]);
    let revisions = offered(&repo, &["exp", "diff", ""]);
    assert!(
        ["HEAD", "workspace", "main\tbranch"].iter().all(|name| revisions.iter().any(|found| found == name)),
        "{revisions:?}"
    );
    assert_eq!(offered(&repo, &["exp", "sh"]), ["show\tShow experiments with their parameters and metrics"]);
}

#[test]
fn where_nothing_can_be_read_nothing_is_offered_and_nothing_is_said() {
    let repo = project();
    repo.write("dvc.yaml", "stages: [");
    assert_eq!(offered(&repo, &["repro", "t"]), [""; 0]);
    let nowhere = TestRepo::without_git(env!("CARGO_BIN_EXE_dewar"));
    assert_eq!(offered(&nowhere, &["exp", "apply", "a"]), [""; 0]);
}

#[test]
fn a_project_of_a_stranger_does_nothing_while_a_word_is_typed() {
    let repo = project();
    repo.write(".dvc/plugins/params-yaml.wasm", "no component");
    repo.write("params.yaml", "lr: 1\nl$(touch pwned): 2\n\"l\\u001b[2J\": 3\n\"l\\nm\": 4\n'l m': 5\n");
    assert!(repo.dewar(&["params", "diff"]).stderr.contains("params-yaml.wasm"), "a command that is given uses it");
    assert_eq!(offered(&repo, &["exp", "run", "-S", "l"]), ["lr=\t1"]);
}

#[test]
fn each_shell_has_a_script_that_asks_the_program() {
    let repo = repo();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(repo.dewar(&["completion", shell]).success().contains("DEWAR_COMPLETE"), "{shell}");
    }
    assert_eq!(repo.dewar(&["completion", "-s", "bash"]).success(), repo.dewar(&["completion", "bash"]).success());
    repo.dewar(&["completion"]).failure(2);
    repo.dewar(&["completion", "csh"]).failure(2);
}

#[test]
fn each_command_has_a_page() {
    let repo = repo();
    repo.dewar(&["man", "pages/man1"]).success();
    let page = repo.read("pages/man1/dewar-exp-run.1");
    assert!(page.contains(".TH DEWAR-EXP-RUN 1"), "{page}");
    assert!(page.contains("set\\-param"), "{page}");
    let pages = fs::read_dir(repo.root().join("pages/man1")).unwrap().count();
    assert!(pages > 40, "{pages}");
    repo.write("file", "");
    repo.dewar(&["man", "file"]).failure(4);
}
