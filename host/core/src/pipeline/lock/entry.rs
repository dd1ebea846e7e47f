//! [`LockEntry`]: what is remembered of a stage.

use dewar_text::{Diagnostic, Entry, Map, Node, Value};
use serde::{Deserialize, Serialize};

use crate::cache::Tree;
use crate::codec;
use crate::digest::{Algorithm, ObjectId};
use crate::pipeline::schema;
use crate::pipeline::stage::Command;

/// What is remembered of a stage: with what it last ran, and what came out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LockEntry {
    /// What ran.
    pub command: Option<Command>,
    /// Its dependencies, sorted by path.
    pub deps: Vec<LockedPath>,
    /// Its parameters: a file, and dotted keys to values; a whole file's top-level keys.
    #[serde(with = "codec::maps")]
    pub params: indexmap::IndexMap<String, Map>,
    /// Its outputs of all kinds, sorted by path.
    pub outs: Vec<LockedPath>,
}

/// A path and what its content was.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LockedPath {
    /// Relative to the stage's folder.
    pub path: String,
    /// The name of the content; none for what dewar does not hash (a URL's etag stands in `other`).
    pub id: Option<ObjectId>,
    /// Bytes, of all files of a directory together.
    pub size: Option<u64>,
    /// How many files a directory has.
    pub files: Option<u64>,
    /// Whether the file is executable.
    pub executable: bool,
    /// Other keys, kept as they were.
    #[serde(with = "codec::map")]
    pub other: Map,
}

impl LockedPath {
    /// Reads an item of `deps` or `outs`.
    pub(in crate::pipeline) fn read(node: &Node) -> Result<Self, Diagnostic> {
        let entries = schema::mapping(node, "an entry")?;
        let mut read = Self::default();
        let hash = match schema::get(entries, "hash") {
            Some(node) => Some(schema::text(node, "`hash`")?),
            None => None,
        };
        if schema::get(entries, "path").is_none() {
            return Err(Diagnostic::error("no-path", "an entry must say its `path`").at(node.span));
        }
        for entry in entries {
            match entry.key.as_str() {
                "path" => schema::text(&entry.value, "`path`")?.clone_into(&mut read.path),
                "size" => read.size = Some(count(entry)?),
                "nfiles" => read.files = Some(count(entry)?),
                "isexec" => read.executable = schema::boolean(&entry.value, "`isexec`")?,
                "md5" => {
                    // No `hash` is how DVC 2 wrote it.
                    let algorithm = if hash == Some("md5") { Algorithm::Md5 } else { Algorithm::Md5Dos2Unix };
                    read.id = Some(digest(entry, algorithm)?);
                }
                "blake3" => read.id = Some(digest(entry, Algorithm::Blake3)?),
                "hash" if matches!(hash, Some("md5" | "blake3")) => {}
                other => {
                    read.other.insert(other.to_owned(), entry.value.to_value());
                }
            }
        }
        if read.id.is_none()
            && let Some(files) = schema::get(entries, "files")
        {
            let algorithm = if hash == Some("md5") { Algorithm::Md5 } else { Algorithm::Md5Dos2Unix };
            read.id = listing(files, algorithm)?;
        }
        Ok(read)
    }

    /// The keys that name the content, in DVC's order: `hash`, the digest, `size`, `nfiles`, `isexec`.
    pub(crate) fn write_content(&self, sizes: Sizes, map: &mut Map) {
        if let Some(id) = self.id.as_ref().filter(|id| id.algorithm() != Algorithm::Md5Dos2Unix) {
            map.insert("hash".into(), Value::Text(id.algorithm().key().into()));
        }
        // A list of files says it, too.
        if let Some(id) = self.id.as_ref().filter(|_| !self.other.contains_key("files")) {
            map.insert(id.algorithm().key().into(), Value::Text(id.as_str().into()));
        }
        let number = |value: u64| Value::Int(i64::try_from(value).unwrap_or(i64::MAX));
        if sizes == Sizes::With {
            if let Some(size) = self.size {
                map.insert("size".into(), number(size));
            }
            if let Some(files) = self.files {
                map.insert("nfiles".into(), number(files));
            }
        }
        if self.executable {
            map.insert("isexec".into(), Value::Bool(true));
        }
        map.extend(self.other.clone());
    }

    fn to_value(&self, sizes: Sizes) -> Value {
        let mut map = Map::new();
        map.insert("path".into(), Value::Text(self.path.clone()));
        self.write_content(sizes, &mut map);
        Value::Map(map)
    }
}

