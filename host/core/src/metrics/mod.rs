//! Parameters, metrics and contents of one revision as data, and their differences: what `exp show`, `exp diff`, `params diff`,
//! `metrics show` and `metrics diff` print. Reads only; no step of the walk.
//!
//! In reading order: [`RevisionFiles`] (where a revision's files are), [`RevisionReader`] (what they say), [`difference`].
//!
//! A file that cannot be used is an error of that file alone ([`FileData::Broken`]); the rest of the revision is shown.

mod difference;
mod files;
mod project;
mod read;

use std::sync::Arc;

use dewar_text::{Map, Value};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub use difference::{Change, Changes, Unchanged, difference};
pub use files::{CommitFiles, RevisionFiles, pipeline_finder};
pub use read::{ParamScope, ReadObject, RevisionReader};

use crate::digest::ObjectId;
use crate::params::files::ParamsError;
use crate::params::value::flatten;
use crate::path::RepoPath;
use crate::pipeline::PipelineError;

/// Files of parameters or metrics, in the order in which the pipeline names them.
pub type Files = IndexMap<RepoPath, FileData>;

/// What one file says.
#[derive(Debug, Clone)]
pub enum FileData {
    /// Its values.
    Values(Arc<Value>),
    /// Why it cannot be used.
    Broken(FileError),
}

impl FileData {
    /// The values, if it can be used.
    #[must_use]
    pub fn values(&self) -> Option<&Value> {
        if let Self::Values(values) = self { Some(values) } else { None }
    }

    /// All leaves with their dotted names, in order; a value that is no mapping is one leaf without a name. Empty mappings
    /// have none, as in DVC.
    #[must_use]
    pub fn leaves(&self) -> Vec<(String, &Value)> {
        match self.values() {
            None => Vec::new(),
            Some(values @ Value::Map(_)) => flatten(values)
                .into_iter()
                .filter(|(_, leaf)| leaf.as_map().is_none_or(|map| !map.is_empty()))
                .collect(),
            Some(leaf) => vec![(String::new(), leaf)],
        }
    }
}

/// The numbers in metrics files, by their dotted names; by those of the files, too, where another file has the name already.
/// `nan` and `inf` are numbers also as texts, since JSON has no other way to write them.
#[must_use]
pub fn numbers(files: &Files) -> Vec<(String, f64)> {
    let mut numbers: IndexMap<String, f64> = IndexMap::new();
    for (file, metrics) in files {
        for (name, value) in metrics.leaves() {
            let Some(number) = number(value) else { continue };
            let name = if name.is_empty() { file.to_string() } else { name };
            let name = if numbers.contains_key(&name) { format!("{file}:{name}") } else { name };
            numbers.insert(name, number);
        }
    }
    numbers.into_iter().collect()
}

#[expect(clippy::cast_precision_loss, reason = "metrics are compared, and no count of them is so large")]
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        Value::Bool(is) => Some(f64::from(u8::from(*is))),
        Value::Literal(text) => text.parse().ok(),
        // As Python's `str(float)` has it, and so DVCLive.
        Value::Text(text) => match text.as_str() {
            "nan" => Some(f64::NAN),
            "inf" => Some(f64::INFINITY),
            "-inf" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

/// Why a file of a revision cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FileError {
    /// The pipeline names it and it is not there.
    #[error("there is no `{0}`")]
    Missing(RepoPath),
    /// It is an output whose content the cache does not have.
    #[error("`{file}` is not in git and its content {id} is not in the cache; fetch it, or run the stage again")]
    NotCached {
        /// The file.
        file: RepoPath,
        /// The name of the content that is missing.
        id: ObjectId,
    },
    /// It is there and cannot be read.
    #[error(transparent)]
    Unreadable(Arc<PipelineError>),
    /// Its text is invalid, or its plugin failed.
    #[error("cannot read `{file}`: {source}")]
    Invalid {
        /// The file.
        file: RepoPath,
        /// Why.
        source: Arc<ParamsError>,
    },
}

impl FileError {
    /// One word for programs, as `type` in `--json`; the first is Python's, which programs written for DVC know.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Missing(_) => "FileNotFoundError",
            Self::NotCached { .. } => "FileMissingError",
            Self::Unreadable(_) => "OSError",
            Self::Invalid { source, .. } => match source.as_ref() {
                ParamsError::Source(_) => "FileCorruptedError",
                _ => "PluginError",
            },
        }
    }
}

/// What a revision holds.
#[derive(Debug, Clone, Default)]
pub struct RevisionData {
    /// The parameter files.
    pub params: Files,
    /// The metrics files.
    pub metrics: Files,
    /// What stages read, by path from the root, with `..` when it is outside the project.
    pub deps: IndexMap<String, Content>,
    /// What stages write and `.dvc` files track, but metrics and plots.
    pub outs: IndexMap<RepoPath, OutputContent>,
}

/// What a path's content was, as the lock remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Content {
    /// Its name; none when the stage never ran.
    pub id: Option<ObjectId>,
    /// Bytes, of all files of a directory together.
    pub size: Option<u64>,
    /// How many files a directory has.
    pub files: Option<u64>,
}

/// An output and what its content was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputContent {
    /// The content.
    pub content: Content,
    /// Whether the cache keeps it; else git does.
    pub cached: bool,
    /// Whether a `.dvc` file tracks it, so that no stage writes it.
    pub is_data: bool,
}

/// What DVC takes for metrics: numbers, booleans and strings, in mappings; lists, nulls, dates and empty mappings fall out.
fn metrics_of(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) => Some(value.clone()),
        // A whole number beyond 64 bits.
        Value::Literal(text) => {
            let digits = text.trim_start_matches(['-', '+']);
            (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| value.clone())
        }
        Value::Map(map) => {
            let kept: Map = map.iter().filter_map(|(key, value)| Some((key.clone(), metrics_of(value)?))).collect();
            (!kept.is_empty()).then_some(Value::Map(kept))
        }
        Value::Null | Value::List(_) => None,
    }
}

#[cfg(test)]
mod tests;
