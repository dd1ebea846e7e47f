//! Components that misbehave, for the tests of the plugin host: what they can be asked to do, and, natively, the components.
//!
//! One component does many things, by what it is given: a build of each would cost more than it shows. The test matches over
//! the enums here without a wildcard, so that a misdeed without a test does not compile.

#[cfg(not(target_family = "wasm"))]
include!(concat!(env!("OUT_DIR"), "/guests.rs"));

/// An enum whose variants are asked for by name.
macro_rules! by_name {
    ($(#[$doc:meta])* $enum:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $enum {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $enum {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// What the guest is given.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What is asked for by this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }
    };
}

by_name! {
    /// What `hostile_format` does when it reads a source of this name; any other source it reads as its own text.
    FormatMisdeed {
        /// Computes for ever.
        Loop = "loop",
        /// Computes for ever and logs all the while.
        LoopAndLog = "loop-and-log",
        /// Sleeps for a day.
        Sleep = "sleep",
        /// Takes memory until there is no more.
        Grow = "grow",
        /// Calls itself for ever.
        Recurse = "recurse",
        /// Panics.
        Panic = "panic",
        /// Ends the process.
        Exit = "exit",
        /// Answers with as much as it can hold.
        HugeAnswer = "huge-answer",
        /// Writes 100,000 lines of log.
        LogFlood = "log-flood",
        /// Writes one line of log of 10 MB.
        LongLogLine = "long-log-line",
        /// Writes megabytes to standard output.
        OutputFlood = "output-flood",
        /// A list that has itself as a child.
        Cycle = "cycle",
        /// A node with two parents.
        SharedChild = "shared-child",
        /// A child that is not there.
        OutOfRange = "out-of-range",
        /// No nodes.
        Empty = "empty",
        /// A node nobody names.
        Orphan = "orphan",
        /// One key twice.
        DuplicateKey = "duplicate-key",
        /// A chain of a million lists.
        Deep = "deep",
        /// A span behind the end of the source.
        SpanOutOfRange = "span-out-of-range",
        /// A diagnostic whose span lies behind the end.
        DiagnosticOutOfRange = "diagnostic-out-of-range",
        /// A diagnostic and a log line with control characters.
        ControlCharacters = "control-characters",
        /// Refuses without a diagnostic.
        NoReason = "no-reason",
        /// Tells what it sees of the world around it.
        Peek = "peek",
        /// Takes handles of the host for ever.
        Handles = "handles",
    }
}

by_name! {
    /// What `hostile_executor` does when the first command of its job has this name; otherwise it runs the command `true`.
    ExecutorMisdeed {
        /// Runs in a folder above the workspace.
        Escape = "escape",
        /// Starts processes without end.
        ForkBomb = "fork-bomb",
        /// Has a NUL byte in an argument.
        Nul = "nul",
        /// Tells of a command that the job does not have.
        UnknownCommand = "unknown-command",
        /// Says that a command failed which the job does not have.
        UnknownFailure = "unknown-failure",
        /// Computes for ever after a child has ended.
        LoopAfterChild = "loop-after-child",
    }
}

by_name! {
    /// What `hostile_policy` does at every step when its option `do` has this name; otherwise it records.
    PolicyMisdeed {
        /// Panics.
        Panic = "panic",
        /// Computes for ever.
        Loop = "loop",
        /// Takes memory until there is no more.
        Grow = "grow",
        /// Answers with as much as it can hold.
        HugeAnswer = "huge-answer",
        /// Refuses options that it took before the stage began.
        LateRefusal = "late-refusal",
        /// Refuses without a diagnostic.
        NoReason = "no-reason",
        /// Lets go of 100,000 checkpoints that do not exist, whose names have control characters.
        DiscardUnknown = "discard-unknown",
        /// Stops with a reason that has control characters.
        ForgedReason = "forged-reason",
    }
}
