//! Against real repositories: of this machine, and through a command in the place of ssh.

use std::time::Duration;

use git2::Oid;

use super::*;
use crate::git::testing::{TestRepo, git_in};

/// A repository with one commit, and a bare one without any, which it calls `origin`.
fn world() -> (TestRepo, tempfile::TempDir, Git) {
    let repo = TestRepo::with(&[("a", "1")]);
    let bare = tempfile::tempdir().unwrap();
    git_in(bare.path(), &["init", "-q", "--bare", "-b", "main"]);
    repo.git(&["remote", "add", "origin", bare.path().to_str().unwrap()]);
    let git = repo.open();
    (repo, bare, git)
}

fn around() -> Surroundings {
    Surroundings { patience: Duration::from_secs(20), ..Surroundings::default() }
}

fn connect<'g>(git: &'g Git, purpose: Purpose) -> Result<Connection<'g>, GitRemoteError> {
    git.connect(&git.remote("origin", git.root())?, purpose, &around())
}

fn name(text: &str) -> RefName {
    RefName::parse(text).unwrap()
}

fn to(text: &str, expected: Expected, target: Option<CommitId>) -> RefUpdate {
    RefUpdate { name: name(text), expected, target }
}

const REF: &str = "refs/exps/aa/bb/x";

#[test]
fn references_go_to_a_remote_and_come_back() {
    let (repo, bare, git) = world();
    let first = git.head().unwrap().commit;
    let mut connection = connect(&git, Purpose::Push).unwrap();
    assert!(connection.refs.is_empty());
    let outcome = connection.push(&[to(REF, Expected::Absent, Some(first))]).unwrap();
    assert_eq!(outcome, [Pushed::Done]);
    drop(connection);
    assert_eq!(git_in(bare.path(), &["rev-parse", REF]), first.to_string());
    git_in(bare.path(), &["fsck", "--strict"]);

    let other = TestRepo::empty();
    other.git(&["remote", "add", "origin", bare.path().to_str().unwrap()]);
    let theirs = other.open();
    let mut connection = connect(&theirs, Purpose::Fetch).unwrap();
    assert_eq!(connection.refs.get(&name(REF)), Some(&first));
    connection.fetch(&[name(REF), name("refs/exps/no/such")]).unwrap();
    assert!(theirs.commit_summary(first).is_ok());
    assert_eq!(theirs.list_refs("refs/").unwrap(), [], "no reference is made");

    let mut connection = connect(&git, Purpose::Push).unwrap();
    assert_eq!(connection.push(&[to(REF, Expected::At(first), None)]).unwrap(), [Pushed::Done]);
    drop(connection);
    assert!(connect(&git, Purpose::Fetch).unwrap().refs.is_empty());
    repo.assert_sound();
}

#[test]
fn what_stands_elsewhere_than_expected_is_left_so() {
    let (repo, bare, git) = world();
    let first = git.head().unwrap().commit;
    repo.commit_all("second");
    let second = git.head().unwrap().commit;
    let mut connection = connect(&git, Purpose::Push).unwrap();
    let done = connection.push(&[to(REF, Expected::Absent, Some(second))]).unwrap();
    assert_eq!(done, [Pushed::Done]);
    drop(connection);
    // Known when the connection is made.
    let mut connection = connect(&git, Purpose::Push).unwrap();
    let outcomes = connection
        .push(&[
            to(REF, Expected::Absent, Some(first)),
            to("refs/exps/aa/bb/y", Expected::At(first), Some(second)),
            to("refs/exps/aa/bb/z", Expected::Absent, Some(first)),
        ])
        .unwrap();
    assert!(matches!(&outcomes[0], Pushed::Moved(RefConflict { found: Some(found), .. }) if *found == second));
    assert!(matches!(&outcomes[1], Pushed::Moved(RefConflict { found: None, .. })));
    assert_eq!(outcomes[2], Pushed::Done);
    drop(connection);
    // Moved after the connection was made: git on the other side refuses.
    let mut connection = connect(&git, Purpose::Push).unwrap();
    git_in(bare.path(), &["update-ref", REF, &first.to_string()]);
    let outcomes = connection
        .push(&[to(REF, Expected::At(second), None), to("refs/exps/aa/bb/w", Expected::Absent, Some(first))])
        .unwrap();
    assert!(matches!(&outcomes[0], Pushed::Refused(_)), "{outcomes:?}");
    assert_eq!(outcomes[1], Pushed::Done);
    assert_eq!(git_in(bare.path(), &["rev-parse", REF]), first.to_string());
}

#[test]
fn a_hook_of_the_remote_has_its_say() {
    use std::os::unix::fs::PermissionsExt;
    let (_repo, bare, git) = world();
    let hook = bare.path().join("hooks/update");
    std::fs::write(&hook, "#!/bin/sh\ncase $1 in *x) exit 1;; esac\n").unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let commit = Some(git.head().unwrap().commit);
    let mut connection = connect(&git, Purpose::Push).unwrap();
    let other = "refs/exps/aa/bb/other";
    let outcomes = connection.push(&[to(REF, Expected::Absent, commit), to(other, Expected::Absent, commit)]).unwrap();
    assert_eq!(outcomes, [Pushed::Refused("hook declined".into()), Pushed::Done]);
}

