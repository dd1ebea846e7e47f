use super::*;

fn value(text: &str) -> Value {
    match plain(text) {
        Plain::Value(value) => value,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn integers_are_ruamels() {
    for (text, wanted) in [
        ("0", 0),
        ("-0", 0),
        ("+12", 12),
        ("017", 17),
        ("08", 8),
        ("0o17", 15),
        ("-0o17", -15),
        ("0x1F", 31),
        ("0b101", 5),
        ("1_000", 1000),
        ("1__0", 10),
        ("0_", 0),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775808", i64::MIN),
    ] {
        assert_eq!(value(text), Value::Int(wanted), "{text}");
    }
}

#[test]
fn integers_beyond_64_bits_are_literals_in_decimal() {
    for (text, wanted) in [
        ("9223372036854775808", "9223372036854775808"),
        ("+0_123456789012345678901234567890", "123456789012345678901234567890"),
        ("-99999999999999999999", "-99999999999999999999"),
        ("0xFFFFFFFFFFFFFFFFFF", "4722366482869645213695"),
    ] {
        assert_eq!(value(text), Value::Literal(wanted.into()), "{text}");
    }
}

#[test]
fn floats_are_ruamels() {
    for (text, wanted) in [
        ("1e3", 1000.0),
        ("1e-3", 0.001),
        ("1.5e3", 1500.0),
        ("1.e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("1_0.5", 10.5),
        ("12e03", 12000.0),
        ("09.5", 9.5),
        ("-.5e+3", -500.0),
        ("1e400", f64::INFINITY),
        ("-.inf", f64::NEG_INFINITY),
        ("+.INF", f64::INFINITY),
        ("._5", 0.5),
    ] {
        assert_eq!(value(text), Value::Float(wanted), "{text}");
    }
    assert!(matches!(value(".NaN"), Value::Float(nan) if nan.is_nan()));
}

#[test]
fn what_resembles_a_number_is_a_string() {
    for text in [
        "0o8",
        "0b102",
        "0x",
        "1:30",
        "190:20:30",
        ".5e3",
        "1e5_0",
        "1e",
        "e3",
        "-",
        "+",
        ".",
        "..",
        "_1",
        "-_",
        "._",
        "0x_",
        "--1",
        "+-1",
        "inf",
        "nan",
        ".nAn",
        "-.nan",
        "1.2.3",
        "tRuE",
        "yes",
        "on",
        "off",
        "nULL",
        "Null ",
        "2024-1-2",
        "2024-01-02T",
        "2024-01-02 3:4:05",
        "2024-01-02x",
        "20240-01-02",
    ] {
        assert_eq!(value(text), Value::Text(text.into()), "{text}");
    }
}

#[test]
fn dates_are_literals() {
    for text in [
        "2024-01-02",
        "2024-01-02T03:04:05Z",
        "2024-01-02 03:04:05.5 +02:00",
        "2024-1-2t3:04:05",
        "2024-01-02\t03:04:05. -3",
    ] {
        assert_eq!(value(text), Value::Literal(text.into()), "{text}");
    }
}

#[test]
fn words() {
    for text in ["", "~", "null", "Null", "NULL"] {
        assert_eq!(value(text), Value::Null, "{text}");
    }
    for (text, wanted) in [("true", true), ("True", true), ("TRUE", true), ("false", false), ("FALSE", false)] {
        assert_eq!(value(text), Value::Bool(wanted), "{text}");
    }
    assert_eq!(plain("<<"), Plain::Merge);
    assert_eq!(plain("="), Plain::Default);
}

#[test]
fn quotes_are_wanted_where_ruamel_would_choke() {
    for text in ["-_", "0x_", "._", "1", "~", "", "=", "<<", "2024-01-02"] {
        assert!(needs_quotes(text), "{text}");
    }
    for text in ["a", "1:30", "yes", "0o8", ".5e3"] {
        assert!(!needs_quotes(text), "{text}");
    }
}
