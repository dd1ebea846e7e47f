use proptest::prelude::*;

use super::*;

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn options(given: &[(&str, Value)]) -> Value {
    let metric = ("metric".to_owned(), text("loss"));
    Value::Map(
        [metric].into_iter().chain(given.iter().map(|(name, value)| ((*name).to_owned(), value.clone()))).collect(),
    )
}

fn patience(mode: &str, patience: i64, min_delta: f64) -> Value {
    options(&[("mode", text(mode)), ("patience", Value::Int(patience)), ("min-delta", Value::Float(min_delta))])
}

fn moment(step: u64, value: Option<f64>) -> Moment {
    let metrics = value.into_iter().map(|value| ("loss".to_owned(), value)).collect();
    Moment { trigger: Trigger::Signalled, step, elapsed_ms: step, metrics }
}

/// Where it stops, and why.
fn stops(options: &Value, moments: &[Moment]) -> Option<(u64, String)> {
    let mut history = Vec::new();
    for now in moments {
        let decision = StopEarly::decide(options, &history, now).unwrap();
        assert_eq!(decision, StopEarly::decide(options, &history, now).unwrap());
        assert!(decision.record && decision.discard.is_none());
        if let Some(reason) = decision.stop {
            return Some((now.step, reason));
        }
        history.push(PastMoment { moment: now.clone(), checkpoint: None });
    }
    None
}

fn of(values: &[f64]) -> Vec<Moment> {
    (1..).zip(values).map(|(step, value)| moment(step, Some(*value))).collect()
}

#[test]
fn patience_ends_without_improvement() {
    let stopped = stops(&patience("min", 2, 0.0), &of(&[0.5, 0.4, 0.4, 0.45]));
    assert_eq!(stopped, Some((4, "`loss` has not fallen in 2 steps; the best was 0.4 at step 2".to_owned())));
    let stopped = stops(&patience("max", 1, 0.0), &of(&[0.5, 0.6, 0.6]));
    assert_eq!(stopped, Some((3, "`loss` has not risen in 1 step; the best was 0.6 at step 2".to_owned())));
    assert_eq!(stops(&patience("max", 3, 0.0), &of(&[0.5, 0.4, 0.4, 0.6, 0.1])), None);
}

#[test]
fn a_change_must_be_more_than_min_delta() {
    let stopped = stops(&patience("min", 2, 0.25), &of(&[1.0, 0.75, 0.75]));
    let reason = "`loss` has not fallen by more than 0.25 in 2 steps; the best was 1 at step 1";
    assert_eq!(stopped, Some((3, reason.to_owned())));
    // Each step is too small, and together they are not: the best stays until it is left behind.
    assert_eq!(stops(&patience("min", 3, 0.25), &of(&[1.0, 0.875, 0.75, 0.625, 0.5, 0.375])), None);
}

#[test]
fn bounds_stop_beyond_them() {
    let lower = options(&[("lower", Value::Float(0.1))]);
    assert_eq!(stops(&lower, &of(&[0.5, 0.1, 0.05])), Some((3, "`loss` is 0.05, below 0.1".to_owned())));
    let upper = options(&[("upper", Value::Int(10))]);
    assert_eq!(stops(&upper, &of(&[9.0, 10.0, 11.5])), Some((3, "`loss` is 11.5, above 10".to_owned())));
}

#[test]
fn what_is_no_finite_number_stops_unless_told_otherwise() {
    let upper = options(&[("upper", Value::Int(10))]);
    assert_eq!(stops(&upper, &of(&[1.0, f64::NAN])), Some((2, "`loss` is NaN".to_owned())));
    let alone = options(&[("finite", Value::Bool(true))]);
    assert_eq!(stops(&alone, &of(&[1.0, f64::NEG_INFINITY])), Some((2, "`loss` is -inf".to_owned())));
    let Value::Map(mut odd) = patience("min", 2, 0.0) else { panic!("options are a mapping") };
    odd.insert("finite".to_owned(), Value::Bool(false));
    let stopped = stops(&Value::Map(odd), &of(&[f64::NAN, f64::NAN]));
    assert_eq!(stopped, Some((2, "`loss` has not been a finite number in 2 steps".to_owned())));
}

#[test]
fn moments_without_the_metric_and_ends_of_the_stage_are_passed_over() {
    let one = patience("min", 2, 0.0);
    let mut moments = of(&[0.5, 0.6]);
    moments.extend([moment(3, None), Moment { trigger: Trigger::Finished, ..moment(4, Some(0.6)) }]);
    assert_eq!(stops(&one, &moments), None);
    moments.push(moment(5, Some(0.6)));
    assert_eq!(stops(&one, &moments).unwrap().0, 5);
}

#[test]
fn wrong_options_are_refused_whatever_the_moment() {
    let refused = |options: &Value| -> Vec<String> {
        let wrong = StopEarly::decide(options, &[], &moment(0, None)).unwrap_err();
        wrong.into_iter().map(|wrong| wrong.code).collect()
    };
    assert_eq!(refused(&Value::Null), ["no-metric", "never-stops"]);
    assert_eq!(refused(&options(&[])), ["never-stops"]);
    assert_eq!(refused(&options(&[("patience", Value::Int(1))])), ["no-mode"]);
    assert_eq!(refused(&options(&[("mode", text("min"))])), ["no-patience", "never-stops"]);
    assert_eq!(refused(&options(&[("min_delta", Value::Int(1)), ("upper", Value::Int(1))])), ["unknown-option"]);
    assert_eq!(refused(&options(&[("lower", Value::Int(2)), ("upper", Value::Int(1))])), ["bad-bounds"]);
    assert!(StopEarly::decide(&patience("min", 1, 0.0), &[], &moment(0, None)).is_ok());
}

proptest! {
    /// The definition, told backwards: it stops where the last `patience` values are no better than one before them.
    #[test]
    fn stops_where_patience_is_at_an_end(
        patience_of in 1_usize..5, values in prop::collection::vec(0_i32..8, 0..40),
    ) {
        let values: Vec<f64> = values.into_iter().map(f64::from).collect();
        let stopped = stops(&patience("min", i64::try_from(patience_of).unwrap(), 0.0), &of(&values));
        let is_end = |end: &usize| {
            let (before, last) = values[..*end].split_at(end - patience_of);
            let best = before.iter().copied().fold(f64::INFINITY, f64::min);
            last.iter().all(|value| *value >= best)
        };
        let wanted = (patience_of + 1..=values.len()).find(is_end);
        prop_assert_eq!(stopped.map(|(step, _)| step), wanted.map(|end| u64::try_from(end).unwrap()));
    }
}
