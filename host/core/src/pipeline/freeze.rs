//! `freeze` and `unfreeze`: `frozen: true` set and taken away by edits that leave everything else as it is.

use std::collections::BTreeMap;

use dewar_text::{Change, Edit, Node, Step, Value, splice, yaml};

use super::PipelineError;
use super::entry::{self, Entry};
use crate::path::RepoPath;

/// Whether a stage is left as it is, whatever changes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frozen {
    /// It is.
    Yes,
    /// It is brought up to date as others are.
    No,
}

/// The new texts of the files of `entries` that change.
///
/// # Errors
/// When a file cannot be edited safely.
pub fn with_frozen(entries: &[Entry], frozen: Frozen) -> Result<BTreeMap<RepoPath, Vec<u8>>, PipelineError> {
    let mut texts = BTreeMap::new();
    for (file, (source, entries)) in entry::by_file(entries) {
        let tree = entry::read(source)?;
        let edits: Vec<Edit> = entries.into_iter().filter_map(|entry| change(&tree, entry, frozen)).collect();
        if !edits.is_empty() {
            let text = yaml::edit(&source.text, &edits).map_err(|diagnostic| source.error(diagnostic))?;
            texts.insert(file.clone(), text);
        }
    }
    Ok(texts)
}

/// None when the entry says so already.
fn change(tree: &Node, entry: &Entry, frozen: Frozen) -> Option<Edit> {
    let mut path = entry.keys_in(tree);
    let old = splice::find(tree, &path).and_then(|keys| keys.get("frozen")).map(Node::to_value);
    let change = match (frozen, old) {
        (Frozen::Yes, Some(Value::Bool(true))) | (Frozen::No, None | Some(Value::Bool(false))) => return None,
        (Frozen::Yes, _) => Change::Put(Value::Bool(true)),
        (Frozen::No, Some(_)) => Change::Remove,
    };
    path.push(Step::Field("frozen".into()));
    Some(Edit { path, change })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{load_texts, named, path};

    fn set(files: &[(&str, &str)], target: &str, frozen: Frozen) -> Result<BTreeMap<RepoPath, String>, PipelineError> {
        let (files, pipeline) = load_texts(files)?;
        let texts = with_frozen(&Entry::of(&files, &pipeline, &named(&pipeline, &[target]))?, frozen)?;
        Ok(texts.into_iter().map(|(file, text)| (file, String::from_utf8(text).unwrap())).collect())
    }

    const PIPELINE: &str = "\
# head
stages:
  a:
    cmd: x  # why

  # about g
  g:
    foreach: [1, 2]
    do:
      cmd: echo ${item}
  m: {matrix: {k: [1]}, cmd: 'echo ${item.k}'}
";

    #[test]
    fn only_one_line_changes() {
        for (target, line_before, line) in [
            ("a", "    cmd: x  # why\n", "    frozen: true\n"),
            ("g", "      cmd: echo ${item}\n", "      frozen: true\n"),
        ] {
            let texts = set(&[("dvc.yaml", PIPELINE)], target, Frozen::Yes).unwrap();
            let frozen = PIPELINE.replace(line_before, &format!("{line_before}{line}"));
            assert_eq!(texts, [(path("dvc.yaml"), frozen.clone())].into());
            assert!(set(&[("dvc.yaml", &frozen)], target, Frozen::Yes).unwrap().is_empty());
            let texts = set(&[("dvc.yaml", &frozen)], target, Frozen::No).unwrap();
            assert_eq!(texts[&path("dvc.yaml")], PIPELINE);
        }
        let texts = set(&[("dvc.yaml", PIPELINE)], "m", Frozen::Yes).unwrap();
        assert!(texts[&path("dvc.yaml")].ends_with(", cmd: 'echo ${item.k}', frozen: true}\n"));
        assert!(set(&[("dvc.yaml", PIPELINE)], "a", Frozen::No).unwrap().is_empty());
    }

    #[test]
    fn a_group_is_frozen_as_a_whole() {
        let error = set(&[("dvc.yaml", PIPELINE)], "g@1", Frozen::Yes).unwrap_err();
        assert!(matches!(error, PipelineError::PartOfGroup { ref member, .. } if member == "g@1"), "{error}");
        // A group of one is one stage.
        assert_eq!(set(&[("dvc.yaml", PIPELINE)], "m@1", Frozen::Yes).unwrap().len(), 1);
    }

    #[test]
    fn a_data_file_is_a_stage() {
        let text = "outs:\n- md5: 6137cde4893c59f76f005a8123d8e8e6  # of May\n  path: raw\n";
        let texts = set(&[("raw.dvc", text)], "raw.dvc", Frozen::Yes).unwrap();
        assert_eq!(texts[&path("raw.dvc")], format!("{text}frozen: true\n"));
        let back = set(&[("raw.dvc", &texts[&path("raw.dvc")])], "raw.dvc", Frozen::No).unwrap();
        assert_eq!(back[&path("raw.dvc")], text);
    }

    #[test]
    fn all_stages_of_a_file_at_once() {
        let texts = set(&[("dvc.yaml", PIPELINE)], "dvc.yaml", Frozen::Yes).unwrap();
        assert_eq!(texts[&path("dvc.yaml")].matches("frozen: true").count(), 3);
    }
}
