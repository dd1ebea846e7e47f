//! Child processes of stages: started in the workspace, ended when the run is cancelled (walk, step 7).

pub mod identity;
mod lines;

use std::io::{self, IsTerminal, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use crate::extension::{Captured, ChildProcess, Exit, ProcessCommand, ProcessError, Processes};
use crate::lock::pauses;

use lines::Readers;

pub use lines::Lines;

/// How long what a stopped child started has to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// The most that [`Processes::capture`] takes of one stream, in bytes.
const CAPTURE_LIMIT: u64 = 16 << 20;

/// Whether the user wants the run to end, and whom to tell.
#[derive(Debug, Clone, Default)]
pub struct Cancellation(Arc<Mutex<Running>>);

#[derive(Debug, Default)]
struct Running {
    /// How often the user asked.
    asked: u32,
    children: Vec<(Pid, Group)>,
    /// How many results are being kept.
    keeping: usize,
}

/// How the user asked for the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// On the terminal, which tells the processes that share its group itself.
    AtTerminal,
    /// By a signal to this process alone.
    BySignal,
}

/// While it lives, a result is being kept, which an orderly end waits for.
#[derive(Debug)]
pub struct Keeping(Cancellation);

impl Drop for Keeping {
    fn drop(&mut self) {
        self.0.lock().keeping -= 1;
    }
}

/// Whether children share the process group of dewar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// They do: they may read from the terminal, and Ctrl-C reaches them from there.
    Shared,
    /// Each has its own, so that all that it started can be ended with it.
    Own,
}

impl Group {
    /// Sends a child, with all that it started when its group is its own, a signal. One that is gone needs none.
    fn signal(self, child: Pid, signal: Signal) {
        let _ = match self {
            Self::Own => rustix::process::kill_process_group(child, signal),
            Self::Shared => rustix::process::kill_process(child, signal),
        };
    }
}

impl Cancellation {
    /// Ends the run: children are interrupted now, none is started any more. Asked again, they are killed.
    pub fn cancel(&self, asked: Asked) {
        // Interrupted twice, a child could take the second for a wish to be quick about it.
        let is_told = |group, signal| group == Group::Shared && asked == Asked::AtTerminal && signal == Signal::INT;
        self.end(Signal::INT, is_told);
    }

    /// Ends what belongs to one stage, because its work is done: children are asked to end. Asked again, they are killed.
    pub fn stop(&self) {
        self.end(Signal::TERM, |_, _| false);
    }

    /// Sends children that are not told already a signal; the second time, one that kills them.
    fn end(&self, first: Signal, is_told: impl Fn(Group, Signal) -> bool) {
        let mut running = self.lock();
        let signal = if running.asked > 0 { Signal::KILL } else { first };
        running.asked += 1;
        for (child, group) in &running.children {
            if !is_told(*group, signal) {
                group.signal(*child, signal);
            }
        }
    }

    /// Says that a result is being kept from now on.
    #[must_use]
    pub fn keep(&self) -> Keeping {
        self.lock().keeping += 1;
        Keeping(self.clone())
    }

    /// Whether the run is to end.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.lock().asked > 0
    }

    /// Whether an end at once would lose something: children run, or a result is being kept.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        let running = self.lock();
        !running.children.is_empty() || running.keeping > 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the output of stages goes.
#[derive(Debug, Clone)]
pub enum StageOutput {
    /// To dewar's own standard output and error.
    Inherited,
    /// Both to dewar's own standard error: its standard output is for what was asked for.
    Stderr,
    /// Line by line to the sink of events. Such a process reads nothing.
    Lines(Lines),
}

/// Processes of this machine.
#[derive(Debug, Clone)]
pub struct NativeProcesses {
    /// The workspace, absolute.
    pub workspace: PathBuf,
    /// Where what they write goes.
    pub output: StageOutput,
    /// Who ends the run early.
    pub cancellation: Cancellation,
    /// Who ends these alone.
    pub stop: Cancellation,
    /// Whether they share the process group.
    pub group: Group,
}

