//! Random values and edits for properties, and the choices with which a test lays a document out.

use dewar_text::{Change, Edit, Map, Step, Value};
use proptest::prelude::*;
use proptest::sample::Index;

/// What the values of a format may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vocabulary {
    /// Whether there is a null.
    pub null: bool,
    /// Whether a number can be infinite or NaN.
    pub non_finite: bool,
    /// A regular expression that keys match.
    pub keys: &'static str,
}

/// A scalar.
pub fn scalar(vocabulary: Vocabulary) -> BoxedStrategy<Value> {
    let mut options = vec![
        any::<bool>().prop_map(Value::Bool).boxed(),
        any::<i64>().prop_map(Value::Int).boxed(),
        (-99_i64..100).prop_map(Value::Int).boxed(),
        (-1e9..1e9).prop_map(Value::Float).boxed(),
        any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(Value::Float).boxed(),
        "[a-z ]{0,8}".prop_map(Value::Text).boxed(),
        "\\PC{0,12}".prop_map(Value::Text).boxed(),
        "[\\x00-\\x7f]{0,6}".prop_map(Value::Text).boxed(),
    ];
    if vocabulary.null {
        options.push(Just(Value::Null).boxed());
    }
    if vocabulary.non_finite {
        let floats = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        options.push(proptest::sample::select(floats.to_vec()).prop_map(Value::Float).boxed());
    }
    proptest::strategy::Union::new(options).boxed()
}

/// A tree of at most three levels.
pub fn value(vocabulary: Vocabulary) -> BoxedStrategy<Value> {
    scalar(vocabulary)
        .prop_recursive(3, 24, 5, move |inner| {
            let map = proptest::collection::vec((vocabulary.keys, inner.clone()), 0..5);
            prop_oneof![
                proptest::collection::vec(inner, 0..5).prop_map(Value::List),
                map.prop_map(|entries| Value::Map(entries.into_iter().collect::<Map>())),
            ]
        })
        .boxed()
}

/// A mapping, which is what a parameter file holds.
pub fn document(vocabulary: Vocabulary) -> BoxedStrategy<Value> {
    proptest::collection::vec((vocabulary.keys, value(vocabulary)), 0..7)
        .prop_map(|entries| Value::Map(entries.into_iter().collect::<Map>()))
        .boxed()
}

/// What to make an edit of, without knowing the document: a place and something to do there.
#[derive(Debug, Clone)]
pub struct Wish {
    place: Index,
    act: Act,
}

#[derive(Debug, Clone)]
enum Act {
    Put(Value),
    Add(String, Value),
    Remove,
}

/// A wish.
pub fn wish(vocabulary: Vocabulary) -> BoxedStrategy<Wish> {
    let act = prop_oneof![
        4 => scalar(vocabulary).prop_map(Act::Put),
        1 => value(vocabulary).prop_map(Act::Put),
        3 => (vocabulary.keys, value(vocabulary)).prop_map(|(key, value)| Act::Add(key, value)),
        2 => Just(Act::Remove),
    ];
    (any::<Index>(), act).prop_map(|(place, act)| Wish { place, act }).boxed()
}

impl Wish {
    /// The edit that this is in `document`; none where there is nothing to choose from.
    #[must_use]
    pub fn edit(&self, document: &Value) -> Option<Edit> {
        let mut places = Vec::new();
        let adds = matches!(self.act, Act::Add(..));
        collect(document, &mut Vec::new(), adds, &mut places);
        if places.is_empty() {
            return None;
        }
        let mut path = self.place.get(&places).clone();
        let change = match &self.act {
            Act::Put(value) => Change::Put(value.clone()),
            Act::Add(key, value) => {
                path.push(Step::Field(key.clone()));
                Change::Put(value.clone())
            }
            Act::Remove => Change::Remove,
        };
        Some(Edit { path, change })
    }
}

/// The paths of all mappings, or of everything below the root.
fn collect(value: &Value, path: &mut Vec<Step>, mappings: bool, places: &mut Vec<Vec<Step>>) {
    if if mappings { matches!(value, Value::Map(_)) } else { !path.is_empty() } {
        places.push(path.clone());
    }
    let mut visit = |step: Step, value: &Value| {
        path.push(step);
        collect(value, path, mappings, places);
        path.pop();
    };
    match value {
        Value::List(items) => items.iter().enumerate().for_each(|(index, item)| visit(Step::Index(index), item)),
        Value::Map(map) => map.iter().for_each(|(key, item)| visit(Step::Field(key.clone()), item)),
        _ => {}
    }
}

/// Choices that a test makes while it lays a document out; when they run out, all are the first.
#[derive(Debug, Clone)]
pub struct Choices {
    bytes: Vec<u8>,
    at: usize,
}

/// A stream of choices.
pub fn choices() -> BoxedStrategy<Choices> {
    proptest::collection::vec(any::<u8>(), 0..64).prop_map(|bytes| Choices { bytes, at: 0 }).boxed()
}

impl Choices {
    /// One of `options`; the default of the type when there are none.
    pub fn one_of<T: Copy + Default>(&mut self, options: &[T]) -> T {
        let byte = self.bytes.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        options.get(usize::from(byte) % options.len().max(1)).copied().unwrap_or_default()
    }
}
