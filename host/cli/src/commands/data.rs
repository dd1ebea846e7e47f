//! `add` and `checkout`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::cache::Changes;
use dewar_core::path::RepoPath;
use dewar_core::pipeline::{Pipeline, Stage, target};
use dewar_core::track::{self, Missing, Unsaved};

use super::project::{Project, files};
use crate::args::data::{AddArgs, CheckoutArgs};
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::{Ui, text};

/// Does what `add` was told.
///
/// # Errors
/// When git or a stage has a path, or it cannot be kept.
pub fn add(args: &AddArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let _held = project.repo.take_workspace("add")?;
    let pipeline = Pipeline::load(&files(&project), project.templates())?;
    let workspace = project.workspace(&pipeline)?;
    let mut touched: BTreeSet<RepoPath> = BTreeSet::new();
    for target in &args.targets {
        let path = inside(&project, target)?;
        touched.extend(track::add(&workspace, &pipeline, project.repo.git.as_ref(), &path)?);
    }
    project.save_index();
    if project.repo.git.is_some() {
        let paths: Vec<String> =
            touched.iter().map(|path| text::visible(&path.relative_to(project.repo.from())).into_owned()).collect();
        ui.tell(&format!("To track the changes with git, run:\n\n\tgit add {}", paths.join(" ")))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A path as typed: relative to where the user is, or absolute inside the project.
fn inside(project: &Project<'_>, typed: &str) -> Result<RepoPath, Failure> {
    if std::path::Path::new(typed).is_absolute() {
        return Ok(RepoPath::from_absolute(project.repo.root(), std::path::Path::new(typed))?);
    }
    Ok(project.repo.from().join(typed)?)
}

/// Does what `checkout` was told.
///
/// # Errors
/// When content would be lost or the cache lacks something.
pub fn check_out(args: &CheckoutArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let _held = project.repo.take_workspace("checkout")?;
    let pipeline = Pipeline::load(&files(&project), project.templates())?;
    let workspace = project.workspace(&pipeline)?;
    let stages = selected(&pipeline, &project, &args.targets)?;
    let unsaved = if args.force { Unsaved::Replace } else { Unsaved::Refuse };
    let missing = if args.allow_missing { Missing::Allow } else { Missing::Refuse };
    let changes = track::check_out(&workspace, &pipeline, stages, unsaved, missing)?;
    project.save_index();
    ui.tell(render(&changes, args.summary, &project).trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// Stages and files by name; an output by its path.
fn selected<'a>(pipeline: &'a Pipeline, project: &Project<'_>, targets: &[String]) -> Result<Vec<&'a Stage>, Failure> {
    let all = || pipeline.stages().map(|(_, stage)| stage);
    if targets.is_empty() {
        return Ok(all().collect());
    }
    let mut stages = Vec::new();
    for text in targets {
        match target::resolve(pipeline, project.repo.from(), text) {
            Ok(ids) => stages.extend(ids.into_iter().map(|id| pipeline.stage(id))),
            Err(error) => {
                let path = inside(project, text)?;
                let writes = |stage: &&Stage| stage.outs.iter().any(|out| path.is_within(&out.path));
                stages.push(all().find(writes).ok_or(error)?);
            }
        }
    }
    Ok(stages)
}

fn render(changes: &Changes, summary: bool, project: &Project<'_>) -> String {
    let groups =
        [('M', "modified", &changes.modified), ('A', "added", &changes.added), ('D', "deleted", &changes.deleted)];
    let mut out = String::new();
    for (letter, word, paths) in groups {
        if summary && !paths.is_empty() {
            let _infallible = writeln!(out, "{} {word}", text::counted(paths.len(), "file"));
        }
        for path in paths.iter().filter(|_| !summary) {
            let _infallible = writeln!(out, "{letter}\t{}", text::visible(&path.relative_to(project.repo.from())));
        }
    }
    if out.is_empty() { "Everything is as the project says.".to_owned() } else { out }
}
