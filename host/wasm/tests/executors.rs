//! An executor has what it asked for and was granted, and no more.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "what a test calls may fail loudly, as the test itself"
)]

mod support;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dewar_core::extension::{
    Captured, ChildProcess, Exit, ExtensionError, Extensions, Job, Outcome, PluginId, ProcessCommand, ProcessError,
    Processes, Value,
};
use dewar_guests::{ExecutorMisdeed, HOSTILE_EXECUTOR};
use dewar_wasm::{Capability, Grant, Limits};
use support::{folder, registry};

/// Processes that only seem to run, each for as long as it is told.
#[derive(Default)]
struct Pretend {
    started: Mutex<Vec<ProcessCommand>>,
    alive: Arc<AtomicUsize>,
    lasts: Duration,
}

struct PretendChild(Arc<AtomicUsize>, Duration);

impl Processes for Pretend {
    fn spawn(&self, command: &ProcessCommand) -> Result<Box<dyn ChildProcess>, ProcessError> {
        self.started.lock().unwrap().push(command.clone());
        self.alive.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(PretendChild(Arc::clone(&self.alive), self.lasts)))
    }

    fn capture(&self, _: &ProcessCommand) -> Result<Captured, ProcessError> {
        Ok(Captured { exit: Exit::Code(0), stdout: Vec::new(), stderr: Vec::new() })
    }
}

impl ChildProcess for PretendChild {
    fn wait(&mut self) -> Result<Exit, ProcessError> {
        std::thread::sleep(self.1);
        Ok(Exit::Code(0))
    }

    fn kill(&mut self) {}
}

impl Drop for PretendChild {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn grant() -> Grant {
    let plugin =
        PluginId { name: "executor-hostile".into(), digest: blake3::hash(HOSTILE_EXECUTOR).to_hex().to_string() };
    Grant { plugin, capability: Capability::Process }
}

fn job(command: &str) -> Job {
    Job {
        stage: "train".into(),
        commands: vec![command.into()],
        working_dir: dewar_core::path::RepoPath::root(),
        env: Vec::new(),
        dependencies: Vec::new(),
        outputs: Vec::new(),
        options: Value::Null,
    }
}

/// Runs the granted executor.
fn run(folder: &Path, command: &str, processes: &Arc<Pretend>) -> Result<Outcome, ExtensionError> {
    let limits = Limits { time: Duration::from_millis(500), ..Limits::default() };
    let bench = registry(&[folder], vec![grant()], limits);
    let executor = bench.registry.executor("hostile").unwrap();
    executor.run(&job(command), processes.clone(), Arc::new(|_| {}))
}

#[test]
fn a_granted_executor_runs_and_is_heard() {
    let folder = folder(&[("any-name.wasm", HOSTILE_EXECUTOR)]);
    let processes = Arc::new(Pretend::default());
    let started = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&started);
    let bench = registry(&[folder.path()], vec![grant()], Limits::default());
    let executor = bench.registry.executor("hostile").unwrap();
    let outcome =
        executor.run(&job("anything"), processes.clone(), Arc::new(move |index| heard.lock().unwrap().push(index)));
    assert_eq!(outcome.unwrap(), Outcome::Succeeded);
    assert_eq!(*started.lock().unwrap(), [0]);
    assert_eq!(processes.started.lock().unwrap()[0].program, "true");
    assert_eq!(processes.alive.load(Ordering::SeqCst), 0);
}

#[test]
fn without_a_grant_it_is_denied_before_it_runs() {
    let folder = folder(&[("any-name.wasm", HOSTILE_EXECUTOR)]);
    let other = Grant { plugin: PluginId { digest: "0".repeat(64), ..grant().plugin }, ..grant() };
    for grants in [Vec::new(), vec![other]] {
        let bench = registry(&[folder.path()], grants, Limits::default());
        let Err(error) = bench.registry.executor("hostile") else { panic!("it was granted") };
        assert_eq!(error.to_string(), "the plugin `executor-hostile` asks for process, which is not granted");
    }
}

#[test]
fn waiting_for_a_child_is_not_the_plugins_time() {
    let folder = folder(&[("hostile.wasm", HOSTILE_EXECUTOR)]);
    let processes = Arc::new(Pretend { lasts: Duration::from_millis(1_500), ..Pretend::default() });
    assert_eq!(run(folder.path(), "anything", &processes).unwrap(), Outcome::Succeeded);
}

#[test]
fn every_misdeed_ends_in_its_error_and_no_child_is_left() {
    let folder = folder(&[("hostile.wasm", HOSTILE_EXECUTOR)]);
    for misdeed in ExecutorMisdeed::ALL {
        let processes = Arc::new(Pretend::default());
        let result = run(folder.path(), misdeed.name(), &processes);
        let started = processes.started.lock().unwrap().len();
        match misdeed {
            ExecutorMisdeed::Escape => {
                let message = "not granted: to run there: `data/../../..` is outside the project";
                assert_eq!((refusal(result).as_str(), started), (message, 0));
            }
            ExecutorMisdeed::Nul => {
                assert_eq!((refusal(result).as_str(), started), ("a command has a NUL byte in it", 0));
            }
            ExecutorMisdeed::ForkBomb => {
                assert_eq!((refusal(result).as_str(), started), ("not granted: more than 64 processes at a time", 64));
            }
            ExecutorMisdeed::UnknownCommand => {
                assert_eq!(bad(result), "it says that command 99 begins, which the stage does not have");
            }
            ExecutorMisdeed::UnknownFailure => assert_eq!(bad(result), "it says that command 99 of 1 failed"),
            ExecutorMisdeed::LoopAfterChild => {
                assert!(matches!(result, Err(ExtensionError::OverLimit { .. })), "{result:?}");
            }
        }
        assert_eq!(processes.alive.load(Ordering::SeqCst), 0, "{misdeed:?}");
        assert_eq!(run(folder.path(), "anything", &processes).unwrap(), Outcome::Succeeded);
    }
}

fn refusal(result: Result<Outcome, ExtensionError>) -> String {
    match result {
        Err(ExtensionError::Refused { diagnostics, .. }) => diagnostics[0].message.clone(),
        other => panic!("{other:?}"),
    }
}

fn bad(result: Result<Outcome, ExtensionError>) -> String {
    match result {
        Err(ExtensionError::BadAnswer { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}
