//! How many events leave a node for one that comes in.

use smol_str::SmolStr;

use crate::catalog::{Behaviour, PortRole};
use crate::pointer::Pointer;
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::validate::facts::Facts;
use crate::value::Value;

/// Events out by one wire for one event in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Gain {
    pub least: f64,
    /// Infinite when nobody says it.
    pub most: f64,
}

impl Gain {
    pub(crate) const ONE: Gain = Gain::exactly(1.0);
    pub(crate) const NONE: Gain = Gain::exactly(0.0);
    const SOME: Gain = Gain {
        least: 0.0,
        most: 1.0,
    };
    const UNKNOWN: Gain = Gain {
        least: 0.0,
        most: f64::INFINITY,
    };

    const fn exactly(count: f64) -> Gain {
        Gain {
            least: count,
            most: count,
        }
    }

    fn at_most(most: f64) -> Gain {
        Gain { least: 0.0, most }
    }

    /// Whether somebody says how many they are.
    pub(crate) fn is_known(self) -> bool {
        self.most.is_finite()
    }
}

/// A port with its wires.
#[derive(Clone, Debug)]
pub(crate) struct Outlet {
    /// By the input that an event came by.
    pub gains: [Gain; 2],
    /// An event takes one of the wires instead of all.
    pub competing: bool,
    pub wires: Vec<EdgeIx>,
}

/// The most that becomes of an event which leaves by one of several ports: of each, how many events
/// it sends at most and what becomes of one of them. What is sure to go one way cannot go another.
pub(crate) fn shared(ports: impl IntoIterator<Item = (f64, f64)>) -> f64 {
    let mut ports: Vec<(f64, f64)> = ports.into_iter().collect();
    if let [(most, value)] = ports[..] {
        return times(most, value);
    }
    ports.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut left = ports.iter().map(|(most, _)| *most).fold(1.0, f64::max);
    let mut total = 0.0;
    for (most, value) in ports {
        let taken = most.min(left);
        total += times(taken, value);
        left -= taken;
        if left.is_nan() || left <= 0.0 {
            break;
        }
    }
    total
}

/// The product, where none of something is none, however much the other may be.
pub(crate) fn times(a: f64, b: f64) -> f64 {
    if a == 0.0 || b == 0.0 { 0.0 } else { a * b }
}

