//! [`Git`]: the repository that a project lies in. Step 3 of the walk reads the baseline from it, step 9 records the result.
//!
//! Everything goes through libgit2 in this process. What belongs to the user is only ever read: `HEAD`, the index file and the
//! reflog of `HEAD` have the same bytes before and after whatever is called here, and no hook runs. Paths are those of the
//! project; that the project may be a folder of the work tree is this module's affair alone. In reading order:
//!
//! * `revision`: what a revision names; branches, tags.
//! * `tree`: the files of a commit; `history`: those of many.
//! * `worktree`: how the work tree differs from the index, at one `lstat` a file.
//! * `snapshot`: the work tree as a tree object, through a private index.
//! * `commit`: commits that no hook and no signature touches.
//! * `refs`: references moved by compare-and-swap.
//! * `restore`: the files of a tree back into the work tree.
//! * `remote`: references of other repositories; `transport`: how they are spoken with.
//! * `isolated`: a second work tree beside the user's; `stash`: states of the work tree kept in a reference and its reflog.

mod commit;
mod error;
mod finder;
mod history;
mod isolated;
mod refs;
mod remote;
mod restore;
mod revision;
mod snapshot;
mod stash;
mod transport;
mod tree;
mod worktree;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

use git2::{Oid, Repository};
use serde::{Deserialize, Serialize};

pub use commit::{CommitTime, Identity, IdentityOverrides, NewCommit, Person};
pub use error::GitError;
pub use finder::Finder;
pub use history::{History, Version};
pub use refs::{Expected, RefConflict, RefName, RefUpdate};
pub use remote::{Connection, Flaw, GitRemote, GitRemoteError, Purpose, Pushed};
pub use restore::Restored;
pub use revision::{CommitSummary, Head, HeadName};
pub use snapshot::{ExtraPaths, Snapshot};
pub use stash::NewStashed;
pub use transport::{Address, AddressError, LOCAL_VARIABLES, Surroundings, TransportError, Verify};
pub use tree::CommitTree;

use crate::fs::FsError;
use crate::path::{PathError, RepoPath};

/// The name of a commit; in a document, its 40 digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CommitId(Oid);

/// The name of a tree, which is a folder with all below it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TreeId(Oid);

impl CommitId {
    /// Reads 40 hexadecimal digits; none when it is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 40).then(|| Oid::from_str(text).ok().map(Self)).flatten()
    }

    /// The first seven digits, as git shows a commit.
    #[must_use]
    pub fn short(&self) -> String {
        self.0.to_string().chars().take(7).collect()
    }
}

impl From<CommitId> for String {
    fn from(commit: CommitId) -> Self {
        commit.to_string()
    }
}

impl TryFrom<String> for CommitId {
    type Error = GitError;

    fn try_from(text: String) -> Result<Self, GitError> {
        Self::parse(&text).ok_or(GitError::UnknownRevision { revision: text })
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommitId({})", self.0)
    }
}

impl fmt::Display for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TreeId({})", self.0)
    }
}

/// The git repository of a project. One thread at a time uses it; [`Git::reopen`] gives another thread its own.
pub struct Git {
    repo: Repository,
    /// The root of the project, resolved.
    root: PathBuf,
    /// The root of the work tree, resolved.
    workdir: PathBuf,
    /// The project's root below that of the work tree.
    prefix: RepoPath,
}

impl fmt::Debug for Git {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Git").field("workdir", &self.workdir).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Git {
    /// Finds the repository whose work tree has the project's root in it: in that folder or in one above. None when there is
    /// no repository.
    ///
    /// # Errors
    /// When there is one that cannot be opened: it belongs to another user, has no work tree, or uses a storage format that
    /// libgit2 does not read.
    pub fn open(root: &Path) -> Result<Option<Self>, GitError> {
        let root = std::fs::canonicalize(root).map_err(FsError::new("resolve", root))?;
        let repo = match Repository::discover(&root) {
            Ok(repo) => repo,
            Err(error) if error.code() == git2::ErrorCode::NotFound => return Ok(None),
            Err(error) if error.code() == git2::ErrorCode::Owner => return Err(GitError::NotOwned { path: root }),
            Err(source) => return Err(GitError::operation("open the git repository of", root.display())(source)),
        };
        let workdir = repo.workdir().ok_or_else(|| GitError::Bare { path: repo.path().to_owned() })?;
        let workdir = std::fs::canonicalize(workdir).map_err(FsError::new("resolve", workdir))?;
        // A folder inside `.git`, or a work tree configured to lie elsewhere.
        let prefix = match RepoPath::from_absolute(&workdir, &root) {
            Ok(prefix) => prefix,
            Err(PathError::Outside(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(Some(Self { repo, root, workdir, prefix }))
    }

    /// The same repository for another thread.
    ///
    /// # Errors
    /// As [`Git::open`].
    pub fn reopen(&self) -> Result<Self, GitError> {
        let repo = Repository::open(self.repo.path())
            .map_err(GitError::operation("open the git repository", self.repo.path().display()))?;
        Ok(Self { repo, root: self.root.clone(), workdir: self.workdir.clone(), prefix: self.prefix.clone() })
    }

    /// The root of the project, resolved.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The root of the work tree, resolved; the project's root or a folder above it.
    #[must_use]
    pub fn workdir(&self) -> &Path {
        &self.workdir
    }

    /// Whether the repository has this work tree alone, and no other shares its references.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn has_one_work_tree(&self) -> Result<bool, GitError> {
        let linked = self.repo.worktrees().map_err(GitError::operation("list", "the work trees"))?;
        Ok(linked.is_empty() && !self.repo.is_worktree())
    }

    /// How git names a path of the project.
    fn in_git(&self, path: &RepoPath) -> String {
        match (self.prefix.is_root(), path.is_root()) {
            (true, _) => path.as_str().to_owned(),
            (false, true) => self.prefix.as_str().to_owned(),
            (false, false) => format!("{}/{}", self.prefix.as_str(), path.as_str()),
        }
    }
}
