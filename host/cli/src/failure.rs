//! [`Failure`]: what an error means to the user: whose it is, what would help, and the exit code. The one table from the
//! libraries' errors to these is `table`. Step 10 of the walk.

mod table;

use std::io;

use dewar_core::extension::ExtensionError;
use dewar_core::fs::FsError;

use crate::ui::problem::{Place, Problem};

/// Whose a failure is. Each has its exit code; the codes are part of the interface and do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A command of the user failed.
    Stage,
    /// What was typed cannot be meant.
    Usage,
    /// `dvc.yaml`, `dvc.lock`, a `.dvc` file or a parameter file is wrong.
    Pipeline,
    /// The repository or the project does not allow it, or the disk did not.
    Repository,
    /// A plugin was rejected, denied, crashed, or went over a limit.
    Plugin,
    /// A remote did not do its part.
    Remote,
    /// A stage touched what it did not declare.
    Confinement,
    /// Our bug.
    Internal,
    /// The user pressed Ctrl-C.
    Interrupted,
    /// Whoever read our output went away.
    BrokenPipe,
}

impl Kind {
    /// The exit code.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Stage => 1,
            Self::Usage => 2,
            Self::Pipeline => 3,
            Self::Repository => 4,
            Self::Plugin => 5,
            Self::Remote => 6,
            Self::Confinement => 7,
            // EX_SOFTWARE of sysexits.h.
            Self::Internal => 70,
            // 128 + SIGINT, 128 + SIGPIPE: what a shell reports of a program that the signal ended.
            Self::Interrupted => 130,
            Self::BrokenPipe => 141,
        }
    }
}

/// Why a command did not do what was asked.
#[derive(Debug, Clone)]
pub struct Failure {
    kind: Kind,
    problem: Problem,
    /// More of the same kind, when a file or a run has several.
    further: Vec<Problem>,
}

impl Failure {
    /// A failure with a message: one sentence without a full stop.
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, problem: Problem::new(message), further: Vec::new() }
    }

    /// Several that happened side by side: of the kind of the first, but interrupted when one was. None when there are none.
    pub fn together(failures: impl IntoIterator<Item = Self>) -> Option<Self> {
        failures.into_iter().reduce(|mut first, next| {
            if next.kind == Kind::Interrupted {
                first.kind = Kind::Interrupted;
            }
            first.further.push(next.problem);
            first.further.extend(next.further);
            first
        })
    }

    /// The same at a place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.problem.place = Some(place);
        self
    }

    /// The same with what would help.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.problem.hints.push(hint.into());
        self
    }

    /// What a failed write to stdout means.
    #[must_use]
    pub fn stdout(error: io::Error) -> Self {
        let kind = if error.kind() == io::ErrorKind::BrokenPipe { Kind::BrokenPipe } else { Kind::Repository };
        FsError::new("write", "standard output")(error).into_failure(kind)
    }

    /// What a plugin's answer about `file`, whose content is `source`, means: its diagnostics are shown in the source.
    #[must_use]
    pub fn of_plugin(error: ExtensionError, file: &str, source: &[u8]) -> Self {
        let ExtensionError::Refused { diagnostics, .. } = &error else { return error.into() };
        let mut problems = diagnostics.iter().map(|diagnostic| Problem::of(diagnostic, file, source));
        match problems.next() {
            Some(problem) => Self { kind: Kind::Pipeline, problem, further: problems.collect() },
            None => Self::new(Kind::Pipeline, error.to_string()).at(Place::file(file)),
        }
    }

    /// Whose it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What to tell, the cause first.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        std::iter::once(&self.problem).chain(&self.further)
    }

    /// What went wrong, in a line for each problem.
    #[must_use]
    pub fn message(&self) -> String {
        let messages: Vec<&str> = self.problems().map(|problem| problem.message.as_str()).collect();
        messages.join("\n")
    }

    /// Whether there is anyone to tell.
    #[must_use]
    pub fn is_said(&self) -> bool {
        self.kind != Kind::BrokenPipe
    }
}

/// An error whose message is all there is to say.
trait IntoFailure {
    fn into_failure(self, kind: Kind) -> Failure;
}

impl<E: std::error::Error> IntoFailure for E {
    fn into_failure(self, kind: Kind) -> Failure {
        Failure::new(kind, self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dewar_core::extension::{Diagnostic, PluginId};
    use dewar_text::Span;

    #[test]
    fn the_codes_are_those_of_the_manual() {
        use Kind::*;
        let kinds =
            [Stage, Usage, Pipeline, Repository, Plugin, Remote, Confinement, Internal, Interrupted, BrokenPipe];
        assert_eq!(kinds.map(Kind::exit_code), [1, 2, 3, 4, 5, 6, 7, 70, 130, 141]);
    }

    #[test]
    fn each_problem_of_a_file_is_kept() {
        let plugin = PluginId { name: "params-yaml".into(), digest: String::new() };
        let at = |start| Diagnostic::error("c", "bad").at(Span { start, end: start + 1 });
        let error = ExtensionError::Refused { plugin, diagnostics: vec![at(0), at(3)] };
        let failure = Failure::of_plugin(error, "params.yaml", b"a\nbc");
        let lines: Vec<usize> = failure
            .problems()
            .filter_map(|problem| Some(problem.place.as_ref()?.mark.as_ref()?.position.line))
            .collect();
        assert_eq!((failure.kind(), lines), (Kind::Pipeline, vec![1, 2]));
    }

    #[test]
    fn a_full_disk_says_what_to_do() {
        let error = FsError::new("write", "x")(io::ErrorKind::StorageFull.into());
        let failure = Failure::from(error);
        assert_eq!(failure.kind(), Kind::Repository);
        assert_eq!(failure.problems().flat_map(|problem| &problem.hints).count(), 1);
    }

    #[test]
    fn a_reader_that_went_away_is_told_nothing() {
        assert!(!Failure::stdout(io::ErrorKind::BrokenPipe.into()).is_said());
        assert_eq!(Failure::stdout(io::ErrorKind::StorageFull.into()).kind(), Kind::Repository);
    }
}
