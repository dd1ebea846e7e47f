//! [`StageGraph`]: which stage needs which, from the paths they read and write (walk, step 5).

use std::collections::BTreeMap;
use std::ops::Bound;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{DfsPostOrder, Reversed, Walker};

use crate::path::RepoPath;
use crate::pipeline::StageAddress;
use crate::pipeline::load::{Pipeline, StageId};

/// Why stages make no graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// A stage needs itself, through others or directly.
    #[error("the stages need each other in a circle: {}", circle(stages))]
    Cycle {
        /// The stages of the circle, each needing the next, the last needing the first.
        stages: Vec<StageAddress>,
        /// The paths by which each needs the next.
        paths: Vec<RepoPath>,
    },
    /// Two stages write one path.
    #[error("the output `{path}` is written by two stages: `{first}` and `{second}`")]
    DuplicateOutput {
        /// The path.
        path: RepoPath,
        /// One stage.
        first: StageAddress,
        /// The other.
        second: StageAddress,
    },
    /// A stage writes inside what another writes.
    #[error(
        "the output `{inner}` of `{inner_stage}` lies inside the output `{outer}` of `{outer_stage}`: they overlap"
    )]
    Overlap {
        /// The directory.
        outer: RepoPath,
        /// The stage that writes it.
        outer_stage: StageAddress,
        /// The path inside it.
        inner: RepoPath,
        /// The stage that writes that.
        inner_stage: StageAddress,
    },
}

impl GraphError {
    /// The stage to look at first.
    #[must_use]
    pub fn stage(&self) -> Option<&StageAddress> {
        match self {
            Self::Cycle { stages, .. } => stages.first(),
            Self::DuplicateOutput { second: stage, .. } | Self::Overlap { inner_stage: stage, .. } => Some(stage),
        }
    }
}

fn circle(stages: &[StageAddress]) -> String {
    let names: Vec<String> = stages.iter().chain(stages.first()).map(|stage| format!("`{stage}`")).collect();
    names.join(" needs ")
}

/// Which stage needs which.
#[derive(Debug, Clone)]
pub struct StageGraph {
    /// From a stage to those that it needs. The index of a node is the number of its stage.
    graph: DiGraph<StageId, RepoPath>,
}

impl StageGraph {
    /// Builds the graph of all stages.
    ///
    /// # Errors
    /// When outputs collide or stages need each other.
    pub fn build(pipeline: &Pipeline) -> Result<Self, GraphError> {
        let writers = Writers::of(pipeline)?;
        let mut graph = DiGraph::with_capacity(pipeline.stages().len(), 0);
        for (id, _) in pipeline.stages() {
            graph.add_node(id);
        }
        for (id, stage) in pipeline.stages() {
            for input in stage.inputs() {
                for (output, writer) in writers.touching(input) {
                    graph.update_edge(node(id), node(writer), output.clone());
                }
            }
        }
        let graph = Self { graph };
        graph.refuse_cycles(pipeline)?;
        Ok(graph)
    }

    /// What the stage needs directly, in order of number.
    #[must_use]
    pub fn needs(&self, stage: StageId) -> Vec<StageId> {
        self.neighbours(stage, Direction::Outgoing)
    }

    /// What needs the stage directly, in order of number.
    #[must_use]
    pub fn needed_by(&self, stage: StageId) -> Vec<StageId> {
        self.neighbours(stage, Direction::Incoming)
    }

    fn neighbours(&self, stage: StageId, direction: Direction) -> Vec<StageId> {
        let mut found: Vec<StageId> = self
            .graph
            .neighbors_directed(node(stage), direction)
            .filter_map(|at| self.graph.node_weight(at).copied())
            .collect();
        found.sort_unstable();
        found
    }

    /// The targets and all they need, each after what it needs. The needs of a frozen stage are not followed.
    #[must_use]
    pub fn upstream_first(&self, pipeline: &Pipeline, targets: &[StageId]) -> Vec<StageId> {
        let followed = self.graph.filter_map(
            |_, id| Some(*id),
            |edge, path| {
                let (from, _) = self.graph.edge_endpoints(edge)?;
                (!pipeline.stage(*self.graph.node_weight(from)?).frozen).then(|| path.clone())
            },
        );
        post_order(&followed, targets)
    }

    /// The targets and all that needs them, each after what it needs.
    #[must_use]
    pub fn downstream(&self, targets: &[StageId]) -> Vec<StageId> {
        let mut order = Vec::new();
        let mut dfs = DfsPostOrder::empty(Reversed(&self.graph));
        for target in targets {
            dfs.move_to(node(*target));
            while let Some(at) = dfs.next(Reversed(&self.graph)) {
                order.extend(self.graph.node_weight(at).copied());
            }
        }
        order.reverse();
        order
    }

