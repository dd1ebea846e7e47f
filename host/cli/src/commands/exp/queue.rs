//! `exp run --queue`: the workspace as it is now, kept for later.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::name::ExperimentName;
use dewar_core::exp::queue::task::{Request, Task};
use dewar_core::exp::queue::{NewTask, Queue};
use dewar_core::exp::record::{self, NameTaken};
use dewar_core::git::Git;

use super::run::{Typed, taken};
use super::snapshot::Snapshot;
use crate::commands::project::Project;
use crate::failure::{Failure, Kind};
use crate::ui::{Ui, style};

/// Queues what was typed.
///
/// # Errors
/// When the stages cannot be selected, an override does not fit, the name is taken, or the queue cannot be written.
pub(super) fn run(
    project: &Project<'_>,
    git: &Git,
    typed: &Typed<'_>,
    name: Option<&ExperimentName>,
    ui: &Arc<Ui>,
) -> Result<ExitCode, Failure> {
    let task = add(project, git, typed, name)?;
    let mark = style::NAME;
    ui.tell(&format!("Queued experiment '{mark}{}{mark:#}' for future execution.", task.name))?;
    Ok(ExitCode::SUCCESS)
}

fn add(project: &Project<'_>, git: &Git, typed: &Typed<'_>, name: Option<&ExperimentName>) -> Result<Task, Failure> {
    let stages = &typed.args.stages;
    let snapshot = Snapshot::take(project, git, stages, typed.overrides, typed.copies)?;
    let head = git.head()?;
    let typed_stages = serde_json::to_value(stages)
        .map_err(|error| Failure::new(Kind::Internal, format!("cannot write down what was typed: {error}")))?;
    let request = Request {
        head: head.name,
        from: project.repo.from().clone(),
        typed: typed_stages,
        message: typed.args.message.clone(),
        taken: taken(stages),
        env: project.environment(),
        copies: typed.copies.iter().map(|copy| copy.inside().clone()).collect(),
        plugin_dirs: project.session().plugin_dirs.clone(),
    };
    let (identity, time) = (git.identity(&project.identity())?, project.session().commit_time());
    let queue = Queue::of(&project.repo);
    let mut changing = queue.change()?;
    let name = match name {
        Some(name) => {
            if request.taken == NameTaken::Refuse {
                record::check_free(git, head.commit, name)?;
            }
            name.clone()
        }
        None => changing.unused_name(git, head.commit, &mut project.session().draw())?,
    };
    let new = NewTask {
        name,
        baseline: head.commit,
        tree: snapshot.with(project, git, typed.overrides)?,
        index: snapshot.index,
        overrides: typed.args.set_param.clone(),
        priority: typed.args.priority.unwrap_or_default(),
        sweep: None,
        request: &request,
        copies: typed.copies,
        identity: &identity,
        time,
    };
    Ok(changing.add(git, &new)?)
}
