//! [`LockFile`]: `dvc.lock`, schema 2.0, changed in place: entries that are not set stay byte for byte as they were.
//!
//! Layout and order are DVC's (3.67): stages in order of first execution; in an entry `cmd`, `deps` and `outs` sorted by
//! path, `params` with the default file first. Stages leave the file only when they are removed.

use dewar_text::{Diagnostic, Entry, Map, Node, Span, Value, yaml};

use super::schema;
use super::stage::{Command, LOCK_FILE};
use crate::digest::{Algorithm, ObjectId};
use crate::path::RepoPath;
use crate::source::{Source, SourceError};

/// The schema that is read and written.
const SCHEMA: &str = "2.0";
/// The line before the stages.
const STAGES: &str = "stages:\n";

/// What is remembered of a stage: with what it last ran, and what came out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LockEntry {
    /// What ran.
    pub command: Option<Command>,
    /// Its dependencies, sorted by path.
    pub deps: Vec<LockedPath>,
    /// Its parameters: a file, and dotted keys to values; a whole file's top-level keys.
    pub params: indexmap::IndexMap<String, Map>,
    /// Its outputs of all kinds, sorted by path.
    pub outs: Vec<LockedPath>,
}

/// A path and what its content was.
#[derive(Debug, Clone, PartialEq, Default)]
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
    pub other: Map,
}

impl LockedPath {
    /// Reads an item of `deps` or `outs`.
    pub(super) fn read(node: &Node) -> Result<Self, Diagnostic> {
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
        Ok(read)
    }

    /// The keys that name the content, in DVC's order: `hash`, the digest, `size`, `nfiles`, `isexec`.
    pub(crate) fn write_content(&self, sizes: Sizes, map: &mut Map) {
        if let Some(id) = &self.id {
            if id.algorithm() != Algorithm::Md5Dos2Unix {
                map.insert("hash".into(), Value::Text(id.algorithm().key().into()));
            }
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

/// A `dvc.lock`.
#[derive(Debug, Clone)]
pub struct LockFile {
    file: RepoPath,
    /// Whether it was there when it was read.
    existed: bool,
    /// Text before the first stage, ending in `stages:`.
    head: String,
    /// The stages in order: name, entry, text.
    stages: indexmap::IndexMap<String, (LockEntry, String)>,
    /// Text after the last stage.
    tail: String,
    /// How its lines end.
    line_end: &'static str,
}

impl LockFile {
    /// The lock beside a `dvc.yaml`.
    #[must_use]
    pub fn path_for(pipeline: &RepoPath) -> RepoPath {
        let folder = pipeline.parent().unwrap_or_default();
        folder.join(LOCK_FILE).unwrap_or_default()
    }

    /// A lock that does not exist yet.
    #[must_use]
    pub fn new(file: RepoPath) -> Self {
        let head = format!("schema: '{SCHEMA}'\n{STAGES}");
        let stages = indexmap::IndexMap::new();
        Self { file, existed: false, head, stages, tail: String::new(), line_end: "\n" }
    }

    /// Reads a lock.
    ///
    /// # Errors
    /// When its text is invalid, or of another schema.
    pub fn parse(source: &Source) -> Result<Self, Box<SourceError>> {
        let node = yaml::read(&source.text).map_err(|diagnostic| source.error(with_merge_help(source, diagnostic)))?;
        Self::from_node(source, &node).map_err(|diagnostic| source.error(diagnostic))
    }

    fn from_node(source: &Source, node: &Node) -> Result<Self, Diagnostic> {
        let top = schema::mapping(node, "a lock file")?;
        schema::only(top, &["schema", "stages", "datasets"], "a lock file")?;
        let mut lock = Self { existed: true, ..Self::new(source.file.clone()) };
        let version = schema::get(top, "schema").map(Node::to_value);
        match version {
            None if top.is_empty() => {}
            Some(Value::Text(version)) if version == SCHEMA => {}
            _ => {
                let span = schema::get(top, "schema").map_or(Span::default(), |node| node.span);
                let message = format!("the lock must say `schema: '{SCHEMA}'`");
                return Err(Diagnostic::error("lock-schema", message).at(span));
            }
        }
        let stages = match schema::get(top, "stages") {
            Some(node) => schema::mapping(node, "`stages`")?,
            None => &[],
        };
        for entry in stages {
            lock.stages.insert(entry.key.clone(), (LockEntry::from_node(&entry.value)?, String::new()));
        }
        if !lock.take_text(source, top, stages) {
            lock.write_anew(top);
        }
        Ok(lock)
    }

    /// Cuts the text into head, stages and tail; false when it is not laid out as DVC and dewar write it.
    fn take_text(&mut self, source: &Source, top: &[Entry], stages: &[Entry]) -> bool {
        let Ok(text) = std::str::from_utf8(&source.text) else { return false };
        let Some(last) = stages.last() else { return false };
        let line_start =
            |at: usize| text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
        // The keys behind the stages begin the tail.
        let end = top
            .iter()
            .map(|entry| entry.key_span.start)
            .filter(|start| *start > last.key_span.start)
            .min()
            .map_or(text.len(), line_start);
        let starts: Vec<usize> = stages.iter().map(|entry| line_start(entry.key_span.start)).collect();
        let indented = stages.iter().zip(&starts).all(|(entry, start)| entry.key_span.start == start + 2);
        let ends = starts.iter().skip(1).copied().chain([end]);
        let Some(head) = starts.first().and_then(|first| text.get(..*first)) else { return false };
        // An anchor may be used by another stage than the one it stands in.
        let has_anchors = [": &", "- &", ": *", "- *"].iter().any(|anchor| text.contains(anchor));
        let Some(line_end) = line_end(text) else { return false };
        if !indented || !head.ends_with(&STAGES.replace('\n', line_end)) || has_anchors {
            return false;
        }
        for ((entry, start), end) in stages.iter().zip(&starts).zip(ends) {
            let (Some((_, kept)), Some(piece)) = (self.stages.get_mut(&entry.key), text.get(*start..end)) else {
                return false;
            };
            piece.clone_into(kept);
        }
        self.line_end = line_end;
        head.clone_into(&mut self.head);
        text.get(end..).unwrap_or_default().clone_into(&mut self.tail);
        true
    }

    /// Lays the whole lock out afresh.
    fn write_anew(&mut self, top: &[Entry]) {
        for (name, (entry, text)) in &mut self.stages {
            *text = stage_text(name, entry);
        }
        if let Some(datasets) = schema::get(top, "datasets") {
            self.tail = yaml::write(&Value::Map([("datasets".to_owned(), datasets.to_value())].into_iter().collect()));
        }
    }

    /// Which file it is.
    #[must_use]
    pub const fn file(&self) -> &RepoPath {
        &self.file
    }

    /// Whether it was there when it was read.
    #[must_use]
    pub const fn existed(&self) -> bool {
        self.existed
    }

    /// The entry of a stage.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&LockEntry> {
        self.stages.get(name).map(|(entry, _)| entry)
    }

    /// All entries, in order.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &LockEntry)> {
        self.stages.iter().map(|(name, (entry, _))| (name.as_str(), entry))
    }

    /// Sets the entry of a stage, in place or at the end; whether that changed anything.
    pub fn set(&mut self, name: &str, entry: LockEntry) -> bool {
        if self.get(name) == Some(&entry) {
            return false;
        }
        let mut text = stage_text(name, &entry).replace('\n', self.line_end);
        match self.stages.get(name) {
            Some((_, old)) => text.push_str(behind(old)),
            None => self.end_last_line(),
        }
        self.stages.insert(name.to_owned(), (entry, text));
        true
    }

    /// Something is to stand behind the last line. A newline put at its end could belong to a block of text in it.
    fn end_last_line(&mut self) {
        if let Some((name, (entry, last))) = self.stages.last_mut()
            && !last.ends_with('\n')
        {
            *last = stage_text(name, entry).replace('\n', self.line_end);
        }
    }

    /// Takes the entries of stages away whose names are `gone`; whether there were any.
    pub fn remove(&mut self, gone: impl Fn(&str) -> bool) -> bool {
        let before = self.stages.len();
        self.stages.retain(|name, _| !gone(name));
        self.stages.len() != before
    }

    /// Whether it holds nothing that is worth a file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty() && self.tail.trim().is_empty()
    }

