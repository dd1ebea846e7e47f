use dewar_plugin::Trigger;
use proptest::prelude::*;

use super::*;

fn options(mode: &str, keep: i64) -> Value {
    let options = [("metric", Value::Text("m".into())), ("mode", Value::Text(mode.into())), ("keep", Value::Int(keep))];
    Value::Map(options.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn moment(step: u64, value: Option<f64>) -> Moment {
    let metrics = value.into_iter().map(|value| ("m".to_owned(), value)).chain([("other".to_owned(), 9.0)]).collect();
    Moment { trigger: Trigger::Signalled, step, elapsed_ms: step, metrics }
}

/// The steps whose checkpoints are kept after each of these values.
fn kept_after_each(options: &Value, values: &[Option<f64>]) -> Vec<Vec<u64>> {
    let mut history: Vec<PastMoment> = Vec::new();
    let mut kept = Vec::new();
    for (step, value) in (1..).zip(values) {
        let now = moment(step, *value);
        let decision = Best::decide(options, &history, &now).unwrap();
        assert!(decision.record && decision.stop.is_none());
        assert_eq!(Best::decide(options, &history.clone(), &now.clone()).unwrap(), decision);
        for name in decision.discard.unwrap() {
            let place = history.iter().position(|past| past.checkpoint.as_ref() == Some(&name)).unwrap();
            history[place].checkpoint = None;
        }
        history.push(PastMoment { moment: now, checkpoint: Some(step.to_string()) });
        kept.push(history.iter().filter(|past| past.checkpoint.is_some()).map(|past| past.moment.step).collect());
    }
    kept
}

fn kept(mode: &str, keep: i64, values: &[f64]) -> Vec<u64> {
    let values: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
    kept_after_each(&options(mode, keep), &values).pop().unwrap()
}

#[test]
fn the_best_and_the_last_are_kept() {
    assert_eq!(kept("max", 1, &[0.1, 0.5, 0.3, 0.4]), [2, 4]);
    assert_eq!(kept("min", 1, &[0.1, 0.5, 0.3, 0.4]), [1, 4]);
    assert_eq!(kept("max", 2, &[0.1, 0.5, 0.3, 0.4, 0.0]), [2, 4, 5]);
    assert_eq!(kept("max", 1, &[0.1, 0.2]), [2]);
    assert_eq!(kept("max", 9, &[0.1, 0.2, 0.0]), [1, 2, 3]);
}

#[test]
fn of_equal_ones_the_earlier_is_better() {
    assert_eq!(kept("max", 1, &[0.5, 0.5, 0.5, 0.1]), [1, 4]);
    assert_eq!(kept("min", 1, &[0.0, -0.0, 0.1]), [1, 3]);
}

#[test]
fn what_is_no_finite_number_is_never_best() {
    for mode in ["min", "max"] {
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(kept(mode, 1, &[odd, 0.5, odd, odd]), [2, 4], "{odd}");
        }
    }
    assert_eq!(kept_after_each(&options("min", 1), &[Some(0.5), None, None])[2], [1, 3]);
}

#[test]
fn a_metric_that_is_not_there_costs_no_checkpoint() {
    assert_eq!(kept_after_each(&options("min", 1), &[None, Some(f64::NAN), None])[2], [1, 2, 3]);
    assert_eq!(kept_after_each(&options("min", 1), &[None, None, Some(1.0), None])[3], [3, 4]);
}

#[test]
fn wrong_options_are_refused_whatever_the_moment() {
    let refused = |options: &Value| -> Vec<String> {
        let wrong = Best::decide(options, &[], &moment(0, None)).unwrap_err();
        wrong.into_iter().map(|wrong| wrong.message).collect()
    };
    assert_eq!(refused(&Value::Null).len(), 2);
    assert_eq!(refused(&options("best", 1)), ["`mode` must be `min` or `max`, not `best`"]);
    assert_eq!(refused(&options("min", 0)), ["`keep` must be a whole number from 1 up, not 0"]);
    assert!(Best::decide(&options("min", 1), &[], &moment(0, None)).is_ok());
}

fn value() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        // Few values, so that ties are frequent.
        6 => (0..6).prop_map(|value| Some(f64::from(value))),
        1 => Just(None),
        1 => Just(Some(f64::NAN)),
        1 => Just(Some(f64::NEG_INFINITY)),
    ]
}

proptest! {
    #[test]
    fn the_best_of_all_moments_and_the_last_are_kept_and_no_more(
        is_min in any::<bool>(), keep in 1_usize..5, values in prop::collection::vec(value(), 1..40),
    ) {
        let mode = if is_min { "min" } else { "max" };
        let kept = kept_after_each(&options(mode, i64::try_from(keep).unwrap()), &values);
        for (last, kept) in (1_u64..).zip(kept) {
            let seen = (1..=last).zip(&values);
            let mut ranked: Vec<(u64, f64)> = seen
                .filter_map(|(step, value)| Some((step, value.filter(|value| value.is_finite())?)))
                .collect();
            ranked.sort_by(|a, b| a.1.partial_cmp(&b.1).unwrap());
            if !is_min {
                ranked.sort_by(|a, b| b.1.partial_cmp(&a.1).unwrap());
            }
            let mut wanted: Vec<u64> = if ranked.is_empty() {
                (1..=last).collect()
            } else {
                ranked.into_iter().take(keep).map(|(step, _)| step).chain([last]).collect()
            };
            wanted.sort_unstable();
            wanted.dedup();
            prop_assert_eq!(kept, wanted);
        }
    }
}
