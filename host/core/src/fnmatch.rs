//! [`Pattern`]: names by Python's `fnmatch`, which DVC means by `--glob` and in the keys of parameters.

/// A pattern: `*` is any text, `?` any character, `[a-z]` one of these, `[!a-z]` any other. Case matters.
#[derive(Debug)]
pub(crate) struct Pattern(Vec<Part>);

#[derive(Debug)]
enum Part {
    Any,
    One(Set),
}

/// Which characters fit.
#[derive(Debug)]
struct Set {
    /// From the first to the second, both included.
    ranges: Vec<(char, char)>,
    /// Whether those in the ranges fit, or the others.
    fits_inside: bool,
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            parts.push(match c {
                '*' => Part::Any,
                '?' => Part::One(Set { ranges: Vec::new(), fits_inside: false }),
                '[' => match Set::parse(rest.as_str()) {
                    Some((set, behind)) => {
                        rest = behind.chars();
                        Part::One(set)
                    }
                    None => Part::One(Set::of('[')),
                },
                c => Part::One(Set::of(c)),
            });
        }
        Self(parts)
    }

    /// Whether all of `name` fits. After a mismatch only the last `*` takes one character more, so that the time is at most the
    /// product of the lengths.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let (mut parts, mut rest) = (self.0.as_slice(), name.chars());
        let mut retry = None;
        loop {
            let mut taken = rest.clone();
            match (parts.split_first(), taken.next()) {
                (Some((Part::Any, after)), _) => {
                    parts = after;
                    retry = Some((after, rest.clone()));
                    continue;
                }
                (Some((Part::One(set), after)), Some(c)) if set.has(c) => {
                    (parts, rest) = (after, taken);
                    continue;
                }
                (None, None) => return true,
                _ => {}
            }
            let Some((after, from)) = &mut retry else { return false };
            if from.next().is_none() {
                return false;
            }
            (parts, rest) = (after, from.clone());
        }
    }
}

impl Set {
    fn of(c: char) -> Self {
        Self { ranges: vec![(c, c)], fits_inside: true }
    }

    /// Reads what stands behind `[`; none when no `]` ends it. A `]` that comes first is meant.
    fn parse(text: &str) -> Option<(Self, &str)> {
        let (fits_inside, text) = text.strip_prefix('!').map_or((true, text), |text| (false, text));
        let end = text.char_indices().skip(1).find(|(_, c)| *c == ']').map(|(at, _)| at)?;
        let (inside, behind) = text.split_at_checked(end)?;
        let mut ranges = Vec::new();
        let mut chars = inside.chars();
        while let Some(first) = chars.next() {
            let mut ahead = chars.clone();
            match (ahead.next(), ahead.next()) {
                (Some('-'), Some(last)) => {
                    ranges.push((first, last));
                    chars = ahead;
                }
                _ => ranges.push((first, first)),
            }
        }
        Some((Self { ranges, fits_inside }, behind.strip_prefix(']')?))
    }

    fn has(&self, c: char) -> bool {
        self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&c)) == self.fits_inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected answers come from `fnmatch.fnmatchcase` of CPython.
    #[test]
    fn patterns_are_those_of_fnmatch() {
        for (pattern, name, expected) in [
            ("train@*", "train@a", true),
            ("train@*", "train", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?", "é", true),
            ("??", "a", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[!a-c]x", "dx", true),
            ("[]]", "]", true),
            ("[!]]", "]", false),
            ("[a-]", "-", true),
            ("[z-a]", "b", false),
            ("[abc", "[abc", true),
            ("a[b", "ab", false),
            ("A", "a", false),
            ("{a,b}", "{a,b}", true),
        ] {
            assert_eq!(Pattern::new(pattern).matches(name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = Pattern::new(&"*a".repeat(200));
        assert!(!pattern.matches(&"a".repeat(199)));
        assert!(!pattern.matches(&format!("{}b", "a".repeat(5000))));
    }
}
