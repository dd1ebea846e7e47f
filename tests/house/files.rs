//! What stands where, and how long it may be.

use std::collections::BTreeSet;
use std::fs;

use super::{files, top};

/// Everything that is not a dot-file at the top; `LICENSE` because every reader looks for it there, the toolchain because
/// rustup does, `target` because cargo writes it.
const TOP: [&str; 10] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "examples",
    "host",
    "plugins",
    "rust-toolchain.toml",
    "tests",
    "wit",
];

/// Rust files that may be longer than the rest, and why.
const LONG: [(&str, &str); 1] = [("host/text/src/yaml/write/tests.rs", "a table: what ruamel writes, value by value")];

/// The folders with Rust of the house.
const SOURCES: [&str; 4] = ["host", "plugins", "tests", "examples"];

#[test]
fn the_top_holds_what_the_design_says() {
    let found: BTreeSet<String> = fs::read_dir(top())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && name != "target")
        .collect();
    assert_eq!(found, TOP.map(str::to_owned).into());
}

#[test]
fn every_module_says_what_it_owns() {
    let silent: Vec<_> = SOURCES
        .iter()
        .flat_map(|folder| files(&top().join(folder), ".rs"))
        // A module of tests is owned by what it tests, an example program begins with what it is for in any form.
        .filter(|path| path.file_name().is_some_and(|name| name != "tests.rs"))
        .filter(|path| path.parent().is_none_or(|folder| !folder.ends_with("tests")))
        .filter(|path| !fs::read_to_string(path).unwrap().starts_with("//!"))
        .collect();
    assert!(silent.is_empty(), "begin with `//!` and what the module owns: {silent:#?}");
}

#[test]
fn no_file_grows_beyond_one_subject() {
    let mut grown = Vec::new();
    for path in SOURCES.iter().flat_map(|folder| files(&top().join(folder), ".rs")) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        let name = path.strip_prefix(top()).unwrap().to_str().unwrap().to_owned();
        let is_listed = LONG.iter().any(|(long, _)| *long == name);
        if lines > 500 && !is_listed {
            grown.push(format!("{name}: {lines} lines"));
        }
        assert!(lines > 500 || !is_listed, "{name} is short enough again: take it off the list");
    }
    assert!(grown.is_empty(), "split by subject, or list it with a reason: {grown:#?}");
}

/// A reader follows the walk from `host/README.md` to the files, so the files must be there.
#[test]
fn what_the_walk_names_is_there() {
    let walk = fs::read_to_string(top().join("host/README.md")).unwrap();
    let named: Vec<&str> = walk.split('`').skip(1).step_by(2).filter(|text| text.contains('/')).collect();
    assert!(named.len() > 15, "the walk names its files: {named:?}");
    let is_there = |path: &&str| top().join("host").join(path).exists() || top().join(path).exists();
    let missing: Vec<&str> = named.into_iter().filter(|path| !path.contains('…') && !is_there(path)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
