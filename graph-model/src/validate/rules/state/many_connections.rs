//! STATE-003: each instance opens its own pool of connections.

use crate::catalog::Behaviour;
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::numbers::windowed;
use crate::validate::rules::cost::ask_for_rate;
use crate::validate::rules::declare_rule;
use crate::validate::rules::loops::number;
use crate::validate::{Step, Subject, fixes};

declare_rule! {
    /// Finds stores that get more connections from all instances together than they take.
    /// ## Why is this bad
    /// A pool is made for one process that lives long. Here are hundreds of short ones, and each opens
    /// a pool of its own. Under load the store refuses the next connection, and so everybody's.
    /// ## When is this fine
    /// When a proxy stands in front of the store and shares its connections: then declare what the
    /// proxy takes.
    /// ## Perturbation
    /// The declared peak: connections are counted, and those beyond the limit are refused.
    /// ## Example
    /// in: manual -> save: function(component=save.wasm) ^instances=200 ^pool=5 -> rows: table(table=rows, mode=append) ^connections=100
    /// ## Use instead
    /// in: manual -> save: function(component=save.wasm) ^instances=200 ^pool=5 -> rows: table(table=rows, mode=append) ^connections=1000
    /// ## Near miss
    /// in: manual -> lane: queue(concurrency=20) -> save: function(component=save.wasm) ^instances=200 ^pool=5 -> rows: table(table=rows, mode=append) ^connections=100
    /// ## Source
    /// AWS: Amazon RDS user guide, RDS Proxy (functions open and close connections often and exhaust
    /// them). Microsoft: Service Bus quotas, read 2023-12-07 (5000 connections a namespace)
    code = "STATE-003", name = "pools-multiply", severity = Error, since = "0.1.0",
    check = Whole(check),
}

fn check(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let stores = design
        .active()
        .filter_map(|(node, _, _)| Some((node, design.declared_number(node, "connections")?)));
    let stores: Vec<(NodeIx, f64)> = stores.collect();
    if stores.is_empty() {
        return;
    }
    let pools: Vec<(NodeIx, f64, Vec<NodeIx>)> = design
        .active()
        .filter_map(|(node, _, _)| {
            let pool = design.declared_number(node, "pool")?;
            Some((node, pool, stores_of(design, node)))
        })
        .collect();
    for (store, limit) in stores {
        let mut users = Vec::new();
        let (mut all, mut at_most, mut doubted) = (0.0, 0.0, None);
        for (node, pool, _) in pools
            .iter()
            .filter(|(_, _, stores)| stores.contains(&store))
        {
            let Some(Needed {
                instances,
                at_most: most,
                how,
            }) = instances(facts, *node)
            else {
                let reason = format!(
                    "{} opens connections to {}, and nobody says in how many instances; declare its instances",
                    design.title(*node),
                    design.title(store)
                );
                let subject = Subject::Node(design.nodes[*node].id.clone());
                findings.unchecked(subject, reason);
                continue;
            };
            all += instances * pool;
            at_most += most * pool;
            if most > instances && doubted.is_none() {
                doubted = Some(*node);
            }
            users.push((*node, *pool, instances, how));
        }
        if all <= limit {
            if let Some(node) = doubted.filter(|_| at_most > limit) {
                ask_for_rate(facts, node, findings);
            }
            continue;
        }
        users.sort_by(|a, b| (b.1 * b.2).total_cmp(&(a.1 * a.2)));
        let title = design.title(store);
        let mut path: Vec<Step> = users
            .iter()
            .map(|(node, pool, instances, how)| {
                let note = format!(
                    "opens {} connections in each of {} instances{how}: {}",
                    number(*pool),
                    number(*instances),
                    number(pool * instances)
                );
                Step::node(&design.nodes[*node].id, note)
            })
            .collect();
        let id = &design.nodes[store].id;
        path.push(Step::node(id, format!("takes {} at most", number(limit))));
        let first = users
            .first()
            .map(|(node, pool, instances, _)| (*node, *pool, *instances));
        let fixes = first.into_iter().flat_map(|(node, pool, instances)| {
            fixes::open_fewer(
                design,
                node,
                (pool, instances),
                limit - (all - pool * instances),
            )
        });
        let message = format!(
            "{title} takes {} connections, and its callers open {} when they are busy; \
             open fewer for each instance, or let fewer work at once",
            number(limit),
            number(all)
        );
        findings.add(
            Found::node(id, message)
                .path(path)
                .fixes(fixes.collect::<Vec<_>>()),
        );
    }
}

