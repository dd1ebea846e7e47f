//! [`Settings`]: the files of settings that DVC has, one over the other, and changes to them. For `config`, and for
//! [`Config::load`](super::Config::load).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dewar_text::{Diagnostic, Span};

use super::ini::{self, Sections};
use super::options::{OptionError, OptionName, Takes};
use super::{ConfigError, LOCAL_FILE, OutsideError, PROJECT_FILE};
use crate::fs::{self, FsError};
use crate::lock::Lock;
use crate::path::{RepoPath, normalised, relative};
use crate::source::Source;

/// Where settings count. A later one goes before an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// On this machine.
    System,
    /// For this user.
    Global,
    /// In the project, for all who work on it.
    Project,
    /// In the project, on this machine alone.
    Local,
}

impl Level {
    /// All of them, what goes before the others last.
    pub const ALL: [Self; 4] = [Self::System, Self::Global, Self::Project, Self::Local];

    /// Its name, which is that of its flag.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Global => "global",
            Self::Project => "project",
            Self::Local => "local",
        }
    }
}

/// Files of settings outside of projects, and what `~` stands for. Absolute; none where there is no place for one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutsideFiles {
    /// Of [`Level::System`].
    pub system: Option<PathBuf>,
    /// Of [`Level::Global`].
    pub global: Option<PathBuf>,
    /// The user's own folder.
    pub home: Option<PathBuf>,
}

/// The files of settings of a project, or of no project.
#[derive(Debug, Clone)]
pub struct Settings {
    root: Option<PathBuf>,
    outside: OutsideFiles,
}

/// An option that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Which one.
    pub name: OptionName,
    /// To what. A path is absolute.
    pub value: String,
    /// Where it counts.
    pub level: Level,
    /// The file that it stands in: from the project's root, or absolute.
    pub file: PathBuf,
}

/// Why a setting cannot be told or changed.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// A file of settings is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FsError),
    /// There is no such option.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// The level has no file.
    #[error("there is no place for {} settings", .0.name())]
    NoPlace(Level),
    /// The option is not set.
    #[error("`{name}` is not set{}", .level.map(|level| format!(" in the {} settings", level.name())).unwrap_or_default())]
    NotSet {
        /// Which one.
        name: OptionName,
        /// Where it was looked for; none for everywhere.
        level: Option<Level>,
    },
    /// The option takes other values.
    #[error("`{name}` takes {takes}, not `{value}`")]
    Value {
        /// Which one.
        name: OptionName,
        /// What it takes, in words.
        takes: String,
        /// What it was to be.
        value: String,
    },
    /// The file's syntax has no way to write it.
    #[error("the value of `{0}` cannot be written on one line")]
    Unwritable(OptionName),
    /// A remote would have options and no URL.
    #[error("the remote `{0}` would have no `url`")]
    NoUrl(String),
    /// There is no remote of this name.
    #[error("there is no remote `{name}`{}", .level.map(|level| format!(" in the {} settings", level.name())).unwrap_or_default())]
    NoRemote {
        /// The name.
        name: String,
        /// Where it was looked for; none for everywhere.
        level: Option<Level>,
        /// Those there are.
        known: Vec<String>,
    },
    /// There is a remote of this name already.
    #[error("the remote `{name}` exists already: {url}")]
    RemoteExists {
        /// The name.
        name: String,
        /// Where it is.
        url: String,
    },
}

impl SettingError {
    /// What an option that has no value means: there is no such option, or it is not set.
    #[must_use]
    pub fn unset(name: &OptionName, level: Option<Level>) -> Self {
        name.takes().map_or_else(Self::Option, |_| Self::NotSet { name: name.clone(), level })
    }
}

impl Settings {
    /// Those of the project at `root`, or only those outside of projects.
    #[must_use]
    pub const fn new(root: Option<PathBuf>, outside: OutsideFiles) -> Self {
        Self { root, outside }
    }

    /// The value of an option at a level, or the one that counts; none when it is not set.
    ///
    /// # Errors
    /// When a file cannot be read or is invalid, or the level has none.
    pub fn get(&self, name: &OptionName, level: Option<Level>) -> Result<Option<Setting>, SettingError> {
        Ok(self.list(level)?.into_iter().rfind(|setting| setting.name == *name))
    }