impl Facts {
    /// What leaves by a wire for one event that came by the input of this number. Of the wires of
    /// one port each gets its copy, unless they [compete](Facts::competes); an event leaves by one
    /// port only.
    pub(crate) fn gain(&self, edge: EdgeIx, input: usize) -> Gain {
        let design = &*self.design;
        let view = &design.edges[edge];
        let node = view.from;
        let Some(behaviour) = design.behaviour(node) else {
            return Gain::NONE;
        };
        if view.role == PortRole::Failed {
            return Gain::SOME;
        }
        if view.resource {
            // The write itself; the source behind says what becomes of it.
            return Gain::ONE;
        }
        if input > 0 && matches!(behaviour, Behaviour::Enrich { .. }) {
            // Rows are only kept.
            return Gain::NONE;
        }
        let opaque = matches!(behaviour, Behaviour::Opaque { .. });
        let declared = self.declared_gain(node);
        if !view.main && !opaque {
            let passed = matches!(behaviour, Behaviour::Filter { .. });
            return match declared.filter(|gain| passed && *gain <= 1.0) {
                Some(passed) => Gain::exactly(1.0 - passed),
                None => Gain::SOME,
            };
        }
        match behaviour {
            Behaviour::Route { .. } => Gain::SOME,
            Behaviour::Opaque { .. } => match declared {
                Some(gain) if self.data_ports(node) > 1 => Gain::at_most(gain),
                Some(gain) => Gain::exactly(gain),
                None => Gain::UNKNOWN,
            },
            _ if declared.is_some() => declared.map_or(Gain::SOME, Gain::exactly),
            Behaviour::Split { expr } => self.elements(node, expr),
            Behaviour::Map { expr } | Behaviour::Mediate { expr, .. } => {
                let expr = design.expr(node, expr);
                if expr.is_some_and(|expr| expr.analysis().multiplicity.may_be_none) {
                    Gain::SOME
                } else {
                    Gain::ONE
                }
            }
            Behaviour::Filter { .. } | Behaviour::Guard { .. } | Behaviour::Decide { .. } => {
                Gain::SOME
            }
            Behaviour::Dedupe { key, .. } => {
                let key = design.expr(node, key).zip(self.input(node));
                let only_copies =
                    key.is_some_and(|(key, port)| self.identifies(&self.key(key, port), port));
                if only_copies { Gain::ONE } else { Gain::SOME }
            }
            Behaviour::Aggregate { window, .. } => {
                if design.gathers(node, window) {
                    Gain::SOME
                } else {
                    Gain::ONE
                }
            }
            Behaviour::Join { unique, .. } => {
                let side = ["right", "left"][input.min(1)];
                let once = design
                    .text(node, unique)
                    .is_some_and(|unique| unique == "both" || unique == side);
                if once { Gain::SOME } else { Gain::UNKNOWN }
            }
            Behaviour::Queue { .. } if design.wires_of_port(edge).count() > 1 => Gain::SOME,
            // Objects and rows are what they are; a file may hold any number of events.
            Behaviour::Source { .. } => Gain::UNKNOWN,
            Behaviour::Changes { .. } => Gain::SOME,
            Behaviour::Queue { .. }
            | Behaviour::Topic
            | Behaviour::Log { .. }
            | Behaviour::Merge
            | Behaviour::Repartition { .. }
            | Behaviour::Redact { .. }
            | Behaviour::Table { .. }
            | Behaviour::Observe { .. }
            | Behaviour::Effect { .. }
            | Behaviour::DeadLetter
            | Behaviour::Enrich { .. }
            | Behaviour::Fold { .. }
            | Behaviour::Resequence { .. }
            | Behaviour::VersionGuard { .. }
            | Behaviour::Validate { .. }
            | Behaviour::Tokenise { .. }
            | Behaviour::Bucket { .. } => Gain::ONE,
        }
    }

    /// Wires of one node by the port that they leave by.
    pub(crate) fn outlets(&self, edges: impl IntoIterator<Item = EdgeIx>) -> Vec<Outlet> {
        let design = &*self.design;
        let mut outlets: Vec<(SmolStr, Outlet)> = Vec::new();
        for edge in edges {
            let port = design.port_of(edge);
            if let Some((_, outlet)) = outlets.iter_mut().find(|(name, _)| *name == port) {
                outlet.wires.push(edge);
                continue;
            }
            let outlet = Outlet {
                gains: [self.gain(edge, 0), self.gain(edge, 1)],
                competing: design.competes(design.edges[edge].from),
                wires: vec![edge],
            };
            outlets.push((port, outlet));
        }
        outlets.into_iter().map(|(_, outlet)| outlet).collect()
    }

    /// What somebody says of a node's gain.
    pub(crate) fn declared_gain(&self, node: NodeIx) -> Option<f64> {
        let gain = self.design.declared_number(node, "gain")?;
        (gain.is_finite() && gain >= 0.0).then_some(gain)
    }

    /// Elements of what a split cuts: those that its expression writes down, or those that the event
    /// type allows.
    fn elements(&self, node: NodeIx, expr: &str) -> Gain {
        let Some(expr) = self.design.expr(node, expr) else {
            return Gain::UNKNOWN;
        };
        let analysis = expr.analysis();
        if let Some(elements) = analysis.elements {
            return Gain {
                least: elements.least as f64,
                most: elements.most.map_or(f64::INFINITY, |most| most as f64),
            };
        }
        let whole = analysis.outputs.iter().find(|row| row.pointer.is_root());
        let field = match (&analysis.rest, whole) {
            (Some(_), None) => Some(Pointer::root()),
            (None, Some(row)) => row.copy.clone(),
            _ => None,
        };
        let bounds = field.and_then(|field| self.items(node, &field));
        bounds.unwrap_or(Gain::UNKNOWN)
    }

