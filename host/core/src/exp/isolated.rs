//! [`IsolatedWorkspace`]: where an experiment runs beside the user's workspace (walk, step 3, with `--temp`).
//!
//! A folder under `.dvc/tmp/exps/isolated/` for each, with a repository of its own ([`Git::isolate`]), and a lock beside it,
//! which is there before the folder and goes after it. The kernel holds that lock as long as the owner, or a command that it
//! started, lives; a folder whose lock is free was left by a killed process, and the next one removes it.

use std::collections::HashSet;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::copies::CopyError;
use crate::cache::CacheError;
use crate::config::{ConfigError, LOCAL_FILE};
use crate::fs::{self, FsError};
use crate::git::{Git, GitError, Head, TreeId};
use crate::lock::{Lock, Taken};
use crate::observe::{Observe, ObserveError};
use crate::path::{PathError, RepoPath};
use crate::pipeline::files::Overlay;
use crate::pipeline::load::StageId;
use crate::pipeline::{Output, PipelineError, Place, Stage};
use crate::plan;
use crate::process::Cancellation;
use crate::repo::{PROJECT_DIR, Repo};
use crate::repro::Selection;
use crate::track::{self, CheckOut, Links, TrackError, Unsaved};
use crate::workspace::Workspace;

/// Why there is no isolated workspace, or not all in it that should be.
#[derive(Debug, thiserror::Error)]
pub enum IsolationError {
    /// A file or folder.
    #[error(transparent)]
    File(#[from] FsError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A path of the project.
    #[error(transparent)]
    Path(#[from] PathError),
    /// What was to be copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The data of the stages.
    #[error(transparent)]
    Track(#[from] TrackError),
    /// The data in the user's workspace.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// The cache.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A `.dvc` file.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The user wants it to end.
    #[error("it was interrupted before the first stage began")]
    Cancelled,
}

/// A workspace that one experiment has to itself. It is removed when this is dropped.
#[derive(Debug)]
pub struct IsolatedWorkspace {
    claim: Option<Claim>,
}

impl IsolatedWorkspace {
    /// Makes one for the project `repo` with the files of `tree`; git says there that `head` is checked out. Returns it and
    /// the project in it, seen from the folder `from`.
    ///
    /// # Errors
    /// When anything cannot be read or written; then nothing is left.
    pub fn create(
        repo: &Repo,
        git: &Git,
        tree: TreeId,
        head: &Head,
        from: RepoPath,
    ) -> Result<(Self, Repo), IsolationError> {
        let (workspace, work) = Self::claim(&all(repo))?;
        let unseen = [LOCAL_FILE, ".dvc/tmp", ".dvc/cache"].map(RepoPath::parse);
        let isolated = git.isolate(&work, tree, head, &unseen.into_iter().collect::<Result<Vec<_>, _>>()?)?;
        let root = isolated.root().to_owned();
        fs::create_dir(&root.join(PROJECT_DIR))?;
        let local = repo.config.local_text_elsewhere(repo.root())?;
        fs::write_inside(&root, &RepoPath::parse(LOCAL_FILE)?, local.as_bytes())?;
        // It may hold passwords.
        let (local, private) = (root.join(LOCAL_FILE), std::fs::Permissions::from_mode(0o600));
        std::fs::set_permissions(&local, private).map_err(FsError::new("protect", local))?;
        Ok((workspace, repo.relocated(isolated, from)))
    }

    /// Takes a lock and makes the folder beside it, in one step for those who look for what was left. Returns the folder, too,
    /// without symlinks: `.dvc/tmp` may be one to another disk.
    fn claim(all: &Path) -> Result<(Self, PathBuf), FsError> {
        fs::create_dir(all)?;
        let all = std::fs::canonicalize(all).map_err(FsError::new("resolve", all))?;
        spread(&all);
        let _claiming = Lock::wait(&all.join(LOCK))?;
        let path = tempfile::Builder::new().prefix("exp-").suffix(LOCK_SUFFIX).tempfile_in(&all);
        let path = path.map_err(FsError::new("create a file in", &all))?.into_temp_path();
        let Taken::Yes(owner) = Lock::try_take(&path)? else {
            return Err(FsError::new("lock", path.to_path_buf())(std::io::ErrorKind::WouldBlock.into()));
        };
        owner.share()?;
        let folder = path.with_extension("");
        std::fs::DirBuilder::new().mode(0o700).create(&folder).map_err(FsError::new("create the folder", &folder))?;
        let lock = path.keep().map_err(|kept| FsError::new("create", folder.clone())(kept.error))?;
        Ok((Self { claim: Some(Claim { folder: folder.clone(), lock, _owner: owner }) }, folder))
    }

    /// Removes it.
    ///
    /// # Errors
    /// When a command that a stage left behind still writes there, or the system refuses. The next one tries again.
    pub fn remove(mut self) -> Result<(), FsError> {
        self.claim.take().map_or(Ok(()), Claim::remove)
    }
}

impl Drop for IsolatedWorkspace {
    fn drop(&mut self) {
        // Something else went wrong already, and is told.
        self.claim.take().map(Claim::remove);
    }
}

/// The folder of a workspace and the lock beside it, which is held, so that nobody else removes them.
#[derive(Debug)]
struct Claim {
    folder: PathBuf,
    lock: PathBuf,
    _owner: Lock,
}

impl Claim {
    /// Removes the folder, and then the lock, without which nobody would find the folder.
    fn remove(self) -> Result<(), FsError> {
        remove_tree(&self.folder)?;
        fs::remove_file(&self.lock)
    }
}

/// Removes the isolated workspaces that killed processes left. Answers why some of them stay; these are in nobody's way.
#[must_use]
pub fn remove_abandoned(repo: &Repo) -> Vec<FsError> {
    let all = all(repo);
    if !all.is_dir() {
        return Vec::new();
    }
    // Many gigabytes may take their time: nobody waits for it, the lock of all is free by then.
    let left = abandoned(&all).unwrap_or_else(|error| vec![Err(error)]);
    left.into_iter().filter_map(|claim| claim.and_then(Claim::remove).err()).collect()
}

/// The isolated workspaces that killed processes left.
///
/// # Errors
/// When they cannot be looked for.
pub fn list_abandoned(repo: &Repo) -> Result<Vec<PathBuf>, FsError> {
    let all = all(repo);
    if !all.is_dir() {
        return Ok(Vec::new());
    }
    Ok(abandoned(&all)?.into_iter().flatten().map(|claim| claim.folder).collect())
}

/// The lock of those who make or look for a workspace, in the folder of all of them.
const LOCK: &str = "lock";
/// How the lock of a workspace is called, behind the name of its folder.
const LOCK_SUFFIX: &str = ".lock";

/// Has the file system put the folders of a folder far from each other, where it is ext4 (`T` of `chattr(1)`). There, a file that
/// is made where many were just deleted costs a search past all of them: a workspace of 10,000 files took seconds instead of
/// half of one when it followed another.
#[cfg(target_os = "linux")]
fn spread(folder: &Path) {
    use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
    let Ok(folder) = std::fs::File::open(folder) else { return };
    if let Ok(flags) = ioctl_getflags(&folder)
        && !flags.contains(IFlags::TOPDIR)
    {
        // Other file systems have no such flag, and no such need.
        let _unknown = ioctl_setflags(&folder, flags | IFlags::TOPDIR);
    }
}

#[cfg(not(target_os = "linux"))]
const fn spread(_: &Path) {}

fn all(repo: &Repo) -> PathBuf {
    repo.tmp().join("exps/isolated")
}

/// The workspaces that nobody owns, and why of some it cannot be told.
fn abandoned(all: &Path) -> Result<Vec<Result<Claim, FsError>>, FsError> {
    let _claiming = Lock::wait(&all.join(LOCK))?;
    let mut found = Vec::new();
    for entry in std::fs::read_dir(all).map_err(FsError::new("list", all))? {
        let name = entry.map_err(FsError::new("list", all))?.file_name();
        let Some(folder) = name.to_str().and_then(|name| name.strip_suffix(LOCK_SUFFIX)) else { continue };
        let lock = all.join(&name);
        match Lock::try_take_existing(&lock) {
            Ok(Some(Taken::Yes(owner))) => found.push(Ok(Claim { folder: all.join(folder), lock, _owner: owner })),
            // Its owner removed it, or has it.
            Ok(None | Some(Taken::No { .. })) => {}
            // Another user's.
            Err(error) if error.source.kind() == std::io::ErrorKind::PermissionDenied => {}
            Err(error) => found.push(Err(error)),
        }
    }
    Ok(found)
}

fn remove_tree(folder: &Path) -> Result<(), FsError> {
    let gone = |result: std::io::Result<()>| match result {
        Err(error) if fs::is_absent(&error) => Ok(()),
        result => result,
    };
    match gone(std::fs::remove_dir_all(folder)) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            // A stage took its own right to write in a folder away.
            unlock(folder);
            gone(std::fs::remove_dir_all(folder)).map_err(FsError::new("remove", folder))
        }
        // Something that the last command started was writing there still.
        Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {
            gone(std::fs::remove_dir_all(folder)).map_err(FsError::new("remove", folder))
        }
        result => result.map_err(FsError::new("remove", folder)),
    }
}

/// Lets the owner write in a folder and those in it. Links are not followed, files stay: they may be names of objects.
fn unlock(folder: &Path) {
    if std::fs::symlink_metadata(folder).is_ok_and(|meta| meta.is_dir()) {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).ok();
        for child in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            unlock(&child.path());
        }
    }
}

