//! Experiments beside the workspace: what is in their own, what of the user's they cannot touch, and what is left behind.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dewar_tests::{TestRepo, kill, wait_for};

use super::repo;

/// A stage that tells where it runs and what is there, and reads data that only the cache has.
const PIPELINE: &str = "\
stages:
  prepare:
    cmd: cat data.csv > prepared
    deps: [data.csv]
    outs: [prepared]
  train:
    cmd: pwd > $SEEN; ls -A >> $SEEN; cat prepared code.py params.yaml > model && cp params.yaml metrics.yaml
    deps: [prepared, code.py]
    params: [lr]
    outs: [model]
    metrics: [{metrics.yaml: {cache: false}}]
";

/// A project that is up to date and committed.
fn project() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("dvc.yaml", PIPELINE);
    repo.write("params.yaml", "lr: 1 # slow\n").write("code.py", "code\n").write("data.csv", "1,2\n");
    repo.dewar(&["add", "data.csv"]).success();
    dewar(&repo, &["repro"]).success();
    repo.commit("begin");
    repo
}

/// Runs dewar with the place where stages tell what they saw.
fn dewar(repo: &TestRepo, args: &[&str]) -> dewar_tests::CommandOutput {
    repo.run(program(repo).args(args))
}

fn program(repo: &TestRepo) -> std::process::Command {
    let mut command = repo.command(env!("CARGO_BIN_EXE_dewar"));
    command.env("SEEN", repo.outside("seen"));
    command
}

fn seen(repo: &TestRepo) -> String {
    fs::read_to_string(repo.outside("seen")).unwrap_or_default()
}

/// All that is the user's, to the byte: the files and git's, but for the experiments and the objects.
fn of_the_user(repo: &TestRepo) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> =
        repo.everything().into_iter().filter(|(name, _)| !name.starts_with(".dvc/cache")).collect();
    for name in ["HEAD", "index", "logs/HEAD", "logs/refs/heads/main", "refs/heads/main", "config", "info/exclude"] {
        all.push((format!(".git/{name}"), fs::read(repo.root().join(".git").join(name)).unwrap()));
    }
    all.push(("refs".into(), repo.git(&["for-each-ref", "refs/heads", "refs/tags", "refs/stash"]).success().into()));
    all
}

/// The isolated workspaces that are there.
fn isolated(repo: &TestRepo) -> Vec<PathBuf> {
    let folders = fs::read_dir(repo.root().join(".dvc/tmp/exps/isolated")).into_iter().flatten();
    folders.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
}

/// A file of an experiment.
#[track_caller]
fn recorded(repo: &TestRepo, name: &str, file: &str) -> String {
    repo.git(&["show", &format!("{}:{file}", reference(repo, name))]).success()
}

fn reference(repo: &TestRepo, name: &str) -> String {
    let references = repo.git(&["for-each-ref", "--format=%(refname)", "refs/exps/"]).success();
    let found = references.lines().find(|reference| reference.ends_with(&format!("/{name}")));
    found.unwrap().to_owned()
}

fn experiments(repo: &TestRepo) -> usize {
    let references = repo.git(&["for-each-ref", "refs/exps/"]).success();
    references.lines().filter(|reference| !reference.contains("refs/exps/celery/")).count()
}

