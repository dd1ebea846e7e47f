//! [`StageGraph`]: which stage needs which, from the paths they read and write (walk, step 5).

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{DfsPostOrder, EdgeFiltered, EdgeRef, Reversed};

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
            let mut known = HashSet::new();
            for (output, writer) in stage.inputs().flat_map(|input| writers.touching(input)) {
                if known.insert(writer) {
                    graph.add_edge(node(id), node(writer), output.clone());
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
        let is_followed = |from| self.graph.node_weight(from).is_some_and(|id| !pipeline.stage(*id).frozen);
        let followed = EdgeFiltered::from_fn(&self.graph, |edge| is_followed(edge.source()));
        let mut order = Vec::new();
        let mut dfs = DfsPostOrder::empty(&followed);
        for target in targets {
            dfs.move_to(node(*target));
            while let Some(at) = dfs.next(&followed) {
                order.extend(self.graph.node_weight(at).copied());
            }
        }
        order
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

/// Which stage reads which outputs of others, in order of stage.
///
/// # Errors
/// When outputs collide.
pub fn outputs_read(pipeline: &Pipeline) -> Result<Vec<(StageId, RepoPath)>, GraphError> {
    let writers = Writers::of(pipeline)?;
    let read = pipeline.stages().flat_map(|(id, stage)| stage.inputs().map(move |input| (id, input)));
    Ok(read.flat_map(|(id, input)| writers.touching(input).map(move |(output, _)| (id, output.clone()))).collect())
}

fn node(stage: StageId) -> NodeIndex {
    NodeIndex::new(stage.0 as usize)
}

/// Which stage writes which path, by the text of the path.
struct Writers<'a> {
    by_path: HashMap<&'a str, (&'a RepoPath, StageId)>,
    /// The folders that outputs lie in, at any depth.
    folders: HashSet<&'a str>,
    /// In order of path, once somebody reads a folder that outputs lie in.
    sorted: OnceCell<Vec<(&'a RepoPath, StageId)>>,
}

impl<'a> Writers<'a> {
    fn of(pipeline: &'a Pipeline) -> Result<Self, GraphError> {
        let address = |id: StageId| pipeline.stage(id).address.clone();
        let mut by_path = HashMap::with_capacity(pipeline.stages().len());
        for (id, stage) in pipeline.stages() {
            for out in &stage.outs {
                if let Some((_, first)) = by_path.insert(out.path.as_str(), (&out.path, id)) {
                    let path = out.path.clone();
                    return Err(GraphError::DuplicateOutput { path, first: address(first), second: address(id) });
                }
            }
        }
        let mut folders = HashSet::new();
        let outs = pipeline.stages().flat_map(|(_, stage)| &stage.outs);
        for out in outs {
            // What is known has the folders above it known as well.
            out.path.folders().take_while(|folder| folders.insert(*folder)).for_each(drop);
        }
        let writers = Self { by_path, folders, sorted: OnceCell::new() };
        let outer = writers.by_path.values().filter(|(path, _)| writers.folders.contains(path.as_str())).min();
        if let Some((outer, writer)) = outer.copied()
            && let Some((inner, id)) = writers.inside(outer).next()
        {
            return Err(GraphError::Overlap {
                outer: outer.clone(),
                outer_stage: address(writer),
                inner: inner.clone(),
                inner_stage: address(id),
            });
        }
        Ok(writers)
    }

    fn sorted(&self) -> &[(&'a RepoPath, StageId)] {
        self.sorted.get_or_init(|| {
            let mut sorted: Vec<(&RepoPath, StageId)> = self.by_path.values().copied().collect();
            sorted.sort_unstable();
            sorted
        })
    }

    /// The output that `path` lies inside of, if there is one.
    fn around(&self, path: &RepoPath) -> Option<(&'a RepoPath, StageId)> {
        path.folders().find_map(|folder| self.by_path.get(folder).copied())
    }

    /// The outputs that lie inside of `path`.
    fn inside(&self, path: &'a RepoPath) -> impl Iterator<Item = (&'a RepoPath, StageId)> + use<'_, 'a> {
        // Those that begin with the path and a slash stand in a row.
        let is_before = |out: &RepoPath| match out.as_str().strip_prefix(path.as_str()) {
            _ if path.is_root() => false,
            Some(rest) => rest.as_bytes().first().is_none_or(|next| *next < b'/'),
            None => out < path,
        };
        let sorted = if path.is_root() || self.folders.contains(path.as_str()) { self.sorted() } else { &[] };
        let first = sorted.partition_point(|(out, _)| is_before(out));
        let rest = sorted.get(first..).unwrap_or_default().iter().copied();
        rest.take_while(|(out, _)| out.is_within(path))
    }

    /// The outputs that reading `input` needs: itself, the one it lies in, those that lie in it.
    fn touching(&self, input: &'a RepoPath) -> impl Iterator<Item = (&'a RepoPath, StageId)> {
        let itself = self.by_path.get(input.as_str()).copied();
        itself.into_iter().chain(self.around(input)).chain(self.inside(input))
    }
}

#[cfg(test)]
mod tests;
