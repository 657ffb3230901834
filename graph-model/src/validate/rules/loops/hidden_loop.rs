//! LOOP-005: a loop that no wire shows, because a part of it is a store.

use super::{assumed, round_way, series, titles};
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::rounds::{Round, Sort};
use crate::validate::rules::declare_rule;
use crate::validate::{Subject, fixes};

declare_rule! {
    /// Finds loops through a table or folder whose changes set off the flow that writes them.
    /// ## Why is this bad
    /// Writing the thumbnail into the folder that triggers thumbnails is a loop that no arrow shows.
    /// The first event is enough, and each turn makes the next. It is noticed by its bill, or by the
    /// people who see what it writes over and over.
    /// ## When is this fine
    /// When what is written is sure to leave nothing to do, and the store tells nobody of a write
    /// that changes nothing: then accept the hazard and say so.
    /// ## Perturbation
    /// One event: its descendants never end.
    /// ## Example
    /// in: manual -> save: bucket(folder=photos)
    /// heard: file_watch(folder=photos, format=json) -> small: map(expr=.width = 100) -> store: bucket(folder=photos)
    /// ## Use instead
    /// in: manual -> save: bucket(folder=photos)
    /// heard: file_watch(folder=photos, format=json) -> small: map(expr=.width = 100) -> store: bucket(folder=thumbs)
    /// ## Near miss
    /// in: manual -> save: table(table=orders, key=.id, columns={"a": ".a", "b": ".b"})
    /// heard: table_changes(table=orders) -> total: map(expr={id: .key, total: (.after.a + .after.b)}) -> store: table(table=orders, key=.id, columns={"total": ".total"})
    /// ## Source
    /// Amazon EventBridge user guide, best practices for rules (patterns that match what their own
    /// targets send), and AWS Lambda developer guide, recursive loop detection (a function that writes
    /// into the bucket that invokes it)
    code = "LOOP-005", name = "loop-through-a-store", severity = Error, since = "0.1.0",
    check = Whole(check),
}

fn check(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let rounds = facts.rounds();
    for round in rounds.iter().filter(|round| round.sort == Sort::Hidden) {
        let Some((round, writer, hearer)) = from_the_store(design, round) else {
            continue;
        };
        let message = format!(
            "{} writes {}, which {} hears of, so events go round through {}: {}; \
             write elsewhere or leave out what it wrote itself",
            design.title(writer),
            resource(design, writer),
            design.title(hearer),
            titles(design, &round.way),
            series(&round)
        );
        let subject = Subject::Node(design.nodes[writer].id.clone());
        let mut found = Found::at(subject, message)
            .path(round_way(
                facts,
                &round,
                "hears of it, and so round and round",
            ))
            .fixes(fixes::part_writer_and_hearer(facts, &round))
            .fixes(fixes::end_loop(facts, &round));
        if let Some(assumed) = assumed(facts, &round) {
            found = found.assuming(assumed);
        }
        findings.add(found);
    }
}

/// The way round from who hears of the store to who writes it.
fn from_the_store(design: &Design, round: &Round) -> Option<(Round, NodeIx, NodeIx)> {
    let hidden = |edge: &EdgeIx| design.edges[*edge].resource;
    let at = round.way.iter().position(hidden)?;
    let mut round = round.clone();
    round.way.rotate_left(at + 1);
    let view = &design.edges[*round.way.last()?];
    Some((round, view.from, view.to))
}

/// `` the table `orders` ``.
fn resource(design: &Design, node: NodeIx) -> String {
    let kind = design.nodes[node].kind.as_ref();
    let Some(resource) = kind.and_then(|kind| kind.resource.as_ref()) else {
        return "a store".to_owned();
    };
    let name = resource.named_by.last();
    let name = name.and_then(|field| design.text(node, field));
    name.map_or_else(
        || format!("a {}", resource.sort),
        |name| format!("the {} `{name}`", resource.sort),
    )
}
