//! The files of many commits, each content read once: what `gc` looks through.

use std::collections::HashSet;

use git2::{ObjectType, Oid};

use super::tree::{FILE_TYPE, LINK};
use super::{CommitId, Git, GitError};
use crate::path::RepoPath;

/// A file of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// A commit that has it.
    pub commit: CommitId,
    /// Where it stands there.
    pub file: RepoPath,
    /// Its content.
    pub content: Vec<u8>,
}

/// Reads the files of commits. A folder that was seen is not looked at again, in whatever commit it stands.
pub struct History<'git> {
    git: &'git Git,
    seen: HashSet<Oid>,
}

impl<'git> History<'git> {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(git: &'git Git) -> Self {
        Self { git, seen: HashSet::new() }
    }

    /// The files of `commit` that `wanted` says yes to, given their last part, unless a commit before had the same content.
    /// A symlink is followed.
    ///
    /// # Errors
    /// When an object cannot be read.
    pub fn files(&mut self, commit: CommitId, wanted: impl Fn(&str) -> bool) -> Result<Vec<Version>, GitError> {
        let files = self.git.tree(commit)?;
        let Some(top) = files.folder(&RepoPath::root())? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        let mut done = Vec::new();
        // Not by recursion: a hostile tree may be deep.
        let mut folders = vec![(top, RepoPath::root())];
        while let Some((id, folder)) = folders.pop() {
            if self.seen.contains(&id) {
                continue;
            }
            let tree = self.git.repo.find_tree(id).map_err(GitError::operation("list the files of", &folder))?;
            let mut has_link = false;
            for entry in &tree {
                let Some(name) = entry.name().ok().filter(|name| !matches!(*name, "." | "..")) else { continue };
                match entry.kind() {
                    Some(ObjectType::Tree) => folders.push((entry.id(), folder.join(name)?)),
                    Some(ObjectType::Blob) if wanted(name) => {
                        let file = folder.join(name)?;
                        if entry.filemode() & FILE_TYPE == LINK {
                            has_link = true;
                            let content = files.read(&file)?;
                            found.extend(content.map(|content| Version { commit, file, content }));
                        } else if self.seen.insert(entry.id()) {
                            let blob = self.git.repo.find_blob(entry.id());
                            let blob = blob.map_err(GitError::operation("read from git", &file))?;
                            found.push(Version { commit, file, content: blob.content().to_owned() });
                        }
                    }
                    _ => {}
                }
            }
            done.push((id, folder, has_link));
        }
        // What a symlink leads to may change while its own folder, and those above, stay the same.
        let links: Vec<RepoPath> =
            done.iter().filter(|(.., link)| *link).map(|(_, folder, _)| folder.clone()).collect();
        let is_settled = |folder: &RepoPath| !links.iter().any(|link| link.is_within(folder));
        self.seen.extend(done.iter().filter(|(_, folder, _)| is_settled(folder)).map(|(id, ..)| *id));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::testing::TestRepo;

    fn read(history: &mut History<'_>, commit: CommitId) -> Vec<String> {
        let wanted = |name: &str| name == "dvc.lock";
        let mut found: Vec<String> = history
            .files(commit, wanted)
            .unwrap()
            .into_iter()
            .map(|version| format!("{}={}", version.file, String::from_utf8(version.content).unwrap()))
            .collect();
        found.sort();
        found
    }

    #[test]
    fn each_content_is_read_once_and_links_are_followed() {
        let repo = TestRepo::with(&[("dvc.lock", "1"), ("sub/dvc.lock", "2"), ("real", "3"), ("other", "x")]);
        std::fs::create_dir(repo.at("linked")).unwrap();
        std::os::unix::fs::symlink("../real", repo.at("linked/dvc.lock")).unwrap();
        repo.commit_all("one");
        let git = repo.open();
        let first = git.head().unwrap().commit;
        repo.write("dvc.lock", "4");
        repo.write("real", "5");
        repo.commit_all("two");
        let second = git.head().unwrap().commit;
        let mut history = History::new(&git);
        assert_eq!(read(&mut history, first), ["dvc.lock=1", "linked/dvc.lock=3", "sub/dvc.lock=2"]);
        // The folder of the link is the same tree as before, and leads to something else.
        assert_eq!(read(&mut history, second), ["dvc.lock=4", "linked/dvc.lock=5"]);
    }
}
