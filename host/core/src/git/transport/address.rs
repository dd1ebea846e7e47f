//! [`Address`]: where a git remote is, as git reads URLs.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::url::{self, FileUrlError, decoded};
use crate::words::visible;

/// Where a remote is. Shown without a password, and without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A repository on this machine or a mounted disk.
    Local(PathBuf),
    /// One that `ssh` leads to.
    Ssh(SshAddress),
    /// One that a server of HTTP has.
    Http(HttpAddress),
}

/// `ssh://[user@]host[:port]/path` or `[user@]host:path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshAddress {
    /// The host, with the user before it when one is named.
    pub destination: String,
    /// The port, when it is not the usual one.
    pub port: Option<u16>,
    /// The repository's path there.
    pub path: String,
}

/// `http[s]://[user[:password]@]host[:port]/path`.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpAddress {
    /// Whether the connection is encrypted.
    pub scheme: Scheme,
    /// The host, with the port behind it when one is named.
    pub host: String,
    /// The path, which begins with `/` and does not end with it.
    pub path: String,
    /// Who asks.
    pub user: Option<String>,
    /// What proves it.
    pub password: Option<String>,
}

/// How a server of HTTP is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Encrypted.
    Https,
}

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing that dewar speaks.
    #[error("git remotes of the kind `{kind}` are not supported")]
    Unsupported {
        /// The scheme of the URL.
        kind: String,
    },
    /// A part that a program would take for an option (CVE-2017-1000117).
    #[error("`{0}` begins with a dash, so that it would be taken for an option")]
    Option(String),
    /// A file of another machine.
    #[error("`{0}` is a file of another machine")]
    Elsewhere(String),
    /// It is cut short, or has in it what no address has.
    #[error("`{0}` is no address of a git repository")]
    Malformed(String),
}

