//! How many events a second arrive where, from the rates that people declare of sources, and what
//! one event leads to.
//!
//! Events that a node gave up are not counted. What goes round in a loop is counted as long as the
//! loop dies out: one that does not is a hazard of its own.

use std::collections::BTreeSet;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::validate::facts::Facts;
use crate::validate::facts::gain::{Gain, Outlet, shared, times};

/// Visits of nodes until a loop has settled, or is taken not to.
const VISITS_MAX: usize = 1_000_000;

/// Rounds after which a loop is taken not to settle, however small it is.
const ROUNDS_MAX: usize = 2_000;

/// Rounds in which a loop of so many nodes has to settle.
fn rounds_max(nodes: usize) -> usize {
    (VISITS_MAX / nodes.max(1)).min(ROUNDS_MAX)
}

/// The part of an event that is not followed any more.
const CRUMB: f64 = 1e-9;

/// Bounds of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Span {
    pub least: f64,
    /// Infinite when nobody says it.
    pub most: f64,
}

/// Events a second that arrive at each node.
#[derive(Clone, Debug)]
pub(crate) struct Rates {
    average: Vec<Span>,
    peak: Vec<Span>,
}

/// Which bound is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    Least,
    Most,
}

/// Where events go.
struct Stream {
    bound: Bound,
    outlets: Vec<Vec<Outlet>>,
    /// Which component each node is in.
    group: Vec<usize>,
}

/// What follows from events, as [`Facts::aftermath`] finds it.
pub(crate) struct Aftermath {
    stream: Stream,
    values: Vec<[f64; 2]>,
    /// Nodes of loops that do not die out by what is known of them.
    unsettled: BTreeSet<NodeIx>,
}

impl Aftermath {
    /// What follows from one event that a source sends.
    pub(crate) fn of_source(&self, facts: &Facts, source: NodeIx) -> f64 {
        let outlets = self.stream.outlets[source].iter();
        let ports =
            outlets.map(|outlet| facts.port_value(&self.stream, outlet, &self.values, false));
        // An event leaves by one of the ports.
        ports.fold(0.0, f64::max)
    }

    /// A node to which events of a source may come back nobody knows how often.
    pub(crate) fn comes_round(&self, design: &Design, source: NodeIx) -> Option<NodeIx> {
        let mut behind = BTreeSet::new();
        if !self.unsettled.is_empty() {
            design.behind(source, &mut behind);
        }
        behind.intersection(&self.unsettled).next().copied()
    }

    /// What follows from one event that goes by a wire.
    pub(crate) fn by_wire(&self, facts: &Facts, edge: EdgeIx) -> f64 {
        let view = &facts.design.edges[edge];
        self.values[view.to][view.input.min(1)]
    }
}

impl Rates {
    pub(crate) fn average(&self, node: NodeIx) -> Span {
        self.average[node]
    }

    /// In the busiest minute.
    pub(crate) fn peak(&self, node: NodeIx) -> Span {
        self.peak[node]
    }
}

/// The rates, once somebody has asked for them.
#[derive(Default)]
pub(super) struct Asked {
    asked: bool,
    rates: Option<Rc<Rates>>,
}

impl Facts {
    /// Solved once for each state of the document; `None` when nobody declares a rate.
    pub(crate) fn rates(&self) -> Option<Rc<Rates>> {
        let mut held = self.rates.borrow_mut();
        if !held.asked {
            let design = &*self.design;
            let declared = (0..design.nodes.len()).any(|node| {
                !design.nodes[node].gone
                    && ["rate", "peak"]
                        .iter()
                        .any(|name| design.declared(node, name).is_some())
            });
            *held = Asked {
                asked: true,
                rates: declared.then(|| Rc::new(self.solve_rates())),
            };
        }
        held.rates.clone()
    }

    fn solve_rates(&self) -> Rates {
        let design = &*self.design;
        let said = |node, name: &str| {
            let rate = design.declared_number(node, name);
            rate.filter(|rate| rate.is_finite() && *rate >= 0.0)
        };
        let average = |node| said(node, "rate");
        let peak = |node| said(node, "peak").or_else(|| average(node));
        let not_above = |node| average(node).or_else(|| peak(node));
        let (least, most) = (self.stream(Bound::Least), self.stream(Bound::Most));
        let spans = |least: Vec<f64>, most: Vec<f64>| {
            let pairs = least.into_iter().zip(most);
            pairs.map(|(least, most)| Span { least, most }).collect()
        };
        Rates {
            average: spans(
                self.arrivals(&least, &average),
                self.arrivals(&most, &not_above),
            ),
            peak: spans(self.arrivals(&least, &peak), self.arrivals(&most, &peak)),
        }
    }

