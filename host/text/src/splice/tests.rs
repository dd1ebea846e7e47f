use super::*;

#[test]
fn splices_are_made_at_once_and_in_order() {
    let splices = vec![
        Splice::insert(3, "c"),
        Splice::replace(Span::new(0, 1), "A"),
        Splice::insert(3, "d"),
        Splice::delete(1, 2),
    ];
    assert_eq!(apply("abcé", splices).expect("valid"), "Accdé");
}

#[test]
fn overlaps_and_cut_characters_are_refused() {
    for splices in
        [vec![Splice::delete(0, 2), Splice::delete(1, 3)], vec![Splice::delete(3, 4)], vec![Splice::delete(9, 9)]]
    {
        assert_eq!(apply("abcé", splices).expect_err("refused").code, "edit-went-wrong");
    }
}

#[test]
fn lines_are_found() {
    let source = "\u{feff}a\r\n  bc\r\n";
    assert_eq!(line_ending(source), "\r\n");
    assert_eq!((line_start(source, 4), line_end(source, 3), after_line(source, 3)), (3, 4, 6));
    assert_eq!((line_before(source, 8), indentation(source, 9)), (4, "  "));
    assert!(begins_line(source, 8) && !begins_line(source, 9));
}

/// Members as `add_member` and `remove_member` need them: one a word.
fn words(source: &str) -> (Span, Vec<Span>) {
    let mut members = Vec::new();
    let mut start = None;
    for (at, c) in source.char_indices() {
        match (start, c.is_ascii_digit()) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                members.push(Span::new(from, at));
                start = None;
            }
            _ => {}
        }
    }
    (Span::new(source.find('[').expect("["), source.rfind(']').expect("]") + 1), members)
}

#[test]
fn members_are_added_in_the_containers_layout() {
    for (source, wanted) in [
        ("[]", "[9]"),
        ("[ ]", "[9]"),
        ("[1, 2]", "[1, 2, 9]"),
        ("[1,2]", "[1,2,9]"),
        ("[1, 2, ]", "[1, 2, 9, ]"),
        ("[\n    1,\n    2\n]", "[\n    1,\n    2,\n    9\n]"),
        ("[\n    1,\n    2,\n]", "[\n    1,\n    2,\n    9,\n]"),
        ("[\n    1  # a\n]", "[\n    1,  # a\n    9\n]"),
        ("[1,\n 2]", "[1,\n 2,\n 9]"),
        ("[\r\n  1\r\n]", "[\r\n  1,\r\n  9\r\n]"),
        ("[\n  # a\n]", "[\n  # a\n  9\n]"),
    ] {
        let (container, members) = words(source);
        assert_eq!(apply(source, add_member(source, container, &members, "9")).expect("valid"), wanted, "{source:?}");
    }
}

#[test]
fn members_are_removed_with_comma_and_line() {
    for (source, index, wanted) in [
        ("[1]", 0, "[]"),
        ("[ 1, ]", 0, "[]"),
        ("[1, 2, 3]", 0, "[2, 3]"),
        ("[1, 2, 3]", 1, "[1, 3]"),
        ("[1, 2, 3]", 2, "[1, 2]"),
        ("[1, 2,]", 1, "[1,]"),
        ("[\n  1,\n  2,\n  3\n]", 1, "[\n  1,\n  3\n]"),
        ("[\n  1,\n  2,\n  3\n]", 2, "[\n  1,\n  2\n]"),
        ("[\n  1,\n  2,\n]", 1, "[\n  1,\n]"),
        ("[1,\n 2]", 1, "[1]"),
    ] {
        let (container, members) = words(source);
        assert_eq!(
            apply(source, remove_member(source, container, &members, index)).expect("valid"),
            wanted,
            "{source:?}"
        );
    }
}
