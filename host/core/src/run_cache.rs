//! The run cache: what came out of a command with given inputs, whichever stage or experiment ran it (walk, step 8).
//!
//! Place, keys and content are DVC's (3.67), so that the two serve each other in md5 projects: `<cache>/runs/<2>/<key>/<value>`,
//! `key` the SHA-256 of the command, its dependencies, parameters and output paths as JSON; `value` that of the same with the
//! outputs' contents; the file is YAML as in the lock.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use dewar_text::{Value, yaml};
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::cache::CacheError;
use crate::digest::hex;
use crate::fs::{self, FsError};
use crate::observe::Observe;
use crate::pipeline::lock::Sizes;
use crate::pipeline::{LockEntry, Output, OutputKind, Place, Stage};
use crate::python;
use crate::workspace::Workspace;

/// The folder of runs in a cache or a remote.
pub const RUNS: &str = "runs";

/// The name of the inputs of runs, or that of one run among those with its inputs: a SHA-256, 64 digits in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunKey(String);

/// A remembered run as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFile {
    /// Where it stands in a cache or a remote.
    pub place: String,
    /// What it remembers.
    pub entry: LockEntry,
    /// Its text.
    pub text: Vec<u8>,
}

/// What is remembered of all runs.
#[derive(Debug, Clone)]
pub struct RunCache {
    folder: PathBuf,
}

impl RunCache {
    /// The run cache in the folder of a cache.
    #[must_use]
    pub fn new(cache: &Path) -> Self {
        Self { folder: cache.join(RUNS) }
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
            && !stage.has_checkpoints()
            && stage.deps.iter().all(|dep| !matches!(dep.place, Place::Elsewhere(_)))
            && stage.outs.iter().all(|out| !out.persists)
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
        let wanted = RunKey::of_inputs(entry);
        let folder = self.runs_of(&wanted);
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
        let found = runs.iter().filter_map(|(_, path)| read(path).ok()?);
        let mut found = found.filter(|found| RunKey::of_inputs(found) == wanted);
        Ok(found.find(|found| usable(found)))
    }

    /// Remembers a finished run.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remember(&self, entry: &LockEntry) -> Result<(), FsError> {
        let text = yaml::write(&entry.to_value(Sizes::With));
        fs::write_atomic(&self.path(&RunKey::of_inputs(entry), &RunKey::of_run(entry)), text.as_bytes())
    }

    /// Whether results of the stage can be had again once it ran: a plain output that git keeps cannot (DVC's rule).
    #[must_use]
    pub fn keeps(stage: &Stage) -> bool {
        let lost = |out: &Output| !out.cached && out.kind == OutputKind::Plain;
        Self::remembers(stage) && !stage.outs.iter().any(lost)
    }

    /// Remembers the run of a stage, if its results can be had again. Metrics and plots that git keeps are put into the cache as well, so that they can.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn keep(&self, stage: &Stage, entry: &LockEntry, workspace: &Workspace<'_>) -> Result<(), CacheError> {
        if !Self::keeps(stage) {
            return Ok(());
        }
        for out in stage.outs.iter().filter(|out| !out.cached) {
            workspace.tree().ingest(&workspace.store().copying(), &out.path, workspace.algorithm())?;
        }
        Ok(self.remember(entry)?)
    }

    /// Whether a run is remembered.
    #[must_use]
    pub fn has(&self, inputs: &RunKey, run: &RunKey) -> bool {
        self.path(inputs, run).is_file()
    }

    /// Remembers a run that came from elsewhere, if it is what it was called there; false when it is not.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn receive(&self, inputs: &RunKey, run: &RunKey, text: &[u8]) -> Result<bool, FsError> {
        let is_it = |found: &LockEntry| RunKey::of_inputs(found) == *inputs && RunKey::of_run(found) == *run;
        parse(text).filter(is_it).map_or(Ok(false), |found| self.remember(&found).map(|()| true))
    }

    /// All remembered runs, without those that are damaged.
    ///
    /// # Errors
    /// When a folder cannot be listed, or a file read.
    pub fn all(&self) -> Result<Vec<RunFile>, FsError> {
        let keys = list(&self.folder)?.iter().map(|folder| list(folder)).collect::<Result<Vec<_>, _>>()?.concat();
        let in_key =
            |folder: &PathBuf| {
                let mut runs = Vec::new();
                for file in list(folder)? {
                    let text = fs::read(&file)?;
                    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                    runs.extend(parse(&text).filter(|entry| RunKey::of_run(entry).as_str() == name).map(|entry| {
                        RunFile { place: RunKey::of_inputs(&entry).place_of(&RunKey::of_run(&entry)), entry, text }
                    }));
                }
                Ok(runs)
            };
        Ok(keys.par_iter().map(in_key).collect::<Result<Vec<_>, FsError>>()?.concat())
    }

    /// The entries of which `is_kept` says that an output is gone, those that are damaged, and files left half-written by
    /// processes that were killed: what can be removed while nobody else uses the cache.
    ///
    /// # Errors
    /// When a folder cannot be listed, or a file read: what it says may still be true.
    pub fn useless(&self, is_kept: impl Fn(&LockEntry) -> bool + Sync) -> Result<Vec<PathBuf>, FsError> {
        let keys = list(&self.folder)?.iter().map(|folder| list(folder)).collect::<Result<Vec<_>, _>>()?.concat();
        let in_key = |folder: &PathBuf| {
            let mut useless = Vec::new();
            for file in list(folder)? {
                if !read(&file)?.is_some_and(|entry| is_kept(&entry)) {
                    useless.push(file);
                }
            }
            Ok(useless)
        };
        Ok(keys.par_iter().map(in_key).collect::<Result<Vec<_>, FsError>>()?.concat())
    }

    fn runs_of(&self, inputs: &RunKey) -> PathBuf {
        self.folder.join(inputs.start()).join(inputs.as_str())
    }

    fn path(&self, inputs: &RunKey, run: &RunKey) -> PathBuf {
        self.runs_of(inputs).join(run.as_str())
    }
}

