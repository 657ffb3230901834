//! How large events are at most.

use std::rc::Rc;

use crate::catalog::Behaviour;
use crate::expr::Expr;
use crate::id::Id;
use crate::units::parse_bytes;
use crate::validate::design::NodeIx;
use crate::validate::facts::{Facts, Port};
use crate::value::Value;

/// Bytes of what an expression makes of nothing but the context of an event, beside its own text.
const CONTEXT_BYTES: u64 = 1024;

impl Facts {
    /// What somebody says of the size of a node's events goes before what follows from its input.
    pub(super) fn resize(&self, node: NodeIx, input: Option<&Port>, port: &mut Rc<Port>) {
        let design = &*self.design;
        let came = input.and_then(|input| input.size);
        let growth = design.declared_number(node, "growth");
        let growth = growth.filter(|growth| growth.is_finite() && *growth >= 0.0);
        match design.behaviour(node) {
            Some(Behaviour::Opaque { .. }) => {
                let ty = port.payload.ty.as_ref();
                let size = ty.and_then(|ty| self.declared_size(ty));
                Rc::make_mut(port).size = size;
            }
            Some(Behaviour::Map { expr } | Behaviour::Mediate { expr, .. }) => {
                let made = design.expr(node, expr).filter(|expr| takes_nothing(expr));
                if let Some(expr) = made {
                    Rc::make_mut(port).size = Some(CONTEXT_BYTES + expr.code().len() as u64);
                }
            }
            _ => {}
        }
        if let (Some(growth), Some(came)) = (growth, came) {
            Rc::make_mut(port).size = Some((came as f64 * growth).ceil() as u64);
        }
    }

    /// Bytes of an event of the type at most.
    pub(crate) fn declared_size(&self, ty: &Id) -> Option<u64> {
        let declared = &self.design.document.types.get(ty)?.declared;
        parse_bytes(declared.get("size_max").and_then(Value::as_str)?)
    }

    /// The node at which it is lost how large events are, on the way to a node where somebody wants to
    /// know; `None` when it was never said.
    pub(crate) fn size_lost_at(&self, node: NodeIx) -> Option<NodeIx> {
        let design = &*self.design;
        let lost = |at: NodeIx| {
            at != node
                && self.output(at).is_some_and(|port| port.size.is_none())
                && self.input(at).is_some_and(|port| port.size.is_some())
        };
        let unknown = |edge| self.edge(edge).is_some_and(|port| port.size.is_none());
        let way = design.trace(node, unknown, lost);
        way.first().map(|edge| design.edges[*edge].from)
    }
}

fn takes_nothing(expr: &Expr) -> bool {
    let analysis = expr.analysis();
    let reads = &analysis.reads;
    analysis.rest.is_none() && reads.fields.is_empty() && !analysis.whole
}

/// `64 KiB`, `1.5 MiB`, `300 bytes`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (unit, size) in UNITS {
        if count >= size {
            let text = format!("{:.1}", count as f64 / size as f64);
            return format!("{} {unit}", text.trim_end_matches(".0"));
        }
    }
    format!("{count} bytes")
}
