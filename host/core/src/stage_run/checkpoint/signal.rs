//! How a running stage tells that a checkpoint is to be taken: by a file, in one of two protocols. Where the system notifies of
//! files it is heard at once; everywhere it is looked for now and then.

use std::io::PipeReader;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::fs::{self, FsError};
use crate::pipeline::Signal;

/// The file of DVC 2's protocol: made by the stage, which then waits until it is gone (`dvc.api.make_checkpoint`, DVCLive 1
/// and 2).
const FILE: &str = ".dvc/tmp/DVC_CHECKPOINT";
/// DVCLive's file of the last step that was completed: `{"pid": .., "step": ..}`, written anew after each.
const DVCLIVE: &str = ".dvc/tmp/exps/run/DVCLIVE_STEP_COMPLETED";
/// How long at most a signal goes unheard that the system did not tell of.
const LOOK: Duration = Duration::from_millis(if cfg!(target_os = "linux") { 200 } else { 5 });

/// The signals of one stage.
pub(super) struct Signals {
    signal: Signal,
    file: PathBuf,
    /// The step that was heard of last, for the protocol that has some.
    step: Option<u64>,
    notices: Notices,
}

/// What was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// A checkpoint is to be taken.
    Signal,
    /// The stage has ended.
    End,
}

/// What DVCLive writes.
#[derive(Deserialize)]
struct Completed {
    step: u64,
}

impl Signals {
    /// Listens for signals from a workspace. One that an earlier run left is removed.
    ///
    /// # Errors
    /// When the folder of the file cannot be made or watched, or the file cannot be removed.
    pub(super) fn listen(root: &Path, signal: Signal) -> Result<Self, FsError> {
        let file = root.join(match signal {
            Signal::File => FILE,
            Signal::Dvclive => DVCLIVE,
        });
        if let Some(folder) = file.parent() {
            fs::create_dir(folder)?;
        }
        let notices = Notices::of(&file)?;
        fs::remove_file(&file)?;
        Ok(Self { signal, file, step: None, notices })
    }

    /// Waits for a signal, or for the end of the stage, which is that of everyone who could write to `ended`.
    ///
    /// # Errors
    /// When the system cannot be asked.
    pub(super) fn wait(&self, ended: &PipeReader) -> Result<Heard, FsError> {
        loop {
            if self.is_raised()? {
                return Ok(Heard::Signal);
            }
            if self.notices.wait(ended, LOOK).map_err(FsError::new("watch", &self.file))? == Heard::End {
                return Ok(Heard::End);
            }
        }
    }

    /// Waits so long at most for the end of the stage.
    ///
    /// # Errors
    /// When the system cannot be asked.
    pub(super) fn wait_for_end(&self, ended: &PipeReader, at_most: Duration) -> Result<Heard, FsError> {
        let since = Instant::now();
        while let Some(left) = at_most.checked_sub(since.elapsed()) {
            if self.notices.wait(ended, left.min(LOOK)).map_err(FsError::new("watch", &self.file))? == Heard::End {
                return Ok(Heard::End);
            }
        }
        Ok(Heard::Signal)
    }

    /// Whether a signal waits for an answer.
    ///
    /// # Errors
    /// When the file is there and cannot be looked at.
    pub(super) fn is_raised(&self) -> Result<bool, FsError> {
        match self.signal {
            Signal::File => match std::fs::symlink_metadata(&self.file) {
                Ok(_) => Ok(true),
                Err(error) if fs::is_absent(&error) => Ok(false),
                Err(error) => Err(FsError::new("look at", &self.file)(error)),
            },
            Signal::Dvclive => Ok(self.completed()?.is_some_and(|step| Some(step) != self.step)),
        }
    }

    /// Answers: the stage may go on.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub(super) fn answer(&mut self) -> Result<(), FsError> {
        match self.signal {
            Signal::File => fs::remove_file(&self.file),
            Signal::Dvclive => {
                self.step = self.completed()?;
                Ok(())
            }
        }
    }

    /// The step that DVCLive completed. A file that is half-written says nothing yet.
    fn completed(&self) -> Result<Option<u64>, FsError> {
        let Some(text) = fs::read_optional(&self.file)? else { return Ok(None) };
        Ok(serde_json::from_slice::<Completed>(&text).ok().map(|completed| completed.step))
    }
}

