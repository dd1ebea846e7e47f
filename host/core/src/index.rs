//! [`StatIndex`]: what is known of files that have not changed since they were hashed. Disposable.
//!
//! One file of fixed-size records sorted by key, written by rename. A key is the digest of a path, so a record is found by
//! reading a block or two at the place where it must stand: a project of 100,000 files costs a run with three stages nothing.
//! Every record carries its own check; damage means that nothing is known.
//!
//! A record is only made when what it describes is older than the clock's granularity, so that any later change shows in the
//! stat (git calls the others *racily clean*).

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{FlockOperation, flock};

use crate::digest::{Algorithm, ObjectId};
use crate::fs::{self, FsError};

/// Hashing this much takes about as long as the clock's granularity.
const WORTH_WAITING: u64 = 4 << 20;
/// How coarse the kernel's file clock is at most (a jiffy of 100 Hz).
pub(crate) const GRANULARITY: Duration = Duration::from_millis(10);
/// How coarse file systems are that keep no fractions of a second (FAT has two seconds).
const COARSE: Duration = Duration::from_secs(2);
/// More records than this are not kept; the oldest go first.
const MAX_RECORDS: usize = 2_000_000;

const MAGIC: &[u8; 16] = b"dewar-index-1\n\0\0";
const RECORD: usize = 16 + 16 + 32 + 8 + 8 + 4 + 4;
/// How many records one read takes.
const BLOCK: usize = 42;
/// How far from its expected place a record is looked for first.
const NEAR: usize = 64;
/// After so many searches on disk the whole file is read.
const SEARCHES: usize = 32;

/// What of a file's stat tells that it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Bytes.
    pub size: u64,
    /// Kind and permissions.
    pub mode: u32,
    /// How many names it has. Not part of a fingerprint: another name changes no content.
    pub links: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
    inode: u64,
}

impl Stat {
    /// Whether its owner may execute it.
    #[must_use]
    pub const fn is_executable(&self) -> bool {
        self.mode & 0o100 != 0
    }

    /// The time after which a change certainly shows.
    fn settled(&self) -> SystemTime {
        let newest = self.mtime.max(self.ctime);
        let granularity = if self.mtime.1 == 0 || self.ctime.1 == 0 { COARSE } else { GRANULARITY };
        let seconds = Duration::from_secs(u64::try_from(newest.0).unwrap_or_default());
        let fraction = Duration::from_nanos(u64::try_from(newest.1).unwrap_or_default());
        UNIX_EPOCH.checked_add(seconds + fraction + granularity).unwrap_or(UNIX_EPOCH)
    }

    fn bytes(&self) -> [u8; 52] {
        let mut out = [0; 52];
        let fields = [
            self.size.to_le_bytes(),
            self.mtime.0.to_le_bytes(),
            self.mtime.1.to_le_bytes(),
            self.ctime.0.to_le_bytes(),
            self.ctime.1.to_le_bytes(),
            self.inode.to_le_bytes(),
        ];
        for (place, field) in out.chunks_mut(8).zip(fields) {
            place.copy_from_slice(&field);
        }
        if let Some(place) = out.last_chunk_mut::<4>() {
            *place = self.mode.to_le_bytes();
        }
        out
    }
}

impl From<&Metadata> for Stat {
    fn from(of: &Metadata) -> Self {
        Self {
            size: of.len(),
            mode: of.mode(),
            links: of.nlink(),
            mtime: (of.mtime(), of.mtime_nsec()),
            ctime: (of.ctime(), of.ctime_nsec()),
            inode: of.ino(),
        }
    }
}

/// A digest of all that must be unchanged for a record to hold: of a file its stat, of a directory the paths and stats of
/// all its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    digest: [u8; 16],
    settled: SystemTime,
}

impl Fingerprint {
    /// That of one file.
    #[must_use]
    pub fn file(stat: &Stat) -> Self {
        Self { digest: short(&[b"file", &stat.bytes()]), settled: stat.settled() }
    }

