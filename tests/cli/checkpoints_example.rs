//! `examples/checkpoints` does what its README says.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dewar_tests::{CommandOutput, TestRepo, kill};
use serde_json::Value;

use super::repo;

/// What the README trains with.
const PARAMETERS: [&str; 4] = ["--lr", "0.3", "--momentum", "0.8"];

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/checkpoints")
}

/// Copies the files of the example to a folder.
fn copy_to(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for entry in fs::read_dir(example()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
        }
    }
}

fn project() -> TestRepo {
    let repo = repo();
    copy_to(repo.root());
    repo.dewar(&["init"]).success();
    repo.commit("Begin");
    repo
}

/// The model after each epoch when nothing interrupts the training and no dewar is there.
fn uninterrupted(repo: &TestRepo, epochs: u64) -> Vec<String> {
    let folder = repo.outside("uninterrupted");
    copy_to(&folder);
    let python = |args: &[&str]| repo.run(repo.command("python3").current_dir(&folder).args(args)).success();
    python(&["prepare.py", "--seed", "7"]);
    let train = |epoch: u64| {
        python(&[&["train.py", "--epochs", &epoch.to_string()], &PARAMETERS[..]].concat());
        fs::read_to_string(folder.join("model.json")).unwrap()
    };
    (1..=epochs).map(train).collect()
}

/// The commits of an experiment, oldest first.
fn chain(repo: &TestRepo, name: &str) -> Vec<String> {
    let references = repo.git(&["for-each-ref", "--format=%(refname)", "refs/exps/"]).success();
    let Some(reference) = references.lines().find(|reference| reference.ends_with(&format!("/{name}"))) else {
        return Vec::new();
    };
    let commits = repo.git(&["rev-list", "--reverse", &format!("main..{reference}")]).success();
    commits.lines().map(str::to_owned).collect()
}

/// The metrics in a commit.
#[track_caller]
fn metrics(repo: &TestRepo, commit: &str) -> Value {
    serde_json::from_str(&repo.git(&["show", &format!("{commit}:metrics.json")]).success()).unwrap()
}

/// The epochs in the metrics of an experiment's commits.
#[track_caller]
fn epochs(repo: &TestRepo, name: &str) -> Vec<u64> {
    chain(repo, name).iter().map(|commit| metrics(repo, commit)["epoch"].as_u64().unwrap()).collect()
}

/// Epochs, the last of which is in the wrap-up, too.
fn up_to(last: u64) -> Vec<u64> {
    (1..=last).chain([last]).collect()
}