#[test]
fn it_runs_elsewhere_with_what_git_tracks_and_leaves_the_workspace_alone() {
    let repo = project();
    repo.write("code.py", "changed\n").write("staged", "mine\n").write("untracked", "not mine\n");
    repo.write(".git/info/exclude", "/ignored\n").write("ignored", "");
    repo.git(&["add", "staged"]).success();
    // The data is in the cache alone.
    fs::remove_file(repo.root().join("prepared")).unwrap();
    let before = of_the_user(&repo);
    let output = dewar(&repo, &["exp", "run", "--temp", "-n", "one", "-S", "lr=2"]);
    insta::assert_snapshot!(output, @r#"
    Reproducing experiment 'one'
    Stage 'data.csv.dvc' didn't change, skipping
    Stage 'prepare' didn't change, skipping
    Running stage 'train':
    > pwd > $SEEN; ls -A >> $SEEN; cat prepared code.py params.yaml > model && cp params.yaml metrics.yaml
    Updating lock file 'dvc.lock'

    Ran experiment(s): one
    To apply the results of an experiment to your workspace run:

    	dewar exp apply one
    "#);
    assert!(of_the_user(&repo) == before, "something of the user's changed");
    let seen = seen(&repo);
    let mut lines = seen.lines();
    let place = Path::new(lines.next().unwrap());
    assert!(place.starts_with(repo.root().join(".dvc/tmp/exps")), "{place:?}");
    let there: Vec<&str> = lines.collect();
    let wanted = [
        ".dvc",
        ".dvcignore",
        ".git",
        ".gitignore",
        "code.py",
        "data.csv",
        "data.csv.dvc",
        "dvc.lock",
        "dvc.yaml",
        "params.yaml",
        "prepared",
        "staged",
    ];
    assert_eq!(there, wanted);
    assert_eq!(recorded(&repo, "one", "params.yaml"), "lr: 2 # slow\n");
    assert_eq!(recorded(&repo, "one", "metrics.yaml"), "lr: 2 # slow\n");
    assert_eq!(
        (recorded(&repo, "one", "code.py"), recorded(&repo, "one", "staged")),
        ("changed\n".into(), "mine\n".into())
    );
    let files = repo.git(&["ls-tree", "-r", "--name-only", &reference(&repo, "one")]).success();
    assert!(
        !files.contains("untracked") && !files.contains("prepared") && !files.contains(".dvc/config.local"),
        "{files}"
    );
    assert!(isolated(&repo).is_empty(), "{:?}", isolated(&repo));
    assert_eq!(repo.git(&["fsck", "--strict", "--no-dangling"]).to_string(), "");
    // What the run made is in the one cache.
    dewar(&repo, &["exp", "apply", "one"]).success();
    dewar(&repo, &["checkout"]).success();
    assert_eq!(repo.read("model"), "1,2\nchanged\nlr: 2 # slow\n");
}

#[test]
fn git_in_a_stage_is_not_the_users() {
    let repo = project();
    repo.git(&["tag", "v1"]).success();
    let command = "\
git rev-parse HEAD > $SEEN && git rev-parse --abbrev-ref HEAD >> $SEEN && git describe --tags >> $SEEN && git status --short >> $SEEN \
&& echo added > added && git add added && git commit -qm theirs && git branch theirs && git config user.name They && git stash list \
&& git rev-parse --show-toplevel >> $SEEN && echo out > out";
    repo.write("dvc.yaml", format!("stages:\n  a:\n    cmd: {command}\n    outs: [out]\n"));
    repo.commit("git");
    let before = of_the_user(&repo);
    // As from a hook of git.
    let mut run = program(&repo);
    run.env("GIT_INDEX_FILE", repo.root().join(".git/index")).env("GIT_DIR", repo.root().join(".git"));
    repo.run(run.args(["exp", "run", "--temp", "-n", "one"])).success();
    assert!(of_the_user(&repo) == before, "something of the user's changed");
    let seen = seen(&repo);
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines[0], repo.git(&["rev-parse", "HEAD"]).success().trim());
    assert_eq!(lines[1], "main");
    assert!(lines[2].starts_with("v1-1-g"), "{seen}");
    assert!(lines[3].starts_with(repo.root().join(".dvc/tmp/exps").to_str().unwrap()), "git status is clean: {seen}");
    assert_eq!(recorded(&repo, "one", "added"), "added\n");
    // Whole, although the repository that had the new objects is gone.
    assert_eq!(repo.git(&["fsck", "--strict", "--no-dangling"]).to_string(), "");
    let parent = repo.git(&["rev-parse", &format!("{}^", reference(&repo, "one"))]).success();
    assert_eq!(parent.trim(), lines[0]);
}

