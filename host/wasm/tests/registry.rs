//! Which plugin serves what: the first folder wins, what is broken is named when it would have served, bundled plugins come
//! through the same door.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "what a test calls may fail loudly, as the test itself"
)]

mod support;

use std::sync::Arc;

use dewar_bundled::BUNDLED;
use dewar_core::event::Silent;
use dewar_core::extension::{ExtensionError, Extensions, Value};
use dewar_guests::{HOSTILE_EXECUTOR, HOSTILE_FORMAT, SIMPLE_POLICY};
use dewar_wasm::{Bundled, Kind, Limits, PluginRegistry, Setup};
use support::{compiled, folder, path, registry, replaced};

fn with_bundled(directories: Vec<std::path::PathBuf>) -> PluginRegistry {
    let bundled = BUNDLED.iter().map(|plugin| Bundled { bytes: plugin.bytes, digest: plugin.blake3 });
    PluginRegistry::new(Setup {
        directories,
        bundled: bundled.collect(),
        grants: Vec::new(),
        compiled: Some(compiled()),
        limits: Limits::default(),
        events: Arc::new(Silent),
    })
}

fn rejection(error: Option<ExtensionError>) -> String {
    match error {
        Some(ExtensionError::Rejected { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_bundled_plugins_come_through_the_same_door() {
    let registry = with_bundled(Vec::new());
    let yaml = registry.param_format(&path("conf/params.yaml")).unwrap();
    assert_eq!(yaml.id().name, "params-yaml");
    let value = yaml.read(b"lr: 0.1 # rate\n").unwrap();
    assert_eq!(value.as_map().unwrap()["lr"], Value::Float(0.1));
    for (file, name) in
        [("a.json", "params-json"), ("a.toml", "params-toml"), ("a.py", "params-python"), ("A.YML", "params-yaml")]
    {
        let format = registry.param_format(&path(file)).unwrap();
        assert_eq!(format.id().name, name);
        assert!(registry.claims(&path(file)));
    }
    assert_eq!(registry.executor("shell").unwrap().id().name, "executor-shell");
}

#[test]
fn a_list_has_what_is_used_of_each_name_and_what_is_broken_is_told() {
    let third_party = folder(&[("a.wasm", SIMPLE_POLICY), ("b.wasm", HOSTILE_FORMAT), ("c.wasm", b"no wasm")]);
    let hidden = folder(&[("other.wasm", SIMPLE_POLICY)]);
    let registry = with_bundled(vec![third_party.path().to_owned(), hidden.path().to_owned()]);
    let policies = registry.list(Kind::CheckpointPolicy);
    let names: Vec<&str> = policies.iter().map(|policy| policy.name.as_str()).collect();
    assert_eq!(names, ["best", "every", "simple", "stop-early"]);
    assert_eq!((&policies[0].file, &policies[2].file), (&None, &Some(third_party.path().join("a.wasm"))));
    assert_eq!((policies[2].version.as_str(), policies[2].description.is_empty()), ("0.1.0", false));
    assert_eq!(registry.list(Kind::StageExecutor).len(), 1);
    assert_eq!(registry.broken().len(), 1);
    assert_eq!(rejection(registry.broken().pop()), "it is not WebAssembly");
}

#[test]
fn yaml_reads_what_nobody_claims() {
    let registry = with_bundled(Vec::new());
    for file in ["params", "params.conf", ".yaml", "dir.json/params"] {
        assert_eq!(registry.param_format(&path(file)).unwrap().id().name, "params-yaml", "{file}");
        assert!(!registry.claims(&path(file)), "{file}");
    }
}

#[test]
fn the_first_folder_wins() {
    let first = folder(&[("a.wasm", HOSTILE_FORMAT)]);
    let changed = replaced(HOSTILE_FORMAT, b"all of it bad", b"all of it BAD");
    let second = folder(&[("a.wasm", &changed)]);
    let missing = first.path().join("missing");
    for (folders, wanted) in
        [([&missing, first.path(), second.path()], HOSTILE_FORMAT), ([second.path(), &missing, first.path()], &changed)]
    {
        let bench = registry(&folders, Vec::new(), Limits::default());
        let format = bench.registry.param_format(&path("x.hostile")).unwrap();
        assert_eq!(format.id().digest, blake3::hash(wanted).to_hex().as_str());
    }
}

#[test]
fn two_in_one_folder_are_named() {
    let twins = folder(&[("a.wasm", HOSTILE_FORMAT), ("b.wasm", HOSTILE_FORMAT)]);
    let bench = registry(&[twins.path()], Vec::new(), Limits::default());
    let error = bench.registry.param_format(&path("x.hostile")).err().unwrap().to_string();
    assert!(error.contains("a.wasm") && error.contains("b.wasm"), "{error}");
    assert!(bench.registry.claims(&path("x.hostile")));
}

#[test]
fn what_is_broken_is_named_when_it_would_have_served_and_only_then() {
    let folder = folder(&[
        ("params-ini.wasm", b"not a component"),
        ("executor-slurm.wasm", b"\0asm\x01\0\0\0"),
        ("readme.txt", b"not looked at"),
    ]);
    let registry = with_bundled(vec![folder.path().to_owned()]);
    assert_eq!(registry.param_format(&path("params.yaml")).unwrap().id().name, "params-yaml");
    assert_eq!(registry.executor("shell").unwrap().id().name, "executor-shell");
    assert_eq!(rejection(registry.param_format(&path("x.ini")).err()), "it is not WebAssembly");
    assert_eq!(
        rejection(registry.executor("slurm").err()),
        "it is a core module, not a component: build it for wasm32-wasip2"
    );
    let unreadable_by_suffix = registry.param_format(&path("x.unclaimed")).err();
    assert!(matches!(unreadable_by_suffix, Some(ExtensionError::Rejected { .. })));
    assert!(registry.param_format(&path("no-suffix")).is_ok());
}

#[test]
fn what_is_no_plugin_says_why() {
    let reason = |bytes: &[u8]| {
        let folder = folder(&[("executor-x.wasm", bytes)]);
        let bench = registry(&[folder.path()], Vec::new(), Limits::default());
        rejection(bench.registry.executor("x").err())
    };
    assert_eq!(reason(b""), "it is not WebAssembly");
    assert!(reason(b"\0asm\x0d\0\x01\0").starts_with("it exports none of `dewar:plugin/param-format`"));
    let cut = &HOSTILE_EXECUTOR[..HOSTILE_EXECUTOR.len() / 2];
    assert!(reason(cut).starts_with("it is damaged at byte"), "{}", reason(cut));
    let nameless = replaced(HOSTILE_EXECUTOR, b"dewar:manifest", b"dewar:manifesX");
    assert_eq!(reason(&nameless), "it has no manifest: the custom section `dewar:manifest` is missing");
    let future = replaced(HOSTILE_EXECUTOR, b"@0.1.0", b"@0.2.0");
    assert_eq!(reason(&future), "it was made for dewar:plugin 0.2; this dewar knows 0.1: update dewar");
    let past = replaced(HOSTILE_EXECUTOR, b"@0.1.0", b"@0.0.9");
    assert!(reason(&past).ends_with("this dewar knows 0.1: ask for a newer build of the plugin"));
    let quiet = replaced(HOSTILE_EXECUTOR, b"process = true ", b"process = false");
    assert_eq!(reason(&quiet), "its manifest does not ask for `process`, which the component imports");
}

#[test]
fn a_later_version_of_the_same_track_is_used() {
    let later = replaced(SIMPLE_POLICY, b"@0.1.0", b"@0.1.7");
    let folder = folder(&[("policy-simple.wasm", &later)]);
    let bench = registry(&[folder.path()], Vec::new(), Limits::default());
    let moment = dewar_core::extension::Moment {
        trigger: dewar_core::extension::Trigger::Finished,
        step: 1,
        elapsed_ms: 1,
        metrics: Vec::new(),
    };
    assert!(bench.registry.policy("simple").unwrap().decide(&Value::Null, &[], &moment).unwrap().record);
}

#[test]
fn a_name_that_nobody_has_is_unknown() {
    let bench = registry(&[], Vec::new(), Limits::default());
    assert_eq!(bench.registry.executor("slurm").err().unwrap().to_string(), "there is no executor `slurm`");
    assert!(matches!(bench.registry.param_format(&path("a.yaml")), Err(ExtensionError::Unknown { .. })));
}

#[test]
fn a_file_that_changes_after_it_was_looked_at_is_not_run() {
    let folder = folder(&[("a.wasm", HOSTILE_FORMAT)]);
    let bench = registry(&[folder.path()], Vec::new(), Limits::default());
    let format = bench.registry.param_format(&path("x.hostile")).unwrap();
    std::fs::write(folder.path().join("a.wasm"), SIMPLE_POLICY).unwrap();
    assert_eq!(rejection(format.read(b"good").err()), "it changed since it was looked at");
}
