//! What [`dewar_text::yaml::write`] writes, another YAML library reads to the same values: a reader and a writer of one house
//! could agree on something that is no YAML.

use dewar_text::{Map, Value, yaml};
use proptest::prelude::*;
use serde_yaml::Value as Other;

/// The same value, as the other library has it.
fn other(value: &Value) -> Other {
    match value {
        Value::Null => Other::Null,
        Value::Bool(value) => Other::Bool(*value),
        Value::Int(value) => Other::Number((*value).into()),
        Value::Float(value) => Other::Number((*value).into()),
        Value::Text(text) | Value::Literal(text) => Other::String(text.clone()),
        Value::List(items) => Other::Sequence(items.iter().map(other).collect()),
        Value::Map(map) => {
            Other::Mapping(map.iter().map(|(key, value)| (Other::String(key.clone()), other(value))).collect())
        }
    }
}

fn values() -> impl Strategy<Value = Value> {
    let words =
        prop_oneof!["[a-z0-9_.:#'\" -]{0,12}", "\\PC{0,8}", "(yes|no|null|~|1e3|0x1F|0o17|2020-01-01|true|=|<<)"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_filter("NaN is not equal to itself", |value| !value.is_nan()).prop_map(Value::Float),
        words.clone().prop_map(Value::Text),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            prop::collection::vec((words.clone(), inner), 0..6)
                .prop_map(|entries| Value::Map(entries.into_iter().collect::<Map>())),
        ]
    })
}

proptest! {
    #[test]
    fn agrees(value in values()) {
        let text = yaml::write(&value);
        let read: Other = serde_yaml::from_str(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        prop_assert_eq!(read, other(&value), "{}", text);
    }
}
