//! `exp push` and its like over HTTP: against git's own server, with passwords, certificates, proxies, redirections.

use std::fs;

use dewar_tests::{CommandOutput, Encrypted, GitServer, TestRepo};

use super::sharing::shared;

/// What the server asks for, as a URL has it.
const PROOF: &str = "ada:s%E2%82%ACcret%2F%40";

fn served(encrypted: Encrypted) -> (TestRepo, GitServer) {
    let repo = shared();
    let server = GitServer::new(repo.outside("bare").parent().unwrap(), repo.outside("requests"), encrypted);
    (repo, server)
}

fn with(repo: &TestRepo, variable: (&str, &str), args: &[&str]) -> CommandOutput {
    repo.run(repo.command(env!("CARGO_BIN_EXE_dewar")).env(variable.0, variable.1).args(args))
}

#[test]
fn experiments_go_and_come() {
    let (repo, server) = served(Encrypted::No);
    let url = format!("{}/open/bare", server.url);
    let said = repo.dewar(&["exp", "push", &url]).success();
    assert_eq!(said, format!("Pushed experiments a and b to Git remote '{url}'.\n2 files uploaded\n"));
    let listed = repo.dewar(&["exp", "list", "--sha-only", &url]).success();
    assert_eq!(listed, repo.dewar(&["exp", "list", "--sha-only"]).success());
    repo.dewar(&["exp", "remove", "a", "b"]).success();
    repo.git(&["reflog", "expire", "--expire=now", "--all"]).success();
    repo.git(&["gc", "--quiet", "--prune=now"]).success();
    let said = repo.dewar(&["exp", "pull", &url]).success();
    assert!(said.starts_with("Pulled experiments a and b from"), "{said}");
    assert_eq!(listed, repo.dewar(&["exp", "list", "--sha-only"]).success());
    repo.dewar(&["exp", "remove", "-g", &url, "a"]).success();
    assert_eq!(repo.dewar(&["exp", "list", "--name-only", &url]).success(), "b\n");
}

