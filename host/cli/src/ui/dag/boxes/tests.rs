use proptest::prelude::*;

use super::*;

fn text(labels: &[&str], edges: &[(usize, usize)]) -> String {
    let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
    draw(&labels, edges.iter().copied()).unwrap().to_text()
}

#[test]
fn a_chain_falls_straight() {
    insta::assert_snapshot!(text(&["prepare", "train", "evaluate"], &[(0, 1), (1, 2)]), @r"
    +---------+
    | prepare |
    +---------+
         |
     +-------+
     | train |
     +-------+
         |
    +----------+
    | evaluate |
    +----------+
    ");
}

#[test]
fn a_diamond_and_a_wide_name() {
    insta::assert_snapshot!(text(&["a", "left", "漢字", "join"], &[(0, 1), (0, 2), (1, 3), (2, 3)]), @r"
          +---+
          | a |
          +---+
            |
       +----+----+
       |         |
    +------+  +------+
    | left |  | 漢字 |
    +------+  +------+
        |         |
        +-+    +--+
          |    |
         +------+
         | join |
         +------+
    ");
}

#[test]
fn a_line_passes_boxes_and_lines_cross() {
    let labels = ["raw.csv.dvc", "split", "m@1", "m@2", "z", "report"];
    insta::assert_snapshot!(text(&labels, &[(0, 1), (1, 2), (1, 3), (2, 4), (3, 4), (0, 4), (1, 5), (4, 5)]), @r"
                   +-------------+
                   | raw.csv.dvc |
                   +-------------+
                          |
                    +-----+-+
                    |       |
                +-------+   |
                | split |   |
                +-------+   |
                    |       |
       +--------+---+-------|+
       |        |      +----+|
       |        |      |     |
    +-----+  +-----+   |     |
    | m@1 |  | m@2 |   |    ++
    +-----+  +-----+   |    |
       |        |      |    |
       +-----+  |  +---+    |
             |  |  |        |
            +-------+       |
            |   z   |       |
            +-------+       |
                |           |
                +-+      +--+
                  |      |
                 +--------+
                 | report |
                 +--------+
    ");
}

/// What a reader sees who follows the lines with a finger, from the bottom of each box down and never up.
fn read(canvas: &Canvas) -> BTreeSet<(String, String)> {
    let text = canvas.to_text();
    let rows: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
    let at = |row: usize, column: usize| rows.get(row).and_then(|row| row.get(column)).copied().unwrap_or(' ');
    let is_box =
        |row: usize, column: usize| matches!(canvas.rows.get(row).and_then(|row| row.get(column)), Some(Cell::Char(_)));
    let is_line = |row: usize, column: usize| !is_box(row, column) && at(row, column) != ' ';
    let label = |row: usize, column: usize| {
        let inside = |column: &usize| at(row, *column) != '|';
        let left: Vec<char> = (0..column).rev().take_while(inside).map(|column| at(row, column)).collect();
        let right = (column..).take_while(inside).map(|column| at(row, column));
        left.into_iter().rev().chain(right).collect::<String>().trim().to_owned()
    };
    let mut edges = BTreeSet::new();
    for row in 1..rows.len() {
        for column in 0..canvas.rows[row].len() {
            if !is_line(row, column) || !is_box(row - 1, column) {
                continue;
            }
            let from = label(row - 2, column);
            // Row, column, and the step that led there.
            let mut waiting = vec![(row, column, (1_isize, 0_isize))];
            let mut seen = BTreeSet::new();
            while let Some((row, column, step)) = waiting.pop() {
                if !seen.insert((row, column, step)) {
                    continue;
                }
                if is_box(row, column) {
                    // A box is entered from above alone.
                    if step.0 == 1 {
                        edges.insert((from.clone(), label(row + 1, column)));
                    }
                    continue;
                }
                let steps: &[(isize, isize)] = match (at(row, column), step.0) {
                    ('|', 1) => &[(1, 0)],
                    ('-' | '|', 0) => &[(0, step.1)],
                    ('+', 1) => &[(1, 0), (0, -1), (0, 1)],
                    ('+', 0) => &[(1, 0), (0, step.1)],
                    _ => &[],
                };
                for (down, aside) in steps {
                    let (row, column) = (row.wrapping_add_signed(*down), column.wrapping_add_signed(*aside));
                    if is_line(row, column) || (*down == 1 && is_box(row, column)) {
                        waiting.push((row, column, (*down, *aside)));
                    }
                }
            }
        }
    }
    edges
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    /// The lines of any graph lead from each box to those that read it and to no others.
    #[test]
    fn the_lines_can_be_followed(
        lengths in prop::collection::vec(0usize..12, 1..14),
        pairs in prop::collection::vec((0usize..14, 0usize..14), 0..30),
    ) {
        let labels: Vec<String> = lengths.iter().enumerate().map(|(at, length)| format!("n{at}{}", "x".repeat(*length))).collect();
        let edges: BTreeSet<(usize, usize)> =
            pairs.into_iter().filter(|(from, to)| from < to && *to < labels.len()).collect();
        let canvas = draw(&labels, edges.iter().copied()).unwrap();
        let wanted: BTreeSet<(String, String)> =
            edges.iter().map(|(from, to)| (labels[*from].clone(), labels[*to].clone())).collect();
        prop_assert_eq!(read(&canvas), wanted, "\n{}", canvas.to_text());
        let text = canvas.to_text();
        let all_once = labels.iter().all(|label| text.matches(&format!(" {label} ")).count() == 1);
        prop_assert!(all_once, "\n{}", text);
    }
}
