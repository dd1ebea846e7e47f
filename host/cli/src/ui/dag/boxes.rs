//! Boxes and the lines between them, in characters that every terminal and every file has.
//!
//! Between two rows of boxes each node's wire runs along one line of its own and drops into what reads it; no two wires share a
//! corner, so that a line can be followed: `+` is a corner or a branch of one wire, `|` in a horizontal line is another that
//! crosses it.
#![expect(
    clippy::indexing_slicing,
    reason = "vertices are dense numbers that `Layers` gives out, cells are inside the canvas"
)]

use std::collections::{BTreeMap, BTreeSet};

use dewar_core::dag::Dag;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::columns::{columns, rising};
use super::layers::{Kind, Layers};
use super::on_one_line;

/// Rows of a box.
const HEIGHT: usize = 3;
/// Columns that a passing wire takes, so that it can step aside.
const WIRE: usize = 3;
/// Columns that stay free between two wires on one line, so that a third one between them joins none.
const CLEAR: usize = 2;
/// How many characters are worth printing.
const MOST: usize = 16_000_000;
/// How many wires between two rows are put in their best order.
const SORTED: usize = 300;

/// The graph as boxes, one pipeline below the other; none when it is too large for that.
#[must_use]
pub fn boxes(dag: &Dag) -> Option<String> {
    let parts: Option<Vec<String>> = dag.pipelines().iter().map(pipeline).collect();
    parts.map(|parts| parts.concat()).filter(|text| text.len() <= MOST)
}

fn pipeline(dag: &Dag) -> Option<String> {
    let labels: Vec<String> = dag.nodes().map(|node| on_one_line(&node.label)).collect();
    draw(&labels, dag.edges()).map(|canvas| canvas.to_text())
}

fn draw(labels: &[String], edges: impl Iterator<Item = (usize, usize)>) -> Option<Canvas> {
    let layers = Layers::of(labels.len(), edges)?;
    let width = |(vertex, kind): (usize, &Kind)| match kind {
        // Room for one line from each that it reads, and for stepping aside.
        Kind::Node(node) => (labels[*node].width() + 4).max(2 * layers.above[vertex].len() + 3),
        Kind::Wire => WIRE,
    };
    let widths: Vec<usize> = layers.kinds.iter().enumerate().map(width).collect();
    let lefts = columns(&layers, &widths);
    let gaps: Vec<Gap> = layers.rows.iter().skip(1).map(|row| Gap::above(row, &layers, &lefts, &widths)).collect();
    let height: usize = layers.rows.len() * HEIGHT + gaps.iter().map(Gap::height).sum::<usize>();
    let width = lefts.iter().zip(&widths).map(|(left, width)| left + width).max()?;
    if width.saturating_mul(height) > MOST {
        return None;
    }
    let mut canvas = Canvas { rows: vec![vec![Cell::Empty; width]; height] };
    let mut top = 0;
    for (at, row) in layers.rows.iter().enumerate() {
        let gap = at.checked_sub(1).map(|before| &gaps[before]);
        if let Some(gap) = gap {
            gap.draw(&mut canvas, top);
            top += gap.height();
        }
        for vertex in row {
            let (left, width) = (lefts[*vertex], widths[*vertex]);
            match layers.kinds[*vertex] {
                Kind::Node(node) => canvas.frame(top, left, width, &labels[node]),
                Kind::Wire => {
                    let into = gap.and_then(|gap| gap.port_of(*vertex)).unwrap_or(left + width / 2);
                    canvas.pass(top, into, left + width / 2, *vertex);
                }
            }
        }
        top += HEIGHT;
    }
    Some(canvas)
}

/// The lines between two rows.
struct Gap {
    wires: Vec<Wire>,
    /// How many lines are needed for what runs horizontally.
    tracks: usize,
}

/// The line from one vertex to those below that read it.
struct Wire {
    from: usize,
    /// The column in which it leaves.
    out: usize,
    /// What it leads to, and the columns in which it gets there.
    into: Vec<(usize, usize)>,
    /// On which line it runs; none when it only drops.
    track: Option<usize>,
}

impl Wire {
    fn ends(&self) -> (usize, usize) {
        let columns = || self.into.iter().map(|(_, column)| *column).chain([self.out]);
        (columns().min().unwrap_or_default(), columns().max().unwrap_or_default())
    }

    /// How often it crosses `other` when it runs above it.
    fn crossings_above(&self, other: &Self) -> usize {
        let inside = |(first, last): (usize, usize), column: usize| first < column && column < last;
        let drops = self.into.iter().filter(|(_, column)| inside(other.ends(), *column)).count();
        drops + usize::from(inside(self.ends(), other.out))
    }