    /// Everything that is set at a level, or at all of them, also where another value counts.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn list(&self, level: Option<Level>) -> Result<Vec<Setting>, SettingError> {
        let mut found = Vec::new();
        for at in Level::ALL.into_iter().filter(|at| level.is_none_or(|level| level == *at)) {
            let Some(path) = self.path(at) else {
                if level.is_some() {
                    return Err(SettingError::NoPlace(at));
                }
                continue;
            };
            let mut sections = self.read(at)?;
            self.make_paths_absolute(&mut sections, folder(&path));
            let file = self.shown(&path);
            for (section, options) in sections {
                found.extend(options.into_iter().map(|(option, value)| {
                    let name = OptionName::new(&section, &option);
                    Setting { name, value, level: at, file: file.clone() }
                }));
            }
        }
        Ok(found)
    }

    /// Sets an option; a relative path is relative to the folder `from`. Answers the file, as it is shown. All else in it stays
    /// byte for byte.
    ///
    /// # Errors
    /// When there is no such option, it does not take the value, or the file cannot be read or written. Then nothing changed.
    pub fn set(&self, name: &OptionName, value: &str, level: Level, from: &Path) -> Result<PathBuf, SettingError> {
        let takes = name.takes()?;
        if !takes.allows(value) {
            let (takes, value) = (takes.to_string(), value.to_owned());
            return Err(SettingError::Value { name: name.clone(), takes, value });
        }
        let path = self.path(level).ok_or(SettingError::NoPlace(level))?;
        let value = written(name, value, &path, from)?;
        self.change(level, &path, name, |text| ini::with(text, name.section(), name.option(), &value).map(Some))
    }

    /// Takes an option away, also one that there should not be. Answers the file, as it is shown.
    ///
    /// # Errors
    /// When it is not set there, or the file cannot be read or written. Then nothing changed.
    pub fn unset(&self, name: &OptionName, level: Level) -> Result<PathBuf, SettingError> {
        let path = self.path(level).ok_or(SettingError::NoPlace(level))?;
        self.change(level, &path, name, |text| ini::without(text, name.section(), name.option()))
    }

    /// Changes one option in a file.
    fn change(
        &self,
        level: Level,
        path: &Path,
        name: &OptionName,
        edit: impl Fn(&str) -> Result<Option<String>, Diagnostic>,
    ) -> Result<PathBuf, SettingError> {
        let changed = self.rewrite(level, path, edit, |new| self.check_remote(name, level, new))?;
        if changed { Ok(self.shown(path)) } else { Err(SettingError::unset(name, Some(level))) }
    }

    /// Replaces a file by what `edit` makes of it, unless that is nothing, or `check` refuses it. One process at a time. Answers
    /// whether it was replaced.
    pub(super) fn rewrite(
        &self,
        level: Level,
        path: &Path,
        edit: impl Fn(&str) -> Result<Option<String>, Diagnostic>,
        check: impl Fn(&Sections) -> Result<(), SettingError>,
    ) -> Result<bool, SettingError> {
        let _held = self.hold(level, path)?;
        let old = self.text(level)?.unwrap_or_else(|| Arc::from(""));
        let invalid = |diagnostic| self.invalid(level, path, old.as_bytes(), diagnostic);
        let Some(new) = edit(&old).map_err(invalid)? else { return Ok(false) };
        check(&ini::read(&new).map_err(invalid)?)?;
        match level {
            // They may hold passwords.
            Level::Global | Level::Local => fs::write_private(path, new.as_bytes())?,
            Level::System | Level::Project => fs::write_atomic(path, new.as_bytes())?,
        }
        Ok(true)
    }

    /// DVC refuses every command where a remote with options has no URL at its level or one that it goes before.
    fn check_remote(&self, name: &OptionName, level: Level, new: &Sections) -> Result<(), SettingError> {
        let Some(remote) = name.remote() else { return Ok(()) };
        let Some(options) = new.get(name.section()) else { return Ok(()) };
        if options.contains_key("url") {
            return Ok(());
        }
        for below in Level::ALL.into_iter().filter(|below| *below < level) {
            if self.read(below)?.get(name.section()).is_some_and(|options| options.contains_key("url")) {
                return Ok(());
            }
        }
        Err(SettingError::NoUrl(remote.to_owned()))
    }

    /// Keeps others from changing a file; those who read need not wait.
    fn hold(&self, level: Level, path: &Path) -> Result<Lock, FsError> {
        let lock = match level {
            Level::System | Level::Global => folder(path).join(".config.lock"),
            // Where git does not see it.
            Level::Project | Level::Local => folder(path).join("tmp/config.lock"),
        };
        fs::create_dir(folder(&lock))?;
        Lock::wait(&lock)
    }

    /// What stands in the file of a level, paths as they are written.
    pub(super) fn read(&self, level: Level) -> Result<Sections, ConfigError> {
        let (Some(path), Some(text)) = (self.path(level), self.text(level)?) else { return Ok(Sections::new()) };
        let mut sections = ini::read(&text).map_err(|error| self.invalid(level, &path, text.as_bytes(), error))?;
        if matches!(level, Level::System | Level::Global) {
            self.make_paths_absolute(&mut sections, folder(&path));
        } else {
            self.put_home(&mut sections);
        }
        Ok(sections)
    }

    /// The text of the file of a level; none when there is none.
    pub(super) fn text(&self, level: Level) -> Result<Option<Arc<str>>, ConfigError> {
        let Some(path) = self.path(level) else { return Ok(None) };
        let Some(bytes) = fs::read_optional(&path)? else { return Ok(None) };
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let at = Span::new(error.valid_up_to(), error.valid_up_to());
            self.invalid(level, &path, &bytes, Diagnostic::error("not-utf8", "it is not UTF-8").at(at))
        })?;
        Ok(Some(text.into()))
    }

    pub(super) fn path(&self, level: Level) -> Option<PathBuf> {
        match level {
            Level::System => self.outside.system.clone(),
            Level::Global => self.outside.global.clone(),
            Level::Project => Some(self.root.as_ref()?.join(PROJECT_FILE)),
            Level::Local => Some(self.root.as_ref()?.join(LOCAL_FILE)),
        }
    }

    /// A file as the user would name it.
    fn shown(&self, path: &Path) -> PathBuf {
        let inside = self.root.as_ref().and_then(|root| path.strip_prefix(root).ok());
        inside.unwrap_or(path).to_owned()
    }

    fn invalid(&self, level: Level, path: &Path, text: &[u8], diagnostic: Diagnostic) -> ConfigError {
        let file = match level {
            Level::Project => PROJECT_FILE,
            Level::Local => LOCAL_FILE,
            Level::System | Level::Global => {
                return Box::new(OutsideError { file: path.to_owned(), text: text.into(), diagnostic }).into();
            }
        };
        Source::new(RepoPath::parse(file).unwrap_or_default(), text).error(diagnostic).into()
    }

    fn put_home(&self, sections: &mut Sections) {
        let Some(home) = &self.outside.home else { return };
        for value in paths(sections) {
            if let Some(below) = value.strip_prefix("~/") {
                *value = home.join(below).display().to_string();
            }
        }
    }

    fn make_paths_absolute(&self, sections: &mut Sections, folder: &Path) {
        self.put_home(sections);
        for value in paths(sections).filter(|value| is_relative(value)) {
            *value = normalised(&folder.join(&*value)).display().to_string();
        }
    }
}

