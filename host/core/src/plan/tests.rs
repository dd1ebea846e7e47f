use std::collections::HashMap;

use dewar_text::{Entry, Span, yaml};

use super::*;
use crate::digest::{Algorithm, Hasher, ObjectId};
use crate::path::RepoPath;
use crate::pipeline::build;

/// Files that exist in memory alone; a lost object is in no cache.
#[derive(Default, Clone)]
struct Seen {
    files: HashMap<String, String>,
    lost: Vec<ObjectId>,
}

impl Seen {
    fn of(files: &[(&str, &str)]) -> Self {
        let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        Self { files: files.iter().map(owned).collect(), lost: Vec::new() }
    }

    fn with(&self, path: &str, text: &str) -> Self {
        let mut changed = self.clone();
        changed.files.insert(path.into(), text.into());
        changed
    }

    fn without(&self, path: &str) -> Self {
        let mut changed = self.clone();
        changed.files.remove(path);
        changed
    }
}

impl Observe for Seen {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Blake3
    }

    fn content(&self, place: &Place, algorithm: Algorithm) -> Result<Option<Content>, ObserveError> {
        let text = place.inside().and_then(|path| self.files.get(path.as_str()));
        Ok(text.map(|text| Content {
            id: Hasher::digest(algorithm, text.as_bytes()),
            size: text.len() as u64,
            files: None,
            executable: false,
        }))
    }

    fn params(&self, file: &RepoPath) -> Result<Option<Arc<Value>>, ObserveError> {
        let text = self.files.get(file.as_str());
        Ok(text.map(|text| Arc::new(yaml::read(text.as_bytes()).unwrap().to_value())))
    }

    fn is_cached(&self, id: &ObjectId) -> bool {
        !self.lost.contains(id)
    }
}

fn stage(text: &str) -> Stage {
    let file = RepoPath::parse("dvc.yaml").unwrap();
    let node = yaml::read(text.as_bytes()).unwrap();
    let definition = Entry { key: "s".into(), key_span: Span::default(), value: node };
    build::stage(&file, std::path::Path::new("/project"), &definition).unwrap()
}

/// What the lock holds after a run with these files.
fn locked(stage: &Stage, seen: &Seen) -> LockEntry {
    let mut entry = inputs(stage, seen).unwrap();
    for out in &stage.outs {
        let content = seen.content(&Place::Inside(out.path.clone()), Algorithm::Blake3).unwrap().unwrap();
        entry.outs.push(locked_path(&out.lock_path, &content));
    }
    entry
}

fn reasons(stage: &Stage, locked: &LockEntry, seen: &Seen) -> Vec<Reason> {
    assess(stage, Some(locked), Rules::USUAL, seen).unwrap()
}

const STAGE: &str = "{cmd: run, deps: [a, b], params: [lr, m], outs: [o, {w: {cache: false}}]}";

fn files() -> Seen {
    Seen::of(&[("a", "1"), ("b", "2"), ("o", "3"), ("w", "4"), ("params.yaml", "lr: 1\nm: {x: 1, y: 2}\nother: 0\n")])
}

#[test]
fn what_ran_with_the_same_is_fresh() {
    let stage = stage(STAGE);
    let lock = locked(&stage, &files());
    assert_eq!(reasons(&stage, &lock, &files()), []);
    // DVC's rule: 1 is 1.0, order does not matter, nor does what is not declared.
    let same = files().with("params.yaml", "other: 9\nm: {y: 2.0, x: 1}\nlr: 1.0\n");
    assert_eq!(reasons(&stage, &lock, &same), []);
}

