//! Parameter files that are broken or lack what is asked for, and overrides that cannot be meant.

use std::fs;

use super::bad_input::{STAGE, project, refusal};

#[test]
fn parameters_that_are_broken_or_missing() {
    let repo = project();
    repo.write("dvc.yaml", format!("{STAGE}    params: [lr]\n")).write("params.yaml", "lr: [1\n");
    insta::assert_snapshot!(refusal(&repo, &["repro"], 3), @r#"
    error: this is not YAML: unclosed bracket '['
     --> params.yaml:1:5
      |
    1 | lr: [1
      |     ^
    help: check the brackets and commas
    "#);
    repo.write("params.yaml", "learning: 1\n");
    insta::assert_snapshot!(refusal(&repo, &["repro"], 3), @r#"
    error: `params.yaml` lacks the parameter `lr` of the stage `a`
     --> dvc.yaml:2:3
      |
    2 |   a:
      |   ^
    help: add them to the file, or take them from `params` of the stage
    "#);
    fs::remove_file(repo.root().join("params.yaml")).unwrap();
    insta::assert_snapshot!(refusal(&repo, &["repro"], 3), @r#"
    error: the dependency `params.yaml` of the stage `a` does not exist
     --> dvc.yaml:2:3
      |
    2 |   a:
      |   ^
    help: make it, or name the stage that makes it as its output
    "#);
}

#[test]
fn a_parameter_file_without_names() {
    let repo = project();
    repo.write("dvc.yaml", format!("{STAGE}    params: [p.json: ]\n")).write("p.json", "[1, 2]");
    insta::assert_snapshot!(refusal(&repo, &["repro"], 3), @r#"
    error: `p.json` holds no mapping of names to values, as the stage `a` expects of its parameters
     --> dvc.yaml:2:3
      |
    2 |   a:
      |   ^
    help: a file without names can be one of the `deps`
    "#);
}

#[test]
fn overrides_that_cannot_be_meant() {
    let repo = project();
    repo.write("dvc.yaml", format!("{STAGE}    params: [lr]\n"));
    let said = |text: &str| refusal(&repo, &["exp", "run", "-S", text], 2);
    insta::assert_snapshot!(said("lr"), @r#"
    error: `lr` is not a valid override: there is no `=value` behind the key
    help: write `-S name=value`, `+name=value` to add, `~name` to delete
    "#);
    insta::assert_snapshot!(said("=1"), @r#"
    error: `=1` is not a valid override: there is no key
    help: write `-S name=value`, `+name=value` to add, `~name` to delete
    "#);
    insta::assert_snapshot!(said("lt=1"), @r#"
    error: there is no parameter `lt` to change in `params.yaml`
    help: did you mean `lr`?
    "#);
    insta::assert_snapshot!(said("+lr=1"), @r#"
    error: the parameter `lr` exists already in `params.yaml`
    help: to change it: `-S lr=VALUE`
    "#);
    insta::assert_snapshot!(said("lr.x=1"), @r#"
    error: `lr` is an integer, so there can be no `lr.x` in `params.yaml`
    help: to replace `lr`: `-S 'lr={...}'`
    "#);
    insta::assert_snapshot!(said("lr='1"), @r#"
    error: `lr='1` is not a valid override: a ' is not closed
    help: write `-S name=value`, `+name=value` to add, `~name` to delete
    "#);
    insta::assert_snapshot!(said("lr=1,2"), @r#"
    error: several values behind `-S` are a sweep, which does not run in the workspace
    help: `--queue` keeps its experiments for later, `-j N` runs them now, N at once
    help: put quotes around one value with a comma in it: `-S "name='a,b'"`
    "#);
    insta::assert_snapshot!(said("../up.yaml:lr=1"), @"error: `../up.yaml` is outside the project");
    insta::assert_snapshot!(said("notes.txt:lr=1"), @r#"
    error: no plugin knows how to edit `notes.txt`
    help: a plugin for this format can be put into `.dvc/plugins/` or named with `--plugin-dir`
    "#);
}
