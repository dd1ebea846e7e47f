//! `init`: makes a folder a project.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::fs::{FsError, create_dir, write_atomic};
use dewar_core::git::Git;
use dewar_core::repo::{PROJECT_DIR, take_workspace};

use crate::args::project::InitArgs;
use crate::failure::{Failure, Kind};
use crate::session::Session;
use crate::ui::Ui;

/// What git must not see of a project's own folder (DVC's lines, so that both tools may make it).
const OWN_GITIGNORE: &str = "/config.local\n/tmp\n/cache\n";
const DVCIGNORE: &str = "# Add patterns of files dvc should ignore, which could improve\n# the performance. Learn more at\n# https://dvc.org/doc/user-guide/dvcignore\n";

/// Does what `init` was told.
///
/// # Errors
/// When there is a project already, or no git repository.
pub fn run(args: &InitArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let root = fs::canonicalize(&session.cwd).map_err(FsError::new("find", &session.cwd))?;
    let git = if args.no_scm { None } else { Some(repository(&root, args)?) };
    let own = root.join(PROJECT_DIR);
    if own.exists() {
        if !args.force {
            let message = format!("`{}` is a project already", root.display());
            return Err(Failure::new(Kind::Repository, message).hint("`--force` starts anew; it removes the cache"));
        }
        start_anew(&root, &own)?;
    }
    create_dir(&own.join("tmp"))?;
    write_atomic(&own.join(".gitignore"), OWN_GITIGNORE.as_bytes())?;
    let settings = if args.no_scm { "[core]\n    no_scm = True\n" } else { "" };
    write_atomic(&own.join("config"), settings.as_bytes())?;
    let ignore = root.join(".dvcignore");
    if !ignore.exists() {
        write_atomic(&ignore, DVCIGNORE.as_bytes())?;
    }
    if let Some(git) = git {
        stage(&git, &[".dvc/.gitignore", ".dvc/config", ".dvcignore"])?;
    }
    ui.tell(&format!("Initialized a project in `{}`.", root.display()))?;
    if !args.no_scm {
        ui.tell("Its files are staged: `git commit` keeps them.")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes what is in the project's own folder, but for what a running command holds: none may run meanwhile.
fn start_anew(root: &Path, own: &Path) -> Result<(), Failure> {
    let _held = take_workspace(root, "init --force")?;
    for entry in fs::read_dir(own).map_err(FsError::new("list", own))? {
        let path = entry.map_err(FsError::new("list", own))?.path();
        if path.file_name().is_some_and(|name| name == "tmp") {
            continue;
        }
        let removed =
            if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(FsError::new("remove", &path))?;
    }
    Ok(())
}

fn repository(root: &Path, args: &InitArgs) -> Result<Git, Failure> {
    let git = Git::open(root)?.ok_or_else(|| {
        let message = format!("`{}` is not in a git repository", root.display());
        Failure::new(Kind::Repository, message).hint("`git init` makes one; `--no-scm` does without")
    })?;
    let top = fs::canonicalize(git.workdir()).map_err(FsError::new("find", git.workdir()))?;
    if top != root && !args.subdir {
        let message = format!("`{}` is a folder inside the git repository `{}`", root.display(), top.display());
        return Err(Failure::new(Kind::Repository, message)
            .hint("`--subdir` makes it a project of its own; or go to the top of the repository"));
    }
    Ok(git)
}

fn stage(git: &Git, files: &[&str]) -> Result<(), Failure> {
    for file in files {
        git.stage(&dewar_core::path::RepoPath::parse(file)?)?;
    }
    Ok(())
}
