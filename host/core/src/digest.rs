//! [`ObjectId`]: the name of a content, and how it is computed.

use std::fmt;
use std::io::{self, Read};

use md5::Digest as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How contents are named. One algorithm a project, never both at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Algorithm {
    /// The default of new projects.
    Blake3,
    /// What DVC 3 uses: MD5 of the bytes (lock entries with `hash: md5`).
    Md5,
    /// What DVC 2 used: MD5 with CRLF read as LF in files that look like text (lock entries without `hash`). Only verified,
    /// never written.
    Md5Dos2Unix,
}

impl Algorithm {
    /// The key of the digest in lock entries, and the name of its folder in the cache.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Blake3 => "blake3",
            Self::Md5 | Self::Md5Dos2Unix => "md5",
        }
    }

    /// How many bytes its digests have.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Self::Blake3 => 32,
            Self::Md5 | Self::Md5Dos2Unix => 16,
        }
    }
}

/// The name of a content: its digest in hexadecimal, and whether it is a directory's listing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    algorithm: Algorithm,
    /// Lower-case hexadecimal, with `.dir` behind it for a directory, as DVC writes it.
    text: String,
}

/// A text that names no content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a digest")]
pub struct BadObjectId(pub String);

/// What stands behind the digest of a directory (DVC's convention).
const DIRECTORY_SUFFIX: &str = ".dir";

impl ObjectId {
    /// Reads what stands in a lock entry.
    ///
    /// # Errors
    /// When it is not the hexadecimal digest of `algorithm`; a hostile text cannot become a path.
    pub fn parse(algorithm: Algorithm, text: &str) -> Result<Self, BadObjectId> {
        let digest = text.strip_suffix(DIRECTORY_SUFFIX).unwrap_or(text);
        if digest.len() == 2 * algorithm.length()
            && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        {
            return Ok(Self { algorithm, text: text.to_owned() });
        }
        Err(BadObjectId(text.to_owned()))
    }

    /// The name that these bytes of a digest make; none when they are not as many as `algorithm` gives.
    #[must_use]
    pub fn from_digest(algorithm: Algorithm, digest: &[u8]) -> Option<Self> {
        (digest.len() == algorithm.length()).then(|| Self { algorithm, text: hex(digest) })
    }

    /// The same digest as that of a directory's listing.
    #[must_use]
    pub fn into_directory(mut self) -> Self {
        if !self.is_directory() {
            self.text.push_str(DIRECTORY_SUFFIX);
        }
        self
    }

    /// How it was computed.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether it names the listing of a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.text.ends_with(DIRECTORY_SUFFIX)
    }

    /// The text of lock entries: hexadecimal, `.dir` behind it for a directory.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Serialize for ObjectId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        (self.algorithm, &self.text).serialize(to)
    }
}

/// Checked as [`ObjectId::parse`] does, since it becomes a path.
impl<'de> Deserialize<'de> for ObjectId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (algorithm, text) = <(Algorithm, &str)>::deserialize(from)?;
        Self::parse(algorithm, text).map_err(de::Error::custom)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Computes an [`ObjectId`] of what is fed to it.
#[derive(Debug, Clone)]
pub struct Hasher {
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    Blake3(Box<blake3::Hasher>),
    Md5(md5::Md5),
    Md5Dos2Unix(Dos2Unix),
}

