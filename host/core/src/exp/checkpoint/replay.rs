//! [`StageRecord::replay`]: what checkpoint policies would have done, had they been there. Reads only; no step of the walk.
//!
//! A policy decides from history alone, so that what happened can be decided on again.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::history::{History, Link};
use super::note::StageMoment;
use super::policy::{Policies, Stop};
use crate::digest::ObjectId;
use crate::exp::chains::Chains;
use crate::exp::show::{CommitReader, CommitRevision, Part, RevisionError};
use crate::extension::{Moment, PastMoment, Trigger};
use crate::git::{CommitId, Git, GitError};
use crate::metrics::{RevisionData, numbers};
use crate::params::ParamValue;
use crate::pipeline::PolicyUse;

/// What happened to one stage on the way to a commit of an experiment.
#[derive(Debug, Clone)]
pub struct StageRecord {
    /// Its address; none where no note tells of stages, as in what DVC recorded.
    pub stage: Option<String>,
    /// Its moments, oldest first.
    moments: Vec<RecordedMoment>,
    /// What the baseline has, which nobody saves.
    given: HashSet<ObjectId>,
}

#[derive(Debug, Clone)]
struct RecordedMoment {
    moment: Moment,
    /// The checkpoint that it became; none when it was passed by.
    commit: Option<CommitId>,
    /// Whether that is kept.
    is_kept: bool,
    /// Its outputs in the cache, with their bytes.
    outs: Vec<(ObjectId, u64)>,
}

/// What would have been.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// How many moments there were.
    pub moments: usize,
    /// How many of them would have become checkpoints.
    pub recorded: usize,
    /// The checkpoints that would be kept at the end, oldest first.
    pub kept: Vec<KeptMoment>,
    /// Where and why the stage would have been stopped.
    pub stopped: Option<Stopped>,
    /// The bytes of outputs.
    pub sizes: Sizes,
    /// What became of the best value of each goal.
    pub best: Vec<BestValue>,
}

/// A checkpoint that would be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptMoment {
    /// Which moment it is.
    pub moment: Moment,
    /// The checkpoint that was recorded of it; none when it was passed by.
    pub commit: Option<CommitId>,
}

/// A stage that would have been stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The step after which it would have.
    pub step: u64,
    /// Who, and why.
    pub stop: Stop,
    /// How many steps would not have been run.
    pub steps: usize,
    /// How long those took.
    pub time: Duration,
}

/// Bytes of outputs in the cache beside what the baseline has, each object counted once and a directory as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes {
    /// Of the checkpoints that are kept now.
    pub now: u64,
    /// Of those that would be kept.
    pub then: u64,
    /// How many would be kept whose size nobody knows, since they were passed by.
    pub unknown: usize,
}

/// What a policy is after: its options `metric` and `mode`, which mean the same in every policy that has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    /// The name of the metric.
    pub metric: String,
    /// Which of its values are better.
    pub better: Better,
}

/// Which values are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// `mode: min`.
    Lower,
    /// `mode: max`.
    Higher,
}

/// What became of the best value of a goal.
#[derive(Debug, Clone, PartialEq)]
pub struct BestValue {
    /// The goal.
    pub goal: Goal,
    /// The best finite value that there was, and at which step.
    pub seen: (f64, u64),
    /// The best of those that would be kept.
    pub kept: Option<(f64, u64)>,
}

impl BestValue {
    /// Whether nothing as good would be kept.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "both are values that were recorded")]
    pub fn is_lost(&self) -> bool {
        self.kept.is_none_or(|(kept, _)| kept != self.seen.0)
    }
}

/// Why nothing can be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// It cannot be told what a commit holds.
    #[error("cannot read the checkpoint {}: {source}", commit.short())]
    Unreadable {
        /// Which one.
        commit: CommitId,
        /// Why.
        #[source]
        source: RevisionError,
    },
}

