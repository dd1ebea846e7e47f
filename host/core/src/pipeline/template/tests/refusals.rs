use dewar_text::Position;

use super::*;

/// The message, its help, and the text that it points at.
fn refused(texts: &Texts) -> (String, String, String) {
    let Err(PipelineError::Source(error)) = texts.load() else { panic!("loads, or fails otherwise") };
    let [diagnostic] = &error.diagnostics[..] else { panic!("one diagnostic") };
    let span = diagnostic.span.unwrap();
    let at = String::from_utf8(error.text[span.start..span.end].to_vec()).unwrap();
    (diagnostic.message.clone(), diagnostic.help.clone().unwrap_or_default(), at)
}

#[test]
fn errors_point_at_their_place_and_say_what_helps() {
    // The pipeline, then parts of the message and of the help, and the text that is pointed at.
    let table: &[(&str, &str, &str, &str)] = &[
        (
            "stages: {t: {cmd: 'echo ${models.cn}'}}",
            "the stage `t`: there is no `models.cn`",
            "did you mean `${models.cnn}`?",
            "${models.cn}",
        ),
        ("stages: {t: {cmd: \"\\\\${HOME} ${HOME}\"}}", "there is no `HOME`", "`\\${HOME}`", "${HOME}"),
        ("stages:\n  t:\n    cmd: >-\n      echo\n      ${nope}\n", "there is no `nope`", "params.yaml", "${nope}"),
        ("stages: {t: {cmd: '${models.svm}'}}", "there is no `models.svm`", "`models` has cnn, rnn", "${models.svm}"),
        ("stages: {t: {cmd: 'a ${n.x}'}}", "there is no `n.x`: `n` is an integer", "write `${n}`", "${n.x}"),
        ("stages: {t: {cmd: 'a ${lst[9]}'}}", "there is no `lst.9`", "a list of 4 items, counted from 0", "${lst[9]}"),
        ("stages: {t: {cmd: 'a ${lst.a}'}}", "there is no `lst.a`", "a list of 4 items", "${lst.a}"),
        ("stages: {t: {cmd: 'a ${n.}'}}", "`${n.}` is no template: a name is missing behind `.`", "`${name}`", "${n.}"),
        ("stages: {t: {cmd: 'a ${}'}}", "there is no name in it", "\\${NAME}", "${}"),
        ("stages: {t: {cmd: 'a ${n[}'}}", "a name is missing behind `[`", "`${list[0]}`", "${n[}"),
        ("stages: {t: {cmd: 'a ${n b}'}}", "there is no `n b`", "params.yaml", "${n b}"),
        ("stages: {t: {cmd: 'a ${lst}'}}", "`${lst}` is a list", "name an item of it", "${lst}"),
        ("stages: {t: {cmd: '${d}'}}", "`${d}` is a mapping", "write the command before it", "${d}"),
        ("stages: {t: {cmd: x, deps: ['${d}']}}", "`${d}` is a mapping", "name something in it", "${d}"),
        ("stages: {t: {cmd: x, deps: ['a${lst}']}}", "`${lst}` is a list", "name something in it", "${lst}"),
        ("stages: {t: {cmd: x, meta: {k: '${d}'}}}", "`${d}` is a mapping", "name something in it", "${d}"),
        (
            "stages: {t: {cmd: x, frozen: '${b}'}}",
            "`frozen` of the stage `t` must be `true` or `false`",
            "no template",
            "'${b}'",
        ),
        (
            "stages: {t: {cmd: x, outs: [{o: {cache: '${b}'}}]}}",
            "`cache` of the stage `t` must be",
            "no template",
            "'${b}'",
        ),
        ("stages: {t: {cmd: x, meta: {'${w}': 1, sub: 2}}}", "the key `sub` is there twice", "", "sub"),
        ("metrics: ['${nope}']", "`metrics`: there is no `nope`", "params.yaml", "${nope}"),
        (
            "vars: [{a: 1}, {b: {c: '${a}'}}]",
            "interpolating is not allowed in `vars`",
            "write the value itself",
            "'${a}'",
        ),
        ("vars: ['${w}.yaml']", "interpolating is not allowed", "", "'${w}.yaml'"),
        ("stages: {t: {cmd: x, vars: [{'${w}': 1}]}}", "interpolating is not allowed", "", "'${w}'"),
        ("vars: [nothere.yaml]\nstages: {t: {cmd: x}}", "there is no `nothere.yaml`", "folder", "nothere.yaml"),
        (
            "vars: ['more.yaml:own, other']",
            "`more.yaml` has no `other`",
            "only keys at the top",
            "'more.yaml:own, other'",
        ),
        ("vars: ['more.yaml:onw']", "`more.yaml` has no `onw`", "did you mean `own`?", "'more.yaml:onw'"),
        ("vars: [{lst: 2}]", "cannot redefine `lst`, which `params.yaml` has already", "another name", "lst"),
        ("vars: [{d: {k: 2}}]", "cannot redefine `d.k`, which `params.yaml` has already", "", "k"),
        (
            "vars: [{q: {k: 2}}, {q: {z: 3}}, {q: {z: 4}}]",
            "cannot redefine `q.z`, which `vars[1]` has already",
            "",
            "z",
        ),
        (
            "vars: [{own: 2}, more.yaml]",
            "cannot redefine `own`, which `vars[0]` has already",
            "file:key1,key2",
            "more.yaml",
        ),
        ("vars: [{q: 2}]\nstages: {t: {cmd: x, vars: [{q: 3}]}}", "cannot redefine `q`, which `vars[0]` has", "", "q"),
        ("vars: ['params.yaml:n']", "cannot take keys of `params.yaml`", "leave it out", "'params.yaml:n'"),
        ("vars: ['more.yaml:own', more.yaml]", "cannot take `more.yaml`", "name each key once", "more.yaml"),
        ("vars: ['more.yaml:own', 'more.yaml:own']", "cannot take `more.yaml:own`", "", "'more.yaml:own'"),
        ("vars: [../out.yaml]", "outside the project", "move it", "../out.yaml"),
        ("vars: [5]", "an item of `vars` must be a file or a mapping", "", "5"),
        ("vars: {a: 1}", "`vars` must be a list", "", "{a: 1}"),
        ("stages: {t: {cmd: x, vars: [{l: sub}], wdir: '${l}'}}", "there is no `l`", "", "${l}"),
        ("stages: {t: {cmd: x, vars: [{l: L}]}, u: {cmd: '${l}'}}", "the stage `u`: there is no `l`", "", "${l}"),
        ("stages: {g: {foreach: [1], do: {cmd: x, vars: [{item: 2}]}}}", "`item` is reserved", "another name", "item"),
        ("stages: {g: {matrix: {a: [1]}, cmd: x, vars: [{key: 2}]}}", "`key` is reserved", "another name", "key"),
        (
            "stages: {g: {foreach: '${s}', do: {cmd: x}}}",
            "`foreach` must be a list or a mapping, not a string",
            "iterate",
            "'${s}'",
        ),
        ("stages: {g: {foreach: , do: {cmd: x}}}", "`foreach` must be a list or a mapping, not nothing", "", ""),
        ("stages: {g: {foreach: ['a${lst}'], do: {cmd: x}}}", "`${lst}` is a list", "", "${lst}"),
        ("stages: {g: {foreach: [1]}}", "must have both `foreach` and `do`", "", "g"),
        ("stages: {g: {do: {cmd: x}}}", "must have both `foreach` and `do`", "", "g"),
        ("stages: {g: {foreach: [1], do: {cmd: x}, deps: [a]}}", "has no key `deps`", "foreach, do", "deps"),
        (
            "stages: {g: {foreach: [1], do: {matrix: {a: [1]}, cmd: x}}}",
            "there cannot be a `matrix` in `do`",
            "",
            "matrix",
        ),
        (
            "stages: {g: {foreach: [1], do: {cmd: '${item.x}'}}}",
            "the stage `g@1`: there is no `item.x`",
            "write `${item}`",
            "${item.x}",
        ),
        (
            "stages: {g: {foreach: [1], do: {cmd: '${itme}'}}}",
            "there is no `itme`",
            "did you mean `${item}`?",
            "${itme}",
        ),
        (
            "stages: {g: {foreach: [1], do: {cmd: x, dpes: [a]}}}",
            "the stage `g@1` has no key `dpes`",
            "did you mean `deps`?",
            "dpes",
        ),
        ("stages: {g: {foreach: [1], do: {cmd: x}}, g@1: {cmd: x}}", "there are two stages `g@1`", "", "g@1"),
        (
            "stages: {g: {matrix: {a: '${s}'}, cmd: x}}",
            "the axis `a` of `matrix` must be a list, not a string",
            "`a: [..]`",
            "'${s}'",
        ),
        ("stages: {g: {matrix: {}, cmd: x}}", "`matrix` must be a mapping of axes to lists", "", "{}"),
        ("stages: {g: {matrix: [1], cmd: x}}", "`matrix` must be a mapping of axes to lists", "", "[1]"),
    ];
    for (pipeline, message, help, at) in table {
        let texts = Texts::new(&[("dvc.yaml", pipeline), ("params.yaml", PARAMS), ("more.yaml", "own: 1\nb: 2\n")]);
        let (found_message, found_help, found_at) = refused(&texts);
        assert!(found_message.contains(message), "{pipeline}: {found_message}");
        assert!(found_help.contains(help), "{pipeline}: {found_help}");
        assert_eq!(found_at, *at, "{pipeline}");
    }
}

