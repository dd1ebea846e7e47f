use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::pipeline::{Command, Pipeline, Stage};
use crate::testing::{YamlOnly, path};

mod refusals;

/// Files in memory that remember which of them were read.
struct Texts {
    files: BTreeMap<RepoPath, String>,
    read: RefCell<Vec<String>>,
}

impl Texts {
    fn new(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(file, text)| (path(file), (*text).to_owned())).collect();
        Self { files, read: RefCell::default() }
    }

    fn load_with(&self, flags: FlagStyle) -> Result<Pipeline, PipelineError> {
        let values = ParamFiles::new(YamlOnly::version("1"), None);
        Pipeline::load(self, Templates { values: &values, flags })
    }

    fn load(&self) -> Result<Pipeline, PipelineError> {
        self.load_with(FlagStyle::default())
    }
}

impl ProjectFiles for Texts {
    fn root(&self) -> &Path {
        Path::new("/project")
    }

    fn read(&self, file: &RepoPath) -> Result<Option<Vec<u8>>, PipelineError> {
        self.read.borrow_mut().push(file.to_string());
        Ok(self.files.get(file).map(|text| text.as_bytes().to_vec()))
    }

    fn pipeline_files(&self) -> Result<Vec<RepoPath>, PipelineError> {
        Ok(self.files.keys().filter(|file| file.file_name() == "dvc.yaml").cloned().collect())
    }
}

/// What the variables of most tests are.
const PARAMS: &str = "n: 5
b: true
f: 1.0
z: null
s: x y
lst: [true, 1.5, null, a]
d: {k: 1, l: [true, 2.5, null, a b], e: {}, t: true, ff: false}
w: sub
models: {cnn: {lr: 0.1}, rnn: {lr: 1e-5}}
day: 2020-01-01
";

fn of(pipeline: &str) -> Texts {
    Texts::new(&[("dvc.yaml", pipeline), ("params.yaml", PARAMS)])
}

fn name(stage: &Stage) -> &str {
    stage.address.name.as_deref().unwrap()
}

fn commands(pipeline: &Pipeline) -> Vec<(&str, &str)> {
    let text = |stage| match stage {
        &Stage { command: Some(Command::Text(ref text)), .. } => (name(stage), text.as_str()),
        other => panic!("{other:?}"),
    };
    pipeline.stages().map(|(_, stage)| text(stage)).collect()
}

#[test]
fn texts_are_resolved_as_dvc_does() {
    let table = [
        ("echo $HOME {x} }", "echo $HOME {x} }"),
        ("${n} ${b} ${f} x${z} ${s}", "5 true 1.0 xNone x y"),
        ("${n}", "5"),
        ("${day} ${models.rnn.lr}", "2020-01-01 1e-05"),
        ("${lst[0]} ${lst.3} ${lst[-1]} ${ lst . 1 } ${models[cnn][lr]} ${d.l[1]}", "true a a 1.5 0.1 2.5"),
        ("\\${n} ${unclosed ${n", "${n} ${unclosed ${n"),
        ("a \\\\${n} $${n} ${n}} {${n}", "a \\${n} $5 5} {5"),
        ("run ${d}", "run --k 1 --l True 2.5 None 'a b' --t"),
        ("run ${models.cnn} x", "run --lr 0.1 x"),
    ];
    for (text, wanted) in table {
        let quoted = text.replace('\\', "\\\\");
        let texts = of(&format!("stages: {{t: {{cmd: \"{quoted}\"}}}}"));
        assert_eq!(commands(&texts.load().unwrap()), [("t", wanted)], "{text}");
    }
}

#[test]
fn flags_follow_the_settings() {
    let texts = of("stages: {t: {cmd: 'run ${d}'}}");
    let flags = FlagStyle { booleans: BooleanFlags::BooleanOptional, lists: ListFlags::Append };
    let pipeline = texts.load_with(flags).unwrap();
    assert_eq!(commands(&pipeline), [("t", "run --k 1 --l True --l 2.5 --l None --l 'a b' --t --no-ff")]);
}

