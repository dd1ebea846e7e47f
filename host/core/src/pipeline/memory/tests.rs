use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::pipeline::Pipeline;
use crate::pipeline::files::WorkFiles;
use crate::pipeline::template::{BooleanFlags, ListFlags};
use crate::testing::{YamlOnly, path};

/// A project whose files are large enough to be remembered.
struct Project {
    dir: tempfile::TempDir,
    flags: FlagStyle,
    /// The version of the plugin that reads values.
    reader: &'static str,
}

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let project = Self { dir: tempfile::tempdir().unwrap(), flags: FlagStyle::default(), reader: "1" };
        files.iter().for_each(|(name, text)| project.write(name, Some(text)));
        project
    }

    fn root(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file, or removes it.
    fn write(&self, name: &str, text: Option<&str>) {
        let place = self.root().join(name);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        match text {
            Some(text) => std::fs::write(place, text).unwrap(),
            None => drop(std::fs::remove_file(place)),
        }
    }

    fn memory(&self) -> PathBuf {
        self.root().join("memory")
    }

    fn load(&self, files: &WorkFiles) -> Result<Pipeline, PipelineError> {
        let values = ParamFiles::new(YamlOnly::version(self.reader), None);
        Pipeline::load(files, Templates { values: &values, flags: self.flags })
    }

    fn files(&self) -> WorkFiles {
        WorkFiles::new(self.root().to_owned()).remembered_in(self.memory())
    }

    fn commands(&self) -> Vec<String> {
        let pipeline = self.load(&self.files()).unwrap();
        let texts = pipeline.stages().flat_map(|(_, stage)| stage.command.clone().unwrap().shell_texts());
        texts.filter(|text| text != "large").collect()
    }

    /// All that a pipeline says, or what is wrong with it.
    fn said(&self, files: &WorkFiles) -> Result<String, String> {
        let pipeline = self.load(files).map_err(|error| format!("{error:?}"))?;
        let stages: Vec<_> = pipeline.stages().collect();
        Ok(format!("{stages:?} {:?} {:?}", pipeline.files(), pipeline.locks()))
    }

    fn source(&self, name: &str) -> Source {
        Source::new(path(name), std::fs::read(self.root().join(name)).unwrap())
    }

    /// Makes the memory of `dvc.yaml` say that the command of its stage is `planted`.
    fn plant(&self, read: Vec<ReadFile>) {
        let values = ParamFiles::new(YamlOnly::version(self.reader), None);
        let templates = Templates { values: &values, flags: self.flags };
        let (source, files) = (self.source("dvc.yaml"), self.files());
        let mut said = PipelineFile::parse(&source, &files, templates).unwrap();
        said.stages[1].command = Some(crate::pipeline::Command::Text("planted".into()));
        Memory::of(&source.file, &source.text, &files, Some(self.flags)).unwrap().remember(&(read, said));
    }
}

/// A `dvc.yaml` of one large stage and `rest`.
fn large(rest: &str) -> String {
    format!("stages:\n  large:\n    cmd: large\n    desc: {}\n{rest}", "x".repeat(WORTH_REMEMBERING))
}

#[test]
fn what_was_said_is_believed_for_the_same_text_alone() {
    let text = large("  a:\n    cmd: one\n");
    let project = Project::new(&[("dvc.yaml", &text)]);
    assert_eq!(project.commands(), ["one"]);
    project.plant(Vec::new());
    assert_eq!(project.commands(), ["planted"]);
    project.write("dvc.yaml", Some(&text.replace("one", "two")));
    assert_eq!(project.commands(), ["two"]);
}