impl RunKey {
    /// That of the inputs of an entry; of its `outs` only the paths matter.
    #[must_use]
    pub fn of_inputs(entry: &LockEntry) -> Self {
        let mut value = entry.to_value(Sizes::Without);
        if let Value::Map(map) = &mut value {
            let mut paths: Vec<&str> = entry.outs.iter().map(|out| out.path.as_str()).collect();
            paths.sort_unstable();
            let paths = paths.into_iter().map(|path| Value::Text(path.to_owned())).collect();
            map.insert("outs".into(), Value::List(paths));
        }
        Self(sha256(&value))
    }

    /// That of a run among those with its inputs.
    #[must_use]
    pub fn of_run(entry: &LockEntry) -> Self {
        Self(sha256(&entry.to_value(Sizes::Without)))
    }

    /// One that was written down.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 64 && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    /// Its digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Of inputs: the folder of their runs in a cache or a remote.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("{RUNS}/{}/{self}", self.start())
    }

    /// Of inputs: where a run with them stands in a cache or a remote.
    #[must_use]
    pub fn place_of(&self, run: &Self) -> String {
        format!("{}/{run}", self.folder())
    }

    fn start(&self) -> &str {
        self.0.get(..2).unwrap_or_default()
    }
}

impl fmt::Display for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The run that a file remembers; none when it is damaged.
fn read(path: &Path) -> Result<Option<LockEntry>, FsError> {
    Ok(parse(&fs::read(path)?))
}

fn parse(text: &[u8]) -> Option<LockEntry> {
    LockEntry::from_node(&yaml::read(text).ok()?).ok()
}

/// The paths in a folder; none when it is no folder.
fn list(folder: &Path) -> Result<Vec<PathBuf>, FsError> {
    fs::list_optional(folder).map(Option::unwrap_or_default)
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
        let folder = cache.runs_of(&RunKey::of_inputs(&ran));
        std::fs::write(folder.join("zz"), "{{{").unwrap();
        assert_eq!(cache.find(&ran, |_| true).unwrap(), Some(ran));
    }

    #[test]
    fn only_what_was_read_is_useless() {
        let dir = tempfile::tempdir().unwrap();
        let cache = RunCache::new(dir.path());
        let (ran, other) = (entry("cmd: x\n"), entry("cmd: y\n"));
        cache.remember(&ran).unwrap();
        cache.remember(&other).unwrap();
        let folder = cache.runs_of(&RunKey::of_inputs(&ran));
        std::fs::write(folder.join("zz"), "{{{").unwrap();
        let kept = |entry: &LockEntry| *entry != other;
        let gone = cache.path(&RunKey::of_inputs(&other), &RunKey::of_run(&other));
        let mut found = cache.useless(kept).unwrap();
        found.sort();
        let mut wanted = vec![folder.join("zz"), gone];
        wanted.sort();
        assert_eq!(found, wanted);
        std::os::unix::fs::symlink("loop", folder.join("loop")).unwrap();
        let error = cache.useless(kept).unwrap_err();
        assert_eq!((error.verb, error.path), ("read", folder.join("loop")));
        // For who looks for a result it is as good as none.
        assert_eq!(cache.find(&ran, |_| true).unwrap(), Some(ran));
    }
}
