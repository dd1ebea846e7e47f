//! `exp push`, `exp pull`, `exp list` and `exp remove` of git remotes: repositories of this machine, and through the user's ssh.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use dewar_tests::{CommandOutput, TestRepo, kill, wait_for};

use super::bad_input::project;

/// A project with a cached output, two experiments `a` and `b`, and two remotes: `origin` for git, a folder for data.
pub(super) fn shared() -> TestRepo {
    let repo = project();
    repo.write(
        "dvc.yaml",
        "stages:\n  train:\n    cmd: cp params.yaml model && cp params.yaml log\n    params: [lr]\n    outs: [model]\n    metrics:\n    - log:\n        cache: false\n",
    );
    repo.write(".dvc/config", "[core]\n    remote = r\n['remote \"r\"']\n    url = ../../store\n");
    repo.git(&["init", "--quiet", "--bare", "--initial-branch=main", "../bare"]).success();
    repo.git(&["remote", "add", "origin", "../bare"]).success();
    repo.commit("pipeline");
    repo.git(&["push", "--quiet", "origin", "main"]).success();
    experiment(&repo, "a", "2");
    experiment(&repo, "b", "3");
    repo
}

fn experiment(repo: &TestRepo, name: &str, lr: &str) {
    repo.dewar(&["exp", "run", "--force", "-n", name, "-S", &format!("lr={lr}")]).success();
    repo.git(&["checkout", "--quiet", "--force", "."]).success();
}

/// The experiments that a repository has, as `name commit`.
fn experiments(repo: &TestRepo, folder: &str) -> Vec<String> {
    let listing = repo.git(&["-C", folder, "for-each-ref", "--format=%(refname) %(objectname:short)", "refs/exps"]);
    let is_one = |line: &&str| line.split('/').count() == 5 && !line.contains("/exec/") && !line.contains("/apply/");
    listing.success().lines().filter(is_one).map(|line| line.rsplit('/').next().unwrap().to_owned()).collect()
}

/// A clone of `origin`, in which dewar is run.
struct Clone<'r>(&'r TestRepo);

impl<'r> Clone<'r> {
    fn of(repo: &'r TestRepo) -> Self {
        repo.git(&["clone", "--quiet", "../bare", "../clone"]).success();
        Self(repo)
    }

    fn dewar(&self, args: &[&str]) -> CommandOutput {
        self.0.dewar(&[&["--cd", "../clone"], args].concat())
    }

    fn has_in_cache(&self, content: &str) -> bool {
        let files = self.0.outside("clone/.dvc/cache/files/blake3");
        let folders = fs::read_dir(files).into_iter().flatten();
        let mut files = folders.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
        files.any(|file| fs::read_to_string(file.unwrap().path()).unwrap() == content)
    }
}

#[test]
fn experiments_go_with_their_data_and_come_with_it() {
    let repo = shared();
    let said = repo.dewar(&["exp", "push", "origin", "a"]).success();
    assert_eq!(said, "Pushed experiment a to Git remote 'origin'.\n1 file uploaded\n");
    assert_eq!(experiments(&repo, "../bare"), [experiments(&repo, ".")[0].clone()]);
    let said = repo.dewar(&["exp", "push", "origin"]).success();
    assert!(said.contains("Experiment a is up to date on Git remote 'origin'.\nPushed experiment b to"), "{said}");
    assert_eq!(experiments(&repo, "../bare"), experiments(&repo, "."));

    let clone = Clone::of(&repo);
    assert_eq!(clone.dewar(&["exp", "list"]).success(), "");
    assert_eq!(clone.dewar(&["exp", "list", "origin"]).success(), repo.dewar(&["exp", "list"]).success());
    let said = clone.dewar(&["exp", "pull", "origin", "a"]).success();
    assert_eq!(said, "Pulled experiment a from Git remote 'origin'.\n1 file downloaded\n");
    assert!(clone.has_in_cache("lr: 2\n") && !clone.has_in_cache("lr: 3\n"));
    clone.dewar(&["exp", "apply", "a"]).success();
    assert_eq!(fs::read_to_string(repo.outside("clone/model")).unwrap(), "lr: 2\n");
    let said = clone.dewar(&["exp", "pull", "origin", "-A"]).success();
    assert!(said.contains("Up to date with Git remote 'origin': experiment a.\nPulled experiment b from"), "{said}");
    assert_eq!(experiments(&repo, "../clone"), experiments(&repo, "."));
}

