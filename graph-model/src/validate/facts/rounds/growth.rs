//! By how much events multiply with each turn of a loop.
//!
//! The factor is that of the non-negative matrix of gains between places, found by power iteration.
//! Places are updated one after the other against the direction of the events, so that a step is
//! about a turn: the factor is then on the same side of one as the spectral radius (Stein and
//! Rosenberg), and does not depend on how many nodes the loop has. The geometric mean over several
//! steps settles loops whose turns take several steps.

use rustc_hash::FxHashMap;

use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::facts::Facts;
use crate::validate::facts::gain::{Gain, shared};

/// Steps until the direction of growth has settled, and steps whose mean counts.
const STEPS: (usize, usize) = (24, 24);

/// A factor that changes by less than this, so many times one after the other, has settled.
const STEADY: f64 = 1e-12;
const STEADY_STEPS: usize = 6;

/// A factor that is nearer to one than this is one.
pub(super) const TOLERANCE: f64 = 1e-6;

/// Places and the wires between them.
struct Web {
    places: Vec<Vec<Port>>,
}

struct Port {
    /// By the input that an event came by.
    gains: [f64; 2],
    competing: bool,
    /// Places that wires lead to, and by which input.
    wires: Vec<(usize, usize)>,
}

/// The factor of wires that are strongly connected; `most` says by how much a node multiplies at
/// most.
pub(super) fn factor(facts: &Facts, edges: &[EdgeIx], most: impl Fn(NodeIx, Gain) -> f64) -> f64 {
    let web = Web::new(facts, edges, most);
    let order = web.against_the_stream();
    let mut weights = vec![[1.0_f64; 2]; web.places.len()];
    let mut logs = 0.0;
    let (mut last, mut steady) = (0.0, 0);
    for step in 0..STEPS.0 + STEPS.1 {
        let mut largest = 0.0_f64;
        for &place in &order {
            weights[place] = web.weigh(place, &weights);
            largest = largest.max(weights[place][0]).max(weights[place][1]);
        }
        if largest <= 0.0 {
            return 0.0;
        }
        steady = if (largest - last).abs() < STEADY * largest {
            steady + 1
        } else {
            0
        };
        if steady == STEADY_STEPS {
            return largest;
        }
        last = largest;
        if step >= STEPS.0 {
            logs += largest.ln();
        }
        for weight in &mut weights {
            *weight = weight.map(|weight| weight / largest);
        }
    }
    (logs / STEPS.1 as f64).exp()
}

impl Web {
    fn new(facts: &Facts, edges: &[EdgeIx], most: impl Fn(NodeIx, Gain) -> f64) -> Web {
        let design = &*facts.design;
        let mut numbers: FxHashMap<NodeIx, usize> = FxHashMap::default();
        let mut outs: Vec<(NodeIx, Vec<EdgeIx>)> = Vec::new();
        for edge in edges {
            let view = &design.edges[*edge];
            for node in [view.from, view.to] {
                numbers.entry(node).or_insert_with(|| {
                    outs.push((node, Vec::new()));
                    outs.len() - 1
                });
            }
            outs[numbers[&view.from]].1.push(*edge);
        }
        let place = |(node, edges): (NodeIx, Vec<EdgeIx>)| {
            let outlets = facts.outlets(edges).into_iter();
            let ports = outlets.map(|outlet| Port {
                gains: outlet.gains.map(|gain| most(node, gain)),
                competing: outlet.competing,
                wires: outlet
                    .wires
                    .iter()
                    .map(|edge| {
                        let view = &design.edges[*edge];
                        (numbers[&view.to], view.input.min(1))
                    })
                    .collect(),
            });
            ports.collect()
        };
        let places = outs.into_iter().map(place).collect();
        Web { places }
    }

    /// How much becomes of an event at a place, by the input that it came by.
    fn weigh(&self, place: usize, weights: &[[f64; 2]]) -> [f64; 2] {
        let ports = &self.places[place];
        let weigh = |input: usize| {
            let port = |port: &Port| {
                let wires = port.wires.iter().map(|(to, by)| weights[*to][*by]);
                let value = if port.competing {
                    wires.fold(0.0, f64::max)
                } else {
                    wires.sum()
                };
                (port.gains[input], value)
            };
            match &ports[..] {
                [one] => {
                    let (most, value) = port(one);
                    most * value
                }
                several => shared(several.iter().map(port)),
            }
        };
        let alike = ports
            .iter()
            .all(|port| (port.gains[0] - port.gains[1]).abs() <= f64::EPSILON);
        let first = weigh(0);
        [first, if alike { first } else { weigh(1) }]
    }

    /// All places, those that others lead to first.
    fn against_the_stream(&self) -> Vec<usize> {
        let mut seen = vec![false; self.places.len()];
        let mut order = Vec::with_capacity(self.places.len());
        let targets: Vec<Vec<usize>> = self
            .places
            .iter()
            .map(|ports| {
                let wires = ports.iter().flat_map(|port| &port.wires);
                wires.map(|(to, _)| *to).collect()
            })
            .collect();
        for start in 0..self.places.len() {
            if seen[start] {
                continue;
            }
            seen[start] = true;
            let mut open = vec![(start, 0)];
            while let Some((place, at)) = open.pop() {
                let Some(&next) = targets[place].get(at) else {
                    order.push(place);
                    continue;
                };
                open.push((place, at + 1));
                if !seen[next] {
                    seen[next] = true;
                    open.push((next, 0));
                }
            }
        }
        order
    }
}
