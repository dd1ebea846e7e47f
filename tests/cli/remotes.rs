//! `push`, `pull`, `fetch`, `status --cloud` and `remote`, with remotes that are folders.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use dewar_tests::{CommandOutput, TestRepo};
use serde_json::{Value, json};

use super::bad_input::project;

/// A project with data, a stage, and a remote that is not there yet.
fn with_remote() -> TestRepo {
    let repo = project();
    repo.write("data/a", "1\n").write("data/sub/b", "2\n").write("raw", "raw\n");
    repo.write(
        "dvc.yaml",
        "stages:\n  t:\n    cmd: cp raw model && echo hush > secret && echo t >> ../ran\n    deps: [raw]\n    outs: [model, {secret: {push: false}}]\n",
    );
    repo.dewar(&["add", "data", "raw"]).success();
    repo.dewar(&["repro"]).success();
    assert!(repo.dewar(&["remote", "add", "nowhere", ""]).stderr.contains("takes a folder or a URL"));
    repo.dewar(&["remote", "add", "--default", "store", "../store"]).success();
    fs::remove_file(repo.outside("ran")).unwrap();
    repo.commit("data");
    repo
}

/// The files below a folder, from it.
fn files(folder: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned(), path);
            }
        }
    }
    found
}

/// Replaces a read-only file.
fn damage(path: &Path) {
    fs::remove_file(path).unwrap();
    fs::write(path, "damaged").unwrap();
}

/// As if on another machine: nothing but what git has, and the remote.
fn forget(repo: &TestRepo) {
    fs::remove_dir_all(repo.root().join(".dvc/cache")).unwrap();
    for path in ["data", "raw", "model", "secret"] {
        let path = repo.root().join(path);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).ok().unwrap_or_default() }
    }
}

fn json(said: &CommandOutput) -> Value {
    serde_json::from_str(&said.stdout).unwrap()
}

