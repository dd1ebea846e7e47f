use std::collections::HashMap;

use dewar_text::{Entry, Span, yaml};

use super::*;
use crate::cache::Tree;
use crate::digest::{Algorithm, Hasher, ObjectId};
use crate::path::RepoPath;
use crate::pipeline::build;

/// Files that exist in memory alone; a lost object is in no cache, and of directories only these listings are.
#[derive(Default, Clone)]
struct Seen {
    files: HashMap<String, String>,
    lost: Vec<ObjectId>,
    kept: Vec<Tree>,
}

impl Seen {
    fn of(files: &[(&str, &str)]) -> Self {
        let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        Self { files: files.iter().map(owned).collect(), ..Self::default() }
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
        if let Some(tree) = self.listing(place, algorithm)? {
            let (id, files) = (tree.id(&tree.to_bytes()), tree.files().len() as u64);
            return Ok(Some(Content { id, size: 0, files: Some(files), executable: false }));
        }
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

    fn has_object(&self, id: &ObjectId) -> bool {
        !self.lost.contains(id)
    }

    fn listing(&self, place: &Place, algorithm: Algorithm) -> Result<Option<Tree>, ObserveError> {
        let Some(folder) = place.inside() else { return Ok(None) };
        let inside = |(path, text): (&String, &String)| {
            let rest = path.strip_prefix(folder.as_str())?.strip_prefix('/')?;
            Some((rest.to_owned(), Hasher::digest(algorithm, text.as_bytes())))
        };
        let files: Vec<_> = self.files.iter().filter_map(inside).collect();
        Ok((!files.is_empty()).then(|| Tree::new(algorithm, files).unwrap()))
    }

    fn cached_listing(&self, id: &ObjectId) -> Option<Tree> {
        self.kept.iter().find(|tree| tree.id(&tree.to_bytes()) == *id).cloned()
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
    // The lock's order, not that of the file.
    let unsorted = locked(&whole, &files().with("params.yaml", "z: {b: 1, a: 2}\na: 3\n"));
    assert_eq!(unsorted.params["params.yaml"].keys().collect::<Vec<_>>(), ["a", "z"]);
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
    let taken = LockEntry { command: None, ..known.clone() };
    assert_eq!(reasons(&stage("{cmd: run, deps: [a], outs: [o]}"), &taken, &files()), [Reason::NeverRun]);
    assert_eq!(reasons(&stage("{cmd: run, deps: [a], outs: [o], frozen: true}"), &taken, &files()), []);
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

/// The stage, why it runs, and what differs inside of its directory `d`.
fn explained(stage: &Stage, locked: &LockEntry, seen: &Seen) -> Explanation {
    Explanation::of(stage, Some(locked), &reasons(stage, locked, seen), seen)
}

#[test]
fn a_directory_is_explained_by_its_files() {
    let stage = stage("{cmd: run, deps: [d], outs: [o]}");
    let mut seen = Seen::of(&[("d/a", "1"), ("d/b", "2"), ("d/sub/c", "3"), ("o", "4")]);
    let lock = locked(&stage, &seen);
    let place = Place::Inside(RepoPath::parse("d").unwrap());
    let then = seen.listing(&place, Algorithm::Blake3).unwrap().unwrap();
    let now = seen.with("d/b", "9").with("d/new", "").without("d/sub/c");
    let found = explained(&stage, &lock, &now);
    assert_eq!((found.causes.len(), &found.causes[0].place), (1, &Some(place)));
    // What the cache does not know cannot be told.
    assert_eq!(found.causes[0].files, None);
    seen.kept.push(then);
    let now = seen.with("d/b", "9").with("d/new", "").without("d/sub/c");
    let files = explained(&stage, &lock, &now).causes.remove(0).files.unwrap();
    assert_eq!(
        (files.added, files.changed, files.removed),
        (vec!["new".into()], vec!["b".into()], vec!["sub/c".into()])
    );
}

#[test]
fn a_stage_that_never_ran_is_explained_by_that() {
    let never = assess(&stage(STAGE), None, Rules { force: Force::Yes, ..Rules::USUAL }, &files()).unwrap();
    assert!(never.len() > 2);
    let found = Explanation::of(&stage(STAGE), None, &never, &files());
    let told: Vec<&Reason> = found.causes.iter().map(|cause| &cause.reason).collect();
    assert_eq!(told, [&Reason::Forced, &Reason::NeverRun]);
    assert_eq!(found.compared, Compared { deps: 2, params: 2, outs: 2 });
}

#[test]
fn what_is_declared_anew_is_new() {
    let lock = locked(&stage("{cmd: run, deps: [a], outs: [o]}"), &files());
    let more = reasons(&stage("{cmd: run, deps: [a, b], outs: [o]}"), &lock, &files());
    assert_eq!(more, [Reason::DependencyChanged { path: "b".into(), change: FileChange::New }]);
}
