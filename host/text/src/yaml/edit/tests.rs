use super::*;
use crate::value::Value::{Bool, Float, Int, Null};

fn path(path: &str) -> Vec<Step> {
    path.split('/').map(|step| step.parse().map_or_else(|_| Step::Field(step.into()), Step::Index)).collect()
}

fn put(at: &str, value: Value) -> Edit {
    Edit { path: path(at), change: Change::Put(value) }
}

fn remove(at: &str) -> Edit {
    Edit { path: path(at), change: Change::Remove }
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::List(items.into_iter().collect())
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn edited(source: &str, edits: &[Edit]) -> String {
    let edited = super::edit(source.as_bytes(), edits).unwrap_or_else(|error| panic!("{source:?}: {error:?}"));
    String::from_utf8(edited).expect("UTF-8")
}

fn refused(source: &str, change: Edit) -> String {
    super::edit(source.as_bytes(), &[change]).expect_err(source).code
}

fn check(cases: impl IntoIterator<Item = (&'static str, Edit, &'static str)>) {
    for (source, change, wanted) in cases {
        assert_eq!(edited(source, std::slice::from_ref(&change)), wanted, "{source:?} {change:?}");
    }
}

#[test]
fn scalars_are_replaced_in_place() {
    check([
        ("a: 1  # why\nb: 2\n", put("a", Int(9)), "a: 9  # why\nb: 2\n"),
        ("a: 'x' # q\n", put("a", text("it's")), "a: 'it''s' # q\n"),
        ("a: \"x\"\n", put("a", text("y")), "a: \"y\"\n"),
        ("a: \"x\"\n", put("a", Int(1)), "a: 1\n"),
        ("a: x\n", put("a", text("2.0")), "a: '2.0'\n"),
        ("a: x\n", put("a", text("yes")), "a: yes\n"),
        ("a: x\n", put("a", Float(1.0)), "a: 1.0\n"),
        ("a: x\n", put("a", Float(1e-5)), "a: 1e-05\n"),
        ("a: x\n", put("a", Float(f64::NAN)), "a: .nan\n"),
        ("a: x\n", put("a", Float(f64::NEG_INFINITY)), "a: -.inf\n"),
        ("a: x\n", put("a", Null), "a: null\n"),
        ("a: one\n  two\nb: 1\n", put("a", Bool(true)), "a: true\nb: 1\n"),
        ("a: |\n  one\n  two\n\nb: 1\n", put("a", Int(1)), "a: 1\n\nb: 1\n"),
        ("a: !!str 5 # c\n", put("a", Int(6)), "a: 6 # c\n"),
        ("a: !!str 5\n", put("a", text("6")), "a: '6'\n"),
        ("a: &x 1\nb: 2\n", put("a", Int(3)), "a: &x 3\nb: 2\n"),
        ("a: &x 1\nb: *x\n", put("b", Int(3)), "a: &x 1\nb: 3\n"),
        ("[1, {a: 2}, 3]", put("1/a", text("x, y")), "[1, {a: 'x, y'}, 3]"),
        ("- 1\n- 2 # two\n", put("1", Int(3)), "- 1\n- 3 # two\n"),
        ("a:   # c\nb: 1\n", put("a", Int(1)), "a: 1   # c\nb: 1\n"),
        ("{a, b: }", put("a", Int(1)), "{a: 1, b: }"),
    ]);
}

#[test]
fn containers_are_written_as_their_surroundings_are() {
    check([
        (
            "a: 1  # c\nb: 2\n",
            put("a", map([("x", Int(1)), ("y", list([Int(2)]))])),
            "a:  # c\n  x: 1\n  y:\n  - 2\nb: 2\n",
        ),
        (
            "a:\n    b: 1\nl:\n  - 1\n",
            put("a/b", list([Int(1), map([("c", Int(2)), ("d", Null)])])),
            "a:\n    b:\n      - 1\n      - c: 2\n        d: null\nl:\n  - 1\n",
        ),
        ("a: 1\n", put("a", list([])), "a: []\n"),
        ("a: 1\n", put("a", map([])), "a: {}\n"),
        ("{a: 1}\n", put("a", map([("x", list([Int(1)]))])), "{a: {x: [1]}}\n"),
        ("- 1\n- 2\n", put("0", map([("x", Int(1)), ("y", Int(2))])), "- x: 1\n  y: 2\n- 2\n"),
        ("- !!str 5\n", put("0", map([("x", Int(1)), ("y", Int(2))])), "- x: 1\n  y: 2\n"),
        ("- &x 5\n", put("0", map([("x", Int(1)), ("y", Int(2))])), "- &x\n  x: 1\n  y: 2\n"),
        ("a:  # head\n  b: 1\n  c: 2\nd: 3\n", put("a", Int(5)), "a: 5  # head\nd: 3\n"),
        ("a:\n- 1\n- 2\nd: 3\n", put("a", list([Int(3)])), "a:\n- 3\nd: 3\n"),
        ("a: [1, 2]  # c\n", put("a", list([Int(3)])), "a:  # c\n- 3\n"),
    ]);
}

#[test]
fn keys_are_added_at_the_end() {
    check([
        ("", put("a", Int(1)), "a: 1\n"),
        ("# only\n", put("a", Int(1)), "# only\na: 1\n"),
        ("# only", put("a", Int(1)), "# only\na: 1"),
        ("null\n", put("a", Int(1)), "a: 1\n"),
        ("---\n", put("a", Int(1)), "---\na: 1\n"),
        ("{}\n", put("a", Int(1)), "{a: 1}\n"),
        ("a: {}\n", put("a/b", Int(1)), "a: {b: 1}\n"),
        ("a:  # c\nb: 1\n", put("a/x", Int(1)), "a:  # c\n  x: 1\nb: 1\n"),
        ("a:\n  b: 1 # c\n\n# next\nd: 1\n", put("a/c", Int(2)), "a:\n  b: 1 # c\n  c: 2\n\n# next\nd: 1\n"),
        ("a: 1\n# tail\n", put("b", Int(2)), "a: 1\nb: 2\n# tail\n"),
        (
            "a:\n  b:\n    c: 1\n    # of c\n\n   # of b\n  # next\n",
            put("a/d", Int(2)),
            "a:\n  b:\n    c: 1\n    # of c\n\n   # of b\n  d: 2\n  # next\n",
        ),
        ("a: 1", put("b", Int(2)), "a: 1\nb: 2"),
        ("a:\n", put("b", Int(2)), "a:\nb: 2\n"),
        ("- a: 1\n- 2\n", put("0/b", list([Int(1)])), "- a: 1\n  b:\n  - 1\n- 2\n"),
        ("{a: 1, b: 2}", put("c", text("x")), "{a: 1, b: 2, c: x}"),
        ("{\n  a: 1,\n  b: 2  # two\n}\n", put("c", Int(3)), "{\n  a: 1,\n  b: 2,  # two\n  c: 3\n}\n"),
        ("{\n  a: 1,\n}\n", put("c", Int(3)), "{\n  a: 1,\n  c: 3,\n}\n"),
        ("{\"a\": 1}", put("c", Int(3)), "{\"a\": 1, \"c\": 3}"),
        ("a: 1\n", put("x: y", Int(2)), "a: 1\n'x: y': 2\n"),
    ]);
}

#[test]
fn members_go_with_their_lines() {
    check([
        ("a: 1\nb: 2 # gone\nc: 3\n", remove("b"), "a: 1\nc: 3\n"),
        ("a: 1\nb: 2", remove("b"), "a: 1"),
        ("a: 1\nb:\n  c: 1\n  d: 2\ne: 3\n", remove("b"), "a: 1\ne: 3\n"),
        ("a:\n  b: 1\nc: 2\n", remove("a/b"), "a: {}\nc: 2\n"),
        ("a: 1\n", remove("a"), "{}\n"),
        ("- a: 1\n  b: 2\n", remove("0/a"), "- b: 2\n"),
        ("k:\n- 1\n- 2\n", remove("k/0"), "k:\n- 2\n"),
        ("- - 1\n  - 2\n", remove("0/0"), "- - 2\n"),
        ("{a: 1, b: 2, c: 3}", remove("b"), "{a: 1, c: 3}"),
        ("[1, 2, 3]", remove("2"), "[1, 2]"),
        ("{a: 1}", remove("a"), "{}"),
        ("[\n  1,  # one\n  2   # two\n]\n", remove("1"), "[\n  1  # one\n]\n"),
        ("[\n  1,  # one\n  2   # two\n]\n", remove("0"), "[\n  2   # two\n]\n"),
        ("[&a 1, 2]", remove("0"), "[2]"),
    ]);
}

#[test]
fn line_endings_and_byte_order_mark_stay() {
    check([
        (
            "\u{feff}a: 1\r\nb: 2\r\n",
            put("b", map([("x", Int(1)), ("y", Int(2))])),
            "\u{feff}a: 1\r\nb:\r\n  x: 1\r\n  y: 2\r\n",
        ),
        ("\u{feff}a: 1\r\n", put("c", Int(1)), "\u{feff}a: 1\r\nc: 1\r\n"),
        ("a: 1\r\nb: 2\r\n", remove("a"), "b: 2\r\n"),
        ("\u{feff}", put("c", Int(1)), "\u{feff}c: 1\n"),
    ]);
}

#[test]
fn what_would_show_elsewhere_is_refused() {
    let source = "m: &m {k: 1}\nd: *m\ne:\n  <<: *m\n  o: 1\n";
    assert_eq!(refused(source, put("d/k", Int(2))), "through-alias");
    assert_eq!(refused(source, put("d/new", Int(2))), "through-alias");
    assert_eq!(refused(source, remove("d/k")), "through-alias");
    assert_eq!(refused(source, put("e/k", Int(2))), "merged-key");
    assert_eq!(refused(source, remove("e/k")), "merged-key");
    assert_eq!(refused("<<: {a: {b: 1}}\nc: 1\n", put("a/b", Int(2))), "merged-key");
    assert_eq!(refused(source, put("m/k", Int(2))), "edit-went-wrong");
    assert_eq!(edited(source, &[put("e/o", Int(2))]), source.replace("o: 1", "o: 2"));
    assert_eq!(edited(source, &[put("d", Int(2))]), source.replace("d: *m", "d: 2"));
}

#[test]
fn what_has_no_place_is_refused() {
    assert_eq!(refused("a: 1\n", put("b/c", Int(1))), "no-such-path");
    assert_eq!(refused("a: 1\n", put("a/c", Int(1))), "no-such-path");
    assert_eq!(refused("a: [1]\n", put("a/1", Int(1))), "no-such-path");
    assert_eq!(refused("a: 1\n", remove("b")), "no-such-path");
    assert_eq!(refused("[a: 1]\n", put("0/b", Int(1))), "edit-unsupported");
    // A line feed would become a part of the text.
    assert_eq!(refused("a: |\n  x", put("b", Int(1))), "edit-went-wrong");
}

#[test]
fn edits_are_made_in_order() {
    let edits =
        [put("a", Int(1)), put("b", Int(2)), put("c", map([])), put("c/d", Int(3)), remove("a"), put("b", Int(4))];
    assert_eq!(edited("a: 0\nb: 0\n", &edits), "b: 4\nc: {d: 3}\n");
    assert_eq!(edited("a: 0 # keep\n", &[]), "a: 0 # keep\n");
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    fn scalar() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Null),
            any::<bool>().prop_map(Bool),
            any::<i64>().prop_map(Int),
            any::<f64>().prop_map(Float),
            ".{0,12}".prop_map(Value::Text),
            "[-:# \\[\\]{},'\"a1.\n]{0,8}".prop_map(Value::Text),
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        scalar().prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                proptest::collection::vec(("[a-d :#]{1,3}", inner), 0..4)
                    .prop_map(|all| Value::Map(all.into_iter().collect())),
            ]
        })
    }

    fn places(value: &Value, at: &mut Vec<Step>, all: &mut Vec<Vec<Step>>) {
        match value {
            Value::Map(map) => map.iter().for_each(|(key, value)| {
                at.push(Step::Field(key.clone()));
                all.push(at.clone());
                places(value, at, all);
                at.pop();
            }),
            Value::List(items) => items.iter().enumerate().for_each(|(index, value)| {
                at.push(Step::Index(index));
                all.push(at.clone());
                places(value, at, all);
                at.pop();
            }),
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn an_edit_is_the_models_and_touches_nothing_else(
            before in value(), new in value(), pick in any::<prop::sample::Index>(), removes in any::<bool>(), crlf in any::<bool>(),
        ) {
            let mut all = Vec::new();
            places(&before, &mut Vec::new(), &mut all);
            prop_assume!(!all.is_empty());
            let path = pick.get(&all).clone();
            let change = if removes { Change::Remove } else { Change::Put(new) };
            let mut source = crate::yaml::write(&before);
            if crlf {
                source = source.replace('\n', "\r\n");
            }
            let edit = Edit { path, change };
            if let Ok(after) = crate::yaml::edit(source.as_bytes(), std::slice::from_ref(&edit)) {
                let mut wanted = before;
                crate::edit::apply(&mut wanted, &[edit]).expect("the place exists");
                let root = crate::yaml::read(&after).expect("readable");
                prop_assert!(wanted.same(&root.to_value()), "{source:?} {:?}", String::from_utf8_lossy(&after));
            } else {
                prop_assert!(false, "refused: {edit:?} in {source:?}");
            }
        }

        #[test]
        fn lines_that_are_not_the_keys_own_stay(keys in 2usize..6, which in any::<prop::sample::Index>(), new in value()) {
            let source: String = (0..keys).map(|key| format!("# above {key}\nk{key}: v{key}   # behind {key}\n\n")).collect();
            let key = which.index(keys);
            let edit = put(&format!("k{key}"), new);
            let after = edited(&source, &[edit]);
            let (before, rest) = source.split_once(&format!("k{key}: v{key}")).expect("the key");
            let line = rest.split_once('\n').expect("a line").1;
            prop_assert!(after.starts_with(before) && after.ends_with(line), "{after}");
            let behind = format!("# behind {key}\n");
            prop_assert!(after.contains(&behind), "{after}");
        }
    }
}