/// What the system tells of a folder.
#[cfg(target_os = "linux")]
struct Notices(std::os::fd::OwnedFd);

#[cfg(target_os = "linux")]
impl Notices {
    /// Of the folder that the file is in (`inotify(7)`).
    fn of(file: &Path) -> Result<Self, FsError> {
        use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
        let watched = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).and_then(|notices| {
            let written = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::CLOSE_WRITE;
            add_watch(&notices, file.parent().unwrap_or(file), written)?;
            Ok(notices)
        });
        watched.map(Self).map_err(|errno| FsError::new("watch", file)(errno.into()))
    }

    fn wait(&self, ended: &PipeReader, at_most: Duration) -> std::io::Result<Heard> {
        use rustix::event::{PollFd, PollFlags, poll};
        let mut fds = [PollFd::new(&self.0, PollFlags::IN), PollFd::new(ended, PollFlags::IN)];
        let wait = rustix::time::Timespec::try_from(at_most).unwrap_or_default();
        match poll(&mut fds, Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let [notices, ended] = fds;
        if !notices.revents().is_empty() {
            // What they say does not matter: the file is looked at.
            let mut told = [0; 4096];
            while rustix::io::read(&self.0, &mut told).is_ok_and(|count| count > 0) {}
        }
        Ok(if ended.revents().is_empty() { Heard::Signal } else { Heard::End })
    }
}

/// Where the system is not asked, the file is looked for often.
#[cfg(not(target_os = "linux"))]
struct Notices;

#[cfg(not(target_os = "linux"))]
impl Notices {
    const fn of(_: &Path) -> Result<Self, FsError> {
        Ok(Self)
    }

    fn wait(&self, ended: &PipeReader, at_most: Duration) -> std::io::Result<Heard> {
        use rustix::event::{PollFd, PollFlags, poll};
        let mut fds = [PollFd::new(ended, PollFlags::IN)];
        let wait = rustix::time::Timespec::try_from(at_most).unwrap_or_default();
        poll(&mut fds, Some(&wait))?;
        Ok(if fds[0].revents().is_empty() { Heard::Signal } else { Heard::End })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(signal: Signal) -> (tempfile::TempDir, Signals, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join(if signal == Signal::File { FILE } else { DVCLIVE });
        fs::create_dir(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "{\"step\": 9}").unwrap();
        let signals = Signals::listen(root.path(), signal).unwrap();
        (root, signals, file)
    }

    #[test]
    fn a_file_is_heard_again_after_each_answer() {
        let (_root, mut signals, file) = listen(Signal::File);
        let (ended, stage) = std::io::pipe().unwrap();
        assert!(!file.exists(), "a signal of an earlier run stands for nothing");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..3 {
                    std::thread::sleep(Duration::from_millis(20));
                    std::fs::write(&file, "").unwrap();
                    while file.exists() {
                        std::thread::yield_now();
                    }
                }
                drop(stage);
            });
            for _ in 0..3 {
                assert_eq!(signals.wait(&ended).unwrap(), Heard::Signal);
                signals.answer().unwrap();
            }
            assert_eq!(signals.wait(&ended).unwrap(), Heard::End);
        });
    }

    #[test]
    fn a_step_is_heard_once_and_a_half_written_one_not_yet() {
        let (_root, mut signals, file) = listen(Signal::Dvclive);
        let (_ended, _stage) = std::io::pipe().unwrap();
        let heard = |signals: &Signals| signals.is_raised().unwrap();
        assert!(!heard(&signals));
        for (text, expected) in [("{\"pid\": 7, \"st", false), ("{\"pid\": 7, \"step\": 0}", true)] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(heard(&signals), expected);
        }
        signals.answer().unwrap();
        std::fs::write(&file, "{\"pid\": 7, \"step\": 0}").unwrap();
        assert!(!heard(&signals));
        std::fs::write(&file, "{\"pid\": 7, \"step\": 1}").unwrap();
        assert!(heard(&signals));
        // DVCLive removes it at its end.
        std::fs::remove_file(&file).unwrap();
        assert!(!heard(&signals));
    }
}