/// Trains until there are `count` checkpoints, and presses Ctrl-C.
fn interrupted_at(repo: &TestRepo, count: usize, args: &[&str]) -> CommandOutput {
    // Each epoch lasts longer than anybody waits.
    let mut command = repo.command(env!("CARGO_BIN_EXE_dewar"));
    let child = repo.spawn(command.args(args).env("EPOCH_SECONDS", "50"));
    let began = Instant::now();
    while chain(repo, "first").len() < count {
        assert!(began.elapsed() < Duration::from_secs(30), "checkpoint {count} does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(kill("-INT", &child.id().to_string()));
    repo.wait(child)
}

/// With the policies in `dvc.yaml`.
fn with_policies(repo: &TestRepo) {
    let pipeline = repo.read("dvc.yaml");
    let (before, commented) = pipeline.split_once("    # meta:\n").unwrap();
    let (commented, after) = commented.split_once("\n\n").unwrap();
    let settings = commented.replace("    # ", "    ");
    repo.write("dvc.yaml", format!("{before}    meta:\n{settings}\n\n{after}"));
}

#[test]
fn it_is_interrupted_and_goes_on_as_if_it_were_not() {
    let repo = project();
    let output = interrupted_at(&repo, 1, &["exp", "run", "-n", "first"]);
    assert!(output.failure(130).contains("1 checkpoint is kept in 'first'"));
    let output = interrupted_at(&repo, 2, &["exp", "run"]);
    let told = "Existing checkpoint experiment 'first' will be resumed, from checkpoint ";
    assert!(output.stdout.starts_with(told), "{output}");
    output.failure(130);
    assert_eq!(epochs(&repo, "first"), [1, 2]);
    assert!(!repo.exists("evaluation.json"));

    // Whatever became of the model meanwhile.
    repo.write("model.json", "{");
    let told = repo.dewar(&["exp", "run"]).success();
    assert!(told.contains("(step 2).\n") && told.contains("Stage 'prepare' didn't change, skipping\n"), "{told}");
    assert_eq!(epochs(&repo, "first"), up_to(10));

    // It is the same training as one that nothing interrupted, and each epoch comes back to the byte.
    let models = uninterrupted(&repo, 10);
    let last = models.last().unwrap();
    for (commit, model) in chain(&repo, "first").iter().zip(models.iter().chain([last])) {
        repo.dewar(&["exp", "apply", commit]).success();
        assert_eq!(repo.read("model.json"), *model, "{commit}");
        // It is in the cache, and not in git.
        assert_eq!(repo.git(&["ls-tree", commit, "model.json"]).success(), "");
        assert_eq!(serde_json::from_str::<Value>(&repo.read("metrics.json")).unwrap(), metrics(&repo, commit));
    }
    assert!(repo.exists("evaluation.json"), "the last is the wrap-up");
}

#[test]
fn it_branches_off_an_earlier_epoch_and_starts_over() {
    let repo = project();
    repo.dewar(&["exp", "run", "-n", "first"]).success();
    let first = chain(&repo, "first");
    let loss = |commit: &String| metrics(&repo, commit)["loss"].as_f64().unwrap();
    let best = first.iter().min_by(|a, b| loss(a).total_cmp(&loss(b))).unwrap();
    assert_eq!(metrics(&repo, best)["epoch"], 6);

    repo.dewar(&["exp", "apply", best]).success();
    let told = repo.dewar(&["exp", "run", "-n", "careful", "-S", "train.momentum=0"]).success();
    let short = best.split_at(7).0;
    let expected = format!(
        "Modified checkpoint experiment based on 'first' will be created, from checkpoint {short} (step 6), because \
         `params.yaml` changed.\n"
    );
    assert!(told.starts_with(&expected), "{told}");
    let careful = chain(&repo, "careful");
    assert_eq!(careful[..6], first[..6]);
    assert_eq!(epochs(&repo, "careful"), up_to(10));
    assert!(careful[6..].windows(2).all(|pair| loss(&pair[1]) <= loss(&pair[0])));
    assert!(loss(&careful[10]) < loss(best));
    assert_eq!(chain(&repo, "first"), first);

    // The same beside the workspace.
    repo.dewar(&["exp", "run", "--temp", "--rev", best, "-n", "beside"]).success();
    let model = |name: &str| {
        repo.dewar(&["exp", "apply", name]).success();
        repo.read("model.json")
    };
    assert_eq!((epochs(&repo, "beside"), model("beside")), (up_to(10), model("careful")));

    let told = repo.dewar(&["exp", "run", "--reset", "-n", "again", "-S", "train.momentum=0.5"]).success();
    assert!(told.starts_with("Any existing checkpoints will be reset and re-run.\n"), "{told}");
    let again = chain(&repo, "again");
    assert_eq!(epochs(&repo, "again"), up_to(10));
    assert!(again.iter().all(|commit| !first.contains(commit)));
    assert_eq!((chain(&repo, "first"), chain(&repo, "careful")), (first, careful));
}

#[test]
fn it_keeps_the_best_and_stops_when_it_gets_no_better() {
    let repo = project();
    with_policies(&repo);
    let output = repo.dewar(&["exp", "run", "--reset", "-n", "best", "-S", "train.epochs=100"]);
    let reason = "by stop-early: `loss` has not fallen in 3 steps; the best was 0.5142 at step 6\n";
    assert!(output.stderr.contains(reason), "{output}");
    output.success();
    assert_eq!(epochs(&repo, "best"), up_to(9));
    assert!(repo.exists("evaluation.json"), "what comes after ran");

    let chain = chain(&repo, "best");
    let notes = repo.git(&["log", "--format=%(trailers:key=Dewar-Checkpoint,valueonly)", "main..", &chain[9]]);
    let notes = notes.success();
    let notes = notes.lines().filter(|line| !line.is_empty());
    let discarded: Vec<String> = notes
        .flat_map(|note| {
            serde_json::from_str::<Value>(note).unwrap()["discarded"].as_array().cloned().unwrap_or_default()
        })
        .map(|commit| commit.as_str().unwrap().to_owned())
        .collect();
    let kept: Vec<usize> = (1..=9).filter(|epoch| !discarded.contains(&chain[epoch - 1])).collect();
    assert_eq!(kept, [5, 6, 7, 9]);

    repo.dewar(&["gc", "--all-experiments", "--force"]).success();
    for epoch in 1..=9 {
        let applied = repo.dewar(&["exp", "apply", &chain[epoch - 1]]);
        assert_eq!(applied.code == Some(0), kept.contains(&epoch), "epoch {epoch}: {applied}");
    }
    // A run goes on from the last, and is told again that it is no use.
    repo.dewar(&["exp", "apply", "best"]).success();
    repo.dewar(&["exp", "run"]).success();
    assert_eq!(epochs(&repo, "best"), [&up_to(9)[..], &[10, 10]].concat());
}

#[test]
fn the_readme_shows_what_the_files_say() {
    let read = |name: &str| fs::read_to_string(example().join(name)).unwrap();
    let readme = read("README.md");
    let train = read("train.py");
    let (_, function) = train.split_once("def checkpoint():\n").unwrap();
    let (function, _) = function.split_once("\n\n\n").unwrap();
    assert!(readme.contains(function), "{function}");
    let repo = project();
    with_policies(&repo);
    let pipeline = repo.read("dvc.yaml");
    let (_, settings) = pipeline.split_once("    meta:\n").unwrap();
    let (settings, _) = settings.split_once("\n\n").unwrap();
    assert!(readme.contains(settings), "{settings}");
}
