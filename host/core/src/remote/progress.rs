//! [`Progress`]: how far a transfer is, whether it is to end, and what it counts while bytes pass.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::digest::{Hasher, ObjectId};
use crate::event::{Direction, Event, EventSink};
use crate::process::Cancellation;

/// What is over before is not told.
const QUIET: Duration = Duration::from_secs(1);
/// How often it is told.
const EVERY: Duration = Duration::from_millis(100);
/// So many things that go wrong end a transfer: what is wrong with one file leaves the others, and what is wrong with a disk
/// is not told a hundred thousand times.
const ERRORS: usize = 5;

/// How far a transfer is.
pub(super) struct Progress<'a> {
    direction: Direction,
    events: &'a dyn EventSink,
    cancellation: &'a Cancellation,
    of: AtomicUsize,
    done: AtomicUsize,
    bytes: AtomicU64,
    errors: AtomicUsize,
    began: Instant,
    told: Mutex<Instant>,
}

impl<'a> Progress<'a> {
    /// Nothing went yet.
    pub(super) fn new(direction: Direction, events: &'a dyn EventSink, cancellation: &'a Cancellation) -> Self {
        let began = Instant::now();
        let (of, done, errors) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let told = Mutex::new(began);
        Self { direction, events, cancellation, of, done, bytes: AtomicU64::new(0), errors, began, told }
    }

    /// So many more are to go.
    pub(super) fn expect(&self, count: usize) {
        self.of.fetch_add(count, Ordering::Relaxed);
    }

    /// One needs no more work.
    pub(super) fn one_done(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.tell();
    }

    /// Something went wrong with one.
    pub(super) fn one_failed(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether nothing more is to be begun.
    pub(super) fn is_over(&self) -> bool {
        self.errors.load(Ordering::Relaxed) >= ERRORS || self.is_cancelled()
    }

    /// Whether the user asked for the end.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }

    /// Some bytes passed.
    fn passed(&self, bytes: usize) -> io::Result<()> {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.tell();
        // Not the kind `Interrupted`, after which one would try again.
        if self.is_cancelled() { Err(io::Error::other("the user asked for the end")) } else { Ok(()) }
    }

    fn tell(&self) {
        let now = Instant::now();
        if now.duration_since(self.began) < QUIET {
            return;
        }
        let Ok(mut told) = self.told.try_lock().or_else(|error| match error {
            std::sync::TryLockError::Poisoned(error) => Ok(PoisonError::into_inner(error)),
            std::sync::TryLockError::WouldBlock => Err(()),
        }) else {
            return;
        };
        if now.duration_since(*told) < EVERY {
            return;
        }
        *told = now;
        self.events.event(Event::Transferring {
            direction: self.direction,
            done: self.done.load(Ordering::Relaxed),
            of: self.of.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            since: self.began,
        });
    }
}

/// What is sent: an error in place of its end when it is not what its name says.
pub(super) struct Sent<'a, R> {
    content: R,
    id: &'a ObjectId,
    /// None once it has ended.
    hasher: Option<Hasher>,
    progress: &'a Progress<'a>,
    /// Whether it was something else.
    pub(super) is_damaged: bool,
}

impl<'a, R: Read> Sent<'a, R> {
    /// What should be the object `id`.
    pub(super) fn new(content: R, id: &'a ObjectId, progress: &'a Progress<'a>) -> Self {
        Self { content, id, hasher: Some(Hasher::new(id.algorithm())), progress, is_damaged: false }
    }
}

impl<R: Read> Read for Sent<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(buffer)?;
        if let Some(hasher) = self.hasher.as_mut().filter(|_| read > 0) {
            hasher.update_parallel(buffer.get(..read).unwrap_or_default());
            self.progress.passed(read)?;
        } else if let Some(hasher) = self.hasher.take() {
            let found = hasher.finish();
            let found = if self.id.is_directory() { found.into_directory() } else { found };
            self.is_damaged = &found != self.id;
        }
        if self.is_damaged { Err(io::Error::other("it is damaged")) } else { Ok(read) }
    }
}

/// Counts what arrives.
pub(super) struct Arriving<'a> {
    pub(super) to: &'a mut dyn Write,
    pub(super) progress: &'a Progress<'a>,
}

impl Write for Arriving<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.progress.passed(written)?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
