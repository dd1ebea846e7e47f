//! `config`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::config::LOCAL_FILE;
use dewar_core::config::options::OptionName;
use dewar_core::config::settings::{Level, Setting, SettingError, Settings};
use dewar_core::fs::FsError;
use dewar_core::git::Git;
use dewar_core::gitignore;
use dewar_core::path::RepoPath;
use dewar_core::repo::find_root;
use serde_json::json;

use crate::args::config::ConfigArgs;
use crate::failure::{Failure, Kind};
use crate::session::Session;
use crate::ui::{Ui, text};

/// Does what `config` was told. The project is not opened: settings that keep it from that are changed here.
///
/// # Errors
/// When there is no such option, it is not set, it does not take the value, or a file cannot be read or written.
pub fn run(args: &ConfigArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let from = fs::canonicalize(&session.cwd).map_err(FsError::new("find", &session.cwd))?;
    let root = find_root(&from);
    let settings = Settings::new(root.map(Path::to_owned), session.outside_files.clone());
    let level = args.level.named();
    if root.is_none() && matches!(level, Some(Level::Project | Level::Local)) {
        return Err(no_project(&from));
    }
    let Some(typed) = &args.name else { return list(args, &settings, ui) };
    let name = OptionName::parse(typed).map_err(SettingError::from)?;
    if args.value.is_none() && !args.unset {
        let setting = settings.get(&name, level)?;
        let unset = || SettingError::unset(&name, level);
        ui.print(&format!("{}\n", line(args, &setting.ok_or_else(unset)?, Shown::Value)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let to = level.unwrap_or(Level::Project);
    match (root, to) {
        (None, Level::Project | Level::Local) => return Err(no_project(&from)),
        (Some(root), Level::Local) => keep_from_git(root)?,
        _ => {}
    }
    match &args.value {
        Some(value) => settings.set(&name, value, to, &from)?,
        None => settings.unset(&name, to)?,
    };
    match settings.get(&name, None)? {
        Some(other) if args.unset => ui.note(&format!("`{name}` is still set in `{}`", other.file.display())),
        Some(other) if other.level > to => ui.note(&format!("`{name}` in `{}` goes before this", other.file.display())),
        _ => {}
    }
    if name.to_string() == "cache.type" {
        ui.note("files that are linked already stay as they are: `dewar checkout --relink` links them anew");
    }
    Ok(ExitCode::SUCCESS)
}

fn list(args: &ConfigArgs, settings: &Settings, ui: &Ui) -> Result<ExitCode, Failure> {
    let found = settings.list(args.level.named())?;
    if args.json {
        let entry = |setting: &Setting| {
            let (name, file) = (setting.name.to_string(), setting.file.display().to_string());
            json!({ "name": name, "value": setting.value, "level": setting.level.name(), "file": file })
        };
        let found: Vec<_> = found.iter().map(entry).collect();
        ui.print(&format!("{}\n", json!(found)))?;
    } else {
        let lines = found.iter().map(|setting| format!("{}\n", line(args, setting, Shown::NameAndValue)));
        ui.print(&lines.collect::<String>())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is told of a setting.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Value,
    NameAndValue,
}

fn line(args: &ConfigArgs, setting: &Setting, shown: Shown) -> String {
    let file = if args.show_origin { format!("{}\t", setting.file.display()) } else { String::new() };
    let name = if shown == Shown::NameAndValue { format!("{}=", setting.name) } else { String::new() };
    text::visible(&format!("{file}{name}{}", setting.value)).into_owned()
}

/// Sees to it that git ignores the local settings, which may hold passwords, before there are any.
///
/// # Errors
/// When git cannot be asked, or `.gitignore` not be written.
pub fn keep_from_git(root: &Path) -> Result<(), Failure> {
    let local = RepoPath::parse(LOCAL_FILE)?;
    if let Some(git) = Git::open(root)?
        && !git.is_ignored(&local)?
    {
        gitignore::add_before(root, &local, &[])?;
    }
    Ok(())
}

/// That settings of a project were asked for where there is none.
pub fn no_project(from: &Path) -> Failure {
    let message = format!("`{}` is not in a project, which has its settings in `.dvc`", from.display());
    Failure::new(Kind::Repository, message).hint("`--global` and `--system` settings need no project")
}
