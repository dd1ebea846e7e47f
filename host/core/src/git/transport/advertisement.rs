//! [`Advertisement`]: what a git server says first: its references, and what it can do (gitprotocol-pack(5), version 0).
//!
//! libgit2 gets to see only references that have a good name: what a server sends is not to be trusted, and its Rust binding
//! panics at a name that is not UTF-8.

use std::io::{self, Read};

use super::super::{CommitId, RefName};
use crate::words::visible;

/// A line has four digits of length, which count themselves.
const LENGTH: usize = 4;
/// Of a million references.
const LARGEST: usize = 256 << 20;
/// What a server without references says its abilities of.
const NOTHING: &str = "capabilities^{}";

/// The first words of a server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Advertisement {
    /// As libgit2 reads them.
    pub(super) bytes: Vec<u8>,
    /// The references, but not what tags stand for.
    pub(super) refs: Vec<(RefName, CommitId)>,
}

/// How the words are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrapping {
    /// Not at all.
    Bare,
    /// As HTTP has it: behind a line that names the service.
    Service,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    /// It cannot be read, or ends too early.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server has an error to tell.
    #[error("{0}")]
    Said(String),
    /// It is nothing that git says.
    #[error("not the answer of a git server")]
    Malformed,
    /// Objects are named otherwise.
    #[error("objects are named by `{0}`")]
    Format(String),
}

/// Reads them to their end, and no further.
pub(super) fn read(from: &mut impl Read, wrapping: Wrapping) -> Result<Advertisement, Unreadable> {
    let mut answer = Advertisement::default();
    if wrapping == Wrapping::Service {
        let service = packet(from)?.ok_or(Unreadable::Malformed)?;
        if !service.starts_with(b"# service=") || packet(from)?.is_some() {
            return Err(Unreadable::Malformed);
        }
        put(&mut answer.bytes, &service);
        answer.bytes.extend(b"0000");
    }
    let mut abilities: Option<Vec<u8>> = None;
    let mut total = 0;
    let mut kept: Vec<Vec<u8>> = Vec::new();
    while let Some(line) = packet(from)? {
        total += line.len();
        if total > LARGEST {
            return Err(Unreadable::Malformed);
        }
        if let Some(words) = line.strip_prefix(b"ERR ") {
            return Err(Unreadable::Said(said(words)));
        }
        let mut parts = line.splitn(2, |byte| *byte == 0);
        let reference = parts.next().unwrap_or_default();
        if abilities.is_none() {
            abilities = Some(parts.next().unwrap_or_default().trim_ascii_end().to_vec());
        }
        if reference.starts_with(b"shallow ") {
            continue;
        }
        let (digits, name) = reference.split_at_checked(40).ok_or(Unreadable::Malformed)?;
        let digits = std::str::from_utf8(digits).ok().and_then(CommitId::parse).ok_or(Unreadable::Malformed)?;
        let name = name.strip_prefix(b" ").ok_or(Unreadable::Malformed)?.trim_ascii_end();
        let Ok(name) = std::str::from_utf8(name) else { continue };
        match RefName::parse(name.strip_suffix("^{}").unwrap_or(name)) {
            Ok(full) if full.as_str() == name => answer.refs.push((full, digits)),
            // What a tag stands for, and what another repository beside it has.
            Ok(_) => {}
            Err(_) if matches!(name, "HEAD" | ".have" | NOTHING) => {}
            Err(_) => continue,
        }
        if name != NOTHING {
            kept.push(format!("{digits} {name}").into_bytes());
        }
    }
    let abilities = abilities.unwrap_or_default();
    for ability in abilities.split(|byte| *byte == b' ') {
        if let Some(format) = ability.strip_prefix(b"object-format=").filter(|format| *format != b"sha1") {
            return Err(Unreadable::Format(said(format)));
        }
    }
    // A server that has no reference at all may say nothing.
    if kept.is_empty() && !abilities.is_empty() {
        kept.push(format!("{} {NOTHING}", "0".repeat(40)).into_bytes());
    }
    for (index, mut line) in kept.into_iter().enumerate() {
        if index == 0 {
            line.push(0);
            line.extend(&abilities);
        }
        line.push(b'\n');
        put(&mut answer.bytes, &line);
    }
    answer.bytes.extend(b"0000");
    Ok(answer)
}

/// One line; none at a flush.
fn packet(from: &mut impl Read) -> Result<Option<Vec<u8>>, Unreadable> {
    let mut length = [0; LENGTH];
    from.read_exact(&mut length)?;
    let digits = std::str::from_utf8(&length).ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let length = digits.and_then(|digits| usize::from_str_radix(digits, 16).ok()).ok_or(Unreadable::Malformed)?;
    if length == 0 {
        return Ok(None);
    }
    let mut line = vec![0; length.checked_sub(LENGTH).ok_or(Unreadable::Malformed)?];
    from.read_exact(&mut line)?;
    Ok(Some(line))
}

