//! Settings: what of `.dvc/config` matters here, and `dewar.toml` at the root of the project.
//!
//! `.dvc/config` is DVC's, as are `.dvc/config.local` over it and the files for a user and a machine below it ([`settings`]).
//! What is dewar's own stands in `dewar.toml`, since DVC refuses settings it does not know.

mod ini;
pub mod options;
pub mod remotes;
pub mod settings;

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use dewar_text::{Diagnostic, Span, Value};

use self::ini::Sections;
use self::options::{OptionName, Takes};
use self::settings::{Level, OutsideFiles, Settings};
use crate::digest::Algorithm;
use crate::fs::{self, FsError};
use crate::path::RepoPath;
use crate::pipeline::PolicyUse;
use crate::resources::{self, Amounts};
use crate::source::{Source, SourceError};

/// The file of dewar's own settings.
pub const OWN_FILE: &str = "dewar.toml";
/// The settings of the project.
pub const PROJECT_FILE: &str = ".dvc/config";
/// The settings of this machine alone, over `.dvc/config`. Git ignores it.
pub const LOCAL_FILE: &str = ".dvc/config.local";

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FsError),
    /// A file is invalid.
    #[error(transparent)]
    Source(#[from] Box<SourceError>),
    /// A file outside of the project is invalid.
    #[error(transparent)]
    Outside(#[from] Box<OutsideError>),
}

/// A file of settings outside of the project that cannot be used as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .diagnostic.message)]
pub struct OutsideError {
    /// The file.
    pub file: PathBuf,
    /// Its text when it was read.
    pub text: Arc<[u8]>,
    /// What is wrong with it.
    pub diagnostic: Diagnostic,
}

/// The settings of a project.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// `.dvc/config` and the like: a section (`core`, `cache`, `remote "name"`) and its options. A relative path is relative to
    /// `.dvc`.
    pub dvc: BTreeMap<String, BTreeMap<String, String>>,
    /// `dewar.toml`.
    pub own: OwnConfig,
}

/// `dewar.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct OwnConfig {
    /// What names contents; by default what the locks use, else BLAKE3.
    pub hash: Option<HashName>,
    /// How many stages may run at once; by default one.
    pub jobs: Option<NonZeroUsize>,
    /// The queue of experiments.
    pub queue: QueueConfig,
    /// Checkpoints of stages.
    pub checkpoint: CheckpointConfig,
    /// Git repositories that experiments are shared through.
    pub git: GitConfig,
    /// Plugins that may do more than compute, by name.
    pub plugins: BTreeMap<String, PluginGrant>,
    /// What of this machine stages may hold at once, by name.
    #[serde(deserialize_with = "resources::from_settings")]
    pub resources: Amounts,
}

/// `[queue]` of `dewar.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct QueueConfig {
    /// What becomes of an experiment whose process was killed, or whose machine stopped.
    pub lost: OnLost,
}

/// `[git]` of `dewar.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct GitConfig {
    /// For how many seconds nothing may come from a git remote, before it is given up; by default five minutes.
    pub timeout: Option<NonZeroU32>,
}

impl GitConfig {
    /// How long nothing may come from a git remote. Git's own servers say something every five seconds.
    #[must_use]
    pub fn patience(self) -> Duration {
        Duration::from_secs(self.timeout.map_or(300, |seconds| seconds.get().into()))
    }
}

/// `[checkpoint]` of `dewar.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct CheckpointConfig {
    /// What decides on the checkpoints of stages that say nothing of it, in sequence.
    pub policy: PolicyConfig,
}

/// Checkpoint policies in settings: a name, a table of names with options, or a list of these.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a policy is a name, a table of names with options, or a list of these")]
pub enum PolicyConfig {
    /// A name.
    Name(String),
    /// Names with options. TOML knows no order of several names in one table: they come by the alphabet.
    Table(serde_json::Map<String, serde_json::Value>),
    /// Several.
    List(Vec<Self>),
}

impl Default for PolicyConfig {
    /// None: every checkpoint is recorded.
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl PolicyConfig {
    /// The policies, in sequence.
    #[must_use]
    pub fn uses(&self) -> Vec<PolicyUse> {
        match self {
            Self::Name(name) => vec![PolicyUse { name: name.clone(), options: Value::Null }],
            Self::Table(table) => {
                let one = |(name, options): (&String, _)| PolicyUse { name: name.clone(), options: value(options) };
                table.iter().map(one).collect()
            }
            Self::List(list) => list.iter().flat_map(Self::uses).collect(),
        }
    }
}

fn value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Value::Int(number),
            (None, Some(number)) => Value::Float(number),
            (None, None) => Value::Literal(number.to_string()),
        },
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Array(items) => Value::List(items.iter().map(value).collect()),
        serde_json::Value::Object(map) => {
            Value::Map(map.iter().map(|(key, json)| (key.clone(), value(json))).collect())
        }
    }
}

