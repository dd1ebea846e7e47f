//! Words for people: the one that a mistyped one most looks like, and those of others as they may be shown. No step of the walk.

/// What is said of a word that may be meant.
#[must_use]
pub fn did_you_mean(similar: &str) -> String {
    format!("did you mean `{similar}`?")
}

/// A text that others wrote, for a message: what would move the cursor or change colours is shown as U+FFFD.
#[must_use]
pub fn visible(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// The candidate nearest to `word`, if one is near enough to be meant (at most a third of its letters differ).
#[must_use]
pub fn most_similar<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = word.chars().count();
    let limit = (letters / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        // One letter is like every other one.
        .filter(|(distance, _)| *distance <= limit && *distance < letters)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edits (insert, delete, replace, swap of neighbours) between two words: optimal string alignment.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (i, ca) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&row, j) + usize::from(ca != *cb);
            let mut best = replaced.min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            if j > 0 && previous == Some(*cb) && b.get(j - 1) == Some(&ca) {
                best = best.min(at(&before, j - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
        previous = Some(ca);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        assert_eq!(most_similar("trian", ["train", "test"]), Some("train"));
        assert_eq!(most_similar("zz", ["train", "test"]), None);
        assert_eq!((most_similar("r", ["s"]), most_similar("r", ["r"])), (None, Some("r")));
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("ab", "ba"), 1);
    }
}
