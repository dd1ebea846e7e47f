//! Files that are broken, hostile or in the way: each gets its message and its exit code, nothing runs, nothing changes.

use std::fs;
use std::os::unix::fs::symlink;

use dewar_tests::TestRepo;

use super::repo;

/// A stage that leaves a mark outside of the project when it runs.
pub(super) const STAGE: &str = "stages:\n  a:\n    cmd: touch ../ran && echo hi > a\n    outs: [a]\n";

/// A project with parameters and one commit.
pub(super) fn project() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("params.yaml", "lr: 1\n").commit("begin");
    repo
}

/// What dewar says when it refuses: nothing was run and nothing written.
#[track_caller]
pub(super) fn refusal(repo: &TestRepo, args: &[&str], code: i32) -> String {
    let before = repo.everything();
    let said = repo.dewar(args).failure(code);
    assert!(!said.contains("panicked"), "{said}");
    assert!(!repo.outside("ran").exists(), "a command ran: {said}");
    let after = repo.everything();
    let changed: Vec<_> = before.iter().filter(|(name, content)| after.get(*name) != Some(content)).collect();
    assert!(before == after, "changed: {changed:?}; there now: {:?}", after.keys());
    said
}

/// What `repro` says of this `dvc.yaml`.
#[track_caller]
fn pipeline(text: impl AsRef<[u8]>) -> String {
    let repo = project();
    repo.write("dvc.yaml", text);
    refusal(&repo, &["repro"], 3)
}

/// What `repro` says of the stage with this added.
#[track_caller]
fn stage(more: &str) -> String {
    pipeline(format!("{STAGE}{more}"))
}