#[test]
fn which_experiments_are_meant() {
    let repo = shared();
    repo.write("more", "1").commit("second");
    experiment(&repo, "c", "4");
    let path = repo.outside("bare").display().to_string();
    assert!(repo.dewar(&["exp", "push", &path]).success().contains("Pushed experiment c to"));
    assert!(repo.dewar(&["exp", "push", "../bare", "--rev", "HEAD~1"]).success().contains("experiments a and b to"));
    let list = |args: &[&str]| repo.dewar(&[&["exp", "list", "origin", "--name-only"], args].concat()).success();
    assert_eq!(list(&[]), "c\n");
    assert_eq!(list(&["-n", "2"]), "c\na\nb\n");
    assert_eq!(list(&["-A"]).lines().count(), 3);
    let tip = experiments(&repo, ".").into_iter().find(|line| line.starts_with("c ")).unwrap();
    assert!(
        repo.dewar(&["exp", "push", "origin", tip.trim_start_matches("c ")])
            .success()
            .contains("Experiment c is up to date")
    );
    repo.dewar(&["exp", "push", "origin", "a", "-A"]).failure(2);
    let said = repo.dewar(&["exp", "push", "origin", "aa"]).failure(2);
    assert!(said.contains("`aa` is no experiment\n") && said.contains("did you mean `a`?"), "{said}");
    let said = repo.dewar(&["exp", "pull", "origin", "bb"]).failure(2);
    assert!(said.contains("no experiment of the git remote `origin`") && said.contains("did you mean `b`?"), "{said}");
    let said = repo.dewar(&["exp", "remove", "-g", "origin", "fuzzy-otter"]).failure(2);
    assert!(said.contains("`dewar exp list -A origin` lists all"), "{said}");
    let said = repo.dewar(&["exp", "list", "orgin"]).failure(2);
    assert!(said.contains("no git remote `orgin`") && said.contains("did you mean `origin`?"), "{said}");
    let said = repo.dewar(&["exp", "list", "../nowhere"]).failure(6);
    assert!(said.contains("no git repository"), "{said}");
}

#[test]
fn commits_that_the_remote_lacks_are_told_of() {
    let repo = shared();
    repo.write("more", "1").commit("not pushed");
    experiment(&repo, "c", "4");
    let mut push = repo.command(env!("CARGO_BIN_EXE_dewar"));
    let said = repo.run(push.args(["exp", "push", "origin"])).to_string();
    assert!(said.contains("1 commit before the experiments that Git remote 'origin' lacks go along"), "{said}");
    let said = repo.dewar(&["exp", "push", "origin", "a"]).to_string();
    assert!(!said.contains("go along"), "{said}");
}

