//! [`Memory`]: what commits hold, remembered on disk by commit. Disposable: anything unexpected reads as nothing.
//!
//! A commit never changes, so what was read of it holds for as long as the same plugins read its files, and the cache still lacks
//! what it lacked. A file with other errors is not kept: a plugin may be mended. The commits are spread over 256 files by the first
//! digits of their names: with a file each, ten thousand would take seconds to write, and with one file for all, each new
//! experiment would write it anew.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dewar_text::Value;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::revisions::{CommitRevision, Part};
use crate::codec;
use crate::digest::ObjectId;
use crate::fs;
use crate::git::{CommitId, CommitTime};
use crate::metrics::{Content, FileData, FileError, Files, OutputContent, ParamScope, ReadObject, RevisionData};
use crate::params::ParamFiles;
use crate::path::RepoPath;

/// Raised when the form changes, or what is read of a commit.
const VERSION: u32 = 4;

/// Where commits are remembered that are read in one way.
pub(super) struct Memory<'a> {
    folder: PathBuf,
    params: &'a ParamFiles,
    /// The plugin that reads a file, by its digest.
    readers: RefCell<HashMap<RepoPath, Option<String>>>,
}

/// The commits of one file, each with a [`Record`] that is only read when it is asked for.
#[derive(Serialize, Deserialize, Default)]
struct Shard<'a> {
    version: u32,
    #[serde(borrow)]
    records: BTreeMap<CommitId, &'a [u8]>,
}

/// What a commit holds.
#[derive(Serialize, Deserialize)]
struct Record {
    time: CommitTime,
    parent: Option<CommitId>,
    /// As in the commit's message.
    note: Option<String>,
    params: Vec<(RepoPath, Said)>,
    metrics: Vec<(RepoPath, Said)>,
    deps: IndexMap<String, Content>,
    outs: IndexMap<RepoPath, OutputContent>,
}

/// What a file said.
#[derive(Serialize, Deserialize)]
enum Said {
    /// These values, to the plugin with this digest.
    Values(String, #[serde(with = "codec::value")] Value),
    /// Nothing, as long as the cache has no such object.
    NotCached(ObjectId),
    /// Nothing: the commit has no such file.
    Missing,
}

impl<'a> Memory<'a> {
    /// The memory in `folder` of commits that are read through `params`.
    pub(super) fn new(folder: &Path, scope: ParamScope, part: Part, params: &'a ParamFiles) -> Self {
        let what = match (scope, part) {
            (ParamScope::All, Part::All) => "commits",
            (ParamScope::Declared, Part::All) => "commits-declared",
            (ParamScope::All, Part::Inputs) => "inputs",
            (ParamScope::Declared, Part::Inputs) => "inputs-declared",
        };
        Self { folder: folder.join(what), params, readers: RefCell::default() }
    }

    /// What is remembered of commits and still holds, in their order.
    pub(super) fn recall(&self, commits: &[CommitId], objects: &ReadObject<'_>) -> Vec<Option<CommitRevision>> {
        let mut texts: HashMap<PathBuf, Vec<u8>> = HashMap::new();
        for commit in commits {
            let place = self.place(*commit);
            texts.entry(place).or_insert_with_key(|place| std::fs::read(place).unwrap_or_default());
        }
        let shards: HashMap<&Path, Shard<'_>> =
            texts.iter().map(|(place, text)| (place.as_path(), Shard::read(text))).collect();
        let recall = |commit: &CommitId| {
            let record = shards.get(self.place(*commit).as_path())?.records.get(commit)?;
            self.decode(*commit, postcard::from_bytes(record).ok()?, objects)
        };
        commits.iter().map(recall).collect()
    }

