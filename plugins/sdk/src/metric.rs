//! [`Metric`]: a metric that a policy goes by, and [`Mode`]: which of two of its values is better. As the options `metric` and
//! `mode` they mean the same in every policy, and `dewar policy replay` reads them, too.

use std::cmp::Ordering;

use dewar_text::Diagnostic;

use crate::log;
use crate::{Moment, Options, PastMoment, Trigger};

/// Which values are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Lower ones.
    Min,
    /// Higher ones.
    Max,
}

impl Mode {
    /// The option `mode`.
    pub fn given(options: &mut Options<'_>) -> Option<Self> {
        options.choice("mode", &[("min", Self::Min), ("max", Self::Max)])
    }

    /// The option `mode`, which is refused when it is lacking.
    pub fn read(options: &mut Options<'_>) -> Self {
        let mode = Self::given(options);
        if !options.has("mode") {
            let lacking = Diagnostic::error("no-mode", "`mode` is needed: which values of the metric are better");
            options.refuse(lacking.help("`mode: min` when lower ones are, `mode: max` when higher ones are"));
        }
        // Without one the options are refused.
        mode.unwrap_or(Self::Min)
    }

    /// By how much `value` is better than `other`; negative when it is worse.
    #[must_use]
    pub const fn gain(self, value: f64, other: f64) -> f64 {
        match self {
            Self::Min => other - value,
            Self::Max => value - other,
        }
    }

    /// The better one first. What is no number is equal to all.
    #[must_use]
    pub fn compare(self, a: f64, b: f64) -> Ordering {
        let ascending = a.partial_cmp(&b).unwrap_or(Ordering::Equal);
        match self {
            Self::Min => ascending,
            Self::Max => ascending.reverse(),
        }
    }
}

/// A metric that a policy goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric<'a> {
    /// Its dotted name.
    pub name: &'a str,
}

impl<'a> Metric<'a> {
    /// The option `metric`, which is refused when it is lacking.
    pub fn read(options: &mut Options<'a>) -> Self {
        let name = options.text("metric");
        if !options.has("metric") {
            let lacking = Diagnostic::error("no-metric", "`metric` is needed: the name of the metric to go by");
            options.refuse(lacking.help("such as `metric: acc`; `dewar metrics show` lists those that there are"));
        }
        // Without one the options are refused.
        Self { name: name.unwrap_or_default() }
    }

    /// Its value at a moment; none when the moment lacks it. It may be NaN or infinite.
    #[must_use]
    pub fn at(self, moment: &Moment) -> Option<f64> {
        moment.metrics.iter().find(|(name, _)| name == self.name).map(|(_, value)| *value)
    }

    /// Its value now. When the moment lacks it the user is told, with the metrics that there are: once when it begins to be
    /// lacking, and at the end of the stage.
    #[must_use]
    pub fn of(self, history: &[PastMoment], now: &Moment) -> Option<f64> {
        let value = self.at(now);
        let is_known = history.last().is_some_and(|past| self.at(&past.moment).is_none());
        // At step 0 the host asks only whether the options are right.
        if value.is_none() && now.step > 0 && (!is_known || now.trigger == Trigger::Finished) {
            log::warn(&self.lacking(now));
        }
        value
    }

    fn lacking(self, now: &Moment) -> String {
        let names: Vec<String> = now.metrics.iter().map(|(name, _)| format!("`{name}`")).collect();
        let there_are = if names.is_empty() { "no metrics".to_owned() } else { names.join(", ") };
        format!("there is no metric `{}` at step {}; there are {there_are}", self.name, now.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(metrics: &[(&str, f64)]) -> Moment {
        let metrics = metrics.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        Moment { trigger: Trigger::Signalled, step: 4, elapsed_ms: 0, metrics }
    }

    #[test]
    fn a_metric_that_is_lacking_is_told_with_those_there_are() {
        let metric = Metric { name: "val.loss" };
        assert_eq!(metric.of(&[], &moment(&[("a", 1.0), ("val.loss", 2.0)])), Some(2.0));
        let without = moment(&[("loss", 1.0), ("acc", 2.0)]);
        assert_eq!(metric.of(&[], &without), None);
        assert_eq!(metric.lacking(&without), "there is no metric `val.loss` at step 4; there are `loss`, `acc`");
        assert_eq!(metric.lacking(&moment(&[])), "there is no metric `val.loss` at step 4; there are no metrics");
    }

    #[test]
    fn both_are_needed() {
        let options = dewar_text::Value::Null;
        let mut options = Options::of(&options);
        let _read = (Metric::read(&mut options), Mode::read(&mut options));
        let wrong = options.finish().unwrap_err();
        assert_eq!(wrong.iter().map(|wrong| wrong.code.as_str()).collect::<Vec<_>>(), ["no-metric", "no-mode"]);
    }

    #[test]
    fn modes_say_what_is_better() {
        assert_eq!((Mode::Min.compare(1.0, 2.0), Mode::Max.compare(1.0, 2.0)), (Ordering::Less, Ordering::Greater));
        assert_eq!(Mode::Min.compare(0.0, -0.0), Ordering::Equal);
        assert_eq!((Mode::Min.gain(1.0, 3.0), Mode::Max.gain(1.0, 3.0)), (2.0, -2.0));
    }
}
