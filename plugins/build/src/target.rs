//! The Rust target of components: whether it is installed, and adding it.

use std::path::Path;
use std::process::{Command, Output};

use crate::{BuildError, TARGET, directive, variable};

/// Adds the target with rustup when it is missing, and says so.
pub(crate) fn ensure() -> Result<(), BuildError> {
    if is_installed()? {
        return Ok(());
    }
    directive("warning", &format!("adding the Rust target {TARGET}: rustup target add {TARGET}"));
    // rustup itself set RUSTUP_TOOLCHAIN when it chose the cargo that runs us, so the target goes to the right toolchain.
    let reason = match Command::new("rustup").args(["target", "add", TARGET]).output() {
        Ok(output) if output.status.success() && is_installed()? => return Ok(()),
        Ok(output) => format!("rustup could not add it ({})", last_line(&output.stderr)),
        Err(_) => "there is no rustup on the PATH to add it".to_owned(),
    };
    Err(BuildError::NoTarget { reason })
}

fn is_installed() -> Result<bool, BuildError> {
    let rustc = variable("RUSTC")?;
    let Output { status, stdout, .. } = Command::new(&rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .map_err(|source| BuildError::CannotRun { program: rustc.into(), source })?;
    Ok(status.success() && Path::new(String::from_utf8_lossy(&stdout).trim()).is_dir())
}

fn last_line(text: &[u8]) -> String {
    String::from_utf8_lossy(text).lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().to_owned()
}
