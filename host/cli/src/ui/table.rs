//! [`Table`]: rows for people, for Markdown and for CSV.

use std::fmt::Write as _;

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use super::text::visible;

/// Where the text of a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    /// Text.
    #[default]
    Left,
    /// Numbers.
    Right,
}

/// A column.
#[derive(Debug, Clone, Default)]
pub struct Column {
    /// What stands above it.
    pub title: String,
    /// Where its text stands.
    pub align: Align,
    /// How it looks on a terminal.
    pub style: Style,
    /// How many characters of a text are enough where there is no room for all, such as those of a digest.
    pub enough: Option<usize>,
}

impl Column {
    /// A column of text without colour.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }
}

/// A row.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// One a column; none where there is no value.
    pub cells: Vec<Option<String>>,
    /// How it looks on a terminal, on top of what its columns say.
    pub style: Style,
}

/// Rows under titles.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// The columns, from left to right.
    pub columns: Vec<Column>,
    /// The rows, from top to bottom; each has a cell for every column.
    pub rows: Vec<Row>,
}

/// What people see where there is no value, as in DVC's tables.
const ABSENT: &str = "-";
const GAP: &str = "  ";

impl Table {
    /// For a terminal: aligned, with rules above and below the titles and at the end. Ends with a line end.
    #[must_use]
    pub fn human(&self) -> String {
        let widths = self.widths(|cell| one_line(cell).width());
        let rule = format!(" {}", "─".repeat(ruled(&widths)));
        let mut out = format!("{rule}\n");
        self.human_line(&mut out, &widths, Style::new().bold(), |column, _| Some(column.title.as_str()));
        let _infallible = writeln!(out, "{rule}");
        for row in &self.rows {
            self.human_line(&mut out, &widths, row.style, |_, index| row.cells.get(index)?.as_deref());
        }
        let _infallible = writeln!(out, "{rule}");
        out
    }

    /// How many cells of a terminal its lines take.
    #[must_use]
    pub fn width(&self) -> usize {
        1 + ruled(&self.widths(|cell| one_line(cell).width()))
    }

    /// With texts cut to what is enough of them, when it is wider than `columns`.
    #[must_use]
    pub fn shortened_to(&self, columns: usize) -> Self {
        let mut table = self.clone();
        if table.width() <= columns {
            return table;
        }
        for (index, column) in self.columns.iter().enumerate() {
            let Some(enough) = column.enough else { continue };
            for text in table.rows.iter_mut().filter_map(|row| row.cells.get_mut(index)?.as_mut()) {
                *text = text.chars().take(enough).collect();
            }
        }
        table
    }

    /// Its first columns, as many as fit into `columns` cells, but at least one; and the titles of the others.
    #[must_use]
    pub fn narrowed_to(&self, columns: usize) -> (Self, Vec<String>) {
        let widths = self.widths(|cell| one_line(cell).width());
        let fits = |count: &usize| widths.get(..*count).map_or(0, ruled) < columns;
        let stay = (1..=widths.len()).rev().find(fits).unwrap_or(1);
        let mut table = self.clone();
        let left_out = table.columns.drain(stay.min(widths.len())..).map(|column| column.title).collect();
        table.rows.iter_mut().for_each(|row| row.cells.truncate(stay));
        (table, left_out)
    }

    fn human_line<'a>(
        &'a self,
        out: &mut String,
        widths: &[usize],
        style: Style,
        cell: impl Fn(&'a Column, usize) -> Option<&'a str>,
    ) {
        let mut line = String::new();
        for ((index, column), width) in self.columns.iter().enumerate().zip(widths) {
            let text = one_line(cell(column, index).unwrap_or(ABSENT));
            let padding = " ".repeat(width.saturating_sub(text.width()));
            let style = merged(column.style, style);
            let _infallible = match column.align {
                Align::Left => write!(line, "{GAP}{style}{text}{style:#}{padding}"),
                Align::Right => write!(line, "{GAP}{padding}{style}{text}{style:#}"),
            };
        }
        let _infallible = writeln!(out, "{}", line.trim_end());
    }

    /// For Markdown: a GitHub table with padded cells, as DVC prints it.
    #[must_use]
    pub fn markdown(&self) -> String {
        let escaped = |cell: &str| one_line(cell).replace('|', "\\|");
        let widths = self.widths(|cell| escaped(cell).width());
        let mut out = String::new();
        let line = |out: &mut String, cells: &mut dyn Iterator<Item = &str>| {
            for (cell, width) in cells.zip(&widths) {
                let cell = escaped(cell);
                let _infallible = write!(out, "| {cell}{} ", " ".repeat(width.saturating_sub(cell.width())));
            }
            out.push_str("|\n");
        };
        line(&mut out, &mut self.columns.iter().map(|column| column.title.as_str()));
        for width in &widths {
            let _infallible = write!(out, "|{}", "-".repeat(width + 2));
        }
        out.push_str("|\n");
        for row in &self.rows {
            line(&mut out, &mut row.cells.iter().map(|cell| cell.as_deref().unwrap_or(ABSENT)));
        }
        out
    }

