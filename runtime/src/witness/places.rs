//! Where single faults may show a hazard: the places of the diagnostic first.

use std::collections::BTreeSet;

use graph_model::document::Document;
use graph_model::id::NodeId;

use crate::simulate::{Admitted, Fault, FaultKind, Outcome, Place, Point, Sort};

/// Single faults of one run that are tried, at most.
pub(super) const SINGLES_MAX: usize = 64;

/// How near a place is to the hazard.
pub(super) struct Nearness<'n> {
    pub document: &'n Document,
    pub blamed: &'n BTreeSet<NodeId>,
    pub evidence: &'n BTreeSet<NodeId>,
    /// Everything from which an event can come to what is blamed.
    pub upstream: &'n BTreeSet<NodeId>,
}

/// Every single fault of these sorts, at every event that passes its place in the run in which nothing
/// goes wrong; the nearest first, and of one place the first events first.
pub(super) fn singles(
    admitted: &[Admitted],
    sorts: &[Sort],
    nearness: &Nearness<'_>,
    clean: &Outcome,
) -> Vec<Fault> {
    let mut all: Vec<((usize, u64, usize, usize), Fault)> = Vec::new();
    for Admitted { sort, place } in admitted {
        let Some(wanted) = sorts.iter().position(|wanted| wanted == sort) else {
            continue;
        };
        let rank = nearness.rank(place);
        for (turn, kind) in kinds(*sort).iter().enumerate() {
            for nth in 0..passed(clean, place) {
                let fault = Fault {
                    kind: *kind,
                    place: place.clone(),
                    nth,
                };
                all.extend(
                    as_slow_as_declared(vec![fault], nearness.document)
                        .into_iter()
                        .map(|fault| ((rank, nth, wanted, turn), fault)),
                );
            }
        }
    }
    all.sort_by_key(|(order, _)| *order);
    all.truncate(SINGLES_MAX);
    all.into_iter().map(|(_, fault)| fault).collect()
}

/// Ways in which a sort of fault is tried.
pub(super) fn kinds(sort: Sort) -> &'static [FaultKind] {
    const HOURS: u64 = 2 * 3_600_000_000;
    match sort {
        Sort::Duplicate => &[
            FaultKind::Duplicate { after_us: 2_000 },
            FaultKind::Duplicate { after_us: 50_000 },
            FaultKind::Duplicate { after_us: HOURS },
        ],
        Sort::Replay => &[
            FaultKind::Replay { back: 0 },
            FaultKind::Replay { back: 1 },
            FaultKind::Replay { back: 4 },
        ],
        Sort::Lose => &[FaultKind::Lose],
        Sort::Delay => &[
            FaultKind::Delay { by_us: 50_000 },
            FaultKind::Delay { by_us: HOURS },
        ],
        Sort::Late => &[
            FaultKind::Late { by_us: 50_000 },
            FaultKind::Late { by_us: HOURS },
        ],
        // What crashes after it is done has only lost its memory, which recycling does too.
        Sort::Crash => &[
            FaultKind::Crash(Point::BeforeAck),
            FaultKind::Crash(Point::BeforeEffect),
        ],
        Sort::Recycle => &[FaultKind::Recycle],
        Sort::Clock => &[
            FaultKind::Clock { ms: 3_600_000 },
            FaultKind::Clock { ms: -3_600_000 },
        ],
        Sort::Slow => &[FaultKind::Slow { times: 10 }],
        Sort::Refuse => &[FaultKind::Refuse],
        Sort::Partitions => &[],
    }
}

/// The same faults with calls no slower than what is declared lets them be: a node that takes a batch for
/// one works on an event for as long as on all of them. One such call is enough.
pub(super) fn as_slow_as_declared(faults: Vec<Fault>, document: &Document) -> Vec<Fault> {
    let batch = |place: &Place| match place {
        Place::Node(node) => {
            let declared = document.nodes.get(node)?.notes.declared.get("batch")?;
            u32::try_from(declared.as_i64()?).ok()
        }
        Place::Edge(_) => None,
    };
    let mut slow = false;
    let fitted = faults.into_iter().filter_map(|fault| {
        if fault.kind.sort() != Sort::Slow {
            return Some(fault);
        }
        let times = batch(&fault.place).filter(|times| *times > 1 && !slow)?;
        slow = true;
        Some(Fault {
            kind: FaultKind::Slow { times },
            ..fault
        })
    });
    fitted.collect()
}

/// How many events pass a place.
fn passed(clean: &Outcome, place: &Place) -> u64 {
    let counters = &clean.counters;
    match place {
        Place::Node(node) => counters.nodes.get(node).map_or(0, |node| node.received),
        Place::Edge(edge) => counters.edges.get(edge).map_or(0, |edge| edge.passed),
    }
}

impl Nearness<'_> {
    fn rank(&self, place: &Place) -> usize {
        let near = |node: &NodeId| {
            if self.blamed.contains(node) || self.evidence.contains(node) {
                0
            } else if self.upstream.contains(node) {
                2
            } else {
                4
            }
        };
        match place {
            Place::Node(node) => near(node),
            Place::Edge(edge) => match self.document.edges.get(edge) {
                Some(edge) => near(&edge.to.node).min(near(&edge.from.node) + 1),
                None => 4,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use graph_model::validate::notation;

    use super::*;

    #[test]
    fn calls_are_as_slow_as_is_declared() {
        let flow = "in: manual -> lane: queue -> many: map(expr=.) ^batch=4 -> one: map(expr=.) -> out: view";
        let document = notation::read(flow).expect("a flow");
        let slow = |node: &str| Fault {
            kind: FaultKind::Slow { times: 10 },
            place: Place::Node(node.into()),
            nth: 0,
        };
        let crash = Fault {
            kind: FaultKind::Crash(Point::BeforeAck),
            ..slow("one")
        };
        let fitted = Fault {
            kind: FaultKind::Slow { times: 4 },
            ..slow("many")
        };
        for (faults, wanted) in [
            (vec![slow("many")], vec![fitted.clone()]),
            (vec![slow("one")], vec![]),
            (
                vec![slow("many"), crash.clone(), slow("many")],
                vec![fitted, crash],
            ),
        ] {
            assert_eq!(as_slow_as_declared(faults, &document), wanted);
        }
    }
}