#[test]
fn settings_and_the_folder_stay_what_they_are() {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write(".dvc/config", "[cache]\n    dir = ../../shared\n['remote \"r\"']\n    url = ../../store\n");
    repo.write(".dvc/config.local", "[core]\n    remote = r\n");
    let command = "echo $DVC_ROOT > $SEEN; pwd >> $SEEN; cat ../.dvc/config.local >> $SEEN; echo 1 > out";
    repo.write("sub/dvc.yaml", format!("stages:\n  a:\n    cmd: {command}\n    params: [lr]\n    outs: [out]\n"));
    repo.write("sub/params.yaml", "lr: 1\n").commit("begin");
    repo.run(program(&repo).current_dir(repo.root().join("sub")).args(["exp", "run", "--temp", "-S", "lr=2", "a"]))
        .success();
    let seen = seen(&repo);
    let lines: Vec<&str> = seen.lines().collect();
    let root = repo.root().display().to_string();
    assert_eq!(lines[0], root);
    assert!(lines[1].contains("/.dvc/tmp/exps/") && lines[1].ends_with("/sub"), "{seen}");
    for setting in
        [format!("dir = {root}/.dvc/../../shared"), format!("url = {root}/.dvc/../../store"), "remote = r".into()]
    {
        assert!(seen.contains(&setting), "{seen}");
    }
    assert!(repo.outside("shared/files").is_dir() && !repo.exists(".dvc/cache/files"));
}

#[test]
fn data_that_changed_goes_along() {
    let repo = project();
    repo.write("data.csv", "3,4\n");
    let pointer = repo.read("data.csv.dvc");
    dewar(&repo, &["exp", "run", "--temp", "-n", "one"]).success();
    assert_eq!((repo.read("data.csv").as_str(), repo.read("data.csv.dvc")), ("3,4\n", pointer.clone()));
    assert_ne!(recorded(&repo, "one", "data.csv.dvc"), pointer);
    dewar(&repo, &["exp", "apply", "one"]).success();
    dewar(&repo, &["checkout", "--force"]).success();
    assert_eq!(repo.read("prepared"), "3,4\n");
}

#[test]
fn what_git_does_not_have_can_be_copied() {
    let repo = project();
    repo.write(".git/info/exclude", "/secret\n/assets\n");
    repo.write("secret", "s").write("assets/a/b", "b").write("unknown", "u");
    symlink("b", repo.root().join("assets/a/link")).unwrap();
    let needs = "cat assets/a/link secret unknown > $SEEN && ls -l assets/a/link >> $SEEN && echo > out";
    repo.write("dvc.yaml", format!("stages:\n  a:\n    cmd: {needs}\n    outs: [out]\n")).commit("needs");
    repo.git(&["rm", "-q", "--cached", "unknown"]).success();
    let without = dewar(&repo, &["exp", "run", "--temp", "-n", "no"]).failure(1);
    assert!(without.contains("the stage `a` failed"), "{without}");
    dewar(&repo, &["exp", "run", "--temp", "-C", "secret", "-C", "assets", "--copy-paths", "./unknown", "-n", "one"])
        .success();
    let seen = seen(&repo);
    assert!(seen.starts_with("bsu") && seen.trim_end().ends_with("link -> b"), "{seen}");
    let files = repo.git(&["ls-tree", "-r", "--name-only", &reference(&repo, "one")]).success();
    assert!(!files.contains("secret") && !files.contains("assets"), "{files}");
    // In the workspace everything is there.
    dewar(&repo, &["exp", "run", "-C", "nothere"]).success();
}

