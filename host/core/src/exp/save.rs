//! `exp save`: what an experiment has beyond the files of the pipeline, when the user names it (walk, step 9 without the steps before).

use std::path::Path;

use crate::fs::FsError;
use crate::git::{Git, GitError};
use crate::path::{PathError, RepoPath};
use crate::pipeline::{Pipeline, StageAddress};
use crate::repo::PROJECT_DIR;

/// Why a path cannot be part of an experiment.
#[derive(Debug, thiserror::Error)]
pub enum IncludeError {
    /// It is no path of the project.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Nothing is there.
    #[error("there is no `{0}` to include")]
    Missing(String),
    /// A symlink to a folder is on the way to it, and git keeps nothing behind one.
    #[error("`{path}` is reached through the symlink `{link}`, behind which git keeps nothing")]
    BehindLink {
        /// As it was typed.
        path: String,
        /// The link.
        link: RepoPath,
    },
    /// Git's files and the project's own are no part of an experiment.
    #[error("`{0}` is one of git's files or of the project's own, which are no part of an experiment")]
    Own(String),
    /// The cache keeps it.
    #[error("`{path}` is an output of the stage `{stage}`, which the cache keeps")]
    Output {
        /// As it was typed.
        path: String,
        /// The stage.
        stage: StageAddress,
    },
    /// The system refused.
    #[error(transparent)]
    File(#[from] FsError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// What the user wants in an experiment beyond what belongs to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Included {
    /// What git would take by itself; what it ignores of a folder stays out.
    pub seen: Vec<RepoPath>,
    /// What git ignores, and was named all the same.
    pub ignored: Vec<RepoPath>,
}

impl Included {
    /// Reads paths as typed in the folder `from` of the project.
    ///
    /// # Errors
    /// When one cannot be part of an experiment of `pipeline`.
    pub fn parse(git: &Git, pipeline: &Pipeline, from: &RepoPath, typed: &[String]) -> Result<Self, IncludeError> {
        let mut included = Self::default();
        for text in typed {
            let path = path(git.root(), from, text)?;
            if path.is_root() {
                included.seen.push(path);
                continue;
            }
            let writes = |out: &RepoPath| path.is_within(out);
            let of = pipeline.stages().find(|(_, stage)| stage.outs.iter().any(|out| out.cached && writes(&out.path)));
            if let Some((_, stage)) = of {
                return Err(IncludeError::Output { path: text.clone(), stage: stage.address.clone() });
            }
            if git.is_ignored(&path)? { included.ignored.push(path) } else { included.seen.push(path) }
        }
        Ok(included)
    }
}

fn path(root: &Path, from: &RepoPath, text: &str) -> Result<RepoPath, IncludeError> {
    if text.is_empty() {
        return Err(IncludeError::Missing(text.to_owned()));
    }
    let path = RepoPath::typed(root, from, text)?;
    if path.parts().next() == Some(PROJECT_DIR) || path.parts().any(|part| part == ".git") {
        return Err(IncludeError::Own(text.to_owned()));
    }
    let above = std::iter::successors(path.parent(), RepoPath::parent).take_while(|folder| !folder.is_root());
    if let Some(link) = above.into_iter().find(|folder| folder.under(root).is_symlink()) {
        return Err(IncludeError::BehindLink { path: text.to_owned(), link });
    }
    match path.under(root).symlink_metadata() {
        Ok(_) => Ok(path),
        Err(error) if crate::fs::is_absent(&error) => Err(IncludeError::Missing(text.to_owned())),
        Err(error) => Err(FsError::new("look at", path.under(root))(error).into()),
    }
}
