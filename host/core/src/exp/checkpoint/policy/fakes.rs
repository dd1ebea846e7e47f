//! Policies for tests.

use std::sync::Arc;

use dewar_text::Value;

use crate::extension::{
    CheckpointPolicy, Decision, Diagnostic, ExtensionError, Extensions, Moment, ParamFormat, PastMoment, PluginId,
    StageExecutor,
};
use crate::path::RepoPath;

/// Policies by name; each does what its name says.
pub(in crate::exp::checkpoint) struct Fakes;

struct Fake(PluginId);

impl Extensions for Fakes {
    fn param_format(&self, _: &RepoPath) -> Result<Arc<dyn ParamFormat>, ExtensionError> {
        panic!("a policy reads no file")
    }

    fn claims(&self, _: &RepoPath) -> bool {
        false
    }

    fn executor(&self, _: &str) -> Result<Arc<dyn StageExecutor>, ExtensionError> {
        panic!("a policy runs nothing")
    }

    fn policy(&self, name: &str) -> Result<Arc<dyn CheckpointPolicy>, ExtensionError> {
        if name == "nobody" {
            return Err(ExtensionError::Unknown { kind: "checkpoint policy", name: name.to_owned() });
        }
        Ok(Arc::new(Fake(PluginId { name: name.to_owned(), digest: String::new() })))
    }
}

impl CheckpointPolicy for Fake {
    fn id(&self) -> &PluginId {
        &self.0
    }

    fn decide(&self, options: &Value, history: &[PastMoment], now: &Moment) -> Result<Decision, ExtensionError> {
        let decision = Decision { record: true, discard: None, stop: None };
        let kept = || history.iter().filter_map(|past| past.checkpoint.clone());
        let plugin = || self.0.clone();
        match self.0.name.as_str() {
            "all" => Ok(decision),
            "even" => Ok(Decision { record: now.step.is_multiple_of(2), ..decision }),
            "only-last" => Ok(Decision { discard: Some(kept().collect()), ..decision }),
            "first" => Ok(Decision { discard: Some(kept().skip(1).collect()), ..decision }),
            "best" => {
                let value = |moment: &Moment| moment.metrics.iter().find(|(name, _)| name == "acc").unwrap().1;
                let best = history.iter().filter(|past| past.checkpoint.is_some()).map(|past| value(&past.moment));
                let best = best.chain([value(now)]).fold(0.0, f64::max);
                let worse = history.iter().filter(|past| value(&past.moment) < best);
                Ok(Decision { discard: Some(worse.filter_map(|past| past.checkpoint.clone()).collect()), ..decision })
            }
            "stop-at-3" => Ok(Decision { stop: (now.step >= 3).then(|| "three".to_owned()), ..decision }),
            "stop-at-2" => Ok(Decision { stop: (now.step >= 2).then(|| "two".to_owned()), ..decision }),
            "liar" => Ok(Decision { discard: Some(["x", "y"].map(str::to_owned).into()), ..decision }),
            "options" if *options != Value::Null => {
                let diagnostics = vec![Diagnostic::error("unknown-option", "there is no option `a`")];
                Err(ExtensionError::Refused { plugin: plugin(), diagnostics })
            }
            "options" => Ok(decision),
            "trap" => Err(ExtensionError::Trapped { plugin: plugin(), reason: "unreachable".to_owned() }),
            name => panic!("no fake `{name}`"),
        }
    }
}
