//! [`GitRemote`]: another git repository, whose references are listed, fetched and pushed.
//!
//! A reference of the remote is moved by compare-and-swap: the protocol says with each change where the reference stood when the
//! connection was made, and git on the other side refuses when it stands elsewhere by then. References of this repository are not
//! touched by anything here.

mod arrived;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use git2::{FetchOptions, PushOptions, RemoteCallbacks};

pub use self::arrived::Flaw;
use super::transport::{self, Address, AddressError, Call, Surroundings, TransportError};
use super::{CommitId, Expected, Git, GitError, RefConflict, RefName, RefUpdate};
use crate::words;

/// Another repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitRemote {
    /// What the user calls it: a name of git's settings, a path, or its address without a password.
    pub name: String,
    fetch: Address,
    push: Address,
}

/// What a connection is for. A remote may have another address for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To read.
    Fetch,
    /// To change references.
    Push,
}

/// Why a git remote did not do its part.
#[derive(Debug, thiserror::Error)]
pub enum GitRemoteError {
    /// There is none of this name, and it is no address either.
    #[error("there is no git remote `{name}`")]
    Unknown {
        /// What was asked for.
        name: String,
        /// A name of git's settings that is like it.
        similar: Option<String>,
        /// All names of git's settings.
        known: Vec<String>,
    },
    /// Its address is none.
    #[error("the git remote `{name}`: {error}")]
    Address {
        /// The remote.
        name: String,
        /// What is wrong with it.
        error: AddressError,
    },
    /// It is on this machine, and there is no repository.
    #[error("the git remote `{name}`: there is no git repository in `{}`", path.display())]
    Absent {
        /// The remote.
        name: String,
        /// Where.
        path: PathBuf,
    },
    /// It cannot be spoken with.
    #[error("the git remote `{name}`{}: {error}", at(name, address))]
    Transport {
        /// The remote.
        name: String,
        /// Where it is.
        address: Address,
        /// Why.
        #[source]
        error: TransportError,
    },
    /// What it sent is not what a commit has to be.
    #[error("the git remote `{name}` has {flaw}")]
    Flawed {
        /// The remote.
        name: String,
        /// What is wrong.
        flaw: Flaw,
    },
    /// What libgit2 could not do.
    #[error("cannot {verb} the git remote `{name}`: {}", source.message())]
    Operation {
        /// Such as `push to`.
        verb: &'static str,
        /// The remote.
        name: String,
        /// What libgit2 said.
        source: git2::Error,
    },
    /// This repository.
    #[error(transparent)]
    Git(#[from] GitError),
}

fn at(name: &str, address: &Address) -> String {
    let address = address.to_string();
    if address == name { String::new() } else { format!(" (`{address}`)") }
}

/// What became of a change that was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// It was made, or there was nothing to change.
    Done,
    /// The reference stood elsewhere than expected; it was left so.
    Moved(RefConflict),
    /// The remote refused, in its own words.
    Refused(String),
}

impl Git {
    /// A remote by its name in git's settings, by its URL, or by a path, which is one below `folder` when it is relative.
    ///
    /// # Errors
    /// [`GitRemoteError::Unknown`] and [`GitRemoteError::Address`].
    pub fn remote(&self, text: &str, folder: &Path) -> Result<GitRemote, GitRemoteError> {
        let known = self.remotes()?;
        if known.iter().any(|name| name == text) {
            let read = |source| GitError::operation("read the settings of the git remote", text)(source);
            let remote = self.repo.find_remote(text).map_err(read)?;
            let url = remote.url().map_err(read)?.to_owned();
            let push = remote.pushurl().ok().flatten().unwrap_or(&url).to_owned();
            // As git does, which works in the root of the work tree.
            let address = |url: &str| self.address(text, url, &self.workdir);
            return Ok(GitRemote { name: text.to_owned(), fetch: address(&url)?, push: address(&push)? });
        }
        if text.is_empty() || text.contains('\0') || !(text.contains(['/', ':']) || folder.join(text).is_dir()) {
            let similar = words::most_similar(text, known.iter().map(String::as_str)).map(str::to_owned);
            return Err(GitRemoteError::Unknown { name: text.replace('\0', "\u{2400}"), similar, known });
        }
        // Settings may have another URL for it (`url.<base>.insteadOf`).
        let url = self.repo.remote_anonymous(text).ok().and_then(|remote| remote.url().ok().map(str::to_owned));
        let address = self.address(text, url.as_deref().unwrap_or(text), folder)?;
        let name = match &address {
            // Nothing in a path is secret.
            Address::Local(_) => words::visible(text),
            Address::Ssh(_) | Address::Http(_) => address.to_string(),
        };
        Ok(GitRemote { name, fetch: address.clone(), push: address })
    }

