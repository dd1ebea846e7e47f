//! `config`: settings printed, changed and taken away, and what they do.

use std::os::unix::fs::PermissionsExt;

use dewar_tests::TestRepo;

use super::repo;

fn project() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo
}

#[test]
fn what_is_set_is_printed_until_it_is_unset() {
    let repo = project();
    let settings = "# ours\n[core]\n\tautostage = true  # why not\n\n[future]\nx = 1\n";
    repo.write(".dvc/config", settings);
    assert_eq!(repo.dewar(&["config", "Core.Remote", "store"]).success(), "");
    assert_eq!(repo.dewar(&["config", "remote.store.url", "/mnt/store, old"]).success(), "");
    let written = "# ours\n[core]\n\tautostage = true  # why not\n\tremote = store\n\n[future]\nx = 1\n\
                   ['remote \"store\"']\nurl = \"/mnt/store, old\"\n";
    assert_eq!(repo.read(".dvc/config"), written);
    assert_eq!(repo.dewar(&["config", "core.remote"]).success(), "store\n");
    assert_eq!(repo.dewar(&["config", "remote.store.url"]).success(), "/mnt/store, old\n");
    repo.dewar(&["config", "core.autostage", "false"]).success();
    assert_eq!(repo.read(".dvc/config"), written.replace("= true  #", "= false  #"));
    repo.dewar(&["config", "core.autostage", "true"]).success();
    repo.dewar(&["config", "-u", "core.remote"]).success();
    repo.dewar(&["config", "--unset", "remote.store.url"]).success();
    assert_eq!(repo.read(".dvc/config"), settings);
    insta::assert_snapshot!(repo.dewar(&["config", "core.remote"]), @"
    --- stderr
    error: `core.remote` is not set
    help: `dewar config --list --show-origin` says what is set, and where
    --- exit 4
    ");
    // An option that should not be there can be taken away.
    repo.dewar(&["config", "-u", "future.x"]).success();
    assert_eq!(repo.dewar(&["config", "-l"]).success(), "core.autostage=true\n");
}

#[test]
fn the_nearest_file_counts_and_all_are_listed() {
    let repo = project();
    for (level, value) in [("--system", "a"), ("--global", "b"), ("--project", "c"), ("--local", "d")] {
        repo.dewar(&["config", level, "core.remote", value]).success();
        assert_eq!(repo.dewar(&["config", "core.remote"]).success(), format!("{value}\n"));
    }
    let list = repo.dewar(&["config", "--list", "--show-origin"]).success().replace("[ROOT]", "");
    let base = repo.root().parent().unwrap().display().to_string();
    insta::assert_snapshot!(list.replace(&base, "[BASE]"), @r"
    [BASE]/system/config	core.remote=a
    [BASE]/home/.config/dvc/config	core.remote=b
    .dvc/config	core.remote=c
    .dvc/config.local	core.remote=d
    ");
    let json = repo.dewar(&["config", "-l", "--json", "--local"]).success();
    assert_eq!(
        json,
        "[{\"name\":\"core.remote\",\"value\":\"d\",\"level\":\"local\",\"file\":\".dvc/config.local\"}]\n"
    );
    insta::assert_snapshot!(repo.dewar(&["config", "core.remote", "e"]), @"
    --- stderr
    `core.remote` in `.dvc/config.local` goes before this
    ");
    assert_eq!(repo.dewar(&["config", "--project", "core.remote"]).success(), "e\n");
    let unset = repo.dewar(&["config", "-u", "--local", "core.remote"]);
    assert_eq!((unset.code, unset.stderr.as_str()), (Some(0), "`core.remote` is still set in `.dvc/config`\n"));
    // What is nobody's secret has the usual permissions.
    let mode = |path: &str| repo.root().join(path).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(".dvc/config.local"), mode("../home/.config/dvc/config")), (0o600, 0o600));
    assert_ne!(mode(".dvc/config") & 0o044, 0);
    repo.git(&["add", "--all"]).success();
    assert!(!repo.git(&["ls-files"]).success().contains("config.local"));
}

#[test]
fn local_settings_never_reach_git() {
    let repo = project();
    repo.write(".dvc/.gitignore", "/tmp\n/cache\n");
    repo.dewar(&["config", "--local", "remote.r.url", "/r"]).success();
    assert_eq!(repo.read(".dvc/.gitignore"), "/tmp\n/cache\n/config.local\n");
}

#[test]
fn what_dvc_would_refuse_is_refused() {
    let repo = project();
    let before = repo.everything();
    for (args, told) in [
        (&["core.remtoe", "x"][..], "did you mean `core.remote`?"),
        (&["core.remtoe"], "did you mean `core.remote`?"),
        (&["-u", "cahce.dir"], "did you mean `cache`?"),
        (&["remote", "x"], "`remote` is no name of an option"),
        (&["core.autostage", "maybe"], "`core.autostage` takes true or false, not `maybe`"),
        (&["cache.type", "link"], "takes one or more of reflink, hardlink, symlink, copy, not `link`"),
        (&["remote.r.jobs", "3"], "the remote `r` would have no `url`"),
        (&["core.remote", "a\nb"], "cannot be written on one line"),
        (&["--local", "--global", "core.remote"], "cannot be used with"),
        (&[], "required"),
    ] {
        let said = repo.dewar(&[&["config"], args].concat()).failure(2);
        assert!(said.contains(told), "{args:?}: {said}");
    }
    assert_eq!(repo.everything(), before);
}

#[test]
fn settings_that_keep_the_project_shut_can_be_mended() {
    let repo = project();
    repo.write(".dvc/config", "[cache]\n    type = link\n").write("dvc.yaml", "stages: {}\n");
    insta::assert_snapshot!(repo.dewar(&["status"]), @"
    --- stderr
    error: `cache.type` names `link`, which is no kind of link
    help: it may name reflink, hardlink, symlink, copy; `dewar config --show-origin cache.type` says where it is set
    --- exit 3
    ");
    assert_eq!(repo.dewar(&["config", "--show-origin", "cache.type"]).success(), ".dvc/config\tlink\n");
    repo.dewar(&["config", "cache.type", "copy"]).success();
    repo.dewar(&["status"]).success();
    repo.write(".dvc/config", "[cache]\n    type\n");
    assert!(repo.dewar(&["config", "cache.type", "copy"]).failure(3).contains("--> .dvc/config:2:1"));
    repo.write(".dvc/config", "");
    let user = repo.outside("home/.config/dvc/config");
    std::fs::create_dir_all(user.parent().unwrap()).unwrap();
    std::fs::write(&user, "[core\n").unwrap();
    assert!(repo.dewar(&["status"]).failure(3).contains(&format!("--> {}:1:1", user.display())));
}

#[test]
fn without_a_project_there_are_global_settings() {
    let repo = repo();
    repo.dewar(&["config", "--global", "core.remote", "mine"]).success();
    assert_eq!(repo.dewar(&["config", "core.remote"]).success(), "mine\n");
    for args in [&["config", "core.remote", "x"][..], &["config", "-l", "--local"]] {
        assert!(repo.dewar(args).failure(4).contains("need no project"));
    }
    assert!(!repo.exists(".dvc"));
}

#[test]
fn how_a_user_wants_links_counts_in_every_project() {
    let repo = project();
    repo.write("dvc.yaml", "stages:\n  a:\n    cmd: echo 1 > out\n    outs: [out]\n");
    let linked = |repo: &TestRepo| repo.root().join("out").is_symlink();
    repo.dewar(&["config", "--global", "cache.type", "symlink"]).success();
    repo.dewar(&["config", "--global", "cache.dir", "../shared"]).success();
    repo.dewar(&["repro"]).success();
    assert!(linked(&repo) && repo.outside("shared/files").is_dir() && !repo.exists(".dvc/cache"));
    repo.dewar(&["config", "cache.type", "copy"]).success();
    assert!(repo.dewar(&["checkout", "--relink"]).code == Some(0) && !linked(&repo));
}
