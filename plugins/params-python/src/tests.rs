use dewar_plugin::dewar_text::splice::FlowStyle as _;
use dewar_plugin::{Node, ParamFormat as _, Value};
use dewar_plugin_testkit::random::{self, Choices, Vocabulary};
use dewar_plugin_testkit::{Format, check, run_cases};
use proptest::prelude::*;

use crate::{Python, read, write::Style};

const FORMAT: Format<'static> = Format { suffix: "py", read: &Python::read, edit: &Python::edit };
const VOCABULARY: Vocabulary = Vocabulary { null: true, non_finite: false, keys: "[a-e][a-z_]{0,2}" };

#[test]
fn cases() {
    run_cases(&FORMAT, concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases")).unwrap();
}

/// Reads on a stack as small as a sandbox's, and says the code of the refusal. The parser grows a native stack, which it cannot
/// do in the sandbox, so it is the code that counts: nothing deeper than `nesting` allows may reach the parser.
fn read_on_small_stack(source: String) -> Option<String> {
    let thread = std::thread::Builder::new().stack_size(1 << 20);
    let reading = thread.spawn(move || read::read(source.as_bytes()).err().map(|error| error.code));
    reading.unwrap().join().unwrap()
}

#[test]
fn hostile_nesting_is_refused() {
    let deep = [
        "(",
        "-",
        "[",
        "{",
        "not ",
        "1**",
        "1 if 1 else ",
        "lambda: ",
        "lambda a, b: ",
        "x.",
        "1+",
        "f'{",
        "a[1][",
        "x()",
        "await ",
    ];
    for open in deep {
        let code = read_on_small_stack(format!("x = {}1", open.repeat(100_000)));
        assert!(code.is_some_and(|code| code == "too-deep" || code == "syntax"), "{open}");
    }
    let blocks: String = (0..5_000).map(|depth| format!("{}if x:\n", " ".repeat(depth))).collect();
    assert_eq!(read_on_small_stack(blocks).as_deref(), Some("too-deep"));
    assert!(read_on_small_stack("async ".repeat(100_000)).is_some());
}

#[test]
fn long_input_is_read() {
    let numbers = format!("x = [{}]", "-1.5, ".repeat(170_000));
    let Ok(tree) = Python::read(numbers.as_bytes()) else { panic!("not read") };
    assert!(matches!(tree.get("x").unwrap().to_value(), Value::List(items) if items.len() == 170_000));
    assert_eq!(read_on_small_stack(format!("x = [{}]", "{'a': (1, -2)}, ".repeat(60_000))), None);
    assert_eq!(read_on_small_stack("x = 1\n".repeat(100_000)), None);
    assert_eq!(read_on_small_stack(format!("x = ({})", "'text' ".repeat(100_000))), None);
}

fn write_scope(value: &Value, indent: &str, choices: &mut Choices, out: &mut String) {
    let style = Style::of("", &Node { kind: dewar_plugin::NodeKind::Map(Vec::new()), span: Default::default() });
    let Value::Map(map) = value else { return };
    for (name, item) in map {
        out.push_str(
            choices
                .one_of(&["", "", "\n", "# about it\n", "import os\n", "def f():\n    return 1\n"])
                .lines()
                .map(|line| format!("{indent}{line}\n"))
                .collect::<String>()
                .as_str(),
        );
        match item {
            Value::Map(inner) if !inner.is_empty() && choices.one_of(&[true, false]) => {
                out.push_str(&format!("{indent}class {name}:\n"));
                write_scope(item, &format!("{indent}    "), choices, out);
            }
            Value::List(items) => {
                let (open, close) = choices.one_of(&[("[", "]"), ("(", ",)"), ("[", "]")]);
                let gap = choices.one_of(&["", " ", "\n  ", "  # why\n "]);
                let items: Vec<String> = items.iter().map(|item| style.value(item, None, "")).collect();
                let (open, close) = if items.is_empty() { ("[", "]") } else { (open, close) };
                out.push_str(&format!("{indent}{name} = {open}{gap}{}{close}\n", items.join(&format!(",{gap}"))));
            }
            _ => {
                let equals = choices.one_of(&["=", " = ", ": int = ", " =  "]);
                let comment = choices.one_of(&["", "  # why", ""]);
                out.push_str(&format!("{indent}{name}{equals}{}{comment}\n", style.value(item, None, "")));
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
        write_scope(&document, "", &mut choices, &mut source);
        let mut source = if crlf { source.replace('\n', "\r\n") } else { source }.into_bytes();
        let read = Python::read(&source);
        // A name of the vocabulary may be a keyword.
        prop_assume!(read.is_ok());
        prop_assert!(read.unwrap().to_value().same(&document), "{}", String::from_utf8_lossy(&source));
        for wish in &wishes {
            let tree = Python::read(&source).unwrap();
            let Some(edit) = wish.edit(&tree.to_value()) else { continue };
            let out = match Python::edit(&source, std::slice::from_ref(&edit)) {
                Ok(out) => out,
                // What it says it does not do; never an edit that went wrong.
                Err(said) if said[0].code != "edit-went-wrong" => continue,
                Err(said) => panic!("{said:?}\n{edit:?}\n{}", String::from_utf8_lossy(&source)),
            };
            check::values(&FORMAT, &source, std::slice::from_ref(&edit), &out).unwrap();
            check::lines(&tree, &source, &edit, &out).unwrap();
            prop_assert_eq!(out.starts_with("\u{feff}".as_bytes()), bom);
            source = out;
        }
    }

    #[test]
    fn random_bytes_never_panic(source in "[\\[\\](){}\"'=,.#:0-9ejfrbxself\\- \n\r\t\\\\\u{1}é\u{feff};]{0,40}") {
        drop(Python::read(source.as_bytes()));
    }
}
