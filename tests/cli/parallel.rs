//! Stages side by side, and what becomes of a run when one of them fails or the user ends it.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use dewar_tests::TestRepo;

use super::repo;

/// A project with this pipeline, committed.
fn project(pipeline: &str) -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("dvc.yaml", pipeline).write("src", "1\n").commit("begin");
    repo
}

/// Two stages of which each waits for the other: they end only when they run at once.
const MEETING: &str = "\
stages:
  left:
    cmd: touch ../left-is-here; while ! test -e ../right-is-here; do sleep 0.01; done; echo hello; echo oh >&2; touch l
    outs: [l]
  right-side:
    cmd: touch ../right-is-here; while ! test -e ../left-is-here; do sleep 0.01; done; printf 'no newline'; touch r
    outs: [r]
";

#[test]
fn independent_stages_run_at_once_and_their_lines_say_whose_they_are() {
    let repo = project(MEETING);
    let output = repo.dewar(&["repro", "-j", "2"]);
    let (out, err) = (output.stdout.clone(), output.stderr.clone());
    output.success();
    for line in [
        "left       | hello\n",
        "right-side | no newline\n",
        "left       | > touch ../left-is-here;",
        "Running stage 'left':\n",
    ] {
        assert!(out.contains(line), "{line:?} in {out}");
    }
    assert!(err.contains("left       | oh\n"), "{err}");
    let out = repo.dewar(&["repro", "-j", "2"]).success();
    // Whichever is looked at first.
    let mut lines: Vec<&str> = out.lines().collect();
    lines.sort_unstable();
    let skipped = ["left", "right-side"].map(|stage| format!("Stage '{stage}' didn't change, skipping"));
    assert_eq!(lines, ["Data and pipelines are up to date.", &skipped[0], &skipped[1]]);
}

#[test]
fn how_many_run_at_once_is_a_setting() {
    let repo = project(MEETING);
    repo.write("dewar.toml", "jobs = 2\n");
    repo.dewar(&["exp", "run", "-n", "both"]).success();
    repo.write("dewar.toml", "jobs = 0\n");
    repo.dewar(&["repro"]).failure(3);
    repo.dewar(&["repro", "-j", "0"]).failure(2);
}

#[test]
fn stages_that_need_each_other_keep_the_terminal_to_themselves() {
    let repo = project(
        "stages:\n  a:\n    cmd: echo one; touch a\n    outs: [a]\n  b:\n    cmd: echo two; touch b\n    deps: [a]\n    outs: [b]\n",
    );
    let out = repo.dewar(&["repro", "-j", "4"]).success();
    assert!(out.contains("\none\n"), "{out}");
}

/// `bad` fails, `after` needs it, `other` does not.
const FAILING: &str = "\
stages:
  ok:
    cmd: touch ok
    outs: [ok]
  bad:
    cmd: exit 3
    deps: [ok]
    outs: [bad]
  after:
    cmd: touch after
    deps: [bad]
    outs: [after]
  other:
    cmd: touch other
    deps: [src]
    outs: [other]
";

#[test]
fn a_failure_ends_the_run_unless_asked_otherwise() {
    for jobs in ["1", "3"] {
        let repo = project(FAILING);
        let err = repo.dewar(&["repro", "-j", jobs, "--keep-going"]).failure(1);
        assert!(err.contains("Stage 'after' will be skipped"), "{err}");
        assert!(err.contains("the stage `bad` failed: `exit 3` exited with 3"), "{err}");
        assert!(repo.exists("other") && !repo.exists("after"));

        let repo = project(FAILING);
        let output = repo.dewar(&["exp", "run", "-j", jobs, "--ignore-errors", "-n", "e"]);
        assert!(output.stderr.contains("failed to reproduce 'after'"), "{output}");
        output.success();
        assert!(repo.exists("other") && !repo.exists("after"));
        assert_eq!(repo.git(&["for-each-ref", "refs/exps/"]).success().lines().count(), 1);
    }
    let repo = project(FAILING);
    repo.dewar(&["repro"]).failure(1);
    assert!(!repo.exists("other"));
    repo.dewar(&["repro", "-k", "--ignore-errors"]).failure(2);
}

