use super::*;
use crate::exp::name::ExperimentName;
use crate::exp::record::{NameTaken, NewExperiment, record};
use crate::exp::refs::resolve;
use crate::git::ExtraPaths;
use crate::git::testing::{TIME, TestRepo, identity, path};

fn save(repo: &TestRepo, name: &str) -> Experiment {
    let git = repo.open();
    let baseline = git.head().unwrap().commit;
    let tree = git.snapshot(ExtraPaths::default()).unwrap().tree;
    let (name, identity) = (ExperimentName::parse(name).unwrap(), identity());
    let new =
        NewExperiment { baseline, parent: baseline, name: &name, tree, message: "m", identity: &identity, time: TIME };
    record(&git, &new, NameTaken::Refuse, &mut |_| Ok(())).unwrap().experiment
}

fn apply_now(repo: &TestRepo, commit: CommitId) -> Applied {
    let before = repo.of_the_user();
    let applied =
        apply(&repo.open(), commit, Uncommitted::Keep, &Outputs::default(), &path(".dvc/tmp"), &identity(), TIME)
            .unwrap();
    assert_eq!(repo.of_the_user(), before);
    repo.assert_sound();
    applied
}

#[test]
fn nothing_that_stood_in_the_work_tree_is_lost() {
    let repo = TestRepo::with(&[("params", "1"), ("gone", "g"), (".gitignore", "model\n")]);
    repo.write("params", "2");
    repo.write("result", "of the experiment");
    repo.git(&["add", "result"]);
    repo.write("model", "small");
    repo.git(&["add", "-f", "model"]);
    std::fs::remove_file(repo.at("gone")).unwrap();
    let experiment = save(&repo, "x");
    repo.git(&["reset", "-q", "--hard"]);
    assert!(!repo.at("model").exists());

    repo.write("params", "edited");
    repo.write("result", "my own");
    repo.write("model/nested", "ignored, and a folder where the experiment has a file");
    repo.write("mine", "untracked");
    repo.write("staged", "new");
    repo.git(&["add", "staged"]);
    let applied = apply_now(&repo, experiment.commit);
    assert_eq!(repo.read("params").as_deref(), Some("2"));
    assert_eq!(repo.read("result").as_deref(), Some("of the experiment"));
    assert_eq!(repo.read("model").as_deref(), Some("small"));
    assert_eq!(repo.read("mine").as_deref(), Some("untracked"));
    assert!(!repo.at("gone").exists() && !repo.at("staged").exists());
    assert_eq!(applied.restored.removed, ["gone", "model/nested", "staged"]);

    // All that was overwritten is in the commit kept, and applying that brings it back.
    let kept = applied.kept.unwrap();
    assert_eq!(repo.git(&["rev-parse", KEPT]), kept.to_string());
    assert_eq!(resolve(&repo.open(), KEPT).unwrap().commit, kept);
    apply_now(&repo, kept);
    let texts = ["params", "result", "model/nested", "mine", "staged", "gone"].map(|file| repo.read(file));
    let expected =
        ["edited", "my own", "ignored, and a folder where the experiment has a file", "untracked", "new", "g"];
    assert_eq!(texts, expected.map(|text| Some(text.to_owned())));
    let log = repo.git(&["reflog", "show", "--format=%H", KEPT]);
    assert_eq!(log.lines().count(), 2, "{log}");
    assert!(log.contains(&kept.to_string()));
}

#[test]
fn a_clean_work_tree_needs_no_copy() {
    let repo = TestRepo::with(&[("a", "1")]);
    repo.write("a", "2");
    let experiment = save(&repo, "x");
    repo.git(&["checkout", "-q", "."]);
    let applied = apply_now(&repo, experiment.commit);
    assert_eq!((applied.kept, repo.read("a").as_deref()), (None, Some("2")));
    assert_eq!(repo.git(&["status", "--porcelain"]), " M a");
    assert_eq!(apply_now(&repo, experiment.commit).restored, Restored::default());
}

#[test]
fn removes_all_or_none() {
    let repo = TestRepo::with(&[("a", "1")]);
    let [one, two, three] = ["one", "two", "three"].map(|name| save(&repo, name));
    let git = repo.open();
    assert_eq!(crate::exp::refs::all(&git).unwrap().len(), 3);
    let removed = [one.clone(), two, one.clone()];
    remove_all(&git, &removed).unwrap();
    assert_eq!(crate::exp::refs::all(&git).unwrap(), [three]);
    let moved = one;
    assert!(matches!(remove_all(&git, &[moved]), Err(GitError::RefConflict(_))));
}

#[test]
fn changes_can_be_a_reason_to_change_nothing() {
    let repo = TestRepo::with(&[("params", "1")]);
    repo.write("params", "2");
    let experiment = save(&repo, "x");
    let refusing = || {
        apply(
            &repo.open(),
            experiment.commit,
            Uncommitted::Refuse,
            &Outputs::default(),
            &path(".dvc/tmp"),
            &identity(),
            TIME,
        )
    };
    repo.write("params", "edited");
    assert!(matches!(refusing(), Err(ApplyError::Uncommitted)));
    assert_eq!(repo.read("params").as_deref(), Some("edited"));
    repo.git(&["checkout", "-q", "--", "."]);
    assert!(refusing().is_ok());
    assert_eq!(repo.read("params").as_deref(), Some("2"));
}

#[test]
fn every_state_that_was_kept_is_found_by_its_digits() {
    let repo = TestRepo::with(&[("a", "1")]);
    let experiment = save(&repo, "x");
    assert_eq!(
        resolve(&repo.open(), "abcd").err().map(|error| error.to_string()),
        Some("`abcd` is no experiment".into())
    );
    let kept = ["2", "3"].map(|text| {
        repo.write("a", text);
        apply_now(&repo, experiment.commit).kept.unwrap()
    });
    for (kept, text) in kept.iter().zip(["2", "3"]) {
        let found = resolve(&repo.open(), &kept.short()).unwrap();
        assert_eq!((found.commit, found.experiment), (*kept, None));
        apply_now(&repo, found.commit);
        assert_eq!(repo.read("a").as_deref(), Some(text));
    }
}
