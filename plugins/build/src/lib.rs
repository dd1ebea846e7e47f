//! For build scripts: builds components of this workspace with a nested cargo, so that a plain `cargo build` or `cargo test` of
//! the host needs nothing else.
//!
//! The nested cargo has a target folder of its own beside that of the outer one (a shared one would deadlock on cargo's lock),
//! the profile `plugin`, and an environment without what the outer build put there: `RUSTFLAGS`, wrappers such as clippy's, or a
//! coverage profile are meant for the host. It is run with `--locked`, so that it needs no network once everything is fetched.
//!
//! A target `wasm32-wasip2` that is missing is added with rustup.

use std::env;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

mod target;

/// What components are built for. `rustc` makes a component of it, not only a module.
pub const TARGET: &str = "wasm32-wasip2";

/// The profile of the workspace that components are built with.
const PROFILE: &str = "plugin";

/// Why the components could not be built. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// This is not a build script.
    #[error("`{0}` is not set: this runs in a build script only")]
    NoVariable(&'static str),
    /// A tool could not be started.
    #[error("cannot run `{}`: {source}", .program.display())]
    CannotRun {
        /// Which one.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The nested cargo failed; it has printed why.
    #[error("cargo could not build the components ({status}); its messages are above")]
    Cargo {
        /// How it ended.
        status: ExitStatus,
    },
    /// The target is missing, and it could not be added.
    #[error("the Rust target `{TARGET}` is missing and {reason}; add it with `rustup target add {TARGET}` \
             (or your distribution's package of it), or set `{variable}` to a folder of built plugins",
            variable = PREBUILT)]
    NoTarget {
        /// Why it could not be added.
        reason: String,
    },
    /// A folder could not be listed, or a file not read.
    #[error("cannot read `{}`: {source}", .path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Names a folder with a built `<package>.wasm` for each plugin, for distributions that build them in a step of their own.
pub const PREBUILT: &str = "DEWAR_PREBUILT_PLUGINS";

/// What to build of the workspace.
#[derive(Debug, Clone, Copy)]
pub enum Components<'a> {
    /// The libraries (`cdylib`) of these packages.
    Libraries(&'a [String]),
    /// These examples (`cdylib`) of one package.
    Examples {
        /// The package.
        package: &'a str,
        /// Their names.
        names: &'a [&'a str],
    },
}

/// Builds the components and returns their files, in the order asked for.
///
/// `root` is the folder of the workspace. Tells cargo to run the build script again when `sources`, folders or files relative
/// to `root`, change; the manifest and the lock of the workspace, the SDK and the WIT package are always among them.
///
/// # Errors
/// When they cannot be built.
pub fn build(root: &Path, components: Components<'_>, sources: &[&str]) -> Result<Vec<PathBuf>, BuildError> {
    for source in ["Cargo.toml", "Cargo.lock", "wit", "plugins/sdk", "host/text"].iter().chain(sources) {
        rerun_if_changed(&root.join(source));
    }
    target::ensure()?;
    let target_dir = nested_target_dir()?;
    let cargo = variable("CARGO")?;
    let mut command = Command::new(&cargo);
    command.current_dir(root).args(["build", "--locked", "--target", TARGET, "--profile", PROFILE, "--target-dir"]);
    command.arg(&target_dir);
    match components {
        Components::Libraries(packages) => {
            command.arg("--lib");
            command.args(packages.iter().flat_map(|package| ["--package", package]));
        }
        Components::Examples { package, names } => {
            command.args(["--package", package]);
            command.args(names.iter().flat_map(|name| ["--example", name]));
        }
    }
    clear_environment(&mut command, root);
    let status = command.status().map_err(|source| BuildError::CannotRun { program: PathBuf::from(&cargo), source })?;
    if !status.success() {
        return Err(BuildError::Cargo { status });
    }
    let built = target_dir.join(TARGET).join(PROFILE);
    Ok(match components {
        Components::Libraries(packages) => {
            packages.iter().map(|package| built.join(package.replace('-', "_")).with_extension("wasm")).collect()
        }
        Components::Examples { names, .. } => {
            names.iter().map(|name| built.join("examples").join(name).with_extension("wasm")).collect()
        }
    })
}

/// Ends a build script: an error is shown as cargo shows its own, in words.
#[must_use]
pub fn finish(result: Result<(), Box<dyn Error>>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    directive("error", &error.to_string());
    ExitCode::FAILURE
}

