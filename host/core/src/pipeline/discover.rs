//! Finds the `dvc.yaml` and `.dvc` files of a work tree (walk, step 5).
//!
//! A folder costs its listing. What git or DVC ignore is only looked up for what could hold a pipeline: thousands of outputs, each
//! with its line in `.gitignore`, cost nothing more.

use std::collections::HashSet;
use std::fs::FileType;
use std::path::Path;
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::files::{Unlisted, is_pipeline_file};
use crate::fs::{self, FsError, is_absent};
use crate::gitignore::GITIGNORE;
use crate::ignore::{DVCIGNORE, EntryKind, FolderRules, as_git_reads};
use crate::path::RepoPath;
use crate::repo::PROJECT_DIR;

/// Where git has its own; a folder that has it begins a repository.
const GIT: &str = ".git";

/// All pipeline files below `root`, in order of path. Does not go into ignored folders, other projects or through links, as DVC
/// does not. The file itself may be a link.
///
/// # Errors
/// With [`Unlisted::Refuse`], when something is there and cannot be looked at. What goes away meanwhile holds no pipeline.
pub(super) fn pipeline_files(root: &Path, unlisted: Unlisted) -> Result<Vec<RepoPath>, FsError> {
    let mut found = Vec::new();
    let top = Folder { path: RepoPath::root(), git: GitRules::above(root), dvc: Arc::default() };
    let mut folders = vec![top];
    while let Some(folder) = folders.pop() {
        folder.look(root, unlisted, &mut folders, &mut found)?;
    }
    found.sort();
    Ok(found)
}

impl Unlisted {
    /// What was found; none when it is gone, or is passed by.
    fn judge<T>(self, result: Result<T, FsError>) -> Result<Option<T>, FsError> {
        match (result, self) {
            (Ok(found), _) => Ok(Some(found)),
            (Err(error), Self::Refuse) if !is_absent(&error.source) => Err(error),
            (Err(_), _) => Ok(None),
        }
    }
}

/// A folder that is still to be listed.
struct Folder {
    path: RepoPath,
    /// The rules of the folders above.
    git: Option<Arc<GitRules>>,
    dvc: Arc<FolderRules>,
}

impl Folder {
    fn look(
        self,
        root: &Path,
        unlisted: Unlisted,
        folders: &mut Vec<Self>,
        found: &mut Vec<RepoPath>,
    ) -> Result<(), FsError> {
        let path = self.path.under(root);
        let Some(listed) = unlisted.judge(Listed::of(&path, unlisted))? else { return Ok(()) };
        if listed.is_project && !self.path.is_root() {
            return Ok(());
        }
        let mut git = self.git.filter(|_| !listed.is_repository);
        let mut dvc = self.dvc;
        if listed.candidates.is_empty() {
            return Ok(());
        }
        if listed.has_gitignore {
            git = Some(GitRules::below(git, &path, Some(&listed)));
        }
        if listed.has_dvcignore
            // One that cannot be used is told of when something that it is for is looked at.
            && let Ok(below) = Arc::clone(&dvc).below(&path)
        {
            dvc = below;
        }
        for (name, kind) in listed.candidates {
            let full = path.join(&name);
            if git.as_ref().is_some_and(|git| git.ignores(&full, kind)) || dvc.ignores(&full, kind) {
                continue;
            }
            let Ok(path) = self.path.join(&name) else { continue };
            match kind {
                EntryKind::File if !is_file(&full, unlisted)? => {}
                EntryKind::Folder => folders.push(Self { path, git: git.clone(), dvc: Arc::clone(&dvc) }),
                EntryKind::File => found.push(path),
            }
        }
        Ok(())
    }
}

/// Whether a file is at `path`, or at the end of the link there.
fn is_file(path: &Path, unlisted: Unlisted) -> Result<bool, FsError> {
    let found = unlisted.judge(std::fs::metadata(path).map_err(FsError::new("look at", path)))?;
    Ok(found.is_some_and(|metadata| metadata.is_file()))
}

/// What of a folder's entries matters here.
#[derive(Default)]
struct Listed {
    /// Folders, and pipeline files or links that have their names.
    candidates: Vec<(String, EntryKind)>,
    has_gitignore: bool,
    has_dvcignore: bool,
    is_repository: bool,
    is_project: bool,
}

