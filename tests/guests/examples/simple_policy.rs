//! A policy that records every moment, lets go of all but the last checkpoint, and stops at step 3. Its option `discard` names
//! a checkpoint to let go of, which may not exist.

use dewar_plugin::{CheckpointPolicy, Decision, Diagnostic, Moment, PastMoment, Value};

struct Simple;

impl CheckpointPolicy for Simple {
    fn decide(options: &Value, history: &[PastMoment], now: &Moment) -> Result<Decision, Vec<Diagnostic>> {
        let mut discard: Vec<String> = history.iter().filter_map(|past| past.checkpoint.clone()).collect();
        match options {
            Value::Null => {}
            Value::Map(options) => discard.extend(options.get("discard").and_then(Value::as_text).map(str::to_owned)),
            other => {
                let message = format!("options are a mapping, not {}", other.kind());
                return Err(vec![Diagnostic::error("bad-options", message)]);
            }
        }
        let stop = (now.step >= 3).then(|| "three steps are enough".to_owned());
        Ok(Decision { record: true, discard: Some(discard), stop })
    }
}

dewar_plugin::export_checkpoint_policy!(Simple, manifest = "simple-policy.toml");