impl Address {
    /// Reads a URL or a path; a relative path is one below `folder`.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn parse(text: &str, folder: &Path) -> Result<Self, AddressError> {
        let malformed = || AddressError::Malformed(visible(&without_password(text)));
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(malformed());
        }
        let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
            return Self::without_scheme(text, folder);
        };
        match scheme.to_ascii_lowercase().as_str() {
            "file" => match url::file_path(rest) {
                Ok(path) => Ok(Self::Local(path)),
                Err(FileUrlError::Elsewhere { .. }) => Err(AddressError::Elsewhere(visible(&without_password(text)))),
                Err(FileUrlError::Malformed) => Err(malformed()),
            },
            "ssh" | "git+ssh" | "ssh+git" => {
                let (authority, path) = rest.split_once('/').ok_or_else(malformed)?;
                let (destination, port) = split_port(authority).ok_or_else(malformed)?;
                let path = decoded(path).ok_or_else(malformed)?;
                // `/~user/..` is relative to a home, as is `/~/..`.
                let path = if path.starts_with('~') { path } else { format!("/{path}") };
                Self::ssh(&decoded(&destination).ok_or_else(malformed)?, port, path)
            }
            "http" => Ok(Self::Http(HttpAddress::parse(Scheme::Http, rest).ok_or_else(malformed)?)),
            "https" => Ok(Self::Http(HttpAddress::parse(Scheme::Https, rest).ok_or_else(malformed)?)),
            kind => Err(AddressError::Unsupported { kind: kind.to_owned() }),
        }
    }

    /// A path, or `[user@]host:path`: where a colon stands before the first slash.
    fn without_scheme(text: &str, folder: &Path) -> Result<Self, AddressError> {
        if let Some((kind, _)) = text.split_once("::").filter(|(kind, _)| is_scheme(kind)) {
            return Err(AddressError::Unsupported { kind: kind.to_owned() });
        }
        // `[user@host:port]:path`, or an address of IPv6, with the user before the brackets or in them.
        let in_brackets = || {
            let (before, rest) =
                text.split_once('[').filter(|(before, _)| before.is_empty() || before.ends_with('@'))?;
            let (inside, path) = rest.split_once("]:").filter(|_| !before.contains(['/', ':']))?;
            Some((before, inside, path))
        };
        if let Some((before, inside, path)) = in_brackets() {
            let (host, port) = match inside.split_once(':') {
                Some((host, port)) if !port.contains(':') => (host, port.parse().ok()),
                _ => (inside, None),
            };
            return Self::ssh(&format!("{before}{host}"), port, path.to_owned());
        }
        match text.split_once(':') {
            Some((destination, path)) if !destination.contains('/') => Self::ssh(destination, None, path.to_owned()),
            _ => Ok(Self::Local(folder.join(text))),
        }
    }

    /// Of `[user@]host`, whose host may stand in brackets: what `ssh` gets to see has none.
    fn ssh(destination: &str, port: Option<u16>, path: String) -> Result<Self, AddressError> {
        let (user, host) = match destination.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, destination),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let destination = user.map_or_else(|| host.to_owned(), |user| format!("{user}@{host}"));
        for part in [&destination, host, &path] {
            if part.starts_with('-') {
                return Err(AddressError::Option(visible(part)));
            }
        }
        // What OpenSSH refuses, too: settings of ssh may put it into commands of a shell (CVE-2023-51385).
        let is_bad = |c: char| c.is_whitespace() || c.is_control() || "'`\"$;&<>|(){}[]".contains(c);
        if host.is_empty() || path.is_empty() || destination.contains(is_bad) || host.contains('\\') {
            return Err(AddressError::Malformed(visible(&format!("{destination}:{path}"))));
        }
        Ok(Self::Ssh(SshAddress { destination, port, path }))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => f.write_str(&visible(&path.display().to_string())),
            Self::Ssh(SshAddress { destination, port: None, path }) => {
                f.write_str(&visible(&format!("{destination}:{path}")))
            }
            Self::Ssh(SshAddress { destination, port: Some(port), path }) => {
                f.write_str(&visible(&format!("ssh://{destination}:{port}{path}")))
            }
            Self::Http(address) => address.fmt(f),
        }
    }
}

impl HttpAddress {
    /// What stands behind `://`.
    pub(super) fn parse(scheme: Scheme, rest: &str) -> Option<Self> {
        Self::pattern(scheme, rest).filter(|address| !address.host.contains('*'))
    }

    /// What stands behind `://` in settings for several hosts: `*` is any one label.
    pub(super) fn pattern(scheme: Scheme, rest: &str) -> Option<Self> {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]*".contains(&byte) || byte >= 0x80;
        if host.is_empty() || !host.bytes().all(is_host) || path.contains(char::is_whitespace) {
            return None;
        }
        let (user, password) = match user.map(|user| user.split_once(':').unwrap_or((user, ""))) {
            None => (None, None),
            Some((user, password)) => (Some(decoded(user)?), Some(decoded(password)?)),
        };
        let path = path.trim_end_matches('/');
        let path = if path.is_empty() { String::new() } else { format!("/{path}") };
        let given = |text: &String| !text.is_empty();
        let host = host.to_ascii_lowercase();
        Some(Self { scheme, host, path, user: user.filter(given), password: password.filter(given) })
    }

    /// The host, and the port, also where it is the usual one.
    pub(super) fn host_and_port(&self) -> (&str, &str) {
        let usual = match self.scheme {
            Scheme::Http => "80",
            Scheme::Https => "443",
        };
        let named = self.host.rsplit_once(':').filter(|(_, port)| !port.contains(']'));
        named.map_or((self.host.as_str(), usual), |(host, port)| (host, if port.is_empty() { usual } else { port }))
    }

    /// Whether it is the same server, spoken to in the same way.
    pub(super) fn is_same_server(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.host_and_port() == other.host_and_port()
    }

    /// Where a redirection leads that was sent from here, without user and password of its own. None for what is no address, and
    /// for one in the clear where this one is not.
    pub(super) fn redirected(&self, location: &str) -> Option<Self> {
        let location = location.split('#').next().unwrap_or_default();
        let absolute = location.split_once("://").filter(|(scheme, _)| is_scheme(scheme));
        let to = match absolute {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => Self::parse(Scheme::Https, rest)?,
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => Self::parse(Scheme::Http, rest)?,
            Some(_) => return None,
            None => match location.strip_prefix("//") {
                Some(rest) => Self::parse(self.scheme, rest)?,
                None if location.starts_with('/') => Self::parse(self.scheme, &format!("{}{location}", self.host))?,
                None => {
                    let path = self.path.split('?').next().unwrap_or_default();
                    let (folder, _) = path.rsplit_once('/').unwrap_or_default();
                    Self::parse(self.scheme, &format!("{}{folder}/{location}", self.host))?
                }
            },
        };
        // What is written for one server is not for another.
        let (user, password) = match self.is_same_server(&to) {
            true => (self.user.clone(), self.password.clone()),
            false => (None, None),
        };
        (to.scheme == Scheme::Https || self.scheme == Scheme::Http).then_some(Self { user, password, ..to })
    }

    /// The URL without user and password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.scheme.as_str(), self.host, self.path)
    }
}

