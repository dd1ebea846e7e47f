//! What is in use: the objects that the locks and `.dvc` files of the workspace and of commits name.

use std::collections::{BTreeSet, HashSet};

use dewar_text::{Map, Value};

use super::GcError;
use crate::cache::{ObjectStore, Tree};
use crate::digest::{Algorithm, ObjectId};
use crate::exp::chains::Chains;
use crate::exp::checkpoint::standing;
use crate::exp::queue::sweep::SWEEPS;
use crate::exp::queue::task::State;
use crate::exp::queue::{Queue, QueueError, STASH};
use crate::exp::refs::{self, ExperimentRef, KEPT};
use crate::exp::show::{Group, Selection};
use crate::git::{CommitId, Git, GitError, History, RefName};
use crate::pipeline::files::WorkFiles;
use crate::pipeline::{LockFile, LockedPath, PIPELINE_FILE, Pipeline, PipelineError, ProjectFiles, recorded};
use crate::repo::{NoGit, Repo};
use crate::source::{Source, SourceError};

/// The commits whose objects stay, beside those of the workspace.
#[derive(Debug, Clone)]
pub struct Scope {
    /// By revision, branch, tag; none for no commit.
    pub commits: Option<Selection>,
    /// All that were made at or after this time, in seconds since 1970.
    pub since: Option<i64>,
    /// Whether those of experiments count.
    pub experiments: Experiments,
    /// What becomes of commits whose files cannot be read.
    pub unreadable: Unreadable,
}

/// Whether the objects of experiments stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Experiments {
    /// All of them, with the checkpoints that no policy let go of, and the states that `exp apply` kept.
    Keep,
    /// Only what a commit of the scope has, too.
    Drop,
}

/// What becomes of commits whose files cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// They are an error: it cannot be told what they use.
    Refuse,
    /// What can be read of them counts (`--skip-failed`).
    Skip,
}

/// The objects that are in use.
#[derive(Debug, Clone, Default)]
pub struct Used {
    objects: HashSet<ObjectId>,
    lost: BTreeSet<ObjectId>,
}

impl Used {
    /// What the stages and `.dvc` files of the workspace name.
    ///
    /// # Errors
    /// When a `.dvc` file is invalid.
    pub fn add_workspace(&mut self, pipeline: &Pipeline) -> Result<(), GcError> {
        for (_, stage) in pipeline.stages() {
            if let Some(data) = pipeline.data_file(&stage.address.file) {
                self.add_text(&data.source).map_err(PipelineError::Source)?;
            } else if let Some(locked) = pipeline.locked(stage) {
                stage.outs.iter().filter_map(|out| locked.out(&out.lock_path)).for_each(|out| self.add_output(out));
            }
        }
        Ok(())
    }

    /// What the locks and `.dvc` files of another project name. Its pipeline is not asked: what would have to be read for it,
    /// and by which plugins, is that project's affair. So what a stage left in the lock that is in the pipeline no more stays.
    ///
    /// # Errors
    /// When a file cannot be read or is invalid.
    pub fn add_project(&mut self, repo: &Repo) -> Result<(), GcError> {
        let files = WorkFiles::new(repo.root().to_owned()).complete();
        for file in files.pipeline_files()? {
            let file = if file.file_name() == PIPELINE_FILE { LockFile::path_for(&file) } else { file };
            if let Some(text) = files.read(&file)? {
                self.add_text(&Source::new(file, text)).map_err(PipelineError::Source)?;
            }
        }
        self.add_queue(repo)
    }

    /// What the locks and `.dvc` files of queued and failed experiments name, and those of the checkpoints that they go on from:
    /// they are to run yet, and data that changed when one was queued is kept for it alone. And those of the checkpoint that the
    /// workspace stands at.
    ///
    /// # Errors
    /// When git or the queue cannot be read, or a file is invalid.
    pub fn add_queue(&mut self, repo: &Repo) -> Result<(), GcError> {
        let Some(git) = &repo.git else { return Ok(()) };
        let mut commits = git.stashed_ever(&RefName::parse(STASH)?)?;
        for (sweep, _) in git.list_refs(SWEEPS)? {
            commits.extend(git.stashed_ever(&sweep)?);
        }
        // Where the workspace stands, and goes on from, whatever a policy thinks of it.
        commits.extend(standing::commit(git)?);
        let queue = Queue::of(repo);
        for task in queue.tasks()?.iter().filter(|task| task.state != State::Success) {
            let reference = ExperimentRef { baseline: task.baseline, name: task.name.clone() };
            commits.extend(standing::left_by(git, &reference, task.id)?);
            let begins_at = match queue.request(task.id) {
                Err(QueueError::Damaged { .. }) => continue,
                request => request?.rev,
            };
            match begins_at.map(|commit| git.resolve(&commit.to_string())).transpose() {
                // Git has forgotten it: there is nothing to go on from.
                Err(GitError::UnknownRevision { .. }) => {}
                found => commits.extend(found?),
            }
        }
        let mut history = History::new(git);
        for commit in commits {
            for version in history.files(commit, recorded::records)? {
                let source = Source::new(version.file, version.content);
                self.add_text(&source).map_err(|error| GcError::Unreadable { commit, error })?;
            }
        }
        Ok(())
    }

