//! Tests of sweeps: the tables are what Hydra 1.3 gives.

use proptest::prelude::*;

use super::decimal::Decimal;
use super::*;
use crate::params::Operation;
use crate::params::overrides::fault::{Argument, ArgumentFault, Function};

/// What `-S k=text` gives, each as it is written.
fn values(text: &str) -> Vec<String> {
    let one = SweepOverride::parse(&format!("k={text}")).unwrap_or_else(|error| panic!("{error}"));
    let points: Vec<_> = Sweep::new(vec![one]).unwrap().points().collect();
    points.iter().map(|point| point[0].to_string().strip_prefix("k=").unwrap().to_owned()).collect()
}

fn fault(text: &str) -> Fault {
    match SweepOverride::parse(text) {
        Err(OverrideError { fault, .. }) => fault,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn ranges_are_those_of_hydra() {
    let table: [(&str, &[&str]); 28] = [
        ("range(3)", &["0", "1", "2"]),
        ("range(1,3)", &["1", "2"]),
        ("range(0,10,4)", &["0", "4", "8"]),
        ("range(5,1,-2)", &["5", "3"]),
        ("range(-2,1)", &["-2", "-1", "0"]),
        ("range(start=1,stop=4,step=2)", &["1", "3"]),
        ("range(stop=4, start=1)", &["1", "2", "3"]),
        ("range(1,stop=4)", &["1", "2", "3"]),
        ("range(start=4)", &["0", "1", "2", "3"]),
        ("range ( 1 , 3 ) ", &["1", "2"]),
        ("range(1_000,1_002)", &["1000", "1001"]),
        (
            "range(9223372036854775806,9223372036854775809)",
            &["9223372036854775806", "9223372036854775807", "9223372036854775808"],
        ),
        ("range(0.1,0.5,0.1)", &["0.1", "0.2", "0.30000000000000004", "0.4"]),
        ("range(0,1,0.3)", &["0.0", "0.3", "0.6", "0.8999999999999999"]),
        ("range(1,0,-0.25)", &["1.0", "0.75", "0.5", "0.25"]),
        ("range(1,3,1.0)", &["1.0", "2.0"]),
        ("range(0.3)", &["0.0"]),
        ("range(-1,1,0.5)", &["-1.0", "-0.5", "0.0", "0.5"]),
        ("range(1e-5,5e-5,1e-5)", &["1e-05", "2e-05", "3e-05", "4e-05"]),
        ("range(1e16,1.5e16,2e15)", &["1e+16", "1.2e+16", "1.4e+16"]),
        (
            "range(0.7,1.4,0.1)",
            &["0.7", "0.7999999999999999", "0.8999999999999999", "1.0", "1.0999999999999999", "1.2", "1.3"],
        ),
        (
            "range(0.7,0,-0.1)",
            &[
                "0.7",
                "0.6",
                "0.49999999999999994",
                "0.39999999999999997",
                "0.29999999999999993",
                "0.19999999999999993",
                "0.09999999999999992",
            ],
        ),
        ("range(1,2,1e-1)", &["1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "1.8", "1.9000000000000001"]),
        ("range(1e300,1.5e300,2e299)", &["1e+300", "1.2e+300", "1.4e+300"]),
        // Hydra gives it twice.
        ("range(10000000000000000000000001,10000000000000000000000002,0.5)", &["1e+25"]),
        ("range(5e-324,2e-323,5e-324)", &["5e-324", "1e-323", "1.5e-323"]),
        ("range(-1e308,1e308,1e308)", &["-1e+308", "0.0", "1e+308"]),
        (
            "range(170141183460469231731687303715884105726,170141183460469231731687303715884105727)",
            &["170141183460469231731687303715884105726"],
        ),
    ];
    for (text, wanted) in table {
        assert_eq!(values(text), wanted, "{text}");
    }
}

#[test]
fn lists_and_choices_are_those_of_hydra() {
    let table: [(&str, &[&str]); 15] = [
        ("1,2,3", &["1", "2", "3"]),
        ("a b , c", &["a b", "c"]),
        ("true,null,1e-5", &["true", "null", "1e-05"]),
        ("'a,b',c", &["'a,b'", "c"]),
        ("a\\,b,c", &["'a,b'", "c"]),
        ("[1,2],[3,4]", &["[1,2]", "[3,4]"]),
        ("{a:1},{a:2}", &["{a: 1}", "{a: 2}"]),
        ("[[1,'2'],{a:[]}],x", &["[[1,'2'],{a: []}]", "x"]),
        ("choice(1,2)", &["1", "2"]),
        ("choice(1)", &["1"]),
        ("choice ( a , b ) ", &["a", "b"]),
        ("choice([1,2],{a:b},'x,y')", &["[1,2]", "{a: b}", "'x,y'"]),
        // Hydra forgets these quotes.
        ("choice('1',1)", &["'1'", "1"]),
        // Values that are equal are one; an integer and a float are two texts in the file.
        ("1,2,1,1.0,'1',1", &["1", "2", "1.0", "'1'"]),
        ("nan,nan", &["nan"]),
    ];
    for (text, wanted) in table {
        assert_eq!(values(text), wanted, "{text}");
    }
}

#[test]
fn one_value_is_no_sweep() {
    for (text, sweep) in [
        ("a=1", false),
        ("a=", false),
        ("a=[1,2]", false),
        ("a='1,2'", false),
        ("~a", false),
        ("~a=1", false),
        ("a=1,1", true),
        ("a=choice(1)", true),
        ("f.yaml:++a=range(2)", true),
    ] {
        assert_eq!(SweepOverride::parse(text).unwrap().is_sweep(), sweep, "{text}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let range = |position: usize, name: &str, fault| Fault::Argument {
        function: Function::Range,
        argument: Argument { position: Some(position), name: Some(name.to_owned()) },
        fault,
    };
    let bare = |function, position, fault| Fault::Argument {
        function,
        argument: Argument { position: Some(position), name: None },
        fault,
    };
    let absent = Argument { position: None, name: Some("start".to_owned()) };
    for (text, wanted) in [
        ("a=range(1,2,0)", range(3, "step", ArgumentFault::Zero)),
        ("a=range(1,2,step=-0.0)", range(3, "step", ArgumentFault::Zero)),
        ("a=range(1,x)", range(2, "stop", ArgumentFault::NotANumber("a string"))),
        ("a=range('1',2)", range(1, "start", ArgumentFault::NotANumber("a string"))),
        ("a=range(true,2)", range(1, "start", ArgumentFault::NotANumber("a boolean"))),
        ("a=range(0,inf)", range(2, "stop", ArgumentFault::NotFinite)),
        ("a=range(nan,1)", range(1, "start", ArgumentFault::NotFinite)),
        ("a=range(0,1e999)", range(2, "stop", ArgumentFault::NotFinite)),
        ("a=range(0,9999999999999999999999999999999999999999)", range(2, "stop", ArgumentFault::TooLarge)),
        ("a=range(1,start=2)", range(2, "start", ArgumentFault::Twice)),
        ("a=range(1,2,end=3)", range(3, "end", ArgumentFault::UnknownName)),
        ("a=range(start=1,2)", bare(Function::Range, 2, ArgumentFault::NeedsName)),
        ("a=range(1,2,3,4)", bare(Function::Range, 4, ArgumentFault::TooMany)),
        (
            "a=range(stop=4)",
            Fault::Argument { function: Function::Range, argument: absent, fault: ArgumentFault::Absent },
        ),
        ("a=range()", Fault::NoArguments(Function::Range)),
        ("a=choice( )", Fault::NoArguments(Function::Choice)),
        (
            "a=choice(1,b=2)",
            Fault::Argument {
                function: Function::Choice,
                argument: Argument { position: Some(2), name: Some("b".to_owned()) },
                fault: ArgumentFault::UnknownName,
            },
        ),
        ("a=choice(choice(1,2))", Fault::NotAlone(Function::Choice)),
        ("a=choice(range(3))", Fault::NotAlone(Function::Range)),
        ("a=range(3),5", Fault::NotAlone(Function::Range)),
        ("a=5,range(3)", Fault::NotAlone(Function::Range)),
        ("a=[range(3)]", Fault::NotAlone(Function::Range)),
        ("a={b: choice(3)}", Fault::NotAlone(Function::Choice)),
        ("a=sort(3,1)", Fault::Unsupported("sort".into())),
        ("a=shuffle(3,1)", Fault::Unsupported("shuffle".into())),
        ("a=tag(x,choice(1,2))", Fault::Unsupported("tag".into())),
        ("a=glob(*)", Fault::Unsupported("glob".into())),
        ("a=interval(0,1)", Fault::Unsupported("interval".into())),
        ("a=int(1.5),2", Fault::Unsupported("int".into())),
        ("a=RANGE(3)", Fault::UnknownFunction("RANGE".into())),
        ("a=b c(3)", Fault::Unquoted('(')),
        ("a=range(1,3", Fault::Unclosed('(')),
        ("a=choice([1,2)", Fault::Unquoted(')')),
        ("a=choice(1,)", Fault::Missing),
        ("a=choice(,)", Fault::Missing),
        ("a=range(1,3)x", Fault::Behind('x')),
        ("a=range(1,3))", Fault::Behind(')')),
        ("a=1,", Fault::Missing),
        ("a=,1", Fault::Missing),
        ("a=1,,2", Fault::Missing),
        ("~a=1,2", Fault::SeveralDeleted),
        ("~a=range(3)", Fault::SeveralDeleted),
        ("a", Fault::NoValue),
        ("a[0]=1,2", Fault::KeyBracket),
    ] {
        assert_eq!(fault(text), wanted, "{text}");
    }
    let message = SweepOverride::parse("a=range(1,2,0)").unwrap_err().to_string();
    assert_eq!(
        message,
        "`a=range(1,2,0)` is not a valid override: argument 3 (`step`) of `range()` is zero: it would never end"
    );
}

#[test]
fn a_range_without_values_and_one_without_end_are_refused() {
    for empty in ["range(10,0)", "range(3,3)", "range(0)", "range(0,5,-1)", "range(2,1,0.5)", "range(-0.5)"] {
        assert!(matches!(fault(&format!("a={empty}")), Fault::EmptyRange { .. }), "{empty}");
    }
    for long in [
        "range(100001)",
        "range(9223372036854775807)",
        "range(-170141183460469231731687303715884105727,170141183460469231731687303715884105727)",
        "range(0,1,1e-9)",
        "range(1e300,2e300,1e-300)",
    ] {
        assert_eq!(fault(&format!("a={long}")), Fault::LongRange, "{long}");
    }
    assert_eq!(values("range(100000)").len(), MAX_POINTS);
    assert_eq!(
        fault("a=range(10,0)").to_string(),
        "`range()` gives no values: it starts at 10, goes on by 1 and stops before 0"
    );
}

fn points(texts: &[&str]) -> Vec<String> {
    let overrides = texts.iter().map(|text| SweepOverride::parse(text).unwrap()).collect();
    let texts = |point: Vec<Override>| point.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    Sweep::new(overrides).unwrap().points().map(texts).collect()
}

#[test]
fn the_first_is_the_outermost() {
    assert_eq!(
        points(&["a=1,2", "f.toml:+b=x", "~c", "f.toml:d=range(2)"]),
        [
            "a=1 f.toml:+b=x ~c f.toml:d=0",
            "a=1 f.toml:+b=x ~c f.toml:d=1",
            "a=2 f.toml:+b=x ~c f.toml:d=0",
            "a=2 f.toml:+b=x ~c f.toml:d=1",
        ]
    );
    assert_eq!(points(&[]), [""]);
}

#[test]
fn a_later_one_takes_the_place_of_an_earlier_one() {
    assert_eq!(points(&["a=1,2", "b=1,2", "params.yaml:a=3"]), ["params.yaml:a=3 b=1", "params.yaml:a=3 b=2"]);
    assert_eq!(points(&["a=1", "f.yaml:a=2", "+a=3", "a.b=4"]), ["a=1 f.yaml:a=2 +a=3 a.b=4"]);
}

#[test]
fn a_sweep_has_a_most() {
    let of = |texts: &[&str]| Sweep::new(texts.iter().map(|text| SweepOverride::parse(text).unwrap()).collect());
    assert_eq!(of(&["a=range(1000)", "b=range(100)"]).unwrap().points().len(), MAX_POINTS);
    let error = of(&["a=range(1000)", "b=range(101)"]).unwrap_err();
    assert_eq!(error.to_string(), "the sweep has 101000 points; 100000 are the most");
    let huge: Vec<String> = (0..20).map(|index| format!("k{index}=range(100000)")).collect();
    let huge = huge.iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(of(&huge).unwrap_err().points, u128::MAX);
}

#[test]
fn sums_are_rounded_to_28_digits_half_to_even() {
    let sum = |a: i128, b: i128| Decimal::from(a).plus(&Decimal::from(b));
    let same = |a: &Decimal, b: &Decimal| !a.is_below(b) && !b.is_below(a);
    let ten_to_28 = 10_i128.pow(28);
    for (add, wanted) in [(5, 0), (15, 20), (6, 10), (4, 0), (25, 20), (-5, -5), (-50, -50)] {
        let (sum, wanted) = (sum(ten_to_28, add), Decimal::from(ten_to_28 + wanted));
        assert!(same(&sum, &wanted), "{add}: {sum:?}");
    }
    assert!(same(&sum(-ten_to_28, -15), &Decimal::from(-ten_to_28 - 20)));
    assert!(same(&sum(ten_to_28 - 1, ten_to_28 * 9 + 6), &Decimal::from(ten_to_28 * 10)));
}

/// Any value that an override can give.
fn any_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![".{0,8}", "[a-z0-9 \\\\'\"()\\[\\]{}:=,]{0,8}", "[0-9._e+-]{0,6}"].prop_map(Value::Text);
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_map(Value::Float),
        any::<i128>()
            .prop_map(|value| { i64::try_from(value).map_or_else(|_| Value::Literal(value.to_string()), Value::Int) }),
        text,
    ];
    scalar.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            proptest::collection::vec((".{0,6}", inner), 0..4)
                .prop_map(|entries| Value::Map(entries.into_iter().collect())),
        ]
    })
}

