//! What a revision names: `HEAD`, branches, tags, commits and their first parents.

use std::collections::BTreeMap;

use git2::{BranchType, ErrorCode, ObjectType};
use serde::{Deserialize, Serialize};

use super::{CommitId, CommitTime, Expected, Git, GitError, RefConflict, RefName, TreeId};

/// Where `HEAD` stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The commit checked out.
    pub commit: CommitId,
    /// Through which name.
    pub name: HeadName,
}

/// How `HEAD` names its commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadName {
    /// A branch, such as `main`.
    Branch(String),
    /// The commit itself.
    Detached,
}

/// What a table says of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitSummary {
    /// The commit.
    pub id: CommitId,
    /// Its files.
    pub tree: TreeId,
    /// Its parents, the first one first.
    pub parents: Vec<CommitId>,
    /// When it was committed.
    pub time: CommitTime,
    /// The whole message.
    pub message: String,
}

impl Git {
    /// Where `HEAD` stands.
    ///
    /// # Errors
    /// [`GitError::Unborn`] when there is no commit yet.
    pub fn head(&self) -> Result<Head, GitError> {
        let head = match self.repo.head() {
            Ok(head) => head,
            Err(error) if matches!(error.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) => {
                return Err(GitError::Unborn { branch: self.unborn_branch() });
            }
            Err(source) => return Err(GitError::operation("read", "HEAD")(source)),
        };
        let commit = head.peel_to_commit().map_err(GitError::operation("read the commit of", "HEAD"))?;
        let name = if head.is_branch() {
            HeadName::Branch(String::from_utf8_lossy(head.shorthand_bytes()).into_owned())
        } else {
            HeadName::Detached
        };
        Ok(Head { commit: CommitId(commit.id()), name })
    }

    /// The branch that `HEAD` names though it does not exist.
    fn unborn_branch(&self) -> String {
        let head = self.repo.find_reference("HEAD").ok();
        let target = head.as_ref().and_then(git2::Reference::symbolic_target_bytes).unwrap_or_default();
        let target = String::from_utf8_lossy(target);
        target.strip_prefix("refs/heads/").unwrap_or(&target).to_owned()
    }

    /// The commit that a revision names: a branch, a tag, the beginning of a commit id, `HEAD~1` and what else git reads so.
    ///
    /// # Errors
    /// [`GitError::UnknownRevision`] and [`GitError::AmbiguousRevision`].
    pub fn resolve(&self, revision: &str) -> Result<CommitId, GitError> {
        let unknown = || GitError::UnknownRevision { revision: revision.to_owned() };
        if revision.contains('\0') {
            return Err(unknown());
        }
        let object = self.repo.revparse_single(revision).map_err(|error| match error.code() {
            ErrorCode::Ambiguous => GitError::AmbiguousRevision { revision: revision.to_owned() },
            ErrorCode::NotFound | ErrorCode::InvalidSpec => unknown(),
            _ => GitError::operation("read the revision", revision)(error),
        })?;
        object.peel(ObjectType::Commit).map(|commit| CommitId(commit.id())).map_err(|_| unknown())
    }

