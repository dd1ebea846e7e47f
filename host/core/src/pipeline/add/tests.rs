use proptest::prelude::*;

use super::*;

fn new(name: &str, cmd: &str) -> NewStage {
    NewStage {
        name: name.into(),
        command: Command::Text(cmd.into()),
        wdir: None,
        deps: Vec::new(),
        params: Vec::new(),
        outs: Vec::new(),
        always_changed: false,
        desc: None,
    }
}

fn out(path: &str, kind: OutputKind) -> NewOutput {
    NewOutput { path: path.into(), kind, cached: true, persists: false }
}

fn add(text: &str, stage: &NewStage, existing: Existing) -> Result<String, PipelineError> {
    let source = Source::new(RepoPath::parse("dvc.yaml").unwrap(), text.as_bytes());
    with_stage(&source, stage, existing).map(|text| String::from_utf8(text).unwrap())
}

#[test]
fn a_first_stage_and_a_further_one() {
    let first = add("", &new("t", "echo hi"), Existing::Refuse).unwrap();
    assert_eq!(first, "stages:\n  t:\n    cmd: echo hi\n");
    let mut second = new("u", "true");
    second.deps = vec!["b".into(), "a".into()];
    second.params = vec![(Some("m.toml".into()), vec![]), (None, vec!["lr".into(), "b".into(), "lr".into()])];
    second.outs = vec![NewOutput { cached: false, persists: true, ..out("o", OutputKind::Plain) }];
    let both = add(&first.replace("hi", "hi  # why"), &second, Existing::Refuse).unwrap();
    assert_eq!(
        both,
        "stages:\n  t:\n    cmd: echo hi  # why\n  u:\n    cmd: 'true'\n    deps:\n    - a\n    - b\n    params:\n    \
         - b\n    - lr\n    - m.toml: null\n    outs:\n    - o:\n        cache: false\n        persist: true\n"
    );
}

#[test]
fn the_file_may_look_like_anything() {
    let stage = new("t", "x");
    for (before, after) in [
        ("# mine\n", "# mine\nstages:\n  t:\n    cmd: x\n"),
        ("# mine", "# mine\nstages:\n  t:\n    cmd: x"),
        ("stages: {}\n", "stages:\n  t:\n    cmd: x\n"),
        ("stages:  # none yet\n", "stages:  # none yet\n  t:\n    cmd: x\n"),
        ("stages: null\nplots: []\n", "stages:\n  t:\n    cmd: x\nplots: []\n"),
        ("vars: [{a: 1}]\t# tab\n", "vars: [{a: 1}]\t# tab\nstages:\n  t:\n    cmd: x\n"),
        ("stages: {a: {cmd: y}}\n", "stages: {a: {cmd: y}, t: {cmd: x}}\n"),
        ("stages:\n    a: {cmd: y}\t#\twhy", "stages:\n    a: {cmd: y}\t#\twhy\n    t:\n        cmd: x"),
        (
            "\u{feff}stages:\r\n  a:\r\n    cmd: y\r\n",
            "\u{feff}stages:\r\n  a:\r\n    cmd: y\r\n  t:\r\n    cmd: x\r\n",
        ),
        (
            "stages:\n  a:\n    cmd: y\n    # - of a\n\n# of plots\nplots: []\n",
            "stages:\n  a:\n    cmd: y\n    # - of a\n  t:\n    cmd: x\n\n# of plots\nplots: []\n",
        ),
        ("stages:\n  a:\n    cmd: |\n      # y\n", "stages:\n  a:\n    cmd: |\n      # y\n  t:\n    cmd: x\n"),
    ] {
        assert_eq!(add(before, &stage, Existing::Refuse).unwrap(), after, "{before:?}");
    }
    for bad in ["stages: [\n", "stages: 1\n", "- 1\n", "stages: &s {a: {cmd: y}}\nvars: *s\n"] {
        assert!(matches!(add(bad, &stage, Existing::Refuse), Err(PipelineError::Source(_))), "{bad:?}");
    }
}

