//! Upkeep of `.gitignore`: a cached output is named in the one of its own folder (step 8 of the walk), as DVC does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ignore::gitignore::GitignoreBuilder;

use crate::fs::{self, FsError};
use crate::ignore::as_git_reads;
use crate::path::RepoPath;

/// The name of the files with the rules.
pub const GITIGNORE: &str = ".gitignore";

/// The line that names `name`, an entry of the same folder, and nothing else.
#[must_use]
pub fn line_for(name: &str) -> String {
    let mut line = String::from("/");
    for char in name.chars() {
        if matches!(char, '\\' | '[' | ']' | '!' | '*' | '#' | '?') {
            line.push('\\');
        }
        line.push(char);
    }
    // git strips blanks at the end of a line unless they are escaped.
    let kept = line.trim_end_matches([' ', '\t']).len();
    let blanks: Vec<char> = line.drain(kept..).collect();
    for blank in blanks {
        line.push('\\');
        line.push(blank);
    }
    line
}

/// `text` with a line for `name`, before the first of the lines for `later` that is there, else at the end; none when it is
/// there already. What stands in it stays, byte for byte, and line ends are those of its last line.
#[must_use]
pub fn with_name(text: &[u8], name: &str, later: &[&str]) -> Option<Vec<u8>> {
    let line = line_for(name).into_bytes();
    if lines(text).any(|known| content(known) == line) {
        return None;
    }
    let later: Vec<Vec<u8>> = later.iter().map(|name| line_for(name).into_bytes()).collect();
    let is_later = |line: &&[u8]| later.iter().any(|later| later == content(line));
    let before: usize = lines(text).take_while(|line| !is_later(line)).map(<[u8]>::len).sum();
    let (head, tail) = text.split_at_checked(before).unwrap_or((text, &[]));
    let mut new = head.to_vec();
    if !new.is_empty() && !new.ends_with(b"\n") {
        let crlf = text.windows(2).any(|pair| pair == b"\r\n");
        new.extend_from_slice(if crlf { b"\r\n" } else { b"\n" });
    }
    new.extend_from_slice(&line);
    new.extend_from_slice(if text.ends_with(b"\r\n") { b"\r\n" } else { b"\n" });
    new.extend_from_slice(tail);
    Some(new)
}

/// `text` without the lines for `name`; none when there is none.
#[must_use]
pub fn without_name(text: &[u8], name: &str) -> Option<Vec<u8>> {
    let gone = line_for(name).into_bytes();
    let new: Vec<u8> = lines(text).filter(|line| content(line) != gone).flatten().copied().collect();
    (new.len() != text.len()).then_some(new)
}

/// Sees to it that git ignores each of `outputs`, in the repository whose work tree is at or above the project `root`.
/// `is_ignored` tells what git ignores already. Returns the files that changed.
///
/// # Errors
/// When a `.gitignore` cannot be read or written.
pub fn add(
    root: &Path,
    outputs: &[RepoPath],
    is_ignored: impl Fn(&RepoPath) -> bool,
) -> Result<BTreeSet<RepoPath>, FsError> {
    let mut changed = BTreeSet::new();
    for output in outputs.iter().filter(|output| !is_ignored(output)) {
        changed.extend(add_before(root, output, &[])?);
    }
    Ok(changed)
}

/// Adds the line for one output that git does not ignore yet, before those of the outputs `later`, which are of the same
/// folder. Returns the file when it changed.
///
/// # Errors
/// When the `.gitignore` cannot be read or written.
pub fn add_before(root: &Path, output: &RepoPath, later: &[&RepoPath]) -> Result<Option<RepoPath>, FsError> {
    let Some(file) = file_for(output) else { return Ok(None) };
    let later: Vec<&str> = later.iter().map(|path| path.file_name()).collect();
    let text = read(root, &file)?;
    let Some(new) = with_name(&text, output.file_name(), &later) else { return Ok(None) };
    fs::write_atomic(&file.under(root), &new)?;
    Ok(Some(file))
}

/// The `.gitignore` files beside `outputs` without the lines for them, where that changes them; none is the text of one that
/// has nothing else in it, and is to be removed.
///
/// # Errors
/// When a `.gitignore` cannot be read.
pub fn without(root: &Path, outputs: &[RepoPath]) -> Result<BTreeMap<RepoPath, Option<Vec<u8>>>, FsError> {
    let mut changed: BTreeMap<RepoPath, Option<Vec<u8>>> = BTreeMap::new();
    for output in outputs {
        let Some(file) = file_for(output) else { continue };
        let text = match changed.get(&file) {
            Some(text) => text.clone().unwrap_or_default(),
            None => read(root, &file)?,
        };
        if let Some(new) = without_name(&text, output.file_name()) {
            changed.insert(file, Some(new).filter(|new| !new.is_empty()));
        }
    }
    Ok(changed)
}

/// The file that names an output.
fn file_for(output: &RepoPath) -> Option<RepoPath> {
    output.parent().and_then(|folder| folder.join(GITIGNORE).ok())
}

fn read(root: &Path, file: &RepoPath) -> Result<Vec<u8>, FsError> {
    let path = file.under(root);
    check_inside(root, &path)?;
    Ok(fs::read_optional(&path)?.unwrap_or_default())
}

