//! Puts a new node behind another one.

use crate::document::Node;
use crate::edit::TransactionBuilder;
use crate::id::{Id, PortRef};
use crate::validate::design::{Design, EdgeIx, NodeIx};

/// Between the first output of a node, which is `output`, and everything that it leads to.
pub(super) fn insert_behind(
    design: &Design,
    build: &mut TransactionBuilder<'_>,
    (node, output): (NodeIx, &str),
    wished: &Id,
    new: Node,
) {
    let kind = design.kind(&new.kind);
    let ports = kind.and_then(|kind| kind.inputs.first().zip(kind.outputs.first()));
    let Some((input, leaves)) = ports else { return };
    let (input, leaves) = (input.name.clone(), leaves.name.clone());
    let view = &design.nodes[node];
    let main: Vec<EdgeIx> = view
        .outs
        .iter()
        .copied()
        .filter(|edge| is_main(design, *edge))
        .collect();
    let new = build.add_node(wished, new, None);
    for edge in main {
        build.change_edge(&design.edges[edge].id, |edge| {
            edge.from = PortRef::new(new.clone(), leaves.clone());
        });
    }
    build.connect(
        PortRef::new(view.id.clone(), output),
        PortRef::new(new, input),
    );
}

/// Whether a drawn wire starts where a node's ordinary events leave.
pub(super) fn is_main(design: &Design, edge: EdgeIx) -> bool {
    design.edges[edge].main && !design.edges[edge].resource
}