    /// The names of the remotes in git's settings.
    ///
    /// # Errors
    /// When the settings cannot be read.
    pub fn remotes(&self) -> Result<Vec<String>, GitError> {
        let names = self.repo.remotes().map_err(GitError::operation("list", "the git remotes"))?;
        Ok(names.iter().flatten().flatten().map(str::to_owned).collect())
    }

    fn address(&self, name: &str, url: &str, folder: &Path) -> Result<Address, GitRemoteError> {
        let shown = |error: &AddressError| match error {
            // The address is what it is called by, and may have a password in it.
            AddressError::Malformed(shown) | AddressError::Elsewhere(shown) if url == name => shown.clone(),
            _ if url == name => "<url>".to_owned(),
            _ => name.to_owned(),
        };
        Address::parse(url, folder).map_err(|error| GitRemoteError::Address { name: shown(&error), error })
    }

    /// Connects to a remote, and hears of its references.
    ///
    /// # Errors
    /// When it cannot be reached, does not let the user in, or is no git repository.
    pub fn connect(
        &self,
        remote: &GitRemote,
        purpose: Purpose,
        around: &Surroundings,
    ) -> Result<Connection<'_>, GitRemoteError> {
        let (address, direction) = match purpose {
            Purpose::Fetch => (&remote.fetch, git2::Direction::Fetch),
            Purpose::Push => (&remote.push, git2::Direction::Push),
        };
        if let Address::Local(path) = address
            && !path.is_dir()
        {
            return Err(GitRemoteError::Absent { name: remote.name.clone(), path: path.clone() });
        }
        let read = |source| GitError::operation("read", "the settings of git")(source);
        let settings = self.repo.config().and_then(|mut config| config.snapshot()).map_err(read)?;
        let failed = |error| GitRemoteError::Transport { name: remote.name.clone(), address: address.clone(), error };
        let call = Arc::new(Call::new(address, &settings, around, &self.workdir).map_err(failed)?);
        let mut line = self.repo.remote_anonymous(transport::URL).map_err(GitError::operation("open", &remote.name))?;
        let connected = transport::with(&call, || line.connect(direction));
        let mut connection = Connection {
            git: self,
            name: remote.name.clone(),
            address: address.clone(),
            refs: call.refs().into_iter().collect(),
            call,
            line,
        };
        connection.heard("connect to", connected)?;
        connection.refs.extend(connection.call.refs());
        Ok(connection)
    }

    /// Whether `old` is among the commits that `new` was built on; not when this repository lacks it.
    ///
    /// # Errors
    /// When a commit between them cannot be read.
    pub fn goes_on_from(&self, new: CommitId, old: CommitId) -> Result<bool, GitError> {
        if self.repo.find_commit(old.0).is_err() {
            return Ok(false);
        }
        self.repo.graph_descendant_of(new.0, old.0).map_err(GitError::operation("follow", new))
    }

    /// How many commits that these are built on, themselves included, no reference of a list leads to.
    ///
    /// # Errors
    /// When a commit cannot be read.
    pub fn count_beyond(
        &self,
        commits: impl IntoIterator<Item = CommitId>,
        refs: &BTreeMap<RefName, CommitId>,
    ) -> Result<usize, GitError> {
        let error = || GitError::operation("follow", "commits");
        let mut walk = self.repo.revwalk().map_err(error())?;
        for commit in refs.values() {
            // This repository need not have it.
            let _unknown = walk.hide(commit.0);
        }
        for commit in commits {
            walk.push(commit.0).map_err(error())?;
        }
        walk.try_fold(0, |count, commit| commit.map(|_| count + 1)).map_err(error())
    }
}

/// A connection to a remote. It ends when it is dropped.
pub struct Connection<'git> {
    /// The references of the remote, as they were when it was made.
    pub refs: BTreeMap<RefName, CommitId>,
    git: &'git Git,
    name: String,
    address: Address,
    call: Arc<Call>,
    line: git2::Remote<'git>,
}

