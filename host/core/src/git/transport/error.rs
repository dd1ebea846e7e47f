//! [`TransportError`]: why a git remote cannot be spoken with.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use super::advertisement::Unreadable;
use crate::fs::FsError;

/// Why a git remote cannot be spoken with. No variant has a password in it.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The program that leads to it cannot be started.
    #[error("cannot start `{program}`: {source}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// The program that leads to it ended too early.
    #[error("`{program}` {}", ended(*status))]
    Ended {
        /// The program.
        program: String,
        /// How; none when it hung up and did not end.
        status: Option<ExitStatus>,
    },
    /// Nothing moved for so long.
    #[error("nothing came from it for {} s", .0.as_secs())]
    Silent(Duration),
    /// No name server knows the host.
    #[error("there is no host of this name")]
    NoHost,
    /// The connection was not made, or broke.
    #[error("it cannot be reached: {0}")]
    Unreachable(#[source] io::Error),
    /// The connection is not safe.
    #[error("the connection cannot be encrypted: {0}")]
    Encryption(String),
    /// Certificates to trust cannot be read.
    #[error(transparent)]
    File(#[from] FsError),
    /// There is no certificate in a file of certificates to trust.
    #[error("`{}`, which `http.sslCAInfo` names, has no certificate that can be read", .0.display())]
    NoCertificate(PathBuf),
    /// The proxy of the settings is none.
    #[error("the setting `{0}` is no address of a proxy")]
    BadProxy(&'static str),
    /// A header of the settings is none.
    #[error("the setting `http.extraHeader` has no header of HTTP")]
    BadHeader,
    /// Something else answers than git.
    #[error("what answers there is no git server")]
    NotGit,
    /// Objects are not named by SHA-1, as they are here.
    #[error("its objects are named by `{0}`, which libgit2 does not read")]
    Format(String),
    /// The server refused, in its own words.
    #[error("it says: {0}")]
    Said(String),
    /// The server wants to know who asks, and nobody knows a name and a password.
    #[error("it asks for a name and a password")]
    CredentialsWanted,
    /// The server does not take the name and the password.
    #[error("it does not take the name and password{}", of_user(user.as_ref()))]
    CredentialsRefused {
        /// Whose.
        user: Option<String>,
    },
    /// The server knows who asks, and does not allow it.
    #[error("it forbids that (403)")]
    Forbidden,
    /// There is nothing, or nothing that one may see.
    #[error("there is no such repository, or none that you may see (404)")]
    NotFound,
    /// The server takes nothing that large.
    #[error("its server takes nothing as large as {bytes} bytes (413)")]
    TooLarge {
        /// How much it was.
        bytes: u64,
    },
    /// Another answer of HTTP.
    #[error("its server answers with the status {0}")]
    Status(u16),
    /// It leads on to where git does not follow.
    #[error("it leads on to `{to}`, which is not followed")]
    Redirected {
        /// Where to, without a password.
        to: String,
    },
}

impl From<Unreadable> for TransportError {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::Io(error) => Self::Unreachable(error),
            Unreadable::Said(message) => Self::Said(message),
            Unreadable::Malformed => Self::NotGit,
            Unreadable::Format(format) => Self::Format(format),
        }
    }
}

fn ended(status: Option<ExitStatus>) -> impl fmt::Display {
    match status {
        Some(status) => format!("ended before the remote had answered ({status})"),
        None => "hung up".to_owned(),
    }
}

fn of_user(user: Option<&String>) -> String {
    user.map(|user| format!(" of `{user}`")).unwrap_or_default()
}