impl StageRecord {
    /// What happened from `baseline` to `tip`, stage by stage. Where no note tells of moments, each commit is a moment of one
    /// stage, and the time between commits is what it ran.
    ///
    /// # Errors
    /// When a commit cannot be read.
    pub fn read(
        git: &Git,
        reader: &CommitReader<'_>,
        baseline: CommitId,
        tip: CommitId,
    ) -> Result<Vec<Self>, ReplayError> {
        let history = Chains::new(git).history(baseline, tip)?;
        let commits = history.links().iter().map(|link| link.commit);
        let commits: Vec<CommitId> = [baseline].into_iter().chain(commits).collect();
        let mut revisions = reader.read(git, &commits, Part::All)?.into_iter();
        // A baseline that cannot be read has nothing.
        let of_baseline = revisions.next().and_then(|revision| revision.data.ok());
        let given: HashSet<ObjectId> = of_baseline.iter().flat_map(cached).map(|(id, _)| id).collect();
        let read = history.links().iter().zip(revisions).map(|(link, revision)| Checkpoint::new(link, revision));
        let chain = read.collect::<Result<Vec<_>, _>>()?;
        let stages = history.stages();
        if stages.is_empty() {
            return Ok(vec![Self { stage: None, moments: moments_of_commits(&history, &chain), given }]);
        }
        let of_stage = |stage: &str| {
            let moments = moments_of_stage(&history, &chain, stage);
            Self { stage: Some(stage.to_owned()), moments, given: given.clone() }
        };
        Ok(stages.into_iter().map(of_stage).collect())
    }

    /// What `policies` would have done; where the last moment is passed by, the end of the stage comes in its place.
    #[must_use]
    pub fn replay(&self, policies: &mut Policies, goals: &[Goal]) -> Replay {
        let mut history: Vec<PastMoment> = Vec::new();
        let (mut checkpoints, mut stopped) = (0, None);
        for (index, recorded) in self.moments.iter().enumerate() {
            let mut moment = recorded.moment.clone();
            let mut verdict = policies.decide(&history, &moment);
            if !verdict.record && index + 1 == self.moments.len() {
                moment.trigger = Trigger::Finished;
                verdict = policies.decide(&history, &moment);
            }
            let released: HashSet<&String> = verdict.discard.iter().collect();
            history.iter_mut().for_each(|past| drop(past.checkpoint.take_if(|name| released.contains(name))));
            checkpoints += usize::from(verdict.record);
            let checkpoint = verdict.record.then(|| recorded.name());
            history.push(PastMoment { moment, checkpoint });
            if let Some(stop) = verdict.stop {
                stopped = Some(self.stopped(index, stop));
                break;
            }
        }
        let kept = self.moments.iter().zip(&history).filter(|(_, past)| past.checkpoint.is_some());
        let kept: Vec<&RecordedMoment> = kept.map(|(recorded, _)| recorded).collect();
        let best = |goal: &Goal| -> Option<BestValue> {
            let seen = goal.best(self.moments.iter().map(|recorded| &recorded.moment))?;
            let kept = goal.best(kept.iter().map(|recorded| &recorded.moment));
            Some(BestValue { goal: goal.clone(), seen, kept })
        };
        Replay {
            moments: self.moments.len(),
            recorded: checkpoints,
            best: goals.iter().filter_map(best).collect(),
            sizes: self.sizes(&kept),
            kept: kept.into_iter().map(RecordedMoment::as_kept).collect(),
            stopped,
        }
    }

    fn stopped(&self, index: usize, stop: Stop) -> Stopped {
        let elapsed = |recorded: Option<&RecordedMoment>| recorded.map_or(0, |recorded| recorded.moment.elapsed_ms);
        let at = self.moments.get(index);
        let rest = self.moments.iter().skip(index + 1);
        Stopped {
            step: at.map_or(0, |at| at.moment.step),
            stop,
            steps: rest.filter(|recorded| recorded.moment.trigger == Trigger::Signalled).count(),
            time: Duration::from_millis(elapsed(self.moments.last()).saturating_sub(elapsed(at))),
        }
    }

    fn sizes(&self, kept: &[&RecordedMoment]) -> Sizes {
        Sizes {
            now: self.size(self.moments.iter().filter(|recorded| recorded.is_kept)),
            then: self.size(kept.iter().copied()),
            unknown: kept.iter().filter(|recorded| recorded.commit.is_none()).count(),
        }
    }

    fn size<'a>(&'a self, moments: impl Iterator<Item = &'a RecordedMoment>) -> u64 {
        let objects: HashMap<&ObjectId, u64> =
            moments.flat_map(|recorded| &recorded.outs).map(|(id, size)| (id, *size)).collect();
        objects.into_iter().filter(|(id, _)| !self.given.contains(*id)).map(|(_, size)| size).sum()
    }
}

