//! The run cache: what came out of a command with given inputs, whichever stage or experiment ran it (walk, step 8).
//!
//! Place, keys and content are DVC's (3.67), so that the two serve each other in md5 projects: `<cache>/runs/<2>/<key>/<value>`,
//! `key` the SHA-256 of the command, its dependencies, parameters and output paths as JSON; `value` that of the same with the
//! outputs' contents; the file is YAML as in the lock.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use dewar_text::{Value, yaml};
use sha2::{Digest as _, Sha256};

use crate::digest::hex;
use crate::fs::{self, FsError};
use crate::pipeline::lock::Sizes;
use crate::pipeline::{LockEntry, Place, Stage};
use crate::python;

/// What is remembered of all runs.
#[derive(Debug, Clone)]
pub struct RunCache {
    folder: PathBuf,
}

impl RunCache {
    /// The run cache in the folder of a cache.
    #[must_use]
    pub fn new(cache: &Path) -> Self {
        Self { folder: cache.join("runs") }
    }

    /// Whether runs of the stage are remembered (DVC's rule): it has a command, something read and something written, all of
    /// it on this machine; it does not run every time; no output outlives its runs.
    #[must_use]
    pub fn remembers(stage: &Stage) -> bool {
        let reads = !stage.deps.is_empty() || !stage.params.is_empty();
        stage.command.is_some()
            && reads
            && !stage.outs.is_empty()
            && !stage.always_changed
            && stage.deps.iter().all(|dep| !matches!(dep.place, Place::Elsewhere(_)))
            && stage.outs.iter().all(|out| !out.persists && !out.checkpoint)
    }

    /// What came out when the command ran with the inputs of `entry`; of several results, the newest that `usable` takes.
    /// `outs` of `entry` need only have paths.
    ///
    /// # Errors
    /// When the folder is there and cannot be read.
    pub fn find(
        &self,
        entry: &LockEntry,
        mut usable: impl FnMut(&LockEntry) -> bool,
    ) -> Result<Option<LockEntry>, FsError> {
        let folder = self.runs_of(&key(entry));
        let files = match std::fs::read_dir(&folder) {
            Ok(files) => files,
            Err(error) if fs::is_absent(&error) => return Ok(None),
            Err(error) => return Err(FsError::new("list", folder)(error)),
        };
        let mut runs: Vec<(SystemTime, PathBuf)> = files
            .filter_map(Result::ok)
            .filter_map(|file| Some((file.metadata().ok()?.modified().ok()?, file.path())))
            .collect();
        runs.sort_by(|a, b| b.cmp(a));
        // A file that is damaged, or not of these inputs, is as good as none.
        let read = |path: &Path| {
            let node = yaml::read(&std::fs::read(path).ok()?).ok()?;
            LockEntry::from_node(&node).ok().filter(|found| key(found) == key(entry))
        };
        Ok(runs.iter().filter_map(|(_, path)| read(path)).find(|found| usable(found)))
    }

    /// Remembers a finished run.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remember(&self, entry: &LockEntry) -> Result<(), FsError> {
        let text = yaml::write(&entry.to_value(Sizes::With));
        let value = sha256(&entry.to_value(Sizes::Without));
        fs::write_atomic(&self.runs_of(&key(entry)).join(value), text.as_bytes())
    }

    fn runs_of(&self, key: &str) -> PathBuf {
        self.folder.join(key.get(..2).unwrap_or_default()).join(key)
    }
}

/// The key of an entry's inputs.
fn key(entry: &LockEntry) -> String {
    let mut value = entry.to_value(Sizes::Without);
    if let Value::Map(map) = &mut value {
        let mut paths: Vec<&str> = entry.outs.iter().map(|out| out.path.as_str()).collect();
        paths.sort_unstable();
        map.insert("outs".into(), Value::List(paths.into_iter().map(|path| Value::Text(path.to_owned())).collect()));
    }
    sha256(&value)
}

/// SHA-256 of a value as Python's sorted JSON.
#[must_use]
pub fn sha256(value: &Value) -> String {
    hex(&Sha256::digest(python::json_sorted(value).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> LockEntry {
        LockEntry::from_node(&yaml::read(text.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn finds_by_inputs_whatever_came_out() {
        let dir = tempfile::tempdir().unwrap();
        let cache = RunCache::new(dir.path());
        let ran = entry(
            "cmd: cp a b\ndeps:\n- path: a\n  hash: md5\n  md5: 6137cde4893c59f76f005a8123d8e8e6\n  size: 5\nouts:\n- path: b\n  hash: md5\n  md5: 6137cde4893c59f76f005a8123d8e8e6\n  size: 5\n",
        );
        cache.remember(&ran).unwrap();
        let mut asked = ran.clone();
        asked.outs = vec![crate::pipeline::LockedPath { path: "b".into(), ..Default::default() }];
        asked.deps[0].size = None;
        assert_eq!(cache.find(&asked, |_| true).unwrap(), Some(ran.clone()));
        assert_eq!(cache.find(&asked, |_| false).unwrap(), None);
        asked.command = None;
        assert_eq!(cache.find(&asked, |_| true).unwrap(), None);
    }

    #[test]
    fn damage_is_as_good_as_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let cache = RunCache::new(dir.path());
        let ran = entry("cmd: x\n");
        cache.remember(&ran).unwrap();
        let folder = cache.runs_of(&key(&ran));
        std::fs::write(folder.join("zz"), "{{{").unwrap();
        assert_eq!(cache.find(&ran, |_| true).unwrap(), Some(ran));
    }
}
