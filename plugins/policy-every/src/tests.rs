use proptest::prelude::*;

use super::*;

fn options(given: &[(&str, Value)]) -> Value {
    Value::Map(given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

fn moment(trigger: Trigger, step: u64, elapsed_ms: u64) -> Moment {
    Moment { trigger, step, elapsed_ms, metrics: Vec::new() }
}

/// What becomes of these moments, one after the other.
fn replay(options: &Value, moments: &[Moment]) -> Vec<PastMoment> {
    let mut history = Vec::new();
    for now in moments {
        let decision = Every::decide(options, &history, now).unwrap();
        assert_eq!((decision.discard, decision.stop), (None, None));
        let checkpoint = decision.record.then(|| now.step.to_string());
        history.push(PastMoment { moment: now.clone(), checkpoint });
    }
    history
}

fn recorded(options: &Value, moments: &[Moment]) -> Vec<u64> {
    let recorded = replay(options, moments).into_iter().filter(|past| past.checkpoint.is_some());
    recorded.map(|past| past.moment.step).collect()
}

/// Moments at these seconds.
fn at_seconds(seconds: &[u64]) -> Vec<Moment> {
    (1..).zip(seconds).map(|(step, seconds)| moment(Trigger::Signalled, step, seconds * 1000)).collect()
}

#[test]
fn each_without_options() {
    assert_eq!(recorded(&Value::Null, &at_seconds(&[1, 1, 1])), [1, 2, 3]);
}

#[test]
fn every_nth_signal_over_ends_of_the_stage() {
    let options = options(&[("n", Value::Int(3))]);
    assert_eq!(recorded(&options, &at_seconds(&[1; 7])), [3, 6]);
    let mut moments = at_seconds(&[1; 4]);
    moments.push(moment(Trigger::Finished, 5, 1));
    // The end is recorded and not counted: the fifth and sixth signals are steps 6 and 7.
    moments.extend((6..=8).map(|step| moment(Trigger::Signalled, step, 1)));
    assert_eq!(recorded(&options, &moments), [3, 5, 7]);
}

#[test]
fn seconds_count_from_the_last_checkpoint_or_the_beginning() {
    let seconds = |seconds| options(&[("seconds", seconds)]);
    assert_eq!(recorded(&seconds(Value::Int(10)), &at_seconds(&[4, 9, 11, 19, 21, 60, 61])), [3, 5, 6]);
    assert_eq!(recorded(&seconds(Value::Float(1.5)), &at_seconds(&[1, 2, 3, 4])), [2, 4]);
    let both = options(&[("n", Value::Int(2)), ("seconds", Value::Int(10))]);
    assert_eq!(recorded(&both, &at_seconds(&[5, 9, 15, 16, 30, 31])), [4, 6]);
}

#[test]
fn wrong_options_are_refused_whatever_the_moment() {
    let refused = |name: &str, value| {
        let wrong = Every::decide(&options(&[(name, value)]), &[], &moment(Trigger::Finished, 0, 0)).unwrap_err();
        wrong[0].message.clone()
    };
    assert_eq!(refused("n", Value::Int(0)), "`n` must be a whole number from 1 up, not 0");
    assert_eq!(refused("seconds", Value::Int(-1)), "`seconds` must be a number from 0 up, not -1");
    assert_eq!(refused("m", Value::Int(1)), "there is no option `m`");
}

prop_compose! {
    fn moments()(gaps in prop::collection::vec((0_u64..5_000, any::<bool>()), 0..60)) -> Vec<Moment> {
        let mut elapsed = 0;
        (1..).zip(gaps).map(|(step, (gap, ends))| {
            elapsed += gap;
            moment(if ends { Trigger::Finished } else { Trigger::Signalled }, step, elapsed)
        }).collect()
    }
}

proptest! {
    #[test]
    fn signals_are_never_recorded_closer_than_asked(seconds in 0_u32..6, moments in moments()) {
        let past = replay(&options(&[("seconds", Value::Int(seconds.into()))]), &moments);
        let recorded: Vec<&Moment> =
            past.iter().filter(|past| past.checkpoint.is_some()).map(|past| &past.moment).collect();
        for pair in recorded.windows(2).filter(|pair| pair[1].trigger == Trigger::Signalled) {
            prop_assert!(pair[1].elapsed_ms - pair[0].elapsed_ms >= u64::from(seconds) * 1000);
        }
    }

    #[test]
    fn one_of_every_n_signals_and_every_end_is_recorded(n in 1_usize..6, moments in moments()) {
        let past = replay(&options(&[("n", Value::Int(i64::try_from(n).unwrap()))]), &moments);
        let (signals, ends): (Vec<_>, Vec<_>) =
            past.iter().partition(|past| past.moment.trigger == Trigger::Signalled);
        prop_assert!(ends.iter().all(|past| past.checkpoint.is_some()));
        for (index, past) in signals.iter().enumerate() {
            prop_assert_eq!(past.checkpoint.is_some(), (index + 1) % n == 0);
        }
    }
}
