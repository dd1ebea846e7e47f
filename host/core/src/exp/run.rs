//! `exp run`, in the user's workspace or in an isolated one: overrides, the run, the record (walk, steps 3 to 9).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use dewar_text::{Map, Value};

use super::checkpoint::resume::Beginning;
use super::name::ExperimentName;
use super::record::{self, NameTaken, NewExperiment, RecordError, Settled};
use super::refs;
use super::save::Included;
use crate::fs::{self, FsError};
use crate::git::{CommitId, CommitTime, ExtraPaths, Git, GitError, IdentityOverrides, TreeId};
use crate::params::files::ParamsError;
use crate::params::{Override, ParamFiles};
use crate::path::{PathError, RepoPath};
use crate::pipeline::files::Overlay;
use crate::pipeline::lock::Sizes;
use crate::pipeline::stage::DEFAULT_PARAMS;
use crate::pipeline::{LockEntry, LockFile, PipelineError, Place, ProjectFiles, StageAddress};
use crate::python;
use crate::repro::Selection;
use crate::schedule::RunError;
use crate::source::Source;

/// Why there is no experiment.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// A file named behind `-S` is outside the project.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A parameter file cannot be read or edited; none was changed.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FsError),
    /// The pipeline cannot be read.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The run failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// It cannot be recorded.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// The texts of the parameter files with all overrides applied; each file is named as typed in the folder `from`.
///
/// # Errors
/// When one of them does not fit; then nothing is to be written.
pub fn overridden(
    files: &dyn ProjectFiles,
    params: &ParamFiles,
    from: &RepoPath,
    overrides: &[Override],
) -> Result<Overlay, ExperimentError> {
    let mut by_file: BTreeMap<RepoPath, Vec<&Override>> = BTreeMap::new();
    for one in overrides {
        by_file.entry(file_of(from, one)?).or_default().push(one);
    }
    let mut overlay = Overlay::new();
    for (file, overrides) in by_file {
        let text = files.read(&file)?.unwrap_or_default();
        let source = Source::new(file.clone(), text);
        overlay.insert(file, Arc::from(params.with_overrides(&source, &overrides)?));
    }
    Ok(overlay)
}

fn file_of(from: &RepoPath, one: &Override) -> Result<RepoPath, PathError> {
    from.join(one.file.as_deref().unwrap_or(DEFAULT_PARAMS))
}

/// The parameter files that the overrides are for, each named as typed in the folder `from`.
///
/// # Errors
/// When one is outside of the project.
pub fn files_overridden(from: &RepoPath, overrides: &[Override]) -> Result<Vec<RepoPath>, ExperimentError> {
    overrides.iter().map(|one| Ok(file_of(from, one)?)).collect()
}

/// Writes what [`overridden`] gave, where it differs from what is there: all of it or nothing.
///
/// # Errors
/// When a file cannot be written; then every file is as it was.
pub fn write_overrides(files: &dyn ProjectFiles, overlay: &Overlay) -> Result<(), ExperimentError> {
    let mut changed = Vec::with_capacity(overlay.len());
    for (file, text) in overlay {
        if files.read(file)?.as_deref() != Some(text.as_ref()) {
            changed.push((file, text.as_ref()));
        }
    }
    Ok(fs::write_all_inside(files.root(), &changed)?)
}

/// What an experiment is called and where it belongs, settled before it runs.
#[derive(Debug, Clone)]
pub struct Identified {
    /// The commit that it starts from: `HEAD`.
    pub baseline: CommitId,
    /// Its name.
    pub name: ExperimentName,
    /// What happens when there is one of that name.
    pub taken: NameTaken,
    /// What stages with checkpoints begin with.
    pub beginning: Beginning,
}

/// Settles baseline and name; a name that was not given is drawn.
///
/// # Errors
/// When there is no commit to start from, or the name is taken.
pub fn identify(
    git: &Git,
    name: Option<ExperimentName>,
    taken: NameTaken,
    draw: &mut dyn FnMut(usize) -> usize,
) -> Result<Identified, ExperimentError> {
    let baseline = git.head()?.commit;
    let name = match name {
        Some(name) => {
            if taken == NameTaken::Refuse {
                record::check_free(git, baseline, &name)?;
            }
            name
        }
        None => refs::unused_name(git, baseline, draw)?,
    };
    Ok(Identified { baseline, name, taken, beginning: Beginning::AsItIs })
}

