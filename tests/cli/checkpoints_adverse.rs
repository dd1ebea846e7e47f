//! Checkpoints when something is not as it should be: in the workspace, in the stage, in its policies, in the cache.

use std::fs;

use dewar_tests::{kill, wait_for};

use super::checkpoints::{PIPELINE, Training};

/// The same with one more output.
fn with_output(output: &str) -> String {
    PIPELINE.replace("outs: [model: {checkpoint: true}]", &format!("outs: [model: {{checkpoint: true}}, {output}]"))
}

#[test]
fn what_a_checkpoint_does_not_know_is_not_taken_from_the_workspace() {
    let training = Training::new();
    training.dewar(&["exp", "run", "-n", "e1"]).success();
    let pipeline = with_output("vocabulary: {persist: true}");
    training.repo.write("dvc.yaml", pipeline).write("vocabulary", "made by hand\n");
    training.dewar(&["exp", "run", "-n", "e2"]).success();
    assert_eq!(training.repo.read("vocabulary"), "made by hand\n");
    assert_eq!(training.steps("e2"), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_stage_that_was_renamed_goes_on_from_its_outputs() {
    let training = Training::new();
    training.dewar(&["exp", "run", "-n", "e1"]).success();
    training.repo.write("dvc.yaml", PIPELINE.replace("  train:", "  fit:"));
    training.dewar(&["exp", "run", "-n", "e2"]).success();
    assert_eq!(training.told(), ["from 0 resume=", "from 3 resume=1"]);
}

#[test]
fn what_is_replaced_is_kept_in_the_cache() {
    let training = Training::new();
    training.dewar(&["exp", "run", "-n", "e1"]).success();
    training.repo.write("model", "trained elsewhere\n");
    let told = training.dewar(&["exp", "run"]).stderr;
    let (_, kept) = told.split_once("what was there is kept as `").unwrap();
    let (kept, _) = kept.split_once('`').unwrap();
    assert_eq!(training.repo.read(kept), "trained elsewhere\n");
    assert_eq!(training.steps("e1"), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_run_whose_inputs_changed_meanwhile_ends_at_its_last_checkpoint() {
    let training = Training::new();
    training.each("[ $n = 2 ] && echo >> train.sh; true");
    let output = training.dewar(&["exp", "run", "-n", "e1"]);
    assert!(output.stderr.contains("changed while the stage `train` ran"), "{output}");
    training.each(":");
    training.dewar(&["exp", "run", "-n", "e2"]).success();
    assert_eq!(training.told(), ["from 0 resume=", "from 3 resume=1"]);
    training.assert_sound("e1");
}

#[test]
fn stages_that_run_one_at_a_time_do_not_forget_each_other() {
    let training = Training::with(
        "stages:\n  train:\n    foreach: [a, b]\n    do:\n      cmd: mkdir -p ${item}; cd ${item}; cp ../params.yaml .; sh ../train.sh\n      params: [lr, steps]\n      outs:\n      - ${item}/model:\n          checkpoint: true\n",
    );
    training.repo.write(".gitignore", "/a\n/b\n").commit("two");
    training.each("[ $n = 2 ] && exit 1; true");
    training.dewar(&["exp", "run", "train@b", "-n", "e1"]).failure(1);
    training.dewar(&["exp", "run", "train@a"]).failure(1);
    training.each(":");
    training.dewar(&["exp", "run", "train@b"]).success();
    assert_eq!(training.told(), ["from 0 resume=", "from 0 resume=", "from 2 resume=1"]);
}

#[test]
fn a_policy_that_cannot_be_used_is_told_before_anything_is_touched() {
    let training = Training::new();
    training.dewar(&["exp", "run", "-n", "e1"]).success();
    training.repo.write("dewar.toml", "[checkpoint]\npolicy = { best = { metrc = 'acc', mode = 'max' } }\n");
    let before = training.repo.everything();
    for args in [&["exp", "run", "-S", "lr=5"][..], &["exp", "run", "--reset"]] {
        let told = training.dewar(args).failure(3);
        assert!(told.contains("there is no option `metrc`"), "{told}");
        assert_eq!(training.repo.everything(), before);
    }
}

#[test]
fn a_stage_that_breaks_the_protocol_ends() {
    let training = Training::new();
    training.repo.write(
        "train.sh",
        "mkdir \"$DVC_ROOT/.dvc/tmp/DVC_CHECKPOINT\"; echo 1 > model; echo '{\"step\": 1}' > metrics.json; sleep 60",
    );
    training.repo.commit("a folder");
    let told = training.dewar(&["exp", "run", "-n", "e1"]).failure(4);
    assert!(told.contains("DVC_CHECKPOINT"), "{told}");
}

const STOPPED: &str = "meta: {dewar: {checkpoint: {policy: {stop-early: {metric: step, upper: 1.5}}}}}";

#[test]
fn what_a_stopped_stage_still_writes_is_undone_and_what_it_did_not_write_is_told() {
    let pipeline =
        with_output("report: {cache: true}").replace("    metrics: [", &format!("    {STOPPED}\n    metrics: ["));
    let training = Training::with(&pipeline);
    let script = training.repo.read("train.sh");
    let handler = "trap 'echo 99 > model; echo \"{\\\"step\\\": 99}\" > metrics.json; exit 0' TERM\n";
    training
        .repo
        .write("train.sh", format!("{handler}{script}echo done > report\n"))
        .write("params.yaml", "lr: 1\nsteps: 50\n");
    training.repo.commit("a handler");
    let output = training.dewar(&["exp", "run", "-n", "e1"]);
    assert!(output.stderr.contains("the stage `train` was stopped before it wrote `report`"), "{output}");
    output.success();
    assert_eq!(training.steps("e1"), [1, 2]);
    training.assert_sound("e1");
    assert_eq!((training.repo.read("model"), training.repo.read("score")), ("2\n".to_owned(), "score-2\n".to_owned()));
}

#[test]
fn gc_leaves_what_the_workspace_goes_on_from() {
    let training = Training::new();
    training.each("[ $n = 2 ] && exit 1; true");
    training.dewar(&["exp", "run", "-n", "e1"]).failure(1);
    training.each(":");
    training.dewar(&["gc", "--workspace", "--force"]).success();
    fs::remove_file(training.repo.root().join("model")).unwrap();
    training.dewar(&["exp", "run"]).success();
    assert_eq!(training.told(), ["from 0 resume=", "from 2 resume=1"]);
}

#[test]
fn projects_of_one_repository_stand_at_checkpoints_of_their_own() {
    let training = Training::new();
    let repo = &training.repo;
    for project in ["one", "two"] {
        fs::create_dir(repo.root().join(project)).unwrap();
        for file in ["dvc.yaml", "params.yaml", "train.sh", ".gitignore"] {
            repo.write(&format!("{project}/{file}"), repo.read(file));
        }
        repo.run(
            repo.command(env!("CARGO_BIN_EXE_dewar")).args(["init", "--subdir"]).current_dir(repo.root().join(project)),
        )
        .success();
    }
    repo.commit("two projects");
    let run = |project: &str, args: &[&str]| {
        repo.run(training.command(&[&["exp", "run"], args].concat()).current_dir(repo.root().join(project))).success()
    };
    run("one", &["-n", "e1"]);
    run("two", &["-n", "e2"]);
    let told = run("one", &[]);
    assert!(told.starts_with("Existing checkpoint experiment 'e1' will be resumed"), "{told}");
    assert_eq!(training.told(), ["from 0 resume=", "from 0 resume=", "from 3 resume=1"]);
}

#[test]
fn data_that_changed_makes_a_branch() {
    let training = Training::with(&PIPELINE.replace("deps: [train.sh]", "deps: [train.sh, data]"));
    training.repo.write("data", "1\n");
    training.dewar(&["add", "data"]).success();
    training.repo.commit("data");
    training.dewar(&["exp", "run", "-n", "e1"]).success();
    training.repo.write("data", "2\n");
    let told = training.dewar(&["exp", "run", "-n", "e2"]).success();
    assert!(told.contains("because `data.dvc` changed."), "{told}");
    assert_eq!(training.steps("e1"), [1, 2, 3]);
}

#[test]
fn git_does_not_see_the_model_of_a_run_that_was_interrupted() {
    let training = Training::new();
    fs::remove_file(training.repo.root().join(".gitignore")).unwrap();
    training.repo.commit("nothing is ignored");
    let reached = training.repo.outside("reached");
    training.each(&format!("if [ $n = 2 ]; then : > {}; while :; do sleep 0.05; done; fi", reached.display()));
    let child = training.spawn(&["exp", "run", "-n", "e1"]);
    wait_for(&reached);
    assert!(kill("-INT", &child.id().to_string()));
    training.repo.wait(child).failure(130);
    let seen = training.repo.git(&["status", "--porcelain"]).success();
    assert!(!seen.contains("model"), "{seen}");
}

#[test]
fn an_experiment_made_beside_is_not_taken_for_the_workspaces() {
    let training = Training::new();
    training.each("exit 1");
    training.repo.write("train.sh", "exit 1\n");
    training.repo.commit("fails");
    training.dewar(&["exp", "run", "-n", "e9"]).failure(1);
    training.repo.git(&["revert", "--no-edit", "HEAD"]).success();
    training.each(":");
    training.dewar(&["exp", "run", "--temp", "-n", "e9"]).success();
    let output = training.dewar(&["exp", "run", "-n", "e10"]).success();
    assert!(!output.contains("'e9'"), "{output}");
    assert_eq!(training.told(), ["from 0 resume=", "from 0 resume="]);
}

#[test]
fn results_of_stages_beside_are_not_caught_half_written() {
    let pipeline = format!(
        "{PIPELINE}  beside:\n    cmd: echo half > beside; while [ ! -e \"$ACKED\" ]; do sleep 0.01; done; sleep 0.2; echo whole > beside\n    params: [lr]\n    outs: [beside: {{cache: false}}]\n"
    );
    let training = Training::with(&pipeline);
    training.dewar(&["exp", "run", "-j", "2", "-n", "e1"]).success();
    let beside: Vec<_> = training.chain("e1").iter().map(|commit| training.file(commit, "beside")).collect();
    assert_eq!(beside.last().unwrap().as_deref(), Some("whole\n"));
    assert!(beside.iter().flatten().all(|beside| beside == "whole\n"), "{beside:?}");
}
