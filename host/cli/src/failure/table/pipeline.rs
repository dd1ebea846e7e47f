//! Pipelines, parameter files, stages and their runs.

use dewar_core::graph::GraphError;
use dewar_core::observe::ObserveError;
use dewar_core::params::files::ParamsError;
use dewar_core::params::overrides::OverrideError;
use dewar_core::params::resolve;
use dewar_core::pipeline::PipelineError;
use dewar_core::pipeline::stage::DEFAULT_PARAMS;
use dewar_core::pipeline::target::TargetError;
use dewar_core::repro::SelectError;
use dewar_core::resources::{Amount, ClaimError};
use dewar_core::schedule::RunError;
use dewar_core::stage_run::{CheckpointError, StageError};
use dewar_core::words::did_you_mean;

use super::super::{Failure, IntoFailure, Kind};
use super::experiments::of_policy;
use crate::ui::problem::Place;

impl From<ParamsError> for Failure {
    fn from(error: ParamsError) -> Self {
        match error {
            ParamsError::File(error) => error.into(),
            ParamsError::Source(error) => error.into(),
            ParamsError::Plugin(error) => error.into(),
            ParamsError::Override { ref file, error: ref problem } => {
                // As it is typed behind `-S`.
                let of = if file.as_str() == DEFAULT_PARAMS { String::new() } else { format!("{file}:") };
                let hint = match problem {
                    resolve::ResolveError::Missing { similar: Some(similar), .. } => did_you_mean(similar),
                    resolve::ResolveError::Missing { key, similar: None } => {
                        format!("to add it to `{file}`: `-S {of}+{key}=VALUE`")
                    }
                    resolve::ResolveError::Exists { key } => format!("to change it: `-S {of}{key}=VALUE`"),
                    resolve::ResolveError::NotAContainer { parent, .. } if parent.is_empty() => {
                        format!("`{file}` has to hold names with values")
                    }
                    resolve::ResolveError::NotAContainer { parent, .. } => {
                        format!("to replace `{parent}`: `-S '{of}{parent}={{...}}'`")
                    }
                    resolve::ResolveError::OtherValue { key } => {
                        format!("to delete it whatever its value is: `-S '{of}~{key}'`")
                    }
                };
                error.into_failure(Kind::Usage).hint(hint)
            }
            ParamsError::UnknownFormat(_) => error
                .into_failure(Kind::Usage)
                .hint("a plugin for this format can be put into `.dvc/plugins/` or named with `--plugin-dir`"),
        }
    }
}

impl From<OverrideError> for Failure {
    fn from(error: OverrideError) -> Self {
        error.into_failure(Kind::Usage).hint("write `-S name=value`, `+name=value` to add, `~name` to delete")
    }
}

impl From<PipelineError> for Failure {
    fn from(error: PipelineError) -> Self {
        match error {
            PipelineError::File(error) => error.into(),
            PipelineError::Source(error) => error.into(),
            PipelineError::Params(error) => error.into(),
            PipelineError::Unreadable { .. } => error.into_failure(Kind::Repository),
            PipelineError::StageExists { .. } => error.into_failure(Kind::Usage).hint("`--force` replaces it"),
            PipelineError::PartOfGroup { ref group, .. } => {
                let hint = format!("name the group: what is done to `{group}` is done to all its stages");
                error.into_failure(Kind::Usage).hint(hint)
            }
            PipelineError::GivenTwice(_) => error.into_failure(Kind::Usage).hint("name it once"),
            PipelineError::Ignored(_) => {
                error.into_failure(Kind::Repository).hint("`git check-ignore -v FILE` names the line that ignores it")
            }
            PipelineError::NoFolder(_) => error.into_failure(Kind::Pipeline).hint("make it first"),
            PipelineError::BadStageName(_) => error.into_failure(Kind::Usage),
        }
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        let meant = |similar: &Option<String>| similar.as_deref().map(did_you_mean);
        let hint = match &error {
            TargetError::Path(_) => Some("only what is inside the project can be named".to_owned()),
            TargetError::NoPipelineHere { others, .. } => {
                return Self::new(Kind::Pipeline, error.to_string()).hint(other_pipelines(others));
            }
            TargetError::NoFile { similar, .. } => {
                return meant(similar).into_iter().fold(error.into_failure(Kind::Pipeline), Self::hint);
            }
            TargetError::NoStage { similar, .. } | TargetError::Unknown { similar, .. } => meant(similar),
            TargetError::Folder { .. } => Some("`-R` means the stages of all files in it".to_owned()),
            TargetError::NotWritten { readers, .. } => {
                readers.first().map(|reader| format!("to bring up to date what is made of it, name `{reader}`"))
            }
            TargetError::NoMatch { .. } => None,
        };
        let all = || "`dewar stage list --all` lists the stages".to_owned();
        error.into_failure(Kind::Usage).hint(hint.unwrap_or_else(all))
    }
}

/// What to do in a folder without a `dvc.yaml`.
fn other_pipelines(others: &[String]) -> String {
    const SHOWN: usize = 3;
    let names = others.iter().take(SHOWN).map(|file| format!("`{file}`")).collect::<Vec<_>>().join(", ");
    match others.len().checked_sub(SHOWN) {
        _ if others.is_empty() => "`dewar stage add` writes a first stage".to_owned(),
        Some(more @ 1..) => format!("name a target; there are {names} and {more} more; `-P` means all of them"),
        _ => format!("name a target, such as {names}; `-P` means all pipelines"),
    }
}

