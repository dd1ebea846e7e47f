use super::*;
use crate::pipeline::files::WorkFiles;
use crate::pipeline::{FlagStyle, Templates};
use crate::testing::{YamlOnly, path};

/// A project with a pipeline at the root, one in `sub`, one in `sub/deep`, and a `.dvc` file.
fn pipeline() -> Pipeline {
    let dir = tempfile::tempdir().unwrap();
    let root = "stages:\n  train: {cmd: x, deps: [src/a.py, raw], params: [lr], outs: [model, metrics.json]}\n  \
                group: {foreach: [a, b], do: {cmd: x, outs: ['${item}.out']}}\n  sub: {cmd: x, outs: [made]}\n";
    let files = [
        ("dvc.yaml", root),
        ("raw.dvc", "outs:\n- path: raw\n"),
        (
            "sub/dvc.yaml",
            "stages:\n  train: {cmd: x, deps: [../src], outs: [out]}\n  near: {cmd: x, wdir: .., outs: [near.txt]}\n",
        ),
        ("sub/deep/dvc.yaml", "stages:\n  deepest: {cmd: x, outs: [d]}\n"),
    ];
    for (name, text) in files {
        let file = dir.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let values = crate::params::ParamFiles::new(YamlOnly::version("1"), None);
    let templates = Templates { values: &values, flags: FlagStyle::default() };
    Pipeline::load(&WorkFiles::new(dir.path().to_owned()), templates).unwrap()
}

fn read(from: &str, texts: &[&str], folders: Folders, names: Names) -> Result<Vec<String>, TargetError> {
    let pipeline = pipeline();
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    let typed = Typed { texts: &texts, root: Path::new("/project"), from: &path(from), folders, names };
    let found = stages(&pipeline, &Targets::Typed(typed))?;
    Ok(found.into_iter().map(|id| pipeline.stage(id).address.to_string()).collect())
}

#[track_caller]
fn names(from: &str, texts: &[&str]) -> Vec<String> {
    read(from, texts, Folders::Refused, Names::Exact).unwrap()
}

#[track_caller]
fn refusal(from: &str, text: &str) -> TargetError {
    read(from, &[text], Folders::Refused, Names::Exact).unwrap_err()
}

#[test]
fn stages_groups_and_files_are_named() {
    assert_eq!(names("", &["train"]), ["train"]);
    assert_eq!(names("", &["group"]), ["group@a", "group@b"]);
    assert_eq!(names("", &["group@b", "dvc.yaml:group"]), ["group@b", "group@a"]);
    assert_eq!(names("", &["dvc.yaml:train", "train"]), ["train"]);
    assert_eq!(names("", &[":train"]), ["train"]);
    assert_eq!(names("", &["sub/dvc.yaml"]), ["sub/dvc.yaml:train", "sub/dvc.yaml:near"]);
    assert_eq!(names("", &["raw.dvc"]), ["raw.dvc"]);
    assert_eq!(names("", &[]).len(), 4);
}

#[test]
fn targets_are_seen_from_the_folder() {
    assert_eq!(names("sub", &["train"]), ["sub/dvc.yaml:train"]);
    assert_eq!(names("sub", &["../dvc.yaml:train", "deep/dvc.yaml"]), ["train", "sub/deep/dvc.yaml:deepest"]);
    assert_eq!(names("sub", &["../raw.dvc", "/project/raw.dvc"]), ["raw.dvc"]);
    assert_eq!(names("sub", &[]), ["sub/dvc.yaml:train", "sub/dvc.yaml:near"]);
}

#[test]
fn an_output_names_the_stage_that_writes_it() {
    assert_eq!(names("", &["model", "metrics.json"]), ["train"]);
    assert_eq!(names("", &["model/epoch/1.pt"]), ["train"]);
    assert_eq!(names("", &["raw/x.csv"]), ["raw.dvc"]);
    assert_eq!(names("sub", &["../model", "/project/near.txt"]), ["train", "sub/dvc.yaml:near"]);
    let pipeline = pipeline();
    let texts = ["model/x".to_owned()];
    let (root, from) = (Path::new("/project"), RepoPath::root());
    let typed = Typed { texts: &texts, root, from: &from, folders: Folders::Refused, names: Names::Exact };
    let found = resolve(&pipeline, &Targets::Typed(typed)).unwrap();
    assert_eq!(found[0].output, Some(path("model/x")));
}

#[test]
fn folders_are_searched_when_asked_for() {
    let search = |from: &str, text: &str| read(from, &[text], Folders::Searched, Names::Exact);
    let sub = ["sub/deep/dvc.yaml:deepest", "sub/dvc.yaml:train", "sub/dvc.yaml:near"];
    // A folder wins over a stage of its name.
    assert_eq!(search("", "sub").unwrap(), sub);
    assert_eq!(search("sub", ".").unwrap(), sub);
    assert_eq!(search("sub", "deep/").unwrap(), ["sub/deep/dvc.yaml:deepest"]);
    assert_eq!(search("", "train").unwrap(), ["train"]);
    assert_eq!(names("", &["sub"]), ["sub"]);
    assert_eq!(refusal("", "sub/deep"), TargetError::Folder { folder: path("sub/deep") });
}

#[test]
fn patterns_match_names_of_one_file() {
    let glob = |from: &str, text: &str| read(from, &[text], Folders::Refused, Names::Patterns);
    assert_eq!(glob("", "group@*").unwrap(), ["group@a", "group@b"]);
    assert_eq!(glob("", "sub/dvc.yaml:*r*").unwrap(), ["sub/dvc.yaml:train", "sub/dvc.yaml:near"]);
    assert_eq!(glob("", "sub/dvc.yaml").unwrap().len(), 2);
    assert_eq!(glob("", "group").unwrap().len(), 2);
    assert!(matches!(glob("", "z*").unwrap_err(), TargetError::NoMatch { .. }));
    assert!(matches!(glob("", "sub/dvc.yaml:z*").unwrap_err(), TargetError::NoMatch { .. }));
    assert!(matches!(refusal("", "tr*"), TargetError::Unknown { .. }));
}

#[test]
fn refusals_tell_what_is_near() {
    let near = |from: &str, text: &str| match refusal(from, text) {
        TargetError::NoStage { similar, .. }
        | TargetError::Unknown { similar, .. }
        | TargetError::NoFile { similar, .. } => similar,
        other => panic!("{other}"),
    };
    assert_eq!(near("", "trian").as_deref(), Some("train"));
    assert_eq!(near("", "sub/dvc.yaml:trian").as_deref(), Some("sub/dvc.yaml:train"));
    assert_eq!(near("", "gruop").as_deref(), Some("group"));
    assert_eq!(near("", "metric.json").as_deref(), Some("metrics.json"));
    assert_eq!(near("", "deepest").as_deref(), Some("sub/deep/dvc.yaml:deepest"));
    assert_eq!(near("src", "train").as_deref(), Some("../dvc.yaml:train"));
    assert_eq!(near("other", "trian").as_deref(), Some("../dvc.yaml:train"));
    assert_eq!(near("", "sub/dvc.lock").as_deref(), Some("sub/dvc.yaml"));
    assert_eq!(near("", "rwa.dvc").as_deref(), Some("raw.dvc"));
    assert_eq!(near("", "nothing-like-it"), None);
}

#[test]
fn what_is_only_read_is_no_target() {
    let readers = |text: &str| match refusal("", text) {
        TargetError::NotWritten { readers, .. } => readers.len(),
        other => panic!("{other}"),
    };
    assert_eq!(readers("src"), 2);
    assert_eq!(readers("src/a.py"), 2);
    assert_eq!(readers("params.yaml"), 1);
    let message = refusal("", "src").to_string();
    assert_eq!(message, "`src` is no stage, and no stage writes it: it is read by `train`, `sub/dvc.yaml:train`");
}

#[test]
fn a_folder_without_a_pipeline_tells_of_the_others() {
    let near = |from: &str| match read(from, &[], Folders::Refused, Names::Exact).unwrap_err() {
        TargetError::NoPipelineHere { others, .. } => others,
        other => panic!("{other}"),
    };
    assert_eq!(near("src"), ["../dvc.yaml", "../sub/dvc.yaml", "../sub/deep/dvc.yaml"]);
    assert_eq!(near("sub/deep/er")[0], "../dvc.yaml");
}

#[test]
fn what_is_outside_is_refused() {
    assert!(matches!(refusal("", "../x"), TargetError::Path(PathError::Outside(_))));
    assert!(matches!(refusal("", "/projects/dvc.yaml"), TargetError::Path(PathError::Outside(_))));
    assert!(matches!(refusal("", "../dvc.yaml:train"), TargetError::Path(PathError::Outside(_))));
}
