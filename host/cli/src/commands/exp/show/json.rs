//! `exp show --json`: the shape that DVC's has, and its clients read, such as the extension of VS Code.

use std::fmt::Display;

use dewar_core::digest::ObjectId;
use dewar_core::exp::queue::task::State;
use dewar_core::exp::show::{BaselineRow, CommitRevision, Execution, ExperimentRow, Show};
use dewar_core::git::CommitTime;
use dewar_core::metrics::RevisionData;
use dewar_core::path::RepoPath;
use serde_json::{Map, Value, json};

use super::in_full;
use crate::commands::compare::files_json;
use crate::ui::moment;

/// The document, one line. Written experiment by experiment: as one value, ten thousand of them would take the memory twice.
pub(super) fn document(shown: &Show) -> String {
    let mut out = String::from("[");
    if let Some(workspace) = &shown.workspace {
        let (data, error) = match workspace {
            Ok(data) => (data_json("workspace", None, data), Value::Null),
            Err(error) => (Value::Null, error_json(error, "PipelineError")),
        };
        let row = json!({ "rev": "workspace", "name": null, "data": data, "error": error, "experiments": null });
        out.push_str(&row.to_string());
    }
    for baseline in &shown.baselines {
        if out.len() > 1 {
            out.push(',');
        }
        write_baseline(baseline, &mut out);
    }
    out.push_str("]\n");
    out
}

fn write_baseline(baseline: &BaselineRow, out: &mut String) {
    let row = revision_json(&baseline.revision, baseline.name.as_deref()).to_string();
    if baseline.experiments.is_empty() {
        out.push_str(&row);
        return;
    }
    // What such a row ends with when it has none.
    out.push_str(row.strip_suffix("null}").unwrap_or(&row));
    for (at, experiment) in baseline.experiments.iter().enumerate() {
        out.push(if at == 0 { '[' } else { ',' });
        out.push_str(&experiment_json(experiment).to_string());
    }
    out.push_str("]}");
}

fn experiment_json(experiment: &ExperimentRow) -> Value {
    let name = experiment.name.as_str();
    // The last commit alone has the name, as in DVC.
    let names = std::iter::once(Some(name)).chain(std::iter::repeat(None));
    let mut revisions: Vec<Value> =
        experiment.revisions().zip(names).map(|(revision, name)| revision_json(revision, name)).collect();
    if let (State::Failed, Some(execution), Some(Value::Object(tip))) =
        (experiment.state(), &experiment.execution, revisions.first_mut())
    {
        let cause = execution.cause.as_deref().unwrap_or("Experiment run failed");
        tip.insert("error".into(), error_json(&cause, ""));
    }
    let executor = experiment.execution.as_ref().map_or(Value::Null, executor_json);
    json!({ "revs": revisions, "executor": executor, "name": name })
}

fn executor_json(execution: &Execution) -> Value {
    let returned = match execution.state {
        State::Running | State::Queued => Value::Null,
        State::Success => json!(0),
        State::Failed => json!(1),
    };
    json!({
        "state": execution.state.as_str().to_ascii_lowercase(),
        "name": execution.executor(),
        "local": {
            "root": execution.workspace, "log": execution.log, "pid": execution.pid, "returncode": returned,
            "task_id": execution.task.to_string(),
        },
    })
}

fn revision_json(revision: &CommitRevision, name: Option<&str>) -> Value {
    let commit = revision.commit.to_string();
    let (data, error) = match &revision.data {
        Ok(data) => (data_json(&commit, revision.time, data), Value::Null),
        Err(error) => (Value::Null, error_json(error, "PipelineError")),
    };
    json!({ "rev": commit, "name": name, "data": data, "error": error, "experiments": null })
}

fn error_json(error: &dyn Display, kind: &str) -> Value {
    json!({ "msg": error.to_string(), "type": kind })
}

fn data_json(revision: &str, time: Option<CommitTime>, data: &RevisionData) -> Value {
    let hash = |id: &Option<ObjectId>| id.as_ref().map_or(Value::Null, |id| json!(id.as_str()));
    let deps: Map<String, Value> = data
        .deps
        .iter()
        .map(|(path, content)| {
            (path.clone(), json!({ "hash": hash(&content.id), "size": content.size, "nfiles": content.files }))
        })
        .collect();
    let outs: Map<String, Value> = data
        .outs
        .iter()
        .map(|(path, out)| {
            let content = &out.content;
            let value = json!({
                "hash": hash(&content.id), "size": content.size, "nfiles": content.files,
                "use_cache": out.cached, "is_data_source": out.is_data,
            });
            (path.to_string(), value)
        })
        .collect();
    let root = RepoPath::root();
    let timestamp = time.and_then(moment::zoned).as_ref().map(in_full);
    json!({
        "rev": revision, "timestamp": timestamp,
        "params": files_json(&data.params, &root), "metrics": files_json(&data.metrics, &root),
        "deps": deps, "outs": outs, "meta": {},
    })
}
