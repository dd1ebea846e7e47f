//! [`OptionName`]: the options there are, and which values they take. Those of DVC 3.67, since DVC refuses a project whose
//! settings have others (source: `dvc/config_schema.py`). For `config`.

use std::fmt;

use super::ini::{NAMED, name_after};
use crate::cache::LinkKind;
use crate::words::most_similar;

/// `section.option`, or `remote.NAME.option`. In lower case, as DVC reads names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OptionName {
    /// As in the file: `core`, `remote "name"`.
    section: String,
    option: String,
}

/// Why there is no such option.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// It is not written as one.
    #[error("`{0}` is no name of an option")]
    Shape(String),
    /// The name of a remote that cannot be written.
    #[error("`{0}` cannot be the name of a remote: it has a quote, a bracket or a control character in it")]
    RemoteName(String),
    /// There is no such section.
    #[error("there is no section `{section}`")]
    UnknownSection {
        /// The section.
        section: String,
        /// One that was meant, perhaps.
        similar: Option<&'static str>,
    },
    /// There is no such option.
    #[error("there is no option `{name}`")]
    Unknown {
        /// The option.
        name: OptionName,
        /// One that was meant, perhaps.
        similar: Option<OptionName>,
    },
}

/// Which values an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Text,
    /// A path of this machine, or a URL. A relative one is relative to the folder of the file that it stands in.
    Path,
    Boolean,
    /// An integer, 1 or more.
    Count,
    /// Kinds of links, the first that can be made is.
    Links,
    OneOf(&'static [&'static str]),
}

use Takes::{Boolean, Count, Links, OneOf, Path, Text};