impl Listed {
    fn of(folder: &Path, unlisted: Unlisted) -> Result<Self, FsError> {
        let mut listed = Self::default();
        for entry in std::fs::read_dir(folder).map_err(FsError::new("list", folder))? {
            let Some(entry) = unlisted.judge(entry.map_err(FsError::new("list", folder)))? else { continue };
            let kind = entry.file_type().map_err(FsError::new("look at", entry.path()));
            let Some(kind) = unlisted.judge(kind)? else { continue };
            // What has a name that no path of the project can have holds no pipeline.
            if let Some(name) = entry.file_name().to_str() {
                listed.add(name, kind);
            }
        }
        Ok(listed)
    }

    fn add(&mut self, name: &str, kind: FileType) {
        match name {
            GIT => self.is_repository = true,
            PROJECT_DIR if kind.is_dir() => self.is_project = true,
            GITIGNORE => self.has_gitignore = true,
            DVCIGNORE => self.has_dvcignore = true,
            _ if kind.is_dir() => self.candidates.push((name.to_owned(), EntryKind::Folder)),
            _ if is_pipeline_file(name) && (kind.is_file() || kind.is_symlink()) => {
                self.candidates.push((name.to_owned(), EntryKind::File));
            }
            _ => {}
        }
    }
}

/// The `.gitignore` of a folder, and those above it.
struct GitRules {
    above: Option<Arc<Self>>,
    own: Gitignore,
}

impl GitRules {
    /// Those of the folders above the project, when its repository begins there.
    fn above(root: &Path) -> Option<Arc<Self>> {
        let is_repository = |folder: &&Path| folder.join(GIT).exists();
        if is_repository(&root) {
            return None;
        }
        let top = root.ancestors().skip(1).find(is_repository)?;
        let mut folders: Vec<&Path> = root.ancestors().skip(1).take_while(|folder| folder.starts_with(top)).collect();
        folders.reverse();
        folders.into_iter().fold(None, |above, folder| Some(Self::below(above, folder, None)))
    }

    /// With those of `folder`. When its listing is given, lines that name an entry which is no candidate are left out.
    fn below(above: Option<Arc<Self>>, folder: &Path, listed: Option<&Listed>) -> Arc<Self> {
        let names: Option<HashSet<&str>> =
            listed.map(|listed| listed.candidates.iter().map(|(name, _)| name.as_str()).collect());
        let bytes = fs::read_optional(&folder.join(GITIGNORE)).ok().flatten().unwrap_or_default();
        let mut builder = GitignoreBuilder::new(folder);
        builder.allow_unclosed_class(true);
        for line in String::from_utf8_lossy(&bytes).trim_start_matches('\u{feff}').lines() {
            let names_another = |names: &HashSet<&str>| only_name(line).is_some_and(|name| !names.contains(name));
            if !names.as_ref().is_some_and(names_another) {
                // A line that git cannot read matches nothing.
                builder.add_line(None, &as_git_reads(line)).ok();
            }
        }
        Arc::new(Self { above, own: builder.build().unwrap_or_else(|_| Gitignore::empty()) })
    }

    fn ignores(&self, path: &Path, kind: EntryKind) -> bool {
        let levels = std::iter::successors(Some(self), |level| level.above.as_deref());
        let verdicts = levels.map(|level| level.own.matched(path, kind == EntryKind::Folder));
        verdicts
            .into_iter()
            .find(|verdict| !verdict.is_none())
            .is_some_and(|verdict| matches!(verdict, Match::Ignore(_)))
    }
}

/// The one entry of the folder that a line like `/name` can match: the form that names outputs.
fn only_name(line: &str) -> Option<&str> {
    let name = line.strip_prefix('/')?;
    let special = |char: char| char.is_whitespace() || matches!(char, '/' | '\\' | '*' | '?' | '[' | ']' | '{' | '}');
    (!name.contains(special)).then_some(name)
}

#[cfg(test)]
mod tests {
    use rustix::fs::{Mode, OFlags};

    use super::*;

    /// A work tree of these files; a name that ends in `/` is a folder.
    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            if name.ends_with('/') {
                std::fs::create_dir_all(&path).unwrap();
                continue;
            }
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    fn found(root: &Path) -> Vec<String> {
        let found = pipeline_files(root, Unlisted::PassBy).unwrap();
        found.into_iter().map(|path| path.to_string()).collect()
    }