    /// `minItems` and `maxItems` of an array in what arrives.
    fn items(&self, node: NodeIx, field: &Pointer) -> Option<Gain> {
        let ty = self.input(node)?.payload.ty.as_ref()?;
        let mut schema = &self.design.document.types.get(ty)?.schema;
        for token in field.tokens() {
            schema = schema.get("properties")?.get(token)?;
        }
        let most = schema.get("maxItems")?.as_f64()?;
        let least = schema.get("minItems").and_then(Value::as_f64);
        Some(Gain {
            least: least.unwrap_or(0.0),
            most,
        })
    }

    /// Output ports of a node with wires for its ordinary events.
    fn data_ports(&self, node: NodeIx) -> usize {
        let design = &*self.design;
        let outs = design.nodes[node].outs.iter();
        let mut ports: Vec<&str> = outs
            .map(|edge| &design.edges[*edge])
            .filter(|view| view.role == PortRole::Data && !view.resource)
            .map(|view| view.edge.from.port.as_str())
            .collect();
        ports.sort_unstable();
        ports.dedup();
        ports.len()
    }
}

impl Design {
    /// Whether an aggregate sends a result for several events: at the end of a window, unless one
    /// event fills it. `window` names the field that says so.
    pub(crate) fn gathers(&self, node: NodeIx, window: &str) -> bool {
        match self.text(node, window) {
            None | Some("none") => false,
            Some("count") => {
                let count = self.value(node, "count").and_then(Value::as_i64);
                count.is_none_or(|count| count > 1)
            }
            Some(_) => true,
        }
    }

    /// Whether an event goes by one of the wires of a port instead of by all.
    pub(crate) fn competes(&self, node: NodeIx) -> bool {
        matches!(self.behaviour(node), Some(Behaviour::Queue { .. }))
    }

    /// Whether a node holds events until their consumers have finished with them.
    pub(crate) fn is_channel(&self, node: NodeIx) -> bool {
        matches!(
            self.behaviour(node),
            Some(Behaviour::Queue { .. } | Behaviour::Topic | Behaviour::Log { .. })
        )
    }

    /// Whether a wire carries what a node gave up.
    pub(crate) fn is_failure(&self, edge: EdgeIx) -> bool {
        self.edges[edge].role == PortRole::Failed
    }

    /// Nodes that bring events in from outside.
    pub(crate) fn sources(&self) -> impl Iterator<Item = NodeIx> {
        let active = self.active();
        active.filter_map(|(node, _, behaviour)| {
            matches!(behaviour, Behaviour::Source { .. }).then_some(node)
        })
    }

    /// The port that a wire leaves by. Who hears of a write gets its copy of what goes on.
    pub(crate) fn port_of(&self, edge: EdgeIx) -> SmolStr {
        let view = &self.edges[edge];
        if !view.resource {
            return view.edge.from.port.clone();
        }
        let kind = self.nodes[view.from].kind.as_ref();
        let first = kind.and_then(|kind| kind.outputs.first());
        first.map_or_else(SmolStr::default, |port| port.name.clone())
    }

    /// The wires that leave by the same port as a wire.
    pub(crate) fn wires_of_port(&self, edge: EdgeIx) -> impl Iterator<Item = EdgeIx> {
        let view = &self.edges[edge];
        let outs = self.nodes[view.from].outs.iter().copied();
        outs.filter(move |other| {
            let other = &self.edges[*other];
            other.resource == view.resource && other.edge.from.port == view.edge.from.port
        })
    }
}
