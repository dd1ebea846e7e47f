//! `status`: DVC's words and shape, with paths as the user in any folder sees them.

use dewar_tests::TestRepo;

use super::repo;

const PIPELINE: &str = "\
stages:
  make:
    cmd: cp ../data.csv out && cp ../data.csv metrics.json
    deps: [../data.csv]
    params: [lr, ../other.yaml: [a]]
    outs: [./out]
    metrics: [metrics.json: {cache: false}]
";

fn project() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("sub/dvc.yaml", PIPELINE).write("data.csv", "1\n");
    repo.write("sub/params.yaml", "lr: 1\n").write("other.yaml", "a: 1\n");
    repo
}

/// What `status --json` says in a folder.
fn status(repo: &TestRepo, folder: &str) -> String {
    let mut command = repo.command(env!("CARGO_BIN_EXE_dewar"));
    repo.run(command.args(["status", "--json"]).current_dir(repo.root().join(folder))).success().trim().to_owned()
}

#[test]
fn what_never_ran_shows_by_all_it_has() {
    let repo = project();
    std::fs::remove_file(repo.root().join("other.yaml")).unwrap();
    assert_eq!(
        status(&repo, "sub"),
        r#"{"make":[{"changed deps":{"../data.csv":"modified","params.yaml":"new","../other.yaml":"deleted"}},{"changed outs":{"out":"deleted","metrics.json":"deleted"}}]}"#
    );
}

#[test]
fn paths_are_those_of_the_folder_and_what_the_cache_lost_comes_first() {
    let repo = project();
    repo.dewar(&["repro", "sub/dvc.yaml"]).success();
    assert_eq!(status(&repo, ""), "{}");
    repo.write("data.csv", "2\n").write("sub/params.yaml", "lr: 2\n");
    for file in ["sub/out", "sub/metrics.json"] {
        std::fs::remove_file(repo.root().join(file)).unwrap();
    }
    let deps = r#"{"changed deps":{"data.csv":"modified","sub/params.yaml":{"lr":"modified"}}}"#;
    let changed = |out: &str| {
        format!(
            r#"{{"sub/dvc.yaml:make":[{deps},{{"changed outs":{{"sub/out":"{out}","sub/metrics.json":"deleted"}}}}]}}"#
        )
    };
    assert_eq!(status(&repo, ""), changed("deleted"));
    std::fs::remove_dir_all(repo.root().join(".dvc/cache")).unwrap();
    assert_eq!(status(&repo, ""), changed("not in cache"));
    assert!(status(&repo, "sub").contains(r#""changed deps":{"../data.csv":"modified","params.yaml":{"#));
}

#[test]
fn data_that_the_cache_lost_is_kept_again() {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("data.csv", "1\n").dewar(&["add", "data.csv"]).success();
    let tracked = repo.read("data.csv.dvc");
    std::fs::remove_dir_all(repo.root().join(".dvc/cache")).unwrap();
    assert_eq!(status(&repo, ""), r#"{"data.csv.dvc":[{"changed outs":{"data.csv":"not in cache"}}]}"#);
    let told = repo.dewar(&["repro", "data.csv.dvc"]).success();
    assert!(!told.contains("imported"), "{told}");
    assert_eq!((status(&repo, "").as_str(), repo.read("data.csv.dvc")), ("{}", tracked));
}
