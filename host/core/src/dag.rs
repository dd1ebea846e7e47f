//! [`Dag`]: the graph of a project as it is shown: what is named, and which of it is read to make which. For `dag`.

use std::collections::HashMap;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::unionfind::UnionFind;
use petgraph::visit::{Dfs, EdgeRef, Reversed};

use crate::graph::{self, GraphError, StageGraph};
use crate::path::RepoPath;
use crate::pipeline::Pipeline;
use crate::pipeline::load::StageId;

/// Names and which of them need which.
#[derive(Debug, Clone, Default)]
pub struct Dag {
    /// From what is needed to what needs it.
    graph: DiGraph<DagNode, ()>,
}

/// One node of a [`Dag`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DagNode {
    /// How it is named in the folder of the user.
    pub label: String,
    /// The stage; of a collapsed group the first.
    pub stage: StageId,
    /// The output of that stage, when outputs are shown.
    pub output: Option<RepoPath>,
}

/// What of a graph is shown around the nodes that were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// They and what they need.
    Upstream,
    /// All that is connected with them in any way.
    Connected,
}

impl Dag {
    /// All stages, named as in the folder `from`.
    #[must_use]
    pub fn of_stages(pipeline: &Pipeline, graph: &StageGraph, from: &RepoPath) -> Self {
        let mut dag = Self::default();
        let label = |id| pipeline.stage(id).address.display_from(from);
        let nodes: HashMap<StageId, NodeIndex> = pipeline
            .stages()
            .map(|(id, _)| (id, dag.graph.add_node(DagNode { label: label(id), stage: id, output: None })))
            .collect();
        for (reader, writer, _) in graph.edges() {
            if let (Some(writer), Some(reader)) = (nodes.get(&writer), nodes.get(&reader)) {
                dag.graph.update_edge(*writer, *reader, ());
            }
        }
        dag
    }

    /// All outputs, named as in the folder `from`; an output needs those that its stage reads.
    ///
    /// # Errors
    /// When outputs collide.
    pub fn of_outputs(pipeline: &Pipeline, from: &RepoPath) -> Result<Self, GraphError> {
        let mut dag = Self::default();
        let mut nodes: HashMap<&RepoPath, NodeIndex> = HashMap::new();
        for (stage, out) in pipeline.stages().flat_map(|(id, stage)| stage.outs.iter().map(move |out| (id, &out.path)))
        {
            let node = DagNode { label: out.relative_to(from), stage, output: Some(out.clone()) };
            nodes.insert(out, dag.graph.add_node(node));
        }
        for (reader, read) in graph::outputs_read(pipeline)? {
            for out in &pipeline.stage(reader).outs {
                if let (Some(read), Some(out)) = (nodes.get(&read), nodes.get(&out.path)) {
                    dag.graph.update_edge(*read, *out, ());
                }
            }
        }
        Ok(dag)
    }

    /// The part around the nodes that are `asked` for.
    #[must_use]
    pub fn around(self, asked: impl Fn(&DagNode) -> bool, extent: Extent) -> Self {
        let mut kept = vec![false; self.graph.node_count()];
        let starts: Vec<NodeIndex> =
            self.graph.node_indices().filter(|at| self.graph.node_weight(*at).is_some_and(&asked)).collect();
        let keep = |at: NodeIndex, kept: &mut Vec<bool>| kept.get_mut(at.index()).map(|kept| *kept = true);
        match extent {
            Extent::Upstream => {
                let needed = Reversed(&self.graph);
                let mut walk = Dfs::empty(needed);
                for start in starts {
                    walk.move_to(start);
                    while let Some(at) = walk.next(needed) {
                        keep(at, &mut kept);
                    }
                }
            }
            Extent::Connected => {
                let mut sets = self.connected();
                let asked: Vec<usize> = starts.into_iter().map(|at| sets.find_mut(at.index())).collect();
                for at in self.graph.node_indices() {
                    if asked.contains(&sets.find_mut(at.index())) {
                        keep(at, &mut kept);
                    }
                }
            }
        }
        let is_kept = |at: NodeIndex| kept.get(at.index()).copied().unwrap_or_default();
        Self { graph: self.graph.filter_map(|at, node| is_kept(at).then(|| node.clone()), |_, ()| Some(())) }
    }