    fn overlaps(&self, other: &Self) -> bool {
        let ((a, b), (c, d)) = (self.ends(), other.ends());
        a <= d + CLEAR && c <= b + CLEAR
    }
}

impl Gap {
    /// The lines that lead to a row.
    fn above(row: &[usize], layers: &Layers, lefts: &[usize], widths: &[usize]) -> Self {
        let out = |vertex: usize| lefts[vertex] + widths[vertex] / 2;
        let sources: BTreeSet<usize> = row.iter().flat_map(|vertex| &layers.above[*vertex]).copied().collect();
        let taken: BTreeSet<usize> = sources.iter().map(|source| out(*source)).collect();
        let mut into: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
        for vertex in row {
            let mut reads = layers.above[*vertex].clone();
            reads.sort_by_key(|source| out(*source));
            let inside = match layers.kinds[*vertex] {
                Kind::Node(_) => (lefts[*vertex] + 1, lefts[*vertex] + widths[*vertex] - 2),
                Kind::Wire => (lefts[*vertex], lefts[*vertex] + widths[*vertex] - 1),
            };
            let wanted: Vec<usize> = reads.iter().map(|source| out(*source)).collect();
            for (source, column) in reads.iter().zip(ports(&wanted, inside, &taken)) {
                into.entry(*source).or_default().push((*vertex, column));
            }
        }
        let wire = |(from, into)| Wire { from, out: out(from), into, track: None };
        let mut gap = Self { wires: into.into_iter().map(wire).collect(), tracks: 0 };
        gap.assign_tracks();
        gap
    }

    /// Orders the wires so that few cross, and puts each on the first line below those it would meet.
    fn assign_tracks(&mut self) {
        let mut bent: Vec<usize> =
            (0..self.wires.len()).filter(|at| self.wires[*at].ends().0 < self.wires[*at].ends().1).collect();
        bent.sort_by_key(|at| self.wires[*at].ends());
        let better = |upper: usize, lower: usize| {
            let (upper, lower) = (&self.wires[upper], &self.wires[lower]);
            lower.crossings_above(upper) < upper.crossings_above(lower)
        };
        let mut swapped = bent.len() <= SORTED;
        // Each swap takes crossings away, so this ends; the bound is for large graphs.
        for _ in 0..bent.len() {
            if !std::mem::take(&mut swapped) {
                break;
            }
            for at in 1..bent.len() {
                if better(bent[at - 1], bent[at]) {
                    bent.swap(at - 1, at);
                    swapped = true;
                }
            }
        }
        for (place, at) in bent.iter().enumerate() {
            let before = bent[..place].iter().map(|before| &self.wires[*before]);
            let met = before.filter(|before| before.overlaps(&self.wires[*at])).filter_map(|before| before.track);
            let track = met.max().map_or(0, |track| track + 1);
            self.wires[*at].track = Some(track);
            self.tracks = self.tracks.max(track + 1);
        }
    }

    /// Lines of text: one to drop, or one above and one below what runs horizontally.
    const fn height(&self) -> usize {
        if self.tracks == 0 { 1 } else { self.tracks + 2 }
    }

    fn port_of(&self, vertex: usize) -> Option<usize> {
        self.wires.iter().flat_map(|wire| &wire.into).find(|(to, _)| *to == vertex).map(|(_, column)| *column)
    }

    fn draw(&self, canvas: &mut Canvas, top: usize) {
        let bottom = top + self.height() - 1;
        for wire in &self.wires {
            let track = wire.track.map(|track| top + 1 + track);
            canvas.vertical(wire.from, wire.out, (top, track.unwrap_or(bottom)), (true, track.is_none()));
            let Some(track) = track else { continue };
            let (first, last) = wire.ends();
            canvas.horizontal(wire.from, track, first, last);
            for (_, column) in &wire.into {
                canvas.vertical(wire.from, *column, (track, bottom), (false, true));
            }
        }
    }
}

