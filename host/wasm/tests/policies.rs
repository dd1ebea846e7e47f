//! Checkpoint policies as components: those that come with dewar decide, and a bad one costs no checkpoint.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what a test calls may fail loudly, as the test itself"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use dewar_bundled::BUNDLED;
use dewar_core::event::{Event, LogLevel};
use dewar_core::exp::checkpoint::{Policies, Stop, Verdict};
use dewar_core::extension::{Extensions, Moment, PastMoment, Trigger, Value};
use dewar_core::pipeline::PolicyUse;
use dewar_guests::{HOSTILE_POLICY, PolicyMisdeed, SIMPLE_POLICY};
use dewar_wasm::{Bundled, Limits, PluginRegistry, Setup};
use support::{Bench, Recorder, compiled, folder, registry};

fn moment(step: u64, metric: &str, value: f64) -> Moment {
    let metrics = vec![(metric.to_owned(), value)];
    Moment { trigger: Trigger::Signalled, step, elapsed_ms: step * 1000, metrics }
}

fn options(given: &[(&str, Value)]) -> Value {
    Value::Map(given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn choice(name: &str, options: Value) -> PolicyUse {
    PolicyUse { name: name.to_owned(), options }
}

fn policies(bench: &Bench, choices: Vec<PolicyUse>) -> Policies {
    Policies::new(choices, &bench.registry, bench.events.clone()).unwrap()
}

/// A registry over what comes with dewar.
fn bundled() -> Bench {
    let events = Arc::new(Recorder::default());
    let bundled = BUNDLED.iter().map(|plugin| Bundled { bytes: plugin.bytes, digest: plugin.blake3 });
    let registry = PluginRegistry::new(Setup {
        directories: Vec::new(),
        bundled: bundled.collect(),
        grants: Vec::new(),
        compiled: Some(compiled()),
        limits: Limits::default(),
        events: events.clone(),
    });
    Bench { registry, events }
}

/// Goes through these values of `loss`; answers the steps that are kept, and why it stopped.
fn run(policies: &mut Policies, losses: &[f64]) -> (Vec<u64>, Option<Stop>) {
    let mut history: Vec<PastMoment> = Vec::new();
    let mut stop = None;
    for (step, loss) in (1..).zip(losses) {
        let now = moment(step, "loss", *loss);
        let verdict = policies.decide(&history, &now);
        for past in &mut history {
            past.checkpoint.take_if(|name| verdict.discard.contains(name));
        }
        history.push(PastMoment { moment: now, checkpoint: verdict.record.then(|| format!("c{step}")) });
        if verdict.stop.is_some() {
            stop = verdict.stop;
            break;
        }
    }
    let kept = history.iter().filter(|past| past.checkpoint.is_some());
    (kept.map(|past| past.moment.step).collect(), stop)
}

#[test]
fn those_that_come_with_dewar_decide_together() {
    let bench = bundled();
    let (metric, mode) = (("metric", text("loss")), ("mode", text("min")));
    let every = choice("every", options(&[("n", Value::Int(2))]));
    let best = choice("best", options(&[metric.clone(), mode.clone(), ("keep", Value::Int(1))]));
    let stop_early = choice("stop-early", options(&[metric, mode, ("patience", Value::Int(3))]));
    let mut policies = policies(&bench, vec![every, best, stop_early]);
    policies.check().unwrap();
    let (kept, stop) = run(&mut policies, &[0.5, 0.4, 0.3, 0.2, 0.6, 0.7, 0.8, 0.1]);
    assert_eq!(kept, [4, 7]);
    let stop = stop.unwrap();
    assert_eq!(stop.policy, "stop-early");
    assert_eq!(stop.reason, "`loss` has not fallen in 3 steps; the best was 0.2 at step 4");
    assert_eq!(warnings(&bench), Vec::<String>::new());
}

#[test]
fn a_metric_that_is_lacking_is_told_once_with_those_there_are() {
    let bench = bundled();
    let mut policies =
        policies(&bench, vec![choice("best", options(&[("metric", text("los")), ("mode", text("min"))]))]);
    policies.check().unwrap();
    assert_eq!(run(&mut policies, &[0.5, 0.4, 0.3]).0, [1, 2, 3]);
    assert_eq!(warnings(&bench), ["policy-best: there is no metric `los` at step 1; there are `loss`"]);
}

#[test]
fn wrong_options_are_told_before_the_stage_begins() {
    let bench = bundled();
    let told = |name, options| policies(&bench, vec![choice(name, options)]).check().unwrap_err().to_string();
    let wrong = told("every", options(&[("m", Value::Int(1))]));
    assert_eq!(wrong, "the checkpoint policy `every` cannot be used: there is no option `m`");
    let wrong = told("best", options(&[("metric", text("loss"))]));
    assert!(wrong.ends_with("`mode` is needed: which values of the metric are better"), "{wrong}");
    let unknown = Policies::new([choice("bets", Value::Null)], &bench.registry, bench.events.clone());
    let message = unknown.err().unwrap().to_string();
    assert_eq!(message, "the checkpoint policy `bets` cannot be used: there is no checkpoint policy `bets`");
}

#[test]
fn a_third_party_is_asked_as_they_are() {
    let folder = folder(&[("simple.wasm", SIMPLE_POLICY)]);
    let bench = registry(&[folder.path()], Vec::new(), Limits::default());
    let mut simple = policies(&bench, vec![choice("simple", Value::Null)]);
    let (kept, stop) = run(&mut simple, &[0.1; 5]);
    assert_eq!((kept, stop.unwrap().reason.as_str()), (vec![3], "three steps are enough"));
    assert!(policies(&bench, vec![choice("simple", Value::Bool(true))]).check().is_err());
    assert!(bench.registry.executor("simple").is_err());
}

#[test]
fn every_misdeed_records_keeps_and_is_told() {
    let folder = folder(&[("hostile.wasm", HOSTILE_POLICY), ("simple.wasm", SIMPLE_POLICY)]);
    // Time enough for those that reach another limit first, also on a machine that is busy.
    let limits = Limits { time: Duration::from_secs(2), ..Limits::default() };
    let bench = registry(&[folder.path()], Vec::new(), limits);
    let history = [PastMoment { moment: moment(1, "loss", 0.5), checkpoint: Some("c1".to_owned()) }];
    let recorded = Verdict { record: true, discard: Vec::new(), stop: None };
    for misdeed in PolicyMisdeed::ALL {
        let hostile = choice("hostile", options(&[("do", text(misdeed.name()))]));
        // The other one would let go of the first checkpoint.
        let mut policies = policies(&bench, vec![hostile, choice("simple", Value::Null)]);
        policies.check().unwrap();
        let verdict = policies.decide(&history, &moment(2, "loss", 0.4));
        let told = warnings(&bench);
        let failed = |reason: &str| {
            assert_eq!(verdict, recorded, "{misdeed:?}");
            let begin = "the checkpoint policy `hostile` did not decide on step 2: ";
            assert!(told.iter().any(|told| told.starts_with(begin) && told.contains(reason)), "{misdeed:?}: {told:?}");
        };
        match misdeed {
            PolicyMisdeed::Panic => failed("crashed"),
            PolicyMisdeed::Loop => failed("2 s of computing"),
            PolicyMisdeed::Grow => failed("256 MiB of memory"),
            PolicyMisdeed::HugeAnswer => failed("64 MiB in one answer"),
            PolicyMisdeed::LateRefusal => failed("the options were right before"),
            PolicyMisdeed::NoReason => failed("it refuses without a reason"),
            PolicyMisdeed::DiscardUnknown => {
                assert_eq!(verdict, recorded);
                let name = "`\u{fffd}[2Jnobody 0` (and 99999 more)";
                assert_eq!(
                    told,
                    [format!(
                        "the checkpoint policy `hostile` lets go of {name}, which is no kept checkpoint: ignored"
                    )]
                );
            }
            PolicyMisdeed::ForgedReason => {
                let stop = verdict.stop.unwrap();
                assert_eq!(stop.reason, "\u{fffd}[2Jgone forged: line\u{fffd}");
                assert_eq!(told, Vec::<String>::new());
            }
        }
    }
}

#[test]
fn who_fails_three_times_is_not_asked_again() {
    let folder = folder(&[("hostile.wasm", HOSTILE_POLICY)]);
    let bench = registry(&[folder.path()], Vec::new(), Limits::default());
    let mut policies = policies(&bench, vec![choice("hostile", options(&[("do", text("panic"))]))]);
    assert_eq!(run(&mut policies, &[0.1; 6]).0, [1, 2, 3, 4, 5, 6]);
    let told = warnings(&bench);
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[2].ends_with("It is not asked again in this run, and lets go of nothing"), "{told:?}");
}

/// The warnings since the last time.
fn warnings(bench: &Bench) -> Vec<String> {
    let told = bench.events.take().into_iter().filter_map(|event| match event {
        Event::Warning { message } => Some(message),
        Event::PluginLog { plugin, level: LogLevel::Warn, message } => Some(format!("{plugin}: {message}")),
        _ => None,
    });
    told.collect()
}