    #[test]
    fn ignored_folders_other_projects_and_links_hide_what_is_in_them() {
        let dir = tree(&[
            (".gitignore", "/out\n/none*\n*.tmp.dvc\n!/kept\n"),
            (".dvcignore", "private/\n"),
            (".dvc/dvc.yaml", ""),
            (".git/dvc.yaml", ""),
            ("dvc.yaml", ""),
            ("b.dvc", ""),
            (".dvc.dvc/x", ""),
            ("x.tmp.dvc", ""),
            ("out/dvc.yaml", ""),
            ("none1/dvc.yaml", ""),
            ("private/dvc.yaml", ""),
            ("deep/private/dvc.yaml", ""),
            ("deep/out/dvc.yaml", ""),
            ("deep/.gitignore", "!x.tmp.dvc\n/er/\n"),
            ("deep/x.tmp.dvc", ""),
            ("deep/er/dvc.yaml", ""),
            ("kept/dvc.yaml", ""),
            ("other/.dvc/", ""),
            ("other/dvc.yaml", ""),
            ("inner/.git/", ""),
            ("inner/x.tmp.dvc", ""),
            ("folder/dvc.yaml/", ""),
        ]);
        std::os::unix::fs::symlink("kept", dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink("../dvc.yaml", dir.path().join("kept/real.dvc")).unwrap();
        std::os::unix::fs::symlink("nowhere", dir.path().join("kept/gone.dvc")).unwrap();
        let wanted = [
            "b.dvc",
            "deep/out/dvc.yaml",
            "deep/x.tmp.dvc",
            "dvc.yaml",
            "inner/x.tmp.dvc",
            "kept/dvc.yaml",
            "kept/real.dvc",
        ];
        assert_eq!(found(dir.path()), wanted);
        // What is absent, or not for us, is no error even for one who must see all.
        assert_eq!(pipeline_files(dir.path(), Unlisted::Refuse).unwrap().len(), wanted.len());
    }

    #[test]
    fn what_cannot_be_looked_at_is_refused_when_all_must_be_seen() {
        let dir = tree(&[("dvc.yaml", ""), (".dvcignore", ""), ("sub/a.dvc", "")]);
        std::os::unix::fs::symlink("loop.dvc", dir.path().join("sub/loop.dvc")).unwrap();
        let refused = || pipeline_files(dir.path(), Unlisted::Refuse).unwrap_err();
        assert_eq!((refused().verb, refused().path), ("look at", dir.path().join("sub/loop.dvc")));
        assert_eq!(found(dir.path()), ["dvc.yaml", "sub/a.dvc"]);
        std::fs::remove_file(dir.path().join("sub/loop.dvc")).unwrap();
        // A path that is too long for the system cannot be listed, not even by the superuser.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut folder = rustix::fs::open(dir.path(), flags, Mode::empty()).unwrap();
        let name = "d".repeat(250);
        for _ in 0..18 {
            rustix::fs::mkdirat(&folder, &name, Mode::RWXU).unwrap();
            folder = rustix::fs::openat(&folder, &name, flags, Mode::empty()).unwrap();
        }
        assert!(refused().verb == "list" && refused().path.starts_with(dir.path().join(&name)));
        assert_eq!(found(dir.path()), ["dvc.yaml", "sub/a.dvc"]);
        // What is ignored need not be seen.
        std::fs::write(dir.path().join(".dvcignore"), format!("{name}\n")).unwrap();
        assert_eq!(pipeline_files(dir.path(), Unlisted::Refuse).unwrap().len(), 2);
    }

    #[test]
    fn the_rules_of_the_repository_around_hold() {
        let dir = tree(&[
            (".gitignore", "deep\n"),
            ("repo/.git/", ""),
            ("repo/.gitignore", "/project/a\nb\n"),
            ("repo/project/.dvc/", ""),
            ("repo/project/a/dvc.yaml", ""),
            ("repo/project/b/dvc.yaml", ""),
            ("repo/project/deep/dvc.yaml", ""),
        ]);
        assert_eq!(found(&dir.path().join("repo/project")), ["deep/dvc.yaml"]);
    }
}