    /// Says that it has been written.
    pub(crate) fn now_exists(&mut self) {
        self.existed = true;
    }

    /// How long the text of the whole file is, in bytes.
    #[must_use]
    pub fn text_len(&self) -> usize {
        self.head().len() + self.stages.values().map(|(_, text)| text.len()).sum::<usize>() + self.tail.len()
    }

    /// Without stages there is no `stages:`, which would be no mapping.
    fn head(&self) -> &str {
        if self.stages.is_empty() { self.head.strip_suffix(STAGES).unwrap_or(&self.head) } else { &self.head }
    }

    /// The text of the whole file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = String::with_capacity(self.text_len());
        out.push_str(self.head());
        self.stages.values().for_each(|(_, text)| out.push_str(text));
        out.push_str(&self.tail);
        out
    }
}

/// How all lines of a text end; none when they end in different ways.
fn line_end(text: &str) -> Option<&'static str> {
    let (returns, both, newlines) =
        (text.matches('\r').count(), text.matches("\r\n").count(), text.matches('\n').count());
    match returns {
        0 => Some("\n"),
        _ if returns == both && both == newlines => Some("\r\n"),
        _ => None,
    }
}

/// The comments and empty lines that stand behind a stage and no deeper than it: they are about what follows.
fn behind(stage: &str) -> &str {
    let is_apart = |line: &&str| {
        let depth = line.len() - line.trim_start_matches(' ').len();
        line.trim().is_empty() || (depth <= 2 && line.trim_start().starts_with('#'))
    };
    let length: usize = stage.split_inclusive('\n').rev().take_while(is_apart).map(str::len).sum();
    stage.split_at_checked(stage.len() - length).map_or("", |(_, behind)| behind)
}

/// The text of one stage, indented as it stands below `stages:` (the width of lines counts from the margin).
fn stage_text(name: &str, entry: &LockEntry) -> String {
    let stage: Map = [(name.to_owned(), entry.to_value(Sizes::With))].into_iter().collect();
    let text = yaml::write(&Value::Map([("stages".to_owned(), Value::Map(stage))].into_iter().collect()));
    text.strip_prefix(STAGES).unwrap_or(&text).to_owned()
}

fn with_merge_help(source: &Source, diagnostic: Diagnostic) -> Diagnostic {
    let conflicted = source.text.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"<<<<<<< "));
    if conflicted {
        return diagnostic.help("the file has conflict marks of a merge: take one side of it, and run `dewar repro`");
    }
    diagnostic
}

#[cfg(test)]
mod tests;
