//! Who may import what. The two tables are the specification.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use super::{files, top};

/// The crates of the host, and which of each other they may name.
const CRATES: [(&str, &[&str]); 4] = [
    ("host/text", &[]),
    ("host/core", &["dewar-text"]),
    ("host/wasm", &["dewar-core", "dewar-text"]),
    ("host/cli", &["dewar-bundled", "dewar-core", "dewar-text", "dewar-wasm"]),
];

/// Libraries that one crate alone may name, because naming them is what the crate is for.
const OWNED: [(&str, &str); 6] = [
    ("wasmtime", "host/wasm"),
    ("wasmtime-wasi", "host/wasm"),
    ("clap", "host/cli"),
    ("anstream", "host/cli"),
    ("signal-hook", "host/cli"),
    ("git2", "host/core"),
];

/// The layers of core from the ground up. A module may import from its own layer and from those below it.
const LAYERS: [&[&str]; 8] = [
    &["path", "fs", "digest", "event", "words", "codec", "fnmatch", "python", "source", "lock", "url"],
    &[
        "config",
        "index",
        "params",
        "git",
        "pipeline",
        "cache",
        "extension",
        "repo",
        "ignore",
        "gitignore",
        "process",
        "resources",
    ],
    &["graph", "fingerprint", "observe", "workspace", "plan", "run_cache", "remote"],
    &["stage_run", "schedule", "track", "removal"],
    &["metrics", "repro", "dag", "why"],
    &["exp"],
    &["gc"],
    // What tests of several modules need.
    &["testing"],
];

/// What a module may import at most, where that is less than its layer would allow.
const NARROWER: [(&str, &[&str]); 1] = [("extension", &["path", "params", "event"])];

/// What `dewar-wasm` may name of core.
const OF_CORE_IN_WASM: [&str; 4] = ["extension", "params", "path", "event"];

#[test]
fn crates_name_only_what_stands_below_them() {
    for (folder, allowed) in CRATES {
        let named = dependencies(folder);
        let house = named.iter().filter(|name| name.starts_with("dewar-")).map(String::as_str);
        let beyond: Vec<&str> = house.filter(|name| !allowed.contains(name)).collect();
        assert!(beyond.is_empty(), "{folder} may not depend on {beyond:?}");
        for (library, owner) in OWNED {
            assert!(owner == folder || !named.contains(library), "{library} belongs to {owner}, not to {folder}");
        }
    }
}

#[test]
fn modules_of_core_import_downwards() {
    let layer_of: BTreeMap<&str, usize> = LAYERS
        .iter()
        .enumerate()
        .flat_map(|(layer, modules)| modules.iter().map(move |module| (*module, layer)))
        .collect();
    let mut wrong = Vec::new();
    for (module, imports) in modules("host/core/src") {
        let Some(layer) = layer_of.get(module.as_str()) else {
            wrong.push(format!("{module} stands in no layer: give it one"));
            continue;
        };
        let narrower = NARROWER.iter().find(|(name, _)| *name == module).map(|(_, allowed)| *allowed);
        for import in imports.iter().filter(|import| **import != module) {
            let is_below = layer_of.get(import.as_str()).is_some_and(|below| below <= layer);
            if !is_below || narrower.is_some_and(|allowed| !allowed.contains(&import.as_str())) {
                wrong.push(format!("{module} imports {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn wasm_knows_the_doors_of_core_alone() {
    for path in files(&top().join("host/wasm/src"), ".rs") {
        for import in first_segments(&production(&path), "dewar_core::") {
            assert!(OF_CORE_IN_WASM.contains(&import.as_str()), "{} imports dewar_core::{import}", path.display());
        }
    }
}

#[test]
fn the_reader_of_imports_sees_them() {
    let source = "use crate::path::RepoPath;\nuse crate::{fs::{self, read}, digest};\nfn f() { crate::event::x() }\n// crate::exp\n";
    let seen = first_segments(source, "crate::");
    assert_eq!(seen, ["path", "fs", "digest", "event"].map(str::to_owned).into());
}

/// The names of `[dependencies]`; those of tests are free.
fn dependencies(folder: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(top().join(folder).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    manifest["dependencies"].as_table().unwrap().keys().cloned().collect()
}

/// The top modules of a crate, each with the top modules that its production code names.
fn modules(source: &str) -> BTreeMap<String, BTreeSet<String>> {
    let source = top().join(source);
    let mut modules: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in files(&source, ".rs") {
        let below = path.strip_prefix(&source).unwrap();
        let first = below.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.strip_suffix(".rs").unwrap_or(first);
        let is_test = |part: &OsStr| part == "tests" || part == "tests.rs";
        if module != "lib" && !below.iter().any(is_test) {
            modules.entry(module.to_owned()).or_default().extend(first_segments(&production(&path), "crate::"));
        }
    }
    modules
}

/// A file up to its tests.
fn production(path: &Path) -> String {
    let source = fs::read_to_string(path).unwrap();
    source.split("#[cfg(test)]\nmod ").next().unwrap_or_default().to_owned()
}

/// The names that stand right behind `prefix`, also those in braces behind it. Comments are passed over.
fn first_segments(source: &str, prefix: &str) -> BTreeSet<String> {
    let code: Vec<&str> = source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            None => found.extend(identifier(rest)),
            Some(group) => found.extend(top_level_items(group).into_iter().filter_map(identifier)),
        }
    }
    found
}

/// The parts of a `use` group between commas that are not in inner braces.
fn top_level_items(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                items.push(&group[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items
}

fn identifier(text: &str) -> Option<String> {
    let name: String = text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}
