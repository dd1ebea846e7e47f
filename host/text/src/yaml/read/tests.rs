use super::*;
use crate::splice::slice;
use crate::value::Map;

fn value(source: &str) -> Value {
    read(source.as_bytes()).unwrap_or_else(|error| panic!("{source:?}: {error:?}")).to_value()
}

fn error(source: &str) -> Diagnostic {
    let error = read(source.as_bytes()).expect_err(source);
    assert!(error.span.is_some(), "{source:?}: {error:?} has no place");
    error
}

fn map(entries: &[(&str, Value)]) -> Value {
    Value::Map(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect::<Map>())
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

#[test]
fn nothing_is_a_null() {
    for source in ["", "# only a comment\n", "---\n", "\u{feff}", "---\n...\n"] {
        assert_eq!(value(source), Value::Null, "{source:?}");
    }
}

#[test]
fn tags() {
    for (source, wanted) in [
        ("!!str 5", text("5")),
        ("!!str", text("")),
        ("!!int \"7\"", Value::Int(7)),
        ("!!float 5", Value::Float(5.0)),
        ("!!bool yes", Value::Bool(true)),
        ("!!null x", Value::Null),
        ("!!timestamp 2024-01-02", Value::Literal("2024-01-02".into())),
        ("!<tag:yaml.org,2002:str> 5", text("5")),
        ("! 5", Value::Int(5)),
        ("!!seq [1]", Value::List(vec![Value::Int(1)])),
        ("!!map {a: 1}", map(&[("a", Value::Int(1))])),
    ] {
        assert_eq!(value(source), wanted, "{source}");
    }
    for (source, code) in [
        ("a: !foo 5", "unknown-tag"),
        ("a: !!binary aGk=", "unknown-tag"),
        ("!!set {a, b}", "unknown-tag"),
        ("!!seq {}", "unknown-tag"),
        ("!foo a: 1", "unknown-tag"),
        ("!!int abc", "bad-tag"),
        ("!!float x", "bad-tag"),
        ("!!bool 2", "bad-tag"),
        ("a: =", "reserved-scalar"),
        ("a: <<", "reserved-scalar"),
    ] {
        assert_eq!(error(source).code, code, "{source}");
    }
}

#[test]
fn keys_are_held_as_their_text() {
    assert_eq!(
        value("1: a\n0x10: b\ntrue: c\n2024-01-02: d\n~: e\n=: f\n'q': g"),
        map(&[
            ("1", text("a")),
            ("0x10", text("b")),
            ("true", text("c")),
            ("2024-01-02", text("d")),
            ("~", text("e")),
            ("=", text("f")),
            ("q", text("g"))
        ])
    );
    assert_eq!(error("? [a, b]\n: 1").code, "complex-key");
    assert_eq!(error("{{a: 1}: 1}").code, "complex-key");
}

#[test]
fn merges_as_ruamel_does() {
    let merged = value("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc:\n  y: 9\n  <<: [*a, *b]\n  k: 5\n");
    let c = merged.as_map().and_then(|map| map.get("c")).and_then(Value::as_map).expect("a mapping");
    let flat: Vec<_> = c.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    assert_eq!(flat, [("y", Value::Int(9)), ("z", Value::Int(4)), ("x", Value::Int(1)), ("k", Value::Int(5))]);
    assert_eq!(value("<<: {a: 1}\nb: 2"), map(&[("a", Value::Int(1)), ("b", Value::Int(2))]));
    assert_eq!(value("\"<<\": {a: 1}"), map(&[("<<", map(&[("a", Value::Int(1))]))]));
    assert_eq!(error("<<: 3").code, "bad-merge");
    assert_eq!(error("<<: [{a: 1}, 3]").code, "bad-merge");
    assert_eq!(error("a: &a {x: 1}\nb:\n  <<: *a\n  <<: *a").code, "duplicate-key");
}

#[test]
fn a_merged_entry_points_at_the_merge() {
    let source = "a: &a {x: 1}\nb:\n  <<: *a\n";
    let root = read(source.as_bytes()).expect("valid");
    let entry = root.get("b").and_then(|b| b.entry("x")).expect("merged");
    assert_eq!(slice(source, entry.key_span.start, entry.key_span.end), "<<");
    assert_eq!(slice(source, entry.value.span.start, entry.value.span.end), "1");
}

#[test]
fn aliases_are_followed_and_have_their_own_span() {
    let source = "a: &x [1, 2]\nb: *x\n*x : 1";
    assert_eq!(error(source).code, "complex-key");
    let source = "a: &x k\nb: *x\n*x : 1";
    let root = read(source.as_bytes()).expect("valid");
    let alias = root.get("b").expect("b");
    assert_eq!(alias.to_value(), text("k"));
    assert_eq!(slice(source, alias.span.start, alias.span.end), "*x");
    assert_eq!(root.get("k").map(Node::to_value), Some(Value::Int(1)));
    assert_eq!(error("a: *nope").code, "unknown-anchor");
    assert_eq!(error("a: &a [*a]").code, "recursive-alias");
}

#[test]
fn duplicate_keys_point_at_the_second() {
    let found = error("a: 1\nb: 2\na: 3\n");
    assert_eq!((found.code.as_str(), found.span), ("duplicate-key", Some(Span::new(10, 11))));
    assert_eq!(found.help.as_deref(), Some("the first is in line 1: remove one, or give one another name"));
    let many: String = (0..50).map(|i| format!("k{i}: {i}\n")).chain(["k7: 1\n".into(), "k3: 1\n".into()]).collect();
    assert_eq!(error(&many).message, "duplicate key `k7` in this mapping");
}

#[test]
fn refuses_with_a_place() {
    for (source, code, at) in [
        ("a: \u{1b}x", "control-character", 3),
        ("é: \0", "control-character", 4),
        ("a: 1\n---\nb: 2\n", "several-documents", 5),
        ("%YAML 1.1\n---\na: on\n", "yaml-version", 0),
        ("a: b: c", "yaml-syntax", 4),
        ("a:\n\tb: 1", "tab", 4),
        ("a: [1, 2", "yaml-syntax", 3),
        ("a: \"x", "yaml-syntax", 3),
        ("a: @x", "yaml-syntax", 3),
    ] {
        let error = error(source);
        assert_eq!((error.code.as_str(), error.span.map(|span| span.start)), (code, Some(at)), "{source:?}: {error:?}");
    }
    for source in [&b"a: \xff"[..], b"\xff\xfea\0"] {
        assert_eq!(read(source).expect_err("not UTF-8").code, "not-utf8");
    }
    assert_eq!(value("%YAML 1.2\n---\na: on\n"), map(&[("a", text("on"))]));
}

#[test]
fn spans_are_where_an_editor_needs_them() {
    let source = "\u{feff}a: é  # c\nb:\nc: &x\nd: |+ # keep\n  x\n\n\ne: >-\n  f\n  g\n\nh:\n- 1\n-\n- [p: , {q}, r: s]\n# tail\n";
    let root = read(source.as_bytes()).expect("valid");
    let at = |path: &[&str]| {
        let node = path.iter().fold(&root, |node, key| match &node.kind {
            NodeKind::List(items) => &items[key.parse::<usize>().expect("an index")],
            _ => node.get(key).expect("a key"),
        });
        let before = slice(source, 0, node.span.start);
        (before.lines().next_back().unwrap_or_default(), slice(source, node.span.start, node.span.end))
    };
    assert_eq!(at(&["a"]).1, "é");
    assert_eq!(at(&["b"]), ("b:", ""));
    assert_eq!(at(&["c"]), ("c: &x", ""));
    assert_eq!(at(&["d"]).1, "|+ # keep\n  x\n\n");
    assert_eq!(at(&["e"]).1, ">-\n  f\n  g");
    assert_eq!(at(&["h"]).1, "- 1\n-\n- [p: , {q}, r: s]");
    assert_eq!(at(&["h", "1"]), ("-", ""));
    assert_eq!(at(&["h", "2", "0", "p"]), ("- [p:", ""));
    assert_eq!(at(&["h", "2", "1", "q"]), ("- [p: , {q", ""));
    assert_eq!(at(&["h", "2", "2"]).1, "r: s");
}

#[test]
fn block_scalars_end_as_ruamels_do() {
    assert_eq!(value("a: |\n  x"), map(&[("a", text("x"))]));
    assert_eq!(value("a: |\n  x\n"), map(&[("a", text("x\n"))]));
    assert_eq!(value("a: |+\n  x\n\n"), map(&[("a", text("x\n\n"))]));
    assert_eq!(value("a: |\r\n  x\r\n  y\r\n"), map(&[("a", text("x\ny\n"))]));
}

/// Run in a thread with the stack that a wasm guest has.
fn in_a_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(1 << 20).spawn(test).expect("a thread").join().expect("no overflow");
}

