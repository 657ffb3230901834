//! AUTH-005: that an event comes tells what decided about it.

use std::borrow::Cow;

use super::restricted_key::slots;
use super::{self as auth, Leak, OPERATORS, Place, Seen};
use crate::catalog::{Behaviour, PortRole};
use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::labels::Labels;
use crate::validate::facts::tags::TagId;
use crate::validate::facts::{Facts, Port};
use crate::validate::rules::declare_rule;
use crate::validate::{Step, Subject, fixes};

declare_rule! {
    /// Finds places where the mere arrival of an event tells people how a field compared that they
    /// may not read.
    /// ## Why is this bad
    /// An empty message on a way that is only for salaries over a limit says all there is to say.
    /// Which way an event takes carries information even when the payload is clean. Redacting more
    /// fields does not help, because nothing is left to redact.
    /// ## When is this fine
    /// When the comparison may be known although the value may not: then name these readers in the
    /// label of a field that holds its result, and filter by that.
    /// ## Perturbation
    /// A different secret: with another value in the compared field an event comes or does not come.
    /// ## Example
    /// role hr
    /// role staff
    /// type pay: employee string {org}, salary number {role:hr}
    /// in: manual(event_type=pay) -> top: filter(when=.salary > 100000) -> names: map(expr={employee}) -> board: view @staff
    /// ## Use instead
    /// role hr
    /// role staff
    /// type pay: employee string {org}, salary number {role:hr}
    /// in: manual(event_type=pay) -> top: filter(when=.salary > 100000) -> list: view @hr
    /// in -> names: map(expr={employee}) -> board: view @staff
    /// ## Near miss
    /// role hr
    /// role staff
    /// type pay: employee string {org}, team string {org}, salary number {role:hr}
    /// in: manual(event_type=pay) -> way: route(routes={"a": ".team == \"sales\"", "b": ".salary > 100000"})
    /// way.a -> names: map(expr={employee}) -> board: view @staff
    /// way.b -> list: view @hr
    /// ## Source
    /// D. Denning and P. Denning, Certification of programs for secure information flow, 1977
    code = "AUTH-005", name = "telling-route", severity = Warning, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    check_place(facts, node, findings);
    let design = &*facts.design;
    let Some(port) = facts.input(node).filter(|port| !port.presence.is_empty()) else {
        return;
    };
    for mut place in places(facts, node, port) {
        // Where the payload itself leaks, that is to be mended first.
        if !auth::is_clean(facts, node) && !auth::leaks(facts, port, &place).is_empty() {
            continue;
        }
        let payload = std::mem::replace(
            &mut place.shown,
            Cow::Owned(Labels::at_root(&port.presence)),
        );
        let leaks = auth::leaks(facts, port, &place);
        let Some(first) = leaks.first() else { continue };
        place.shown.to_mut().join(&payload);
        let (title, readers) = (place.title(design, node), facts.readers(place.audience));
        let fields: Vec<Leak> = leaks
            .iter()
            .map(|leak| Leak {
                field: auth::root_of(facts, leak).field.clone(),
                ..leak.clone()
            })
            .collect();
        let looked = auth::list(&fields);
        let (way, chooser) = way(facts, first, node);
        let by = design.title(chooser);
        let narrow = fixes::narrow_audience(facts, node, &place);
        let is_main = place.side.is_none();
        let ahead = is_main.then(|| fixes::feed_from_ahead(facts, chooser, node));
        let message = format!(
            "that an event comes to {title} tells {readers} how {by} found {looked}, which they may not read; choose behind the last of them or let others look"
        );
        findings.add(
            Found::node(&design.nodes[node].id, message)
                .detail(place.side.cloned().unwrap_or_default())
                .path(path(facts, first, &way, chooser, node, &readers))
                .fixes(ahead.flatten().into_iter().chain(narrow)),
        );
    }
}

