//! The queue as `exp show` and `exp apply` see it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use dewar_tests::TestRepo;
use serde_json::{Value, json};

use super::queue::{closed_gate, dewar, gate, kill, processes, program, project, settled, wait_until};

fn queue(repo: &TestRepo, name: &str, rate: &str) {
    dewar(repo, &["exp", "run", "--queue", "-n", name, "-S", &format!("lr={rate}")]).success();
}

/// What is told of the experiments on `HEAD`.
fn experiments(repo: &TestRepo, args: &[&str]) -> Vec<Value> {
    let shown: Value =
        serde_json::from_str(&dewar(repo, &[&["exp", "show", "--json"], args].concat()).success()).unwrap();
    shown.as_array().unwrap().last().unwrap()["experiments"].as_array().cloned().unwrap_or_default()
}

fn state(experiment: &Value) -> (&str, &str) {
    (experiment["name"].as_str().unwrap(), experiment["executor"]["state"].as_str().unwrap_or("none"))
}

/// The first digits of its commit.
fn short(experiment: &Value) -> &str {
    experiment["revs"][0]["rev"].as_str().unwrap().get(..7).unwrap()
}

fn metrics(experiment: &Value) -> &Value {
    &experiment["revs"][0]["data"]["metrics"]
}

#[test]
fn the_table_has_what_runs_and_waits_and_failed() {
    let repo = project();
    dewar(&repo, &["exp", "run", "-n", "plain", "-S", "lr=2"]).success();
    repo.git(&["checkout", "--quiet", "."]).success();
    // Each writes a metric before it waits or fails.
    gate(
        &repo,
        "echo \"so-far: $1\" > metrics.yaml; test $1 != 4 && while ! test -e open && test -e $TOLD.gate; do sleep 0.01; done",
    );
    queue(&repo, "bad", "4");
    dewar(&repo, &["queue", "start"]).success();
    settled(&repo);
    queue(&repo, "first", "5");
    dewar(&repo, &["queue", "start"]).success();
    let has_metric = || {
        experiments(&repo, &[])
            .iter()
            .any(|one| state(one).0 == "first" && metrics(one)["metrics.yaml"]["data"]["so-far"] == 5)
    };
    wait_until("the metric so far is seen", has_metric);
    queue(&repo, "waits", "6");
    queue(&repo, "waits-too", "7");

    // The clock, and with it commits, goes on with each look while something was waited for.
    let table = |args: &[&str]| {
        let mut text =
            dewar(&repo, &[&["exp", "show", "--drop", "Created|data.csv|code.py|prepared"], args].concat()).success();
        for experiment in experiments(&repo, &[]) {
            text = text.replace(short(&experiment), "1234567");
        }
        text
    };
    insta::assert_snapshot!(table(&[]), @r"
    ──────────────────────────────────────────────────────────────────────────────────────
     Experiment               State    Executor  metrics.yaml:lr  so-far  params.yaml:lr
    ──────────────────────────────────────────────────────────────────────────────────────
     workspace                -        -                       1       -  1
     main                     -        -                       1       -  1
     ├── 1234567 [first]      Running  Dvc-task                -       5  5
     ├── 1234567 [plain]      -        -                       2       -  2
     ├── 1234567 [waits-too]  Queued   Dvc-task                -       -  7
     ├── 1234567 [waits]      Queued   Dvc-task                -       -  6
     └── 1234567 [bad]        Failed   -                       -       -  4
    ──────────────────────────────────────────────────────────────────────────────────────
    ");
    insta::assert_snapshot!(table(&["--csv", "--hide-queued"]), @r"
    Experiment,rev,typ,parent,State,Executor,metrics.yaml:lr,so-far,params.yaml:lr
    ,workspace,baseline,,,,1,,1
    ,main,baseline,,,,1,,1
    first,1234567,branch_commit,,Running,Dvc-task,,5,5
    plain,1234567,branch_commit,,,,2,,2
    bad,1234567,branch_base,,Failed,,,,4
    ");
    assert!(!dewar(&repo, &["exp", "show", "--hide-failed", "--hide-queued"]).success().contains("Failed"));
    assert_eq!(
        experiments(&repo, &["--hide-failed"]).iter().map(state).collect::<Vec<_>>(),
        [("first", "running"), ("plain", "none"), ("waits-too", "queued"), ("waits", "queued")]
    );

    let all = experiments(&repo, &[]);
    let [running, plain, _, waits, bad] = &all[..] else { panic!("{all:?}") };
    assert_eq!(plain["executor"], Value::Null);
    let nothing =
        json!({ "root": null, "log": null, "pid": null, "returncode": null, "task_id": waits["revs"][0]["rev"] });
    assert_eq!(waits["executor"], json!({ "state": "queued", "name": "dvc-task", "local": nothing }));
    assert_eq!((metrics(waits), &waits["revs"][0]["error"]), (&json!({}), &Value::Null));
    let local = &running["executor"]["local"];
    let place = |name: &str| repo.root().join(local[name].as_str().unwrap().strip_prefix("[ROOT]/").unwrap());
    assert!(place("root").is_dir() && place("log").is_file());
    assert_eq!(local["pid"].to_string(), processes(&repo).0);
    assert_eq!((&bad["executor"]["name"], &bad["executor"]["local"]["returncode"]), (&Value::Null, &json!(1)));
    let error = &bad["revs"][0]["error"];
    assert!(error["msg"].as_str().unwrap().contains("the stage `train` failed") && error["type"] == "", "{error}");
    assert_eq!((metrics(bad), &bad["revs"][0]["data"]["params"]["params.yaml"]["data"]["lr"]), (&json!({}), &json!(4)));

    // Finished, it is its experiment, once.
    fs::write(place("root").join("open"), "").unwrap();
    let is_finished = || experiments(&repo, &[]).iter().any(|one| state(one) == ("first", "success"));
    wait_until("the first is finished", is_finished);
    let all = experiments(&repo, &[]);
    assert_eq!(all.iter().filter(|one| state(one).0 == "first").count(), 1);
    let first = all.iter().find(|one| state(one).0 == "first").unwrap();
    assert_eq!(
        (&metrics(first)["metrics.yaml"]["data"]["lr"], &first["executor"]["local"]["returncode"]),
        (&json!(5), &json!(0))
    );
    assert_ne!(first["revs"][0]["rev"], first["executor"]["local"]["task_id"]);
    dewar(&repo, &["queue", "stop", "--kill"]).success();
    settled(&repo);
}

#[test]
fn what_was_killed_does_not_seem_to_run() {
    let repo = project();
    let _open = closed_gate(&repo);
    queue(&repo, "lost", "5");
    dewar(&repo, &["queue", "start"]).success();
    let runs = || experiments(&repo, &[]).first().is_some_and(|one| !one["executor"]["local"]["pid"].is_null());
    wait_until("it runs", runs);
    let (runner, worker) = processes(&repo);
    kill("-KILL", &worker);
    kill("-KILL", &runner);
    wait_until("it runs no more", || state(&experiments(&repo, &[])[0]) != ("lost", "running"));
    let lost = experiments(&repo, &[]).remove(0);
    assert_eq!((state(&lost), &lost["executor"]["local"]["root"]), (("lost", "queued"), &Value::Null));
    repo.write("dewar.toml", "[queue]\nlost = \"fail\"\n");
    let lost = experiments(&repo, &[]).remove(0);
    assert_eq!(state(&lost), ("lost", "failed"));
    assert!(lost["revs"][0]["error"]["msg"].as_str().unwrap().contains("its process was killed"), "{lost}");
    // What the stage left running ends with the task.
    repo.write("dewar.toml", "");
    dewar(&repo, &["queue", "start"]).success();
    wait_until("it runs again", runs);
    dewar(&repo, &["queue", "stop", "--kill"]).success();
    settled(&repo);
}

#[test]
fn tasks_are_applied_as_what_they_begin_with() {
    let repo = project();
    gate(&repo, "exit 3");
    repo.write("code.py", "other code\n");
    queue(&repo, "bad", "4");
    dewar(&repo, &["queue", "start"]).success();
    settled(&repo);
    queue(&repo, "waits", "5");
    repo.git(&["checkout", "--quiet", "."]).success();
    let applied = dewar(&repo, &["exp", "apply", "bad"]);
    assert!(applied.stderr.contains("it failed, the stage `train` failed"), "{applied}");
    applied.success();
    assert_eq!((repo.read("params.yaml"), repo.read("code.py")), ("lr: 4 # slow\n".into(), "other code\n".into()));
    let applied = dewar(&repo, &["exp", "apply", short(&experiments(&repo, &[])[0])]);
    assert!(applied.stderr.contains("it waits in the queue"), "{applied}");
    applied.success();
    assert_eq!(repo.read("params.yaml"), "lr: 5 # slow\n");
    insta::assert_snapshot!(dewar(&repo, &["exp", "apply", "wiats"]).failure(2), @r"
    error: `wiats` is no experiment
    help: did you mean `waits`?
    ");
    // It goes on from there.
    gate(&repo, "exit 0");
    dewar(&repo, &["exp", "run", "-n", "mended"]).success();
}

#[test]
fn watching_tells_what_becomes_another() {
    let repo = project();
    let (tables, lines) = (repo.outside("tables"), repo.outside("lines"));
    let watch = |args: &[&str], to: &Path| {
        let mut command = program(&repo);
        command.args(["exp", "show", "--watch"]).args(args).stdout(File::create(to).unwrap());
        command.stdin(Stdio::null()).spawn().unwrap()
    };
    let mut watching = [watch(&["--hide-workspace"], &tables), watch(&["--json"], &lines)];
    let count = |path: &Path, what: &str| fs::read_to_string(path).unwrap().matches(what).count();
    wait_until("both show the first", || count(&tables, "Experiment") == 1 && count(&lines, "\n") == 1);
    queue(&repo, "waits", "5");
    wait_until("both show the second", || count(&tables, "Experiment") == 2 && count(&lines, "\n") == 2);
    assert!(fs::read_to_string(&tables).unwrap().contains("─\n\n ─"), "an empty line is between two tables");
    let last = fs::read_to_string(&lines).unwrap();
    let last: Value = serde_json::from_str(last.lines().last().unwrap()).unwrap();
    assert_eq!(last[1]["experiments"][0]["executor"]["state"], "queued");
    assert_eq!(count(&tables, "Queued"), 1);
    for watch in &mut watching {
        assert_eq!(watch.try_wait().unwrap(), None, "it ends when it is told to");
        // Not INT: what a shell starts in the background inherits that it is ignored.
        kill("-TERM", &watch.id().to_string());
        assert!(!watch.wait().unwrap().success());
    }
    dewar(&repo, &["exp", "show", "--watch", "--csv"]).failure(2);
    dewar(&repo, &["exp", "show", "--watch", "--sort-by", "nosuch"]).failure(2);
}

#[test]
fn watching_ends_when_nobody_reads() {
    let repo = project();
    let mut command = program(&repo);
    let mut watching = repo.spawn(command.args(["exp", "show", "--watch"]));
    let mut reader = BufReader::new(watching.stdout.take().unwrap());
    reader.read_line(&mut String::new()).unwrap();
    drop(reader);
    let ended = repo.wait(watching);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(141), ""));
}

#[test]
fn what_runs_in_the_workspace_is_shown_as_long_as_it_runs() {
    let repo = project();
    let (began, open) = (repo.outside("began"), repo.outside("open"));
    let wait = format!("touch {}; while ! test -e {}; do sleep 0.01; done", began.display(), open.display());
    repo.write("dvc.yaml", format!("stages:\n  slow:\n    cmd: '{wait}'\n    params: [lr]\n"));
    repo.commit("slow");
    let start = |rate: &str| {
        let set = format!("lr={rate}");
        let child =
            repo.spawn(repo.command(env!("CARGO_BIN_EXE_dewar")).args(["exp", "run", "-n", "here", "-S", &set]));
        dewar_tests::wait_for(&began);
        child
    };
    let mut killed = start("9");
    let [running] = &experiments(&repo, &[])[..] else { panic!("one runs") };
    assert_eq!((state(running), &running["executor"]["name"]), (("here", "running"), &json!("workspace")));
    assert_eq!(running["executor"]["local"]["pid"], killed.id());
    assert_eq!(running["revs"][0]["data"]["params"]["params.yaml"]["data"]["lr"], 9);
    let table = dewar(&repo, &["exp", "show", "--hide-workspace"]).success();
    assert!(table.contains("[here]") && table.contains("Running") && table.contains("Workspace"), "{table}");
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(experiments(&repo, &[]), Vec::<Value>::new(), "what was killed does not run");

    fs::write(&open, "").unwrap();
    fs::remove_file(&began).unwrap();
    wait_until("the stage that was left has ended", || repo.dewar(&["commit", "--force"]).code == Some(0));
    let ends = start("8");
    repo.wait(ends).success();
    let [ended] = &experiments(&repo, &[])[..] else { panic!("one has ended") };
    assert_eq!(state(ended), ("here", "none"));
    assert!(!repo.exists(".dvc/tmp/exps/running.json"));
}
