//! [`Stage`]: one node of a pipeline, with every template resolved and every path settled.

use std::fmt;
use std::path::{Path, PathBuf};

use dewar_text::{Span, Value};
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::path::RepoPath;
use crate::resources::Amount;

/// The name of the file that holds a pipeline.
pub const PIPELINE_FILE: &str = "dvc.yaml";
/// The name of the file beside it that remembers its runs.
pub const LOCK_FILE: &str = "dvc.lock";
/// The suffix of a file that tracks one output.
pub const DATA_SUFFIX: &str = ".dvc";
/// The parameter file that is meant when none is named.
pub const DEFAULT_PARAMS: &str = "params.yaml";

/// How a stage is named over the whole project.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StageAddress {
    /// The `dvc.yaml` or `.dvc` file.
    pub file: RepoPath,
    /// The name in `dvc.yaml`; none for a `.dvc` file.
    pub name: Option<String>,
}

impl StageAddress {
    /// As users write it in the folder `from`: `train` for a stage of its own `dvc.yaml`, else `sub/dvc.yaml:train`; a `.dvc`
    /// file by its path.
    #[must_use]
    pub fn display_from(&self, from: &RepoPath) -> String {
        let file = self.file.relative_to(from);
        match &self.name {
            Some(name) if file == PIPELINE_FILE => name.clone(),
            Some(name) => format!("{file}:{name}"),
            None => file,
        }
    }
}

impl fmt::Display for StageAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.display_from(&RepoPath::root()))
    }
}

/// Where a dependency is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Place {
    /// Inside the project.
    Inside(RepoPath),
    /// On this machine, outside the project.
    Outside(PathBuf),
    /// Somewhere else: a URL, a remote, a dataset. dewar does not look at it.
    Elsewhere(String),
}

impl Place {
    /// The path on this machine, if it has one.
    #[must_use]
    pub fn local(&self, root: &Path) -> Option<PathBuf> {
        match self {
            Self::Inside(path) => Some(path.under(root)),
            Self::Outside(path) => Some(path.clone()),
            Self::Elsewhere(_) => None,
        }
    }

    /// The path inside the project, if it is there.
    #[must_use]
    pub const fn inside(&self) -> Option<&RepoPath> {
        if let Self::Inside(path) = self { Some(path) } else { None }
    }
}

/// A file or directory that a stage reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dependency {
    /// Where it is.
    pub place: Place,
    /// How it is written, which is how the lock names it (DVC's rule): relative to the stage's folder.
    pub path: String,
}

/// A parameter file that a stage reads, and what of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParamDependency {
    /// The file.
    pub file: RepoPath,
    /// How the lock names it.
    pub path: String,
    /// What of it.
    pub keys: ParamKeys,
}

/// What of a parameter file a stage reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParamKeys {
    /// All of it.
    All,
    /// These dotted keys.
    Some(Vec<String>),
}

/// What an output is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OutputKind {
    /// Data, a model, anything.
    Plain,
    /// A metrics file.
    Metric,
    /// Data of a plot.
    Plot,
}

/// A file or directory that a stage writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Where it is, always inside the project.
    pub path: RepoPath,
    /// How it is written, which is how the lock names it.
    pub lock_path: String,
    /// What it is for.
    pub kind: OutputKind,
    /// Whether its content is kept in the cache; else git is to keep it.
    pub cached: bool,
    /// Whether it stays when the stage runs again.
    pub persists: bool,
    /// Whether it is registered as a checkpoint (DVC 2).
    pub checkpoint: bool,
    /// Whether `push` sends it to remotes.
    pub pushed: bool,
    /// The remote that it belongs to, where that is not the one which is asked for everything else.
    pub remote: Option<String>,
}

/// The command of a stage, as the lock holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// One text; each of its lines is a command in a shell of its own (DVC's rule).
    Text(String),
    /// Commands, each in a shell of its own.
    List(Vec<String>),
}

impl Command {
    /// The shell texts to run, in order.
    #[must_use]
    pub fn shell_texts(&self) -> Vec<String> {
        match self {
            Self::Text(text) => text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect(),
            Self::List(commands) => commands.clone(),
        }
    }

