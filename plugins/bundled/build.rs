//! Builds every `plugins/{params,executor,policy}-*` as a component and embeds it.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use dewar_plugin_build::{BuildError, Components, build, finish, prebuilt, rerun_if_changed, variable};

/// How the folders of bundled plugins begin; each is named after its package.
const KINDS: [&str; 3] = ["params-", "executor-", "policy-"];

fn main() -> ExitCode {
    finish(embed())
}

fn embed() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = here.ancestors().nth(2).ok_or("the workspace is two folders up")?;
    rerun_if_changed(&root.join("plugins"));
    let names = bundled(&root.join("plugins"))?;
    let files = match prebuilt() {
        Some(folder) => {
            rerun_if_changed(&folder);
            names.iter().map(|name| folder.join(name).with_extension("wasm")).collect()
        }
        None => build(root, Components::Libraries(&names), &[])?,
    };
    write_table(&names, &files)
}

/// The names of the bundled plugins, sorted.
fn bundled(plugins: &Path) -> Result<Vec<String>, BuildError> {
    let read_error = |source| BuildError::Read { path: plugins.to_owned(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(plugins).map_err(read_error)? {
        let path = entry.map_err(read_error)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if KINDS.iter().any(|kind| name.starts_with(kind)) && path.join("Cargo.toml").is_file() {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Copies the components beside the table, so that a nested build at the same time cannot change them under the compiler.
fn write_table(names: &[String], files: &[PathBuf]) -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    let mut table = String::from("&[\n");
    for (name, file) in names.iter().zip(files) {
        let bytes = fs::read(file).map_err(|source| BuildError::Read { path: file.clone(), source })?;
        let digest = blake3::hash(&bytes);
        fs::write(out.join(name).with_extension("wasm"), &bytes)?;
        writeln!(
            table,
            "    BundledPlugin {{ name: {name:?}, bytes: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.wasm\")), \
             blake3: \"{digest}\" }},"
        )?;
    }
    table.push(']');
    fs::write(out.join("bundled.rs"), table)?;
    Ok(())
}
