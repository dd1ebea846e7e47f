//! `repro` and `exp run`: what bringing stages up to date can be told.

use std::num::NonZeroUsize;

use clap::Args;
use serde::{Deserialize, Serialize};

/// Bring stages up to date
///
/// Runs the stages whose dependencies, parameters, outputs or command changed, and those after them. No experiment
/// is recorded; see `dewar exp run`.
///
/// Examples:
///   dewar repro
///   dewar repro train
///   dewar repro sub/dvc.yaml:train
///   dewar repro -j 4 --keep-going
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ReproArgs {
    /// Which stages, and how.
    #[command(flatten)]
    pub stages: StageSelectionArgs,

    /// Only hash what comes out, and keep nothing of it in the cache
    #[arg(long)]
    pub no_commit: bool,

    /// Run stages even when their results are remembered, and remember nothing
    #[arg(long)]
    pub no_run_cache: bool,
}

/// Run an experiment and record it
///
/// Sets the parameters, brings the stages up to date, and records the result as a git commit under
/// `refs/exps/`, where branches and history do not show it. Your branch, your index and the history of HEAD are not
/// touched.
///
/// A stage with checkpoints (`checkpoint: true` on an output) goes on from the last one that was recorded in the workspace,
/// or from the one that was applied to it; what it goes on from, and why, is said first. Each checkpoint is a commit of
/// the experiment, and none is lost by Ctrl-C or a crash.
///
/// Examples:
///   dewar exp run
///   dewar exp run -S train.lr=0.01 -S train.epochs=20
///   dewar exp run -S 'config.toml:model.layers=[64,32]' -n wide
///   dewar exp run --dry -S train.lr=0.01
///   dewar exp run --temp -C secrets.env -S train.lr=0.01
///   dewar exp run --queue -S train.lr=0.01 -n slow
///   dewar exp run --run-all -j 4
///   dewar exp run --reset
///   dewar exp run -S lr=0.1,0.01 -S 'depth=range(2,10,2)' -j 4
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ExpRunArgs {
    /// Which stages, and how.
    #[command(flatten)]
    pub stages: StageSelectionArgs,

    /// Set a parameter for this run (may be given more than once)
    ///
    /// `name=value` changes one that exists, `+name=value` adds, `++name=value` does either, `~name` removes.
    /// Dots go deeper (`train.lr`), also into lists (`layers.0`). The file is `params.yaml` unless named before a
    /// colon.
    ///
    /// Several values are a sweep, an experiment for each combination: `name=1,2`, `'name=choice(a,b)'`,
    /// `'name=range(1,10,3)'`; with `--queue`, or with `-j N` to run them now, N at once. See `dewar sweep`.
    #[arg(short = 'S', long, value_name = "[FILE:]NAME=VALUE")]
    pub set_param: Vec<String>,

    /// Run in a temporary copy of the workspace, which stays as it is
    ///
    /// The copy has what git tracks, with your changes, and what you `git add`ed; the data comes from the cache. You can
    /// work on meanwhile, and run other experiments. `dewar exp apply` brings the result into the workspace.
    #[arg(long)]
    pub temp: bool,

    /// Keep the experiment for later, and run nothing yet
    ///
    /// What is run later is the workspace as it is now, with the environment of now: what git tracks, with your changes,
    /// and what you `git add`ed. `dewar queue status` lists what waits, `dewar queue start` or `--run-all` runs it.
    #[arg(long, conflicts_with_all = ["dry", "interactive", "explain", "json"])]
    pub queue: bool,

    /// Run all queued experiments, N at once with `-j N`, and follow what they write
    ///
    /// They run in the background. Ctrl-C ends the following, and not the experiments.
    #[arg(long, conflicts_with_all = ["queue", "temp", "set_param", "name", "message", "copy_paths", "targets", "dry"])]
    pub run_all: bool,

    /// With `--queue`: those of the highest number run first
    #[arg(long, value_name = "N", requires = "queue", allow_negative_numbers = true)]
    pub priority: Option<i32>,

    /// Start over stages with checkpoints: their outputs are removed, and a new experiment begins on HEAD
    ///
    /// The checkpoints of other experiments stay. With `--temp` and `--queue` this is so unless `--rev` is given.
    #[arg(long, conflicts_with_all = ["rev", "run_all"])]
    pub reset: bool,

    /// With `--temp` or `--queue`: the checkpoint that stages with checkpoints go on from
    ///
    /// By the name of its experiment, whose last one is meant, or by the digits that `dewar exp show` shows. In the
    /// workspace, `dewar exp apply` it first.
    #[arg(short, long, value_name = "CHECKPOINT", conflicts_with = "run_all")]
    pub rev: Option<String>,

    /// Copy a file or folder that git ignores or does not know into the temporary copy (may be given more than once)
    ///
    /// With `--queue` it is copied now. Without `--temp` or `--queue` everything is there already, and this does nothing.
    #[arg(short = 'C', long, value_name = "PATH")]
    pub copy_paths: Vec<String>,

    /// Name the experiment; without it, two words are drawn
    #[arg(short, long)]
    pub name: Option<String>,

    /// The message of its commit
    #[arg(short, long)]
    pub message: Option<String>,
}

