//! `.dvc` files: one tracked output (`add`), sometimes with a dependency (an import), as a [`Stage`] that runs nothing.

use std::path::Path;

use dewar_text::{Diagnostic, Edit, Map, Node, NodeKind, Span, Step, Value, edit, yaml};

use super::lock::{LockEntry, LockedPath, Sizes};
use super::schema;
use super::stage::{Dependency, Output, OutputKind, Place, Stage, StageAddress};
use crate::path::RepoPath;
use crate::source::{Source, SourceError};

/// A `.dvc` file: the stage, and what it remembers.
#[derive(Debug, Clone)]
pub struct DataFile {
    /// Its text.
    pub source: Source,
    /// What it tracks.
    pub stage: Stage,
    /// What the content was.
    pub entry: LockEntry,
}

impl DataFile {
    /// Reads a `.dvc` file.
    ///
    /// # Errors
    /// When its text is invalid.
    pub fn parse(source: Source) -> Result<Self, Box<SourceError>> {
        let node = yaml::read(&source.text).map_err(|diagnostic| source.error(diagnostic))?;
        let (stage, entry) = read(&source.file, &node).map_err(|diagnostic| source.error(diagnostic))?;
        Ok(Self { source, stage, entry })
    }

    /// The text of the file with the content of its output changed; everything else as it was.
    ///
    /// # Errors
    /// When the file is laid out in a way that cannot be edited safely.
    pub fn with_content(&self, locked: &LockedPath) -> Result<Vec<u8>, Box<SourceError>> {
        let mut content = Map::new();
        locked.write_content(Sizes::With, &mut content);
        let at = |key: &str| vec![Step::Field("outs".into()), Step::Index(0), Step::Field(key.into())];
        let node = yaml::read(&self.source.text).map_err(|diagnostic| self.source.error(diagnostic))?;
        let item =
            node.get("outs").and_then(|outs| if let NodeKind::List(outs) = &outs.kind { outs.first() } else { None });
        let is_there = |key: &&&str| item.is_some_and(|item| item.get(key).is_some());
        let gone = CONTENT.iter().filter(is_there).filter(|key| !content.contains_key(**key));
        let mut edits: Vec<Edit> = gone.map(|key| Edit { path: at(key), change: edit::Change::Remove }).collect();
        edits.extend(
            content.iter().map(|(key, value)| Edit { path: at(key), change: edit::Change::Put(value.clone()) }),
        );
        yaml::edit(&self.source.text, &edits).map_err(|diagnostic| self.source.error(diagnostic))
    }
}

/// The text of a new `.dvc` file that tracks `file_name` beside it, in DVC's order of keys.
#[must_use]
pub fn new_text(file_name: &str, locked: &LockedPath) -> String {
    let mut item = Map::new();
    let mut content = Map::new();
    locked.write_content(Sizes::With, &mut content);
    // DVC's order in `.dvc` files: the digest, size, nfiles, isexec, hash, path.
    let hash = content.shift_remove("hash");
    item.extend(content);
    item.extend(hash.map(|hash| ("hash".to_owned(), hash)));
    item.insert("path".into(), Value::Text(file_name.to_owned()));
    let outs = Value::List(vec![Value::Map(item)]);
    yaml::write(&Value::Map([("outs".to_owned(), outs)].into_iter().collect()))
}

/// What in an output is about one content, wherever that is kept.
const CONTENT: &[&str] =
    &["hash", "md5", "blake3", "size", "nfiles", "isexec", "etag", "checksum", "version_id", "files", "cloud"];
/// What may stand at the top of a `.dvc` file (DVC 3.67's schema).
const TOP: &[&str] = &["outs", "deps", "wdir", "md5", "frozen", "always_changed", "desc", "meta", "cmd"];
/// What may stand in its output.
const OUTPUT: &[&str] = &[
    "path",
    "md5",
    "blake3",
    "hash",
    "size",
    "nfiles",
    "isexec",
    "etag",
    "checksum",
    "version_id",
    "files",
    "cloud",
    "cache",
    "persist",
    "remote",
    "push",
    "desc",
    "type",
    "labels",
    "meta",
];

