//! States that stand in a reference and its reflog, the newest in the reference, as those of `git stash` do.

use std::collections::HashSet;

use git2::ErrorCode;
use git2::build::TreeUpdateBuilder;

use super::worktree::UserIndex;
use super::{CommitId, CommitTime, Expected, Git, GitError, Identity, NewCommit, RefName, TreeId};
use crate::path::RepoPath;

/// A state of the work tree to be kept in a stash.
#[derive(Debug, Clone, Copy)]
pub struct NewStashed<'a> {
    /// The commit that it is a state of.
    pub head: CommitId,
    /// What the work tree holds.
    pub tree: TreeId,
    /// What the index holds.
    pub index: TreeId,
    /// What it is; a line, which `git log -g` shows.
    pub message: &'a str,
    /// Whose.
    pub identity: &'a Identity,
    /// When.
    pub time: CommitTime,
}

impl Git {
    /// The user's index as a tree.
    ///
    /// # Errors
    /// [`GitError::Conflicted`] while a merge is not finished; when it cannot be read or written.
    pub fn index_tree(&self) -> Result<TreeId, GitError> {
        let mut user = UserIndex::read(self)?;
        let tree = user.index.write_tree_to(&self.repo);
        Ok(TreeId(tree.map_err(GitError::operation("write", "the tree of the git index"))?))
    }

