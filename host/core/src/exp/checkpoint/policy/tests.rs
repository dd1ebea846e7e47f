use std::sync::Mutex;

use dewar_text::Value;
use proptest::prelude::*;

use super::fakes::Fakes;
use super::*;
use crate::event::Silent;
use crate::extension::PluginId;

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl EventSink for Heard {
    fn event(&self, event: Event) {
        let Event::Warning { message } = event else { panic!("{event:?}") };
        self.0.lock().unwrap().push(message);
    }
}

/// Policies, and what they tell.
fn policies(names: &[&str]) -> (Policies, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    let choices = names.iter().map(|&name| PolicyUse { name: name.to_owned(), options: Value::Null });
    (Policies::new(choices, &Fakes, heard.clone()).unwrap(), heard)
}

fn signalled(step: u64) -> Moment {
    Moment { trigger: Trigger::Signalled, step, elapsed_ms: step, metrics: Vec::new() }
}

/// What a run of so many steps leaves: the kept checkpoints, and who stopped it where.
fn run(policies: &mut Policies, steps: u64) -> (Vec<String>, Option<(u64, String)>) {
    let mut history: Vec<PastMoment> = Vec::new();
    let mut stopped = None;
    for step in 1..=steps {
        let verdict = policies.decide(&history, &signalled(step));
        for past in &mut history {
            past.checkpoint.take_if(|name| verdict.discard.contains(name));
        }
        history.push(PastMoment { moment: signalled(step), checkpoint: verdict.record.then(|| format!("c{step}")) });
        if let Some(stop) = verdict.stop {
            stopped = Some((step, stop.policy));
            break;
        }
    }
    (history.into_iter().filter_map(|past| past.checkpoint).collect(), stopped)
}

fn kept(names: &[&str], steps: u64) -> Vec<String> {
    run(&mut policies(names).0, steps).0
}

#[test]
fn without_policies_all_is_recorded_and_nothing_is_looked_for() {
    assert_eq!(kept(&[], 3), ["c1", "c2", "c3"]);
}

#[test]
fn a_moment_is_recorded_when_all_say_so() {
    assert_eq!(kept(&["all", "even"], 5), ["c2", "c4"]);
    assert_eq!(kept(&["even", "all"], 5), ["c2", "c4"]);
}

#[test]
fn the_end_and_a_stop_are_always_recorded() {
    let (mut policies, _) = policies(&["even", "stop-at-3"]);
    let end = Moment { trigger: Trigger::Finished, ..signalled(5) };
    let verdict = policies.decide(&[], &end);
    // There is nothing left to stop.
    assert_eq!((verdict.record, verdict.stop), (true, None));
    let verdict = policies.decide(&[], &signalled(3));
    assert_eq!(verdict.stop, Some(Stop { policy: "stop-at-3".to_owned(), reason: "three".to_owned() }));
    assert!(verdict.record);
    assert!(!policies.decide(&[], &signalled(1)).record);
}

#[test]
fn the_first_reason_to_stop_counts() {
    assert_eq!(run(&mut policies(&["stop-at-3", "stop-at-2"]).0, 9).1, Some((2, "stop-at-2".to_owned())));
    let (mut policies, _) = policies(&["stop-at-3", "stop-at-2"]);
    assert_eq!(policies.decide(&[], &signalled(7)).stop.unwrap().policy, "stop-at-3");
}

#[test]
fn a_checkpoint_goes_when_all_who_have_a_say_let_go_of_it() {
    assert_eq!(kept(&["only-last"], 4), ["c4"]);
    assert_eq!(kept(&["only-last", "all", "stop-at-3"], 2), ["c2"]);
    assert_eq!(kept(&["only-last", "first"], 4), ["c1", "c4"]);
    assert_eq!(kept(&["first", "only-last"], 4), ["c1", "c4"]);
}

#[test]
fn nothing_goes_at_a_moment_that_is_not_recorded() {
    // At step 3, c2 would go and nothing come in its place.
    assert_eq!(kept(&["only-last", "even"], 3), ["c2"]);
    assert_eq!(kept(&["only-last", "even"], 4), ["c4"]);
}

#[test]
fn a_broken_policy_records_and_keeps_and_is_given_up_after_the_third_time() {
    let (mut policies, heard) = policies(&["only-last", "trap", "even"]);
    assert_eq!(run(&mut policies, 8).0, ["c2", "c4", "c6", "c8"]);
    let heard = heard.0.lock().unwrap();
    assert_eq!(heard.len(), 3);
    assert_eq!(
        heard[0],
        "the checkpoint policy `trap` did not decide on step 1: the plugin `trap` crashed: unreachable; it counts as a \
         yes, and no checkpoint goes"
    );
    assert!(!heard[1].contains("not asked again"));
    assert!(heard[2].ends_with("It is not asked again in this run, and lets go of nothing"), "{}", heard[2]);
}