/// Brings the data that the selected stages need into the isolated workspace: their outputs as the locks remember them, and
/// those of stages that they read from. What the cache lacks is left to the run; an output that was `copied`, wholly or a part
/// of it, stays as it is.
///
/// # Errors
/// When something cannot be checked out, or the run is cancelled.
pub fn check_out_data(
    isolated: &Workspace<'_>,
    selection: &Selection,
    copied: &[RepoPath],
    cancellation: &Cancellation,
) -> Result<(), IsolationError> {
    let is_copied = |out: &Output| copied.iter().any(|copied| copied.touches(&out.path));
    for stage in needed(selection) {
        for out in stage.outs.iter().filter(|out| !is_copied(out)) {
            if cancellation.is_cancelled() {
                return Err(IsolationError::Cancelled);
            }
            let how = CheckOut { unsaved: Unsaved::Replace, links: Links::Leave };
            track::check_out(isolated, &selection.pipeline, [(stage, Some(&out.path))], how)?;
        }
    }
    Ok(())
}

/// The selected stages and those whose outputs they read.
fn needed(selection: &Selection) -> Vec<&Stage> {
    let selected: Vec<&Stage> = selection.order.iter().map(|id| selection.pipeline.stage(*id)).collect();
    let deps = || selected.iter().flat_map(|stage| &stage.deps).filter_map(|dep| dep.place.inside());
    let read: HashSet<&str> = deps().map(RepoPath::as_str).collect();
    let above_read: HashSet<&str> = deps().flat_map(RepoPath::folders).collect();
    let reads = |path: &str| read.contains(path);
    let is_read = |out: &Output| {
        let path = out.path.as_str();
        reads(path) || above_read.contains(path) || out.path.folders().any(reads) || reads(RepoPath::root().as_str())
    };
    let ids: HashSet<StageId> = selection.order.iter().copied().collect();
    let others = selection.pipeline.stages().filter(|(id, stage)| !ids.contains(id) && stage.outs.iter().any(is_read));
    let others: Vec<&Stage> = others.map(|(_, stage)| stage).collect();
    others.into_iter().chain(selected).collect()
}

