//! Which stages are fresh, which are stale and why (walk, step 5).
//!
//! [`assess`] makes the reasons; a stage is fresh when there are none. A run asks it before each stage, [`Plan`] asks it for
//! all stages before any runs, so what `--explain` and `status` tell cannot disagree with what `repro` does. The rules are DVC's (3.67): inputs that are declared now are compared with the lock;
//! what was declared then and is not now does not count, nor do flags, descriptions and settings.

use std::sync::Arc;

use dewar_text::{Map, Value};

use crate::digest::ObjectId;
use crate::observe::{Content, Observe, ObserveError};
use crate::params::value::{lookup, python_equal};
use crate::path::RepoPath;
use crate::pipeline::{Command, LockEntry, LockedPath, ParamDependency, ParamKeys, Place, Stage, StageAddress};

mod ahead;
mod explain;
mod recall;

pub use ahead::{Course, Plan, Step};
pub use explain::{Cause, Compared, Explanation, ExplanationSink, FileChanges, place};
pub use recall::Recall;

/// Why a stage is stale.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// There is no lock entry for it.
    NeverRun,
    /// It runs every time.
    AlwaysChanged,
    /// The user asked for it.
    Forced,
    /// The command is another.
    CommandChanged {
        /// What ran.
        old: Command,
        /// What would run.
        new: Command,
    },
    /// A dependency is another.
    DependencyChanged {
        /// Which one, as the lock names it.
        path: String,
        /// How.
        change: FileChange,
    },
    /// A parameter is another.
    ParamChanged {
        /// The file, as the lock names it.
        file: String,
        /// The dotted key.
        key: String,
        /// What it was; none when it was not there or not declared.
        old: Option<Value>,
        /// What it is; none when it is not there.
        new: Option<Value>,
    },
    /// An output is not what the lock says.
    OutputChanged {
        /// Which one, as the lock names it.
        path: String,
        /// How.
        change: FileChange,
    },
    /// The cache lacks the content of an output that the workspace has.
    OutputNotCached {
        /// Which one, as the lock names it.
        path: String,
    },
    /// A stage that it needs is not up to date, and what will come out of it is not known yet.
    UpstreamStale {
        /// Which one.
        stage: StageAddress,
    },
}

/// How a file differs from what is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileChange {
    /// It is not there.
    Deleted,
    /// Its content is another.
    Modified,
    /// It is there, and nothing is remembered of it.
    New,
}

/// Whether stages run although they are fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// Only what is stale runs.
    No,
    /// All runs.
    Yes,
}

/// Whether data that is not there makes a stage stale.
#[derive(Clone, Copy)]
pub enum Missing<'a> {
    /// It does.
    Counts,
    /// It does not (`--allow-missing`): what cannot be seen is taken to be as remembered. A dependency is not, when the stage
    /// that writes it remembers another content; this tells what is remembered of an output.
    Allowed(&'a (dyn Fn(&RepoPath) -> Option<ObjectId> + Sync)),
}

/// What becomes of the stages that need one that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Downstream {
    /// They run when they are stale.
    WhenStale,
    /// They run, and so do those that need them (`--force-downstream`).
    Forced,
}

/// By what a stage is judged, beside its files.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// Whether it runs although it is fresh.
    pub force: Force,
    /// Whether missing data counts.
    pub missing: Missing<'a>,
}

impl Rules<'_> {
    /// The usual ones: what is stale runs, and what is missing is stale.
    pub const USUAL: Self = Self { force: Force::No, missing: Missing::Counts };
}

