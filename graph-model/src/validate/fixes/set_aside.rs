//! Sets events aside for which there is no way.

use super::{fix, kind_that};
use crate::catalog::Behaviour;
use crate::document::Node;
use crate::id::PortRef;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};

/// What leaves by `port` is kept where somebody looks at it.
pub(in crate::validate) fn set_aside(design: &Design, node: NodeIx, port: &str) -> Option<Fix> {
    let kind = kind_that(design, |does| matches!(does, Behaviour::DeadLetter))?;
    let input = kind.inputs.first()?;
    let title = format!("Set aside what {} has no way for", design.title(node));
    let caution = "somebody has to look at what is set aside";
    Some(fix(design, title, caution, |build| {
        let kept = Node::new(kind.id.clone());
        let aside = build.add_node(&"no_way".into(), kept, None);
        build.connect(
            PortRef::new(design.nodes[node].id.clone(), port),
            PortRef::new(aside, input.name.clone()),
        );
    }))
}