fn read(file: &RepoPath, node: &Node) -> Result<(Stage, LockEntry), Diagnostic> {
    let top = schema::mapping(node, "a `.dvc` file")?;
    schema::only(top, TOP, "a `.dvc` file")?;
    if let Some(node) = schema::get(top, "cmd") {
        let error = Diagnostic::error("old-stage", "a `.dvc` file with a command is of DVC before 1.0").at(node.span);
        return Err(error.help("write the stage into `dvc.yaml`: `dewar stage add`"));
    }
    let beside = file.parent().unwrap_or_default();
    let outside = |span: Span, error: &dyn std::fmt::Display| Diagnostic::error("outside", error.to_string()).at(span);
    let folder = match schema::get(top, "wdir") {
        Some(node) => beside.join(schema::text(node, "`wdir`")?).map_err(|error| outside(node.span, &error))?,
        None => beside,
    };
    let mut entry = LockEntry::default();
    let mut outs = Vec::new();
    let outputs = items(top, "outs")?;
    if let Some(second) = outputs.get(1) {
        return Err(Diagnostic::error("several-outputs", "a `.dvc` file tracks one output").at(second.span));
    }
    for item in outputs {
        schema::only(schema::mapping(item, "an output")?, OUTPUT, "an output")?;
        let locked = LockedPath::read(item)?;
        let path = folder.join(&locked.path).map_err(|error| outside(item.span, &error))?;
        if path.is_root() {
            return Err(Diagnostic::error("root", "an output cannot be the whole project").at(item.span));
        }
        let flag = |key: &str, default: bool| match item.get(key) {
            Some(node) => schema::boolean(node, &format!("`{key}`")),
            None => Ok(default),
        };
        outs.push(Output {
            lock_path: locked.path.clone(),
            path,
            kind: OutputKind::Plain,
            cached: flag("cache", true)?,
            persists: flag("persist", false)?,
            checkpoint: false,
            pushed: flag("push", true)?,
            remote: item.get("remote").map(|node| schema::text(node, "`remote`")).transpose()?.map(str::to_owned),
        });
        entry.outs.push(LockedPath { other: Map::new(), ..locked });
    }
    let mut deps = Vec::new();
    for item in items(top, "deps")? {
        let locked = LockedPath::read(item)?;
        // An import's source is another repository or a URL; only a plain path is looked at.
        let place = if locked.other.contains_key("repo")
            || locked.path.contains("://")
            || Path::new(&locked.path).is_absolute()
        {
            Place::Elsewhere(locked.path.clone())
        } else {
            folder.join(&locked.path).map_or_else(|_| Place::Elsewhere(locked.path.clone()), Place::Inside)
        };
        deps.push(Dependency { path: locked.path.clone(), place });
        entry.deps.push(locked);
    }
    let frozen = match schema::get(top, "frozen") {
        Some(node) => schema::boolean(node, "`frozen`")?,
        None => false,
    };
    let stage = Stage {
        address: StageAddress { file: file.clone(), name: None },
        span: Span::default(),
        command: None,
        folder,
        deps,
        params: Vec::new(),
        outs,
        frozen,
        always_changed: false,
        needs: Vec::new(),
        checkpoint: None,
        desc: None,
        meta: schema::get(top, "meta").map(Node::to_value).unwrap_or_default(),
    };
    Ok((stage, entry))
}

fn items<'a>(top: &'a [dewar_text::Entry], key: &str) -> Result<&'a [Node], Diagnostic> {
    match schema::get(top, key) {
        Some(node) => schema::list(node, &format!("`{key}`")),
        None => Ok(&[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Algorithm, Hasher, ObjectId};

    const A: &str = "9dd4e461268c8034f5c8564e155c67a6";
    const B: &str = "6137cde4893c59f76f005a8123d8e8e6";

    fn versioned() -> DataFile {
        let text = format!(
            "outs:\n- hash: md5\n  path: d # data\n  files:\n  - relpath: b/x\n    md5: {B}\n    cloud: {{s3: {{etag: e}}}}\n  \
             - relpath: a\n    md5: {A}\n    size: 1\n"
        );
        DataFile::parse(Source::new(RepoPath::parse("d.dvc").unwrap(), text.into_bytes())).unwrap()
    }

    #[test]
    fn a_list_of_files_names_the_directory() {
        let listing = format!(r#"[{{"md5": "{A}", "relpath": "a"}}, {{"md5": "{B}", "relpath": "b/x"}}]"#);
        let id = Hasher::digest(Algorithm::Md5, listing.as_bytes()).into_directory();
        assert_eq!(versioned().entry.outs[0].id, Some(id));
    }

    #[test]
    fn of_another_content_nothing_old_is_said() {
        let id = Some(ObjectId::parse(Algorithm::Md5, A).unwrap());
        let now = LockedPath { path: "d".into(), id, size: Some(3), ..LockedPath::default() };
        let text = String::from_utf8(versioned().with_content(&now).unwrap()).unwrap();
        assert_eq!(text, format!("outs:\n- hash: md5\n  path: d # data\n  md5: {A}\n  size: 3\n"));
    }
}