#[test]
fn another_experiment_of_the_name_is_replaced_only_when_asked() {
    let repo = shared();
    repo.dewar(&["exp", "push", "origin"]).success();
    let clone = Clone::of(&repo);
    clone.dewar(&["exp", "pull", "origin"]).success();
    let before = experiments(&repo, "../bare");
    experiment(&repo, "a", "7");
    experiment(&repo, "c", "8");
    let said = repo.dewar(&["exp", "push", "origin"]);
    let shown = said.to_string();
    assert!(shown.contains("Pushed experiment c to Git remote"), "the others go: {shown}");
    let said = said.failure(6);
    assert!(said.contains("the git remote `origin` has another experiment `a`") && said.contains("--force"), "{said}");
    assert_eq!(experiments(&repo, "../bare")[..2], before);
    repo.dewar(&["exp", "push", "--force", "origin"]).success();
    assert_eq!(experiments(&repo, "../bare"), experiments(&repo, "."));

    let said = clone.dewar(&["exp", "pull", "origin"]).failure(4);
    assert!(said.contains("there is another experiment `a` here"), "{said}");
    assert_eq!(experiments(&repo, "../clone")[..2], before);
    let said = clone.dewar(&["exp", "pull", "-f", "origin"]);
    assert!(said.to_string().contains("brings it back"), "{said}");
    said.success();
    assert_eq!(experiments(&repo, "../clone"), experiments(&repo, "."));
    // What was replaced is found by its digits, and its data stays.
    let old = before[0].split(' ').nth(1).unwrap();
    clone.dewar(&["gc", "--all-experiments", "-w", "-f"]).success();
    clone.dewar(&["exp", "apply", old]).success();
    assert_eq!(fs::read_to_string(repo.outside("clone/model")).unwrap(), "lr: 2\n");
}

#[test]
fn an_experiment_whose_data_is_not_there_is_not_pushed_but_the_others_are() {
    let repo = shared();
    for folder in fs::read_dir(repo.root().join(".dvc/cache/files/blake3")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let file = file.unwrap().path();
            if fs::read_to_string(&file).unwrap() == "lr: 2\n" {
                fs::remove_file(file).unwrap();
            }
        }
    }
    let said = repo.dewar(&["exp", "push", "origin"]).failure(6);
    assert!(said.contains("the content of `model`") && said.contains("`a` was not pushed; `--no-cache`"), "{said}");
    let names = |args: &[&str]| repo.dewar(&[&["exp", "list", "--name-only"], args].concat()).success();
    assert_eq!(names(&["origin"]), "b\n");
    let said = repo.dewar(&["exp", "push", "--no-cache", "origin", "a"]).success();
    assert_eq!(said, "Pushed experiment a to Git remote 'origin'.\n");
    assert_eq!(names(&["origin"]), "a\nb\n");
    let clone = Clone::of(&repo);
    let said = clone.dewar(&["exp", "pull", "origin"]);
    assert!(said.to_string().contains("Pulled experiments a and b"), "{said}");
    let said = said.failure(6);
    assert!(said.contains("the content of `model`") && said.contains("`a` is here without it"), "{said}");
    assert!(clone.has_in_cache("lr: 3\n"));
}

#[test]
fn without_a_remote_for_data_the_experiments_go_alone() {
    let repo = shared();
    repo.write(".dvc/config", "").commit("no remote");
    let said = repo.dewar(&["exp", "push", "origin", "a"]);
    assert!(said.to_string().contains("There is no remote for data"), "{said}");
    assert_eq!(said.success(), "Pushed experiment a to Git remote 'origin'.\n");
    let said = repo.dewar(&["exp", "push", "origin", "-r", "nope", "b"]).failure(6);
    assert!(said.contains("no remote `nope`"), "{said}");
}

#[test]
fn experiments_are_removed_there_and_stay_here() {
    let repo = shared();
    repo.dewar(&["exp", "push", "origin"]).success();
    repo.dewar(&["exp", "remove", "-g", "origin", "a", "nope"]).failure(2);
    assert_eq!(experiments(&repo, "../bare").len(), 2);
    let said = repo.dewar(&["exp", "remove", "--git-remote", "origin", "a"]).success();
    assert_eq!(said, "Removed experiments from Git remote 'origin': a\n");
    assert_eq!((experiments(&repo, "../bare").len(), experiments(&repo, ".").len()), (1, 2));
    repo.dewar(&["exp", "push", "origin"]).success();
    repo.dewar(&["exp", "remove", "-g", "origin", "--keep", "b"]).success();
    assert!(experiments(&repo, "../bare")[0].starts_with("b "));
    repo.dewar(&["exp", "remove", "-g", "origin", "--rev", "HEAD"]).success();
    assert_eq!(experiments(&repo, "../bare").len(), 0);
    assert_eq!(repo.dewar(&["exp", "remove", "-g", "origin", "-A"]).success(), "No experiments to remove.\n");
    repo.dewar(&["exp", "remove", "-g", "origin", "--queue"]).failure(2);
}