#[test]
fn keys_that_nobody_knows() {
    insta::assert_snapshot!(stage("    outputs: [b]\n"), @r#"
    error: the stage `a` has no key `outputs`
     --> dvc.yaml:5:5
      |
    5 |     outputs: [b]
      |     ^^^^^^^
    help: it may have cmd, wdir, deps, params, vars, outs, metrics, plots, frozen, always_changed, desc, meta, matrix, foreach, do
    "#);
    insta::assert_snapshot!(stage("stage: {}\n"), @r#"
    error: a pipeline has no key `stage`
     --> dvc.yaml:5:1
      |
    5 | stage: {}
      | ^^^^^
    help: did you mean `stages`?
    "#);
}

#[test]
fn values_of_the_wrong_type() {
    insta::assert_snapshot!(stage("    deps: 7\n"), @r#"
    error: `deps` must be a list, not an integer
     --> dvc.yaml:5:11
      |
    5 |     deps: 7
      |           ^
    "#);
    insta::assert_snapshot!(pipeline("stages:\n  a:\n    cmd: {run: touch ../ran}\n"), @r#"
    error: `cmd` must be a string or a list of strings, not a mapping
     --> dvc.yaml:3:10
      |
    3 |     cmd: {run: touch ../ran}
      |          ^^^^^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(stage("    frozen: perhaps\n"), @r#"
    error: `frozen` must be `true` or `false`, not a string
     --> dvc.yaml:5:13
      |
    5 |     frozen: perhaps
      |             ^^^^^^^
    "#);
    insta::assert_snapshot!(pipeline("stages: [a]\n"), @r#"
    error: `stages` must be a mapping, not a list
     --> dvc.yaml:1:9
      |
    1 | stages: [a]
      |         ^^^
    "#);
    insta::assert_snapshot!(pipeline("only text\n"), @r#"
    error: a pipeline must be a mapping, not a string
     --> dvc.yaml:1:1
      |
    1 | only text
      | ^^^^^^^^^
    "#);
    insta::assert_snapshot!(pipeline("stages:\n  a:\n    deps: [x]\n"), @r#"
    error: the stage `a` has no `cmd`
     --> dvc.yaml:2:3
      |
    2 |   a:
      |   ^
    help: add `cmd:` with the command to run
    "#);
}

#[test]
fn keys_that_stand_twice() {
    insta::assert_snapshot!(stage("    cmd: touch ../ran\n"), @r#"
    error: duplicate key `cmd` in this mapping
     --> dvc.yaml:5:5
      |
    5 |     cmd: touch ../ran
      |     ^^^
    help: the first is in line 3: remove one, or give one another name
    "#);
    assert!(stage("  a:\n    cmd: touch ../ran\n").contains("duplicate"));
}

#[test]
fn tabs_in_the_indentation() {
    insta::assert_snapshot!(pipeline("stages:\n\ta:\n\t\tcmd: touch ../ran\n"), @r#"
    error: this is not YAML: tabs disallowed within this context (block indentation)
     --> dvc.yaml:2:2
      |
    2 |  a:
      |  ^
    help: indent with spaces
    "#);
}

#[test]
fn two_documents_in_one_file() {
    insta::assert_snapshot!(pipeline(format!("{STAGE}---\n{STAGE}")), @r#"
    error: the file holds more than one YAML document
     --> dvc.yaml:5:1
      |
    5 | ---
      | ^^^
    help: keep one document and remove the `---` before the next
    "#);
}

/// Ten lists of ten, each of the last: 10^10 values in 400 bytes.
fn laughs() -> String {
    let level = |level: char, item: &str| format!("{level}: &{level} [{}]\n", [item; 10].join(","));
    let deeper = ('b'..='j').zip('a'..).map(|(this, last)| level(this, &format!("*{last}")));
    std::iter::once(level('a', "lol")).chain(deeper).collect()
}

#[test]
fn aliases_that_multiply() {
    insta::assert_snapshot!(pipeline(laughs()), @r#"
    error: what the aliases repeat takes more than 64 MiB
     --> dvc.yaml:6:20
      |
    6 | f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]
      |                    ^^
    help: write the values out, or repeat less
    "#);
    let repo = project();
    repo.write("params.yaml", laughs()).write("dvc.yaml", format!("{STAGE}    params: [a]\n"));
    assert!(refusal(&repo, &["repro"], 3).contains(" --> params.yaml:"));
}

#[test]
fn brackets_without_end() {
    insta::assert_snapshot!(pipeline("[".repeat(200_000)), @r#"
    error: lists and mappings are nested more than 256 deep
     --> dvc.yaml:1:256
      |
    1 | …[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[…
      |                                                    ^
    help: close the brackets, or nest less
    "#);
    for nest in ["{", "[{", "- ", "? "] {
        assert!(pipeline(nest.repeat(200_000)).contains(" --> dvc.yaml:1:"));
    }
    for (file, open) in [("params.yaml", "a: ["), ("params.json", "["), ("params.toml", "a = [")] {
        let repo = project();
        let nested = format!("{open}{}", "[".repeat(200_000));
        repo.write(file, nested).write("dvc.yaml", format!("{STAGE}    params: [{file}: [a]]\n"));
        assert!(refusal(&repo, &["repro"], 3).contains(&format!(" --> {file}:1:")));
    }
}

#[test]
fn bytes_that_are_no_text() {
    insta::assert_snapshot!(pipeline("stages:\n  a:\n    cmd: \"touch\0 ../ran\"\n"), @r#"
    error: the character U+0000 at byte offset 28 is not allowed in YAML
     --> dvc.yaml:3:16
      |
    3 |     cmd: "touch\u{0} ../ran"
      |                ^
    help: remove it, or write it as an escape such as `"\x1b"` in a double-quoted string
    "#);
    insta::assert_snapshot!(pipeline(b"stages:\n  a:\n    cmd: touch ../ran # caf\xe9\n"), @r#"
    error: the byte 0xe9 at offset 40 is not UTF-8
     --> dvc.yaml:3:28
      |
    3 |     cmd: touch ../ran # caf�
      |                            ^
    help: save the file as UTF-8
    "#);
    insta::assert_snapshot!(pipeline("stages:\n  a:\n    cmd: \"touch ../ran\\0\"\n"), @r#"
    error: a command cannot have a NUL character
     --> dvc.yaml:3:10
      |
    3 |     cmd: "touch ../ran\0"
      |          ^^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(pipeline("stages:\n  a:\n    cmd: touch ../ran\n    outs: [\"a\\0b\"]\n"), @r#"
    error: an output: `a␀b` has a NUL byte in it
     --> dvc.yaml:4:12
      |
    4 |     outs: ["a\0b"]
      |            ^^^^^^
    help: what a stage writes, and where it runs, must be inside the project
    "#);
}

#[test]
fn stages_in_a_circle() {
    insta::assert_snapshot!(stage("    deps: [b]\n  b:\n    cmd: touch ../ran\n    deps: [a]\n    outs: [b]\n"), @r#"
    error: the stages need each other in a circle: `a` needs `b` needs `a`
     --> dvc.yaml:2:3
      |
    2 |   a:
      |   ^
    help: the same path is both a dependency and an output on the way: `b`, `a`
    "#);
}

#[test]
fn outputs_in_each_others_way() {
    insta::assert_snapshot!(stage("  b:\n    cmd: touch ../ran\n    outs: [a]\n"), @r#"
    error: the output `a` is written by two stages: `a` and `b`
     --> dvc.yaml:5:3
      |
    5 |   b:
      |   ^
    help: let each stage write a path of its own
    "#);
    insta::assert_snapshot!(stage("  b:\n    cmd: touch ../ran\n    outs: [a/b]\n"), @r#"
    error: the output `a/b` of `b` lies inside the output `a` of `a`: they overlap
     --> dvc.yaml:5:3
      |
    5 |   b:
      |   ^
    help: name the files of the directory one by one, or let one stage write all of it
    "#);
}

/// A pipeline whose stage has this output.
fn output(path: &str) -> String {
    format!("stages:\n  a:\n    cmd: touch ../ran\n    outs:\n    - {path}\n")
}

#[test]
fn outputs_outside_of_the_project() {
    insta::assert_snapshot!(pipeline(output("../x")), @r#"
    error: an output: `../x` is outside the project
     --> dvc.yaml:5:7
      |
    5 |     - ../x
      |       ^^^^
    help: what a stage writes, and where it runs, must be inside the project
    "#);
    insta::assert_snapshot!(pipeline(output("/no/such/x")), @r#"
    error: an output: `/no/such/x` is outside the project
     --> dvc.yaml:5:7
      |
    5 |     - /no/such/x
      |       ^^^^^^^^^^
    help: what a stage writes, and where it runs, must be inside the project
    "#);
    insta::assert_snapshot!(pipeline(output(".")), @r#"
    error: an output cannot be the whole project
     --> dvc.yaml:5:7
      |
    5 |     - .
      |       ^
    "#);
    insta::assert_snapshot!(stage("    wdir: ..\n"), @r#"
    error: `wdir`: `..` is outside the project
     --> dvc.yaml:5:11
      |
    5 |     wdir: ..
      |           ^^
    help: what a stage writes, and where it runs, must be inside the project
    "#);
}

#[test]
fn outputs_outside_through_a_link() {
    let repo = project();
    fs::create_dir(repo.outside("other")).unwrap();
    fs::write(repo.outside("other/data"), "kept").unwrap();
    symlink("../other", repo.root().join("link")).unwrap();
    repo.write("dvc.yaml", output("link/data"));
    insta::assert_snapshot!(refusal(&repo, &["repro"], 3), @"error: `[ROOT]/link/data` leads out of the project through a symlink");
    assert_eq!(fs::read_to_string(repo.outside("other/data")).unwrap(), "kept");
    // Itself it is an output like any other: the link goes, what it leads to stays.
    repo.write("dvc.yaml", "stages:\n  a:\n    cmd: echo new > link\n    outs: [link]\n");
    repo.dewar(&["repro"]).success();
    assert_eq!(fs::read_to_string(repo.outside("other/data")).unwrap(), "kept");
}

#[test]
fn outputs_that_are_files_of_the_project_itself() {
    insta::assert_snapshot!(pipeline(output(".git/hooks")), @r#"
    error: the output `.git/hooks` lies inside `.git`
     --> dvc.yaml:5:7
      |
    5 |     - .git/hooks
      |       ^^^^^^^^^^
    help: let the stage write somewhere else; that folder belongs to the project itself
    "#);
    insta::assert_snapshot!(pipeline(output(".dvc/config")), @r#"
    error: the output `.dvc/config` lies inside `.dvc`
     --> dvc.yaml:5:7
      |
    5 |     - .dvc/config
      |       ^^^^^^^^^^^
    help: let the stage write somewhere else; that folder belongs to the project itself
    "#);
    insta::assert_snapshot!(pipeline(output("dvc.yaml")), @r#"
    error: the output `dvc.yaml` is a file that holds stages
     --> dvc.yaml:5:7
      |
    5 |     - dvc.yaml
      |       ^^^^^^^^
    help: let the stage write another file
    "#);
    assert!(pipeline(output("dvc.lock")).contains("dvc.lock"));
    let repo = project();
    repo.write("sub/dvc.yaml", "stages: {}\n").write("dvc.yaml", output("sub"));
    insta::assert_snapshot!(refusal(&repo, &["repro"], 3), @r#"
    error: the output `sub` holds the file `sub/dvc.yaml`
     --> dvc.yaml:2:3
      |
    2 |   a:
      |   ^
    help: list what the stage writes there, or keep that file somewhere else
    "#);
}

#[test]
fn a_dependency_that_is_missing() {
    insta::assert_snapshot!(stage("    deps: [missing]\n"), @r#"
    error: the dependency `missing` of the stage `a` does not exist
     --> dvc.yaml:2:3
      |
    2 |   a:
      |   ^
    help: make it, or name the stage that makes it as its output
    "#);
}

#[test]
fn pipes_where_files_are_expected() {
    let repo = project();
    let mkfifo = |name: &str| repo.run(repo.command("mkfifo").arg(name)).success();
    mkfifo("pipe");
    repo.write("dvc.yaml", format!("{STAGE}    deps: [pipe]\n"));
    insta::assert_snapshot!(refusal(&repo, &["repro"], 4), @"error: `[ROOT]/pipe` is a named pipe, which has no content to track");
    mkfifo("pipe.yaml");
    repo.write("dvc.yaml", format!("{STAGE}    params: [pipe.yaml: [x]]\n"));
    insta::assert_snapshot!(refusal(&repo, &["repro"], 4), @"error: cannot read `[ROOT]/pipe.yaml`: it is not a regular file");
    fs::remove_file(repo.root().join("pipe.yaml")).unwrap();
    mkfifo("dvc.lock");
    repo.write("dvc.yaml", STAGE);
    insta::assert_snapshot!(refusal(&repo, &["repro"], 4), @"error: cannot read `[ROOT]/dvc.lock`: it is not a regular file");
}

#[test]
fn a_lock_with_the_marks_of_a_merge() {
    let repo = project();
    repo.write("dvc.yaml", STAGE);
    repo.write("dvc.lock", "schema: '2.0'\n<<<<<<< HEAD\nstages: {}\n=======\nstages:\n  a: {}\n>>>>>>> theirs\n");
    insta::assert_snapshot!(refusal(&repo, &["repro"], 3), @r#"
    error: this is not YAML: simple key expected ':'
     --> dvc.lock:2:1
      |
    2 | <<<<<<< HEAD
      | ^
    help: the file has conflict marks of a merge: take one side of it, and run `dewar repro`
    "#);
}

#[test]
fn a_lock_of_another_time() {
    let repo = project();
    repo.write("dvc.yaml", STAGE).write("dvc.lock", "schema: '3.0'\nstages: {}\n");
    insta::assert_snapshot!(refusal(&repo, &["repro"], 3), @r#"
    error: the lock must say `schema: '2.0'`
     --> dvc.lock:1:9
      |
    1 | schema: '3.0'
      |         ^^^^^
    "#);
}

#[test]
fn the_wrong_place() {
    insta::assert_snapshot!(TestRepo::without_git(env!("CARGO_BIN_EXE_dewar")).dewar(&["repro"]).failure(4), @r#"
    error: `[ROOT]` is not in a project: neither it nor a folder above it has `.dvc`
    help: `dewar init` makes a project
    "#);
    let repo = repo();
    repo.dewar(&["init"]).success();
    insta::assert_snapshot!(repo.dewar(&["repro"]).failure(3), @r#"
    error: there is no `dvc.yaml`
    help: `dewar stage add` writes a first stage
    "#);
    repo.write("dvc.yaml", STAGE);
    insta::assert_snapshot!(refusal(&repo, &["exp", "run"], 4), @"error: the branch `main` has no commit yet; make a first one: git add -A && git commit");
    insta::assert_snapshot!(refusal(&repo, &["repro", "b"], 2), @r#"
    error: `b` is neither a stage of `dvc.yaml` nor an output of any stage
    help: `dewar stage list --all` lists the stages
    "#);
}
