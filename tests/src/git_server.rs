//! [`GitServer`]: git repositories behind HTTP.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Git repositories behind HTTP, on a port of this machine, until it is dropped. The first part of a path says how the server
/// behaves: `open`, `private` (asks for the name `ada` and the password `s€cret/@`), `moved` (to `private`), `marked` (wants the
/// header `X-Mark: yes`), `forbidden`, `busy`, `page` and `elsewhere` (no git), `stall` (never answers).
#[derive(Debug)]
pub struct GitServer {
    child: Child,
    /// Such as `http://127.0.0.1:8000`.
    pub url: String,
    log: PathBuf,
}

/// Whether what is said is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encrypted {
    /// It is, by [`GitServer::certificate`].
    Yes,
    /// Anyone can read it.
    No,
}

impl GitServer {
    /// Serves the repositories in the folder `root`, and writes what it is asked to the file `log`.
    ///
    /// # Panics
    /// When it cannot be started; it is written in Python.
    #[must_use]
    pub fn new(root: &Path, log: PathBuf, encrypted: Encrypted) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let (scheme, certificate) = match encrypted {
            Encrypted::Yes => ("https", Self::certificate()),
            Encrypted::No => ("http", PathBuf::new()),
        };
        let mut child = Command::new("python3")
            .arg(folder.join("git_server.py"))
            .args([root, &certificate, &log])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { child, url: format!("{scheme}://127.0.0.1:{}", port.trim()), log }
    }

    /// The certificate of an encrypted server, which nobody but a test trusts; with its key, which is no secret.
    #[must_use]
    pub fn certificate() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/localhost.pem")
    }

    /// The requests so far, one a line, each with what it proved itself with.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        fs::read_to_string(&self.log).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
