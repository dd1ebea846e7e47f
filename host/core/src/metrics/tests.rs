use std::collections::HashMap;

use super::*;
use crate::params::ParamFiles;
use crate::pipeline::files::{ProjectFiles, WorkFiles};
use crate::pipeline::{FlagStyle, Pipeline, Templates};
use crate::testing::{Project, YamlOnly, path};

const PIPELINE: &str = "stages:
  prep:
    cmd: c
    deps: [data.txt]
    outs: [prep.txt]
  train:
    cmd: c
    deps: [prep.txt, ../outside]
    params: [lr, nest.a, extra.yaml: [k]]
    outs: [model.txt]
    metrics: [m.yaml: {cache: false}, mdir]
    plots: [p.csv]
metrics: [top.json]
params: [top.yaml]
";

/// The content of `prep.txt` and the listing of `mdir` are named; `mdir` is in the cache alone.
const LOCK: &str = "schema: '2.0'
stages:
  prep:
    cmd: c
    deps:
    - path: data.txt
      hash: md5
      md5: 6137cde4893c59f76f005a8123d8e8e6
      size: 5
    outs:
    - path: prep.txt
      hash: md5
      md5: 6137cde4893c59f76f005a8123d8e8e6
      size: 5
  train:
    cmd: c
    outs:
    - path: mdir
      hash: md5
      md5: 745982ead5384030226bac4eca732db5.dir
      size: 10
      nfiles: 2
";

fn project() -> Project {
    let project = Project::new();
    project.write("dvc.yaml", PIPELINE);
    project.write("dvc.lock", LOCK);
    project.write("params.yaml", "lr: 0.1\nepochs: 3\nnest: {a: 1, b: 2}\nempty: {}\n");
    project.write("extra.yaml", "k: 1\nunused: 2\n");
    project.write("top.yaml", "a: 1\n");
    project.write(
        "top.json",
        "{\"q\": 0.5, \"list\": [1], \"none\": null, \"n\": {\"e\": {}}, \"b\": true, \"s\": \"x\"}",
    );
    project.write("m.yaml", "acc: 0.5\n");
    project
}

/// What the cache has.
fn cache() -> HashMap<&'static str, &'static [u8]> {
    HashMap::from([
        (
            "745982ead5384030226bac4eca732db5.dir",
            br#"[{"md5": "00000000000000000000000000000001", "relpath": "a.yaml"},
                {"md5": "00000000000000000000000000000002", "relpath": "sub/b.yaml"}]"# as &[u8],
        ),
        ("00000000000000000000000000000001", b"x: 1\n"),
    ])
}

fn data_of(files: &dyn RevisionFiles, scope: ParamScope) -> RevisionData {
    with_reader(files, |reader| reader.data(scope))
}

