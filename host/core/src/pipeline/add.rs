//! `stage add`: a stage written into `dvc.yaml` by edits that leave everything else as it is.

use dewar_text::{Change, Edit, Map, Step, Value, yaml};

use super::PipelineError;
use super::schema;
use super::stage::{Command, DEFAULT_PARAMS, OutputKind};
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
    /// It is replaced, but for its `meta` and what the new one says alike.
    Replace,
}

/// The keys that `stage add` writes, in DVC's order.
const KEYS: &[&str] =
    &["desc", "cmd", "wdir", "deps", "params", "outs", "metrics", "plots", "frozen", "always_changed"];

/// The text of a `dvc.yaml` with the stage in it; `source` is empty where there is no file yet.
///
/// # Errors
/// When the name cannot be a stage's, is taken, or the file cannot be edited safely.
pub fn with_stage(source: &Source, new: &NewStage, existing: Existing) -> Result<Vec<u8>, PipelineError> {
    let bad = |c: char| c.is_ascii_punctuation() && !matches!(c, '_' | '-');
    if new.name.is_empty() || new.name.contains(bad) {
        return Err(PipelineError::BadStageName(new.name.clone()));
    }
    let stage = new.to_map();
    let node = yaml::read(&source.text).map_err(|diagnostic| source.error(diagnostic))?;
    let top = schema::mapping(&node, "a pipeline").map_err(|diagnostic| source.error(diagnostic))?;
    let stages = schema::get(top, "stages").filter(|stages| !stages.is_null());
    let field = |key: &str| Step::Field(key.to_owned());
    let put = |path: Vec<Step>, value: Value| Edit { path, change: Change::Put(value) };
    let edits = match stages.map(|stages| stages.get(&new.name)) {
        None => {
            let stages: Map = [(new.name.clone(), Value::Map(stage))].into_iter().collect();
            vec![put(vec![field("stages")], Value::Map(stages))]
        }
        Some(None) => vec![put(vec![field("stages"), field(&new.name)], Value::Map(stage))],
        Some(Some(_)) if existing == Existing::Refuse => {
            return Err(PipelineError::StageExists { name: new.name.clone(), file: source.file.clone() });
        }
        Some(Some(old)) => {
            let path = |key: &str| vec![field("stages"), field(&new.name), field(key)];
            let mut edits = Vec::new();
            for key in KEYS {
                match (old.get(key).map(dewar_text::Node::to_value), stage.get(*key)) {
                    (Some(old), Some(new)) if old == *new => {}
                    (_, Some(new)) => edits.push(put(path(key), new.clone())),
                    (Some(_), None) => edits.push(Edit { path: path(key), change: Change::Remove }),
                    (None, None) => {}
                }
            }
            edits
        }
    };
    Ok(yaml::edit(&source.text, &edits).map_err(|diagnostic| source.error(diagnostic))?)
}

impl NewStage {
    fn to_map(&self) -> Map {
        let text = |text: &String| Value::Text(text.clone());
        let mut map = Map::new();
        if let Some(desc) = &self.desc {
            map.insert("desc".into(), text(desc));
        }
        map.insert("cmd".into(), self.command.to_value());
        if let Some(wdir) = &self.wdir {
            map.insert("wdir".into(), text(wdir));
        }
        let mut deps = self.deps.clone();
        deps.sort();
        deps.dedup();
        if !deps.is_empty() {
            map.insert("deps".into(), Value::List(deps.iter().map(text).collect()));
        }
        if !self.params.is_empty() {
            map.insert("params".into(), self.params_value());
        }
        for (key, kind) in [("outs", OutputKind::Plain), ("metrics", OutputKind::Metric), ("plots", OutputKind::Plot)] {
            let mut outs: Vec<&NewOutput> = self.outs.iter().filter(|out| out.kind == kind).collect();
            outs.sort_by(|a, b| a.path.cmp(&b.path));
            if !outs.is_empty() {
                map.insert(key.into(), Value::List(outs.into_iter().map(NewOutput::to_value).collect()));
            }
        }
        if self.always_changed {
            map.insert("always_changed".into(), Value::Bool(true));
        }
        map
    }

