//! The module against real repositories; the git command line is the judge.

mod isolated;
mod refs;
mod restore;
mod snapshot;

use super::testing::{TIME, TestRepo, git_in, identity, path};
use super::{CommitId, Git, GitError, HeadName, IdentityOverrides, NewCommit};

#[test]
fn there_need_be_no_repository() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Git::open(dir.path()).unwrap().is_none());
    git_in(dir.path(), &["init", "-q", "--bare", "bare"]);
    assert!(matches!(Git::open(&dir.path().join("bare")), Err(GitError::Bare { .. })));
}

#[test]
fn says_where_head_stands() {
    let repo = TestRepo::empty();
    let error = repo.open().head().unwrap_err();
    assert!(matches!(&error, GitError::Unborn { branch } if branch == "main"), "{error}");
    repo.commit_all("first");
    let git = repo.open();
    let head = git.head().unwrap();
    assert_eq!(head.name, HeadName::Branch("main".into()));
    assert_eq!(head.commit.to_string(), repo.git(&["rev-parse", "HEAD"]));
    repo.git(&["checkout", "-q", "--detach"]);
    assert_eq!(git.head().unwrap().name, HeadName::Detached);
}

#[test]
fn resolves_what_git_resolves() {
    let repo = TestRepo::empty();
    for message in ["one", "two", "three"] {
        repo.commit_all(message);
    }
    repo.git(&["tag", "-a", "-m", "x", "v1", "HEAD~1"]);
    repo.git(&["branch", "old", "HEAD~2"]);
    let git = repo.open();
    let parse = |text: &str| CommitId::parse(&repo.git(&["rev-parse", &format!("{text}^{{commit}}")])).unwrap();
    for revision in ["HEAD", "HEAD~1", "main", "v1", "old", "HEAD^^", &parse("main").short()] {
        assert_eq!(git.resolve(revision).unwrap(), parse(revision), "{revision}");
    }
    for unknown in ["nosuch", "HEAD~9", "", "a..b", "\0", "v1^{tree}"] {
        let error = git.resolve(unknown).unwrap_err();
        assert!(matches!(error, GitError::UnknownRevision { .. }), "{unknown}: {error}");
    }
    assert_eq!(git.first_parents(parse("main"), 2).unwrap(), [parse("main"), parse("v1")]);
    assert_eq!(git.first_parents(parse("main"), 9).unwrap().len(), 3);
    assert_eq!(git.name_of(parse("main")).unwrap().as_deref(), Some("main"));
    assert_eq!(git.name_of(parse("v1")).unwrap().as_deref(), Some("v1"));
    assert_eq!(git.branches().unwrap().keys().collect::<Vec<_>>(), ["main", "old"]);
    let summary = git.commit_summary(parse("v1")).unwrap();
    assert_eq!((summary.message.as_str(), summary.parents), ("two\n", vec![parse("old")]));
}

#[test]
fn reads_the_files_of_a_commit() {
    let repo = TestRepo::with(&[("sub/dvc.yaml", "a"), ("sub/data/raw.dvc", "b"), ("dvc.yaml", "c"), ("x.txt", "d")]);
    std::os::unix::fs::symlink("../dvc.yaml", repo.at("sub/link")).unwrap();
    std::os::unix::fs::symlink("sub/data", repo.at("dir")).unwrap();
    std::os::unix::fs::symlink("loop", repo.at("loop")).unwrap();
    std::os::unix::fs::symlink("../../etc/passwd", repo.at("out")).unwrap();
    repo.commit_all("links");
    let git = repo.open();
    let head = git.head().unwrap().commit;
    let tree = git.tree(head).unwrap();
    let read = |text: &str| tree.read(&path(text)).unwrap().map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(read("x.txt").as_deref(), Some("d"));
    assert_eq!(read("sub/link").as_deref(), Some("c"));
    assert_eq!(read("dir/raw.dvc").as_deref(), Some("b"));
    for none in ["nosuch", "sub", "x.txt/y", "loop", "out"] {
        assert_eq!(read(none), None, "{none}");
    }
    let wanted = |name: &str| name == "dvc.yaml" || name.ends_with(".dvc");
    let files = |git: &Git| git.tree(head).unwrap().files(&super::Finder::new(git, wanted)).unwrap();
    assert_eq!(files(&git), [path("dvc.yaml"), path("sub/data/raw.dvc"), path("sub/dvc.yaml")]);

    let sub = Git::open(&repo.at("sub")).unwrap().unwrap();
    assert_eq!(files(&sub), [path("data/raw.dvc"), path("dvc.yaml")]);
    assert_eq!(sub.read(head, &path("dvc.yaml")).unwrap().unwrap(), b"a");
    assert_eq!(sub.read(head, &path("link")).unwrap().unwrap(), b"c");
}

#[test]
fn knows_what_is_tracked_and_what_is_ignored() {
    let repo = TestRepo::with(&[("sub/a", "a"), (".gitignore", "/sub/out\n*.tmp\n")]);
    repo.write("sub/out/x", "x");
    repo.write("sub/new", "n");
    let git = Git::open(&repo.at("sub")).unwrap().unwrap();
    let tracked = |text: &str| git.is_tracked(&path(text)).unwrap();
    assert!(tracked("a") && tracked(""));
    assert!(!tracked("new") && !tracked("ou") && !tracked("out"));
    repo.git(&["add", "-N", "sub/new"]);
    assert!(tracked("new"));
    let ignored = |text: &str| git.is_ignored(&path(text)).unwrap();
    assert!(ignored("out") && ignored("out/x") && ignored("deep/y.tmp"));
    assert!(!ignored("a") && !ignored("new") && !ignored(""));
}

#[test]
fn a_commit_is_the_users_and_unsigned() {
    let repo = TestRepo::with(&[("a", "a")]);
    repo.git(&["config", "commit.gpgsign", "true"]);
    let git = repo.open();
    let mut identity = git.identity(&IdentityOverrides::default()).unwrap();
    assert_eq!(identity, self::identity());
    identity.author.name = "Grace".into();
    let head = git.head().unwrap().commit;
    let tree = git.tree(head).unwrap().id();
    let new = NewCommit { tree, parents: &[head], message: "größer\n\0more", time: TIME, identity: &identity };
    let commit = git.commit(&new).unwrap();
    let text = repo.git(&["cat-file", "-p", &commit.to_string()]);
    assert!(
        text.contains("author Grace <ada@example.org> 1700000000 +0100\ncommitter Ada <ada@example.org>"),
        "{text}"
    );
    assert!(!text.contains("gpgsig"));
    repo.assert_sound();
}