/// What is still at a place tells those who find it there that nobody else's had the same key.
fn check_place(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let Some(port) = facts.input(node) else {
        return;
    };
    let told = facts.told_by_place(node, port);
    if told.is_empty() {
        return;
    }
    let design = &*facts.design;
    for mut place in auth::places(facts, node, port) {
        let kept = matches!(place.seen, Seen::Shown | Seen::Stored);
        if !kept || !auth::leaks(facts, port, &place).is_empty() {
            continue;
        }
        place.shown.to_mut().join(&Labels::at_root(&told));
        let leaks = auth::leaks(facts, port, &place);
        let Some(first) = leaks.first() else { continue };
        let tag = auth::root_of(facts, first);
        let (title, readers) = (place.title(design, node), facts.readers(place.audience));
        let field = &tag.field;
        let message = format!(
            "what is left in {title} tells {readers} whether others have the same `{field}`, which they may not read, because one takes the place of the other; keep each owner's apart or let others look"
        );
        let effect = format!("leaves one of each, which tells {readers} of the others");
        findings.add(
            Found::node(&design.nodes[node].id, message)
                .detail(place.side.map_or_else(
                    || "place".into(),
                    |side| smol_str::format_smolstr!("place:{side}"),
                ))
                .path(auth::evidence(facts, first, node, effect))
                .fixes(fixes::narrow_audience(facts, node, &place)),
        );
    }
}

/// Places where somebody waits for what comes.
fn places<'f>(facts: &'f Facts, node: NodeIx, port: &'f Port) -> Vec<Place<'f>> {
    let design = &*facts.design;
    let noted = &design.nodes[node].node.notes;
    let observed = matches!(design.behaviour(node), Some(Behaviour::Observe { .. }));
    // What was given up came there because something failed, unless a flow sends it there itself; who was let in
    // there sees what came all the same, and it may be all that comes.
    let mut ins = design.nodes[node].ins.iter();
    let chosen = ins.any(|edge| design.edges[*edge].role == PortRole::Data);
    let mut places = auth::places(facts, node, port);
    places.retain(|place| match &place.seen {
        _ if place.side.is_some() => true,
        // Nobody watches a store for what comes, unless somebody is let in.
        _ if !observed && noted.audience.is_none() => false,
        seen => *seen != Seen::GivenUp || chosen || noted.audience.is_some(),
    });
    let operators = noted.side_audiences.get(&OPERATORS);
    if operators.is_some() && !slots(design, node).is_empty() {
        places.push(Place {
            seen: Seen::Run,
            side: Some(&OPERATORS),
            audience: operators,
            shown: Cow::default(),
        });
    }
    places
}

/// The way of a secret to where it is told, and the node that made a choice of it.
fn way(facts: &Facts, leak: &Leak, to: NodeIx) -> (Vec<EdgeIx>, NodeIx) {
    let design = &*facts.design;
    let root = facts.root(leak.tag);
    let told = |edge: EdgeIx, tag: &dyn Fn(TagId) -> bool| {
        let port = facts.edge(edge);
        port.is_some_and(|port| port.presence.iter().any(tag))
    };
    let of_root = |tag: TagId| facts.root(tag) == root;
    let fold = facts.tags[leak.tag as usize].fold.as_ref();
    let folder = fold.map_or(to, |fold| fold.by);
    let behind = design.trace(
        to,
        |edge| told(edge, &|tag| tag == leak.tag),
        |node| node == folder,
    );
    let begins = |node: NodeIx| {
        let mut ins = design.nodes[node].ins.iter();
        !ins.any(|edge| told(*edge, &of_root))
    };
    let chosen = design.trace(folder, |edge| told(edge, &of_root), begins);
    let chooser = chosen
        .first()
        .map_or(folder, |edge| design.edges[*edge].from);
    let source = facts.tags[root as usize].node;
    let labelled = |edge| {
        facts.edge(edge).is_some_and(|port| {
            let mut tags = port.labels.tags();
            tags.any(of_root)
        })
    };
    let mut way = design.trace(chooser, labelled, |node| node == source);
    way.extend(chosen);
    way.extend(behind);
    (way, chooser)
}

fn path(
    facts: &Facts,
    leak: &Leak,
    way: &[EdgeIx],
    chooser: NodeIx,
    to: NodeIx,
    readers: &str,
) -> Vec<Step> {
    let tag = auth::root_of(facts, leak);
    let cause = format!("`{}` of {} is for {}", tag.field, tag.ty, tag.clause);
    let effect = format!("tells {readers} by each event that comes");
    let mut steps = facts.design.steps((tag.node, cause), way, (to, effect));
    let chooser = &facts.design.nodes[chooser].id;
    for step in steps.iter_mut().skip(1) {
        if matches!(&step.place, Subject::Port(port) if port.node == *chooser) {
            "lets an event pass or not by it".clone_into(&mut step.note);
        }
    }
    steps
}
