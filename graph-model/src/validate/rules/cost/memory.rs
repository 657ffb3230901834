//! COST-005: what is held at once does not fit into memory.

use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::size::bytes;
use crate::validate::rules::declare_rule;
use crate::validate::rules::loops::number;
use crate::validate::{Step, Subject, fixes};

declare_rule! {
    /// Finds nodes whose batch of the largest events needs more memory than an instance has.
    /// ## Why is this bad
    /// A bigger batch is cheaper until it kills the function. The whole batch is then delivered again,
    /// and kills the next instance. Nothing in the batch gets through, though each event would.
    /// ## When is this fine
    /// When the code reads its events one by one and forgets each: then declare a batch of one.
    /// ## Perturbation
    /// A full batch of the largest events: the instance ends, and the batch comes again.
    /// ## Example
    /// type picture(id=/id, size_max=4 MiB): id string
    /// in: manual(event_type=picture) -> small: function(component=small.wasm) ^batch=50 ^growth=0.5 ^memory=256MiB -> out: view
    /// ## Use instead
    /// type picture(id=/id, size_max=4 MiB): id string
    /// in: manual(event_type=picture) -> small: function(component=small.wasm) ^batch=40 ^growth=0.5 ^memory=256MiB -> out: view
    /// ## Near miss
    /// type picture(id=/id, size_max=4 MiB): id string
    /// in: manual(event_type=picture) -> short: map(expr={id: .id}) ^growth=0.1 -> small: function(component=small.wasm) ^batch=400 ^growth=0.5 ^memory=256MiB -> out: view
    /// ## Source
    /// AWS: Lambda quotas, read 2026-11-23 (128 MB to 10,240 MB for an environment), and developer guide,
    /// batching (a batch that fails is delivered again as a whole)
    code = "COST-005", name = "batch-over-memory", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, _)) = design.acting(node) else {
        return;
    };
    let Some((memory, port)) = design.declared_bytes(node, "memory").zip(facts.input(node)) else {
        return;
    };
    let title = design.title(node);
    let batch = design.declared_number(node, "batch");
    let Some(size) = port.size else {
        if let Some(lost) = facts.size_lost_at(node).filter(|_| batch.is_some()) {
            let reason = format!(
                "nobody says how large events are behind {}; declare its growth",
                design.title(lost)
            );
            findings.unchecked(Subject::Node(design.nodes[lost].id.clone()), reason);
        }
        return;
    };
    let batch = batch.unwrap_or(1.0).max(1.0);
    let growth = design
        .declared_number(node, "growth")
        .unwrap_or(0.0)
        .max(0.0);
    let each = size as f64 * (1.0 + growth);
    if each * batch <= memory as f64 {
        return;
    }
    let made = if growth > 0.0 {
        format!(
            ", and makes {} of each",
            bytes((size as f64 * growth).ceil() as u64)
        )
    } else {
        String::new()
    };
    let path = vec![
        Step::node(
            &view.id,
            format!(
                "holds {} events of up to {} at once{made}",
                number(batch),
                bytes(size)
            ),
        ),
        Step::node(
            &view.id,
            format!(
                "needs {} and has {}",
                bytes((each * batch).ceil() as u64),
                bytes(memory)
            ),
        ),
    ];
    let message = format!(
        "{title} needs up to {} for a batch and has {}; take fewer events at once",
        bytes((each * batch).ceil() as u64),
        bytes(memory)
    );
    let fits = (memory as f64 / each).floor();
    findings.add(
        Found::node(&view.id, message)
            .path(path)
            .fixes(fixes::take_fewer(design, node, fits)),
    );
}
