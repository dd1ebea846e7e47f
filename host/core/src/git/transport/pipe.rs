//! [`Pipe`]: a git server at the other end of a process: the user's own `ssh`, or git itself.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use git2::transport::Service;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::time::Timespec;

use super::address::SshAddress;
use super::advertisement::{self, Unreadable, Wrapping};
use super::{Call, Surroundings, TransportError, program};

/// The variables that say where git's repository and its parts are (`git rev-parse --local-env-vars`, without those that give
/// settings): they are of one repository, and would be wrong for another.
pub const LOCAL_VARIABLES: [&str; 9] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];
/// It would have a server speak a newer protocol than libgit2 does.
const PROTOCOL: &str = "GIT_PROTOCOL";
/// So many bytes a pipe that can be written to takes without waiting (pipe(7)).
const AT_ONCE: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };
/// How long the process may take to end once nothing more is said to it.
const GRACE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(5);

/// Which process leads to a remote.
pub(super) struct Route {
    end: End,
    patience: Duration,
}

enum End {
    Local(PathBuf),
    Ssh { address: SshAddress, ssh: Ssh },
}

/// The user's ssh.
enum Ssh {
    /// A program.
    Program(String),
    /// A command of the shell.
    Command(String),
}

impl Route {
    pub(super) fn local(path: &Path, around: &Surroundings) -> Self {
        Self { end: End::Local(path.to_owned()), patience: around.patience }
    }

    /// Takes the ssh that git would take.
    pub(super) fn ssh(address: &SshAddress, settings: &git2::Config, around: &Surroundings) -> Self {
        let set = |text: Option<String>| text.filter(|text| !text.is_empty());
        let command = set(around.ssh_command.clone()).or_else(|| set(settings.get_string("core.sshCommand").ok()));
        let ssh = match (command, set(around.ssh.clone())) {
            // As git has it: without signs that only a shell knows, it is a program.
            (Some(command), _) if command.contains(|c: char| "|&;<>()$`\\\"' \t\n*?[#~=%".contains(c)) => {
                Ssh::Command(command)
            }
            (Some(command), _) => Ssh::Program(command),
            (None, program) => Ssh::Program(program.unwrap_or_else(|| "ssh".to_owned())),
        };
        Self { end: End::Ssh { address: address.clone(), ssh }, patience: around.patience }
    }

    /// What is started for a service, and what it is called in a message.
    fn command(&self, service: Service) -> (Command, String) {
        let program = program(service);
        match &self.end {
            End::Local(path) => {
                let mut command = Command::new("git");
                // `git upload-pack` is there also where `git-upload-pack` is on no path.
                command.arg(program.trim_start_matches("git-")).arg(path);
                for name in LOCAL_VARIABLES {
                    command.env_remove(name);
                }
                (command, program.replacen('-', " ", 1))
            }
            End::Ssh { address, ssh } => {
                let (mut command, name) = match ssh {
                    Ssh::Program(ssh) => (Command::new(ssh), ssh.clone()),
                    Ssh::Command(ssh) => {
                        let mut command = Command::new("sh");
                        command.args(["-c", &format!("{ssh} \"$@\""), ssh]);
                        (command, ssh.clone())
                    }
                };
                if let Some(port) = address.port {
                    command.args([port_option(&name), &port.to_string()]);
                }
                command.arg(&address.destination).arg(format!("{program} {}", quoted(&address.path)));
                (command, name)
            }
        }
    }
}

/// PuTTY's programs have it in upper case.
fn port_option(command: &str) -> &'static str {
    let program = command.split_ascii_whitespace().next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    if program.to_ascii_lowercase().contains("plink") { "-P" } else { "-p" }
}

/// A path for the shell of another machine, as git quotes it: also `!`, which the C shell expands even between quotes.
fn quoted(path: &str) -> String {
    let mut quoted = String::from("'");
    for c in path.chars() {
        // Writing to a string cannot fail.
        let _infallible = if matches!(c, '\'' | '!') { write!(quoted, "'\\{c}'") } else { write!(quoted, "{c}") };
    }
    quoted.push('\'');
    quoted
}

/// A git server at the other end of a process. What the process says to the user goes to stderr.
pub(super) struct Pipe {
    child: Child,
    name: String,
    /// None when nothing more is to be said.
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    /// What was read already.
    ahead: io::Cursor<Vec<u8>>,
    patience: Duration,
    /// Whether there is reason to wait for it to end.
    lost: bool,
    call: Arc<Call>,
}

