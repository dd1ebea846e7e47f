//! [`ExperimentRef`]: where experiments stand in git, and what a user may call one.
//!
//! `refs/exps/<2>/<38>/<name>`, where the digits are those of the baseline: DVC's layout, so that both read each other's.

use std::collections::BTreeMap;
use std::fmt;

use super::chains::Chains;
use super::checkpoint::Note;
use super::name::ExperimentName;
use crate::git::{CommitId, Git, GitError, RefName};
use crate::words;

/// Under which every reference of experiments stands.
pub const PREFIX: &str = "refs/exps/";
/// Where the state before the last `apply` is kept; its reflog has the ones before.
pub const KEPT: &str = "refs/exps/apply/stash";

/// The reference of an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExperimentRef {
    /// The commit that it started from.
    pub baseline: CommitId,
    /// Its name, unique on that baseline.
    pub name: ExperimentName,
}

impl ExperimentRef {
    /// Reads the name of a reference; none for those that dewar and DVC use inwardly (`refs/exps/stash`,
    /// `refs/exps/exec/EXEC_HEAD`, ..), which have no baseline in them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(PREFIX)?.split('/');
        let (two, rest, name) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || two.len() != 2 {
            return None;
        }
        let baseline = CommitId::parse(&format!("{two}{rest}"))?;
        Some(Self { baseline, name: ExperimentName::parse(name).ok()? })
    }

    /// Reads one as a user writes it, with or without `refs/` before it.
    #[must_use]
    pub fn typed(text: &str) -> Option<Self> {
        if text.starts_with("exps/") { Self::parse(&format!("refs/{text}")) } else { Self::parse(text) }
    }

    /// The full name of the reference.
    ///
    /// # Errors
    /// Never for a name that was checked; git has the last word.
    pub fn ref_name(&self) -> Result<RefName, GitError> {
        RefName::parse(&self.to_string())
    }
}

impl fmt::Display for ExperimentRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", baseline_prefix(self.baseline), self.name)
    }
}

fn baseline_prefix(baseline: CommitId) -> String {
    let digits = baseline.to_string();
    let (two, rest) = digits.split_at_checked(2).unwrap_or_default();
    format!("{PREFIX}{two}/{rest}/")
}

/// An experiment that git has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experiment {
    /// Where it stands.
    pub reference: ExperimentRef,
    /// Its last commit.
    pub commit: CommitId,
}

/// The experiments of one baseline, by name.
///
/// # Errors
/// When git's references cannot be read.
pub fn of_baseline(git: &Git, baseline: CommitId) -> Result<Vec<Experiment>, GitError> {
    list(git, &baseline_prefix(baseline))
}

/// All experiments, by baseline and name.
///
/// # Errors
/// When git's references cannot be read.
pub fn all(git: &Git) -> Result<Vec<Experiment>, GitError> {
    list(git, PREFIX)
}

fn list(git: &Git, prefix: &str) -> Result<Vec<Experiment>, GitError> {
    let references = git.list_refs(prefix)?;
    let experiment = |(name, commit): (RefName, CommitId)| {
        ExperimentRef::parse(name.as_str()).map(|reference| Experiment { reference, commit })
    };
    Ok(references.into_iter().filter_map(experiment).collect())
}

/// A name that no experiment of the baseline has. `draw(n)` gives a number below `n`.
///
/// # Errors
/// When git's references cannot be read.
pub fn unused_name(
    git: &Git,
    baseline: CommitId,
    draw: &mut dyn FnMut(usize) -> usize,
) -> Result<ExperimentName, GitError> {
    let taken = of_baseline(git, baseline)?;
    Ok(ExperimentName::unused(draw, |name| taken.iter().all(|experiment| experiment.reference.name != *name)))
}

/// What a user's word for an experiment came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The commit.
    pub commit: CommitId,
    /// The experiment whose last commit it is, or on whose way from the baseline it lies; none for a state that `apply` kept.
    pub experiment: Option<Experiment>,
}

/// Why a word names no experiment.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// None is called so.
    #[error("`{text}` is no experiment")]
    Unknown {
        /// What was asked for.
        text: String,
        /// The name that is most like it.
        similar: Option<String>,
    },
    /// Nothing is called so: neither git nor an experiment knows it.
    #[error("`{text}` is no commit, branch, tag or experiment of this repository")]
    UnknownRevision {
        /// What was asked for.
        text: String,
        /// The name that is most like it.
        similar: Option<String>,
    },
    /// Several baselines have one of this name, or several commits begin so.
    #[error("`{text}` can mean {} experiments; say which:{}", candidates.len(), lines(candidates))]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// What it can mean.
        candidates: Vec<ExperimentRef>,
    },
    /// Several checkpoints begin so.
    #[error("`{text}` can mean {} checkpoints; write more of its digits:{}", candidates.len(), checkpoints(candidates))]
    AmbiguousCheckpoint {
        /// What was asked for.
        text: String,
        /// What it can mean, each with its experiment.
        candidates: Vec<(CommitId, ExperimentName)>,
    },
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
}

fn lines(candidates: &[ExperimentRef]) -> String {
    candidates.iter().map(|candidate| format!("\n  {candidate}")).collect()
}

fn checkpoints(candidates: &[(CommitId, ExperimentName)]) -> String {
    candidates.iter().map(|(commit, name)| format!("\n  {commit} of `{name}`")).collect()
}

