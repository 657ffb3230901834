//! Loops of events that nothing is sure to end.

mod back;
mod decisions;
mod ends;
mod growth;
mod settle;
mod strands;

use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use self::growth::{TOLERANCE, factor};
use self::strands::strands;
use crate::catalog::{Behaviour, PortRole};
use crate::expr::Expr;
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::validate::facts::Facts;
use crate::validate::facts::gain::Gain;
use crate::value::{Object, Value};

pub(crate) use ends::Ring;

/// Steps back along wires that are taken to prove that the loops of one component end; beyond, they
/// count as not bounded.
const STEPS_MAX: usize = 200_000;

/// What a wire multiplies by when nobody says how many events it makes.
const SEVERAL: f64 = 2.0;

/// What code multiplies by where the end of a loop depends on it.
const MANY: f64 = 1e6;

/// Starts from which the shortest way round is looked for.
const STARTS_MAX: usize = 64;

/// A loop that is not sure to end.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub sort: Sort,
    /// A short way round.
    pub way: Vec<EdgeIx>,
    /// All wires of the loop and of loops that are tied to it.
    pub edges: Vec<EdgeIx>,
    /// What one event becomes in about one turn.
    pub factor: f64,
    /// Nobody says how many events some of the nodes make.
    pub guessed: bool,
    /// Wires on the way that may hold events back, as their data will have it.
    pub hopes: Vec<EdgeIx>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// It does not die out.
    Storm,
    /// The same, and every way round leads through a resource, so that no wire shows it.
    Hidden,
    /// It dies out when the data, or an estimate, is as hoped.
    Damped,
}

impl Facts {
    /// All of them; found once for each state of the document.
    pub(crate) fn rounds(&self) -> Rc<[Round]> {
        let mut held = self.rounds.borrow_mut();
        let rounds = held.get_or_insert_with(|| {
            let loops = self.components.iter().filter(|nodes| self.is_loop(nodes));
            loops.flat_map(|nodes| self.rounds_among(nodes)).collect()
        });
        Rc::clone(rounds)
    }

    fn rounds_among(&self, nodes: &[NodeIx]) -> Vec<Round> {
        let design = &*self.design;
        let inside: FxHashSet<NodeIx> = nodes.iter().copied().collect();
        let outs = nodes.iter().flat_map(|node| &design.nodes[*node].outs);
        let edges: Vec<EdgeIx> = outs
            .copied()
            .filter(|edge| inside.contains(&design.edges[*edge].to) && design.triggers(*edge))
            .collect();
        let mut steps = STEPS_MAX;
        let mut open = vec![edges];
        let mut rounds = Vec::new();
        while let Some(edges) = open.pop() {
            for strand in strands(design, &edges) {
                let mut ring = Ring::new(design, &strand, steps);
                let mut ended = ended(&mut ring, &strand);
                self.keep_fed(&mut ended, &strand);
                if ended.is_empty() {
                    rounds.extend(self.judge(&mut ring, strand));
                } else {
                    // Whoever passes these wires ever so often does it only so often: what is
                    // without end is without them.
                    let left = strand.into_iter().filter(|edge| !ended.contains(edge));
                    open.push(left.collect());
                }
                steps = ring.steps_left();
            }
        }
        rounds.sort_by_key(|round| design.nodes[design.edges[round.way[0]].from].id.clone());
        rounds
    }

    /// Takes out windows of so many events to which so many come back of each of their results.
    fn keep_fed(&self, ended: &mut FxHashSet<EdgeIx>, strand: &[EdgeIx]) {
        let counts = |edge: &EdgeIx| self.counted(self.design.edges[*edge].from).is_some();
        // Code that says nothing may make as many as it takes.
        let most = |node: NodeIx, gain: Gain| match self.design.behaviour(node) {
            Some(Behaviour::Opaque { .. }) if !gain.is_known() => MANY,
            _ => self.turns(node, gain),
        };
        if ended.iter().any(counts) && factor(self, strand, most) >= 1.0 - TOLERANCE {
            ended.retain(|edge| !counts(edge));
        }
    }

    /// Of how many events a node makes one.
    fn counted(&self, node: NodeIx) -> Option<f64> {
        let design = &*self.design;
        let Behaviour::Aggregate { window, .. } = design.behaviour(node)? else {
            return None;
        };
        let by_number = design.text(node, window) == Some("count");
        let count = design.value(node, "count").and_then(Value::as_f64);
        count.filter(|count| by_number && *count > 1.0)
    }

