//! [`run_cases`]: a format against folders of files.

use std::fmt;
use std::path::{Path, PathBuf};

use dewar_text::Edit;

use crate::{Answer, Format, check, notation};

/// Why a case failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A file could not be read or written.
    #[error("{}: cannot {verb} it: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        verb: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
    /// `edits.txt` is not written as it should be.
    #[error("{}: {error}", path.display())]
    Notation {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: notation::NotationError,
    },
    /// There are no cases, so nothing was tested.
    #[error("{}: there are no cases", path.display())]
    NoCases {
        /// The folder.
        path: PathBuf,
    },
    /// The format answered something else.
    #[error("{}: expected\n{expected}\nbut got\n{got}", path.display())]
    Differs {
        /// The file that holds what was expected.
        path: PathBuf,
        /// Its text.
        expected: String,
        /// What came.
        got: String,
    },
    /// The answer is as expected, and wrong for every format.
    #[error("{}: {error}", path.display())]
    Unsound {
        /// The case.
        path: PathBuf,
        /// What is wrong.
        error: check::Unsound,
    },
}

/// All failures of a run; `Debug` prints them for people, since tests show that.
pub struct Failures(pub Vec<Failure>);

impl fmt::Debug for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} failed", self.0.len())?;
        self.0.iter().try_for_each(|failure| writeln!(f, "\n{failure}"))
    }
}

/// Runs every case in the folders of `dir` and returns how many there were.
///
/// # Errors
/// What failed, all of it.
pub fn run_cases(format: &Format<'_>, dir: impl AsRef<Path>) -> Result<usize, Failures> {
    let dir = dir.as_ref();
    let folders = folders(dir).map_err(|failure| Failures(vec![failure]))?;
    let failures: Vec<Failure> = folders.iter().filter_map(|folder| run_case(format, folder).err()).collect();
    if folders.is_empty() {
        return Err(Failures(vec![Failure::NoCases { path: dir.to_owned() }]));
    }
    if failures.is_empty() { Ok(folders.len()) } else { Err(Failures(failures)) }
}

fn folders(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::File { path: dir.to_owned(), verb: "list", error };
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

fn run_case(format: &Format<'_>, folder: &Path) -> Result<(), Failure> {
    let source = read(&folder.join(format!("in.{}", format.suffix)))?;
    let unsound = |error| Failure::Unsound { path: folder.to_owned(), error };
    let edits_file = folder.join("edits.txt");
    let answer = if edits_file.exists() {
        let edits = String::from_utf8_lossy(&read(&edits_file)?).into_owned();
        let edits = notation::edits(&edits).map_err(|error| Failure::Notation { path: edits_file, error })?;
        edit(format, &source, &edits).map_err(unsound)?.map(|out| (format!("out.{}", format.suffix), out))
    } else {
        match (format.read)(&source) {
            Ok(tree) => {
                check::spans(&source, &tree).map_err(unsound)?;
                Ok(("tree.txt".to_owned(), notation::tree(&source, &tree).into_bytes()))
            }
            Err(diagnostics) => Err(diagnostics),
        }
    };
    let (name, got) =
        answer.unwrap_or_else(|said| ("error.txt".to_owned(), notation::diagnostics(&source, &said).into_bytes()));
    expect(folder, &name, &got)
}

fn edit(format: &Format<'_>, source: &[u8], edits: &[Edit]) -> Result<Answer<Vec<u8>>, check::Unsound> {
    match (format.edit)(source, edits) {
        Ok(out) => check::values(format, source, edits, &out).map(|()| Ok(out)),
        Err(diagnostics) => Ok(Err(diagnostics)),
    }
}

/// Holds `got` against the file `name`; with `TESTKIT=overwrite` makes it the file.
fn expect(folder: &Path, name: &str, got: &[u8]) -> Result<(), Failure> {
    let path = folder.join(name);
    if std::env::var_os("TESTKIT").is_some_and(|mode| mode == "overwrite") {
        return std::fs::write(&path, got).map_err(|error| Failure::File { path, verb: "write", error });
    }
    // A case that expects a refusal must not pass because it holds an `out` too, nor the other way round.
    let expected = match std::fs::read(&path) {
        Ok(expected) => expected,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let expected = "no such answer: the file is not there".to_owned();
            return Err(Failure::Differs { path, expected, got: String::from_utf8_lossy(got).into_owned() });
        }
        Err(error) => return Err(Failure::File { path, verb: "read", error }),
    };
    if expected == got {
        return Ok(());
    }
    let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\r', "\u{240d}").replace('\u{feff}', "\u{2402}");
    Err(Failure::Differs { path, expected: show(&expected), got: show(got) })
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::File { path: path.to_owned(), verb: "read", error })
}