impl NativeProcesses {
    fn command(&self, command: &ProcessCommand) -> Result<Command, ProcessError> {
        let folder = command.working_dir.under(&self.workspace);
        // A symlink must not lead out of the workspace.
        let settled = std::fs::canonicalize(&folder).ok().filter(|settled| settled.is_dir());
        let root = std::fs::canonicalize(&self.workspace).ok();
        if settled.zip(root).is_none_or(|(settled, root)| !settled.starts_with(root)) {
            return Err(ProcessError::NoWorkingDir(command.working_dir.clone()));
        }
        let mut native = Command::new(&command.program);
        native.args(&command.args).env_clear().envs(command.env.iter().map(|(key, value)| (key, value)));
        native.current_dir(folder);
        if self.group == Group::Own {
            native.process_group(0);
        }
        Ok(native)
    }

    fn start(&self, program: &str, mut native: Command) -> Result<NativeChild, ProcessError> {
        // Under the locks, so that who ends them sees every child or lets none start.
        let mut running = self.cancellation.lock();
        let mut own = self.stop.lock();
        if running.asked > 0 || own.asked > 0 {
            return Ok(self.child(None));
        }
        let child = native.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ProcessError::NotFound(program.to_owned()),
            _ => system("start", program)(&error),
        })?;
        let known = pid(&child).map(|pid| (pid, self.group));
        running.children.extend(known);
        own.children.extend(known);
        drop((running, own));
        Ok(self.child(Some(child)))
    }

    fn child(&self, child: Option<Child>) -> NativeChild {
        let (cancellation, stop) = (self.cancellation.clone(), self.stop.clone());
        NativeChild { child, group: self.group, cancellation, stop, readers: None }
    }
}

fn pid(child: &Child) -> Option<Pid> {
    Pid::from_raw(i32::try_from(child.id()).ok()?)
}

fn system<'a>(verb: &'static str, program: &'a str) -> impl Fn(&dyn std::fmt::Display) -> ProcessError + 'a {
    move |reason| ProcessError::System { verb, program: program.to_owned(), reason: reason.to_string() }
}

impl Processes for NativeProcesses {
    fn spawn(&self, command: &ProcessCommand) -> Result<Box<dyn ChildProcess>, ProcessError> {
        let mut native = self.command(command)?;
        let failed = system("start", &command.program);
        let mut readers = None;
        if self.group == Group::Own && io::stdin().is_terminal() {
            // The terminal would suspend it when it read from there.
            native.stdin(Stdio::null());
        }
        match &self.output {
            StageOutput::Inherited => {}
            StageOutput::Stderr => {
                let stderr = rustix::io::dup(io::stderr()).map_err(|error| failed(&error))?;
                native.stdout(stderr);
            }
            StageOutput::Lines(lines) => {
                let (ends, reading) = lines.read().map_err(|error| failed(&error))?;
                native.stdin(Stdio::null()).stdout(ends.out).stderr(ends.err);
                readers = Some(reading);
            }
        }
        let mut started = self.start(&command.program, native)?;
        started.readers = readers;
        Ok(Box::new(started))
    }

    fn capture(&self, command: &ProcessCommand) -> Result<Captured, ProcessError> {
        let mut native = self.command(command)?;
        native.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.start(&command.program, native)?;
        let (out, err) = match &mut child.child {
            Some(child) => (child.stdout.take(), child.stderr.take()),
            None => (None, None),
        };
        let failed = system("read the output of", &command.program);
        // Two pipes, so two readers: a child that fills one of them must not wait for the other.
        let (stdout, stderr) = std::thread::scope(|scope| {
            let stdout = scope.spawn(|| read_bounded(out));
            let stderr = read_bounded(err);
            (stdout.join().unwrap_or_else(|_| Err(io::Error::other("a reader died"))), stderr)
        });
        let (stdout, stderr) = (stdout.map_err(|error| failed(&error))?, stderr.map_err(|error| failed(&error))?);
        Ok(Captured { exit: child.wait()?, stdout, stderr })
    }
}

