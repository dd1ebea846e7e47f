//! A registry over a folder of guests, and what it told.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use dewar_core::event::{Event, EventSink};
use dewar_core::path::RepoPath;
use dewar_wasm::{Grant, Limits, PluginRegistry, Setup};

/// Keeps what it is told.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Vec<Event>>);

impl EventSink for Recorder {
    fn event(&self, event: Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

impl Recorder {
    /// What it was told since it was last asked.
    pub(crate) fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A registry and its recorder.
pub(crate) struct Bench {
    pub(crate) registry: PluginRegistry,
    pub(crate) events: Arc<Recorder>,
}

/// A folder with these files.
pub(crate) fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// A registry over third-party folders alone.
pub(crate) fn registry(folders: &[&Path], grants: Vec<Grant>, limits: Limits) -> Bench {
    let events = Arc::new(Recorder::default());
    let registry = PluginRegistry::new(Setup {
        directories: folders.iter().map(|folder| folder.to_path_buf()).collect(),
        bundled: Vec::new(),
        grants,
        compiled: Some(compiled()),
        limits,
        events: events.clone(),
    });
    Bench { registry, events }
}

/// Compiled guests are shared by all tests: they are the same.
pub(crate) fn compiled() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")
}

pub(crate) fn path(text: &str) -> RepoPath {
    RepoPath::parse(text).unwrap()
}

/// `bytes` with every `from` replaced by `to`, which is as long.
pub(crate) fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let mut found = 0;
    for start in 0..bytes.len().saturating_sub(from.len()) {
        if bytes[start..].starts_with(from) {
            bytes[start..start + to.len()].copy_from_slice(to);
            found += 1;
        }
    }
    assert!(found > 0);
    bytes
}