type Options = &'static [(Takes, &'static [&'static str])];

const SECTIONS: [(&str, Options); 13] = [
    (
        "core",
        &[
            (Text, &["remote", "site_cache_dir", "machine"]),
            (Count, &["checksum_jobs"]),
            (
                Boolean,
                &["interactive", "analytics", "hardlink_lock", "no_scm", "autostage", "experiments", "check_update"],
            ),
        ],
    ),
    (
        "cache",
        &[
            (Path, &["dir"]),
            (Links, &["type"]),
            (OneOf(&["group"]), &["shared"]),
            (Boolean, &["protected", "slow_link_warning", "verify"]),
            (Text, &["local", "s3", "gs", "hdfs", "webhdfs", "ssh", "azure"]),
        ],
    ),
    ("remote", REMOTE),
    ("state", &[(Text, &["dir", "row_limit", "row_cleanup_quota"])]),
    ("index", &[(Text, &["dir"])]),
    (
        "machine",
        &[
            (Path, &["startup_script", "setup_script"]),
            (
                Text,
                &[
                    "cloud",
                    "region",
                    "image",
                    "spot_price",
                    "instance_hdd_size",
                    "instance_type",
                    "instance_gpu",
                    "ssh_private",
                ],
            ),
            (Boolean, &["spot"]),
        ],
    ),
    ("feature", &[(Boolean, &["machine"])]),
    ("plots", &[(Text, &["html_template", "out_dir"]), (Boolean, &["auto_open"])]),
    (
        "exp",
        &[
            (Text, &["code", "data", "models", "metrics", "params", "plots", "live", "git_remote"]),
            (Boolean, &["auto_push"]),
        ],
    ),
    ("parsing", &[(OneOf(&["store_true", "boolean_optional"]), &["bool"]), (OneOf(&["nargs", "append"]), &["list"])]),
    ("hydra", &[(Boolean, &["enabled"]), (Text, &["config_dir", "config_module", "config_name", "plugins_path"])]),
    ("studio", &[(Text, &["token", "url", "repo_url"]), (Boolean, &["offline"])]),
    ("db", &[(Text, &["url", "username", "password"])]),
];

/// Of remotes of all kinds together.
const REMOTE: Options = &[
    (
        Path,
        &[
            "url",
            "gdrive_user_credentials_file",
            "gdrive_service_account_json_file_path",
            "credentialpath",
            "configpath",
            "keyfile",
            "cert_path",
            "key_path",
        ],
    ),
    (Count, &["checksum_jobs", "jobs"]),
    (Links, &["type"]),
    (OneOf(&["group"]), &["shared"]),
    (
        Boolean,
        &[
            "worktree",
            "no_traverse",
            "version_aware",
            "protected",
            "slow_link_warning",
            "verify",
            "ask_password",
            "listobjects",
            "use_ssl",
            "allow_anonymous_login",
            "ask_passphrase",
            "gss_auth",
            "allow_agent",
            "kerberos",
            "use_https",
            "exclude_environment_credential",
            "exclude_visual_studio_code_credential",
            "exclude_shared_token_cache_credential",
            "exclude_managed_identity_credential",
            "gdrive_use_service_account",
            "gdrive_trash_only",
            "gdrive_acknowledge_abuse",
        ],
    ),
    (
        Text,
        &[
            "access_key_id",
            "account_key",
            "account_name",
            "acl",
            "auth",
            "bearer_token_command",
            "cache_regions",
            "client_id",
            "client_secret",
            "connect_timeout",
            "connection_string",
            "connection_timeout",
            "custom_auth_header",
            "data_proxy_target",
            "endpointurl",
            "gdrive_client_id",
            "gdrive_client_secret",
            "gdrive_service_account_user_email",
            "grant_full_control",
            "grant_read",
            "grant_read_acp",
            "grant_write_acp",
            "kerb_ticket",
            "kerberos_principal",
            "max_sessions",
            "method",
            "oss_endpoint",
            "oss_key_id",
            "oss_key_secret",
            "passphrase",
            "password",
            "port",
            "profile",
            "projectname",
            "proxy_to",
            "read_timeout",
            "region",
            "replication",
            "sas_token",
            "secret_access_key",
            "session_token",
            "sse",
            "sse_customer_algorithm",
            "sse_customer_key",
            "sse_kms_key_id",
            "ssl_verify",
            "tenant_id",
            "timeout",
            "token",
            "user",
        ],
    ),
];

impl OptionName {
    /// Parses what was typed; whether there is such an option, [`Self::takes`] knows.
    ///
    /// # Errors
    /// When it is no name of an option.
    pub fn parse(typed: &str) -> Result<Self, OptionError> {
        let shape = || OptionError::Shape(typed.to_owned());
        let lower = typed.to_lowercase();
        let (section, option) = lower.rsplit_once('.').ok_or_else(shape)?;
        let named = NAMED.iter().find_map(|kind| Some((*kind, section.strip_prefix(kind)?.strip_prefix('.')?)));
        let section = match named {
            Some((_, name)) if name.contains(|c: char| "'\"[]#".contains(c) || c.is_control()) => {
                return Err(OptionError::RemoteName(name.to_owned()));
            }
            Some((kind, name)) if !name.trim().is_empty() => format!("{kind} \"{name}\""),
            None if !section.contains('.') && !NAMED.contains(&section) => section.to_owned(),
            _ => return Err(shape()),
        };
        if section.is_empty() || option.is_empty() {
            return Err(shape());
        }
        Ok(Self { section, option: option.to_owned() })
    }

    pub(super) fn new(section: &str, option: &str) -> Self {
        Self { section: section.to_owned(), option: option.to_owned() }
    }

    /// The section as in the file: `core`, `remote "name"`.
    pub(super) fn section(&self) -> &str {
        &self.section
    }

    /// The option in its section.
    pub(super) fn option(&self) -> &str {
        &self.option
    }

    /// Which remote it is of.
    #[must_use]
    pub fn remote(&self) -> Option<&str> {
        name_after(&self.section, "remote")
    }

    /// Which values it takes.
    ///
    /// # Errors
    /// When there is no such option.
    pub(super) fn takes(&self) -> Result<Takes, OptionError> {
        let kind = self.kind();
        let Some((_, options)) = SECTIONS.iter().find(|(name, _)| *name == kind) else {
            let similar = most_similar(kind, SECTIONS.map(|(name, _)| name));
            return Err(OptionError::UnknownSection { section: kind.to_owned(), similar });
        };
        let known = || options.iter().flat_map(|(takes, names)| names.iter().map(move |name| (*name, *takes)));
        known().find(|(name, _)| *name == self.option).map(|(_, takes)| takes).ok_or_else(|| {
            let similar = most_similar(&self.option, known().map(|(name, _)| name));
            OptionError::Unknown { name: self.clone(), similar: similar.map(|option| Self::new(&self.section, option)) }
        })
    }

    /// The section without the name in it: `remote`.
    fn kind(&self) -> &str {
        let named = NAMED.iter().find(|kind| name_after(&self.section, kind).is_some());
        named.copied().unwrap_or(&self.section)
    }
}

/// As it is typed.
impl fmt::Display for OptionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match name_after(&self.section, kind) {
            Some(name) => write!(f, "{kind}.{name}.{}", self.option),
            None => write!(f, "{kind}.{}", self.option),
        }
    }
}

