//! [`LockForm`]: what a lock said, as it is remembered: without its text, which is at hand whenever it is recalled.

use serde::{Deserialize, Serialize};

use super::{LockEntry, LockFile, line_end};
use crate::path::RepoPath;

/// What a lock said, and how long the pieces of its text are.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::pipeline) struct LockForm {
    head: usize,
    stages: Vec<(String, LockEntry, usize)>,
}

impl LockForm {
    /// That of a lock which was read from `text`; none when the pieces are not those of the text, since it was laid out afresh.
    pub(in crate::pipeline) fn of(lock: &LockFile, text: &[u8]) -> Option<Self> {
        let pieces = lock.stages.iter().map(|(name, (entry, piece))| (name.clone(), entry.clone(), piece.len()));
        let form = Self { head: lock.head.len(), stages: pieces.collect() };
        (!form.stages.is_empty() && lock.to_text().as_bytes() == text).then_some(form)
    }

    /// The lock in `file` that was read from `text`, the one that this is the form of; none when it cannot be that one.
    pub(in crate::pipeline) fn lock(self, file: RepoPath, text: &[u8]) -> Option<LockFile> {
        let text = std::str::from_utf8(text).ok()?;
        let line_end = line_end(text)?;
        let (head, mut rest) = text.split_at_checked(self.head)?;
        let mut stages = indexmap::IndexMap::with_capacity(self.stages.len());
        for (name, entry, length) in self.stages {
            let (piece, behind) = rest.split_at_checked(length)?;
            stages.insert(name, (entry, piece.to_owned()));
            rest = behind;
        }
        Some(LockFile { file, existed: true, head: head.to_owned(), stages, tail: rest.to_owned(), line_end })
    }
}
