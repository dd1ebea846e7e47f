//! [`Explanation`]: why a stage runs or not, down to the files of a directory (walk, step 5).

use super::{FileChange, Reason};
use crate::cache::Tree;
use crate::observe::Observe;
use crate::pipeline::{Command, LockEntry, LockedPath, Output, ParamKeys, Place, Stage, StageAddress};

/// Why a stage runs or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The stage.
    pub stage: StageAddress,
    /// Its command, when it has one.
    pub command: Option<Command>,
    /// What speaks for a run; nothing when it is up to date.
    pub causes: Vec<Cause>,
    /// What was looked at.
    pub compared: Compared,
}

/// What speaks for a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Cause {
    /// The reason that decided.
    pub reason: Reason,
    /// The file or directory that it is about.
    pub place: Option<Place>,
    /// What differs inside of a directory, as far as the cache still knows what was in it.
    pub files: Option<FileChanges>,
}

/// How many things of a stage were compared with what is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compared {
    /// Dependencies.
    pub deps: usize,
    /// Parameters by name; a whole file counts as one.
    pub params: usize,
    /// Outputs.
    pub outs: usize,
}

/// How the files of a directory differ: their paths in it, sorted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileChanges {
    /// Those that were not there.
    pub added: Vec<String>,
    /// Those that were there with another content.
    pub changed: Vec<String>,
    /// Those that are gone.
    pub removed: Vec<String>,
}

/// Who is told why stages run or not. Called from several threads, once a stage, before anything happens to it.
pub trait ExplanationSink: Send + Sync {
    /// Takes an explanation.
    fn decided(&self, explanation: Explanation);
}

impl Explanation {
    /// Explains `reasons`, which [`super::assess`] gave for the stage. What cannot be looked at is left out: the run
    /// itself will say so.
    #[must_use]
    pub fn of(stage: &Stage, locked: Option<&LockEntry>, reasons: &[Reason], observe: &dyn Observe) -> Self {
        // Of a stage that never ran everything differs from nothing.
        let never_ran = reasons.contains(&Reason::NeverRun);
        let tells = |reason: &&Reason| {
            !never_ran
                || matches!(
                    reason,
                    Reason::NeverRun | Reason::AlwaysChanged | Reason::Forced | Reason::UpstreamStale { .. }
                )
        };
        let cause = |reason: &Reason| Cause {
            reason: reason.clone(),
            place: place(stage, reason),
            files: files(stage, locked, reason, observe),
        };
        let params = stage.params.iter().map(|param| match &param.keys {
            ParamKeys::All => 1,
            ParamKeys::Some(keys) => keys.len(),
        });
        Self {
            stage: stage.address.clone(),
            command: stage.command.clone(),
            causes: reasons.iter().filter(tells).map(cause).collect(),
            compared: Compared { deps: stage.deps.len(), params: params.sum(), outs: stage.outs.len() },
        }
    }
}

/// The file or directory of the stage that a reason is about.
#[must_use]
pub fn place(stage: &Stage, reason: &Reason) -> Option<Place> {
    match reason {
        Reason::DependencyChanged { path, .. } => {
            stage.deps.iter().find(|dep| dep.path == *path).map(|dep| dep.place.clone())
        }
        Reason::ParamChanged { file, .. } => {
            stage.params.iter().find(|param| param.path == *file).map(|param| Place::Inside(param.file.clone()))
        }
        Reason::OutputChanged { path, .. } | Reason::OutputNotCached { path } => {
            output(stage, path).map(|out| Place::Inside(out.path.clone()))
        }
        Reason::NeverRun
        | Reason::AlwaysChanged
        | Reason::Forced
        | Reason::CommandChanged { .. }
        | Reason::UpstreamStale { .. } => None,
    }
}

fn output<'a>(stage: &'a Stage, path: &str) -> Option<&'a Output> {
    stage.outs.iter().find(|out| out.lock_path == path)
}

fn files(stage: &Stage, locked: Option<&LockEntry>, reason: &Reason, observe: &dyn Observe) -> Option<FileChanges> {
    let remembered: &LockedPath = match reason {
        Reason::DependencyChanged { path, change: FileChange::Modified } => locked?.dep(path)?,
        Reason::OutputChanged { path, change: FileChange::Modified } => locked?.out(path)?,
        _ => return None,
    };
    let id = remembered.id.as_ref().filter(|id| id.is_directory())?;
    let then = observe.cached_listing(id)?;
    let now = observe.listing(&place(stage, reason)?, id.algorithm()).ok()??;
    Some(FileChanges::between(&then, &now))
}

impl FileChanges {
    /// How the files of `now` differ from those of `then`.
    #[must_use]
    pub fn between(then: &Tree, now: &Tree) -> Self {
        let names = |tree: &Tree, keep: &dyn Fn(&str) -> bool| -> Vec<String> {
            tree.files().map(|(path, _)| path).filter(|path| keep(path)).map(str::to_owned).collect()
        };
        Self {
            added: names(now, &|path| then.get(path).is_none()),
            changed: names(now, &|path| then.get(path).is_some_and(|id| now.get(path) != Some(id))),
            removed: names(then, &|path| now.get(path).is_none()),
        }
    }
}
