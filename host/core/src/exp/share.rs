//! Sharing: experiments in another git repository, under the same references as here. No step of the walk.
//!
//! An experiment there stands where the reference says, or it does not; each change is made only if the reference stands where it
//! stood when it was looked at ([`crate::git::Connection`]). What experiments have in the cache goes through
//! [`crate::remote`]; first the data and then the references, so that a reference that others see means that the data is there.

use std::collections::BTreeMap;

use super::kept::keep_replaced;
use super::name::ExperimentName;
use super::refs::{self, Experiment, ExperimentRef, ResolveError};
use crate::git::{
    CommitId, Connection, Expected, Flaw, Git, GitError, GitRemote, GitRemoteError, Purpose, Pushed, RefConflict,
    RefName, RefUpdate, Surroundings,
};

/// The experiments of another repository.
#[must_use]
pub fn of_remote(refs: &BTreeMap<RefName, CommitId>) -> Vec<Experiment> {
    let experiment = |(name, commit): (&RefName, &CommitId)| {
        Some(Experiment { reference: ExperimentRef::parse(name.as_str())?, commit: *commit })
    };
    refs.iter().filter_map(experiment).collect()
}

/// The experiments of a list that the user names, each once: all of them or, when one is not known, none. Names on `here` go
/// first.
///
/// # Errors
/// [`ResolveError::Unknown`] and [`ResolveError::Ambiguous`].
pub fn named(
    experiments: &[Experiment],
    here: Option<CommitId>,
    names: &[String],
) -> Result<Vec<Experiment>, ResolveError> {
    let mut found: Vec<Experiment> = Vec::new();
    for name in names {
        let experiment = refs::among(experiments, here, name)?.ok_or_else(|| refs::unknown(name, experiments))?;
        if !found.contains(experiment) {
            found.push(experiment.clone());
        }
    }
    Ok(found)
}

/// What is done with an experiment that stands elsewhere on the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Diverged {
    /// It is left so.
    Refuse,
    /// It is replaced.
    Replace,
}

/// How an experiment stands on the side that it is to go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is not there.
    Absent,
    /// It is the same.
    Same,
    /// There it stands at a commit before.
    Behind(CommitId),
    /// There it stands at a commit that this one was not built on.
    Diverged(CommitId),
}

impl Standing {
    /// How an experiment at `old`, if anywhere, stands to `new`.
    fn of(git: &Git, old: Option<CommitId>, new: CommitId) -> Result<Self, GitError> {
        Ok(match old {
            None => Self::Absent,
            Some(old) if old == new => Self::Same,
            Some(old) if git.goes_on_from(new, old)? => Self::Behind(old),
            Some(old) => Self::Diverged(old),
        })
    }

    /// Whether the other side is to change.
    #[must_use]
    pub const fn goes(self, diverged: Diverged) -> bool {
        match self {
            Self::Absent | Self::Behind(_) => true,
            Self::Same => false,
            Self::Diverged(_) => matches!(diverged, Diverged::Replace),
        }
    }

    /// Where it must still stand there for `new` to go there.
    const fn expected(self, new: CommitId) -> Expected {
        match self {
            Self::Absent => Expected::Absent,
            Self::Same => Expected::At(new),
            Self::Behind(old) | Self::Diverged(old) => Expected::At(old),
        }
    }
}

/// An experiment, and how it stands on the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The experiment, where it stands on the side that it comes from.
    pub experiment: Experiment,
    /// How it stands on the other.
    pub standing: Standing,
}

/// How experiments of this repository stand in another.
///
/// # Errors
/// When a commit cannot be read.
pub fn compare(
    git: &Git,
    experiments: &[Experiment],
    theirs: &BTreeMap<RefName, CommitId>,
) -> Result<Vec<Compared>, GitError> {
    let compared = |experiment: &Experiment| {
        let theirs = theirs.get(&experiment.reference.ref_name()?).copied();
        let standing = Standing::of(git, theirs, experiment.commit)?;
        Ok(Compared { experiment: experiment.clone(), standing })
    };
    experiments.iter().map(compared).collect()
}

/// Pushes those experiments that are to go, each only if it still stands there as it did; what became of each that went.
///
/// # Errors
/// When the connection breaks.
pub fn push(
    connection: &mut Connection<'_>,
    compared: &[Compared],
    diverged: Diverged,
) -> Result<Vec<(Experiment, Pushed)>, GitRemoteError> {
    let going = compared.iter().filter(|compared| compared.standing.goes(diverged));
    let changes = going.map(|Compared { experiment, standing }| {
        (experiment.clone(), standing.expected(experiment.commit), Some(experiment.commit))
    });
    change(connection, changes.collect())
}

/// Removes experiments from another repository, each only if it still stands there as it did.
///
/// # Errors
/// When the connection breaks.
pub fn remove(
    connection: &mut Connection<'_>,
    experiments: &[Experiment],
) -> Result<Vec<(Experiment, Pushed)>, GitRemoteError> {
    let changes = experiments.iter().map(|experiment| (experiment.clone(), Expected::At(experiment.commit), None));
    change(connection, changes.collect())
}

fn change(
    connection: &mut Connection<'_>,
    changes: Vec<(Experiment, Expected, Option<CommitId>)>,
) -> Result<Vec<(Experiment, Pushed)>, GitRemoteError> {
    let update = |(experiment, expected, target): &(Experiment, Expected, Option<CommitId>)| {
        Ok(RefUpdate { name: experiment.reference.ref_name()?, expected: *expected, target: *target })
    };
    let updates = changes.iter().map(update).collect::<Result<Vec<_>, GitError>>()?;
    let outcomes = connection.push(&updates)?;
    Ok(changes.into_iter().map(|(experiment, _, _)| experiment).zip(outcomes).collect())
}

