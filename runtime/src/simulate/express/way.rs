//! Where events of plain runs go.

use super::super::shape::{Shape, Target};
use super::NotPlain;
use crate::plan::{EdgeIndex, NodeIndex};

/// Where a wire leads.
#[derive(Clone, Copy)]
pub(super) enum Way {
    Queue {
        sub: usize,
    },
    /// To an operator of the same line, by this input port.
    Op {
        op: usize,
        input: u16,
    },
    Inbox {
        inbox: usize,
        lane: u32,
    },
}

impl Way {
    /// Of a wire that a plain flow may have.
    pub(super) fn of(shape: &Shape, edge: EdgeIndex) -> Result<Way, NotPlain> {
        Ok(match shape.targets[edge] {
            Target::Channel(channel) => {
                let sub = shape.subs.iter().position(|sub| sub.channel == channel);
                Way::Queue {
                    sub: sub.ok_or(NotPlain)?,
                }
            }
            Target::Op(op) => Way::Op {
                op,
                input: shape.plan.edges[edge].input,
            },
            Target::Inbox { first, lane, .. } => Way::Inbox {
                inbox: first,
                lane: lane as u32,
            },
            Target::Reply => return Err(NotPlain),
        })
    }
}

/// Where the wires of a node lead, by port.
pub(super) fn ways(shape: &Shape, node: NodeIndex) -> Result<Vec<Vec<Way>>, NotPlain> {
    let outs = shape.plan.nodes[node].outs.iter();
    let ways = outs.map(|edges| edges.iter().map(|edge| Way::of(shape, *edge)).collect());
    ways.collect()
}
