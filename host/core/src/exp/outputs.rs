//! The recorded outputs of commits, be it of branches or of experiments: what their objects are to go to a remote for.

use crate::git::{CommitId, Git, GitError};
use crate::metrics::{CommitFiles, pipeline_finder};
use crate::pipeline::target::Target;
use crate::pipeline::{Pipeline, PipelineError, Templates};
use crate::remote::Outputs;

/// Why the outputs of a commit cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum OutputsError {
    /// It cannot be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Its pipeline is invalid.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

/// Adds to `outputs` those that commits record: of each, what `selected` takes of its pipeline (`target::resolve` with
/// [`Targets::All`](crate::pipeline::target::Targets) takes all). A commit in which there is
/// nothing of what was asked for has none. Answers the commits of which it cannot be told, with the reason.
pub fn add_commits(
    outputs: &mut Outputs,
    git: &Git,
    templates: Templates<'_>,
    commits: impl IntoIterator<Item = CommitId>,
    selected: impl Fn(&Pipeline) -> Vec<Target>,
) -> Vec<(CommitId, OutputsError)> {
    let finder = pipeline_finder(git);
    let mut unreadable = Vec::new();
    for commit in commits {
        let load = || Ok(Pipeline::load(&CommitFiles::new(git, commit, &finder)?, templates)?);
        match load() {
            Err(error) => unreadable.push((commit, error)),
            Ok(pipeline) => {
                for target in selected(&pipeline) {
                    outputs.add_stage(&pipeline, pipeline.stage(target.stage), target.output.as_ref());
                }
            }
        }
    }
    unreadable
}