    /// The whole pipelines that the targets are in, each stage after what it needs: all that is connected with a target,
    /// whichever needs the other.
    #[must_use]
    pub fn connected(&self, pipeline: &Pipeline, targets: &[StageId]) -> Vec<StageId> {
        let mut reached = vec![false; self.graph.node_count()];
        let mut waiting: Vec<NodeIndex> = targets.iter().map(|target| node(*target)).collect();
        let mut found = Vec::new();
        while let Some(at) = waiting.pop() {
            let Some(is_new) = reached.get_mut(at.index()).filter(|reached| !**reached) else { continue };
            *is_new = true;
            found.extend(self.graph.node_weight(at).copied());
            waiting.extend(self.graph.neighbors_undirected(at));
        }
        found.sort_unstable();
        self.upstream_first(pipeline, &found)
    }

    /// The edges: a stage, the one it needs, and the output by which.
    pub fn edges(&self) -> impl Iterator<Item = (StageId, StageId, &RepoPath)> {
        self.graph.edge_indices().filter_map(|edge| {
            let (from, to) = self.graph.edge_endpoints(edge)?;
            let weight = self.graph.edge_weight(edge)?;
            Some((*self.graph.node_weight(from)?, *self.graph.node_weight(to)?, weight))
        })
    }

    fn refuse_cycles(&self, pipeline: &Pipeline) -> Result<(), GraphError> {
        let components = petgraph::algo::tarjan_scc(&self.graph);
        let of_circle = |component: &&Vec<NodeIndex>| match component.as_slice() {
            [one] => self.graph.contains_edge(*one, *one),
            _ => true,
        };
        let Some(component) = components.iter().find(of_circle) else { return Ok(()) };
        // Walk inside the component until a stage comes again: the stages since then are a circle.
        let Some(mut at) = component.iter().min().copied() else { return Ok(()) };
        let mut walked: Vec<NodeIndex> = Vec::new();
        while !walked.contains(&at) {
            walked.push(at);
            let Some(next) = self.graph.neighbors(at).filter(|next| component.contains(next)).min() else {
                return Ok(());
            };
            at = next;
        }
        let circle: Vec<NodeIndex> = walked.into_iter().skip_while(|walked| *walked != at).collect();
        let address = |at: &NodeIndex| self.graph.node_weight(*at).map(|id| pipeline.stage(*id).address.clone());
        let next = circle.iter().cycle().skip(1);
        let path =
            |(from, to): (&NodeIndex, &NodeIndex)| self.graph.edge_weight(self.graph.find_edge(*from, *to)?).cloned();
        Err(GraphError::Cycle {
            stages: circle.iter().filter_map(address).collect(),
            paths: circle.iter().zip(next).filter_map(path).collect(),
        })
    }
}

fn node(stage: StageId) -> NodeIndex {
    NodeIndex::new(stage.0 as usize)
}

fn post_order(graph: &DiGraph<StageId, RepoPath>, targets: &[StageId]) -> Vec<StageId> {
    let mut order = Vec::new();
    let mut dfs = DfsPostOrder::empty(graph);
    for target in targets {
        dfs.move_to(node(*target));
        order.extend((&mut dfs).iter(graph).filter_map(|at| graph.node_weight(at).copied()));
    }
    order
}

/// Which stage writes which path.
struct Writers<'a>(BTreeMap<&'a RepoPath, StageId>);

impl<'a> Writers<'a> {
    fn of(pipeline: &'a Pipeline) -> Result<Self, GraphError> {
        let address = |id: StageId| pipeline.stage(id).address.clone();
        let mut writers = Self(BTreeMap::new());
        for (id, stage) in pipeline.stages() {
            for out in &stage.outs {
                if let Some(first) = writers.0.insert(&out.path, id) {
                    let path = out.path.clone();
                    return Err(GraphError::DuplicateOutput { path, first: address(first), second: address(id) });
                }
            }
        }
        for (path, id) in &writers.0 {
            if let Some((outer, writer)) = writers.around(path) {
                return Err(GraphError::Overlap {
                    outer: outer.clone(),
                    outer_stage: address(writer),
                    inner: (*path).clone(),
                    inner_stage: address(*id),
                });
            }
        }
        Ok(writers)
    }

    /// The output that `path` lies inside of, if there is one.
    fn around(&self, path: &RepoPath) -> Option<(&RepoPath, StageId)> {
        let parents = std::iter::successors(path.parent(), RepoPath::parent);
        parents.take_while(|parent| !parent.is_root()).find_map(|parent| self.get(&parent))
    }

    fn get(&self, path: &RepoPath) -> Option<(&RepoPath, StageId)> {
        self.0.get_key_value(path).map(|(path, id)| (*path, *id))
    }

    /// The outputs that reading `input` needs: itself, the one it lies in, those that lie in it.
    fn touching(&self, input: &'a RepoPath) -> impl Iterator<Item = (&RepoPath, StageId)> {
        let inside = self
            .0
            .range::<&RepoPath, _>((Bound::Excluded(input), Bound::Unbounded))
            .take_while(move |(path, _)| path.as_str().starts_with(input.as_str()))
            .filter(move |(path, _)| path.is_within(input))
            .map(|(path, id)| (*path, *id));
        self.get(input).into_iter().chain(self.around(input)).chain(inside)
    }
}

#[cfg(test)]
mod tests;