    /// That of a file which dewar itself wrote, with a time in the past: any later write gives it another one, however coarse
    /// the clock is.
    #[must_use]
    pub fn written(stat: &Stat) -> Self {
        Self { settled: Stat { ctime: stat.mtime, ..*stat }.settled(), ..Self::file(stat) }
    }

    /// That of a directory with these files, in an order that is always the same.
    #[must_use]
    pub fn directory<'a>(files: impl ExactSizeIterator<Item = (&'a str, &'a Stat)>) -> Self {
        let mut bytes = Vec::with_capacity(files.len() * 96);
        let mut settled = UNIX_EPOCH;
        for (path, stat) in files {
            bytes.extend_from_slice(path.as_bytes());
            bytes.push(0);
            bytes.extend_from_slice(&stat.bytes());
            settled = settled.max(stat.settled());
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"directory").update_rayon(&bytes);
        Self { digest: first(hasher.finalize().as_bytes()), settled }
    }
}

/// What was remembered of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Its content.
    pub id: ObjectId,
    /// Bytes, of a directory the sum over its files.
    pub size: u64,
    /// Number of files: 1 for a file.
    pub files: u64,
}

#[derive(Debug, Clone, Copy)]
struct Record {
    key: [u8; 16],
    fingerprint: [u8; 16],
    digest: [u8; 32],
    size: u64,
    files: u64,
    /// Seconds since 1970 when it was made.
    made: u32,
}

impl Record {
    fn to_bytes(self) -> [u8; RECORD] {
        let mut out = [0; RECORD];
        let (size, files, made) = (self.size.to_le_bytes(), self.files.to_le_bytes(), self.made.to_le_bytes());
        let fields: [&[u8]; 6] = [&self.key, &self.fingerprint, &self.digest, &size, &files, &made];
        let mut rest = out.as_mut_slice();
        for field in fields {
            let (place, after) = rest.split_at_mut(field.len());
            place.copy_from_slice(field);
            rest = after;
        }
        let check = Self::check(&out);
        if let Some(place) = out.last_chunk_mut() {
            *place = check;
        }
        out
    }

    /// The last bytes of a record, which tell that the others are as they were written.
    fn check(bytes: &[u8; RECORD]) -> [u8; 4] {
        let checked = bytes.get(..RECORD - 4).unwrap_or_default();
        short(&[b"record", checked]).first_chunk().copied().unwrap_or_default()
    }

    fn from_bytes(bytes: &[u8; RECORD]) -> Option<Self> {
        if bytes.last_chunk() != Some(&Self::check(bytes)) {
            return None;
        }
        let (key, rest) = bytes.split_first_chunk()?;
        let (fingerprint, rest) = rest.split_first_chunk()?;
        let (digest, rest) = rest.split_first_chunk()?;
        let (size, rest) = rest.split_first_chunk()?;
        let (files, rest) = rest.split_first_chunk()?;
        let (made, _) = rest.split_first_chunk()?;
        Some(Self {
            key: *key,
            fingerprint: *fingerprint,
            digest: *digest,
            size: u64::from_le_bytes(*size),
            files: u64::from_le_bytes(*files),
            made: u32::from_le_bytes(*made),
        })
    }
}

/// What is known of files that have not changed. See the module's text. Used from several threads.
pub struct StatIndex {
    path: PathBuf,
    clock: Box<dyn Fn() -> SystemTime + Send + Sync>,
    disk: Disk,
    new: Mutex<HashMap<[u8; 16], Record>>,
}

impl StatIndex {
    /// The index in the file at `path`, which need not exist. Nothing is read yet.
    pub fn open(path: impl Into<PathBuf>, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        let path = path.into();
        let file = File::open(&path).ok();
        Self { path, clock: Box::new(clock), disk: Disk::new(file), new: Mutex::default() }
    }