#[test]
fn what_is_pushed_is_pulled() {
    let repo = with_remote();
    assert_eq!(repo.dewar(&["status", "--cloud"]).success().lines().count(), 5);
    assert_eq!(repo.dewar(&["push"]).success(), "4 files pushed\n");
    assert_eq!(repo.dewar(&["push"]).success(), "Everything is up to date.\n");
    assert_eq!(repo.dewar(&["status", "--cloud"]).success(), "Cache and remote are in sync.\n");
    let store = files(&repo.outside("store"));
    assert!(store.keys().all(|name| name.starts_with("files/blake3/")), "{store:?}");
    assert!(store.values().all(|path| path.metadata().unwrap().permissions().mode() & 0o777 == 0o444));
    forget(&repo);
    insta::assert_snapshot!(repo.dewar(&["status", "--cloud"]).success(), @r"
    	deleted:            data
    	deleted:            model
    	deleted:            raw
    ");
    insta::assert_snapshot!(repo.dewar(&["pull"]).success(), @r"
    A	data/
    A	model
    A	raw
    4 files fetched and 4 files added
    ");
    assert_eq!((repo.read("data/sub/b").as_str(), repo.read("model").as_str()), ("2\n", "raw\n"));
    assert_eq!(repo.dewar(&["pull"]).success(), "Everything is up to date.\n");
}

#[test]
fn fetching_leaves_the_workspace() {
    let repo = with_remote();
    repo.dewar(&["push"]).success();
    forget(&repo);
    assert_eq!(repo.dewar(&["fetch", "model"]).success(), "1 file fetched\n");
    assert!(!repo.exists("model"));
    let fetched = json(&repo.dewar(&["fetch", "--json"]));
    assert_eq!(
        fetched,
        json!({"objects": 3, "bytes": fetched["bytes"], "runs": 0, "missing": [], "damaged": [], "left": 0})
    );
    assert!(repo.dewar(&["checkout", "raw"]).success().contains("A\traw"));
}

#[test]
fn targets_are_those_of_other_commands() {
    let repo = with_remote();
    let pushed = |args: &[&str]| {
        fs::remove_dir_all(repo.outside("store")).ok();
        json(&repo.dewar(&[&["push", "--json"], args].concat()))["objects"].as_u64().unwrap()
    };
    assert_eq!(pushed(&["t"]), 1);
    assert_eq!(pushed(&["raw.dvc", "data"]), 4);
    // `raw` has the content of `model`.
    assert_eq!(pushed(&["t", "--with-deps"]), 1);
    assert_eq!(pushed(&["--glob", "da*", "t*"]), 4);
    repo.dewar(&["push", "--glob", "nothing*"]).failure(2);
    assert_eq!(pushed(&["-R", "."]), 4);
    // The file alone: the listing goes when all of the directory is there.
    assert_eq!(pushed(&["data/sub"]), 1);
    assert_eq!(json(&repo.dewar(&["push", "--json", "data/a"]))["objects"], 2);
    repo.dewar(&["push", "nothing"]).failure(2);
    forget(&repo);
    assert!(repo.dewar(&["pull", "data/sub"]).success().contains("added"));
    assert!(repo.exists("data/sub/b") && !repo.exists("data/a"));
}

#[test]
fn other_commits_bring_what_they_record() {
    let repo = with_remote();
    repo.git(&["tag", "old"]).success();
    repo.git(&["branch", "side"]).success();
    repo.write("raw", "new\n");
    repo.dewar(&["add", "raw"]).success();
    repo.write("dvc.yaml", "").commit("without the stage");
    assert_eq!(repo.dewar(&["push", "raw"]).success(), "1 file pushed\n");
    assert_eq!(repo.dewar(&["push", "raw", "--all-tags"]).success(), "1 file pushed\n");
    fs::remove_dir_all(repo.outside("store")).unwrap();
    assert_eq!(repo.dewar(&["push", "--all-branches"]).success(), "5 files pushed\n");
    repo.write("dvc.yaml", "stages: [").commit("broken");
    repo.write("dvc.yaml", "").commit("mended");
    let said = repo.dewar(&["push", "--all-commits"]);
    assert!(said.stderr.contains("is passed by: "), "{said}");
    assert_eq!(said.success(), "Everything is up to date.\n");
}

#[test]
fn what_is_lost_or_damaged_is_named_and_the_rest_goes() {
    let repo = with_remote();
    let cache = repo.root().join(".dvc/cache/files/blake3");
    let object = |content: &str| {
        let found = files(&cache).into_iter().find(|(_, path)| fs::read_to_string(path).unwrap() == content);
        found.unwrap_or_else(|| panic!("{content}"))
    };
    let ((name, one), (_, two)) = (object("1\n"), object("2\n"));
    let listing = format!("files/blake3/{}", files(&cache).into_keys().find(|name| name.ends_with(".dir")).unwrap());
    damage(&one);
    fs::remove_file(&two).unwrap();
    insta::assert_snapshot!(repo.dewar(&["push"]), @r"
    1 file pushed
    --- stderr
    error: neither the cache nor the remote has the content of `data/sub/b`
    help: run the stages that make it, or push from where the cache has it
    error: the cache had the content of `data/a` damaged: it was not pushed
    help: it was removed from the cache; `dewar repro` or `dewar commit` puts it there again
    --- exit 6
    ");
    assert!(!repo.outside("store").join(&listing).exists());
    repo.dewar(&["commit", "--force", "data.dvc"]).success();
    assert_eq!(repo.dewar(&["push"]).success(), "3 files pushed\n");
    forget(&repo);
    damage(&repo.outside("store").join("files/blake3").join(&name));
    let said = repo.dewar(&["pull"]).to_string();
    let said = said.replace(&name, "[NAME]");
    assert!(
        said.contains("A\tmodel\n") && said.contains("error: the remote has the content of `data/a` damaged"),
        "{said}"
    );
    assert!(said.contains("files/blake3/[NAME]") && !one.exists(), "{said}");
    fs::remove_file(repo.outside("store").join("files/blake3").join(&name)).unwrap();
    let said = repo.dewar(&["pull"]).failure(6);
    assert!(said.contains("error: neither the remote nor the cache has the content of `data/a`"), "{said}");
    repo.dewar(&["pull", "--allow-missing"]).success();
}

#[test]
fn a_push_that_is_killed_is_gone_on_with() {
    let repo = project();
    // Large enough to be on its way for a while, and nothing that one could do without.
    let large: Vec<u8> =
        (0..10_000_000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    repo.write("d/large", &large);
    for number in 0..300 {
        repo.write(&format!("d/{number}"), number.to_string());
    }
    repo.dewar(&["add", "d"]).success();
    repo.dewar(&["remote", "add", "-d", "store", "../store"]).success();
    let mut partial = 0;
    for wait in [0, 5, 20, 40, 60, 80, 120, 160] {
        let mut push = repo.spawn(repo.command(env!("CARGO_BIN_EXE_dewar")).args(["push", "-j2"]));
        let began = Instant::now();
        while !repo.outside("store").exists() && began.elapsed() < Duration::from_secs(10) {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(wait));
        push.kill().unwrap();
        push.wait().unwrap();
        let there = files(&repo.outside("store").join("files"));
        partial += usize::from(!there.is_empty() && there.len() < 302);
        let has_listing = there.keys().any(|name| name.ends_with(".dir"));
        assert!(!has_listing || there.len() == 302, "a listing and {} files", there.len());
        for (name, path) in there {
            let cached = repo.root().join(".dvc/cache/files").join(&name);
            assert!(fs::read(path).unwrap() == fs::read(cached).unwrap(), "{name} is not whole");
        }
    }
    assert!(partial > 0, "none was killed on the way");
    repo.dewar(&["push"]).success();
    assert_eq!(files(&repo.outside("store/files")).len(), 302);
    assert_eq!(repo.dewar(&["push"]).success(), "Everything is up to date.\n");
}

#[test]
fn two_pushes_at_once_are_as_one() {
    let repo = project();
    for number in 0..400 {
        repo.write(&format!("d/{number}"), number.to_string());
    }
    repo.dewar(&["add", "d"]).success();
    repo.dewar(&["remote", "add", "-d", "store", "../store"]).success();
    let pushes: Vec<_> = (0..3).map(|_| repo.spawn(repo.command(env!("CARGO_BIN_EXE_dewar")).arg("push"))).collect();
    for push in pushes {
        repo.wait(push).success();
    }
    assert_eq!(files(&repo.outside("store")).len(), 401, "something is left over");
    assert!(!repo.outside("store/tmp").exists());
}

#[test]
fn an_interrupted_push_says_what_went() {
    let repo = project();
    repo.write("d/large", vec![7; 150_000_000]).write("d/small", "1");
    repo.dewar(&["add", "d"]).success();
    repo.dewar(&["remote", "add", "-d", "store", "../store"]).success();
    let push = repo.spawn(repo.command(env!("CARGO_BIN_EXE_dewar")).args(["push", "-j1"]));
    dewar_tests::wait_for(&repo.outside("store/tmp"));
    assert!(dewar_tests::kill("-INT", &push.id().to_string()));
    let said = repo.wait(push).failure(130);
    assert!(said.contains("error: interrupted: "), "{said}");
    assert!(files(&repo.outside("store")).keys().all(|name| !name.starts_with("tmp/")));
    assert_eq!(json(&repo.dewar(&["push", "--json"]))["left"], 0);
}

#[test]
fn remotes_that_take_nothing() {
    let repo = with_remote();
    fs::write(repo.outside("store"), "in the way").unwrap();
    let said = repo.dewar(&["push"]).failure(6);
    assert!(said.contains("error: the remote `store` cannot be written to: cannot create the folder `"), "{said}");
    assert_eq!(fs::read_to_string(repo.outside("store")).unwrap(), "in the way");
    repo.dewar(&["fetch"]).failure(6);
    fs::remove_file(repo.outside("store")).unwrap();
    // A folder where an object should be.
    repo.dewar(&["push"]).success();
    let (name, model) = files(&repo.outside("store"))
        .into_iter()
        .find(|(_, path)| fs::read_to_string(path).unwrap() == "raw\n")
        .unwrap();
    fs::remove_file(&model).unwrap();
    fs::create_dir_all(model.join("full")).unwrap();
    let said = repo.dewar(&["push"]).failure(6);
    assert!(said.contains(&format!("{name}`: is a directory")), "{said}");
    forget(&repo);
    let said = repo.dewar(&["fetch"]).to_string();
    assert!(said.starts_with("3 files fetched\n") && said.contains("it is not a regular file"), "{said}");
    fs::remove_dir_all(&model).unwrap();
    // A remote that may not be written to.
    let store = repo.outside("store");
    repo.dewar(&["fetch"]).failure(6);
    repo.write("raw", "raw\n").dewar(&["commit", "--force", "raw.dvc"]).success();
    fs::set_permissions(&store, fs::Permissions::from_mode(0o555)).unwrap();
    // The kernel lets root write anyway.
    let is_root = fs::write(store.join("probe"), "").is_ok();
    let said = repo.dewar(&["push", "raw.dvc"]);
    fs::set_permissions(&store, fs::Permissions::from_mode(0o755)).unwrap();
    if is_root { drop(said.success()) } else { assert!(said.failure(6).contains("permission denied")) }
}

#[test]
fn a_disk_without_room() {
    let repo = project();
    fs::create_dir(repo.root().join("d")).unwrap();
    repo.write("d/big", "0123456789abcdef".repeat(1 << 20)).write("d/small", "1\n");
    repo.dewar(&["add", "d"]).success();
    repo.dewar(&["remote", "add", "-d", "store", "../store"]).success();
    let without_room = |args: &str| {
        let mut command: Command = repo.command("sh");
        let script = format!("trap '' XFSZ; ulimit -f 8192; exec \"$0\" {args}");
        repo.run(command.args(["-c", &script, env!("CARGO_BIN_EXE_dewar")]))
    };
    let said = without_room("push").to_string();
    assert!(said.contains("1 file pushed") && said.contains("help: make room on that disk"), "{said}");
    assert_eq!(files(&repo.outside("store")).len(), 1);
    assert_eq!(repo.dewar(&["push"]).success(), "2 files pushed\n");
    fs::remove_dir_all(repo.root().join(".dvc/cache")).unwrap();
    let said = without_room("fetch").to_string();
    assert!(said.contains("2 files fetched") && said.contains("help: make room on that disk"), "{said}");
    assert_eq!(repo.dewar(&["fetch"]).success(), "1 file fetched\n");
}

#[test]
fn links_in_a_remote_are_followed() {
    let repo = with_remote();
    fs::create_dir_all(repo.outside("store")).unwrap();
    fs::create_dir_all(repo.outside("disk")).unwrap();
    symlink("../disk", repo.outside("store/files")).unwrap();
    repo.dewar(&["push"]).success();
    let objects = files(&repo.outside("disk"));
    assert_eq!(objects.len(), 4);
    let path = objects.values().next().unwrap();
    fs::rename(path, repo.outside("elsewhere")).unwrap();
    symlink(repo.outside("elsewhere"), path).unwrap();
    assert_eq!(repo.dewar(&["push"]).success(), "Everything is up to date.\n");
    forget(&repo);
    repo.dewar(&["pull"]).success();
}

#[test]
fn what_went_is_told_when_another_remote_is_broken() {
    let repo = with_remote();
    let stage = repo.read("dvc.yaml").replace("[model,", "[{model: {remote: other}},");
    repo.write("dvc.yaml", stage);
    repo.dewar(&["remote", "add", "other", "../other"]).success();
    fs::create_dir(repo.outside("other")).unwrap();
    symlink("files", repo.outside("other/files")).unwrap();
    let said = repo.dewar(&["push"]);
    assert_eq!(said.stdout, "4 files pushed\n", "{said}");
    let errors = said.failure(6);
    assert!(errors.contains("error: the remote `other` cannot be read: "), "{errors}");
    forget(&repo);
    fs::remove_dir_all(repo.outside("store/files")).unwrap();
    symlink("files", repo.outside("store/files")).unwrap();
    let said = repo.dewar(&["pull"]);
    assert_eq!(said.stdout, "", "{said}");
    said.failure(6);
}

#[test]
fn an_interrupted_fetch_of_runs_is_none_that_is_up_to_date() {
    let repo = with_remote();
    // Each takes a while, and is no run in the end.
    let folder = repo.outside("store/runs/00").join("0".repeat(64));
    fs::create_dir_all(&folder).unwrap();
    for number in 0..400 {
        let file = fs::File::create(folder.join(format!("{number:064}"))).unwrap();
        file.set_len(40_000_000).unwrap();
    }
    let fetch = repo.spawn(repo.command(env!("CARGO_BIN_EXE_dewar")).args(["fetch", "-j1", "--run-cache", "raw"]));
    thread::sleep(Duration::from_millis(700));
    assert!(dewar_tests::kill("-INT", &fetch.id().to_string()));
    let said = repo.wait(fetch);
    assert!(!said.stdout.contains("up to date"), "{said}");
    assert!(said.failure(130).contains("1 left"));
}

#[test]
fn outputs_go_to_the_remotes_that_they_name() {
    let repo = with_remote();
    let stage = repo.read("dvc.yaml").replace("[model,", "[{model: {remote: other}},");
    repo.write("dvc.yaml", stage);
    assert!(repo.dewar(&["push"]).failure(6).contains("there is no remote `other`"));
    repo.dewar(&["remote", "add", "other", "../other"]).success();
    fs::remove_dir_all(repo.outside("store")).ok();
    repo.dewar(&["push"]).success();
    assert_eq!((files(&repo.outside("store")).len(), files(&repo.outside("other")).len()), (4, 1));
    fs::remove_dir_all(repo.outside("other")).unwrap();
    assert_eq!(repo.dewar(&["push", "-r", "store"]).success(), "Everything is up to date.\n");
    assert_eq!(repo.dewar(&["push", "-r", "other", "t"]).success(), "1 file pushed\n");
}

#[test]
fn remembered_runs_spare_a_run_elsewhere() {
    let repo = with_remote();
    repo.write("dvc.yaml", repo.read("dvc.yaml").replace("{secret: {push: false}}", "secret"));
    repo.dewar(&["push"]).success();
    assert_eq!(repo.dewar(&["push", "--run-cache"]).success(), "1 file pushed\n");
    assert_eq!(repo.dewar(&["push", "--run-cache"]).success(), "Everything is up to date.\n");
    forget(&repo);
    fs::remove_file(repo.root().join("dvc.lock")).unwrap();
    repo.dewar(&["pull", "raw", "--run-cache"]).success();
    // What came out of it comes when it is needed.
    assert!(repo.dewar(&["repro", "--pull"]).success().contains("is cached - skipping run"));
    assert!(!repo.outside("ran").exists());
}

#[test]
fn what_is_not_for_remotes_is_not_missed_and_unsaved_work_stays() {
    let repo = with_remote();
    repo.dewar(&["push"]).success();
    forget(&repo);
    repo.write("model", "mine\n");
    insta::assert_snapshot!(repo.dewar(&["pull"]), @r"
    4 files fetched
    --- stderr
    error: 1 file is not in the cache and would be lost: `model`
    help: `dewar commit` or `dewar repro` keeps what is there; `--force` replaces it
    --- exit 4
    ");
    assert_eq!(repo.read("model"), "mine\n");
    let pulled = json(&repo.dewar(&["pull", "--force", "--json"]));
    assert_eq!(pulled["checked_out"]["modified"], json!(["model"]));
    assert!(!repo.exists("secret"));
}

#[test]
fn remotes_are_named_changed_and_removed() {
    let repo = project();
    let dewar = |args: &str| repo.dewar(&args.split(' ').collect::<Vec<_>>());
    assert_eq!(dewar("remote add -d store ../store").success(), "Setting 'store' as a default remote.\n");
    assert_eq!(repo.read(".dvc/config"), "['remote \"store\"']\n    url = ../../store\n[core]\n    remote = store\n");
    let said = dewar("remote add store /x").failure(2);
    assert!(
        said.contains(&format!("the remote `store` exists already: {}\n", repo.outside("store").display())),
        "{said}"
    );
    dewar("remote add cloud s3://bucket/path").success();
    dewar("remote modify cloud region eu").success();
    dewar("remote modify --local cloud secret_access_key hush").success();
    assert!(dewar("remote list").success().contains("cloud  s3://bucket/path\n"));
    assert_eq!(json(&dewar("remote list --json"))[1]["default"], true);
    insta::assert_snapshot!(dewar("push -r cloud").failure(6), @r"
    error: the remote `cloud` (`s3://bucket/path`) is of the kind `s3`, which dewar does not speak yet
    help: a remote can be a folder: `dewar remote add NAME /mnt/store`; DVC speaks the others
    ");
    insta::assert_snapshot!(dewar("remote modify clod region eu").failure(2), @r"
    error: there is no remote `clod`
    help: did you mean `cloud`?
    ");
    dewar("remote rename cloud s3").success();
    assert!(repo.read(".dvc/config").contains("['remote \"s3\"']\n    url = s3://bucket/path\n    region = eu\n"));
    assert!(repo.read(".dvc/config.local").starts_with("['remote \"s3\"']\n"));
    assert_eq!(dewar("remote default").success(), "store\n");
    dewar("remote remove store").success();
    assert_eq!(dewar("remote default").to_string(), "No default remote set\n--- exit 1\n");
    dewar("remote remove s3").success();
    assert_eq!((repo.read(".dvc/config").as_str(), repo.read(".dvc/config.local").as_str()), ("", ""));
    insta::assert_snapshot!(dewar("push").failure(6), @r"
    error: the project has no default remote
    help: `dewar remote add --default NAME FOLDER` makes one, `dewar remote default NAME` names one of those there are
    ");
}
