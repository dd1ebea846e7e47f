//! What is typed wrong, help, and output that nobody reads.

use std::process::Stdio;

use super::repo;

#[test]
fn the_version_is_printed() {
    assert_eq!(repo().dewar(&["--version"]).success(), concat!("dewar ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn help_goes_to_stdout_and_wrong_usage_to_stderr() {
    let repo = repo();
    assert!(repo.dewar(&["--help"]).success().contains("Usage: dewar"));
    let wrong = repo.dewar(&["--no-such-flag"]);
    assert_eq!(wrong.stdout, "");
    assert!(wrong.failure(2).starts_with("error: unexpected argument '--no-such-flag' found"));
}

#[test]
fn a_command_that_does_not_exist_is_wrong_usage() {
    assert!(repo().dewar(&["no-such-command"]).failure(2).contains("'no-such-command'"));
}

#[test]
fn a_reader_that_went_away_ends_it_quietly() {
    let repo = repo();
    let mut child = repo.command(env!("CARGO_BIN_EXE_dewar"));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = child.arg("--help").stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(141), vec![]));
}