    /// Keys of the default file as they are, then `file: [keys]`; a whole file has no keys.
    fn params_value(&self) -> Value {
        let mut files: indexmap::IndexMap<&str, Vec<String>> = indexmap::IndexMap::new();
        for (file, keys) in &self.params {
            let known = files.entry(file.as_deref().unwrap_or(DEFAULT_PARAMS)).or_default();
            known.extend(keys.iter().filter(|key| !key.is_empty()).cloned());
        }
        let texts = |keys: Vec<String>| keys.into_iter().map(Value::Text).collect::<Vec<_>>();
        let mut items = match files.shift_remove(DEFAULT_PARAMS) {
            Some(keys) if keys.is_empty() => {
                vec![Value::Map([(DEFAULT_PARAMS.to_owned(), Value::Null)].into_iter().collect())]
            }
            Some(keys) => texts(keys),
            None => Vec::new(),
        };
        items.extend(files.into_iter().map(|(file, keys)| {
            let keys = if keys.is_empty() { Value::Null } else { Value::List(texts(keys)) };
            Value::Map([(file.to_owned(), keys)].into_iter().collect())
        }));
        Value::List(items)
    }
}

impl NewOutput {
    fn to_value(&self) -> Value {
        let mut flags = Map::new();
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
mod tests {
    use super::*;
    use crate::path::RepoPath;

    fn new(name: &str, cmd: &str) -> NewStage {
        NewStage {
            name: name.into(),
            command: Command::Text(cmd.into()),
            wdir: None,
            deps: Vec::new(),
            params: Vec::new(),
            outs: Vec::new(),
            always_changed: false,
            desc: None,
        }
    }

    fn add(text: &str, stage: &NewStage, existing: Existing) -> Result<String, PipelineError> {
        let source = Source::new(RepoPath::parse("dvc.yaml").unwrap(), text.as_bytes());
        with_stage(&source, stage, existing).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_first_stage_and_a_further_one() {
        let first = add("", &new("t", "echo hi"), Existing::Refuse).unwrap();
        assert_eq!(first, "stages:\n  t:\n    cmd: echo hi\n");
        let mut second = new("u", "true");
        second.deps = vec!["b".into(), "a".into()];
        second.params = vec![(None, vec!["lr".into()]), (Some("m.toml".into()), vec![])];
        second.outs = vec![NewOutput { path: "o".into(), kind: OutputKind::Plain, cached: false, persists: true }];
        let both = add(&first.replace("hi", "hi  # why"), &second, Existing::Refuse).unwrap();
        assert_eq!(
            both,
            "stages:\n  t:\n    cmd: echo hi  # why\n  u:\n    cmd: 'true'\n    deps:\n    - a\n    - b\n    params:\n    \
             - lr\n    - m.toml: null\n    outs:\n    - o:\n        cache: false\n        persist: true\n"
        );
    }

    #[test]
    fn a_replaced_stage_keeps_what_stays() {
        let text = "stages:\n  t:\n    cmd: old\n    deps:\n    # about a\n    - a\n    frozen: true\n    meta: {k: v}\n  u: {cmd: x} # u\n";
        let mut stage = new("t", "new");
        stage.deps = vec!["a".into()];
        assert!(matches!(add(text, &stage, Existing::Refuse), Err(PipelineError::StageExists { .. })));
        let replaced = add(text, &stage, Existing::Replace).unwrap();
        assert_eq!(replaced, text.replace("old", "new").replace("    frozen: true\n", ""));
    }

    #[test]
    fn names_are_words() {
        for bad in ["", "a.b", "a/b", "a@b", "a:b"] {
            assert!(matches!(add("", &new(bad, "x"), Existing::Refuse), Err(PipelineError::BadStageName(_))));
        }
    }
}
