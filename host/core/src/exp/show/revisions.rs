//! [`CommitReader`]: what commits hold, read by several threads and remembered between commands.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::memory::Memory;
use crate::digest::ObjectId;
use crate::exp::checkpoint::Note;
use crate::git::{CommitId, CommitTime, Finder, Git, GitError};
use crate::metrics::{CommitFiles, ParamScope, ReadObject, RevisionData, RevisionReader, pipeline_finder};
use crate::params::ParamFiles;
use crate::pipeline::files::WorkFiles;
use crate::pipeline::{FlagStyle, Pipeline, PipelineError, Templates};

/// Below so many commits a second thread costs more than it gains.
const COMMITS_A_THREAD: usize = 8;

/// A commit and what it holds.
#[derive(Debug)]
pub struct CommitRevision {
    /// Which one.
    pub commit: CommitId,
    /// When it was committed; none when git cannot read it.
    pub time: Option<CommitTime>,
    /// The commit before it.
    pub parent: Option<CommitId>,
    /// What it says as a checkpoint.
    pub note: Option<Note>,
    /// What it holds.
    pub data: Result<RevisionData, RevisionError>,
}

/// Why nothing can be said of a commit.
#[derive(Debug, thiserror::Error)]
pub enum RevisionError {
    /// Its pipeline is invalid.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// Git cannot read it.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Whether what was remembered is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// It is.
    Never,
    /// Everything is read anew, and remembered.
    Always,
}

/// How much of a commit is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Everything.
    All,
    /// Everything but metrics: those of a task's commit are of a run before it.
    Inputs,
}

/// Reads what commits hold.
#[derive(Clone, Copy)]
pub struct CommitReader<'a> {
    /// How parameter and metrics files are read.
    pub params: &'a ParamFiles,
    /// How a mapping in a command becomes flags.
    pub flags: FlagStyle,
    /// Where outputs are read that git does not have.
    pub objects: &'a ReadObject<'a>,
    /// Where results are remembered; disposable.
    pub remembered: Option<&'a Path>,
    /// Whether what is remembered is used.
    pub refresh: Refresh,
    /// Which parameters are read.
    pub scope: ParamScope,
}

impl CommitReader<'_> {
    /// Reads commits; the answers are in their order.
    ///
    /// # Errors
    /// When the repository cannot be opened for another thread. What is wrong with a commit is said by its answer.
    pub fn read(&self, git: &Git, commits: &[CommitId], part: Part) -> Result<Vec<CommitRevision>, GitError> {
        let memory = self.remembered.map(|folder| Memory::new(folder, self.scope, part, self.params));
        let mut found: Vec<Option<CommitRevision>> = match (&memory, self.refresh) {
            (Some(memory), Refresh::Never) => memory.recall(commits, self.objects),
            _ => commits.iter().map(|_| None).collect(),
        };
        let missing: Vec<CommitId> =
            commits.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(commit, _)| *commit).collect();
        let read = self.read_all(git, &missing, part)?;
        if let Some(memory) = memory {
            memory.remember(&read);
        }
        let mut read = read.into_iter();
        found.iter_mut().filter(|found| found.is_none()).for_each(|place| *place = read.next());
        Ok(found.into_iter().flatten().collect())
    }

    /// Reads all of them, with as many threads as pay.
    fn read_all(&self, git: &Git, commits: &[CommitId], part: Part) -> Result<Vec<CommitRevision>, GitError> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = cores.min(commits.len() / COMMITS_A_THREAD);
        let params = self.params.forgetful();
        let reader = CommitReader { params: &params, ..*self };
        if threads < 2 {
            let finder = pipeline_finder(git);
            return Ok(commits.iter().map(|commit| reader.read_one(git, &finder, *commit, part)).collect());
        }
        let repositories = (0..threads).map(|_| git.reopen()).collect::<Result<Vec<_>, _>>()?;
        let next = AtomicUsize::new(0);
        let work = |git: &Git| {
            let finder = pipeline_finder(git);
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(commit) = commits.get(at) else { return done };
                done.push((at, reader.read_one(git, &finder, *commit, part)));
            }
        };
        let work = &work;
        let mut done: Vec<(usize, CommitRevision)> = std::thread::scope(|scope| {
            let running: Vec<_> = repositories.into_iter().map(|git| scope.spawn(move || work(&git))).collect();
            running
                .into_iter()
                .flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        done.sort_unstable_by_key(|(at, _)| *at);
        Ok(done.into_iter().map(|(_, revision)| revision).collect())
    }

    fn read_one(&self, git: &Git, finder: &Finder<'_>, commit: CommitId, part: Part) -> CommitRevision {
        let summary = match git.commit_summary(commit) {
            Ok(summary) => summary,
            Err(error) => {
                return CommitRevision { commit, time: None, parent: None, note: None, data: Err(error.into()) };
            }
        };
        CommitRevision {
            commit,
            time: Some(summary.time),
            parent: summary.parents.first().copied(),
            note: Note::of(&summary.message),
            data: self.data(git, finder, commit, part),
        }
    }

    fn data(
        &self,
        git: &Git,
        finder: &Finder<'_>,
        commit: CommitId,
        part: Part,
    ) -> Result<RevisionData, RevisionError> {
        let files = CommitFiles::new(git, commit, finder)?;
        let pipeline = Pipeline::load(&files, self.templates())?;
        let reader = RevisionReader::new(&files, &pipeline, self.params, self.objects);
        Ok(match part {
            Part::All => reader.data(self.scope),
            Part::Inputs => reader.inputs(self.scope),
        })
    }

    /// What the work tree at `root` holds now, where an experiment runs; none when that cannot be said, such as when it has just
    /// been removed. What the cache keeps of a run before is none of its results.
    pub(super) fn read_running(&self, root: &Path) -> Option<RevisionData> {
        let files = WorkFiles::new(root.to_owned());
        let pipeline = Pipeline::load(&files, self.templates()).ok()?;
        let nothing = |_: &ObjectId| None;
        Some(RevisionReader::new(&files, &pipeline, self.params, &nothing).data(self.scope))
    }

    const fn templates(&self) -> Templates<'_> {
        Templates { values: self.params, flags: self.flags }
    }
}