/// The columns in which lines get into a box: in order, each as near as can be to the one `wanted`, which is where the line
/// comes from, and never below where another line comes from (`taken`), so that no two lines stand in one column.
fn ports(wanted: &[usize], inside: (usize, usize), taken: &BTreeSet<usize>) -> Vec<usize> {
    let (first, last) = inside;
    let spread = 2 * wanted.len().saturating_sub(1);
    let room = last.saturating_sub(spread).max(first);
    let straight = |(at, column): (usize, &usize)| (column.saturating_sub(2 * at).clamp(first, room) as f64, 1.0);
    let near = match wanted {
        // One line gets in at the middle, unless it can fall straight.
        [one] if !(first..=last).contains(one) => vec![usize::midpoint(first, last)],
        _ => {
            let bases = rising(&wanted.iter().enumerate().map(straight).collect::<Vec<_>>());
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "means of columns")]
            bases.iter().enumerate().map(|(at, base)| base.round() as usize + 2 * at).collect()
        }
    };
    let mut used = BTreeSet::new();
    let mut free = |column: usize, own: usize| {
        let is_free =
            |at: &usize| (first..=last).contains(at) && !used.contains(at) && (*at == own || !taken.contains(at));
        let sides = (0..=last - first).flat_map(|step| [Some(column + step), column.checked_sub(step)]);
        let found = sides.flatten().find(is_free).unwrap_or(column);
        used.insert(found);
        found
    };
    near.into_iter().zip(wanted).map(|(column, own)| free(column, *own)).collect()
}

/// Where a line of a wire leaves a cell.
const UP: u8 = 1;
const DOWN: u8 = 2;
const ASIDE: u8 = 4;

#[derive(Clone, Copy)]
enum Cell {
    Empty,
    Char(char),
    /// Behind a character that is two columns wide.
    Covered,
    /// A part of the wire of a vertex.
    Line {
        of: usize,
        ways: u8,
    },
    /// Two wires cross.
    Crossing,
}

struct Canvas {
    rows: Vec<Vec<Cell>>,
}

impl Canvas {
    fn frame(&mut self, top: usize, left: usize, width: usize, label: &str) {
        let edge = format!("+{}+", "-".repeat(width - 2));
        self.text(top, left, &edge);
        self.text(top + 2, left, &edge);
        self.text(top + 1, left, "|");
        self.text(top + 1, left + (width - label.width()) / 2, label);
        self.text(top + 1, left + width - 1, "|");
    }

    fn text(&mut self, row: usize, left: usize, text: &str) {
        let mut column = left;
        for c in text.chars() {
            let width = c.width().unwrap_or_default();
            // What takes no column of its own cannot stand in a cell.
            if width == 0 {
                continue;
            }
            self.rows[row][column] = Cell::Char(c);
            if width == 2 {
                self.rows[row][column + 1] = Cell::Covered;
            }
            column += width;
        }
    }

    /// A wire on its way through a row of boxes; it may have to step aside.
    fn pass(&mut self, top: usize, into: usize, out: usize, of: usize) {
        if into == out {
            return self.vertical(of, out, (top, top + HEIGHT - 1), (true, true));
        }
        self.vertical(of, into, (top, top + 1), (true, false));
        self.horizontal(of, top + 1, into.min(out), into.max(out));
        self.vertical(of, out, (top + 1, top + HEIGHT - 1), (false, true));
    }

    /// A line down `column`; `open` says whether it goes on beyond its first and its last row.
    fn vertical(&mut self, of: usize, column: usize, rows: (usize, usize), open: (bool, bool)) {
        let (first, last) = rows;
        for row in first..=last {
            let up = if row > first || open.0 { UP } else { 0 };
            let down = if row < last || open.1 { DOWN } else { 0 };
            self.line(row, column, of, up | down);
        }
    }

    fn horizontal(&mut self, of: usize, row: usize, first: usize, last: usize) {
        (first..=last).for_each(|column| self.line(row, column, of, ASIDE));
    }

    fn line(&mut self, row: usize, column: usize, of: usize, ways: u8) {
        let cell = &mut self.rows[row][column];
        *cell = match *cell {
            Cell::Line { of: other, ways: old } if other == of => Cell::Line { of, ways: old | ways },
            Cell::Line { .. } | Cell::Crossing => Cell::Crossing,
            Cell::Empty | Cell::Char(_) | Cell::Covered => Cell::Line { of, ways },
        };
    }

    fn to_text(&self) -> String {
        let mut out = String::new();
        for row in &self.rows {
            let line: String = row
                .iter()
                .filter_map(|cell| match cell {
                    Cell::Empty => Some(' '),
                    Cell::Char(c) => Some(*c),
                    Cell::Covered => None,
                    Cell::Line { ways: ASIDE, .. } => Some('-'),
                    Cell::Line { ways, .. } if ways & ASIDE != 0 => Some('+'),
                    Cell::Line { .. } | Cell::Crossing => Some('|'),
                })
                .collect();
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests;
