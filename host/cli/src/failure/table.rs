//! The table from the libraries' errors to what they mean to the user. One entry an error type, each a `match` without a
//! catch-all, so that a new variant has to be thought about here.

use std::io;

use dewar_core::cache::CacheError;
use dewar_core::cache::hold::HoldError;
use dewar_core::config::ConfigError;
use dewar_core::exp::apply::ApplyError;
use dewar_core::exp::copies::CopyError;
use dewar_core::exp::isolated::IsolationError;
use dewar_core::exp::name::BadName;
use dewar_core::exp::record::RecordError;
use dewar_core::exp::refs::ResolveError;
use dewar_core::exp::run::ExperimentError;
use dewar_core::exp::show::TableError;
use dewar_core::extension::ExtensionError;
use dewar_core::fs::FsError;
use dewar_core::gc::GcError;
use dewar_core::git::GitError;
use dewar_core::graph::GraphError;
use dewar_core::observe::ObserveError;
use dewar_core::params::files::ParamsError;
use dewar_core::params::overrides::OverrideError;
use dewar_core::params::resolve;
use dewar_core::path::PathError;
use dewar_core::pipeline::PipelineError;
use dewar_core::pipeline::target::TargetError;
use dewar_core::remote::RemoteError;
use dewar_core::removal::RemovalError;
use dewar_core::repo::{NoGit, RepoError};
use dewar_core::repro::SelectError;
use dewar_core::schedule::RunError;
use dewar_core::source::SourceError;
use dewar_core::stage_run::StageError;
use dewar_core::track::TrackError;

use super::{Failure, IntoFailure, Kind};
use crate::ui::problem::{Place, Problem};

impl From<FsError> for Failure {
    fn from(error: FsError) -> Self {
        let hint = match error.source.kind() {
            io::ErrorKind::PermissionDenied => Some("look at who owns it and what its permissions are"),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Some("make room on that disk and run the command again; nothing was left half-written")
            }
            io::ErrorKind::ReadOnlyFilesystem => Some("that disk is mounted read-only"),
            _ => None,
        };
        let failure = error.into_failure(Kind::Repository);
        hint.map_or_else(|| failure.clone(), |hint| failure.clone().hint(hint))
    }
}

impl From<PathError> for Failure {
    fn from(error: PathError) -> Self {
        match error {
            PathError::Outside(_) => {
                error.into_failure(Kind::Pipeline).hint("only paths inside the project can be tracked")
            }
            PathError::Nul(_) | PathError::NotUtf8(_) => error.into_failure(Kind::Pipeline),
        }
    }
}

impl From<ExtensionError> for Failure {
    fn from(error: ExtensionError) -> Self {
        match &error {
            ExtensionError::Refused { diagnostics, .. } => {
                let hints: Vec<String> = diagnostics.iter().filter_map(|diagnostic| diagnostic.help.clone()).collect();
                hints.into_iter().fold(error.into_failure(Kind::Pipeline), Self::hint)
            }
            ExtensionError::Unknown { .. } => {
                error.into_failure(Kind::Plugin).hint("`--plugin-dir DIR` adds a folder to look in")
            }
            ExtensionError::Denied { .. } => {
                error.into_failure(Kind::Plugin).hint("`dewar.toml` grants what plugins may do")
            }
            ExtensionError::Trapped { plugin, .. } | ExtensionError::BadAnswer { plugin, .. } => {
                let hint = format!("this is a bug of `{plugin}`; tell its authors");
                error.into_failure(Kind::Plugin).hint(hint)
            }
            ExtensionError::Rejected { .. } | ExtensionError::OverLimit { .. } => error.into_failure(Kind::Plugin),
        }
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        let file = error.file.to_string();
        let mut problems =
            error.diagnostics.iter().map(|diagnostic| Problem::of(diagnostic, &file, &error.text)).collect::<Vec<_>>();
        if problems.is_empty() {
            return error.into_failure(Kind::Pipeline).at(Place::file(file));
        }
        let problem = problems.remove(0);
        Self { kind: Kind::Pipeline, problem, further: problems }
    }
}

impl From<Box<SourceError>> for Failure {
    fn from(error: Box<SourceError>) -> Self {
        (*error).into()
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::File(error) => error.into(),
            ConfigError::Source(error) => error.into(),
        }
    }
}

