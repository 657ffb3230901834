//! STATE-007: somebody else's data is written at home.

use crate::catalog::Behaviour;
use crate::id::Id;
use crate::validate::design::{Design, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::fixes;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::way_from;
use crate::value::Value;

declare_rule! {
    /// Finds tables in which a zone keeps its own version of master data that another zone owns.
    /// ## Why is this bad
    /// A copy that may be edited is a second truth. Each side changes what it knows, and nobody learns
    /// of the other's change. From then on the answer depends on whom one asks.
    /// ## When is this fine
    /// When the owner takes the changes over and settles conflicts: then accept the hazard and say how.
    /// ## Perturbation
    /// An edit in both places: when all is quiet they differ.
    /// ## Example
    /// type customer(id=/id, master=true, owner=crm): id string, address string
    /// zone crm
    /// zone shop
    /// form: manual(event_type=customer) #shop -> own: table(table=customers, mode=append) #shop
    /// ## Use instead
    /// type customer(id=/id, master=true, owner=crm): id string, address string
    /// zone crm
    /// zone shop
    /// form: manual(event_type=customer) #shop -> own: table(table=customers, mode=append) #crm
    /// ## Near miss
    /// type customer(id=/id, master=true, owner=crm): id string, address string
    /// zone crm
    /// zone shop
    /// form: manual(event_type=customer) #crm -> told: topic #crm -> copy: table(table=customers, mode=append) #shop
    /// ## Source
    /// M. Fowler and others on the single writer of a record; DAMA: Data management body of knowledge,
    /// master data (one system of record for each)
    code = "STATE-007", name = "master-data-forked", severity = Warning, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, Behaviour::Table { .. })) = design.acting(node) else {
        return;
    };
    let Some(port) = facts.input(node) else {
        return;
    };
    let Some((ty, owner)) = port.payload.ty.as_ref().and_then(|ty| {
        let declared = &design.document.types.get(ty)?.declared;
        let master = declared.get("master").and_then(Value::as_bool) == Some(true);
        let owner = declared.get("owner").and_then(Value::as_str)?;
        master.then_some((ty, owner))
    }) else {
        return;
    };
    let foreign = |node: NodeIx| zone_of(design, node).filter(|zone| zone.as_str() != owner);
    let Some(own) = foreign(node) else { return };
    let mut makers: Vec<NodeIx> = vec![port.payload.base.node()];
    makers.extend(&port.definition.sources);
    let Some((maker, at)) = makers
        .into_iter()
        .find_map(|maker| Some((maker, foreign(maker)?)))
    else {
        return;
    };
    let owner = design.document.zones.get(owner).map_or(owner, |zone| {
        if zone.title.is_empty() {
            owner
        } else {
            &zone.title
        }
    });
    let title = design.title(node);
    let message = format!(
        "{title} keeps what {own} says of `{ty}`, which is master data of {owner}; send a request to \
         {owner}, and keep a copy of what {owner} answers"
    );
    let cause = format!("makes `{ty}` in {at}");
    let effect = format!("writes it in {own}, and {owner} does not know");
    findings.add(
        Found::node(&view.id, message)
            .path(way_from(facts, maker, cause, node, effect))
            .fixes(fixes::leave_to_owner(design, node)),
    );
}

fn zone_of(design: &Design, node: NodeIx) -> Option<&Id> {
    design.nodes[node].node.zone.as_ref()
}