    /// The stages of each `foreach` and `matrix` drawn together under the name of their group, as DVC tells them: by the `@` in
    /// their name.
    #[must_use]
    pub fn collapsed(self, pipeline: &Pipeline, from: &RepoPath) -> Self {
        let mut dag = Self::default();
        let mut groups: HashMap<String, NodeIndex> = HashMap::new();
        let mut nodes: Vec<NodeIndex> = Vec::with_capacity(self.graph.node_count());
        for node in self.graph.node_weights() {
            let mut address = pipeline.stage(node.stage).address.clone();
            address.name = address.name.map(|name| name.split('@').next().unwrap_or_default().to_owned());
            let label = address.display_from(from);
            let group = DagNode { label: label.clone(), ..node.clone() };
            nodes.push(*groups.entry(label).or_insert_with(|| dag.graph.add_node(group)));
        }
        for edge in self.graph.edge_references() {
            let at = |node: NodeIndex| nodes.get(node.index()).copied();
            if let (Some(needed), Some(reader)) = (at(edge.source()), at(edge.target())) {
                dag.graph.update_edge(needed, reader, ());
            }
        }
        dag
    }

    /// Its parts that nothing connects, in order of their first nodes.
    #[must_use]
    pub fn pipelines(&self) -> Vec<Self> {
        let mut sets = self.connected();
        let mut parts: Vec<Self> = Vec::new();
        let mut part_of: HashMap<usize, usize> = HashMap::new();
        let mut places: Vec<(usize, NodeIndex)> = Vec::with_capacity(self.graph.node_count());
        for (at, node) in self.graph.node_indices().zip(self.graph.node_weights()) {
            let part = *part_of.entry(sets.find_mut(at.index())).or_insert_with(|| {
                parts.push(Self::default());
                parts.len() - 1
            });
            if let Some(dag) = parts.get_mut(part) {
                places.push((part, dag.graph.add_node(node.clone())));
            }
        }
        for edge in self.graph.edge_references() {
            let at = |node: NodeIndex| places.get(node.index()).copied();
            if let (Some((part, needed)), Some((_, reader))) = (at(edge.source()), at(edge.target()))
                && let Some(dag) = parts.get_mut(part)
            {
                dag.graph.add_edge(needed, reader, ());
            }
        }
        parts
    }

    fn connected(&self) -> UnionFind<usize> {
        let mut sets = UnionFind::new(self.graph.node_count());
        for edge in self.graph.edge_references() {
            sets.union(edge.source().index(), edge.target().index());
        }
        sets
    }

