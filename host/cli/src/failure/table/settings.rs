//! Settings: what is asked of them, and changes to them.

use dewar_core::config::options::OptionError;
use dewar_core::config::settings::{Level, SettingError};
use dewar_core::words::{did_you_mean, most_similar};

use super::super::{Failure, IntoFailure, Kind};

/// Which remotes there are, for one who named another.
pub(super) fn of_known_remotes(name: &str, known: &[String]) -> String {
    match most_similar(name, known.iter().map(String::as_str)) {
        Some(similar) => did_you_mean(similar),
        None if known.is_empty() => "`dewar remote add NAME FOLDER` makes one".to_owned(),
        None => format!("there is {}", known.join(", ")),
    }
}

impl From<SettingError> for Failure {
    fn from(error: SettingError) -> Self {
        match error {
            SettingError::Config(error) => error.into(),
            SettingError::File(error) => error.into(),
            SettingError::Option(error) => error.into(),
            SettingError::NoPlace(Level::Global) => {
                error.into_failure(Kind::Repository).hint("set `HOME` or `DVC_GLOBAL_CONFIG_DIR`")
            }
            SettingError::NotSet { .. } => error
                .into_failure(Kind::Repository)
                .hint("`dewar config --list --show-origin` says what is set, and where"),
            SettingError::NoUrl(ref remote) => {
                let hint = format!(
                    "DVC refuses a remote with options and no URL: set `remote.{remote}.url` first, and take it away last"
                );
                error.into_failure(Kind::Usage).hint(hint)
            }
            SettingError::NoRemote { ref name, ref known, .. } => {
                let hint = of_known_remotes(name, known);
                error.into_failure(Kind::Usage).hint(hint)
            }
            SettingError::RemoteExists { .. } => {
                error.into_failure(Kind::Usage).hint("choose another name; `dewar remote add --force` replaces it")
            }
            SettingError::NoPlace(_) => error.into_failure(Kind::Repository),
            SettingError::Value { .. } | SettingError::Unwritable(_) => error.into_failure(Kind::Usage),
        }
    }
}

impl From<OptionError> for Failure {
    fn from(error: OptionError) -> Self {
        let hint = match &error {
            OptionError::Shape(_) => {
                Some("it is `SECTION.OPTION` or `remote.NAME.OPTION`, such as `cache.type`".to_owned())
            }
            OptionError::UnknownSection { similar, .. } => similar.map(did_you_mean),
            OptionError::Unknown { similar, .. } => similar.as_ref().map(|similar| did_you_mean(&similar.to_string())),
            OptionError::RemoteName(_) => None,
        };
        let failure = error.into_failure(Kind::Usage);
        hint.map_or_else(|| failure.clone(), |hint| failure.clone().hint(hint))
    }
}
