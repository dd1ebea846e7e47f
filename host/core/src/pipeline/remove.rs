//! `remove`: a stage taken out of `dvc.yaml` and `dvc.lock`, with the comments that are about it; everything else stays.

use std::collections::BTreeMap;

use dewar_text::{Change, Edit, Node, Step, splice, yaml};

use super::PipelineError;
use super::entry::{self, Entry};
use super::load::Pipeline;
use crate::path::RepoPath;
use crate::source::Source;

/// What a file becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileChange {
    /// It has this text.
    Text(Vec<u8>),
    /// It goes, since nothing is left in it.
    Gone,
}

/// What the files of `entries` become without them. A `dvc.yaml` or `dvc.lock` with nothing left in it goes; other keys and
/// comments keep it.
///
/// # Errors
/// When a file cannot be edited safely.
pub fn without(pipeline: &Pipeline, entries: &[Entry]) -> Result<BTreeMap<RepoPath, FileChange>, PipelineError> {
    let mut changes = BTreeMap::new();
    for entry in entries {
        let Some(loaded) = entry::text_of(pipeline, &entry.file) else { continue };
        let (Some(path), Some(name)) = (entry.path(), &entry.name) else {
            changes.insert(entry.file.clone(), FileChange::Gone);
            continue;
        };
        let source = match changes.get(&entry.file) {
            Some(FileChange::Text(text)) => Source::new(entry.file.clone(), text.as_slice()),
            Some(FileChange::Gone) => continue,
            None => loaded.clone(),
        };
        changes.insert(entry.file.clone(), without_stage(&source, &path)?);
        let Some(lock) = pipeline.locks().get(&entry.file) else { continue };
        let group = format!("{name}@");
        let is_group = entry.stages.iter().any(|id| pipeline.stage(*id).address.name.as_ref() != Some(name));
        let of_entry = |locked: &str| locked == name || (is_group && locked.starts_with(&group));
        let mut lock = match changes.get(lock.file()) {
            Some(FileChange::Text(text)) => super::LockFile::parse(&Source::new(lock.file().clone(), text.as_slice()))?,
            Some(FileChange::Gone) => continue,
            None => lock.clone(),
        };
        if lock.existed() && lock.remove(of_entry) {
            let change = if lock.is_empty() { FileChange::Gone } else { FileChange::Text(lock.to_text().into_bytes()) };
            changes.insert(lock.file().clone(), change);
        }
    }
    Ok(changes)
}

/// A `dvc.yaml` without one entry.
fn without_stage(source: &Source, path: &[Step]) -> Result<FileChange, PipelineError> {
    let node = entry::read(source)?;
    let is_only =
        path.first().and_then(|stages| splice::find(&node, std::slice::from_ref(stages))).is_some_and(is_single);
    let refused = |diagnostic| PipelineError::from(source.error(diagnostic));
    let text = yaml::remove_with_comments(&source.text, path).map_err(refused)?;
    if !is_only {
        return Ok(FileChange::Text(text));
    }
    // No stage is left: `stages: {}` goes, too.
    if !is_single(&node) {
        let stages = Edit { path: path.iter().take(1).cloned().collect(), change: Change::Remove };
        let text = yaml::edit(&text, &[stages]).map_err(refused)?;
        return Ok(FileChange::Text(if is_last(&node, path) { without_blank_end(text) } else { text }));
    }
    let rest = outside_root(&Source::new(source.file.clone(), text.as_slice()))?;
    let is_blank =
        |text: &str| text.trim_start_matches('\u{feff}').lines().all(|line| matches!(line.trim(), "" | "---"));
    if is_blank(&rest) { Ok(FileChange::Gone) } else { Ok(FileChange::Text(rest.into_bytes())) }
}

fn is_single(node: &Node) -> bool {
    matches!(&node.kind, dewar_text::NodeKind::Map(entries) if entries.len() == 1)
}

/// Whether `stages` is the last key.
fn is_last(node: &Node, path: &[Step]) -> bool {
    let dewar_text::NodeKind::Map(entries) = &node.kind else { return false };
    let last = entries.iter().max_by_key(|entry| entry.key_span.start);
    last.is_some_and(|last| path.first() == Some(&Step::Field(last.key.clone())))
}