#[test]
fn what_is_promised_has_to_come() {
    let (repo, bare, git) = world();
    let commit = git.head().unwrap().commit;
    connect(&git, Purpose::Push).unwrap().push(&[to(REF, Expected::Absent, Some(commit))]).unwrap();
    let blob = repo.git(&["rev-parse", "HEAD:a"]);
    let other = TestRepo::empty();
    other.git(&["remote", "add", "origin", bare.path().to_str().unwrap()]);
    // The commit and its tree came before, but not the file: nothing is to be fetched any more.
    let tree = repo.git(&["rev-parse", "HEAD^{tree}"]);
    for (kind, id) in [("commit", commit.to_string()), ("tree", tree)] {
        let object = repo.at("object");
        let content = std::process::Command::new("git")
            .args(["cat-file", kind, &id])
            .current_dir(repo.root())
            .output()
            .unwrap()
            .stdout;
        std::fs::write(&object, content).unwrap();
        other.git(&["hash-object", "-w", "--literally", "-t", kind, object.to_str().unwrap()]);
    }
    let theirs = other.open();
    let flaws = connect(&theirs, Purpose::Fetch).unwrap().fetch(&[name(REF)]).unwrap();
    assert_eq!(flaws, [(name(REF), Flaw::Missing { commit, object: blob })].into());

    // A reference to what the remote itself lacks.
    let loose = bare.path().join("refs/exps/aa/bb/gone");
    std::fs::write(loose, format!("{}\n", "7".repeat(40))).unwrap();
    let empty = TestRepo::empty();
    empty.git(&["remote", "add", "origin", bare.path().to_str().unwrap()]);
    let git = empty.open();
    let error = connect(&git, Purpose::Fetch).unwrap().fetch(&[name("refs/exps/aa/bb/gone"), name(REF)]).unwrap_err();
    let GitRemoteError::Transport { error: TransportError::Ended { status: Some(status), .. }, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(status.code(), Some(128));
    connect(&git, Purpose::Fetch).unwrap().fetch(&[name(REF)]).unwrap();
    assert!(git.commit_summary(commit).is_ok());
}

#[test]
fn a_file_that_would_land_in_gits_own_folder_does_not_come() {
    let (repo, bare, git) = world();
    connect(&git, Purpose::Push).unwrap().push(&[to(REF, Expected::Absent, Some(git.head().unwrap().commit))]).unwrap();
    let blob = git_in(repo.root(), &["rev-parse", "HEAD:a"]);
    let bytes = Oid::from_str(&blob).unwrap().as_bytes().to_vec();
    for (index, file) in [".git", ".GIT", ".."].iter().enumerate() {
        let path = repo.at("tree");
        std::fs::write(&path, [format!("100644 {file}\0").as_bytes(), &bytes].concat()).unwrap();
        let tree = git_in(bare.path(), &["hash-object", "-w", "--literally", "-t", "tree", path.to_str().unwrap()]);
        let commit = git_in(bare.path(), &["-c", "user.name=x", "-c", "user.email=x", "commit-tree", "-m", "x", &tree]);
        let reference = format!("refs/exps/aa/bb/bad{index}");
        git_in(bare.path(), &["update-ref", &reference, &commit]);
        let flaws = connect(&git, Purpose::Fetch).unwrap().fetch(&[name(REF), name(&reference)]).unwrap();
        let commit = CommitId::parse(&commit).unwrap();
        assert_eq!(flaws, [(name(&reference), Flaw::Forbidden { commit, file: (*file).to_owned() })].into());
    }
}

#[test]
fn remotes_have_names_addresses_and_other_addresses_for_pushing() {
    let (repo, bare, git) = world();
    let at = |text: &str| git.remote(text, Path::new("/here"));
    assert_eq!(at("origin").unwrap().fetch, Address::Local(bare.path().to_owned()));
    repo.git(&["remote", "set-url", "--push", "origin", "ssh://host/x"]);
    repo.git(&["config", "url.https://example.org/.insteadOf", "ex:"]);
    assert_eq!(at("origin").unwrap().push.to_string(), "host:/x");
    assert_eq!(at("ex:a/b").unwrap().name, "https://example.org/a/b");
    assert_eq!(at("../x").unwrap().fetch, Address::Local("/here/../x".into()));
    repo.git(&["remote", "add", "near", "../near"]);
    assert_eq!(at("near").unwrap().fetch, Address::Local(repo.root().canonicalize().unwrap().join("../near")));
    let Err(GitRemoteError::Unknown { similar, known, .. }) = at("orign") else { panic!() };
    assert_eq!((similar.as_deref(), known.len()), (Some("origin"), 2));
    let absent = git.connect(&at("near").unwrap(), Purpose::Fetch, &around());
    assert!(matches!(absent.err(), Some(GitRemoteError::Absent { .. })));
    for bad in ["https://me:secret@ho st/a", "ext::sh secret", "git://me:secret@host/a"] {
        let error = at(bad).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret@"), "{error:?}");
    }
}

/// What stands for ssh, and the error that a connection ends with.
fn through(ssh: &str, patience: Duration) -> TransportError {
    let repo = TestRepo::with(&[("a", "1")]);
    let git = repo.open();
    let around = Surroundings { ssh_command: Some(ssh.into()), patience, ..Surroundings::default() };
    match git.connect(&git.remote("host:x", git.root()).unwrap(), Purpose::Fetch, &around).err() {
        Some(GitRemoteError::Transport { error, .. }) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_host_that_does_not_answer_is_not_waited_for_for_ever() {
    let short = Duration::from_millis(200);
    assert!(matches!(through("exec sleep 60 #", short), TransportError::Silent(patience) if patience == short));
    let long = Duration::from_secs(20);
    let ended = through("exit 255 #", long);
    assert!(matches!(&ended, TransportError::Ended { status: Some(status), .. } if status.code() == Some(255)));
    assert!(matches!(through("/no/such/ssh", long), TransportError::Start { .. }));
    assert!(matches!(through("echo hello #", long), TransportError::NotGit));
    assert!(matches!(through("printf '%s' '000eERR no way' #", long), TransportError::Said(said) if said == "no way"));
}