    /// What a commit says of itself.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn commit_summary(&self, id: CommitId) -> Result<CommitSummary, GitError> {
        let commit = self.repo.find_commit(id.0).map_err(GitError::operation("read the commit", id))?;
        Ok(CommitSummary {
            id,
            tree: TreeId(commit.tree_id()),
            parents: commit.parent_ids().map(CommitId).collect(),
            time: CommitTime::from_git(commit.time()),
            message: String::from_utf8_lossy(commit.message_bytes()).into_owned(),
        })
    }

    /// `commit` and at most `count - 1` commits before it, each the first parent of the one before.
    ///
    /// # Errors
    /// When one cannot be read; where a shallow clone ends, the list ends.
    pub fn first_parents(&self, commit: CommitId, count: usize) -> Result<Vec<CommitId>, GitError> {
        let mut line = Vec::new();
        let mut next = Some(commit);
        while let Some(id) = next.filter(|_| line.len() < count) {
            let commit = match self.repo.find_commit(id.0) {
                Ok(commit) => commit,
                Err(error) if error.code() == ErrorCode::NotFound && self.repo.is_shallow() => break,
                Err(source) => return Err(GitError::operation("read the commit", id)(source)),
            };
            line.push(id);
            next = commit.parent_ids().next().map(CommitId);
        }
        Ok(line)
    }

    /// Every commit that `HEAD`, a branch (remote ones, too) or a tag leads to, the newest first.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn all_commits(&self) -> Result<Vec<CommitId>, GitError> {
        let error = || GitError::operation("list", "the commits");
        let mut walk = self.repo.revwalk().map_err(error())?;
        walk.set_sorting(git2::Sort::TIME | git2::Sort::TOPOLOGICAL).map_err(error())?;
        for glob in ["refs/heads/*", "refs/remotes/*", "refs/tags/*"] {
            walk.push_glob(glob).map_err(error())?;
        }
        match self.head() {
            Ok(head) => walk.push(head.commit.0).map_err(error())?,
            Err(GitError::Unborn { .. }) => {}
            Err(other) => return Err(other),
        }
        walk.map(|id| id.map(CommitId).map_err(error())).collect()
    }

    /// The local branches with their commits, by name.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn branches(&self) -> Result<BTreeMap<String, CommitId>, GitError> {
        let error = || GitError::operation("list", "the branches");
        let mut branches = BTreeMap::new();
        for branch in self.repo.branches(Some(BranchType::Local)).map_err(error())? {
            let (branch, _) = branch.map_err(error())?;
            let reference = branch.into_reference();
            // One that points nowhere is none.
            if let Ok(commit) = reference.peel_to_commit() {
                let name = String::from_utf8_lossy(reference.shorthand_bytes()).into_owned();
                branches.insert(name, CommitId(commit.id()));
            }
        }
        Ok(branches)
    }

    /// Makes a local branch; `message` goes to its reflog.
    ///
    /// # Errors
    /// [`GitError::BranchExists`], [`GitError::BadBranchName`], or when it cannot be written.
    pub fn create_branch(&self, name: &str, commit: CommitId, message: &str) -> Result<(), GitError> {
        if !git2::Branch::name_is_valid(name).unwrap_or(false) {
            return Err(GitError::BadBranchName(name.replace('\0', "\u{2400}")));
        }
        let reference = RefName::parse(&format!("refs/heads/{name}"))?;
        match self.update_ref(&reference, commit, Expected::Absent, message) {
            Err(GitError::RefConflict(RefConflict { found: Some(commit), .. })) => {
                Err(GitError::BranchExists { name: name.to_owned(), commit })
            }
            done => done,
        }
    }

    /// The tags of commits, by name.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn tags(&self) -> Result<BTreeMap<String, CommitId>, GitError> {
        let error = || GitError::operation("list", "the tags");
        let mut tags = BTreeMap::new();
        for reference in self.repo.references_glob("refs/tags/*").map_err(error())? {
            let reference = reference.map_err(error())?;
            if let Ok(commit) = reference.peel_to_commit() {
                let name = String::from_utf8_lossy(reference.shorthand_bytes()).into_owned();
                tags.insert(name, CommitId(commit.id()));
            }
        }
        Ok(tags)
    }

    /// What tables call the commits that have a name: the branch that `HEAD` names where it stands, else a tag, else a branch
    /// (each the first by name), as DVC has it.
    ///
    /// # Errors
    /// When branches and tags cannot be read.
    pub fn names(&self) -> Result<BTreeMap<CommitId, String>, GitError> {
        let mut names = BTreeMap::new();
        if let Ok(Head { commit, name: HeadName::Branch(name) }) = self.head() {
            names.insert(commit, name);
        }
        for (name, commit) in self.tags()?.into_iter().chain(self.branches()?) {
            names.entry(commit).or_insert(name);
        }
        Ok(names)
    }

    /// What a table calls a commit, as [`Self::names`] has it.
    ///
    /// # Errors
    /// When branches and tags cannot be read.
    pub fn name_of(&self, commit: CommitId) -> Result<Option<String>, GitError> {
        Ok(self.names()?.remove(&commit))
    }
}
