//! Remotes in settings: `[remote "name"]` sections, and `core.remote`, which names the default one. For `remote`; what they do at
//! each level is what DVC's commands do (3.67).

use std::collections::BTreeMap;
use std::path::Path;

use super::ini;
use super::options::OptionName;
use super::settings::{Level, SettingError, Settings, written};

/// A remote that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRemote {
    /// Its name.
    pub name: String,
    /// Where it is; a path is absolute.
    pub url: String,
}

/// What becomes of a remote that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays.
    Refuse,
    /// It is replaced, with all its options.
    Replace,
}

impl Settings {
    /// The remotes at a level, or at all of them, in order of name.
    ///
    /// # Errors
    /// When a file cannot be read or is invalid, or the level has none.
    pub fn remotes(&self, level: Option<Level>) -> Result<Vec<NamedRemote>, SettingError> {
        let mut found = BTreeMap::new();
        for setting in self.list(level)? {
            if let Some(name) = setting.name.remote().filter(|_| setting.name.option() == "url") {
                found.insert(name.to_owned(), setting.value);
            }
        }
        Ok(found.into_iter().map(|(name, url)| NamedRemote { name, url }).collect())
    }

    /// The name of the default remote at a level, or of the one that counts.
    ///
    /// # Errors
    /// As [`Self::remotes`].
    pub fn default_remote(&self, level: Option<Level>) -> Result<Option<String>, SettingError> {
        Ok(self.get(&core_remote(), level)?.map(|setting| setting.value))
    }

    /// Adds a remote. A relative path is relative to the folder `from`.
    ///
    /// # Errors
    /// When there is one of this name at the level, the name cannot be one, or the file cannot be read or written. Then nothing
    /// changed.
    pub fn add_remote(
        &self,
        name: &str,
        url: &str,
        level: Level,
        from: &Path,
        existing: Existing,
    ) -> Result<(), SettingError> {
        let option = url_of(name)?;
        if url.trim().is_empty() {
            // It would be the folder of the settings.
            return Err(SettingError::Value { name: option, takes: "a folder or a URL".into(), value: url.to_owned() });
        }
        if existing == Existing::Refuse
            && let Some(known) = self.get(&option, Some(level))?
        {
            return Err(SettingError::RemoteExists { name: name.to_owned(), url: known.value });
        }
        let path = self.path(level).ok_or(SettingError::NoPlace(level))?;
        let url = written(&option, url, &path, from)?;
        let add = |text: &str| {
            let without = ini::without_section(text, option.section())?;
            ini::with(without.as_deref().unwrap_or(text), option.section(), option.option(), &url).map(Some)
        };
        self.rewrite(level, &path, add, |_| Ok(())).map(drop)
    }

    /// Names the default remote.
    ///
    /// # Errors
    /// When there is no such remote, or the file cannot be read or written.
    pub fn set_default_remote(&self, name: &str, level: Level) -> Result<(), SettingError> {
        self.known_remote(name, None)?;
        self.set(&core_remote(), name, level, Path::new("")).map(drop)
    }