fn with_reader<T>(files: &dyn RevisionFiles, read: impl FnOnce(&RevisionReader<'_>) -> T) -> T {
    let params = ParamFiles::new(YamlOnly::version("1"), None);
    let cache = cache();
    let objects = |id: &ObjectId| cache.get(id.as_str()).map(|bytes| bytes.to_vec());
    let pipeline = Pipeline::load(files, Templates { values: &params, flags: FlagStyle::default() }).unwrap();
    read(&RevisionReader::new(files, &pipeline, &params, &objects))
}

fn yaml(text: &str) -> Value {
    dewar_text::yaml::read(text.as_bytes()).unwrap().to_value()
}

fn shown(files: &Files) -> Vec<(&str, Option<&Value>)> {
    files.iter().map(|(file, data)| (file.as_str(), data.values())).collect()
}

#[test]
fn the_work_tree_and_its_commit_say_the_same() {
    let project = project();
    let commit = project.commit(1);
    let git = project.git();
    let work = WorkFiles::new(git.root().to_owned());
    let finder = pipeline_finder(&git);
    let committed = CommitFiles::new(&git, commit, &finder).unwrap();
    for files in [&work as &dyn RevisionFiles, &committed] {
        let data = data_of(files, ParamScope::All);
        assert_eq!(
            shown(&data.params),
            [
                ("params.yaml", Some(&yaml("{lr: 0.1, epochs: 3, nest: {a: 1, b: 2}, empty: {}}"))),
                ("extra.yaml", Some(&yaml("{k: 1}"))),
                ("top.yaml", Some(&yaml("{a: 1}"))),
            ]
        );
        assert_eq!(
            shown(&data.metrics),
            [
                ("m.yaml", Some(&yaml("{acc: 0.5}"))),
                ("mdir/a.yaml", Some(&yaml("{x: 1}"))),
                ("mdir/sub/b.yaml", None),
                ("top.json", Some(&yaml("{q: 0.5, b: true, s: x}"))),
            ]
        );
        let lost = data.metrics.get(&path("mdir/sub/b.yaml"));
        assert!(matches!(lost, Some(FileData::Broken(FileError::NotCached { .. }))));
        assert_eq!(data.deps.keys().collect::<Vec<_>>(), ["data.txt", "../outside", "prep.txt"]);
        assert_eq!(data.deps.get("data.txt").unwrap().size, Some(5));
        assert_eq!(data.outs.keys().map(RepoPath::as_str).collect::<Vec<_>>(), ["prep.txt", "model.txt"]);
        let model = data.outs.get(&path("model.txt")).unwrap();
        assert_eq!((&model.content, model.cached, model.is_data), (&Content::default(), true, false));
    }
}

#[test]
fn only_what_stages_declare_on_request() {
    let project = project();
    let data = data_of(&WorkFiles::new(project.git().root().to_owned()), ParamScope::Declared);
    assert_eq!(
        shown(&data.params),
        [("params.yaml", Some(&yaml("{lr: 0.1, nest: {a: 1}}"))), ("extra.yaml", Some(&yaml("{k: 1}")))]
    );
}

#[test]
fn what_templates_take_of_files_counts() {
    let project = Project::new();
    let pipeline = "vars: [vars.yaml, own: 1]
stages:
  t: {cmd: 'c ${a.b} ${own}'}
  g: {foreach: '${models}', do: {cmd: 'c ${item.lr}', params: [other]}}
";
    project.write("dvc.yaml", pipeline);
    project.write("vars.yaml", "a: {b: 1, c: 2}\nmore: 3\n");
    project.write("params.yaml", "models: {x: {lr: 1, n: 2}, y: {lr: 3}}\nother: 4\nunused: 5\n");
    let data = data_of(&WorkFiles::new(project.git().root().to_owned()), ParamScope::Declared);
    assert_eq!(
        shown(&data.params),
        [
            ("params.yaml", Some(&yaml("{models: {x: {lr: 1}, y: {lr: 3}}, other: 4}"))),
            ("vars.yaml", Some(&yaml("{a: {b: 1}}"))),
        ]
    );
}

#[test]
fn a_file_that_cannot_be_used_is_its_own_error() {
    let project = project();
    project.write("m.yaml", "acc: [1\n");
    std::fs::remove_file(project.root().join("top.yaml")).unwrap();
    let data = data_of(&WorkFiles::new(project.git().root().to_owned()), ParamScope::All);
    let kind = |data: &FileData| if let FileData::Broken(error) = data { error.kind() } else { "" };
    assert_eq!(data.metrics.get(&path("m.yaml")).map(kind), Some("FileCorruptedError"));
    assert_eq!(data.params.get(&path("top.yaml")).map(kind), Some("FileNotFoundError"));
    assert!(data.metrics.get(&path("top.json")).unwrap().values().is_some());
}

#[test]
fn targets_need_not_be_declared() {
    let project = project();
    project.write("else/x.yaml", "v: [1]\nw: 2\n");
    let files = WorkFiles::new(project.git().root().to_owned());
    let targets = [path("else"), path("no.yaml")];
    with_reader(&files, |reader| {
        let params = reader.params_of(&targets);
        assert_eq!(shown(&params), [("else/x.yaml", Some(&yaml("{v: [1], w: 2}"))), ("no.yaml", None)]);
        assert_eq!(shown(&reader.metrics_of(&targets[..1])), [("else/x.yaml", Some(&yaml("{w: 2}")))]);
    });
}

#[test]
fn a_commit_has_no_pipelines_that_are_ignored_or_of_other_projects() {
    let project = Project::new();
    for file in ["dvc.yaml", "a/dvc.yaml", "b/dvc.yaml", "b/keep/dvc.yaml", "other/dvc.yaml", "c/x.csv.dvc"] {
        project.write(file, if file.ends_with("yaml") { "stages: {}\n" } else { "outs:\n- path: x.csv\n" });
    }
    project.write(".dvcignore", "b/*\n!b/keep\n");
    project.write("a/.dvcignore", "other\n");
    project.write("other/.dvc/config", "");
    project.write(".dvc/config", "");
    let commit = project.commit(1);
    let git = project.git();
    let committed = CommitFiles::new(&git, commit, &pipeline_finder(&git)).unwrap().pipeline_files().unwrap();
    let names: Vec<&str> = committed.iter().map(RepoPath::as_str).collect();
    assert_eq!(names, ["a/dvc.yaml", "b/keep/dvc.yaml", "c/x.csv.dvc", "dvc.yaml"]);
    assert_eq!(WorkFiles::new(git.root().to_owned()).pipeline_files().unwrap(), committed);
}

#[test]
fn a_project_may_be_a_folder_of_the_repository() {
    let outer = Project::new();
    outer.write("dvc.yaml", "stages: {}\nparams: [never.yaml]\n");
    outer.write("inner/dvc.yaml", "params: [folder]\n");
    outer.write("inner/folder/b.yaml", "v: 1\n");
    let commit = outer.commit(1);
    let git = crate::git::Git::open(&outer.root().join("inner")).unwrap().unwrap();
    let data = data_of(&CommitFiles::new(&git, commit, &pipeline_finder(&git)).unwrap(), ParamScope::All);
    assert_eq!(shown(&data.params), [("folder/b.yaml", Some(&yaml("{v: 1}")))]);
}

fn files(entries: &[(&str, &str)]) -> Files {
    entries.iter().map(|(file, text)| (path(file), FileData::Values(Arc::new(yaml(text))))).collect()
}

#[test]
fn differences_are_those_of_python() {
    let old = files(&[("p", "{a: 0.5, b: {c: 1, d: x}, gone: 1, same: [1], t: true, e: {}}"), ("only-old", "{x: 1}")]);
    let new = files(&[("p", "{a: 0.1, b: {c: 4, d: y}, new: null, same: [1], t: 3, e: {f: 1}}")]);
    let changes = difference(&new, &old, Unchanged::Omit);
    assert_eq!(changes.get(&path("p")).unwrap().get("a").unwrap().diff, Some(Value::Float(0.4)));
    let changes = difference(&old, &new, Unchanged::Omit);
    let of = |name: &str| changes.get(&path("p")).unwrap().get(name).cloned().unwrap();
    assert_eq!(of("b.c").diff, Some(Value::Int(3)));
    assert_eq!(of("b.d").diff, None);
    assert_eq!(of("t").diff, Some(Value::Int(2)));
    assert_eq!(of("gone"), Change { old: Some(Value::Int(1)), new: None, diff: None });
    assert_eq!(of("new"), Change { old: None, new: Some(Value::Null), diff: None });
    let names: Vec<&String> = changes.get(&path("p")).unwrap().keys().collect();
    assert_eq!(names, ["a", "b.c", "b.d", "e.f", "gone", "new", "t"]);
    assert!(changes.get(&path("only-old")).unwrap().contains_key("x"));
    assert!(difference(&old, &old, Unchanged::Omit).is_empty());
    assert_eq!(difference(&old, &old, Unchanged::Include).get(&path("p")).unwrap().len(), 6);
}

#[test]
fn whole_numbers_are_subtracted_exactly() {
    let side = |text: &str| files(&[("p", text)]);
    let diff = |old: &str, new: &str| {
        let changes = difference(&side(old), &side(new), Unchanged::Omit);
        changes.get(&path("p")).unwrap().values().next().unwrap().diff.clone()
    };
    assert_eq!(diff("{a: 9223372036854775807}", "{a: 0}"), Some(Value::Int(-i64::MAX)));
    assert_eq!(diff("{a: -9223372036854775808}", "{a: 1}"), Some(Value::Literal("9223372036854775809".into())));
    assert_eq!(diff("3", "5.5"), Some(Value::Float(2.5)));
}

#[test]
fn numbers_have_dotted_names_and_those_of_their_files_where_two_have_one() {
    let read = files(&[
        ("a.json", "{acc: 1, deep: {loss: 0.5, note: hello, ok: true}, odd: 'nan', big: 123456789012345678901234}"),
        ("b.json", "{acc: 2, low: '-inf'}"),
        ("c.json", "3"),
    ]);
    let numbers = numbers(&read);
    let names: Vec<&str> = numbers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["acc", "deep.loss", "deep.ok", "odd", "big", "b.json:acc", "low", "c.json"]);
    let value = |name: &str| numbers.iter().find(|(known, _)| known == name).unwrap().1;
    assert_eq!((value("acc"), value("b.json:acc"), value("c.json"), value("deep.ok")), (1.0, 2.0, 3.0, 1.0));
    assert_eq!((value("odd").is_nan(), value("low")), (true, f64::NEG_INFINITY));
    assert!(value("big") > 1e23);
}
