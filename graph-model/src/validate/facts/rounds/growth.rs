//! By how much events multiply with each turn of a loop.
//!
//! The factor is that of the non-negative matrix of gains between places, found by power iteration.
//! Places are updated one after the other against the direction of the events, so that a step is
//! about a turn: the factor is then on the same side of one as the spectral radius (Stein and
//! Rosenberg), and does not depend on how many nodes the loop has. The geometric mean over several
//! steps settles loops whose turns take several steps.

use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use crate::validate::design::{Design, EdgeIx, NodeIx};

/// Steps until the direction of growth has settled, and steps whose mean counts.
const STEPS: (usize, usize) = (24, 24);

/// A factor that is nearer to one than this is one.
pub(super) const TOLERANCE: f64 = 1e-6;

/// Places and the wires between them.
struct Web {
    places: Vec<Vec<Port>>,
}

struct Port {
    /// An event takes one of the wires instead of all.
    competing: bool,
    wires: Vec<Wire>,
}

struct Wire {
    to: usize,
    input: usize,
    /// By the input that an event came by.
    gains: [f64; 2],
}

/// The factor of wires that are strongly connected. `gain` says by how much a wire multiplies what
/// came to its start by an input.
pub(super) fn factor(
    design: &Design,
    edges: &[EdgeIx],
    gain: impl Fn(EdgeIx, usize) -> f64,
) -> f64 {
    let web = Web::new(design, edges, gain);
    let order = web.against_the_stream();
    let mut weights = vec![[1.0_f64; 2]; web.places.len()];
    let mut logs = 0.0;
    for step in 0..STEPS.0 + STEPS.1 {
        let mut largest = 0.0_f64;
        for &place in &order {
            weights[place] = web.weigh(place, &weights);
            largest = largest.max(weights[place][0]).max(weights[place][1]);
        }
        if largest <= 0.0 {
            return 0.0;
        }
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
    fn new(design: &Design, edges: &[EdgeIx], gain: impl Fn(EdgeIx, usize) -> f64) -> Web {
        let mut numbers: FxHashMap<NodeIx, usize> = FxHashMap::default();
        let mut places: Vec<Vec<Port>> = Vec::new();
        for edge in edges {
            let view = &design.edges[*edge];
            for node in [view.from, view.to] {
                numbers.entry(node).or_insert_with(|| {
                    places.push(Vec::new());
                    places.len() - 1
                });
            }
        }
        let mut ports: FxHashMap<(NodeIx, SmolStr), usize> = FxHashMap::default();
        for edge in edges {
            let view = &design.edges[*edge];
            let own = &mut places[numbers[&view.from]];
            let at = *ports
                .entry((view.from, design.port_of(*edge)))
                .or_insert_with(|| {
                    own.push(Port {
                        competing: design.competes(view.from),
                        wires: Vec::new(),
                    });
                    own.len() - 1
                });
            own[at].wires.push(Wire {
                to: numbers[&view.to],
                input: view.input.min(1),
                gains: [gain(*edge, 0), gain(*edge, 1)],
            });
        }
        Web { places }
    }

    /// How much becomes of an event at a place, by the input that it came by.
    fn weigh(&self, place: usize, weights: &[[f64; 2]]) -> [f64; 2] {
        [0, 1].map(|input| {
            let ports = self.places[place].iter().map(|port| {
                let wires = port
                    .wires
                    .iter()
                    .map(|wire| wire.gains[input] * weights[wire.to][wire.input]);
                if port.competing {
                    wires.fold(0.0, f64::max)
                } else {
                    wires.sum()
                }
            });
            // An event leaves by one of the ports.
            ports.fold(0.0, f64::max)
        })
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
                wires.map(|wire| wire.to).collect()
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
