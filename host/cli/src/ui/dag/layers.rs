//! [`Layers`]: which node stands in which row, and in what order: everything above what needs it, few lines crossing.
//!
//! The usual way (Sugiyama, Tagawa and Toda 1981): rows by longest path, a vertex in every row that a line passes, order by the
//! mean place of neighbours, over and over. All lines that leave a node are one wire, which branches where it is read.
#![expect(clippy::indexing_slicing, reason = "vertices are dense numbers that this module gives out itself")]

use std::collections::BTreeSet;

/// What stands in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The node of this number.
    Node(usize),
    /// A wire that passes on its way to a row below.
    Wire,
}

/// Nodes and wires in rows. Vertices are numbered: first the nodes, then the wires.
#[derive(Debug, Default)]
pub(super) struct Layers {
    /// What each vertex is.
    pub(super) kinds: Vec<Kind>,
    /// The vertices of each row, from left to right.
    pub(super) rows: Vec<Vec<usize>>,
    /// The vertices of the row above that lead to a vertex.
    pub(super) above: Vec<Vec<usize>>,
    /// The vertices of the row below that a vertex leads to.
    pub(super) below: Vec<Vec<usize>>,
}

/// How often the rows are put in order. Large graphs get fewer rounds: nobody sees the difference there.
const ROUNDS: usize = 24;
const ROUNDS_OF_LARGE: usize = 4;
const LARGE: usize = 20_000;
/// How many vertices are worth drawing at all.
const MOST: usize = 200_000;

impl Layers {
    /// The rows of a graph of `count` nodes; none when it is too large to be drawn.
    pub(super) fn of(count: usize, edges: impl Iterator<Item = (usize, usize)>) -> Option<Self> {
        let edges: BTreeSet<(usize, usize)> = edges.filter(|(from, to)| from != to).collect();
        let (edges, order) = without_circles(count, &edges);
        let row_of = rows(count, &edges, &order);
        let mut layers = Self {
            kinds: (0..count).map(Kind::Node).collect(),
            rows: vec![Vec::new(); row_of.iter().max().map_or(0, |last| last + 1)],
            above: vec![Vec::new(); count],
            below: vec![Vec::new(); count],
        };
        for node in order {
            layers.rows[row_of[node]].push(node);
        }
        let mut at = 0;
        while at < edges.len() {
            let from = edges[at].0;
            let end = at + edges[at..].iter().take_while(|edge| edge.0 == from).count();
            layers.connect(from, &edges[at..end], &row_of)?;
            at = end;
        }
        layers.sort();
        Some(layers)
    }

    /// The wire from a node to all that read it.
    fn connect(&mut self, from: usize, edges: &[(usize, usize)], row_of: &[usize]) -> Option<()> {
        let last = edges.iter().map(|(_, to)| row_of[*to]).max()?;
        let mut end = from;
        for row in row_of[from] + 1..=last {
            for (_, to) in edges.iter().filter(|(_, to)| row_of[*to] == row) {
                self.link(end, *to);
            }
            if row < last {
                let wire = self.kinds.len();
                if wire >= MOST {
                    return None;
                }
                self.kinds.push(Kind::Wire);
                self.above.push(Vec::new());
                self.below.push(Vec::new());
                self.rows[row].push(wire);
                self.link(end, wire);
                end = wire;
            }
        }
        Some(())
    }

    fn link(&mut self, upper: usize, lower: usize) {
        self.below[upper].push(lower);
        self.above[lower].push(upper);
    }

    /// Puts the rows in the order with the fewest crossings that was seen.
    fn sort(&mut self) {
        let rounds = if self.kinds.len() > LARGE { ROUNDS_OF_LARGE } else { ROUNDS };
        let mut place = vec![0; self.kinds.len()];
        let mut best = (self.crossings(&mut place), self.rows.clone());
        for round in 0..rounds {
            if best.0 == 0 {
                break;
            }
            let (downwards, count) = (round % 2 == 0, self.rows.len());
            for step in 1..count {
                let row = if downwards { step } else { count - 1 - step };
                let neighbours = if downwards { &self.above } else { &self.below };
                let mean = |vertex: usize| {
                    let places: Vec<usize> = neighbours[vertex].iter().map(|near| place[*near]).collect();
                    if places.is_empty() {
                        place[vertex] as f64
                    } else {
                        places.iter().sum::<usize>() as f64 / places.len() as f64
                    }
                };
                let mut keyed: Vec<(f64, usize)> =
                    self.rows[row].iter().map(|vertex| (mean(*vertex), *vertex)).collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                self.rows[row] = keyed.into_iter().map(|(_, vertex)| vertex).collect();
                for (at, vertex) in self.rows[row].iter().enumerate() {
                    place[*vertex] = at;
                }
            }
            let crossings = self.crossings(&mut place);
            if crossings < best.0 {
                best = (crossings, self.rows.clone());
            }
        }
        self.rows = best.1;
    }

