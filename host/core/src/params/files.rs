//! [`ParamFiles`]: parameter and metrics files as values, read through format plugins and remembered by content, and edited
//! through them under verification.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use dewar_text::{Diagnostic, Edit, Value, edit};

use super::overrides::Override;
use super::resolve::{ResolveError, resolve};
use crate::codec;
use crate::digest::{Algorithm, Hasher};
use crate::extension::{ExtensionError, Extensions};
use crate::fs::{self, FsError};
use crate::path::RepoPath;
use crate::source::{Source, SourceError};

/// Why a parameter file cannot be read or edited.
#[derive(Debug, thiserror::Error)]
pub enum ParamsError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FsError),
    /// Its text is invalid, or the edit was refused.
    #[error(transparent)]
    Source(Box<SourceError>),
    /// The plugin could not do its work.
    #[error(transparent)]
    Plugin(ExtensionError),
    /// An override does not fit the values.
    #[error("{error} in `{file}`")]
    Override {
        /// The file.
        file: RepoPath,
        /// Why.
        error: ResolveError,
    },
    /// No plugin claims the file, so that it can be read (as YAML) but is not edited.
    #[error("no plugin knows how to edit `{0}`")]
    UnknownFormat(RepoPath),
}

/// Reads and edits parameter files. What was read is remembered by content and plugin, so that an unchanged file needs no
/// plugin at all.
pub struct ParamFiles {
    extensions: Arc<dyn Extensions>,
    /// Where values are remembered between commands; disposable.
    remembered: Option<PathBuf>,
    memo: Mutex<HashMap<String, Arc<Value>>>,
}

impl ParamFiles {
    /// Reads through `extensions`; remembers in the folder `remembered`, if given.
    #[must_use]
    pub fn new(extensions: Arc<dyn Extensions>, remembered: Option<PathBuf>) -> Self {
        Self { extensions, remembered, memo: Mutex::default() }
    }

    /// The same, but for what this process reads nothing is remembered on disk: for files of which there are thousands, and whose
    /// values are remembered by something else.
    #[must_use]
    pub fn forgetful(&self) -> Self {
        Self::new(Arc::clone(&self.extensions), None)
    }

    /// The values of a file whose text is given. A file without content is an empty mapping, as DVC has it.
    ///
    /// # Errors
    /// When the text is invalid or the plugin fails.
    pub fn parse(&self, source: &Source) -> Result<Arc<Value>, ParamsError> {
        let format = self.extensions.param_format(&source.file).map_err(ParamsError::Plugin)?;
        let key = remembered_key(&format.id().digest, &source.text);
        if let Some(known) = self.memo.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(known));
        }
        let place = self.remembered.as_ref().map(|folder| folder.join(&key));
        let known = place.as_ref().and_then(|place| std::fs::read(place).ok()).and_then(|bytes| codec::decode(&bytes));
        let value = match known {
            Some(value) => value,
            None => {
                let value = match format.read(&source.text).map_err(|error| refusal(source, error))? {
                    Value::Null => Value::Map(dewar_text::Map::new()),
                    value => value,
                };
                if let Some(place) = &place {
                    // Only a help for the next command; it is read from the source again when it is missing.
                    drop(fs::write_atomic(place, &codec::encode(&value)));
                }
                value
            }
        };
        let value = Arc::new(value);
        self.memo.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&value));
        Ok(value)
    }

    /// The digest of the plugin that reads the file, for telling whether what was remembered of it still holds; none when
    /// none may.
    #[must_use]
    pub fn reader_of(&self, file: &RepoPath) -> Option<String> {
        self.extensions.param_format(file).ok().map(|format| format.id().digest.clone())
    }

    /// The text of the file with `overrides` applied, verified to read back as the old values plus the edits.
    ///
    /// # Errors
    /// When an override does not fit, the format refuses, or the result is not what it should be.
    pub fn with_overrides(&self, source: &Source, overrides: &[&Override]) -> Result<Vec<u8>, ParamsError> {
        if !self.extensions.claims(&source.file) {
            return Err(ParamsError::UnknownFormat(source.file.clone()));
        }
        let before = self.parse(source)?;
        let edits =
            resolve(&before, overrides).map_err(|error| ParamsError::Override { file: source.file.clone(), error })?;
        if edits.is_empty() {
            return Ok(source.text.to_vec());
        }
        self.edit(source, &before, &edits)
    }

    fn edit(&self, source: &Source, before: &Value, edits: &[Edit]) -> Result<Vec<u8>, ParamsError> {
        let format = self.extensions.param_format(&source.file).map_err(ParamsError::Plugin)?;
        let edited = format.edit(&source.text, edits).map_err(|error| refusal(source, error))?;
        let bad_answer =
            |reason: String| ParamsError::Plugin(ExtensionError::BadAnswer { plugin: format.id().clone(), reason });
        let after = self
            .parse(&Source::new(source.file.clone(), edited.clone()))
            .map_err(|error| bad_answer(format!("the edited text cannot be read: {error}")))?;
        edit::check(before, edits, &after).map_err(|Diagnostic { message, .. }| bad_answer(message))?;
        Ok(edited)
    }
}

fn remembered_key(plugin: &str, text: &[u8]) -> String {
    let mut hasher = Hasher::new(Algorithm::Blake3);
    hasher.update(plugin.as_bytes());
    hasher.update(&[0]);
    hasher.update(text);
    hasher.finish().as_str().to_owned()
}

/// A refusal with diagnostics is about the user's text; anything else is about the plugin.
fn refusal(source: &Source, error: ExtensionError) -> ParamsError {
    match error {
        ExtensionError::Refused { diagnostics, .. } if !diagnostics.is_empty() => {
            ParamsError::Source(source.errors(diagnostics))
        }
        other => ParamsError::Plugin(other),
    }
}