#[test]
fn what_is_copied_hides_no_other_output() {
    let repo = project();
    let pipeline = "\
stages:
  many:
    cmd: mkdir -p d/in && echo 1 > a && echo 1 > b && echo 1 > d/in/c
    deps: [src]
    outs: [a, b, d]
  last:
    cmd: cat a b d/in/c extra/in | tee $SEEN > out
    deps: [a, b, d/in/c]
    params: [lr]
    outs: [out]
";
    repo.write("dvc.yaml", pipeline).write("src", "").write("extra/in", "0\n").commit("many");
    dewar(&repo, &["repro"]).success();
    repo.commit("ran");
    repo.write("a", "2\n");
    // Only what is read decides whether `last` can run, so nothing else may bring `b` and `d` there.
    dewar(&repo, &["exp", "run", "--temp", "-n", "one", "-C", "a", "-S", "lr=2", "--single-item", "last"]).success();
    assert_eq!(seen(&repo), "2\n1\n1\n0\n");
}

#[test]
fn what_is_lacking_is_named() {
    let repo = project();
    repo.write("dvc.yaml", "stages:\n  a:\n    cmd: cat fresh > out\n    deps: [fresh]\n    outs: [out]\n")
        .commit("needs");
    repo.write("fresh", "");
    let said = dewar(&repo, &["exp", "run", "--temp"]).failure(3);
    assert!(said.contains("`git add` it, or copy it with `-C fresh`"), "{said}");
    dewar(&repo, &["exp", "run", "--temp", "-C", "fresh"]).success();
}

#[test]
fn what_cannot_be_copied() {
    let repo = project();
    fs::create_dir(repo.outside("away")).unwrap();
    fs::write(repo.outside("away/file"), "").unwrap();
    symlink(repo.outside("away"), repo.root().join("leads-out")).unwrap();
    let count = experiments(&repo);
    let before = of_the_user(&repo);
    let said = |path: &str| dewar(&repo, &["exp", "run", "--temp", "-C", path, "-n", "x"]).failure(2);
    insta::assert_snapshot!(said("nothere"), @r"
    error: there is no `nothere` to copy into the isolated workspace
    help: paths behind `--copy-paths` are relative to the folder you are in
    ");
    insta::assert_snapshot!(said("../away"), @"error: `../away` is outside the project");
    insta::assert_snapshot!(said("leads-out/file"), @"error: `leads-out/file` leads out of the project through a symlink, and is not copied into the isolated workspace");
    insta::assert_snapshot!(said("."), @"error: `.` is not copied: the isolated workspace has its own `.git` and `.dvc`");
    insta::assert_snapshot!(said(".git/config"), @"error: `.git/config` is not copied: the isolated workspace has its own `.git` and `.dvc`");
    assert!(of_the_user(&repo) == before && experiments(&repo) == count && isolated(&repo).is_empty());
}

#[test]
fn a_failure_leaves_nothing_but_a_task() {
    let repo = project();
    // A folder that cannot be written to must not stay, either.
    let command = "mkdir closed && touch closed/in && chmod 500 closed && exit 3";
    repo.write("dvc.yaml", PIPELINE.replace("cat data.csv", &format!("{command}; cat data.csv"))).commit("bad");
    let before = of_the_user(&repo);
    assert!(dewar(&repo, &["exp", "run", "--temp", "-S", "lr=5"]).failure(1).contains("exited with 3"));
    assert!(dewar(&repo, &["exp", "run", "--temp", "-S", "nothing=5"]).failure(2).contains("`nothing`"));
    assert!(dewar(&repo, &["exp", "run", "--temp", "no-stage"]).failure(2).contains("no-stage"));
    assert!(of_the_user(&repo) == before && experiments(&repo) == 0);
    assert!(isolated(&repo).is_empty(), "{:?}", isolated(&repo));
    // What did not fit did not begin; what failed is known, and can be tried again as it was.
    let status: serde_json::Value =
        serde_json::from_str(&dewar(&repo, &["queue", "status", "--json"]).success()).unwrap();
    let tasks = status["tasks"].as_array().unwrap();
    let name = tasks.first().and_then(|task| task["name"].as_str()).unwrap();
    assert!(tasks.len() == 1 && tasks[0]["state"] == "failed");
    assert!(dewar(&repo, &["queue", "logs", name]).success().contains("exited with 3"));
    dewar(&repo, &["queue", "retry", name]).success();
    dewar(&repo, &["queue", "run", name]).failure(1);
}

/// A project whose stage says that it runs and waits.
fn slow_project() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    let command = "cp params.yaml out; echo $$ > $SEEN.$(cat params.yaml | tr -dc 0-9); while [ ! -e $SEEN.go ]; do sleep 0.01; done";
    repo.write("dvc.yaml", format!("stages:\n  slow:\n    cmd: {command}\n    params: [lr]\n    outs: [out]\n"));
    repo.write("params.yaml", "lr: 1\n").commit("begin");
    repo
}

