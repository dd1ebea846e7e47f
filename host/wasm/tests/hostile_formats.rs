//! A format that misbehaves ends in a named error, each time, and the host goes on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "what a test calls may fail loudly, as the test itself"
)]

mod support;

use std::time::{Duration, Instant};

use dewar_core::event::{Event, LogLevel};
use dewar_core::extension::{ExtensionError, Extensions, Value};
use dewar_guests::{FormatMisdeed, HOSTILE_FORMAT};
use dewar_wasm::Limits;
use support::{Bench, folder, path, registry};

/// Small, so that going over them is quick.
fn limits() -> Limits {
    Limits { memory: 64 << 20, time: Duration::from_millis(500), answer: 8 << 20, ..Limits::default() }
}

#[test]
fn every_misdeed_ends_in_its_error_and_a_living_host() {
    let folder = folder(&[("hostile.wasm", HOSTILE_FORMAT)]);
    let Bench { registry, events } = registry(&[folder.path()], Vec::new(), limits());
    let format = registry.param_format(&path("x.hostile")).unwrap();
    for misdeed in FormatMisdeed::ALL {
        let started = Instant::now();
        let result = format.read(misdeed.name().as_bytes());
        assert!(started.elapsed() < Duration::from_secs(60), "{misdeed:?} took {:?}", started.elapsed());
        check(*misdeed, result, &events.take());
        let good = format.read(b"good").expect("the host goes on");
        assert_eq!(good, Value::Text("good".into()), "after {misdeed:?}");
    }
}

/// Exhaustive: a misdeed without an expectation does not compile.
fn check(misdeed: FormatMisdeed, result: Result<Value, ExtensionError>, events: &[Event]) {
    let name = misdeed.name();
    match misdeed {
        FormatMisdeed::Loop | FormatMisdeed::LoopAndLog => over(name, result, "0.5 s of computing"),
        FormatMisdeed::Sleep => assert_eq!(result.unwrap(), Value::Text("awake".into())),
        FormatMisdeed::Grow | FormatMisdeed::Handles => over_or_trapped(name, result),
        FormatMisdeed::HugeAnswer => over(name, result, "64 MiB of memory"),
        FormatMisdeed::Recurse => over_or_trapped(name, result),
        FormatMisdeed::Panic => {
            let reason = trapped(name, result);
            assert!(reason.contains("on\u{fffd}[31m purpose"), "{reason}");
        }
        FormatMisdeed::Exit => assert_eq!(trapped(name, result), "it ended the process"),
        FormatMisdeed::LogFlood => {
            result.unwrap();
            assert_eq!(events.len(), limits().log_lines + 1);
            let last = Event::PluginLog {
                plugin: "params-hostile".into(),
                level: LogLevel::Warn,
                message: "99800 more lines were dropped".into(),
            };
            assert_eq!(events.last(), Some(&last));
        }
        FormatMisdeed::LongLogLine => over(name, result, "8 MiB in one answer"),
        FormatMisdeed::OutputFlood => over(name, result, "64 KiB of standard output"),
        FormatMisdeed::Cycle => bad(name, result, "node 1 names the child 0, which does not come after it"),
        FormatMisdeed::SharedChild => bad(name, result, "node 1 has more than one parent"),
        FormatMisdeed::OutOfRange => bad(name, result, "node 0 names the child 7, and there are 1 nodes"),
        FormatMisdeed::Empty => bad(name, result, "a document without nodes"),
        FormatMisdeed::Orphan => bad(name, result, "node 1 is nobody's child"),
        FormatMisdeed::DuplicateKey => bad(name, result, "node 0 has the key `k` twice"),
        FormatMisdeed::Deep => over_or_deep(name, result),
        FormatMisdeed::SpanOutOfRange => {
            bad(name, result, "the span 0..1000000 does not lie in the source, which has 17 bytes");
        }
        FormatMisdeed::DiagnosticOutOfRange => {
            bad(name, result, "the span 9000..9001 does not lie in the source, which has 23 bytes");
        }
        FormatMisdeed::ControlCharacters => {
            let Err(ExtensionError::Refused { diagnostics, .. }) = result else { panic!("{name}: {result:?}") };
            assert_eq!(diagnostics[0].code, "hos\u{fffd}tile");
            assert_eq!(diagnostics[0].message, "\u{fffd}[2Jgone  forged: line\u{fffd}");
            assert_eq!(diagnostics[0].help.as_deref(), Some(diagnostics[0].message.as_str()));
            let logged = Event::PluginLog {
                plugin: "params-hostile".into(),
                level: LogLevel::Warn,
                message: "\u{fffd}[2Jgone forged: line".into(),
            };
            assert_eq!(events, [logged]);
        }
        FormatMisdeed::NoReason => bad(name, result, "it refuses without a reason"),
        FormatMisdeed::Peek => assert_eq!(result.unwrap(), Value::List(Vec::new())),
    }
}

#[test]
fn an_answer_over_its_size_is_named() {
    let folder = folder(&[("hostile.wasm", HOSTILE_FORMAT)]);
    let limits = Limits { answer: 8 << 20, ..Limits::default() };
    let Bench { registry, .. } = registry(&[folder.path()], Vec::new(), limits);
    let format = registry.param_format(&path("x.hostile")).unwrap();
    over("huge-answer", format.read(b"huge-answer"), "8 MiB in one answer");
    assert_eq!(format.read(b"good").unwrap(), Value::Text("good".into()));
}

#[test]
fn calls_on_several_threads_do_not_disturb_each_other() {
    let folder = folder(&[("hostile.wasm", HOSTILE_FORMAT)]);
    let Bench { registry, .. } = registry(&[folder.path()], Vec::new(), limits());
    let format = registry.param_format(&path("x.hostile")).unwrap();
    std::thread::scope(|scope| {
        let bad = scope.spawn(|| format.read(b"loop"));
        let good = scope.spawn(|| (0..100).all(|_| format.read(b"good").is_ok()));
        over("loop", bad.join().unwrap(), "0.5 s of computing");
        assert!(good.join().unwrap());
    });
}

fn over(name: &str, result: Result<Value, ExtensionError>, wanted: &str) {
    match result {
        Err(ExtensionError::OverLimit { plugin, limit }) => {
            assert_eq!((plugin.name.as_str(), limit.as_str()), ("params-hostile", wanted), "{name}");
        }
        other => panic!("{name}: {other:?}"),
    }
}

/// What ends first depends on the guest's allocator and compiler.
fn over_or_trapped(name: &str, result: Result<Value, ExtensionError>) {
    assert!(
        matches!(result, Err(ExtensionError::OverLimit { .. } | ExtensionError::Trapped { .. })),
        "{name}: {result:?}"
    );
}

/// A million nodes are refused for their size or their depth.
fn over_or_deep(name: &str, result: Result<Value, ExtensionError>) {
    match result {
        Err(ExtensionError::BadAnswer { reason, .. }) => assert_eq!(reason, "node 257 is nested deeper than 256"),
        Err(ExtensionError::OverLimit { .. }) => {}
        other => panic!("{name}: {other:?}"),
    }
}

fn bad(name: &str, result: Result<Value, ExtensionError>, wanted: &str) {
    match result {
        Err(ExtensionError::BadAnswer { reason, .. }) => assert_eq!(reason, wanted, "{name}"),
        other => panic!("{name}: {other:?}"),
    }
}

fn trapped(name: &str, result: Result<Value, ExtensionError>) -> String {
    match result {
        Err(ExtensionError::Trapped { reason, .. }) => reason,
        other => panic!("{name}: {other:?}"),
    }
}
