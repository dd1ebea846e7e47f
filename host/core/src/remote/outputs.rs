//! [`Outputs`]: what is to go to remotes or to come from them, by the outputs of pipelines that name it.

use std::collections::BTreeMap;

use super::Batch;
use crate::path::RepoPath;
use crate::pipeline::{Pipeline, Stage};

/// Recorded outputs, each with the remote that it is for.
#[derive(Debug, Clone, Default)]
pub struct Outputs {
    /// Under none those that are for whichever remote is asked.
    by_remote: BTreeMap<Option<String>, Batch>,
}

impl Outputs {
    /// Adds what is recorded of all outputs of a pipeline, be it that of the workspace or of a commit.
    pub fn add_pipeline(&mut self, pipeline: &Pipeline) {
        for (_, stage) in pipeline.stages() {
            self.add_stage(pipeline, stage, None);
        }
    }

    /// Adds what is recorded of the outputs of a stage or `.dvc` file, or of the one output, or path inside of one, that is
    /// named. Outputs that git keeps or that say `push: false` are none.
    pub fn add_stage(&mut self, pipeline: &Pipeline, stage: &Stage, within: Option<&RepoPath>) {
        let Some(locked) = pipeline.locked(stage) else { return };
        for out in stage.outs.iter().filter(|out| out.cached && out.pushed) {
            let Some(id) = locked.out(&out.lock_path).and_then(|known| known.id.as_ref()) else { continue };
            let inner = match within {
                None => None,
                Some(path) if out.path.is_within(path) => None,
                Some(path) if path.is_within(&out.path) => Some(path.relative_to(&out.path)),
                Some(_) => continue,
            };
            let batch = self.by_remote.entry(out.remote.clone()).or_default();
            match inner {
                Some(inner) => batch.add_part(id, &out.path, inner),
                None => batch.add(id, &out.path),
            }
        }
    }

    /// Has a remote asked, none being the default one, also when nothing is for it.
    pub fn ask(&mut self, remote: Option<&str>) {
        self.by_remote.entry(remote.map(str::to_owned)).or_default();
    }

    /// What is for each remote; none stands for the default one. With a `chosen` remote, what is for that one alone, and what is
    /// for no other (DVC's rule).
    #[must_use]
    pub fn batches(mut self, chosen: Option<&str>) -> Vec<(Option<String>, Batch)> {
        let Some(chosen) = chosen.map(|name| Some(name.to_owned())) else {
            if self.by_remote.is_empty() {
                // That there is no remote is to be told, also when there is nothing to go.
                self.ask(None);
            }
            return self.by_remote.into_iter().collect();
        };
        let mut batch = self.by_remote.remove(&None).unwrap_or_default();
        batch.extend(self.by_remote.remove(&chosen).unwrap_or_default());
        vec![(chosen, batch)]
    }
}