#[test]
fn a_replaced_stage_keeps_what_stays() {
    let text = "stages:\n  t:\n    cmd: old\n    desc: why\n    deps:\n    # about a\n    - a\n    frozen: true\n    meta: {k: v}\n  u: {cmd: x} # u\n";
    let mut stage = new("t", "new");
    stage.deps = vec!["a".into()];
    assert!(matches!(add(text, &stage, Existing::Refuse), Err(PipelineError::StageExists { .. })));
    let replaced = add(text, &stage, Existing::Replace).unwrap();
    assert_eq!(replaced, text.replace("old", "new").replace("    frozen: true\n", ""));
    assert_eq!(add(&replaced, &stage, Existing::Replace).unwrap(), replaced);
}

#[test]
fn an_output_keeps_its_flags_when_its_stage_is_replaced() {
    let text = "stages:\n  t:\n    cmd: x\n    outs:\n    - o: {desc: d, cache: false, remote: r}\n    plots:\n    - p: {x: epoch, labels: [l]}\n";
    let mut stage = new("t", "x");
    stage.outs = vec![out("o", OutputKind::Plain), out("p", OutputKind::Plot)];
    let replaced = add(text, &stage, Existing::Replace).unwrap();
    assert!(
        replaced.contains("- o:\n        desc: d\n        remote: r\n")
            && replaced.ends_with("{x: epoch, labels: [l]}\n")
    );
    stage.outs = vec![out("p", OutputKind::Metric)];
    let replaced = add(text, &stage, Existing::Replace).unwrap();
    assert_eq!(replaced, "stages:\n  t:\n    cmd: x\n    metrics:\n    - p:\n        labels:\n        - l\n");
}

#[test]
fn a_group_is_replaced_by_a_stage() {
    let text = "stages:\n  g:\n    # each\n    foreach: [1, 2]\n    do:\n      cmd: echo ${item}\n  n: {cmd: x}\n";
    let replaced = add(text, &new("g", "echo"), Existing::Replace).unwrap();
    assert_eq!(yaml::read(replaced.as_bytes()).unwrap().to_value(), value("stages: {g: {cmd: echo}, n: {cmd: x}}"));
    let empty = add("stages:\n  g:\n  n: {cmd: x}\n", &new("g", "echo"), Existing::Replace).unwrap();
    assert_eq!(empty, "stages:\n  g:\n    cmd: echo\n  n: {cmd: x}\n");
}

#[test]
fn names_are_words() {
    for bad in ["", "a.b", "a/b", "a@b", "a:b", "a\nb"] {
        assert!(matches!(add("", &new(bad, "x"), Existing::Refuse), Err(PipelineError::BadStageName(_))));
    }
    assert!(add("", &new("a b-c_ü", "x"), Existing::Refuse).is_ok());
}

#[test]
fn a_path_is_given_once() {
    let twice = |deps: &[&str], outs: &[&str]| {
        let mut stage = new("t", "x");
        stage.deps = deps.iter().map(|dep| (*dep).to_owned()).collect();
        stage.outs = outs.iter().map(|path| out(path, OutputKind::Plain)).collect();
        matches!(add("", &stage, Existing::Refuse), Err(PipelineError::GivenTwice(_)))
    };
    assert!(
        twice(&["a", "./a"], &[]) && twice(&[], &["a/", "a"]) && twice(&["a"], &["a"]) && twice(&["../a", "../a"], &[])
    );
    assert!(!twice(&["a", "../a"], &["b"]));
}

fn value(text: &str) -> Value {
    yaml::read(text.as_bytes()).unwrap().to_value()
}

