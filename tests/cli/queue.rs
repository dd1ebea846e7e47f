//! The queue: what is kept of the moment of queueing, who runs it, and what is left when something is killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use dewar_tests::{CommandOutput, TestRepo};

use super::repo;

/// `train` tells that it runs, waits for a gate where there is one, and fails when told to.
const PIPELINE: &str = "\
stages:
  prepare:
    cmd: echo prepare >> $TOLD; cat data.csv > prepared
    deps: [data.csv]
    outs: [prepared]
  train:
    cmd: echo train-${lr}-$MARK >> $TOLD; echo $$ >> $TOLD.pids; echo says ${lr}; sh $TOLD.gate ${lr} && cat prepared code.py params.yaml > model && cp params.yaml metrics.yaml
    deps: [prepared, code.py]
    params: [lr]
    outs: [model]
    metrics: [{metrics.yaml: {cache: false}}]
";

pub(super) fn project() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("dvc.yaml", PIPELINE);
    repo.write("params.yaml", "lr: 1 # slow\n").write("code.py", "code\n").write("data.csv", "1,2\n");
    repo.dewar(&["add", "data.csv"]).success();
    gate(&repo, "exit 0");
    dewar(&repo, &["repro"]).success();
    repo.commit("begin");
    fs::remove_file(repo.outside("told")).unwrap();
    repo
}

/// What `train` does before it writes anything; its argument is the learning rate.
pub(super) fn gate(repo: &TestRepo, script: &str) {
    fs::write(repo.outside("told.gate"), script).unwrap();
}

/// A gate that opens when the file `open` is there, or the test is over.
pub(super) fn closed_gate(repo: &TestRepo) -> PathBuf {
    let open = repo.outside("open");
    gate(repo, &format!("while ! test -e {} && test -e $TOLD.gate; do sleep 0.01; done", open.display()));
    open
}

pub(super) fn program(repo: &TestRepo) -> Command {
    let mut command = repo.command(env!("CARGO_BIN_EXE_dewar"));
    command.env("TOLD", repo.outside("told")).env("MARK", "x");
    command
}

pub(super) fn dewar(repo: &TestRepo, args: &[&str]) -> CommandOutput {
    repo.run(program(repo).args(args))
}

fn told(repo: &TestRepo) -> Vec<String> {
    fs::read_to_string(repo.outside("told")).unwrap_or_default().lines().map(str::to_owned).collect()
}

pub(super) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(30), "it does not come to this: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn status(repo: &TestRepo) -> serde_json::Value {
    serde_json::from_str(&dewar(repo, &["queue", "status", "--json"]).success()).unwrap()
}

/// Names and states, in the order of the table.
fn states(repo: &TestRepo) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    status(repo)["tasks"].as_array().unwrap().iter().map(|task| (text(&task["name"]), text(&task["state"]))).collect()
}

fn is(states: &[(String, String)], wanted: &[(&str, &str)]) -> bool {
    states.iter().map(|(name, state)| (name.as_str(), state.as_str())).eq(wanted.iter().copied())
}

/// Waits until nothing runs and no worker is left.
pub(super) fn settled(repo: &TestRepo) -> Vec<(String, String)> {
    wait_until("the workers end", || status(repo)["workers"].as_array().unwrap().is_empty());
    states(repo)
}

fn recorded(repo: &TestRepo, name: &str, file: &str) -> String {
    let references = repo.git(&["for-each-ref", "--format=%(refname)", "refs/exps/"]).success();
    let found = references.lines().find(|reference| reference.ends_with(&format!("/{name}")));
    repo.git(&["show", &format!("{}:{file}", found.unwrap())]).success()
}

fn stash(repo: &TestRepo) -> Vec<String> {
    let log = repo.git(&["log", "-g", "--format=%H", "refs/exps/celery/stash", "--"]);
    log.stdout.lines().map(str::to_owned).collect()
}

fn of_the_user(repo: &TestRepo) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> =
        repo.everything().into_iter().filter(|(name, _)| !name.starts_with(".dvc/cache")).collect();
    for name in ["HEAD", "index", "logs/HEAD", "config"] {
        all.push((format!(".git/{name}"), fs::read(repo.root().join(".git").join(name)).unwrap()));
    }
    all
}

fn isolated(repo: &TestRepo) -> usize {
    let folders = fs::read_dir(repo.root().join(".dvc/tmp/exps/isolated")).into_iter().flatten();
    folders.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count()
}

pub(super) fn kill(signal: &str, pid: &str) {
    Command::new("kill").args([signal, pid]).output().unwrap();
}

