//! `--pull`: what is missing comes from a remote that is a folder, is verified, and nothing runs that need not.

use std::fs;

use dewar_tests::TestRepo;

use super::bad_input::project;

/// A project with data, two stages and a remote that has everything; the project itself has nothing but its text files.
fn pushed() -> TestRepo {
    let repo = project();
    repo.write("raw", "1\n");
    repo.dewar(&["add", "raw"]).success();
    repo.write(
        "dvc.yaml",
        "stages:\n  a:\n    cmd: cp raw mid && echo more >> mid && echo a >> ../ran\n    deps: [raw]\n    outs: [mid]\n  b:\n    cmd: mkdir -p fin && cp mid fin/x && echo b >> ../ran\n    deps: [mid]\n    outs: [fin]\n",
    );
    repo.dewar(&["repro"]).success();
    fs::remove_file(repo.outside("ran")).unwrap();
    fs::create_dir(repo.outside("store")).unwrap();
    for part in ["files", "runs"] {
        fs::rename(repo.root().join(".dvc/cache").join(part), repo.outside("store").join(part)).unwrap();
    }
    for name in ["raw", "mid"] {
        fs::remove_file(repo.root().join(name)).unwrap();
    }
    fs::remove_dir_all(repo.root().join("fin")).unwrap();
    // Relative to the folder of the settings.
    repo.write(".dvc/config", "[core]\n    remote = r\n['remote \"r\"']\n    url = ../../store\n");
    repo
}

/// Which stages ran.
fn ran(repo: &TestRepo) -> String {
    fs::read_to_string(repo.outside("ran")).unwrap_or_default().replace('\n', "")
}

#[test]
fn data_and_results_are_fetched() {
    let repo = pushed();
    repo.dewar(&["repro"]).failure(4);
    repo.dewar(&["repro", "--pull"]).success();
    assert_eq!((ran(&repo).as_str(), repo.read("fin/x").as_str()), ("", "1\nmore\n"));
    assert!(repo.dewar(&["status"]).success().contains("up to date"));
}

#[test]
fn remembered_runs_are_fetched() {
    let repo = pushed();
    fs::remove_file(repo.root().join("dvc.lock")).unwrap();
    repo.commit("no lock");
    repo.dewar(&["exp", "run", "--pull"]).success();
    assert_eq!((ran(&repo).as_str(), repo.read("fin/x").as_str()), ("", "1\nmore\n"));
}

#[test]
fn a_single_stage_gets_what_it_reads() {
    let repo = pushed();
    repo.dewar(&["repro", "--pull", "--single-item", "b", "--force"]).success();
    assert_eq!((ran(&repo).as_str(), repo.read("fin/x").as_str()), ("b", "1\nmore\n"));
    assert!(!repo.exists("raw"));
}

#[test]
fn what_the_remote_damaged_is_not_believed() {
    let repo = pushed();
    repo.dewar(&["repro", "--pull", "raw.dvc"]).success();
    let mut waiting = vec![repo.outside("store/files")];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                fs::remove_file(&path).unwrap();
                fs::write(&path, "damaged").unwrap();
            }
        }
    }
    let said = repo.dewar(&["repro", "--pull"]);
    assert!(said.stderr.contains("warning: the remote `r` has `files/"), "{said}");
    said.success();
    assert_eq!((ran(&repo).as_str(), repo.read("fin/x").as_str()), ("ab", "1\nmore\n"));
}

#[test]
fn remotes_that_are_none() {
    let repo = pushed();
    let with = |config: &str| {
        repo.write(".dvc/config", config);
        repo.dewar(&["repro", "--pull"]).failure(6)
    };
    let mut said = with("");
    said.push_str(&with("[core]\n    remote = r\n['remote \"s\"']\n    url = /x\n"));
    said.push_str(&with("[core]\n    remote = r\n['remote \"r\"']\n    url = s3://bucket/path\n"));
    said.push_str(&with("[core]\n    remote = r\n['remote \"r\"']\n    url = ../../gone\n"));
    insta::assert_snapshot!(said, @r#"
    error: the project has no default remote
    help: `dewar remote add --default NAME FOLDER` makes one, `dewar remote default NAME` names one of those there are
    error: there is no remote `r` in `.dvc/config`
    help: there is s
    error: the remote `r` (`s3://bucket/path`) is of the kind `s3`, which dewar does not speak yet
    help: a remote can be a folder: `dewar remote add NAME /mnt/store`; DVC speaks the others
    error: the remote `r` is not there: no folder `[ROOT]/.dvc/../../gone`
    help: mount the disk that it is on; or make the folder, if it is new
    "#);
    assert_eq!(ran(&repo), "");
}

#[test]
fn stages_that_need_the_same_data_at_once_wait_for_it() {
    let repo = project();
    for number in 0..3000 {
        repo.write(&format!("data/{number}"), number.to_string());
    }
    repo.dewar(&["add", "data"]).success();
    let stage =
        |name: &str| format!("  {name}:\n    cmd: ls data | wc -l > {name}\n    deps: [data]\n    outs: [{name}]\n");
    let stages: String = ["a", "b", "c", "d"].map(stage).concat();
    repo.write("dvc.yaml", format!("stages:\n{stages}"));
    fs::create_dir(repo.outside("store")).unwrap();
    fs::rename(repo.root().join(".dvc/cache/files"), repo.outside("store/files")).unwrap();
    repo.write(".dvc/config", "[core]\n    remote = r\n['remote \"r\"']\n    url = ../../store\n");
    for _ in 0..3 {
        fs::remove_dir_all(repo.root().join("data")).unwrap();
        repo.dewar(&["repro", "--pull", "--force", "--downstream", "a", "b", "c", "d", "-j4"]).success();
        for name in ["a", "b", "c", "d"] {
            assert_eq!(repo.read(name).trim(), "3000");
        }
    }
}
