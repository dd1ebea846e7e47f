//! What stands in URLs, whatever they lead to: where a `file:` URL leads, and what `%20` stands for. No step of the walk.

use std::path::PathBuf;

/// Why a `file:` URL leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileUrlError {
    /// To another machine.
    Elsewhere {
        /// Its name.
        host: String,
    },
    /// It has no path, or one that no file has.
    Malformed,
}

/// The path that stands behind `file://`: always one from the root, of this machine (RFC 8089).
///
/// # Errors
/// [`FileUrlError`].
pub(crate) fn file_path(rest: &str) -> Result<PathBuf, FileUrlError> {
    let (host, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).ok_or(FileUrlError::Malformed)?;
    if !host.is_empty() && !host.eq_ignore_ascii_case("localhost") {
        return Err(FileUrlError::Elsewhere { host: host.to_owned() });
    }
    decoded(path).map(PathBuf::from).ok_or(FileUrlError::Malformed)
}

/// `%20` and the like as what they stand for; none for what is not UTF-8 then, or has control characters.
#[must_use]
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let digits = (byte == b'%').then(|| Some((nibble(ahead.next()?)?, nibble(ahead.next()?)?))).flatten();
        match digits {
            Some((high, low)) => {
                bytes.push(high << 4 | low);
                rest = ahead;
            }
            None => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains(char::is_control))
}

fn nibble(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_one_of_this_machine() {
        for text in ["/a%20b", "localhost/a%20b", "LOCALHOST/a b"] {
            assert_eq!(file_path(text).unwrap(), PathBuf::from("/a b"), "{text}");
        }
        for host in ["host", "..", "a%20b"] {
            assert_eq!(file_path(&format!("{host}/a")), Err(FileUrlError::Elsewhere { host: host.into() }));
        }
        for text in ["", "a", "localhost", "/%00", "/%ff"] {
            assert_eq!(file_path(text), Err(FileUrlError::Malformed), "{text}");
        }
    }
}
