//! [`ExperimentName`]: what a user calls an experiment, given or drawn.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of an experiment: one part of a git reference.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ExperimentName(String);

impl From<ExperimentName> for String {
    fn from(name: ExperimentName) -> Self {
        name.0
    }
}

impl TryFrom<String> for ExperimentName {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        Self::parse(&text)
    }
}

/// Why a text cannot be the name of an experiment (the rules of `git check-ref-format`, and no `/`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` cannot be the name of an experiment: {problem}", name.escape_debug())]
pub struct BadName {
    /// The text.
    pub name: String,
    /// What is wrong with it.
    pub problem: NameProblem,
}

/// What is wrong with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameProblem {
    /// Nothing in it.
    #[error("it is empty")]
    Empty,
    /// Longer than a file name may be, with `.lock` behind it.
    #[error("it is longer than 200 bytes")]
    TooLong,
    /// A character that git does not allow, or that would make it two parts.
    #[error("it must not have {} in it", show(*.0))]
    Character(char),
    /// A sequence that means something to git.
    #[error("it must not have `{0}` in it")]
    Sequence(&'static str),
    /// A beginning that git or a command line takes for something else.
    #[error("it must not begin with `{0}`")]
    Start(char),
    /// An end that git takes for something else.
    #[error("it must not end with `{0}`")]
    End(&'static str),
    /// The name that git has for `HEAD`.
    #[error("git has another meaning for it")]
    Reserved,
}

fn show(character: char) -> String {
    match character {
        ' ' => "a space".to_owned(),
        c if c.is_control() => "a control character".to_owned(),
        c => format!("`{c}`"),
    }
}

impl ExperimentName {
    /// Checks a name that a user gave.
    ///
    /// # Errors
    /// [`BadName`], which says what is wrong.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        problem(text)
            .map_or_else(|| Ok(Self(text.to_owned())), |problem| Err(BadName { name: text.to_owned(), problem }))
    }

    /// The name of one of several that share the first words: `base-1`, `base-2`, .. (DVC's form).
    ///
    /// # Errors
    /// [`BadName`] when it becomes too long.
    pub fn numbered(&self, number: usize) -> Result<Self, BadName> {
        Self::parse(&format!("{}-{number}", self.0))
    }

    /// Draws a name such as `mellow-otter`. `draw(n)` gives a number below `n`.
    #[must_use]
    pub fn random(draw: &mut dyn FnMut(usize) -> usize) -> Self {
        let mut word = |words: &[&'static str]| {
            let at = draw(words.len()) % words.len().max(1);
            words.get(at).copied().unwrap_or_default()
        };
        let adjective = word(ADJECTIVES);
        Self(format!("{adjective}-{}", word(NOUNS)))
    }

    /// Draws a name for which `is_free` says yes. When the words seem used up, a number is put behind one.
    #[must_use]
    pub fn unused(draw: &mut dyn FnMut(usize) -> usize, is_free: impl Fn(&Self) -> bool) -> Self {
        const DRAWS: usize = 32;
        let mut name = Self::random(draw);
        for _ in 0..DRAWS {
            if is_free(&name) {
                return name;
            }
            name = Self::random(draw);
        }
        let numbered = (2..=usize::MAX).map(|number| Self(format!("{}-{number}", name.0))).find(is_free);
        numbered.unwrap_or(name)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExperimentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn problem(text: &str) -> Option<NameProblem> {
    if text.is_empty() {
        return Some(NameProblem::Empty);
    }
    if text.len() > 200 {
        return Some(NameProblem::TooLong);
    }
    let bad = |c: &char| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\' | '/');
    if let Some(character) = text.chars().find(bad) {
        return Some(NameProblem::Character(character));
    }
    if let Some(sequence) = ["..", "@{"].into_iter().find(|sequence| text.contains(sequence)) {
        return Some(NameProblem::Sequence(sequence));
    }
    if let Some(start) = text.chars().next().filter(|c| matches!(c, '.' | '-')) {
        return Some(NameProblem::Start(start));
    }
    if let Some(end) = [".lock", "."].into_iter().find(|end| text.ends_with(end)) {
        return Some(NameProblem::End(end));
    }
    matches!(text, "@" | "HEAD").then_some(NameProblem::Reserved)
}

#[rustfmt::skip]
const ADJECTIVES: &[&str] = &[
    "agile", "airy", "alert", "amber", "ample", "apt", "azure", "balmy", "bold", "brave", "breezy", "bright", "brisk",
    "calm", "candid", "chief", "civil", "clear", "clever", "cosmic", "cosy", "crisp", "curly", "deft", "dewy", "eager",
    "early", "easy", "epic", "exact", "fair", "famous", "fancy", "fiery", "fine", "fleet", "fluid", "fond", "frank",
    "free", "fresh", "frosty", "gentle", "giant", "glad", "golden", "grand", "great", "handy", "happy", "hardy", "hearty",
    "honest", "humble", "icy", "ideal", "jolly", "keen", "kind", "large", "level", "light", "limber", "lively", "lucid",
    "lucky", "lunar", "mellow", "merry", "mild", "misty", "modest", "neat", "nifty", "nimble", "noble", "novel", "olive",
    "open", "patient", "plucky", "plush", "polar", "prime", "proud", "quick", "quiet", "rapid", "ready", "regal", "robust",
    "rosy", "royal", "rustic", "serene", "sharp", "shiny", "silent", "silver", "simple", "sleek", "smooth", "snug", "solar",
    "solid", "sonic", "spry", "steady", "stellar", "sturdy", "sunny", "super", "swift", "tidy", "true", "upbeat", "velvet",
    "vital", "vivid", "warm", "wise", "witty", "zesty",
];

#[rustfmt::skip]
const NOUNS: &[&str] = &[
    "acorn", "aspen", "atlas", "atom", "aurora", "badger", "basil", "beacon", "beaver", "birch", "bison", "bloom", "brook",
    "canyon", "cedar", "cello", "cherry", "cliff", "clover", "comet", "coral", "cove", "crane", "creek", "delta", "dingo",
    "dune", "eagle", "ember", "falcon", "fern", "finch", "fjord", "flute", "forest", "fox", "gecko", "geyser", "glade",
    "grove", "gull", "harbor", "hare", "harp", "hazel", "heron", "holly", "ibis", "iris", "island", "jackal", "jasper",
    "kestrel", "kiwi", "koala", "lagoon", "larch", "lark", "lemur", "lily", "llama", "lotus", "lynx", "magpie", "maple",
    "marlin", "marten", "meadow", "meteor", "moose", "moss", "nebula", "newt", "oasis", "ocean", "orbit", "orca", "orchid",
    "osprey", "otter", "panda", "pebble", "pine", "planet", "plover", "pollen", "puffin", "quail", "quartz", "quasar",
    "rabbit", "raven", "reef", "ridge", "river", "robin", "sable", "sage", "salmon", "seal", "sequoia", "sparrow", "spruce",
    "stork", "summit", "swan", "tapir", "thyme", "tiger", "toucan", "trout", "tulip", "tundra", "turtle", "valley", "violet",
    "walrus", "willow", "wombat", "wren", "yak", "zebra", "zephyr",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn says_what_is_wrong_with_a_name() {
        let problem = |text: &str| ExperimentName::parse(text).unwrap_err().problem;
        assert_eq!(problem(""), NameProblem::Empty);
        assert_eq!(problem("a/b"), NameProblem::Character('/'));
        assert_eq!(problem("a b"), NameProblem::Character(' '));
        assert_eq!(problem("a\0"), NameProblem::Character('\0'));
        assert_eq!(problem("a..b"), NameProblem::Sequence(".."));
        assert_eq!(problem("-n"), NameProblem::Start('-'));
        assert_eq!(problem("x.lock"), NameProblem::End(".lock"));
        assert_eq!(problem("@"), NameProblem::Reserved);
        assert_eq!(
            ExperimentName::parse("a/b").unwrap_err().to_string(),
            "`a/b` cannot be the name of an experiment: it must not have `/` in it"
        );
        for good in ["first", "lr=0.1,batch", "größer", "a@b", "1"] {
            assert!(ExperimentName::parse(good).is_ok(), "{good}");
        }
    }

    proptest::proptest! {
        /// What passes is a name that git takes, and of the one-part names that git takes only known ones do not pass.
        #[test]
        fn agrees_with_git(text in "\\PC{0,12}|[-a.@{~^:?*\\[/ lock]{0,12}") {
            let git = git2::Reference::is_valid_name(&format!("refs/exps/{text}"));
            let ours = ExperimentName::parse(&text).is_ok();
            if ours {
                proptest::prop_assert!(git);
            } else if git {
                proptest::prop_assert!(text.contains('/') || text.starts_with('-') || text == "@" || text == "HEAD");
            }
        }
    }

    #[test]
    fn every_word_makes_a_good_name_and_none_stands_twice() {
        for words in [ADJECTIVES, NOUNS] {
            assert!(words.len() > 100);
            assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len());
            assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())));
        }
    }

    #[test]
    fn draws_until_a_name_is_free() {
        let mut next = 0;
        let mut draw = move |below: usize| {
            next += 1;
            (next / 2) % below
        };
        let first = ExperimentName::random(&mut draw);
        let other = ExperimentName::unused(&mut draw, |name| *name != first);
        assert_ne!(first, other);
        let mut stuck = |_: usize| 0;
        let taken = [ExperimentName::random(&mut stuck), ExperimentName::parse("agile-acorn-2").unwrap()];
        let name = ExperimentName::unused(&mut stuck, |name| !taken.contains(name));
        assert_eq!(name.as_str(), "agile-acorn-3");
    }
}
