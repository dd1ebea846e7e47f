//! [`Recorder`]: records the checkpoints of one run, each a commit on the one before (walk, steps 7 and 9).

mod instant;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dewar_text::Value;

use super::history::History;
use super::note::{Note, StageMoment};
use super::policy::{Policies, PolicyError};
use super::resume::{self, STAGING};
use crate::event::{Event, EventSink};
use crate::exp::chains::Chains;
use crate::exp::kept::keep_replaced;
use crate::exp::record::{self, RecordError, Settled};
use crate::exp::refs::{Experiment, ExperimentRef};
use crate::exp::run::{self, ExperimentError, Identified, Recording};
use crate::extension::{Extensions, Moment, PastMoment, Trigger};
use crate::fs;
use crate::git::{CommitId, CommitTime, Expected, Git, GitError, Identity, NewCommit, RefConflict, TreeId};
use crate::metrics::{FileData, FileError, Files, RevisionReader, numbers};
use crate::params::ParamFiles;
use crate::path::RepoPath;
use crate::pipeline::files::WorkFiles;
use crate::pipeline::{LockEntry, LockFile, OutputKind, PolicyUse, Signal, Stage};
use crate::repro::Selection;
use crate::schedule::RunReport;
use crate::stage_run::{Begun, CheckpointError, Checkpoints, Considered, DVCLIVE, Keep};

/// How often outputs are kept again that changed while they were kept, and how long between.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(5);

/// A run whose checkpoints are recorded.
pub struct Recorded<'a> {
    /// What the experiment is called, where it belongs and what it goes on from.
    pub identified: &'a Identified,
    /// The task of the queue that it is.
    pub task: Option<CommitId>,
    /// What the user says of it.
    pub message: Option<&'a str>,
    /// Whose it is.
    pub identity: Identity,
    /// What is run.
    pub selection: &'a Selection,
    /// What decides on the checkpoints of stages that say nothing of it.
    pub policies: Vec<PolicyUse>,
    /// Where policies come from.
    pub extensions: &'a dyn Extensions,
    /// How metrics are read.
    pub metrics: ParamFiles,
    /// The time.
    pub clock: Box<dyn Fn() -> CommitTime + Send + Sync + 'a>,
    /// Who is told.
    pub events: Arc<dyn EventSink>,
}

/// Records the checkpoints of a run. It makes a commit, moves the experiment's reference from the one before by
/// compare-and-swap, and only then is the stage told to go on.
pub struct Recorder<'a> {
    run: Recorded<'a>,
    chain: Mutex<Chain>,
}

/// What has been recorded.
struct Chain {
    /// Where commits are made.
    git: Git,
    /// The repository of the workspace that the stages run in.
    ran: Git,
    reference: ExperimentRef,
    /// Where the reference must stand for the next commit.
    expected: Expected,
    /// What the next commit is put on.
    parent: CommitId,
    history: History,
    /// What the next commit says.
    pending: Note,
    /// How many checkpoints this run made.
    made: usize,
    /// How many checkpoints policies let go of.
    let_go: usize,
    /// The experiment in whose place the first commit came.
    replaced: Option<CommitId>,
    /// What decides on the checkpoints of stages that have not begun.
    policies: HashMap<String, Policies>,
    stages: HashMap<String, Watched>,
}

/// A stage whose checkpoints are taken.
struct Watched {
    policies: Policies,
    /// The moments so far.
    past: Vec<PastMoment>,
    /// The files of the experiment when the stage began, without what it made stale.
    base: TreeId,
    /// The locks as the checkpoints have them.
    locks: BTreeMap<RepoPath, LockFile>,
    /// What the stage writes and git keeps.
    paths: Vec<RepoPath>,
    metrics: Vec<RepoPath>,
    begun: Instant,
    /// The running time before, in milliseconds.
    elapsed_before: u64,
    /// What was recorded last.
    last: Option<LockEntry>,
}