    /// How many pairs of lines cross; notes the `place` of each vertex in its row.
    fn crossings(&self, place: &mut [usize]) -> usize {
        for (at, vertex) in self.rows.iter().flat_map(|row| row.iter().enumerate()) {
            place[*vertex] = at;
        }
        let between = |row: &Vec<usize>, width: usize| {
            // Lines from left to right by their upper ends: each crosses those before it that end further right.
            let mut ended = vec![0_usize; width + 1];
            let mut crossings = 0;
            for upper in row {
                let mut ends: Vec<usize> = self.below[*upper].iter().map(|lower| place[*lower]).collect();
                ends.sort_unstable();
                crossings += ends.iter().map(|end| sum(&ended, width) - sum(&ended, end + 1)).sum::<usize>();
                ends.into_iter().for_each(|end| add(&mut ended, end + 1));
            }
            crossings
        };
        self.rows.iter().zip(self.rows.iter().skip(1)).map(|(row, next)| between(row, next.len())).sum()
    }
}

/// The sum of the first `count` numbers of a Fenwick tree.
fn sum(tree: &[usize], count: usize) -> usize {
    let mut at = count;
    let mut sum = 0;
    while at > 0 {
        sum += tree[at];
        at &= at - 1;
    }
    sum
}

/// Counts one more at `at`, from 1.
fn add(tree: &mut [usize], mut at: usize) {
    while at < tree.len() {
        tree[at] += 1;
        at += at & at.wrapping_neg();
    }
}

/// The edges with those turned around that close a circle (groups that are drawn as one may need each other), sorted, and the
/// nodes in an order in which they all lead forwards.
fn without_circles(count: usize, edges: &BTreeSet<(usize, usize)>) -> (Vec<(usize, usize)>, Vec<usize>) {
    let mut waits = vec![0_usize; count];
    let mut next = vec![Vec::new(); count];
    for (from, to) in edges {
        waits[*to] += 1;
        next[*from].push(*to);
    }
    let mut waiting: BTreeSet<usize> = (0..count).collect();
    let mut ready: BTreeSet<usize> = (0..count).filter(|node| waits[*node] == 0).collect();
    let mut order = Vec::with_capacity(count);
    while let Some(node) = ready.pop_first().or_else(|| waiting.first().copied()) {
        if !waiting.remove(&node) {
            continue;
        }
        order.push(node);
        for to in &next[node] {
            waits[*to] -= 1;
            if waits[*to] == 0 && waiting.contains(to) {
                ready.insert(*to);
            }
        }
    }
    let mut place = vec![0; count];
    for (at, node) in order.iter().enumerate() {
        place[*node] = at;
    }
    let forwards = edges.iter().map(|(from, to)| if place[*from] < place[*to] { (*from, *to) } else { (*to, *from) });
    let forwards: BTreeSet<(usize, usize)> = forwards.collect();
    (forwards.into_iter().collect(), order)
}

/// The row of each node: below all that it needs, and where that makes lines shorter as near as can be to what needs it.
fn rows(count: usize, edges: &[(usize, usize)], order: &[usize]) -> Vec<usize> {
    let (mut needs, mut readers) = (vec![Vec::new(); count], vec![Vec::new(); count]);
    for (from, to) in edges {
        needs[*to].push(*from);
        readers[*from].push(*to);
    }
    let mut row = vec![0; count];
    for node in order {
        row[*node] = needs[*node].iter().map(|above: &usize| row[*above] + 1).max().unwrap_or(0);
    }
    for node in order.iter().rev() {
        let nearest = readers[*node].iter().map(|below: &usize| row[*below]).min();
        if let Some(nearest) = nearest.filter(|_| readers[*node].len() > needs[*node].len()) {
            row[*node] = nearest - 1;
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(layers: &Layers) -> Vec<Vec<Option<usize>>> {
        let node = |vertex: &usize| if let Kind::Node(node) = layers.kinds[*vertex] { Some(node) } else { None };
        layers.rows.iter().map(|row| row.iter().map(node).collect()).collect()
    }

    #[test]
    fn what_needs_stands_below_what_is_needed() {
        let layers = Layers::of(4, [(0, 1), (1, 2), (0, 2), (3, 2)].into_iter()).unwrap();
        assert_eq!(nodes(&layers)[0], [Some(0)]);
        assert_eq!(layers.rows[1].len(), 3);
        assert_eq!(nodes(&layers)[2], [Some(2)]);
        assert_eq!(layers.above[2].len(), 3);
    }

    #[test]
    fn circles_and_loops_are_drawn_too() {
        let layers = Layers::of(3, [(0, 1), (1, 0), (1, 1), (1, 2), (2, 0)].into_iter()).unwrap();
        assert_eq!(layers.rows.iter().flatten().filter(|vertex| **vertex < 3).count(), 3);
    }

    #[test]
    fn lines_that_need_not_cross_do_not() {
        let layers = Layers::of(6, [(0, 5), (1, 4), (2, 3)].into_iter()).unwrap();
        assert_eq!(layers.crossings(&mut [0; 6]), 0);
        assert!(Layers::of(0, std::iter::empty()).unwrap().rows.is_empty());
    }
}
