//! [`Ignored`]: the lines that a run adds to `.gitignore` files (walk, step 8).

use std::collections::BTreeMap;
use std::path::Path;

use crate::fs::FsError;
use crate::gitignore;
use crate::path::RepoPath;
use crate::pipeline::Stage;

/// The outputs that got a line in this run, by the place of their stage in its order and their own in the stage. Lines stand
/// in that order, in whichever order the stages end.
#[derive(Debug, Default)]
pub(super) struct Ignored(BTreeMap<(usize, usize), RepoPath>);

impl Ignored {
    /// Sees to it that git ignores what the stage keeps in the cache.
    pub(super) fn add(
        &mut self,
        root: &Path,
        place: usize,
        stage: &Stage,
        is_ignored: impl Fn(&RepoPath) -> bool,
    ) -> Result<(), FsError> {
        for (index, out) in stage.outs.iter().enumerate().filter(|(_, out)| out.cached) {
            if is_ignored(&out.path) {
                continue;
            }
            let folder = out.path.parent();
            let later = self.0.range((place, index)..).map(|(_, path)| path).filter(|path| path.parent() == folder);
            let later: Vec<&RepoPath> = later.collect();
            if gitignore::add_before(root, &out.path, &later)?.is_some() {
                self.0.insert((place, index), out.path.clone());
            }
        }
        Ok(())
    }
}