fn read_bounded(stream: Option<impl Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        stream.take(CAPTURE_LIMIT + 1).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > CAPTURE_LIMIT {
        return Err(io::Error::other(format!("it is over {} MiB", CAPTURE_LIMIT >> 20)));
    }
    Ok(bytes)
}

/// A child, or one that was not started because the run was cancelled.
struct NativeChild {
    child: Option<Child>,
    group: Group,
    cancellation: Cancellation,
    stop: Cancellation,
    /// Who reads what it writes.
    readers: Option<Readers>,
}

impl NativeChild {
    /// Waits without reaping, so that the number stays the child's until it is off the list; then reaps.
    fn reap(&mut self) -> io::Result<Option<ExitStatus>> {
        let Some(child) = &mut self.child else { return Ok(None) };
        if let Some(pid) = pid(child) {
            let exited = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while let Err(error) = rustix::process::waitid(WaitId::Pid(pid), exited) {
                if error != rustix::io::Errno::INTR {
                    return Err(error.into());
                }
            }
            let mut running = self.cancellation.lock();
            let mut own = self.stop.lock();
            for list in [&mut running.children, &mut own.children] {
                list.retain(|(running, _)| *running != pid);
            }
            if (running.asked > 0 || own.asked > 0) && self.group == Group::Own {
                // What a shell started in the background does not hear an interrupt (POSIX, 2.12). The number is still the
                // child's: it is not reaped yet. A group that is empty needs no signal.
                let _ = rustix::process::kill_process_group(pid, Signal::TERM);
            }
        }
        let pid = pid(child);
        let status = child.wait()?;
        self.child = None;
        if self.stop.is_cancelled() && self.group == Group::Own {
            pid.into_iter().for_each(wait_for_group);
        }
        Ok(Some(status))
    }
}

/// Waits until nothing is left of what a child started, which may be at its last writes; for so long that it is killed then.
fn wait_for_group(group: Pid) {
    let since = Instant::now();
    for pause in pauses() {
        if rustix::process::test_kill_process_group(group).is_err() {
            return;
        }
        if since.elapsed() > GRACE {
            // What is gone already needs no signal.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
            return;
        }
        std::thread::sleep(pause);
    }
}

impl ChildProcess for NativeChild {
    fn wait(&mut self) -> Result<Exit, ProcessError> {
        let status = self.reap().map_err(|error| system("wait for", "the command")(&error))?;
        self.readers.iter_mut().for_each(Readers::wait);
        if self.cancellation.is_cancelled() || self.stop.is_cancelled() {
            return Ok(Exit::Cancelled);
        }
        Ok(match status.map(|status| (status.code(), status.signal())) {
            Some((Some(code), _)) => Exit::Code(code),
            Some((None, Some(signal))) => Exit::Signal(signal),
            _ => Exit::Cancelled,
        })
    }

    fn kill(&mut self) {
        let Some(pid) = self.child.as_ref().and_then(pid) else { return };
        self.group.signal(pid, Signal::KILL);
    }
}

