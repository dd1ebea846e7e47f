use dewar_plugin::dewar_text::yaml;
use dewar_plugin::{ParamFormat as _, Value};
use dewar_plugin_testkit::random::{self, Vocabulary};
use dewar_plugin_testkit::{Format, check, run_cases};
use proptest::prelude::*;

use crate::Yaml;

const FORMAT: Format<'static> = Format { suffix: "yaml", read: &Yaml::read, edit: &Yaml::edit };
const VOCABULARY: Vocabulary = Vocabulary { null: true, non_finite: true, keys: "[a-eé .#:]{1,3}" };

#[test]
fn cases() {
    run_cases(&FORMAT, concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases")).unwrap();
}

#[test]
fn hostile_nesting_is_refused() {
    for open in ["[", "{a: ", "- ", "? "] {
        assert!(Yaml::read(open.repeat(100_000).as_bytes()).is_err(), "{open}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_edited_reads_back(
        document in random::document(VOCABULARY),
        crlf in any::<bool>(),
        wishes in proptest::collection::vec(random::wish(VOCABULARY), 1..5),
    ) {
        let source = if document == Value::Map(Default::default()) { String::new() } else { yaml::write(&document) };
        let mut source = if crlf { source.replace('\n', "\r\n") } else { source }.into_bytes();
        prop_assert!(Yaml::read(&source).unwrap().to_value().same(&document), "{}", String::from_utf8_lossy(&source));
        for wish in &wishes {
            let tree = Yaml::read(&source).unwrap();
            let Some(edit) = wish.edit(&tree.to_value()) else { continue };
            let out = Yaml::edit(&source, std::slice::from_ref(&edit)).unwrap();
            check::values(&FORMAT, &source, std::slice::from_ref(&edit), &out).unwrap();
            check::lines(&tree, &source, &edit, &out).unwrap();
            source = out;
        }
    }

    #[test]
    fn random_bytes_never_panic(source in "[\\[\\]{}\"'=,.#:0-9e&*|>!%\\- \n\r\t\u{1}é\u{feff}]{0,40}") {
        drop(Yaml::read(source.as_bytes()));
    }
}