fn is_running(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

/// The process of the only running task, and that of its worker.
pub(super) fn processes(repo: &TestRepo) -> (String, String) {
    let tasks = repo.root().join(".dvc/tmp/exps/queue");
    let user = fs::read_dir(tasks).unwrap().next().unwrap().unwrap().path();
    for task in fs::read_dir(user.join("tasks")).unwrap() {
        let record = fs::read_to_string(task.unwrap().path().join("record.json")).unwrap();
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        if record["state"] == "running" {
            let attempt = record["attempts"].as_array().unwrap().last().unwrap();
            return (attempt["runner"]["pid"].to_string(), attempt["worker"]["pid"].to_string());
        }
    }
    panic!("nothing runs");
}

#[test]
fn what_is_queued_is_the_workspace_of_that_moment() {
    let repo = project();
    repo.write("code.py", "changed\n").write("staged", "mine\n").write("untracked", "not mine\n");
    repo.write("secret", "first").write(".git/info/exclude", "/secret\n").write("data.csv", "3,4\n");
    repo.git(&["add", "staged"]).success();
    gate(&repo, "cat secret; ls");
    let before = of_the_user(&repo);
    let queue = ["exp", "run", "--queue", "-n", "one", "-m", "my words", "-S", "lr=5", "-C", "secret"];
    let output = repo.run(program(&repo).args(queue).env("MARK", "then"));
    insta::assert_snapshot!(output, @"Queued experiment 'one' for future execution. lr=5");
    assert!(of_the_user(&repo) == before, "something of the user's changed");
    assert_eq!(told(&repo), [""; 0]);
    assert!(is(&states(&repo), &[("one", "queued")]));
    // Later edits do not leak in.
    repo.write("code.py", "later\n")
        .write("secret", "later")
        .write("data.csv", "later\n")
        .write("params.yaml", "lr: 7\n");
    repo.git(&["reset", "--quiet"]).success();
    let output = dewar(&repo, &["exp", "run", "--run-all"]).success();
    assert_eq!(told(&repo), ["prepare", "train-5-then"]);
    for line in ["says 5\n", "first", "\nRan experiment(s): one\n"] {
        assert!(output.contains(line), "{line:?} in {output}");
    }
    let listed: Vec<&str> = output.lines().collect();
    assert!(listed.contains(&"staged") && !listed.contains(&"untracked"), "{output}");
    assert_eq!(recorded(&repo, "one", "params.yaml"), "lr: 5 # slow\n");
    assert_eq!(recorded(&repo, "one", "code.py"), "changed\n");
    dewar(&repo, &["exp", "apply", "--force", "one"]).success();
    assert_eq!(repo.read("model"), "3,4\nchanged\nlr: 5 # slow\n");
    let subject = repo.git(&["for-each-ref", "--format=%(subject)", "refs/exps/"]).success();
    assert!(subject.contains("my words"), "{subject}");
    assert!(is(&settled(&repo), &[("one", "success")]));
    assert_eq!(stash(&repo), [""; 0]);
    assert_eq!(isolated(&repo), 0);
}

#[test]
fn the_newest_stands_in_the_reference_and_others_in_its_reflog() {
    let repo = project();
    for lr in ["2", "3", "4"] {
        dewar(&repo, &["exp", "run", "--queue", "-S", &format!("lr={lr}")]).success();
    }
    let of = |commit: &String| repo.git(&["show", &format!("{commit}:params.yaml")]).success();
    assert_eq!(stash(&repo).iter().map(of).collect::<String>(), "lr: 4 # slow\nlr: 3 # slow\nlr: 2 # slow\n");
    repo.git(&["stash", "apply", "--quiet", &stash(&repo)[2]]).success();
    assert_eq!(repo.read("params.yaml"), "lr: 2 # slow\n");
    dewar(&repo, &["exp", "remove", "--queue"]).success();
    assert_eq!((stash(&repo).len(), states(&repo).len()), (0, 0));
    let output = dewar(&repo, &["exp", "run", "--run-all"]);
    insta::assert_snapshot!(output, @"No experiments are queued.");
}

#[test]
fn tasks_stay_when_experiments_are_kept() {
    let repo = project();
    dewar(&repo, &["exp", "run", "--temp", "-n", "done", "-S", "lr=2"]).success();
    for (name, lr) in [("named", "lr=3"), ("other", "lr=4")] {
        dewar(&repo, &["exp", "run", "--queue", "-n", name, "-S", lr]).success();
    }
    let said = dewar(&repo, &["exp", "remove", "--keep", "done", "named"]).success();
    assert_eq!((said.as_str(), states(&repo).len()), ("No experiments to remove.\n", 2));
    let said = dewar(&repo, &["exp", "remove", "--keep", "named"]).success();
    assert_eq!((said.as_str(), states(&repo).len()), ("Removed experiments: done\n", 2));
}

#[test]
fn a_failure_is_told_kept_and_can_be_tried_again() {
    let repo = project();
    gate(&repo, "echo so far; test $1 != 9");
    for (name, lr) in [("good", "2"), ("bad", "9")] {
        dewar(&repo, &["exp", "run", "--queue", "-n", name, "-S", &format!("lr={lr}")]).success();
    }
    let output = dewar(&repo, &["exp", "run", "--run-all", "-j", "2"]);
    let (out, err) = (output.stdout.clone(), output.stderr.clone());
    output.failure(1);
    assert!(out.contains("good | says 2\n") && out.contains("bad  | says 9\n"), "{out}");
    assert!(
        out.contains("Ran experiment(s): good") && err.contains("Failed to reproduce experiment(s) 'bad'"),
        "{err}"
    );
    assert!(is(&settled(&repo), &[("bad", "failed"), ("good", "success")]));
    let log = dewar(&repo, &["queue", "logs", "bad"]);
    assert!(log.stderr.contains("'bad' failed: the stage `train` failed"), "{log}");
    assert!(log.success().contains("so far"));
    let table = dewar(&repo, &["queue", "status"]).success();
    assert!(table.contains("0 active, 0 idle") && table.contains("Why"), "{table}");
    // As it was queued, also when the workspace has moved on.
    repo.write("code.py", "later\n");
    gate(&repo, "exit 0");
    dewar(&repo, &["queue", "retry", "good"]).failure(2);
    dewar(&repo, &["queue", "retry", "--failed"]).success();
    dewar(&repo, &["queue", "run", "bad"]).success();
    assert_eq!(recorded(&repo, "bad", "code.py"), "code\n");
    assert!(dewar(&repo, &["queue", "logs", "--attempt", "1", "bad"]).success().contains("so far"));
    dewar(&repo, &["queue", "logs", "--attempt", "3", "bad"]).failure(2);
    dewar(&repo, &["queue", "remove", "--success"]).success();
    assert_eq!(settled(&repo).len(), 0);
    assert_eq!(recorded(&repo, "good", "params.yaml"), "lr: 2 # slow\n");
}

#[test]
fn what_fails_before_the_first_stage_has_a_log_too() {
    let repo = project();
    dewar(&repo, &["exp", "run", "--queue", "-n", "one", "-S", "lr=2", "-C", "code.py"]).success();
    dewar(&repo, &["exp", "run", "-n", "one", "-S", "lr=3"]).success();
    dewar(&repo, &["queue", "run", "one"]).failure(1);
    let log = dewar(&repo, &["queue", "logs", "one"]);
    assert!(log.stderr.contains("while preparing: the experiment `one` exists already"), "{log}");
    assert!(log.success().contains("exists already"));
    assert_eq!(isolated(&repo), 0);
}

#[test]
fn a_killed_worker_and_its_stage_are_found_by_the_next() {
    let repo = project();
    let open = closed_gate(&repo);
    dewar(&repo, &["exp", "run", "--queue", "-n", "one", "-S", "lr=2"]).success();
    dewar(&repo, &["queue", "start"]).success();
    wait_until("the stage runs", || told(&repo).len() == 1);
    wait_until("its process is known", || processes(&repo).0 != "null");
    let stage = fs::read_to_string(repo.outside("told.pids")).unwrap().lines().last().unwrap().to_owned();
    let (runner, worker) = processes(&repo);
    kill("-KILL", &worker);
    kill("-KILL", &runner);
    wait_until("they are gone", || !is_running(&worker) && !is_running(&runner));
    assert!(is_running(&stage));
    // It waits, and nobody works.
    assert!(is(&states(&repo), &[("one", "queued")]));
    assert_eq!(isolated(&repo), 1);
    fs::write(&open, "").unwrap();
    fs::remove_file(&open).unwrap();
    dewar(&repo, &["queue", "start"]).success();
    wait_until("it runs again", || told(&repo).len() == 2);
    assert!(!is_running(&stage));
    fs::write(&open, "").unwrap();
    assert!(is(&settled(&repo), &[("one", "success")]));
    let task = &status(&repo)["tasks"][0];
    assert_eq!(task["attempts"].as_array().unwrap().len(), 2);
    let first = dewar(&repo, &["queue", "logs", "--attempt", "1", "one"]).success();
    assert!(first.contains("says 2"), "{first}");
    assert_eq!(isolated(&repo), 0);
}

#[test]
fn a_worker_that_is_killed_takes_nothing_with_it() {
    let repo = project();
    let open = closed_gate(&repo);
    for name in ["one", "two"] {
        dewar(&repo, &["exp", "run", "--queue", "-n", name, "-S", "lr=2"]).success();
    }
    dewar(&repo, &["queue", "start"]).success();
    wait_until("the stage runs", || told(&repo).len() == 1);
    kill("-KILL", &processes(&repo).1);
    fs::write(&open, "").unwrap();
    wait_until("it ends by itself", || is(&states(&repo), &[("two", "queued"), ("one", "success")]));
    dewar(&repo, &["queue", "start"]).success();
    assert!(is(&settled(&repo), &[("one", "success"), ("two", "success")]));
    assert_eq!(told(&repo), ["train-2-x"], "the second one takes the result of the first");
    assert_eq!(stash(&repo), [""; 0]);
    assert_eq!(isolated(&repo), 0);
}

#[test]
fn lost_tasks_fail_where_the_project_wants_it() {
    let repo = project();
    closed_gate(&repo);
    repo.write("dewar.toml", "[queue]\nlost = \"fail\"\n");
    dewar(&repo, &["exp", "run", "--queue", "-n", "one", "-S", "lr=2"]).success();
    dewar(&repo, &["queue", "start"]).success();
    wait_until("the stage runs", || told(&repo).len() == 1);
    kill("-KILL", &processes(&repo).0);
    assert!(is(&settled(&repo), &[("one", "failed")]));
    let log = dewar(&repo, &["queue", "logs", "one"]);
    assert!(log.stderr.contains("signal 9"), "{log}");
    let stage = fs::read_to_string(repo.outside("told.pids")).unwrap().lines().last().unwrap().to_owned();
    assert!(!is_running(&stage), "its stage runs on");
    repo.write("dewar.toml", "[queue]\nlost = \"perhaps\"\n");
    dewar(&repo, &["queue", "status"]).failure(3);
}

#[test]
fn one_is_ended_and_the_others_go_on() {
    let repo = project();
    gate(&repo, "test $1 != 2 || sleep 60");
    for (name, lr) in [("one", "2"), ("two", "3")] {
        dewar(&repo, &["exp", "run", "--queue", "-n", name, "-S", &format!("lr={lr}")]).success();
    }
    dewar(&repo, &["queue", "kill", "one"]).failure(2);
    for args in [&["queue", "kill", "one"][..], &["queue", "kill", "--force", "one"]] {
        dewar(&repo, &["queue", "start"]).success();
        wait_until("the stage runs", || told(&repo).last().is_some_and(|last| last.starts_with("train-2")));
        dewar(&repo, &["queue", "remove", "one"]).failure(4);
        dewar(&repo, args).success();
        assert!(is(&settled(&repo), &[("one", "failed"), ("two", "success")]));
        assert_eq!(status(&repo)["tasks"][0]["cause"], "killed");
        dewar(&repo, &["queue", "retry", "one"]).success();
    }
    dewar(&repo, &["queue", "start"]).success();
    wait_until("the stage runs", || told(&repo).len() == 4);
    dewar(&repo, &["queue", "stop", "--kill"]).success();
    assert!(is(&settled(&repo), &[("one", "failed"), ("two", "success")]));
    assert_eq!(isolated(&repo), 0);
}

#[test]
fn workers_stop_when_told_and_the_rest_waits() {
    let repo = project();
    let open = closed_gate(&repo);
    for (name, priority) in [("later", "0"), ("first", "5")] {
        let args = ["exp", "run", "--queue", "-n", name, "--priority", priority, "-S", "lr=2"];
        dewar(&repo, &args).success();
    }
    insta::assert_snapshot!(dewar(&repo, &["queue", "start"]), @"Started '1' new experiments task queue worker.");
    insta::assert_snapshot!(dewar(&repo, &["queue", "start"]), @"Started '0' new experiments task queue workers.");
    wait_until("it runs", || is(&states(&repo), &[("first", "running"), ("later", "queued")]));
    dewar(&repo, &["queue", "stop"]).success();
    fs::write(&open, "").unwrap();
    assert!(is(&settled(&repo), &[("later", "queued"), ("first", "success")]));
}

#[test]
fn names_are_not_taken_twice() {
    let repo = project();
    dewar(&repo, &["exp", "run", "--queue", "-n", "one", "-S", "lr=2"]).success();
    dewar(&repo, &["exp", "run", "--queue", "-n", "one", "-S", "lr=3"]).failure(4);
    assert_eq!(stash(&repo).len(), 1);
    dewar(&repo, &["exp", "run", "--queue", "-S", "nothing=2"]).failure(2);
    dewar(&repo, &["exp", "run", "--queue", "no-such-stage"]).failure(2);
    assert_eq!(stash(&repo).len(), 1);
    dewar(&repo, &["queue", "logs", "two"]).failure(2);
    dewar(&repo, &["queue", "remove", "one", "two"]).failure(2);
    assert!(dewar(&repo, &["queue", "logs", "one"]).success().contains("has not been started"));
    assert!(is(&states(&repo), &[("one", "queued")]));
}

#[test]
fn nobody_else_decides_what_runs() {
    use std::os::unix::fs::PermissionsExt;
    let repo = project();
    dewar(&repo, &["exp", "run", "--queue", "-n", "one", "-S", "lr=2"]).success();
    let queue = repo.root().join(".dvc/tmp/exps/queue");
    let own = fs::read_dir(queue).unwrap().next().unwrap().unwrap().path();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&own), 0o700);
    fs::set_permissions(&own, fs::Permissions::from_mode(0o777)).unwrap();
    for args in
        [&["queue", "start"][..], &["queue", "status"], &["exp", "run", "--run-all"], &["exp", "run", "--queue"]]
    {
        dewar(&repo, args).failure(4);
    }
    fs::set_permissions(&own, fs::Permissions::from_mode(0o700)).unwrap();
    // An attempt is begun by a worker alone.
    let task = status(&repo)["tasks"][0]["task"].as_str().unwrap().to_owned();
    dewar(&repo, &["queue", "exec", "--jobs", "1", &task]).failure(2);
    assert_eq!(told(&repo), [""; 0]);
}