#[test]
fn letting_go_of_what_is_not_there_is_ignored_and_told() {
    let (mut policies, heard) = policies(&["liar", "stop-at-3"]);
    assert_eq!(
        run(&mut policies, 4),
        (["c1", "c2", "c3"].map(str::to_owned).into(), Some((3, "stop-at-3".to_owned())))
    );
    assert_eq!(
        heard.0.lock().unwrap()[0],
        "the checkpoint policy `liar` lets go of `x` (and 1 more), which is no kept checkpoint: ignored"
    );
}

#[test]
fn wrong_options_and_unknown_names_are_told_before_the_stage_begins() {
    let choose = |name: &str, options: Value| {
        let all = PolicyUse { name: "all".to_owned(), options: Value::Null };
        let choices = [all, PolicyUse { name: name.to_owned(), options }];
        Policies::new(choices, &Fakes, Arc::new(Heard::default())).and_then(|policies| policies.check())
    };
    assert!(choose("options", Value::Null).is_ok());
    let told = |name, options| choose(name, options).unwrap_err().to_string();
    assert_eq!(
        told("options", Value::Int(1)),
        "the checkpoint policy `options` cannot be used: there is no option `a`"
    );
    assert_eq!(
        told("nobody", Value::Null),
        "the checkpoint policy `nobody` cannot be used: there is no checkpoint policy `nobody`"
    );
    assert!(told("trap", Value::Null).contains("crashed"));
}

/// A policy that decides as it is told, moment by moment; `lets_go` has a bit for each moment before.
struct Told(PluginId, Vec<Answer>);

#[derive(Debug, Clone)]
struct Answer {
    record: bool,
    lets_go: Option<u32>,
    stops: bool,
    fails: bool,
}

impl Answer {
    fn lets_go_of(&self, step: u64) -> bool {
        self.lets_go.is_none_or(|bits| bits >> step & 1 == 1)
    }
}

impl CheckpointPolicy for Told {
    fn id(&self) -> &PluginId {
        &self.0
    }

    fn decide(&self, _: &Value, history: &[PastMoment], _: &Moment) -> Result<Decision, ExtensionError> {
        let answer = &self.1[history.len()];
        if answer.fails {
            return Err(ExtensionError::Trapped { plugin: self.0.clone(), reason: String::new() });
        }
        let kept = history.iter().filter(|past| answer.lets_go_of(past.moment.step));
        let names = || kept.filter_map(|past| past.checkpoint.clone()).collect();
        let stop = answer.stops.then(|| "told to".to_owned());
        Ok(Decision { record: answer.record, discard: answer.lets_go.map(|_| names()), stop })
    }
}

prop_compose! {
    fn answer()(
        record in any::<bool>(), lets_go in prop::option::of(any::<u32>()), stops in prop::bool::weighted(0.05),
        fails in prop::bool::weighted(0.1),
    ) -> Answer {
        Answer { record, lets_go, stops, fails }
    }
}

proptest! {
    #[test]
    fn nothing_goes_that_a_policy_keeps_and_the_last_stays(
        answers in prop::collection::vec(prop::collection::vec(answer(), 12), 0..4),
    ) {
        let asked = answers.iter().map(|answers| Asked {
            choice: PolicyUse { name: "told".to_owned(), options: Value::Null },
            policy: Arc::new(Told(PluginId { name: "told".to_owned(), digest: String::new() }, answers.clone())),
            failures: 0,
        });
        let mut policies = Policies { asked: asked.collect(), events: Arc::new(Silent) };
        let mut failures = vec![0; answers.len()];
        let mut history: Vec<PastMoment> = Vec::new();
        for step in 1..=12 {
            let index = history.len();
            let verdict = policies.decide(&history, &signalled(step));
            // What fails, or failed three times, says yes and keeps all.
            let mut heard: Vec<&Answer> = Vec::new();
            for (answers, failures) in answers.iter().zip(&mut failures) {
                if *failures >= FAILURES || answers[index].fails {
                    *failures += 1;
                } else {
                    heard.push(&answers[index]);
                }
            }
            let is_stopped = heard.iter().any(|answer| answer.stops);
            prop_assert_eq!(verdict.stop.is_some(), is_stopped);
            prop_assert_eq!(verdict.record, is_stopped || heard.iter().all(|answer| answer.record));
            let all_heard = heard.len() == answers.len();
            let has_say = heard.iter().any(|answer| answer.lets_go.is_some());
            let goes = |past: &&PastMoment| {
                let step = past.moment.step;
                verdict.record && all_heard && has_say && heard.iter().all(|answer| answer.lets_go_of(step))
            };
            let wanted: Vec<String> = history.iter().filter(goes).filter_map(|past| past.checkpoint.clone()).collect();
            prop_assert_eq!(&verdict.discard, &wanted);
            for past in &mut history {
                past.checkpoint.take_if(|name| verdict.discard.contains(name));
            }
            let checkpoint = verdict.record.then(|| format!("c{step}"));
            prop_assert!(checkpoint.is_some() || verdict.discard.is_empty(), "the last one stays");
            history.push(PastMoment { moment: signalled(step), checkpoint });
        }
    }
}
