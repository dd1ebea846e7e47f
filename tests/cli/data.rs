//! `add`, `commit` and `checkout`: data between the workspace and the cache.

use std::fs;
use std::os::unix::fs::symlink;

use dewar_tests::TestRepo;

use super::bad_input::{project, refusal};

/// A project whose new contents are named by MD5, so that a reader can compare with `md5sum`.
fn md5_project() -> TestRepo {
    let repo = project();
    repo.write("dewar.toml", "hash = \"md5\"\n");
    repo
}

/// The paths of the objects that the cache has.
pub(super) fn objects(repo: &TestRepo) -> Vec<String> {
    let in_cache = |name: &String| name.starts_with(".dvc/cache/files/") && repo.root().join(name).is_file();
    repo.everything().into_keys().filter(in_cache).collect()
}

#[test]
fn data_is_added_changed_and_brought_back() {
    let repo = md5_project();
    repo.write("d/a", "1\n").write("d/b", "2\n").write("with space ü.txt", "x\n").write("empty", "");
    let said = repo.dewar(&["add", "d", "with space ü.txt", "empty"]);
    insta::assert_snapshot!(said, @r"
    To track the changes with git, run:

    	git add .gitignore d.dvc empty.dvc 'with space ü.txt.dvc'
    --- stderr
    warning: `empty` is empty
    ");
    insta::assert_snapshot!(repo.read("d.dvc"), @r"
    outs:
    - md5: c37f8bc8917fdf64a45bb6010380cdab.dir
      size: 4
      nfiles: 2
      hash: md5
      path: d
    ");
    assert_eq!(repo.read(".gitignore"), "/d\n/with space ü.txt\n/empty\n");
    // What did not change is not written again, and git need not be told.
    assert_eq!(repo.dewar(&["add", "d"]).success(), "");
    repo.write("d/b", "22\n");
    assert!(repo.dewar(&["add", "d"]).success().contains("git add d.dvc"));
    assert!(repo.read("d.dvc").contains("size: 5"));
    // The first state is still in the cache.
    fs::remove_dir_all(repo.root().join("d")).unwrap();
    fs::remove_file(repo.root().join("empty")).unwrap();
    insta::assert_snapshot!(repo.dewar(&["checkout"]).success(), @r"
    A	d/
    A	empty
    ");
    assert_eq!((repo.read("d/b").as_str(), repo.read("empty").as_str()), ("22\n", ""));
    assert_eq!(repo.dewar(&["checkout", "--summary"]).success(), "No changes.\n");
}

#[test]
fn a_file_inside_a_folder_that_was_added() {
    let repo = md5_project();
    repo.write("d/a", "1\n").write("d/b", "2\n");
    repo.dewar(&["add", "d"]).success();
    repo.write("d/b", "22\n").write("d/c", "3\n").write("d/e/f", "4\n");
    // Only what is named is recorded; the size can be told where DVC gives it up.
    repo.dewar(&["add", "d/b"]).success();
    insta::assert_snapshot!(repo.read("d.dvc"), @r"
    outs:
    - md5: 3845349db8a955eea14669faafb286e4.dir
      size: 5
      nfiles: 2
      hash: md5
      path: d
    ");
    assert!(!repo.exists("d/b.dvc") && !repo.exists("d/.gitignore"));
    let lost = refusal(&repo, &["checkout"], 4);
    insta::assert_snapshot!(lost, @r"
    error: 2 files are not in the cache and would be lost: `d/c`, `d/e/f`
    help: `dewar commit` or `dewar repro` keeps what is there; `--force` replaces it
    ");
    repo.dewar(&["add", "d/e"]).success();
    assert!(repo.read("d.dvc").contains("nfiles: 3"));
    // What is gone is taken out.
    fs::remove_file(repo.root().join("d/a")).unwrap();
    repo.dewar(&["add", "d/a"]).success();
    insta::assert_snapshot!(repo.dewar(&["checkout", "--force", "--summary"]).success(), @"1 file deleted");
    assert!(repo.exists("d/e/f") && !repo.exists("d/a") && !repo.exists("d/c"));
    insta::assert_snapshot!(refusal(&repo, &["add", "d/none"], 4), @"error: `[ROOT]/d/none` does not exist");
}

#[test]
fn what_cannot_be_added() {
    let repo = project();
    repo.write("tracked", "1").write("dvc.yaml", "stages:\n  a:\n    cmd: echo > out\n    outs: [out]\n");
    repo.write("sub/dvc.yaml", "stages: {}\n").write(".dvcignore", "ignored\n").write("ignored", "1").commit("more");
    repo.write("data/x", "1").write("data/x.dvc", "outs:\n- path: y\n").write("out", "5").write("dir/inner/z", "1");
    repo.write("hidden/.gitignore", "*.dvc\n").write("hidden/h", "1");
    symlink(repo.root().join("dir"), repo.root().join("link")).unwrap();
    repo.dewar(&["add", "dir/inner"]).success();
    let mut said = String::new();
    for target in [
        "tracked",
        "out",
        "dir",
        "data/x",
        "../outside",
        "/etc/hostname",
        "sub",
        "dvc.yaml",
        ".dvc/config",
        "none",
        "ignored",
        "link/inner/z",
        "hidden/h",
        ".",
    ] {
        let code = repo.dewar(&["add", target]).code.unwrap_or_default();
        said.push_str(&refusal(&repo, &["add", target], code));
    }
    said.push_str(&refusal(&repo, &["add", "new", "new/x"], 2));
    said.push_str(&refusal(&repo, &["add", "--glob", "q*"], 2));
    said.push_str(&refusal(&repo, &["add", "--to-remote", "dir"], 2));
    insta::assert_snapshot!(said, @r"
    error: `tracked` is tracked by git
    help: to leave it to the cache: git rm -r --cached 'tracked' && git commit
    error: `out` is an output of the stage `a`
    help: run the stage; or `dewar commit a` records what is there
    error: `dir` has in it `dir/inner`, which `dir/inner.dvc` keeps already
    help: add the parts one by one; or take `dir/inner.dvc` away first, and add the whole
    error: `data/x.dvc` names `data/y`, not `data/x`
    help: rename that file, or what is to be added
    error: `../outside` is outside the project
    help: only paths inside the project can be tracked
    error: `/etc/hostname` is outside the project
    help: only paths inside the project can be tracked
    error: `sub` cannot be tracked: it holds `sub/dvc.yaml`
    help: git keeps such files
    error: `dvc.yaml` cannot be tracked: it is `dvc.yaml`
    help: git keeps such files
    error: `.dvc/config` cannot be tracked: it is `.dvc/config`
    help: git keeps such files
    error: `[ROOT]/none` does not exist
    error: `ignored` is ignored by a `.dvcignore`
    help: take the line that ignores it out of `.dvcignore`
    error: `link/inner/z` is reached through the symlink `link`
    help: add the folder that the symlink leads to, or the symlink itself
    error: git ignores `hidden/h.dvc`, which would name the data
    help: take the line that ignores it out of `.gitignore`
    error: `.` cannot be tracked: it holds `dvc.yaml`
    help: git keeps such files
    error: `new/x` lies in `new`, which is added, too
    help: name one of them
    error: nothing matches `q*`
    error: `--to-remote` is not there yet
    help: without it, the content goes into the cache, and `dewar push` sends it to a remote
    ");
}

#[test]
fn from_elsewhere_and_by_pattern() {
    let repo = project();
    fs::create_dir(repo.outside("far")).unwrap();
    fs::write(repo.outside("far/one"), "1").unwrap();
    fs::write(repo.outside("tool"), "#!/bin/sh\n").unwrap();
    repo.dewar(&["add", "../far", "--out", "near"]).success();
    assert_eq!(repo.read("near/one"), "1");
    assert!(repo.exists("near.dvc"));
    assert_eq!(fs::read_to_string(repo.outside("far/one")).unwrap(), "1");
    repo.write("into/x", "");
    repo.dewar(&["add", "../tool", "-o", "into"]).success();
    assert!(repo.exists("into/tool.dvc"));
    let said = refusal(&repo, &["add", "../tool", "-o", "into/tool"], 4);
    insta::assert_snapshot!(said, @r"
    error: `into/tool` exists already
    help: `--force` replaces it
    ");
    fs::write(repo.outside("tool"), "new\n").unwrap();
    repo.dewar(&["add", "../tool", "-o", "into/tool", "--force"]).success();
    assert_eq!(repo.read("into/tool"), "new\n");
    repo.write("p/a.csv", "a").write("p/b.csv", "b").write("p/c.txt", "c");
    repo.dewar(&["add", "--glob", "p/*.csv"]).success();
    assert!(repo.exists("p/a.csv.dvc") && repo.exists("p/b.csv.dvc") && !repo.exists("p/c.txt.dvc"));
}

#[test]
fn recorded_now_and_kept_later() {
    let repo = project();
    repo.write("x", "1");
    repo.dewar(&["add", "--no-commit", "x"]).success();
    assert_eq!(objects(&repo), [] as [String; 0]);
    repo.dewar(&["commit", "x.dvc"]).success();
    assert_eq!(objects(&repo).len(), 1);
    // The same for what a stage wrote; and the run is remembered.
    repo.write("dvc.yaml", "stages:\n  a:\n    cmd: cp x y; echo ran >> log\n    deps: [x]\n    outs: [y]\n");
    repo.dewar(&["repro", "--no-commit"]).success();
    repo.dewar(&["commit"]).success();
    fs::remove_file(repo.root().join("y")).unwrap();
    fs::remove_file(repo.root().join("dvc.lock")).unwrap();
    assert!(repo.dewar(&["repro"]).success().contains("is cached"));
    assert_eq!((repo.read("y").as_str(), repo.read("log").as_str()), ("1", "ran\n"));
}

#[test]
fn committing_what_changed_needs_a_yes() {
    let repo = md5_project();
    repo.write("in", "1\n").write("out", "edited\n").write("other", "2\n");
    repo.write("dvc.yaml", "stages:\n  a:\n    cmd: cp in out\n    deps: [in]\n    params: [lr]\n    outs: [out]\n");
    repo.dewar(&["add", "other"]).success();
    repo.write("other", "3\n");
    insta::assert_snapshot!(refusal(&repo, &["commit"], 4), @r"
    error: nothing was recorded: the dependencies `in`, `params.yaml` and the output `out` of `a` changed; the output `other` of `other.dvc` changed
    help: `--force` records what is there, whatever changed
    ");
    repo.dewar(&["commit", "--force", "a"]).success();
    insta::assert_snapshot!(repo.read("dvc.lock"), @r"
    schema: '2.0'
    stages:
      a:
        cmd: cp in out
        deps:
        - path: in
          hash: md5
          md5: b026324c6904b2a9cb4b88d6d61c81d1
          size: 2
        params:
          params.yaml:
            lr: 1
        outs:
        - path: out
          hash: md5
          md5: 77ef9ba34caeecc3d333b20990b10ea5
          size: 7
    ");
    assert!(repo.dewar(&["status", "a"]).success().contains("up to date"));
    // An edit by hand stays as it is.
    assert!(repo.dewar(&["repro", "a"]).success().contains("didn't change"));
    assert_eq!(repo.read("out"), "edited\n");
    fs::remove_file(repo.root().join("out")).unwrap();
    insta::assert_snapshot!(refusal(&repo, &["commit", "-f", "a"], 4), @r"
    error: the output `out` of the stage `a` does not exist
    help: run the stage, or bring the file back with `dewar checkout`
    ");
    insta::assert_snapshot!(refusal(&repo, &["commit", "nosuch"], 2), @r"
    error: `nosuch` is neither a stage of `dvc.yaml` nor an output of any stage
    help: `dewar stage list --all` lists the stages
    ");
}

#[test]
fn stages_that_the_named_one_needs() {
    let repo = project();
    repo.write(
        "dvc.yaml",
        "stages:\n  a:\n    cmd: echo > x\n    outs: [x]\n  b:\n    cmd: cp x y\n    deps: [x]\n    outs: [y]\n",
    );
    repo.dewar(&["repro", "--no-commit"]).success();
    repo.dewar(&["commit", "--with-deps", "b"]).success();
    for name in ["x", "y"] {
        fs::remove_file(repo.root().join(name)).unwrap();
    }
    repo.dewar(&["checkout", "y"]).success();
    assert!(repo.exists("y") && !repo.exists("x"));
    repo.dewar(&["checkout", "-d", "b"]).success();
    assert!(repo.exists("x"));
    repo.write("sub/dvc.yaml", "stages:\n  c:\n    cmd: echo > z\n    outs: [z]\n");
    repo.dewar(&["repro", "sub/dvc.yaml"]).success();
    fs::remove_file(repo.root().join("sub/z")).unwrap();
    repo.dewar(&["checkout", "-R", "sub"]).success();
    assert!(repo.exists("sub/z"));
}

#[test]
fn a_path_inside_of_a_folder_is_brought_alone() {
    let repo = project();
    repo.write("d/a", "1").write("d/in/b", "2").write("d/in/c", "3");
    repo.dewar(&["add", "d"]).success();
    repo.write("d/a", "changed").write("d/in/b", "changed");
    fs::remove_file(repo.root().join("d/in/c")).unwrap();
    insta::assert_snapshot!(refusal(&repo, &["checkout", "d/in"], 4), @r"
    error: 1 file is not in the cache and would be lost: `d/in/b`
    help: `dewar commit` or `dewar repro` keeps what is there; `--force` replaces it
    ");
    insta::assert_snapshot!(repo.dewar(&["checkout", "d/in/c"]).success(), @"A	d/in/c");
    let said = repo.dewar(&["checkout", "--force", "--json", "d/in"]).success();
    assert_eq!(said, "{\"added\":[],\"modified\":[\"d/in/b\"],\"deleted\":[],\"missing\":[]}\n");
    assert_eq!((repo.read("d/a").as_str(), repo.read("d/in/b").as_str()), ("changed", "2"));
    insta::assert_snapshot!(refusal(&repo, &["checkout", "d/none"], 2), @r"
    error: `d/none` is not among what is recorded of `d`
    help: `dewar add` or `dewar commit` records what is there now
    ");
}

#[test]
fn what_the_cache_lacks_is_named_and_the_rest_is_brought() {
    let repo = project();
    repo.write("a", "1").write("b", "2").write("c", "3");
    repo.dewar(&["add", "a"]).success();
    for object in objects(&repo) {
        fs::remove_file(repo.root().join(object)).unwrap();
    }
    repo.dewar(&["add", "b", "c"]).success();
    for name in ["a", "b", "c"] {
        fs::remove_file(repo.root().join(name)).unwrap();
    }
    insta::assert_snapshot!(repo.dewar(&["checkout"]), @r"
    A	b
    A	c
    --- stderr
    error: what is recorded of `a` is not in the cache
    help: run the stages that make it, or `dewar pull` it from a remote
    --- exit 4
    ");
    repo.dewar(&["checkout", "--allow-missing"]).success();
}

#[test]
fn links_are_made_anew() {
    let repo = project();
    repo.write("x", "1").write("d/y", "2");
    repo.dewar(&["add", "x", "d"]).success();
    assert!(!repo.root().join("x").is_symlink());
    repo.write(".dvc/config", "[cache]\n    type = symlink\n");
    assert_eq!(repo.dewar(&["checkout"]).success(), "Everything is as the project says.\n");
    repo.dewar(&["checkout", "--relink"]).success();
    assert!(repo.root().join("x").is_symlink() && repo.root().join("d/y").is_symlink());
    repo.write(".dvc/config", "[cache]\n    type = copy\n");
    repo.dewar(&["checkout", "--relink"]).success();
    assert!(!repo.root().join("x").is_symlink() && !repo.root().join("d/y").is_symlink());
    assert_eq!((repo.read("x").as_str(), repo.read("d/y").as_str()), ("1", "2"));
}