/// A value as it stands in the file at `path`; a relative path is relative to the folder `from`.
pub(super) fn written(name: &OptionName, value: &str, path: &Path, from: &Path) -> Result<String, SettingError> {
    let is_path = name.takes()? == Takes::Path;
    let value = if is_path { as_seen_from(folder(path), value, from) } else { value.to_owned() };
    ini::quoted(&value).ok_or_else(|| SettingError::Unwritable(name.clone()))
}

/// Whether the value of an option that takes a path is a relative one.
pub(super) fn is_relative(value: &str) -> bool {
    !value.contains("://") && !value.starts_with(['/', '~'])
}

/// The values of the options that take paths.
fn paths(sections: &mut Sections) -> impl Iterator<Item = &mut String> {
    sections.iter_mut().flat_map(|(section, options)| {
        let is_path = |option: &str| OptionName::new(section, option).takes() == Ok(Takes::Path);
        options.iter_mut().filter(move |(option, _)| is_path(option)).map(|(_, value)| value)
    })
}

/// A path that was typed in the folder `from`, as it is written in a file of `folder`.
fn as_seen_from(folder: &Path, value: &str, from: &Path) -> String {
    if !is_relative(value) {
        return value.to_owned();
    }
    relative(&normalised(&from.join(value)), folder).display().to_string()
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

#[cfg(test)]
mod tests;
