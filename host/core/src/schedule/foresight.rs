//! What a run cannot bring to its end is told before it begins: a stage that needs more than this machine has.

use std::collections::HashMap;

use super::{MissingData, OnFailure, RunOptions};
use crate::event::Event;
use crate::graph::StageGraph;
use crate::path::RepoPath;
use crate::pipeline::load::{Pipeline, StageId};
use crate::plan::{Course, Missing, Plan, Reason, Recall, Rules};
use crate::stage_run::{StageError, StageRunner};

/// The stages that surely run and cannot; those of which it depends on what others write are warned of. Where all stages can
/// run, as is usual, nothing is looked at.
pub(super) fn unable(
    pipeline: &Pipeline,
    graph: Option<&StageGraph>,
    order: &[StageId],
    options: RunOptions,
    runner: &StageRunner<'_>,
) -> Vec<StageError> {
    let unable = |id: &StageId| runner.unable(pipeline.stage(*id)).map(|error| (*id, error));
    let mut unable: Vec<(StageId, StageError)> = order.iter().filter_map(unable).collect();
    // A failure is to stop nobody else, or a remote may have the result: then it is told in its turn.
    if unable.is_empty() || options.on_failure != OnFailure::Stop || runner.pull.is_some() {
        return Vec::new();
    }
    let (workspace, run_cache) = (runner.workspace, runner.run_cache.as_ref());
    let recall = Recall { observe: workspace, store: workspace.store(), run_cache, fetcher: None };
    let recorded = match options.missing {
        MissingData::Counts => HashMap::new(),
        MissingData::Allowed => pipeline.recorded(),
    };
    let remembered = |path: &RepoPath| recorded.get(path)?.id.clone();
    let missing = match options.missing {
        MissingData::Counts => Missing::Counts,
        MissingData::Allowed => Missing::Allowed(&remembered),
    };
    let rules = Rules { force: options.force, missing };
    // What cannot be looked at is told in its turn, too.
    let Ok(plan) = Plan::make(pipeline, graph, order, rules, options.downstream, &recall) else { return Vec::new() };
    unable.retain(|(id, error)| {
        let step = plan.steps.iter().find(|step| step.stage == *id && step.course == Course::Run);
        let Some(step) = step else { return false };
        let is_sure = !step.why.causes.iter().any(|cause| matches!(cause.reason, Reason::UpstreamStale { .. }));
        if !is_sure {
            let message = format!("{error}; it will fail in its turn, unless its result is known then");
            runner.events.event(Event::Warning { message });
        }
        is_sure
    });
    unable.into_iter().map(|(_, error)| error).collect()
}
