//! What the user calls a revision: the workspace, a commit or an experiment; and reading what it holds.

use dewar_core::cache::ObjectStore;
use dewar_core::digest::ObjectId;
use dewar_core::exp::refs;
use dewar_core::git::CommitId;
use dewar_core::metrics::{CommitFiles, Files, RevisionReader};
use dewar_core::pipeline::Pipeline;

use super::project::{Project, files};
use crate::failure::Failure;

/// The commit of a revision or an experiment.
///
/// # Errors
/// When it is neither.
pub fn commit(project: &Project<'_>, text: &str) -> Result<CommitId, Failure> {
    let git = project.repo.git()?;
    match refs::resolve(git, text) {
        Ok(found) => Ok(found.commit),
        // What is no experiment is a revision of git's; its error is the better one to tell.
        Err(refs::ResolveError::Unknown { .. }) => Ok(git.resolve(text)?),
        Err(error) => Err(error.into()),
    }
}

/// Reads from a revision; none is the workspace.
///
/// # Errors
/// When it does not exist or its pipeline is invalid.
pub fn read(
    project: &Project<'_>,
    revision: Option<&str>,
    what: impl Fn(&RevisionReader<'_>) -> Files,
) -> Result<Files, Failure> {
    let store = project.store();
    let objects = |id: &ObjectId| object(store, id);
    match revision {
        None => {
            let files = files(project);
            let pipeline = Pipeline::load(&files, project.templates())?;
            Ok(what(&RevisionReader::new(&files, &pipeline, &project.params, &objects)))
        }
        Some(text) => {
            let files = CommitFiles::new(project.repo.git()?, commit(project, text)?)?;
            let pipeline = Pipeline::load(&files, project.templates())?;
            Ok(what(&RevisionReader::new(&files, &pipeline, &project.params, &objects)))
        }
    }
}

/// The bytes of an object, if the cache has it.
pub fn object(store: &ObjectStore, id: &ObjectId) -> Option<Vec<u8>> {
    std::fs::read(store.path(id)).ok()
}
