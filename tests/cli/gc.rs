//! `gc`: what stays by which flag, and that nothing goes which somebody needs.

use std::fs;
use std::io::{BufRead, BufReader};

use dewar_tests::TestRepo;

use super::bad_input::{project, refusal};
use super::data::objects;

/// The cache of a project in which `x` was 1 on the tag `one`, 2 on the branch `side`, 3 on `main`, and is 4 in the workspace.
fn history() -> TestRepo {
    let repo = project();
    repo.write("dvc.yaml", "stages:\n  a:\n    cmd: cp params.yaml x\n    deps: [params.yaml]\n    outs: [x]\n");
    for (value, after) in [("1", &["tag", "one"][..]), ("2", &["branch", "side"]), ("3", &[])] {
        repo.write("params.yaml", format!("lr: {value}\n"));
        repo.dewar(&["repro"]).success();
        repo.commit(value);
        if !after.is_empty() {
            repo.git(after).success();
        }
    }
    repo.write("params.yaml", "lr: 4\n");
    repo.dewar(&["repro"]).success();
    repo
}

/// Which values of `x` the cache has.
fn values(repo: &TestRepo) -> Vec<String> {
    let mut values: Vec<String> =
        objects(repo).iter().map(|name| repo.read(name).trim().trim_start_matches("lr: ").to_owned()).collect();
    values.sort();
    values
}

#[test]
fn each_flag_keeps_what_it_says() {
    for (flags, kept) in [
        (&["-w"][..], "4"),
        (&["-a"], "2 3 4"),
        (&["-T"], "1 4"),
        (&["-A"], "1 2 3 4"),
        (&["-a", "-T"], "1 2 3 4"),
        (&["--rev", "one"], "1 4"),
        (&["--rev", "main", "-n", "2"], "2 3 4"),
        (&["--rev", "main", "-n", "-1"], "1 2 3 4"),
        (&["--date", "2026-01-02"], "1 2 3 4"),
        (&["--date", "2026-01-03"], "4"),
        (&["--all-experiments"], "4"),
    ] {
        let repo = history();
        assert_eq!(values(&repo), ["1", "2", "3", "4"]);
        repo.dewar(&[&["gc", "--force"], flags].concat()).success();
        assert_eq!(values(&repo).join(" "), kept, "{flags:?}");
        // The workspace can be made again from the cache.
        fs::remove_file(repo.root().join("x")).unwrap();
        repo.dewar(&["checkout"]).success();
        assert_eq!(repo.read("x"), "lr: 4\n");
    }
}

#[test]
fn every_commit_can_be_checked_out_after_all_commits_were_kept() {
    let repo = history();
    repo.commit("4");
    repo.write("dir/a", "a").write("dir/b/c", "c");
    repo.dewar(&["add", "dir"]).success();
    repo.commit("5");
    repo.git(&["rm", "-q", "dir.dvc"]).success();
    repo.commit("6");
    repo.dewar(&["gc", "--all-commits", "--force"]).success();
    for revision in ["HEAD", "HEAD~1", "HEAD~2", "side", "one"] {
        fs::remove_dir_all(repo.root().join("dir")).ok();
        repo.git(&["checkout", "-q", revision]).success();
        repo.dewar(&["checkout", "--force"]).success();
        assert_eq!(repo.read("x"), repo.read("params.yaml"));
        assert_eq!(repo.exists("dir/b/c"), revision == "HEAD~1");
        repo.git(&["checkout", "-q", "main"]).success();
    }
}

#[test]
fn experiments_stay_when_asked_for() {
    let repo = history();
    repo.commit("4");
    repo.dewar(&["exp", "run", "-S", "lr=5", "-n", "five"]).success();
    repo.git(&["checkout", "-q", "--force", "."]).success();
    repo.dewar(&["checkout"]).success();
    repo.dewar(&["gc", "-A", "--all-experiments", "--force"]).success();
    assert_eq!(values(&repo), ["1", "2", "3", "4", "5"]);
    repo.dewar(&["gc", "-A", "--force"]).success();
    assert_eq!(values(&repo), ["1", "2", "3", "4"]);
}

