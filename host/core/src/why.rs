//! Why a stage is another in one revision than in another one: what `why` tells. Reads only; no step of the walk.
//!
//! One revision is put into the form of a lock entry, and the other assessed against it by the rules of a run ([`crate::plan`]). So
//! what is told of two revisions reads as what is told of a run.

mod recorded;

pub use recorded::Recorded;

use crate::observe::{Observe, ObserveError};
use crate::params::value::lookup;
use crate::pipeline::{LockEntry, ParamDependency, ParamKeys, Pipeline, Place, Stage, StageAddress};
use crate::plan::{self, Explanation, FileChanges, Reason, Rules};

/// A stage as a revision has it.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// The revision's pipeline.
    pub pipeline: &'a Pipeline,
    /// The revision's files.
    pub observe: &'a dyn Observe,
    /// Whether what it has of outputs are results; those that a task of the queue begins with are another run's.
    pub results: Results,
}

/// Whether a revision has results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Results {
    /// Of the stages that ran.
    There,
    /// None yet.
    NotYet,
}

/// How a stage differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// What is another, in the words of a run.
    pub why: Explanation,
    /// What the stage does not declare any more.
    pub undeclared: Vec<Undeclared>,
    /// The stages that write what it reads and what is another.
    pub upstream: Vec<StageAddress>,
    /// Whether it has run in the old revision, and in the new one.
    pub ran: [Ran; 2],
}

/// Whether a stage has run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// There is a result.
    Yes,
    /// Nothing is remembered of it, so that outputs are not compared.
    No,
}

/// Something that a stage does not declare any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undeclared {
    /// A dependency.
    Dependency(String),
    /// A parameter and its file; a whole file has no name.
    Param {
        /// As the lock names it.
        file: String,
        /// The dotted key.
        key: Option<String>,
    },
    /// An output.
    Output(String),
}

impl Difference {
    /// Whether the stage is the same in both.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.why.causes.is_empty() && self.undeclared.is_empty()
    }

    /// Whether only what came out differs, and nothing of what went in.
    #[must_use]
    pub fn is_of_outputs_alone(&self) -> bool {
        let is_output = |reason: &Reason| matches!(reason, Reason::OutputChanged { .. });
        !self.is_none() && self.undeclared.is_empty() && self.why.causes.iter().all(|cause| is_output(&cause.reason))
    }
}