impl<'a> Recorder<'a> {
    /// Prepares to record in the repository `git` what runs in the workspace of `ran`.
    ///
    /// # Errors
    /// When a policy of a stage cannot be used, so that it is told before anything runs; or when git cannot be read.
    pub fn new(git: &Git, ran: &Git, run: Recorded<'a>) -> Result<Self, CheckpointError> {
        let of_stage = |stage: &Stage| Ok((stage.address.to_string(), policies_of(&run, stage)?));
        let policies = resume::stages(run.selection).map(of_stage).collect::<Result<_, CheckpointError>>()?;
        let Identified { baseline, name, taken, beginning } = run.identified;
        let reference = ExperimentRef { baseline: *baseline, name: name.clone() };
        let parent = beginning.checkpoint().unwrap_or(*baseline);
        let chain = Chain {
            git: git.reopen()?,
            ran: ran.reopen()?,
            expected: record::expected(git, &reference.ref_name()?, parent, *taken)?,
            reference,
            parent,
            history: Chains::new(git).history(*baseline, parent)?,
            pending: Note::new(name.clone(), run.task),
            made: 0,
            let_go: 0,
            replaced: None,
            policies,
            stages: HashMap::new(),
        };
        Ok(Self { run, chain: Mutex::new(chain) })
    }

    /// How many checkpoints the experiment has after this run made some, and the last of them.
    #[must_use]
    pub fn made(&self) -> Option<(usize, CommitId)> {
        let chain = self.chain();
        let kept = chain.history.links().iter().filter(|link| chain.history.keeps(link.commit)).count();
        (chain.made > 0).then_some((kept, chain.parent))
    }

    /// How many checkpoints policies let go of in this run.
    #[must_use]
    pub fn let_go(&self) -> usize {
        self.chain().let_go
    }

    /// Records what came out in the end as a wrap-up checkpoint, when something changed since the last one.
    ///
    /// # Errors
    /// When git cannot record it, or another process moved the reference meanwhile.
    pub fn finish(&self, report: &RunReport, recording: &mut Recording<'_>) -> Result<Settled, ExperimentError> {
        let mut chain = self.chain();
        let chain = &mut *chain;
        let tree = run::snapshot(&chain.git, &chain.ran, self.run.selection)?;
        let is_there = chain.expected == Expected::At(chain.parent);
        // A stage whose inputs changed meanwhile is in no lock: what the workspace has of it belongs to nothing that is known.
        let has_ended = |address: &String| report.changed.iter().any(|(stage, _)| stage.to_string() == *address);
        let is_settled = chain.stages.keys().all(has_ended);
        if !is_there || is_settled && chain.git.commit_summary(chain.parent)?.tree != tree {
            let message = run::message(self.run.message, &report.changed);
            let name = chain.reference.name.clone();
            let commit = chain.make(&self.run, tree, &message)?;
            (recording.settled)(commit)?;
            chain.advance(commit).map_err(|error| match error {
                GitError::RefConflict(RefConflict { expected: Expected::Absent, found: Some(commit), .. }) => {
                    RecordError::NameTaken { name, commit }.into()
                }
                error => ExperimentError::Git(error),
            })?;
        } else {
            (recording.settled)(chain.parent)?;
        }
        let experiment = Experiment { reference: chain.reference.clone(), commit: chain.parent };
        Ok(Settled { experiment, replaced: chain.replaced })
    }

    fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn metrics(&self, root: &Path, files: &[RepoPath]) -> Files {
        let work = WorkFiles::new(root.to_owned());
        let nothing = |_: &_| None;
        RevisionReader::new(&work, &self.run.selection.pipeline, &self.run.metrics, &nothing).metrics_of(files)
    }

    /// Keeps the outputs of a stage that goes on meanwhile, until they are of one instant: nothing changed while they were kept, no
    /// step was completed, and no metrics file is half-written.
    fn capture_moving(
        &self,
        chain: &Chain,
        watched: &mut Watched,
        stage: &Stage,
        keep: Keep<'_>,
    ) -> Result<(LockEntry, TreeId), CheckpointError> {
        let completed = || fs::read_optional(&chain.ran.root().join(DVCLIVE)).ok().flatten();
        for _ in 0..TRIES {
            let step = completed();
            // What changes while it is read is an error as often as another content.
            if let Ok(entry) = keep()
                && let Ok(tree) = tree_of(chain, watched, stage, &entry)
                && self.metrics(chain.ran.root(), &watched.metrics).values().all(is_whole)
                && keep().is_ok_and(|again| again == entry)
                // Written anew with the same content, a file is empty for a moment, too.
                && tree_of(chain, watched, stage, &entry).is_ok_and(|again| again == tree)
                && completed() == step
            {
                return Ok((entry, tree));
            }
            std::thread::sleep(PAUSE);
        }
        Err(CheckpointError::Restless)
    }
}

/// Whether a metrics file is not in the middle of being written: one that is emptied first is nothing for a moment.
fn is_whole(file: &FileData) -> bool {
    match file {
        FileData::Values(values) => !matches!(**values, Value::Null),
        FileData::Broken(error) => matches!(error, FileError::Missing(_) | FileError::NotCached { .. }),
    }
}