    /// As the lock writes it.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Self::Text(text) => Value::Text(text.clone()),
            Self::List(commands) => Value::List(commands.iter().cloned().map(Value::Text).collect()),
        }
    }

    /// Reads what a lock or pipeline holds.
    #[must_use]
    pub fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(Self::Text(text.clone())),
            Value::List(items) => {
                items.iter().map(|item| item.as_text().map(str::to_owned)).collect::<Option<_>>().map(Self::List)
            }
            _ => None,
        }
    }
}

/// So much of a resource of the machine (`meta: {dewar: {resources: {gpu: 1}}}`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Need {
    /// What it is called; `dewar.toml` says how much there is.
    pub name: String,
    /// How much.
    pub amount: Amount,
    /// Where it stands in the stage's file.
    #[serde(with = "codec::span")]
    pub span: Span,
}

/// How a stage says that a checkpoint is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Signal {
    /// It makes the file `.dvc/tmp/DVC_CHECKPOINT` and waits until that is gone (DVC 2's protocol).
    #[default]
    File,
    /// It writes DVCLive's file of the last completed step, and waits for nothing (DVCLive 3).
    Dvclive,
}

impl Signal {
    /// Their names in settings.
    pub const NAMES: [(&'static str, Self); 2] = [("file", Self::File), ("dvclive", Self::Dvclive)];

    /// The one of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, signal)| signal)
    }
}

/// A checkpoint policy and what it is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyUse {
    /// Its name.
    pub name: String,
    /// Its options; null when there are none.
    #[serde(with = "codec::value")]
    pub options: Value,
}

/// How the checkpoints of a stage are told of and decided on (`meta: {dewar: {checkpoint: {..}}}`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CheckpointSettings {
    /// How the stage tells of them.
    pub signal: Signal,
    /// What decides on them, in sequence; none when the project's policies do.
    pub policies: Option<Vec<PolicyUse>>,
}

/// One node of a pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// How it is named.
    pub address: StageAddress,
    /// Where it stands in its file.
    #[serde(with = "codec::span")]
    pub span: Span,
    /// What it runs; none for a `.dvc` file, which only tracks its output.
    pub command: Option<Command>,
    /// The folder it runs in.
    pub folder: RepoPath,
    /// What it reads.
    pub deps: Vec<Dependency>,
    /// What parameters it reads, the default file first.
    pub params: Vec<ParamDependency>,
    /// What it writes.
    pub outs: Vec<Output>,
    /// Whether it is left as it is, whatever changed before it.
    pub frozen: bool,
    /// Whether it runs every time.
    pub always_changed: bool,
    /// What of the machine it holds while it runs.
    pub needs: Vec<Need>,
    /// What it says of its checkpoints.
    pub checkpoint: Option<CheckpointSettings>,
    /// What the user says of it.
    pub desc: Option<String>,
    /// Settings of other programs; dewar's stand under `dewar`.
    #[serde(with = "codec::value")]
    pub meta: Value,
}

impl Stage {
    /// Whether it only tracks data: a `.dvc` file that runs nothing.
    #[must_use]
    pub const fn is_data(&self) -> bool {
        self.command.is_none()
    }

    /// Whether checkpoints are taken while it runs: an output is registered as one (DVC 2), or its settings say so.
    #[must_use]
    pub fn has_checkpoints(&self) -> bool {
        self.checkpoint.is_some() || self.outs.iter().any(|out| out.checkpoint)
    }

    /// How it tells that a checkpoint is to be taken.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.checkpoint.as_ref().map(|settings| settings.signal).unwrap_or_default()
    }

    /// Whether it runs every time: told so, or because it goes on from where it was (checkpoints), or with nothing that could
    /// tell that it need not (DVC's callback stage).
    #[must_use]
    pub fn runs_always(&self) -> bool {
        self.always_changed
            || self.has_checkpoints()
            || (self.command.is_some() && self.deps.is_empty() && self.params.is_empty() && self.outs.is_empty())
    }

    /// The files inside the project that it reads, parameter files included.
    pub fn inputs(&self) -> impl Iterator<Item = &RepoPath> {
        self.deps.iter().filter_map(|dep| dep.place.inside()).chain(self.params.iter().map(|param| &param.file))
    }
}
