//! Checkpoint policies: which there are, what they do to a run, and what they would have done.

use dewar_guests::{HOSTILE_POLICY, SIMPLE_POLICY};
use dewar_tests::TestRepo;
use serde_json::{Value, json};

use super::repo;

/// Takes a checkpoint after each of six values of `acc`, with a model that has as many thousand bytes.
const TRAIN: &str = r#"signal="$DVC_ROOT/.dvc/tmp/DVC_CHECKPOINT"
i=0
for acc in 0.5 0.9 0.7 0.8 0.6 0.65; do
  i=$((i + 1))
  head -c "$i"000 /dev/zero > model
  echo "{\"acc\": $acc}" > m.json
  : > "$signal"
  while [ -e "$signal" ]; do sleep 0.01; done
done
"#;

/// A project with a stage that has checkpoints, on which these policies decide.
fn project(policies: &str) -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    let stage = "stages:\n  train:\n    cmd: sh train.sh\n    deps: [train.sh]\n    outs: [model: {checkpoint: true}]\n    \
                 metrics: [m.json: {cache: false, persist: true}]\n    meta: {dewar: {checkpoint: {policy: ";
    repo.write("train.sh", TRAIN).write("dvc.yaml", format!("{stage}{policies}}}}}}}\n")).commit("begin");
    repo
}

fn replayed(repo: &TestRepo, args: &[&str]) -> Value {
    let args: Vec<&str> = ["policy", "replay", "--json"].iter().chain(args).copied().collect();
    serde_json::from_str(&repo.dewar(&args).success()).unwrap()
}

/// The steps that would be kept.
fn kept(replayed: &Value) -> Vec<u64> {
    let kept = replayed[0]["kept"].as_array().unwrap();
    kept.iter().map(|kept| kept["moment"]["step"].as_u64().unwrap()).collect()
}

const BEST: [&str; 6] = ["--policy", "best", "-o", "metric=acc", "-o", "mode=max"];
const STOP: [&str; 8] = ["--policy", "stop-early", "-o", "metric=acc", "-o", "mode=max", "-o", "patience=3"];

