//! What can be typed. The doc comments are the manual: `dewar help` prints them. Step 1 of the walk.
//!
//! These types hold what was typed and nothing else; a command turns them into what is meant.

pub mod compare;
pub mod config;
pub mod dag;
pub mod data;
pub mod exp;
pub mod keep;
pub mod policy;
pub mod project;
pub mod queue;
pub mod remote;
pub mod run;
pub mod share;
pub mod shell;
pub mod spaced;
pub mod stage;
pub mod sweep;
pub mod why;

use std::path::PathBuf;

use clap::builder::Styles;
use clap::builder::styling::{AnsiColor, Style};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Run data-science experiments: only the stages that must run, every result kept, each experiment recorded in git
///
/// dewar reads the files of DVC projects (`dvc.yaml`, `dvc.lock`, `params.yaml`, `*.dvc`) and runs their pipelines.
#[derive(Debug, Parser)]
#[command(name = "dewar", version, styles = STYLES, arg_required_else_help = true)]
#[command(disable_help_subcommand = false, max_term_width = 100)]
#[command(after_help = "`dewar help <command>` says more, with examples.")]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: GlobalArgs,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands. Each has a file in `commands/`.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the manual of a command is that of its arguments")]
pub enum Command {
    Init(project::InitArgs),
    Stage(stage::StageArgs),
    Repro(run::ReproArgs),
    #[command(visible_alias = "experiments")]
    Exp(exp::ExpArgs),
    Queue(queue::QueueArgs),
    Sweep(sweep::SweepArgs),
    Policy(policy::PolicyArgs),
    Status(project::StatusArgs),
    Why(why::WhyArgs),
    Params(compare::ParamsArgs),
    Metrics(compare::MetricsArgs),
    Add(data::AddArgs),
    Commit(data::CommitArgs),
    Checkout(data::CheckoutArgs),
    Gc(data::GcArgs),
    Push(remote::PushArgs),
    Pull(remote::PullArgs),
    Fetch(remote::FetchArgs),
    Remote(remote::RemoteArgs),
    Freeze(stage::FreezeArgs),
    Unfreeze(stage::UnfreezeArgs),
    #[command(visible_alias = "rm")]
    Remove(stage::RemoveArgs),
    Dag(dag::DagArgs),
    Config(config::ConfigArgs),
    Demo(project::DemoArgs),
    Completion(shell::CompletionArgs),
    Man(shell::ManArgs),
}

/// Flags that every command has.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct GlobalArgs {
    /// Print errors and warnings only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Print more: what is looked at, and why
    #[arg(short, long, global = true)]
    pub verbose: bool,

    /// Do as if started in DIR
    #[arg(long, global = true, value_name = "DIR")]
    pub cd: Option<PathBuf>,

    /// Whether to colour what is printed
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: ColorWhen,

    /// Look for plugins in DIR first (may be given more than once)
    #[arg(long, global = true, value_name = "DIR")]
    pub plugin_dir: Vec<PathBuf>,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Also into a file or a pipe
    Always,
    /// Not at all
    Never,
}

const STYLES: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(Style::new());

#[cfg(test)]
mod tests;
