//! [`Manifest`]: what the author says of a plugin, in the custom section `dewar:manifest` of the component.

use serde::Deserialize;

/// The name of the section.
pub const SECTION: &str = "dewar:manifest";

/// More bytes are no manifest.
const SIZE: usize = 16 << 10;

/// What the author says of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Lower-case letters, digits and `-`, beginning with a letter; at most 64.
    pub name: String,
    /// Shown, not compared.
    pub version: String,
    /// One line.
    #[serde(default)]
    pub description: String,
    /// An SPDX expression.
    #[serde(default)]
    pub license: String,
    /// What the names of the files of a `param-format` end with, such as `.yaml`. Lower case; names are compared without case.
    #[serde(default)]
    pub suffixes: Vec<String>,
    /// What it asks for.
    #[serde(default)]
    pub capabilities: Asked,
}

/// The table `[capabilities]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Child processes, through the import `dewar:plugin/process`.
    #[serde(default)]
    pub process: bool,
}

/// Why a manifest cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is too big.
    #[error("its manifest has {0} bytes; {SIZE} are allowed")]
    TooBig(usize),
    /// It is not UTF-8.
    #[error("its manifest is not UTF-8")]
    NotUtf8,
    /// It is not TOML, or lacks a key, or has one that is not known.
    #[error("its manifest cannot be read: {0}")]
    Malformed(String),
    /// A name that is none.
    #[error(
        "`{0}` in its manifest is no name: lower-case letters, digits and `-`, beginning with a letter, at most 64"
    )]
    BadName(String),
    /// A suffix that is none.
    #[error("`{0}` in its manifest is no suffix: a `.` and lower-case letters, digits, `.`, `-` or `_`, at most 32")]
    BadSuffix(String),
    /// A text that is too long or of more than one line.
    #[error("`{key}` in its manifest is longer than one line of {limit} bytes")]
    BadText {
        /// Which key.
        key: &'static str,
        /// How long it may be.
        limit: usize,
    },
    /// Too many suffixes.
    #[error("its manifest claims {0} suffixes; 32 are allowed")]
    TooManySuffixes(usize),
}

impl Manifest {
    /// Reads the content of the section.
    ///
    /// # Errors
    /// When it is not exactly what is documented here.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > SIZE {
            return Err(ManifestError::TooBig(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ManifestError::NotUtf8)?;
        let manifest: Self =
            toml::from_str(text).map_err(|error| ManifestError::Malformed(error.message().to_owned()))?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), ManifestError> {
        let starts_with_letter = self.name.starts_with(|first: char| first.is_ascii_lowercase());
        if !starts_with_letter || self.name.len() > 64 || !self.name.bytes().all(|byte| is_lower(byte) || byte == b'-')
        {
            return Err(ManifestError::BadName(crate::text::line(&self.name, 80)));
        }
        for (key, text, limit) in
            [("version", &self.version, 64), ("description", &self.description, 400), ("license", &self.license, 200)]
        {
            if text.len() > limit || text.contains(char::is_control) {
                return Err(ManifestError::BadText { key, limit });
            }
        }
        if self.suffixes.len() > 32 {
            return Err(ManifestError::TooManySuffixes(self.suffixes.len()));
        }
        match self.suffixes.iter().find(|suffix| !is_suffix(suffix)) {
            Some(bad) => Err(ManifestError::BadSuffix(crate::text::line(bad, 80))),
            None => Ok(()),
        }
    }
}

const fn is_lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn is_suffix(text: &str) -> bool {
    text.len() <= 32
        && text.strip_prefix('.').is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|byte| is_lower(byte) || matches!(byte, b'.' | b'-' | b'_'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_documented() {
        let manifest =
            Manifest::parse(b"name = \"executor-shell\"\nversion = \"1.0\"\n[capabilities]\nprocess = true\n").unwrap();
        assert_eq!(manifest.name, "executor-shell");
        assert!(manifest.capabilities.process);
        assert!(manifest.suffixes.is_empty());
    }

    #[test]
    fn refuses_everything_else() {
        let parse = |text: &str| Manifest::parse(text.as_bytes()).unwrap_err();
        assert!(matches!(parse("name = \"x\""), ManifestError::Malformed(_)));
        assert!(matches!(parse("name = \"x\"\nversion = \"1\"\nnmae = 1"), ManifestError::Malformed(_)));
        assert!(matches!(
            parse("name = \"x\"\nversion = \"1\"\n[capabilities]\nnetwork = true"),
            ManifestError::Malformed(_)
        ));
        for name in ["", "X", "1x", "../x", "a b", "a\\u001b"] {
            assert!(
                matches!(parse(&format!("name = \"{name}\"\nversion = \"1\"")), ManifestError::BadName(_)),
                "{name}"
            );
        }
        for suffix in ["yaml", ".", ".YAML", ".a/b", ".x y"] {
            let text = format!("name = \"x\"\nversion = \"1\"\nsuffixes = [\"{suffix}\"]");
            assert!(matches!(parse(&text), ManifestError::BadSuffix(_)), "{suffix}");
        }
        assert!(matches!(
            parse("name = \"x\"\nversion = \"1\"\ndescription = \"a\\nb\""),
            ManifestError::BadText { key: "description", .. }
        ));
        assert!(matches!(parse(&" ".repeat(20_000)), ManifestError::TooBig(20_000)));
        assert_eq!(Manifest::parse(&[0xff]), Err(ManifestError::NotUtf8));
    }
}
