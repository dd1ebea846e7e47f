//! Checkpoints as the commands see them that read experiments: chains of commits, made by hand.

use std::fs;

use dewar_tests::TestRepo;
use serde_json::{Value, json};

use super::checkpoints::Training;
use super::data::objects;
use super::queue::{self, settled, wait_until};
use super::repo;

const PIPELINE: &str = "\
stages:
  train:
    cmd: cp params.yaml model && cp params.yaml metrics.yaml
    params: [lr]
    outs: [model]
    metrics: [{metrics.yaml: {cache: false}}]
";

/// A baseline whose learning rate is 0.
fn project() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("dvc.yaml", PIPELINE).write("params.yaml", "lr: 0\n");
    repo.dewar(&["repro"]).success();
    repo.commit("begin");
    repo
}

/// The commit of a checkpoint on `parent` whose learning rate and metric are `rate`. The workspace stays at it.
fn checkpoint(repo: &TestRepo, parent: &str, rate: u32, note: &Value) -> String {
    repo.write("params.yaml", format!("lr: {rate}\n"));
    repo.dewar(&["repro"]).success();
    repo.git(&["add", "--all"]).success();
    let tree = repo.git(&["write-tree"]).success();
    repo.git(&["reset", "--quiet"]).success();
    let message = format!("checkpoint\n\nDewar-Checkpoint: {note}");
    let commit = repo.git(&["commit-tree", tree.trim(), "-p", parent, "-m", &message]).success();
    commit.trim().to_owned()
}

fn head(repo: &TestRepo) -> String {
    repo.git(&["rev-parse", "HEAD"]).success().trim().to_owned()
}

/// Where the experiment `name` on `HEAD` stands.
fn reference(repo: &TestRepo, name: &str) -> String {
    let head = head(repo);
    let (two, rest) = head.split_at(2);
    format!("refs/exps/{two}/{rest}/{name}")
}

/// An experiment with a checkpoint for each rate, oldest first. The workspace is at `HEAD` afterwards.
fn chain(repo: &TestRepo, parent: &str, name: &str, rates: &[u32]) -> Vec<String> {
    let mut made: Vec<String> = Vec::new();
    for rate in rates {
        let parent = made.last().map_or(parent, String::as_str);
        made.push(checkpoint(repo, parent, *rate, &json!({ "experiment": name })));
    }
    repo.git(&["update-ref", &reference(repo, name), made.last().unwrap()]).success();
    restore(repo);
    made
}

pub(super) fn restore(repo: &TestRepo) {
    repo.git(&["checkout", "--quiet", "--force", "."]).success();
    repo.dewar(&["checkout"]).success();
}

pub(super) fn short(commit: &str) -> &str {
    commit.get(..7).unwrap()
}

/// `first` with three checkpoints, and `side`, which branches off behind the second with two of its own.
pub(super) fn branched() -> (TestRepo, Vec<String>, Vec<String>) {
    let repo = project();
    let first = chain(&repo, &head(&repo), "first", &[1, 2, 3]);
    let side = chain(&repo, &first[1], "side", &[12, 13]);
    (repo, first, side)
}