impl From<GraphError> for Failure {
    fn from(error: GraphError) -> Self {
        match &error {
            GraphError::Cycle { paths, .. } => {
                let paths = paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
                let hint = format!("the same path is both a dependency and an output on the way: {paths}");
                error.into_failure(Kind::Pipeline).hint(hint)
            }
            GraphError::DuplicateOutput { .. } => {
                error.into_failure(Kind::Pipeline).hint("let each stage write a path of its own")
            }
            GraphError::Overlap { .. } => error
                .into_failure(Kind::Pipeline)
                .hint("name the files of the directory one by one, or let one stage write all of it"),
        }
    }
}

impl From<SelectError> for Failure {
    fn from(error: SelectError) -> Self {
        match error {
            SelectError::Pipeline(error) => error.into(),
            SelectError::Target(error) => error.into(),
            SelectError::Graph { error, place: None } => error.into(),
            SelectError::Graph { error, place: Some((source, span)) } => {
                Self::from(error).at(Place::span(source.file.to_string(), &source.text, span))
            }
        }
    }
}

impl From<ObserveError> for Failure {
    fn from(error: ObserveError) -> Self {
        match error {
            ObserveError::Remote(error) => error.into(),
            ObserveError::Content(error) => error.into(),
            ObserveError::Params(error) => error.into(),
            ObserveError::Files(error) => error.into(),
            ObserveError::MissingDependency { .. } => {
                error.into_failure(Kind::Pipeline).hint("make it, or name the stage that makes it as its output")
            }
            ObserveError::NoMapping { .. } => {
                error.into_failure(Kind::Pipeline).hint("a file without names can be one of the `deps`")
            }
            ObserveError::MissingParams { .. } => {
                error.into_failure(Kind::Pipeline).hint("add them to the file, or take them from `params` of the stage")
            }
        }
    }
}

impl From<StageError> for Failure {
    fn from(error: StageError) -> Self {
        match error {
            StageError::Failed { .. } | StageError::OutputMissing { .. } => error.into_failure(Kind::Stage),
            StageError::NoFolder { .. } => error.into_failure(Kind::Pipeline).hint("make it first; `wdir` names it"),
            StageError::Cancelled { .. } => error.into_failure(Kind::Interrupted),
            StageError::Declined { .. } => error.into_failure(Kind::Stage),
            StageError::FrozenMissing { ref stage, .. } => {
                let hint = format!("`dewar checkout` brings it back; `dewar unfreeze {stage}` lets the stage make it");
                error.into_failure(Kind::Stage).hint(hint)
            }
            StageError::DataMissing { .. } => error
                .into_failure(Kind::Repository)
                .hint("put it back, or get it from where the project keeps its data"),
            StageError::TrackedByGit { ref path, .. } => {
                let hint = format!("to leave it to the cache: git rm -r --cached '{path}' && git commit");
                error.into_failure(Kind::Repository).hint(hint)
            }
            StageError::Resources { error: ref lacking, .. } => {
                let hint = lacking_resource(lacking);
                hint.into_iter().fold(error.into_failure(Kind::Pipeline), Self::hint)
            }
            StageError::Observe(error) => error.into(),
            StageError::Remote(error) => error.into(),
            StageError::Cache(error) => error.into(),
            StageError::File(error) => error.into(),
            StageError::Executor(error) => error.into(),
            StageError::Git(error) => error.into(),
            StageError::Checkpoint { stage, source } => match *source {
                // It has not begun.
                source @ CheckpointError::Policy { .. } => source.into(),
                source => {
                    let told = format!("the stage `{stage}` was ended, because a checkpoint of it cannot be recorded");
                    Self::from(source).hint(told)
                }
            },
        }
    }
}

impl From<CheckpointError> for Failure {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::Outputs(error) => (*error).into(),
            CheckpointError::File(error) => error.into(),
            CheckpointError::Git(error) => error.into(),
            CheckpointError::Lock(error) => error.into(),
            CheckpointError::Restless => error.into_failure(Kind::Stage),
            CheckpointError::Policy { policy, source } => of_policy(&policy, source, Kind::Pipeline),
        }
    }
}

/// What to do when a stage needs what the machine does not have.
fn lacking_resource(error: &ClaimError) -> Option<String> {
    Some(match error {
        ClaimError::Unknown { name, wanted } | ClaimError::TooMuch { name, wanted, .. } => {
            format!("if it has as much, write `{}` below `[resources]` of `dewar.toml`", setting(name, *wanted))
        }
        ClaimError::OtherUnit { .. } => "give both a unit, such as GiB, or none".to_owned(),
        ClaimError::Cancelled | ClaimError::File(_) => return None,
    })
}

/// A resource as `dewar.toml` has it.
fn setting(name: &str, amount: Amount) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let key = if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { format!("{name:?}") };
    match amount {
        Amount::Count(number) => format!("{key} = {number}"),
        Amount::Bytes(_) => format!("{key} = \"{amount}\""),
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Stages(errors) => {
                let none = || Self::new(Kind::Internal, "a run failed without a cause");
                Self::together(errors.into_iter().map(Self::from)).unwrap_or_else(none)
            }
            RunError::Lock(error) => error.into(),
            RunError::Pipeline(error) => error.into(),
        }
    }
}