#[test]
fn every_part_of_a_stage_is_resolved_but_its_name() {
    let texts = of("stages:
  'x${n}':
    cmd: [\"run ${n}\", '${s}']
    wdir: ${w}
    deps: ['in/${n}', '${n}']
    params: ['${s}', '${w}.yaml': ['k${n}']]
    outs: ['${s}.txt': {cache: false, desc: 'of ${n}'}]
    metrics: ['${w}.json']
    plots: ['${w}.csv': {x: '${s}'}]
    desc: ${n}
    meta: {k: '${n}', '${w}': ['${b}', \"\\\\${n}\"], z: '${z}'}
");
    let pipeline = texts.load().unwrap();
    let (_, stage) = pipeline.stages().next().unwrap();
    assert_eq!(name(stage), "x${n}");
    assert_eq!(stage.command, Some(Command::List(vec!["run 5".into(), "x y".into()])));
    assert_eq!(stage.folder, path("sub"));
    assert_eq!(stage.deps.iter().map(|dep| dep.path.as_str()).collect::<Vec<_>>(), ["5", "in/5"]);
    assert_eq!(
        stage.params.iter().map(|param| param.file.as_str()).collect::<Vec<_>>(),
        ["sub/params.yaml", "sub/sub.yaml"]
    );
    assert_eq!(
        stage.outs.iter().map(|out| out.path.as_str()).collect::<Vec<_>>(),
        ["sub/x y.txt", "sub/sub.json", "sub/sub.csv"]
    );
    assert!(!stage.outs[0].cached);
    assert_eq!(stage.desc.as_deref(), Some("5"));
    let meta = dewar_text::yaml::read(b"{k: 5, sub: [true, '${n}'], z: null}").unwrap().to_value();
    assert_eq!(stage.meta, meta);
}

#[test]
fn the_top_of_the_file_is_resolved() {
    let texts = of("params: ['${w}/p.yaml']
metrics: ['${w}.json', \"\\\\${w}\"]
plots: ['${s}.csv', '${w}': {x: '${s}'}]
artifacts: {'${w}': {path: '${s}'}}
datasets: [{name: '${w}', type: x}]
");
    let pipeline = texts.load().unwrap();
    let file = &pipeline.files()[&path("dvc.yaml")];
    assert_eq!(file.params, [path("sub/p.yaml")]);
    assert_eq!(file.metrics, [path("sub.json"), path("${w}")]);
    assert_eq!(file.plots, [path("x y.csv"), path("sub")]);
}

#[test]
fn foreach_names_its_stages() {
    let table: &[(&str, &[(&str, &str)])] = &[
        (
            "[x, 1, 2.5, true, null]",
            &[("g@x", "x"), ("g@1", "1"), ("g@2.5", "2.5"), ("g@true", "true"), ("g@None", "None")],
        ),
        // DVC names booleans of other files as Python does.
        ("'${lst}'", &[("g@True", "true"), ("g@1.5", "1.5"), ("g@None", "None"), ("g@a", "a")]),
        ("['${b}', 'x${b}', false]", &[("g@True", "true"), ("g@xtrue", "xtrue"), ("g@false", "false")]),
        ("[a, b, a, 1, '1']", &[("g@a", "a"), ("g@b", "b"), ("g@1", "1")]),
        ("['${d.l}', 7]", &[]),
        ("[]", &[]),
        ("{}", &[]),
        ("{'k${n}': v, 7: '${n}'}", &[("g@k5", "v"), ("g@7", "5")]),
    ];
    for (data, wanted) in table {
        let texts = of(&format!("stages: {{g: {{foreach: {data}, do: {{cmd: 'echo ${{item}}'}}}}}}"));
        match texts.load() {
            Ok(pipeline) => {
                let found: Vec<(&str, &str)> = commands(&pipeline)
                    .into_iter()
                    .map(|(name, cmd)| (name, cmd.strip_prefix("echo ").unwrap()))
                    .collect();
                assert_eq!(found, *wanted, "{data}");
            }
            Err(error) => assert!(data.contains("d.l") && error.to_string().contains("is a list"), "{data}: {error}"),
        }
    }
}

#[test]
fn foreach_over_mappings_has_keys() {
    let texts = of("stages:
  m: {foreach: '${models}', do: {cmd: 'run ${key} ${item.lr} ${n}', outs: ['${key}.out']}}
  l: {foreach: [{a: 1, b: {c: '${s}'}}, '${models.cnn}'], do: {cmd: 'run ${item}'}}
  i: {foreach: {m1: {e: 3}}, do: {vars: [{l: L}], wdir: '${key}', cmd: 'run ${item.e} ${l}'}}
");
    let pipeline = texts.load().unwrap();
    let wanted = [
        ("m@cnn", "run cnn 0.1 5"),
        ("m@rnn", "run rnn 1e-05 5"),
        ("l@0", "run --a 1 --b.c 'x y'"),
        ("l@1", "run --lr 0.1"),
        ("i@m1", "run 3 L"),
    ];
    assert_eq!(commands(&pipeline), wanted);
    let stage = |at: u32| pipeline.stage(crate::pipeline::load::StageId(at));
    assert_eq!(stage(4).folder, path("m1"));
    // An error of a generated stage is one of its group.
    let text = &texts.files[&path("dvc.yaml")];
    assert_eq!(text.get(stage(1).span.start..stage(1).span.end), Some("m"));
}

#[test]
fn a_matrix_is_the_product_of_its_axes() {
    let texts = of("stages:
  m:
    matrix: {b: [2, false], a: ['${lst[0]}', {q: 1}], c: ['${n}']}
    cmd: 'run ${key} ${item.b} ${item.c}'
  k: {matrix: {m: '${models}'}, cmd: 'run ${item.m}'}
  e: {matrix: {a: [], b: [1]}, cmd: x}
");
    let wanted = [
        ("m@2-True-5", "run 2-True-5 2 5"),
        ("m@2-a1-5", "run 2-a1-5 2 5"),
        ("m@false-True-5", "run false-True-5 false 5"),
        ("m@false-a1-5", "run false-a1-5 false 5"),
        ("k@cnn", "run cnn"),
        ("k@rnn", "run rnn"),
    ];
    assert_eq!(commands(&texts.load().unwrap()), wanted);
}

#[test]
fn what_is_generated_from_hides_variables_of_that_name() {
    let texts = Texts::new(&[
        ("params.yaml", "item: outer\nkey: outer\n"),
        (
            "dvc.yaml",
            "stages: {g: {foreach: [1], do: {cmd: '${item} ${key}'}}, t: {cmd: '${item}'},
             v: {foreach: [1], do: {vars: [{other: 2}], cmd: '${item} ${other}'}}}",
        ),
    ]);
    assert_eq!(commands(&texts.load().unwrap()), [("g@1", "1 outer"), ("t", "outer"), ("v@1", "1 2")]);
}

#[test]
fn vars_come_from_files_and_mappings() {
    let texts = Texts::new(&[
        ("sub/params.yaml", "a: 1\nm: {x: 1}\n"),
        ("sub/more.yaml", "b: 2\nc: 3\nm: {y: 2}\n"),
        ("sub/w/own.json", "{\"e\": 5}"),
        (
            "sub/dvc.yaml",
            "vars: ['more.yaml:b, m', 'more.yaml:c', params.yaml, ./params.yaml, /project/sub/params.yaml, {d: 4, m: {z: 3}}]
stages:
  t: {cmd: '${a} ${b} ${c} ${d} ${m}'}
  u: {wdir: w, vars: [own.json, ../params.yaml, {l: L}], cmd: '${e} ${l} ${a}'}
  w: {vars: [{l: M}], cmd: '${l}'}
",
        ),
        ("dvc.yaml", "stages: {t: {cmd: x}}"),
    ]);
    let wanted = [("t", "x"), ("t", "1 2 3 4 --x 1 --y 2 --z 3"), ("u", "5 L 1"), ("w", "M")];
    assert_eq!(commands(&texts.load().unwrap()), wanted);
}

#[test]
fn a_file_without_templates_reads_nothing() {
    let plain = of("stages:\n  t: {cmd: 'echo $x', deps: [a], params: [n]}\nmetrics: [m.json]\n");
    plain.load().unwrap();
    assert_eq!(*plain.read.borrow(), ["dvc.yaml", "dvc.lock"]);
    let escaped = of("stages: {t: {cmd: 'echo \\${x} ${y'}}\n");
    assert_eq!(commands(&escaped.load().unwrap()), [("t", "echo ${x} ${y")]);
    assert_eq!(*escaped.read.borrow(), ["dvc.yaml", "dvc.lock"]);
    let templated = of("stages: {t: {cmd: 'echo ${n}'}}\n");
    templated.load().unwrap();
    assert_eq!(*templated.read.borrow(), ["dvc.yaml", "params.yaml", "dvc.lock"]);
}

#[test]
fn a_file_of_vars_is_read_once() {
    let texts = Texts::new(&[
        ("more.yaml", "a: 1\n"),
        ("dvc.yaml", "stages: {g: {foreach: [1, 2, 3], do: {vars: [more.yaml], cmd: 'x ${a}'}}}"),
    ]);
    assert_eq!(texts.load().unwrap().stages().len(), 3);
    assert_eq!(*texts.read.borrow(), ["dvc.yaml", "params.yaml", "more.yaml", "dvc.lock"]);
}

#[test]
fn what_is_taken_of_files_is_known() {
    let texts = Texts::new(&[
        ("params.yaml", PARAMS),
        ("more.yaml", "p: {q: 1, r: 2}\n"),
        (
            "dvc.yaml",
            "vars: [more.yaml, {own: 1}]
stages:
  t: {cmd: 'run ${lst[-1]} ${p.q} ${own}'}
  g: {foreach: '${models}', do: {cmd: 'run ${item.lr}'}}
  u: {cmd: 'run ${p}'}
",
        ),
    ]);
    let pipeline = texts.load().unwrap();
    let taken: Vec<(String, Vec<String>)> = pipeline.files()[&path("dvc.yaml")]
        .taken
        .iter()
        .map(|(file, keys)| (file.to_string(), keys.iter().cloned().collect()))
        .collect();
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        taken,
        [
            ("more.yaml".into(), keys(&["p", "p.q"])),
            ("params.yaml".into(), keys(&["lst.3", "models.cnn.lr", "models.rnn.lr"])),
        ]
    );
}

proptest! {
    #[test]
    fn any_template_resolves_or_is_refused(text in "([\\\\${}a\\.\\[\\]0d ]|\\$\\{|\\$\\{[ndls]\\}){0,12}") {
        let texts = Texts::new(&[
            ("params.yaml", "{n: 1, d: {a: [1]}, l: [2], s: t}"),
            ("dvc.yaml", &format!("stages: {{g: {{foreach: ['{text}'], do: {{cmd: 'x {text}', meta: {{k: '{text}'}}}}}}}}")),
        ]);
        match texts.load() {
            Ok(pipeline) => prop_assert!(pipeline.stages().len() == 1),
            Err(PipelineError::Source(error)) => prop_assert_eq!(error.file, path("dvc.yaml")),
            Err(other) => return Err(TestCaseError::fail(format!("{other:?}"))),
        }
    }

    #[test]
    fn text_without_a_template_stays_as_it_is(text in "[a-z \\$\\}\\{]{1,30}") {
        prop_assume!(!text.contains("${") && !text.trim().is_empty());
        let texts = of(&format!("vars: [{{v: 1}}]\nstages: {{t: {{cmd: '{text}'}}}}"));
        let pipeline = texts.load().unwrap();
        prop_assert_eq!(commands(&pipeline), [("t", text.as_str())]);
    }
}
