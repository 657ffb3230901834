//! Parts a set of wires into those that lie on loops together.

use rustc_hash::FxHashMap;

use crate::validate::design::{Design, EdgeIx, NodeIx};

/// The wires of each group of nodes that can reach each other along them; wires that are on no loop
/// are left out (Tarjan's algorithm, without recursion).
pub(super) fn strands(design: &Design, edges: &[EdgeIx]) -> Vec<Vec<EdgeIx>> {
    const NEW: usize = usize::MAX;
    let mut numbers: FxHashMap<NodeIx, usize> = FxHashMap::default();
    let mut outs: Vec<Vec<usize>> = Vec::new();
    for edge in edges {
        let view = &design.edges[*edge];
        let [from, to] = [view.from, view.to].map(|node| {
            *numbers.entry(node).or_insert_with(|| {
                outs.push(Vec::new());
                outs.len() - 1
            })
        });
        outs[from].push(to);
    }
    let count = outs.len();
    let (mut order, mut low) = (vec![NEW; count], vec![0; count]);
    let mut group = vec![NEW; count];
    let (mut stack, mut groups, mut next) = (Vec::new(), 0, 0);
    for root in 0..count {
        if order[root] != NEW {
            continue;
        }
        let mut calls = vec![(root, 0)];
        while let Some((place, at)) = calls.pop() {
            if at == 0 {
                (order[place], low[place]) = (next, next);
                next += 1;
                stack.push(place);
            }
            if let Some(&to) = outs[place].get(at) {
                calls.push((place, at + 1));
                if order[to] == NEW {
                    calls.push((to, 0));
                } else if group[to] == NEW {
                    low[place] = low[place].min(order[to]);
                }
                continue;
            }
            if low[place] == order[place] {
                while let Some(member) = stack.pop() {
                    group[member] = groups;
                    if member == place {
                        break;
                    }
                }
                groups += 1;
            }
            if let Some((caller, _)) = calls.last() {
                low[*caller] = low[*caller].min(low[place]);
            }
        }
    }
    let mut strands: Vec<Vec<EdgeIx>> = vec![Vec::new(); groups];
    for edge in edges {
        let view = &design.edges[*edge];
        let own = group[numbers[&view.from]];
        if own == group[numbers[&view.to]] {
            strands[own].push(*edge);
        }
    }
    strands.retain(|strand| !strand.is_empty());
    strands
}
