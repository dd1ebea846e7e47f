//! The black-box tests of the program: one binary, one file a subject.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "everything here is a test")]

mod apply;
mod bad_input;
mod bad_params;
mod chains;
mod checkpoint_kills;
mod checkpoints;
mod checkpoints_adverse;
mod checkpoints_example;
mod clean;
mod clients;
mod config;
mod dag;
mod data;
mod diff;
mod explain;
mod flight;
mod full_disk;
mod gc;
mod overrides;
mod parallel;
mod plugins;
mod policies;
mod pull;
mod queue;
mod remotes;
mod rename;
mod runs;
mod save;
mod sharing;
mod sharing_http;
mod shell;
mod show;
mod show_queue;
mod stages;
mod status;
mod sweeps;
mod targets;
mod temp;
mod torture;
mod trust;
mod usage;
mod why;

use std::collections::BTreeSet;
use std::path::Path;

use dewar_tests::TestRepo;

/// A repository for the program that cargo built for these tests.
fn repo() -> TestRepo {
    TestRepo::new(env!("CARGO_BIN_EXE_dewar"))
}

#[test]
fn no_file_is_forgotten() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cli");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "main")
        .collect();
    let modules: BTreeSet<String> = include_str!("main.rs")
        .lines()
        .filter_map(|line| Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned()))
        .collect();
    assert_eq!(files, modules, "each file of tests/cli needs its `mod` line in main.rs");
}