/// Renames an experiment in another repository: it gets the new name first, and loses the old one when it has the new. An
/// experiment of the new name, if there is one, stands in the way unless it is to be replaced.
///
/// # Errors
/// When the remote cannot be reached. What it refuses is an outcome.
pub fn rename(
    git: &Git,
    remote: &GitRemote,
    around: &Surroundings,
    experiment: &Experiment,
    name: &ExperimentName,
    taken: Diverged,
) -> Result<Pushed, GitRemoteError> {
    // Git sends a reference only of a commit that it has.
    if git.commit_summary(experiment.commit).is_err() {
        let flaws = git.connect(remote, Purpose::Fetch, around)?.fetch(&[experiment.reference.ref_name()?])?;
        if let Some(flaw) = flaws.into_values().next() {
            return Err(GitRemoteError::Flawed { name: remote.name.clone(), flaw });
        }
    }
    let reference = ExperimentRef { baseline: experiment.reference.baseline, name: name.clone() };
    let mut connection = git.connect(remote, Purpose::Push, around)?;
    let ref_name = reference.ref_name()?;
    let expected = match (connection.refs.get(&ref_name), taken) {
        (Some(there), Diverged::Replace) => Expected::At(*there),
        _ => Expected::Absent,
    };
    let renamed = Experiment { reference, commit: experiment.commit };
    let made = change(&mut connection, vec![(renamed, expected, Some(experiment.commit))])?;
    drop(connection);
    match made.into_iter().next() {
        Some((_, Pushed::Done)) => {}
        Some((_, refused)) => return Ok(refused),
        None => return Ok(Pushed::Done),
    }
    let mut connection = git.connect(remote, Purpose::Push, around)?;
    let gone = remove(&mut connection, std::slice::from_ref(experiment))?;
    Ok(gone.into_iter().next().map_or(Pushed::Done, |(_, outcome)| outcome))
}

/// What became of an experiment that was pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pulled {
    /// It was the same here.
    Same,
    /// It is here now.
    Done,
    /// It is here now in the place of another, which is kept: `exp apply` brings it back by its commit.
    Replaced(CommitId),
    /// Another of its name is here, and stays.
    Diverged(CommitId),
    /// It was changed here meanwhile, and is left so.
    Moved(RefConflict),
    /// What came is not what a commit has to be: it is not here.
    Flawed(Flaw),
}

/// Brings experiments of another repository into this one, with all commits that they need; each only if it still stands here as
/// it did.
///
/// # Errors
/// When the connection breaks, or this repository cannot be written.
pub fn pull(
    git: &Git,
    connection: &mut Connection<'_>,
    experiments: &[Experiment],
    diverged: Diverged,
) -> Result<Vec<(Experiment, Pulled)>, GitRemoteError> {
    let mut ours = BTreeMap::new();
    for experiment in refs::all(git)? {
        ours.insert(experiment.reference, experiment.commit);
    }
    let differs = |experiment: &&Experiment| ours.get(&experiment.reference) != Some(&experiment.commit);
    let names = experiments.iter().filter(differs).map(|experiment| experiment.reference.ref_name());
    let flaws = connection.fetch(&names.collect::<Result<Vec<_>, GitError>>()?)?;

    let mut outcomes = Vec::with_capacity(experiments.len());
    let mut updates = Vec::new();
    for experiment in experiments {
        let name = experiment.reference.ref_name()?;
        if let Some(flaw) = flaws.get(&name) {
            outcomes.push(Pulled::Flawed(flaw.clone()));
            continue;
        }
        let standing = Standing::of(git, ours.get(&experiment.reference).copied(), experiment.commit)?;
        outcomes.push(match standing {
            Standing::Same => Pulled::Same,
            Standing::Diverged(old) if !standing.goes(diverged) => Pulled::Diverged(old),
            Standing::Diverged(old) => Pulled::Replaced(old),
            Standing::Absent | Standing::Behind(_) => Pulled::Done,
        });
        if standing.goes(diverged) {
            let commit = experiment.commit;
            updates.push(RefUpdate { name, expected: standing.expected(commit), target: Some(commit) });
        }
    }
    for (experiment, outcome) in experiments.iter().zip(&outcomes) {
        if let Pulled::Replaced(old) = outcome {
            keep_replaced(git, *old, experiment.commit)?;
        }
    }
    for conflict in update_all(git, updates)? {
        let is_it = |experiment: &Experiment| experiment.reference.to_string() == conflict.name.as_str();
        if let Some(outcome) = experiments.iter().position(is_it).and_then(|index| outcomes.get_mut(index)) {
            *outcome = Pulled::Moved(conflict);
        }
    }
    Ok(experiments.iter().cloned().zip(outcomes).collect())
}

/// Makes all changes but those of references that another process has moved meanwhile.
fn update_all(git: &Git, mut updates: Vec<RefUpdate>) -> Result<Vec<RefConflict>, GitError> {
    let mut conflicts = Vec::new();
    while !updates.is_empty() {
        match git.update_refs(&updates, "dewar: exp pull") {
            Ok(()) => break,
            Err(GitError::RefConflict(conflict)) => {
                updates.retain(|update| update.name != conflict.name);
                conflicts.push(conflict);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(conflicts)
}

#[cfg(test)]
mod tests;
