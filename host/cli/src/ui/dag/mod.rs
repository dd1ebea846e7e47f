//! A [`Dag`] as text: boxes for people (`layers`, `columns` and `boxes` lay them out), a list where boxes would not fit, and
//! what Graphviz and Mermaid draw.

mod boxes;
mod columns;
mod layers;

use std::fmt::Write as _;

use dewar_core::dag::Dag;
use unicode_width::UnicodeWidthStr;

use super::text::visible;

pub use boxes::boxes;

/// How wide the widest line of a text is, in columns.
#[must_use]
pub fn width(text: &str) -> usize {
    text.lines().map(UnicodeWidthStr::width).max().unwrap_or_default()
}

/// One line a node, with what it needs: for graphs whose boxes nobody could read.
#[must_use]
pub fn list(dag: &Dag) -> String {
    let labels: Vec<String> = dag.nodes().map(|node| on_one_line(&node.label)).collect();
    let widest = labels.iter().map(|label| label.width()).max().unwrap_or_default();
    let mut out = String::new();
    for (at, label) in labels.iter().enumerate() {
        let needs: Vec<String> = dag.needs(at).into_iter().map(|node| on_one_line(&node.label)).collect();
        if needs.is_empty() {
            let _infallible = writeln!(out, "{label}");
        } else {
            let gap = " ".repeat(widest - label.width());
            let _infallible = writeln!(out, "{label}{gap}  <- {}", needs.join(", "));
        }
    }
    out
}

/// For Graphviz, as DVC writes it.
#[must_use]
pub fn dot(dag: &Dag) -> String {
    let quoted = |label: &str| format!("\"{}\"", on_one_line(label).replace('\\', "\\\\").replace('"', "\\\""));
    let labels: Vec<String> = dag.nodes().map(|node| quoted(&node.label)).collect();
    let mut out = "strict digraph {\n".to_owned();
    for label in &labels {
        let _infallible = writeln!(out, "{label};");
    }
    for (needed, reader) in dag.edges().filter_map(|(from, to)| Some((labels.get(from)?, labels.get(to)?))) {
        let _infallible = writeln!(out, "{needed} -> {reader};");
    }
    out.push_str("}\n");
    out
}

/// For Mermaid, as DVC writes it: pipeline by pipeline, nodes and edges in the order of their names.
#[must_use]
pub fn mermaid(dag: &Dag) -> String {
    let mut out = "flowchart TD\n".to_owned();
    let mut count = 0;
    for part in dag.pipelines() {
        let mut nodes: Vec<(String, usize)> =
            part.nodes().enumerate().map(|(at, node)| (on_one_line(&node.label), at)).collect();
        nodes.sort();
        // The number that each node has in the picture.
        let mut numbers = vec![0; nodes.len()];
        for (label, at) in &nodes {
            count += 1;
            if let Some(number) = numbers.get_mut(*at) {
                *number = count;
            }
            let label = label.replace('"', "#quot;");
            let _infallible = writeln!(out, "\tnode{count}[\"{label}\"]");
        }
        let number = |at: usize| numbers.get(at).copied();
        let mut edges: Vec<(usize, usize)> =
            part.edges().filter_map(|(needed, reader)| Some((number(needed)?, number(reader)?))).collect();
        edges.sort_unstable();
        for (needed, reader) in edges {
            let _infallible = writeln!(out, "\tnode{needed}-->node{reader}");
        }
    }
    out
}

/// The same in a fence, as Markdown has it.
#[must_use]
pub fn markdown(dag: &Dag) -> String {
    format!("```mermaid\n{}```\n", mermaid(dag))
}

/// A label that keeps its line: nothing in it steers a terminal or ends a line.
fn on_one_line(label: &str) -> String {
    visible(label).replace('\n', "\\n").replace('\t', "\\t")
}