    /// For other programs: what Python's `csv.writer` writes, with nothing where there is no value.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut out = String::new();
        csv_line(&mut out, self.columns.iter().map(|column| column.title.as_str()));
        for row in &self.rows {
            csv_line(&mut out, row.cells.iter().map(|cell| cell.as_deref().unwrap_or_default()));
        }
        out
    }

    fn widths(&self, width: impl Fn(&str) -> usize) -> Vec<usize> {
        let cells = |index: usize| self.rows.iter().filter_map(move |row| row.cells.get(index));
        let widest = |index| cells(index).map(|cell| width(cell.as_deref().unwrap_or(ABSENT))).max().unwrap_or(0);
        self.columns.iter().enumerate().map(|(index, column)| width(&column.title).max(widest(index))).collect()
    }
}

/// A cell as it is shown, in its row whatever is in it.
fn one_line(cell: &str) -> String {
    visible(cell).replace(['\n', '\t'], " ")
}

/// The length of the rule over columns of these widths.
fn ruled(widths: &[usize]) -> usize {
    widths.iter().map(|width| width + GAP.len()).sum::<usize>() + 1
}

fn merged(column: Style, row: Style) -> Style {
    let style = column.effects(column.get_effects() | row.get_effects());
    style.fg_color(row.get_fg_color().or(column.get_fg_color()))
}

/// RFC 4180 line ends and the quoting of Python's `QUOTE_MINIMAL`.
fn csv_line<'a>(out: &mut String, cells: impl ExactSizeIterator<Item = &'a str>) {
    let alone = cells.len() == 1;
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            out.push(',');
        }
        if cell.contains([',', '"', '\r', '\n']) || (alone && cell.is_empty()) {
            let _infallible = write!(out, "\"{}\"", cell.replace('"', "\"\""));
        } else {
            out.push_str(cell);
        }
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let number = Column { align: Align::Right, ..Column::new("lr") };
        let row = |cells: [Option<&str>; 2]| Row {
            cells: cells.map(|cell| cell.map(str::to_owned)).to_vec(),
            style: Style::new(),
        };
        Table {
            columns: vec![Column::new("Experiment"), number],
            rows: vec![row([Some("wörk 漢"), Some("0.001")]), row([Some("a|b,\"c\""), None])],
        }
    }

    #[test]
    fn a_table_that_is_too_wide_is_shortened_and_then_loses_its_last_columns() {
        let mut table = table();
        table.columns.push(Column { enough: Some(3), ..Column::new("d") });
        table.rows.iter_mut().for_each(|row| row.cells.push(Some("0123456789".to_owned())));
        let wide = table.width();
        assert_eq!(
            table.human().lines().map(|line| anstream::adapter::strip_str(line).to_string().width()).max(),
            Some(wide)
        );
        assert_eq!(table.shortened_to(wide).width(), wide);
        let short = table.shortened_to(wide - 1);
        assert_eq!((short.width(), short.rows[0].cells[2].as_deref()), (wide - 7, Some("012")));
        assert_eq!(short.narrowed_to(wide - 7).1, Vec::<String>::new());
        let (narrow, left_out) = short.narrowed_to(wide - 8);
        assert_eq!((narrow.columns.len(), left_out), (2, vec!["d".to_owned()]));
        assert!(narrow.width() <= wide - 8 && narrow.rows.iter().all(|row| row.cells.len() == 2));
        assert_eq!(short.narrowed_to(1).0.columns.len(), 1, "what the rows are about is never left out");
    }

    #[test]
    fn people_see_aligned_columns() {
        let text = anstream::adapter::strip_str(&table().human()).to_string();
        let rule = format!(" {}", "─".repeat(20));
        assert_eq!(
            text,
            format!("{rule}\n  Experiment     lr\n{rule}\n  wörk 漢     0.001\n  a|b,\"c\"         -\n{rule}\n")
        );
    }

    #[test]
    fn markdown_escapes_bars() {
        insta::assert_snapshot!(table().markdown(), @r#"
        | Experiment | lr    |
        |------------|-------|
        | wörk 漢    | 0.001 |
        | a\|b,"c"   | -     |
        "#);
    }

    #[test]
    fn csv_is_that_of_python() {
        assert_eq!(table().csv(), "Experiment,lr\r\nwörk 漢,0.001\r\n\"a|b,\"\"c\"\"\",\r\n");
        let single = Table { columns: vec![Column::new("")], rows: vec![] };
        assert_eq!(single.csv(), "\"\"\r\n");
    }

    #[test]
    fn a_cell_cannot_steer_the_terminal() {
        let table = Table { columns: vec![Column::new("\u{1b}[31mred")], rows: vec![] };
        assert!(table.human().contains("\\u{1b}[31mred"));
    }
}
