//! `stage add`: a stage written into `dvc.yaml` by edits that leave everything else as it is.

use std::collections::BTreeSet;

use dewar_text::{Change, Edit, Entry, Map, Node, NodeKind, Step, Value, yaml};

use super::PipelineError;
use super::schema;
use super::stage::{Command, DEFAULT_PARAMS, OutputKind};
use crate::path::RepoPath;
use crate::source::Source;

/// A stage to be written. Paths are as typed, relative to the stage's folder.
#[derive(Debug, Clone, PartialEq)]
pub struct NewStage {
    /// Its name.
    pub name: String,
    /// What it runs.
    pub command: Command,
    /// The folder it runs in, if not that of the file.
    pub wdir: Option<String>,
    /// What it reads.
    pub deps: Vec<String>,
    /// The parameters it reads: a file (none is the default one) and keys (none is all of it).
    pub params: Vec<(Option<String>, Vec<String>)>,
    /// What it writes.
    pub outs: Vec<NewOutput>,
    /// Whether it runs every time.
    pub always_changed: bool,
    /// What the user says of it.
    pub desc: Option<String>,
}

/// An output to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOutput {
    /// Its path.
    pub path: String,
    /// What it is for.
    pub kind: OutputKind,
    /// Whether the cache keeps it.
    pub cached: bool,
    /// Whether it stays when the stage runs again.
    pub persists: bool,
}

/// What happens to a stage of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and adding is an error.
    Refuse,
    /// It is replaced, but for its `meta` and `desc`, flags of outputs that it still has, and what it says already.
    Replace,
}

/// Where outputs stand, by what they are for.
const KINDS: [(&str, OutputKind); 3] =
    [("outs", OutputKind::Plain), ("metrics", OutputKind::Metric), ("plots", OutputKind::Plot)];
/// What a stage that is replaced keeps when the new one does not say otherwise (DVC's rule).
const KEPT: &[&str] = &["desc", "meta"];
/// What an output of either keeps (DVC's rule); one of the same kind keeps all but how it is cached.
const KEPT_OF_OUTPUT: &[&str] = &["desc", "type", "labels", "meta", "remote", "push"];

/// The text of a `dvc.yaml` with the stage in it; `source` is empty where there is no file yet.
///
/// # Errors
/// When the name cannot be a stage's, is taken, a path is given twice, or the file cannot be edited safely.
pub fn with_stage(source: &Source, new: &NewStage, existing: Existing) -> Result<Vec<u8>, PipelineError> {
    new.check()?;
    let node = yaml::read(&source.text).map_err(|diagnostic| source.error(diagnostic))?;
    let top = schema::mapping(&node, "a pipeline").map_err(|diagnostic| source.error(diagnostic))?;
    let stages = match schema::get(top, "stages") {
        Some(node) => schema::mapping(node, "`stages`").map_err(|diagnostic| source.error(diagnostic))?,
        None => &[],
    };
    let field = |key: &str| Step::Field(key.to_owned());
    let put = |path: Vec<Step>, value: Value| Edit { path, change: Change::Put(value) };
    let path = vec![field("stages"), field(&new.name)];
    let edits = match schema::get(stages, &new.name) {
        // Also in place of `stages: {}`, which would stay in its brackets.
        None if stages.is_empty() => {
            let stages: Map = [(new.name.clone(), Value::Map(new.to_map(None)))].into_iter().collect();
            vec![put(vec![field("stages")], Value::Map(stages))]
        }
        None => vec![put(path, Value::Map(new.to_map(None)))],
        Some(_) if existing == Existing::Refuse => {
            return Err(PipelineError::StageExists { name: new.name.clone(), file: source.file.clone() });
        }
        Some(old) => match &old.kind {
            NodeKind::Map(keys) => replacing(keys, &new.to_map(Some(old)), &path),
            _ => vec![put(path, Value::Map(new.to_map(None)))],
        },
    };
    Ok(yaml::edit(&source.text, &edits).map_err(|diagnostic| source.error(diagnostic))?)
}

/// The edits that make the stage at `path`, with the keys `old`, say what `new` says. What it says already stays untouched.
fn replacing(old: &[Entry], new: &Map, path: &[Step]) -> Vec<Edit> {
    let at = |key: &str| [path, &[Step::Field(key.to_owned())]].concat();
    let differs = |key: &str, value: &Value| schema::get(old, key).is_none_or(|old| old.to_value() != *value);
    let put = new.iter().filter(|(key, value)| differs(key, value));
    let gone = old.iter().filter(|old| !new.contains_key(&old.key) && !KEPT.contains(&old.key.as_str()));
    // A mapping is never without a key on the way.
    put.map(|(key, value)| Edit { path: at(key), change: Change::Put(value.clone()) })
        .chain(gone.map(|old| Edit { path: at(&old.key), change: Change::Remove }))
        .collect()
}