#[test]
fn chains_are_drawn() {
    let (repo, first, side) = branched();
    repo.dewar(&["exp", "run", "-n", "plain", "-S", "lr=7"]).success();
    restore(&repo);
    let plain = repo.git(&["rev-parse", &reference(&repo, "plain")]).success();
    let last = checkpoint(&repo, &side[1], 14, &json!({ "experiment": "side", "discarded": [side[0]] }));
    restore(&repo);
    let names = ["first-1", "first-2", "first-3", "side--1", "side--2", "side--3", "plain-1"];
    let commits = first.iter().chain(&side).chain([&last, &plain]);
    let shown = |args: &[&str]| {
        let text = repo.dewar(&[&["exp", "show"], args].concat()).success();
        commits.clone().zip(names).fold(text, |text, (commit, name)| text.replace(short(commit), name))
    };
    insta::assert_snapshot!(shown(&["--drop", "Created"]), @r"
    ─────────────────────────────────────────────────────────
     Experiment             metrics.yaml:lr  params.yaml:lr
    ─────────────────────────────────────────────────────────
     workspace                            0  0
     main                                 0  0
     ├── plain-1 [plain]                  7  7
     │ ╓ side--2 [side]                  13  13
     ├─╨ side--1 (first-2)               12  12
     │ ╓ first-3 [first]                  3  3
     │ ╟ first-2                          2  2
     └─╨ first-1                          1  1
    ─────────────────────────────────────────────────────────
    ");
    insta::assert_snapshot!(shown(&["--md", "--sort-by", "metrics.yaml:lr", "--drop", "Created|params"]), @r"
    | Experiment            | metrics.yaml:lr |
    |-----------------------|-----------------|
    | workspace             | 0               |
    | main                  | 0               |
    | │ ╓ first-3 [first]   | 3               |
    | │ ╟ first-2           | 2               |
    | ├─╨ first-1           | 1               |
    | ├── plain-1 [plain]   | 7               |
    | │ ╓ side--2 [side]    | 13              |
    | └─╨ side--1 (first-2) | 12              |
    ");
    insta::assert_snapshot!(shown(&["--csv", "--drop", "Created|params", "--hide-workspace"]), @r"
    Experiment,rev,typ,parent,metrics.yaml:lr
    ,main,baseline,,0
    plain,plain-1,branch_commit,,7
    side,side--2,checkpoint_tip,,13
    ,side--1,checkpoint_base,first-2,12
    first,first-3,checkpoint_tip,,3
    ,first-2,checkpoint_commit,,2
    ,first-1,checkpoint_base,,1
    ");
    // Without the checkpoint that a policy let go of.
    repo.git(&["update-ref", &reference(&repo, "side"), &last]).success();
    repo.dewar(&["exp", "remove", "plain", "first"]).success();
    insta::assert_snapshot!(shown(&["-A", "--only-changed", "--precision", "1", "--drop", "Created|params"]), @r"
    ──────────────────────────────────────
     Experiment          metrics.yaml:lr
    ──────────────────────────────────────
     workspace                         0
     main                              0
     │ ╓ side--3 [side]               14
     │ ╟ side--2                      13
     │ ╟ first-2                       2
     └─╨ first-1                       1
    ──────────────────────────────────────
    ");
}

#[test]
fn programs_get_the_whole_chain() {
    let (repo, first, side) = branched();
    let shown: Value = serde_json::from_str(&repo.dewar(&["exp", "show", "--json"]).success()).unwrap();
    let told = |experiment: &Value| -> Vec<(String, Value, u64)> {
        let revisions = experiment["revs"].as_array().unwrap().iter();
        let metric = |rev: &Value| rev["data"]["metrics"]["metrics.yaml"]["data"]["lr"].as_u64().unwrap();
        revisions.map(|rev| (rev["rev"].as_str().unwrap().to_owned(), rev["name"].clone(), metric(rev))).collect()
    };
    let revision = |commit: &String, name: Value, metric: u64| (commit.clone(), name, metric);
    assert_eq!(
        told(&shown[1]["experiments"][0]),
        [
            revision(&side[1], json!("side"), 13),
            revision(&side[0], Value::Null, 12),
            revision(&first[1], Value::Null, 2),
            revision(&first[0], Value::Null, 1),
        ]
    );
    assert_eq!(shown[1]["experiments"][1]["name"], "first");
    assert_eq!(told(&shown[1]["experiments"][1]).len(), 3);
}

#[test]
fn any_checkpoint_is_a_revision() {
    let (repo, first, side) = branched();
    let digits: Vec<&str> = first.iter().map(|commit| commit.get(..5).unwrap()).collect();
    let compared = repo.dewar(&["params", "diff", digits[0], &side[0], "--json"]).success();
    assert_eq!(compared, "{\"params.yaml\":{\"lr\":{\"old\":1,\"new\":12,\"diff\":11}}}\n");
    assert!(repo.dewar(&["params", "diff", digits[1]]).success().contains("lr"));
    repo.dewar(&["exp", "apply", digits[1]]).success();
    assert_eq!((repo.read("model"), repo.read("metrics.yaml")), ("lr: 2\n".into(), "lr: 2\n".into()));
    assert!(repo.dewar(&["repro"]).success().ends_with("up to date.\n"));
    // Three digits are too few to say it.
    let few = digits[1].get(..3).unwrap();
    assert!(repo.dewar(&["exp", "apply", few]).failure(2).contains("is no experiment"));
    let names = repo.dewar(&["exp", "list", "--name-only"]).success();
    assert_eq!(names, "first\nside\n");
    assert_eq!(repo.dewar(&["exp", "list", "--sha-only"]).success(), format!("{}\n{}\n", first[2], side[1]));
}

#[test]
fn a_branch_is_made_of_an_experiment_and_of_a_checkpoint() {
    let (repo, first, side) = branched();
    let before = repo.everything();
    insta::assert_snapshot!(repo.dewar(&["exp", "branch", "side", "br"]).success(), @r"
    Git branch 'br' has been created from experiment 'side'.
    To switch to the new branch run:

    	git checkout br
    ");
    assert!(repo.dewar(&["exp", "branch", "first"]).success().contains("'first-branch'"));
    repo.dewar(&["exp", "branch", short(&first[0]), "half/done"]).success();
    let at = |branch: &str| repo.git(&["rev-parse", &format!("refs/heads/{branch}")]).success().trim().to_owned();
    assert_eq!((at("br"), at("first-branch"), at("half/done")), (side[1].clone(), first[2].clone(), first[0].clone()));
    assert_eq!(repo.git(&["symbolic-ref", "HEAD"]).success(), "refs/heads/main\n");
    assert!(repo.everything() == before);

    let said = repo.dewar(&["exp", "branch", "side", "half/done"]).failure(4).replace(short(&first[0]), "[FIRST]");
    insta::assert_snapshot!(said, @"error: the git branch `half/done` exists already, at [FIRST]");
    assert_eq!(at("half/done"), first[0]);
    for (branch, code, said) in [
        ("-x", 2, "`-x` cannot be the name of a git branch"),
        ("a..b", 2, "`a..b` cannot be the name of a git branch"),
        ("half", 4, "half"),
        ("br/x", 4, "br"),
    ] {
        let failed = repo.dewar(&["exp", "branch", "side", "--", branch]).failure(code);
        assert!(failed.contains(said), "{failed}");
    }
    assert!(repo.dewar(&["exp", "branch", "nosuch"]).failure(2).contains("`nosuch` is no experiment"));
    repo.git(&["checkout", "--quiet", "half/done"]).success();
    repo.dewar(&["checkout"]).success();
    assert_eq!(repo.read("model"), "lr: 1\n");
}

#[test]
fn a_checkpoint_is_removed_with_its_experiment_alone() {
    let (repo, first, _) = branched();
    let said = repo.dewar(&["exp", "remove", "side", short(&first[1])]).failure(2).replace(short(&first[1]), "[FIRST]");
    insta::assert_snapshot!(said, @r"
    error: `[FIRST]` is a checkpoint of the experiment `first`, which has it as long as it exists
    help: `first` means the experiment with all its checkpoints
    ");
    assert_eq!(repo.dewar(&["exp", "list", "--name-only"]).success(), "first\nside\n");
    // By the digits of its last one, it is the experiment.
    repo.dewar(&["exp", "remove", short(&first[2])]).success();
    assert_eq!(repo.dewar(&["exp", "list", "--name-only"]).success(), "side\n");
    // What the other one needs stays, and is its own now.
    let said = repo.dewar(&["exp", "remove", short(&first[1])]).failure(2);
    assert!(said.contains("a checkpoint of the experiment `side`"), "{said}");
    let shown = repo.dewar(&["exp", "show", "--csv"]).success();
    assert_eq!(shown.matches("checkpoint_").count(), 4, "{shown}");
    repo.dewar(&["exp", "remove", "side"]).success();
    assert_eq!(repo.git(&["for-each-ref", "refs/exps/"]).success(), "");
}

/// Which models the cache has.
fn models(repo: &TestRepo) -> Vec<String> {
    let mut models: Vec<String> =
        objects(repo).iter().map(|name| repo.read(name).trim().trim_start_matches("lr: ").to_owned()).collect();
    models.sort();
    models
}

#[test]
fn what_a_policy_let_go_of_goes_from_the_cache() {
    let repo = project();
    let head = head(&repo);
    let first = chain(&repo, &head, "first", &[1, 2, 3]);
    // The branch keeps one that the other lets go of.
    chain(&repo, &first[1], "side", &[12]);
    let discarded = json!({ "experiment": "first", "discarded": [first[0], first[1], first[2]] });
    let last = checkpoint(&repo, &first[2], 4, &discarded);
    repo.git(&["update-ref", &reference(&repo, "first"), &last]).success();
    restore(&repo);
    repo.dewar(&["gc", "--all-experiments", "--force"]).success();
    assert_eq!(models(&repo), ["0", "1", "12", "2", "4"]);
    repo.dewar(&["exp", "remove", "side"]).success();
    // A branch of git keeps, too.
    repo.dewar(&["exp", "branch", short(&first[0]), "kept"]).success();
    repo.dewar(&["gc", "--all-experiments", "-a", "--force"]).success();
    assert_eq!(models(&repo), ["0", "1", "4"]);
    repo.git(&["branch", "-D", "kept"]).success();
    repo.dewar(&["gc", "--all-experiments", "--force"]).success();
    assert_eq!(models(&repo), ["0", "4"]);
    // Its commits stay: the chain is whole.
    repo.git(&["gc", "--quiet", "--prune=now"]).success();
    let count = repo.git(&["rev-list", "--count", &format!("{head}..{last}")]).success();
    assert_eq!(count, "4\n");
    assert_eq!(repo.dewar(&["params", "diff", short(&first[0]), "first", "--md"]).success().lines().count(), 3);
    // One that is gone can be named; what it lacks is said.
    let applied = repo.dewar(&["exp", "apply", short(&first[2])]);
    let told = applied.failure(4);
    assert!(
        told.contains("the cache lacks outputs of the experiment: `model`") && told.contains("let go of"),
        "{told}"
    );
}

#[test]
fn what_a_run_is_to_go_on_from_stays() {
    let training = Training::new();
    let repo = &training.repo;
    training.dewar(&["exp", "run", "-n", "e"]).success();
    let made = training.chain("e");
    let let_go_of = |discarded: &[&String]| {
        let note = json!({ "experiment": "e", "discarded": discarded });
        let message = format!("checkpoint\n\nDewar-Checkpoint: {note}");
        let tree = format!("{}^{{tree}}", made[2]);
        let last = repo.git(&["commit-tree", &tree, "-p", &made[2], "-m", &message]).success();
        repo.git(&["update-ref", &reference(repo, "e"), last.trim()]).success();
    };
    let count = || objects(repo).len();
    assert_eq!(count(), 3);
    // By a task of the queue.
    training.dewar(&["exp", "apply", &made[1]]).success();
    training.dewar(&["exp", "run", "--queue", "-n", "queued", "--rev", short(&made[0]), "-S", "steps=1"]).success();
    let_go_of(&[&made[0]]);
    training.dewar(&["gc", "-w", "--force"]).success();
    assert_eq!(count(), 2, "that of the workspace and that of the task");
    training.dewar(&["exp", "run", "--run-all"]).success();
    assert_eq!(training.steps("queued"), [1, 2]);
    training.dewar(&["exp", "remove", "queued"]).success();
    training.dewar(&["gc", "-w", "--force"]).success();
    assert_eq!(count(), 1);
    // By the workspace that stands there, whatever its lock says by now.
    let_go_of(&[&made[0], &made[1]]);
    fs::remove_file(repo.root().join("dvc.lock")).unwrap();
    training.dewar(&["gc", "--all-experiments", "--force"]).success();
    assert_eq!(count(), 1);
    training.dewar(&["exp", "run", "-n", "next", "-S", "steps=1"]).success();
    assert_eq!(training.steps("next"), [1, 2, 3]);
}

#[test]
fn the_data_of_queued_experiments_stays_when_git_forgets_its_logs() {
    let repo = queue::project();
    let objects_of = || objects(&repo).len();
    for data in ["3,4\n", "5,6\n"] {
        repo.write("data.csv", data);
        queue::dewar(&repo, &["exp", "run", "--queue"]).success();
    }
    repo.git(&["checkout", "--quiet", "--force", "."]).success();
    queue::dewar(&repo, &["checkout", "--force"]).success();
    let before = objects_of();
    repo.git(&["reflog", "expire", "--expire=now", "--all"]).success();
    queue::dewar(&repo, &["gc", "-w", "--force"]).success();
    assert_eq!(objects_of(), before);
}

#[test]
fn an_experiment_of_the_queue_that_is_not_finished_is_there_once() {
    let repo = queue::project();
    let open = queue::closed_gate(&repo);
    queue::dewar(&repo, &["exp", "run", "--queue", "-n", "e", "-S", "lr=5"]).success();
    queue::dewar(&repo, &["queue", "start"]).success();
    let experiments = || -> Vec<Value> {
        let shown = queue::dewar(&repo, &["exp", "show", "--json"]).success();
        let shown: Value = serde_json::from_str(&shown).unwrap();
        shown[1]["experiments"].as_array().cloned().unwrap_or_default()
    };
    wait_until("it runs", || experiments().iter().any(|one| !one["executor"]["local"]["pid"].is_null()));
    let task = experiments()[0]["executor"]["local"]["task_id"].as_str().unwrap().to_owned();
    // What the recorder would do.
    let tree = repo.git(&["rev-parse", "HEAD^{tree}"]).success();
    let note = json!({ "experiment": "e", "task": task });
    let mut tip = head(&repo);
    for _ in 0..2 {
        let message = format!("checkpoint\n\nDewar-Checkpoint: {note}");
        tip = repo.git(&["commit-tree", tree.trim(), "-p", &tip, "-m", &message]).success().trim().to_owned();
    }
    repo.git(&["update-ref", &reference(&repo, "e"), &tip]).success();
    let [running] = &experiments()[..] else { panic!("{:?}", experiments()) };
    assert_eq!((&running["executor"]["state"], &running["name"]), (&json!("running"), &json!("e")));
    assert_eq!((&running["revs"][0]["rev"], running["revs"].as_array().unwrap().len()), (&json!(tip), 2));
    let table = queue::dewar(&repo, &["exp", "show", "--csv"]).success();
    assert!(table.contains(&format!("e,{},checkpoint_tip,", short(&tip))), "{table}");
    assert_eq!((table.matches("Running").count(), table.matches("checkpoint_base").count()), (1, 1), "{table}");

    // What runs is not removed; nor is anything else then.
    let said = queue::dewar(&repo, &["exp", "remove", "e"]).failure(4);
    assert!(said.contains("`e` runs"), "{said}");
    assert_eq!(experiments().len(), 1);

    // It fails, with what it has.
    fs::write(repo.outside("told.gate"), "exit 3").unwrap();
    queue::dewar(&repo, &["queue", "kill", "e"]).success();
    settled(&repo);
    drop(open);
    let [failed] = &experiments()[..] else { panic!("{:?}", experiments()) };
    assert_eq!((&failed["executor"]["state"], &failed["revs"][0]["rev"]), (&json!("failed"), &json!(tip)));
    assert_eq!((&failed["revs"][0]["error"]["msg"], &failed["revs"][1]["error"]), (&json!("killed"), &Value::Null));
    assert!(!queue::dewar(&repo, &["exp", "show", "--hide-failed"]).success().contains("[e]"));
    // By the digits of the task, too, it is the last checkpoint.
    let applied = queue::dewar(&repo, &["exp", "apply", short(&task)]);
    assert!(!applied.stderr.contains("It has no result"), "{applied}");
    applied.success();
    // Both are gone at once.
    queue::dewar(&repo, &["exp", "remove", "e"]).success();
    assert_eq!(experiments(), [Value::Null; 0]);
}
