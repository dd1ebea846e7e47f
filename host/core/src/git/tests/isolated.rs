use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::super::testing::{TestRepo, git_in, path};
use super::super::{ExtraPaths, Git, HeadName};

/// An isolated work tree of the repository as it is now.
fn isolate(git: &Git, folder: &Path) -> Git {
    let tree = git.snapshot(ExtraPaths::default()).unwrap().tree;
    git.isolate(folder, tree, &git.head().unwrap(), &[path("unseen")]).unwrap()
}

#[test]
fn it_has_the_files_and_says_the_same_of_them() {
    let repo = TestRepo::with(&[
        ("a", "1\n"),
        ("d/b", "2\n"),
        ("gone", "3"),
        ("run", "#!/bin/sh\n"),
        (".gitattributes", "*.txt text eol=crlf\n"),
    ]);
    symlink("d/b", repo.at("link")).unwrap();
    repo.write("t.txt", "x\r\ny\r\n");
    std::fs::set_permissions(repo.at("run"), std::fs::Permissions::from_mode(0o755)).unwrap();
    repo.commit_all("more");
    repo.write("a", "changed\n");
    repo.write("new", "staged\n");
    repo.git(&["add", "new"]);
    std::fs::remove_file(repo.at("gone")).unwrap();
    let (before, folder) = (repo.of_the_user(), tempfile::tempdir().unwrap());
    let git = repo.open();
    let isolated = isolate(&git, folder.path());
    for file in ["a", "d/b", "run", "t.txt", "new", ".gitattributes"] {
        assert_eq!(std::fs::read(folder.path().join(file)).unwrap(), std::fs::read(repo.at(file)).unwrap(), "{file}");
    }
    assert!(!folder.path().join("gone").exists() && folder.path().join("link").is_symlink());
    let mode = std::fs::metadata(folder.path().join("run")).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111);
    std::fs::write(folder.path().join("unseen"), "").unwrap();
    // Against HEAD all is staged; against the index nothing changed.
    assert_eq!(git_in(folder.path(), &["status", "--porcelain"]), "M  a\nD  gone\nA  new");
    assert_eq!(git_in(folder.path(), &["symbolic-ref", "HEAD"]), "refs/heads/main");
    let tree = isolated.snapshot(ExtraPaths::default()).unwrap().tree;
    assert_eq!(tree, git.snapshot(ExtraPaths::default()).unwrap().tree);
    assert_eq!(repo.of_the_user(), before);
    // Its objects are the user's.
    let own = git_in(folder.path(), &["count-objects"]);
    assert!(own.starts_with("0 objects"), "{own}");
}

#[test]
fn what_is_done_there_stays_there() {
    let repo = TestRepo::with(&[("a", "1\n")]);
    repo.git(&["tag", "v1"]);
    repo.git(&["branch", "other"]);
    let folder = tempfile::tempdir().unwrap();
    let git = repo.open();
    let before = (repo.of_the_user(), repo.git(&["for-each-ref"]), std::fs::read(repo.at(".git/config")).unwrap());
    let isolated = isolate(&git, folder.path());
    let there = |arguments: &[&str]| git_in(folder.path(), arguments);
    assert_eq!(there(&["config", "user.name"]), "Ada");
    std::fs::write(folder.path().join("a"), "2\n").unwrap();
    for arguments in [
        &["config", "user.name", "They"][..],
        &["commit", "-qam", "theirs"],
        &["branch", "-D", "other"],
        &["tag", "v2"],
        &["gc", "--quiet", "--prune=now"],
    ] {
        there(arguments);
    }
    assert_eq!(there(&["rev-parse", "HEAD~1"]), git.head().unwrap().commit.to_string());
    let after = (repo.of_the_user(), repo.git(&["for-each-ref"]), std::fs::read(repo.at(".git/config")).unwrap());
    assert!(after == before);
    repo.assert_sound();
    // What it made is taken over when asked for, and then outlives it.
    std::fs::create_dir(folder.path().join("deep")).unwrap();
    std::fs::write(folder.path().join("deep/file"), "new\n").unwrap();
    there(&["add", "deep"]);
    let tree = isolated.snapshot(ExtraPaths::default()).unwrap().tree;
    assert!(git.restore(tree, tree, &path("staging")).is_err(), "it is not there yet");
    git.adopt(&isolated, tree).unwrap();
    drop(folder);
    assert_eq!(repo.show(&tree, "deep/file"), "new");
    assert_eq!(repo.show(&tree, "a"), "2");
}

#[test]
fn files_that_git_filters_are_copied_when_they_are_unchanged() {
    let repo = TestRepo::with(&[(".gitattributes", "*.bin filter=upper\n")]);
    repo.git(&["config", "filter.upper.clean", "tr a-z A-Z"]);
    repo.git(&["config", "filter.upper.smudge", "tr A-Z a-z"]);
    repo.write("x.bin", "big\n");
    repo.commit_all("filtered");
    // So that the index is surely younger than the file.
    std::thread::sleep(std::time::Duration::from_millis(20));
    repo.git(&["update-index", "--refresh"]);
    repo.git(&["read-tree", "HEAD"]);
    repo.git(&["update-index", "--refresh"]);
    assert_eq!(repo.show(&"HEAD", "x.bin"), "BIG");
    let folder = tempfile::tempdir().unwrap();
    isolate(&repo.open(), folder.path());
    assert_eq!(std::fs::read_to_string(folder.path().join("x.bin")).unwrap(), "big\n");
    assert_eq!(git_in(folder.path(), &["status", "--porcelain"]), "");
}

#[test]
fn a_tree_that_is_not_that_of_the_user_comes_from_the_objects() {
    let repo = TestRepo::with(&[("a", "old\n"), ("d/e/f", "1\n"), ("same", "s\n")]);
    let git = repo.open();
    let old = git.head().unwrap();
    let tree = git.commit_summary(old.commit).unwrap().tree;
    std::fs::remove_dir_all(repo.at("d")).unwrap();
    repo.write("a", "new\n");
    repo.write("d", "a file now\n");
    repo.commit_all("second");
    let folder = tempfile::tempdir().unwrap();
    let isolated = git.isolate(folder.path(), tree, &old, &[]).unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("d/e/f")).unwrap(), "1\n");
    assert_eq!(git_in(folder.path(), &["status", "--porcelain"]), "");
    let head = isolated.head().unwrap();
    assert_eq!((head.commit, head.name), (old.commit, HeadName::Branch("main".into())));
}

#[test]
fn linked_detached_and_with_a_submodule() {
    let library = TestRepo::with(&[("lib", "1")]);
    let repo = TestRepo::with(&[("a", "1")]);
    let url = library.root().to_str().unwrap().to_owned();
    repo.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "sub"]);
    repo.commit_all("with a submodule");
    let elsewhere = tempfile::tempdir().unwrap();
    let linked = elsewhere.path().join("linked");
    repo.git(&["worktree", "add", "--quiet", "--detach", linked.to_str().unwrap()]);
    repo.git(&["config", "extensions.worktreeConfig", "true"]);
    std::fs::write(linked.join("a"), "2").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let isolated = isolate(&Git::open(&linked).unwrap().unwrap(), folder.path());
    assert_eq!(std::fs::read_to_string(folder.path().join("a")).unwrap(), "2");
    assert!(folder.path().join("sub").is_dir());
    assert_eq!(isolated.head().unwrap().name, HeadName::Detached);
    assert_eq!(git_in(folder.path(), &["status", "--porcelain"]), "M  a");
}