/// How `new` differs from `old`, which are the same stage in two revisions.
///
/// # Errors
/// When a file of a revision cannot be read.
pub fn difference(
    (old, before): (&Stage, Side<'_>),
    (new, now): (&Stage, Side<'_>),
) -> Result<Difference, ObserveError> {
    let ran = [(old, before), (new, now)].map(|(stage, side)| {
        let locked = side.pipeline.locked(stage);
        let is_result = locked.is_some_and(|locked| stage.is_data() || locked.command.is_some());
        if is_result && side.results == Results::There { Ran::Yes } else { Ran::No }
    });
    let entry = entry(old, before)?;
    let mut reasons = plan::assess(new, Some(&entry), Rules::USUAL, now.observe)?;
    reasons.retain(|reason| match reason {
        Reason::OutputChanged { .. } => ran == [Ran::Yes; 2],
        Reason::CommandChanged { .. } | Reason::DependencyChanged { .. } | Reason::ParamChanged { .. } => true,
        // Which is so in both, or said of the cache.
        Reason::NeverRun
        | Reason::AlwaysChanged
        | Reason::Forced
        | Reason::OutputNotCached { .. }
        | Reason::UpstreamStale { .. } => false,
    });
    let mut why = Explanation::of(new, Some(&entry), &reasons, now.observe);
    for cause in why.causes.iter_mut().filter(|cause| cause.files.is_none()) {
        if let Some(place) = &cause.place {
            cause.files = files(place, before, now);
        }
    }
    let upstream = upstream(now.pipeline, &why);
    Ok(Difference { why, undeclared: undeclared(old, new), upstream, ran })
}

/// The stage as a lock would remember it, as far as its revision tells.
fn entry(stage: &Stage, side: Side<'_>) -> Result<LockEntry, ObserveError> {
    let mut entry = LockEntry { command: stage.command.clone(), ..LockEntry::default() };
    let algorithm = side.observe.algorithm();
    for dep in &stage.deps {
        let found = side.observe.content(&dep.place, algorithm)?;
        entry.deps.extend(found.map(|found| plan::locked_path(&dep.path, &found)));
    }
    for param in &stage.params {
        let Some(values) = side.observe.params(&param.file)? else { continue };
        let known = match &param.keys {
            ParamKeys::All => values.as_map().cloned().unwrap_or_default(),
            ParamKeys::Some(keys) => {
                keys.iter().filter_map(|key| Some((key.clone(), lookup(&values, key)?.clone()))).collect()
            }
        };
        entry.params.insert(param.path.clone(), known);
    }
    for out in &stage.outs {
        let found = side.observe.content(&Place::Inside(out.path.clone()), algorithm)?;
        entry.outs.extend(found.map(|found| plan::locked_path(&out.lock_path, &found)));
    }
    Ok(entry)
}

/// Tells what differs inside of directories that the cache does not have, where `recorded` has them as the stage read them.
pub fn tell_files(why: &mut Explanation, locked: &LockEntry, recorded: &dyn Observe, now: &dyn Observe) {
    for cause in why.causes.iter_mut().filter(|cause| cause.files.is_none()) {
        let (Reason::DependencyChanged { path, .. }, Some(place)) = (&cause.reason, &cause.place) else { continue };
        let Some(known) = locked.dep(path).and_then(|known| known.id.as_ref()) else { continue };
        let listing = |observe: &dyn Observe| observe.listing(place, known.algorithm()).ok().flatten();
        if let Some(then) = listing(recorded).filter(|then| then.id(&then.to_bytes()) == *known)
            && let Some(now) = listing(now)
        {
            cause.files = Some(FileChanges::between(&then, &now));
        }
    }
}

/// What differs inside of a directory, as far as both revisions tell what is in it.
fn files(place: &Place, before: Side<'_>, now: Side<'_>) -> Option<FileChanges> {
    let algorithm = before.observe.algorithm();
    // What cannot be listed is not told of; that it differs is.
    let listing = |side: Side<'_>| side.observe.listing(place, algorithm).ok().flatten();
    Some(FileChanges::between(&listing(before)?, &listing(now)?)).filter(|changes| *changes != FileChanges::default())
}

/// The stages that write what is another, each once.
#[must_use]
pub fn upstream(pipeline: &Pipeline, why: &Explanation) -> Vec<StageAddress> {
    let mut found = Vec::new();
    for cause in &why.causes {
        let (Reason::DependencyChanged { .. } | Reason::ParamChanged { .. }, Some(Place::Inside(path))) =
            (&cause.reason, &cause.place)
        else {
            continue;
        };
        for (_, stage) in pipeline.stages().filter(|(_, stage)| stage.address != why.stage) {
            if stage.outs.iter().any(|out| out.path.touches(path)) && !found.contains(&stage.address) {
                found.push(stage.address.clone());
            }
        }
    }
    found
}

fn undeclared(old: &Stage, new: &Stage) -> Vec<Undeclared> {
    let deps = old.deps.iter().filter(|dep| new.deps.iter().all(|other| other.path != dep.path));
    let mut gone: Vec<Undeclared> = deps.map(|dep| Undeclared::Dependency(dep.path.clone())).collect();
    for param in &old.params {
        let others: Vec<&ParamDependency> = new.params.iter().filter(|other| other.path == param.path).collect();
        let has = |key: &str| {
            others.iter().any(|other| match &other.keys {
                ParamKeys::All => true,
                ParamKeys::Some(keys) => keys.iter().any(|known| known == key),
            })
        };
        let file = &param.path;
        match &param.keys {
            ParamKeys::All if others.iter().any(|other| other.keys == ParamKeys::All) => {}
            ParamKeys::All => gone.push(Undeclared::Param { file: file.clone(), key: None }),
            ParamKeys::Some(keys) => {
                let keys = keys.iter().filter(|key| !has(key));
                gone.extend(keys.map(|key| Undeclared::Param { file: file.clone(), key: Some(key.clone()) }));
            }
        }
    }
    let outs = old.outs.iter().filter(|out| new.outs.iter().all(|other| other.lock_path != out.lock_path));
    gone.extend(outs.map(|out| Undeclared::Output(out.lock_path.clone())));
    gone
}
