//! Reading one file: its digest, and a copy of exactly the bytes that the digest is of.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use super::CacheError;
use super::walk::check_regular;
use crate::digest::{Algorithm, Hasher, ObjectId};
use crate::fs::FsError;

/// Files up to this are read at once.
pub(super) const SMALL: u64 = 1 << 20;
/// What is read of larger files at a time; two such buffers are in use, and fit into the processor's cache.
const CHUNK: usize = 1 << 20;

/// Opens a regular file. Never waits, whatever stands there.
pub(super) fn open(path: &Path) -> Result<File, CacheError> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(flags).open(path).map_err(FsError::new("open", path))?;
    let metadata = file.metadata().map_err(FsError::new("look at", path))?;
    check_regular(path, metadata.file_type())?;
    Ok(file)
}

/// The digest of the file at `path`, which had `size` bytes when it was looked at.
pub(super) fn digest(path: &Path, size: u64, algorithm: Algorithm) -> Result<ObjectId, CacheError> {
    let mut file = open(path)?;
    let id = if size <= SMALL {
        small(&mut file, size).map(|bytes| Hasher::digest(algorithm, &bytes))
    } else {
        match algorithm {
            Algorithm::Blake3 => stream(&mut file, algorithm, &mut io::sink()),
            // One thread can do no better, and other files want the other threads.
            Algorithm::Md5 | Algorithm::Md5Dos2Unix => Hasher::read(algorithm, &mut file),
        }
    };
    id.map_err(|error| FsError::new("read", path)(error).into())
}

/// All bytes of a file that had `size` of them when it was looked at.
pub(super) fn small(file: &mut File, size: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1);
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Copies a large file to `out` and returns the digest of what was copied. While one part is hashed (on all cores, when
/// the algorithm allows it) and written, the next is read.
///
/// Reads rather than maps: a file that is truncated meanwhile would end the process.
pub(super) fn stream(file: &mut File, algorithm: Algorithm, out: &mut (impl Write + Send)) -> io::Result<ObjectId> {
    let mut hasher = Hasher::new(algorithm);
    let (mut now, mut next) = (Vec::with_capacity(CHUNK), Vec::with_capacity(CHUNK));
    fill(file, &mut now)?;
    while !now.is_empty() {
        let (written, filled) = rayon::join(
            || {
                hasher.update_parallel(&now);
                out.write_all(&now)
            },
            || fill(file, &mut next),
        );
        written?;
        filled?;
        std::mem::swap(&mut now, &mut next);
    }
    Ok(hasher.finish())
}

fn fill(file: &mut File, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    file.take(CHUNK as u64).read_to_end(buffer).map(|_| ())
}
