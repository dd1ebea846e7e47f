use proptest::prelude::*;

use super::*;

fn value_of(text: &str, section: &str, option: &str) -> Option<String> {
    read(text).unwrap().get(section)?.get(option).cloned()
}

#[test]
fn reads_what_configobj_reads() {
    let text = "\u{feff}[Core] # mine\n  Remote = Store\n; old\n[ 'remote \"A]b\"' ]\n\turl='/a, b' # c\n[remote\"c\"]\nurl = \"#x\"\nuser = \
        a'b#c\npassword = '''it's \"so\"'''\ntoken =\nsse = ''''a''''\nacl = \"a\"b\" # c\n";
    let read = read(text).unwrap();
    let value = |section: &str, option: &str| read[section][option].as_str();
    assert_eq!(value("core", "remote"), "Store");
    assert_eq!(value("remote \"a]b\"", "url"), "/a, b");
    assert_eq!((value("remote \"c\"", "url"), value("remote \"c\"", "user")), ("#x", "a'b"));
    assert_eq!((value("remote \"c\"", "sse"), value("remote \"c\"", "acl")), ("'a'", "a\"b"));
    assert_eq!((value("remote \"c\"", "password"), value("remote \"c\"", "token")), ("it's \"so\"", ""));
}

#[test]
fn what_cannot_be_read_has_its_place() {
    let error = read("[core]\n  remote\n").unwrap_err();
    assert_eq!(error.span.unwrap(), Span::new(7, 15));
    assert!(read("[core]\nremote = '''a\n").unwrap_err().message.contains("several lines"));
}

#[test]
fn an_edit_keeps_to_the_style_around_it() {
    let with = |text: &str, option: &str| with(text, "core", option, "x").unwrap();
    assert_eq!(with("", "a"), "[core]\n    a = x\n");
    assert_eq!(with("[b]\r\n\tc = 1\r\n", "a"), "[b]\r\n\tc = 1\r\n[core]\r\n\ta = x\r\n");
    assert_eq!(with("[core]\n  b=1\n\n# end\n[c]\nd=1\n", "a"), "[core]\n  b=1\n  a = x\n\n# end\n[c]\nd=1\n");
    assert_eq!(with("[core]\na='1, 2'  # why\n", "a"), "[core]\na= x  # why\n");
    assert_eq!(with("[core]\na =# why\n", "a"), "[core]\na = x # why\n");
    assert_eq!(with("[core]\nb = 1", "a"), "[core]\nb = 1\na = x");
    // Of two the last counts.
    assert_eq!(with("[core]\na = 1\n[b]\n[core]\na = 2\n", "a"), "[core]\na = 1\n[b]\n[core]\na = x\n");
    assert_eq!(super::with("", "remote \"r\"", "url", "x").unwrap(), "['remote \"r\"']\n    url = x\n");
    // Another section follows.
    let text = "['remote \"r\"']\n    url = y\n[core]\n    remote = r\n";
    let more = "['remote \"r\"']\n    url = y\n    jobs = x\n[core]\n    remote = r\n";
    assert_eq!(super::with(text, "remote \"r\"", "jobs", "x").unwrap(), more);
}

#[test]
fn what_is_taken_away_leaves_no_empty_section() {
    let without = |text: &str| without(text, "core", "a").unwrap();
    assert_eq!(without("[core]\nb = 1\n"), None);
    assert_eq!(without("# x\n[core]\na = 1\n\n[b]\nc = 1\n").unwrap(), "# x\n\n[b]\nc = 1\n");
    assert_eq!(without("[core]\n# why\na = 1\n").unwrap(), "[core]\n# why\n");
    assert_eq!(without("[core]\na = 1\nb = 1\n[core]\na = 2\n").unwrap(), "[core]\nb = 1\n[core]\n");
    let remote = "# x\n['remote \"r\"']\n# y\nurl = /x\n";
    assert_eq!(super::without(remote, "remote \"r\"", "url").unwrap().unwrap(), "# x\n# y\n");
}

#[test]
fn no_value_breaks_out_of_its_line() {
    assert_eq!(quoted("a\n[core]"), None);
    assert_eq!(quoted("a\rb"), None);
    // Neither kind of quotes could end it.
    assert_eq!(quoted("'''\"\"\","), None);
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z#,'\" =\\[\\];%]{0,8}", "[^\\p{C}]{0,6}"]
}

fn line() -> impl Strategy<Value = String> {
    let section = prop_oneof![Just("[core]"), Just("[Cache] # c"), Just("['remote \"r\"']"), Just("[ core ]")];
    prop_oneof![
        3 => section.prop_map(str::to_owned),
        6 => ("[ \t]{0,3}", "[ab]", " ?", " ?", value(), prop_oneof![Just(""), Just(" # c"), Just(" ")]).prop_map(
            |(indent, name, before, behind, value, comment)| {
                format!("{indent}{name}{before}={behind}{}{comment}", quoted(&value).unwrap_or_default())
            }
        ),
        1 => "[ ]{0,2}[#;][ a-z=]{0,6}",
        1 => "[ \t]{0,3}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    let line_end = prop_oneof![4 => Just("\n"), 1 => Just("\r\n")];
    (prop::collection::vec((line(), line_end), 0..12), any::<bool>()).prop_map(|(lines, ends)| {
        let text: String = lines.into_iter().map(|(line, end)| line + end).collect();
        if ends { text } else { text.trim_end_matches(['\n', '\r']).to_owned() }
    })
}

/// How many bytes of `old` are not in `new`, which has one piece more or another one.
fn lost(old: &str, new: &str) -> usize {
    let same = |(a, b): &(u8, u8)| a == b;
    let ahead = old.bytes().zip(new.bytes()).take_while(same).count();
    let behind = old.bytes().rev().zip(new.bytes().rev()).take_while(same).count();
    old.len().saturating_sub(ahead + behind)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_set_is_read_and_the_rest_stays(text in text(), value in value(), at in 0..3_usize) {
        let Ok(old) = read(&text) else { return Ok(()) };
        let Some(written) = quoted(&value) else { return Ok(()) };
        let section = ["core", "remote \"r\"", "exp"][at];
        let new = with(&text, section, "a", &written).unwrap();
        prop_assert_eq!(value_of(&new, section, "a"), Some(value.clone()), "{:?}", new);
        let mut expected = old.clone();
        let before = expected.entry(section.to_owned()).or_default().insert("a".to_owned(), value);
        prop_assert_eq!(read(&new).unwrap(), expected);
        // Two quotes of three characters at most.
        prop_assert!(lost(&text, &new) <= before.as_ref().map_or(0, |before| before.len() + 6), "{:?} {:?}", text, new);

        let back = without(&new, section, "a").unwrap().unwrap();
        prop_assert_eq!(value_of(&back, section, "a"), None);
        let had_header = lines(&text).unwrap().iter().any(|line| line.section == section);
        if before.is_none() && (old.contains_key(section) || !had_header) {
            prop_assert_eq!(back, text);
        }
    }

    #[test]
    fn no_text_is_too_much(text in "\\PC{0,40}|([\\[\\]'\"=# a\n]{0,30})") {
        if read(&text).is_ok() {
            let new = with(&text, "core", "x", "1").unwrap();
            prop_assert_eq!(value_of(&new, "core", "x"), Some("1".to_owned()));
        }
    }
}
