//! What large files said is remembered, so that they are parsed again only when something of it changed (walk, step 5).
//! Disposable.
//!
//! A file has one memory, of what it said last. It begins with a check: a digest of this program's source, of the settings and
//! the text that it was made of, and of itself. So no memory of another text or another version is believed, and none that is
//! damaged or cut off. There is no key in the check: who can write the file can make one that is believed, but can write
//! `dvc.yaml`, too. The files that templates read are in it with their digests, and are read to compare.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::definition::PipelineFile;
use super::lock::LockForm;
use super::{FlagStyle, LockFile, PipelineError, ProjectFiles, Templates};
use crate::digest::{Algorithm, Hasher, ObjectId};
use crate::fs;
use crate::params::ParamFiles;
use crate::path::RepoPath;
use crate::source::{Source, SourceError};

/// Parsing what is smaller takes no longer than finding its memory. In bytes of the memory.
const WORTH_REMEMBERING: usize = 16 << 10;
/// A memory is only good for the code that made it.
const MADE_BY: &str = concat!("dewar remembered pipeline, source ", env!("DEWAR_CORE_SOURCE"));
/// The length of the check.
const CHECK: usize = 32;

/// What a `dvc.yaml` says, remembered or parsed.
///
/// # Errors
/// Those of [`PipelineFile::parse`].
pub(super) fn pipeline_file(
    source: &Source,
    files: &dyn ProjectFiles,
    templates: Templates<'_>,
) -> Result<PipelineFile, PipelineError> {
    let Some(memory) = Memory::of(&source.file, &source.text, files, Some(templates.flags)) else {
        return PipelineFile::parse(source, files, templates);
    };
    if let Some((read, said)) = memory.recall::<(Vec<ReadFile>, PipelineFile)>()
        && read.iter().all(|read| read.is_same(files, templates.values))
    {
        return Ok(said);
    }
    let watched = Watched { files, values: templates.values, read: RefCell::new(Some(Vec::new())) };
    let said = PipelineFile::parse(source, &watched, templates)?;
    if let Some(read) = watched.read.into_inner() {
        memory.remember(&(read, &said));
    }
    Ok(said)
}

/// What a `dvc.lock` says, remembered or parsed.
///
/// # Errors
/// Those of [`LockFile::parse`].
pub(super) fn lock_file(file: RepoPath, text: Vec<u8>, files: &dyn ProjectFiles) -> Result<LockFile, Box<SourceError>> {
    let Some(memory) = Memory::of(&file, &text, files, None) else { return LockFile::parse(&Source::new(file, text)) };
    if let Some(known) = memory.recall::<LockForm>().and_then(|form| form.lock(file.clone(), &text)) {
        return Ok(known);
    }
    let said = LockFile::parse(&Source::new(file, text.as_slice()))?;
    if let Some(form) = LockForm::of(&said, &text) {
        memory.remember(&form);
    }
    Ok(said)
}

/// The memory of one file.
struct Memory<'a> {
    place: PathBuf,
    /// All that what is said depends on, beside the text and other files.
    settings: Vec<u8>,
    text: &'a [u8],
}

impl<'a> Memory<'a> {
    /// That of `file`, which holds `text`; none where nothing is remembered.
    fn of(file: &RepoPath, text: &'a [u8], files: &dyn ProjectFiles, flags: Option<FlagStyle>) -> Option<Self> {
        let folder = files.memory()?;
        let settings = postcard::to_allocvec(&(files.root(), file, flags)).ok()?;
        let name = Hasher::digest(Algorithm::Blake3, file.as_str().as_bytes());
        Some(Self { place: folder.join(name.as_str()), settings, text })
    }

    fn recall<T: DeserializeOwned>(&self) -> Option<T> {
        // Fails at once for all that was not worth it.
        let bytes = std::fs::read(&self.place).ok()?;
        let (check, form) = bytes.split_first_chunk::<CHECK>()?;
        if *check != self.check(MADE_BY, form) {
            return None;
        }
        postcard::from_bytes(form).ok()
    }

    /// Only a help for the next command: that it fails (a full disk, a read-only project) costs that command time.
    fn remember<T: Serialize>(&self, said: &T) {
        let Ok(form) = postcard::to_allocvec(said) else { return };
        if form.len() >= WORTH_REMEMBERING {
            drop(fs::write_atomic(&self.place, &[&self.check(MADE_BY, &form), form.as_slice()].concat()));
        }
    }

    fn check(&self, made_by: &str, form: &[u8]) -> [u8; CHECK] {
        let mut hasher = blake3::Hasher::new_derive_key(made_by);
        for part in [&self.settings, self.text, form] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        *hasher.finalize().as_bytes()
    }
}

/// Another file that was read on the way.
#[derive(Debug, Serialize, Deserialize)]
struct ReadFile {
    file: RepoPath,
    /// None when it was not there.
    content: Option<ObjectId>,
    /// The plugin that read it, if one did.
    reader: Option<String>,
}

impl ReadFile {
    fn new(file: &RepoPath, text: Option<&[u8]>, values: &ParamFiles) -> Self {
        let content = text.map(|text| Hasher::digest(Algorithm::Blake3, text));
        Self { file: file.clone(), content, reader: values.reader_of(file) }
    }

    fn is_same(&self, files: &dyn ProjectFiles, values: &ParamFiles) -> bool {
        let Ok(text) = files.read(&self.file) else { return false };
        let now = Self::new(&self.file, text.as_deref(), values);
        now.content == self.content && now.reader == self.reader
    }
}

/// Files that note which of them are read.
struct Watched<'a> {
    files: &'a dyn ProjectFiles,
    values: &'a ParamFiles,
    /// None when something was asked whose answer cannot be compared later.
    read: RefCell<Option<Vec<ReadFile>>>,
}

impl ProjectFiles for Watched<'_> {
    fn root(&self) -> &Path {
        self.files.root()
    }

    fn read(&self, file: &RepoPath) -> Result<Option<Vec<u8>>, PipelineError> {
        let text = self.files.read(file)?;
        if let Some(read) = self.read.borrow_mut().as_mut() {
            read.push(ReadFile::new(file, text.as_deref(), self.values));
        }
        Ok(text)
    }

    fn pipeline_files(&self) -> Result<Vec<RepoPath>, PipelineError> {
        self.read.replace(None);
        self.files.pipeline_files()
    }
}

#[cfg(test)]
mod tests;