/// Data that the user changed and did not `add` again, of what the selected stages need: the workspace as it is has it. It is
/// kept in the cache; returned are the texts of the `.dvc` files that a run in the user's workspace would write.
///
/// # Errors
/// When data cannot be read or kept, or a `.dvc` file cannot be edited.
pub fn changed_data(
    user: &Workspace<'_>,
    selection: &Selection,
    copied: &[RepoPath],
) -> Result<Overlay, IsolationError> {
    let mut texts = Overlay::new();
    for stage in needed(selection).into_iter().filter(|stage| stage.is_data()) {
        let file = &stage.address.file;
        let (Some(data), Some(locked)) = (selection.pipeline.data_file(file), selection.pipeline.locked(stage)) else {
            continue;
        };
        for out in stage.outs.iter().filter(|out| out.cached && !copied.iter().any(|one| one.touches(&out.path))) {
            let known = locked.out(&out.lock_path).and_then(|known| known.id.as_ref());
            let algorithm = known.map_or_else(|| user.algorithm(), |id| id.algorithm());
            let found = user.content(&Place::Inside(out.path.clone()), algorithm)?;
            if found.is_some_and(|found| known.is_some_and(|known| *known != found.id)) {
                let copying = user.store().copying();
                let kept = user.tree().ingest(&copying, &out.path, user.algorithm())?;
                let text = data.with_content(&plan::locked_path(&out.lock_path, &kept.into()));
                texts.insert(file.clone(), text.map_err(PipelineError::Source)?.into());
            }
        }
    }
    Ok(texts)
}
