//! [`FolderRules`]: what `.dvcignore` leaves out (step 5 of the walk).
//!
//! gitignore syntax in any folder, the deeper file decides; `.git`, `.hg/` and `.dvc/` are always left out. A folder without
//! a `.dvcignore` costs one failed open.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::fs::{self, FsError};
use crate::path::RepoPath;

/// The name of the files with the rules.
pub const DVCIGNORE: &str = ".dvcignore";

/// What an entry of a folder is, as far as rules tell the difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A folder, which rules that end in `/` match.
    Folder,
    /// Anything else.
    File,
}

/// A `.dvcignore` that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IgnoreError {
    /// It cannot be read.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// It is not UTF-8.
    #[error("`{}` is not UTF-8", .0.display())]
    NotUtf8(PathBuf),
    /// A line is no pattern.
    #[error("{}:{line}: not a gitignore pattern: {reason}", file.display())]
    Pattern {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// The rules that hold for the entries of a folder: its own and those of the folders above.
#[derive(Debug, Default)]
pub struct FolderRules {
    above: Option<Arc<Self>>,
    own: Option<Gitignore>,
}

impl FolderRules {
    /// The rules for the entries of `folder`, in the project at the absolute path `root`.
    ///
    /// # Errors
    /// When a `.dvcignore` on the way cannot be used.
    pub fn of(root: &Path, folder: &RepoPath) -> Result<Arc<Self>, IgnoreError> {
        let mut rules = Arc::new(Self::default()).below(root)?;
        let mut path = root.to_owned();
        for part in folder.parts() {
            path.push(part);
            rules = rules.below(&path)?;
        }
        Ok(rules)
    }

    /// The rules for the entries of `folder`, when these are the rules of the folder that it is in.
    ///
    /// # Errors
    /// When its `.dvcignore` cannot be used.
    pub fn below(self: Arc<Self>, folder: &Path) -> Result<Arc<Self>, IgnoreError> {
        let file = folder.join(DVCIGNORE);
        match fs::read_optional(&file)? {
            None => Ok(self),
            Some(bytes) => Ok(Arc::new(Self { own: Some(parse(folder, file, bytes)?), above: Some(self) })),
        }
    }

    /// Whether the entry at the absolute `path` is left out.
    #[must_use]
    pub fn ignores(&self, path: &Path, kind: EntryKind) -> bool {
        let is_folder = kind == EntryKind::Folder;
        match path.file_name().and_then(|name| name.to_str()) {
            Some(".git") => return true,
            Some(".hg" | ".dvc") if is_folder => return true,
            _ => {}
        }
        let mut level = Some(self);
        while let Some(rules) = level {
            match rules.own.as_ref().map_or(Match::None, |own| own.matched(path, is_folder)) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => level = rules.above.as_deref(),
            }
        }
        false
    }
}

fn parse(folder: &Path, file: PathBuf, bytes: Vec<u8>) -> Result<Gitignore, IgnoreError> {
    let Ok(text) = String::from_utf8(bytes) else { return Err(IgnoreError::NotUtf8(file)) };
    let mut builder = GitignoreBuilder::new(folder);
    builder.allow_unclosed_class(true);
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        // DVC strips the blanks before a pattern.
        builder.add_line(None, &as_git_reads(line.trim_start())).map_err(|error| IgnoreError::Pattern {
            file: file.clone(),
            line: number + 1,
            reason: error.to_string(),
        })?;
    }
    builder.build().map_err(|error| IgnoreError::Pattern { file, line: 1, reason: error.to_string() })
}

/// The pattern for matchers that know alternatives (`{a,b}`): in git, braces are ordinary characters.
pub(crate) fn as_git_reads(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => {
                out.push(char);
                out.extend(chars.next());
            }
            '{' | '}' => out.extend(['\\', char]),
            // A class ends at the first `]` that is not its first character.
            '[' if chars.as_str().char_indices().any(|(at, next)| at > 0 && next == ']') => {
                out.push(char);
                out.extend(chars.next());
                out.extend(chars.by_ref().take_while(|next| *next != ']'));
                out.push(']');
            }
            _ => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deeper_files_decide_and_the_built_in_rules_hold() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::write(root.join(DVCIGNORE), "\u{feff}*.tmp\n/top\n  lead\n# note\nonly/\n").unwrap();
        std::fs::write(root.join("a/.dvcignore"), "!keep.tmp\r\n*.log\r\n").unwrap();
        let top = FolderRules::of(root, &RepoPath::root()).unwrap();
        let deep = FolderRules::of(root, &RepoPath::parse("a/b").unwrap()).unwrap();
        let ignores = |rules: &FolderRules, path: &str, kind| rules.ignores(&root.join(path), kind);
        use EntryKind::{File, Folder};
        assert!(ignores(&top, "x.tmp", File) && ignores(&top, "top", File) && ignores(&top, "lead", File));
        assert!(ignores(&top, "only", Folder) && !ignores(&top, "only", File));
        assert!(!ignores(&deep, "a/b/keep.tmp", File) && ignores(&deep, "a/b/x.tmp", File));
        assert!(ignores(&deep, "a/b/x.log", File) && !ignores(&top, "x.log", File));
        assert!(!ignores(&deep, "a/b/top", File));
        assert!(ignores(&top, ".git", File) && ignores(&top, ".dvc", Folder) && !ignores(&top, ".dvc", File));
    }

    #[test]
    fn a_bad_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        // A brace is an ordinary character, as in git.
        std::fs::write(dir.path().join(DVCIGNORE), "ok\n{a,b}\n{c\n[{]d\n").unwrap();
        let rules = FolderRules::of(dir.path(), &RepoPath::root()).unwrap();
        let ignores = |name: &str| rules.ignores(&dir.path().join(name), EntryKind::File);
        assert!(ignores("{a,b}") && ignores("{c") && ignores("{d") && !ignores("a") && !ignores("c"));
        std::fs::write(dir.path().join(DVCIGNORE), "ok\n[z-a]\n").unwrap();
        let error = FolderRules::of(dir.path(), &RepoPath::root()).unwrap_err();
        assert!(matches!(error, IgnoreError::Pattern { line: 2, .. }), "{error}");
        std::fs::write(dir.path().join(DVCIGNORE), b"\xff").unwrap();
        assert!(matches!(FolderRules::of(dir.path(), &RepoPath::root()), Err(IgnoreError::NotUtf8(_))));
    }
}
