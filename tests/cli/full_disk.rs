//! A disk without room and a cache that takes nothing: it is said, nothing is half-written, and with room the run goes on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use dewar_tests::TestRepo;

use super::bad_input::{STAGE, project};

/// dewar where no file can grow beyond 4 or 8 MiB (the unit is 512 or 1024 bytes): what a full disk is like, for big files.
fn without_room(repo: &TestRepo, args: &str) -> Command {
    let mut command = repo.command("sh");
    let script = format!("trap '' XFSZ; ulimit -f 8192; exec \"$0\" {args}");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_dewar")]);
    command
}

#[test]
fn a_disk_without_room() {
    let repo = project();
    repo.write("dvc.yaml", "stages:\n  a:\n    cmd: cp ../big a\n    outs: [a]\n");
    fs::write(repo.outside("big"), "0123456789abcdef".repeat(1 << 20)).unwrap();
    let full = |args: &str| repo.run(&mut without_room(&repo, args));
    // The stage has no room: it fails.
    assert!(full("repro").failure(1).contains("error: the stage `a` failed"));
    assert!(!repo.exists("dvc.lock"));
    // The stage had room, and dewar has none for its copy in the cache.
    repo.write("dvc.yaml", "stages:\n  a:\n    cmd: ln ../big a\n    outs: [a]\n");
    repo.write(".dvc/config", "[cache]\n    type = copy\n");
    insta::assert_snapshot!(full("repro").failure(4), @r#"
    error: cannot copy into the cache `[ROOT]/a`: file too large
    help: make room on that disk and run the command again; nothing was left half-written
    "#);
    assert!(!repo.exists("dvc.lock"));
    let objects: Vec<_> = repo.everything().into_keys().filter(|name| name.starts_with(".dvc/cache/files/")).collect();
    assert!(objects.iter().all(|name| repo.root().join(name).is_dir()), "{objects:?}");
    // And once there is room, it goes on.
    repo.dewar(&["repro"]).success();
    insta::assert_snapshot!(repo.dewar(&["repro"]).success(), @r#"
    Stage 'a' didn't change, skipping
    Data and pipelines are up to date.
    "#);
}

#[test]
fn parameters_when_there_is_no_room() {
    let repo = project();
    let params = format!("lr: 1\n# {}\n", "x".repeat(9 << 20));
    repo.write("dvc.yaml", format!("{STAGE}    params: [lr]\n")).write("params.yaml", &params).commit("more");
    insta::assert_snapshot!(repo.run(&mut without_room(&repo, "exp run -S lr=2")).failure(4), @r#"
    error: cannot write `[ROOT]/params.yaml`: file too large
    help: make room on that disk and run the command again; nothing was left half-written
    "#);
    assert_eq!(repo.read("params.yaml"), params);
    assert!(!repo.outside("ran").exists());
    repo.dewar(&["exp", "run", "-S", "lr=2"]).success();
    assert_eq!(repo.read("params.yaml"), params.replace("lr: 1", "lr: 2"));
}

#[test]
fn stages_when_there_is_no_room() {
    let repo = project();
    let stage = |name: &str| format!("stages:\n  {name}:\n    cmd: echo {name} > {name}\n    outs: [{name}]\n");
    // The file that has no room is the last to be written.
    let big = format!("{}  keep:\n    cmd: 'true'\n# {}\n", stage("b"), "x".repeat(9 << 20));
    repo.write("dvc.yaml", stage("a")).write("sub/dvc.yaml", &big).write(".gitignore", "/a\n");
    repo.write("a", "a\n").write("sub/b", "b\n").write("sub/.gitignore", "/b\n");
    let files = ["dvc.yaml", "sub/dvc.yaml", ".gitignore", "a", "sub/b", "sub/.gitignore"];
    let all = || files.map(|file| repo.exists(file).then(|| repo.read(file)));
    let before = all();
    for args in ["freeze sub/dvc.yaml:b a", "remove --outs sub/dvc.yaml:b a"] {
        let said = repo.run(&mut without_room(&repo, args)).failure(4);
        assert!(said.contains("make room on that disk"), "{said}");
        assert!(all() == before, "`{args}` left something half done");
        repo.dewar(&args.split(' ').collect::<Vec<_>>()).success();
        assert!(all() != before);
        if args.starts_with("freeze") {
            repo.dewar(&["unfreeze", "sub/dvc.yaml:b", "a"]).success();
        }
    }
    let gone = files.map(|file| !repo.exists(file));
    assert_eq!(gone, [true, false, true, true, true, true]);
}

#[test]
fn a_cache_that_is_a_file() {
    let repo = project();
    repo.write("dvc.yaml", "stages:\n  a:\n    cmd: echo hi > a\n    outs: [a]\n").write(".dvc/cache", "in the way");
    insta::assert_snapshot!(repo.dewar(&["repro"]).failure(4), @"error: cannot create the folder `[ROOT]/.dvc/cache/tmp`: not a directory");
    assert!(!repo.exists("dvc.lock"));
    assert_eq!(repo.read(".dvc/cache"), "in the way");
    fs::remove_file(repo.root().join(".dvc/cache")).unwrap();
    repo.dewar(&["repro"]).success();
    assert!(repo.dewar(&["repro"]).success().ends_with("Data and pipelines are up to date.\n"));
}

#[test]
fn a_cache_that_is_read_only() {
    let repo = project();
    repo.write("dvc.yaml", "stages:\n  a:\n    cmd: echo hi > a\n    outs: [a]\n").write(".dvc/cache/.keep", "");
    let cache = repo.root().join(".dvc/cache");
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o555)).unwrap();
    let is_root = fs::write(cache.join("probe"), "").is_ok();
    if is_root {
        // The kernel lets root write anyway.
        return;
    }
    let said = repo.dewar(&["repro"]);
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(said.failure(4).contains("permission denied"));
    assert!(!repo.exists("dvc.lock"));
    repo.dewar(&["repro"]).success();
}
