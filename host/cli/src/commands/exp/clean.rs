//! `exp clean`: removes what killed runs left.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::clean::{self, Left, UserWorkspace};
use dewar_core::exp::queue::Queue;
use dewar_core::repo::{RepoError, WorkspaceLock};

use crate::args::keep::ExpCleanArgs;
use crate::commands::project::Project;
use crate::failure::{Failure, Kind};
use crate::session::Session;
use crate::ui::{Ui, text};

/// Does what `exp clean` was told.
///
/// # Errors
/// When something cannot be looked at, or stays.
pub fn run(args: &ExpCleanArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let git = project.repo.git()?;
    let (user, held) = user_workspace(&project)?;
    let queue = Queue::of(&project.repo);
    // Without a queue nothing is made for it.
    if !args.dry && !queue.folders()?.is_empty() {
        queue.change()?.recover(git, project.repo.config.own.queue.lost, session.commit_time().seconds)?;
    }
    let now = session.clock.now();
    let left = clean::left(&project.repo, git, user, now)?;
    let failed = if args.dry { Vec::new() } else { clean::remove(&project.repo, git, &left, now)? };
    drop(held);
    for left in &left {
        ui.tell(&format!(
            "{} {}",
            if args.dry { "would remove" } else { "removed" },
            described(left, project.repo.root())
        ))?;
    }
    if left.is_empty() {
        ui.tell("Nothing is left of killed runs.")?;
    }
    let failures = failed.into_iter().map(|error| Failure::new(Kind::Repository, format!("{error}; it stays")));
    Failure::together(failures).map_or(Ok(ExitCode::SUCCESS), Err)
}

/// The user's workspace, if nobody runs stages in it.
fn user_workspace(project: &Project<'_>) -> Result<(UserWorkspace, Option<WorkspaceLock>), Failure> {
    match dewar_core::repo::take_workspace(project.repo.root(), "exp clean") {
        Ok(held) => Ok((UserWorkspace::Held, Some(held))),
        Err(RepoError::Busy { .. } | RepoError::Orphans { .. }) => Ok((UserWorkspace::Busy, None)),
        Err(error) => Err(error.into()),
    }
}

fn described(left: &Left, root: &Path) -> String {
    let shown =
        |path: &Path| text::visible(&path.strip_prefix(root).unwrap_or(path).display().to_string()).into_owned();
    match left {
        Left::Workspace(path) => format!("the workspace `{}` of a killed experiment", shown(path)),
        Left::Task(path) => format!("`{}`, a task of the queue that was half made or removed", shown(path)),
        Left::Worker(path) => format!("`{}` of a killed worker", shown(path)),
        Left::Inputs(commit) => format!("the inputs {} of a task that is not in the queue", commit.short()),
        Left::HalfWritten(path) => format!("`{}`, which was written half", shown(path)),
        Left::Staged(path) => format!("`{}`, files on their way into the workspace", shown(path)),
        Left::RefLock(path) => format!("`{}`, a lock that nobody holds", shown(path)),
    }
}
