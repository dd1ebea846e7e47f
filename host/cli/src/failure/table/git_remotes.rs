//! Git repositories that experiments are shared through.

use dewar_core::git::{AddressError, Flaw, GitRemoteError, TransportError};
use dewar_core::words::did_you_mean;

use super::super::{Failure, IntoFailure, Kind};

impl From<GitRemoteError> for Failure {
    fn from(error: GitRemoteError) -> Self {
        let hint = match &error {
            GitRemoteError::Unknown { similar: Some(similar), .. } => did_you_mean(similar),
            GitRemoteError::Unknown { known, .. } if known.is_empty() => {
                "`git remote add NAME URL` names one; a URL or a path does, too".to_owned()
            }
            GitRemoteError::Unknown { known, .. } => {
                format!("there is {}; a URL or a path does, too", known.join(", "))
            }
            GitRemoteError::Address { error: AddressError::Unsupported { .. }, .. } => {
                "it can be a path, `ssh://..`, `host:path`, `https://..` or `http://..`".to_owned()
            }
            GitRemoteError::Address { error: AddressError::Elsewhere(_), .. } => {
                "the URL of a folder has three slashes, as in `file:///mnt/a.git`".to_owned()
            }
            GitRemoteError::Address { .. } => "`git remote get-url NAME` shows what the settings have".to_owned(),
            GitRemoteError::Absent { .. } => "look at the path; `git init --bare PATH` makes a repository".to_owned(),
            GitRemoteError::Transport { error, .. } => of_transport(error).to_owned(),
            GitRemoteError::Flawed { flaw: Flaw::Missing { .. }, .. } => {
                "the remote is damaged, or was itself made from a part of a repository: `git fsck` there says more"
                    .to_owned()
            }
            GitRemoteError::Flawed { flaw: Flaw::Forbidden { .. }, .. } => {
                "nothing of it was given a name here; whoever pushed it may mean harm: `dewar exp remove -g` removes it there".to_owned()
            }
            GitRemoteError::Operation { .. } => "`git ls-remote` says whether git itself can reach it".to_owned(),
            GitRemoteError::Git(_) => String::new(),
        };
        match error {
            GitRemoteError::Git(error) => error.into(),
            GitRemoteError::Unknown { .. } | GitRemoteError::Address { .. } => {
                error.into_failure(Kind::Usage).hint(hint)
            }
            GitRemoteError::Absent { .. }
            | GitRemoteError::Transport { .. }
            | GitRemoteError::Flawed { .. }
            | GitRemoteError::Operation { .. } => error.into_failure(Kind::Remote).hint(hint),
        }
    }
}

/// What would help.
const fn of_transport(error: &TransportError) -> &'static str {
    match error {
        TransportError::Start { .. } => {
            "install it, or name another: `GIT_SSH_COMMAND`, `core.sshCommand` of git's settings"
        }
        TransportError::Ended { .. } => {
            "what it said stands above; `git ls-remote` says whether git itself can reach it"
        }
        TransportError::Silent(_) => {
            "look at the network; `timeout` in `[git]` of `dewar.toml` is how many seconds are waited"
        }
        TransportError::NoHost => "look at the spelling and at the network",
        TransportError::Unreachable(_) => {
            "look at the address, the network and the proxy (`http.proxy` of git's settings)"
        }
        TransportError::Encryption(_) => "`http.sslCAInfo` of git's settings names a file of certificates to trust",
        TransportError::File(_)
        | TransportError::NoCertificate(_)
        | TransportError::BadProxy(_)
        | TransportError::BadHeader => "`git config --show-origin --get-regexp '^http'` shows where it is set",
        TransportError::NotGit => "look at the address; a server that only gives files away (dumb HTTP) cannot be used",
        TransportError::Format(_) => "a repository whose objects are named by SHA-1 can be used",
        TransportError::Said(_) => "look at the address, and at what you may do there",
        TransportError::CredentialsWanted => {
            "git knows none: `git config --global credential.helper cache`, then `git fetch` once asks for them and remembers"
        }
        TransportError::CredentialsRefused { .. } => {
            "git was told to forget them; most servers want a token in the place of the password"
        }
        TransportError::Forbidden => {
            "who you are is known there; ask for the right to do it, or use a token that has it"
        }
        TransportError::NotFound => "look at the address; some servers say so too of what one may not see",
        TransportError::TooLarge { .. } => "push fewer experiments at once, or have the limit of the server raised",
        TransportError::Status(_) => "it is the server's affair; try it later",
        TransportError::Redirected { .. } => {
            "if that is right, put the new address into git's settings: `git remote set-url`"
        }
    }
}
