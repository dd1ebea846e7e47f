//! [`LockFile`]: `dvc.lock`, schema 2.0, changed in place: entries that are not set stay byte for byte as they were.
//!
//! Layout and order are DVC's (3.67): stages in order of first execution; in an entry `cmd`, `deps` and `outs` sorted by
//! path, `params` with the default file first. Stages leave the file only when they are removed.

mod entry;
mod form;

use dewar_text::{Diagnostic, Entry, Map, Node, Span, Value, yaml};

use super::schema;
use super::stage::LOCK_FILE;
use crate::path::RepoPath;
use crate::source::{Source, SourceError};

pub use entry::{LockEntry, LockedPath, Sizes};
pub(super) use form::LockForm;

/// The schema that is read and written.
const SCHEMA: &str = "2.0";
/// The line before the stages.
const STAGES: &str = "stages:\n";

/// A `dvc.lock`.
#[derive(Debug, Clone, PartialEq)]
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
        let has_anchors = text.lines().any(may_have_anchor);
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

    /// One whose text is this; an empty one where there is none.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn of(file: RepoPath, text: Option<Vec<u8>>) -> Result<Self, Box<SourceError>> {
        match text {
            Some(text) => Self::parse(&Source::new(file, text)),
            None => Ok(Self::new(file)),
        }
    }

    /// All entries, in order.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &LockEntry)> {
        self.stages.iter().map(|(name, (entry, _))| (name.as_str(), entry))
    }

    /// Sets the entry of a stage; whether that changed anything. A new one comes before the first of the stages `later`
    /// that is there, else at the end.
    pub fn set<'n>(&mut self, name: &str, entry: LockEntry, later: impl IntoIterator<Item = &'n str>) -> bool {
        if self.get(name) == Some(&entry) {
            return false;
        }
        let mut text = stage_text(name, &entry).replace('\n', self.line_end);
        let mut before = None;
        match self.stages.get(name) {
            Some((_, old)) => text.push_str(behind(old)),
            None => {
                before = later.into_iter().find_map(|later| self.stages.get_index_of(later));
                self.end_last_line();
            }
        }
        if let Some(at) = before {
            self.stages.shift_insert(at, name.to_owned(), (entry, text));
        } else {
            self.stages.insert(name.to_owned(), (entry, text));
        }
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
        let above = self.head.trim_end().strip_suffix(STAGES.trim_end());
        above.filter(|_| self.stages.is_empty()).unwrap_or(&self.head)
    }

    /// Whether the text is longer than `limit` bytes. No more of it is looked at than tells.
    #[must_use]
    pub fn is_longer_than(&self, limit: usize) -> bool {
        let mut length = self.head.len() + self.tail.len();
        length > limit
            || self.stages.values().any(|(_, text)| {
                length += text.len();
                length > limit
            })
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

/// Whether an anchor or an alias may stand in the line. What stands in a quoted key is none.
fn may_have_anchor(line: &str) -> bool {
    let begin = line.trim_start();
    let begin = begin.strip_prefix("- ").unwrap_or(begin);
    let quote = begin.chars().next().filter(|first| matches!(first, '\'' | '"'));
    let is_quoted = |at: usize| {
        let before = line.get(..at).unwrap_or_default();
        quote.is_some_and(|quote| before.chars().filter(|char| *char == quote).count() % 2 == 1)
    };
    [": &", "- &", ": *", "- *"].iter().any(|mark| line.match_indices(mark).any(|(at, _)| !is_quoted(at)))
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
mod properties;
#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Algorithm;
    use crate::pipeline::Command;

    const LOCK: &str = "schema: '2.0'\nstages:\n  b:\n    cmd: cp a b\n    deps:\n    - path: a\n      hash: md5\n      \
                        md5: 6137cde4893c59f76f005a8123d8e8e6\n      size: 5\n    outs:\n    - path: b\n      hash: md5\n      \
                        md5: 6137cde4893c59f76f005a8123d8e8e6.dir\n      size: 5\n      nfiles: 1\n  # by hand\n  a:\n    \
                        cmd: echo   hi\ndatasets: []\n";

    fn parse(text: &str) -> Result<LockFile, Box<SourceError>> {
        LockFile::parse(&Source::new(RepoPath::parse("dvc.lock").unwrap(), text.as_bytes()))
    }

    #[test]
    fn what_was_read_is_written_back() {
        let lock = parse(LOCK).unwrap();
        assert_eq!(lock.to_text(), LOCK);
        let entry = lock.get("b").unwrap();
        assert_eq!(entry.dep("a").unwrap().id.as_ref().unwrap().algorithm(), Algorithm::Md5);
        assert!(entry.out("b").unwrap().id.as_ref().unwrap().is_directory());
        assert_eq!(stage_text("b", entry), LOCK.split_once("stages:\n").unwrap().1.split_once("  # by").unwrap().0);
    }

    #[test]
    fn an_entry_is_set_in_place_and_the_rest_stays() {
        let mut lock = parse(LOCK).unwrap();
        let entry = LockEntry { command: Some(Command::Text("echo 2".into())), ..LockEntry::default() };
        assert!(lock.set("a", entry.clone(), []));
        assert!(!lock.set("a", entry.clone(), []));
        assert!(lock.set("d", entry.clone(), ["e"]));
        assert!(lock.set("c", entry, ["e", "d"]));
        let wanted = LOCK.replace("echo   hi\n", "echo 2\n  c:\n    cmd: echo 2\n  d:\n    cmd: echo 2\n");
        assert_eq!(lock.to_text(), wanted);
        assert_eq!(parse(&lock.to_text()).unwrap().to_text(), wanted);
    }

    #[test]
    fn an_entry_goes_and_the_rest_stays() {
        let mut lock = parse(LOCK).unwrap();
        assert!(!lock.remove(|name| name == "c"));
        assert!(lock.remove(|name| name == "a"));
        assert_eq!(lock.to_text(), LOCK.replace("  a:\n    cmd: echo   hi\n", ""));
        assert!(lock.remove(|_| true) && !lock.is_empty());
        assert_eq!(lock.to_text(), "schema: '2.0'\ndatasets: []\n");
        assert_eq!(parse(&lock.to_text()).unwrap().entries().count(), 0);
    }

    #[test]
    fn a_path_is_found_however_it_is_written() {
        let lock = parse(LOCK).unwrap();
        let entry = lock.get("b").unwrap();
        assert!(entry.dep("./a").is_some() && entry.out("b/").is_some() && entry.dep("/a").is_none());
    }

    #[test]
    fn a_quoted_key_is_no_anchor() {
        for (line, expected) in [
            ("  ': &':", false),
            ("  - \"a: *b\": 1", false),
            ("  a: &x 1", true),
            ("  it's: *x", true),
            ("  'a': *x", true),
        ] {
            assert_eq!(may_have_anchor(line), expected, "{line}");
        }
    }

    #[test]
    fn anchors_do_not_outlive_their_stage() {
        let text =
            "schema: '2.0'\nstages:\n  a:\n    cmd: x\n    deps: &d\n    - path: p\n  b:\n    cmd: y\n    deps: *d\n";
        let mut lock = parse(text).unwrap();
        lock.set("a", LockEntry { command: Some(Command::Text("z".into())), ..LockEntry::default() }, []);
        assert_eq!(parse(&lock.to_text()).unwrap().get("b").unwrap().deps.len(), 1);
    }

    #[test]
    fn other_layouts_are_laid_out_afresh() {
        let lock = parse("{schema: '2.0', stages: {a: {cmd: echo}}, datasets: [1]}\n").unwrap();
        assert_eq!(lock.to_text(), "schema: '2.0'\nstages:\n  a:\n    cmd: echo\ndatasets:\n- 1\n");
        assert_eq!(parse("").unwrap().entries().count(), 0);
    }

    #[test]
    fn an_entry_without_hash_is_of_dvc_2() {
        let lock = parse("schema: '2.0'\nstages:\n  a:\n    cmd: c\n    outs:\n    - path: x\n      md5: 6137cde4893c59f76f005a8123d8e8e6\n      size: 1\n").unwrap();
        let out = lock.get("a").unwrap().out("x").unwrap();
        assert_eq!(out.id.as_ref().unwrap().algorithm(), Algorithm::Md5Dos2Unix);
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let error = parse("schema: '2.0'\nstages:\n<<<<<<< HEAD\n  a: 1\n=======\n").unwrap_err();
        assert!(error.diagnostics[0].help.as_ref().unwrap().contains("merge"));
        assert_eq!(parse("schema: '1.0'\nstages: {}\n").unwrap_err().diagnostics[0].code, "lock-schema");
        assert_eq!(
            parse("schema: '2.0'\nstages:\n  a:\n    outs:\n    - path: x\n      md5: ../..\n")
                .unwrap_err()
                .diagnostics[0]
                .code,
            "bad-digest"
        );
    }
}