    /// The time, to be taken before something is read that is then remembered.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        (self.clock)()
    }

    /// What was remembered of `path`, if `fingerprint` still holds.
    #[must_use]
    pub fn find(&self, path: &Path, algorithm: Algorithm, fingerprint: &Fingerprint) -> Option<Remembered> {
        let key = key(path, algorithm);
        let new = self.new.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        let record = new.or_else(|| self.disk.find(&key))?;
        if record.fingerprint != fingerprint.digest {
            return None;
        }
        let id = ObjectId::from_digest(algorithm, record.digest.get(..algorithm.length())?)?;
        let is_directory = record.made & DIRECTORY != 0;
        let id = if is_directory { id.into_directory() } else { id };
        Some(Remembered { id, size: record.size, files: record.files })
    }

    /// Remembers what `path` holds, if it was read at a time (`read_at`, taken before the reading) when any later change
    /// was bound to change the `fingerprint`, which was taken before the reading, too.
    pub fn remember(&self, path: &Path, fingerprint: &Fingerprint, read_at: SystemTime, known: &Remembered) {
        if fingerprint.settled >= read_at {
            return;
        }
        let mut digest = [0; 32];
        let text = known.id.as_str().as_bytes();
        for (byte, pair) in digest.iter_mut().zip(text.chunks_exact(2)) {
            let digits = std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
            let Some(value) = digits else { break };
            *byte = value;
        }
        let seconds = read_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let made = u32::try_from(seconds).unwrap_or_default() & !DIRECTORY;
        let record = Record {
            key: key(path, known.id.algorithm()),
            fingerprint: fingerprint.digest,
            digest,
            size: known.size,
            files: known.files,
            made: if known.id.is_directory() { made | DIRECTORY } else { made },
        };
        self.new.lock().unwrap_or_else(PoisonError::into_inner).insert(record.key, record);
    }

    /// Waits until what was changed last, by `fingerprint`, may be remembered, when that is a matter of milliseconds and
    /// `bytes` are so many that reading them again next time would take longer.
    pub fn settle(&self, fingerprint: &Fingerprint, bytes: u64) {
        if bytes >= WORTH_WAITING
            && let Ok(wait) = fingerprint.settled.duration_since(self.now())
            && wait <= GRANULARITY
        {
            std::thread::sleep(wait + Duration::from_micros(1));
        }
    }

    /// Writes what is new, together with what other processes wrote meanwhile. Nothing new costs nothing.
    ///
    /// # Errors
    /// When it cannot be written; nothing is lost but time.
    pub fn save(&self) -> Result<(), FsError> {
        let mut new = self.new.lock().unwrap_or_else(PoisonError::into_inner);
        if new.is_empty() {
            return Ok(());
        }
        if let Some(folder) = self.path.parent() {
            fs::create_dir(folder)?;
        }
        let lock_path = self.path.with_extension("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(FsError::new("open", lock_path))?;
        // A file system without locks loses, at worst, what the other one knew.
        flock(&lock, FlockOperation::LockExclusive).ok();
        let mut all: HashMap<[u8; 16], Record> =
            fs::read_optional(&self.path)?.iter().flat_map(|bytes| records(bytes)).map(|r| (r.key, r)).collect();
        all.extend(new.iter());
        let mut all: Vec<Record> = all.into_values().collect();
        if all.len() > MAX_RECORDS {
            all.select_nth_unstable_by_key(MAX_RECORDS, |record| std::cmp::Reverse(record.made & !DIRECTORY));
            all.truncate(MAX_RECORDS);
        }
        all.sort_unstable_by_key(|record| record.key);
        let mut bytes = Vec::with_capacity(MAGIC.len() + all.len() * RECORD);
        bytes.extend_from_slice(MAGIC);
        for record in all {
            bytes.extend_from_slice(&record.to_bytes());
        }
        fs::write_atomic(&self.path, &bytes)?;
        new.clear();
        drop(lock);
        Ok(())
    }
}

impl std::fmt::Debug for StatIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatIndex").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The bit of [`Record::made`] that marks a directory; the rest is good until 2038, and then only decides what goes first.
const DIRECTORY: u32 = 1 << 31;