impl From<RepoError> for Failure {
    fn from(error: RepoError) -> Self {
        match error {
            RepoError::NotFound(_) => error.into_failure(Kind::Repository).hint("`dewar init` makes a project"),
            RepoError::Path(error) => error.into(),
            RepoError::File(error) => error.into(),
            RepoError::Config(error) => error.into(),
            RepoError::Git(error) => error.into(),
            RepoError::Busy { .. } => error
                .into_failure(Kind::Repository)
                .hint("wait until it ends, or end it: the lock goes with its last process"),
        }
    }
}

impl From<NoGit> for Failure {
    fn from(error: NoGit) -> Self {
        error.into_failure(Kind::Repository).hint("`git init` makes one; `dewar repro` needs none")
    }
}

impl From<GitError> for Failure {
    fn from(error: GitError) -> Self {
        match error {
            GitError::UnknownRevision { .. } | GitError::AmbiguousRevision { .. } => error.into_failure(Kind::Usage),
            GitError::Fs(error) => error.into(),
            GitError::Path(error) => error.into(),
            GitError::NotOwned { .. }
            | GitError::Bare { .. }
            | GitError::Unborn { .. }
            | GitError::Conflicted { .. }
            | GitError::FilterDriver { .. }
            | GitError::BadRefName(_)
            | GitError::RefConflict(_)
            | GitError::RefLocked { .. }
            | GitError::Operation { .. } => error.into_failure(Kind::Repository),
        }
    }
}

impl From<CacheError> for Failure {
    fn from(error: CacheError) -> Self {
        match error {
            CacheError::Fs(error) => error.into(),
            CacheError::Missing { .. } | CacheError::Corrupt { .. } => {
                error.into_failure(Kind::Repository).hint("run the stage that makes it again, or get it from a remote")
            }
            CacheError::Outside(_) | CacheError::Root => error.into_failure(Kind::Pipeline),
            CacheError::Ignore(_)
            | CacheError::IgnoreFileInside(_)
            | CacheError::Special { .. }
            | CacheError::Loop(_)
            | CacheError::NotUtf8(_)
            | CacheError::Changed(_)
            | CacheError::Absent(_)
            | CacheError::BadTree { .. }
            | CacheError::Wrong { .. } => error.into_failure(Kind::Repository),
        }
    }
}

impl From<ParamsError> for Failure {
    fn from(error: ParamsError) -> Self {
        match error {
            ParamsError::File(error) => error.into(),
            ParamsError::Source(error) => error.into(),
            ParamsError::Plugin(error) => error.into(),
            ParamsError::Override { ref file, error: ref problem } => {
                let hint = match problem {
                    resolve::ResolveError::Missing { similar: Some(similar), .. } => {
                        format!("did you mean `{similar}`?")
                    }
                    resolve::ResolveError::Missing { key, similar: None } => {
                        format!("to add it to `{file}`: `-S +{key}=VALUE`")
                    }
                    resolve::ResolveError::Exists { key } => format!("to change it: `-S {key}=VALUE`"),
                    resolve::ResolveError::NotAContainer { parent, .. } => {
                        format!("to replace `{parent}`: `-S '{parent}={{...}}'`")
                    }
                    resolve::ResolveError::OtherValue { key } => {
                        format!("to delete it whatever its value is: `-S '~{key}'`")
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
        let hint = match &error {
            OverrideError::Grammar { .. } => "write `-S name=value`, `+name=value` to add, `~name` to delete",
            OverrideError::Sweep { .. } => "put quotes around a value with a comma in it: `-S \"name='a,b'\"`",
        };
        error.into_failure(Kind::Usage).hint(hint)
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
        let meant = |similar: &Option<String>| similar.as_ref().map(|similar| format!("did you mean `{similar}`?"));
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
            StageError::Cancelled { .. } | StageError::Declined { .. } => error.into_failure(Kind::Interrupted),
            StageError::DataMissing { .. } => error
                .into_failure(Kind::Repository)
                .hint("put it back, or get it from where the project keeps its data"),
            StageError::TrackedByGit { ref path, .. } => {
                let hint = format!("to leave it to the cache: git rm -r --cached '{path}' && git commit");
                error.into_failure(Kind::Repository).hint(hint)
            }
            StageError::Observe(error) => error.into(),
            StageError::Remote(error) => error.into(),
            StageError::Cache(error) => error.into(),
            StageError::File(error) => error.into(),
            StageError::Executor(error) => error.into(),
            StageError::Git(error) => error.into(),
        }
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

impl From<BadName> for Failure {
    fn from(error: BadName) -> Self {
        error.into_failure(Kind::Usage)
    }
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::NameTaken { .. } => error.into_failure(Kind::Repository),
            RecordError::Git(error) => error.into(),
        }
    }
}

impl From<ResolveError> for Failure {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Unknown { .. } => {
                error.into_failure(Kind::Usage).hint("`dewar exp list -A` lists all experiments")
            }
            ResolveError::Ambiguous { .. } => error.into_failure(Kind::Usage),
            ResolveError::Git(error) => error.into(),
        }
    }
}

impl From<ApplyError> for Failure {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Uncommitted => error
                .into_failure(Kind::Repository)
                .hint("commit them; or without `--no-force` they are kept aside and can be brought back"),
            ApplyError::Git(error) => error.into(),
        }
    }
}

