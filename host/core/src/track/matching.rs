//! `add --glob`: the paths that a pattern means, by the rules of Python's `glob` (DVC's): `*` and `?` stay within a name and do
//! not match names that begin with a dot, `**` is any folders. And `push --glob`: the outputs that one means.

use std::collections::BTreeSet;
use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};
use ignore::WalkBuilder;

use super::TrackError;
use crate::fs::FsError;
use crate::path::RepoPath;
use crate::pipeline::Pipeline;
use crate::repo::PROJECT_DIR;

/// The files and folders of the project at `root` that `pattern`, typed in the folder `from`, matches, in order; what lies in
/// one of the folders that match is left out. `.dvc` files and the project's own folders are nothing to be added.
///
/// # Errors
/// When it is no pattern, leads out of the project, or a folder cannot be listed.
pub fn matching(root: &Path, from: &RepoPath, pattern: &str) -> Result<Vec<RepoPath>, TrackError> {
    let (whole, matcher) = matcher(root, from, pattern)?;
    // What stands before the first part with a pattern in it need not be searched for.
    let is_plain = |part: &&str| !part.contains(['*', '?', '[', '{']);
    let fixed: Vec<&str> = whole.parts().take_while(is_plain).collect();
    let depth = whole.parts().count();
    if fixed.len() == depth {
        return Ok(if whole.under(root).symlink_metadata().is_ok() { vec![whole] } else { Vec::new() });
    }
    let top = RepoPath::parse(&fixed.join("/"))?.under(root);
    if !top.is_dir() {
        return Ok(Vec::new());
    }
    let wants_hidden = whole.parts().any(|part| part.starts_with('.'));
    let is_any_depth = whole.parts().any(|part| part == "**");
    let walk = WalkBuilder::new(&top)
        .standard_filters(false)
        .hidden(!wants_hidden)
        .max_depth((!is_any_depth).then_some(depth - fixed.len()))
        .filter_entry(|entry| !matches!(entry.file_name().to_str(), Some(PROJECT_DIR | ".git" | ".hg")))
        .build();
    let mut found: BTreeSet<RepoPath> = BTreeSet::new();
    for entry in walk {
        let entry = entry.map_err(|error| {
            let source = error.into_io_error().unwrap_or_else(|| std::io::ErrorKind::Other.into());
            FsError::new("list", &top)(source)
        })?;
        let Ok(path) = RepoPath::from_absolute(root, entry.path()) else { continue };
        let is_own = path.file_name().ends_with(".dvc") || path.file_name() == ".gitignore";
        if entry.depth() > 0 && !is_own && matcher.is_match(path.as_str()) {
            found.insert(path);
        }
    }
    let is_outermost = |path: &&RepoPath| !path.folders().any(|folder| found.contains(folder));
    Ok(found.iter().filter(is_outermost).cloned().collect())
}

/// The outputs of the pipeline that `pattern`, typed in the folder `from`, matches, be they there or not; in order.
///
/// # Errors
/// When it is no pattern, or leads out of the project.
pub fn matching_outputs(
    pipeline: &Pipeline,
    root: &Path,
    from: &RepoPath,
    pattern: &str,
) -> Result<Vec<RepoPath>, TrackError> {
    let (_, matcher) = matcher(root, from, pattern)?;
    let outs = pipeline.stages().flat_map(|(_, stage)| &stage.outs).map(|out| &out.path);
    Ok(outs.filter(|path| matcher.is_match(path.as_str())).cloned().collect::<BTreeSet<_>>().into_iter().collect())
}

fn matcher(root: &Path, from: &RepoPath, pattern: &str) -> Result<(RepoPath, GlobMatcher), TrackError> {
    let whole = RepoPath::typed(root, from, pattern)?;
    let bad = |error| TrackError::Pattern { pattern: pattern.to_owned(), error };
    let glob = GlobBuilder::new(whole.as_str()).literal_separator(true).build().map_err(bad)?;
    Ok((whole, glob.compile_matcher()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_python_means() {
        let dir = tempfile::tempdir().unwrap();
        for name in
            ["a.csv", "b.csv", ".h.csv", "a.csv.dvc", "d/c.csv", "d/e/f.csv", "[x].csv", ".dvc/x.csv", "d-e/z.csv"]
        {
            crate::fs::write_atomic(&dir.path().join(name), b"").unwrap();
        }
        let found = |from: &str, pattern: &str| {
            let paths = matching(dir.path(), &RepoPath::parse(from).unwrap(), pattern).unwrap();
            paths.into_iter().map(|path| path.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(found("", "*.csv"), "[x].csv a.csv b.csv");
        assert_eq!(found("", "[ab].csv"), "a.csv b.csv");
        assert_eq!(found("", ".*.csv"), ".h.csv");
        assert_eq!(found("d", "*"), "d/c.csv d/e");
        assert_eq!(found("d", "../d*/*.csv"), "d-e/z.csv d/c.csv");
        assert_eq!(found("d", "**/*.csv"), "d/c.csv d/e/f.csv");
        assert_eq!(found("", "d/c.csv"), "d/c.csv");
        assert_eq!((found("", "q*"), found("", "q/*"), found("", "q")), (String::new(), String::new(), String::new()));
        assert!(matches!(matching(dir.path(), &RepoPath::root(), "../*"), Err(TrackError::Path(_))));
        assert!(matches!(matching(dir.path(), &RepoPath::root(), "[a"), Err(TrackError::Pattern { .. })));
    }
}
