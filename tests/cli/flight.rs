//! Stages that several runs need, and what of the machine they hold while they run.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use dewar_tests::TestRepo;

use super::repo;

/// Waits for what the test runs in another process.
#[track_caller]
fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_true() {
        assert!(began.elapsed() < Duration::from_secs(30), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn program(repo: &TestRepo, args: &[&str]) -> Command {
    let mut command = repo.command(env!("CARGO_BIN_EXE_dewar"));
    command.args(args).env("BESIDE", repo.root().parent().unwrap());
    command
}

/// A run beside the others, whose messages go into the file `NAME.err` beside the repository.
fn start(repo: &TestRepo, name: &str, args: &[&str]) -> Child {
    let err = fs::File::create(repo.outside(&format!("{name}.err"))).unwrap();
    program(repo, args)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(err)
        .spawn()
        .unwrap()
}

fn said(repo: &TestRepo, name: &str) -> String {
    fs::read_to_string(repo.outside(&format!("{name}.err"))).unwrap_or_default()
}

fn experiment(repo: &TestRepo, name: &str, lr: &str) -> Child {
    start(repo, name, &["exp", "run", "--temp", "-n", name, "-S", &format!("lr={lr}")])
}

fn lines(repo: &TestRepo, file: &str) -> usize {
    fs::read_to_string(repo.outside(file)).unwrap_or_default().lines().count()
}

/// What lies in the cache's folder for temporary files while nobody uses it: no locks of flights.
fn flights(repo: &TestRepo) -> usize {
    let is_flight = |path: &Path| path.extension().is_some_and(|suffix| suffix == "run");
    fs::read_dir(repo.root().join(".dvc/cache/tmp"))
        .unwrap()
        .filter(|file| is_flight(&file.as_ref().unwrap().path()))
        .count()
}

/// A first stage that every experiment needs, which runs until `go` is there, and a second that differs in each.
fn project(prepare: &str) -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write(
        "dvc.yaml",
        format!(
            "stages:\n  prepare:\n    cmd: echo $$ >> $BESIDE/prepared; \
             while [ ! -e $BESIDE/go ]; do sleep 0.01; done; {prepare}\n    deps: [data]\n    outs: [prepared]\n  \
             train:\n    cmd: cat prepared params.yaml > model\n    deps: [prepared]\n    params: [lr]\n    outs: [model]\n"
        ),
    );
    repo.write("data", "1\n").write("params.yaml", "lr: 0\n").commit("begin");
    repo
}

const WAITS: &str = "Stage 'prepare' waits: the same stage with the same inputs runs already (process ";

#[test]
fn experiments_that_need_the_same_stage_run_it_once() {
    let repo = project("cat data > prepared");
    let one = experiment(&repo, "one", "1");
    wait_until("the first runs", || lines(&repo, "prepared") == 1);
    let two = experiment(&repo, "two", "2");
    let here = start(&repo, "here", &["repro"]);
    for name in ["two", "here"] {
        wait_until("the others wait", || said(&repo, name).contains(WAITS));
        assert!(
            said(&repo, name).contains(&format!("{WAITS}{}, stage `prepare` in `", one.id())),
            "{}",
            said(&repo, name)
        );
    }
    fs::write(repo.outside("go"), "").unwrap();
    for (name, child) in [("one", one), ("two", two), ("here", here)] {
        repo.wait(child).success();
        assert_eq!(said(&repo, name).matches(WAITS).count(), usize::from(name != "one"), "{name}");
    }
    assert_eq!((lines(&repo, "prepared"), flights(&repo)), (1, 0));
    assert_eq!(repo.read("model"), "1\nlr: 0\n");
    let names = repo.git(&["for-each-ref", "--format=%(refname)", "refs/exps/"]).success();
    assert!(names.contains("/one\n") && names.contains("/two\n"), "{names}");
}

#[test]
fn when_the_first_fails_the_next_runs_it_itself() {
    let repo = project("mkdir $BESIDE/second || cat data > prepared; test -e prepared");
    let one = experiment(&repo, "one", "1");
    wait_until("the first runs", || lines(&repo, "prepared") == 1);
    let two = experiment(&repo, "two", "2");
    wait_until("the second waits", || said(&repo, "two").contains(WAITS));
    fs::write(repo.outside("go"), "").unwrap();
    repo.wait(one).failure(1);
    repo.wait(two).success();
    assert_eq!((lines(&repo, "prepared"), flights(&repo)), (2, 0));
}

#[test]
fn who_waits_goes_on_when_the_first_is_killed() {
    let repo = project("cat data > prepared");
    let mut one = experiment(&repo, "one", "1");
    wait_until("the first runs", || lines(&repo, "prepared") == 1);
    let two = experiment(&repo, "two", "2");
    wait_until("the second waits", || said(&repo, "two").contains(WAITS));
    one.kill().unwrap();
    one.wait().unwrap();
    // What the killed one started lives on, and holds nothing.
    wait_until("the second runs", || lines(&repo, "prepared") == 2);
    fs::write(repo.outside("go"), "").unwrap();
    repo.wait(two).success();
    assert_eq!(flights(&repo), 0);
}

#[test]
fn who_waits_can_be_interrupted() {
    let repo = project("cat data > prepared");
    let one = experiment(&repo, "one", "1");
    wait_until("the first runs", || lines(&repo, "prepared") == 1);
    let two = experiment(&repo, "two", "2");
    wait_until("the second waits", || said(&repo, "two").contains(WAITS));
    Command::new("kill").args(["-INT", &two.id().to_string()]).status().unwrap();
    repo.wait(two).failure(130);
    fs::write(repo.outside("go"), "").unwrap();
    repo.wait(one).success();
    assert_eq!((lines(&repo, "prepared"), flights(&repo)), (1, 0));
}

#[test]
fn who_is_forced_or_remembers_nothing_waits_for_nobody() {
    let repo = project("cat data > prepared");
    let one = experiment(&repo, "one", "1");
    wait_until("the first runs", || lines(&repo, "prepared") == 1);
    let forced = start(&repo, "forced", &["exp", "run", "--temp", "-n", "forced", "-S", "lr=3", "--force"]);
    wait_until("it runs, too", || lines(&repo, "prepared") == 2);
    let alone = start(&repo, "alone", &["repro", "--no-run-cache"]);
    wait_until("so does this", || lines(&repo, "prepared") == 3);
    fs::write(repo.outside("go"), "").unwrap();
    for child in [one, forced, alone] {
        repo.wait(child).success();
    }
}

/// Stages that refuse to run at the same time.
fn exclusive(needs: &str) -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    let stage = |name: &str| {
        format!(
            "  {name}:\n    cmd: mkdir $BESIDE/alone && sleep 0.05 && rmdir $BESIDE/alone && touch {name}\n    \
             outs: [{name}]\n    meta: {{mine: 1, dewar: {{resources: {{{needs}}}}}}}\n"
        )
    };
    repo.write("dvc.yaml", format!("stages:\n{}{}{}", stage("a"), stage("b"), stage("c"))).commit("begin");
    repo
}

