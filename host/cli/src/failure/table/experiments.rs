//! Experiments: names, records, isolated workspaces, tables.

use dewar_core::exp::apply::ApplyError;
use dewar_core::exp::checkpoint::PolicyError;
use dewar_core::exp::checkpoint::replay::ReplayError;
use dewar_core::exp::checkpoint::resume::ResumeError;
use dewar_core::exp::clean::CleanError;
use dewar_core::exp::copies::CopyError;
use dewar_core::exp::find::{FindError, NamedError};
use dewar_core::exp::isolated::IsolationError;
use dewar_core::exp::name::BadName;
use dewar_core::exp::queue::QueueError;
use dewar_core::exp::queue::task::State;
use dewar_core::exp::record::RecordError;
use dewar_core::exp::refs::ResolveError;
use dewar_core::exp::run::ExperimentError;
use dewar_core::exp::save::IncludeError;
use dewar_core::exp::show::{ShowError, TableError};
use dewar_core::extension::{Diagnostic, ExtensionError};
use dewar_core::words::did_you_mean;

use super::super::{Failure, IntoFailure, Kind};

/// What may have been meant, else where all are listed.
fn meant_or(similar: Option<&str>, all: &str) -> String {
    similar.map_or_else(|| all.to_owned(), did_you_mean)
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
            RecordError::File(error) => error.into(),
        }
    }
}

impl From<ResolveError> for Failure {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Unknown { ref similar, .. } => {
                let hint = meant_or(similar.as_deref(), "`dewar exp list -A` lists all experiments");
                error.into_failure(Kind::Usage).hint(hint)
            }
            ResolveError::UnknownRevision { ref similar, .. } => {
                let hint = similar.as_deref().map(did_you_mean);
                hint.into_iter().fold(error.into_failure(Kind::Usage), Self::hint)
            }
            ResolveError::Ambiguous { .. } | ResolveError::AmbiguousCheckpoint { .. } => {
                error.into_failure(Kind::Usage)
            }
            ResolveError::Git(error) => error.into(),
        }
    }
}

impl From<NamedError> for Failure {
    fn from(error: NamedError) -> Self {
        match error {
            NamedError::Find(error) => error.into(),
            NamedError::Checkpoint { ref experiment, .. } => {
                let hint = format!("`{experiment}` means the experiment with all its checkpoints");
                error.into_failure(Kind::Usage).hint(hint)
            }
            NamedError::Kept { .. } => error.into_failure(Kind::Usage),
            NamedError::Task(ref task) => {
                let hint = match task.state {
                    State::Queued => "it waits in the queue",
                    State::Running => "it began to run",
                    State::Failed => "it failed",
                    State::Success => "its experiment was removed",
                };
                error.into_failure(Kind::Usage).hint(hint)
            }
        }
    }
}

impl From<CleanError> for Failure {
    fn from(error: CleanError) -> Self {
        match error {
            CleanError::File(error) => error.into(),
            CleanError::Git(error) => error.into(),
            CleanError::Queue(error) => error.into(),
            CleanError::Pipeline(error) => error.into(),
            CleanError::Path(error) => error.into(),
        }
    }
}

impl From<IncludeError> for Failure {
    fn from(error: IncludeError) -> Self {
        match error {
            IncludeError::File(error) => error.into(),
            IncludeError::Git(error) => error.into(),
            IncludeError::Path(error) => error.into_failure(Kind::Usage),
            IncludeError::Missing(_) => {
                error.into_failure(Kind::Usage).hint("paths behind `-I` are relative to the folder you are in")
            }
            IncludeError::Output { .. } => {
                error.into_failure(Kind::Usage).hint("it is part of the experiment already, through `dvc.lock`")
            }
            IncludeError::BehindLink { .. } | IncludeError::Own(_) => error.into_failure(Kind::Usage),
        }
    }
}

impl From<ResumeError> for Failure {
    fn from(error: ResumeError) -> Self {
        match error {
            ResumeError::Git(error) => error.into(),
            ResumeError::Find(error) => error.into(),
            ResumeError::NoCheckpoint { .. } => error.into_failure(Kind::Usage),
            ResumeError::NotDerived { .. } => {
                error.into_failure(Kind::Usage).hint("check the commit out that its experiment began on")
            }
            ResumeError::Lock(error) => error.into(),
            ResumeError::File(error) => error.into(),
            ResumeError::Missing { .. } => error
                .into_failure(Kind::Repository)
                .hint("`--reset` starts over; `dewar exp apply` brings another checkpoint into the workspace"),
            ResumeError::Cache(error) => error.into(),
            ResumeError::Observe(error) => error.into(),
            ResumeError::Path(error) => error.into(),
        }
    }
}

