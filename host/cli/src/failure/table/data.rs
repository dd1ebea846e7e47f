//! Data: what is tracked, remotes, what is removed.

use dewar_core::cache::hold::HoldError;
use dewar_core::gc::GcError;
use dewar_core::remote::RemoteError;
use dewar_core::removal::RemovalError;
use dewar_core::track::TrackError;

use super::super::{Failure, IntoFailure, Kind};
use super::hint_of;
use super::settings::of_known_remotes;

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
                .hint("`dewar remote add --default NAME FOLDER` makes one, `dewar remote default NAME` names one of those there are"),
            RemoteError::Unknown { ref name, ref known } => {
                let hint = of_known_remotes(name, known);
                error.into_failure(Kind::Remote).hint(hint)
            }
            RemoteError::Unsupported { .. } => {
                error.into_failure(Kind::Remote).hint("a remote can be a folder: `dewar remote add NAME /mnt/store`; DVC speaks the others")
            }
            RemoteError::NoPath { .. } => error
                .into_failure(Kind::Remote)
                .hint("the URL of a folder has three slashes, as in `file:///mnt/store`"),
            RemoteError::Absent { .. } => {
                error.into_failure(Kind::Remote).hint("mount the disk that it is on; or make the folder, if it is new")
            }
            RemoteError::Damaged { .. } => error
                .into_failure(Kind::Remote)
                .hint("remove that file from the remote, and push it again from where the cache has it"),
            RemoteError::Unreadable { error: ref cause, .. } | RemoteError::Unwritable { error: ref cause, .. } => {
                let hint = hint_of(&cause.source);
                let failure = error.into_failure(Kind::Remote);
                hint.into_iter().fold(failure, Self::hint)
            }
            RemoteError::NoUrl { .. } | RemoteError::Circle { .. } => error.into_failure(Kind::Remote),
            RemoteError::Threads(_) => error.into_failure(Kind::Repository),
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
            GcError::Resolve(error) => error.into(),
            GcError::Standing(error) => error.into(),
            GcError::Queue(error) => error.into(),
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
