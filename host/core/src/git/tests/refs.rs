//! Compare-and-swap of references, against threads and the git command line.

use std::sync::Barrier;

use crate::git::testing::TestRepo;
use crate::git::{CommitId, Expected, GitError, RefName, RefUpdate};

fn commits(repo: &TestRepo, count: usize) -> Vec<CommitId> {
    for number in 0..count {
        repo.commit_all(&number.to_string());
    }
    repo.open().first_parents(repo.open().head().unwrap().commit, count).unwrap()
}

fn name(text: &str) -> RefName {
    RefName::parse(text).unwrap()
}

fn conflict(error: GitError) -> Option<CommitId> {
    match error {
        GitError::RefConflict(conflict) => conflict.found,
        other => panic!("{other}"),
    }
}

#[test]
fn moves_only_what_stands_where_expected() {
    let repo = TestRepo::empty();
    let [a, b] = commits(&repo, 2)[..] else { panic!() };
    let git = repo.open();
    let exp = name("refs/exps/ab/cd/x");
    let update = |target, expected| git.update_ref(&exp, target, expected, "test");
    assert_eq!(conflict(update(a, Expected::At(b)).unwrap_err()), None);
    update(a, Expected::Absent).unwrap();
    assert_eq!(conflict(update(b, Expected::Absent).unwrap_err()), Some(a));
    assert_eq!(conflict(update(b, Expected::At(b)).unwrap_err()), Some(a));
    assert_eq!(repo.git(&["rev-parse", exp.as_str()]), a.to_string());
    repo.git(&["pack-refs", "--all"]);
    assert_eq!(git.find_ref(&exp).unwrap(), Some(a));
    assert_eq!(conflict(update(b, Expected::Absent).unwrap_err()), Some(a));
    update(b, Expected::At(a)).unwrap();
    assert_eq!(repo.git(&["rev-parse", exp.as_str()]), b.to_string());
    update(a, Expected::Any).unwrap();
    repo.git(&["pack-refs", "--all"]);
    assert_eq!(conflict(git.delete_ref(&exp, Expected::At(b)).unwrap_err()), Some(a));
    git.delete_ref(&exp, Expected::At(a)).unwrap();
    assert_eq!(git.find_ref(&exp).unwrap(), None);
    assert_eq!(repo.git(&["for-each-ref", "refs/exps"]), "");
    git.delete_ref(&exp, Expected::Any).unwrap();
    assert_eq!(
        GitError::from(crate::git::RefConflict { name: exp, expected: Expected::Absent, found: Some(a) }).to_string(),
        format!("`refs/exps/ab/cd/x` exists already, at {}", a.short())
    );
    repo.assert_sound();
}

#[test]
fn several_change_together_or_not_at_all() {
    let repo = TestRepo::empty();
    let [a, b] = commits(&repo, 2)[..] else { panic!() };
    let git = repo.open();
    let names = ["refs/exps/1", "refs/exps/2", "refs/exps/3"].map(name);
    for name in &names {
        git.update_ref(name, a, Expected::Absent, "").unwrap();
    }
    let delete = |expected: [CommitId; 3]| -> Vec<RefUpdate> {
        let update = |(name, at): (&RefName, CommitId)| RefUpdate {
            name: name.clone(),
            expected: Expected::At(at),
            target: None,
        };
        names.iter().zip(expected).map(update).collect()
    };
    assert_eq!(conflict(git.update_refs(&delete([a, a, b]), "").unwrap_err()), Some(a));
    assert_eq!(git.list_refs("refs/exps/").unwrap().len(), 3);
    git.update_refs(&delete([a, a, a]), "").unwrap();
    assert_eq!(git.list_refs("refs/exps/").unwrap(), []);
}

#[test]
fn of_threads_that_race_one_wins() {
    let repo = TestRepo::empty();
    let targets = commits(&repo, 4);
    for round in 0..20 {
        let exp = name(&format!("refs/exps/ab/cd/{round}"));
        let start = Barrier::new(targets.len());
        let race = |target: CommitId| {
            let git = repo.open();
            start.wait();
            match git.update_ref(&exp, target, Expected::Absent, "") {
                Ok(()) => Some(target),
                Err(error) => {
                    assert!(conflict(error).is_some());
                    None
                }
            }
        };
        let won: Vec<CommitId> = std::thread::scope(|scope| {
            let threads: Vec<_> = targets.iter().map(|target| scope.spawn(|| race(*target))).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(won.len(), 1);
        assert_eq!(repo.open().find_ref(&exp).unwrap(), Some(won[0]));
    }
}

#[test]
fn no_update_is_lost_beside_the_command_line() {
    let repo = TestRepo::empty();
    let line = commits(&repo, 2);
    let exp = name("refs/exps/ab/cd/x");
    repo.open().update_ref(&exp, line[0], Expected::Absent, "").unwrap();
    // Each side flips the reference from one commit to the other; a flip is counted only when it was granted.
    let flips = |flip: &dyn Fn(CommitId, CommitId) -> bool| {
        (0..30).filter(|round| flip(line[round % 2], line[(round + 1) % 2])).count()
    };
    let (ours, theirs) = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| {
            flips(&|from, to| {
                std::process::Command::new("git")
                    .args(["update-ref", exp.as_str(), &to.to_string(), &from.to_string()])
                    .current_dir(repo.root())
                    .output()
                    .unwrap()
                    .status
                    .success()
            })
        });
        let git = repo.open();
        let ours = flips(&|from, to| match git.update_ref(&exp, to, Expected::At(from), "") {
            Ok(()) => true,
            Err(error) => {
                assert!(conflict(error).is_some());
                false
            }
        });
        (ours, theirs.join().unwrap())
    });
    assert!(ours > 0);
    assert_eq!(repo.open().find_ref(&exp).unwrap(), Some(line[(ours + theirs) % 2]));
}

