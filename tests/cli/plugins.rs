//! Plugins of others: dropped into a folder they serve, and what they were not granted they do not get.

use std::fs;

use dewar_bundled::BUNDLED;
use dewar_guests::HOSTILE_FORMAT;
use dewar_tests::TestRepo;

use super::repo;

/// A project with a parameter file of a format that nothing bundled knows; what is unknown is taken for YAML, as in DVC.
fn project() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("dvc.yaml", "params: [notes.hostile]\n").write("notes.hostile", "just: [text").commit("begin");
    repo.write("notes.hostile", "other: [text");
    repo
}

#[test]
fn a_format_in_the_projects_folder_serves_its_suffix() {
    let repo = project();
    insta::assert_snapshot!(repo.dewar(&["params", "diff"]), @r#"
    --- stderr
    warning: in `HEAD`: cannot read `notes.hostile`: this is not YAML: unclosed bracket '['
     --> notes.hostile
    warning: cannot read `notes.hostile`: this is not YAML: unclosed bracket '['
     --> notes.hostile
    "#);
    repo.write(".dvc/plugins/any-name.wasm", HOSTILE_FORMAT);
    insta::assert_snapshot!(repo.dewar(&["params", "diff"]), @r#"
    ──────────────────────────────────────────────────
     Path           Param  HEAD         workspace
    ──────────────────────────────────────────────────
     notes.hostile         just: [text  other: [text
    ──────────────────────────────────────────────────
    "#);
    // What it reads is no mapping: a stage cannot depend on all of it, or a change would go unseen.
    repo.write(
        "dvc.yaml",
        "stages:\n  a:\n    cmd: cp notes.hostile a\n    params: [notes.hostile: ]\n    outs: [a]\n",
    );
    insta::assert_snapshot!(repo.dewar(&["repro"]).failure(3), @r#"
    error: `notes.hostile` holds no mapping of names to values, as the stage `a` expects of its parameters
     --> dvc.yaml:2:3
      |
    2 |   a:
      |   ^
    help: a file without names can be one of the `deps`
    "#);
}

#[test]
fn a_format_in_a_named_folder_serves_its_suffix() {
    let repo = project();
    let folder = repo.outside("plugins");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("any-name.wasm"), HOSTILE_FORMAT).unwrap();
    assert!(repo.dewar(&["--plugin-dir", "../plugins", "params", "diff"]).success().contains("other: [text"));
    let mut diff = repo.command(env!("CARGO_BIN_EXE_dewar"));
    assert!(
        repo.run(diff.args(["params", "diff"]).env("DEWAR_PLUGIN_PATH", &folder)).success().contains("other: [text")
    );
    assert!(!repo.dewar(&["params", "diff"]).success().contains("other: [text"));
}

#[test]
fn a_format_that_misbehaves_is_named() {
    let repo = project();
    repo.write(".dvc/plugins/params-hostile.wasm", HOSTILE_FORMAT);
    repo.write(
        "dvc.yaml",
        "stages:\n  a:\n    cmd: cp notes.hostile a\n    params: [notes.hostile: ]\n    outs: [a]\n",
    );
    for (misdeed, code) in [("panic", 5), ("loop", 5), ("no-reason", 5), ("control-characters", 3)] {
        repo.write("notes.hostile", misdeed);
        let before = repo.everything();
        let said = repo.dewar(&["repro"]);
        assert_eq!(said.code, Some(code), "{misdeed}: {said}");
        assert!(!said.stderr.contains('\u{1b}') && !said.stderr.contains("panicked at host"), "{said}");
        assert!(repo.everything() == before);
    }
    // One text has no names, so none can be set.
    repo.write("notes.hostile", "just: [text");
    insta::assert_snapshot!(repo.dewar(&["exp", "run", "-S", "notes.hostile:+x=1"]), @r#"
    --- stderr
    error: `` is a string, so there can be no `x` in `notes.hostile`
    help: `notes.hostile` has to hold names with values
    --- exit 2
    "#);
    assert_eq!(repo.read("notes.hostile"), "just: [text");
}

#[test]
fn an_executor_needs_a_grant() {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("dvc.yaml", "stages:\n  a:\n    cmd: echo hi > a\n    outs: [a]\n").commit("begin");
    // The very executor that comes with dewar, from a stranger.
    let shell = BUNDLED.iter().find(|plugin| plugin.name == "executor-shell").unwrap();
    repo.write(".dvc/plugins/executor-shell.wasm", shell.bytes);
    let before = repo.everything();
    insta::assert_snapshot!(repo.dewar(&["repro"]).failure(5), @r#"
    error: the plugin `executor-shell` asks for process, which is not granted
    help: `dewar.toml` grants what plugins may do
    "#);
    assert!(repo.everything() == before);
    let grant = |digest: &str| format!("[plugins.executor-shell]\nblake3 = \"{digest}\"\ngrants = [\"process\"]\n");
    repo.write("dewar.toml", grant(&"0".repeat(64)));
    insta::assert_snapshot!(repo.dewar(&["repro"]).failure(5), @r#"
    error: the plugin `executor-shell` asks for process, which is not granted
    help: `dewar.toml` grants what plugins may do
    "#);
    repo.write("dewar.toml", grant(shell.blake3));
    repo.dewar(&["repro"]).success();
    assert_eq!(repo.read("a"), "hi\n");
}