impl Pipe {
    /// Starts the process, and hears what the server says first.
    pub(super) fn open(route: &Route, service: Service, call: &Arc<Call>) -> Result<Self, TransportError> {
        let (mut command, name) = route.command(service);
        command.env_remove(PROTOCOL).stdin(Stdio::piped()).stdout(Stdio::piped());
        let start = |source| TransportError::Start { program: name.clone(), source };
        let mut child = command.spawn().map_err(start)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            // Both were asked for.
            return Err(start(io::ErrorKind::BrokenPipe.into()));
        };
        let (stdin, patience, call) = (Some(stdin), route.patience, Arc::clone(call));
        let mut pipe = Self { child, name, stdin, stdout, ahead: io::Cursor::default(), patience, lost: false, call };
        match advertisement::read(&mut pipe, Wrapping::Bare) {
            Ok(answer) => {
                pipe.ahead = pipe.call.heard(answer);
                Ok(pipe)
            }
            Err(Unreadable::Io(error)) => Err(pipe.why(error)),
            Err(error) => Err(error.into()),
        }
    }

    /// Why it broke: what was kept, else how the process ended.
    fn why(&mut self, error: io::Error) -> TransportError {
        if let Some(kept) = self.call.failure() {
            return kept;
        }
        if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe) {
            let status = self.end();
            return TransportError::Ended { program: self.name.clone(), status };
        }
        TransportError::Unreachable(error)
    }

    /// Says nothing more, waits a little, and ends the process if it must be.
    fn end(&mut self) -> Option<ExitStatus> {
        drop(self.stdin.take());
        let until = Instant::now() + GRACE;
        while !self.lost {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < until => std::thread::sleep(PAUSE),
                _ => break,
            }
        }
        // An error means that it is gone.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
        None
    }

    /// Waits until a pipe can be used.
    fn wait(&mut self, side: Side) -> io::Result<()> {
        let patience = Timespec::try_from(self.patience).map_err(io::Error::other)?;
        loop {
            let mut fds = match (side, &self.stdin) {
                (Side::Read, _) => [PollFd::from_borrowed_fd(self.stdout.as_fd(), PollFlags::IN)],
                (Side::Write, Some(stdin)) => [PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::OUT)],
                (Side::Write, None) => return Err(io::ErrorKind::BrokenPipe.into()),
            };
            match poll(&mut fds, Some(&patience)) {
                Ok(0) => {
                    self.lost = true;
                    return Err(self.call.failed(TransportError::Silent(self.patience)));
                }
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Side {
    Read,
    Write,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.ahead.read(buffer)? {
            0 => {}
            read => return Ok(read),
        }
        self.wait(Side::Read)?;
        // Nobody reads on behind the last word of a server.
        let error = match self.stdout.read(buffer) {
            Ok(0) if !buffer.is_empty() => io::ErrorKind::UnexpectedEof.into(),
            Ok(read) => return Ok(read),
            Err(error) => error,
        };
        let why = self.why(error);
        Err(self.call.failed(why))
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wait(Side::Write)?;
        let now = bytes.get(..AT_ONCE).unwrap_or(bytes);
        let Some(stdin) = &mut self.stdin else { return Err(io::ErrorKind::BrokenPipe.into()) };
        match stdin.write(now) {
            Err(error) => {
                let why = self.why(error);
                Err(self.call.failed(why))
            }
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssh(around: &Surroundings, settings: &[(&str, &str)], port: Option<u16>) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut config = git2::Config::open(file.path()).unwrap();
        for (name, value) in settings {
            config.set_str(name, value).unwrap();
        }
        let address = SshAddress { destination: "me@host".into(), port, path: "/it's!".into() };
        let (command, _) = Route::ssh(&address, &config, around).command(Service::UploadPackLs);
        let arguments = command.get_args().map(|argument| argument.to_str().unwrap().to_owned());
        std::iter::once(command.get_program().to_str().unwrap().to_owned()).chain(arguments).collect()
    }

    #[test]
    fn the_ssh_of_the_user_is_found_as_git_finds_it() {
        let remote = r"git-upload-pack '/it'\''s'\!''";
        let plain = Surroundings::default();
        assert_eq!(ssh(&plain, &[], None), ["ssh", "me@host", remote]);
        let program = Surroundings { ssh: Some("/opt/my ssh".into()), ..plain.clone() };
        assert_eq!(ssh(&program, &[], Some(22)), ["/opt/my ssh", "-p", "22", "me@host", remote]);
        let set = [("core.sshCommand", "ssh -i key")];
        assert_eq!(ssh(&program, &set, None), ["sh", "-c", "ssh -i key \"$@\"", "ssh -i key", "me@host", remote]);
        let command = Surroundings { ssh_command: Some("plink".into()), ..program };
        assert_eq!(ssh(&command, &set, Some(7)), ["plink", "-P", "7", "me@host", remote]);
    }

    /// What is quoted comes out of a shell as it went in.
    #[test]
    fn a_shell_reads_a_quoted_path_as_it_was() {
        for path in ["a b", "it's", "$(touch x)", "a!b\\", "'; touch x; '", "größe\n"] {
            let output = Command::new("sh").args(["-c", &format!("printf %s {}", quoted(path))]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), path);
        }
    }
}