    /// What is to be said of a loop that nothing ends.
    fn judge(&self, ring: &mut Ring<'_>, strand: Vec<EdgeIx>) -> Option<Round> {
        let design = &*self.design;
        let all: FxHashSet<EdgeIx> = strand.iter().copied().collect();
        let hopes: FxHashSet<EdgeIx> = strand
            .iter()
            .copied()
            .filter(|edge| self.is_hope(ring, &all, *edge))
            .collect();
        let wires = |resources: bool, hoped: bool| -> Vec<EdgeIx> {
            let fits = |edge: &&EdgeIx| {
                (resources || !design.edges[**edge].resource) && (hoped || !hopes.contains(*edge))
            };
            strand.iter().filter(fits).copied().collect()
        };
        let hides = strand.iter().any(|edge| design.edges[*edge].resource);
        let tries = [
            (false, false, Sort::Storm),
            (false, true, Sort::Storm),
            (true, false, Sort::Hidden),
            (true, true, Sort::Hidden),
        ];
        for (resources, hoped, sort) in tries {
            if resources && !hides {
                break;
            }
            for part in strands(design, &wires(resources, hoped)) {
                let factor = factor(self, &part, |node, gain| self.turns(node, gain));
                // What may be held back dies out unless it multiplies.
                let least = if hoped {
                    1.0 + TOLERANCE
                } else {
                    1.0 - TOLERANCE
                };
                if factor >= least {
                    return self.round(sort, &part, strand, factor, &hopes);
                }
            }
        }
        let factor = factor(self, &strand, |node, gain| self.turns(node, gain));
        let all = strand.clone();
        self.round(Sort::Damped, &all, strand, factor, &hopes)
    }

    fn round(
        &self,
        sort: Sort,
        part: &[EdgeIx],
        edges: Vec<EdgeIx>,
        factor: f64,
        hopes: &FxHashSet<EdgeIx>,
    ) -> Option<Round> {
        let way = self.way_round(part, factor > 1.0 + TOLERANCE)?;
        // Where another way round is shorter, it is not the one that multiplies.
        let hides = |way: &Vec<EdgeIx>| way.iter().any(|edge| self.design.edges[*edge].resource);
        let way = if sort == Sort::Hidden && !hides(&way) {
            self.hidden_way_round(part)?
        } else {
            way
        };
        let guessed = part.iter().any(|edge| {
            let input = self.design.edges[*edge].input;
            !self.gain(*edge, 0).is_known() && !self.gain(*edge, input).is_known()
        });
        let hopes = way.iter().copied().filter(|edge| hopes.contains(edge));
        Some(Round {
            sort,
            hopes: hopes.collect(),
            way,
            edges,
            factor,
            guessed,
        })
    }

    /// What a node multiplies an event by on its way round; code that says nothing makes one.
    fn turns(&self, node: NodeIx, gain: Gain) -> f64 {
        let of = self.counted(node).unwrap_or(1.0);
        match self.design.behaviour(node) {
            _ if gain.is_known() => gain.most / of,
            Some(Behaviour::Opaque { .. } | Behaviour::Source { .. }) => 1.0,
            _ => SEVERAL,
        }
    }

