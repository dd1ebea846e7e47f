//! Keeps the `keep` best checkpoints by a `metric`, and the last, from which a run is resumed. Every moment is recorded, since
//! it may be the best; what is neither best nor last is let go of.

use dewar_plugin::{CheckpointPolicy, Decision, Diagnostic, Metric, Mode, Moment, Options, PastMoment, Value};

/// The policy.
pub struct Best;

impl CheckpointPolicy for Best {
    fn decide(options: &Value, history: &[PastMoment], now: &Moment) -> Result<Decision, Vec<Diagnostic>> {
        let goal = Goal::read(options)?;
        let value = goal.metric.of(history, now);
        let kept = history.iter().filter_map(|past| Some((past.checkpoint.as_ref()?, goal.metric.at(&past.moment))));
        let kept: Vec<(&String, Option<f64>)> = kept.collect();
        let best = goal.best(kept.iter().map(|(_, value)| *value).chain([value]));
        // While nothing can be compared, perhaps since the name of the metric is mistyped, nothing is worse than another.
        let places = (0..).zip(kept).filter(|(place, _)| !best.is_empty() && !best.contains(place));
        let discard = places.map(|(_, (checkpoint, _))| checkpoint.clone()).collect();
        Ok(Decision { discard: Some(discard), ..Decision::RECORD })
    }
}

dewar_plugin::export_checkpoint_policy!(Best, manifest = "plugin.toml");

/// What is best, and how many are kept.
struct Goal<'a> {
    metric: Metric<'a>,
    mode: Mode,
    keep: usize,
}

impl<'a> Goal<'a> {
    fn read(options: &'a Value) -> Result<Self, Vec<Diagnostic>> {
        let mut options = Options::of(options);
        let (metric, mode) = (Metric::read(&mut options), Mode::read(&mut options));
        let keep = options.count("keep").unwrap_or(1);
        options.finish()?;
        Ok(Self { metric, mode, keep: usize::try_from(keep).unwrap_or(usize::MAX) })
    }

    /// The places of the best values. Of equal ones the earlier is better; what is no finite number is never among them.
    fn best(&self, values: impl Iterator<Item = Option<f64>>) -> Vec<usize> {
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        let mut ranked: Vec<(usize, f64)> =
            (0..).zip(values).filter_map(|(place, value)| Some((place, finite(value)?))).collect();
        ranked.sort_by(|(_, a), (_, b)| self.mode.compare(*a, *b));
        ranked.truncate(self.keep);
        ranked.into_iter().map(|(place, _)| place).collect()
    }
}

#[cfg(test)]
mod tests;