impl NewStage {
    fn check(&self) -> Result<(), PipelineError> {
        let bad = |c: char| c.is_control() || (c.is_ascii_punctuation() && !matches!(c, '_' | '-'));
        if self.name.is_empty() || self.name.contains(bad) {
            return Err(PipelineError::BadStageName(self.name.clone()));
        }
        let mut seen = BTreeSet::new();
        let paths = self.deps.iter().chain(self.outs.iter().map(|out| &out.path));
        // Two ways to write one path are found, too; what leaves the project is compared as it is written.
        let twice = paths.into_iter().find(|text| {
            let path = RepoPath::parse(text).map_or_else(|_| (*text).clone(), |path| path.as_str().to_owned());
            !seen.insert(path)
        });
        twice.map_or(Ok(()), |path| Err(PipelineError::GivenTwice(path.clone())))
    }

    /// As `dvc.yaml` has it, in DVC's order of keys; `old` is the stage that it takes the place of.
    fn to_map(&self, old: Option<&Node>) -> Map {
        let text = |text: &String| Value::Text(text.clone());
        let mut map = Map::new();
        if let Some(desc) = &self.desc {
            map.insert("desc".into(), text(desc));
        }
        map.insert("cmd".into(), self.command.to_value());
        if let Some(wdir) = &self.wdir {
            map.insert("wdir".into(), text(wdir));
        }
        let mut deps: Vec<&String> = self.deps.iter().collect();
        deps.sort();
        if !deps.is_empty() {
            map.insert("deps".into(), Value::List(deps.into_iter().map(text).collect()));
        }
        if !self.params.is_empty() {
            map.insert("params".into(), self.params_value());
        }
        for (key, kind) in KINDS {
            let mut outs: Vec<&NewOutput> = self.outs.iter().filter(|out| out.kind == kind).collect();
            outs.sort_by(|a, b| a.path.cmp(&b.path));
            if !outs.is_empty() {
                map.insert(key.into(), Value::List(outs.into_iter().map(|out| out.to_value(old)).collect()));
            }
        }
        if self.always_changed {
            map.insert("always_changed".into(), Value::Bool(true));
        }
        map
    }

    /// Keys of the default file as they are, then `file: [keys]`; a whole file has no keys. Sorted (DVC's rule).
    fn params_value(&self) -> Value {
        let mut files: indexmap::IndexMap<&str, Vec<String>> = indexmap::IndexMap::new();
        for (file, keys) in &self.params {
            let known = files.entry(file.as_deref().unwrap_or(DEFAULT_PARAMS)).or_default();
            known.extend(keys.iter().filter(|key| !key.is_empty()).cloned());
        }
        files.sort_keys();
        let keys_of = |mut keys: Vec<String>| {
            keys.sort();
            keys.dedup();
            keys.into_iter().map(Value::Text).collect::<Vec<_>>()
        };
        let mut items = Vec::new();
        for (file, keys) in files {
            match keys_of(keys) {
                keys if file == DEFAULT_PARAMS && !keys.is_empty() => {
                    items.splice(0..0, keys);
                }
                keys => {
                    let keys = if keys.is_empty() { Value::Null } else { Value::List(keys) };
                    items.push(Value::Map([(file.to_owned(), keys)].into_iter().collect()));
                }
            }
        }
        Value::List(items)
    }
}

impl NewOutput {
    /// Its path, with flags if it has any: its own and those that it keeps from the stage `old`.
    fn to_value(&self, old: Option<&Node>) -> Value {
        let mut flags = Map::new();
        for (key, kind) in KINDS {
            let items = match old.and_then(|old| old.get(key)).map(|outs| &outs.kind) {
                Some(NodeKind::List(items)) => items.as_slice(),
                _ => &[],
            };
            let Some(NodeKind::Map(old)) = items.iter().find_map(|item| Some(&item.get(&self.path)?.kind)) else {
                continue;
            };
            let is_kept = |key: &str| match kind == self.kind {
                true => !matches!(key, "cache" | "persist" | "checkpoint"),
                false => KEPT_OF_OUTPUT.contains(&key),
            };
            let kept = old.iter().filter(|flag| is_kept(&flag.key));
            flags.extend(kept.map(|flag| (flag.key.clone(), flag.value.to_value())));
        }
        if !self.cached {
            flags.insert("cache".into(), Value::Bool(false));
        }
        if self.persists {
            flags.insert("persist".into(), Value::Bool(true));
        }
        if flags.is_empty() {
            return Value::Text(self.path.clone());
        }
        Value::Map([(self.path.clone(), Value::Map(flags))].into_iter().collect())
    }
}

#[cfg(test)]
mod tests;