/// Which stages to bring up to date, and how. A queued experiment keeps it as a document, by the names of the fields.
#[derive(Debug, Default, Args, Serialize, Deserialize)]
#[serde(default)]
pub struct StageSelectionArgs {
    /// Stages (`train`, `sub/dvc.yaml:train`), groups of generated stages, files (`sub/dvc.yaml`, `data.dvc`) or
    /// outputs; without any, `dvc.yaml` of this folder
    pub targets: Vec<String>,

    /// Take folders as targets: all stages whose file is in them
    #[arg(short = 'R', long, requires = "targets", help_heading = "Which stages")]
    pub recursive: bool,

    /// Take names of stages as patterns, as in `'train@*'` or `'sub/dvc.yaml:train-?'`
    #[arg(long, requires = "targets", help_heading = "Which stages")]
    pub glob: bool,

    /// The whole pipelines that the stages named are in: all that they need, and all that needs them
    #[arg(short, long, conflicts_with_all = ["single_item", "downstream"], help_heading = "Which stages")]
    pub pipeline: bool,

    /// Every stage of the project
    #[arg(short = 'P', long, conflicts_with_all = ["targets", "single_item", "downstream", "pipeline"], help_heading = "Which stages")]
    pub all_pipelines: bool,

    /// Only the stages named, without those before them
    #[arg(short, long, visible_alias = "single-stage", help_heading = "Which stages")]
    pub single_item: bool,

    /// Start at the stages named and run those that need them, and none before them
    #[arg(long, conflicts_with = "single_item", help_heading = "Which stages")]
    pub downstream: bool,

    /// Run the stages even when nothing changed; with `exp run -n`, also replace an experiment of that name
    #[arg(short, long)]
    pub force: bool,

    /// Fetch what is missing from the default remote (`core.remote`): data, outputs and remembered runs
    ///
    /// Only what turns out to be needed is fetched, and believed only when its content is what its name says. A remote is
    /// a folder (`url = /mnt/store`); other kinds are not there yet.
    #[arg(long)]
    pub pull: bool,

    /// Once a stage ran, run those that need it, even when nothing changed for them
    #[arg(long)]
    pub force_downstream: bool,

    /// Ask before each stage that is to run
    #[arg(short, long, conflicts_with_all = ["jobs", "dry"])]
    pub interactive: bool,

    /// When a stage fails, go on with those that do not need it; the command fails in the end
    #[arg(short, long, conflicts_with = "ignore_errors")]
    pub keep_going: bool,

    /// When a stage fails, go on as if it had not
    #[arg(long)]
    pub ignore_errors: bool,

    /// Take data that is neither here nor in the cache to be unchanged
    #[arg(long)]
    pub allow_missing: bool,

    /// Run up to N stages at once [default: `jobs` of dewar.toml, else 1]
    ///
    /// Only stages that do not need each other run at once. Each line that they print then begins with the name of its
    /// stage. What a run that succeeds leaves behind, `dvc.lock` included, is the same for every N.
    ///
    /// A stage that needs more of the machine than a job says so in `dvc.yaml`, and waits until that is free:
    /// `meta: {dewar: {resources: {gpu: 1, memory: 8GiB}}}`. How much there is stands in `dewar.toml`, for all runs of
    /// the project on this machine together: `gpu = 2` and `memory = "64GiB"` below `[resources]`. The names are yours; it
    /// is bookkeeping, and limits nothing that a stage really takes.
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,

    /// Print what would run and why, and change nothing
    #[arg(long)]
    pub dry: bool,

    /// Say why each stage runs or not: old and new values, commands, the files of a directory
    #[arg(long)]
    pub explain: bool,

    /// Explain as JSON: one document on stdout, at the end of a run; everything else goes to stderr
    ///
    /// It is `{"stages": [STAGE, ...]}`, each after those it needs; `exp run` adds `"experiment": {"name", "rev"}`.
    /// Stages and paths are as seen from this folder. A STAGE has:
    ///
    ///   stage    its name, which can be typed as a target
    ///   state    "fresh" or "stale"
    ///   action   "skip", "run", "restore" (a known result is checked out), "keep" (outputs are right and put into
    ///            the cache again), "track" (a `.dvc` file, whose data is remembered), "leave" (frozen); null when the
    ///            run ended before
    ///   reasons  a list, empty when fresh; each has a "kind", and:
    ///
    ///   never-run, always-changed, forced   nothing more
    ///   command-changed                     old, new
    ///   dependency-changed, output-changed  path, change ("modified", "deleted" or "new"); for a directory, files:
    ///                                       {added, changed, removed}, when the cache knows what was in it
    ///   output-not-cached                   path
    ///   parameter-changed                   file, key, old, new; the one that does not exist is left out
    ///   parameter-file-missing              file
    ///   upstream-stale                      stage
    #[arg(long, verbatim_doc_comment)]
    pub json: bool,
}