impl From<ExperimentError> for Failure {
    fn from(error: ExperimentError) -> Self {
        match error {
            // It was typed behind `-S`.
            ExperimentError::Path(error) => error.into_failure(Kind::Usage),
            ExperimentError::Params(error) => error.into(),
            ExperimentError::File(error) => error.into(),
            ExperimentError::Pipeline(error) => error.into(),
            ExperimentError::Run(error) => error.into(),
            ExperimentError::Record(error) => error.into(),
            ExperimentError::Git(error) => error.into(),
        }
    }
}

impl From<CopyError> for Failure {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Path(error) => error.into_failure(Kind::Usage),
            CopyError::File(error) => error.into(),
            CopyError::Missing(_) => error
                .into_failure(Kind::Usage)
                .hint("paths behind `--copy-paths` are relative to the folder you are in"),
            CopyError::Outside(_) | CopyError::Own(_) => error.into_failure(Kind::Usage),
        }
    }
}

impl From<IsolationError> for Failure {
    fn from(error: IsolationError) -> Self {
        match error {
            IsolationError::File(error) => error.into(),
            IsolationError::Git(error) => error.into(),
            IsolationError::Config(error) => error.into(),
            IsolationError::Path(error) => error.into(),
            IsolationError::Copy(error) => error.into(),
            IsolationError::Track(error) => error.into(),
            IsolationError::Observe(error) => error.into(),
            IsolationError::Cache(error) => error.into(),
            IsolationError::Cancelled => error.into_failure(Kind::Interrupted),
        }
    }
}

impl From<TrackError> for Failure {
    fn from(error: TrackError) -> Self {
        match error {
            TrackError::Cache(error) => error.into(),
            TrackError::File(error) => error.into(),
            TrackError::Path(error) => error.into(),
            TrackError::Pipeline(error) => error.into(),
            TrackError::Git(error) => error.into(),
            TrackError::Observe(error) => error.into(),
            TrackError::Lock(error) => error.into(),
            TrackError::TrackedByGit(ref path) => {
                let hint = format!("to leave it to the cache: git rm -r --cached '{path}' && git commit");
                error.into_failure(Kind::Repository).hint(hint)
            }
            TrackError::IgnoredByGit(_) => {
                error.into_failure(Kind::Repository).hint("take the line that ignores it out of `.gitignore`")
            }
            TrackError::Ignored(_) => {
                error.into_failure(Kind::Repository).hint("take the line that ignores it out of `.dvcignore`")
            }
            TrackError::IsOutput { ref stage, .. } => {
                let hint = format!("run the stage; or `dewar commit {stage}` records what is there");
                error.into_failure(Kind::Pipeline).hint(hint)
            }
            TrackError::HasOutput { ref stage, .. } => {
                let hint = format!("add the parts one by one; or take `{stage}` away first, and add the whole");
                error.into_failure(Kind::Pipeline).hint(hint)
            }
            TrackError::OtherData { .. } => {
                error.into_failure(Kind::Pipeline).hint("rename that file, or what is to be added")
            }
            TrackError::BehindLink { .. } => error
                .into_failure(Kind::Pipeline)
                .hint("add the folder that the symlink leads to, or the symlink itself"),
            TrackError::Twice { .. } => error.into_failure(Kind::Usage).hint("name one of them"),
            TrackError::OtherHash(ref path) => {
                let hint = format!("add all of it: dewar add '{path}'");
                error.into_failure(Kind::Pipeline).hint(hint)
            }
            TrackError::OutputMissing { .. } => {
                error.into_failure(Kind::Repository).hint("run the stage, or bring the file back with `dewar checkout`")
            }
            TrackError::NotRecorded { .. } => {
                error.into_failure(Kind::Usage).hint("`dewar add` or `dewar commit` records what is there now")
            }
            TrackError::OwnFile { .. } => error.into_failure(Kind::Pipeline).hint("git keeps such files"),
            TrackError::Pattern { .. } => error.into_failure(Kind::Usage),
            TrackError::NotADirectory(_) => error.into_failure(Kind::Pipeline),
            TrackError::WouldLose { .. } => error
                .into_failure(Kind::Repository)
                .hint("`dewar commit` or `dewar repro` keeps what is there; `--force` replaces it"),
        }
    }
}

