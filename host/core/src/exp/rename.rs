//! `exp rename`: another name for an experiment. No step of the walk.
//!
//! Its commits stay as they are, also what their notes say of who recorded them: a workspace that follows it by its old name finds
//! it by those ([`super::checkpoint::standing`]).

use super::kept::keep_replaced;
use super::name::ExperimentName;
use super::record::{NameTaken, RecordError, Settled};
use super::refs::{Experiment, ExperimentRef};
use crate::git::{Expected, Git, GitError, RefConflict, RefUpdate};

/// Gives an experiment another name on the same baseline: both references change, or none does.
///
/// # Errors
/// [`RecordError::NameTaken`], unless that one is replaced; a [`GitError::RefConflict`] when the experiment was moved meanwhile.
pub fn rename(
    git: &Git,
    experiment: &Experiment,
    name: ExperimentName,
    taken: NameTaken,
) -> Result<Settled, RecordError> {
    let Experiment { reference, commit } = experiment;
    let to = ExperimentRef { baseline: reference.baseline, name };
    if to == *reference {
        return Ok(Settled { experiment: experiment.clone(), replaced: None });
    }
    let (old, new) = (reference.ref_name()?, to.ref_name()?);
    let expected = match taken {
        NameTaken::Refuse | NameTaken::Extend => Expected::Absent,
        NameTaken::Replace => git.find_ref(&new)?.map_or(Expected::Absent, Expected::At),
    };
    let replaced = match expected {
        Expected::At(old) => keep_replaced(git, old, *commit)?,
        Expected::Absent | Expected::Any => None,
    };
    let updates = [
        RefUpdate { name: old, expected: Expected::At(*commit), target: None },
        RefUpdate { name: new.clone(), expected, target: Some(*commit) },
    ];
    match git.update_refs(&updates, &format!("dewar: renamed from {}", reference.name)) {
        Ok(()) => Ok(Settled { experiment: Experiment { reference: to, commit: *commit }, replaced }),
        Err(GitError::RefConflict(RefConflict { name, found: Some(commit), .. })) if name == new => {
            Err(RecordError::NameTaken { name: to.name, commit })
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exp::refs::{self, KEPT};
    use crate::testing::Project;

    #[test]
    fn both_references_change_or_none() {
        let project = Project::new();
        project.write("a", "1");
        let baseline = project.commit(100);
        let tips = ["2", "3"].map(|text| project.commit_on(baseline, &[("a", text)], 200));
        project.experiment(baseline, "one", tips[0]);
        project.experiment(baseline, "two", tips[1]);
        let git = project.git();
        let all = || {
            let all = refs::all(&git).unwrap();
            all.into_iter().map(|one| (one.reference.name.to_string(), one.commit)).collect::<Vec<_>>()
        };
        let before = all();
        let one = refs::resolve(&git, "one").unwrap().experiment.unwrap();
        let name = |text: &str| ExperimentName::parse(text).unwrap();

        let error = rename(&git, &one, name("two"), NameTaken::Refuse).unwrap_err();
        assert!(matches!(error, RecordError::NameTaken { commit, .. } if commit == tips[1]), "{error}");
        let stale = Experiment { commit: tips[1], ..one.clone() };
        let error = rename(&git, &stale, name("three"), NameTaken::Refuse).unwrap_err();
        assert!(matches!(error, RecordError::Git(GitError::RefConflict(_))), "{error}");
        assert_eq!(rename(&git, &one, name("one"), NameTaken::Refuse).unwrap().experiment, one);
        assert_eq!(all(), before);

        let three = rename(&git, &one, name("three"), NameTaken::Refuse).unwrap().experiment;
        assert_eq!(all(), [("three".to_owned(), tips[0]), ("two".to_owned(), tips[1])]);
        // The one that is replaced is kept.
        let renamed = rename(&git, &three, name("two"), NameTaken::Replace).unwrap();
        assert_eq!((all(), renamed.replaced), (vec![("two".to_owned(), tips[0])], Some(tips[1])));
        assert_eq!(refs::resolve(&git, KEPT).unwrap().commit, tips[1]);
    }
}
