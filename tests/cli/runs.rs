//! Runs: what must run and what must not, what a failure, a signal or a second run leaves, and what is never touched.

use std::fs;
use std::time::Duration;

use dewar_tests::{TestRepo, kill, wait_for};

use super::repo;

const PIPELINE: &str = "\
stages:
  prepare:
    cmd: cat data.csv > prepared && echo prepare >> ../ran
    deps: [data.csv]
    params: [prepare.rows]
    outs: [prepared]
  train:
    cmd: cat prepared params.yaml > model && echo train >> ../ran
    deps: [prepared]
    params: [train.lr]
    outs: [model]
  evaluate:
    cmd: 'sed -n \"s/.*lr: \\([0-9.]*\\).*/{\\\"acc\\\": \\1}/p\" model > metrics.json && echo evaluate >> ../ran'
    deps: [model]
    metrics:
    - metrics.json:
        cache: false
";
/// With what an edit could damage: a byte order mark, DOS line ends, comments, quotes, layout.
const PARAMS: &str =
    "\u{feff}# rows\r\nprepare: {rows:  4}   # four\r\n\r\ntrain:\r\n    lr: 0.5 # \"slow\"\r\n    'seed': 0x10\r\n";

/// A project of three stages, committed.
fn project() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("dvc.yaml", PIPELINE).write("params.yaml", PARAMS).write("data.csv", "1,2\n").commit("begin");
    repo
}

/// All that git keeps of where the user is.
fn head(repo: &TestRepo) -> Vec<Vec<u8>> {
    let of = |name: &str| fs::read(repo.root().join(".git").join(name)).unwrap();
    vec![of("HEAD"), of("index"), of("logs/HEAD"), of("refs/heads/main"), of("logs/refs/heads/main")]
}

/// How many experiments there are.
fn experiments(repo: &TestRepo) -> usize {
    repo.git(&["for-each-ref", "refs/exps/"]).success().lines().count()
}