impl From<RemoteError> for Failure {
    fn from(error: RemoteError) -> Self {
        match error {
            RemoteError::Cache(error) => error.into(),
            RemoteError::NoDefault => error
                .into_failure(Kind::Remote)
                .hint("`.dvc/config` names it: `remote = NAME` under `[core]`, and `url = FOLDER` under `['remote \"NAME\"']`"),
            RemoteError::Unknown { ref known, .. } if !known.is_empty() => {
                let hint = format!("there is {}", known.join(", "));
                error.into_failure(Kind::Remote).hint(hint)
            }
            RemoteError::Unsupported { .. } => {
                error.into_failure(Kind::Remote).hint("a remote can be a folder: `url = /mnt/store`")
            }
            RemoteError::Absent { .. } => {
                error.into_failure(Kind::Remote).hint("mount the disk that it is on; or make the folder, if it is new")
            }
            RemoteError::Unknown { .. }
            | RemoteError::NoUrl { .. }
            | RemoteError::Circle { .. }
            | RemoteError::Unreadable { .. } => error.into_failure(Kind::Remote),
        }
    }
}

impl From<HoldError> for Failure {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::InUse { .. } => {
                error.into_failure(Kind::Repository).hint("nothing was removed; run it again when they have ended")
            }
            HoldError::File(error) => error.into(),
        }
    }
}

impl From<GcError> for Failure {
    fn from(error: GcError) -> Self {
        match error {
            GcError::Workspace(error) => error.into(),
            GcError::Hold(error) => error.into(),
            GcError::NoGit(error) => error.into(),
            GcError::Git(error) => error.into(),
            GcError::File(error) => error.into(),
            GcError::Pipeline(error) => error.into(),
            GcError::Cache(error) => error.into(),
            GcError::Dvc(_) => error.into_failure(Kind::Repository).hint("wait until it ends; nothing was removed"),
            GcError::Threads(_) => error.into_failure(Kind::Repository),
            GcError::Unreadable { commit, error } => Self::from(error)
                .hint(format!("it stands so in the commit {}; nothing was removed", commit.short()))
                .hint("`--skip-failed` passes by what cannot be read, and removes what only that uses"),
        }
    }
}

impl From<RemovalError> for Failure {
    fn from(error: RemovalError) -> Self {
        match error {
            RemovalError::Pipeline(error) => error.into(),
            RemovalError::Cache(error) => error.into(),
            RemovalError::File(error) => error.into(),
        }
    }
}

impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        let hint = match &error {
            TableError::UnknownColumn { similar: Some(similar), .. } => Some(format!("did you mean `{similar}`?")),
            TableError::UnknownColumn { similar: None, .. }
            | TableError::AmbiguousColumn { .. }
            | TableError::Pattern { .. } => None,
        };
        let failure = error.into_failure(Kind::Usage);
        hint.map_or_else(|| failure.clone(), |hint| failure.clone().hint(hint))
    }
}