impl Hasher {
    /// A hasher of nothing yet.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        let state = match algorithm {
            Algorithm::Blake3 => State::Blake3(Box::new(blake3::Hasher::new())),
            Algorithm::Md5 => State::Md5(md5::Md5::new()),
            Algorithm::Md5Dos2Unix => State::Md5Dos2Unix(Dos2Unix::default()),
        };
        Self { state }
    }

    /// Feeds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Blake3(hasher) => {
                hasher.update(bytes);
            }
            State::Md5(hasher) => hasher.update(bytes),
            State::Md5Dos2Unix(hasher) => hasher.update(bytes),
        }
    }

    /// Feeds many bytes, on all cores when the algorithm allows it.
    pub fn update_parallel(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Blake3(hasher) => {
                hasher.update_rayon(bytes);
            }
            State::Md5(_) | State::Md5Dos2Unix(_) => self.update(bytes),
        }
    }

    /// The name of all that was fed.
    #[must_use]
    pub fn finish(self) -> ObjectId {
        match self.state {
            State::Blake3(hasher) => {
                ObjectId { algorithm: Algorithm::Blake3, text: hasher.finalize().to_hex().to_string() }
            }
            State::Md5(hasher) => ObjectId { algorithm: Algorithm::Md5, text: hex(&hasher.finalize()) },
            State::Md5Dos2Unix(hasher) => ObjectId { algorithm: Algorithm::Md5Dos2Unix, text: hasher.finish() },
        }
    }

    /// The name of `bytes`.
    #[must_use]
    pub fn digest(algorithm: Algorithm, bytes: &[u8]) -> ObjectId {
        let mut hasher = Self::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// The name of what `reader` gives, on one thread, in constant memory.
    ///
    /// # Errors
    /// What the reader says.
    pub fn read(algorithm: Algorithm, reader: &mut impl Read) -> io::Result<ObjectId> {
        let mut hasher = Self::new(algorithm);
        let mut buffer = vec![0; 1 << 18];
        loop {
            match reader.read(&mut buffer)? {
                0 => return Ok(hasher.finish()),
                read => hasher.update(buffer.get(..read).unwrap_or_default()),
            }
        }
    }
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for digit in bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
        text.push(char::from(digit + if digit < 10 { b'0' } else { b'a' - 10 }));
    }
    text
}

/// DVC 2's MD5: of a file that looks like text, CRLF is read as LF.
///
/// The verdict is that of the first 512 bytes: no NUL, and at most 30 % of bytes that are not printable ASCII or one of
/// `\n\r\t\f\b` (`dvc.istextfile`, DVC 2.58). Nothing at all is text. A CRLF that falls on the edge of a 1 MiB chunk of the
/// file is left alone, as there.
#[derive(Debug, Clone, Default)]
struct Dos2Unix {
    hasher: md5::Md5,
    chunk: Vec<u8>,
    is_text: Option<bool>,
}

impl Dos2Unix {
    const CHUNK: usize = 1 << 20;

    fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(Self::CHUNK - self.chunk.len()));
            self.chunk.extend_from_slice(now);
            bytes = later;
            if self.chunk.len() == Self::CHUNK {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        let is_text = *self.is_text.get_or_insert_with(|| looks_like_text(&self.chunk));
        if is_text {
            let mut out = Vec::with_capacity(self.chunk.len());
            let mut rest = self.chunk.iter().copied().peekable();
            while let Some(byte) = rest.next() {
                if byte != b'\r' || rest.peek() != Some(&b'\n') {
                    out.push(byte);
                }
            }
            self.hasher.update(&out);
        } else {
            self.hasher.update(&self.chunk);
        }
        self.chunk.clear();
    }

    fn finish(mut self) -> String {
        self.flush();
        hex(&self.hasher.finalize())
    }
}

fn looks_like_text(chunk: &[u8]) -> bool {
    let head = chunk.get(..512).unwrap_or(chunk);
    if head.contains(&0) {
        return false;
    }
    let odd = head.iter().filter(|byte| !matches!(byte, 32..=126 | b'\n' | b'\r' | b'\t' | 0x0c | 0x08)).count();
    odd * 10 <= head.len() * 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_known_contents() {
        assert_eq!(Hasher::digest(Algorithm::Md5, b"abc").as_str(), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(
            Hasher::digest(Algorithm::Blake3, b"abc").as_str(),
            "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
        );
    }

    #[test]
    fn dos2unix_reads_line_ends_alike_in_text_only() {
        let id = |bytes: &[u8]| Hasher::digest(Algorithm::Md5Dos2Unix, bytes);
        assert_eq!(id(b"a\r\nb\n"), id(b"a\nb\n"));
        assert_ne!(id(b"a\r\nb\0"), id(b"a\nb\0"));
        assert_eq!(id(b"").as_str(), "d41d8cd98f00b204e9800998ecf8427e");
        assert_ne!(id(b"a\rb"), id(b"ab"));
    }

    #[test]
    fn a_digest_is_never_a_path() {
        assert!(ObjectId::parse(Algorithm::Md5, "900150983cd24fb0d6963f7d28e17f72.dir").unwrap().is_directory());
        for bad in ["", "../../../etc/passwd", "900150983CD24FB0D6963F7D28E17F72", "90015098"] {
            assert_eq!(ObjectId::parse(Algorithm::Md5, bad), Err(BadObjectId(bad.into())));
        }
    }
}