fn put(bytes: &mut Vec<u8>, line: &[u8]) {
    bytes.extend(format!("{:04x}", line.len() + LENGTH).bytes());
    bytes.extend(line);
}

/// What a server says, for a message.
fn said(bytes: &[u8]) -> String {
    visible(&String::from_utf8_lossy(bytes.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "1111111111111111111111111111111111111111";
    const B: &str = "2222222222222222222222222222222222222222";

    fn lines(lines: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        lines.iter().for_each(|line| put(&mut bytes, line));
        bytes.extend(b"0000");
        bytes
    }

    fn bare(bytes: &[u8]) -> Result<Advertisement, Unreadable> {
        read(&mut &*bytes, Wrapping::Bare)
    }

    fn line(id: &str, name: &[u8]) -> Vec<u8> {
        [id.as_bytes(), b" ", name].concat()
    }

    #[test]
    fn references_are_read_and_passed_on() {
        let bytes = lines(&[
            &line(A, b"HEAD\0ofs-delta agent=git/2\n"),
            &line(A, b"refs/heads/main\n"),
            &line(B, b"refs/tags/v1\n"),
            &line(A, b"refs/tags/v1^{}\n"),
        ]);
        let read = bare(&bytes).unwrap();
        assert_eq!(read.bytes, bytes);
        let names: Vec<&str> = read.refs.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["refs/heads/main", "refs/tags/v1"]);
    }

    #[test]
    fn names_that_are_none_do_not_pass() {
        let bad: [&[u8]; 6] = [
            b"refs/exps/../../heads/main",
            b"refs/exps/a\x1b[2J",
            b"refs/\xff",
            b"main",
            b"refs/a..b",
            b"refs/exps//x",
        ];
        for name in bad {
            // Also when the abilities stand behind such a name.
            let bytes = lines(&[&line(A, &[name, b"\0ofs-delta"].concat()), &line(B, b"refs/heads/main\n")]);
            let read = bare(&bytes).unwrap();
            assert_eq!(read.bytes, lines(&[&line(B, b"refs/heads/main\0ofs-delta\n")]));
            assert_eq!(read.refs.len(), 1);
            let alone = bare(&lines(&[&line(A, &[name, b"\0ofs-delta"].concat())])).unwrap();
            assert_eq!(alone.bytes, lines(&[&line(&"0".repeat(40), b"capabilities^{}\0ofs-delta\n")]));
        }
    }

    #[test]
    fn what_git_does_not_say_is_refused() {
        for bytes in [&b"<html>not found</html>"[..], b"0003", b"zzzz", b"+001", b"0008abcd0000"] {
            assert!(matches!(bare(bytes), Err(Unreadable::Malformed)), "{}", String::from_utf8_lossy(bytes));
        }
        assert!(matches!(bare(b"00"), Err(Unreadable::Io(_))));
        assert!(matches!(bare(b"00ff1111"), Err(Unreadable::Io(_))));
        let said = bare(&lines(&[b"ERR access denied\x1b[31m\n"])).unwrap_err();
        assert_eq!(said.to_string(), "access denied\u{fffd}[31m");
        let other = bare(&lines(&[&line(A, b"HEAD\0object-format=sha256")])).unwrap_err();
        assert!(matches!(other, Unreadable::Format(_)));
    }

    #[test]
    fn http_names_the_service_first() {
        let inner = lines(&[&line(A, b"refs/heads/main\0ofs-delta\n")]);
        let wrapped = [lines(&[b"# service=git-upload-pack\n"]), inner.clone()].concat();
        assert_eq!(read(&mut &*wrapped, Wrapping::Service).unwrap().bytes, wrapped);
        assert!(matches!(read(&mut &*inner, Wrapping::Service), Err(Unreadable::Malformed)));
        assert_eq!(bare(b"0000").unwrap(), Advertisement { bytes: b"0000".to_vec(), refs: Vec::new() });
    }

    proptest::proptest! {
        /// What passes once passes again as it is.
        #[test]
        fn no_bytes_are_a_panic(names in proptest::collection::vec("\\PC{0,20}|refs/[a-z/.]{0,9}", 0..5)) {
            let all: Vec<Vec<u8>> = names.iter().map(|name| line(A, name.as_bytes())).collect();
            let all: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
            if let Ok(once) = bare(&lines(&all)) {
                proptest::prop_assert_eq!(bare(&once.bytes).unwrap(), once);
            }
        }
    }
}
