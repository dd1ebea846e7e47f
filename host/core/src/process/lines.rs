//! The output of a child, line by line, told as events: for stages that run beside others.

use std::io::{self, BufRead, BufReader, Read};
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::event::{Event, EventSink, Stream};

/// A line longer than this, in bytes, is told in pieces.
const LONGEST_LINE: usize = 64 << 10;
/// How long a child that has ended may keep its output open through something that it left behind.
const GRACE: Duration = Duration::from_millis(500);

/// Whose lines are told, and to whom.
#[derive(Clone)]
pub struct Lines {
    /// The address of the stage.
    pub stage: String,
    /// Who is told.
    pub events: Arc<dyn EventSink>,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("stage", &self.stage).finish_non_exhaustive()
    }
}

/// The readers of one child.
pub(super) struct Readers {
    ended: Receiver<()>,
    begun: [Arc<Begun>; 2],
}

/// The line that a stream is in.
struct Begun {
    lines: Lines,
    stream: Stream,
    line: Mutex<Vec<u8>>,
}

impl Lines {
    /// Reads what `child` writes from now on.
    pub(super) fn read(&self, child: &mut Child) -> io::Result<Readers> {
        let (done, ended) = channel::<()>();
        let begun = [Stream::Out, Stream::Err]
            .map(|stream| Arc::new(Begun { lines: self.clone(), stream, line: Mutex::default() }));
        let out = child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
        let err = child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
        for (pipe, begun) in [out, err].into_iter().zip(&begun) {
            let Some(pipe) = pipe else { continue };
            let (begun, done) = (Arc::clone(begun), done.clone());
            // Nothing is sent: that all senders are gone is the end.
            let read = move || {
                begun.read(pipe);
                drop(done);
            };
            thread::Builder::new().name("output".into()).spawn(read)?;
        }
        Ok(Readers { ended, begun })
    }
}

impl Begun {
    fn read(&self, pipe: impl Read) {
        let mut pipe = BufReader::new(pipe);
        loop {
            let taken = match pipe.fill_buf() {
                Ok([]) => break,
                Ok(bytes) => {
                    for part in bytes.split_inclusive(|byte| *byte == b'\n') {
                        self.take(part);
                    }
                    bytes.len()
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                Err(_) => break,
            };
            pipe.consume(taken);
        }
        self.tell();
    }

    fn take(&self, part: &[u8]) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.extend_from_slice(part);
        let is_over = line.ends_with(b"\n") || line.len() > LONGEST_LINE;
        drop(line);
        if is_over {
            self.tell();
        }
    }

    /// Tells what has come of the line.
    fn tell(&self) {
        let line = std::mem::take(&mut *self.line.lock().unwrap_or_else(PoisonError::into_inner));
        if line.is_empty() {
            return;
        }
        let whole = line.strip_suffix(b"\n").unwrap_or(&line);
        let whole = whole.strip_suffix(b"\r").unwrap_or(whole);
        // A progress bar draws over its own line: what a terminal would show in the end is its last state.
        let shown = whole.rsplit(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(shown).into_owned();
        self.lines.events.event(Event::StageOutput { stage: self.lines.stage.clone(), stream: self.stream, line });
    }
}

impl Readers {
    /// Waits until all that the child wrote is told. What it left running, with its output open, is not waited for: what
    /// that writes is told when it comes.
    pub(super) fn wait(&self) {
        if self.ended.recv_timeout(GRACE) == Err(RecvTimeoutError::Timeout) {
            self.begun.iter().for_each(|begun| begun.tell());
        }
    }
}
