use std::cell::RefCell;

use dewar_plugin::{Captured, Child, Map};

use super::*;

/// Starts nothing; ends each command as the test says.
struct Script {
    exits: RefCell<Vec<Result<Exit, ProcessError>>>,
    started: RefCell<Vec<u32>>,
    commands: RefCell<Vec<Command>>,
}

struct Ended(Exit);

impl Child for Ended {
    fn wait(&mut self) -> Result<Exit, ProcessError> {
        Ok(self.0)
    }
    fn kill(&mut self) {}
}

impl Host for Script {
    fn command_started(&self, index: u32) {
        self.started.borrow_mut().push(index);
    }
    fn spawn(&self, command: &Command) -> Result<Box<dyn Child>, ProcessError> {
        self.commands.borrow_mut().push(command.clone());
        self.exits.borrow_mut().remove(0).map(|exit| Box::new(Ended(exit)) as Box<dyn Child>)
    }
    fn capture(&self, _: &Command) -> Result<Captured, ProcessError> {
        panic!("a shell stage captures nothing")
    }
}

fn script(exits: Vec<Result<Exit, ProcessError>>) -> Script {
    Script { exits: RefCell::new(exits), started: RefCell::default(), commands: RefCell::default() }
}

fn job(shell: Option<&str>, commands: &[&str]) -> Job {
    let shell = shell.map(|shell| ("SHELL".to_owned(), shell.to_owned()));
    Job {
        stage: "train".to_owned(),
        commands: commands.iter().map(|&command| command.to_owned()).collect(),
        working_dir: "src".to_owned(),
        env: [("PATH".to_owned(), "/bin".to_owned())].into_iter().chain(shell).collect(),
        ..Job::default()
    }
}

fn started_with(shell: Option<&str>) -> (String, Vec<String>) {
    let host = script(vec![Ok(Exit::Code(0))]);
    assert_eq!(ShellExecutor::run(&job(shell, &["a b"]), &host), Ok(Outcome::Succeeded));
    let command = host.commands.borrow_mut().remove(0);
    (command.program, command.args)
}

#[test]
fn each_shell_is_kept_from_its_start_up_files() {
    let args = |args: &[&str]| args.iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>();
    assert_eq!(started_with(None), ("/bin/sh".to_owned(), args(&["-c", "a b"])));
    assert_eq!(started_with(Some("/usr/bin/bash")).1, args(&["--noprofile", "--norc", "-c", "a b"]));
    assert_eq!(started_with(Some("/bin/zsh")).1, args(&["--no-rcs", "-c", "a b"]));
    assert_eq!(started_with(Some("/opt/fish")).1, args(&["--no-config", "-c", "a b"]));
    assert_eq!(started_with(Some("/bin/dash")), ("/bin/dash".to_owned(), args(&["-c", "a b"])));
}

#[test]
fn a_relative_or_empty_shell_is_not_used() {
    assert_eq!(started_with(Some("bash")).0, "/bin/sh");
    assert_eq!(started_with(Some("")).0, "/bin/sh");
}

#[test]
fn commands_run_in_order_in_the_stage_s_folder_and_environment() {
    let host = script(vec![Ok(Exit::Code(0)), Ok(Exit::Code(0))]);
    let job = job(None, &["one", "two\nlines"]);
    assert_eq!(ShellExecutor::run(&job, &host), Ok(Outcome::Succeeded));
    assert_eq!(*host.started.borrow(), [0, 1]);
    let commands = host.commands.borrow();
    assert_eq!(commands[1].args[1], "two\nlines");
    assert!(commands.iter().all(|command| command.working_dir == "src" && command.env == job.env));
}

#[test]
fn the_first_failure_stops_the_stage() {
    let host = script(vec![Ok(Exit::Code(0)), Ok(Exit::Code(3))]);
    let outcome = ShellExecutor::run(&job(None, &["a", "b", "c"]), &host);
    assert_eq!(outcome, Ok(Outcome::Failed { command: 1, exit_code: Some(3), message: None }));
    assert_eq!(*host.started.borrow(), [0, 1]);
}

#[test]
fn signals_and_the_shell_s_own_codes_are_explained() {
    let message = |exit| match ShellExecutor::run(&job(None, &["a"]), &script(vec![Ok(exit)])) {
        Ok(Outcome::Failed { exit_code, message, .. }) => (exit_code, message.unwrap()),
        other => panic!("{other:?}"),
    };
    assert_eq!(message(Exit::Signal(9)), (None, "killed by signal 9 (SIGKILL)".to_owned()));
    assert_eq!(message(Exit::Signal(64)), (None, "killed by signal 64".to_owned()));
    assert_eq!(message(Exit::Code(127)), (Some(127), "the command was not found".to_owned()));
    assert_eq!(message(Exit::Code(137)).1, "a process of it was killed by signal 9 (SIGKILL)");
}

#[test]
fn cancelled_is_neither_success_nor_failure() {
    let host = script(vec![Ok(Exit::Cancelled)]);
    assert_eq!(ShellExecutor::run(&job(None, &["a", "b"]), &host), Ok(Outcome::Cancelled));
    assert_eq!(*host.started.borrow(), [0]);
}

#[test]
fn a_shell_that_is_not_there_is_an_error_with_a_remedy() {
    let gone = |shell: Option<&str>| {
        let host = script(vec![Err(ProcessError::NotFound("x".to_owned()))]);
        ShellExecutor::run(&job(shell, &["a"]), &host).unwrap_err().remove(0)
    };
    let chosen = gone(Some("/opt/nosh"));
    assert_eq!((chosen.code.as_str(), chosen.message.as_str()), ("no-shell", "there is no shell `/opt/nosh`"));
    assert!(chosen.help.unwrap().contains("unset"));
    assert!(gone(None).help.unwrap().contains("install"));
    let host = script(vec![Err(ProcessError::Denied("process".to_owned()))]);
    assert_eq!(ShellExecutor::run(&job(None, &["a"]), &host).unwrap_err()[0].code, "denied");
}

#[test]
fn options_are_refused_and_nothing_runs() {
    let with = |options| {
        let host = script(vec![Ok(Exit::Code(0))]);
        let result = ShellExecutor::run(&Job { options, ..job(None, &["a"]) }, &host);
        (result, host.started.borrow().len())
    };
    let map: Map = [("image".to_owned(), Value::Int(1))].into_iter().collect();
    let (refused, started) = with(Value::Map(map));
    assert_eq!((refused.unwrap_err()[0].message.as_str(), started), ("the shell executor has no option `image`", 0));
    assert!(with(Value::Text("x".to_owned())).0.is_err());
    assert_eq!(with(Value::Map(Map::default())).0, Ok(Outcome::Succeeded));
}
