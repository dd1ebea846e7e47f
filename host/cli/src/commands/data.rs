//! `add` and `checkout`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::cache::Changes;
use dewar_core::path::RepoPath;
use dewar_core::pipeline::Pipeline;
use dewar_core::pipeline::target::{self, Targets};
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
        let path = RepoPath::typed(project.repo.root(), project.repo.from(), target)?;
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

/// Does what `checkout` was told.
///
/// # Errors
/// When content would be lost or the cache lacks something.
pub fn check_out(args: &CheckoutArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let _held = project.repo.take_workspace("checkout")?;
    let pipeline = Pipeline::load(&files(&project), project.templates())?;
    let workspace = project.workspace(&pipeline)?;
    let targets = if args.targets.is_empty() { Targets::All } else { Targets::Typed(project.typed(&args.targets)) };
    let stages = target::stages(&pipeline, &targets)?.into_iter().map(|id| pipeline.stage(id));
    let unsaved = if args.force { Unsaved::Replace } else { Unsaved::Refuse };
    let missing = if args.allow_missing { Missing::Allow } else { Missing::Refuse };
    let changes = track::check_out(&workspace, &pipeline, stages, unsaved, missing)?;
    project.save_index();
    ui.tell(render(&changes, args.summary, &project).trim_end())?;
    Ok(ExitCode::SUCCESS)
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
