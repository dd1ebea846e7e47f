//! [`Credential`]: who asks a server of HTTP, and what proves it; from git's own `git credential`, which asks the user's credential
//! helpers, and then the user (gitcredentials(7)).

use std::fmt;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::address::HttpAddress;

/// A name and a password.
#[derive(Clone)]
pub(super) struct Credential {
    /// The name.
    pub(super) user: String,
    password: String,
    /// What git said of it, to be told whether it was good; none for what stands in the URL.
    origin: Option<String>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What came of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The server took it: helpers may keep it.
    Approve,
    /// It did not: helpers forget it.
    Reject,
}

impl Credential {
    /// What stands in the URL itself.
    pub(super) fn of_url(address: &HttpAddress) -> Option<Self> {
        let (user, password) = (address.user.clone()?, address.password.clone()?);
        Some(Self { user, password, origin: None })
    }

    /// Asks git; none when nobody knows one.
    pub(super) fn ask(address: &HttpAddress, folder: &Path) -> Option<Self> {
        let mut question = format!("protocol={}\nhost={}\n", address.scheme.as_str(), address.host);
        if let Some(path) = address.path.strip_prefix('/') {
            question.push_str(&format!("path={path}\n"));
        }
        if let Some(user) = &address.user {
            question.push_str(&format!("username={user}\n"));
        }
        let origin = git_credential("fill", &question, folder)?;
        let value = |name: &str| {
            let line = origin.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.map(str::to_owned)
        };
        Some(Self { user: value("username")?, password: value("password")?, origin: Some(origin) })
    }

    /// Tells git what came of it.
    pub(super) fn settle(&self, verdict: Verdict, folder: &Path) {
        if let Some(origin) = &self.origin {
            let word = match verdict {
                Verdict::Approve => "approve",
                Verdict::Reject => "reject",
            };
            // The helpers say themselves what goes wrong; the password is as good as before.
            let _told = git_credential(word, origin, folder);
        }
    }

    /// The header that proves it (RFC 7617).
    pub(super) fn header(&self) -> String {
        format!("Basic {}", base64(format!("{}:{}", self.user, self.password).as_bytes()))
    }
}

fn git_credential(word: &str, input: &str, folder: &Path) -> Option<String> {
    let mut child = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["credential", word])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    // When it does not listen, its answer says why.
    let _heard = child.stdin.take().map(|mut stdin| stdin.write_all(format!("{input}\n").as_bytes()));
    let output = child.wait_with_output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).ok()).flatten()
}

/// RFC 4648.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(three.get(at).copied().unwrap_or_default()));
        for at in 0..4 {
            let letter = usize::try_from(bits >> (18 - 6 * at) & 63).ok().and_then(|index| LETTERS.get(index));
            text.push(letter.filter(|_| at <= three.len()).map_or('=', |letter| char::from(*letter)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_4648() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xff, 0xfe]), "//4=");
    }
}