/// Whether sizes and numbers of files are written: the lock has them, the key of the run cache must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sizes {
    /// As in the lock.
    With,
    /// As in the run cache.
    Without,
}

fn count(entry: &Entry) -> Result<u64, Diagnostic> {
    match entry.value.to_value() {
        Value::Int(value) if value >= 0 => Ok(value.unsigned_abs()),
        _ => Err(schema::wrong_type(&entry.value, &format!("`{}`", entry.key), "a number that is not negative")),
    }
}

fn digest(entry: &Entry, algorithm: Algorithm) -> Result<ObjectId, Diagnostic> {
    let text = schema::text(&entry.value, &format!("`{}`", entry.key))?;
    ObjectId::parse(algorithm, text)
        .map_err(|error| Diagnostic::error("bad-digest", error.to_string()).at(entry.value.span))
}

/// The name of a directory whose files stand in the file itself, as DVC writes it for remotes that keep versions; none when
/// they are not named by their contents.
fn listing(node: &Node, algorithm: Algorithm) -> Result<Option<ObjectId>, Diagnostic> {
    let mut files = Vec::new();
    for item in schema::list(node, "`files`")? {
        let entries = schema::mapping(item, "a file of a directory")?;
        let md5 = entries.iter().find(|entry| entry.key == "md5");
        let (Some(path), Some(md5)) = (schema::get(entries, "relpath"), md5) else { return Ok(None) };
        files.push((schema::text(path, "`relpath`")?.to_owned(), digest(md5, algorithm)?));
    }
    let tree = Tree::new(algorithm, files)
        .map_err(|error| Diagnostic::error("bad-listing", error.to_string()).at(node.span))?;
    Ok(Some(tree.id(&tree.to_bytes())))
}

impl LockEntry {
    /// The entry as the lock and the run cache write it.
    #[must_use]
    pub fn to_value(&self, sizes: Sizes) -> Value {
        let list = |paths: &[LockedPath]| Value::List(paths.iter().map(|path| path.to_value(sizes)).collect());
        let mut map = Map::new();
        if let Some(command) = &self.command {
            map.insert("cmd".into(), command.to_value());
        }
        if !self.deps.is_empty() {
            map.insert("deps".into(), list(&self.deps));
        }
        if !self.params.is_empty() {
            let params = self.params.iter().map(|(file, values)| (file.clone(), Value::Map(values.clone())));
            map.insert("params".into(), Value::Map(params.collect()));
        }
        if !self.outs.is_empty() {
            map.insert("outs".into(), list(&self.outs));
        }
        Value::Map(map)
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// At the place that does not fit.
    pub fn from_node(node: &Node) -> Result<Self, Diagnostic> {
        let entries = schema::mapping(node, "an entry of the lock")?;
        let paths = |key: &str| match schema::get(entries, key) {
            Some(node) => schema::list(node, &format!("`{key}`"))?.iter().map(LockedPath::read).collect(),
            None => Ok(Vec::new()),
        };
        let mut read = Self { deps: paths("deps")?, outs: paths("outs")?, ..Self::default() };
        if let Some(node) = schema::get(entries, "cmd") {
            let invalid = || schema::wrong_type(node, "`cmd`", "a string or a list of strings");
            read.command = Some(Command::from_value(&node.to_value()).ok_or_else(invalid)?);
        }
        if let Some(node) = schema::get(entries, "params") {
            for file in schema::mapping(node, "`params`")? {
                let values = schema::mapping(&file.value, "the parameters of a file")?;
                let values = values.iter().map(|entry| (entry.key.clone(), entry.value.to_value())).collect();
                read.params.insert(file.key.clone(), values);
            }
        }
        Ok(read)
    }

    /// What is remembered of the dependency that the lock names `path`.
    #[must_use]
    pub fn dep(&self, path: &str) -> Option<&LockedPath> {
        named(&self.deps, path)
    }

    /// What is remembered of the output that the lock names `path`.
    #[must_use]
    pub fn out(&self, path: &str) -> Option<&LockedPath> {
        named(&self.outs, path)
    }
}

/// The item of this path, however each of them is written: `data`, `./data` and `data/` are one.
fn named<'a>(items: &'a [LockedPath], path: &str) -> Option<&'a LockedPath> {
    let cleaned = |text: &str| {
        let is_absolute = text.starts_with('/');
        let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        (is_absolute, parts.join("/"))
    };
    items.iter().find(|item| item.path == path).or_else(|| {
        let wanted = cleaned(path);
        items.iter().find(|item| cleaned(&item.path) == wanted)
    })
}
