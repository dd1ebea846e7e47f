//! The commits whose experiments are meant.

use dewar_core::exp::refs::{self, Experiment};
use dewar_core::git::{CommitId, Git};

use crate::args::exp::BaselineArgs;
use crate::failure::Failure;

/// The baselines, in order, each with its experiments, the newest first.
///
/// # Errors
/// When a revision names nothing.
pub fn baselines(git: &Git, args: &BaselineArgs) -> Result<Vec<(CommitId, Vec<Experiment>)>, Failure> {
    let mut found: Vec<(CommitId, Vec<Experiment>)> = Vec::new();
    if args.all_commits {
        for experiment in refs::all(git)? {
            let baseline = experiment.reference.baseline;
            match found.iter_mut().find(|(known, _)| *known == baseline) {
                Some((_, experiments)) => experiments.push(experiment),
                None => found.push((baseline, vec![experiment])),
            }
        }
        return Ok(found);
    }
    let starts: Vec<CommitId> = if args.rev.is_empty() {
        vec![git.head()?.commit]
    } else {
        args.rev.iter().map(|rev| git.resolve(rev)).collect::<Result<_, _>>()?
    };
    let count = args.num.map_or(1, |num| usize::try_from(num).unwrap_or(usize::MAX));
    for start in starts {
        for commit in git.first_parents(start, count)? {
            if !found.iter().any(|(known, _)| *known == commit) {
                found.push((commit, refs::of_baseline(git, commit)?));
            }
        }
    }
    Ok(found)
}