#[test]
fn hostile_nesting_is_refused() {
    in_a_small_stack(|| {
        let deep_blocks: String = (0..3000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        let chain: String = (1..2000).map(|i| format!("x{i}: &x{i} [*x{}]\n", i - 1)).collect();
        for source in [
            "[".repeat(200_000),
            "[{a: ".repeat(100_000),
            deep_blocks,
            "- ".repeat(500_000),
            ": ".repeat(100_000),
            format!("x0: &x0 [1]\n{chain}"),
        ] {
            assert_eq!(error(&source).code, "too-deep", "{source:.20}");
        }
    });
}

#[test]
fn depth_up_to_the_limit_is_read() {
    in_a_small_stack(|| {
        let source = format!("{}a: 1", (0..200).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>());
        assert!(read(source.as_bytes()).is_err(), "the last key is not indented");
        let source = format!("{}{}", "[".repeat(250), "]".repeat(250));
        let node = read(source.as_bytes()).expect("250 levels");
        assert!(node.to_value().same(&node.to_value()));
    });
}

#[test]
fn laughs_are_refused() {
    let mut source = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        source.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert_eq!(error(&source).code, "too-many-aliases");
}

#[test]
fn a_mapping_of_many_keys_is_read() {
    let source: String = (0..20_000).map(|i| format!("key{i}: {i}\n")).collect();
    assert_eq!(value(&source).as_map().map(Map::len), Some(20_000));
}

#[test]
fn too_large_is_refused_before_it_is_parsed() {
    assert_eq!(read(&vec![b'#'; MAX_SIZE + 1]).expect_err("too large").code, "too-large");
}

proptest::proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        drop(read(&bytes));
    }

    #[test]
    fn random_yaml_never_panics_and_spans_fit(source in "([-?:,\\[\\]{}#&*!|>'\"%@` \n\tab1.~<=]|- |: |\n  |&a|\\*a|<<|!!str |\\| \n){0,40}") {
        if let Ok(node) = read(source.as_bytes()) {
            spans_fit(&source, &node);
        }
    }
}

fn spans_fit(source: &str, node: &Node) {
    assert!(source.get(node.span.start..node.span.end).is_some(), "{source:?} {:?}", node.span);
    match &node.kind {
        NodeKind::List(items) => items.iter().for_each(|item| spans_fit(source, item)),
        NodeKind::Map(entries) => entries.iter().for_each(|entry| {
            assert!(source.get(entry.key_span.start..entry.key_span.end).is_some());
            spans_fit(source, &entry.value);
        }),
        NodeKind::Scalar(_) => {}
    }
}