impl Scheme {
    /// As URLs have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl fmt::Display for HttpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible(&self.url()))
    }
}

impl fmt::Debug for HttpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpAddress({self})")
    }
}

/// RFC 3986.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// `host:port`; IPv6 stands in brackets.
fn split_port(authority: &str) -> Option<(String, Option<u16>)> {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            let port = if port.is_empty() { None } else { Some(port.parse().ok()?) };
            Some((host.to_owned(), port))
        }
        _ => Some((authority.to_owned(), None)),
    }
}

/// A URL whose password must not be shown.
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (authority, path) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len())).unwrap_or((rest, ""));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{host}{path}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Address, AddressError> {
        Address::parse(text, Path::new("/here"))
    }

    fn ssh(destination: &str, port: Option<u16>, path: &str) -> Address {
        Address::Ssh(SshAddress { destination: destination.into(), port, path: path.into() })
    }

    #[test]
    fn addresses_are_read_as_git_reads_them() {
        let local = |path: &str| Address::Local(path.into());
        for (text, expected) in [
            ("../bare.git", local("/here/../bare.git")),
            ("/a b/c", local("/a b/c")),
            ("./a:b", local("/here/./a:b")),
            ("file:///a%20b", local("/a b")),
            ("file://localhost/a", local("/a")),
            ("host:path/to", ssh("host", None, "path/to")),
            ("git@host:a.git", ssh("git@host", None, "a.git")),
            ("[host:2222]:a.git", ssh("host", Some(2222), "a.git")),
            ("[::1]:a.git", ssh("::1", None, "a.git")),
            ("me@[::1]:a.git", ssh("me@::1", None, "a.git")),
            ("[me@host:22]:a.git", ssh("me@host", Some(22), "a.git")),
            ("ssh://git@host/a%20b.git", ssh("git@host", None, "/a b.git")),
            ("ssh://host:22/~me/a", ssh("host", Some(22), "~me/a")),
            ("ssh://[::1]:22/a", ssh("::1", Some(22), "/a")),
            ("git+ssh://host/a", ssh("host", None, "/a")),
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
        let Address::Http(http) = parse("https://me:p%40ss@Host:8443/team/a.git/").unwrap() else { panic!() };
        assert_eq!((http.host.as_str(), http.path.as_str()), ("host:8443", "/team/a.git"));
        assert_eq!((http.user.as_deref(), http.password.as_deref()), (Some("me"), Some("p@ss")));
    }

    #[test]
    fn what_would_be_an_option_is_refused() {
        for text in [
            "ssh://-oProxyCommand=touch x/a",
            "-oProxyCommand=x:a",
            "me@-host:a",
            "host:-x",
            "ssh://%2doption/a",
            "ssh://[-oProxyCommand=touch x]/a",
            "ssh://%5b-oProxyCommand=x%5d/a",
            "ssh://me@[-host]:22/a",
            "[-oProxyCommand=x]:a",
            "[-oProxyCommand=x:22]:a",
            "me@[-host]:a",
        ] {
            assert!(matches!(parse(text), Err(AddressError::Option(_))), "{text}");
        }
        // Brackets that are not around a host are none of an address.
        for text in
            ["[-oProxyCommand=x]y:path", "ssh://[-oProxyCommand=x]y/a", "ssh://a[b]/c", "ssh://[[::1]]/a", "[a:b"]
        {
            assert!(matches!(parse(text), Err(AddressError::Malformed(_))), "{text}");
        }
        assert!(parse("host:./-x").is_ok());
    }

    #[test]
    fn a_host_is_nothing_for_a_shell() {
        for text in ["$(touch x)@host:a", "ssh://a b/c", "`id`:a", "ho;st:a", "me@a|b:c", "ssh://a%26b/c", "a\\b:c"] {
            assert!(matches!(parse(text), Err(AddressError::Malformed(_))), "{text}");
        }
        assert_eq!(parse("DOMAIN\\me@host:a").unwrap(), ssh("DOMAIN\\me@host", None, "a"));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in
            ["", "ssh://host", "ssh:///a", "host:", "a\nb", "ssh://host/%0a", "https://", "https://ho st/a", "file://x"]
        {
            assert!(matches!(parse(text), Err(AddressError::Malformed(_))), "{text}");
        }
        for text in ["file://host/a", "file://../a", "file://user:secret@host/a"] {
            assert!(matches!(parse(text), Err(AddressError::Elsewhere(_))), "{text}");
        }
        for text in ["ext::sh -c touch", "git://host/a", "s3://bucket", "fd::17"] {
            assert!(matches!(parse(text), Err(AddressError::Unsupported { .. })), "{text}");
        }
    }

    #[test]
    fn nobody_sees_a_password() {
        let address = parse("https://me:secret@host/a").unwrap();
        let malformed = parse("https://me:secret@ho st/a").unwrap_err();
        for shown in [address.to_string(), format!("{address:?}"), malformed.to_string(), format!("{malformed:?}")] {
            assert!(!shown.contains("secret"), "{shown}");
            assert!(shown.contains("host") || shown.contains("ho st"), "{shown}");
        }
    }

    #[test]
    fn redirections_lead_from_where_they_were_sent() {
        let Address::Http(from) = parse("https://me:secret@host/a/info/refs?service=x/y").unwrap() else { panic!() };
        let to = |location: &str| from.redirected(location).map(|to| (to.url(), to.password));
        let secret = || Some("secret".to_owned());
        for (location, url, password) in [
            ("https://host:443/b?c", "https://host:443/b?c", secret()),
            ("HTTPS://other/b#c", "https://other/b", None),
            ("https://you:mine@other/b", "https://other/b", None),
            ("//other/b", "https://other/b", None),
            ("/b://c", "https://host/b://c", secret()),
            ("b", "https://host/a/info/b", secret()),
        ] {
            assert_eq!(to(location), Some((url.to_owned(), password)), "{location}");
        }
        for location in ["http://host/b", "ftp://host/b", "https://", "https://ho st/b", "https://*.host/"] {
            assert_eq!(to(location), None, "{location}");
        }
        let Address::Http(clear) = parse("http://host/a").unwrap() else { panic!() };
        assert!(clear.redirected("https://host/a").is_some() && clear.redirected("http://other/a").is_some());
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_a_panic(text in "\\PC{0,24}|[a-z@:/%\\[\\]\\-]{0,16}") {
            let _any = parse(&text);
        }
    }
}
