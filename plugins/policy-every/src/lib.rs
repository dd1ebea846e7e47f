//! Which moments become checkpoints by their number and their time: each; every `n`-th; at least so many `seconds` apart.
//! With both, a moment must be one of every `n` and late enough. The end of the stage always becomes one.

use dewar_plugin::{CheckpointPolicy, Decision, Diagnostic, Moment, Options, PastMoment, Trigger, Value};

/// The policy.
pub struct Every;

impl CheckpointPolicy for Every {
    fn decide(options: &Value, history: &[PastMoment], now: &Moment) -> Result<Decision, Vec<Diagnostic>> {
        let mut options = Options::of(options);
        let (n, seconds) = (options.count("n"), options.amount("seconds"));
        options.finish()?;
        let is_due = || n.is_none_or(|n| is_nth(n, history)) && seconds.is_none_or(|gap| is_late(gap, history, now));
        Ok(Decision { record: now.trigger == Trigger::Finished || is_due(), ..Decision::RECORD })
    }
}

dewar_plugin::export_checkpoint_policy!(Every, manifest = "plugin.toml");

/// Whether the moment after `history` is one of every `n` that the stage asked for. Ends of the stage are not counted, or a
/// resumed one would go on at another place.
fn is_nth(n: u64, history: &[PastMoment]) -> bool {
    let signalled = (0_u64..).zip(history.iter().filter(|past| past.moment.trigger == Trigger::Signalled));
    let before = signalled.last().map_or(0, |(index, _)| index + 1);
    (before + 1).is_multiple_of(n)
}

/// Whether at least so many seconds of running went by since the last checkpoint, or the beginning.
#[expect(clippy::cast_precision_loss, reason = "2^53 milliseconds are longer than any run")]
fn is_late(seconds: f64, history: &[PastMoment], now: &Moment) -> bool {
    let last = history.iter().rev().find(|past| past.checkpoint.is_some());
    let since = now.elapsed_ms.saturating_sub(last.map_or(0, |past| past.moment.elapsed_ms));
    since as f64 >= seconds * 1000.0
}

#[cfg(test)]
mod tests;