impl From<FindError> for Failure {
    fn from(error: FindError) -> Self {
        match error {
            FindError::Resolve(ResolveError::Unknown { ref similar, .. }) => {
                let all = "`dewar exp show -A` shows all, also those of the queue";
                let hint = meant_or(similar.as_deref(), all);
                error.into_failure(Kind::Usage).hint(hint)
            }
            FindError::Resolve(error) => error.into(),
            FindError::Queue(error) => error.into(),
        }
    }
}

impl From<ShowError> for Failure {
    fn from(error: ShowError) -> Self {
        match error {
            ShowError::Resolve(error) => error.into(),
            ShowError::Git(error) => error.into(),
            ShowError::Queue(error) => error.into(),
        }
    }
}

impl From<PolicyError> for Failure {
    fn from(PolicyError { policy, source }: PolicyError) -> Self {
        // The options were typed behind `-o`.
        of_policy(&policy, source, Kind::Usage)
    }
}

/// What it means that a checkpoint policy cannot be used; `refused` is whose wrong options are.
pub(super) fn of_policy(policy: &str, error: ExtensionError, refused: Kind) -> Failure {
    let begin = format!("the checkpoint policy `{policy}` cannot be used");
    match &error {
        ExtensionError::Refused { diagnostics, .. } => {
            let one = |diagnostic: &Diagnostic| {
                let failure = Failure::new(refused, format!("{begin}: {}", diagnostic.message));
                diagnostic.help.iter().fold(failure, |failure, help| failure.hint(help))
            };
            let told = Failure::together(diagnostics.iter().map(one));
            told.unwrap_or_else(|| Failure::new(refused, format!("{begin}: {error}")))
        }
        ExtensionError::Unknown { .. } => {
            Failure::new(refused, error.to_string()).hint("`dewar policy list` lists those that there are")
        }
        ExtensionError::Rejected { .. }
        | ExtensionError::Denied { .. }
        | ExtensionError::Trapped { .. }
        | ExtensionError::OverLimit { .. }
        | ExtensionError::BadAnswer { .. } => error.into(),
    }
}

impl From<ReplayError> for Failure {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Git(error) => error.into(),
            ReplayError::Unreadable { .. } => error.into_failure(Kind::Pipeline),
        }
    }
}

impl From<ApplyError> for Failure {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Uncommitted => error
                .into_failure(Kind::Repository)
                .hint("commit them; or without `--no-force` they are kept aside and can be brought back"),
            ApplyError::Conflicts { .. } => error
                .into_failure(Kind::Repository)
                .hint("`dewar exp save` makes an experiment of the workspace as it is; `git stash` puts the changes aside")
                .hint("`--force` overwrites them; `dewar exp apply refs/exps/apply/stash` then brings back what was there"),
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
            IsolationError::Pipeline(error) => error.into(),
            IsolationError::Cancelled => error.into_failure(Kind::Interrupted),
        }
    }
}

impl From<QueueError> for Failure {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::File(error) => error.into(),
            QueueError::Git(error) => error.into(),
            QueueError::Copy(error) => error.into(),
            QueueError::NotOwned(_) => error
                .into_failure(Kind::Repository)
                .hint("remove the folder, or take it over: it must be yours, and nobody else may write there"),
            QueueError::Damaged { .. } => {
                error.into_failure(Kind::Repository).hint("`dewar queue remove` removes the task")
            }
            QueueError::Unknown { ref similar, .. } => {
                let hint = meant_or(similar.as_deref(), "`dewar queue status` lists all of them");
                error.into_failure(Kind::Usage).hint(hint)
            }
            QueueError::UnknownSweep(_) => error.into_failure(Kind::Usage).hint("`dewar sweep list` lists all of them"),
            QueueError::Ambiguous { .. } => error.into_failure(Kind::Usage),
            QueueError::NameTaken(_) => error
                .into_failure(Kind::Repository)
                .hint("take another name, or remove the queued one: `dewar queue remove`"),
            QueueError::Runs(ref name) => {
                let hint = format!("end it first: `dewar queue kill {name}`");
                error.into_failure(Kind::Repository).hint(hint)
            }
            QueueError::Succeeded(_) => {
                error.into_failure(Kind::Usage).hint("queue it anew to run it again: `dewar exp run --queue`")
            }
            QueueError::SweepNameTaken(ref name) => {
                let hint = format!("take another name, or forget that one: `dewar sweep remove {name}`");
                error.into_failure(Kind::Repository).hint(hint)
            }
            QueueError::RunsNot(_) => error.into_failure(Kind::Usage).hint("`dewar queue status` says which do"),
        }
    }
}

impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        let hint = match &error {
            TableError::UnknownColumn { similar: Some(similar), .. } => Some(did_you_mean(similar)),
            TableError::UnknownColumn { similar: None, .. }
            | TableError::AmbiguousColumn { .. }
            | TableError::Pattern { .. } => None,
        };
        let failure = error.into_failure(Kind::Usage);
        hint.map_or_else(|| failure.clone(), |hint| failure.clone().hint(hint))
    }
}
