//! The expectations were written by ruamel.yaml 0.19.1 (`YAML()`, `default_flow_style = False`).

use super::*;
use crate::value::Value::{Bool, Float, Int, Null};

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn list<const N: usize>(items: [Value; N]) -> Value {
    Value::List(items.into())
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

#[test]
fn writes_what_ruamel_writes() {
    for (value, wanted) in cases() {
        assert_eq!(write(&value), wanted, "{value:?}");
        let read = crate::yaml::read(wanted.as_bytes()).expect("readable").to_value();
        assert!(read.same(&value), "{value:?} {read:?}");
    }
}

fn cases() -> Vec<(Value, &'static str)> {
    vec![
        (Null, concat!("null\n", "...\n")),
        (text("x"), concat!("x\n", "...\n")),
        (text("2.0"), "'2.0'\n"),
        (text(""), "''\n"),
        (Bool(true), concat!("true\n", "...\n")),
        (Int(5), concat!("5\n", "...\n")),
        (Float(1.0), concat!("1.0\n", "...\n")),
        (list([]), "[]\n"),
        (map([]), "{}\n"),
        (text("a\nb"), "\"a\\nb\"\n"),
        (text("it's"), concat!("it's\n", "...\n")),
        (
            Value::Literal("1000000000000000000000000000000".into()),
            concat!("1000000000000000000000000000000\n", "...\n"),
        ),
        (
            map([
                ("schema", text("2.0")),
                (
                    "stages",
                    map([(
                        "train",
                        map([
                            ("cmd", text("python train.py")),
                            (
                                "deps",
                                list([map([
                                    ("path", text("data.csv")),
                                    ("hash", text("md5")),
                                    ("md5", text("a304afb96060aad90176268345e10355")),
                                    ("size", Int(37)),
                                ])]),
                            ),
                            (
                                "params",
                                map([(
                                    "params.yaml",
                                    map([
                                        ("lr", Float(0.1)),
                                        ("epochs", Int(10)),
                                        ("tiny", Float(1e-05)),
                                        ("none", Null),
                                        ("on", Bool(true)),
                                        ("opt", text("yes")),
                                        ("ver", text("1e3")),
                                        ("date", text("2024-01-02")),
                                    ]),
                                )]),
                            ),
                            (
                                "outs",
                                list([map([("path", text("model.pkl")), ("size", Int(1)), ("isexec", Bool(true))])]),
                            ),
                        ]),
                    )]),
                ),
            ]),
            concat!(
                "schema: '2.0'\n",
                "stages:\n",
                "  train:\n",
                "    cmd: python train.py\n",
                "    deps:\n",
                "    - path: data.csv\n",
                "      hash: md5\n",
                "      md5: a304afb96060aad90176268345e10355\n",
                "      size: 37\n",
                "    params:\n",
                "      params.yaml:\n",
                "        lr: 0.1\n",
                "        epochs: 10\n",
                "        tiny: 1e-05\n",
                "        none:\n",
                "        on: true\n",
                "        opt: yes\n",
                "        ver: '1e3'\n",
                "        date: '2024-01-02'\n",
                "    outs:\n",
                "    - path: model.pkl\n",
                "      size: 1\n",
                "      isexec: true\n"
            ),
        ),
        (map([("cmd", list([text("echo a"), text("echo b")]))]), concat!("cmd:\n", "- echo a\n", "- echo b\n")),
        (
            map([(
                "cmd",
                text(
                    "python -m train --learning-rate 0.001 --epochs 100 --batch-size 64 --output models/model.pkl --verbose",
                ),
            )]),
            concat!(
                "cmd: python -m train --learning-rate 0.001 --epochs 100 --batch-size 64 --output\n",
                "  models/model.pkl --verbose\n"
            ),
        ),
        (
            map([(
                "cmd",
                text(
                    "python xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx --tail of the command line that is long enough to be folded once more",
                ),
            )]),
            concat!(
                "cmd: python \n",
                "  xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
                "  --tail of the command line that is long enough to be folded once more\n"
            ),
        ),
        (
            map([("stage", map([("cmd", text("set -e\necho \"two lines\"\n"))]))]),
            concat!("stage:\n", "  cmd: \"set -e\\necho \\\"two lines\\\"\\n\"\n"),
        ),
        (
            map([(
                "cmd",
                text(
                    "a command with \"double\" and 'single' quotes and a colon: which must be quoted, long enough to fold over lines",
                ),
            )]),
            concat!(
                "cmd: \"a command with \\\"double\\\" and 'single' quotes and a colon: which must be quoted,\n",
                "  long enough to fold over lines\"\n"
            ),
        ),
        (
            map([(
                "cmd",
                text(
                    ": word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word end",
                ),
            )]),
            concat!(
                "cmd: ': word word word word word word word word word word word word word word word\n",
                "  word word word word word word word word word word word word word word word end'\n"
            ),
        ),
        (
            map([(
                "cmd",
                text(
                    "# word  word word  word word  word word  word word  word word  word word  word word  word word  word word  word word  word word  word word  word word  word word  word end",
                ),
            )]),
            concat!(
                "cmd: '# word  word word  word word  word word  word word  word word  word word  word\n",
                "  word  word word  word word  word word  word word  word word  word word  word word  word\n",
                "  end'\n"
            ),
        ),
        (
            map([(
                "cmd",
                text(
                    "first line of a script that is long enough to be folded by the emitter, isn't it?\nsecond line\n\n  indented third line\n",
                ),
            )]),
            concat!(
                "cmd: \"first line of a script that is long enough to be folded by the emitter, isn't\n",
                "  it?\\nsecond line\\n\\n  indented third line\\n\"\n"
            ),
        ),
        (
            map([(
                "f",
                list([
                    Float(0.0),
                    Float(-0.0),
                    Float(1.0),
                    Float(100.0),
                    Float(1000000000000000.0),
                    Float(1e+16),
                    Float(1e+22),
                    Float(0.0001),
                    Float(1e-05),
                    Float(1.5e-07),
                    Float(123456.789),
                    Float(5e-324),
                    Float(1.7976931348623157e+308),
                    Float(f64::INFINITY),
                    Float(f64::NEG_INFINITY),
                    Float(f64::NAN),
                    Float(1421908185030529.2),
                ]),
            )]),
            concat!(
                "f:\n",
                "- 0.0\n",
                "- -0.0\n",
                "- 1.0\n",
                "- 100.0\n",
                "- 1000000000000000.0\n",
                "- 1e+16\n",
                "- 1e+22\n",
                "- 0.0001\n",
                "- 1e-05\n",
                "- 1.5e-07\n",
                "- 123456.789\n",
                "- 5e-324\n",
                "- 1.7976931348623157e+308\n",
                "- .inf\n",
                "- -.inf\n",
                "- .nan\n",
                "- 1421908185030529.2\n"
            ),
        ),
        (
            map([(
                "n",
                list([
                    Null,
                    list([Null]),
                    map([("a", Null)]),
                    list([]),
                    map([]),
                    list([list([])]),
                    list([map([])]),
                    list([list([Int(1), Int(2)]), list([Int(3), list([Int(4)])])]),
                    list([map([("a", Int(1)), ("b", list([Int(1)]))]), map([("c", map([]))])]),
                ]),
            )]),
            concat!(
                "n:\n",
                "- \n",
                "- - \n",
                "- a:\n",
                "- []\n",
                "- {}\n",
                "- - []\n",
                "- - {}\n",
                "- - - 1\n",
                "    - 2\n",
                "  - - 3\n",
                "    - - 4\n",
                "- - a: 1\n",
                "    b:\n",
                "    - 1\n",
                "  - c: {}\n"
            ),
        ),
        (
            map([(
                "q",
                list([
                    text("true"),
                    text("null"),
                    text("~"),
                    text(""),
                    text("1"),
                    text("017"),
                    text("0x1F"),
                    text(".5"),
                    text(".inf"),
                    text("="),
                    text("<<"),
                    text("-"),
                    text("- a"),
                    text("a: b"),
                    text("a:b"),
                    text("a #b"),
                    text("a#b"),
                    text("#"),
                    text("&a"),
                    text("*a"),
                    text("!a"),
                    text("%a"),
                    text("@a"),
                    text("`a"),
                    text("|"),
                    text(">"),
                    text("?"),
                    text("? a"),
                    text("?a"),
                    text(":"),
                    text("a:"),
                    text(","),
                    text("[a]"),
                    text("{a}"),
                    text("a, b"),
                    text("---"),
                    text("..."),
                    text("--- a"),
                    text("-a"),
                    text("yes"),
                    text("on"),
                    text("1:30"),
                    text("2024-01-02"),
                    text("2024-01-02 03:04:05"),
                    text("${item.lr}"),
                    text("a\\b"),
                    text("tab\there"),
                    text("nbsp\u{a0}x"),
                    text("bom\u{feff}x"),
                    text("bell\u{7}"),
                    text("\u{1b}[0m"),
                    text("é"),
                    text("日本"),
                    text("😀"),
                    text(" lead"),
                    text("trail "),
                    text("two  spaces"),
                    text("''"),
                    text("\""),
                ]),
            )]),
            concat!(
                "q:\n",
                "- 'true'\n",
                "- 'null'\n",
                "- '~'\n",
                "- ''\n",
                "- '1'\n",
                "- '017'\n",
                "- '0x1F'\n",
                "- '.5'\n",
                "- '.inf'\n",
                "- '='\n",
                "- '<<'\n",
                "- '-'\n",
                "- '- a'\n",
                "- 'a: b'\n",
                "- a:b\n",
                "- 'a #b'\n",
                "- a#b\n",
                "- '#'\n",
                "- '&a'\n",
                "- '*a'\n",
                "- '!a'\n",
                "- '%a'\n",
                "- '@a'\n",
                "- '`a'\n",
                "- '|'\n",
                "- '>'\n",
                "- '?'\n",
                "- '? a'\n",
                "- ?a\n",
                "- ':'\n",
                "- 'a:'\n",
                "- ','\n",
                "- '[a]'\n",
                "- '{a}'\n",
                "- a, b\n",
                "- '---'\n",
                "- '...'\n",
                "- '--- a'\n",
                "- -a\n",
                "- yes\n",
                "- on\n",
                "- 1:30\n",
                "- '2024-01-02'\n",
                "- '2024-01-02 03:04:05'\n",
                "- ${item.lr}\n",
                "- a\\b\n",
                "- \"tab\\there\"\n",
                "- nbsp\u{a0}x\n",
                "- \"bom\\uFEFFx\"\n",
                "- \"bell\\a\"\n",
                "- \"\\e[0m\"\n",
                "- é\n",
                "- 日本\n",
                "- 😀\n",
                "- ' lead'\n",
                "- 'trail '\n",
                "- two  spaces\n",
                "- \"''\"\n",
                "- '\"'\n"
            ),
        ),
        (
            map([(
                "k",
                map([
                    ("true", Int(1)),
                    ("1", Int(1)),
                    ("", Int(1)),
                    ("a: b", Int(1)),
                    ("a b", Int(1)),
                    ("it's", Int(1)),
                    ("x\ny", map([("z", Int(1))])),
                    ("é", Int(1)),
                    (
                        "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk",
                        Int(1),
                    ),
                    (
                        "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk",
                        Int(1),
                    ),
                    (
                        "KKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKK",
                        list([Int(1), map([("a", Int(1))])]),
                    ),
                ]),
            )]),
            concat!(
                "k:\n",
                "  'true': 1\n",
                "  '1': 1\n",
                "  '': 1\n",
                "  'a: b': 1\n",
                "  a b: 1\n",
                "  it's: 1\n",
                "  ? \"x\\ny\"\n",
                "  : z: 1\n",
                "  é: 1\n",
                "  kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk: \n",
                "    1\n",
                "  ? kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\n",
                "  : 1\n",
                "  ? KKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKK\n",
                "  : - 1\n",
                "    - a: 1\n"
            ),
        ),
        (map([("l", text("line\n"))]), "l: \"line\\n\"\n"),
        (map([("l", text("\n"))]), "l: \"\\n\"\n"),
        (map([("l", text(" \n"))]), "l: \" \\n\"\n"),
        (map([("l", text("a\n\n\nb"))]), "l: \"a\\n\\n\\nb\"\n"),
        (
            map([(
                "l",
                text(
                    "éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé bbbbbbbbbb",
                ),
            )]),
            concat!(
                "l: \n",
                "  éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé\n",
                "  bbbbbbbbbb\n"
            ),
        ),
    ]
}

#[test]
fn differs_from_ruamel_where_that_would_not_read_back() {
    // ruamel breaks the line behind the two spaces, of which a reader then sees one.
    let value = map([("a", text(&format!("{}  {}", "x".repeat(40), "y".repeat(60))))]);
    assert_eq!(write(&value), format!("a: {}  {}\n", "x".repeat(40), "y".repeat(60)));
    // ruamel breaks a key, which cannot be read.
    let key = format!("{} {}", "x".repeat(40), "y".repeat(60));
    assert_eq!(write(&map([(&key, Int(1))])), format!("{key}: \n  1\n"));
    // ruamel writes these as line breaks in single quotes.
    assert_eq!(write(&map([("a", text("nel\u{85}ls\u{2028}"))])), "a: \"nel\\Nls\\L\"\n");
}

proptest::proptest! {
    #[test]
    fn what_is_written_reads_back(value in value()) {
        let written = write(&value);
        let read = crate::yaml::read(written.as_bytes());
        let read = read.unwrap_or_else(|error| panic!("{error:?} in {written:?}")).to_value();
        proptest::prop_assert!(read.same(&value), "{written:?} reads as {read:?}");
    }
}

fn value() -> impl proptest::strategy::Strategy<Value = Value> {
    use proptest::prelude::*;
    let scalar = prop_oneof![
        Just(Null),
        any::<bool>().prop_map(Bool),
        any::<i64>().prop_map(Int),
        any::<f64>().prop_map(Float),
        ".{0,30}".prop_map(Value::Text),
        "[-:# \\[\\]{},'\"a1.\\\\\n\t]{0,30}".prop_map(Value::Text),
        "([a-z]{1,30} {1,2}){0,12}[a-z]".prop_map(Value::Text),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            proptest::collection::vec(("(.{0,6}|([a-z]{1,30} {1,2}){0,12})", inner), 0..4)
                .prop_map(|all| Value::Map(all.into_iter().collect())),
        ]
    })
}
