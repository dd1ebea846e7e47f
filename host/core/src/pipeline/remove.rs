//! `remove`: a stage taken out of `dvc.yaml` and `dvc.lock`, with the comments that are about it; everything else stays.

use std::collections::{BTreeMap, HashSet};

use dewar_text::{Change, Edit, Node, Step, Value, splice, yaml};

use super::entry::{self, Entry};
use super::load::{Pipeline, StageId};
use super::{LockFile, PipelineError};
use crate::path::RepoPath;
use crate::source::Source;

/// The key that stages stand below.
const STAGES: &str = "stages";

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
    for (file, (source, entries)) in entry::by_file(entries) {
        let paths: Vec<Vec<Step>> = entries.iter().filter_map(|entry| entry.path()).collect();
        let change = if paths.is_empty() { FileChange::Gone } else { without_stages(source, &paths)? };
        changes.insert(file.clone(), change);
        if let Some(lock) = pipeline.locks().get(file).filter(|lock| lock.existed()) {
            changes.extend(without_locked(lock, pipeline, &entries).map(|change| (lock.file().clone(), change)));
        }
    }
    Ok(changes)
}

/// A `dvc.lock` without what it remembers of stages, also of those that a group made once. None when that is nothing.
fn without_locked(lock: &LockFile, pipeline: &Pipeline, entries: &[&Entry]) -> Option<FileChange> {
    let mut names: HashSet<&str> = HashSet::new();
    let mut groups: HashSet<&str> = HashSet::new();
    for entry in entries {
        let Some(name) = entry.name.as_deref() else { continue };
        let own = |id: &StageId| pipeline.stage(*id).address.name.as_deref() == Some(name);
        if entry.stages.iter().any(own) {
            names.insert(name)
        } else {
            groups.insert(name)
        };
    }
    let mut lock = lock.clone();
    let is_gone = |name: &str| {
        names.contains(name)
            || name.match_indices('@').any(|(at, _)| name.get(..at).is_some_and(|name| groups.contains(name)))
    };
    if !lock.remove(is_gone) {
        return None;
    }
    Some(if lock.is_empty() { FileChange::Gone } else { FileChange::Text(lock.to_text().into_bytes()) })
}

/// A `dvc.yaml` without the entries at `paths`.
fn without_stages(source: &Source, paths: &[Vec<Step>]) -> Result<FileChange, PipelineError> {
    let tree = entry::read(source)?;
    let count = tree.get(STAGES).map_or(0, |stages| splice::members(stages).len());
    let refused = |diagnostic| PipelineError::from(source.error(diagnostic));
    if paths.len() < count {
        let mut text = source.text.to_vec();
        for path in paths {
            text = yaml::remove_with_comments(&text, path).map_err(refused)?;
        }
        return Ok(FileChange::Text(text));
    }
    // No stage is left: `stages:` itself goes.
    let removal = Edit { path: vec![Step::Field(STAGES.into())], change: Change::Remove };
    let text = match cut(source, &tree) {
        Some(text) => text,
        None => yaml::edit(&source.text, &[removal]).map_err(refused)?,
    };
    let is_blank = |line: &str| matches!(line.trim_start_matches('\u{feff}').trim(), "" | "---" | "{}");
    let is_gone = String::from_utf8_lossy(&text).lines().all(is_blank);
    Ok(if is_gone { FileChange::Gone } else { FileChange::Text(text) })
}

/// The text without the lines of `stages` and the comments in and indented below it; none when that is not all there is to it.
fn cut(source: &Source, tree: &Node) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(&source.text).ok()?;
    let entry = tree.entry(STAGES)?;
    let begin = splice::line_start(text, entry.key_span.start);
    let end = splice::after_line(text, yaml::end_with_comments(text, entry.value.span.end, 0));
    let rest = splice::slice(text, end, text.len());
    let mut above = splice::slice(text, 0, begin);
    if rest.trim().is_empty() {
        // The blank lines before the stages are not to end the file.
        let kept = above.trim_end().len();
        above = splice::slice(above, 0, if kept == 0 { 0 } else { splice::after_line(above, kept) });
    }
    let cut = format!("{above}{rest}").into_bytes();
    let mut wanted = tree.to_value();
    if let Value::Map(map) = &mut wanted {
        map.shift_remove(STAGES);
        if map.is_empty() {
            wanted = Value::Null;
        }
    }
    yaml::read(&cut).is_ok_and(|read| read.to_value().same(&wanted)).then_some(cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{load_texts, named, path};

    /// What files become; `None` for one that goes.
    fn remove(files: &[(&str, &str)], targets: &[&str]) -> Result<BTreeMap<RepoPath, Option<String>>, PipelineError> {
        let (files, pipeline) = load_texts(files)?;
        let changes = without(&pipeline, &Entry::of(&files, &pipeline, &named(&pipeline, targets))?)?;
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
        assert_eq!(only("stages:\n  a:\n    cmd: x\n    # of a\n\n  # of the stages\n"), None);
        assert_eq!(only("{stages: {a: {cmd: x}}}"), None);
        assert_eq!(only("{stages: {a: {cmd: x}}, plots: []} # p\n").as_deref(), Some("{plots: []} # p\n"));
        assert_eq!(
            only("vars:\n- k: |+\n    v\n\nstages:\n  a: {cmd: x}\n").as_deref(),
            Some("vars:\n- k: |+\n    v\n\n")
        );
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
