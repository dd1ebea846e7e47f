//! [`Shell`]: which shell runs the commands, and how it is told to.

/// A shell to run commands with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shell {
    /// Its absolute path.
    pub(crate) program: String,
    /// Whether the user chose it.
    pub(crate) chosen: bool,
    /// What keeps it from reading start-up files.
    quiet: &'static [&'static str],
}

impl Shell {
    /// `$SHELL` where that is an absolute path, else `/bin/sh`. A relative one would mean another program in each folder.
    pub(crate) fn of(env: &[(String, String)]) -> Self {
        let chosen = env.iter().rev().find(|(name, _)| name == "SHELL").map(|(_, value)| value.as_str());
        let chosen = chosen.filter(|path| path.starts_with('/'));
        let program = chosen.unwrap_or("/bin/sh");
        let quiet: &[&str] = match program.rsplit('/').next() {
            Some("bash") => &["--noprofile", "--norc"],
            Some("zsh") => &["--no-rcs"],
            Some("fish") => &["--no-config"],
            _ => &[],
        };
        Self { program: program.to_owned(), chosen: chosen.is_some(), quiet }
    }

    /// What it is started with to run `text`.
    pub(crate) fn arguments(&self, text: &str) -> Vec<String> {
        self.quiet.iter().copied().chain(["-c", text]).map(str::to_owned).collect()
    }
}