#[test]
fn experiments_are_renamed_there_and_keep_their_names_here() {
    let repo = shared();
    repo.dewar(&["exp", "push", "origin"]).success();
    let said = repo.dewar(&["exp", "rename", "-g", "origin", "a", "c"]).success();
    assert_eq!(said, "Renamed experiments on Git remote 'origin': 'a' is 'c' now.\n");
    let names = |args: &[&str]| repo.dewar(&[&["exp", "list", "--name-only"], args].concat()).success();
    assert_eq!((names(&["origin"]), names(&[])), ("b\nc\n".to_owned(), "a\nb\n".to_owned()));
    let said = repo.dewar(&["exp", "rename", "-g", "origin", "c", "b"]).failure(6);
    assert!(said.contains("has an experiment `b` already") && said.contains("--force"), "{said}");
    repo.dewar(&["exp", "rename", "-f", "-g", "origin", "c", "b"]).success();
    assert_eq!(names(&["origin"]), "b\n");
    repo.dewar(&["exp", "rename", "-g", "origin", "nope", "x"]).failure(2);
    assert_eq!(repo.dewar(&["exp", "rename", "-g", "origin", "b", "b"]).success(), "No experiments to rename.\n");
}

/// Writes a program that stands for ssh.
fn ssh(repo: &TestRepo, script: &str) -> String {
    let path = repo.outside("ssh");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn with_ssh(repo: &TestRepo, ssh: &str, args: &[&str]) -> CommandOutput {
    repo.run(repo.command(env!("CARGO_BIN_EXE_dewar")).env("GIT_SSH_COMMAND", ssh).args(args))
}

#[test]
fn the_ssh_of_the_user_leads_to_a_remote() {
    let repo = shared();
    // The last argument is the command for the other side.
    let script = ssh(&repo, "printf '%s\\n' \"$@\" >> ../asked\nfor word; do :; done\nexec sh -c \"$word\"");
    let bare = repo.outside("bare").display().to_string();
    let url = format!("ssh://me@example.org:2222{bare}");
    let said = with_ssh(&repo, &script, &["exp", "push", &url, "a"]).success();
    assert!(said.contains("Pushed experiment a to"), "{said}");
    let asked = fs::read_to_string(repo.outside("asked")).unwrap();
    assert!(asked.starts_with(&format!("-p\n2222\nme@example.org\ngit-receive-pack '{bare}'\n")), "{asked}");
    assert_eq!(with_ssh(&repo, &script, &["exp", "list", "--name-only", &format!("host:{bare}")]).success(), "a\n");
    repo.git(&["config", "core.sshCommand", &format!("{script} -v")]).success();
    repo.git(&["remote", "set-url", "origin", &url]).success();
    assert_eq!(repo.dewar(&["exp", "list", "--name-only", "origin"]).success(), "a\n");
    assert!(fs::read_to_string(repo.outside("asked")).unwrap().contains("-v\n-p\n2222\n"));
}

#[test]
fn what_ssh_cannot_do_is_told() {
    let repo = shared();
    let failure = |script: &str, url: &str| with_ssh(&repo, &ssh(&repo, script), &["exp", "list", url]).failure(6);
    let said = failure("echo 'ssh: Could not resolve hostname nohost' >&2; exit 255", "nohost:x");
    assert!(said.contains("Could not resolve") && said.contains("exit status: 255"), "{said}");
    let said = failure("exec git upload-pack /no/such/repository", "host:x");
    assert!(said.contains("does not appear to be a git repository") && said.contains("ended before"), "{said}");
    repo.write("dewar.toml", "[git]\ntimeout = 1\n");
    let said = failure("exec sleep 600", "host:x");
    assert!(said.contains("nothing came from it for 1 s") && said.contains("`timeout` in `[git]`"), "{said}");
    for url in ["ssh://-oProxyCommand=touch%20..%2Fran/x", "-oProxyCommand=touch:x", "host:-x"] {
        let said = with_ssh(&repo, &ssh(&repo, "touch ../ran"), &["exp", "list", "--", url]).failure(2);
        assert!(said.contains("begins with a dash") && !repo.outside("ran").exists(), "{said}");
    }
    let said = repo.dewar(&["exp", "list", "ext::sh -c touch"]).failure(2);
    assert!(said.contains("`ext` are not supported"), "{said}");
}

#[test]
fn names_that_a_hostile_remote_makes_up_reach_nothing() {
    let repo = shared();
    repo.dewar(&["exp", "push", "origin", "a"]).success();
    repo.dewar(&["exp", "remove", "a", "b"]).success();
    let commit = repo.git(&["rev-parse", "HEAD"]).success();
    let good = repo.git(&["-C", "../bare", "for-each-ref", "--format=%(refname)", "refs/exps"]).success();
    let baseline = good.trim().rsplit_once('/').unwrap().0.to_owned();
    let first = "\0ofs-delta side-band-64k agent=git/2";
    let names = [
        format!("{baseline}/../../../heads/main"),
        format!("{baseline}/\u{1b}[31mred"),
        format!("{baseline}/x.lock"),
        "refs/exps/../../x".to_owned(),
        format!("{baseline}/fine"),
    ];
    let mut advertised = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let line = format!("{} {name}{}\n", commit.trim(), if index == 0 { first } else { "" });
        advertised.extend(format!("{:04x}{line}", line.len() + 4).into_bytes());
    }
    advertised.extend(b"0000");
    fs::write(repo.outside("advertised"), advertised).unwrap();
    let script = ssh(&repo, "cat ../advertised; cat > /dev/null");
    assert_eq!(with_ssh(&repo, &script, &["exp", "list", "-A", "--name-only", "host:x"]).success(), "fine\n");
    // Its commit is here already.
    let said = with_ssh(&repo, &script, &["exp", "pull", "-A", "--no-cache", "host:x"]).success();
    assert!(said.contains("Pulled experiment fine"), "{said}");
    assert_eq!(experiments(&repo, ".").len(), 1);
    assert_eq!(repo.git(&["rev-parse", "main"]).success(), commit);
}

