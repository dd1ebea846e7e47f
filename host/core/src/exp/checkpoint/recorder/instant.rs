//! What of the project belongs to the instant of a stage's checkpoints, beside what the stage writes: files and locks as they are
//! when it begins, but for the results of stages that need it or run beside it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{Chain, Recorder};
use crate::exp::checkpoint::resume;
use crate::exp::run;
use crate::fs;
use crate::git::{GitError, TreeId};
use crate::path::RepoPath;
use crate::pipeline::{LockEntry, LockFile, Stage};
use crate::stage_run::CheckpointError;

impl Recorder<'_> {
    /// The stages whose results are of another instant than this one's: those that need it, and those that may run beside it.
    pub(super) fn others(&self, stage: &Stage) -> (Vec<&Stage>, Vec<&Stage>) {
        let pipeline = &self.run.selection.pipeline;
        let (Some(id), Some(graph)) = (pipeline.find(&stage.address), &self.run.selection.graph) else {
            return (Vec::new(), Vec::new());
        };
        let (before, after) = (graph.upstream_first(pipeline, &[id]), graph.downstream(&[id]));
        let order = &self.run.selection.order;
        // What another one with checkpoints recorded is known.
        let beside = order.iter().filter(|other| !before.contains(other) && !after.contains(other));
        let beside = beside.map(|id| pipeline.stage(*id)).filter(|stage| !stage.has_checkpoints());
        let beside = beside.collect();
        (after.into_iter().filter(|other| *other != id).map(|id| pipeline.stage(id)).collect(), beside)
    }

    /// The files of the experiment when a stage begins: without what it makes stale, and with what others beside it left before.
    pub(super) fn base(&self, chain: &Chain, after: &[&Stage], beside: &[&Stage]) -> Result<TreeId, GitError> {
        let of_git = |stages: &[&Stage]| -> Vec<RepoPath> {
            let outs = stages.iter().flat_map(|stage| &stage.outs).filter(|out| !out.cached);
            outs.map(|out| out.path.clone()).collect()
        };
        let now = run::snapshot(&chain.git, &chain.ran, self.run.selection)?;
        let base = chain.git.without(now, &of_git(after))?;
        chain.git.with_paths_of(base, chain.git.commit_summary(chain.parent)?.tree, &of_git(beside))
    }

    /// The locks when a stage begins: as they are on disk, with what was recorded of other stages with checkpoints, which may not
    /// be there yet, without those `after` it, and with those `beside` it as they were before. And whether the stage was remembered on disk.
    pub(super) fn locks(
        &self,
        chain: &Chain,
        stage: &Stage,
        inputs: &LockEntry,
        after: &[&Stage],
        beside: &[&Stage],
    ) -> Result<(BTreeMap<RepoPath, LockFile>, bool), CheckpointError> {
        let mut is_known = false;
        let own = (&stage.address, inputs);
        let others = resume::stages(self.run.selection)
            .filter_map(|other| Some((&other.address, chain.stages.get(&other.address.to_string())?.last.as_ref()?)));
        let mut locks: BTreeMap<RepoPath, LockFile> = BTreeMap::new();
        for (address, entry) in others.filter(|(address, _)| **address != stage.address).chain([own]) {
            let Some(name) = &address.name else { continue };
            let lock = match locks.entry(address.file.clone()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let file = LockFile::path_for(&address.file);
                    let text = fs::read_optional(&file.under(chain.ran.root()))?;
                    new.insert(LockFile::of(file, text)?)
                }
            };
            is_known |= *address == stage.address && lock.get(name).is_some();
            lock.set(name, entry.clone(), []);
        }
        for (pipeline, lock) in &mut locks {
            let before = LockFile::of(lock.file().clone(), chain.git.read(chain.parent, lock.file())?)?;
            let of_file = |stage: &&&Stage| stage.address.file == *pipeline;
            for other in after.iter().filter(of_file) {
                lock.remove(|name| other.address.name.as_deref() == Some(name));
            }
            for name in beside.iter().filter(of_file).filter_map(|stage| stage.address.name.as_deref()) {
                match before.get(name) {
                    Some(entry) => drop(lock.set(name, entry.clone(), [])),
                    None => drop(lock.remove(|known| known == name)),
                }
            }
        }
        Ok((locks, is_known))
    }
}
