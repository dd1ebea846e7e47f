//! Checkpoints: registered by a running stage, recorded as a chain of commits, gone on from and branched off.

use std::fs;
use std::process::Child;

use dewar_core::digest::{Algorithm, Hasher};
use dewar_tests::{CommandOutput, TestRepo, kill, wait_for};

use super::repo;

/// Counts on from its model, and waits at each checkpoint until it is recorded. `each.sh` is run after each.
const TRAIN: &str = r#"
signal="$DVC_ROOT/.dvc/tmp/DVC_CHECKPOINT"
n=$(cat model 2>/dev/null || echo 0)
echo "from $n resume=$DVCLIVE_RESUME" >> "$TOLD"
i=0
while [ $i -lt $(sed -n 's/^steps: //p' params.yaml) ]; do
  i=$((i+1)) n=$((n+1))
  echo $n > model
  echo "{\"step\": $n, \"acc\": 0.$((n * 7 % 10))}" > metrics.json
  if [ "$DVC_CHECKPOINT" = 1 ]; then
    : > "$signal"
    while [ -e "$signal" ]; do sleep 0.002; done
    echo "$n" >> "$ACKED"
  fi
  [ ! -e "$EACH" ] || . "$EACH"
done
"#;

pub(super) const PIPELINE: &str = "\
stages:
  train:
    cmd: sh train.sh
    deps: [train.sh]
    params: [lr, steps]
    outs: [model: {checkpoint: true}]
    metrics: [metrics.json: {cache: false}]
  evaluate:
    cmd: env | grep -c DVC_CHECKPOINT > env; sed s/^/score-/ model > score
    deps: [model]
    outs: [env: {cache: false}, score: {cache: false}]
";

/// A project whose stage has checkpoints.
pub(super) struct Training {
    pub(super) repo: TestRepo,
}

impl Training {
    pub(super) fn new() -> Self {
        Self::with(PIPELINE)
    }

    pub(super) fn with(pipeline: &str) -> Self {
        let repo = repo();
        repo.dewar(&["init"]).success();
        repo.write("dvc.yaml", pipeline).write("params.yaml", "lr: 1\nsteps: 3\n").write("train.sh", TRAIN);
        repo.write(".gitignore", "/model\n").commit("begin");
        Self { repo }
    }

