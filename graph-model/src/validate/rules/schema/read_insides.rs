//! SCHEMA-003: several domains read what another one keeps for itself.

use std::collections::BTreeMap;

use super::zone_title;
use crate::catalog::Behaviour;
use crate::id::{Id, NodeId};
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::origins::Base;
use crate::validate::rules::auth::is_channel;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::way_from;
use crate::validate::{Step, Subject, fixes};
use crate::value::Value;

declare_rule! {
    /// Finds event types that belong to one zone, are no contract, and are read as they are in several
    /// other zones.
    /// ## Why is this bad
    /// Events were meant to keep teams apart, and now the shape of one team's data ties all of them
    /// together. A field cannot be renamed without asking everybody who might read it, and nobody
    /// knows who that is. In the end the inside is never changed, or a change breaks somebody.
    /// ## When is this fine
    /// When the shape is promised to others: then declare the type a contract.
    /// ## Perturbation
    /// One field of the type gets another name: how many nodes of other zones fail, with a mediator at
    /// the border and without.
    /// ## Example
    /// zone sales
    /// zone shop
    /// zone billing
    /// type order(id=/order, owner=sales): order string, total number
    /// in: manual(event_type=order) #sales -> news: topic #sales -> shown: view #shop
    /// news -> bills: table(table=bills, key=.order) #billing
    /// ## Use instead
    /// zone sales
    /// zone shop
    /// zone billing
    /// type order(id=/order, owner=sales): order string, total number
    /// type order_news(id=/id, owner=sales, contract=true): id string, sum number
    /// in: manual(event_type=order) #sales -> say: mediate(expr={id: .order, sum: .total}, target=order_news) #sales -> news: topic #sales -> shown: view #shop
    /// news -> bills: table(table=bills, key=.id) #billing
    /// ## Near miss
    /// zone sales
    /// zone shop
    /// zone billing
    /// type order(id=/order, owner=sales): order string, total number
    /// type bill(id=/order): order string, total number
    /// in: manual(event_type=order) #sales -> news: topic #sales -> shown: view #shop
    /// news -> small: filter(when=.total < 10) #shop -> seldom: view #shop
    /// news -> own: mediate(expr={order, total}, target=bill) #billing -> bills: table(table=bills, key=.order) #billing
    /// news -> all: table(table=orders, key=.order) #sales
    /// ## Source
    /// E. Evans: Domain-driven design, published language and anticorruption layer, 2003; D. Parnas: On
    /// the criteria to be used in decomposing systems into modules, 1972
    code = "SCHEMA-003", name = "insides-read-elsewhere", severity = Warning, since = "0.1.0",
    check = Whole(check),
}

/// Other zones that read a type until it ties them together.
const ZONES_MIN: usize = 2;

/// Who reads what one node makes, by their zones.
type Readers<'d> = BTreeMap<&'d Id, Vec<NodeIx>>;

fn check(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let owned = design.document.types.iter().filter_map(|(id, ty)| {
        let contract = ty.declared.get("contract").and_then(Value::as_bool) == Some(true);
        let owner = ty.declared.get("owner").and_then(Value::as_str);
        let owner = owner.filter(|_| !contract)?;
        Some((id, design.document.zones.get_key_value(owner)?.0))
    });
    let owners: BTreeMap<&Id, &Id> = owned.collect();
    if owners.is_empty() {
        return;
    }
    let mut readers: BTreeMap<(&Id, &NodeId), (NodeIx, Readers<'_>)> = BTreeMap::new();
    for (node, view, behaviour) in design.active() {
        let own = matches!(behaviour, Behaviour::Mediate { .. }) || is_channel(behaviour);
        let Some(zone) = view.node.zone.as_ref().filter(|_| !own) else {
            continue;
        };
        for port in [facts.input(node), facts.second(node)]
            .into_iter()
            .flatten()
        {
            let Some((ty, owner)) = port
                .payload
                .ty
                .as_ref()
                .and_then(|ty| owners.get_key_value(ty))
            else {
                continue;
            };
            if *owner == zone {
                continue;
            }
            let sources = port.definition.sources.iter().copied();
            let maker = match port.payload.base {
                Base::Made(maker) | Base::Sent(maker, _) => Some(maker),
                Base::Met(_) => sources.min_by_key(|source| &design.nodes[*source].id),
            };
            if let Some(maker) = maker {
                let key = (*ty, &design.nodes[maker].id);
                let held = readers.entry(key).or_insert((maker, Readers::new()));
                held.1.entry(zone).or_default().push(node);
            }
        }
    }
    for ((ty, _), (maker, held)) in readers {
        if held.len() >= ZONES_MIN {
            report(facts, (ty, owners[ty], maker), &held, findings);
        }
    }
}

fn report(
    facts: &Facts,
    (ty, owner, maker): (&Id, &Id, NodeIx),
    readers: &Readers<'_>,
    findings: &mut RuleFindings<'_, '_>,
) {
    let design = &*facts.design;
    let id = |node: NodeIx| design.nodes[node].id.clone();
    let zones = readers.keys().map(|zone| zone_title(design, zone));
    let zones: Vec<&str> = zones.collect();
    let (count, zones) = (
        readers.values().map(Vec::len).sum::<usize>(),
        zones.join(", "),
    );
    let owner = zone_title(design, owner);
    let message = format!(
        "`{ty}` is for {owner} alone and is read by {count} nodes of {zones}; publish a contract for them and keep `{ty}` inside"
    );
    let mut path = Vec::new();
    for (zone, nodes) in readers {
        let Some(first) = nodes.iter().copied().min_by_key(|node| id(*node)) else {
            continue;
        };
        let effect = format!("reads it in {}", zone_title(design, zone));
        if path.is_empty() {
            let cause = format!("sends `{ty}` of {owner}");
            path = way_from(facts, maker, cause, first, effect);
        } else {
            path.push(Step::node(&design.nodes[first].id, effect));
        }
    }
    let mut affected: Vec<NodeId> = readers.values().flatten().map(|node| id(*node)).collect();
    affected.sort();
    affected.dedup();
    findings.add(
        Found::at(Subject::Node(id(maker)), message)
            .detail(ty.as_str())
            .path(path)
            .affecting(affected)
            .fixes(fixes::publish_contract(facts, ty)),
    );
}
