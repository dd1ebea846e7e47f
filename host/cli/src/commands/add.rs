//! `add`: data under the project's care.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::path::RepoPath;
use dewar_core::pipeline::Pipeline;
use dewar_core::track::{self, Keep, TrackError};

use super::project::{Project, files};
use crate::args::data::AddArgs;
use crate::failure::{Failure, Kind};
use crate::session::Session;
use crate::ui::Ui;
use crate::ui::problem::Problem;

/// Does what `add` was told.
///
/// # Errors
/// When git or a stage has a path, or it cannot be kept.
pub fn run(args: &AddArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    if args.to_remote {
        let message = "`--to-remote` is not there yet";
        return Err(Failure::new(Kind::Usage, message)
            .hint("without it, the content goes into the cache, and `dewar push` sends it to a remote"));
    }
    let project = Project::open(session, ui)?;
    let git = project.repo.git.as_ref();
    let _held = project.take_workspace("add")?;
    let pipeline = Pipeline::load(&files(&project), project.templates())?;
    let workspace = project.workspace(&pipeline)?;
    let paths = match (&args.out, args.targets.as_slice()) {
        (None, _) => targets(args, &project)?,
        (Some(out), [source]) => {
            let source = session.cwd.join(source);
            let out = destination(&project, out, &source)?;
            // Before anything is copied.
            track::additions(&workspace, &pipeline, git, std::slice::from_ref(&out))?;
            if out.under(project.repo.root()).symlink_metadata().is_ok() && !args.force {
                let message = format!("`{}` exists already", out.relative_to(project.repo.from()));
                return Err(Failure::new(Kind::Repository, message).hint("`--force` replaces it"));
            }
            track::bring(&workspace, &source, &out)?;
            vec![out]
        }
        (Some(_), _) => return Err(Failure::new(Kind::Usage, "`--out` takes one target")),
    };
    let keep = match (args.no_commit, args.no_relink) {
        (true, _) => Keep::No,
        (false, true) => Keep::Unlinked,
        (false, false) => Keep::Linked,
    };
    let mut touched: BTreeSet<RepoPath> = BTreeSet::new();
    let mut added = Ok(());
    for addition in track::additions(&workspace, &pipeline, git, &paths)? {
        match addition.add(&workspace, git, keep) {
            Ok(done) => {
                if done.is_empty {
                    let shown = addition.path().relative_to(project.repo.from());
                    ui.warn(&Problem::new(format!("`{shown}` is empty")));
                }
                touched.extend(done.touched);
            }
            Err(error) => {
                added = Err(error);
                break;
            }
        }
    }
    project.save_index();
    tell_git(&project, &touched, ui)?;
    added?;
    Ok(ExitCode::SUCCESS)
}

fn targets(args: &AddArgs, project: &Project<'_>) -> Result<Vec<RepoPath>, Failure> {
    let (root, from) = (project.repo.root(), project.repo.from());
    let mut paths = Vec::new();
    for target in &args.targets {
        if !args.glob {
            paths.push(RepoPath::typed(root, from, target)?);
            continue;
        }
        let found = track::matching(root, from, target)?;
        if found.is_empty() {
            return Err(Failure::new(Kind::Usage, format!("nothing matches `{target}`")));
        }
        paths.extend(found);
    }
    Ok(paths)
}

/// Where `--out` means: inside of a folder that is there, the name of the source.
fn destination(project: &Project<'_>, out: &str, source: &Path) -> Result<RepoPath, Failure> {
    let path = RepoPath::typed(project.repo.root(), project.repo.from(), out)?;
    let is_folder = path.is_root() || path.under(project.repo.root()).is_dir();
    match source.file_name().and_then(|name| name.to_str()) {
        Some(name) if is_folder => Ok(path.join(name)?),
        _ if path.is_root() => Err(TrackError::from(dewar_core::cache::CacheError::Root).into()),
        _ => Ok(path),
    }
}

/// Puts what changed into git's index when `core.autostage` says so, else says how.
fn tell_git(project: &Project<'_>, touched: &BTreeSet<RepoPath>, ui: &Ui) -> Result<(), Failure> {
    let Some(git) = project.repo.git.as_ref().filter(|_| !touched.is_empty()) else { return Ok(()) };
    if project.repo.config.dvc("core", "autostage").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        for path in touched {
            git.stage(path)?;
        }
        return Ok(());
    }
    project.suggest_git_add(ui, touched)
}
