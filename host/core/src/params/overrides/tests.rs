//! Tests of the grammar of one value.

use super::*;
use crate::params::sweep::{SweepOverride, one};
use Value::{Bool, Float, Int, List, Literal, Null};

fn value(text: &str) -> Value {
    match one(&format!("k={text}")).unwrap().operation {
        Operation::Change(value) => value,
        other => panic!("{other:?}"),
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn values_have_the_types_of_hydra() {
    let table = [
        ("0.2", Float(0.2)),
        ("1", Int(1)),
        ("-3", Int(-3)),
        ("+1", Int(1)),
        (".5", Float(0.5)),
        ("1.", Float(1.0)),
        ("1e-4", Float(1e-4)),
        ("1E5", Float(1e5)),
        ("-1.5e-3", Float(-1.5e-3)),
        ("00012", text("00012")),
        ("0x10", text("0x10")),
        ("1_000", Int(1000)),
        ("9223372036854775808", Literal("9223372036854775808".into())),
        ("inf", Float(f64::INFINITY)),
        ("-inf", Float(f64::NEG_INFINITY)),
        ("null", Null),
        ("None", text("None")),
        ("true", Bool(true)),
        ("False", Bool(false)),
        ("yes", text("yes")),
        ("'1'", text("1")),
        ("\"0.5\"", text("0.5")),
        ("'null'", text("null")),
        ("a b", text("a b")),
        ("'a,b'", text("a,b")),
        ("a\\,b", text("a,b")),
        ("'a=b'", text("a=b")),
        ("'#c: {x}'", text("#c: {x}")),
        ("\"it's\"", text("it's")),
        (r"'C:\\x\y'", text(r"C:\\x\y")),
        (r"'a\\\'b'", text(r"a\'b")),
        (r"'a\\'", text(r"a\")),
        (r#""a\'b""#, text(r"a\'b")),
        (r"a\ ", text("a ")),
        ("'it\\'s'", text("it's")),
        (r"'C:\\x\y'", text(r"C:\\x\y")),
        (r"'a\\\'b'", text(r"a\'b")),
        (r"'a\\'", text(r"a\")),
        (r#""a\'b""#, text(r"a\'b")),
        (r"a\ ", text("a ")),
        ("/tmp/x-1.2_y", text("/tmp/x-1.2_y")),
        ("a:b", text("a:b")),
        ("50%", text("50%")),
        ("2020-01-01", text("2020-01-01")),
        ("", text("")),
        (" 5", Int(5)),
        ("[]", List(vec![])),
        ("[1,x,2.5,null]", List(vec![Int(1), text("x"), Float(2.5), Null])),
    ];
    for (source, wanted) in table {
        assert_eq!(value(source), wanted, "{source}");
    }
    let nested = value("{a: 1, b: [x], 'c d': {}}");
    assert_eq!(nested.as_map().unwrap().keys().collect::<Vec<_>>(), ["a", "b", "c d"]);
}

#[test]
fn the_operation_and_the_file_come_first() {
    let parsed = one("sub/p.toml:++a.b=1").unwrap();
    assert_eq!(parsed.file.as_deref(), Some("sub/p.toml"));
    assert_eq!((parsed.key_text(), parsed.operation), ("a.b".into(), Operation::AddOrChange(Int(1))));
    assert_eq!(one("+a=1").unwrap().operation, Operation::Add(Int(1)));
    assert_eq!(one("~a").unwrap().operation, Operation::Delete(None));
    assert_eq!(one("~a=0.1").unwrap().operation, Operation::Delete(Some(Float(0.1))));
    assert_eq!(one("name=a:b").unwrap().file, None);
}

#[test]
fn spaces_around_the_equals_sign_are_understood() {
    let parsed = one("my.toml:learning_rate = 0.0001").unwrap();
    assert_eq!(parsed.file.as_deref(), Some("my.toml"));
    assert_eq!((parsed.key_text(), parsed.operation), ("learning_rate".into(), Operation::Change(Float(1e-4))));
}

#[test]
fn what_is_not_in_the_grammar_is_refused() {
    for bad in ["lr", "=1", "lr==1", "lr=a=b", "lr=[1,", "lr={a", "lr=a#b", "lr=1 # c", "+", "~", "lst[0]=1", "a..b=1"]
    {
        assert!(one(bad).is_err(), "{bad}");
    }
    assert!(one("lr=glob(*)").is_err());
    assert!(one(&format!("lr={}", "[".repeat(100_000))).is_err());
}

proptest::proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in ".{0,40}") {
        drop(SweepOverride::parse(&text));
    }

    #[test]
    fn any_quoted_text_is_itself(inner in "[^'\\\\]{0,20}") {
        proptest::prop_assert_eq!(value(&format!("'{inner}'")), Value::Text(inner));
    }
}