#[test]
fn what_waits_keeps_its_data() {
    let repo = project();
    repo.write("data.csv", "only queued\n");
    dewar(&repo, &["exp", "run", "--queue", "-n", "one", "-S", "lr=2"]).success();
    repo.write("data.csv", "1,2\n");
    dewar(&repo, &["gc", "--workspace", "--force"]).success();
    dewar(&repo, &["queue", "run", "one"]).success();
    assert!(recorded(&repo, "one", "dvc.lock").contains("prepared"));
    dewar(&repo, &["exp", "apply", "--force", "one"]).success();
    assert!(repo.read("model").starts_with("only queued\n"));
}

#[test]
fn one_that_equals_another_is_noted() {
    let repo = project();
    dewar(&repo, &["exp", "run", "-n", "done", "-S", "lr=2"]).success();
    repo.git(&["checkout", "--quiet", "--", "."]).success();
    let queue = |name: &str, more: &[&str]| {
        let output = dewar(&repo, &[&["exp", "run", "--queue", "-n", name], more].concat());
        let note = output.stderr.clone();
        output.success();
        note
    };
    assert!(queue("a", &["-S", "lr=2"]).contains("'a' has the inputs of 'done', which is done"));
    assert_eq!(queue("b", &["-S", "lr=3"]), "");
    assert!(queue("c", &["-S", "lr=3"]).contains("'c' has the inputs of 'b', which is queued"));
    assert_eq!(queue("d", &["-S", "lr=3", "prepare"]), "", "it runs other stages");
    repo.write("code.py", "other\n");
    assert_eq!(queue("e", &["-S", "lr=3"]), "");
    assert!(queue("f", &["-S", "lr=4,3"]).contains("'f-2' has the inputs of 'e'"));
}

#[test]
fn paths_back_into_the_workspace_are_named() {
    let repo = project();
    let root = repo.root().display().to_string();
    repo.write("params.yaml", format!("lr: 1\nroot: {root}/data\n"));
    repo.write(
        "dvc.yaml",
        format!("stages:\n  s:\n    cmd: cat {root}/code.py > out\n    params: [lr, root]\n    outs: [out]\n"),
    );
    let run = ["exp", "run", "--queue", "-n", "one"];
    repo.run(program(&repo).args(run).env("PYTHONPATH", format!("/else:{root}/src")).env("PWD", &root)).success();
    let output = dewar(&repo, &["queue", "run", "one"]);
    let log = output.stdout.clone();
    output.success();
    for line in [
        "the command of the stage `s` names `[ROOT]/code.py`, which is in your workspace",
        "`params.yaml` names `[ROOT]/data`",
        "the environment variable `PYTHONPATH` names `[ROOT]/src`",
    ] {
        assert!(log.contains(line), "{line} in {log}");
    }
    assert!(!log.contains("`PWD`"), "{log}");
}