/// Why a stage would run now; nothing when it is up to date.
///
/// # Errors
/// When a file cannot be looked at.
pub fn assess(
    stage: &Stage,
    locked: Option<&LockEntry>,
    rules: Rules<'_>,
    observe: &dyn Observe,
) -> Result<Vec<Reason>, ObserveError> {
    let mut reasons = Vec::new();
    if rules.force == Force::Yes {
        reasons.push(Reason::Forced);
    }
    if stage.runs_always() {
        reasons.push(Reason::AlwaysChanged);
    }
    let nothing = LockEntry::default();
    let never_ran = match locked {
        None => !(stage.frozen && stage.outs.is_empty()),
        // While it was frozen its outputs were taken as they were found.
        Some(locked) => !stage.frozen && !stage.is_data() && locked.command.is_none(),
    };
    if never_ran {
        reasons.push(Reason::NeverRun);
    }
    if let (Some(new), Some(old)) = (&stage.command, locked.and_then(|locked| locked.command.as_ref()))
        && new != old
    {
        reasons.push(Reason::CommandChanged { old: old.clone(), new: new.clone() });
    }
    let locked = locked.unwrap_or(&nothing);
    if !stage.frozen {
        for dep in &stage.deps {
            if matches!(dep.place, Place::Elsewhere(_)) {
                continue;
            }
            let remembered = locked.dep(&dep.path);
            let change = match compare_file(&dep.place, remembered, observe)? {
                Some(FileChange::Deleted) => unseen_dependency(&dep.place, remembered, rules.missing),
                change => change,
            };
            reasons.extend(change.map(|change| Reason::DependencyChanged { path: dep.path.clone(), change }));
        }
        for param in &stage.params {
            compare_params(param, locked, observe, &mut reasons)?;
        }
    }
    for out in &stage.outs {
        let remembered = locked.out(&out.lock_path);
        let place = Place::Inside(out.path.clone());
        let is_missed = matches!(rules.missing, Missing::Counts);
        if let Some(change) = compare_file(&place, remembered, observe)? {
            if change == FileChange::Deleted && !is_missed {
                continue;
            }
            reasons.push(Reason::OutputChanged { path: out.lock_path.clone(), change });
        } else if is_missed
            && out.cached
            && !remembered.and_then(|out| out.id.as_ref()).is_none_or(|id| observe.has_object(id))
        {
            reasons.push(Reason::OutputNotCached { path: out.lock_path.clone() });
        }
    }
    Ok(reasons)
}

/// What it means that a dependency is not there (DVC's rule for `--allow-missing`).
fn unseen_dependency(place: &Place, remembered: Option<&LockedPath>, missing: Missing<'_>) -> Option<FileChange> {
    let Missing::Allowed(written) = missing else { return Some(FileChange::Deleted) };
    let written = place.inside().and_then(written);
    let same = written.is_none() || written == remembered.and_then(|remembered| remembered.id.clone());
    (!same).then_some(FileChange::Modified)
}

fn compare_file(
    place: &Place,
    remembered: Option<&LockedPath>,
    observe: &dyn Observe,
) -> Result<Option<FileChange>, ObserveError> {
    let known = remembered.and_then(|remembered| remembered.id.as_ref());
    let algorithm = known.map_or_else(|| observe.algorithm(), |id| id.algorithm());
    let Some(found) = observe.content(place, algorithm)? else { return Ok(Some(FileChange::Deleted)) };
    Ok(match known {
        None => Some(FileChange::New),
        Some(known) => (*known != found.id).then_some(FileChange::Modified),
    })
}

fn compare_params(
    param: &ParamDependency,
    locked: &LockEntry,
    observe: &dyn Observe,
    reasons: &mut Vec<Reason>,
) -> Result<(), ObserveError> {
    let now = observe.params(&param.file)?;
    let then = locked.params.get(&param.path);
    let mut changed = |key: &str, old: Option<&Value>, new: Option<&Value>| {
        let same = match (old, new) {
            (Some(old), Some(new)) => python_equal(old, new),
            _ => false,
        };
        if !same {
            reasons.push(Reason::ParamChanged {
                file: param.path.clone(),
                key: key.to_owned(),
                old: old.cloned(),
                new: new.cloned(),
            });
        }
    };
    match &param.keys {
        ParamKeys::Some(keys) => {
            for key in keys {
                let new = now.as_deref().and_then(|now| lookup(now, key));
                changed(key, then.and_then(|then| then.get(key)), new);
            }
        }
        ParamKeys::All => {
            let nothing = Map::default();
            // An empty file has no parameters; one that holds no mapping is refused when the stage runs.
            let now = match now.as_deref() {
                Some(Value::Null) => Some(&nothing),
                now => now.and_then(Value::as_map),
            };
            if now.is_none() {
                changed("", None, None);
            }
            let gone = then.into_iter().flatten().filter(|(key, _)| now.is_some_and(|now| !now.contains_key(*key)));
            for (key, old) in gone {
                changed(key, Some(old), None);
            }
            for (key, new) in now.into_iter().flatten() {
                changed(key, then.and_then(|then| then.get(key)), Some(new));
            }
        }
    }
    Ok(())
}

