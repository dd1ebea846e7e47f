//! Explanations as JSON. The shape is part of the interface: the manual of `--json` describes it, and it only grows.

use dewar_core::params::value::to_json;
use dewar_core::path::RepoPath;
use dewar_core::pipeline::{Command, Place};
use dewar_core::plan::{Cause, Course, Explanation, FileChange, Reason};
use serde_json::{Map, Value, json};

/// `{"stages": [...], ...more}` with a line end; stages and paths as seen from the folder `from`.
#[must_use]
pub fn document(steps: &[(Explanation, Option<Course>)], from: &RepoPath, more: Map<String, Value>) -> String {
    let stages: Vec<Value> = steps.iter().map(|(explanation, course)| stage(explanation, *course, from)).collect();
    let mut document = Map::new();
    document.insert("stages".into(), Value::Array(stages));
    document.extend(more);
    format!("{}\n", Value::Object(document))
}

fn stage(explanation: &Explanation, course: Option<Course>, from: &RepoPath) -> Value {
    let reasons: Vec<Value> = explanation.causes.iter().map(|cause| reason(cause, from)).collect();
    json!({
        "stage": explanation.stage.display_from(from),
        "state": if reasons.is_empty() { "fresh" } else { "stale" },
        "action": course.map(action),
        "reasons": reasons,
    })
}

const fn action(course: Course) -> &'static str {
    match course {
        Course::Skip => "skip",
        Course::Leave => "leave",
        Course::Track => "track",
        Course::Keep => "keep",
        Course::Restore => "restore",
        Course::Run => "run",
    }
}

fn reason(cause: &Cause, from: &RepoPath) -> Value {
    let shown = |path: &str| match &cause.place {
        Some(Place::Inside(path)) => path.relative_to(from),
        Some(Place::Outside(_) | Place::Elsewhere(_)) | None => path.to_owned(),
    };
    let mut value = match &cause.reason {
        Reason::NeverRun => json!({ "kind": "never-run" }),
        Reason::AlwaysChanged => json!({ "kind": "always-changed" }),
        Reason::Forced => json!({ "kind": "forced" }),
        Reason::CommandChanged { old, new } => {
            json!({ "kind": "command-changed", "old": command(old), "new": command(new) })
        }
        Reason::DependencyChanged { path, change } => {
            json!({ "kind": "dependency-changed", "path": shown(path), "change": word(*change) })
        }
        Reason::ParamChanged { file, key, .. } if key.is_empty() => {
            json!({ "kind": "parameter-file-missing", "file": shown(file) })
        }
        Reason::ParamChanged { file, key, old, new } => {
            let mut value = json!({ "kind": "parameter-changed", "file": shown(file), "key": key });
            for (name, side) in [("old", old), ("new", new)] {
                if let (Some(side), Some(map)) = (side, value.as_object_mut()) {
                    map.insert(name.into(), to_json(side));
                }
            }
            value
        }
        Reason::OutputChanged { path, change } => {
            json!({ "kind": "output-changed", "path": shown(path), "change": word(*change) })
        }
        Reason::OutputNotCached { path } => json!({ "kind": "output-not-cached", "path": shown(path) }),
        Reason::UpstreamStale { stage } => json!({ "kind": "upstream-stale", "stage": stage.display_from(from) }),
    };
    if let (Some(files), Some(map)) = (&cause.files, value.as_object_mut()) {
        let files = json!({ "added": files.added, "changed": files.changed, "removed": files.removed });
        map.insert("files".into(), files);
    }
    value
}

const fn word(change: FileChange) -> &'static str {
    match change {
        FileChange::Deleted => "deleted",
        FileChange::Modified => "modified",
        FileChange::New => "new",
    }
}

fn command(command: &Command) -> Value {
    to_json(&command.to_value())
}