#[test]
fn remembered_runs_go_with_their_results() {
    let repo = history();
    let runs = || {
        let everything = repo.everything();
        everything.keys().filter(|name| name.starts_with(".dvc/cache/runs/") && name.matches('/').count() == 5).count()
    };
    assert_eq!(runs(), 4);
    insta::assert_snapshot!(repo.dewar(&["gc", "-w", "--force"]).success(), @"Removed 3 objects (18 B), 3 remembered runs.");
    assert_eq!(runs(), 1);
    insta::assert_snapshot!(repo.dewar(&["gc", "-w", "--force"]).success(), @"There is nothing to remove.");
    // And the one that is left serves.
    fs::remove_file(repo.root().join("dvc.lock")).unwrap();
    assert!(repo.dewar(&["repro"]).success().contains("is cached"));
}

#[test]
fn it_asks_and_takes_no_silence_for_a_yes() {
    let repo = history();
    insta::assert_snapshot!(refusal(&repo, &["gc", "-w"], 2), @r"
    error: `gc` would remove 3 objects (18 B), 3 remembered runs, and there is no terminal to ask on
    help: `--force` removes without asking; `--dry` lists it
    ");
    let before = repo.everything();
    let listed = repo.dewar(&["gc", "-w", "--dry"]).success();
    assert_eq!(listed.lines().count(), 4, "{listed}");
    assert!(listed.ends_with("Would remove 3 objects (18 B), 3 remembered runs.\n"), "{listed}");
    assert_eq!(repo.everything(), before);
    for (args, said) in [
        (&["gc"][..], "--workspace"),
        (&["gc", "--force"], "--workspace"),
        (&["gc", "-w", "-n", "2"], "`--num` counts from"),
        (&["gc", "-w", "--cloud"], "`--cloud` is about what remotes have"),
        (&["gc", "-w", "--not-in-remote"], "`--not-in-remote` is about what remotes have"),
        (&["gc", "-w", "--remote", "r"], "`--remote` is about what remotes have"),
        (&["gc", "--date", "yesterday"], "`yesterday` is no day"),
        (&["gc", "--rev", "nosuch", "--force"], "nosuch"),
    ] {
        let message = refusal(&repo, args, 2);
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn a_commit_that_cannot_be_read_stops_it() {
    let repo = history();
    repo.git(&["checkout", "-q", "-f", "side"]).success();
    repo.write("sub/dvc.lock", "<<<<<<< ours\n").commit("broken");
    repo.git(&["checkout", "-q", "main"]).success();
    repo.dewar(&["checkout"]).success();
    let said = refusal(&repo, &["gc", "-a", "--force"], 3);
    assert!(said.contains("sub/dvc.lock") && said.contains("--skip-failed"), "{said}");
    let said = repo.dewar(&["gc", "-a", "--force", "--skip-failed"]);
    assert!(said.stderr.contains("warning: passed by: in the commit "), "{said}");
    assert_eq!(values(&repo), ["2", "3"]);
}

#[test]
fn nothing_is_removed_while_a_stage_runs() {
    let repo = history();
    repo.write("dvc.yaml", "stages:\n  slow:\n    cmd: echo ready; read line < ../go; echo 9 > y\n    outs: [y]\n");
    assert!(std::process::Command::new("mkfifo").arg(repo.outside("go")).status().unwrap().success());
    let mut command = repo.command(env!("CARGO_BIN_EXE_dewar"));
    let mut running = repo.spawn(command.arg("repro"));
    let mut lines = BufReader::new(running.stdout.as_mut().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "ready"));
    drop(lines);
    let said = refusal(&repo, &["gc", "-w", "--force"], 4);
    assert!(said.contains(&format!("process {}, `repro`", running.id())), "{said}");
    // Nor from another project that shares the cache.
    let other = project();
    other.write(".dvc/config", format!("[cache]\n    dir = {}\n", repo.root().join(".dvc/cache").display()));
    let said = other.dewar(&["gc", "-w", "--force"]).failure(4);
    let holder =
        format!("error: the cache is in use by process {}, `repro` in `{}`", running.id(), repo.root().display());
    assert!(said.starts_with(&holder), "{said}");
    fs::write(repo.outside("go"), "\n").unwrap();
    repo.wait(running).success();
    repo.dewar(&["gc", "-w", "--force"]).success();
    fs::remove_file(repo.root().join("y")).unwrap();
    repo.dewar(&["checkout"]).success();
    assert_eq!(repo.read("y"), "9\n");
}

#[test]
fn what_killed_processes_left_goes_and_what_dvc_holds_stays() {
    let repo = history();
    repo.write(".dvc/cache/tmp/dewar-half", "half of an object").write(".dvc/cache/tmp/users/dead", "process 1, `x`\n");
    insta::assert_snapshot!(repo.dewar(&["gc", "-A", "--force"]).success(), @"Removed 0 objects (0 B), 2 half-written files.");
    assert!(!repo.exists(".dvc/cache/tmp/dewar-half"));
    let lock = fs::File::create(repo.root().join(".dvc/tmp/lock")).unwrap();
    lock.lock().unwrap();
    let said = refusal(&repo, &["gc", "-w", "--force"], 4);
    assert!(said.starts_with("error: a DVC command works in"), "{said}");
}

#[test]
fn projects_that_share_a_cache_keep_their_own() {
    let repo = history();
    let other = project();
    other.write(".dvc/config", format!("[cache]\n    dir = {}\n", repo.root().join(".dvc/cache").display()));
    other.write("mine", "lr: 7\n");
    other.dewar(&["add", "mine"]).success();
    let other_root = other.root().to_str().unwrap().to_owned();
    repo.dewar(&["gc", "-w", "--force", "-p", &other_root]).success();
    assert_eq!(values(&repo), ["4", "7"]);
    repo.dewar(&["gc", "-w", "--force"]).success();
    assert_eq!(values(&repo), ["4"]);
}

#[test]
fn the_files_of_a_directory_stay_with_its_listing() {
    let repo = project();
    repo.write("d/a", "1").write("d/b/c", "2").write("loose", "3");
    repo.dewar(&["add", "d", "loose"]).success();
    fs::remove_file(repo.root().join("loose.dvc")).unwrap();
    repo.dewar(&["gc", "-w", "--force"]).success();
    assert_eq!(objects(&repo).len(), 3);
    fs::remove_dir_all(repo.root().join("d")).unwrap();
    repo.dewar(&["checkout"]).success();
    assert_eq!(repo.read("d/b/c"), "2");
}

#[test]
fn what_cannot_be_looked_at_may_name_what_is_in_use() {
    let repo = project();
    repo.write("sub/loose", "1");
    repo.dewar(&["add", "sub/loose"]).success();
    // A link that leads nowhere names nothing; one that nobody can follow may.
    std::os::unix::fs::symlink("loose.dvc", repo.root().join("sub/other.dvc")).unwrap();
    std::os::unix::fs::symlink("nowhere", repo.root().join("sub/gone.dvc")).unwrap();
    repo.dewar(&["gc", "-w", "--force"]).success();
    fs::rename(repo.root().join("sub/loose.dvc"), repo.outside("loose.dvc")).unwrap();
    std::os::unix::fs::symlink("other.dvc", repo.root().join("sub/loose.dvc")).unwrap();
    for args in [&["gc", "-w", "--dry"][..], &["gc", "-w", "--force"]] {
        let said = refusal(&repo, args, 4);
        assert!(said.starts_with("error: cannot look at `") && said.contains("too many levels"), "{said}");
    }
    assert_eq!(objects(&repo).len(), 1);
    // From another project that shares the cache, too.
    let other = project();
    other.write(".dvc/config", format!("[cache]\n    dir = {}\n", repo.root().join(".dvc/cache").display()));
    refusal(&other, &["gc", "-w", "--force", "-p", repo.root().to_str().unwrap()], 4);
    assert_eq!(objects(&repo).len(), 1);
    // Who only looks at what can run is not stopped by it.
    repo.dewar(&["status"]).success();
}
