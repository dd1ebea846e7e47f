//! [`ProcessIdentity`]: which process something belongs to, told so that a later process with the same number, another boot,
//! another machine or another container is not taken for it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal, test_kill_process};
use serde::{Deserialize, Serialize};

/// A process among all that ever were, as far as the system tells (`proc(5)`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// The name of the machine, and the space in which processes have their numbers.
    host: String,
    /// Which start of the machine.
    boot: String,
    /// Its number.
    pid: u32,
    /// When it started, in clock ticks since the machine did.
    started: u64,
}

/// What is known of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It runs.
    Running,
    /// It has ended.
    Ended,
    /// It is, or was, on another machine or in another container: it cannot be told.
    Elsewhere,
}

impl ProcessIdentity {
    /// This process.
    #[must_use]
    pub fn current() -> Self {
        Self::of(std::process::id())
    }

    /// The one that started this process.
    #[must_use]
    pub fn parent() -> Self {
        Self::of(std::os::unix::process::parent_id())
    }

    fn of(pid: u32) -> Self {
        Self { host: host(), boot: text_of("/proc/sys/kernel/random/boot_id"), pid, started: started(pid).unwrap_or(0) }
    }

    /// Its number, which means something on its own machine only.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it was started with a variable of this name. Not told of processes of others.
    #[must_use]
    pub fn has_variable(&self, name: &str) -> bool {
        let variables = std::fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default();
        let is_it = |variable: &[u8]| variable.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"="));
        variables.split(|byte| *byte == 0).any(is_it)
    }

    /// Its program and arguments, for people: in one line, and not all of a long one.
    #[must_use]
    pub fn command_line(&self) -> String {
        const LONGEST: usize = 80;
        let text = std::fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).replace(char::is_control, " ");
        let text = text.trim();
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}..", text.split_at(end).0),
            None => text.to_owned(),
        }
    }

    /// What became of it.
    #[must_use]
    pub fn life(&self) -> Life {
        if self.host != host() {
            return Life::Elsewhere;
        }
        if self.boot != text_of("/proc/sys/kernel/random/boot_id") {
            return Life::Ended;
        }
        match started(self.pid) {
            Some(started) if started == self.started => Life::Running,
            // Without `/proc` the number is all that is known.
            None if self.started == 0 => match pid_of(self.pid).map(test_kill_process) {
                Some(Err(rustix::io::Errno::SRCH)) | None => Life::Ended,
                Some(_) => Life::Running,
            },
            _ => Life::Ended,
        }
    }

    /// Sends it a signal; nothing when it has ended, and never to another that got its number.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn signal(&self, signal: Signal) -> std::io::Result<()> {
        let Some(pid) = pid_of(self.pid) else { return Ok(()) };
        // Held before it is looked at: the handle stays with this process, whoever gets the number later.
        let handle = match pidfd_open(pid, PidfdFlags::empty()) {
            Err(rustix::io::Errno::SRCH) => return Ok(()),
            handle => handle?,
        };
        if self.life() != Life::Running {
            return Ok(());
        }
        match pidfd_send_signal(handle, signal) {
            Err(rustix::io::Errno::SRCH) => Ok(()),
            sent => Ok(sent?),
        }
    }
}

/// The processes of this user, but this one, that have the file `path` open: those that hold a lock which was shared with them.
/// On a system without `/proc` none is found.
#[must_use]
pub fn holders(path: &Path) -> Vec<ProcessIdentity> {
    let Ok(wanted) = std::fs::metadata(path).map(|file| (file.dev(), file.ino())) else { return Vec::new() };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let holds = |pid: &u32| {
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut files = files.filter_map(|file| std::fs::metadata(file.path()).ok());
        files.any(|file| (file.dev(), file.ino()) == wanted)
    };
    numbers.filter(|pid| *pid != std::process::id()).filter(holds).map(ProcessIdentity::of).collect()
}

fn pid_of(number: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(number).ok()?)
}

/// The name of this machine; empty where the system does not say it in a file.
#[must_use]
pub fn host_name() -> String {
    text_of("/proc/sys/kernel/hostname")
}

fn host() -> String {
    let processes = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{} {}", host_name(), processes.display())
}

fn text_of(file: &str) -> String {
    std::fs::read_to_string(file).unwrap_or_default().trim().to_owned()
}

/// When a process started; none when there is none of that number, or only what its parent has not taken note of yet.
fn started(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program may have anything in it, but stands in brackets.
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    // The 22nd of all.
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::{Lock, Taken};

    #[test]
    fn a_process_is_known_while_it_runs_and_no_other_is_taken_for_it() {
        let me = ProcessIdentity::current();
        assert_eq!(me.life(), Life::Running);
        assert_eq!(ProcessIdentity { started: me.started + 1, ..me.clone() }.life(), Life::Ended);
        assert_eq!(ProcessIdentity { boot: "another".into(), ..me.clone() }.life(), Life::Ended);
        assert_eq!(ProcessIdentity { host: "another".into(), ..me }.life(), Life::Elsewhere);
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let identity = ProcessIdentity::of(child.id());
        let impostor = ProcessIdentity { started: 1, ..identity.clone() };
        impostor.signal(Signal::KILL).unwrap();
        assert_eq!(identity.life(), Life::Running);
        identity.signal(Signal::KILL).unwrap();
        child.wait().unwrap();
        assert_eq!(identity.life(), Life::Ended);
        identity.signal(Signal::KILL).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_is_told_by_what_it_was_started_with() {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &format!("read x\n#{}", "0".repeat(99))]).stdin(std::process::Stdio::piped());
        let mut child = command.env_clear().env("DVC_STAGE", "a").env("NOT_X", "Y=").spawn().unwrap();
        let process = ProcessIdentity::of(child.id());
        assert_eq!(process.command_line(), format!("sh -c read x #{}..", "0".repeat(66)));
        assert!(process.has_variable("DVC_STAGE") && process.has_variable("NOT_X"));
        assert!(!["DVC", "X", "Y", "a", ""].iter().any(|name| process.has_variable(name)));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!process.has_variable("DVC_STAGE"));
        assert_eq!(process.command_line(), "");
    }

    #[test]
    fn holders_of_a_lock_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let Taken::Yes(lock) = Lock::try_take(&path).unwrap() else { panic!("it is free") };
        assert_eq!(holders(&path), []);
        lock.share().unwrap();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let found = holders(&path);
        // Other tests may have started something meanwhile, which has it, too.
        assert!(found.iter().any(|found| found.pid() == child.id()), "{found:?}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