/// What the inputs of a stage are now, as a lock entry without outputs; what is missing is an error.
///
/// # Errors
/// When a dependency, a parameter or its file is missing, or cannot be looked at.
pub fn inputs(stage: &Stage, observe: &dyn Observe) -> Result<LockEntry, ObserveError> {
    let mut entry = LockEntry { command: stage.command.clone(), ..LockEntry::default() };
    for dep in &stage.deps {
        if matches!(dep.place, Place::Elsewhere(_)) {
            entry.deps.push(LockedPath { path: dep.path.clone(), ..LockedPath::default() });
            continue;
        }
        let found = observe.content(&dep.place, observe.algorithm())?;
        let found = found
            .ok_or_else(|| ObserveError::MissingDependency { stage: stage.address.clone(), path: dep.path.clone() })?;
        entry.deps.push(locked_path(&dep.path, &found));
    }
    for param in &stage.params {
        let missing = || ObserveError::MissingDependency { stage: stage.address.clone(), path: param.path.clone() };
        let values = observe.params(&param.file)?.ok_or_else(missing)?;
        entry.params.insert(param.path.clone(), values_of(stage, param, &values)?);
    }
    Ok(entry)
}

/// What the inputs of a stage are now, as [`inputs`]; of what is not on this machine the lock's word is kept.
///
/// # Errors
/// As there.
pub fn inputs_or_locked(
    stage: &Stage,
    locked: Option<&LockEntry>,
    observe: &dyn Observe,
) -> Result<LockEntry, ObserveError> {
    let mut entry = inputs(stage, observe)?;
    for (dep, read) in stage.deps.iter().zip(&mut entry.deps) {
        if matches!(dep.place, Place::Elsewhere(_))
            && let Some(known) = locked.and_then(|locked| locked.dep(&dep.path))
        {
            *read = known.clone();
        }
    }
    Ok(entry)
}

fn values_of(stage: &Stage, param: &ParamDependency, values: &Arc<Value>) -> Result<dewar_text::Map, ObserveError> {
    let mut found: Vec<(String, Value)> = match &param.keys {
        ParamKeys::All => match &**values {
            Value::Map(values) => values.clone().into_iter().collect(),
            Value::Null => Vec::new(),
            // Taken for nothing, a change of it would go unseen.
            _ => return Err(ObserveError::NoMapping { stage: stage.address.clone(), file: param.file.clone() }),
        },
        ParamKeys::Some(keys) => {
            let missing: Vec<String> = keys.iter().filter(|key| lookup(values, key).is_none()).cloned().collect();
            if !missing.is_empty() {
                return Err(ObserveError::MissingParams {
                    stage: stage.address.clone(),
                    file: param.file.clone(),
                    keys: missing,
                });
            }
            keys.iter().filter_map(|key| lookup(values, key).map(|value| (key.clone(), value.clone()))).collect()
        }
    };
    // The lock's order.
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found.into_iter().collect())
}

/// Whether the content at a place is the one that is remembered.
///
/// # Errors
/// When it cannot be looked at.
pub fn is_as_locked(locked: &LockedPath, place: &Place, observe: &dyn Observe) -> Result<bool, ObserveError> {
    let Some(id) = &locked.id else { return Ok(false) };
    Ok(observe.content(place, id.algorithm())?.is_some_and(|found| found.id == *id))
}

/// A content as the lock remembers it.
#[must_use]
pub fn locked_path(path: &str, content: &Content) -> LockedPath {
    LockedPath {
        path: path.to_owned(),
        id: Some(content.id.clone()),
        size: Some(content.size),
        files: content.files,
        executable: content.executable,
        other: dewar_text::Map::new(),
    }
}

/// Outputs in the order of a lock.
#[must_use]
pub fn in_lock_order(mut outs: Vec<LockedPath>) -> Vec<LockedPath> {
    outs.sort_by(|a, b| a.path.cmp(&b.path));
    outs
}

#[cfg(test)]
mod tests;
