//! `config`.

use clap::Args;
use dewar_core::config::settings::Level;

/// Print or change settings
///
/// The settings are DVC's, in up to four files; the first that has an option counts:
///   .dvc/config.local     --local    in the project, here alone
///   .dvc/config           --project  in the project, for all who work on it
///   ~/.config/dvc/config  --global   for you
///   /etc/xdg/dvc/config   --system   for everybody on this machine
///
/// A change goes to `.dvc/config` unless told otherwise, and leaves all else in the file as it is,
/// comments too. A relative path is meant from the folder that you are in. `--list --json` prints
/// a list of `{"name", "value", "level", "file"}`. An option that is not set is an error.
///
/// Settings of dewar's own, such as `jobs`, stand in `dewar.toml`, which is edited by hand.
///
/// Examples:
///   dewar config cache.type reflink,symlink
///   dewar config --local cache.dir /mnt/fast/cache
///   dewar config remote.store.url /mnt/store && dewar config core.remote store
///   dewar config core.remote
///   dewar config --unset core.remote
///   dewar config --list --show-origin
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ConfigArgs {
    /// The option: SECTION.OPTION or remote.NAME.OPTION
    #[arg(required_unless_present = "list")]
    pub name: Option<String>,

    /// What to set it to; without it, print what it is
    pub value: Option<String>,

    /// Take the option away
    #[arg(short, long, conflicts_with_all = ["value", "show_origin"])]
    pub unset: bool,

    /// Print all that is set, what counts last
    #[arg(short, long, conflicts_with_all = ["name", "value", "unset"])]
    pub list: bool,

    /// Print the file before each value
    #[arg(long, conflicts_with = "value")]
    pub show_origin: bool,

    /// With `--list`: print JSON
    #[arg(long, requires = "list", conflicts_with_all = ["show_origin", "name"])]
    pub json: bool,

    /// Where settings are read and changed.
    #[command(flatten)]
    pub level: LevelArgs,
}

/// One file of settings.
#[derive(Debug, Args)]
#[group(multiple = false)]
#[command(next_help_heading = "Where")]
pub struct LevelArgs {
    /// On this machine: `/etc/xdg/dvc/config`, or in `DVC_SYSTEM_CONFIG_DIR`
    #[arg(long)]
    pub system: bool,

    /// For you: `~/.config/dvc/config`, or in `DVC_GLOBAL_CONFIG_DIR`
    #[arg(long)]
    pub global: bool,

    /// In the project, for all who work on it: `.dvc/config`
    #[arg(long)]
    pub project: bool,

    /// In the project, here alone: `.dvc/config.local`, which git does not see
    #[arg(long)]
    pub local: bool,
}

impl LevelArgs {
    /// The one that was named.
    #[must_use]
    pub fn named(&self) -> Option<Level> {
        let named = [
            (self.system, Level::System),
            (self.global, Level::Global),
            (self.project, Level::Project),
            (self.local, Level::Local),
        ];
        named.into_iter().find(|(is_named, _)| *is_named).map(|(_, level)| level)
    }
}