impl Takes {
    /// Whether it takes this value (DVC's rules).
    pub(super) fn allows(self, value: &str) -> bool {
        match self {
            Text | Path => true,
            Boolean => ["true", "false"].contains(&value.to_lowercase().as_str()),
            Count => value.trim().parse().is_ok_and(|count: u64| count > 0),
            Links => value.split(',').all(|name| LinkKind::from_name(name.trim()).is_some()),
            OneOf(known) => known.contains(&value.to_lowercase().as_str()),
        }
    }
}

/// What it takes, in words.
impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Text => f.write_str("a text"),
            Path => f.write_str("a path or a URL"),
            Boolean => f.write_str("true or false"),
            Count => f.write_str("an integer, 1 or more"),
            Links => write!(f, "one or more of {}", LinkKind::NAMES.map(|(name, _)| name).join(", ")),
            OneOf([only]) => write!(f, "`{only}` alone"),
            OneOf(known) => f.write_str(&known.join(" or ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_dvc_reads_them() {
        let name = |typed| OptionName::parse(typed).map(|name| (name.section.clone(), name.to_string()));
        assert_eq!(name("Core.Remote"), Ok(("core".into(), "core.remote".into())));
        assert_eq!(name("remote.my store.URL"), Ok(("remote \"my store\"".into(), "remote.my store.url".into())));
        assert_eq!(name("remote.v1.2.url"), Ok(("remote \"v1.2\"".into(), "remote.v1.2.url".into())));
        for typed in ["", "core", ".", "core.", ".x", "a.b.c", "remote.url", "remote..url", "remote. .url"] {
            assert_eq!(name(typed), Err(OptionError::Shape(typed.into())), "{typed}");
        }
        for typed in ["remote.a\"b.url", "remote.a]b.url", "remote.it's.url", "remote.a\nb.url"] {
            assert!(matches!(name(typed), Err(OptionError::RemoteName(_))), "{typed}");
        }
    }

    #[test]
    fn what_there_is_not_is_told_with_what_was_meant() {
        let error = |typed| OptionName::parse(typed).unwrap().takes().unwrap_err();
        let OptionError::UnknownSection { similar, .. } = error("cahce.dir") else { panic!() };
        assert_eq!(similar, Some("cache"));
        let OptionError::Unknown { similar, .. } = error("remote.r.passwrod") else { panic!() };
        assert_eq!(similar.unwrap().to_string(), "remote.r.password");
        let OptionError::Unknown { similar, .. } = error("core.zzz") else { panic!() };
        assert_eq!(similar, None);
    }

    #[test]
    fn values_are_those_that_dvc_takes() {
        for (name, good, bad) in [
            ("core.autostage", &["true", "False"][..], &["yes", ""][..]),
            ("core.checksum_jobs", &["1"], &["0", "-1", "x"]),
            ("cache.type", &["reflink,copy", "symlink"], &["copy,link", ""]),
            ("cache.shared", &["group"], &["all"]),
            ("parsing.list", &["append"], &["both"]),
            ("remote.r.url", &["s3://b/p", "../x"], &[]),
        ] {
            let takes = OptionName::parse(name).unwrap().takes().unwrap();
            good.iter().for_each(|value| assert!(takes.allows(value), "{name} {value}"));
            bad.iter().for_each(|value| assert!(!takes.allows(value), "{name} {value}"));
        }
    }
}
