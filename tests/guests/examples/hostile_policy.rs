//! A policy that does what its option `do` says, all of it bad, from the first step on; asked before the stage begins it behaves.

use dewar_guests::PolicyMisdeed;
use dewar_plugin::{CheckpointPolicy, Decision, Diagnostic, Moment, PastMoment, Value};

struct Hostile;

impl CheckpointPolicy for Hostile {
    fn decide(options: &Value, _: &[PastMoment], now: &Moment) -> Result<Decision, Vec<Diagnostic>> {
        let asked = options.as_map().and_then(|options| options.get("do")).and_then(Value::as_text);
        match asked.and_then(PolicyMisdeed::from_name).filter(|_| now.step > 0) {
            None => Ok(Decision::RECORD),
            Some(misdeed) => commit(misdeed),
        }
    }
}

#[expect(clippy::panic, reason = "it is hostile")]
fn commit(misdeed: PolicyMisdeed) -> Result<Decision, Vec<Diagnostic>> {
    match misdeed {
        PolicyMisdeed::Panic => panic!("on purpose"),
        PolicyMisdeed::Loop => loop {
            std::hint::black_box(());
        },
        PolicyMisdeed::Grow => {
            let mut held = Vec::new();
            loop {
                held.push(std::hint::black_box(vec![1_u8; 1 << 20]));
            }
        }
        PolicyMisdeed::HugeAnswer => Ok(Decision { stop: Some("x".repeat(100 << 20)), ..Decision::RECORD }),
        PolicyMisdeed::LateRefusal => Err(vec![Diagnostic::error("late", "the options were right before")]),
        PolicyMisdeed::NoReason => Err(Vec::new()),
        PolicyMisdeed::DiscardUnknown => {
            let names = (0..100_000).map(|name| format!("\u{1b}[2Jnobody\n{name}")).collect();
            Ok(Decision { discard: Some(names), ..Decision::RECORD })
        }
        PolicyMisdeed::ForgedReason => {
            Ok(Decision { stop: Some("\u{1b}[2Jgone\nforged: line\u{202e}".to_owned()), ..Decision::RECORD })
        }
    }
}

dewar_plugin::export_checkpoint_policy!(Hostile, manifest = "hostile-policy.toml");