fn same(a: &Override, b: &Override) -> bool {
    let (a_value, b_value) = match (&a.operation, &b.operation) {
        (Operation::Change(a), Operation::Change(b))
        | (Operation::Add(a), Operation::Add(b))
        | (Operation::AddOrChange(a), Operation::AddOrChange(b))
        | (Operation::Delete(Some(a)), Operation::Delete(Some(b))) => (a, b),
        (a, b) => return a == b,
    };
    (&a.file, &a.key) == (&b.file, &b.key) && a_value.same(b_value)
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in ".{0,40}") {
        drop(SweepOverride::parse(&text));
    }

    #[test]
    fn any_text_that_looks_like_one_is_parsed_or_refused(
        text in "[+~]{0,2}[a-z.:]{1,4}=(choice|range|sort|)[ ]?[(]?([0-9.e-]{1,5}[,=)]|[a-z\\[\\]{}:'\\\\(), ]){0,10}",
    ) {
        if let Ok(one) = SweepOverride::parse(&text) {
            let sweep = Sweep::new(vec![one]).unwrap();
            prop_assert!(sweep.points().len() > 0);
            for override_ in sweep.points().take(20).flatten() {
                let again = super::one(&override_.to_string()).unwrap();
                prop_assert!(same(&again, &override_), "{override_:?} {again:?}");
            }
        }
    }

    #[test]
    fn what_is_written_reads_as_the_same(
        value in any_value(),
        file in proptest::option::of("[a-z+~/. ]{0,3}[a-z]"),
        key in "[a-z0-9_@/-]{1,4}([.][a-z0-9]{1,3}){0,2}",
        sign in "|[+]|[+][+]|~",
    ) {
        let file = file.map(|file| file.trim().to_owned() + ":").unwrap_or_default();
        let (head, _) = Head::read(&format!("{file}{sign}{key}=")).unwrap();
        let one = head.with(value);
        let text = one.to_string();
        let again = super::one(&text).unwrap();
        prop_assert!(same(&again, &one), "{text} {again:?}");
        let sweep = Sweep::new(vec![SweepOverride::parse(&text).unwrap()]).unwrap();
        let alone: Vec<_> = sweep.points().collect();
        prop_assert!(alone.len() == 1 && same(&alone[0][0], &one), "{text} {alone:?}");
    }

    #[test]
    fn there_are_as_many_points_as_the_lists_say(lists in proptest::collection::vec(1_usize..6, 0..5)) {
        let texts: Vec<String> =
            lists.iter().enumerate().map(|(index, count)| format!("k{index}=range({count})")).collect();
        let sweep = Sweep::new(texts.iter().map(|text| SweepOverride::parse(text).unwrap()).collect()).unwrap();
        let points: Vec<String> = sweep.points().map(|point| format!("{point:?}")).collect();
        prop_assert_eq!(sweep.points().len(), lists.iter().product::<usize>());
        prop_assert_eq!(points.len(), sweep.points().len());
        prop_assert_eq!(points.iter().collect::<HashSet<_>>().len(), points.len());
    }

    #[test]
    fn a_range_of_integers_is_a_loop(start in -50_i64..50, stop in -50_i64..50, step in -7_i64..7) {
        let mut wanted = Vec::new();
        let mut at = start;
        while step != 0 && (if step > 0 { at < stop } else { at > stop }) {
            wanted.push(at.to_string());
            at += step;
        }
        let text = format!("range({start},{stop},{step})");
        match SweepOverride::parse(&format!("k={text}")) {
            Ok(_) => prop_assert_eq!(values(&text), wanted),
            Err(_) => prop_assert!(wanted.is_empty()),
        }
    }
}