    /// Takes the name of the default remote away, where there is one.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn unset_default_remote(&self, level: Level) -> Result<(), SettingError> {
        no_matter(self.unset(&core_remote(), level))
    }

    /// Sets an option of a remote, or takes it away. A relative path is relative to the folder `from`.
    ///
    /// # Errors
    /// When there is no such remote or option, it does not take the value, or the file cannot be read or written.
    pub fn modify_remote(
        &self,
        name: &str,
        option: &str,
        value: Option<&str>,
        level: Level,
        from: &Path,
    ) -> Result<(), SettingError> {
        self.known_remote(name, None)?;
        let option = OptionName::parse(&format!("remote.{name}.{option}"))?;
        match value {
            Some(value) => self.set(&option, value, level, from).map(drop),
            None => no_matter(self.unset(&option, level)),
        }
    }

    /// Removes a remote at a level. With it goes what counts before that level and would be left over: options of it without a
    /// URL, and its being the default.
    ///
    /// # Errors
    /// When there is none at the level, or a file cannot be read or written.
    pub fn remove_remote(&self, name: &str, level: Level) -> Result<(), SettingError> {
        let url = self.known_remote(name, Some(level))?;
        self.follow(&url, level, ini::without_section, |_| None)
    }

    /// Renames a remote at a level, with all its options; and what counts before that level, as [`Self::remove_remote`].
    ///
    /// # Errors
    /// When there is none at the level, there is one of the new name, or a file cannot be read or written.
    pub fn rename_remote(&self, name: &str, new: &str, level: Level) -> Result<(), SettingError> {
        let url = self.known_remote(name, Some(level))?;
        let renamed = url_of(new)?;
        if let Some(known) = self.get(&renamed, None)? {
            return Err(SettingError::RemoteExists { name: new.to_owned(), url: known.value });
        }
        let rename = |text: &str, section: &str| ini::renamed(text, section, renamed.section());
        self.follow(&url, level, rename, |_| ini::quoted(new))
    }

    /// Does `edit` to the section of a remote at `level` and where it is only added to above; the default is what `default` says.
    fn follow(
        &self,
        url: &OptionName,
        level: Level,
        edit: impl Fn(&str, &str) -> Result<Option<String>, dewar_text::Diagnostic>,
        default: impl Fn(&str) -> Option<String>,
    ) -> Result<(), SettingError> {
        let core = core_remote();
        for at in Level::ALL.into_iter().filter(|at| *at >= level) {
            let Some(path) = self.path(at) else { continue };
            let sections = self.read(at)?;
            let has_own_url =
                at > level && sections.get(url.section()).is_some_and(|options| options.contains_key("url"));
            if has_own_url {
                // What is above is about that one.
                return Ok(());
            }
            let is_default = |name: &String| url.remote().is_some_and(|remote| name.to_lowercase() == remote);
            let names_it =
                sections.get(core.section()).and_then(|options| options.get(core.option())).is_some_and(is_default);
            let edit = |text: &str| {
                let edited = edit(text, url.section())?;
                if !names_it {
                    return Ok(edited);
                }
                let text = edited.as_deref().unwrap_or(text);
                match default(text) {
                    Some(name) => ini::with(text, core.section(), core.option(), &name).map(Some),
                    None => ini::without(text, core.section(), core.option()),
                }
            };
            self.rewrite(at, &path, edit, |_| Ok(()))?;
        }
        Ok(())
    }

    /// The URL of a remote that is there, at a level or anywhere.
    fn known_remote(&self, name: &str, level: Option<Level>) -> Result<OptionName, SettingError> {
        let url = url_of(name)?;
        if self.get(&url, level)?.is_none() {
            let known = self.remotes(None)?.into_iter().map(|remote| remote.name).collect();
            return Err(SettingError::NoRemote { name: name.to_owned(), level, known });
        }
        Ok(url)
    }
}

fn core_remote() -> OptionName {
    OptionName::new("core", "remote")
}

fn url_of(name: &str) -> Result<OptionName, SettingError> {
    Ok(OptionName::parse(&format!("remote.{name}.url"))?)
}