/// A document as people write them: comments and blank lines anywhere, block and flow style, other keys around.
fn document() -> impl Strategy<Value = String> {
    let noise = || prop::sample::select(vec!["", "", "\n", "# a comment\n", "\n# two\n#\tlines\n\n", "  # indented\n"]);
    let stage = prop::sample::select(vec![
        "    cmd: x  # why\n",
        "    cmd: |\n      x\n      # of the shell\n    deps:\n    # about d\n    - d\n",
        "    cmd: >-\n      folded\n      text\n\n    outs: [o]\n    # - left out\n",
        "    foreach: [1, 2]\n    do:\n      cmd: echo ${item}\n      # deeper\n",
        "    {cmd: 'quoted',\n     deps: [a, b]}\n",
        "    \"cmd\": \"x: y\"\n\n\n    # far below\n",
    ]);
    let stages = prop::collection::vec((noise(), stage), 0..4);
    let ends = prop::sample::select(vec!["\n", "\r\n"]);
    (noise(), any::<bool>(), stages, noise(), any::<bool>(), ends, any::<bool>(), any::<bool>()).prop_map(
        |(head, vars, stages, tail, plots, end, mark, cut)| {
            let mut text = if mark { "\u{feff}".to_owned() } else { String::new() };
            text.push_str(head);
            if vars {
                text.push_str("vars:\n- a: 1   # inline\n");
            }
            if !stages.is_empty() {
                text.push_str("stages:\n");
            }
            for (at, (noise, stage)) in stages.into_iter().enumerate() {
                text.push_str(&format!("{noise}  s{at}:\n{stage}"));
            }
            text.push_str(tail);
            if plots {
                text.push_str("plots: []\n");
            }
            let text = if cut { text.trim_end().to_owned() } else { text };
            text.replace('\n', end)
        },
    )
}

fn stage() -> impl Strategy<Value = NewStage> {
    let odd = || {
        let odd =
            ["a b", "ü", "x: y", "#h", "'q'", "-d", "{b}", "true", "123", "@at", "${x}", "long ".repeat(40).trim()]
                .map(str::to_owned);
        prop_oneof![prop::sample::select(odd.to_vec()), "[a-z./]{1,12}", "\\PC{1,20}"]
    };
    let kind = prop::sample::select(vec![OutputKind::Plain, OutputKind::Metric, OutputKind::Plot]);
    let output = (odd(), kind, any::<bool>(), any::<bool>()).prop_map(|(path, kind, cached, persists)| NewOutput {
        path,
        kind,
        cached,
        persists,
    });
    let lists = (prop::collection::vec(odd(), 0..3), prop::collection::vec(output, 0..3));
    let params = prop::collection::vec((prop::option::of(odd()), prop::collection::vec(odd(), 0..3)), 0..3);
    ("[a-z][a-z0-9_-]{0,8}", odd(), prop::option::of(odd()), lists, params, any::<bool>(), prop::option::of(odd()))
        .prop_map(|(name, cmd, wdir, (deps, outs), params, always_changed, desc)| NewStage {
            command: Command::Text(cmd),
            wdir,
            deps,
            params,
            outs,
            always_changed,
            desc,
            ..new(&name, "")
        })
}

/// `text` with one piece put in, if that is all that makes it `longer`.
fn is_inserted(text: &str, longer: &str) -> bool {
    let before = text.bytes().zip(longer.bytes()).take_while(|(a, b)| a == b).count();
    let behind = text.bytes().rev().zip(longer.bytes().rev()).take_while(|(a, b)| a == b).count();
    before + behind >= text.len()
}

proptest! {
    /// What is written into a document is put in at one place, and the document reads back as what it was and the stage.
    #[test]
    fn a_stage_is_put_in_and_nothing_else_changes(text in document(), stage in stage()) {
        prop_assume!(stage.check().is_ok() && stage.name != "s0" && stage.name != "s1");
        let added = add(&text, &stage, Existing::Refuse);
        let added = added.map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        let mut wanted = value(&text);
        let put = |path: &[&str], value: Value| Edit {
            path: path.iter().map(|key| Step::Field((*key).to_owned())).collect(),
            change: Change::Put(value),
        };
        let stages = wanted.clone();
        let has_stages = matches!(&stages, Value::Map(map) if map.get("stages").is_some_and(|stages| *stages != Value::Null));
        let mut edits = vec![put(&["stages", &stage.name], Value::Map(stage.to_map(None)))];
        if !has_stages {
            edits.insert(0, put(&["stages"], Value::Map(Map::new())));
        }
        dewar_text::edit::apply(&mut wanted, &edits).unwrap();
        prop_assert!(wanted.same(&value(&added)), "{added}");
        prop_assert!(is_inserted(&text, &added), "{text:?}\n{added:?}");
        // Written again in place of itself it is what it was.
        prop_assert_eq!(add(&added, &stage, Existing::Replace).unwrap(), added);
    }
}