/// Refuses a file that symlinks lead out of the project, before it is written through them.
fn check_inside(root: &Path, path: &Path) -> Result<(), FsError> {
    let real_root = std::fs::canonicalize(root).map_err(FsError::new("resolve", root))?;
    // Of what does not exist yet, the nearest folder that does.
    let real = path.ancestors().find_map(|part| std::fs::canonicalize(part).ok());
    if real.is_some_and(|real| real.starts_with(real_root)) {
        return Ok(());
    }
    let source = std::io::Error::other("it leads out of the project through a symlink");
    Err(FsError { verb: "write", path: path.to_owned(), source })
}

/// Whether the `.gitignore` text of a folder ignores its entry `name`. For projects without git's own judgement at hand.
#[must_use]
pub fn ignores(text: &str, name: &str) -> bool {
    let mut builder = GitignoreBuilder::new("/");
    for line in text.lines() {
        // A line that git cannot read matches nothing.
        builder.add_line(None, &as_git_reads(line)).ok();
    }
    builder.build().is_ok_and(|rules| rules.matched(name, false).is_ignore())
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

fn content(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ODD: [&str; 22] = [
        "with space",
        "ünï-文件-🙂",
        "quo'te",
        "dou\"ble",
        "hash#tag",
        "#hash",
        "semi;colon",
        "-dash",
        "per%cent",
        "[bracket]",
        "a&b",
        "dollar$x",
        "star*",
        "!bang",
        "trailing.",
        "trailing  ",
        "tab\t",
        "back\\slash",
        "@at{brace}",
        "{a,b}",
        "{",
        "q?",
    ];

    #[test]
    fn git_agrees_that_the_line_ignores_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let git =
            |args: &[&str]| std::process::Command::new("git").args(args).current_dir(dir.path()).output().unwrap();
        assert!(git(&["init", "-q"]).status.success());
        let outputs: Vec<RepoPath> = ODD.iter().map(|name| RepoPath::parse(name).unwrap()).collect();
        let changed = add(dir.path(), &outputs, |_| false).unwrap();
        assert_eq!(changed.into_iter().collect::<Vec<_>>(), [RepoPath::parse(GITIGNORE).unwrap()]);
        for name in ODD {
            assert!(git(&["check-ignore", "-q", "--", name]).status.success(), "{name}");
        }
        for other in ["star", "starX", "qX", "hash", "b", "with", "trailing"] {
            assert!(!git(&["check-ignore", "-q", "--", other]).status.success(), "{other}");
        }
        assert!(add(dir.path(), &outputs, |_| false).unwrap().is_empty());
        let file = RepoPath::parse(GITIGNORE).unwrap();
        let without_all = without(dir.path(), &outputs).unwrap();
        assert_eq!(without_all.into_iter().collect::<Vec<_>>(), [(file.clone(), None)]);
        let without_one = without(dir.path(), &outputs[..1]).unwrap();
        let text = without_one[&file].as_deref().unwrap();
        assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), ODD.len() - 1);
        assert!(without(dir.path(), &[RepoPath::parse("other").unwrap()]).unwrap().is_empty());
    }

    #[test]
    fn what_stands_there_stays() {
        assert_eq!(with_name(b"a\r\nb", "c", &[]).unwrap(), b"a\r\nb\r\n/c\n");
        assert_eq!(with_name(b"a\r\n", "c", &[]).unwrap(), b"a\r\n/c\r\n");
        assert_eq!(with_name(b"\xff", "c", &[]).unwrap(), b"\xff\n/c\n");
        assert_eq!(with_name(b"/c", "c", &[]), None);
        assert_eq!(with_name(b"/a\n/e\n/d\nx", "c", &["d", "e"]).unwrap(), b"/a\n/c\n/e\n/d\nx");
        assert_eq!(without_name(b"a\r\n/c\r\n\nb", "c").unwrap(), b"a\r\n\nb");
        assert_eq!(without_name(b"c\n", "c"), None);
    }

    #[test]
    fn no_symlink_leads_out_of_the_project() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("repo");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(dir.path().join("victim"), "precious").unwrap();
        std::os::unix::fs::symlink("../victim", root.join(GITIGNORE)).unwrap();
        std::os::unix::fs::symlink("..", root.join("up")).unwrap();
        for output in ["out", "up/out"] {
            let error = add(&root, &[RepoPath::parse(output).unwrap()], |_| false).unwrap_err();
            assert!(error.to_string().contains("leads out of the project"), "{error}");
            assert!(without(&root, &[RepoPath::parse(output).unwrap()]).is_err());
        }
        assert_eq!(std::fs::read(dir.path().join("victim")).unwrap(), b"precious");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
        assert_eq!(add(&root, &[RepoPath::parse("new/out").unwrap()], |_| false).unwrap().len(), 1);
    }

    proptest! {
        #[test]
        fn the_line_ignores_its_name(name in "[^/\\x00-\\x1f\\x7f]{1,12}") {
            prop_assume!(name != "." && name != "..");
            // Where git trims spaces, the `ignore` crate trims all that Unicode calls white.
            prop_assume!(name.trim_end_matches(' ') == name.trim_end());
            let text = String::from_utf8(with_name(b"x\n", &name, &[]).unwrap_or_else(|| b"x\n".to_vec())).unwrap();
            prop_assert!(ignores(&text, &name), "{text:?}");
            prop_assert_eq!(without_name(text.as_bytes(), &name).unwrap_or_default(), b"x\n");
        }
    }
}