/// What becomes of an experiment whose process ended without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnLost {
    /// It is queued again, unless it was lost three times.
    #[default]
    Retry,
    /// It is failed.
    Fail,
}

/// The name of an algorithm in settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HashName {
    /// BLAKE3.
    Blake3,
    /// MD5, as DVC 3.
    Md5,
}

/// What a plugin may do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PluginGrant {
    /// BLAKE3 of the component that is meant, in hexadecimal.
    pub blake3: String,
    /// The capabilities it has, such as `process`.
    #[serde(default)]
    pub grants: Vec<String>,
}

impl Config {
    /// Reads the settings of the project at `root`, over those in `outside`.
    ///
    /// # Errors
    /// When a file cannot be read or is invalid.
    pub fn load(root: &Path, outside: &OutsideFiles) -> Result<Self, ConfigError> {
        let settings = Settings::new(Some(root.to_owned()), outside.clone());
        let mut dvc = Sections::new();
        for level in Level::ALL {
            for (section, options) in settings.read(level)? {
                dvc.entry(section).or_default().extend(options);
            }
        }
        let own = match source(root, OWN_FILE)? {
            Some(source) => read_own(&source)?,
            None => OwnConfig::default(),
        };
        Ok(Self { dvc, own })
    }

    /// An option of `.dvc/config`.
    #[must_use]
    pub fn dvc(&self, section: &str, option: &str) -> Option<&str> {
        self.dvc.get(section)?.get(option).map(String::as_str)
    }

    /// The folder of the cache: `cache.dir`, which is relative to `.dvc`, else `.dvc/cache`.
    #[must_use]
    pub fn cache_dir(&self, root: &Path) -> PathBuf {
        root.join(".dvc").join(self.dvc("cache", "dir").unwrap_or("cache"))
    }

    /// A `.dvc/config.local` with which a copy of the project in another folder has the settings of the one at `root`: the
    /// local ones as they are, and over them every path that is relative to `.dvc`, made absolute.
    ///
    /// # Errors
    /// When the local settings cannot be read.
    pub fn local_text_elsewhere(&self, root: &Path) -> Result<String, ConfigError> {
        let settings = Settings::new(Some(root.to_owned()), OutsideFiles::default());
        let mut text = settings.text(Level::Local)?.unwrap_or_else(|| Arc::from("")).to_string();
        let cache = OptionName::new("cache", "dir");
        let mut absolute = vec![(cache, self.cache_dir(root))];
        for (section, options) in &self.dvc {
            for (option, value) in options.iter().filter(|(_, value)| settings::is_relative(value)) {
                let name = OptionName::new(section, option);
                if name.remote().is_some() && name.takes() == Ok(Takes::Path) {
                    absolute.push((name, root.join(".dvc").join(value)));
                }
            }
        }
        for (name, path) in absolute {
            let value = ini::quoted(&path.display().to_string()).ok_or_else(|| {
                FsError::new("name in settings", path)(std::io::Error::other(
                    "it has a character that they cannot hold",
                ))
            })?;
            let invalid =
                |error| Source::new(RepoPath::parse(LOCAL_FILE).unwrap_or_default(), text.as_bytes()).error(error);
            text = ini::with(&text, name.section(), name.option(), &value).map_err(invalid)?;
        }
        Ok(text)
    }

    /// The algorithm that new contents are named with.
    #[must_use]
    pub fn algorithm(&self, in_use: Option<Algorithm>) -> Algorithm {
        match self.own.hash {
            Some(HashName::Blake3) => Algorithm::Blake3,
            Some(HashName::Md5) => Algorithm::Md5,
            None => in_use.unwrap_or(Algorithm::Blake3),
        }
    }
}

fn source(root: &Path, name: &str) -> Result<Option<Source>, ConfigError> {
    let text = fs::read_optional(&root.join(name))?;
    Ok(text.map(|text| Source::new(RepoPath::parse(name).unwrap_or_default(), text)))
}