    /// Remembers commits beside those that are known. That it fails (a full disk, a read-only project) only costs the next
    /// command time, and so does another command that does the same at once.
    pub(super) fn remember<'r>(&self, revisions: impl IntoIterator<Item = &'r CommitRevision>) {
        let mut news: BTreeMap<PathBuf, Vec<(CommitId, Vec<u8>)>> = BTreeMap::new();
        for revision in revisions {
            let record = self.encode(revision).and_then(|record| postcard::to_allocvec(&record).ok());
            let place = self.place(revision.commit);
            news.entry(place).or_default().extend(record.map(|record| (revision.commit, record)));
        }
        for (place, news) in news.iter().filter(|(_, news)| !news.is_empty()) {
            let known = std::fs::read(place).unwrap_or_default();
            let mut shard = Shard::read(&known);
            shard.records.extend(news.iter().map(|(commit, record)| (*commit, record.as_slice())));
            if let Ok(text) = postcard::to_allocvec(&shard) {
                drop(fs::write_atomic(place, &text));
            }
        }
    }

    fn place(&self, commit: CommitId) -> PathBuf {
        self.folder.join(commit.to_string().get(..2).unwrap_or_default())
    }

    /// None when something of the commit has to be looked at again.
    fn encode(&self, revision: &CommitRevision) -> Option<Record> {
        let data = revision.data.as_ref().ok()?;
        Some(Record {
            time: revision.time?,
            parent: revision.parent,
            note: revision.note.as_ref().map(serde_json::to_string).transpose().ok()?,
            params: self.said(&data.params)?,
            metrics: self.said(&data.metrics)?,
            deps: data.deps.clone(),
            outs: data.outs.clone(),
        })
    }

    fn said(&self, files: &Files) -> Option<Vec<(RepoPath, Said)>> {
        let said = |(file, data): (&RepoPath, &FileData)| {
            let said = match data {
                FileData::Values(values) => Said::Values(self.reader(file)?, values.as_ref().clone()),
                FileData::Broken(FileError::NotCached { id, .. }) => Said::NotCached(id.clone()),
                FileData::Broken(FileError::Missing(_)) => Said::Missing,
                FileData::Broken(FileError::Unreadable(_) | FileError::Invalid { .. }) => return None,
            };
            Some((file.clone(), said))
        };
        files.iter().map(said).collect()
    }

    fn reader(&self, file: &RepoPath) -> Option<String> {
        if let Some(known) = self.readers.borrow().get(file) {
            return known.clone();
        }
        let reader = self.params.reader_of(file);
        self.readers.borrow_mut().insert(file.clone(), reader.clone());
        reader
    }

    fn decode(&self, commit: CommitId, record: Record, objects: &ReadObject<'_>) -> Option<CommitRevision> {
        let files = |said: Vec<(RepoPath, Said)>| -> Option<Files> {
            said.into_iter().map(|(file, said)| self.holds(said, &file, objects).map(|data| (file, data))).collect()
        };
        Some(CommitRevision {
            commit,
            time: Some(record.time),
            parent: record.parent,
            note: record.note.as_deref().map(serde_json::from_str).transpose().ok()?,
            data: Ok(RevisionData {
                params: files(record.params)?,
                metrics: files(record.metrics)?,
                deps: record.deps,
                outs: record.outs,
            }),
        })
    }

    /// What a file said, if it would say the same now.
    fn holds(&self, said: Said, file: &RepoPath, objects: &ReadObject<'_>) -> Option<FileData> {
        match said {
            Said::Values(reader, values) => (self.reader(file)? == reader).then(|| FileData::Values(Arc::new(values))),
            Said::NotCached(id) => {
                objects(&id).is_none().then(|| FileData::Broken(FileError::NotCached { file: file.clone(), id }))
            }
            Said::Missing => Some(FileData::Broken(FileError::Missing(file.clone()))),
        }
    }
}

impl<'a> Shard<'a> {
    fn read(text: &'a [u8]) -> Self {
        let empty = Self { version: VERSION, records: BTreeMap::new() };
        postcard::from_bytes(text).ok().filter(|shard: &Self| shard.version == VERSION).unwrap_or(empty)
    }
}