#[test]
fn other_settings_and_other_places_are_others() {
    let text = large("  a:\n    cmd: one\n");
    let mut project = Project::new(&[("dvc.yaml", &text), ("sub/dvc.yaml", &text)]);
    project.plant(Vec::new());
    assert_eq!(project.commands(), ["planted", "one"]);
    // Under the name of the other file's.
    let name = |file: &str| project.memory().join(Hasher::digest(Algorithm::Blake3, file.as_bytes()).as_str());
    std::fs::copy(name("dvc.yaml"), name("sub/dvc.yaml")).unwrap();
    assert_eq!(project.commands(), ["planted", "one"]);
    let moved = Project::new(&[("dvc.yaml", &text)]);
    std::fs::create_dir(moved.memory()).unwrap();
    std::fs::copy(name("dvc.yaml"), moved.memory().join(name("dvc.yaml").file_name().unwrap())).unwrap();
    assert_eq!(moved.commands(), ["one"]);
    project.flags = FlagStyle { lists: ListFlags::Append, ..FlagStyle::default() };
    assert_eq!(project.commands(), ["one", "one"]);
}

#[test]
fn what_templates_read_must_be_the_same() {
    let text = large("  a:\n    cmd: ${name}\n").replacen("stages:", "vars: [v.yaml]\nstages:", 1);
    let mut project = Project::new(&[("dvc.yaml", &text), ("v.yaml", "name: one\n")]);
    let values = ParamFiles::new(YamlOnly::version("1"), None);
    let read = || {
        let v = ReadFile::new(&path("v.yaml"), Some(b"name: one\n"), &values);
        vec![v, ReadFile::new(&path("params.yaml"), None, &values)]
    };
    project.plant(read());
    assert_eq!(project.commands(), ["planted"]);
    project.write("v.yaml", Some("name: two\n"));
    assert_eq!(project.commands(), ["two"]);
    project.write("v.yaml", Some("name: one\n"));
    project.plant(read());
    // It was not there.
    project.write("params.yaml", Some("other: 1\n"));
    assert_eq!(project.commands(), ["one"]);
    project.write("params.yaml", None);
    project.plant(read());
    project.reader = "2";
    assert_eq!(project.commands(), ["one"]);
}

#[test]
fn damage_and_what_others_made_is_ignored() {
    let project = Project::new(&[("dvc.yaml", &large("  a:\n    cmd: one\n"))]);
    project.plant(Vec::new());
    let (source, files) = (project.source("dvc.yaml"), project.files());
    let memory = Memory::of(&source.file, &source.text, &files, Some(project.flags)).unwrap();
    let good = std::fs::read(&memory.place).unwrap();
    let said = |bytes: &[u8]| {
        std::fs::write(&memory.place, bytes).unwrap();
        memory.recall::<(Vec<ReadFile>, PipelineFile)>()
    };
    assert!(said(&good).is_some());
    for length in [0, 1, CHECK - 1, CHECK, CHECK + 1, good.len() / 2, good.len() - 1] {
        assert!(said(&good[..length]).is_none(), "{length} bytes");
    }
    for at in (0..good.len()).step_by(97) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(said(&bad).is_none(), "byte {at}");
    }
    assert!(said(&[&good[..], b"x"].concat()).is_none());
    let form = &good[CHECK..];
    assert!(said(&[&memory.check("dewar remembered pipeline, source 0", form), form].concat()).is_none());
    // Right by its check, and yet no pipeline.
    let form = [255; 64];
    assert!(said(&[&memory.check(MADE_BY, &form)[..], &form].concat()).is_none());
    assert_eq!(project.commands(), ["one"]);
}

#[test]
fn a_lock_is_written_back_as_it_was() {
    let text = format!(
        "schema: '2.0'\nstages:\n  a:\n    cmd: {}\n    params:\n      params.yaml:\n        k: {{x: 1}}\n    outs:\n    \
         - path: o\n      etag: 1\n  # by hand\n  b: {{cmd:   x}}\ndatasets: []\n",
        "x".repeat(WORTH_REMEMBERING)
    );
    let project = Project::new(&[("dvc.lock", &text)]);
    let (source, files) = (project.source("dvc.lock"), project.files());
    let load = || lock_file(source.file.clone(), text.clone().into_bytes(), &files).unwrap();
    let parsed = load();
    let memory = Memory::of(&source.file, &source.text, &files, None).unwrap();
    assert!(memory.recall::<LockForm>().is_some());
    assert!(load() == parsed, "another lock");
    assert!(load().to_text() == text, "another text");
}

