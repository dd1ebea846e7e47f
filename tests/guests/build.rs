//! Builds the guests, which are the examples of this package, as components, and embeds them into its library.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use dewar_plugin_build::{Components, build, finish, variable};

const GUESTS: [&str; 5] = ["hostile_format", "hostile_executor", "hostile_policy", "simple_policy", "plain_format"];

fn main() -> ExitCode {
    finish(embed())
}

fn embed() -> Result<(), Box<dyn Error>> {
    // The nested build comes here again for the guests themselves.
    if variable("CARGO_CFG_TARGET_FAMILY")? == "wasm" {
        return Ok(());
    }
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = here.ancestors().nth(2).ok_or("the workspace is two folders up")?;
    let examples = Components::Examples { package: "dewar-guests", names: &GUESTS };
    let files = build(root, examples, &["tests/guests"])?;
    let out = PathBuf::from(variable("OUT_DIR")?);
    let mut table = String::new();
    for (name, file) in GUESTS.iter().zip(files) {
        let copy = format!("{name}.wasm");
        fs::copy(file, out.join(&copy))?;
        let constant = name.to_uppercase();
        writeln!(table, "/// The component of `examples/{name}.rs`.")?;
        writeln!(table, "pub const {constant}: &[u8] = include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{copy}\"));")?;
    }
    fs::write(out.join("guests.rs"), table)?;
    Ok(())
}
