//! A second work tree, for a run beside the user's: a repository of its own that shares the objects and nothing else.
//!
//! Not one of git's linked work trees, whose references, stash and configuration are the user's: what a stage adds, commits,
//! branches or configures here stays here. Objects are read from the user's repository (`objects/info/alternates`, see
//! `gitrepository-layout(5)`); new ones stay here until [`Git::adopt`] takes those of a tree over.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use git2::{Index, IndexEntry, ObjectType, Odb, Oid, Repository};
use rayon::prelude::*;

use super::worktree::{Change, Folders, LINK, SUBMODULE, StatRules, UserIndex, change, is_looked_at, time};
use super::{Git, GitError, Head, HeadName, TreeId};
use crate::fs::{FsError, create_dir, read_optional, write_atomic};
use crate::path::RepoPath;

/// Which references are copied; experiments are the business of the user's repository.
const COPIED: [&str; 3] = ["refs/heads/", "refs/remotes/", "refs/tags/"];

impl Git {
    /// Makes a work tree with the files of `tree` in the empty folder `workdir`. Its `HEAD` is `head`, also where the user's
    /// has moved on, its branches and tags are the user's of this moment, its index is `tree`. Git there does not see the
    /// project's `unseen` paths, even where no `.gitignore` says so.
    ///
    /// Files that the user's work tree has unchanged are copied from there (blocks are shared where the file system can),
    /// whatever filters they went through; the others come from the objects.
    ///
    /// # Errors
    /// When something cannot be read or written, and as [`Git::restore`].
    pub fn isolate(&self, workdir: &Path, tree: TreeId, head: &Head, unseen: &[RepoPath]) -> Result<Self, GitError> {
        self.make_repository(&workdir.join(".git"), head, unseen)?;
        let error = || GitError::operation("open the repository of the isolated workspace", workdir.display());
        let repo = Repository::open(workdir).map_err(error())?;
        let root = self.prefix.under(workdir);
        create_dir(&root)?;
        let isolated = Self { repo, root, workdir: workdir.to_owned(), prefix: self.prefix.clone() };
        self.fill(&isolated, tree)?;
        Ok(isolated)
    }

    /// Takes over a tree of the repository `from`, with all in it that this one lacks.
    ///
    /// # Errors
    /// When an object is missing there, or cannot be written.
    pub fn adopt(&self, from: &Self, tree: TreeId) -> Result<(), GitError> {
        if self.repo.path() == from.repo.path() {
            return Ok(());
        }
        let error = || GitError::operation("read the objects of the isolated workspace for", tree);
        let (ours, theirs) = (self.repo.odb().map_err(error())?, from.repo.odb().map_err(error())?);
        self.adopt_object(&ours, from, &theirs, tree.0).map_err(error())
    }

    fn adopt_object(&self, ours: &Odb<'_>, from: &Self, theirs: &Odb<'_>, id: Oid) -> Result<(), git2::Error> {
        if ours.exists(id) {
            return Ok(());
        }
        let object = theirs.read(id)?;
        if object.kind() == ObjectType::Tree {
            // What a tree names is there before the tree is, so that an end between the two leaves no hole.
            for entry in from.repo.find_tree(id)?.iter().filter(|entry| entry.kind() != Some(ObjectType::Commit)) {
                self.adopt_object(ours, from, theirs, entry.id())?;
            }
        }
        ours.write(object.kind(), object.data()).map(drop)
    }

    fn make_repository(&self, folder: &Path, head: &Head, unseen: &[RepoPath]) -> Result<(), GitError> {
        let common = self.repo.commondir();
        for name in ["objects/info", "objects/pack", "refs/heads", "info"] {
            create_dir(&folder.join(name))?;
        }
        let write = |name: &str, content: &[u8]| write_atomic(&folder.join(name), content);
        write("HEAD", head_text(head).as_bytes())?;
        write("packed-refs", self.copied_refs(head)?.as_bytes())?;
        let objects = common.join("objects");
        let objects = std::fs::canonicalize(&objects).map_err(FsError::new("resolve", objects))?;
        write("objects/info/alternates", &[objects.as_os_str().as_bytes(), b"\n"].concat())?;
        write("config", &self.configuration()?)?;
        let mut exclude = read_optional(&common.join("info/exclude"))?.unwrap_or_default();
        for path in unseen {
            exclude.extend(format!("\n/{}", self.in_git(path)).bytes());
        }
        exclude.push(b'\n');
        write("info/exclude", &exclude)?;
        for name in ["info/attributes", "shallow"] {
            if let Some(content) = read_optional(&common.join(name))? {
                write(name, &content)?;
            }
        }
        Ok(())
    }