impl Connection<'_> {
    /// Moves references of the remote, with all that they need; each for itself: what became of it stands at its place.
    ///
    /// # Errors
    /// When the connection breaks, or the remote does not take the objects; then nothing may be known of some of them.
    pub fn push(&mut self, updates: &[RefUpdate]) -> Result<Vec<Pushed>, GitRemoteError> {
        let mut outcomes: Vec<Pushed> = updates.iter().map(|update| self.compare(update)).collect();
        let is_due = |(update, outcome): &(&RefUpdate, &Pushed)| {
            **outcome == Pushed::Done && self.refs.get(&update.name).copied() != update.target
        };
        let due: Vec<&RefUpdate> = updates.iter().zip(&outcomes).filter(is_due).map(|(update, _)| update).collect();
        // The commit itself, not whatever a reference of ours says by now. What may be replaced was decided before.
        let specs: Vec<String> = due
            .iter()
            .map(|update| match update.target {
                Some(commit) => format!("+{commit}:{}", update.name),
                None => format!(":{}", update.name),
            })
            .collect();
        if specs.is_empty() {
            return Ok(outcomes);
        }
        let refused: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
        let mut callbacks = RemoteCallbacks::new();
        let told = Arc::clone(&refused);
        callbacks.push_update_reference(move |name, problem| {
            if let Some(problem) = problem {
                told.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), words::visible(problem));
            }
            Ok(())
        });
        let mut options = PushOptions::new();
        options.remote_callbacks(callbacks).packbuilder_parallelism(0);
        let pushed = transport::with(&self.call, || self.line.push(&specs, Some(&mut options)));
        drop(options);
        self.heard("push to", pushed)?;
        let refused = refused.lock().unwrap_or_else(PoisonError::into_inner);
        for (update, outcome) in updates.iter().zip(&mut outcomes) {
            if let Some(problem) = refused.get(update.name.as_str()) {
                *outcome = Pushed::Refused(problem.clone());
            } else if *outcome == Pushed::Done {
                match update.target {
                    Some(commit) => drop(self.refs.insert(update.name.clone(), commit)),
                    None => drop(self.refs.remove(&update.name)),
                }
            }
        }
        Ok(outcomes)
    }

    /// Whether a reference of the remote stood as expected when the connection was made.
    fn compare(&self, update: &RefUpdate) -> Pushed {
        let found = self.refs.get(&update.name).copied();
        let as_expected = match update.expected {
            Expected::Any => true,
            Expected::Absent => found.is_none(),
            Expected::At(commit) => found == Some(commit),
        };
        match as_expected {
            true => Pushed::Done,
            false => Pushed::Moved(RefConflict { name: update.name.clone(), expected: update.expected, found }),
        }
    }

    /// Brings the commits of references of the remote, with all that they need, into this repository. No reference is made: none
    /// may be of those that are answered, which are flawed.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn fetch(&mut self, names: &[RefName]) -> Result<BTreeMap<RefName, Flaw>, GitRemoteError> {
        let mut options = FetchOptions::new();
        options.download_tags(git2::AutotagOption::None).update_fetchhead(false);
        let tips: Vec<(&RefName, CommitId)> =
            names.iter().filter_map(|name| Some((name, *self.refs.get(name)?))).collect();
        let specs: Vec<&str> = tips.iter().map(|(name, _)| name.as_str()).collect();
        if specs.is_empty() {
            return Ok(BTreeMap::new());
        }
        let fetched = transport::with(&self.call, || self.line.download(&specs, Some(&mut options)));
        self.heard("fetch from", fetched)?;
        let commits: Vec<CommitId> = tips.iter().map(|(_, commit)| *commit).collect();
        let flaws = arrived::flaws(self.git, &commits)?;
        Ok(tips.into_iter().filter_map(|(name, tip)| Some((name.clone(), flaws.get(&tip)?.clone()))).collect())
    }

    /// What was learnt beside what libgit2 says is nearer to the cause.
    fn heard<T>(&self, verb: &'static str, done: Result<T, git2::Error>) -> Result<T, GitRemoteError> {
        done.map_err(|source| match self.call.failure() {
            Some(error) => GitRemoteError::Transport { name: self.name.clone(), address: self.address.clone(), error },
            None => GitRemoteError::Operation { verb, name: self.name.clone(), source },
        })
    }
}

#[cfg(test)]
mod tests;