/// How many instances of a node there are at the peak.
struct Needed {
    instances: f64,
    /// Where nobody says how much comes of what was sent.
    at_most: f64,
    /// How that is known.
    how: String,
}

fn instances(facts: &Facts, node: NodeIx) -> Option<Needed> {
    let design = &*facts.design;
    let bound = design.workers(node).map(|workers| workers.count);
    let needed = facts.rates().zip(design.takes(node)).map(|(rates, takes)| {
        let span = rates.peak(node);
        (span.least * takes, span.most * takes)
    });
    // Those that one event becomes come at once, and so may those that come by several ways.
    let (together, ways) = (facts.burst(node), facts.ways_to(node).max(1.0));
    let at_once = |calls: f64| {
        let rounds = (calls / together).ceil().max(1.0) + ways - 1.0;
        (rounds * together).ceil()
    };
    let allowed = |bound: f64| Needed {
        instances: bound,
        at_most: bound,
        how: String::new(),
    };
    // How many come once a window closes, or a partner is there, nobody says.
    let needed = needed.filter(|_| !comes_gathered(design, node));
    match (bound, needed) {
        // What is allowed need not be needed.
        (Some(bound), Some((_, most))) if at_once(most) < bound => Some(Needed {
            instances: at_once(most),
            at_most: at_once(most),
            how: " at the peak".to_owned(),
        }),
        (Some(bound), _) => Some(allowed(bound)),
        (None, Some((least, most))) if most.is_finite() || least > 0.0 => Some(Needed {
            instances: at_once(least),
            at_most: at_once(most),
            how: " at the peak".to_owned(),
        }),
        _ => None,
    }
}

/// Whether something in front of a node holds events back and lets them go together, with nothing in
/// between that hands out so many at a time.
fn comes_gathered(design: &Design, node: NodeIx) -> bool {
    let hands_out_some = |edge: EdgeIx| {
        let from = design.behaviour(design.edges[edge].from);
        matches!(
            from,
            Some(Behaviour::Queue { .. } | Behaviour::Log { .. } | Behaviour::Repartition { .. })
        )
    };
    let gathers = |at: NodeIx| match design.behaviour(at) {
        _ if at == node => false,
        Some(Behaviour::Aggregate { .. }) => windowed(design, at),
        Some(Behaviour::Decide { wait, .. }) => design.text(at, wait) != Some("no"),
        // Who looks for changes now and then finds several.
        Some(Behaviour::Join { .. } | Behaviour::Resequence { .. } | Behaviour::Changes { .. }) => {
            true
        }
        _ => false,
    };
    let way = design.trace(node, |edge| !hands_out_some(edge), gathers);
    !way.is_empty()
}

/// The stores that a function opens connections to: the one that it looks into, and those that it
/// writes before another channel takes over.
fn stores_of(design: &Design, node: NodeIx) -> Vec<NodeIx> {
    let mut stores: Vec<NodeIx> = super::looks_into(design, node).into_iter().collect();
    let mut seen = vec![node];
    let mut open = vec![node];
    while let Some(at) = open.pop() {
        for edge in &design.nodes[at].outs {
            let view = &design.edges[*edge];
            if view.resource || design.is_failure(*edge) || seen.contains(&view.to) {
                continue;
            }
            seen.push(view.to);
            match design.behaviour(view.to) {
                Some(
                    Behaviour::Table { .. } | Behaviour::Bucket { .. } | Behaviour::Effect { .. },
                ) => {
                    stores.push(view.to);
                }
                Some(Behaviour::Opaque { .. }) | None => {}
                Some(_) if design.is_channel(view.to) || seen.len() > super::SEARCH_MAX => {}
                Some(_) => open.push(view.to),
            }
        }
    }
    stores
}
