use dewar_plugin::{ParamFormat as _, Value};
use dewar_plugin_testkit::random::{self, Choices, Vocabulary};
use dewar_plugin_testkit::{Format, check, run_cases};
use proptest::prelude::*;

use crate::{Toml, write};

const FORMAT: Format<'static> = Format { suffix: "toml", read: &Toml::read, edit: &Toml::edit };
const VOCABULARY: Vocabulary = Vocabulary { null: false, non_finite: true, keys: "[a-d\"é .]{0,3}" };

#[test]
fn cases() {
    run_cases(&FORMAT, concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases")).unwrap();
}

#[test]
fn hostile_nesting_is_refused() {
    for source in
        [format!("a = {}", "[".repeat(100_000)), format!("a = {}", "{a=".repeat(100_000)), "a.".repeat(100_000)]
    {
        assert!(Toml::read(source.as_bytes()).is_err());
    }
}

/// Lays a table out at random: sections, dotted keys, arrays of tables, inline tables.
fn write_table(value: &Value, path: &[String], choices: &mut Choices, out: &mut String) {
    let Value::Map(map) = value else { return };
    let eol = "\n";
    let mut later = Vec::new();
    for (name, item) in map {
        let key = write::key(name);
        match item {
            Value::Map(inner) => match choices.one_of(&["inline", "section", "dotted", "section"]) {
                "section" => later.push((key, item)),
                "dotted" if !inner.is_empty() => {
                    for (inner_name, inner_item) in inner {
                        let written = write::value(inner_item, None);
                        out.push_str(&format!("{key}.{} = {written}{eol}", write::key(inner_name)));
                    }
                }
                _ => out.push_str(&format!("{key} = {}{eol}", write::value(item, None))),
            },
            Value::List(items) if items.iter().all(|item| matches!(item, Value::Map(_))) && !items.is_empty() => {
                later.push((key, item));
            }
            Value::List(items) => {
                out.push_str(&format!("{key} = ["));
                for item in items {
                    let gap = choices.one_of(&["", " ", "\n  ", "\n  # about it\n  "]);
                    out.push_str(&format!("{gap}{},", write::value(item, None)));
                }
                out.push_str(&format!("]{eol}"));
            }
            _ => {
                let gap = choices.one_of(&["", " ", "\t"]);
                let comment = choices.one_of(&["", "  # why", ""]);
                out.push_str(&format!("{key}{gap}={gap}{}{comment}{eol}", write::value(item, None)));
            }
        }
    }
    for (key, item) in later {
        let path: Vec<String> = path.iter().cloned().chain([key]).collect();
        let name = path.join(".");
        let before = choices.one_of(&["", "\n", "\n# above\n", "# tight\n"]);
        match item {
            Value::List(items) => {
                for item in items {
                    out.push_str(&format!("{before}[[{name}]]{eol}"));
                    write_table(item, &path, choices, out);
                }
            }
            _ => {
                out.push_str(&format!("{before}[{name}]{eol}"));
                write_table(item, &path, choices, out);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_edited_reads_back(
        document in random::document(VOCABULARY),
        mut choices in random::choices(),
        bom in any::<bool>(),
        crlf in any::<bool>(),
        wishes in proptest::collection::vec(random::wish(VOCABULARY), 1..5),
    ) {
        let mut source = String::from(if bom { "\u{feff}" } else { "" });
        write_table(&document, &[], &mut choices, &mut source);
        let mut source = if crlf { source.replace('\n', "\r\n") } else { source }.into_bytes();
        prop_assert!(Toml::read(&source).unwrap().to_value().same(&document), "{}", String::from_utf8_lossy(&source));
        for wish in &wishes {
            let tree = Toml::read(&source).unwrap();
            let Some(edit) = wish.edit(&tree.to_value()) else { continue };
            let out = match Toml::edit(&source, std::slice::from_ref(&edit)) {
                Ok(out) => out,
                // The few layouts that it says it does not edit; never an edit that went wrong.
                Err(said) if said[0].code == "cannot-edit" => continue,
                Err(said) => panic!("{said:?}\n{edit:?}\n{}", String::from_utf8_lossy(&source)),
            };
            check::values(&FORMAT, &source, std::slice::from_ref(&edit), &out).unwrap();
            check::lines(&tree, &source, &edit, &out).unwrap();
            prop_assert_eq!(out.starts_with("\u{feff}".as_bytes()), bom);
            source = out;
        }
    }

    #[test]
    fn random_bytes_never_panic(source in "[\\[\\]{}\"'=,.#:0-9eEtrTZ\\- \n\r\u{1}é\u{feff}]{0,40}") {
        drop(Toml::read(source.as_bytes()));
    }
}