impl RecordedMoment {
    /// How policies know it.
    fn name(&self) -> String {
        self.commit.map_or_else(|| format!("step-{}", self.moment.step), |commit| commit.to_string())
    }

    fn as_kept(&self) -> KeptMoment {
        KeptMoment { moment: self.moment.clone(), commit: self.commit }
    }
}

/// A commit of a chain and what it holds.
struct Checkpoint<'a> {
    link: &'a Link,
    /// When it was made, in seconds since 1970.
    second: i64,
    data: RevisionData,
}

impl<'a> Checkpoint<'a> {
    fn new(link: &'a Link, revision: CommitRevision) -> Result<Self, ReplayError> {
        let second = revision.time.map_or(0, |time| time.seconds);
        match revision.data {
            Ok(data) => Ok(Self { link, second, data }),
            Err(source) => Err(ReplayError::Unreadable { commit: link.commit, source }),
        }
    }

    fn as_moment(&self, history: &History, moment: Moment) -> RecordedMoment {
        let commit = self.link.commit;
        let outs = cached(&self.data).collect();
        RecordedMoment { moment, commit: Some(commit), is_kept: history.keeps(commit), outs }
    }
}

/// The moments of a stage that notes tell of.
fn moments_of_stage(history: &History, chain: &[Checkpoint<'_>], stage: &str) -> Vec<RecordedMoment> {
    let passed_by =
        |moment: &Moment| RecordedMoment { moment: moment.clone(), commit: None, is_kept: false, outs: Vec::new() };
    let mut moments = Vec::new();
    for checkpoint in chain {
        let Some(note) = &checkpoint.link.note else { continue };
        let of_stage = |told: &&StageMoment| told.stage == stage;
        moments.extend(note.passed.iter().filter(of_stage).map(|told| passed_by(&told.moment)));
        let became = note.moment.iter().filter(of_stage);
        moments.extend(became.map(|told| checkpoint.as_moment(history, told.moment.clone())));
    }
    moments
}

/// Each commit as a moment.
fn moments_of_commits(history: &History, chain: &[Checkpoint<'_>]) -> Vec<RecordedMoment> {
    let began = chain.first().map_or(0, |first| first.second);
    let moments = (1..).zip(chain).map(|(step, checkpoint)| {
        let seconds = u64::try_from(checkpoint.second.saturating_sub(began)).unwrap_or(0);
        let metrics = numbers(&checkpoint.data.metrics);
        let moment = Moment { trigger: Trigger::Signalled, step, elapsed_ms: seconds.saturating_mul(1000), metrics };
        checkpoint.as_moment(history, moment)
    });
    moments.collect()
}

/// The outputs in the cache.
fn cached(data: &RevisionData) -> impl Iterator<Item = (ObjectId, u64)> {
    let outs = data.outs.values().filter(|out| out.cached && !out.is_data);
    outs.filter_map(|out| Some((out.content.id.clone()?, out.content.size.unwrap_or(0))))
}

impl Goal {
    /// What the chosen policies are after, each goal once.
    #[must_use]
    pub fn of(policies: &[PolicyUse]) -> Vec<Self> {
        let mut goals = Vec::new();
        for options in policies.iter().filter_map(|policy| policy.options.as_map()) {
            let text = |name: &str| options.get(name).and_then(ParamValue::as_text);
            let better = match text("mode") {
                Some("min") => Better::Lower,
                Some("max") => Better::Higher,
                _ => continue,
            };
            let goal = text("metric").map(|metric| Self { metric: metric.to_owned(), better });
            goals.extend(goal.filter(|goal| !goals.contains(goal)));
        }
        goals
    }

    /// The best finite value, and its step; of equal ones the earliest.
    fn best<'a>(&self, moments: impl Iterator<Item = &'a Moment>) -> Option<(f64, u64)> {
        let value = |moment: &'a Moment| moment.metrics.iter().find(|(name, _)| *name == self.metric);
        let values = moments.filter_map(|moment| Some((value(moment)?.1, moment.step)));
        values.filter(|(value, _)| value.is_finite()).reduce(|best, next| match self.better {
            Better::Lower if next.0 < best.0 => next,
            Better::Higher if next.0 > best.0 => next,
            Better::Lower | Better::Higher => best,
        })
    }
}

#[cfg(test)]
mod tests;