impl Checkpoints for Recorder<'_> {
    fn begin(&self, stage: &Stage, inputs: &LockEntry) -> Result<Begun, CheckpointError> {
        let mut chain = self.chain();
        let policies = chain.policies.remove(&stage.address.to_string());
        let policies = policies.map_or_else(|| policies_of(&self.run, stage), Ok)?;
        let (after, beside) = self.others(stage);
        let base = self.base(&chain, &after, &beside)?;
        let (locks, is_known) = self.locks(&chain, stage, inputs, &after, &beside)?;
        let address = stage.address.to_string();
        let past = chain.history.moments(&address);
        // What is written beside outputs, as DVCLive does, is named at the top of some file.
        let pipeline = &self.run.selection.pipeline;
        let is_output = |path: &&RepoPath| {
            let outs = pipeline.stages().flat_map(|(_, stage)| &stage.outs);
            outs.into_iter().any(|out| path.is_within(&out.path))
        };
        let top = || pipeline.files().values();
        let kept = stage.outs.iter().filter(|out| !out.cached).map(|out| &out.path);
        let of_top = top().flat_map(|file| file.metrics.iter().chain(&file.plots));
        let metrics = stage.outs.iter().filter(|out| out.kind == OutputKind::Metric).map(|out| &out.path);
        let metrics =
            metrics.chain(top().flat_map(|file| &file.metrics).filter(|path| !is_output(path))).cloned().collect();
        let watched = Watched {
            policies,
            base,
            locks,
            paths: kept.chain(of_top.filter(|path| !is_output(path))).cloned().collect(),
            metrics,
            begun: Instant::now(),
            elapsed_before: past.last().map_or(0, |past| past.moment.elapsed_ms),
            past,
            last: None,
        };
        chain.stages.insert(address, watched);
        let goes_on = self.run.identified.beginning.checkpoint().is_some() && is_known;
        Ok(if goes_on { Begun::Resumed } else { Begun::Anew })
    }

    fn restore(&self, stage: &Stage) -> Result<(), CheckpointError> {
        let chain = self.chain();
        let Some(watched) = chain.stages.get(&stage.address.to_string()) else { return Ok(()) };
        let last = chain.git.commit_summary(chain.parent)?.tree;
        chain.ran.restore_paths(watched.base, last, &watched.paths, &RepoPath::parse(STAGING).unwrap_or_default())?;
        Ok(())
    }

    fn consider(&self, stage: &Stage, trigger: Trigger, keep: Keep<'_>) -> Result<Considered, CheckpointError> {
        let mut chain = self.chain();
        let chain = &mut *chain;
        let address = stage.address.to_string();
        let Some(mut watched) = chain.stages.remove(&address) else {
            return Ok(Considered { checkpoint: None, stop: None });
        };
        let considered = self.consider_in(chain, &mut watched, stage, trigger, keep);
        chain.stages.insert(address, watched);
        considered
    }
}

