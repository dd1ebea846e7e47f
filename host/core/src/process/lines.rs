//! The output of a child, line by line, told as events: for stages that run beside others.
//!
//! A child that has ended may have left something running that keeps its output open, so the end of a pipe cannot be waited
//! for. Instead a mark is written into the pipe behind all that the child wrote; who reads as far as the mark has all of it.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::event::{Event, EventSink, Stream};

/// A line longer than this, in bytes, is told in pieces.
const LONGEST_LINE: usize = 64 << 10;

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

/// The ends of the pipes that a child writes to.
pub(super) struct ChildEnds {
    pub(super) out: PipeWriter,
    pub(super) err: PipeWriter,
}

/// The readers of one child.
pub(super) struct Readers(Vec<Reading>);

/// One stream that is being read.
struct Reading {
    writer: PipeWriter,
    mark: Vec<u8>,
    has_read_mark: Receiver<()>,
}

impl Lines {
    /// Reads from now on what a child writes to the ends that are given for it.
    pub(super) fn read(&self) -> io::Result<(ChildEnds, Readers)> {
        let (out, out_reading) = self.read_stream(Stream::Out)?;
        let (err, err_reading) = self.read_stream(Stream::Err)?;
        Ok((ChildEnds { out, err }, Readers(vec![out_reading, err_reading])))
    }

    fn read_stream(&self, stream: Stream) -> io::Result<(PipeWriter, Reading)> {
        let (reader, writer) = io::pipe()?;
        // Short enough for a pipe to take it in one piece; nothing writes this by chance.
        let mark = format!("\0{:016x}{:016x}\n", RandomState::new().hash_one(0), RandomState::new().hash_one(1));
        let (read_mark, has_read_mark) = channel();
        let mut line = Line { lines: self.clone(), stream, mark: mark.clone().into_bytes(), bytes: Vec::new() };
        thread::Builder::new().name("output".into()).spawn(move || line.read(reader, &read_mark))?;
        Ok((writer.try_clone()?, Reading { writer, mark: mark.into_bytes(), has_read_mark }))
    }
}

/// The line that a stream is in.
struct Line {
    lines: Lines,
    stream: Stream,
    mark: Vec<u8>,
    bytes: Vec<u8>,
}

impl Line {
    fn read(&mut self, pipe: PipeReader, read_mark: &Sender<()>) {
        let mut pipe = BufReader::new(pipe);
        loop {
            let taken = match pipe.fill_buf() {
                Ok([]) => break,
                Ok(bytes) => {
                    bytes.split_inclusive(|byte| *byte == b'\n').for_each(|part| self.take(part, read_mark));
                    bytes.len()
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                Err(_) => break,
            };
            pipe.consume(taken);
        }
        self.tell(self.bytes.len());
    }

    fn take(&mut self, part: &[u8], read_mark: &Sender<()>) {
        self.bytes.extend_from_slice(part);
        if self.bytes.ends_with(&self.mark) {
            self.bytes.truncate(self.bytes.len() - self.mark.len());
            self.tell(self.bytes.len());
            // Whoever waited may have gone.
            let _nobody_waits = read_mark.send(());
        } else if self.bytes.ends_with(b"\n") {
            self.tell(self.bytes.len());
        } else if self.bytes.len() > LONGEST_LINE {
            // What may be the beginning of the mark stays.
            self.tell(self.bytes.len() - self.mark.len());
        }
    }

    /// Tells the first `length` bytes as a line.
    fn tell(&mut self, length: usize) {
        let rest = self.bytes.split_off(length);
        let line = std::mem::replace(&mut self.bytes, rest);
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
    /// Waits until all that the child wrote before it ended is told. What something that it left running writes is told when
    /// it comes.
    pub(super) fn wait(&mut self) {
        for Reading { mut writer, mark, has_read_mark } in self.0.drain(..) {
            if writer.write_all(&mark).is_ok() {
                // A reader that died tells nothing more.
                let _ended = has_read_mark.recv();
            }
        }
    }
}