fn start(repo: &TestRepo, args: &[&str]) -> std::process::Child {
    repo.spawn(program(repo).args(["exp", "run"]).args(args))
}

#[test]
fn several_go_on_side_by_side() {
    let repo = slow_project();
    let two = start(&repo, &["--temp", "-n", "two", "-S", "lr=2"]);
    let three = start(&repo, &["--temp", "-n", "three", "-S", "lr=3"]);
    let here = start(&repo, &["-n", "four", "-S", "lr=4"]);
    for run in ["seen.2", "seen.3", "seen.4"] {
        wait_for(&repo.outside(run));
    }
    assert_eq!(isolated(&repo).len(), 2);
    // The user works on, and a run that begins now removes nothing of those that go on.
    repo.write("params.yaml", "lr: 4\n# mine\n").write("new", "").git(&["add", "new"]).success();
    let five = start(&repo, &["--temp", "-n", "five", "-S", "lr=5"]);
    wait_for(&repo.outside("seen.5"));
    assert_eq!(isolated(&repo).len(), 3);
    fs::write(repo.outside("seen.go"), "").unwrap();
    for run in [two, three, five, here] {
        drop(repo.wait(run));
    }
    for (name, params) in [("two", "lr: 2\n"), ("three", "lr: 3\n"), ("five", "lr: 5\n# mine\n")] {
        assert_eq!(recorded(&repo, name, "params.yaml"), params);
    }
    assert!(isolated(&repo).is_empty());
}

#[test]
fn an_interrupted_one_leaves_nothing() {
    for signal in ["-INT", "-TERM"] {
        let repo = slow_project();
        let before = of_the_user(&repo);
        let run = start(&repo, &["--temp", "-n", "two", "-S", "lr=2"]);
        wait_for(&repo.outside("seen.2"));
        assert!(kill(signal, &run.id().to_string()));
        assert!(repo.wait(run).failure(130).contains("interrupted"));
        assert!(of_the_user(&repo) == before && experiments(&repo) == 0 && isolated(&repo).is_empty());
    }
}

#[test]
fn what_a_killed_one_left_is_removed_when_nobody_uses_it() {
    let repo = slow_project();
    let mut run = start(&repo, &["--temp", "-n", "two", "-S", "lr=2"]);
    wait_for(&repo.outside("seen.2"));
    let stage = fs::read_to_string(repo.outside("seen.2")).unwrap();
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(isolated(&repo).len(), 1);
    // Its stage lives on there.
    let three = start(&repo, &["--temp", "-n", "three", "-S", "lr=3"]);
    wait_for(&repo.outside("seen.3"));
    assert_eq!(isolated(&repo).len(), 2);
    assert!(kill("-KILL", stage.trim()));
    // What stages it started may take a moment.
    let began = Instant::now();
    fs::write(repo.outside("seen.go"), "").unwrap();
    repo.wait(three).success();
    while !isolated(&repo).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", isolated(&repo));
        dewar(&repo, &["exp", "run", "--temp", "-S", "lr=3"]).success();
    }
    assert_eq!(recorded(&repo, "three", "params.yaml"), "lr: 3\n");
}