/// No claims are left behind.
#[track_caller]
fn assert_nothing_is_held(repo: &TestRepo) {
    let folder = fs::read_dir(repo.root().join(".dvc/tmp/dewar/claims")).unwrap().next().unwrap().unwrap();
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["ledger.lock"]);
}

#[test]
fn stages_that_need_the_same_do_not_overlap() {
    let repo = exclusive("gpu: 1, memory: 8GiB");
    repo.write("dewar.toml", "[resources]\ngpu = 1\nmemory = \"64GiB\"\n");
    let output = repo.run(&mut program(&repo, &["repro", "-j", "3"]));
    assert!(output.stderr.contains("waits: it needs gpu: 1, memory: 8GiB, which others have"), "{output}");
    output.success();
    assert_nothing_is_held(&repo);
    // The twin: with enough for all, they are in each other's way.
    fs::create_dir(repo.outside("alone")).unwrap();
    repo.run(&mut program(&repo, &["repro", "-j", "3", "--force"])).failure(1);
}

#[test]
fn what_is_held_is_held_from_isolated_workspaces_too() {
    let repo = exclusive("gpu: 1");
    repo.write("dewar.toml", "[resources]\ngpu = 1\n");
    repo.git(&["add", "dewar.toml"]).success();
    repo.write(
        "dvc.yaml",
        "stages:\n  a:\n    cmd: touch $BESIDE/began.$lr; while [ ! -e $BESIDE/go ]; do sleep 0.01; done; cp params.yaml a\n    \
         params: [lr]\n    outs: [a]\n    meta: {dewar: {resources: {gpu: 1}}}\n"
            .replace("$lr", "$(tr -dc 0-9 < params.yaml)"),
    );
    repo.write("params.yaml", "lr: 0\n").commit("gate");
    let mut one = experiment(&repo, "one", "1");
    wait_until("the first runs", || repo.outside("began.1").exists());
    let two = experiment(&repo, "two", "2");
    wait_until("the second waits", || said(&repo, "two").contains("Stage 'a' waits: it needs gpu: 1, which"));
    assert!(!repo.outside("began.2").exists());
    // However the first ends.
    one.kill().unwrap();
    one.wait().unwrap();
    wait_until("the second runs", || repo.outside("began.2").exists());
    fs::write(repo.outside("go"), "").unwrap();
    repo.wait(two).success();
    assert_nothing_is_held(&repo);
}