#[test]
fn a_lock_left_behind_is_named_or_removed() {
    let repo = TestRepo::empty();
    let target = commits(&repo, 1)[0];
    repo.write(".git/refs/heads/x.lock", "");
    let error = repo.open().update_ref(&name("refs/heads/x"), target, Expected::Any, "").unwrap_err();
    assert!(matches!(&error, GitError::RefLocked { lock, .. } if lock.exists()), "{error}");
    // Of an experiment it was left by a process that was killed.
    repo.write(".git/refs/exps/x.lock", "");
    repo.open().update_ref(&name("refs/exps/x"), target, Expected::Absent, "").unwrap();
    assert_eq!(repo.open().find_ref(&name("refs/exps/x")).unwrap(), Some(target));
}

#[test]
fn a_lock_left_behind_is_removed_once_by_many() {
    const THREADS: usize = 8;
    let repo = TestRepo::empty();
    let line = commits(&repo, THREADS + 1);
    let exp = name("refs/exps/ab/cd/x");
    repo.open().update_ref(&exp, line[0], Expected::Absent, "").unwrap();
    repo.write(".git/refs/exps/ab/cd/x.lock", "");
    // Each moves it to a commit of its own, from wherever it stands.
    let begin = Barrier::new(THREADS);
    let step = |target: CommitId| {
        let git = repo.open();
        begin.wait();
        loop {
            let from = git.find_ref(&exp).unwrap().unwrap();
            match git.update_ref(&exp, target, Expected::At(from), "") {
                Ok(()) => return (from, target),
                Err(error) => assert!(conflict(error).is_some()),
            }
        }
    };
    let mut moves: std::collections::BTreeMap<String, CommitId> = std::thread::scope(|scope| {
        let threads: Vec<_> = line[1..].iter().map(|target| scope.spawn(|| step(*target))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).map(|(from, to)| (from.to_string(), to)).collect()
    });
    // No move was granted from where another had moved it away.
    assert_eq!(moves.len(), THREADS);
    let mut at = line[0];
    while let Some(next) = moves.remove(&at.to_string()) {
        at = next;
    }
    assert!(moves.is_empty());
    assert_eq!(repo.open().find_ref(&exp).unwrap(), Some(at));
    assert!(!repo.at(".git/refs/exps/ab/cd/x.lock").exists());
}

#[test]
fn refuses_names_that_git_refuses() {
    for bad in ["", "HEAD", "refs/", "refs/exps/a b", "refs/exps/a..b", "refs/exps/a\0", "refs/exps/x.lock", "../x"] {
        assert!(matches!(RefName::parse(bad), Err(GitError::BadRefName(_))), "{bad}");
    }
}

#[test]
fn lists_loose_and_packed_ones_and_passes_symbolic_ones_by() {
    let repo = TestRepo::empty();
    let [a, b] = commits(&repo, 2)[..] else { panic!() };
    let git = repo.open();
    for text in ["refs/exps/aa/1/x", "refs/exps/aa/1/y", "refs/exps/ab/1/x"] {
        git.update_ref(&name(text), a, Expected::Absent, "").unwrap();
    }
    repo.git(&["pack-refs", "--all"]);
    git.update_ref(&name("refs/exps/aa/1/y"), b, Expected::At(a), "").unwrap();
    git.update_ref(&name("refs/exps/aa/1/z"), b, Expected::Absent, "").unwrap();
    repo.git(&["symbolic-ref", "refs/exps/aa/1/s", "refs/exps/aa/1/x"]);
    let listed = |prefix| {
        let refs = git.list_refs(prefix).unwrap();
        refs.into_iter().map(|(name, at)| format!("{name} {at}")).collect::<Vec<_>>()
    };
    let expected = [format!("refs/exps/aa/1/x {a}"), format!("refs/exps/aa/1/y {b}"), format!("refs/exps/aa/1/z {b}")];
    assert_eq!(listed("refs/exps/aa/1/"), expected);
    assert_eq!(listed("refs/exps/").len(), 4);
    assert_eq!(listed("refs/none/").len(), 0);
}

#[test]
fn a_reflog_is_kept_where_asked_for_also_of_nobody() {
    let repo = TestRepo::empty();
    let [a, b] = commits(&repo, 2)[..] else { panic!() };
    for key in ["user.name", "user.email"] {
        repo.git(&["config", "--unset", key]);
    }
    let (git, kept, other) = (repo.open(), name("refs/exps/apply/stash"), name("refs/exps/ab/cd/x"));
    git.keep_log(&kept).unwrap();
    for target in [a, b] {
        git.update_ref(&kept, target, Expected::Any, "why\nthis").unwrap();
        git.update_ref(&other, target, Expected::Any, "").unwrap();
    }
    let log = repo.git(&["reflog", "show", "--format=%H %gs", kept.as_str()]);
    assert_eq!(log, format!("{b} why this\n{a} why this"));
    assert!(!repo.at(".git/logs").join(other.as_str()).exists());
    repo.assert_sound();
}