/// How and when an experiment is recorded.
pub struct Recording<'a> {
    /// What the user says of it; by default DVC's message.
    pub message: Option<&'a str>,
    /// Whose it is, beyond what git's settings say.
    pub identity: &'a IdentityOverrides,
    /// When.
    pub time: CommitTime,
    /// Who hears of the commit before its reference is made.
    pub settled: &'a mut dyn FnMut(CommitId) -> Result<(), FsError>,
}

/// Records the workspace `ran` as it is, after a run there or without one, as an experiment of the repository `git`: that of the
/// same workspace, or the one that it was isolated from. `changed` are the stages whose results it is recorded for, and `include`
/// what the user wants in it beyond.
///
/// Its tree is the user's index, every change of a tracked file, and of the stages that were considered: their pipeline and
/// lock files, parameter files, dependencies that no stage writes, and outputs that git keeps (DVC's rule). What git ignores
/// stays out, but for the files of the pipeline itself.
///
/// # Errors
/// When git cannot record it, or the name was taken meanwhile.
pub fn record(
    git: &Git,
    ran: &Git,
    identified: &Identified,
    selection: &Selection,
    changed: &[(StageAddress, LockEntry)],
    include: &Included,
    recording: &mut Recording<'_>,
) -> Result<Settled, ExperimentError> {
    let tree = snapshot_with(git, ran, selection, include)?;
    let message = message(recording.message, changed);
    let new = NewExperiment {
        baseline: identified.baseline,
        parent: identified.baseline,
        name: &identified.name,
        tree,
        message: &message,
        identity: &git.identity(recording.identity)?,
        time: recording.time,
    };
    Ok(record::record(git, &new, identified.taken, &mut *recording.settled)?)
}

/// The work tree of `ran` with all that belongs to the selected stages, as a tree of the repository `git`.
///
/// # Errors
/// When git cannot read or write it.
pub(super) fn snapshot(git: &Git, ran: &Git, selection: &Selection) -> Result<TreeId, GitError> {
    snapshot_with(git, ran, selection, &Included::default())
}

fn snapshot_with(git: &Git, ran: &Git, selection: &Selection, include: &Included) -> Result<TreeId, GitError> {
    let (mut own, mut other) = extra_paths(selection);
    own.extend_from_slice(&include.ignored);
    other.extend_from_slice(&include.seen);
    let snapshot = ran.snapshot(ExtraPaths { unless_ignored: &other, always: &own })?;
    git.adopt(ran, snapshot.tree)?;
    Ok(snapshot.tree)
}

/// What the user says of an experiment, else DVC's message for what ran.
pub(super) fn message(said: Option<&str>, ran: &[(StageAddress, LockEntry)]) -> String {
    // An empty one says nothing (DVC's rule).
    said.filter(|said| !said.trim().is_empty()).map_or_else(
        || {
            let entries = ran.iter().map(|(stage, entry)| (stage.to_string(), entry.to_value(Sizes::With)));
            record::default_message(&python::json_sorted(&Value::Map(entries.collect::<Map>())))
        },
        str::to_owned,
    )
}

/// The files of the pipeline itself, which an experiment is nothing without, and what else belongs to the stages.
fn extra_paths(selection: &Selection) -> (Vec<RepoPath>, Vec<RepoPath>) {
    let outs = selection.pipeline.stages().flat_map(|(_, stage)| &stage.outs).map(|out| out.path.as_str());
    let outs: HashSet<&str> = outs.collect();
    let is_output = |path: &RepoPath| path.ancestors().any(|path| outs.contains(path));
    let (mut own, mut other) = (BTreeSet::new(), BTreeSet::new());
    for stage in selection.order.iter().map(|id| selection.pipeline.stage(*id)) {
        own.insert(stage.address.file.clone());
        if stage.address.name.is_some() {
            own.insert(LockFile::path_for(&stage.address.file));
        }
        other.extend(stage.params.iter().map(|param| param.file.clone()));
        let deps = stage.deps.iter().filter_map(|dep| match &dep.place {
            Place::Inside(path) if !is_output(path) => Some(path.clone()),
            _ => None,
        });
        other.extend(deps);
        other.extend(stage.outs.iter().filter(|out| !out.cached).map(|out| out.path.clone()));
    }
    for file in selection.pipeline.files().values() {
        other.extend(file.params.iter().chain(&file.metrics).chain(&file.plots).cloned());
    }
    (own.into_iter().collect(), other.into_iter().collect())
}
