//! How two commands differ, line by line, with what a long line has in common left out.

use dewar_core::pipeline::Command;

/// A line longer than this is shown around what differs.
const LONG: usize = 100;
/// How much of what is equal is shown beside what differs.
const MARGIN: usize = 24;

/// The lines that are gone, marked `-`, and those that came, marked `+`.
pub(super) fn difference(old: &Command, new: &Command) -> Vec<String> {
    let (old, new) = (lines(old), lines(new));
    let (before, after) = common(&old, &new);
    let gone = old.get(before..old.len() - after).unwrap_or_default();
    let came = new.get(before..new.len() - after).unwrap_or_default();
    if let ([gone], [came]) = (gone, came) {
        let (gone, came) = shortened(gone, came);
        return vec![format!("- {gone}"), format!("+ {came}")];
    }
    let marked = |mark: char| move |line: &String| format!("{mark} {line}");
    gone.iter().map(marked('-')).chain(came.iter().map(marked('+'))).collect()
}

fn lines(command: &Command) -> Vec<String> {
    command.shell_texts().iter().flat_map(|text| text.lines()).map(str::to_owned).collect()
}

/// How many items are equal at the beginning, and how many of the rest at the end.
fn common<T: PartialEq>(old: &[T], new: &[T]) -> (usize, usize) {
    let before = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let room = old.len().min(new.len()) - before;
    let after = old.iter().rev().zip(new.iter().rev()).take(room).take_while(|(a, b)| a == b).count();
    (before, after)
}

fn shortened(old: &str, new: &str) -> (String, String) {
    let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
    let (before, after) = common(&old, &new);
    let cut = |line: &[char]| {
        if line.len() <= LONG {
            return line.iter().collect();
        }
        let start = before.saturating_sub(MARGIN);
        let end = (line.len() - after + MARGIN).min(line.len());
        let shown: String = line.get(start..end).unwrap_or_default().iter().collect();
        let (left, right) = (if start > 0 { "…" } else { "" }, if end < line.len() { "…" } else { "" });
        format!("{left}{shown}{right}")
    };
    (cut(&old), cut(&new))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Command {
        Command::Text(text.into())
    }

    #[test]
    fn only_what_differs_is_shown() {
        let old = Command::List(vec!["setup".into(), "train --lr 1".into(), "clean".into()]);
        let new = Command::List(vec!["setup".into(), "train --lr 2".into(), "clean".into()]);
        assert_eq!(difference(&old, &new), ["- train --lr 1", "+ train --lr 2"]);
        assert_eq!(difference(&text("a"), &text("a\nb")), ["+ b"]);
        assert_eq!(difference(&text("a\nb\nc"), &text("c")), ["- a", "- b"]);
        assert_eq!(difference(&text("x x"), &text("x x x")), ["- x x", "+ x x x"]);
    }

    #[test]
    fn a_long_line_is_cut_around_what_differs() {
        let long = |lr: &str| text(&format!("{}--lr {lr} {}", "é".repeat(200), "z".repeat(200)));
        let lines = difference(&long("0.1"), &long("0.25"));
        assert!(lines.iter().all(|line| line.chars().count() < 70 && line.contains("é--lr 0.")), "{lines:?}");
        assert!(lines[1].starts_with("+ …") && lines[1].ends_with('…') && lines[1].contains("0.25 z"));
    }
}