#[test]
fn what_the_machine_does_not_have_is_told_where_it_is_asked_for() {
    let repo = exclusive("gpu: 2");
    let run = |args: &[&str]| repo.run(&mut program(&repo, args)).failure(3);
    insta::assert_snapshot!(run(&["repro", "a"]), @r"
    error: the stage `a` cannot run here: it needs `gpu: 2`, and `dewar.toml` does not say how much `gpu` this machine has
     --> dvc.yaml:5:41
      |
    5 |     meta: {mine: 1, dewar: {resources: {gpu: 2}}}
      |                                         ^^^^^^
    help: if it has as much, write `gpu = 2` below `[resources]` of `dewar.toml`
    ");
    repo.write("dewar.toml", "[resources]\ngpu = 1\n");
    insta::assert_snapshot!(run(&["repro", "a"]), @r"
    error: the stage `a` cannot run here: it needs `gpu: 2`, and this machine has `gpu: 1`
     --> dvc.yaml:5:41
      |
    5 |     meta: {mine: 1, dewar: {resources: {gpu: 2}}}
      |                                         ^^^^^^
    help: if it has as much, write `gpu = 2` below `[resources]` of `dewar.toml`
    ");
    repo.write("dewar.toml", "[resources]\ngpu = \"1GiB\"\n");
    insta::assert_snapshot!(run(&["exp", "run", "a"]), @r"
    error: the stage `a` cannot run here: it needs `gpu: 2`, which cannot be compared with the `gpu: 1GiB` that this machine has
     --> dvc.yaml:5:41
      |
    5 |     meta: {mine: 1, dewar: {resources: {gpu: 2}}}
      |                                         ^^^^^^
    help: give both a unit, such as GiB, or none
    ");
    repo.write("dewar.toml", "[resources]\ngpu = \"lots\"\n");
    insta::assert_snapshot!(run(&["repro", "a"]), @r#"
    error: `lots` is neither an integer, such as 2, nor a size, such as 8GiB
     --> dewar.toml:2:7
      |
    2 | gpu = "lots"
      |       ^^^^^^
    "#);
    assert!(!repo.exists("a") && !repo.exists(".dvc/tmp/dewar/claims"));
    repo.write("dewar.toml", "[resources]\ngpu = 2\n");
    repo.run(&mut program(&repo, &["repro", "a"])).success();
    // Nothing runs, so nothing is needed.
    fs::remove_file(repo.root().join("dewar.toml")).unwrap();
    repo.run(&mut program(&repo, &["repro", "a"])).success();
}

#[test]
fn what_surely_cannot_run_is_told_before_anything_runs() {
    let repo = repo();
    repo.dewar(&["init"]).success();
    let pipeline = |deps: &str| {
        format!(
            "stages:\n  first:\n    cmd: touch first\n    outs: [first]\n  big:\n    cmd: touch big\n    deps: [{deps}]\n    \
             outs: [big]\n    meta: {{dewar: {{resources: {{gpu: 2}}}}}}\n"
        )
    };
    repo.write("data", "").write("dewar.toml", "[resources]\ngpu = 1\n").write("dvc.yaml", pipeline("data"));
    repo.dewar(&["repro"]).failure(3);
    assert!(!repo.exists("first"));
    // Where others need not mind, they do not.
    let told = repo.dewar(&["repro", "--keep-going"]).failure(3);
    assert!(told.contains("the stage `big` cannot run here") && repo.exists("first"), "{told}");
    // Its result may be known once it is clear what the first one writes.
    repo.write("dvc.yaml", pipeline("first"));
    let told = repo.dewar(&["repro", "--force"]).failure(3);
    assert!(told.contains("warning: the stage `big` cannot run here") && told.contains("in its turn"), "{told}");
    assert!(repo.read("dvc.lock").contains("first:"));
}

#[test]
fn what_is_no_amount_is_told_where_it_stands() {
    let repo = exclusive("memory: 8G");
    insta::assert_snapshot!(repo.dewar(&["status"]).failure(3), @r"
    error: `memory`: `G` is no unit: there are B, kB, KiB, MB, MiB, GB, GiB, TB, TiB
     --> dvc.yaml:5:49
      |
    5 |     meta: {mine: 1, dewar: {resources: {memory: 8G}}}
      |                                                 ^^
    ");
    let repo = exclusive("gpu: -1");
    insta::assert_snapshot!(repo.dewar(&["repro"]).failure(3), @r"
    error: `gpu`: -1 is less than nothing
     --> dvc.yaml:5:46
      |
    5 |     meta: {mine: 1, dewar: {resources: {gpu: -1}}}
      |                                              ^^
    ");
}
