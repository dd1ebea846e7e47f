use super::*;
use crate::exp::kept::KEPT;
use crate::git::ExtraPaths;
use crate::git::testing::{TIME, TestRepo, identity};

fn save(repo: &TestRepo, name: &str, taken: NameTaken) -> Result<Settled, RecordError> {
    let git = repo.open();
    let baseline = git.head().unwrap().commit;
    let tree = git.snapshot(ExtraPaths::default()).unwrap().tree;
    let (name, identity) = (ExperimentName::parse(name).unwrap(), identity());
    let message = default_message("{}");
    let new = NewExperiment {
        baseline,
        parent: baseline,
        name: &name,
        tree,
        message: &message,
        identity: &identity,
        time: TIME,
    };
    record(&git, &new, taken, &mut |_| Ok(()))
}

#[test]
fn an_experiment_is_a_commit_on_its_baseline_and_the_users_things_stay() {
    let repo = TestRepo::with(&[("params.yaml", "lr: 1\n"), ("other", "o")]);
    repo.write("params.yaml", "lr: 2\n");
    repo.write("other", "staged");
    repo.git(&["add", "other"]);
    let before = repo.of_the_user();
    let status = repo.git(&["status", "--porcelain"]);
    std::fs::write(repo.at(".git/hooks/pre-commit"), "#!/bin/sh\nexit 1\n").unwrap();
    let experiment = save(&repo, "first", NameTaken::Refuse).unwrap().experiment;
    assert_eq!(repo.of_the_user(), before);
    assert_eq!(repo.git(&["status", "--porcelain"]), status);
    let head = repo.git(&["rev-parse", "HEAD"]);
    assert_eq!(repo.git(&["rev-parse", &format!("{}^", experiment.reference)]), head);
    assert_eq!(repo.show(&experiment.commit, "params.yaml"), "lr: 2");
    assert_eq!(
        repo.git(&["log", "-1", "--format=%s", &experiment.commit.to_string()]),
        "dvc: commit experiment 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    );
    repo.assert_sound();
}

#[test]
fn a_taken_name_is_refused_or_replaced() {
    let repo = TestRepo::with(&[("a", "1")]);
    let first = save(&repo, "x", NameTaken::Refuse).unwrap().experiment;
    repo.write("a", "2");
    let error = save(&repo, "x", NameTaken::Refuse).unwrap_err();
    assert!(matches!(&error, RecordError::NameTaken { commit, .. } if *commit == first.commit), "{error}");
    let (git, name) = (repo.open(), &first.reference.name);
    let baseline = first.reference.baseline;
    assert!(matches!(check_free(&git, baseline, name), Err(RecordError::NameTaken { .. })));
    let Settled { experiment: second, replaced } = save(&repo, "x", NameTaken::Replace).unwrap();
    assert_eq!(replaced, Some(first.commit));
    assert_eq!(repo.git(&["rev-parse", KEPT]), first.commit.to_string());
    assert_eq!(repo.git(&["rev-parse", &second.reference.to_string()]), second.commit.to_string());
    assert_ne!(second.commit, first.commit);
    repo.commit_all("next");
    check_free(&git, git.head().unwrap().commit, name).unwrap();
}
