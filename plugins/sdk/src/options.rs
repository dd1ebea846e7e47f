//! [`Options`]: reads what a user configured, and finds all that is wrong with it at once.

use dewar_text::{Diagnostic, Map, Value};

/// Options by name, each asked for once. What was asked for is what there is: [`Self::finish`] refuses others.
///
/// ```
/// use dewar_plugin::{Options, Value};
///
/// let given = Value::Map([("n".to_owned(), Value::Int(0)), ("m".to_owned(), Value::Int(1))].into_iter().collect());
/// let mut options = Options::of(&given);
/// let n = options.count("n");
/// assert_eq!(n, None);
/// let wrong = options.finish().unwrap_err();
/// assert_eq!(wrong[0].message, "`n` must be a whole number from 1 up, not 0");
/// assert_eq!(wrong[1].message, "there is no option `m`");
/// ```
#[derive(Debug)]
pub struct Options<'a> {
    given: Option<&'a Map>,
    known: Vec<&'static str>,
    wrong: Vec<Diagnostic>,
}

impl<'a> Options<'a> {
    /// The options in a mapping. Nothing at all is no options.
    #[must_use]
    pub fn of(options: &'a Value) -> Self {
        let wrong = match options {
            Value::Null | Value::Map(_) => Vec::new(),
            other => vec![Diagnostic::error("bad-options", format!("options are a mapping, not {}", other.kind()))],
        };
        Self { given: options.as_map(), known: Vec::new(), wrong }
    }

    /// A text.
    pub fn text(&mut self, name: &'static str) -> Option<&'a str> {
        self.read(name, "a string", |value| value.as_text().filter(|text| !text.is_empty()))
    }

    /// One of the texts that `choices` pairs with what they mean.
    pub fn choice<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let wanted: Vec<String> = choices.iter().map(|(text, _)| format!("`{text}`")).collect();
        self.read(name, &wanted.join(" or "), |value| {
            let given = value.as_text()?;
            choices.iter().find(|(text, _)| *text == given).map(|(_, meaning)| *meaning)
        })
    }

    /// A whole number from 1 up.
    pub fn count(&mut self, name: &'static str) -> Option<u64> {
        self.read(name, "a whole number from 1 up", |value| match value {
            Value::Int(number) => u64::try_from(*number).ok().filter(|number| *number > 0),
            _ => None,
        })
    }

    /// A number with an end.
    pub fn number(&mut self, name: &'static str) -> Option<f64> {
        self.read(name, "a number", number)
    }

    /// A number from 0 up.
    pub fn amount(&mut self, name: &'static str) -> Option<f64> {
        self.read(name, "a number from 0 up", |value| number(value).filter(|number| *number >= 0.0))
    }

    /// Yes or no.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.read(name, "`true` or `false`", |value| if let Value::Bool(flag) = value { Some(*flag) } else { None })
    }

    /// Whether an option is given, right or wrong.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.given.is_some_and(|given| given.contains_key(name))
    }

    /// Refuses the options for a reason of the plugin's own.
    pub fn refuse(&mut self, wrong: Diagnostic) {
        self.wrong.push(wrong);
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// All that is wrong: options that cannot be read, those that nobody asked for, and what the plugin refused.
    pub fn finish(mut self) -> Result<(), Vec<Diagnostic>> {
        let unknown = self.given.into_iter().flat_map(Map::keys).filter(|name| !self.known.contains(&name.as_str()));
        let known: Vec<String> = self.known.iter().map(|name| format!("`{name}`")).collect();
        let help = format!("the options are {}", known.join(", "));
        let refused = |name| Diagnostic::error("unknown-option", format!("there is no option `{name}`")).help(&help);
        self.wrong.extend(unknown.map(refused));
        if self.wrong.is_empty() { Ok(()) } else { Err(self.wrong) }
    }

    fn read<T>(&mut self, name: &'static str, wanted: &str, read: impl Fn(&'a Value) -> Option<T>) -> Option<T> {
        self.known.push(name);
        let value = self.given?.get(name)?;
        let found = read(value);
        if found.is_none() {
            let message = format!("`{name}` must be {wanted}, not {}", told(value));
            self.wrong.push(Diagnostic::error("bad-option", message));
        }
        found
    }
}

#[expect(clippy::cast_precision_loss, reason = "an option that is nearly 2^53 means what is nearest to it")]
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) if number.is_finite() => Some(*number),
        _ => None,
    }
}

/// A scalar as it was given; of others what they are.
fn told(value: &Value) -> String {
    match value {
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Text(text) | Value::Literal(text) => format!("`{text}`"),
        Value::Null | Value::List(_) | Value::Map(_) => value.kind().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(options: &[(&str, Value)]) -> Value {
        Value::Map(options.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    }

    #[test]
    fn what_is_given_is_read() {
        let text = |text: &str| Value::Text(text.to_owned());
        let options = given(&[
            ("text", text("x")),
            ("choice", text("b")),
            ("count", Value::Int(3)),
            ("whole", Value::Int(-2)),
            ("amount", Value::Float(0.0)),
            ("flag", Value::Bool(false)),
        ]);
        let mut options = Options::of(&options);
        assert_eq!(options.text("text"), Some("x"));
        assert_eq!(options.choice("choice", &[("a", 1), ("b", 2)]), Some(2));
        assert_eq!(options.count("count"), Some(3));
        assert_eq!(options.number("whole"), Some(-2.0));
        assert_eq!(options.amount("amount"), Some(0.0));
        assert_eq!(options.flag("flag"), Some(false));
        assert_eq!(options.text("absent"), None);
        assert!(options.has("count") && !options.has("absent"));
        assert_eq!(options.finish(), Ok(()));
        assert_eq!(Options::of(&Value::Null).finish(), Ok(()));
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let options = given(&[
            ("text", Value::Int(1)),
            ("choice", Value::Text("c".to_owned())),
            ("count", Value::Int(0)),
            ("whole", Value::Float(f64::NAN)),
            ("amount", Value::Float(-0.5)),
            ("flag", Value::Null),
            ("odd", Value::Null),
        ]);
        let mut options = Options::of(&options);
        assert_eq!(options.text("text"), None);
        assert_eq!(options.choice("choice", &[("a", 1), ("b", 2)]), None);
        assert_eq!(options.count("count"), None);
        assert_eq!(options.number("whole"), None);
        assert_eq!(options.amount("amount"), None);
        assert_eq!(options.flag("flag"), None);
        options.refuse(Diagnostic::error("own", "own"));
        let wrong = options.finish().unwrap_err();
        let messages: Vec<&str> = wrong.iter().map(|wrong| wrong.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "`text` must be a string, not 1",
                "`choice` must be `a` or `b`, not `c`",
                "`count` must be a whole number from 1 up, not 0",
                "`whole` must be a number, not NaN",
                "`amount` must be a number from 0 up, not -0.5",
                "`flag` must be `true` or `false`, not nothing",
                "own",
                "there is no option `odd`",
            ]
        );
        let help = wrong[7].help.as_deref();
        assert_eq!(help, Some("the options are `text`, `choice`, `count`, `whole`, `amount`, `flag`"));
        assert_eq!(Options::of(&Value::List(Vec::new())).finish().unwrap_err()[0].code, "bad-options");
    }
}
