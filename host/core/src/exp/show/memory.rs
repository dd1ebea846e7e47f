//! What commits hold, remembered on disk by commit. Disposable: anything unexpected reads as nothing.
//!
//! A commit never changes, so what was read of it holds for as long as the same plugins read its files. Results with errors are
//! not kept: an object may be fetched, a plugin mended.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dewar_text::{Map, Value};
use indexmap::IndexMap;

use super::revisions::{CommitRevision, Part};
use crate::codec;
use crate::digest::{Algorithm, ObjectId};
use crate::fs;
use crate::git::{CommitId, CommitTime};
use crate::metrics::{Content, FileData, Files, OutputContent, ParamScope, RevisionData};
use crate::params::ParamFiles;
use crate::path::RepoPath;

/// Raised when the form changes, or what is read of a commit.
const VERSION: i64 = 3;

fn place(folder: &Path, scope: ParamScope, part: Part, commit: CommitId) -> PathBuf {
    let digits = commit.to_string();
    let (two, rest) = digits.split_at_checked(2).unwrap_or_default();
    let what = match (scope, part) {
        (ParamScope::All, Part::All) => "all",
        (ParamScope::Declared, Part::All) => "declared",
        (ParamScope::All, Part::Inputs) => "inputs",
        (ParamScope::Declared, Part::Inputs) => "declared-inputs",
    };
    folder.join(what).join(two).join(rest)
}

/// What is remembered of a commit, if the plugins that read its files are the same still.
pub(super) fn recall(
    folder: &Path,
    scope: ParamScope,
    part: Part,
    commit: CommitId,
    params: &ParamFiles,
) -> Option<CommitRevision> {
    let value = codec::decode(&std::fs::read(place(folder, scope, part, commit)).ok()?)?;
    decode(commit, value, params)
}

/// Remembers a commit. That it fails (a full disk, a read-only project) only costs the next command time.
pub(super) fn remember(folder: &Path, scope: ParamScope, part: Part, revision: &CommitRevision, params: &ParamFiles) {
    if let Some(value) = encode(revision, params) {
        drop(fs::write_atomic(&place(folder, scope, part, revision.commit), &codec::encode(&value)));
    }
}

fn encode(revision: &CommitRevision, params: &ParamFiles) -> Option<Value> {
    let data = revision.data.as_ref().ok()?;
    let time = revision.time?;
    let parent = revision.parent.map_or(Value::Null, |parent| Value::Text(parent.to_string()));
    let note = match &revision.note {
        Some(note) => Value::Text(serde_json::to_string(note).ok()?),
        None => Value::Null,
    };
    let deps = data.deps.iter().map(|(path, content)| (path.clone(), Value::List(content_to(content))));
    let outs = data.outs.iter().map(|(path, out)| {
        let mut items = content_to(&out.content);
        items.extend([Value::Bool(out.cached), Value::Bool(out.is_data)]);
        (path.as_str().to_owned(), Value::List(items))
    });
    Some(Value::List(vec![
        Value::Int(VERSION),
        Value::Int(time.seconds),
        Value::Int(time.offset_minutes.into()),
        parent,
        note,
        files_to(&data.params, params)?,
        files_to(&data.metrics, params)?,
        Value::Map(deps.collect()),
        Value::Map(outs.collect()),
    ]))
}

fn decode(commit: CommitId, value: Value, params: &ParamFiles) -> Option<CommitRevision> {
    let Value::List(items) = value else { return None };
    let [version, seconds, offset, parent, note, param_files, metric_files, deps, outs] =
        <[Value; 9]>::try_from(items).ok()?;
    if int(&version)? != VERSION {
        return None;
    }
    let parent = match parent {
        Value::Null => None,
        parent => Some(CommitId::parse(parent.as_text()?)?),
    };
    let note = match note {
        Value::Null => None,
        note => Some(serde_json::from_str(note.as_text()?).ok()?),
    };
    let deps = entries(deps)?.map(|(path, value)| Some((path, content_from(&value)?.0)));
    let outs = entries(outs)?.map(|(path, value)| {
        let (content, rest) = content_from(&value)?;
        let [Value::Bool(cached), Value::Bool(is_data)] = rest else { return None };
        Some((RepoPath::parse(&path).ok()?, OutputContent { content, cached: *cached, is_data: *is_data }))
    });
    Some(CommitRevision {
        commit,
        time: Some(CommitTime { seconds: int(&seconds)?, offset_minutes: i32::try_from(int(&offset)?).ok()? }),
        parent,
        note,
        data: Ok(RevisionData {
            params: files_from(param_files, params)?,
            metrics: files_from(metric_files, params)?,
            deps: deps.collect::<Option<IndexMap<_, _>>>()?,
            outs: outs.collect::<Option<IndexMap<_, _>>>()?,
        }),
    })
}

/// Each file's values and the plugin that read them; none when a file is broken.
fn files_to(files: &Files, params: &ParamFiles) -> Option<Value> {
    let entry = |(file, data): (&RepoPath, &FileData)| {
        let reader = Value::Text(params.reader_of(file)?);
        Some((file.as_str().to_owned(), Value::List(vec![reader, data.values()?.clone()])))
    };
    files.iter().map(entry).collect::<Option<Map>>().map(Value::Map)
}

fn files_from(value: Value, params: &ParamFiles) -> Option<Files> {
    entries(value)?
        .map(|(file, value)| {
            let Value::List(items) = value else { return None };
            let [reader, values] = <[Value; 2]>::try_from(items).ok()?;
            let file = RepoPath::parse(&file).ok()?;
            (params.reader_of(&file).as_deref() == reader.as_text()).then(|| (file, FileData::Values(Arc::new(values))))
        })
        .collect()
}

fn content_to(content: &Content) -> Vec<Value> {
    let algorithm = content.id.as_ref().map_or(Value::Null, |id| Value::Text(algorithm_name(id.algorithm()).into()));
    let digest = content.id.as_ref().map_or(Value::Null, |id| Value::Text(id.as_str().to_owned()));
    let number = |value: Option<u64>| value.and_then(|value| i64::try_from(value).ok()).map_or(Value::Null, Value::Int);
    vec![algorithm, digest, number(content.size), number(content.files)]
}

/// The content, and what stands behind it.
fn content_from(value: &Value) -> Option<(Content, &[Value])> {
    let Value::List(items) = value else { return None };
    let [algorithm, digest, size, files, rest @ ..] = items.as_slice() else { return None };
    let id = match algorithm {
        Value::Null => None,
        algorithm => Some(ObjectId::parse(algorithm_of(algorithm.as_text()?)?, digest.as_text()?).ok()?),
    };
    let number = |value: &Value| int(value).and_then(|value| u64::try_from(value).ok());
    Some((Content { id, size: number(size), files: number(files) }, rest))
}

const fn algorithm_name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Blake3 => "blake3",
        Algorithm::Md5 => "md5",
        Algorithm::Md5Dos2Unix => "md5-dos2unix",
    }
}

fn algorithm_of(name: &str) -> Option<Algorithm> {
    [Algorithm::Blake3, Algorithm::Md5, Algorithm::Md5Dos2Unix]
        .into_iter()
        .find(|algorithm| algorithm_name(*algorithm) == name)
}

const fn int(value: &Value) -> Option<i64> {
    if let Value::Int(value) = value { Some(*value) } else { None }
}

fn entries(value: Value) -> Option<impl Iterator<Item = (String, Value)>> {
    if let Value::Map(map) = value { Some(map.into_iter()) } else { None }
}