#[test]
fn what_cannot_be_written_is_no_matter() {
    let project = Project::new(&[("dvc.yaml", &large("  a:\n    cmd: one\n")), ("memory", "a file")]);
    assert_eq!(project.commands(), ["one"]);
}

/// What may stand in the files, and that they may be missing.
const PIPELINES: [&str; 5] = [
    "  a:\n    cmd: run ${train} ${one}\n    deps: [\"${dep}\"]\n    params: [one]\n",
    "  a:\n    foreach: ${items}\n    do:\n      cmd: run ${item}\n      outs: [\"o${item}\"]\n",
    "  a:\n    matrix: {m: [1, 2]}\n    vars: [own.yaml]\n    cmd: run ${own} ${item.m}\n    wdir: w\n",
    "  a:\n    cmd: plain\n    outs: [out: {cache: false}]\n    meta: {dewar: {x: [1, null]}}\nmetrics: [m.json]\n",
    "  a:\n    cmd: broken ${nothing}\n",
];
const VALUES: [&str; 4] = [
    "train: {on: true, list: [1, 2]}\none: 1\ndep: in.txt\nitems: [x, y]\nown: 1\n",
    "train: {on: false}\none: 2\ndep: other.txt\nitems: [x]\nown: 2\n",
    "one: 3\n",
    "not: [closed\n",
];
const LOCKS: [&str; 3] = ["large", "a", "{"];

/// One thing that changes.
#[derive(Debug, Clone)]
enum Edit {
    Pipeline(usize),
    Values(&'static str, Option<usize>),
    Lock(Option<usize>),
    Flags(FlagStyle),
    Reader(&'static str),
}

fn edits() -> impl Strategy<Value = Edit> {
    let file = prop::sample::select(&["params.yaml", "v.yaml", "own.yaml", "w/own.yaml"][..]);
    let booleans = prop::sample::select(&[BooleanFlags::StoreTrue, BooleanFlags::BooleanOptional][..]);
    let lists = prop::sample::select(&[ListFlags::Nargs, ListFlags::Append][..]);
    prop_oneof![
        3 => (0..PIPELINES.len()).prop_map(Edit::Pipeline),
        4 => (file, prop::option::weighted(0.8, 0..VALUES.len())).prop_map(|(file, value)| Edit::Values(file, value)),
        1 => prop::option::of(0..LOCKS.len()).prop_map(Edit::Lock),
        1 => (booleans, lists).prop_map(|(booleans, lists)| Edit::Flags(FlagStyle { booleans, lists })),
        1 => prop::sample::select(&["1", "2"][..]).prop_map(Edit::Reader),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn memory_never_changes_what_is_said(edits in prop::collection::vec(edits(), 1..16)) {
        let mut project = Project::new(&[("params.yaml", VALUES[0]), ("v.yaml", "v: 1\n"), ("own.yaml", VALUES[1])]);
        let afresh = WorkFiles::new(project.root().to_owned());
        for edit in edits {
            match edit {
                Edit::Pipeline(at) => {
                    let text = large(PIPELINES[at]).replacen("stages:", "vars: [v.yaml]\nstages:", 1);
                    project.write("dvc.yaml", Some(&text));
                }
                Edit::Values(file, at) => project.write(file, at.map(|at| VALUES[at])),
                Edit::Lock(at) => {
                    let text = at.map(|at| {
                        let command = "x".repeat(WORTH_REMEMBERING);
                        format!("schema: '2.0'\nstages:\n  {}:\n    cmd: {command}\n", LOCKS[at])
                    });
                    project.write("dvc.lock", text.as_deref());
                }
                Edit::Flags(flags) => project.flags = flags,
                Edit::Reader(reader) => project.reader = reader,
            }
            prop_assert_eq!(project.said(&project.files()), project.said(&afresh));
            // And once more, from what was remembered just now.
            prop_assert_eq!(project.said(&project.files()), project.said(&afresh));
        }
    }
}
