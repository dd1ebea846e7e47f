//! [`Queue`]: which stages of a run can go next (walk, step 6).

use std::collections::{BTreeSet, HashMap};

use crate::graph::StageGraph;
use crate::pipeline::load::StageId;

/// What has become of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StageState {
    /// It needs this many stages that have not ended; never none.
    Waiting(usize),
    /// All it needs has ended.
    Ready,
    /// It was taken.
    Running,
    /// It ended, and what needs it may go.
    Done,
    /// It failed, or needs one that did.
    Dropped,
}

/// The stages of a run, by their place in its order. The first that can go goes first, so that one job at a time keeps the
/// order.
#[derive(Debug)]
pub(super) struct Queue {
    states: Vec<StageState>,
    needed_by: Vec<Vec<usize>>,
    ready: BTreeSet<usize>,
}

impl Queue {
    /// The queue of `order`, in which each stage comes after those it needs; without a graph, none needs another.
    pub(super) fn new(order: &[StageId], graph: Option<&StageGraph>) -> Self {
        let places: HashMap<StageId, usize> = order.iter().enumerate().map(|(place, id)| (*id, place)).collect();
        let mut queue = Self { states: Vec::new(), needed_by: vec![Vec::new(); order.len()], ready: BTreeSet::new() };
        for (place, id) in order.iter().enumerate() {
            let needs: Vec<usize> = match graph {
                // The needs of a frozen stage are not followed: those that come later in the order do not hold it up.
                Some(graph) => {
                    let needs = graph.needs(*id).into_iter().filter_map(|needed| places.get(&needed).copied());
                    needs.filter(|needed| *needed < place).collect()
                }
                None => Vec::new(),
            };
            for needed in &needs {
                if let Some(dependents) = queue.needed_by.get_mut(*needed) {
                    dependents.push(place);
                }
            }
            if needs.is_empty() {
                queue.ready.insert(place);
            }
            queue.states.push(if needs.is_empty() { StageState::Ready } else { StageState::Waiting(needs.len()) });
        }
        queue
    }

    /// Whether there is never more than one stage that can go.
    pub(super) fn is_chain(&self) -> bool {
        let follows = |place: usize| {
            place.checked_sub(1).and_then(|before| self.needed_by.get(before)).is_some_and(|next| next.contains(&place))
        };
        (1..self.states.len()).all(follows)
    }

    /// Takes the first stage that can go.
    pub(super) fn take(&mut self) -> Option<usize> {
        let place = self.ready.pop_first()?;
        self.put(place, StageState::Running);
        Some(place)
    }

    /// The first stage that was never taken.
    pub(super) fn first_left(&self) -> Option<usize> {
        self.states.iter().position(|state| matches!(state, StageState::Waiting(_) | StageState::Ready))
    }

    /// Those that need it directly, in order.
    pub(super) fn needed_by(&self, place: usize) -> &[usize] {
        self.needed_by.get(place).map_or(&[], Vec::as_slice)
    }

    /// A stage that was taken has ended: those that waited for it alone can go.
    pub(super) fn end(&mut self, place: usize) {
        self.put(place, StageState::Done);
        for dependent in self.needed_by(place).to_vec() {
            match self.states.get(dependent) {
                Some(StageState::Waiting(1)) => {
                    self.put(dependent, StageState::Ready);
                    self.ready.insert(dependent);
                }
                Some(StageState::Waiting(needs)) => self.put(dependent, StageState::Waiting(needs - 1)),
                Some(StageState::Ready | StageState::Running | StageState::Done | StageState::Dropped) | None => {}
            }
        }
    }

    /// A stage that was taken has failed: those that need it, directly or not, cannot go. Tells which, in order.
    pub(super) fn fail(&mut self, place: usize) -> BTreeSet<usize> {
        self.put(place, StageState::Dropped);
        let (mut dropped, mut left) = (BTreeSet::new(), self.needed_by(place).to_vec());
        while let Some(dependent) = left.pop() {
            if self.states.get(dependent).is_some_and(|state| *state != StageState::Dropped) {
                self.put(dependent, StageState::Dropped);
                dropped.insert(dependent);
                left.extend_from_slice(self.needed_by(dependent));
            }
        }
        dropped
    }

    fn put(&mut self, place: usize, state: StageState) {
        if let Some(old) = self.states.get_mut(place) {
            *old = state;
        }
    }
}
