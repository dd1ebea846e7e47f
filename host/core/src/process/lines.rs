//! The output of a child, line by line, told as events: for stages that run beside others.

use std::io::{self, BufRead, BufReader, Read};
use std::process::Child;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use crate::event::{Event, EventSink, Stream};

/// A line longer than this, in bytes, is told in pieces.
const LONGEST_LINE: u64 = 64 << 10;
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
pub(super) struct Readers(Receiver<()>);

impl Lines {
    /// Reads what `child` writes from now on.
    pub(super) fn read(&self, child: &mut Child) -> io::Result<Readers> {
        let (done, ended) = channel::<()>();
        let out = child.stdout.take().map(|stream| (Stream::Out, Box::new(stream) as Box<dyn Read + Send>));
        let err = child.stderr.take().map(|stream| (Stream::Err, Box::new(stream) as Box<dyn Read + Send>));
        for (stream, pipe) in [out, err].into_iter().flatten() {
            let (lines, done) = (self.clone(), done.clone());
            // Nothing is sent: that all senders are gone is the end.
            let read = move || {
                lines.tell(stream, pipe);
                drop(done);
            };
            thread::Builder::new().name("output".into()).spawn(read)?;
        }
        Ok(Readers(ended))
    }

    fn tell(&self, stream: Stream, pipe: impl Read) {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while let Ok(read) = pipe.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)
            && read > 0
        {
            let whole = line.strip_suffix(b"\n").unwrap_or(&line);
            let whole = whole.strip_suffix(b"\r").unwrap_or(whole);
            // A progress bar draws over its own line: what a terminal would show in the end is its last state.
            let shown = whole.rsplit(|byte| *byte == b'\r').next().unwrap_or_default();
            let line_text = String::from_utf8_lossy(shown).into_owned();
            self.events.event(Event::StageOutput { stage: self.stage.clone(), stream, line: line_text });
            line.clear();
        }
    }
}

impl Readers {
    /// Waits until all that the child wrote is told. What it left running, with its output open, is not waited for: what
    /// that writes is told when it comes.
    pub(super) fn wait(&self) {
        // Either way there is nothing more to wait for.
        let _ended = self.0.recv_timeout(GRACE);
    }
}
