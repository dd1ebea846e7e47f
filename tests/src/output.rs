//! [`CommandOutput`]: what a program said and how it ended, as one text to compare.

use std::fmt;
use std::path::Path;
use std::process::Output;

/// What a program said and how it ended. Prints as one block: stdout, then stderr, then the exit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "look at how it ended: `.success()`, `.failure(code)` or a snapshot"]
pub struct CommandOutput {
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
}

impl CommandOutput {
    /// Takes what a program left, with the folder of the test named `[ROOT]`. That a plugin is compiled is left out: which
    /// test comes first is chance.
    pub(crate) fn new(output: &Output, root: &Path) -> Self {
        let root = root.display().to_string();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&root, "[ROOT]");
        let is_chance = |line: &&str| line.starts_with("Compiling the plugin ");
        let stderr = text(&output.stderr).split_inclusive('\n').filter(|line| !is_chance(line)).collect();
        Self { stdout: text(&output.stdout), stderr, code: output.status.code() }
    }

    /// Checks that it succeeded; answers stdout.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{self}");
        self.stdout
    }

    /// Checks that it ended with `code`; answers stderr.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn failure(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self}");
        self.stderr
    }
}

impl fmt::Display for CommandOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stdout)?;
        if !self.stderr.is_empty() {
            write!(f, "--- stderr\n{}", self.stderr)?;
        }
        match self.code {
            Some(0) => Ok(()),
            Some(code) => writeln!(f, "--- exit {code}"),
            None => writeln!(f, "--- ended by a signal"),
        }
    }
}
