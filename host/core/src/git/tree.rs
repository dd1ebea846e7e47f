//! [`CommitTree`]: the files of a commit, read as those of a work tree are.

use std::path::Path;

use git2::{ErrorCode, ObjectType, Oid, Tree};

use super::{CommitId, Finder, Git, GitError, TreeId};
use crate::path::RepoPath;

/// Symlinks followed before a chain of them is taken for a loop (as many as Linux follows).
const LINKS_FOLLOWED: usize = 40;

pub(super) const LINK: i32 = 0o120_000;
pub(super) const FILE_TYPE: i32 = 0o170_000;

/// The files of a commit. Paths are those of the project; a symlink that stays inside the repository is followed.
pub struct CommitTree<'git> {
    git: &'git Git,
    tree: Tree<'git>,
}

impl Git {
    /// The files of `commit`.
    ///
    /// # Errors
    /// When the commit cannot be read.
    pub fn tree(&self, commit: CommitId) -> Result<CommitTree<'_>, GitError> {
        let tree = self
            .repo
            .find_commit(commit.0)
            .and_then(|commit| commit.tree())
            .map_err(GitError::operation("read the tree of the commit", commit))?;
        Ok(CommitTree { git: self, tree })
    }

    /// The paths at which two trees differ; none for one outside of the project.
    ///
    /// # Errors
    /// When a tree cannot be read.
    pub fn differing(&self, a: TreeId, b: TreeId) -> Result<Vec<Option<RepoPath>>, GitError> {
        let error = || GitError::operation("compare", format!("{a} and {b}"));
        let (a, b) = (self.repo.find_tree(a.0).map_err(error())?, self.repo.find_tree(b.0).map_err(error())?);
        let diff = self.repo.diff_tree_to_tree(Some(&a), Some(&b), None).map_err(error())?;
        let inside = |path: &Path| {
            let path = path.strip_prefix(Path::new(self.prefix.as_str())).ok()?;
            RepoPath::parse(path.to_str()?).ok()
        };
        let path =
            |delta: git2::DiffDelta<'_>| delta.new_file().path().or_else(|| delta.old_file().path()).and_then(inside);
        Ok(diff.deltas().map(path).collect())
    }

    /// The content of a file of `commit`; none when it has no such file.
    ///
    /// # Errors
    /// When the commit cannot be read.
    pub fn read(&self, commit: CommitId, path: &RepoPath) -> Result<Option<Vec<u8>>, GitError> {
        self.tree(commit)?.read(path)
    }
}

impl CommitTree<'_> {
    /// The name of the tree.
    #[must_use]
    pub fn id(&self) -> TreeId {
        TreeId(self.tree.id())
    }

    /// The content of a file; none when there is none, or it is a folder.
    ///
    /// # Errors
    /// When an object cannot be read.
    pub fn read(&self, path: &RepoPath) -> Result<Option<Vec<u8>>, GitError> {
        let Some((id, ObjectType::Blob)) = self.find(path)? else { return Ok(None) };
        let blob = self.git.repo.find_blob(id).map_err(GitError::operation("read from git", path))?;
        Ok(Some(blob.content().to_owned()))
    }

    /// What names the content of a file or folder, for comparing without reading; none when there is none.
    ///
    /// # Errors
    /// When an object cannot be read.
    pub fn content_id(&self, path: &RepoPath) -> Result<Option<String>, GitError> {
        Ok(self.find(path)?.map(|(id, _)| id.to_string()))
    }

    /// Every file of the project that `finder` wants; in the order of the paths' bytes. Submodules and names that are not UTF-8
    /// are passed by.
    ///
    /// # Errors
    /// When an object cannot be read.
    pub fn files(&self, finder: &Finder<'_>) -> Result<Vec<RepoPath>, GitError> {
        Ok(self.found_below(&RepoPath::root(), finder)?.unwrap_or_default())
    }

    /// Every file below a folder of the project; none when it is no folder. As [`Self::files`].
    ///
    /// # Errors
    /// When an object cannot be read.
    pub fn files_below(&self, folder: &RepoPath) -> Result<Option<Vec<RepoPath>>, GitError> {
        self.found_below(folder, &Finder::new(self.git, |_| true))
    }

    fn found_below(&self, folder: &RepoPath, finder: &Finder<'_>) -> Result<Option<Vec<RepoPath>>, GitError> {
        let Some(id) = self.folder(folder)? else { return Ok(None) };
        let files = finder.below(id)?;
        Ok(Some(files.iter().map(|file| folder.join(file.as_str())).collect::<Result<_, _>>()?))
    }

    /// The tree of a folder of the project; none when it is no folder.
    pub(super) fn folder(&self, folder: &RepoPath) -> Result<Option<Oid>, GitError> {
        Ok(match self.find(folder)? {
            Some((id, ObjectType::Tree)) => Some(id),
            _ => None,
        })
    }

    /// What stands at a path, symlinks followed.
    fn find(&self, path: &RepoPath) -> Result<Option<(Oid, ObjectType)>, GitError> {
        let mut text = self.git.in_git(path);
        for _ in 0..LINKS_FOLLOWED {
            match self.step(&text)? {
                Step::Found(id, kind) => return Ok(Some((id, kind))),
                Step::Absent => return Ok(None),
                Step::Moved(target) => text = target,
            }
        }
        Ok(None)
    }

    /// Looks a path of the repository up; stops at the first symlink on the way.
    fn step(&self, text: &str) -> Result<Step, GitError> {
        let error = || GitError::operation("read from git", text);
        if text.is_empty() {
            return Ok(Step::Found(self.tree.id(), ObjectType::Tree));
        }
        // The whole path at once, which is the way of nearly every look-up.
        match self.tree.get_path(Path::new(text)) {
            Ok(entry) if entry.filemode() & FILE_TYPE != LINK => {
                return Ok(entry.kind().map_or(Step::Absent, |kind| Step::Found(entry.id(), kind)));
            }
            Ok(_) => {}
            Err(error) if error.code() == ErrorCode::NotFound => {}
            Err(source) => return Err(error()(source)),
        }
        let path = RepoPath::parse(text)?;
        let mut folder = RepoPath::root();
        for part in path.parts() {
            let here = folder.join(part)?;
            let Ok(entry) = self.tree.get_path(Path::new(here.as_str())) else { return Ok(Step::Absent) };
            if entry.filemode() & FILE_TYPE == LINK {
                let target = self.git.repo.find_blob(entry.id()).map_err(error())?;
                let rest = path.relative_to(&here);
                let moved = std::str::from_utf8(target.content())
                    .ok()
                    .and_then(|target| folder.join(target).ok())
                    .and_then(|target| target.join(&rest).ok());
                // A link that leaves the repository names nothing in this commit.
                return Ok(moved.map_or(Step::Absent, |moved| Step::Moved(moved.as_str().to_owned())));
            }
            folder = here;
        }
        Ok(Step::Absent)
    }
}

/// What one look-up came to.
enum Step {
    Found(Oid, ObjectType),
    Absent,
    /// A symlink stands on the way; the path behind it.
    Moved(String),
}