/// Finds what a user calls an experiment: a name (that on `HEAD` first, else the only one of that name), a full reference, a
/// commit's digits or at least four of its first ones. A state that `apply` kept is found by its digits, too.
///
/// # Errors
/// [`ResolveError`].
pub fn resolve(git: &Git, text: &str) -> Result<Resolved, ResolveError> {
    let experiments = all(git)?;
    let here = match git.head() {
        Ok(head) => Some(head.commit),
        Err(GitError::Unborn { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    if let Some(found) = among(&experiments, here, text)? {
        return Ok(tip(found));
    }
    if let Some(kept) = by_reference(git, text)? {
        return Ok(kept);
    }
    if let Some(digits) = digits(text) {
        if let Some(found) = by_checkpoint(git, &experiments, &digits)? {
            return Ok(found);
        }
        if let Some(commit) = kept(git, &digits)? {
            return Ok(Resolved { commit, experiment: None });
        }
    }
    Err(unknown(text, &experiments))
}

/// Finds in a list what a user calls an experiment: by its full reference, its name (that on `here` first, else the only one of
/// that name), or the digits of its last commit.
///
/// # Errors
/// [`ResolveError::Ambiguous`].
pub fn among<'e>(
    experiments: &'e [Experiment],
    here: Option<CommitId>,
    text: &str,
) -> Result<Option<&'e Experiment>, ResolveError> {
    if let Some(wanted) = ExperimentRef::typed(text) {
        return Ok(experiments.iter().find(|experiment| experiment.reference == wanted));
    }
    let named: Vec<&Experiment> =
        experiments.iter().filter(|experiment| experiment.reference.name.as_str() == text).collect();
    if let Some(found) = named.iter().find(|experiment| Some(experiment.reference.baseline) == here) {
        return Ok(Some(found));
    }
    if let Some(found) = only(text, &named)? {
        return Ok(Some(found));
    }
    let Some(digits) = digits(text) else { return Ok(None) };
    let begins = |experiment: &&Experiment| experiment.commit.to_string().starts_with(&digits);
    let tips: Vec<&Experiment> = experiments.iter().filter(begins).collect();
    match tips.first().filter(|first| tips.iter().all(|tip| tip.commit == first.commit)) {
        Some(found) => Ok(Some(found)),
        None => only(&digits, &tips),
    }
}

/// That none of these is called so.
#[must_use]
pub fn unknown(text: &str, experiments: &[Experiment]) -> ResolveError {
    let names = experiments.iter().map(|experiment| experiment.reference.name.as_str());
    ResolveError::Unknown { text: text.to_owned(), similar: words::most_similar(text, names).map(str::to_owned) }
}

/// The first digits of a commit, in lower case; none for what is too short, too long or something else.
fn digits(text: &str) -> Option<String> {
    let is_digits = (4..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digits.then(|| text.to_ascii_lowercase())
}

fn tip(experiment: &Experiment) -> Resolved {
    Resolved { commit: experiment.commit, experiment: Some(experiment.clone()) }
}

/// The one experiment of a list; none when it is empty.
fn only<'a>(text: &str, found: &[&'a Experiment]) -> Result<Option<&'a Experiment>, ResolveError> {
    match found {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        several => Err(ResolveError::Ambiguous {
            text: text.to_owned(),
            candidates: several.iter().map(|experiment| experiment.reference.clone()).collect(),
        }),
    }
}

/// A state that `apply` kept, by its reference.
fn by_reference(git: &Git, text: &str) -> Result<Option<Resolved>, ResolveError> {
    let full = if text.starts_with("exps/") { format!("refs/{text}") } else { text.to_owned() };
    if !full.starts_with(PREFIX) || ExperimentRef::typed(text).is_some() {
        return Ok(None);
    }
    let Ok(name) = RefName::parse(&full) else { return Ok(None) };
    Ok(git.find_ref(&name)?.map(|commit| Resolved { commit, experiment: None }))
}

/// By the first digits of a commit on the way from an experiment's baseline to its last one.
fn by_checkpoint(git: &Git, experiments: &[Experiment], digits: &str) -> Result<Option<Resolved>, ResolveError> {
    let begins = |commit: CommitId| commit.to_string().starts_with(digits);
    let mut chains = Chains::new(git);
    let mut found: BTreeMap<CommitId, &Experiment> = BTreeMap::new();
    for experiment in experiments {
        for link in chains.history(experiment.reference.baseline, experiment.commit)?.links() {
            if begins(link.commit) && (is_of(experiment, link.note.as_ref()) || !found.contains_key(&link.commit)) {
                found.insert(link.commit, experiment);
            }
        }
    }
    if found.len() > 1 {
        let candidates = found.iter().map(|(commit, experiment)| (*commit, experiment.reference.name.clone()));
        return Err(ResolveError::AmbiguousCheckpoint { text: digits.to_owned(), candidates: candidates.collect() });
    }
    let found = found.into_iter().next();
    Ok(found.map(|(commit, experiment)| Resolved { commit, experiment: Some(experiment.clone()) }))
}

/// Whether an experiment made a commit, which those that branch off behind it have, too.
fn is_of(experiment: &Experiment, note: Option<&Note>) -> bool {
    note.is_some_and(|note| note.experiment == experiment.reference.name)
}

/// A state that `apply` kept, now or before, by its first digits.
fn kept(git: &Git, digits: &str) -> Result<Option<CommitId>, GitError> {
    Ok(git.log(&RefName::parse(KEPT)?)?.into_iter().find(|commit| commit.to_string().starts_with(digits)))
}

/// The commits of an experiment, the last first, without its baseline: one, or one a checkpoint.
///
/// # Errors
/// When a commit cannot be read.
pub fn commits(git: &Git, experiment: &Experiment) -> Result<Vec<CommitId>, GitError> {
    let history = Chains::new(git).history(experiment.reference.baseline, experiment.commit)?;
    Ok(history.links().iter().rev().map(|link| link.commit).collect())
}

#[cfg(test)]
mod tests;
