//! `completion` and `man`: what shells and manuals have of the commands.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Print what makes a shell complete commands, flags, stages, experiments and parameters
///
/// Examples:
///   dewar completion bash > ~/.local/share/bash-completion/completions/dewar
///   dewar completion zsh > "${fpath[1]}/_dewar"
///   dewar completion fish > ~/.config/fish/completions/dewar.fish
///
/// What is printed asks `dewar` for each word, so it stays right when dewar is replaced by a newer one.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct CompletionArgs {
    /// Which shell
    #[arg(value_enum, value_name = "SHELL", required_unless_present = "shell_flag")]
    pub shell: Option<Shell>,

    /// Which shell, as DVC has it
    #[arg(
        short = 's',
        long = "shell",
        id = "shell_flag",
        value_enum,
        value_name = "SHELL",
        conflicts_with = "shell",
        hide = true
    )]
    pub flag: Option<Shell>,
}

/// A shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "their names say all")]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    Elvish,
    Powershell,
}

impl Shell {
    /// How completion calls it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::Elvish => "elvish",
            Self::Powershell => "powershell",
        }
    }
}

/// Write the manual pages
///
/// A page a command, in the form that `man` reads.
///
/// Example: `dewar man ~/.local/share/man/man1 && man dewar-exp-run`
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ManArgs {
    /// The folder; made when it is missing
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}
