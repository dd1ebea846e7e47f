//! dewar's own settings of a stage. They stand under `meta: {dewar: {...}}`, at which DVC does not look.

use dewar_text::{Diagnostic, Entry, Node, NodeKind, Span, Value};

use super::schema;
use super::stage::Need;
use crate::resources::Amount;

/// What may stand under `dewar`.
const SETTINGS: &[&str] = &["resources"];

/// What of the machine a stage with this `meta` needs: `resources: {gpu: 1, memory: 8GiB}`.
///
/// # Errors
/// At the place in the file that does not fit.
pub(super) fn needs(meta: &Node) -> Result<Vec<Need>, Diagnostic> {
    // What else stands in `meta` is not dewar's to judge.
    let NodeKind::Map(entries) = &meta.kind else { return Ok(Vec::new()) };
    let Some(own) = schema::get(entries, "dewar") else { return Ok(Vec::new()) };
    let own = schema::mapping(own, "`dewar` of `meta`")?;
    schema::only(own, SETTINGS, "`dewar` of `meta`")?;
    let Some(resources) = schema::get(own, "resources") else { return Ok(Vec::new()) };
    let need = |entry: &Entry| {
        let span = Span::new(entry.key_span.start, entry.key_span.end.max(entry.value.span.end));
        Ok(Need { name: entry.key.clone(), amount: amount(&entry.key, &entry.value)?, span })
    };
    schema::mapping(resources, "`resources`")?.iter().map(need).collect()
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
        let needs = needs(&meta).map_err(|error| (error.message, at(error.span.unwrap())))?;
        Ok(needs.into_iter().map(|need| (need.name, need.amount, at(need.span))).collect())
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
            ("dewar: {resources: {gpu: 99999999999999999999}}", "too much", "99999999999999999999"),
        ] {
            let (message, at) = read(text).unwrap_err();
            assert!(message.contains(told), "{text}: {message}");
            assert_eq!(at, place, "{text}");
        }
    }
}