    /// The user's configuration by reference; what of it is about the user's own work tree is set anew behind it.
    fn configuration(&self) -> Result<Vec<u8>, GitError> {
        let read = GitError::operation("read", "the git configuration");
        let config = self.repo.config().and_then(|mut config| config.snapshot()).map_err(read)?;
        let mut text = Vec::new();
        let mut include = |file: PathBuf| {
            text.extend(b"[include]\n\tpath = \"");
            for byte in file.as_os_str().as_bytes() {
                match byte {
                    b'"' | b'\\' => text.extend([b'\\', *byte]),
                    b'\n' => text.extend(b"\\n"),
                    byte => text.push(*byte),
                }
            }
            text.extend(b"\"\n");
        };
        include(self.repo.commondir().join("config"));
        let mut of_its_own = "";
        if config.get_bool("extensions.worktreeconfig").unwrap_or(false) {
            include(self.repo.path().join("config.worktree"));
            // Only where it has to be taken back: not every program that reads a repository knows the word.
            of_its_own = "[extensions]\n\tworktreeConfig = false\n";
        }
        let moved = if config.get_entry("core.worktree").is_ok() { "\tworktree = ..\n" } else { "" };
        let own =
            "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tsparseCheckout = false\n\tfsmonitor = false\n";
        // Nothing may go on in the background when the workspace is removed.
        let quiet = "[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n";
        text.extend(format!("{own}{moved}{of_its_own}{quiet}").bytes());
        Ok(text)
    }

    /// `<40 digits> <name>` a line, as `git-pack-refs(1)` writes them.
    fn copied_refs(&self, head: &Head) -> Result<String, GitError> {
        let mut text = String::new();
        for prefix in COPIED {
            for (name, commit) in self.list_refs(prefix)? {
                if !head_text(head).ends_with(&format!(" {name}\n")) {
                    text.push_str(&format!("{commit} {name}\n"));
                }
            }
        }
        if let HeadName::Branch(branch) = &head.name {
            text.push_str(&format!("{} refs/heads/{branch}\n", head.commit));
        }
        Ok(text)
    }

    /// Writes the files of `tree` and the index that knows their stamps.
    fn fill(&self, isolated: &Self, tree: TreeId) -> Result<(), GitError> {
        let error = || GitError::operation("check out the tree", tree);
        let object = isolated.repo.find_tree(tree.0).map_err(error())?;
        let mut listing = Index::new().map_err(error())?;
        listing.read_tree(&object).map_err(error())?;
        let mut entries: Vec<IndexEntry> = listing.iter().collect();
        let stays_inside = |part: Component<'_>| matches!(part, Component::Normal(name) if name != ".git");
        if let Some(odd) = entries.iter().find(|entry| !path(entry).components().all(stays_inside)) {
            let refused = git2::Error::from_str("no file of a work tree may be called so");
            return Err(GitError::operation("check out", path(odd).display())(refused));
        }
        let folder_of = |entry: &IndexEntry| path(entry).parent().map(Path::to_owned);
        let submodules = entries.iter().filter(|entry| entry.mode == SUBMODULE).map(|entry| path(entry).to_owned());
        let folders: BTreeSet<PathBuf> = entries.iter().filter_map(folder_of).chain(submodules).collect();
        for folder in folders {
            create_dir(&isolated.workdir.join(folder))?;
        }
        let elsewhere = self.copy_unchanged(isolated, &entries)?;
        if !elsewhere.is_empty() {
            isolated.check_out(tree, &elsewhere, &isolated.workdir)?;
        }
        let workdir = &isolated.workdir;
        entries.par_iter_mut().filter(|entry| entry.mode != SUBMODULE).try_for_each(|entry| {
            let file = workdir.join(path(entry));
            let meta = std::fs::symlink_metadata(&file).map_err(FsError::new("look at", file))?;
            stamp(entry, &meta);
            Ok::<(), FsError>(())
        })?;
        let write = || {
            let mut index = isolated.repo.index()?;
            entries.iter().try_for_each(|entry| index.add(entry))?;
            index.write()
        };
        write().map_err(GitError::operation("write the index of", isolated.workdir.display()))
    }