#[test]
fn a_project_below_the_root_of_git_and_odd_names() {
    let repo = repo();
    fs::create_dir(repo.root().join("pro ject")).unwrap();
    let inside = repo.root().join("pro ject");
    repo.run(program(&repo).current_dir(&inside).args(["init", "--subdir"])).success();
    repo.write("top", "1").write("ünï dir/fi le", "2").write("run.sh", "#!/bin/sh\necho run > out\n");
    fs::set_permissions(repo.root().join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("../run.sh", inside.join("link")).unwrap();
    repo.write(
        "pro ject/dvc.yaml",
        "stages:\n  a:\n    cmd: ./link && cat '../ünï dir/fi le' ../top >> out\n    outs: [out]\n",
    );
    repo.commit("begin");
    repo.write("top", "changed");
    repo.run(program(&repo).current_dir(&inside).args(["exp", "run", "--temp", "-n", "one"])).success();
    assert_eq!(recorded(&repo, "one", "top"), "changed");
    assert!(repo.root().join("pro ject/.dvc/tmp/exps/isolated").is_dir());
    let unset = repo.git(&["status", "--porcelain"]).success();
    assert_eq!(unset, " M top\n");
}

/// Leaves in the folder of all isolated workspaces what a killed process leaves.
fn leave(repo: &TestRepo, name: &str) -> PathBuf {
    let all = repo.root().join(".dvc/tmp/exps/isolated");
    fs::create_dir_all(all.join(name)).unwrap();
    fs::write(all.join(format!("{name}.lock")), "").unwrap();
    all.join(name)
}

#[test]
fn what_cannot_be_removed_is_in_nobodys_way() {
    let repo = project();
    let gone = leave(&repo, "exp-a");
    // To remove one folder in another takes an open file for each of them, also when root does it.
    let deep = leave(&repo, "exp-deep");
    let nested = (0..300).fold(deep.clone(), |path, _| path.join("d"));
    fs::create_dir_all(nested).unwrap();
    // Its lock cannot be asked.
    let odd = leave(&repo, "exp-odd");
    fs::remove_file(odd.with_extension("lock")).unwrap();
    fs::create_dir(odd.with_extension("lock")).unwrap();
    for args in ["exp run --temp -n one -S lr=2", "exp run -n two -S lr=3"] {
        let mut run = repo.command("sh");
        run.env("SEEN", repo.outside("seen"));
        let script = format!("ulimit -n 128; exec \"$0\" {args}");
        let output = repo.run(run.args(["-c", &script, env!("CARGO_BIN_EXE_dewar")]));
        let warned = |what: &str| output.stderr.lines().any(|line| line.contains("warning") && line.contains(what));
        assert!(output.code == Some(0) && warned("exp-deep") && warned("exp-odd.lock"), "{output}");
        assert!(!gone.exists() && !gone.with_extension("lock").exists());
        assert!(deep.exists() && deep.with_extension("lock").exists());
    }
    assert_eq!(experiments(&repo), 2);
    dewar(&repo, &["exp", "run", "--temp", "-S", "lr=4"]).success();
    assert!(!deep.exists() && !deep.with_extension("lock").exists());
}

#[test]
fn it_may_run_on_another_disk() {
    let repo = project();
    let tmp = repo.root().join(".dvc/tmp");
    fs::rename(&tmp, repo.outside("disk")).unwrap();
    symlink(repo.outside("disk"), &tmp).unwrap();
    repo.write(".git/info/exclude", "/extra\n").write("extra", "");
    dewar(&repo, &["exp", "run", "--temp", "-C", "extra", "-n", "one", "-S", "lr=2"]).success();
    assert!(seen(&repo).starts_with(repo.outside("disk/exps/isolated").to_str().unwrap()), "{}", seen(&repo));
    assert_eq!(recorded(&repo, "one", "metrics.yaml"), "lr: 2 # slow\n");
    assert!(isolated(&repo).is_empty(), "{:?}", isolated(&repo));
}
