use super::*;

mod properties;

const LOCK: &str = "schema: '2.0'\nstages:\n  b:\n    cmd: cp a b\n    deps:\n    - path: a\n      hash: md5\n      \
                    md5: 6137cde4893c59f76f005a8123d8e8e6\n      size: 5\n    outs:\n    - path: b\n      hash: md5\n      \
                    md5: 6137cde4893c59f76f005a8123d8e8e6.dir\n      size: 5\n      nfiles: 1\n  # by hand\n  a:\n    \
                    cmd: echo   hi\ndatasets: []\n";

fn parse(text: &str) -> Result<LockFile, Box<SourceError>> {
    LockFile::parse(&Source::new(RepoPath::parse("dvc.lock").unwrap(), text.as_bytes()))
}

#[test]
fn what_was_read_is_written_back() {
    let lock = parse(LOCK).unwrap();
    assert_eq!(lock.to_text(), LOCK);
    let entry = lock.get("b").unwrap();
    assert_eq!(entry.dep("a").unwrap().id.as_ref().unwrap().algorithm(), Algorithm::Md5);
    assert!(entry.out("b").unwrap().id.as_ref().unwrap().is_directory());
    assert_eq!(stage_text("b", entry), LOCK.split_once("stages:\n").unwrap().1.split_once("  # by").unwrap().0);
}

#[test]
fn an_entry_is_set_in_place_and_the_rest_stays() {
    let mut lock = parse(LOCK).unwrap();
    let entry = LockEntry { command: Some(Command::Text("echo 2".into())), ..LockEntry::default() };
    assert!(lock.set("a", entry.clone()));
    assert!(!lock.set("a", entry.clone()));
    assert!(lock.set("c", entry));
    let wanted = LOCK.replace("echo   hi\n", "echo 2\n  c:\n    cmd: echo 2\n");
    assert_eq!(lock.to_text(), wanted);
    assert_eq!(parse(&lock.to_text()).unwrap().to_text(), wanted);
}

#[test]
fn an_entry_goes_and_the_rest_stays() {
    let mut lock = parse(LOCK).unwrap();
    assert!(!lock.remove(|name| name == "c"));
    assert!(lock.remove(|name| name == "a"));
    assert_eq!(lock.to_text(), LOCK.replace("  a:\n    cmd: echo   hi\n", ""));
    assert!(lock.remove(|_| true) && !lock.is_empty());
    assert_eq!(lock.to_text(), "schema: '2.0'\ndatasets: []\n");
    assert_eq!(parse(&lock.to_text()).unwrap().entries().count(), 0);
}

#[test]
fn a_path_is_found_however_it_is_written() {
    let lock = parse(LOCK).unwrap();
    let entry = lock.get("b").unwrap();
    assert!(entry.dep("./a").is_some() && entry.out("b/").is_some() && entry.dep("/a").is_none());
}

#[test]
fn anchors_do_not_outlive_their_stage() {
    let text =
        "schema: '2.0'\nstages:\n  a:\n    cmd: x\n    deps: &d\n    - path: p\n  b:\n    cmd: y\n    deps: *d\n";
    let mut lock = parse(text).unwrap();
    lock.set("a", LockEntry { command: Some(Command::Text("z".into())), ..LockEntry::default() });
    assert_eq!(parse(&lock.to_text()).unwrap().get("b").unwrap().deps.len(), 1);
}

#[test]
fn other_layouts_are_laid_out_afresh() {
    let lock = parse("{schema: '2.0', stages: {a: {cmd: echo}}, datasets: [1]}\n").unwrap();
    assert_eq!(lock.to_text(), "schema: '2.0'\nstages:\n  a:\n    cmd: echo\ndatasets:\n- 1\n");
    assert_eq!(parse("").unwrap().entries().count(), 0);
}

#[test]
fn an_entry_without_hash_is_of_dvc_2() {
    let lock = parse("schema: '2.0'\nstages:\n  a:\n    cmd: c\n    outs:\n    - path: x\n      md5: 6137cde4893c59f76f005a8123d8e8e6\n      size: 1\n").unwrap();
    let out = lock.get("a").unwrap().out("x").unwrap();
    assert_eq!(out.id.as_ref().unwrap().algorithm(), Algorithm::Md5Dos2Unix);
}

#[test]
fn damage_is_named_with_its_place() {
    let error = parse("schema: '2.0'\nstages:\n<<<<<<< HEAD\n  a: 1\n=======\n").unwrap_err();
    assert!(error.diagnostics[0].help.as_ref().unwrap().contains("merge"));
    assert_eq!(parse("schema: '1.0'\nstages: {}\n").unwrap_err().diagnostics[0].code, "lock-schema");
    assert_eq!(
        parse("schema: '2.0'\nstages:\n  a:\n    outs:\n    - path: x\n      md5: ../..\n").unwrap_err().diagnostics[0]
            .code,
        "bad-digest"
    );
}