    /// Copies the files that the user's work tree has as the index says, several at a time. Returns the other ones.
    fn copy_unchanged(&self, isolated: &Self, entries: &[IndexEntry]) -> Result<Vec<PathBuf>, GitError> {
        let user = UserIndex::read(self)?;
        let rules = StatRules::of(&self.repo)?;
        let (mut known, mut elsewhere) = (Vec::new(), Vec::new());
        for entry in entries.iter().filter(|entry| entry.mode != SUBMODULE) {
            let same = |theirs: &IndexEntry| theirs.id == entry.id && theirs.mode == entry.mode && is_looked_at(theirs);
            match user.index.get_path(path(entry), 0).filter(same) {
                Some(theirs) => known.push(theirs),
                None => elsewhere.push(path(entry).to_owned()),
            }
        }
        let (users, its, written) = (&self.workdir, &isolated.workdir, user.written);
        let copied = known.par_iter().map_init(
            || Folders::new(users),
            |folders, entry| {
                let (from, to) = (users.join(path(entry)), its.join(path(entry)));
                if copy(entry, &from, &to).is_err() {
                    return false;
                }
                // Looked at behind the copy: then it was the file that the index knows all the while.
                match change(rules, written, folders, entry) {
                    Ok(None) => true,
                    // The stamps of a file that was moved or touched say nothing: its content does.
                    Ok(Some(Change::Written { mode })) => mode == entry.mode && has_content(entry, &to),
                    Ok(Some(Change::Deleted)) | Err(_) => false,
                }
            },
        );
        let copied: Vec<bool> = copied.collect();
        for (entry, _) in known.iter().zip(copied).filter(|(_, copied)| !copied) {
            let to = isolated.workdir.join(path(entry));
            match std::fs::remove_file(&to) {
                Err(error) if !crate::fs::is_absent(&error) => return Err(FsError::new("remove", to)(error).into()),
                _ => elsewhere.push(path(entry).to_owned()),
            }
        }
        Ok(elsewhere)
    }
}

fn head_text(head: &Head) -> String {
    match &head.name {
        HeadName::Branch(branch) => format!("ref: refs/heads/{branch}\n"),
        HeadName::Detached => format!("{}\n", head.commit),
    }
}

fn path(entry: &IndexEntry) -> &Path {
    Path::new(OsStr::from_bytes(&entry.path))
}

/// Copies what stands there itself. The system shares blocks where it can.
fn copy(entry: &IndexEntry, from: &Path, to: &Path) -> std::io::Result<()> {
    if entry.mode == LINK {
        return std::os::unix::fs::symlink(std::fs::read_link(from)?, to);
    }
    std::fs::copy(from, to).map(drop)
}

/// Whether a file is the blob of its entry as it stands, through no filter.
fn has_content(entry: &IndexEntry, file: &Path) -> bool {
    entry.mode != LINK && Oid::hash_file(ObjectType::Blob, file).is_ok_and(|id| id == entry.id)
}

/// Lets git know the file, so that it need not be read to tell that it is unchanged.
fn stamp(entry: &mut IndexEntry, meta: &std::fs::Metadata) {
    #[expect(clippy::cast_possible_truncation, reason = "the index keeps the low 32 bits, for comparing only")]
    let low = |value: u64| value as u32;
    entry.mtime = time(meta.mtime(), meta.mtime_nsec());
    entry.ctime = time(meta.ctime(), meta.ctime_nsec());
    entry.dev = low(meta.dev());
    entry.ino = low(meta.ino());
    (entry.uid, entry.gid) = (meta.uid(), meta.gid());
    entry.file_size = low(meta.size());
}