#[test]
fn a_matrix_that_explodes_is_refused() {
    let axis = |name: usize| format!("a{name}: [{}]", (0..100).map(|at| at.to_string()).collect::<Vec<_>>().join(", "));
    let axes = (0..40).map(axis).collect::<Vec<_>>().join(", ");
    let (message, ..) = refused(&of(&format!("stages: {{g: {{matrix: {{{axes}}}, cmd: x}}}}")));
    assert!(message.contains("more than 100000 stages"), "{message}");
}

#[test]
fn a_parameter_file_that_is_wrong_is_the_one_pointed_at() {
    for (params, message) in [("[1]", "templates need a mapping here, not a list"), ("a: [", "")] {
        let texts = Texts::new(&[("dvc.yaml", "stages: {t: {cmd: '${a}'}}"), ("params.yaml", params)]);
        let error = match texts.load().unwrap_err() {
            PipelineError::Source(error) => error,
            PipelineError::Params(crate::params::files::ParamsError::Source(error)) => error,
            other => panic!("{other:?}"),
        };
        assert_eq!(error.file, path("params.yaml"));
        assert!(error.to_string().contains(message));
    }
    let empty = Texts::new(&[("dvc.yaml", "vars: [{a: 1}]\nstages: {t: {cmd: '${a}'}}"), ("params.yaml", "")]);
    assert_eq!(commands(&empty.load().unwrap()), [("t", "1")]);
}

#[test]
fn a_variable_that_may_come_later_is_told_from_other_mistakes() {
    let lacks = |pipeline: &str| match of(pipeline).load() {
        Err(PipelineError::Source(error)) => lacks_variable(&error),
        other => panic!("{other:?}"),
    };
    assert!(lacks("stages: {t: {cmd: '${later}'}}"));
    assert!(!lacks("stages: {t: {cmd: '${later.}'}}"));
    assert!(!lacks("stages: {t: {cmd: x, deps: ['${d}']}}"));
}

#[test]
fn spans_of_resolved_nodes_are_those_of_the_text() {
    let texts = of("stages:\n  t:\n    cmd: x\n    wdir: '../${w}'\n");
    let Err(PipelineError::Source(error)) = texts.load() else { panic!() };
    let span = error.diagnostics[0].span.unwrap();
    assert_eq!(Position::of(&error.text, span.start).line, 4);
}
