//! dewar's own settings of a stage. They stand under `meta: {dewar: {...}}`, at which DVC does not look.

use dewar_text::{Diagnostic, Entry, Node, NodeKind, Span, Value};

use super::schema;
use super::stage::{CheckpointSettings, Need, PolicyUse, Signal};
use crate::resources::Amount;

/// What may stand under `dewar`.
const SETTINGS: &[&str] = &["resources", "checkpoint"];
/// What may stand under `checkpoint`.
const CHECKPOINT: &[&str] = &["signal", "policy"];

/// What a stage says to dewar alone.
#[derive(Debug, Default)]
pub(super) struct OwnSettings {
    /// `resources: {gpu: 1, memory: 8GiB}`.
    pub needs: Vec<Need>,
    /// `checkpoint: {signal: dvclive, policy: {best: {metric: acc, mode: max}}}`.
    pub checkpoint: Option<CheckpointSettings>,
}

impl OwnSettings {
    /// Those of a stage with this `meta`.
    ///
    /// # Errors
    /// At the place in the file that does not fit.
    pub(super) fn of(meta: &Node) -> Result<Self, Diagnostic> {
        // What else stands in `meta` is not dewar's to judge.
        let NodeKind::Map(entries) = &meta.kind else { return Ok(Self::default()) };
        let Some(own) = schema::get(entries, "dewar") else { return Ok(Self::default()) };
        let own = schema::mapping(own, "`dewar` of `meta`")?;
        schema::only(own, SETTINGS, "`dewar` of `meta`")?;
        Ok(Self {
            needs: schema::get(own, "resources").map(needs).transpose()?.unwrap_or_default(),
            checkpoint: schema::get(own, "checkpoint").map(checkpoint).transpose()?,
        })
    }
}

fn needs(resources: &Node) -> Result<Vec<Need>, Diagnostic> {
    let need = |entry: &Entry| {
        let span = Span::new(entry.key_span.start, entry.key_span.end.max(entry.value.span.end));
        Ok(Need { name: entry.key.clone(), amount: amount(&entry.key, &entry.value)?, span })
    };
    schema::mapping(resources, "`resources`")?.iter().map(need).collect()
}

fn checkpoint(node: &Node) -> Result<CheckpointSettings, Diagnostic> {
    let entries = schema::mapping(node, "`checkpoint`")?;
    schema::only(entries, CHECKPOINT, "`checkpoint`")?;
    let signal = match schema::get(entries, "signal") {
        None => Signal::default(),
        Some(node) => {
            let name = schema::text(node, "`signal`")?;
            Signal::from_name(name).ok_or_else(|| {
                Diagnostic::error("bad-signal", format!("`{name}` is no signal"))
                    .at(node.span)
                    .help(format!("it is one of: {}", Signal::NAMES.map(|(name, _)| name).join(", ")))
            })?
        }
    };
    let policies = schema::get(entries, "policy").map(policies).transpose()?;
    Ok(CheckpointSettings { signal, policies })
}

/// A name, a mapping of names to options, or a list of these.
fn policies(node: &Node) -> Result<Vec<PolicyUse>, Diagnostic> {
    match &node.kind {
        NodeKind::Scalar(Value::Text(name)) => Ok(vec![PolicyUse { name: name.clone(), options: Value::Null }]),
        NodeKind::Map(entries) => {
            let policy = |entry: &Entry| PolicyUse { name: entry.key.clone(), options: entry.value.to_value() };
            Ok(entries.iter().map(policy).collect())
        }
        NodeKind::List(items) => items.iter().map(policies).collect::<Result<Vec<_>, _>>().map(|all| all.concat()),
        NodeKind::Scalar(_) => {
            Err(schema::wrong_type(node, "`policy`", "a name, a mapping of names to options, or a list of these"))
        }
    }
}

fn amount(name: &str, node: &Node) -> Result<Amount, Diagnostic> {
    let amount = match &node.kind {
        NodeKind::Scalar(Value::Int(number)) => Amount::count(*number),
        NodeKind::Scalar(Value::Text(text) | Value::Literal(text)) => Amount::parse(text),
        _ => {
            return Err(schema::wrong_type(
                node,
                &format!("`{name}`"),
                "an integer, such as 2, or a size, such as 8GiB",
            ));
        }
    };
    amount.map_err(|error| Diagnostic::error("bad-amount", format!("`{name}`: {error}")).at(node.span))
}