fn read_own(source: &Source) -> Result<OwnConfig, Box<SourceError>> {
    let text = std::str::from_utf8(&source.text).map_err(|error| {
        source.error_at("not-utf8", "it is not UTF-8", Span::new(error.valid_up_to(), error.valid_up_to()))
    })?;
    toml::from_str(text).map_err(|error| {
        let diagnostic = Diagnostic::error("bad-setting", error.message().to_owned());
        source.error(match error.span() {
            Some(span) => diagnostic.at(Span::new(span.start, span.end)),
            None => diagnostic,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(root: &Path) -> Result<Config, ConfigError> {
        Config::load(root, &OutsideFiles::default())
    }

    #[test]
    fn reads_what_dvc_writes_and_its_own() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(".dvc")).unwrap();
        std::fs::write(
            dir.path().join(".dvc/config"),
            "[core]\n    remote = storage\n    autostage = true\n['remote \"storage\"']\n    url = https://x/y\n",
        )
        .unwrap();
        std::fs::write(dir.path().join(".dvc/config.local"), "[cache]\n    dir = ../shared\n").unwrap();
        std::fs::write(
            dir.path().join("dewar.toml"),
            "hash = \"md5\"\njobs = 4\n[resources]\ngpu = 2\nmemory = \"64GiB\"\n[plugins.x]\nblake3 = \"00\"\ngrants = [\"process\"]\n",
        )
        .unwrap();
        let config = load(dir.path()).unwrap();
        assert_eq!(config.dvc("core", "autostage"), Some("true"));
        assert_eq!(config.dvc("remote \"storage\"", "url"), Some("https://x/y"));
        assert_eq!(config.algorithm(Some(Algorithm::Blake3)), Algorithm::Md5);
        assert_eq!(config.own.jobs, NonZeroUsize::new(4));
        assert_eq!(config.own.resources.to_string(), "gpu: 2, memory: 64GiB");
        assert_eq!(config.own.plugins["x"].grants, ["process"]);
    }

    #[test]
    fn policies_keep_their_sequence() {
        let dir = tempfile::tempdir().unwrap();
        let policies = |text: &str| {
            std::fs::write(dir.path().join("dewar.toml"), text).unwrap();
            let uses = load(dir.path()).unwrap().own.checkpoint.policy.uses();
            uses.into_iter().map(|one| (one.name, format!("{:?}", one.options))).collect::<Vec<_>>()
        };
        assert_eq!(policies(""), []);
        let every = ("every".to_owned(), "Null".to_owned());
        assert_eq!(policies("[checkpoint]\npolicy = 'every'\n"), std::slice::from_ref(&every));
        let listed = policies(
            "[checkpoint]\npolicy = ['every', { stop-early = { min-delta = 0.5 } }, { best = { keep = 2 } }]\n",
        );
        let names: Vec<&str> = listed.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["every", "stop-early", "best"]);
        assert!(listed[1].1.contains("Float(0.5)") && listed[2].1.contains("Int(2)"), "{listed:?}");
        std::fs::write(dir.path().join("dewar.toml"), "[checkpoint]\npolicy = 1\n").unwrap();
        let Err(ConfigError::Source(error)) = load(dir.path()) else { panic!() };
        assert!(error.to_string().contains("a policy is a name"), "{error}");
    }

    #[test]
    fn elsewhere_the_settings_mean_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let (here, there) = (dir.path().join("here"), dir.path().join("there"));
        for root in [&here, &there] {
            std::fs::create_dir_all(root.join(".dvc")).unwrap();
            std::fs::write(
                root.join(".dvc/config"),
                "[core]\nremote = a\n['remote \"a\"']\nurl = ../../a, b\n['remote \"s\"']\nurl = ssh://h/p\n",
            )
            .unwrap();
        }
        let local =
            "# mine\n['remote \"s\"']\n    keyfile = key\n    user = ada\n[cache]\n    dir = ../c\n    type = copy\n";
        std::fs::write(here.join(LOCAL_FILE), local).unwrap();
        let config = load(&here).unwrap();
        let text = config.local_text_elsewhere(&here).unwrap();
        std::fs::write(there.join(LOCAL_FILE), &text).unwrap();
        let found = load(&there).unwrap();
        assert_eq!(found.cache_dir(&there), config.cache_dir(&here));
        assert_eq!(found.dvc("remote \"a\"", "url").unwrap(), here.join(".dvc/../../a, b").to_str().unwrap());
        assert_eq!(found.dvc("remote \"s\"", "url"), Some("ssh://h/p"));
        assert_eq!(found.dvc("remote \"s\"", "keyfile").unwrap(), here.join(".dvc/key").to_str().unwrap());
        assert_eq!((found.dvc("remote \"s\"", "user"), found.dvc("cache", "type")), (Some("ada"), Some("copy")));
        assert_eq!(text.matches("[cache]").count(), 1, "{text}");
        assert!(text.starts_with("# mine\n"), "{text}");
    }

    #[test]
    fn a_wrong_setting_has_its_place() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("dewar.toml"), "hash = \"md5\"\nhsah = 1\n").unwrap();
        let Err(ConfigError::Source(error)) = load(dir.path()) else { panic!() };
        assert_eq!(error.diagnostics[0].span.unwrap().start, 13);
        for (value, told) in [
            ("-1", "less than nothing"),
            ("\"8G\"", "no unit"),
            ("1.5", "an integer, such as 2"),
            ("[1]", "an integer"),
        ] {
            std::fs::write(dir.path().join("dewar.toml"), format!("[resources]\nmemory = {value}\n")).unwrap();
            let Err(ConfigError::Source(error)) = load(dir.path()) else { panic!("{value}") };
            assert!(error.to_string().contains(told), "{error}");
            assert_eq!(error.diagnostics[0].span.unwrap().start, 21, "{value}");
        }
    }
}
