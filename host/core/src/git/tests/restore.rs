//! The files of a tree, back into the work tree.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use crate::git::testing::{TestRepo, path};
use crate::git::{ExtraPaths, TreeId};

fn tree_of(repo: &TestRepo) -> TreeId {
    repo.open().snapshot(ExtraPaths::default()).unwrap().tree
}

fn restore(repo: &TestRepo, to: TreeId) -> crate::git::Restored {
    let before = repo.of_the_user();
    let git = repo.open();
    let from = git.snapshot_for_restore(to, &[]).unwrap();
    let restored = git.restore(from, to, &path(".dvc/tmp")).unwrap();
    assert_eq!(repo.of_the_user(), before);
    assert_eq!(std::fs::read_dir(repo.at(".dvc/tmp")).map_or(0, Iterator::count), 0, "nothing is left on its way");
    repo.assert_sound();
    restored
}

#[test]
fn writes_and_removes_what_differs_and_nothing_else() {
    let repo =
        TestRepo::with(&[("same", "s"), ("edit", "1"), ("d/e/gone", "g"), ("was-dir/x", "x"), ("was-file", "f")]);
    let first = tree_of(&repo);
    repo.write("edit", "2");
    std::fs::remove_dir_all(repo.at("d")).unwrap();
    std::fs::remove_dir_all(repo.at("was-dir")).unwrap();
    repo.write("was-dir", "file now");
    std::fs::remove_file(repo.at("was-file")).unwrap();
    repo.write("was-file/y ü", "y");
    repo.write("run", "#!");
    std::fs::set_permissions(repo.at("run"), std::fs::Permissions::from_mode(0o755)).unwrap();
    symlink("same", repo.at("link")).unwrap();
    repo.commit_all("second");
    let second = tree_of(&repo);
    repo.write("untracked", "u");
    let inode = std::fs::metadata(repo.at("same")).unwrap().ino();

    let restored = restore(&repo, first);
    assert_eq!(restored.written, ["d/e/gone", "edit", "was-dir/x", "was-file"]);
    assert_eq!(restored.removed, ["link", "run", "was-dir", "was-file/y ü"]);
    assert_eq!(repo.read("edit").as_deref(), Some("1"));
    assert_eq!(repo.read("was-dir/x").as_deref(), Some("x"));
    assert_eq!(repo.read("untracked").as_deref(), Some("u"));
    assert_eq!(std::fs::metadata(repo.at("same")).unwrap().ino(), inode);

    restore(&repo, second);
    assert_eq!(tree_of(&repo), second);
    assert_eq!(repo.read("d/e/gone").as_deref(), Some("g"), "the index does not have it, so it is the user's own");
    assert_eq!(std::fs::metadata(repo.at("run")).unwrap().mode() & 0o111, 0o111);
    assert!(repo.at("link").is_symlink());
    assert_eq!(restore(&repo, second), crate::git::Restored::default());
}

#[test]
fn line_ends_are_those_that_git_would_check_out() {
    let repo = TestRepo::with(&[(".gitattributes", "*.a text eol=crlf\n"), ("x.a", "1\n"), ("x.b", "1\n")]);
    let first = tree_of(&repo);
    repo.write(".gitattributes", "*.b text eol=crlf\n");
    repo.write("x.a", "2\n");
    repo.write("x.b", "2\r\n");
    let second = tree_of(&repo);
    restore(&repo, first);
    assert_eq!((repo.read("x.a").unwrap().as_str(), repo.read("x.b").unwrap().as_str()), ("1\r\n", "1\n"));
    restore(&repo, second);
    assert_eq!((repo.read("x.a").unwrap().as_str(), repo.read("x.b").unwrap().as_str()), ("2\n", "2\r\n"));
}

#[test]
fn a_hard_link_to_a_cached_object_is_not_written_through() {
    let repo = TestRepo::with(&[("a", "1")]);
    let first = tree_of(&repo);
    std::fs::write(repo.at("a"), "2").unwrap();
    repo.commit_all("second");
    std::fs::hard_link(repo.at("a"), repo.at("cached")).unwrap();
    restore(&repo, first);
    assert_eq!((repo.read("a").as_deref(), repo.read("cached").as_deref()), (Some("1"), Some("2")));
}

#[test]
fn a_symlink_in_the_way_is_replaced_and_never_followed() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("x"), "theirs").unwrap();
    let repo = TestRepo::with(&[("d/x", "mine"), ("a", "a")]);
    let first = tree_of(&repo);
    std::fs::remove_dir_all(repo.at("d")).unwrap();
    symlink(outside.path(), repo.at("d")).unwrap();
    restore(&repo, first);
    assert!(!repo.at("d").is_symlink());
    assert_eq!(repo.read("d/x").as_deref(), Some("mine"));
    assert_eq!(std::fs::read_to_string(outside.path().join("x")).unwrap(), "theirs");

    // Without a snapshot that has it, nothing goes through it either.
    std::fs::remove_dir_all(repo.at("d")).unwrap();
    symlink(outside.path(), repo.at("d")).unwrap();
    let git = repo.open();
    let from = git.snapshot(ExtraPaths::default()).unwrap().tree;
    assert!(git.restore(from, first, &path(".dvc/tmp")).is_err());
    assert_eq!(std::fs::read_to_string(outside.path().join("x")).unwrap(), "theirs");
}

#[test]
fn a_project_in_a_folder_restores_the_whole_work_tree() {
    let repo = TestRepo::with(&[("sub/a", "1"), ("top", "1")]);
    let first = tree_of(&repo);
    repo.write("sub/a", "2");
    repo.write("top", "2");
    let git = crate::git::Git::open(&repo.at("sub")).unwrap().unwrap();
    let from = git.snapshot_for_restore(first, &[]).unwrap();
    git.restore(from, first, &path(".dvc/tmp")).unwrap();
    assert_eq!((repo.read("sub/a").as_deref(), repo.read("top").as_deref()), (Some("1"), Some("1")));
    assert!(repo.at("sub/.dvc/tmp").exists());
}