    /// Whether the wire may hold back what comes round, as the data will have it. What decides by
    /// fields that come round unchanged decides the same each time.
    fn is_hope(&self, ring: &mut Ring<'_>, strand: &FxHashSet<EdgeIx>, edge: EdgeIx) -> bool {
        let design = &*self.design;
        let view = &design.edges[edge];
        let Some(behaviour) = design.behaviour(view.from) else {
            return false;
        };
        if view.role == PortRole::Failed {
            return matches!(
                behaviour,
                Behaviour::Effect { .. }
                    | Behaviour::Table { .. }
                    | Behaviour::Bucket { .. }
                    | Behaviour::Observe { .. }
                    | Behaviour::Opaque { .. }
                    | Behaviour::Queue { .. }
                    | Behaviour::Topic
                    | Behaviour::Log { .. }
            );
        }
        let changes = |ring: &mut Ring<'_>, expr: Option<&Expr>| {
            expr.is_none_or(|expr| !ring.passes_again(edge, expr))
        };
        match behaviour {
            // Whichever way an event takes, it stays on the loop.
            Behaviour::Filter { .. } | Behaviour::Route { .. }
                if design.all_ports_among(view.from, strand) =>
            {
                false
            }
            Behaviour::Filter { predicate } => {
                let expr = design.expr(view.from, predicate);
                if view.main {
                    changes(ring, expr)
                } else {
                    expr.is_none_or(|expr| !ring.is_dropped_again(edge, expr))
                }
            }
            Behaviour::Route { .. } if ring.branch(edge).is_some() => {
                changes(ring, ring.branch(edge))
            }
            Behaviour::Route { routes, .. } => {
                let table = design.value(view.from, routes);
                let table = table.and_then(Value::as_object);
                let codes = table.into_iter().flat_map(Object::values);
                codes
                    .filter_map(Value::as_str)
                    .filter_map(|code| design.compiled(code))
                    .any(|expr| !ring.carries_all(edge, expr))
            }
            Behaviour::Queue { .. } => {
                let mut wires = design.wires_of_port(edge);
                wires.any(|wire| !strand.contains(&wire))
            }
            Behaviour::Split { .. } => {
                self.gain(edge, 0).least < 1.0 && self.gain(edge, 0).is_known()
            }
            Behaviour::Map { .. } | Behaviour::Mediate { .. } | Behaviour::Decide { .. } => {
                self.gain(edge, 0).least < 1.0
            }
            // What was seen before is known each time that it comes back.
            Behaviour::Dedupe { key, .. } => {
                self.gain(edge, 0).least < 1.0 && (view.main || !ring.key_comes_back(edge, key))
            }
            Behaviour::VersionGuard { key, version } => {
                view.main || !ring.key_comes_back(edge, key) || !ring.key_comes_back(edge, version)
            }
            _ => false,
        }
    }

    /// A short way round that leads through a resource.
    fn hidden_way_round(&self, edges: &[EdgeIx]) -> Option<Vec<EdgeIx>> {
        let design = &*self.design;
        let mut outs: FxHashMap<NodeIx, Vec<EdgeIx>> = FxHashMap::default();
        for edge in edges {
            outs.entry(design.edges[*edge].from)
                .or_default()
                .push(*edge);
        }
        let hidden = edges.iter().filter(|edge| design.edges[**edge].resource);
        let ways = hidden.take(STARTS_MAX).filter_map(|edge| {
            let from = design.edges[*edge].from;
            let others = outs.insert(from, vec![*edge])?;
            let way = shortest(design, &outs, from);
            outs.insert(from, others);
            way
        });
        ways.min_by_key(Vec::len)
    }

    /// A short way round along these wires; through a node that multiplies, when that is asked for
    /// and there is one.
    fn way_round(&self, edges: &[EdgeIx], multiplying: bool) -> Option<Vec<EdgeIx>> {
        let design = &*self.design;
        let mut outs: FxHashMap<NodeIx, Vec<EdgeIx>> = FxHashMap::default();
        // Wires are in the order in which events come round.
        let mut starts: Vec<NodeIx> = Vec::new();
        for edge in edges {
            let wires = outs.entry(design.edges[*edge].from).or_default();
            if wires.is_empty() {
                starts.push(design.edges[*edge].from);
            }
            wires.push(*edge);
        }
        let multiplies = |node: &NodeIx| {
            let wires = &outs[node];
            let several = wires.len() > 1 && !design.competes(*node);
            several
                || wires
                    .iter()
                    .any(|edge| self.turns(*node, self.gain(*edge, 0)) > 1.0)
        };
        let ways = |starts: &mut dyn Iterator<Item = NodeIx>| {
            let ways = starts.take(STARTS_MAX);
            ways.filter_map(|start| shortest(design, &outs, start))
                .min_by_key(Vec::len)
        };
        let preferred = if multiplying {
            ways(&mut starts.iter().copied().filter(|node| multiplies(node)))
        } else {
            None
        };
        preferred.or_else(|| ways(&mut starts.iter().copied()))
    }
}

/// The wires that what passes them cannot come back to for ever.
fn ended(ring: &mut Ring<'_>, strand: &[EdgeIx]) -> FxHashSet<EdgeIx> {
    let mut ended = FxHashSet::default();
    let before = ring.steps_left();
    for edge in strand {
        if ring.ends(*edge) {
            ended.insert(*edge);
        }
        // A large loop is looked at again once it is cut: its parts take fewer steps.
        if !ended.is_empty() && before - ring.steps_left() > 4 * strand.len() {
            break;
        }
    }
    ended
}

fn shortest(
    design: &Design,
    outs: &FxHashMap<NodeIx, Vec<EdgeIx>>,
    start: NodeIx,
) -> Option<Vec<EdgeIx>> {
    let mut came: FxHashMap<NodeIx, EdgeIx> = FxHashMap::default();
    let mut open = VecDeque::from([start]);
    while let Some(node) = open.pop_front() {
        for &edge in outs.get(&node).into_iter().flatten() {
            let to = design.edges[edge].to;
            if to == start {
                let mut way = vec![edge];
                let mut at = node;
                while at != start {
                    let edge = came[&at];
                    way.push(edge);
                    at = design.edges[edge].from;
                }
                way.reverse();
                return Some(way);
            }
            if let Entry::Vacant(place) = came.entry(to) {
                place.insert(edge);
                open.push_back(to);
            }
        }
    }
    None
}

impl Design {
    /// Whether each ordinary output of a node has one of these wires.
    fn all_ports_among(&self, node: NodeIx, edges: &FxHashSet<EdgeIx>) -> bool {
        let view = &self.nodes[node];
        let Some(kind) = &view.kind else { return false };
        let ports = kind.outputs_of(&view.node);
        let mut data = ports.iter().filter(|port| port.role == PortRole::Data);
        data.all(|port| {
            let mut wires = view.outs.iter();
            wires.any(|edge| edges.contains(edge) && self.edges[*edge].edge.from.port == port.name)
        })
    }

    /// Whether an event that arrives by the wire makes its target send something.
    fn triggers(&self, edge: EdgeIx) -> bool {
        let view = &self.edges[edge];
        let informs = matches!(self.behaviour(view.to), Some(Behaviour::Enrich { .. }));
        !(informs && view.input > 0)
    }
}