/// The folder of prebuilt plugins that the person who builds named with [`PREBUILT`].
#[must_use]
pub fn prebuilt() -> Option<PathBuf> {
    directive("rerun-if-env-changed", PREBUILT);
    env::var_os(PREBUILT).filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// Tells cargo to run the build script again when `path`, a file or a folder with all below it, changes.
pub fn rerun_if_changed(path: &Path) {
    directive("rerun-if-changed", &path.display().to_string());
}

/// The variable of a build script that cargo sets.
///
/// # Errors
/// When it is not there.
pub fn variable(name: &'static str) -> Result<OsString, BuildError> {
    env::var_os(name).ok_or(BuildError::NoVariable(name))
}

/// A line that cargo reads.
#[expect(clippy::print_stdout, reason = "it is how a build script speaks to cargo")]
fn directive(key: &str, value: &str) {
    println!("cargo::{key}={value}");
}

/// `components` in the target folder of the outer build, so that debug and release builds of the host share it and `cargo clean`
/// takes it away: `OUT_DIR` is `<target>/<profile>/build/<package>/out`.
fn nested_target_dir() -> Result<PathBuf, BuildError> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    let in_known_layout = out.ancestors().nth(2).and_then(Path::file_name) == Some(OsStr::new("build"));
    let outer = out.ancestors().nth(4).filter(|_| in_known_layout).unwrap_or(&out);
    Ok(outer.join("components"))
}

/// Takes away what the outer build left in the environment.
fn clear_environment(command: &mut Command, root: &Path) {
    for (name, _) in env::vars_os() {
        if name.to_str().is_none_or(is_of_outer_build) {
            command.env_remove(name);
        }
    }
    // An explicit value wins over `build.rustflags` of the user's configuration, which is meant for the host. Source paths are
    // remapped so that the same sources give the same component on every machine.
    let mut flags = vec![remap(root.as_os_str(), "dewar")];
    if let Some(home) = env::var_os("CARGO_HOME").or_else(|| Some(env::home_dir()?.join(".cargo").into())) {
        flags.push(remap(&home, "cargo"));
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join(OsStr::new("\x1f")));
}

fn remap(from: &OsStr, to: &str) -> OsString {
    let mut flag = OsString::from("--remap-path-prefix=");
    flag.push(from);
    flag.push("=");
    flag.push(to);
    flag
}

/// Whether a variable belongs to the outer build rather than to the machine or the user.
fn is_of_outer_build(name: &str) -> bool {
    const MACHINE: [&str; 7] = [
        "CARGO_HOME",
        "CARGO_NET_",
        "CARGO_HTTP_",
        "CARGO_REGISTRY_",
        "CARGO_REGISTRIES_",
        "CARGO_SOURCE_",
        "CARGO_TERM_",
    ];
    const OUTER: [&str; 8] = ["CARGO", "RUSTC", "RUSTFLAGS", "RUSTDOC", "CLIPPY", "LLVM_PROFILE", "DEP_", "__CARGO"];
    const EXACT: [&str; 9] =
        ["OUT_DIR", "TARGET", "HOST", "PROFILE", "DEBUG", "OPT_LEVEL", "NUM_JOBS", "MAKEFLAGS", "MFLAGS"];
    EXACT.contains(&name)
        || (OUTER.iter().any(|prefix| name.starts_with(prefix))
            && !MACHINE.iter().any(|prefix| name.starts_with(prefix)))
}

#[cfg(test)]
mod tests {
    use super::is_of_outer_build;

    #[test]
    fn what_the_outer_build_set_goes_and_what_the_machine_set_stays() {
        for outer in [
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTFLAGS",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "CARGO_TARGET_DIR",
            "CARGO_BUILD_TARGET",
            "CARGO_CFG_UNIX",
            "CARGO_FEATURE_X",
            "CARGO_PROFILE_DEV_DEBUG",
            "CARGO_MANIFEST_DIR",
            "LLVM_PROFILE_FILE",
            "CLIPPY_ARGS",
            "TARGET",
        ] {
            assert!(is_of_outer_build(outer), "{outer}");
        }
        for machine in
            ["PATH", "HOME", "CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_HTTP_CAINFO", "RUSTUP_TOOLCHAIN", "TMPDIR"]
        {
            assert!(!is_of_outer_build(machine), "{machine}");
        }
    }
}