/// The file as it was when the index was opened.
struct Disk {
    file: Option<File>,
    count: u64,
    searches: std::sync::atomic::AtomicUsize,
    all: OnceLock<Vec<u8>>,
}

impl Disk {
    fn new(file: Option<File>) -> Self {
        let mut magic = [0; MAGIC.len()];
        let file = file.filter(|file| file.read_exact_at(&mut magic, 0).is_ok() && &magic == MAGIC);
        let length = file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |of| of.len());
        let count = length.saturating_sub(MAGIC.len() as u64) / RECORD as u64;
        Self { file, count, searches: 0.into(), all: OnceLock::new() }
    }

    fn find(&self, key: &[u8; 16]) -> Option<Record> {
        let file = self.file.as_ref()?;
        if self.searches.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > SEARCHES {
            let all = self.all.get_or_init(|| {
                let mut bytes = vec![0; usize::try_from(self.count).unwrap_or_default() * RECORD];
                file.read_exact_at(&mut bytes, MAGIC.len() as u64).map(|()| bytes).unwrap_or_default()
            });
            return search(all, key);
        }
        let mut block = vec![0; BLOCK * RECORD];
        let (mut low, mut high) = (0, self.count);
        // Keys are spread evenly: the first guess is nearly always in the right block.
        let mut guess = position(key, self.count);
        while low < high {
            let start = guess.saturating_sub(BLOCK as u64 / 2).clamp(low, high - 1);
            let length = (high - start).min(BLOCK as u64);
            let bytes = block.get_mut(..usize::try_from(length).ok()? * RECORD)?;
            file.read_exact_at(bytes, MAGIC.len() as u64 + start * RECORD as u64).ok()?;
            let (first, last) = (bytes.first_chunk::<16>()?, bytes.get(bytes.len() - RECORD..)?.first_chunk::<16>()?);
            if key < first {
                high = start;
            } else if key > last {
                low = start + length;
            } else {
                return search(bytes, key);
            }
            guess = if key < first { start } else { low + BLOCK as u64 / 2 };
        }
        None
    }
}

/// Where of `count` evenly spread keys this one stands.
fn position(key: &[u8; 16], count: u64) -> u64 {
    let high = key.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    u64::try_from((u128::from(high) * u128::from(count)) >> 64).unwrap_or_default()
}

/// The record with this key in sorted records.
fn search(bytes: &[u8], key: &[u8; 16]) -> Option<Record> {
    let (records, _) = bytes.as_chunks::<RECORD>();
    let compare = |record: &[u8; RECORD]| record.first_chunk::<16>().cmp(&Some(key));
    // Near where it is expected, memory is touched in few places.
    let expected = usize::try_from(position(key, records.len() as u64)).ok()?;
    let near = records.get(expected.saturating_sub(NEAR)..records.len().min(expected + NEAR)).unwrap_or_default();
    let found = match near.binary_search_by(compare) {
        Ok(at) => near.get(at),
        Err(_) => records.get(records.binary_search_by(compare).ok()?),
    };
    Record::from_bytes(found?)
}

/// All whole records of a file; none when it is no index.
fn records(bytes: &[u8]) -> impl Iterator<Item = Record> {
    let records = bytes.strip_prefix(MAGIC).unwrap_or_default();
    records.as_chunks::<RECORD>().0.iter().filter_map(Record::from_bytes)
}

fn key(path: &Path, algorithm: Algorithm) -> [u8; 16] {
    let kind: &[u8] = match algorithm {
        Algorithm::Blake3 => b"blake3",
        Algorithm::Md5 => b"md5",
        Algorithm::Md5Dos2Unix => b"md5-dos2unix",
    };
    short(&[b"path", kind, b"\0", path.as_os_str().as_encoded_bytes()])
}

fn short(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    first(hasher.finalize().as_bytes())
}

fn first(digest: &[u8; 32]) -> [u8; 16] {
    digest.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