    /// The nodes, in order of stage. Their numbers are their places in it.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = &DagNode> {
        self.graph.raw_nodes().iter().map(|node| &node.weight)
    }

    /// The edges by the numbers of their nodes: what is needed, and what needs it. A group whose stages need each other has one
    /// to itself.
    pub fn edges(&self) -> impl Iterator<Item = (usize, usize)> {
        self.graph.edge_references().map(|edge| (edge.source().index(), edge.target().index()))
    }

    /// What the node of this number needs, in order of number.
    #[must_use]
    pub fn needs(&self, node: usize) -> Vec<&DagNode> {
        let mut needs: Vec<NodeIndex> =
            self.graph.neighbors_directed(NodeIndex::new(node), Direction::Incoming).collect();
        needs.sort_unstable();
        needs.into_iter().filter_map(|at| self.graph.node_weight(at)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{load_texts, path};

    const PIPELINE: &str = "\
stages:
  a: {cmd: x, outs: [a.out]}
  g:
    foreach: [1, 2]
    do: {cmd: x, deps: [a.out], outs: ['g.${item}']}
  z: {cmd: x, deps: [g.1, g.2, raw], outs: [z.out], metrics: [z.json]}
  b: {cmd: x, deps: [a.out]}
  lone: {cmd: x}
";

    fn project() -> Pipeline {
        let sub = "stages:\n  s: {cmd: x, deps: [../z.out], outs: [s.out]}\n";
        load_texts(&[("dvc.yaml", PIPELINE), ("raw.dvc", "outs:\n- path: raw\n"), ("sub/dvc.yaml", sub)]).unwrap().1
    }

    fn stages(pipeline: &Pipeline, from: &str) -> Dag {
        Dag::of_stages(pipeline, &StageGraph::build(pipeline).unwrap(), &path(from))
    }

    /// The edges, and the nodes that have none, sorted.
    fn shown(dag: &Dag) -> Vec<String> {
        let labels: Vec<&str> = dag.nodes().map(|node| node.label.as_str()).collect();
        let mut shown: Vec<String> =
            dag.edges().map(|(from, to)| format!("{} > {}", labels[from], labels[to])).collect();
        let bare = (0..labels.len()).filter(|at| dag.edges().all(|(from, to)| from != *at && to != *at));
        shown.extend(bare.map(|at| labels[at].to_owned()));
        shown.sort();
        shown
    }

    #[test]
    fn stages_are_named_from_where_the_user_is() {
        let pipeline = project();
        let all = "a > b, a > g@1, a > g@2, g@1 > z, g@2 > z, lone, raw.dvc > z, z > sub/dvc.yaml:s";
        assert_eq!(shown(&stages(&pipeline, "")).join(", "), all);
        assert!(shown(&stages(&pipeline, "sub")).contains(&"../dvc.yaml:z > s".to_owned()));
    }

    #[test]
    fn outputs_need_what_their_stage_reads() {
        let dag = Dag::of_outputs(&project(), &RepoPath::root()).unwrap();
        let all = "a.out > g.1, a.out > g.2, g.1 > z.json, g.1 > z.out, g.2 > z.json, g.2 > z.out, raw > z.json, \
                   raw > z.out, z.out > sub/s.out";
        assert_eq!(shown(&dag).join(", "), all);
    }

    #[test]
    fn a_part_is_what_is_needed_or_what_is_connected() {
        let pipeline = project();
        let asked = |node: &DagNode| node.label == "g@1";
        let dag = stages(&pipeline, "");
        assert_eq!(shown(&dag.clone().around(asked, Extent::Upstream)), ["a > g@1"]);
        assert_eq!(dag.around(asked, Extent::Connected).nodes().len(), 7);
        assert_eq!(stages(&pipeline, "").around(|_| false, Extent::Connected).nodes().len(), 0);
    }

    #[test]
    fn a_group_is_drawn_as_one() {
        let pipeline = project();
        let dag = stages(&pipeline, "sub").collapsed(&pipeline, &path("sub"));
        let all = "../dvc.yaml:a > ../dvc.yaml:b, ../dvc.yaml:a > ../dvc.yaml:g, ../dvc.yaml:g > ../dvc.yaml:z, \
                   ../dvc.yaml:lone, ../dvc.yaml:z > s, ../raw.dvc > ../dvc.yaml:z";
        assert_eq!(shown(&dag).join(", "), all);
    }

    #[test]
    fn what_nothing_connects_stands_apart() {
        let parts = stages(&project(), "").pipelines();
        assert_eq!(parts.iter().map(|part| part.nodes().len()).collect::<Vec<_>>(), [7, 1]);
        assert_eq!(shown(&parts[1]), ["lone"]);
        let z = parts[0].nodes().position(|node| node.label == "z").unwrap();
        let needs: Vec<&str> = parts[0].needs(z).into_iter().map(|node| node.label.as_str()).collect();
        assert_eq!(needs, ["g@1", "g@2", "raw.dvc"]);
    }
}