/// The blank lines that stood before the stages are not to end the file, unless they are a part of a value.
fn without_blank_end(text: Vec<u8>) -> Vec<u8> {
    let end = text.trim_ascii_end().len();
    let line = text.iter().skip(end).take_while(|byte| **byte != b'\n').count() + 1;
    let short: Vec<u8> = text.iter().copied().take(end + line).collect();
    let read = |text: &[u8]| yaml::read(text).ok().map(|node| node.to_value());
    if read(&short) == read(&text) { short } else { text }
}

/// The text around the lines of the only value in it: comments.
fn outside_root(source: &Source) -> Result<String, PipelineError> {
    let root = entry::read(source)?;
    let text = String::from_utf8_lossy(&source.text);
    let start = splice::line_start(&text, root.span.start);
    let end = splice::after_line(&text, root.span.end);
    Ok(format!("{}{}", splice::slice(&text, 0, start), splice::slice(&text, end, text.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{load_texts, named, path};

    /// What files become; `None` for one that goes.
    fn remove(files: &[(&str, &str)], targets: &[&str]) -> Result<BTreeMap<RepoPath, Option<String>>, PipelineError> {
        let pipeline = load_texts(files)?;
        let changes = without(&pipeline, &Entry::of(&pipeline, &named(&pipeline, targets))?)?;
        let text = |change| match change {
            FileChange::Text(text) => Some(String::from_utf8(text).unwrap()),
            FileChange::Gone => None,
        };
        Ok(changes.into_iter().map(|(file, change)| (file, text(change))).collect())
    }

    const PIPELINE: &str = "\
# head
vars: [{x: [1, 2]}]  # values

stages:
  # about a
  a:
    cmd: x

  # about g
  g:
    foreach: ${x}
    do:
      cmd: echo ${item}
  b:
    cmd: y  # last
";
    const LOCK: &str = "\
schema: '2.0'
stages:
  g@1:
    cmd: echo 1
  # by hand
  a:
    cmd:   x
  g@3:
    cmd: echo 3
  b:
    cmd: y
";

    #[test]
    fn an_entry_goes_with_its_comments_and_its_lock() {
        let changes = remove(&[("dvc.yaml", PIPELINE), ("dvc.lock", LOCK)], &["a"]).unwrap();
        let pipeline = PIPELINE.replace("  # about a\n  a:\n    cmd: x\n\n", "");
        let lock = LOCK.replace("  a:\n    cmd:   x\n", "");
        assert_eq!(changes, [(path("dvc.yaml"), Some(pipeline)), (path("dvc.lock"), Some(lock))].into());
    }

    #[test]
    fn a_group_goes_with_all_that_was_remembered_of_it() {
        let changes = remove(&[("dvc.yaml", PIPELINE), ("dvc.lock", LOCK)], &["g@1", "g@2"]).unwrap();
        let lock = LOCK.replace("  g@1:\n    cmd: echo 1\n  # by hand\n", "").replace("  g@3:\n    cmd: echo 3\n", "");
        assert_eq!(changes[&path("dvc.lock")].as_deref(), Some(&*lock));
        let error = remove(&[("dvc.yaml", PIPELINE)], &["g@2", "b"]).unwrap_err();
        assert!(matches!(error, PipelineError::PartOfGroup { .. }), "{error}");
    }

    #[test]
    fn other_keys_and_comments_keep_a_file_without_stages() {
        let changes = remove(&[("dvc.yaml", PIPELINE), ("dvc.lock", LOCK)], &["dvc.yaml"]).unwrap();
        assert_eq!(changes[&path("dvc.yaml")].as_deref(), Some("# head\nvars: [{x: [1, 2]}]  # values\n"));
        assert_eq!(changes[&path("dvc.lock")], None);
        let only = |text: &str| remove(&[("dvc.yaml", text)], &["a"]).unwrap()[&path("dvc.yaml")].clone();
        assert_eq!(only("# mine\nstages:\n  # about a\n  a:\n    cmd: x\n").as_deref(), Some("# mine\n"));
        assert_eq!(only("\u{feff}---\nstages:\r\n  # about a\r\n  a:\r\n    cmd: x\r\n\r\n"), None);
        assert_eq!(only("{stages: {a: {cmd: x}}}"), None);
        assert_eq!(only("stages: {a: {cmd: x}}\nplots: []\n").as_deref(), Some("plots: []\n"));
    }

    #[test]
    fn a_data_file_goes_as_a_whole() {
        assert_eq!(
            remove(&[("raw.dvc", "outs:\n- path: raw\n")], &["raw.dvc"]).unwrap(),
            [(path("raw.dvc"), None)].into()
        );
    }
}