    /// `tree` with these texts in place of what it has there, through the filters of `git add`.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn with_files<'f>(
        &self,
        tree: TreeId,
        files: impl IntoIterator<Item = (&'f RepoPath, &'f [u8])>,
    ) -> Result<TreeId, GitError> {
        let old = self.repo.find_tree(tree.0).map_err(GitError::operation("read the tree", tree))?;
        let mut update = TreeUpdateBuilder::new();
        let mut is_same = true;
        for (file, text) in files {
            is_same = false;
            let path = self.in_git(file);
            let error = || GitError::operation("record the content of", file);
            let mode = match old.get_path(path.as_ref()) {
                Ok(entry) if entry.filemode() == i32::from(git2::FileMode::BlobExecutable) => {
                    git2::FileMode::BlobExecutable
                }
                _ => git2::FileMode::Blob,
            };
            let mut blob = self.repo.blob_writer(Some(path.as_ref())).map_err(error())?;
            let written = std::io::Write::write_all(&mut blob, text);
            written.map_err(|failed| error()(git2::Error::from_str(&failed.to_string())))?;
            update.upsert(path, blob.commit().map_err(error())?, mode);
        }
        if is_same {
            return Ok(tree);
        }
        update.create_updated(&self.repo, &old).map(TreeId).map_err(GitError::operation("write", "a tree"))
    }

    /// Keeps a state as the newest of the stash `name`, in the form of `git stash`: a commit whose second parent is that of the
    /// index. Behind the index stands the newest before it, so that git keeps all of them also when it forgets old entries of
    /// reflogs (`gc.reflogExpire`).
    ///
    /// # Errors
    /// When it cannot be written, or another process moved the reference.
    pub fn push_stash(&self, name: &RefName, new: &NewStashed<'_>) -> Result<CommitId, GitError> {
        let before = self.find_ref(name)?;
        let behind: Vec<CommitId> = std::iter::once(new.head).chain(before).collect();
        let NewStashed { head, tree, index, message, identity, time } = *new;
        let index_message = format!("index of: {message}");
        let index =
            self.commit(&NewCommit { tree: index, parents: &behind, message: &index_message, time, identity })?;
        let commit = self.commit(&NewCommit { tree, parents: &[head, index], message, time, identity })?;
        self.keep_log(name)?;
        self.update_ref(name, commit, before.map_or(Expected::Absent, Expected::At), message)?;
        Ok(commit)
    }

    /// The states of the stash `name` that git keeps, the newest first: also those that its reflog has no more, which stand behind
    /// the others. Some of the latter may have been taken out.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn stashed_ever(&self, name: &RefName) -> Result<Vec<CommitId>, GitError> {
        let mut states = self.log(name)?;
        let mut seen: HashSet<CommitId> = states.iter().copied().collect();
        let mut next = self.find_ref(name)?;
        while let Some(state) = next {
            if seen.insert(state) {
                states.push(state);
            }
            let behind = |commit: CommitId| Ok::<_, GitError>(self.commit_summary(commit)?.parents.get(1).copied());
            next = behind(state)?.map_or(Ok(None), behind)?;
        }
        Ok(states)
    }

    /// The work tree and the index of a state that was kept.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn stashed(&self, commit: CommitId) -> Result<(TreeId, TreeId), GitError> {
        let state = self.commit_summary(commit)?;
        let index = match state.parents.get(1) {
            Some(index) => self.commit_summary(*index)?.tree,
            None => state.tree,
        };
        Ok((state.tree, index))
    }

    /// Takes states out of the stash `name`.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn drop_stashed(&self, name: &RefName, is_dropped: impl Fn(CommitId) -> bool) -> Result<(), GitError> {
        let error = || GitError::operation("change the reflog of", name);
        let mut transaction = self.repo.transaction().map_err(error())?;
        self.lock(&mut transaction, name)?;
        let mut log = self.repo.reflog(name.as_str()).map_err(error())?;
        let all = log.len();
        for entry in (0..all).rev() {
            if log.get(entry).is_some_and(|entry| is_dropped(CommitId(entry.id_new()))) {
                log.remove(entry, true).map_err(error())?;
            }
        }
        if log.len() == all {
            return Ok(());
        }
        match log.get(0).map(|newest| newest.id_new()) {
            Some(newest) => {
                transaction.set_target(name.as_str(), newest, None, "").map_err(error())?;
                transaction.set_reflog(name.as_str(), log).map_err(error())?;
                transaction.commit().map_err(error())
            }
            None => {
                transaction.remove(name.as_str()).map_err(error())?;
                transaction.commit().map_err(error())?;
                match self.repo.reflog_delete(name.as_str()) {
                    Err(failed) if failed.code() != ErrorCode::NotFound => Err(error()(failed)),
                    _ => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::testing::{TIME, TestRepo, identity, path};

    fn stash() -> RefName {
        RefName::parse("refs/exps/celery/stash").unwrap()
    }

    #[test]
    fn states_come_and_go_and_git_reads_them() {
        let repo = TestRepo::with(&[("a", "1\n")]);
        let git = repo.open();
        let (identity, head, base) = (identity(), git.head().unwrap().commit, git.index_tree().unwrap());
        let push = |text: &str| {
            let tree = git.with_files(base, [(&path("a"), text.as_bytes())]).unwrap();
            let new = NewStashed { head, tree, index: base, message: text, identity: &identity, time: TIME };
            git.push_stash(&stash(), &new).unwrap()
        };
        let all: Vec<CommitId> = ["x", "y", "z"].map(push).into();
        assert_eq!(git.log(&stash()).unwrap(), [all[2], all[1], all[0]]);
        git.drop_stashed(&stash(), |commit| commit == all[2]).unwrap();
        assert_eq!(git.log(&stash()).unwrap(), [all[1], all[0]]);
        assert_eq!(git.find_ref(&stash()).unwrap(), Some(all[1]));
        assert_eq!(git.stashed_ever(&stash()).unwrap(), [all[1], all[0]]);
        // What stood in the reflog alone stays reachable.
        repo.git(&["reflog", "expire", "--expire=now", "--all"]);
        repo.git(&["gc", "--quiet", "--prune=now"]);
        assert_eq!(git.stashed_ever(&stash()).unwrap(), [all[1], all[0]]);
        assert_eq!(repo.show(&all[0], "a"), "x");
        repo.git(&["stash", "apply", "--quiet", &all[0].to_string()]);
        assert_eq!(repo.read("a").unwrap(), "x");
        repo.assert_sound();
    }

    #[test]
    fn the_last_one_takes_the_reflog_with_it() {
        let repo = TestRepo::with(&[("a", "1\n")]);
        let git = repo.open();
        let (identity, head, tree) = (identity(), git.head().unwrap().commit, git.index_tree().unwrap());
        let new = NewStashed { head, tree, index: tree, message: "m", identity: &identity, time: TIME };
        git.push_stash(&stash(), &new).unwrap();
        git.drop_stashed(&stash(), |_| true).unwrap();
        assert_eq!((git.find_ref(&stash()).unwrap(), git.log(&stash()).unwrap()), (None, Vec::new()));
        assert_eq!(git.stashed_ever(&stash()).unwrap(), []);
        git.drop_stashed(&stash(), |_| true).unwrap();
    }

    #[test]
    fn texts_go_through_the_filters_and_keep_the_mode() {
        let repo = TestRepo::with(&[(".gitattributes", "*.txt text eol=crlf\n"), ("a.txt", "1\n"), ("run.sh", "x")]);
        repo.git(&["update-index", "--chmod=+x", "run.sh"]);
        let git = repo.open();
        let base = git.index_tree().unwrap();
        let (a, run, new) = (path("a.txt"), path("run.sh"), path("sub/new"));
        let tree = git.with_files(base, [(&a, &b"2\r\n"[..]), (&run, b"y"), (&new, b"z")]).unwrap();
        assert_eq!(repo.files(&tree), ["100644 .gitattributes", "100644 a.txt", "100755 run.sh", "100644 sub/new"]);
        assert_eq!(repo.show(&tree, "a.txt"), "2");
        assert_eq!(git.with_files(base, []).unwrap(), base);
    }
}