#[test]
fn who_asks_is_told_by_the_url_or_by_the_credential_helpers() {
    let (repo, server) = served(Encrypted::No);
    let host = server.url.strip_prefix("http://").unwrap();
    let private = format!("http://{host}/private/bare");
    let said = repo.dewar(&["exp", "push", &format!("http://{PROOF}@{host}/private/bare"), "a"]).success();
    assert!(said.contains(&format!("to Git remote '{private}'")) && !said.contains("cret"), "{said}");
    // Nobody knows a password.
    let said = repo.dewar(&["exp", "list", &private]).failure(6);
    assert!(said.contains("asks for a name and a password") && said.contains("credential.helper"), "{said}");
    let helper = |password: &str| {
        let script = format!(
            "!f() {{ echo \"$1\" >> ../helped; test \"$1\" = get && printf 'username=ada\\npassword={password}\\n'; }}; f"
        );
        repo.git(&["config", "credential.helper", &script]).success();
    };
    let helped = || {
        let words = fs::read_to_string(repo.outside("helped")).unwrap();
        fs::remove_file(repo.outside("helped")).unwrap();
        words.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    helper("s€cret/@");
    assert_eq!(repo.dewar(&["exp", "list", "--name-only", &private]).success(), "a\n");
    assert_eq!(helped(), "get store");
    let said = repo.dewar(&["exp", "push", &private]).success();
    assert!(said.contains("Pushed experiment b to"), "{said}");
    // One for each connection: before and after the data.
    assert_eq!(helped(), "get store get store");
    helper("wrong");
    let said = repo.dewar(&["exp", "list", &private]).failure(6);
    assert!(said.contains("does not take the name and password of `ada`") && !said.contains("wrong"), "{said}");
    assert_eq!(helped(), "get erase");
    let said = repo.dewar(&["exp", "list", &format!("http://ada:hushhush@{host}/private/bare")]).failure(6);
    assert!(!said.contains("hushhush"), "{said}");
}

#[test]
fn the_first_redirection_is_followed_and_no_password_goes_astray() {
    let (repo, server) = served(Encrypted::No);
    let moved = server.url.replace("http://", &format!("http://{PROOF}@")) + "/moved/bare";
    assert!(repo.dewar(&["exp", "push", &moved, "a"]).success().contains("Pushed experiment a"));
    let requests = server.requests();
    assert!(requests.iter().any(|line| line.starts_with("POST /private/bare/git-receive-pack")), "{requests:?}");
    let without: Vec<&String> =
        requests.iter().filter(|line| line.contains("/moved/") && !line.ends_with(" -")).collect();
    assert!(without.is_empty(), "nobody asked for it there: {without:?}");
    let said = repo.dewar(&["exp", "list", &format!("{}/elsewhere/bare", server.url)]).failure(6);
    assert!(said.contains("leads on to `") && said.contains("/page/login"), "{said}");
    repo.git(&["config", "http.followRedirects", "false"]).success();
    let said = repo.dewar(&["exp", "list", &moved]).failure(6);
    assert!(said.contains("leads on to `/private/bare/info/refs`") && said.contains("git remote set-url"), "{said}");
}

#[test]
fn what_a_server_answers_is_told() {
    let (repo, server) = served(Encrypted::No);
    let said = |kind: &str| {
        let url = format!("{}/{kind}", server.url);
        let said = repo.dewar(&["exp", "list", &url]).failure(6);
        assert!(said.contains(&url), "{said}");
        said
    };
    assert!(said("forbidden/bare").contains("forbids that (403)"));
    assert!(said("open/nothing").contains("there is no such repository"));
    assert!(said("busy/bare").contains("status 503"));
    assert!(said("page/bare").contains("is no git server"));
    repo.write("dewar.toml", "[git]\ntimeout = 1\n");
    assert!(said("stall/bare").contains("nothing came from it for 1 s"));
    // Nobody listens at the port of a server that is gone.
    let url = server.url.clone();
    drop(server);
    let said = repo.dewar(&["exp", "list", &format!("{url}/open/bare")]).failure(6);
    assert!(said.contains("cannot be reached"), "{said}");
}

#[test]
fn settings_of_git_count() {
    let (repo, server) = served(Encrypted::No);
    let url = format!("{}/marked/bare", server.url);
    repo.dewar(&["exp", "list", &url]).failure(6);
    repo.git(&["config", &format!("http.{}/.extraHeader", server.url), "X-Mark: yes"]).success();
    repo.dewar(&["exp", "push", &url, "a"]).success();
    repo.git(&["config", &format!("url.{}/marked/.insteadOf", server.url), "team:"]).success();
    assert_eq!(repo.dewar(&["exp", "list", "--name-only", "team:bare"]).success(), "a\n");
    // Nobody listens there.
    let proxy = ("http_proxy", "http://127.0.0.1:1");
    assert!(with(&repo, proxy, &["exp", "list", &url]).failure(6).contains("cannot be reached"));
    repo.git(&["config", "http.proxy", ""]).success();
    with(&repo, proxy, &["exp", "list", &url]).success();
    repo.git(&["config", "http.proxy", "http://127.0.0.1:1"]).success();
    repo.dewar(&["exp", "list", &url]).failure(6);
    repo.git(&["config", "--unset", "http.proxy"]).success();
    let mut except = repo.command(env!("CARGO_BIN_EXE_dewar"));
    except.env(proxy.0, proxy.1).env("no_proxy", "example.org,127.0.0.1").args(["exp", "list", &url]);
    repo.run(&mut except).success();
}

#[test]
fn an_encrypted_server_has_to_have_a_good_certificate() {
    let (repo, server) = served(Encrypted::Yes);
    let url = format!("{}/open/bare", server.url);
    let said = repo.dewar(&["exp", "list", &url]).failure(6);
    assert!(said.contains("cannot be encrypted") && said.contains("http.sslCAInfo"), "{said}");
    let certificate = GitServer::certificate().display().to_string();
    with(&repo, ("GIT_SSL_CAINFO", &certificate), &["exp", "push", &url, "a"]).success();
    with(&repo, ("GIT_SSL_NO_VERIFY", "1"), &["exp", "list", &url]).success();
    repo.git(&["config", "http.sslCAInfo", &certificate]).success();
    assert_eq!(repo.dewar(&["exp", "list", "--name-only", &url]).success(), "a\n");
    repo.git(&["config", "http.sslCAInfo", "params.yaml"]).success();
    let said = repo.dewar(&["exp", "list", &url]).failure(6);
    assert!(said.contains("params.yaml") && said.contains("no certificate"), "{said}");
    repo.git(&["config", "http.sslVerify", "false"]).success();
    repo.git(&["config", "--unset", "http.sslCAInfo"]).success();
    assert_eq!(repo.dewar(&["exp", "list", "--name-only", &url]).success(), "a\n");
}