#[test]
fn an_interrupted_run_ends_its_children_and_keeps_what_was_finished() {
    let repo = project(
        "stages:\n  quick:\n    cmd: touch quick\n    outs: [quick]\n  \
         one:\n    cmd: echo $$ > ../one; sleep 600; touch one\n    deps: [quick]\n    outs: [one]\n  \
         two:\n    cmd: echo $$ > ../two; sleep 600 & wait; touch two\n    deps: [quick]\n    outs: [two]\n",
    );
    let child = repo.spawn(repo.command(env!("CARGO_BIN_EXE_dewar")).args(["repro", "-j", "2"]));
    let started = Instant::now();
    let pid = |name: &str| fs::read_to_string(repo.outside(name)).ok().filter(|text| text.ends_with('\n'));
    while pid("one").is_none() || pid("two").is_none() {
        assert!(started.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_millis(10));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    repo.wait(child).failure(130);
    for name in ["one", "two"] {
        let alive = Command::new("kill").args(["-0", pid(name).unwrap().trim()]).output().unwrap().status.success();
        assert!(!alive, "`{name}` runs on");
    }
    assert!(repo.read("dvc.lock").contains("\n  quick:\n") && !repo.exists("one"));
    assert!(repo.dewar(&["repro", "quick"]).success().contains("Stage 'quick' didn't change"));
}

#[test]
fn nobody_is_asked_without_a_terminal() {
    let repo = project(FAILING);
    for command in [&["repro", "-i"][..], &["exp", "run", "--interactive"]] {
        let err = repo.dewar(command).failure(2);
        assert!(err.contains("there is no terminal to ask on"), "{err}");
    }
    assert!(!repo.exists("ok"));
    repo.dewar(&["repro", "-i", "-j", "2"]).failure(2);
}

#[test]
fn what_follows_a_change_can_be_forced() {
    let repo = project(
        "stages:\n  a:\n    cmd: cp src a\n    deps: [src]\n    outs: [a]\n  b:\n    cmd: echo b >> ../ran; touch b\n    deps: [a]\n    outs: [b]\n",
    );
    repo.dewar(&["repro"]).success();
    repo.write("dvc.yaml", repo.read("dvc.yaml").replace("cp src a", "cp  src a"));
    repo.dewar(&["repro"]).success();
    assert_eq!(fs::read_to_string(repo.outside("ran")).unwrap(), "b\n");
    repo.write("dvc.yaml", repo.read("dvc.yaml").replace("cp  src a", "cp src  a"));
    repo.dewar(&["repro", "--force-downstream"]).success();
    assert_eq!(fs::read_to_string(repo.outside("ran")).unwrap(), "b\nb\n");
}

#[test]
fn data_that_is_elsewhere_can_be_left_there() {
    let repo = project(
        "stages:\n  a:\n    cmd: cp src a\n    deps: [src]\n    outs: [a]\n  b:\n    cmd: cp a b\n    deps: [a]\n    outs: [b]\n",
    );
    repo.dewar(&["repro"]).success();
    let lock = repo.read("dvc.lock");
    fs::remove_dir_all(repo.root().join(".dvc/cache")).unwrap();
    fs::remove_file(repo.root().join("a")).unwrap();
    repo.dewar(&["repro", "--dry", "--allow-missing"]).success();
    assert!(repo.dewar(&["repro", "--allow-missing"]).success().contains("up to date"));
    assert!(!repo.exists("a"));
    assert_eq!(repo.read("dvc.lock"), lock);
    repo.dewar(&["repro"]).success();
    assert!(repo.exists("a"));
}

#[test]
fn a_slow_reader_gets_every_line() {
    let repo = project(
        "stages:\n  a:\n    cmd: seq 20000; touch a\n    outs: [a]\n  b:\n    cmd: seq 20000; printf end; touch b\n    outs: [b]\n",
    );
    let program = env!("CARGO_BIN_EXE_dewar");
    let slowly = format!("'{program}' repro -j 2 | {{ sleep 2; cat; }}");
    let out = repo.run(repo.command("sh").args(["-c", &slowly])).success();
    let of = |stage: &str| out.lines().filter(|line| line.starts_with(stage)).count();
    // The command is a line, too.
    assert_eq!((of("a | "), of("b | ")), (20_001, 20_002));
}

#[test]
fn what_a_stage_leaves_running_keeps_nobody_out() {
    let repo = project(
        "stages:\n  serve:\n    cmd: sleep 60 >/dev/null 2>&1 & echo $! > ../server; echo ok > s\n    outs: [s]\n",
    );
    repo.dewar(&["repro"]).success();
    repo.dewar(&["repro", "--force"]).success();
    let server = fs::read_to_string(repo.outside("server")).unwrap();
    Command::new("kill").arg(server.trim()).status().unwrap();
}

#[test]
fn single_stages_do_not_stand_for_each_other() {
    let repo = project(
        "stages:\n  a:\n    cmd: exit 1\n    outs: [a]\n  b:\n    cmd: touch b\n    deps: [a]\n    outs: [b]\n  c:\n    cmd: touch c\n    outs: [c]\n",
    );
    repo.dewar(&["repro", "--single-item", "--keep-going", "a", "c"]).failure(1);
    assert!(repo.exists("c"));
}

#[test]
fn a_lock_that_appears_meanwhile_is_kept() {
    let repo = project("stages:\n  a:\n    cmd: cp ../theirs dvc.lock; touch a\n    outs: [a]\n");
    fs::write(repo.outside("theirs"), "schema: '2.0'\nstages:\n  other:\n    cmd: theirs\n").unwrap();
    repo.dewar(&["repro"]).success();
    let lock = repo.read("dvc.lock");
    assert!(lock.contains("  other:\n    cmd: theirs\n") && lock.contains("\n  a:\n"), "{lock}");
}