    /// What the locks and `.dvc` files of the commits of a scope name, whether or not their pipelines still have the stages.
    /// Returns what could not be read of them, for [`Unreadable::Skip`].
    ///
    /// # Errors
    /// When a revision is unknown, git cannot be read, or a file is invalid.
    pub fn add_commits(&mut self, git: Option<&Git>, scope: &Scope) -> Result<Vec<GcError>, GcError> {
        if scope.commits.is_none() && scope.since.is_none() && scope.experiments == Experiments::Drop {
            return Ok(Vec::new());
        }
        let git = git.ok_or(NoGit)?;
        let mut history = History::new(git);
        let mut skipped = Vec::new();
        for commit in commits(git, scope)? {
            let found = match (history.files(commit, recorded::records), scope.unreadable) {
                (Err(error), Unreadable::Skip) => {
                    skipped.push(error.into());
                    continue;
                }
                (found, _) => found?,
            };
            for version in found {
                let source = Source::new(version.file, version.content);
                match (self.add_text(&source), scope.unreadable) {
                    (Ok(()), _) => {}
                    (Err(error), Unreadable::Skip) => skipped.push(GcError::Unreadable { commit, error }),
                    (Err(error), Unreadable::Refuse) => return Err(GcError::Unreadable { commit, error }),
                }
            }
        }
        Ok(skipped)
    }

    /// Adds the files of the directories that are in use. Those of a listing that the cache lacks, or has damaged, are not
    /// known: see [`Self::lost`].
    ///
    /// # Errors
    /// When a listing cannot be read.
    pub fn add_members(&mut self, store: &ObjectStore) -> Result<(), GcError> {
        let listings: Vec<ObjectId> = self.objects.iter().filter(|id| id.is_directory()).cloned().collect();
        for id in listings {
            match store.members(&id)? {
                Some(members) => self.objects.extend(members),
                None => {
                    self.lost.insert(id);
                }
            }
        }
        Ok(())
    }

    /// The objects.
    #[must_use]
    pub const fn objects(&self) -> &HashSet<ObjectId> {
        &self.objects
    }

    /// Whether an object is in use.
    #[must_use]
    pub fn has(&self, id: &ObjectId) -> bool {
        self.objects.contains(id)
    }

    /// Listings of directories that are in use and cannot be read: files that only they name go.
    #[must_use]
    pub const fn lost(&self) -> &BTreeSet<ObjectId> {
        &self.lost
    }

    fn add_text(&mut self, source: &Source) -> Result<(), Box<SourceError>> {
        let entries = recorded::entries(source)?;
        entries.iter().flat_map(|entry| &entry.outs).for_each(|out| self.add_output(out));
        Ok(())
    }

    fn add_output(&mut self, out: &LockedPath) {
        self.objects.extend(out.id.clone());
        // Outputs of remotes that keep versions name their files one by one.
        if let Some(Value::List(files)) = out.other.get("files") {
            let files: Vec<(String, ObjectId)> =
                files.iter().filter_map(Value::as_map).filter_map(file_of_version).collect();
            self.objects.extend(files.iter().map(|(_, id)| id.clone()));
            if let Ok(tree) = Tree::new(Algorithm::Md5, files) {
                self.objects.insert(tree.id(&tree.to_bytes()));
            }
        }
    }
}

fn file_of_version(file: &Map) -> Option<(String, ObjectId)> {
    let id = ObjectId::parse(Algorithm::Md5, file.get("md5")?.as_text()?).ok()?;
    Some((file.get("relpath")?.as_text()?.to_owned(), id))
}

fn commits(git: &Git, scope: &Scope) -> Result<Vec<CommitId>, GcError> {
    let mut found = Vec::new();
    if let Some(selection) = &scope.commits {
        found.extend(selection.baselines(git)?);
        if selection.groups.contains(&Group::Commits) {
            found.extend(git.log(&RefName::parse("refs/stash")?)?);
        }
    }
    if let Some(since) = scope.since {
        for commit in git.all_commits()? {
            if git.commit_summary(commit)?.time.seconds >= since {
                found.push(commit);
            }
        }
    }
    if scope.experiments == Experiments::Keep {
        let mut chains = Chains::new(git);
        for experiment in refs::all(git)? {
            let history = chains.history(experiment.reference.baseline, experiment.commit)?;
            // What a policy let go of is of no use here; another chain may keep it.
            found.extend(history.links().iter().map(|link| link.commit).filter(|commit| history.keeps(*commit)));
        }
        found.extend(git.log(&RefName::parse(KEPT)?)?);
    }
    let mut seen = HashSet::new();
    found.retain(|commit| seen.insert(*commit));
    Ok(found)
}
