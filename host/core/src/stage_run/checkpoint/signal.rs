//! How a running stage tells that a checkpoint is to be taken: by a file, in one of two protocols. Where the system notifies of
//! files it is heard at once; everywhere it is looked for now and then.

use std::io::PipeReader;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use serde::Deserialize;

use crate::fs::{self, FsError};
use crate::pipeline::Signal;

/// The file of DVC 2's protocol: made by the stage, which then waits until it is gone (`dvc.api.make_checkpoint`, DVCLive 1
/// and 2).
const FILE: &str = ".dvc/tmp/DVC_CHECKPOINT";
/// DVCLive's file of the last step that was completed: `{"pid": .., "step": ..}`, written anew after each.
pub const DVCLIVE: &str = ".dvc/tmp/exps/run/DVCLIVE_STEP_COMPLETED";
/// How long at most a signal goes unheard that the system did not tell of, though it tells of files.
const LOOK: Duration = Duration::from_millis(200);
/// The same where it tells of none.
const LOOK_OFTEN: Duration = Duration::from_millis(5);

/// The signals of one stage.
pub(super) struct Signals {
    signal: Signal,
    file: PathBuf,
    /// The steps that were heard and answered last, for the protocol that has some.
    heard: Option<u64>,
    answered: Option<u64>,
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

/// What became of a stage that was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waited {
    /// It may still run.
    Running,
    /// Nobody of it is left.
    Ended,
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
        Ok(Self { signal, file, heard: None, answered: None, notices })
    }

    /// Waits for a signal, or for the end of the stage, which is that of everyone who could write to `ended`.
    ///
    /// # Errors
    /// When the system cannot be asked.
    pub(super) fn wait(&mut self, ended: &PipeReader) -> Result<Heard, FsError> {
        loop {
            if self.is_raised()? {
                return Ok(Heard::Signal);
            }
            if self.watch(ended, self.notices.pause())? == Waited::Ended {
                return Ok(Heard::End);
            }
        }
    }

    /// Waits so long at most for the end of the stage, whose signal is not answered meanwhile: when it does not end,
    /// [`Heard::Signal`] is what it waits with still.
    ///
    /// # Errors
    /// When the system cannot be asked.
    pub(super) fn wait_for_end(&self, ended: &PipeReader, at_most: Duration) -> Result<Heard, FsError> {
        let since = Instant::now();
        while let Some(left) = at_most.checked_sub(since.elapsed()) {
            if self.watch(ended, left.min(self.notices.pause()))? == Waited::Ended {
                return Ok(Heard::End);
            }
        }
        Ok(Heard::Signal)
    }

    fn watch(&self, ended: &PipeReader, at_most: Duration) -> Result<Waited, FsError> {
        self.notices.wait(ended, at_most).map_err(FsError::new("watch", &self.file))
    }

    /// Whether a signal waits for an answer. The next answer is to this one.
    ///
    /// # Errors
    /// When the file is there and cannot be looked at.
    pub(super) fn is_raised(&mut self) -> Result<bool, FsError> {
        match self.signal {
            Signal::File => match std::fs::symlink_metadata(&self.file) {
                Ok(_) => Ok(true),
                Err(error) if fs::is_absent(&error) => Ok(false),
                Err(error) => Err(FsError::new("look at", &self.file)(error)),
            },
            Signal::Dvclive => {
                self.heard = self.completed()?.filter(|step| Some(*step) != self.answered);
                Ok(self.heard.is_some())
            }
        }
    }

    /// Answers the signal that was heard last: the stage may go on.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub(super) fn answer(&mut self) -> Result<(), FsError> {
        match self.signal {
            Signal::File => fs::remove_file(&self.file),
            Signal::Dvclive => {
                // Not the step that the file has by now: that one was not heard.
                self.answered = self.heard.take().or(self.answered);
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

/// What the system tells of a folder; nothing where it is not asked, or has no means left.
struct Notices(Option<OwnedFd>);

impl Notices {
    /// Of the folder that the file is in (`inotify(7)`).
    #[cfg(target_os = "linux")]
    fn of(file: &Path) -> Result<Self, FsError> {
        use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
        let watched = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).and_then(|notices| {
            let written = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::CLOSE_WRITE;
            add_watch(&notices, file.parent().unwrap_or(file), written)?;
            Ok(notices)
        });
        Self::or_none(watched).map_err(|errno| FsError::new("watch", file)(errno.into()))
    }

    #[cfg(not(target_os = "linux"))]
    const fn of(_: &Path) -> Result<Self, FsError> {
        Ok(Self(None))
    }

    /// The system's limits on what is watched are small, and are the user's, not the stage's: it goes without.
    #[cfg(target_os = "linux")]
    fn or_none(watched: Result<OwnedFd, Errno>) -> Result<Self, Errno> {
        match watched {
            Err(Errno::MFILE | Errno::NFILE | Errno::NOSPC | Errno::NOSYS | Errno::NOMEM) => Ok(Self(None)),
            watched => watched.map(Some).map(Self),
        }
    }

    /// How long to wait at most between one look at the file and the next.
    const fn pause(&self) -> Duration {
        if self.0.is_some() { LOOK } else { LOOK_OFTEN }
    }

    /// Waits until there are notices, or the stage has ended, or the time is over.
    fn wait(&self, ended: &PipeReader, at_most: Duration) -> std::io::Result<Waited> {
        let mut fds = vec![PollFd::new(ended, PollFlags::IN)];
        fds.extend(self.0.as_ref().map(|notices| PollFd::new(notices, PollFlags::IN)));
        let wait = rustix::time::Timespec::try_from(at_most).unwrap_or_default();
        match poll(&mut fds, Some(&wait)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        if let Some(notices) = &self.0 {
            // What they say does not matter: the file is looked at.
            let mut told = [0; 4096];
            while rustix::io::read(notices, &mut told).is_ok_and(|count| count > 0) {}
        }
        let has_ended = fds.first().is_some_and(|ended| !ended.revents().is_empty());
        Ok(if has_ended { Waited::Ended } else { Waited::Running })
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
        let (_root, signals, file) = listen(Signal::File);
        heard_again_after_each_answer(signals, &file);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_is_heard_where_the_system_has_no_means_to_tell_of_it() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOSPC, Errno::NOSYS, Errno::NOMEM] {
            let (_root, mut signals, file) = listen(Signal::File);
            assert!(signals.notices.0.is_some());
            signals.notices = Notices::or_none(Err(errno)).unwrap();
            assert!(signals.notices.0.is_none());
            heard_again_after_each_answer(signals, &file);
        }
        assert!(matches!(Notices::or_none(Err(Errno::ACCESS)), Err(Errno::ACCESS)));
    }

    fn heard_again_after_each_answer(mut signals: Signals, file: &Path) {
        let (ended, stage) = std::io::pipe().unwrap();
        assert!(!file.exists(), "a signal of an earlier run stands for nothing");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..3 {
                    std::thread::sleep(Duration::from_millis(20));
                    std::fs::write(file, "").unwrap();
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
        let heard = |signals: &mut Signals| signals.is_raised().unwrap();
        assert!(!heard(&mut signals));
        for (text, expected) in [("{\"pid\": 7, \"st", false), ("{\"pid\": 7, \"step\": 0}", true)] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(heard(&mut signals), expected);
        }
        signals.answer().unwrap();
        std::fs::write(&file, "{\"pid\": 7, \"step\": 0}").unwrap();
        assert!(!heard(&mut signals));
        std::fs::write(&file, "{\"pid\": 7, \"step\": 1}").unwrap();
        assert!(heard(&mut signals));
        // DVCLive removes it at its end.
        std::fs::remove_file(&file).unwrap();
        assert!(!heard(&mut signals));
    }

    #[test]
    fn a_step_that_is_completed_while_another_is_kept_is_heard_next() {
        let (_root, mut signals, file) = listen(Signal::Dvclive);
        let (ended, _stage) = std::io::pipe().unwrap();
        std::fs::write(&file, "{\"step\": 0}").unwrap();
        assert_eq!(signals.wait(&ended).unwrap(), Heard::Signal);
        std::fs::write(&file, "{\"step\": 1}").unwrap();
        signals.answer().unwrap();
        assert_eq!(signals.wait(&ended).unwrap(), Heard::Signal);
        signals.answer().unwrap();
        assert!(!signals.is_raised().unwrap());
        // An answer to nothing takes nothing back.
        signals.answer().unwrap();
        assert!(!signals.is_raised().unwrap());
    }

    #[test]
    fn the_end_is_waited_for_so_long_at_most() {
        let (_root, signals, _) = listen(Signal::File);
        let (ended, stage) = std::io::pipe().unwrap();
        assert_eq!(signals.wait_for_end(&ended, Duration::from_millis(20)).unwrap(), Heard::Signal);
        drop(stage);
        assert_eq!(signals.wait_for_end(&ended, Duration::from_secs(60)).unwrap(), Heard::End);
    }
}
