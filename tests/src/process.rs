//! Processes as a test sees them from outside: by the files that they write, and by signals.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// Waits until a file is there.
///
/// # Panics
/// When it does not come.
#[track_caller]
pub fn wait_for(path: &Path) {
    let began = Instant::now();
    while !path.exists() {
        assert!(began.elapsed() < Duration::from_secs(30), "{} does not come", path.display());
        thread::sleep(Duration::from_millis(2));
    }
}

/// Sends a signal, such as `-INT`; `-0` only asks. Whether there is such a process.
///
/// # Panics
/// When `kill` cannot be run.
#[track_caller]
#[must_use]
pub fn kill(signal: &str, pid: &str) -> bool {
    Command::new("kill").args([signal, pid]).output().unwrap().status.success()
}
