//! [`Plan`]: what a run would do, found out before anything runs: `--dry` and `status --explain`.
//!
//! Stages are assessed in order. What a stage that would be restored writes is known already, so those after it are assessed
//! with it; what a stage that would run writes is not, so those after it are stale.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dewar_text::Value;

use super::{Downstream, Explanation, FileChange, Force, Reason, Recall, Rules, assess, inputs, is_as_locked};
use crate::cache::Tree;
use crate::digest::{Algorithm, ObjectId};
use crate::graph::StageGraph;
use crate::observe::{Content, Observe, ObserveError};
use crate::path::RepoPath;
use crate::pipeline::load::{Pipeline, StageId};
use crate::pipeline::{LockedPath, Place, Stage};

/// What a run would do, stage by stage.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The stages, each after those it needs.
    pub steps: Vec<Step>,
}

/// What a run would do with a stage.
#[derive(Debug, Clone)]
pub struct Step {
    /// The stage.
    pub stage: StageId,
    /// What is done.
    pub course: Course,
    /// Why.
    pub why: Explanation,
}

/// What is done with a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// Nothing: it is up to date.
    Skip,
    /// Nothing runs: it is frozen. What changed of its outputs is taken as it is.
    Leave,
    /// Nothing runs: it only tracks data, which changed and is remembered as it is now.
    Track,
    /// Nothing runs: its outputs are right, and the cache takes them in again.
    Keep,
    /// What came out of these inputs before, or is tracked and gone, is checked out.
    Restore,
    /// Its commands run.
    Run,
}

impl Plan {
    /// Looks at the stages of `order`, each of which comes after those it needs. Results are recalled as `recall` does.
    ///
    /// # Errors
    /// When a file cannot be looked at.
    pub fn make(
        pipeline: &Pipeline,
        graph: Option<&StageGraph>,
        order: &[StageId],
        rules: Rules<'_>,
        downstream: Downstream,
        recall: &Recall<'_>,
    ) -> Result<Self, ObserveError> {
        let (running, restored, forced) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
        let mut ahead = Ahead { pipeline, graph, rules, downstream, recall, running, restored, forced };
        let steps = order.iter().map(|id| ahead.step(*id)).collect::<Result<_, _>>()?;
        Ok(Self { steps })
    }
}

/// What is known of the stages looked at so far.
struct Ahead<'a> {
    pipeline: &'a Pipeline,
    graph: Option<&'a StageGraph>,
    rules: Rules<'a>,
    downstream: Downstream,
    recall: &'a Recall<'a>,
    /// Stages whose commands would run.
    running: BTreeSet<StageId>,
    /// What would be checked out, by its path: the stage, and the content.
    restored: BTreeMap<RepoPath, (StageId, LockedPath)>,
    /// Stages that run because one that they need changed.
    forced: BTreeSet<StageId>,
}

