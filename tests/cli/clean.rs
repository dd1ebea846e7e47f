//! `exp clean`: what killed runs left.

use std::fs;
use std::process::Command;

use dewar_tests::{TestRepo, kill, wait_for};

use super::repo;

fn project(command: &str) -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("dvc.yaml", format!("stages: {{t: {{cmd: '{command}', params: [lr], outs: [out]}}}}\n"));
    repo.write("params.yaml", "lr: 1\n").commit("begin");
    repo
}

/// Ends a stage with all that it started.
fn end(pid: &str) {
    let ended = Command::new("kill").args(["-KILL", "--", &format!("-{pid}")]).status().unwrap();
    assert!(ended.success());
}

fn isolated(repo: &TestRepo) -> usize {
    fs::read_dir(repo.root().join(".dvc/tmp/exps/isolated"))
        .map_or(0, |found| found.flatten().filter(|one| one.path().is_dir()).count())
}

#[test]
fn nothing_is_made_where_nothing_is_left() {
    let repo = project("cp params.yaml out");
    repo.dewar(&["exp", "run", "-n", "one"]).success();
    let before = repo.everything();
    assert_eq!(repo.dewar(&["exp", "clean", "--dry"]).success(), "Nothing is left of killed runs.\n");
    assert_eq!(repo.dewar(&["exp", "clean"]).success(), "Nothing is left of killed runs.\n");
    let after = repo.everything();
    let new: Vec<_> = after.keys().filter(|path| !before.contains_key(*path)).collect();
    assert!(new.is_empty(), "{new:?}");
}

#[test]
fn what_a_killed_run_left_goes_and_what_runs_stays() {
    let repo = project("echo $$ > $PIDS.$RUN; sleep 300; cp params.yaml out");
    // Each with its own inputs: of two that are alike, one waits for the other.
    let command = |name: &str| {
        let mut command = repo.command(env!("CARGO_BIN_EXE_dewar"));
        command
            .args(["exp", "run", "--temp", "-n", name, "-S", &format!("lr={}", name.len())])
            .env("PIDS", repo.outside("pid"))
            .env("RUN", name);
        command
    };
    let mut killed = repo.spawn(&mut command("killed"));
    let mut lives = repo.spawn(&mut command("lives"));
    let pid = |name: &str| {
        let file = repo.outside(&format!("pid.{name}"));
        wait_for(&file);
        loop {
            let text = fs::read_to_string(&file).unwrap();
            if text.ends_with('\n') {
                return text.trim().to_owned();
            }
        }
    };
    let (stage, living) = (pid("killed"), pid("lives"));
    killed.kill().unwrap();
    killed.wait().unwrap();
    end(&stage);
    assert_eq!(isolated(&repo), 2);
    let would = loop {
        let told = repo.dewar(&["exp", "clean", "--dry"]).success();
        if told.contains("would remove the workspace") {
            break told;
        }
    };
    assert_eq!(would.matches("would remove the workspace").count(), 1, "{would}");
    assert_eq!(isolated(&repo), 2);
    let told = repo.dewar(&["exp", "clean"]).success();
    assert!(told.contains("removed the workspace `.dvc/tmp/exps/isolated/"), "{told}");
    assert_eq!(isolated(&repo), 1);
    assert!(kill("-0", &living));
    lives.kill().unwrap();
    lives.wait().unwrap();
    end(&living);
}
