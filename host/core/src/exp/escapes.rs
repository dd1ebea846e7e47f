//! What leads from an isolated workspace back into the user's: absolute paths that a stage uses. It then reads what is there
//! now, and not what was queued, or writes over it.

use std::fmt;
use std::path::Path;

use crate::path::RepoPath;
use crate::pipeline::{Command, Place};
use crate::repro::Selection;

/// Variables that name the workspace by themselves, or lead to interpreters and libraries that are meant to be shared.
const HARMLESS: [&str; 9] =
    ["_", "PWD", "OLDPWD", "PATH", "INIT_CWD", "PYENV_DIR", "VIRTUAL_ENV", "CONDA_PREFIX", "UV_PROJECT_ENVIRONMENT"];

/// Something that names a path in the user's workspace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Escape {
    /// A command of a stage.
    Command {
        /// The stage.
        stage: String,
        /// The path.
        path: String,
    },
    /// A dependency or an output of a stage.
    Declared {
        /// The stage.
        stage: String,
        /// The path.
        path: String,
    },
    /// A parameter file.
    Params {
        /// The file.
        file: RepoPath,
        /// The path.
        path: String,
    },
    /// A variable of the environment.
    Variable {
        /// Its name.
        name: String,
        /// The path.
        path: String,
    },
}

impl fmt::Display for Escape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command { stage, path } => write!(f, "the command of the stage `{stage}` names `{path}`")?,
            Self::Declared { stage, path } => write!(f, "the stage `{stage}` declares `{path}`")?,
            Self::Params { file, path } => write!(f, "`{file}` names `{path}`")?,
            Self::Variable { name, path } => write!(f, "the environment variable `{name}` names `{path}`")?,
        }
        f.write_str(
            ", which is in your workspace and not in that of the experiment; a relative path would be in its own",
        )
    }
}

/// What the selected stages use of the workspace at `root`, by what can be told without running them. `read` gives the texts of
/// parameter files.
pub fn find<'e>(
    root: &Path,
    selection: &Selection,
    env: impl IntoIterator<Item = (&'e str, &'e str)>,
    read: impl Fn(&RepoPath) -> Option<Vec<u8>>,
) -> Vec<Escape> {
    let Some(root_text) = root.to_str() else { return Vec::new() };
    let mut found = Vec::new();
    let stages = selection.order.iter().map(|id| selection.pipeline.stage(*id));
    let mut files: Vec<&RepoPath> = Vec::new();
    for stage in stages {
        let name = || stage.address.to_string();
        let texts = stage.command.as_ref().map(Command::shell_texts).unwrap_or_default();
        found.extend(
            texts
                .iter()
                .filter_map(|text| path_in(text, root_text))
                .map(|path| Escape::Command { stage: name(), path }),
        );
        let declared = stage.deps.iter().filter_map(|dep| match &dep.place {
            Place::Outside(path) if path.starts_with(root) => Some(path.display().to_string()),
            _ => None,
        });
        found.extend(declared.map(|path| Escape::Declared { stage: name(), path }));
        files.extend(stage.params.iter().map(|param| &param.file));
    }
    files.sort_unstable();
    files.dedup();
    for file in files {
        let text = read(file).unwrap_or_default();
        let path = path_in(&String::from_utf8_lossy(&text), root_text);
        found.extend(path.map(|path| Escape::Params { file: file.clone(), path }));
    }
    for (name, value) in env.into_iter().filter(|(name, _)| !HARMLESS.contains(name)) {
        let path = path_in(value, root_text).filter(|_| !name.starts_with("DVC_"));
        found.extend(path.map(|path| Escape::Variable { name: name.to_owned(), path }));
    }
    found.sort();
    found.dedup();
    found
}

/// The first path in a text that is `root` or below it.
fn path_in(text: &str, root: &str) -> Option<String> {
    text.match_indices(root).find_map(|(at, _)| {
        let rest = text.get(at + root.len()..)?;
        let before = text.get(..at)?.chars().next_back();
        // `/home/ada/project2` is another folder, and so is `/mnt/home/ada/project`.
        let is_whole = rest.chars().next().is_none_or(|next| next == '/' || is_end(next))
            && before.is_none_or(|before| is_end(before) || before == '=');
        let end = rest.find(is_end).unwrap_or(rest.len());
        is_whole.then(|| format!("{root}{}", rest.get(..end).unwrap_or_default()))
    })
}

fn is_end(c: char) -> bool {
    c.is_whitespace() || "'\"`:;,|&<>()[]{}".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_paths_are_found_in_texts() {
        let found = |text: &str| path_in(text, "/w/p");
        assert_eq!(found("cat /w/p/data.csv > x").unwrap(), "/w/p/data.csv");
        assert_eq!(found("a='/w/p'").unwrap(), "/w/p");
        assert_eq!(found("--in=/w/p/a/b|sort").unwrap(), "/w/p/a/b");
        assert_eq!(found("/other:/w/p/src").unwrap(), "/w/p/src");
        for other in ["/w/p2/x", "/mnt/w/p/x", "w/p", "", "/w/"] {
            assert_eq!(found(other), None, "{other}");
        }
        assert_eq!(found("/w/p2 /w/p/x").unwrap(), "/w/p/x");
    }
}