impl Ahead<'_> {
    fn step(&mut self, id: StageId) -> Result<Step, ObserveError> {
        let stage = self.pipeline.stage(id);
        let locked = self.pipeline.locked(stage);
        let open = if stage.frozen { BTreeMap::new() } else { self.open_inputs(id, stage) };
        let force = if self.forced.contains(&id) { Force::Yes } else { self.rules.force };
        let mut reasons = assess(stage, locked, Rules { force, ..self.rules }, self)?;
        // How an input that will be another differs now does not matter.
        reasons.retain(|reason| match reason {
            Reason::DependencyChanged { path, .. } | Reason::ParamChanged { file: path, .. } => {
                !open.contains_key(path.as_str())
            }
            _ => true,
        });
        let upstream: BTreeSet<StageId> = open.values().copied().collect();
        let address = |id: &StageId| self.pipeline.stage(*id).address.clone();
        reasons.extend(upstream.iter().map(|id| Reason::UpstreamStale { stage: address(id) }));
        let known = if upstream.is_empty() { self.known_result(stage, &reasons, force)? } else { None };
        let course = Course::of(stage, &reasons, known.is_some());
        let why = Explanation::of(stage, locked, &reasons, self);
        match course {
            Course::Run => {
                self.running.insert(id);
            }
            Course::Restore => {
                let remembered = known.as_ref().or_else(|| locked.map(|locked| &locked.outs));
                self.check_out(id, stage, remembered.map_or(&[], Vec::as_slice))?;
            }
            Course::Skip | Course::Leave | Course::Track | Course::Keep => {}
        }
        let has_changed = !matches!(course, Course::Skip | Course::Leave) || force == Force::Yes;
        if self.downstream == Downstream::Forced && has_changed {
            self.forced.extend(self.graph.iter().flat_map(|graph| graph.needed_by(id)));
        }
        Ok(Step { stage: id, course, why })
    }

    /// The inputs whose content is not known before another stage was brought up to date, as the lock names them, and that
    /// stage.
    fn open_inputs<'s>(&self, id: StageId, stage: &'s Stage) -> BTreeMap<&'s str, StageId> {
        let upstream: Vec<StageId> = match self.graph {
            Some(graph) => graph.needs(id),
            None => self.running.iter().copied().chain(self.restored.values().map(|(id, _)| *id)).collect(),
        };
        if self.running.is_empty() && self.restored.is_empty() {
            return BTreeMap::new();
        }
        let outs = || upstream.iter().flat_map(|id| self.pipeline.stage(*id).outs.iter().map(|out| (*id, &out.path)));
        let deps = stage.deps.iter().filter_map(|dep| {
            let input = dep.place.inside()?;
            // A directory with a part that is restored has a content that is in no listing.
            let is_open = |id: StageId, out: &RepoPath| match self.running.contains(&id) {
                true => out.is_within(input) || input.is_within(out),
                false => self.restored.contains_key(out) && out != input && out.is_within(input),
            };
            outs().find(|(id, out)| is_open(*id, out)).map(|(id, _)| (dep.path.as_str(), id))
        });
        let params = stage.params.iter().filter_map(|param| {
            let is_open = |id: StageId, out: &RepoPath| {
                (self.running.contains(&id) || self.restored.contains_key(out)) && param.file.is_within(out)
            };
            outs().find(|(id, out)| is_open(*id, out)).map(|(id, _)| (param.path.as_str(), id))
        });
        deps.chain(params).collect()
    }

    /// What came out of the stage's inputs before. Inputs that are missing are for the run to complain of.
    fn known_result(
        &self,
        stage: &Stage,
        reasons: &[Reason],
        force: Force,
    ) -> Result<Option<Vec<LockedPath>>, ObserveError> {
        if reasons.is_empty() || force == Force::Yes || stage.runs_always() {
            return Ok(None);
        }
        let inputs = match inputs(stage, self) {
            Err(
                ObserveError::MissingDependency { .. }
                | ObserveError::MissingParams { .. }
                | ObserveError::NoMapping { .. },
            ) => return Ok(None),
            inputs => inputs?,
        };
        self.recall.result(stage, self.pipeline.locked(stage), &inputs)
    }

    fn check_out(&mut self, id: StageId, stage: &Stage, outs: &[LockedPath]) -> Result<(), ObserveError> {
        for out in &stage.outs {
            let Some(known) = outs.iter().find(|known| known.path == out.lock_path) else { continue };
            if !is_as_locked(known, &Place::Inside(out.path.clone()), self)? {
                self.restored.insert(out.path.clone(), (id, known.clone()));
            }
        }
        Ok(())
    }

    /// What would be checked out at a path or around it: its content, and the way from there.
    fn restored_at(&self, place: &Place) -> Option<(&ObjectId, &LockedPath, String)> {
        let path = place.inside()?;
        let (top, (_, known)) = path.ancestors().find_map(|at| self.restored.get_key_value(at))?;
        Some((known.id.as_ref()?, known, path.relative_to(top)))
    }
}

impl Course {
    /// What a run does with a stage that has these reasons to run, and whose result is known or not.
    fn of(stage: &Stage, reasons: &[Reason], is_known: bool) -> Self {
        if reasons.is_empty() {
            Self::Skip
        } else if stage.is_data() {
            let is_gone = |reason: &Reason| matches!(reason, Reason::OutputChanged { change: FileChange::Deleted, .. });
            if reasons.iter().any(is_gone) { Self::Restore } else { Self::Track }
        } else if stage.frozen {
            Self::Leave
        } else if reasons.iter().all(|reason| matches!(reason, Reason::OutputNotCached { .. })) {
            Self::Keep
        } else if is_known {
            Self::Restore
        } else {
            Self::Run
        }
    }
}

/// The workspace as it will be when it is the stage's turn.
impl Observe for Ahead<'_> {
    fn algorithm(&self) -> Algorithm {
        self.recall.observe.algorithm()
    }

    fn content(&self, place: &Place, algorithm: Algorithm) -> Result<Option<Content>, ObserveError> {
        let Some((id, known, rest)) = self.restored_at(place) else {
            return self.recall.observe.content(place, algorithm);
        };
        let content = |id: ObjectId| Content { id, size: 0, files: None, executable: known.executable };
        if rest == "." {
            return Ok(Some(content(id.clone())));
        }
        let Some(tree) = self.cached_listing(id) else { return Ok(None) };
        let found = tree.get(&rest).cloned();
        Ok(found.or_else(|| tree.folder(&rest).map(|tree| tree.id(&tree.to_bytes()))).map(content))
    }

    /// Files of parameters are never foreseen.
    fn params(&self, file: &RepoPath) -> Result<Option<Arc<Value>>, ObserveError> {
        self.recall.observe.params(file)
    }

    fn has_object(&self, id: &ObjectId) -> bool {
        self.recall.observe.has_object(id)
    }

    fn listing(&self, place: &Place, algorithm: Algorithm) -> Result<Option<Tree>, ObserveError> {
        let Some((id, _, rest)) = self.restored_at(place) else {
            return self.recall.observe.listing(place, algorithm);
        };
        let tree = self.cached_listing(id);
        Ok(if rest == "." { tree } else { tree.and_then(|tree| tree.folder(&rest)) })
    }

    fn cached_listing(&self, id: &ObjectId) -> Option<Tree> {
        self.recall.observe.cached_listing(id)
    }
}
