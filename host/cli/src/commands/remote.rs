//! `remote`: the remotes in the settings.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::config::remotes::Existing;
use dewar_core::config::settings::{Level, Settings};
use dewar_core::fs::FsError;
use dewar_core::repo::find_root;
use serde_json::json;

use super::config::{keep_from_git, no_project};
use crate::args::config::LevelArgs;
use crate::args::remote::{RemoteAddArgs, RemoteArgs, RemoteCommand, RemoteDefaultArgs, RemoteListArgs};
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::{Ui, text};

/// Does what `remote` was told. As by `config`, the project is not opened.
///
/// # Errors
/// When there is no such remote, or one too many, or a file cannot be read or written.
pub fn run(args: &RemoteArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let from = fs::canonicalize(&session.cwd).map_err(FsError::new("find", &session.cwd))?;
    let root = find_root(&from).map(Path::to_owned);
    let settings = Settings::new(root.clone(), session.outside_files.clone());
    let remotes = Remotes { settings, root, from };
    match &args.command {
        RemoteCommand::Add(args) => remotes.add(args, ui),
        RemoteCommand::List(args) => remotes.list(args, ui),
        RemoteCommand::Default(args) => remotes.default(args, ui),
        RemoteCommand::Modify(args) => {
            let (level, value) = (remotes.level_to_change(&args.level)?, args.value.as_deref());
            remotes.settings.modify_remote(&args.name, &args.option, value, level, &remotes.from)?;
            Ok(ExitCode::SUCCESS)
        }
        RemoteCommand::Remove(args) => {
            remotes.settings.remove_remote(&args.name, remotes.level_to_change(&args.level)?)?;
            Ok(ExitCode::SUCCESS)
        }
        RemoteCommand::Rename(args) => {
            remotes.settings.rename_remote(&args.name, &args.new, remotes.level_to_change(&args.level)?)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

struct Remotes {
    settings: Settings,
    root: Option<PathBuf>,
    from: PathBuf,
}

impl Remotes {
    fn add(&self, args: &RemoteAddArgs, ui: &Ui) -> Result<ExitCode, Failure> {
        let level = self.level_to_change(&args.level)?;
        let existing = if args.force { Existing::Replace } else { Existing::Refuse };
        self.settings.add_remote(&args.name, &args.url, level, &self.from, existing)?;
        if args.default {
            self.settings.set_default_remote(&args.name, level)?;
            ui.tell(&format!("Setting '{}' as a default remote.", text::visible(&args.name)))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn list(&self, args: &RemoteListArgs, ui: &Ui) -> Result<ExitCode, Failure> {
        let level = args.level.named();
        let remotes = self.settings.remotes(level)?;
        let default = self.settings.default_remote(None)?.unwrap_or_default().to_lowercase();
        if args.json {
            let remotes = remotes
                .iter()
                .map(|remote| json!({ "name": remote.name, "url": remote.url, "default": remote.name == default }));
            ui.print(&format!("{}\n", remotes.collect::<serde_json::Value>()))?;
            return Ok(ExitCode::SUCCESS);
        }
        let width = remotes.iter().map(|remote| remote.name.chars().count()).max().unwrap_or_default();
        let lines = remotes.iter().map(|remote| {
            let mark = if remote.name == default { "  (default)" } else { "" };
            format!("{}\n", text::visible(&format!("{:width$}  {}{mark}", remote.name, remote.url)))
        });
        ui.print(&lines.collect::<String>())?;
        Ok(ExitCode::SUCCESS)
    }

    fn default(&self, args: &RemoteDefaultArgs, ui: &Ui) -> Result<ExitCode, Failure> {
        match &args.name {
            Some(name) => self.settings.set_default_remote(name, self.level_to_change(&args.level)?)?,
            None if args.unset => self.settings.unset_default_remote(self.level_to_change(&args.level)?)?,
            None => {
                let Some(name) = self.settings.default_remote(args.level.named())? else {
                    ui.tell("No default remote set")?;
                    return Ok(ExitCode::FAILURE);
                };
                ui.print(&format!("{}\n", text::visible(&name)))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Which settings are changed; those of the project, unless others are named.
    fn level_to_change(&self, args: &LevelArgs) -> Result<Level, Failure> {
        let level = args.named().unwrap_or(Level::Project);
        match (&self.root, level) {
            (None, Level::Project | Level::Local) => return Err(no_project(&self.from)),
            (Some(root), Level::Local) => keep_from_git(root)?,
            _ => {}
        }
        Ok(level)
    }
}