impl Drop for NativeChild {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
            drop(self.reap());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventSink, Stream};
    use crate::path::RepoPath;

    fn processes(group: Group) -> NativeProcesses {
        NativeProcesses {
            workspace: std::env::temp_dir(),
            output: StageOutput::Inherited,
            cancellation: Cancellation::default(),
            stop: Cancellation::default(),
            group,
        }
    }

    fn shell(text: &str) -> ProcessCommand {
        ProcessCommand {
            program: "sh".into(),
            args: vec!["-c".into(), text.into()],
            env: vec![("PATH".into(), "/usr/bin:/bin".into()), ("X".into(), "y".into())],
            working_dir: RepoPath::root(),
        }
    }

    #[test]
    fn captures_and_tells_the_end() {
        let got = processes(Group::Own).capture(&shell("echo $X; echo no >&2; exit 3")).unwrap();
        assert_eq!(
            (got.exit, got.stdout.as_slice(), got.stderr.as_slice()),
            (Exit::Code(3), &b"y\n"[..], &b"no\n"[..])
        );
        assert_eq!(processes(Group::Own).capture(&shell("kill -9 $$")).unwrap().exit, Exit::Signal(9));
        assert!(processes(Group::Own).capture(&shell("head -c 20000000 /dev/zero")).is_err());
    }

    #[test]
    fn lines_are_told_and_what_stays_behind_is_not_waited_for() {
        #[derive(Default)]
        struct Told(Mutex<Vec<(Stream, String)>>);
        impl EventSink for Told {
            fn event(&self, event: Event) {
                if let Event::StageOutput { stream, line, .. } = event {
                    self.0.lock().unwrap().push((stream, line));
                }
            }
        }
        let told = Arc::new(Told::default());
        let lines = Lines { stage: "s".into(), events: Arc::clone(&told) as Arc<dyn EventSink> };
        let processes = NativeProcesses { output: StageOutput::Lines(lines), ..processes(Group::Own) };
        let text = "printf 'a\\n1%%\\r2%%\\nlast'; echo no >&2; sleep 20 &";
        let mut child = processes.spawn(&shell(text)).unwrap();
        let started = std::time::Instant::now();
        assert_eq!(child.wait().unwrap(), Exit::Code(0));
        assert!(started.elapsed() < std::time::Duration::from_secs(10));
        let told = told.0.lock().unwrap().clone();
        let of = |wanted| told.iter().filter(|(stream, _)| *stream == wanted).map(|(_, line)| line.as_str()).collect();
        let (out, err): (Vec<&str>, Vec<&str>) = (of(Stream::Out), of(Stream::Err));
        assert_eq!((out, err), (vec!["a", "2%", "last"], vec!["no"]));
        processes.cancellation.cancel(Asked::BySignal);
    }

    #[test]
    fn what_cannot_start_is_named() {
        let missing = ProcessCommand { program: "no-such-program".into(), ..shell("") };
        assert_eq!(processes(Group::Own).spawn(&missing).err(), Some(ProcessError::NotFound("no-such-program".into())));
        let nowhere = RepoPath::parse("no/such/folder").unwrap();
        let lost = ProcessCommand { working_dir: nowhere.clone(), ..shell("") };
        assert_eq!(processes(Group::Own).spawn(&lost).err(), Some(ProcessError::NoWorkingDir(nowhere)));
    }

    #[test]
    fn a_stage_is_stopped_alone() {
        let processes = processes(Group::Own);
        let other = NativeProcesses { stop: Cancellation::default(), ..processes.clone() };
        let mut deaf = processes.spawn(&shell("trap '' TERM; sleep 60 & wait; sleep 60")).unwrap();
        let mut beside = other.spawn(&shell("exit 7")).unwrap();
        processes.stop.stop();
        assert_eq!(beside.wait().unwrap(), Exit::Code(7));
        processes.stop.stop();
        assert_eq!(deaf.wait().unwrap(), Exit::Cancelled);
        assert_eq!(processes.spawn(&shell("sleep 60")).unwrap().wait().unwrap(), Exit::Cancelled);
        assert!(!processes.cancellation.is_cancelled() && !processes.cancellation.is_busy());
    }

    #[test]
    fn a_cancellation_ends_what_runs_and_lets_nothing_start() {
        let processes = processes(Group::Own);
        let mut child = processes.spawn(&shell("sleep 60 & wait")).unwrap();
        processes.cancellation.cancel(Asked::BySignal);
        processes.cancellation.cancel(Asked::BySignal);
        assert_eq!(child.wait().unwrap(), Exit::Cancelled);
        assert_eq!(processes.spawn(&shell("sleep 60")).unwrap().wait().unwrap(), Exit::Cancelled);
    }
}