    /// How many events arrive at each node for one that the source sends, as far as they are sure.
    pub(crate) fn visits(&self, source: NodeIx) -> Vec<f64> {
        let sent = |node: NodeIx| (node == source).then_some(1.0);
        self.arrivals(&self.stream(Bound::Least), &sent)
    }

    fn stream(&self, bound: Bound) -> Stream {
        let design = &*self.design;
        let outlets = design.nodes.iter().map(|view| {
            let outs = view.outs.iter().copied();
            self.outlets(outs.filter(|edge| !design.is_failure(*edge)))
        });
        let mut group = vec![0; design.nodes.len()];
        for (number, component) in self.components.iter().enumerate() {
            for node in component {
                group[*node] = number;
            }
        }
        Stream {
            bound,
            outlets: outlets.collect(),
            group,
        }
    }

    /// What arrives at each node when sources send what `sent` says; of the others nobody knows.
    fn arrivals(&self, stream: &Stream, sent: &dyn Fn(NodeIx) -> Option<f64>) -> Vec<f64> {
        let design = &*self.design;
        let mut arrived = vec![[0.0; 2]; design.nodes.len()];
        for component in &self.components {
            if self.is_loop(component) {
                self.go_round(stream, component, sent, &mut arrived);
            }
            for &node in component {
                for (edge, count) in self.leaving(stream, node, arrived[node], sent(node)) {
                    let view = &design.edges[edge];
                    if !self.is_inside(stream, edge) {
                        arrived[view.to][view.input.min(1)] += count;
                    }
                }
            }
        }
        arrived.into_iter().map(|[a, b]| a + b).collect()
    }

    /// Whether a wire lies on a loop.
    fn is_inside(&self, stream: &Stream, edge: EdgeIx) -> bool {
        let view = &self.design.edges[edge];
        stream.group[view.from] == stream.group[view.to]
    }