#[test]
fn a_push_that_is_killed_is_done_by_the_next() {
    let repo = shared();
    let hook = repo.outside("bare/hooks/pre-receive");
    fs::write(&hook, "#!/bin/sh\ntouch ../reached\nexec sleep 60\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = repo.command(env!("CARGO_BIN_EXE_dewar"));
    // Its children would keep a pipe open.
    let mut child = command
        .args(["exp", "push", "origin"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_for(&repo.outside("reached"));
    assert!(kill("-KILL", &child.id().to_string()));
    child.wait().unwrap();
    fs::remove_file(&hook).unwrap();
    assert_eq!(experiments(&repo, "../bare").len(), 0);
    repo.dewar(&["exp", "push", "origin"]).success();
    assert_eq!(experiments(&repo, "../bare"), experiments(&repo, "."));
    repo.git(&["-C", "../bare", "fsck", "--strict"]).success();
}

#[test]
fn what_the_remote_refuses_is_told_and_the_others_go() {
    let repo = shared();
    let hook = repo.outside("bare/hooks/update");
    fs::write(&hook, "#!/bin/sh\ncase $1 in */a) echo not today; exit 1;; esac\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let said = repo.dewar(&["exp", "push", "origin"]).failure(6);
    assert!(said.contains("the git remote `origin` refuses `a`: hook declined"), "{said}");
    assert!(experiments(&repo, "../bare")[0].starts_with("b "));
}