#[test]
fn only_what_must_run_runs() {
    let repo = project();
    insta::assert_snapshot!(repo.dewar(&["repro"]), @r#"
    Running stage 'prepare':
    > cat data.csv > prepared && echo prepare >> ../ran
    Generating lock file 'dvc.lock'

    Running stage 'train':
    > cat prepared params.yaml > model && echo train >> ../ran
    Updating lock file 'dvc.lock'

    Running stage 'evaluate':
    > sed -n "s/.*lr: \([0-9.]*\).*/{\"acc\": \1}/p" model > metrics.json && echo evaluate >> ../ran
    Updating lock file 'dvc.lock'
    "#);
    assert_eq!(repo.ran(), "prepare train evaluate");
    insta::assert_snapshot!(repo.dewar(&["repro"]), @r#"
    Stage 'prepare' didn't change, skipping
    Stage 'train' didn't change, skipping
    Stage 'evaluate' didn't change, skipping
    Data and pipelines are up to date.
    "#);
    assert_eq!(repo.ran(), "");
    insta::assert_snapshot!(repo.dewar(&["exp", "run", "-n", "slow", "-S", "train.lr=0.25"]), @r#"
    Reproducing experiment 'slow'
    Stage 'prepare' didn't change, skipping
    Running stage 'train':
    > cat prepared params.yaml > model && echo train >> ../ran
    Updating lock file 'dvc.lock'

    Running stage 'evaluate':
    > sed -n "s/.*lr: \([0-9.]*\).*/{\"acc\": \1}/p" model > metrics.json && echo evaluate >> ../ran
    Updating lock file 'dvc.lock'

    Ran experiment(s): slow
    Experiment results have been applied to your workspace.
    "#);
    assert_eq!(repo.ran(), "train evaluate");
    assert_eq!(repo.read("metrics.json"), "{\"acc\": 0.25}\n");
    repo.write("data.csv", "3,4\n");
    repo.dewar(&["repro", "train"]).success();
    assert_eq!(repo.ran(), "prepare train");
    // A stage that gives what it gave before ends the matter there.
    repo.write("dvc.yaml", PIPELINE.replace("cat data.csv", "cat ./data.csv"));
    repo.dewar(&["repro"]).success();
    assert_eq!(repo.ran(), "prepare evaluate");
}

#[test]
fn known_results_are_restored() {
    let repo = project();
    repo.dewar(&["exp", "run"]).success();
    repo.dewar(&["exp", "run", "-S", "train.lr=0.25"]).success();
    repo.ran();
    let back = repo.dewar(&["exp", "run", "-n", "back", "-S", "train.lr=0.5"]);
    assert_eq!(repo.ran(), "");
    insta::assert_snapshot!(back, @r#"
    Reproducing experiment 'back'
    Stage 'prepare' didn't change, skipping
    Stage 'train' is cached - skipping run, checking out outputs
    Updating lock file 'dvc.lock'
    Stage 'evaluate' is cached - skipping run, checking out outputs
    Updating lock file 'dvc.lock'

    Ran experiment(s): back
    Experiment results have been applied to your workspace.
    "#);
    assert_eq!(repo.read("metrics.json"), "{\"acc\": 0.5}\n");
    fs::remove_file(repo.root().join("model")).unwrap();
    repo.dewar(&["repro"]).success();
    assert_eq!(repo.ran(), "");
    assert_eq!(repo.read("params.yaml"), PARAMS);
    // But not when it was asked for.
    repo.dewar(&["repro", "-f", "-s", "train"]).success();
    assert_eq!(repo.ran(), "train");
}

#[test]
fn a_failure_keeps_what_was_finished() {
    let repo = project();
    repo.write("dvc.yaml", PIPELINE.replace("cat prepared params.yaml > model", "echo half > model && exit 3"));
    insta::assert_snapshot!(repo.dewar(&["exp", "run", "-n", "bad"]), @r#"
    Reproducing experiment 'bad'
    Running stage 'prepare':
    > cat data.csv > prepared && echo prepare >> ../ran
    Generating lock file 'dvc.lock'

    Running stage 'train':
    > echo half > model && exit 3 && echo train >> ../ran
    --- stderr
    error: the stage `train` failed: `echo half > model && exit 3 && echo train >> ../ran` exited with 3
    --- exit 1
    "#);
    assert_eq!((experiments(&repo), repo.ran().as_str()), (0, "prepare"));
    let lock = repo.read("dvc.lock");
    assert!(lock.contains("prepare:") && !lock.contains("train:"), "{lock}");
    repo.write("dvc.yaml", PIPELINE);
    repo.dewar(&["exp", "run", "-n", "good"]).success();
    assert_eq!((experiments(&repo), repo.ran().as_str()), (1, "train evaluate"));
}

#[test]
fn an_output_that_was_not_written() {
    let repo = project();
    repo.write("dvc.yaml", "stages:\n  a:\n    cmd: 'true'\n    outs: [a]\n");
    insta::assert_snapshot!(repo.dewar(&["repro"]).failure(1), @r#"
    error: the stage `a` ran, but its output `a` does not exist
     --> dvc.yaml:2:3
      |
    2 |   a:
      |   ^
    "#);
    repo.write("dvc.yaml", "stages:\n  a:\n    cmd: kill -9 $$\n    outs: [a]\n");
    assert!(repo.dewar(&["repro"]).failure(1).contains("killed by signal 9"));
}

#[test]
fn git_is_as_it_was() {
    let repo = project();
    repo.dewar(&["repro"]).success();
    // The index has what the work tree has not, and the other way around.
    repo.write("staged", "in the index\n").git(&["add", "staged"]).success();
    repo.write("staged", "later\n").write("untracked", "mine\n");
    let before = head(&repo);
    repo.dewar(&["exp", "run", "-n", "one", "-S", "train.lr=0.25"]).success();
    repo.dewar(&["exp", "run", "-n", "two", "-S", "train.lr=0.125", "-m", "two of them"]).success();
    repo.dewar(&["exp", "show"]).success();
    assert!(head(&repo) == before, "HEAD, its log or the index changed");
    assert_eq!(repo.git(&["fsck", "--strict", "--no-dangling"]).to_string(), "");
    let base = repo.git(&["rev-parse", "HEAD"]).success();
    let (two, rest) = base.trim().split_at(2);
    let reference = format!("refs/exps/{two}/{rest}/two");
    assert_eq!(repo.git(&["log", "-1", "--format=%s", &reference]).success(), "two of them\n");
    assert_eq!(repo.git(&["rev-parse", &format!("{reference}^")]).success(), base);
    assert_eq!(repo.git(&["show", &format!("{reference}:metrics.json")]).success(), "{\"acc\": 0.125}\n");
    let files = repo.git(&["ls-tree", "-r", "--name-only", &reference]).success();
    assert!(!files.contains("model") && !files.contains("untracked") && files.contains("dvc.lock"), "{files}");
}

#[test]
fn an_override_changes_nothing_else() {
    let repo = project();
    repo.dewar(&["exp", "run", "-S", "train.lr=0.25"]).success();
    assert_eq!(repo.read("params.yaml"), PARAMS.replace("0.5", "0.25"));
    repo.dewar(&["exp", "run", "-S", "prepare.rows=5", "-S", "train.lr=0.5"]).success();
    assert_eq!(repo.read("params.yaml"), PARAMS.replace("rows:  4", "rows:  5"));
    repo.dewar(&["exp", "run", "-S", "prepare.rows=4", "-S", "+train.more=[1,2]"]).success();
    assert_eq!(repo.read("params.yaml"), format!("{PARAMS}    more:\r\n    - 1\r\n    - 2\r\n"));
    repo.dewar(&["exp", "run", "-S", "~train.more"]).success();
    assert_eq!(repo.read("params.yaml"), PARAMS);
}

#[test]
fn a_dry_run_changes_nothing() {
    let repo = project();
    let before = (repo.everything(), head(&repo));
    insta::assert_snapshot!(repo.dewar(&["exp", "run", "--dry", "-S", "train.lr=7"]), @r#"
    Running stage 'prepare':
      it has not run yet
    > cat data.csv > prepared && echo prepare >> ../ran
    Running stage 'train':
      it has not run yet
      it needs `prepare`, which is not up to date
    > cat prepared params.yaml > model && echo train >> ../ran
    Running stage 'evaluate':
      it has not run yet
      it needs `train`, which is not up to date
    > sed -n "s/.*lr: \([0-9.]*\).*/{\"acc\": \1}/p" model > metrics.json && echo evaluate >> ../ran
    "#);
    insta::assert_snapshot!(repo.dewar(&["repro", "--dry", "train"]), @r#"
    Running stage 'prepare':
      it has not run yet
    > cat data.csv > prepared && echo prepare >> ../ran
    Running stage 'train':
      it has not run yet
      it needs `prepare`, which is not up to date
    > cat prepared params.yaml > model && echo train >> ../ran
    "#);
    assert!((repo.everything(), head(&repo)) == before);
    assert_eq!((experiments(&repo), repo.ran().as_str()), (0, ""));
}

#[test]
fn a_name_that_is_taken() {
    let repo = project();
    repo.dewar(&["exp", "run", "-n", "mine"]).success();
    insta::assert_snapshot!(repo.dewar(&["exp", "run", "-n", "mine", "-S", "train.lr=0.1"]).failure(4), @"error: the experiment `mine` exists already, at 01ca0ec; take another name, or replace it with --force");
    assert_eq!(repo.read("params.yaml"), PARAMS);
    repo.dewar(&["exp", "run", "-n", "mine", "-S", "train.lr=0.1", "-f"]).success();
    // The one that it replaced is kept.
    assert_eq!(repo.git(&["rev-parse", "--short=7", "refs/exps/apply/stash"]).success().trim(), "01ca0ec");
    assert_eq!(experiments(&repo), 2);
    insta::assert_snapshot!(repo.dewar(&["exp", "run", "-n", "no..pe"]).failure(2), @"error: `no..pe` cannot be the name of an experiment: it must not have `..` in it");
}

/// A project whose one stage writes half of its output, says so through the file `../half`, and goes on when `../go` is there.
fn slow_project() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    let command = "echo $$ > ../pid; echo half > out; echo > ../half; while [ ! -e ../go ]; do sleep 0.01; done; echo whole > out";
    let pipeline = format!(
        "stages:\n  first:\n    cmd: echo > first\n    outs: [first]\n  slow:\n    cmd: {command}\n    deps: [first]\n    outs: [out]\n"
    );
    repo.write("dvc.yaml", pipeline).commit("begin");
    repo
}

/// The shell of the slow stage.
fn stage_pid(repo: &TestRepo) -> String {
    fs::read_to_string(repo.outside("pid")).unwrap().trim().to_owned()
}

#[test]
fn an_interrupted_run() {
    for signal in ["-INT", "-TERM"] {
        let repo = slow_project();
        let run = repo.spawn(repo.command(env!("CARGO_BIN_EXE_dewar")).args(["exp", "run", "-n", "one"]));
        wait_for(&repo.outside("half"));
        assert!(kill(signal, &run.id().to_string()));
        let output = repo.wait(run);
        assert!(!kill("-0", &stage_pid(&repo)), "the stage runs on");
        assert!(output.failure(130).contains("the stage `slow` was interrupted"));
        assert_eq!(experiments(&repo), 0);
        assert!(!repo.read("dvc.lock").contains("slow"));
        fs::write(repo.outside("go"), "").unwrap();
        repo.dewar(&["exp", "run", "-n", "one"]).success();
        assert_eq!((repo.read("out").as_str(), experiments(&repo)), ("whole\n", 1));
    }
}

#[test]
fn a_second_run_at_the_same_time() {
    let repo = slow_project();
    let run = repo.spawn(repo.command(env!("CARGO_BIN_EXE_dewar")).args(["exp", "run"]));
    wait_for(&repo.outside("half"));
    let holder = format!("process {}, `exp run`", run.id());
    for second in [&["repro"][..], &["exp", "run"], &["exp", "apply", "x"], &["checkout"], &["add", "x"]] {
        let refused = repo.dewar(second).failure(4);
        assert!(refused.contains(&holder), "{second:?}: {refused}");
    }
    // Who only looks is not kept waiting.
    repo.dewar(&["status"]).success();
    repo.dewar(&["exp", "show"]).success();
    repo.dewar(&["repro", "--dry"]).success();
    fs::write(repo.outside("go"), "").unwrap();
    assert!(repo.wait(run).success().contains("Ran experiment"));
    repo.dewar(&["repro"]).success();
}

#[test]
fn a_run_that_was_killed_at_any_instant() {
    let repo = project();
    let expected = {
        let undisturbed = project();
        undisturbed.dewar(&["repro"]).success();
        undisturbed.read("dvc.lock")
    };
    // From before anything happened until after all did; a run takes some 100 ms.
    for (round, delay) in (0..).zip([0, 1, 3, 6, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 130, 170, 220]) {
        let before = repo.read("params.yaml");
        let after = PARAMS.replace("0.5", &round.to_string());
        let (lr, name) = (format!("train.lr={round}"), format!("round-{round}"));
        let mut run =
            repo.spawn(repo.command(env!("CARGO_BIN_EXE_dewar")).args(["exp", "run", "-n", &name, "-f", "-S", &lr]));
        std::thread::sleep(Duration::from_millis(delay));
        run.kill().unwrap();
        // Until what it started has ended, too: that holds the other end of its pipes.
        drop(repo.wait(run));
        let params = repo.read("params.yaml");
        assert!(params == before || params == after, "{params}");
        repo.dewar(&["exp", "run", "-n", &name, "-f", "-S", &lr]).success();
        assert_eq!(repo.read("metrics.json"), format!("{{\"acc\": {round}}}\n"));
        assert!(repo.dewar(&["repro"]).success().ends_with("up to date.\n"));
    }
    repo.dewar(&["exp", "run", "-S", "train.lr=0.5"]).success();
    assert_eq!(repo.read("dvc.lock"), expected);
    assert_eq!(repo.read("params.yaml"), PARAMS);
    assert_eq!(repo.git(&["fsck", "--strict", "--no-dangling"]).to_string(), "");
}
