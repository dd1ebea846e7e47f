//! Stops a stage whose `metric` has not got better for `patience` steps, has gone above `upper` or below `lower`, or is no
//! finite number any more. Every moment is recorded.
//!
//! What getting better is, is that of PyTorch Lightning's and Keras' `EarlyStopping`: by more than `min-delta` over the best so
//! far, which stays the best until then.

use dewar_plugin::{CheckpointPolicy, Decision, Diagnostic, Metric, Mode, Moment, Options, PastMoment, Trigger, Value};

/// The policy.
pub struct StopEarly;

impl CheckpointPolicy for StopEarly {
    fn decide(options: &Value, history: &[PastMoment], now: &Moment) -> Result<Decision, Vec<Diagnostic>> {
        let rules = Rules::read(options)?;
        let Some(value) = rules.metric.of(history, now) else { return Ok(Decision::RECORD) };
        if now.trigger == Trigger::Finished {
            return Ok(Decision::RECORD);
        }
        let reason =
            rules.out_of_bounds(value).or_else(|| rules.progress.as_ref()?.lacking(rules.metric, history, now));
        Ok(Decision { stop: reason, ..Decision::RECORD })
    }
}

dewar_plugin::export_checkpoint_policy!(StopEarly, manifest = "plugin.toml");

/// The options of which one at least says when to stop.
const RULES: [&str; 4] = ["patience", "lower", "upper", "finite"];

/// When to stop.
struct Rules<'a> {
    metric: Metric<'a>,
    /// Whether it must be a finite number.
    finite: bool,
    lower: Option<f64>,
    upper: Option<f64>,
    progress: Option<Progress>,
}

/// What getting better is, and how long to wait for it.
struct Progress {
    mode: Mode,
    /// Steps.
    patience: u64,
    min_delta: f64,
}

impl<'a> Rules<'a> {
    fn read(options: &'a Value) -> Result<Self, Vec<Diagnostic>> {
        let mut options = Options::of(options);
        let metric = Metric::read(&mut options);
        let finite = options.flag("finite");
        let [lower, upper] = ["lower", "upper"].map(|bound| options.number(bound));
        let patience = options.count("patience");
        let min_delta = options.amount("min-delta");
        let has_patience = options.has("patience");
        let mode = if has_patience { Some(Mode::read(&mut options)) } else { Mode::given(&mut options) };
        for name in ["mode", "min-delta"] {
            if !has_patience && options.has(name) {
                let message = format!("`{name}` says what an improvement is, which asks for `patience`");
                options.refuse(Diagnostic::error("no-patience", message).help("such as `patience: 5`"));
            }
        }
        if !RULES.iter().any(|name| options.has(name)) {
            let lacking = Diagnostic::error("never-stops", "nothing says when to stop");
            options.refuse(lacking.help(
                "`patience: 5` stops after five steps without improvement, `upper: 10` when the metric rises above 10, \
                 `finite: true` when it is no finite number",
            ));
        }
        if let (Some(lower), Some(upper)) = (lower, upper)
            && lower > upper
        {
            let message = format!("`lower: {lower}` is above `upper: {upper}`: every value would stop the stage");
            options.refuse(Diagnostic::error("bad-bounds", message));
        }
        options.finish()?;
        let min_delta = min_delta.unwrap_or_default();
        let progress = mode.zip(patience).map(|(mode, patience)| Progress { mode, patience, min_delta });
        Ok(Self { metric, finite: finite.unwrap_or(true), lower, upper, progress })
    }

    /// Why this value alone is enough to stop.
    fn out_of_bounds(&self, value: f64) -> Option<String> {
        let name = self.metric.name;
        if self.finite && !value.is_finite() {
            return Some(format!("`{name}` is {value}"));
        }
        let below = self.lower.filter(|lower| value < *lower);
        let above = self.upper.filter(|upper| value > *upper);
        below
            .map(|lower| format!("`{name}` is {value}, below {lower}"))
            .or_else(|| above.map(|upper| format!("`{name}` is {value}, above {upper}")))
    }
}

impl Progress {
    /// Why there is no hope of getting better, if there is none. Ends of the stage are passed over, since the stage repeats
    /// itself there, and so are moments that lack the metric.
    fn lacking(&self, metric: Metric<'_>, history: &[PastMoment], now: &Moment) -> Option<String> {
        let signalled = history.iter().map(|past| &past.moment).chain([now]);
        let signalled = signalled.filter(|moment| moment.trigger == Trigger::Signalled);
        let mut best: Option<(f64, u64)> = None;
        let mut waited = 0;
        for (value, step) in signalled.filter_map(|moment| Some((metric.at(moment)?, moment.step))) {
            let is_better = best.is_none_or(|(best, _)| self.mode.gain(value, best) > self.min_delta);
            if value.is_finite() && is_better {
                best = Some((value, step));
                waited = 0;
            } else {
                waited += 1;
            }
        }
        (waited >= self.patience).then(|| self.reason(metric.name, waited, best))
    }

    fn reason(&self, name: &str, waited: u64, best: Option<(f64, u64)>) -> String {
        let steps = if waited == 1 { "1 step".to_owned() } else { format!("{waited} steps") };
        let Some((best, step)) = best else { return format!("`{name}` has not been a finite number in {steps}") };
        let direction = match self.mode {
            Mode::Min => "fallen",
            Mode::Max => "risen",
        };
        let by = if self.min_delta > 0.0 { format!(" by more than {}", self.min_delta) } else { String::new() };
        format!("`{name}` has not {direction}{by} in {steps}; the best was {best} at step {step}")
    }
}

#[cfg(test)]
mod tests;