    /// What leaves a node by each wire.
    fn leaving<'s>(
        &self,
        stream: &'s Stream,
        node: NodeIx,
        arrived: [f64; 2],
        sent: Option<f64>,
    ) -> impl Iterator<Item = (EdgeIx, f64)> + use<'s> {
        let design = &*self.design;
        let starts = design.starts(node);
        let hears = !design.nodes[node].ins.is_empty();
        let own = match (sent.filter(|_| starts), stream.bound) {
            (None, Bound::Most) if starts && !hears => Some(f64::INFINITY),
            (sent, _) => sent,
        };
        let bound = stream.bound;
        stream.outlets[node].iter().flat_map(move |outlet| {
            // What a source hears it sends beside what it brings.
            let of = |input: usize| times(arrived[input], bound.of(outlet.gains[input]));
            let count = own.unwrap_or_default() + of(0) + of(1);
            outlet.wires.iter().map(move |edge| (*edge, count))
        })
    }

    /// Adds what comes round in a loop to what arrives at its nodes from outside.
    fn go_round(
        &self,
        stream: &Stream,
        component: &[NodeIx],
        sent: &dyn Fn(NodeIx) -> Option<f64>,
        arrived: &mut [[f64; 2]],
    ) {
        let design = &*self.design;
        let outside: Vec<[f64; 2]> = component.iter().map(|node| arrived[*node]).collect();
        let mut open: FxHashMap<NodeIx, [f64; 2]> = FxHashMap::default();
        for &node in component {
            open.insert(node, arrived[node]);
            arrived[node] = [0.0; 2];
        }
        let order = component;
        let mut visits = 0;
        let settled = loop {
            let (mut left, mut all) = (0.0, 0.0);
            for &node in order {
                let news = open.insert(node, [0.0; 2]).unwrap_or_default();
                // What a source brings of its own does not depend on what it hears.
                let first = visits < order.len();
                let own = sent(node).map(|rate| if first { rate } else { 0.0 });
                visits += 1;
                for (held, new) in arrived[node].iter_mut().zip(news) {
                    *held += new;
                    all += *held;
                }
                if news.iter().all(|count| *count <= 0.0) && !first {
                    continue;
                }
                for (edge, count) in self.leaving(stream, node, news, own) {
                    let view = &design.edges[edge];
                    if self.is_inside(stream, edge)
                        && count > 0.0
                        && let Some(held) = open.get_mut(&view.to)
                    {
                        held[view.input.min(1)] += count;
                    }
                }
            }
            for node in component {
                left += open[node].iter().sum::<f64>();
            }
            if left <= CRUMB * all || !all.is_finite() {
                break all.is_finite();
            }
            if visits > rounds_max(order.len()) * order.len() {
                break false;
            }
        };
        if !settled {
            for (node, outside) in component.iter().zip(outside) {
                arrived[*node] = match stream.bound {
                    Bound::Least => outside,
                    Bound::Most => [f64::INFINITY, outside[1]],
                };
            }
        }
    }

    /// What one event of each source leads to: `own` of each node that it and all that follows from it
    /// come to, put together by `sum`. What stays in a loop that does not die out is left out.
    pub(crate) fn aftermath(&self, bound: Bound, sum: &dyn Fn(NodeIx, f64) -> f64) -> Aftermath {
        let stream = self.stream(bound);
        let mut values = vec![[0.0; 2]; self.design.nodes.len()];
        let mut unsettled = BTreeSet::new();
        for component in self.components.iter().rev() {
            if !self.is_loop(component) {
                for &node in component {
                    values[node] = self.value(&stream, node, sum, &values, false);
                }
                continue;
            }
            let order: Vec<NodeIx> = component.iter().rev().copied().collect();
            let mut settled = false;
            for _ in 0..=rounds_max(order.len()) {
                let mut change = 0.0_f64;
                for &node in &order {
                    let new = self.value(&stream, node, sum, &values, false);
                    for (old, new) in values[node].iter().zip(new) {
                        if new.is_finite() || old.is_finite() {
                            change = change.max((new - old) / new.max(1.0));
                        }
                    }
                    values[node] = new;
                }
                if change <= CRUMB {
                    settled = true;
                    break;
                }
            }
            if !settled {
                unsettled.extend(&order);
                for &node in &order {
                    values[node] = self.value(&stream, node, sum, &values, true);
                }
            }
        }
        Aftermath {
            stream,
            values,
            unsettled,
        }
    }

    /// What one event leads to that arrives at a node, by its first and its second input. `leaving`
    /// counts only what leaves the loop that the node is in.
    fn value(
        &self,
        stream: &Stream,
        node: NodeIx,
        sum: &dyn Fn(NodeIx, f64) -> f64,
        values: &[[f64; 2]],
        leaving: bool,
    ) -> [f64; 2] {
        [0, 1].map(|input| {
            let ports = stream.outlets[node].iter().map(|outlet| {
                let value = self.port_value(stream, outlet, values, leaving);
                (stream.bound.of(outlet.gains[input]), value)
            });
            let total = match stream.bound {
                Bound::Most => shared(ports),
                Bound::Least => ports.map(|(least, value)| times(least, value)).sum(),
            };
            sum(node, total)
        })
    }

    /// What becomes of an event that leaves by a port.
    fn port_value(
        &self,
        stream: &Stream,
        outlet: &Outlet,
        values: &[[f64; 2]],
        leaving: bool,
    ) -> f64 {
        let design = &*self.design;
        let wires = outlet.wires.iter().map(|edge| {
            let view = &design.edges[*edge];
            if leaving && self.is_inside(stream, *edge) {
                0.0
            } else {
                values[view.to][view.input.min(1)]
            }
        });
        if outlet.competing && stream.bound == Bound::Most {
            wires.fold(0.0, f64::max)
        } else {
            wires.sum()
        }
    }
}

impl Bound {
    fn of(self, gain: Gain) -> f64 {
        match self {
            Bound::Least => gain.least,
            Bound::Most => gain.most,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_loops_are_given_up_after_rounds_and_large_ones_after_visits() {
        for (nodes, rounds) in [(1, 2_000), (500, 2_000), (10_000, 100), (2_000_000, 0)] {
            assert_eq!(rounds_max(nodes), rounds, "{nodes}");
        }
    }
}