#[test]
fn policies_are_listed_with_where_they_are() {
    let repo = project("[]");
    insta::assert_snapshot!(repo.dewar(&["policy", "list"]), @"
    ──────────────────────────────────────────────────────────────────────────────────────────────
     Policy      What it does                                                            File
    ──────────────────────────────────────────────────────────────────────────────────────────────
     best        Keeps the best checkpoints by a metric, and the last                    bundled
     every       Every moment, every n-th, or at least so many seconds apart             bundled
     stop-early  Stops a stage whose metric no longer gets better, or leaves its bounds  bundled
    ──────────────────────────────────────────────────────────────────────────────────────────────
    ");
    repo.write(".dvc/plugins/any-name.wasm", SIMPLE_POLICY).write(".dvc/plugins/broken.wasm", "no wasm");
    let said = repo.dewar(&["policy", "list", "--json"]);
    assert!(said.stderr.contains("broken.wasm") && said.stderr.contains("it is not WebAssembly"), "{said}");
    let listed: Value = serde_json::from_str(&said.stdout).unwrap();
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|policy| policy["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["best", "every", "simple", "stop-early"]);
    let file = json!("[ROOT]/.dvc/plugins/any-name.wasm");
    assert_eq!((&listed[2]["file"], &listed[0]["file"]), (&file, &Value::Null));
}

#[test]
fn a_replay_says_what_would_be_kept_stopped_and_saved() {
    let repo = project("[]");
    repo.dewar(&["exp", "run", "-n", "e1"]).success();
    let args = |policies: &[&[&str]]| -> Vec<String> {
        let words = ["policy", "replay"].into_iter().chain(policies.concat()).chain(["e1"]);
        words.map(str::to_owned).collect()
    };
    let replay = |policies: &[&[&str]]| {
        let args = args(policies);
        repo.dewar(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    insta::assert_snapshot!(replay(&[&BEST]), @"
    ──────────────────────────────────────────────────────────────────────────────────────────────────────────
     Experiment  Stage  Moments  Recorded  Kept  Stopped at  Steps saved  Time saved  Size               acc
    ──────────────────────────────────────────────────────────────────────────────────────────────────────────
     e1          train        6         6     2           -            -           -  8.0 kB of 21.0 kB  0.9
    ──────────────────────────────────────────────────────────────────────────────────────────────────────────
    ");
    // How long the last step took is not to be told in advance.
    let stopped = replay(&[&STOP, &["--policy", "every", "-o", "n=2"]]).success();
    insta::assert_snapshot!(stopped.lines().last().unwrap(), @"e1: stop-early would have stopped it at step 5: `acc` has not risen in 3 steps; the best was 0.9 at step 2");
    insta::assert_snapshot!(replay(&[&BEST[..2], &["-o", "metric=accuracy", "-o", "mode=max"]]), @"
     ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
      Experiment  Stage  Moments  Recorded  Kept  Stopped at  Steps saved  Time saved  Size                accuracy
     ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
      e1          train        6         6     6           -            -           -  21.0 kB of 21.0 kB         -
     ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    --- stderr
    warning: policy-best: there is no metric `accuracy` at step 1; there are `acc`
    ");
    // A sequence keeps what any of its policies keeps: the best and the worst, and the last.
    let worst = [&BEST[..], &["--policy", "best", "-o", "metric=acc", "-o", "mode=min", "e1"]].concat();
    let both = replayed(&repo, &worst);
    assert_eq!(kept(&both), [1, 2, 6]);
    assert_eq!(both[0]["bytes"], json!({ "now": 21_000, "then": 9_000, "unknown": 0 }));
}

#[test]
fn a_run_with_policies_does_what_a_replay_without_them_foretells() {
    let free = project("[]");
    free.dewar(&["exp", "run", "-n", "e1"]).success();
    let foretold = replayed(&free, &[&BEST[..], &STOP[..], &["e1"]].concat());
    let (step, reason) = (&foretold[0]["stopped"]["step"], foretold[0]["stopped"]["reason"].as_str().unwrap());
    assert_eq!((step, &foretold[0]["stopped"]["steps_saved"]), (&json!(5), &json!(1)));
    assert_eq!(kept(&foretold), [2, 5]);

    let bound = project("{best: {metric: acc, mode: max}, stop-early: {metric: acc, mode: max, patience: 3}}");
    let said = bound.dewar(&["exp", "run", "-n", "e1"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(format!("{said}").contains(reason), "{said}");
    // What its own history says is kept is what was foretold.
    let bytes = &replayed(&bound, &[&BEST[..], &["e1"]].concat())[0]["bytes"];
    assert_eq!(
        bytes,
        &foretold[0]["bytes"]
            .as_object()
            .map(|bytes| json!({
                "now": bytes["then"], "then": bytes["then"], "unknown": 0,
            }))
            .unwrap()
    );
}

#[test]
fn wrong_options_are_told_before_the_stage_begins() {
    let repo = project("{every: {n: 2}, best: {metric: acc, mod: max}}");
    insta::assert_snapshot!(repo.dewar(&["exp", "run", "-n", "e1"]), @"
    --- stderr
    error: the checkpoint policy `best` cannot be used: `mode` is needed: which values of the metric are better
    help: `mode: min` when lower ones are, `mode: max` when higher ones are
    error: the checkpoint policy `best` cannot be used: there is no option `mod`
    help: the options are `metric`, `mode`, `keep`
    --- exit 3
    ");
    assert!(!repo.exists("model"));
    assert_eq!(repo.dewar(&["exp", "list", "--name-only"]).success(), "");
}

#[test]
fn a_broken_policy_costs_no_checkpoint_and_is_told() {
    let repo = project("{best: {metric: acc, mode: max}, hostile: {do: panic}}");
    repo.write(".dvc/plugins/hostile.wasm", HOSTILE_POLICY);
    let said = repo.dewar(&["exp", "run", "-n", "e1"]);
    assert_eq!(said.code, Some(0), "{said}");
    let warnings = said.stderr.lines().filter(|line| line.contains("the checkpoint policy `hostile` did not decide"));
    let warnings: Vec<&str> = warnings.collect();
    assert_eq!(warnings.len(), 3, "{said}");
    assert!(warnings[2].ends_with("It is not asked again in this run, and lets go of nothing"), "{said}");
    let whole = replayed(&repo, &["--policy", "every", "e1"]);
    assert_eq!((kept(&whole), &whole[0]["bytes"]["now"]), (vec![1, 2, 3, 4, 5, 6], &json!(21_000)));
}

#[test]
fn a_replay_goes_up_to_the_checkpoint_that_is_named() {
    let repo = project("[]");
    repo.dewar(&["exp", "run", "-n", "e1"]).success();
    let whole = replayed(&repo, &["--policy", "every", "e1"]);
    let third = whole[0]["kept"][2]["commit"].as_str().unwrap();
    let part = replayed(&repo, &["--policy", "every", third.get(..12).unwrap()]);
    assert_eq!((kept(&part), &part[0]["commit"], &part[0]["experiment"]), (vec![1, 2, 3], &json!(third), &json!("e1")));
    let table = repo.dewar(&["policy", "replay", "-v", "--policy", "every", third]).success();
    assert!(table.contains(&format!("e1 to {}", third.get(..7).unwrap())), "{table}");
}

#[test]
fn chains_that_other_programs_recorded_are_replayed() {
    let repo = project("[]");
    let head = repo.git(&["rev-parse", "HEAD"]).success();
    let head = head.trim();
    repo.git(&["checkout", "-qb", "elsewhere"]).success();
    for acc in ["0.5", "0.9", "0.7"] {
        repo.write("m.json", format!("{{\"acc\": {acc}}}\n")).git(&["add", "-f", "m.json"]).success();
        repo.git(&["commit", "-qm", "dvc: commit experiment"]).success();
    }
    let (two, rest) = head.split_at(2);
    let name = format!("refs/exps/{two}/{rest}/other");
    repo.git(&["update-ref", &name, "HEAD"]).success();
    repo.git(&["checkout", "-q", "main"]).success();
    let other = replayed(&repo, &[&BEST[..], &["other"]].concat());
    assert_eq!((&other[0]["stage"], &other[0]["moments"], kept(&other)), (&Value::Null, &json!(3), vec![2, 3]));
    assert_eq!(other[0]["best"][0]["lost"], json!(false));
}

#[test]
fn what_cannot_be_replayed_says_why() {
    let repo = project("[]");
    repo.dewar(&["exp", "run", "--queue", "-n", "waits"]).success();
    let refused =
        |args: &[&str]| repo.dewar(&["policy", "replay"].iter().chain(args).copied().collect::<Vec<_>>()).failure(2);
    insta::assert_snapshot!(refused(&["--policy", "best", "-o", "metrc=acc", "-o", "mode=ma", "waits"]), @"
    error: the checkpoint policy `best` cannot be used: `metric` is needed: the name of the metric to go by
    help: such as `metric: acc`; `dewar metrics show` lists those that there are
    error: the checkpoint policy `best` cannot be used: `mode` must be `min` or `max`, not `ma`
    error: the checkpoint policy `best` cannot be used: there is no option `metrc`
    help: the options are `metric`, `mode`, `keep`
    ");
    insta::assert_snapshot!(refused(&["--policy", "bets", "waits"]), @"
    error: there is no checkpoint policy `bets`
    help: `dewar policy list` lists those that there are
    ");
    insta::assert_snapshot!(refused(&["--policy", "every", "waits"]), @"error: `waits` has no checkpoints: it waits in the queue");
    insta::assert_snapshot!(refused(&["--policy", "every", "wait"]), @"
    error: `wait` is no experiment
    help: did you mean `waits`?
    ");
    insta::assert_snapshot!(refused(&["--policy", "every", "-o", "n=1,2", "waits"]), @"
    error: `-o n=1,2`: it does not give an option one value
    help: an option is written as in `-o keep=3`
    ");
    insta::assert_snapshot!(refused(&["--policy", "every", "-o", "n=1", "-o", "n=2", "waits"]), @"error: `n` of `--policy every` is given twice");
    insta::assert_snapshot!(refused(&["-o", "n=1", "--policy", "every", "waits"]), @"
    error: `-o n=1` stands before the `--policy` that it could belong to

    Usage: dewar [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
}
