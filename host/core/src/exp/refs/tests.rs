use std::collections::HashMap;

use super::*;
use crate::exp::record::{NameTaken, NewExperiment, record};
use crate::git::testing::{TIME, TestRepo, identity};
use crate::testing::Project;

/// Records experiments of these names on `HEAD`; each has its own message, so its own commit.
fn experiments(repo: &TestRepo, names: &[&str]) -> Vec<Experiment> {
    let git = repo.open();
    let baseline = git.head().unwrap().commit;
    let tree = git.tree(baseline).unwrap().id();
    let record = |name: &&str| {
        let name = ExperimentName::parse(name).unwrap();
        let (message, identity) = (format!("{name}"), identity());
        let new = NewExperiment {
            baseline,
            parent: baseline,
            name: &name,
            tree,
            message: &message,
            identity: &identity,
            time: TIME,
        };
        record(&git, &new, NameTaken::Refuse, &mut |_| Ok(())).unwrap().experiment
    };
    names.iter().map(record).collect()
}

#[test]
fn reads_and_writes_the_names_of_references() {
    let text = "refs/exps/01/23456789abcdef0123456789abcdef01234567/lazy-fox";
    let parsed = ExperimentRef::parse(text).unwrap();
    assert_eq!(parsed.to_string(), text);
    for other in [
        "refs/exps/stash",
        "refs/exps/exec/EXEC_HEAD",
        "refs/exps/apply/stash",
        "refs/exps/celery/stash",
        "refs/exps/temp/head-01234567-89ab",
        "refs/exps/01/23456789abcdef0123456789abcdef01234567",
        "refs/exps/01/23456789abcdef0123456789abcdef01234567/a/b",
        "refs/exps/0123/456789abcdef0123456789abcdef01234567/a",
        "refs/heads/main",
    ] {
        assert_eq!(ExperimentRef::parse(other), None, "{other}");
    }
}

#[test]
fn lists_experiments_and_nothing_else() {
    let repo = TestRepo::with(&[("a", "a")]);
    let mut first = experiments(&repo, &["two", "one"]);
    repo.git(&["update-ref", "refs/exps/exec/EXEC_HEAD", "HEAD"]);
    repo.git(&["update-ref", "refs/exps/apply/stash", "HEAD"]);
    let git = repo.open();
    let baseline = git.head().unwrap().commit;
    repo.commit_all("second");
    let second = experiments(&repo, &["one"]);
    first.reverse();
    assert_eq!(of_baseline(&git, baseline).unwrap(), first);
    let mut both = [first, second].concat();
    both.sort_by(|a, b| a.reference.cmp(&b.reference));
    assert_eq!(all(&git).unwrap(), both);
    let mut numbers = 0..;
    let mut draw = |below: usize| numbers.next().unwrap_or(0) % below;
    assert!(unused_name(&git, baseline, &mut draw).unwrap().as_str().contains('-'));
}

#[test]
fn finds_what_a_user_means() {
    let repo = TestRepo::with(&[("a", "a")]);
    let old = experiments(&repo, &["shared", "only-old", "twice"]);
    repo.commit_all("second");
    let middle = experiments(&repo, &["twice"]);
    repo.commit_all("third");
    let new = experiments(&repo, &["shared"]);
    let git = repo.open();
    let commit = |text: &str| resolve(&git, text).map(|found| found.commit);
    assert_eq!(commit("shared").unwrap(), new[0].commit);
    assert_eq!(commit("only-old").unwrap(), old[1].commit);
    assert_eq!(commit(&old[0].reference.to_string()).unwrap(), old[0].commit);
    assert_eq!(commit(old[0].reference.to_string().strip_prefix("refs/").unwrap()).unwrap(), old[0].commit);
    assert_eq!(commit(&old[2].commit.to_string()).unwrap(), old[2].commit);
    assert_eq!(commit(&middle[0].commit.short()).unwrap(), middle[0].commit);

    let ambiguous = commit("twice").unwrap_err();
    assert!(matches!(&ambiguous, ResolveError::Ambiguous { candidates, .. } if candidates.len() == 2));
    for experiment in [&old[2], &middle[0]] {
        assert!(ambiguous.to_string().contains(&experiment.reference.to_string()), "{ambiguous}");
    }
    let mistyped = commit("only-odl").unwrap_err();
    assert!(matches!(&mistyped, ResolveError::Unknown { similar: Some(similar), .. } if similar == "only-old"));
    assert_eq!(mistyped.to_string(), "`only-odl` is no experiment");
    let baseline = git.head().unwrap().commit.to_string();
    for none in ["nothing-like-it", "HEAD", "abc", "refs/exps/nosuch", "refs/heads/main", &baseline] {
        assert!(matches!(commit(none), Err(ResolveError::Unknown { similar: None, .. })), "{none}");
    }
}

#[test]
fn finds_a_checkpoint_by_its_commit() {
    let repo = TestRepo::with(&[("a", "a")]);
    let git = repo.open();
    let first = experiments(&repo, &["run"]).remove(0);
    let (name, identity) = (&first.reference.name, identity());
    let baseline = first.reference.baseline;
    let tree = git.tree(baseline).unwrap().id();
    let new =
        NewExperiment { baseline, parent: first.commit, name, tree, message: "2", identity: &identity, time: TIME };
    let second = record(&git, &new, NameTaken::Replace, &mut |_| Ok(())).unwrap().experiment;
    assert_eq!(commits(&git, &second).unwrap(), [second.commit, first.commit]);
    let found = resolve(&git, &first.commit.short()).unwrap();
    assert_eq!(found, Resolved { commit: first.commit, experiment: Some(second) });
}

#[test]
fn digits_that_several_checkpoints_have_are_too_few() {
    let project = Project::new();
    project.write("a", "1");
    let baseline = project.commit(100);
    let note = Note::new(ExperimentName::parse("e").unwrap(), None);
    let first = |commit: CommitId, count: usize| commit.to_string().chars().take(count).collect::<String>();
    let mut tip = baseline;
    let mut begun: HashMap<String, CommitId> = HashMap::new();
    // Four digits meet soon.
    let twins = (0..).find_map(|second| {
        tip = project.checkpoint_on(tip, &[("a", "2")], second, &note);
        begun.insert(first(tip, 4), tip).map(|twin| [twin, tip])
    });
    let twins = twins.unwrap();
    let last = project.checkpoint_on(tip, &[("a", "2")], 0, &Note::new(ExperimentName::parse("side").unwrap(), None));
    project.experiment(baseline, "side", last);
    let git = project.git();
    let few = &first(tip, 4);
    let said = |twins: [CommitId; 2], name: &str| {
        let mut lines = twins.map(|twin| format!("\n  {twin} of `{name}`"));
        lines.sort();
        format!("`{few}` can mean 2 checkpoints; write more of its digits:{}", lines.concat())
    };
    assert_eq!(resolve(&git, few).unwrap_err().to_string(), said(twins, "side"));
    // Who made them has them, not who branches off behind.
    let more = project.checkpoint_on(tip, &[("a", "3")], 0, &note);
    project.experiment(baseline, "e", more);
    assert_eq!(resolve(&git, few).unwrap_err().to_string(), said(twins, "e"));
    let found = resolve(&git, &first(twins[0], 12)).unwrap();
    assert_eq!((found.commit, found.experiment.unwrap().reference.name.as_str()), (twins[0], "e"));
}
