//! [`HttpSettings`]: what git's settings and the environment say of HTTP (`http.*`, `http.<url>.*` of git-config(1)).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Proxy, ProxyProtocol};

use super::address::{HttpAddress, Scheme};
use super::{Surroundings, TransportError, Verify};
use crate::fs;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(30);

/// All that git's settings and the environment say, of whichever server.
struct Rules {
    /// The settings `http.*`: the URL that they are for, the key and the value.
    settings: Vec<(Option<String>, String, String)>,
    around: Surroundings,
    folder: PathBuf,
}

/// How a server is asked.
#[derive(Clone)]
pub(super) struct HttpSettings {
    /// The repository.
    pub(super) address: HttpAddress,
    /// What stands in each request.
    pub(super) headers: Vec<(String, String)>,
    /// Which redirections are followed.
    pub(super) follow: Follow,
    /// How long nothing may move.
    pub(super) patience: Duration,
    /// Where git is asked for credentials.
    pub(super) folder: PathBuf,
    proxy: Option<Proxy>,
    verify: Verify,
    roots: RootCerts,
    rules: Arc<Rules>,
}

/// Which redirections are followed (`http.followRedirects`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    /// That of the first request, and what follows goes where it led.
    Initial,
    /// None.
    None,
}

impl HttpSettings {
    /// Reads them.
    pub(super) fn new(
        address: &HttpAddress,
        settings: &git2::Config,
        around: &Surroundings,
        folder: &Path,
    ) -> Result<Self, TransportError> {
        let rules = Rules { settings: entries(settings), around: around.clone(), folder: folder.to_owned() };
        Self::of(Arc::new(rules), address)
    }

    /// How another server is asked.
    pub(super) fn at(&self, address: &HttpAddress) -> Result<Self, TransportError> {
        Self::of(Arc::clone(&self.rules), address)
    }

    fn of(rules: Arc<Rules>, address: &HttpAddress) -> Result<Self, TransportError> {
        let Rules { settings, around, folder } = &*rules;
        let settings = Values::of(settings, address);
        let is_false =
            |key: &str| settings.last(key).is_some_and(|text| git2::Config::parse_bool(text).ok() == Some(false));
        let verify = if is_false("sslverify") { Verify::No } else { around.verify };
        let ca_file = around.ca_file.clone().or_else(|| settings.last("sslcainfo").map(str::to_owned));
        let roots = match ca_file.filter(|file| !file.is_empty()) {
            Some(file) => roots(&file, folder)?,
            None => RootCerts::PlatformVerifier,
        };
        Ok(Self {
            address: address.clone(),
            headers: headers(&settings)?,
            follow: if is_false("followredirects") { Follow::None } else { Follow::Initial },
            patience: around.patience,
            folder: folder.clone(),
            proxy: proxy(settings.last("proxy"), address, around)?,
            verify,
            roots,
            rules,
        })
    }

    /// What makes the connections.
    pub(super) fn agent(&self) -> ureq::Agent {
        let tls =
            TlsConfig::builder().root_certs(self.roots.clone()).disable_verification(self.verify == Verify::No).build();
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .tls_config(tls)
            .proxy(self.proxy.clone())
            // Some servers look for git in it.
            .user_agent(concat!("git/2.0 (dewar ", env!("CARGO_PKG_VERSION"), ")"))
            .timeout_resolve(Some(CONNECT.min(self.patience)))
            .timeout_connect(Some(CONNECT.min(self.patience)))
            .timeout_per_read(Some(self.patience))
            .timeout_per_write(Some(self.patience))
            .build();
        config.into()
    }
}

/// The settings `http.*`.
fn entries(settings: &git2::Config) -> Vec<(Option<String>, String, String)> {
    let mut found = Vec::new();
    if let Ok(mut entries) = settings.entries(Some("^http\\.")) {
        while let Some(Ok(entry)) = entries.next() {
            let (Ok(name), Ok(value)) = (entry.name(), entry.value()) else { continue };
            let Some(name) = name.strip_prefix("http.") else { continue };
            found.push(match name.rsplit_once('.') {
                None => (None, name.to_owned(), value.to_owned()),
                Some((url, key)) => (Some(url.to_owned()), key.to_owned(), value.to_owned()),
            });
        }
    }
    found
}

/// The settings `http.*` that hold for an address, the most particular last.
struct Values(Vec<(String, String)>);

