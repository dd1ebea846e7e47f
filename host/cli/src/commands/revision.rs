//! [`Revision`]: what the user calls the workspace, a commit or an experiment; and reading what it holds.

use dewar_core::digest::ObjectId;
use dewar_core::exp::find::{self, Found};
use dewar_core::exp::queue::Queue;
use dewar_core::git::CommitId;
use dewar_core::metrics::{CommitFiles, FileData, Files, RevisionReader, pipeline_finder};
use dewar_core::observe::Observe;
use dewar_core::pipeline::Pipeline;
use dewar_core::why::{Recorded, Results};

use super::project::{Project, files};
use crate::failure::Failure;
use crate::ui::Ui;
use crate::ui::problem::{Place, Problem};

/// What the work tree is called where a revision is asked for, as in DVC.
pub const WORKSPACE: &str = "workspace";

/// A revision that exists.
pub struct Revision<'a> {
    /// What the user calls it.
    pub name: &'a str,
    held: Held,
}

/// Where the files of a revision are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Workspace,
    Commit(CommitId),
    /// What a task of the queue begins with: its metrics are those of whatever was in the workspace then.
    Task(CommitId),
}

impl<'a> Revision<'a> {
    /// The work tree.
    #[must_use]
    pub const fn workspace() -> Self {
        Self { name: WORKSPACE, held: Held::Workspace }
    }

    /// A commit that is called `name`.
    #[must_use]
    pub const fn commit(name: &'a str, commit: CommitId) -> Self {
        Self { name, held: Held::Commit(commit) }
    }

    /// Finds `workspace`, what git knows by name, an experiment, a checkpoint, a task of the queue, or a commit by its digits.
    ///
    /// # Errors
    /// When it is none of these, or several.
    pub fn find(project: &Project<'_>, name: &'a str) -> Result<Self, Failure> {
        if name == WORKSPACE {
            return Ok(Self::workspace());
        }
        let held = match find::revision(project.repo.git()?, &Queue::of(&project.repo), name)? {
            Found::Commit(found) => Held::Commit(found.commit),
            Found::Task(task) => Held::Task(task.id),
        };
        Ok(Self { name, held })
    }

    /// Whether it is the work tree.
    #[must_use]
    pub const fn is_workspace(&self) -> bool {
        matches!(self.held, Held::Workspace)
    }

    /// Its metrics, as `read` reads them. A task of the queue has none before it is finished or has made a checkpoint, which is
    /// noted.
    pub fn results(&self, read: impl FnOnce() -> Files, ui: &Ui) -> Files {
        match self.held {
            Held::Workspace | Held::Commit(_) => read(),
            Held::Task(_) => {
                ui.note(&format!("`{}` has no result, and so no metrics.", self.name));
                Files::new()
            }
        }
    }

    /// Reads from it.
    ///
    /// # Errors
    /// When its pipeline is invalid.
    pub fn read<T>(&self, project: &Project<'_>, what: impl FnOnce(&RevisionReader<'_>) -> T) -> Result<T, Failure> {
        let store = project.store();
        let objects = |id: &ObjectId| store.content(id);
        match self.held {
            Held::Workspace => {
                let files = files(project);
                let pipeline = Pipeline::load(&files, project.templates())?;
                Ok(what(&RevisionReader::new(&files, &pipeline, &project.params, &objects)))
            }
            Held::Commit(commit) | Held::Task(commit) => {
                let git = project.repo.git()?;
                let finder = pipeline_finder(git);
                let files = CommitFiles::new(git, commit, &finder)?;
                let pipeline = Pipeline::load(&files, project.templates())?;
                Ok(what(&RevisionReader::new(&files, &pipeline, &project.params, &objects)))
            }
        }
    }

    /// Looks at contents and parameters as it has them.
    ///
    /// # Errors
    /// When its pipeline is invalid, or what `what` says.
    pub fn observe<T>(
        &self,
        project: &Project<'_>,
        what: impl FnOnce(&Pipeline, &dyn Observe, Results) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (commit, results) = match self.held {
            Held::Workspace => {
                let pipeline = Pipeline::load(&files(project), project.templates())?;
                return what(&pipeline, &project.workspace(&pipeline)?, Results::There);
            }
            Held::Commit(commit) => (commit, Results::There),
            Held::Task(commit) => (commit, Results::NotYet),
        };
        let git = project.repo.git()?;
        let finder = pipeline_finder(git);
        let files = CommitFiles::new(git, commit, &finder)?;
        let pipeline = Pipeline::load(&files, project.templates())
            .map_err(|error| Failure::from(error).hint(format!("it stands so in `{}`", self.name)))?;
        let algorithm = project.repo.config.algorithm(pipeline.algorithm_in_use());
        let recorded = Recorded::new(git, commit, &pipeline, &project.params, project.store(), algorithm)?;
        what(&pipeline, &recorded, results)
    }

    /// Warns of those of its files that cannot be used.
    pub fn warn_of_broken(&self, files: &Files, ui: &Ui) {
        for (file, data) in files {
            let FileData::Broken(error) = data else { continue };
            let message = match self.held {
                Held::Workspace => error.to_string(),
                Held::Commit(_) | Held::Task(_) => format!("in `{}`: {error}", self.name),
            };
            ui.warn(&Problem { message, place: Some(Place::file(file.to_string())), hints: Vec::new() });
        }
    }
}
