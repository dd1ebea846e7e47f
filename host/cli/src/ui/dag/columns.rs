//! Which column a box stands in: as near as can be to what it is connected with, none over another.
#![expect(clippy::indexing_slicing, reason = "vertices are dense numbers that `Layers` gives out")]

use super::layers::{Kind, Layers};

/// Columns between two things in a row.
const GAP: usize = 2;
/// How often the boxes are moved towards their neighbours.
const ROUNDS: usize = 9;
/// A wire is pulled straight rather than a box to the middle.
const WEIGHT_OF_WIRE: f64 = 4.0;

/// The leftmost column of each vertex, given how wide they are.
pub(super) fn columns(layers: &Layers, widths: &[usize]) -> Vec<usize> {
    let mut centers = vec![0.0; widths.len()];
    for row in &layers.rows {
        for (center, vertex) in offsets(row, widths).into_iter().zip(row) {
            centers[*vertex] = center;
        }
    }
    for round in 0..ROUNDS {
        let downwards = round % 2 == 0;
        let rows: Box<dyn Iterator<Item = &Vec<usize>>> =
            if downwards { Box::new(layers.rows.iter()) } else { Box::new(layers.rows.iter().rev()) };
        for row in rows {
            let near = if downwards { &layers.above } else { &layers.below };
            place(layers, row, widths, near, &mut centers);
        }
    }
    let left = |vertex: usize| (centers[vertex] - widths[vertex] as f64 / 2.0 + 0.5).floor();
    let first = (0..widths.len()).map(left).fold(f64::INFINITY, f64::min);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the first is at zero")]
    (0..widths.len()).map(|vertex| (left(vertex) - first) as usize).collect()
}

/// Moves the vertices of a row to the means of those `near` them, without changing their order.
fn place(layers: &Layers, row: &[usize], widths: &[usize], near: &[Vec<usize>], centers: &mut [f64]) {
    let offsets = offsets(row, widths);
    let wanted: Vec<(f64, f64)> = row
        .iter()
        .zip(&offsets)
        .map(|(vertex, offset)| {
            let near = &near[*vertex];
            let mean = near.iter().map(|near| centers[*near]).sum::<f64>() / near.len() as f64;
            let center = if near.is_empty() { centers[*vertex] } else { mean };
            (center - offset, if layers.kinds[*vertex] == Kind::Wire { WEIGHT_OF_WIRE } else { 1.0 })
        })
        .collect();
    for ((vertex, offset), base) in row.iter().zip(&offsets).zip(rising(&wanted)) {
        centers[*vertex] = base + offset;
    }
}

/// The centers of a row that is packed to the left.
fn offsets(row: &[usize], widths: &[usize]) -> Vec<f64> {
    let mut edge = 0;
    let center = |vertex: &usize| {
        let center = edge as f64 + widths[*vertex] as f64 / 2.0;
        edge += widths[*vertex] + GAP;
        center
    };
    row.iter().map(center).collect()
}

/// The numbers nearest to `wanted` (number and weight) that never fall: isotonic regression by pooling adjacent violators.
pub(super) fn rising(wanted: &[(f64, f64)]) -> Vec<f64> {
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for (number, weight) in wanted {
        let mut pool = (*number, *weight, 1);
        while let Some((before, its_weight, count)) = pools.last().copied().filter(|before| before.0 > pool.0) {
            let weight = its_weight + pool.1;
            pool = ((before * its_weight + pool.0 * pool.1) / weight, weight, count + pool.2);
            pools.pop();
        }
        pools.push(pool);
    }
    pools.into_iter().flat_map(|(number, _, count)| std::iter::repeat_n(number, count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_pooled_where_they_would_fall() {
        assert_eq!(rising(&[(1.0, 1.0), (3.0, 1.0), (1.0, 1.0), (5.0, 1.0)]), [1.0, 2.0, 2.0, 5.0]);
        assert_eq!(rising(&[(4.0, 3.0), (0.0, 1.0)]), [3.0, 3.0]);
    }

    #[test]
    fn a_box_stands_in_the_middle_of_what_it_leads_to() {
        let layers = Layers::of(3, [(0, 1), (0, 2)].into_iter()).unwrap();
        let columns = columns(&layers, &[5, 5, 5]);
        assert_eq!((columns[1], columns[2]), (0, 7));
        assert!((3..=4).contains(&columns[0]));
    }
}