#[cfg(test)]
mod tests {
    use dewar_text::yaml;

    use super::*;

    /// A need with the text at its place, or an error with that at its.
    type Read = Result<Vec<(String, Amount, String)>, (String, String)>;

    fn read(text: &str) -> Read {
        let at = |span: Span| text.get(span.start..span.end).unwrap().to_owned();
        let meta = yaml::read(text.as_bytes()).unwrap();
        let own = OwnSettings::of(&meta).map_err(|error| (error.message, at(error.span.unwrap())))?;
        Ok(own.needs.into_iter().map(|need| (need.name, need.amount, at(need.span))).collect())
    }

    #[test]
    fn needs_are_read_with_their_places() {
        let read_back = read("{x: 1, dewar: {resources: {gpu: 1, 'big mem': 8GiB, n: '2'}}}").unwrap();
        assert_eq!(
            read_back,
            [
                ("gpu".to_owned(), Amount::Count(1), "gpu: 1".to_owned()),
                ("big mem".to_owned(), Amount::Bytes(8 << 30), "'big mem': 8GiB".to_owned()),
                ("n".to_owned(), Amount::Count(2), "n: '2'".to_owned()),
            ]
        );
        for text in ["hello", "", "[1]", "{x: {resources: 3}}", "dewar:", "dewar: {resources: }"] {
            assert_eq!(read(text), Ok(Vec::new()), "{text}");
        }
    }

    #[test]
    fn policies_are_read_in_their_sequence() {
        let read = |text: &str| OwnSettings::of(&yaml::read(text.as_bytes()).unwrap()).unwrap().checkpoint.unwrap();
        let names = |settings: &CheckpointSettings| -> Option<Vec<String>> {
            let name = |policy: &PolicyUse| policy.name.clone();
            settings.policies.as_ref().map(|policies| policies.iter().map(name).collect())
        };
        let one = read("dewar: {checkpoint: {signal: dvclive, policy: every}}");
        assert_eq!((one.signal, names(&one)), (Signal::Dvclive, Some(vec!["every".to_owned()])));
        for text in ["{every: {n: 2}, best: }", "[{every: {n: 2}}, best]", "[every: {n: 2}, {best: {}}]"] {
            let read = read(&format!("dewar: {{checkpoint: {{policy: {text}}}}}"));
            assert_eq!((read.signal, names(&read)), (Signal::File, Some(vec!["every".to_owned(), "best".to_owned()])));
            let options = read.policies.unwrap().remove(0).options;
            assert_eq!(options.as_map().unwrap().get("n"), Some(&Value::Int(2)), "{text}");
        }
        assert_eq!(names(&read("dewar: {checkpoint: {}}")), None);
        assert_eq!(names(&read("dewar: {checkpoint: {policy: []}}")), Some(Vec::new()));
    }

    #[test]
    fn what_is_no_need_is_refused_where_it_stands() {
        for (text, told, place) in [
            ("dewar: 1", "must be a mapping", "1"),
            ("dewar: {resource: {gpu: 1}}", "no key `resource`", "resource"),
            ("dewar: {resources: [gpu]}", "`resources` must be a mapping", "[gpu]"),
            ("dewar: {resources: {gpu: -1}}", "`gpu`: -1 is less than nothing", "-1"),
            ("dewar: {resources: {gpu: 0.5}}", "an integer, such as 2", "0.5"),
            ("dewar: {resources: {gpu: true}}", "an integer, such as 2", "true"),
            ("dewar: {resources: {memory: 8G}}", "`G` is no unit", "8G"),
            ("dewar: {resources: {memory: lots}}", "`lots` is neither", "lots"),
            ("dewar: {checkpoint: true}", "`checkpoint` must be a mapping", "true"),
            ("dewar: {checkpoint: {signal: wave}}", "`wave` is no signal", "wave"),
            ("dewar: {checkpoint: {policies: best}}", "no key `policies`", "policies"),
            ("dewar: {checkpoint: {policy: [best, 1]}}", "`policy` must be a name", "1"),
            ("dewar: {resources: {gpu: 99999999999999999999}}", "too much", "99999999999999999999"),
        ] {
            let (message, at) = read(text).unwrap_err();
            assert!(message.contains(told), "{text}: {message}");
            assert_eq!(at, place, "{text}");
        }
    }
}