impl Values {
    fn of(settings: &[(Option<String>, String, String)], address: &HttpAddress) -> Self {
        let mut found = Vec::new();
        for (url, key, value) in settings {
            let weight = match url {
                None => Some(Weight::default()),
                Some(url) => weight(url, address),
            };
            found.extend(weight.map(|weight| (weight, key.clone(), value.clone())));
        }
        found.sort_by_key(|(weight, _, _)| *weight);
        Self(found.into_iter().map(|(_, key, value)| (key, value)).collect())
    }

    fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    fn last<'a>(&'a self, key: &'a str) -> Option<&'a str> {
        self.all(key).last()
    }
}

/// How particular settings are, as git-config(1) has it: how long their host is, then their path, then whether they name a user.
type Weight = (usize, usize, bool);

/// How particular settings for `url` are; none when they are not for this address.
fn weight(url: &str, address: &HttpAddress) -> Option<Weight> {
    let (scheme, rest) = url.split_once("://")?;
    if !scheme.eq_ignore_ascii_case(address.scheme.as_str()) {
        return None;
    }
    let pattern = HttpAddress::pattern(address.scheme, rest)?;
    let is_below =
        address.path.strip_prefix(pattern.path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let is_user = pattern.user.is_none() || pattern.user == address.user;
    let is_host = matches(pattern.host_and_port(), address.host_and_port());
    let (host, _) = pattern.host_and_port();
    (is_below && is_user && is_host).then(|| (host.len(), pattern.path.len(), pattern.user.is_some()))
}

/// Whether a host is one that a pattern is for: `*` is any one label of it.
fn matches((pattern, pattern_port): (&str, &str), (host, port): (&str, &str)) -> bool {
    let mut labels = pattern.split('.').zip(host.split('.'));
    pattern_port == port
        && pattern.split('.').count() == host.split('.').count()
        && labels.all(|(pattern, label)| pattern == "*" || pattern == label)
}

/// `http.extraHeader`; an empty one takes back those before.
fn headers(settings: &Values) -> Result<Vec<(String, String)>, TransportError> {
    let mut headers = Vec::new();
    for header in settings.all("extraheader") {
        if header.is_empty() {
            headers.clear();
            continue;
        }
        let (name, value) = header.split_once(':').ok_or(TransportError::BadHeader)?;
        let is_good = ureq::http::HeaderName::from_bytes(name.as_bytes()).is_ok()
            && ureq::http::HeaderValue::from_str(value.trim()).is_ok();
        if !is_good {
            return Err(TransportError::BadHeader);
        }
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    Ok(headers)
}

/// The proxy for an address: that of git's settings (none when it is empty there), else that of the environment.
fn proxy(setting: Option<&str>, address: &HttpAddress, around: &Surroundings) -> Result<Option<Proxy>, TransportError> {
    const SETTING: &str = "http.proxy";
    let of_environment = || {
        let (name, own) = match address.scheme {
            Scheme::Http => ("http_proxy", &around.http_proxy),
            Scheme::Https => ("https_proxy", &around.https_proxy),
        };
        let set = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        set(own).map(|text| (name, text)).or_else(|| Some(("all_proxy", set(&around.all_proxy)?)))
    };
    let found = match setting {
        Some("") => None,
        Some(text) => Some((SETTING, text.to_owned())),
        None => of_environment(),
    };
    match found {
        Some((name, text)) if name == SETTING || !is_excepted(address, around.no_proxy.as_deref()) => {
            Proxy::new(&text).map(Some).map_err(|_| TransportError::BadProxy(name))
        }
        _ => Ok(None),
    }
}

/// Whether `no_proxy` names the host, or a domain that it is of.
fn is_excepted(address: &HttpAddress, except: Option<&str>) -> bool {
    let names = except.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
    // ureq knows how names match, of a proxy that need not be there.
    let listed = names.fold(Proxy::builder(ProxyProtocol::Http), |builder, name| {
        let domain = if name.starts_with(['.', '*']) { name.to_owned() } else { format!(".{name}") };
        builder.no_proxy(name).no_proxy(&domain)
    });
    let url = address.url().parse().ok();
    listed.build().ok().zip(url).is_some_and(|(proxy, url)| proxy.is_no_proxy(&url))
}

/// The certificates of a file.
fn roots(file: &str, folder: &Path) -> Result<RootCerts, TransportError> {
    let path = folder.join(file);
    let text = fs::read(&path)?;
    let mut certificates = Vec::new();
    for item in parse_pem(&text) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(TransportError::NoCertificate(path)),
        }
    }
    if certificates.is_empty() {
        return Err(TransportError::NoCertificate(path));
    }
    let certificates: Vec<Certificate<'static>> = certificates;
    Ok(RootCerts::new_with_certs(&certificates))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(rest: &str) -> HttpAddress {
        HttpAddress::parse(Scheme::Https, rest).unwrap()
    }

    fn settings(lines: &str) -> Vec<(Option<String>, String, String)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lines).unwrap();
        let mut config = git2::Config::open(file.path()).unwrap();
        entries(&config.snapshot().unwrap())
    }

    #[test]
    fn a_star_is_one_label_of_a_host() {
        let settings = settings(
            "[http \"https://*.host/\"]\n proxy = star\n[http \"https://own.host/\"]\n proxy = exact\n\
             [http \"https://*.host/team\"]\n proxy = team\n[http \"https://*:8443\"]\n proxy = port\n\
             [http \"https://b*.host\"]\n proxy = part\n",
        );
        let proxy = |rest: &str| Values::of(&settings, &address(rest)).last("proxy").map(str::to_owned);
        assert_eq!(proxy("b.host/x").as_deref(), Some("star"));
        assert_eq!(proxy("B.Host:443/team/x").as_deref(), Some("team"));
        // The host counts before the path.
        assert_eq!(proxy("own.host/team/x").as_deref(), Some("exact"));
        assert_eq!(proxy("localhost:8443/x").as_deref(), Some("port"));
        for other in ["host/x", "c.b.host/x", "b.host:8443/x", "b.host.org/x"] {
            assert_eq!(proxy(other), None, "{other}");
        }
    }

    #[test]
    fn the_most_particular_setting_counts() {
        let settings = settings(
            "[http \"https://host/team\"]\n proxy = particular\n[http]\n proxy = plain\n extraHeader = A: 1\n\
             [http \"https://host:443\"]\n extraHeader = B: 2\n[http \"https://other\"]\n proxy = other\n\
             [http \"https://me@host/team\"]\n sslVerify = false\n",
        );
        let proxy = |rest: &str| Values::of(&settings, &address(rest)).last("proxy").unwrap().to_owned();
        assert_eq!(proxy("host/team/a"), "particular");
        assert_eq!(proxy("host/teams"), "plain");
        assert_eq!(proxy("other/x"), "other");
        let at_host = Values::of(&settings, &address("host/team/a"));
        let names: Vec<String> = headers(&at_host).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["A", "B"]);
        assert_eq!(at_host.last("sslverify"), None);
        assert_eq!(Values::of(&settings, &address("me@host/team/a")).last("sslverify"), Some("false"));
    }

    #[test]
    fn a_header_can_be_taken_back_and_must_be_one() {
        let values = |lines: &str| Values::of(&settings(lines), &address("host/a"));
        assert!(headers(&values("[http]\n extraHeader = A: 1\n extraHeader =\n")).unwrap().is_empty());
        for bad in ["no colon", "a b: c"] {
            let values = values(&format!("[http]\n extraHeader = {bad}\n"));
            assert!(matches!(headers(&values), Err(TransportError::BadHeader)), "{bad}");
        }
    }

    #[test]
    fn git_has_the_first_word_on_proxies() {
        let around = Surroundings {
            https_proxy: Some("http://e:1".into()),
            all_proxy: Some("socks5://a:2".into()),
            no_proxy: Some("host, .example.org".into()),
            ..Surroundings::default()
        };
        let host = |setting, scheme, rest| {
            let address = HttpAddress::parse(scheme, rest).unwrap();
            proxy(setting, &address, &around).unwrap().map(|proxy| proxy.host().to_owned())
        };
        assert_eq!(host(Some("http://g:3"), Scheme::Https, "host/a").as_deref(), Some("g"));
        assert_eq!(host(Some(""), Scheme::Https, "y/a"), None);
        assert_eq!(host(None, Scheme::Https, "y/a").as_deref(), Some("e"));
        assert_eq!(host(None, Scheme::Http, "y:80/a").as_deref(), Some("a"));
        for rest in ["host/a", "sub.host:8080/a", "x.example.org/a"] {
            assert_eq!(host(None, Scheme::Https, rest), None, "{rest}");
        }
        let bad = proxy(Some("::"), &address("y/a"), &around);
        assert!(matches!(bad, Err(TransportError::BadProxy("http.proxy"))));
    }
}