impl Recorder<'_> {
    fn consider_in(
        &self,
        chain: &mut Chain,
        watched: &mut Watched,
        stage: &Stage,
        trigger: Trigger,
        keep: Keep<'_>,
    ) -> Result<Considered, CheckpointError> {
        let mut kept = None;
        if trigger == Trigger::Finished {
            let entry = keep()?;
            if watched.last.as_ref() == Some(&entry) {
                return Ok(Considered { checkpoint: Some(entry), stop: None });
            }
            kept = Some(entry);
        }
        let elapsed = u64::try_from(watched.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut moment = Moment {
            trigger,
            step: watched.past.last().map_or(0, |past| past.moment.step).saturating_add(1),
            elapsed_ms: watched.elapsed_before.saturating_add(elapsed),
            metrics: numbers(&self.metrics(chain.ran.root(), &watched.metrics)),
        };
        let verdict = watched.policies.decide(&watched.past, &moment);
        if !verdict.record {
            let stage = stage.address.to_string();
            chain.pending.passed.push(StageMoment { stage, moment: moment.clone() });
            watched.past.push(PastMoment { moment, checkpoint: None });
            return Ok(Considered { checkpoint: watched.last.clone(), stop: None });
        }
        // One that has ended, or waits for an answer, writes nothing meanwhile.
        let (entry, tree) = if kept.is_some() || stage.signal() == Signal::File {
            let entry = kept.map_or_else(keep, Ok)?;
            let tree = tree_of(chain, watched, stage, &entry)?;
            (entry, tree)
        } else {
            let captured = self.capture_moving(chain, watched, stage, keep)?;
            moment.metrics = numbers(&self.metrics(chain.ran.root(), &watched.metrics));
            captured
        };
        chain.pending.moment = Some(StageMoment { stage: stage.address.to_string(), moment: moment.clone() });
        chain.pending.discarded = verdict.discard.iter().filter_map(|commit| CommitId::parse(commit)).collect();
        let reason = verdict.stop.map(|stop| format!("{}: {}", stop.policy, stop.reason));
        chain.pending.stop.clone_from(&reason);
        let message = run::message(self.run.message, &[(stage.address.clone(), entry.clone())]);
        let commit = chain.make(&self.run, tree, &message)?;
        chain.advance(commit)?;
        chain.made += 1;
        chain.let_go += verdict.discard.len();
        for past in watched
            .past
            .iter_mut()
            .filter(|past| past.checkpoint.as_ref().is_some_and(|checkpoint| verdict.discard.contains(checkpoint)))
        {
            past.checkpoint = None;
        }
        let step = moment.step;
        watched.past.push(PastMoment { moment, checkpoint: Some(commit.to_string()) });
        watched.last = Some(entry.clone());
        let (stage, discarded) = (stage.address.to_string(), verdict.discard.len());
        self.run.events.event(Event::Checkpoint { stage: stage.clone(), commit: commit.short(), step, discarded });
        if let Some(reason) = &reason {
            self.run.events.event(Event::StageStopped { stage, reason: reason.clone() });
        }
        Ok(Considered { checkpoint: Some(entry), stop: reason })
    }
}

fn policies_of(run: &Recorded<'_>, stage: &Stage) -> Result<Policies, CheckpointError> {
    policies(stage, &run.policies, run.extensions, &run.events)
}

/// The policies of a stage, those of the `project` unless it has its own; each can be used.
///
/// # Errors
/// [`CheckpointError::Policy`].
pub fn policies(
    stage: &Stage,
    project: &[PolicyUse],
    extensions: &dyn Extensions,
    events: &Arc<dyn EventSink>,
) -> Result<Policies, CheckpointError> {
    let own = stage.checkpoint.as_ref().and_then(|settings| settings.policies.clone());
    let chosen = own.unwrap_or_else(|| project.to_vec());
    let unusable = |PolicyError { policy, source }| CheckpointError::Policy { policy, source };
    let policies = Policies::new(chosen, extensions, Arc::clone(events)).map_err(unusable)?;
    policies.check().map_err(unusable)?;
    Ok(policies)
}

/// The files of a checkpoint whose stage has this lock entry.
fn tree_of(chain: &Chain, watched: &mut Watched, stage: &Stage, entry: &LockEntry) -> Result<TreeId, CheckpointError> {
    let tree = chain.ran.snapshot_onto(watched.base, &watched.paths)?;
    if let (Some(lock), Some(name)) = (watched.locks.get_mut(&stage.address.file), &stage.address.name) {
        lock.set(name, entry.clone(), []);
    }
    let texts: Vec<(&RepoPath, String)> = watched.locks.values().map(|lock| (lock.file(), lock.to_text())).collect();
    let tree = chain.ran.with_files(tree, texts.iter().map(|(file, text)| (*file, text.as_bytes())))?;
    chain.git.adopt(&chain.ran, tree)?;
    Ok(tree)
}

impl Chain {
    /// Makes the next commit, which nothing names yet.
    fn make(&self, run: &Recorded<'_>, tree: TreeId, message: &str) -> Result<CommitId, GitError> {
        self.git.commit(&NewCommit {
            tree,
            parents: &[self.parent],
            message: &self.pending.under(message),
            time: (run.clock)(),
            identity: &run.identity,
        })
    }

    /// Puts that commit on the chain: what names the experiment moves to it.
    fn advance(&mut self, commit: CommitId) -> Result<(), GitError> {
        let name = self.reference.ref_name()?;
        if let Expected::At(old) = self.expected
            && old != self.parent
        {
            self.replaced = keep_replaced(&self.git, old, commit)?;
        }
        self.git.update_ref(&name, commit, self.expected, "dewar: checkpoint")?;
        let fresh = Note::new(self.pending.experiment.clone(), self.pending.task);
        self.history.push(commit, std::mem::replace(&mut self.pending, fresh));
        (self.parent, self.expected) = (commit, Expected::At(commit));
        Ok(())
    }
}