    pub(super) fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = self.repo.command(env!("CARGO_BIN_EXE_dewar"));
        for (name, file) in [("TOLD", "told"), ("ACKED", "acked"), ("EACH", "each")] {
            command.env(name, self.repo.outside(file));
        }
        command.args(args);
        command
    }

    pub(super) fn dewar(&self, args: &[&str]) -> CommandOutput {
        self.repo.run(&mut self.command(args))
    }

    pub(super) fn spawn(&self, args: &[&str]) -> Child {
        self.repo.spawn(&mut self.command(args))
    }

    /// What is run after each checkpoint.
    pub(super) fn each(&self, script: &str) {
        fs::write(self.repo.outside("each"), script).unwrap();
    }

    pub(super) fn told(&self) -> Vec<String> {
        let text = fs::read_to_string(self.repo.outside("told")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The commits of an experiment, oldest first.
    pub(super) fn chain(&self, name: &str) -> Vec<String> {
        let references = self.repo.git(&["for-each-ref", "--format=%(refname)", "refs/exps/"]).success();
        let wanted = references.lines().find(|reference| reference.ends_with(&format!("/{name}")));
        let wanted = wanted.unwrap_or_else(|| panic!("there is no experiment {name}: {references}"));
        let commits = self.repo.git(&["rev-list", "--reverse", &format!("main..{wanted}")]).success();
        commits.lines().map(str::to_owned).collect()
    }

    pub(super) fn file(&self, commit: &str, file: &str) -> Option<String> {
        let output = self.repo.git(&["show", &format!("{commit}:{file}")]);
        (output.code == Some(0)).then_some(output.stdout)
    }

    pub(super) fn step(&self, commit: &str) -> u64 {
        let metrics: serde_json::Value = serde_json::from_str(&self.file(commit, "metrics.json").unwrap()).unwrap();
        metrics["step"].as_u64().unwrap()
    }

    /// The steps of an experiment, wrap-ups left out.
    pub(super) fn steps(&self, name: &str) -> Vec<u64> {
        let mut steps: Vec<u64> = self.chain(name).iter().map(|commit| self.step(commit)).collect();
        steps.dedup();
        steps
    }

    /// The names of all experiments.
    fn names(&self) -> Vec<String> {
        let output = self.dewar(&["exp", "list", "--name-only"]).success();
        output.lines().map(str::to_owned).collect()
    }

    /// The files of the workspace, without the cache.
    fn workspace(&self) -> std::collections::BTreeMap<String, String> {
        let mut files = self.repo.everything();
        files.retain(|name, _| !name.starts_with(".dvc/"));
        files.into_iter().map(|(name, content)| (name, String::from_utf8_lossy(&content).into_owned())).collect()
    }

    /// Each checkpoint has outputs, lock, parameters and metrics of one instant.
    pub(super) fn assert_sound(&self, name: &str) {
        self.assert_sound_since(name, 0);
        self.repo.git(&["fsck", "--strict"]).success();
    }

    /// The same, of those from a step on.
    pub(super) fn assert_sound_since(&self, name: &str, first: u64) {
        for commit in self.chain(name) {
            let step = self.step(&commit);
            if step < first {
                continue;
            }
            let lock = self.file(&commit, "dvc.lock").unwrap();
            let digest = Hasher::digest(Algorithm::Blake3, format!("{step}\n").as_bytes());
            let digest = digest.as_str();
            assert!(lock.contains(digest), "step {step} is not in the lock: {lock}");
            let (two, rest) = digest.split_at(2);
            let object = self.repo.root().join(".dvc/cache/files/blake3").join(two).join(rest);
            assert_eq!(fs::read_to_string(object).unwrap(), format!("{step}\n"));
            let params = self.file(&commit, "params.yaml").unwrap();
            for line in params.lines() {
                assert!(lock.contains(&format!("      {line}\n")), "{params} is not in {lock}");
            }
            assert_eq!(self.file(&commit, "model"), None);
        }
    }
}

/// With all digits of commits masked: the time that a stage took is in them.
fn masked(output: &CommandOutput) -> String {
    let words = output.to_string();
    let words = words.split_inclusive(|c: char| !c.is_ascii_alphanumeric()).map(|word| {
        let (digits, rest) = word.split_at_checked(7).unwrap_or_default();
        let is_commit = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) && rest.len() <= 1;
        if is_commit { format!("COMMIT{rest}") } else { word.to_owned() }
    });
    words.collect()
}

