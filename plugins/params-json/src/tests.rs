use dewar_plugin::{ParamFormat as _, Value};
use dewar_plugin_testkit::random::{self, Choices, Vocabulary};
use dewar_plugin_testkit::{Format, check, run_cases};
use proptest::prelude::*;

use crate::Json;

const FORMAT: Format<'static> = Format { suffix: "json", read: &Json::read, edit: &Json::edit };
const VOCABULARY: Vocabulary = Vocabulary { null: true, non_finite: true, keys: "[a-e\"é\\\\ .]{0,3}" };

#[test]
fn cases() {
    run_cases(&FORMAT, concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases")).unwrap();
}

#[test]
fn hostile_nesting_is_refused() {
    for open in ["[", "{\"a\":", "[{\"a\":"] {
        let errors = Json::read(open.repeat(100_000).as_bytes()).unwrap_err();
        assert_eq!(errors[0].code, "too-deep");
    }
}

/// Lays a value out at random.
fn write(value: &Value, choices: &mut Choices, out: &mut String) {
    let gap =
        |choices: &mut Choices, out: &mut String| out.push_str(choices.one_of(&["", " ", "\n  ", "\r\n\t", "\n\n "]));
    let string = |text: &str, choices: &mut Choices, out: &mut String| {
        out.push('"');
        for c in text.chars() {
            if c.is_control() || "\"\\".contains(c) || choices.one_of(&[false, false, true]) {
                c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04X}")));
            } else {
                out.push(c);
            }
        }
        out.push('"');
    };
    match value {
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                gap(choices, out);
                write(item, choices, out);
                gap(choices, out);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (index, (key, item)) in map.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                gap(choices, out);
                string(key, choices, out);
                gap(choices, out);
                out.push(':');
                gap(choices, out);
                write(item, choices, out);
                gap(choices, out);
            }
            out.push('}');
        }
        Value::Text(text) => string(text, choices, out),
        Value::Float(value) if value.is_nan() => out.push_str("NaN"),
        Value::Float(value) if value.is_infinite() => out.push_str(if *value > 0.0 { "Infinity" } else { "-Infinity" }),
        Value::Float(value) => out.push_str(&format!("{value:e}").replace('e', choices.one_of(&["e", "E"]))),
        Value::Int(value) => out.push_str(&value.to_string()),
        Value::Bool(value) => out.push_str(&value.to_string()),
        Value::Null | Value::Literal(_) => out.push_str("null"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_edited_reads_back(
        document in random::document(VOCABULARY),
        mut choices in random::choices(),
        wishes in proptest::collection::vec(random::wish(VOCABULARY), 1..5),
    ) {
        let mut source = String::new();
        write(&document, &mut choices, &mut source);
        let mut source = source.into_bytes();
        prop_assert!(Json::read(&source).unwrap().to_value().same(&document));
        for wish in &wishes {
            let tree = Json::read(&source).unwrap();
            let Some(edit) = wish.edit(&tree.to_value()) else { continue };
            let out = Json::edit(&source, std::slice::from_ref(&edit)).unwrap();
            check::values(&FORMAT, &source, std::slice::from_ref(&edit), &out).unwrap();
            check::lines(&tree, &source, &edit, &out).unwrap();
            source = out;
        }
    }

    #[test]
    fn random_bytes_never_panic(source in "[\\[\\]{}\",:0-9eE.\\-\\\\untrfalse \n\u{1}é']{0,40}") {
        drop(Json::read(source.as_bytes()));
    }

    #[test]
    fn cut_documents_never_panic(document in random::document(VOCABULARY), mut choices in random::choices(), cut in any::<prop::sample::Index>()) {
        let mut source = String::new();
        write(&document, &mut choices, &mut source);
        let bytes = source.as_bytes();
        drop(Json::read(&bytes[..cut.index(bytes.len())]));
    }
}
