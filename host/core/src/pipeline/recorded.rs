//! What a lock or a `.dvc` file records, of whatever age it is: for `gc`, which must not take for nothing what DVC wrote years
//! ago.

use dewar_text::{Diagnostic, Node, yaml};

use super::lock::LockEntry;
use super::schema;
use super::stage::{DATA_SUFFIX, LOCK_FILE};
use crate::source::{Source, SourceError};

/// What stands at the top of a lock beside the stages, which stood there themselves before DVC 2.
const NO_STAGES: [&str; 2] = ["schema", "datasets"];

/// Whether a file of this name records outputs.
#[must_use]
pub fn records(name: &str) -> bool {
    name == LOCK_FILE || (name.ends_with(DATA_SUFFIX) && name.len() > DATA_SUFFIX.len())
}

/// The entries of a `dvc.lock`, or the one of a `.dvc` file. Only what an entry must have to be understood is asked for.
///
/// # Errors
/// When it cannot be understood.
pub fn entries(source: &Source) -> Result<Vec<LockEntry>, Box<SourceError>> {
    let read = || {
        let node = yaml::read(&source.text)?;
        if source.file.file_name() == LOCK_FILE { of_lock(&node) } else { Ok(vec![LockEntry::from_node(&node)?]) }
    };
    read().map_err(|diagnostic| source.error(diagnostic))
}

fn of_lock(node: &Node) -> Result<Vec<LockEntry>, Diagnostic> {
    let top = schema::mapping(node, "a lock file")?;
    let stages = match schema::get(top, "stages") {
        Some(stages) => schema::mapping(stages, "`stages`")?,
        None => top,
    };
    let stages = stages.iter().filter(|entry| !NO_STAGES.contains(&entry.key.as_str()));
    stages.map(|entry| LockEntry::from_node(&entry.value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::path;

    fn outs(file: &str, text: &str) -> Result<Vec<String>, Box<SourceError>> {
        let entries = entries(&Source::new(path(file), text.as_bytes()))?;
        Ok(entries.iter().flat_map(|entry| &entry.outs).filter_map(|out| Some(out.id.as_ref()?.to_string())).collect())
    }

    #[test]
    fn locks_and_data_files_of_every_age_are_read() {
        let id = "6137cde4893c59f76f005a8123d8e8e6";
        let stage = format!("  a:\n    cmd: x\n    outs:\n    - path: b\n      md5: {id}\n");
        assert_eq!(outs("dvc.lock", &format!("schema: '2.0'\nstages:\n{stage}")).unwrap(), [id]);
        assert_eq!(outs("sub/dvc.lock", &stage.replace("\n  ", "\n").replacen("  a", "a", 1)).unwrap(), [id]);
        let old = format!("md5: 11\ncmd: x\nouts:\n- md5: {id}.dir\n  path: d\n  metric: true\n");
        assert_eq!(outs("d.dvc", &old).unwrap(), [format!("{id}.dir")]);
        assert_eq!(outs("dvc.lock", "").unwrap(), [] as [String; 0]);
    }

    #[test]
    fn what_cannot_be_understood_is_not_nothing() {
        for text in
            ["hello\n", "[1]\n", "stages: [a]\n", "stages:\n  a: 1\n", "a: {outs: [{path: x, md5: zz}]}\n", "<<<<<<<\n"]
        {
            assert!(outs("dvc.lock", text).is_err(), "{text}");
        }
        assert!(outs("x.dvc", "outs: 3\n").is_err());
    }
}