#[test]
fn each_signal_is_a_commit_and_downstream_stages_come_last() {
    let training = Training::new();
    insta::assert_snapshot!(masked(&training.dewar(&["exp", "run", "-n", "e1"])), @r"
    Reproducing experiment 'e1'
    Running stage 'train':
    > sh train.sh
    Checkpoint experiment iteration 'COMMIT' (step 1).
    Checkpoint experiment iteration 'COMMIT' (step 2).
    Checkpoint experiment iteration 'COMMIT' (step 3).
    Generating lock file 'dvc.lock'

    Running stage 'evaluate':
    > env | grep -c DVC_CHECKPOINT > env; sed s/^/score-/ model > score
    Updating lock file 'dvc.lock'

    Ran experiment(s): e1
    Experiment results have been applied to your workspace.
    ");
    let chain = training.chain("e1");
    assert_eq!(chain.iter().map(|commit| training.step(commit)).collect::<Vec<_>>(), [1, 2, 3, 3]);
    training.assert_sound("e1");
    let scores: Vec<_> = chain.iter().map(|commit| training.file(commit, "score")).collect();
    assert_eq!(scores, [None, None, None, Some("score-3\n".to_owned())]);
    // Only the stage with checkpoints is asked to register some.
    assert_eq!(training.repo.read("env"), "0\n");
    for commit in &chain {
        training.dewar(&["exp", "apply", commit]).success();
        assert_eq!(training.repo.read("model"), format!("{}\n", training.step(commit)));
    }
    let message = training.repo.git(&["log", "-1", "--format=%s%n%b", &chain[1]]).success();
    let note = r#"{"experiment":"e1","moment":{"stage":"train","trigger":"signalled","step":2,"#;
    assert!(message.starts_with("dvc: commit experiment ") && message.contains(note), "{message}");
}

#[test]
fn a_run_goes_on_from_the_last_checkpoint() {
    let training = Training::new();
    training.dewar(&["exp", "run", "-n", "e1"]).success();
    insta::assert_snapshot!(masked(&training.dewar(&["exp", "run"])), @r"
    Existing checkpoint experiment 'e1' will be resumed, from checkpoint COMMIT (step 3).
    Reproducing experiment 'e1'
    Running stage 'train':
    > sh train.sh
    Checkpoint experiment iteration 'COMMIT' (step 4).
    Checkpoint experiment iteration 'COMMIT' (step 5).
    Checkpoint experiment iteration 'COMMIT' (step 6).
    Updating lock file 'dvc.lock'

    Running stage 'evaluate':
    > env | grep -c DVC_CHECKPOINT > env; sed s/^/score-/ model > score
    Updating lock file 'dvc.lock'

    Ran experiment(s): e1
    Experiment results have been applied to your workspace.
    ");
    assert_eq!(training.told(), ["from 0 resume=", "from 3 resume=1"]);
    assert_eq!(training.steps("e1"), [1, 2, 3, 4, 5, 6]);
    training.assert_sound("e1");
    // What followed from a checkpoint before is no part of the next ones.
    let scores: Vec<_> = training.chain("e1").iter().map(|commit| training.file(commit, "score").is_some()).collect();
    assert_eq!(scores, [false, false, false, true, false, false, false, true]);
    assert_eq!(training.names(), ["e1"]);
}

#[test]
fn what_changed_makes_a_branch_and_says_why() {
    let training = Training::new();
    training.dewar(&["exp", "run", "-n", "e1"]).success();
    let output = masked(&training.dewar(&["exp", "run", "-n", "e2", "-S", "lr=2", "-S", "steps=1"]));
    let told = "Modified checkpoint experiment based on 'e1' will be created, from checkpoint COMMIT (step 3), because \
                `params.yaml` changed.";
    assert_eq!(output.lines().next(), Some(told));
    assert_eq!((training.steps("e1"), training.steps("e2")), (vec![1, 2, 3], vec![1, 2, 3, 4]));
    training.assert_sound("e2");
    let first = training.chain("e1")[0].clone();
    training.dewar(&["exp", "apply", &first]).success();
    let output = training.dewar(&["exp", "run", "-n", "e3"]).success();
    let told = format!(
        "Modified checkpoint experiment based on 'e1' will be created, from checkpoint {} (step 1), because it is not the \
         last one.",
        first.split_at(7).0
    );
    assert_eq!(output.lines().next(), Some(told.as_str()));
    assert_eq!(training.steps("e3"), [1, 2, 3, 4]);
    let output = training.dewar(&["exp", "run", "-n", "e4"]).success();
    assert!(output.contains("because another name was given."), "{output}");
    assert_eq!((training.steps("e3").len(), training.steps("e4").len()), (4, 7));
}

#[test]
fn a_reset_starts_over() {
    let training = Training::new();
    training.dewar(&["exp", "run", "-n", "e1"]).success();
    let output = training.dewar(&["exp", "run", "--reset", "-n", "e2"]).success();
    assert!(output.starts_with("Any existing checkpoints will be reset and re-run.\n"), "{output}");
    assert_eq!(training.told(), ["from 0 resume=", "from 0 resume="]);
    assert_eq!((training.steps("e1"), training.steps("e2")), (vec![1, 2, 3], vec![1, 2, 3]));
    // Nothing to go on from, but a model.
    training.dewar(&["exp", "remove", "e1", "e2"]).success();
    let output = training.dewar(&["exp", "run", "-n", "e3"]).success();
    let told = "There is no checkpoint to go on from: a new experiment begins, with `model`, `metrics.json` as in the workspace \
                (`--reset` begins without).";
    assert_eq!(output.lines().next(), Some(told));
    assert_eq!(training.steps("e3"), [4, 5, 6]);
    // Another commit, another chain.
    training.repo.commit("go on");
    let output = training.dewar(&["exp", "run", "-n", "e4"]).success();
    assert!(output.lines().next().unwrap().contains("is on another commit: a new experiment begins"), "{output}");
}

#[test]
fn a_crash_keeps_what_was_recorded_and_the_next_run_goes_on() {
    let training = Training::new();
    training.each("if [ $n = 2 ]; then echo half > model; echo '{\"step\": 99}' > metrics.json; exit 7; fi");
    let told = training.dewar(&["exp", "run", "-n", "e1"]).failure(1);
    assert!(told.contains("2 checkpoints are kept in 'e1'") && told.contains("`dewar exp run` goes on from"), "{told}");
    assert_eq!(training.steps("e1"), [1, 2]);
    training.assert_sound("e1");
    training.each(":");
    let output = training.dewar(&["exp", "run"]);
    assert!(
        output.stdout.starts_with("Existing checkpoint experiment 'e1' will be resumed, from checkpoint "),
        "{output}"
    );
    assert!(output.stderr.contains("`model` brought back to the checkpoint"), "{output}");
    assert_eq!(training.told(), ["from 0 resume=", "from 2 resume=1"]);
    assert_eq!(training.steps("e1"), [1, 2, 3, 4, 5]);
    training.assert_sound("e1");
}

#[test]
fn an_interrupt_keeps_what_was_recorded() {
    for place in [&[][..], &["--temp"]] {
        let training = Training::new();
        let reached = training.repo.outside("reached");
        training.each(&format!("if [ $n = 2 ]; then : > {}; while :; do sleep 0.05; done; fi", reached.display()));
        let child = training.spawn(&[&["exp", "run", "-n", "e1"], place].concat());
        wait_for(&reached);
        assert!(kill("-INT", &child.id().to_string()));
        let told = training.repo.wait(child).failure(130);
        assert!(told.contains("2 checkpoints are kept in 'e1'"), "{told}");
        assert_eq!(training.steps("e1"), [1, 2]);
        training.assert_sound("e1");
        assert_eq!(training.repo.exists("model"), place.is_empty());
    }
}

#[test]
fn beside_the_workspace_a_run_starts_over_or_goes_on_from_what_is_named() {
    let training = Training::new();
    training.dewar(&["exp", "run", "-n", "e1"]).success();
    let before = training.workspace();
    let first = training.chain("e1")[0].clone();
    let output = training.dewar(&["exp", "run", "--temp", "-n", "fresh"]);
    assert!(output.stderr.contains("stages with checkpoints start over beside the workspace"), "{output}");
    output.success();
    let output = training.dewar(&["exp", "run", "--temp", "--rev", &first, "-n", "on"]).success();
    assert!(output.starts_with("A new experiment will go on from checkpoint "), "{output}");
    training.dewar(&["exp", "run", "--queue", "-n", "queued"]).success();
    training.dewar(&["exp", "run", "--queue", "--rev", "e1", "-S", "lr=5", "-n", "later"]).success();
    training.dewar(&["exp", "run", "--run-all", "-j", "2"]).success();
    for (name, steps) in [
        ("fresh", &[1, 2, 3][..]),
        ("on", &[1, 2, 3, 4]),
        ("queued", &[1, 2, 3]),
        ("later", &[1, 2, 3, 4, 5, 6]),
        ("e1", &[1, 2, 3]),
    ] {
        assert_eq!(training.steps(name), steps, "{name}");
        training.assert_sound(name);
    }
    assert_eq!(training.chain("on")[0], first);
    assert_eq!(training.workspace(), before);
}

#[test]
fn what_cannot_be_gone_on_from_is_refused_before_anything_is_written() {
    let training = Training::new();
    training.dewar(&["exp", "run", "-n", "e1"]).success();
    training.repo.write("other", "1").commit("another baseline");
    for (args, code, told) in [
        (&["--rev", "e1"][..], 2, "--rev can only be used in conjunction with --queue or --temp"),
        (&["--temp", "--rev", "e1"], 2, "it is not derived from the commit that is checked out"),
        (&["--queue", "--rev", "nothing"], 2, "`nothing` is no experiment"),
        (&["--queue", "--rev", "e1", "--reset"], 2, "cannot be used with"),
    ] {
        let output = training.dewar(&[&["exp", "run", "-S", "lr=9"], args].concat());
        assert!(output.stderr.contains(told), "{output}");
        output.failure(code);
    }
    let told = training.dewar(&["repro"]).failure(2);
    assert!(told.contains("which are recorded by experiments alone"), "{told}");
    training.repo.git(&["reset", "--quiet", "--hard", "main~1"]).success();
    training.dewar(&["exp", "apply", "e1"]).success();
    fs::remove_dir_all(training.repo.root().join(".dvc/cache/files")).unwrap();
    training.repo.write("model", "another\n");
    let before = training.repo.everything();
    let told = training.dewar(&["exp", "run", "-S", "lr=9"]).failure(4);
    assert!(told.contains("the cache lacks `model`"), "{told}");
    assert_eq!(training.repo.everything(), before);
}

#[test]
fn a_killed_attempt_is_gone_on_with() {
    let training = Training::new();
    let reached = training.repo.outside("reached");
    training.each(&format!("if [ $n = 2 ] && [ ! -e {0} ]; then : > {0}; sleep 60; fi", reached.display()));
    training.dewar(&["exp", "run", "--queue", "-n", "q"]).success();
    let all = training.spawn(&["exp", "run", "--run-all"]);
    wait_for(&reached);
    let shown: serde_json::Value = serde_json::from_str(&training.dewar(&["exp", "show", "--json"]).success()).unwrap();
    let runner = shown[1]["experiments"][0]["executor"]["local"]["pid"].to_string();
    assert!(kill("-KILL", &runner), "{shown}");
    training.repo.wait(all).success();
    assert_eq!(training.told(), ["from 0 resume=", "from 2 resume=1"]);
    assert_eq!(training.steps("q"), [1, 2, 3, 4, 5]);
    training.assert_sound("q");
}

#[test]
fn the_stage_writes_on_whatever_links_are_configured() {
    for links in ["hardlink", "symlink"] {
        let training = Training::new();
        training.dewar(&["config", "cache.type", links]).success();
        training.dewar(&["exp", "run", "-n", "e1"]).success();
        training.dewar(&["exp", "run"]).success();
        assert_eq!(training.steps("e1"), [1, 2, 3, 4, 5, 6]);
        training.assert_sound("e1");
    }
}

#[test]
fn a_checkpoint_has_the_parameters_that_the_stage_began_with() {
    let training = Training::new();
    training.each("[ $n = 1 ] && printf 'lr: 7\\nsteps: 3\\n' > params.yaml; true");
    let output = training.dewar(&["exp", "run", "-n", "e1"]);
    assert!(output.stderr.contains("changed while the stage `train` ran"), "{output}");
    let chain = training.chain("e1");
    for commit in &chain[..3] {
        assert_eq!(training.file(commit, "params.yaml").unwrap(), "lr: 1\nsteps: 3\n");
    }
}

#[test]
fn directories_and_cached_metrics_are_of_the_same_instant() {
    let training = Training::with(
        "stages:\n  train:\n    cmd: sh folder.sh\n    params: [lr]\n    outs: [weights: {checkpoint: true}]\n    metrics: [m.json: {persist: true}]\n",
    );
    let script = r#"
for n in 1 2 3; do
  mkdir -p weights/part; echo $n > weights/part/a; rm -f weights/b*; echo $n > weights/b$n; echo "{\"n\": $n}" > m.json
  : > "$DVC_ROOT/.dvc/tmp/DVC_CHECKPOINT"; while [ -e "$DVC_ROOT/.dvc/tmp/DVC_CHECKPOINT" ]; do sleep 0.002; done
done"#;
    training.repo.write("folder.sh", script);
    training.repo.commit("folders");
    training.dewar(&["exp", "run", "-n", "e1"]).success();
    let chain = training.chain("e1");
    for (n, commit) in (1..=3).zip(&chain) {
        training.dewar(&["exp", "apply", commit]).success();
        assert_eq!(training.repo.read("weights/part/a"), format!("{n}\n"));
        assert_eq!(training.repo.read("m.json"), format!("{{\"n\": {n}}}\n"));
        let listed: Vec<String> =
            (1..=3).filter(|b| training.repo.exists(&format!("weights/b{b}"))).map(|b| b.to_string()).collect();
        assert_eq!(listed, [n.to_string()]);
    }
}

#[test]
fn steps_that_dvclive_completed_are_checkpoints() {
    let training = Training::with(
        "stages:\n  train:\n    cmd: sh live.sh\n    params: [lr]\n    outs: [model: {persist: true}]\n    metrics: [metrics.json: {cache: false, persist: true}]\n    meta: {dewar: {checkpoint: {signal: dvclive}}}\n",
    );
    let script = r#"
done="$DVC_ROOT/.dvc/tmp/exps/run/DVCLIVE_STEP_COMPLETED"
n=$(cat model 2>/dev/null || echo 0)
seen=$(git for-each-ref refs/exps --format='%(objectname)')
for i in 1 2 3; do
  n=$((n+1)); echo $n > model; echo "{\"step\": $n}" > metrics.json
  echo "{\"pid\": $$, \"step\": $n}" > "$done"
  while [ "$(git for-each-ref refs/exps --format='%(objectname)')" = "$seen" ]; do sleep 0.01; done
  seen=$(git for-each-ref refs/exps --format='%(objectname)')
done
echo "waits=$DVC_CHECKPOINT" >> "$TOLD""#;
    training.repo.write("live.sh", script);
    training.repo.commit("live");
    training.dewar(&["exp", "run", "-n", "e1"]).success();
    training.dewar(&["exp", "run"]).success();
    assert_eq!(training.told(), ["waits=", "waits="]);
    assert_eq!(training.steps("e1"), [1, 2, 3, 4, 5, 6]);
}

/// The stages that the lock of a commit remembers.
fn locked(training: &Training, commit: &str) -> Vec<String> {
    let lock = training.file(commit, "dvc.lock").unwrap();
    let names = lock.lines().filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'));
    names.filter(|name| !name.starts_with(' ')).map(str::to_owned).collect()
}

#[test]
fn stages_with_checkpoints_take_turns_and_none_forgets_the_other() {
    let training = Training::with(
        "stages:\n  train:\n    foreach: [a, b]\n    do:\n      cmd: mkdir -p ${item}; cd ${item}; cp ../params.yaml .; sh ../train.sh\n      params: [lr, steps]\n      outs:\n      - ${item}/model:\n          checkpoint: true\n",
    );
    training.repo.write(".gitignore", "/a\n/b\n").commit("two");
    training.dewar(&["exp", "run", "-j", "2", "-n", "e1"]).success();
    let chain = training.chain("e1");
    let stages: Vec<Vec<String>> = chain.iter().map(|commit| locked(&training, commit)).collect();
    let counts: Vec<usize> = stages.iter().map(Vec::len).collect();
    assert_eq!(counts[..6], [1, 1, 1, 2, 2, 2], "{stages:?}");
    // Back to a moment of the second one: the first is not forgotten.
    training.dewar(&["exp", "apply", &chain[4]]).success();
    training.dewar(&["exp", "run", "-n", "e2"]).success();
    let mut begun: Vec<String> = training.told()[2..].to_vec();
    begun.sort();
    assert_eq!(begun, ["from 2 resume=1", "from 3 resume=1"]);
    // Starting over, neither has anything of the runs before.
    training.dewar(&["exp", "run", "--reset", "-n", "e3"]).success();
    assert_eq!(locked(&training, &training.chain("e3")[0]).len(), 1);
}
