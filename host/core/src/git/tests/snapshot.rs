//! A snapshot has what `git add -u` would record, and leaves no trace but objects.

use std::os::unix::fs::{PermissionsExt, symlink};

use proptest::prelude::*;

use crate::git::testing::{TestRepo, git_in, path};
use crate::git::{ExtraPaths, Git, GitError, TreeId};
use crate::path::RepoPath;

fn snapshot(repo: &TestRepo) -> TreeId {
    let before = repo.of_the_user();
    let tree = repo.open().snapshot(ExtraPaths::default()).unwrap().tree;
    assert_eq!(repo.of_the_user(), before, "what is the user's was written");
    repo.assert_sound();
    tree
}

/// What git itself would commit of the tracked files, through an index of its own.
fn judged_by_git(repo: &TestRepo) -> String {
    let index = repo.at(".git/index");
    let saved = std::fs::read(&index).unwrap();
    repo.git(&["add", "-u"]);
    let tree = repo.git(&["write-tree"]);
    std::fs::write(&index, saved).unwrap();
    tree
}

#[test]
fn has_what_git_would_add() {
    let repo = TestRepo::with(&[
        ("same", "s"),
        ("changed", "one"),
        ("gone", "g"),
        ("dir/deep/gone", "g"),
        ("run.sh", "#!"),
        ("to-link", "t"),
        ("to-dir", "d"),
        ("größe und mehr.txt", "u"),
        ("from-dir/x", "x"),
        ("linked/x", "x"),
    ]);
    symlink("same", repo.at("link")).unwrap();
    repo.commit_all("link");
    repo.write("changed", "two");
    repo.write("größe und mehr.txt", "U");
    std::fs::remove_file(repo.at("gone")).unwrap();
    std::fs::remove_dir_all(repo.at("dir")).unwrap();
    std::fs::set_permissions(repo.at("run.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::remove_file(repo.at("to-link")).unwrap();
    symlink("nowhere", repo.at("to-link")).unwrap();
    std::fs::remove_file(repo.at("to-dir")).unwrap();
    repo.write("to-dir/inner", "untracked");
    std::fs::remove_dir_all(repo.at("from-dir")).unwrap();
    repo.write("from-dir", "a file");
    std::fs::remove_dir_all(repo.at("linked")).unwrap();
    symlink(".", repo.at("linked")).unwrap();
    repo.write("x", "behind the symlink");
    std::fs::remove_file(repo.at("link")).unwrap();
    symlink("changed", repo.at("link")).unwrap();
    repo.write("untracked", "u");
    let tree = snapshot(&repo);
    assert_eq!(tree.to_string(), judged_by_git(&repo));
    assert_eq!(
        repo.files(&tree),
        [
            "100644 changed",
            "100644 größe und mehr.txt",
            "120000 link",
            "100755 run.sh",
            "100644 same",
            "120000 to-link"
        ]
    );
}

#[test]
fn has_what_is_staged_now_and_what_is_meant_to_be() {
    let repo = TestRepo::with(&[("a", "a"), ("rm", "r")]);
    repo.write("staged", "one");
    repo.git(&["add", "staged"]);
    repo.write("staged", "two");
    repo.write("meant", "m");
    repo.write("meant-gone", "m");
    repo.write("meant-empty", "");
    repo.git(&["add", "-N", "meant", "meant-gone", "meant-empty"]);
    std::fs::remove_file(repo.at("meant-gone")).unwrap();
    repo.git(&["rm", "-q", "--cached", "rm"]);
    let tree = snapshot(&repo);
    assert_eq!(repo.files(&tree), ["100644 a", "100644 meant", "100644 meant-empty", "100644 staged"]);
    assert_eq!(repo.show(&tree, "staged"), "two");
    assert_eq!(repo.show(&tree, "meant"), "m");
    assert!(repo.git(&["diff", "--cached", "--name-only"]).contains("staged"), "still staged");
}

#[test]
fn an_edit_of_the_same_size_in_the_same_tick_is_seen() {
    let repo = TestRepo::with(&[("a", "0000")]);
    let git = repo.open();
    for round in 1..60 {
        // The commit writes the index; the edit follows within the clock's tick.
        repo.write("a", format!("{:04}", round - 1));
        if round % 20 == 0 {
            repo.git(&["add", "a"]);
        }
        repo.write("a", format!("{round:04}"));
        let tree = git.snapshot(ExtraPaths::default()).unwrap().tree;
        assert_eq!(repo.show(&tree, "a"), format!("{round:04}"));
    }
}

#[test]
fn line_ends_are_those_that_git_would_record() {
    let repo = TestRepo::with(&[
        (".gitattributes", "*.txt text\n*.bin -text\n"),
        ("a.txt", "1\n"),
        ("b.bin", "1\n"),
        ("c", "1\n"),
    ]);
    repo.git(&["config", "core.autocrlf", "true"]);
    for file in ["a.txt", "b.bin", "c"] {
        repo.write(file, "1\r\n2\r\n");
    }
    let tree = snapshot(&repo);
    assert_eq!(tree.to_string(), judged_by_git(&repo));
    assert_eq!(repo.show(&tree, "a.txt"), "1\n2");
    assert_eq!(repo.show(&tree, "b.bin"), "1\r\n2\r");
    assert_eq!(repo.show(&tree, "c"), "1\n2");
}

#[test]
fn a_filter_that_is_a_program_is_named_and_never_passed_by() {
    let repo = TestRepo::with(&[(".gitattributes", "*.dat filter=upper\n"), ("a.dat", "a"), ("b", "b")]);
    repo.write("a.dat", "changed");
    snapshot(&repo); // Nothing configures it, so git does nothing either.
    repo.git(&["config", "filter.upper.clean", "tr a-z A-Z"]);
    let error = repo.open().snapshot(ExtraPaths::default()).unwrap_err();
    assert!(
        matches!(&error, GitError::FilterDriver { path, driver } if path == "a.dat" && driver == "upper"),
        "{error}"
    );
    repo.git(&["add", "a.dat"]);
    assert_eq!(repo.show(&snapshot(&repo), "a.dat"), "CHANGED");
}

#[test]
fn extra_paths_come_in_unless_ignored_or_always() {
    let repo = TestRepo::with(&[(".gitignore", "/out\n*.log\n"), ("sub/a", "a")]);
    for file in ["sub/new", "sub/dir/x", "sub/dir/y.log", "sub/dir/.git/HEAD", "other"] {
        repo.write(file, "n");
    }
    repo.write("out/model", "m");
    std::fs::remove_dir_all(repo.at("sub/dir/.git")).unwrap();
    repo.write("sub/dir/nested/z", "z");
    git_in(&repo.at("sub/dir/nested"), &["init", "-q"]);
    let git = Git::open(&repo.at("sub")).unwrap().unwrap();
    let unless_ignored = ["new", "dir", "nosuch", "dir/y.log"].map(path);
    let before = repo.of_the_user();
    let snapshot = git.snapshot(ExtraPaths { unless_ignored: &unless_ignored, always: &[] }).unwrap();
    assert_eq!(snapshot.ignored, [path("dir/y.log")]);
    assert_eq!(repo.files(&snapshot.tree), ["100644 .gitignore", "100644 sub/a", "100644 sub/dir/x", "100644 sub/new"]);
    let always = ["dir", "a"].map(path);
    let snapshot = git.snapshot(ExtraPaths { unless_ignored: &[], always: &always }).unwrap();
    assert_eq!(
        repo.files(&snapshot.tree),
        ["100644 .gitignore", "100644 sub/a", "100644 sub/dir/x", "100644 sub/dir/y.log"]
    );
    let whole = repo.open();
    let out = [path("out/model")];
    assert_eq!(whole.snapshot(ExtraPaths { unless_ignored: &out, always: &[] }).unwrap().ignored, out);
    let snapshot = whole.snapshot(ExtraPaths { unless_ignored: &[], always: &out }).unwrap();
    assert_eq!(repo.show(&snapshot.tree, "out/model"), "m");
    assert_eq!(repo.of_the_user(), before);
    repo.assert_sound();
}

#[test]
fn an_unfinished_merge_is_refused_with_its_paths() {
    let repo = TestRepo::with(&[("a", "0")]);
    repo.git(&["checkout", "-q", "-b", "side"]);
    repo.write("a", "1");
    repo.commit_all("one");
    repo.git(&["checkout", "-q", "main"]);
    repo.write("a", "2");
    repo.commit_all("two");
    let tree = repo.git(&["merge-tree", "--write-tree", "--allow-unrelated-histories", "main", "main"]);
    assert_eq!(tree.len(), 40);
    let merged = std::process::Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=b", "merge", "-q", "side"])
        .current_dir(repo.root())
        .output()
        .unwrap();
    assert!(!merged.status.success());
    let error = repo.open().snapshot(ExtraPaths::default()).unwrap_err();
    assert!(matches!(&error, GitError::Conflicted { paths } if paths == &["a"]), "{error}");
    repo.git(&["add", "a"]);
    snapshot(&repo);
}

#[test]
fn submodules_and_sparse_files_stay_as_they_are() {
    let repo = TestRepo::with(&[("a", "a"), ("sparse", "s"), ("assumed", "x")]);
    let module = TestRepo::with(&[("m", "m")]);
    let commit = module.git(&["rev-parse", "HEAD"]);
    repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},module")]);
    repo.git(&["update-index", "--skip-worktree", "sparse"]);
    repo.git(&["update-index", "--assume-unchanged", "assumed"]);
    std::fs::remove_file(repo.at("sparse")).unwrap();
    repo.write("assumed", "changed");
    let tree = snapshot(&repo);
    assert_eq!(repo.files(&tree), ["100644 a", "100644 assumed", "160000 module", "100644 sparse"]);
    assert_eq!(repo.show(&tree, "assumed"), "x");
}

#[test]
fn works_in_a_linked_worktree_and_detached() {
    let repo = TestRepo::with(&[("a", "a")]);
    let elsewhere = tempfile::tempdir().unwrap();
    let linked = elsewhere.path().join("linked");
    repo.git(&["worktree", "add", "-q", "--detach", linked.to_str().unwrap()]);
    std::fs::write(linked.join("a"), "changed").unwrap();
    std::fs::write(linked.join("new"), "n").unwrap();
    git_in(&linked, &["add", "new"]);
    let git = Git::open(&linked).unwrap().unwrap();
    let tree = git.snapshot(ExtraPaths::default()).unwrap().tree;
    assert_eq!(repo.files(&tree), ["100644 a", "100644 new"]);
    assert_eq!(repo.show(&tree, "a"), "changed");
    assert_eq!(git.head().unwrap().commit, repo.open().head().unwrap().commit);
    assert_eq!(repo.show(&snapshot(&repo), "a"), "a");
}

#[test]
fn an_unchanged_tree_writes_no_object() {
    let repo = TestRepo::with(&[("a", "a"), ("d/b", "b")]);
    // As after a clone or a checkout: every stamp moved, no content did.
    for file in ["a", "d/b"] {
        repo.write(file, file.rsplit('/').next().unwrap());
    }
    let objects = || repo.git(&["count-objects"]);
    let before = objects();
    assert_eq!(snapshot(&repo).to_string(), repo.git(&["rev-parse", "HEAD^{tree}"]));
    assert_eq!(objects(), before);
}

#[derive(Debug, Clone)]
enum Step {
    Write(u8, u8),
    Remove(u8),
    Add(u8),
    Unstage(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..6_u8, 0..4_u8).prop_map(|(file, content)| Step::Write(file, content)),
        (0..6_u8).prop_map(Step::Remove),
        (0..6_u8).prop_map(Step::Add),
        (0..6_u8).prop_map(Step::Unstage),
    ];
    proptest::collection::vec(step, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is edited, staged, removed and unstaged: a snapshot is the tree of `git add -u`.
    #[test]
    fn agrees_with_git_after_any_edits(steps in steps()) {
        let names = ["a", "b", "d/a", "d/e/b", "x y", "ü"];
        let repo = TestRepo::with(&[("a", "0"), ("d/a", "0"), ("x y", "0")]);
        for step in steps {
            match step {
                Step::Write(file, content) => repo.write(names[usize::from(file)], [content; 3]),
                Step::Remove(file) => drop(std::fs::remove_file(repo.at(names[usize::from(file)]))),
                Step::Add(file) if repo.at(names[usize::from(file)]).exists() => {
                    repo.git(&["add", names[usize::from(file)]]);
                }
                Step::Unstage(file) => {
                    repo.git(&["rm", "-q", "--cached", "--ignore-unmatch", "-f", names[usize::from(file)]]);
                }
                Step::Add(_) => {}
            }
        }
        prop_assert_eq!(snapshot(&repo).to_string(), judged_by_git(&repo));
        let paths: Vec<RepoPath> = names.iter().map(|name| path(name)).collect();
        let all = repo.open().snapshot(ExtraPaths { unless_ignored: &paths, always: &[] }).unwrap().tree;
        repo.git(&["add", "-A"]);
        prop_assert_eq!(all.to_string(), repo.git(&["write-tree"]));
    }
}

#[test]
fn paths_are_put_onto_a_tree_and_taken_out_of_it() {
    let repo =
        TestRepo::with(&[("m.json", "1"), ("plots/a", "1"), ("plots/b", "1"), ("code.py", "1"), ("was-file", "1")]);
    repo.write(".gitignore", "new-ignored\nm.json\n");
    repo.commit_all("ignore");
    let (git, base) = (repo.open(), snapshot(&repo));
    for (path, text) in [("m.json", "2"), ("plots/b", "2"), ("plots/deep/c", "2"), ("new", "2"), ("new-ignored", "2")] {
        repo.write(path, text);
    }
    std::fs::remove_file(repo.at("plots/a")).unwrap();
    std::fs::remove_file(repo.at("was-file")).unwrap();
    repo.write("was-file/inner", "2");
    repo.write("code.py", "edited meanwhile");
    let paths = ["m.json", "plots", "new", "new-ignored", "was-file", "missing"].map(path);
    let tree = git.snapshot_onto(base, &paths).unwrap();
    let listed = repo.git(&["ls-tree", "-r", "--name-only", &tree.to_string()]);
    assert_eq!(
        listed.lines().collect::<Vec<_>>(),
        [".gitignore", "code.py", "m.json", "new", "plots/b", "plots/deep/c", "was-file/inner"]
    );
    assert_eq!(repo.git(&["show", &format!("{tree}:code.py")]), "1");
    assert_eq!(repo.git(&["show", &format!("{tree}:m.json")]), "2");
    let back = git.with_paths_of(tree, base, &["plots", "m.json", "was-file", "new"].map(path)).unwrap();
    let listed = repo.git(&["ls-tree", "-r", "--name-only", &back.to_string()]);
    assert_eq!(
        listed.lines().collect::<Vec<_>>(),
        [".gitignore", "code.py", "m.json", "plots/a", "plots/b", "was-file"]
    );
    assert_eq!(repo.git(&["show", &format!("{back}:m.json")]), "1");
    let less = git.without(tree, &["plots", "m.json", "missing"].map(path)).unwrap();
    let listed = repo.git(&["ls-tree", "-r", "--name-only", &less.to_string()]);
    assert_eq!(listed.lines().collect::<Vec<_>>(), [".gitignore", "code.py", "new", "was-file/inner"]);
}