/// What was not set need not be taken away (DVC's rule).
fn no_matter<T>(result: Result<T, SettingError>) -> Result<(), SettingError> {
    match result {
        Err(SettingError::NotSet { .. }) => Ok(()),
        result => result.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::OutsideFiles;

    const NONE: &[&str] = &[];

    /// Settings of a project in a folder, and the texts of its two files.
    fn settings(dir: &Path) -> (Settings, impl Fn() -> [String; 2]) {
        let root = dir.join("project");
        std::fs::create_dir_all(root.join(".dvc")).unwrap();
        let texts = {
            let root = root.clone();
            move || {
                [".dvc/config", ".dvc/config.local"]
                    .map(|file| std::fs::read_to_string(root.join(file)).unwrap_or_default())
            }
        };
        (Settings::new(Some(root), OutsideFiles::default()), texts)
    }

    fn names(settings: &Settings) -> Vec<String> {
        settings.remotes(None).unwrap().into_iter().map(|remote| remote.name).collect()
    }

    #[test]
    fn a_remote_is_added_once_and_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (settings, texts) = settings(dir.path());
        let from = dir.path().join("project/sub");
        settings.add_remote("Store", "../../store", Level::Project, &from, Existing::Refuse).unwrap();
        assert_eq!(texts()[0], "['remote \"store\"']\n    url = ../../store\n");
        settings.modify_remote("store", "jobs", Some("3"), Level::Project, &from).unwrap();
        let again = settings.add_remote("store", "/x", Level::Project, &from, Existing::Refuse);
        assert!(matches!(again, Err(SettingError::RemoteExists { .. })));
        settings.add_remote("store", "/x", Level::Project, &from, Existing::Replace).unwrap();
        assert_eq!(texts()[0], "['remote \"store\"']\n    url = /x\n");
        settings.add_remote("store", "s3://b/x", Level::Local, &from, Existing::Refuse).unwrap();
        assert_eq!(settings.remotes(None).unwrap()[0].url, "s3://b/x");
        assert!(settings.add_remote("a]b", "/x", Level::Project, &from, Existing::Refuse).is_err());
    }

    #[test]
    fn renaming_keeps_options_comments_and_the_default() {
        let dir = tempfile::tempdir().unwrap();
        let (settings, texts) = settings(dir.path());
        let text = "[core]\n  remote = a # mine\n  ['remote \"a\"']  # big\n  url = /a\n  # fast\n  jobs = 2\n";
        std::fs::write(dir.path().join("project/.dvc/config"), text).unwrap();
        std::fs::write(
            dir.path().join("project/.dvc/config.local"),
            "['remote \"a\"']\nverify = true\n[core]\nremote=a\n",
        )
        .unwrap();
        assert!(matches!(settings.rename_remote("b", "c", Level::Project), Err(SettingError::NoRemote { .. })));
        assert!(matches!(settings.rename_remote("a", "a", Level::Project), Err(SettingError::RemoteExists { .. })));
        settings.rename_remote("a", "b", Level::Project).unwrap();
        let renamed = text.replace("= a", "= b").replace("\"a\"", "\"b\"");
        assert_eq!(texts(), [renamed, "['remote \"b\"']\nverify = true\n[core]\nremote= b\n".to_owned()]);
    }

    #[test]
    fn removing_leaves_nothing_that_dvc_refuses() {
        let dir = tempfile::tempdir().unwrap();
        let (settings, texts) = settings(dir.path());
        let from = dir.path();
        for (name, level) in [("a", Level::Project), ("b", Level::Project), ("b", Level::Local)] {
            settings.add_remote(name, "/x", level, from, Existing::Refuse).unwrap();
        }
        settings.modify_remote("a", "verify", Some("true"), Level::Local, from).unwrap();
        settings.set_default_remote("a", Level::Local).unwrap();
        assert!(matches!(settings.set_default_remote("c", Level::Project), Err(SettingError::NoRemote { .. })));
        assert!(matches!(settings.remove_remote("a", Level::Local), Err(SettingError::NoRemote { .. })));
        settings.remove_remote("a", Level::Project).unwrap();
        assert_eq!(settings.default_remote(None).unwrap(), None);
        settings.remove_remote("b", Level::Project).unwrap();
        assert_eq!(texts(), ["".to_owned(), "['remote \"b\"']\n    url = /x\n".to_owned()]);
        settings.remove_remote("b", Level::Local).unwrap();
        settings.unset_default_remote(Level::Local).unwrap();
        assert_eq!(names(&settings), NONE);
    }

    #[test]
    fn options_are_those_of_a_remote_that_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let (settings, _) = settings(dir.path());
        let modify =
            |name: &str, option: &str, value| settings.modify_remote(name, option, value, Level::Project, dir.path());
        assert!(matches!(modify("a", "jobs", Some("1")), Err(SettingError::NoRemote { .. })));
        settings.add_remote("a", "/x", Level::Project, dir.path(), Existing::Refuse).unwrap();
        assert!(matches!(modify("a", "jbos", Some("1")), Err(SettingError::Option(_))));
        assert!(matches!(modify("a", "jobs", Some("none")), Err(SettingError::Value { .. })));
        modify("a", "jobs", Some("1")).unwrap();
        modify("a", "jobs", None).unwrap();
        modify("a", "jobs", None).unwrap();
        assert!(matches!(modify("a", "jbos", None), Err(SettingError::Option(_))));
    }
}