#[test]
fn every_change_is_a_reason_of_its_own() {
    let stage = stage(STAGE);
    let lock = locked(&stage, &files());
    let changed = |seen: Seen| reasons(&stage, &lock, &seen);
    let dep = |change| vec![Reason::DependencyChanged { path: "a".into(), change }];
    let out = |path: &str, change| vec![Reason::OutputChanged { path: path.into(), change }];
    assert_eq!(changed(files().with("a", "9")), dep(FileChange::Modified));
    assert_eq!(changed(files().without("a")), dep(FileChange::Deleted));
    assert_eq!(changed(files().with("o", "9")), out("o", FileChange::Modified));
    assert_eq!(changed(files().without("w")), out("w", FileChange::Deleted));
    let param = |old: Option<i64>, new: Option<i64>| {
        let (old, new) = (old.map(Value::Int), new.map(Value::Int));
        vec![Reason::ParamChanged { file: "params.yaml".into(), key: "lr".into(), old, new }]
    };
    assert_eq!(changed(files().with("params.yaml", "lr: 2\nm: {x: 1, y: 2}\n")), param(Some(1), Some(2)));
    assert_eq!(changed(files().with("params.yaml", "m: {x: 1, y: 2}\n")), param(Some(1), None));
    let mut lost = files();
    lost.lost.push(lock.out("o").unwrap().id.clone().unwrap());
    assert_eq!(changed(lost), [Reason::OutputNotCached { path: "o".into() }]);
}

#[test]
fn what_is_declared_now_counts_and_what_was_declared_does_not() {
    let lock = locked(&stage(STAGE), &files());
    let fewer = stage("{cmd: run, deps: [a], params: [lr], outs: [o], desc: new, meta: {k: v}}");
    assert_eq!(reasons(&fewer, &lock, &files()), []);
    let more = stage("{cmd: run, deps: [a, b, w], params: [lr, m, other], outs: [o]}");
    assert_eq!(reasons(&more, &lock, &files()).len(), 2);
    let command = stage("{cmd: run  it, deps: [a], outs: [o]}");
    assert!(matches!(reasons(&command, &lock, &files())[..], [Reason::CommandChanged { .. }]));
}

#[test]
fn a_whole_file_changes_with_any_of_its_keys() {
    let whole = stage("{cmd: run, params: [{params.yaml: }], outs: [o]}");
    let lock = locked(&whole, &files());
    assert_eq!(reasons(&whole, &lock, &files()), []);
    assert_eq!(reasons(&whole, &lock, &files().with("params.yaml", "lr: 1\nm: {x: 1, y: 2}\n")).len(), 1);
    assert_eq!(reasons(&whole, &lock, &files().without("params.yaml")).len(), 1);
}

#[test]
fn a_whole_file_has_names_or_nothing() {
    let whole = stage("{cmd: run, params: [{params.yaml: }], outs: [o]}");
    let empty = files().with("params.yaml", "");
    assert_eq!(reasons(&whole, &locked(&whole, &empty), &empty), []);
    for nameless in ["text", "[1, 2]"] {
        let error = inputs(&whole, &files().with("params.yaml", nameless)).unwrap_err();
        assert!(matches!(error, ObserveError::NoMapping { .. }), "{error}");
    }
}

#[test]
fn stages_that_never_ran_or_always_run() {
    assert!(assess(&stage(STAGE), None, Rules::USUAL, &files()).unwrap().contains(&Reason::NeverRun));
    let lock = LockEntry { command: Some(Command::Text("run".into())), ..LockEntry::default() };
    assert_eq!(reasons(&stage("{cmd: run}"), &lock, &files()), [Reason::AlwaysChanged]);
    let frozen = stage("{cmd: run, deps: [a], frozen: true}");
    assert_eq!(assess(&frozen, None, Rules::USUAL, &files()).unwrap(), []);
    let known = locked(&stage("{cmd: run, deps: [a], outs: [o]}"), &files());
    let frozen = stage("{cmd: run, deps: [a], outs: [o], frozen: true}");
    assert_eq!(reasons(&frozen, &known, &files().with("a", "9")), []);
    let forced = assess(&frozen, Some(&known), Rules { force: Force::Yes, ..Rules::USUAL }, &files()).unwrap();
    assert_eq!(forced, [Reason::Forced]);
}

#[test]
fn inputs_that_are_missing_are_named() {
    let error = inputs(&stage(STAGE), &files().without("b")).unwrap_err();
    assert_eq!(error.to_string(), "the dependency `b` of the stage `s` does not exist");
    let error = inputs(&stage(STAGE), &files().with("params.yaml", "lr: 1\n")).unwrap_err();
    assert_eq!(error.to_string(), "`params.yaml` lacks the parameter `m` of the stage `s`");
}
